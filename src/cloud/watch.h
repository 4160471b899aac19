#ifndef CLOUD_WATCH_H
#define CLOUD_WATCH_H

#include "base/err.h"

#include <stddef.h>

/* Closes connections that only hold a place: clients that went away by halves, that send a byte now
 * and then, or that wait while the places run out. libmicrohttpd alone counts from the last byte of
 * either side, and does not see an end of the stream that came together with data.
 *
 * A thread looks at all connections each WATCH_TICK_MS while there are any. It closes
 *   - who has ended their side, unless an answer is under way (that is brought to its end first);
 *   - who sent no whole head in WATCH_HEAD_MS, or no request line in WATCH_IDLE_MS, however slowly
 *     bytes came; whose body grew by less than WATCH_BODY_BYTES in WATCH_BODY_MS;
 *   - when more than 7/8 of the places are taken: those that wait longest without a whole head, at
 *     least WATCH_CALM_MS each, until half are.
 * The functions may be called from any thread. */
struct watch;
struct watched;

enum {
    WATCH_TICK_MS = 250,
    WATCH_IDLE_MS = 75 * 1000,
    WATCH_HEAD_MS = 20 * 1000,
    WATCH_BODY_MS = 20 * 1000,
    WATCH_BODY_BYTES = 1024,
    WATCH_CALM_MS = 1000,
};

enum watch_state {
    WATCH_IDLE,   /* between requests */
    WATCH_HEAD,   /* the request line has come */
    WATCH_BODY,   /* the head has come */
    WATCH_ANSWER, /* the whole request has come */
};

struct watch *watch_create(unsigned places, struct err *err);
void watch_destroy(struct watch *watch); /* after every watch_remove(); NULL is fine */

/* `fd` stays open until watch_remove(). NULL when there is no memory or place: not watched. */
struct watched *watch_add(struct watch *watch, int fd);
void watch_remove(struct watch *watch, struct watched *watched); /* NULL is fine */
unsigned watch_count(struct watch *watch);                       /* NULL: 0 */

/* NULL is fine for both. */
void watch_enter(struct watched *watched, enum watch_state state);
void watch_received(struct watched *watched, size_t body_bytes);

#endif
