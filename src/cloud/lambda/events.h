#ifndef CLOUD_LAMBDA_EVENTS_H
#define CLOUD_LAMBDA_EVENTS_H

#include "base/err.h"
#include "cloud/lambda/invoke.h"

#include <stddef.h>
#include <stdint.h>

/* The queue of asynchronous invocations: durable when events_put() returns, run as functions have
 * room, and gone only when the owner says that an event is finished. What a crash interrupts runs
 * again. One thread launches and settles; each function is a lane of its own, so that a slow one
 * holds up no other. */
struct events;

enum {
    EVENTS_MAX_WAITING = 100000, /* of all functions */
    EVENTS_LANE_IN_FLIGHT = 16,  /* of one function, handed to the manager */
    EVENTS_MAX_IN_FLIGHT = 128,  /* of all: their payloads are in memory */
};

struct event {
    int64_t id;
    char *function;      /* NAME or NAME:QUALIFIER, as it was invoked */
    char request_id[37]; /* UUID; the same in every attempt */
    int64_t received_unix_ms;
    int attempts, refusals; /* runs that failed; times that there was no room */
    char *payload;          /* while it is in flight */
    size_t payload_bytes;
};

enum { EVENT_FINISHED = -1, EVENT_LEFT = -2 };

/* What the owner does; all on the queue's thread. */
struct events_owner {
    /* Start an attempt; `done` is called once, from any thread, also before this returns. */
    void (*launch)(void *self, const struct event *event, lambda_done *done, void *context);
    /* What the attempt's result means: milliseconds until the next one, EVENT_FINISHED, or
     * EVENT_LEFT: as it was, for the next start of the cloud. May count attempts and refusals. */
    int64_t (*settle)(void *self, struct event *event, const struct lambda_result *result);
    void *self;
};

/* Opens or makes the SQLite file and reads what waits; nothing runs before events_start(). */
struct events *events_open(const char *path, const struct events_owner *owner, struct err *err);
int events_start(struct events *events, struct err *err) MUST_USE;
/* Nothing is launched from now on; what runs is settled until events_close(). */
void events_stop(struct events *events);
/* When no `done` can come any more. NULL is fine. */
void events_close(struct events *events);

/* Durable on return. ERR_BUSY: too many wait. */
int events_put(struct events *events, const struct event *event, struct err *err) MUST_USE;

/* How many wait or run. */
size_t events_count(struct events *events);

#endif
