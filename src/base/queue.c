#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    size_t capacity, count, head; /* head: where the oldest item is */
    int closed;
    void *items[];
};

struct queue *queue_create(size_t capacity, struct err *err)
{
    if (capacity < 1 || capacity > QUEUE_MAX_ITEMS) {
        err_set(err, ERR_INVALID, "create queue: %zu items, not 1 to %d", capacity,
                QUEUE_MAX_ITEMS);
        return NULL;
    }
    struct queue *queue = calloc(1, sizeof *queue + capacity * sizeof queue->items[0]);
    if (!queue) {
        err_set(err, ERR_NO_MEMORY, "create queue");
        return NULL;
    }
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->not_empty, NULL);
    pthread_cond_init(&queue->not_full, NULL);
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->not_full);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static int push_locked(struct queue *queue, void *item)
{
    if (queue->closed || queue->count == queue->capacity)
        return -1;
    queue->items[(queue->head + queue->count) % queue->capacity] = item;
    queue->count++;
    pthread_cond_signal(&queue->not_empty);
    return 0;
}

int queue_try_push(struct queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    int result = push_locked(queue, item);
    pthread_mutex_unlock(&queue->lock);
    return result;
}

int queue_push(struct queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count == queue->capacity)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    int result = push_locked(queue, item);
    pthread_mutex_unlock(&queue->lock);
    return result;
}

void *queue_pop(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count == 0)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    if (queue->count > 0) {
        item = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->not_full);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = 1;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}
