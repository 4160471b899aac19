#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/err.h"

#include <stddef.h>

/* A bounded first-in-first-out queue of pointers between threads. The queue never owns what the
 * pointers point to. All calls are thread safe, except destroy. */
struct queue;

enum { QUEUE_MAX_ITEMS = 1 << 20 };

struct queue *queue_create(size_t capacity, struct err *err); /* 1 to QUEUE_MAX_ITEMS */
void queue_destroy(struct queue *queue);                      /* NULL is fine */

/* Both return 0, or -1 when the queue is closed; try_push also when it is full: it never waits. */
int queue_try_push(struct queue *queue, void *item) MUST_USE;
int queue_push(struct queue *queue, void *item) MUST_USE;

/* Waits for an item; NULL once the queue is closed and empty. */
void *queue_pop(struct queue *queue);

/* No more pushes; those that wait are woken. What is inside can still be popped. */
void queue_close(struct queue *queue);

#endif
