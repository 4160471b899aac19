#ifndef CLOUD_APIGATEWAY_THROTTLE_H
#define CLOUD_APIGATEWAY_THROTTLE_H

#include <stdint.h>

/* Token buckets: a usage plan lets each of its keys make `burst` requests at once and `rate` a
 * second in the long run. Thread safe. */
struct throttle;

enum { THROTTLE_MAX_BUCKETS = 1024, THROTTLE_KEY_BYTES = 64 };

struct throttle *throttle_create(void); /* NULL without memory */
void throttle_destroy(struct throttle *throttle);

/* Take a token of the bucket `key`; 1: there was one. A bucket that is new is full. When there are
 * too many buckets the one unused for longest is forgotten. */
int throttle_take(struct throttle *throttle, const char *key, double rate, double burst,
                  uint64_t now_ns);

#endif
