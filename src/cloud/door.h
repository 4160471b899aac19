#ifndef CLOUD_DOOR_H
#define CLOUD_DOOR_H

#include "cloud/certificate.h"
#include "cloud/listen.h"
#include "cloud/watch.h"

#include <microhttpd.h>
#include <pthread.h>

/* A port: the socket, a thread that takes its connections, and lanes, one a processor, that serve
 * them, each a libmicrohttpd daemon with a thread of its own. A new connection goes to the lane
 * that has fewest: daemons that accept for themselves take up to ten at a time, and few clients
 * with many requests may all end up at one. */
enum { DOOR_MAX_LANES = 8 };

struct front;

struct lane {
    struct door *door;
    struct MHD_Daemon *daemon;
    unsigned given; /* connections, in all; the accepting thread's */
    unsigned ended; /* of them, in all; the lane's, atomic */
};

struct door {
    const struct certificate *certificate; /* NULL: plain HTTP; outlives the door */
    struct watch *watch;
    unsigned limit; /* of connections; more wait in the socket's backlog */
    int listen_fd;  /* -1: no such door */
    int stop_fd;    /* readable: take no more; -1: not started */
    pthread_t thread;
    struct lane lanes[DOOR_MAX_LANES];
    unsigned lane_count;
    char endpoint[LISTEN_ENDPOINT_BYTES];
};

#define DOOR_NONE ((struct door){.listen_fd = -1, .stop_fd = -1})

/* Opens the port, see listen_open(); clients wait until door_start(). */
int door_open(struct door *door, const char *listen, const struct certificate *certificate,
              struct err *err) MUST_USE;
/* The watch, which clients of any door may count: prepare all before the first is started, close
 * all before the first is destroyed. */
int door_prepare(struct door *door, struct err *err) MUST_USE;
int door_start(struct door *door, struct front *front, struct err *err) MUST_USE;
void door_stop(struct door *door);    /* new connections are refused */
void door_close(struct door *door);   /* and those there are end */
void door_destroy(struct door *door); /* fine for DOOR_NONE */

#endif
