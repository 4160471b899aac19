#include "aws/sigv4_keys.h"

#include "aws/sigv4_hmac.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>

static int derive(const struct sigv4_origin *origin, unsigned char out[SIGV4_KEY_BYTES],
                  struct err *err)
{
    char start[256];
    int length = snprintf(start, sizeof start, "AWS4%s", origin->secret_access_key);
    if (length < 0 || (size_t)length >= sizeof start)
        return err_set(err, ERR_TOO_BIG, "sign request: the secret access key is too long");
    unsigned char key[SIGV4_KEY_BYTES], next[SIGV4_KEY_BYTES];
    sigv4_hmac(start, (size_t)length, origin->day, key);
    sigv4_hmac(key, sizeof key, origin->scope.region, next);
    sigv4_hmac(next, sizeof next, origin->scope.service, key);
    sigv4_hmac(key, sizeof key, "aws4_request", out);
    OPENSSL_cleanse(start, sizeof start);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(next, sizeof next);
    return 0;
}

/* Writes the name, all of which tells two keys apart. Returns its hash, 0 where it does not fit. */
static uint32_t make_name(const struct sigv4_origin *origin, char name[SIGV4_KEY_NAME_BYTES])
{
    int length = snprintf(name, SIGV4_KEY_NAME_BYTES, "%s\n%s\n%s\n%s", origin->secret_access_key,
                          origin->day, origin->scope.region, origin->scope.service);
    if (length < 0 || length >= SIGV4_KEY_NAME_BYTES)
        return 0;
    uint32_t hash = 2166136261u;
    for (int i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash ? hash : 1;
}

/* Under the lock. */
static struct sigv4_kept_key *find(struct sigv4_keys *keys, uint32_t hash, const char *name)
{
    for (size_t i = 0; i < SIGV4_KEPT_KEYS; i++)
        if (keys->kept[i].hash == hash && strcmp(keys->kept[i].name, name) == 0)
            return &keys->kept[i];
    return NULL;
}

void sigv4_keys_init(struct sigv4_keys *keys)
{
    memset(keys, 0, sizeof *keys);
    pthread_mutex_init(&keys->lock, NULL);
}

void sigv4_keys_finish(struct sigv4_keys *keys)
{
    pthread_mutex_destroy(&keys->lock);
    OPENSSL_cleanse(keys->kept, sizeof keys->kept);
}

int sigv4_keys_find(struct sigv4_keys *keys, const struct sigv4_origin *origin,
                    unsigned char out[SIGV4_KEY_BYTES], struct err *err)
{
    char name[SIGV4_KEY_NAME_BYTES];
    uint32_t hash = keys ? make_name(origin, name) : 0;
    struct sigv4_kept_key *kept = NULL;
    if (hash) {
        pthread_mutex_lock(&keys->lock);
        kept = find(keys, hash, name);
        if (kept)
            memcpy(out, kept->key, SIGV4_KEY_BYTES);
        pthread_mutex_unlock(&keys->lock);
    }
    OPENSSL_cleanse(name, sizeof name);
    return kept ? 1 : derive(origin, out, err);
}

void sigv4_keys_keep(struct sigv4_keys *keys, const struct sigv4_origin *origin,
                     const unsigned char key[SIGV4_KEY_BYTES])
{
    char name[SIGV4_KEY_NAME_BYTES];
    uint32_t hash = keys ? make_name(origin, name) : 0;
    if (hash) {
        pthread_mutex_lock(&keys->lock);
        if (!find(keys, hash, name)) {
            struct sigv4_kept_key *place = &keys->kept[keys->next++ % SIGV4_KEPT_KEYS];
            place->hash = hash;
            memcpy(place->name, name, sizeof name);
            memcpy(place->key, key, SIGV4_KEY_BYTES);
        }
        pthread_mutex_unlock(&keys->lock);
    }
    OPENSSL_cleanse(name, sizeof name);
}
