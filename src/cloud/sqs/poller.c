#include "base/clock.h"
#include "cloud/sqs/sqs.h"

#include <stdlib.h>

/* One thread for everything that waits: long polls, which it answers as soon as their queue has a
 * message or their time is over; messages that are past their retention; move tasks. */

enum { HOUSEKEEPING_MS = 60 * 1000 };

struct waiter {
    struct sqs_call call;
    struct reception reception;
    int64_t until_ms;
    struct waiter *next;
};

struct poller {
    pthread_cond_t wake;
    pthread_t thread;
    int closing, woken;
    struct waiter *first, **last;
    int64_t housekeeping_ms, moves_ms; /* when to do them */
};

void poller_wake(struct sqs *sqs)
{
    struct poller *poller = sqs->poller;
    if (!poller || poller->woken || !poller->first)
        return;
    poller->woken = 1;
    pthread_cond_signal(&poller->wake);
}

void poller_work(struct sqs *sqs)
{
    pthread_mutex_lock(&sqs->lock);
    sqs->poller->moves_ms = 0;
    sqs->poller->woken = 1;
    pthread_cond_signal(&sqs->poller->wake);
    pthread_mutex_unlock(&sqs->lock);
}

int poller_wait(struct sqs_call *call, const struct reception *reception, int64_t until_ms)
{
    struct sqs *sqs = call->sqs;
    struct waiter *waiter = calloc(1, sizeof *waiter);
    pthread_mutex_lock(&sqs->lock);
    if (!waiter || sqs->poller->closing) {
        pthread_mutex_unlock(&sqs->lock);
        free(waiter);
        return -1;
    }
    exchange_defer(call->x);
    *waiter = (struct waiter){*call, *reception, until_ms, NULL};
    call->is_deferred = 1;
    *sqs->poller->last = waiter;
    sqs->poller->last = &waiter->next;
    poller_wake(sqs);
    pthread_mutex_unlock(&sqs->lock);
    return 0;
}

/* -- the thread -- */

static int is_due(const struct waiter *waiter, int64_t now_ms)
{
    const struct queue *queue = waiter->call.queue;
    return queue->is_deleted || queue->next_ms <= now_ms || waiter->until_ms <= now_ms;
}

/* Under the lock: takes the first waiter that is due out of the list. */
static struct waiter *take_due(struct poller *poller, int64_t now_ms)
{
    struct waiter **at = &poller->first;
    while (*at && !poller->closing && !is_due(*at, now_ms))
        at = &(*at)->next;
    struct waiter *waiter = *at;
    if (!waiter)
        return NULL;
    *at = waiter->next;
    if (!*at)
        poller->last = at;
    return waiter;
}

static void put_back(struct poller *poller, struct waiter *waiter)
{
    waiter->next = poller->first;
    poller->first = waiter;
    if (!waiter->next)
        poller->last = &waiter->next;
}

static void finish(struct waiter *waiter, int result)
{
    struct exchange *x = waiter->call.x;
    if (result == 0)
        sqs_count_received(&waiter->reception);
    if (json_array_size(waiter->reception.messages))
        json_object_set(waiter->call.answer, "Messages", waiter->reception.messages);
    json_decref(waiter->reception.messages);
    sqs_finish_call(&waiter->call, result);
    free(waiter);
    exchange_resume(x);
}

/* Without the lock. Returns 1 when it goes on waiting. */
static int serve(struct waiter *waiter, int closing, int64_t now_ms)
{
    if (closing) {
        finish(waiter, 0);
        return 0;
    }
    if (waiter->call.queue->is_deleted) {
        finish(waiter, sqs_fail_no_queue(&waiter->call));
        return 0;
    }
    waiter->reception.now_ms = now_ms;
    int result = reception_run(&waiter->reception, &waiter->call.err);
    if (result == 0 && !json_array_size(waiter->reception.messages) && waiter->until_ms > now_ms)
        return 1;
    finish(waiter, result);
    return 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Under the lock: until the next thing to do, or poller_wake(). */
static void sleep_until_due(struct sqs *sqs)
{
    struct poller *poller = sqs->poller;
    int64_t until_ms = earlier(poller->housekeeping_ms, poller->moves_ms);
    for (const struct waiter *w = poller->first; w; w = w->next)
        until_ms = earlier(until_ms, earlier(w->until_ms, w->call.queue->next_ms));
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    while (!poller->woken && !poller->closing &&
           pthread_cond_timedwait(&poller->wake, &sqs->lock, &until) == 0)
        ;
    poller->woken = 0;
}

/* Under the lock, which it leaves while it works. Returns 1 when there was something. */
static int work(struct sqs *sqs, int64_t now_ms)
{
    struct poller *poller = sqs->poller;
    struct waiter *waiter = take_due(poller, now_ms);
    int closing = poller->closing, keeps = 0;
    int expires = !waiter && now_ms >= poller->housekeeping_ms && !closing;
    int moves = !waiter && now_ms >= poller->moves_ms && !closing;
    if (!waiter && !expires && !moves)
        return 0;
    if (expires)
        poller->housekeeping_ms = now_ms + HOUSEKEEPING_MS;
    if (moves)
        poller->moves_ms = SQS_NEVER;
    pthread_mutex_unlock(&sqs->lock);
    int64_t moves_ms = moves ? moves_work(sqs, now_ms) : SQS_NEVER;
    if (waiter)
        keeps = serve(waiter, closing, now_ms);
    if (expires) {
        messages_expire(sqs, now_ms);
        sqs_measure(sqs);
    }
    pthread_mutex_lock(&sqs->lock);
    if (keeps)
        put_back(poller, waiter);
    poller->moves_ms = earlier(poller->moves_ms, moves_ms);
    return 1;
}

static void *poller_main(void *argument)
{
    struct sqs *sqs = argument;
    pthread_mutex_lock(&sqs->lock);
    while (!sqs->poller->closing || sqs->poller->first)
        if (!work(sqs, clock_unix_ms()))
            sleep_until_due(sqs);
    pthread_mutex_unlock(&sqs->lock);
    return NULL;
}

int poller_start(struct sqs *sqs, struct err *err)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller)
        return err_set(err, ERR_NO_MEMORY, "start SQS: out of memory");
    pthread_cond_init(&poller->wake, NULL);
    poller->last = &poller->first;
    sqs->poller = poller;
    if (pthread_create(&poller->thread, NULL, poller_main, sqs)) {
        sqs->poller = NULL;
        free(poller);
        return err_set(err, ERR_NO_MEMORY, "start SQS: no thread");
    }
    return 0;
}

void poller_stop(struct sqs *sqs)
{
    if (!sqs->poller)
        return;
    pthread_mutex_lock(&sqs->lock);
    sqs->poller->closing = 1;
    pthread_cond_signal(&sqs->poller->wake);
    pthread_mutex_unlock(&sqs->lock);
    pthread_join(sqs->poller->thread, NULL);
}

void poller_destroy(struct sqs *sqs)
{
    if (!sqs->poller)
        return;
    pthread_cond_destroy(&sqs->poller->wake);
    free(sqs->poller);
    sqs->poller = NULL;
}
