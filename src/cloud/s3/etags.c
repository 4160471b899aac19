#include "cloud/s3/etags.h"

void etags_init(struct etags *etags)
{
    *etags = (struct etags){0};
    etags->last = &etags->first;
    pthread_mutex_init(&etags->lock, NULL);
    pthread_cond_init(&etags->made, NULL);
}

void etags_finish(struct etags *etags)
{
    pthread_cond_destroy(&etags->made);
    pthread_mutex_destroy(&etags->lock);
}

void etags_add(struct etags *etags, struct etag_wait *wait)
{
    wait->state = ETAG_WAITS;
    wait->next = NULL;
    pthread_mutex_lock(&etags->lock);
    *etags->last = wait;
    etags->last = &wait->next;
    pthread_mutex_unlock(&etags->lock);
}

/* Under the lock, of one that waits. Few do, and who writes is among the first of them. */
static void take_out(struct etags *etags, struct etag_wait *wait)
{
    struct etag_wait **at = &etags->first;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    if (!*at)
        etags->last = at;
}

/* Under the lock: `wait` and the first others. */
static size_t take_some(struct etags *etags, struct etag_wait *wait,
                        struct etag_wait *taken[MD5_LANES])
{
    size_t count = 0;
    for (; wait && count < MD5_LANES; wait = etags->first) {
        take_out(etags, wait);
        wait->state = ETAG_TAKEN;
        taken[count++] = wait;
    }
    return count;
}

/* Under the lock, which it leaves for the time. */
static void make_some(struct etags *etags, struct etag_wait *wait)
{
    struct etag_wait *taken[MD5_LANES];
    struct md5_text texts[MD5_LANES];
    size_t count = take_some(etags, wait, taken);
    for (size_t i = 0; i < count; i++)
        texts[i] = (struct md5_text){taken[i]->data, taken[i]->size, taken[i]->md5};
    pthread_mutex_unlock(&etags->lock);
    int result = md5_lanes(texts, count);
    pthread_mutex_lock(&etags->lock);
    for (size_t i = 0; i < count; i++)
        taken[i]->state = result == 0 ? ETAG_MADE : ETAG_FAILED;
    pthread_cond_broadcast(&etags->made);
}

/* Under the lock. */
static void await_end(struct etags *etags, const struct etag_wait *wait)
{
    while (wait->state == ETAG_TAKEN)
        pthread_cond_wait(&etags->made, &etags->lock);
}

int etags_make(struct etags *etags, struct etag_wait *wait, struct err *err)
{
    pthread_mutex_lock(&etags->lock);
    if (wait->state == ETAG_WAITS)
        make_some(etags, wait);
    await_end(etags, wait);
    pthread_mutex_unlock(&etags->lock);
    return wait->state == ETAG_MADE
               ? 0
               : err_set(err, ERR_NO_MEMORY, "digest an object: out of memory");
}

void etags_leave(struct etags *etags, struct etag_wait *wait)
{
    pthread_mutex_lock(&etags->lock);
    if (wait->state == ETAG_WAITS)
        take_out(etags, wait);
    await_end(etags, wait);
    pthread_mutex_unlock(&etags->lock);
}
