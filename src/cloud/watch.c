#include "cloud/watch.h"

#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct watched {
    int fd;
    unsigned place;    /* in the table */
    int state;         /* enum watch_state; atomic */
    int has_ended;     /* the peer's side had ended at the last look */
    uint64_t since_ms; /* in this state, or since the body was measured; atomic */
    uint64_t received; /* body bytes since then; atomic */
};

struct watch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    unsigned count, places;
    int closing;
    struct watched **table; /* [count] */
    struct watched **calm;  /* [places]: room for those that may be closed, longest first */
    struct pollfd *polls;   /* [places] */
};

static uint64_t now_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

static uint64_t age_ms(const struct watched *watched, uint64_t now)
{
    uint64_t since = __atomic_load_n(&watched->since_ms, __ATOMIC_RELAXED);
    return now > since ? now - since : 0;
}

static enum watch_state state_of(const struct watched *watched)
{
    return (enum watch_state)__atomic_load_n(&watched->state, __ATOMIC_ACQUIRE);
}

static int is_calm(const struct watched *watched)
{
    enum watch_state state = state_of(watched);
    return state == WATCH_IDLE || state == WATCH_HEAD;
}

/* libmicrohttpd's thread finds the end of the stream and cleans up. */
static void hang_up(const struct watched *watched)
{
    shutdown(watched->fd, SHUT_RDWR);
}

/* Each body is measured anew every WATCH_BODY_MS. */
static int body_is_slow(struct watched *watched, uint64_t now)
{
    if (age_ms(watched, now) < WATCH_BODY_MS)
        return 0;
    __atomic_store_n(&watched->since_ms, now, __ATOMIC_RELAXED);
    return __atomic_exchange_n(&watched->received, 0, __ATOMIC_RELAXED) < WATCH_BODY_BYTES;
}

static int is_slow(struct watched *watched, uint64_t now)
{
    switch (state_of(watched)) {
    case WATCH_IDLE:
        return age_ms(watched, now) >= WATCH_IDLE_MS;
    case WATCH_HEAD:
        return age_ms(watched, now) >= WATCH_HEAD_MS;
    case WATCH_BODY:
        return body_is_slow(watched, now);
    case WATCH_ANSWER:
        break;
    }
    return 0;
}

static int has_unread(const struct watched *watched)
{
    int bytes = 0;
    return ioctl(watched->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* At two looks, so that what came before the end has been read and taken in between. */
static int has_gone(struct watched *watched, int ended)
{
    int had_ended = watched->has_ended;
    watched->has_ended = ended && state_of(watched) != WATCH_ANSWER && !has_unread(watched);
    return had_ended && watched->has_ended;
}

static void look_at_each(struct watch *watch, uint64_t now)
{
    for (unsigned i = 0; i < watch->count; i++)
        watch->polls[i] = (struct pollfd){.fd = watch->table[i]->fd, .events = POLLRDHUP};
    if (poll(watch->polls, watch->count, 0) < 0)
        return;
    for (unsigned i = 0; i < watch->count; i++) {
        struct watched *watched = watch->table[i];
        if (has_gone(watched, watch->polls[i].revents & POLLRDHUP) || is_slow(watched, now))
            hang_up(watched);
    }
}

static int by_age(const void *a, const void *b)
{
    uint64_t one = __atomic_load_n(&(*(struct watched *const *)a)->since_ms, __ATOMIC_RELAXED);
    uint64_t other = __atomic_load_n(&(*(struct watched *const *)b)->since_ms, __ATOMIC_RELAXED);
    return (one > other) - (one < other);
}

static void make_room(struct watch *watch, uint64_t now)
{
    if (watch->count <= watch->places / 8 * 7)
        return;
    unsigned calm = 0, wanted = watch->count - watch->places / 2;
    for (unsigned i = 0; i < watch->count; i++)
        if (is_calm(watch->table[i]) && age_ms(watch->table[i], now) >= WATCH_CALM_MS)
            watch->calm[calm++] = watch->table[i];
    if (calm > wanted)
        qsort(watch->calm, calm, sizeof(struct watched *), by_age);
    for (unsigned i = 0; i < calm && i < wanted; i++)
        hang_up(watch->calm[i]);
}

static void wait_a_tick(struct watch *watch)
{
    pthread_mutex_unlock(&watch->lock);
    clock_sleep_until_ns(clock_monotonic_ns() + WATCH_TICK_MS * 1000000ull);
    pthread_mutex_lock(&watch->lock);
}

static void *watch_main(void *argument)
{
    struct watch *watch = argument;
    pthread_mutex_lock(&watch->lock);
    while (!watch->closing) {
        if (!watch->count) {
            pthread_cond_wait(&watch->changed, &watch->lock);
            continue;
        }
        wait_a_tick(watch);
        uint64_t now = now_ms();
        look_at_each(watch, now);
        make_room(watch, now);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

static void release(struct watch *watch)
{
    pthread_mutex_destroy(&watch->lock);
    pthread_cond_destroy(&watch->changed);
    free(watch->table);
    free(watch->calm);
    free(watch->polls);
    free(watch);
}

struct watch *watch_create(unsigned places, struct err *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        err_set(err, ERR_NO_MEMORY, "watch connections: out of memory");
        return NULL;
    }
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->changed, NULL);
    watch->places = places;
    watch->table = calloc(places, sizeof(struct watched *));
    watch->calm = calloc(places, sizeof(struct watched *));
    watch->polls = calloc(places, sizeof *watch->polls);
    if (watch->table && watch->calm && watch->polls &&
        pthread_create(&watch->thread, NULL, watch_main, watch) == 0)
        return watch;
    err_set(err, ERR_NO_MEMORY, "watch connections: out of memory or threads");
    release(watch);
    return NULL;
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->closing = 1;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    release(watch);
}

struct watched *watch_add(struct watch *watch, int fd)
{
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched)
        return NULL;
    watched->fd = fd;
    watched->since_ms = now_ms();
    pthread_mutex_lock(&watch->lock);
    int has_place = watch->count < watch->places;
    if (has_place) {
        watched->place = watch->count;
        watch->table[watch->count++] = watched;
        if (watch->count == 1)
            pthread_cond_signal(&watch->changed);
    }
    pthread_mutex_unlock(&watch->lock);
    if (has_place)
        return watched;
    free(watched);
    return NULL;
}

void watch_remove(struct watch *watch, struct watched *watched)
{
    if (!watched)
        return;
    pthread_mutex_lock(&watch->lock);
    struct watched *last = watch->table[--watch->count];
    watch->table[watched->place] = last;
    last->place = watched->place;
    pthread_mutex_unlock(&watch->lock);
    free(watched);
}

unsigned watch_count(struct watch *watch)
{
    if (!watch)
        return 0;
    pthread_mutex_lock(&watch->lock);
    unsigned count = watch->count;
    pthread_mutex_unlock(&watch->lock);
    return count;
}

void watch_enter(struct watched *watched, enum watch_state state)
{
    if (!watched)
        return;
    __atomic_store_n(&watched->received, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&watched->since_ms, now_ms(), __ATOMIC_RELAXED);
    __atomic_store_n(&watched->state, (int)state, __ATOMIC_RELEASE);
}

void watch_received(struct watched *watched, size_t body_bytes)
{
    if (watched)
        __atomic_add_fetch(&watched->received, body_bytes, __ATOMIC_RELAXED);
}
