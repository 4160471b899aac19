#ifndef CLOUD_FRONT_PARTS_H
#define CLOUD_FRONT_PARTS_H

#include "cloud/door.h"
#include "cloud/front.h"
#include "cloud/traffic.h"

#include <microhttpd.h>

/* The parts of the front: front.c (life), door.c (ports, threads) and visit.c (the way of one
 * request from libmicrohttpd to its service and back). */

/* While what was asked is answered, the functions that work on it may still ask. */
enum closing { OPEN_FOR_ALL, OPEN_FOR_FUNCTIONS, OPEN_FOR_NONE };

enum { PUBLIC_DOOR, INNER_DOOR, DOORS };

struct front {
    struct cloud *cloud;
    struct door doors[DOORS]; /* the inner one only beside one with a certificate */
    struct workers *workers;
    struct traffic traffic;
    unsigned in_flight; /* exchanges with a service; atomic */
    int closing;        /* enum closing; atomic */
};

/* visit.c: what libmicrohttpd calls, with the front, or the connection's lane, as context. */
void visit_connection(void *lane, struct MHD_Connection *connection, void **watched,
                      enum MHD_ConnectionNotificationCode code);
/* The request line: the only place where libmicrohttpd tells it undecoded. */
void *visit_uri(void *front, const char *uri, struct MHD_Connection *connection);
enum MHD_Result visit_request(void *front, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_bytes, void **state);
void visit_completed(void *front, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode code);

#endif
