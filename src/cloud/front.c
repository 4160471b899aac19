#include "cloud/front.h"

#include "base/clock.h"
#include "cloud/front_parts.h"
#include "cloud/workers.h"

#include <stdlib.h>

enum { DRAIN_STEP_MS = 5, LAST_ANSWERS_MS = 500 };

static int open_doors(struct front *front, const struct front_options *options, struct err *err)
{
    if (door_open(&front->doors[PUBLIC_DOOR], options->listen, options->certificate, err) < 0)
        return -1;
    return options->certificate ? door_open(&front->doors[INNER_DOOR], "127.0.0.1:0", NULL, err)
                                : 0;
}

struct front *front_create(struct cloud *cloud, const struct front_options *options,
                           struct err *err)
{
    struct front *front = calloc(1, sizeof *front);
    if (!front) {
        err_set(err, ERR_NO_MEMORY, "start the server: out of memory");
        return NULL;
    }
    front->cloud = cloud;
    front->doors[PUBLIC_DOOR] = front->doors[INNER_DOOR] = DOOR_NONE;
    if (open_doors(front, options, err) == 0)
        front->workers =
            workers_create(options->workers ? options->workers : FRONT_DEFAULT_WORKERS, err);
    if (front->workers)
        return front;
    front_destroy(front);
    return NULL;
}

const char *front_endpoint(const struct front *front)
{
    return front->doors[PUBLIC_DOOR].endpoint;
}

const char *front_inner_endpoint(const struct front *front)
{
    const struct door *inner = &front->doors[INNER_DOOR];
    return *inner->endpoint ? inner->endpoint : front_endpoint(front);
}

int front_start(struct front *front, struct err *err)
{
    for (size_t i = 0; i < DOORS; i++)
        if (front->doors[i].listen_fd >= 0 && door_prepare(&front->doors[i], err) < 0)
            return -1;
    for (size_t i = 0; i < DOORS; i++)
        if (front->doors[i].listen_fd >= 0 && door_start(&front->doors[i], front, err) < 0)
            return -1;
    return 0;
}

void front_quiesce(struct front *front)
{
    __atomic_store_n(&front->closing, OPEN_FOR_FUNCTIONS, __ATOMIC_RELEASE);
    for (size_t i = 0; i < DOORS; i++)
        door_stop(&front->doors[i]);
}

/* Wait until nothing is in flight, at most `limit_ms`. */
static unsigned wait_for_answers(struct front *front, unsigned limit_ms)
{
    uint64_t start = clock_monotonic_ns();
    for (;;) {
        unsigned left = __atomic_load_n(&front->in_flight, __ATOMIC_ACQUIRE);
        if (!left || clock_ms_since(start) > limit_ms)
            return left;
        clock_sleep_until_ns(clock_monotonic_ns() + DRAIN_STEP_MS * 1000000ull);
    }
}

unsigned front_drain(struct front *front, unsigned limit_ms)
{
    wait_for_answers(front, limit_ms);
    __atomic_store_n(&front->closing, OPEN_FOR_NONE, __ATOMIC_RELEASE);
    return wait_for_answers(front, LAST_ANSWERS_MS);
}

void front_destroy(struct front *front)
{
    if (!front)
        return;
    for (size_t i = 0; i < DOORS; i++)
        door_close(&front->doors[i]);
    for (size_t i = 0; i < DOORS; i++)
        door_destroy(&front->doors[i]);
    workers_destroy(front->workers);
    free(front);
}
