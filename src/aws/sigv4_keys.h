#ifndef AWS_SIGV4_KEYS_H
#define AWS_SIGV4_KEYS_H

#include "aws/sigv4.h"
#include "base/err.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* The keys that signatures are made with. Each is derived by four HMACs from a secret, a day and a
 * scope, and is the same all day: so those that were used last are kept. Thread safe. */

enum { SIGV4_KEPT_KEYS = 64, SIGV4_KEY_NAME_BYTES = 256 };

struct sigv4_keys {
    pthread_mutex_t lock;
    struct sigv4_kept_key {
        uint32_t hash;
        char name[SIGV4_KEY_NAME_BYTES]; /* "" where none is */
        unsigned char key[SIGV4_KEY_BYTES];
    } kept[SIGV4_KEPT_KEYS];
    size_t next; /* the place of the next one */
};

void sigv4_keys_init(struct sigv4_keys *keys);
void sigv4_keys_finish(struct sigv4_keys *keys); /* wipes them */

/* What a key is derived from; `day` is 8 digits. */
struct sigv4_origin {
    const char *secret_access_key, *day;
    struct sigv4_scope scope;
};

/* 1: kept before, 0: derived now. -1, ERR_TOO_BIG, for a secret past any that AWS hands out. With
 * `keys` NULL it is always derived. */
int sigv4_keys_find(struct sigv4_keys *keys, const struct sigv4_origin *origin,
                    unsigned char out[SIGV4_KEY_BYTES], struct err *err);
/* Keep a key. A cloud does so when a signature was right, so that strangers cannot crowd out the
 * keys of those who may ask. `keys` may be NULL. */
void sigv4_keys_keep(struct sigv4_keys *keys, const struct sigv4_origin *origin,
                     const unsigned char key[SIGV4_KEY_BYTES]);

#endif
