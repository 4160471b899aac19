#include "cloud/apigateway/throttle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bucket {
    char key[THROTTLE_KEY_BYTES];
    double tokens;
    uint64_t filled_ns;
};

struct throttle {
    pthread_mutex_t lock;
    struct bucket buckets[THROTTLE_MAX_BUCKETS];
    size_t count;
};

struct throttle *throttle_create(void)
{
    struct throttle *throttle = calloc(1, sizeof *throttle);
    if (throttle)
        pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

void throttle_destroy(struct throttle *throttle)
{
    if (throttle)
        pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}

static struct bucket *find(struct throttle *throttle, const char *key, double burst,
                           uint64_t now_ns)
{
    struct bucket *oldest = throttle->buckets;
    for (size_t i = 0; i < throttle->count; i++) {
        struct bucket *bucket = &throttle->buckets[i];
        if (strcmp(bucket->key, key) == 0)
            return bucket;
        if (bucket->filled_ns < oldest->filled_ns)
            oldest = bucket;
    }
    if (throttle->count < THROTTLE_MAX_BUCKETS)
        oldest = &throttle->buckets[throttle->count++];
    *oldest = (struct bucket){.tokens = burst, .filled_ns = now_ns};
    snprintf(oldest->key, sizeof oldest->key, "%s", key);
    return oldest;
}

int throttle_take(struct throttle *throttle, const char *key, double rate, double burst,
                  uint64_t now_ns)
{
    pthread_mutex_lock(&throttle->lock);
    struct bucket *bucket = find(throttle, key, burst, now_ns);
    if (now_ns > bucket->filled_ns)
        bucket->tokens += rate * (double)(now_ns - bucket->filled_ns) / 1e9;
    if (bucket->tokens > burst)
        bucket->tokens = burst;
    bucket->filled_ns = now_ns;
    int taken = bucket->tokens >= 1;
    if (taken)
        bucket->tokens -= 1;
    pthread_mutex_unlock(&throttle->lock);
    return taken;
}
