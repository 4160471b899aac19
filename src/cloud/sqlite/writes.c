#include "cloud/sqlite/writes.h"

#include <errno.h>
#include <stddef.h>

/* Under the lock. */
static struct write_request *take_batch(struct writes *writes)
{
    struct write_request *batch = writes->first, **end = &batch;
    for (size_t n = 0; *end && n < WRITES_MAX_BATCH; n++)
        end = &(*end)->next;
    writes->first = *end;
    if (!*end)
        writes->last = &writes->first;
    *end = NULL;
    return batch;
}

static void post_all(struct write_request *batch)
{
    while (batch) {
        struct write_request *next = batch->next; /* the owner may be gone right after `done` */
        if (batch->finished)
            batch->finished(batch);
        else
            sem_post(&batch->done);
        batch = next;
    }
}

/* Under the lock: everything that waits, batch by batch. */
static void write_waiting(struct writes *writes)
{
    while (writes->first) {
        struct write_request *batch = take_batch(writes);
        pthread_mutex_unlock(&writes->lock);
        writes->write(writes->context, batch);
        post_all(batch);
        pthread_mutex_lock(&writes->lock);
    }
    writes->handed_over = writes->is_written = 0;
    pthread_cond_signal(&writes->at_rest);
}

static void *writer_main(void *argument)
{
    struct writes *writes = argument;
    pthread_mutex_lock(&writes->lock);
    while (!writes->closing) {
        if (writes->handed_over)
            write_waiting(writes);
        else
            pthread_cond_wait(&writes->work, &writes->lock);
    }
    pthread_mutex_unlock(&writes->lock);
    return NULL;
}

/* Under the lock. */
static int has_thread(struct writes *writes)
{
    if (!writes->thread_started && pthread_create(&writes->thread, NULL, writer_main, writes) == 0)
        writes->thread_started = 1;
    return writes->thread_started;
}

static void wake_thread(struct writes *writes)
{
    writes->handed_over = 1;
    pthread_cond_signal(&writes->work);
}

/* Under the lock, by who has written. Without a thread to be had it goes on itself. */
static void hand_over(struct writes *writes)
{
    if (writes->first && has_thread(writes))
        wake_thread(writes);
    else
        write_waiting(writes);
}

static void append(struct writes *writes, struct write_request *request)
{
    *writes->last = request;
    writes->last = &request->next;
}

/* Each waits on a semaphore of its own: the writer wakes them without the lock, which they would
 * all want at once. */
static void await_turn(struct writes *writes, struct write_request *request)
{
    sem_init(&request->done, 0, 0);
    append(writes, request);
    pthread_mutex_unlock(&writes->lock);
    while (sem_wait(&request->done) < 0 && errno == EINTR)
        ;
    sem_destroy(&request->done);
}

void writes_put(struct writes *writes, struct write_request *request)
{
    request->next = NULL;
    request->finished = NULL;
    pthread_mutex_lock(&writes->lock);
    if (writes->is_written) {
        await_turn(writes, request);
        return;
    }
    writes->is_written = 1;
    pthread_mutex_unlock(&writes->lock);
    writes->write(writes->context, request);
    pthread_mutex_lock(&writes->lock);
    hand_over(writes);
    pthread_mutex_unlock(&writes->lock);
}

int writes_post(struct writes *writes, struct write_request *request)
{
    request->next = NULL;
    pthread_mutex_lock(&writes->lock);
    int taken = writes->is_written || has_thread(writes);
    if (taken)
        append(writes, request);
    if (taken && !writes->is_written) {
        writes->is_written = 1;
        wake_thread(writes);
    }
    pthread_mutex_unlock(&writes->lock);
    return taken ? 0 : -1;
}

void writes_init(struct writes *writes, void (*write)(void *context, struct write_request *batch),
                 void *context)
{
    *writes = (struct writes){.write = write, .context = context};
    writes->last = &writes->first;
    pthread_mutex_init(&writes->lock, NULL);
    pthread_cond_init(&writes->work, NULL);
    pthread_cond_init(&writes->at_rest, NULL);
}

void writes_finish(struct writes *writes)
{
    pthread_mutex_lock(&writes->lock);
    while (writes->is_written)
        pthread_cond_wait(&writes->at_rest, &writes->lock);
    writes->closing = 1;
    pthread_cond_signal(&writes->work);
    pthread_mutex_unlock(&writes->lock);
    if (writes->thread_started)
        pthread_join(writes->thread, NULL);
    pthread_cond_destroy(&writes->work);
    pthread_cond_destroy(&writes->at_rest);
    pthread_mutex_destroy(&writes->lock);
}
