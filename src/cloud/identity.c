#include "cloud/identity.h"

#include "aws/sigv4_keys.h"
#include "base/clock.h"
#include "base/random.h"
#include "cloud/exchange.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct issued {
    struct identity_credentials credentials; /* of a user: without a token */
    char arn[IDENTITY_ARN_BYTES], role_arn[IDENTITY_ARN_BYTES];
    char of[IDENTITY_KEY_BYTES];
    int64_t issued_unix_ms, expires_unix_ms; /* 0: not a temporary one; never */
};

struct identities {
    pthread_mutex_t lock;
    char access_key_id[IDENTITY_KEY_BYTES], secret_access_key[IDENTITY_KEY_BYTES];
    char arn[IDENTITY_ARN_BYTES];
    struct issued *issued;
    size_t count, capacity;
    struct sigv4_keys keys;
};

static int copy_text(char *out, size_t out_bytes, const char *text)
{
    return (size_t)snprintf(out, out_bytes, "%s", text) < out_bytes ? 0 : -1;
}

struct identities *identities_create(const char *access_key_id, const char *secret_access_key,
                                     const char *account_id, struct err *err)
{
    struct identities *identities = calloc(1, sizeof *identities);
    if (!identities) {
        err_set(err, ERR_NO_MEMORY, "keep the access keys: out of memory");
        return NULL;
    }
    if (!*access_key_id || !*secret_access_key ||
        copy_text(identities->access_key_id, IDENTITY_KEY_BYTES, access_key_id) < 0 ||
        copy_text(identities->secret_access_key, IDENTITY_KEY_BYTES, secret_access_key) < 0) {
        err_set(err, ERR_INVALID, "the administrator's access key: it is empty or too long");
        free(identities);
        return NULL;
    }
    snprintf(identities->arn, sizeof identities->arn, "arn:aws:iam::%s:root", account_id);
    pthread_mutex_init(&identities->lock, NULL);
    sigv4_keys_init(&identities->keys);
    return identities;
}

struct sigv4_keys *identities_keys(struct identities *identities)
{
    return &identities->keys;
}

void identities_destroy(struct identities *identities)
{
    if (!identities)
        return;
    if (identities->issued)
        OPENSSL_cleanse(identities->issued, identities->capacity * sizeof *identities->issued);
    free(identities->issued);
    pthread_mutex_destroy(&identities->lock);
    sigv4_keys_finish(&identities->keys);
    OPENSSL_cleanse(identities, sizeof *identities);
    free(identities);
}

/* Under the lock. */
static struct issued *find_issued(struct identities *identities, const char *access_key_id)
{
    for (size_t i = 0; i < identities->count; i++)
        if (strcmp(identities->issued[i].credentials.access_key_id, access_key_id) == 0)
            return &identities->issued[i];
    return NULL;
}

static void remove_issued(struct identities *identities, struct issued *t)
{
    *t = identities->issued[--identities->count];
    OPENSSL_cleanse(&identities->issued[identities->count], sizeof *t);
}

static int has_expired(const struct issued *t, int64_t now)
{
    return t->expires_unix_ms && t->expires_unix_ms <= now;
}

static void remove_expired(struct identities *identities)
{
    int64_t now = clock_unix_ms();
    for (size_t i = identities->count; i-- > 0;)
        if (has_expired(&identities->issued[i], now))
            remove_issued(identities, &identities->issued[i]);
}

/* Under the lock: room for one more. The old memory held secrets, so no realloc(). */
static int make_room(struct identities *identities, struct err *err)
{
    if (identities->count < identities->capacity)
        return 0;
    remove_expired(identities);
    if (identities->count < identities->capacity)
        return 0;
    if (identities->capacity >= IDENTITY_MAX_ISSUED)
        return err_set(err, ERR_BUSY, "issue credentials: %d are in use", IDENTITY_MAX_ISSUED);
    size_t capacity = identities->capacity ? identities->capacity * 2 : 16;
    struct issued *bigger = calloc(capacity, sizeof *bigger);
    if (!bigger)
        return err_set(err, ERR_NO_MEMORY, "issue credentials: out of memory");
    if (identities->issued) {
        memcpy(bigger, identities->issued, identities->count * sizeof *bigger);
        OPENSSL_cleanse(identities->issued, identities->count * sizeof *bigger);
        free(identities->issued);
    }
    identities->issued = bigger;
    identities->capacity = capacity;
    return 0;
}

/* How much of a session's ARN says whose it is: without the name that who asks for it gives. */
static size_t owner_size(const char *arn)
{
    const char *last = strncmp(arn, "arn:aws:sts:", 12) == 0 ? strrchr(arn, '/') : NULL;
    return last ? (size_t)(last - arn) : strlen(arn);
}

/* Under the lock. Anybody may ask for sessions of his own, and none may use up everybody's room. */
static void end_oldest(struct identities *identities, const char *arn)
{
    struct issued *oldest = NULL;
    size_t size = owner_size(arn), count = 0;
    for (size_t i = 0; i < identities->count; i++) {
        struct issued *t = &identities->issued[i];
        if (!t->expires_unix_ms || owner_size(t->arn) != size || memcmp(t->arn, arn, size) != 0)
            continue;
        count++;
        if (!oldest || t->issued_unix_ms < oldest->issued_unix_ms)
            oldest = t;
    }
    if (count >= IDENTITY_MAX_SESSIONS)
        remove_issued(identities, oldest);
}

static int add_issued(struct identities *identities, const struct issued *fresh, struct err *err)
{
    pthread_mutex_lock(&identities->lock);
    if (fresh->expires_unix_ms)
        end_oldest(identities, fresh->arn);
    int result = make_room(identities, err);
    if (result == 0)
        identities->issued[identities->count++] = *fresh;
    pthread_mutex_unlock(&identities->lock);
    return result;
}

int identity_issue_as(struct identities *identities, const struct identity_order *order,
                      struct identity_credentials *out, struct err *err)
{
    enum { ID_LETTERS = 16, SECRET_LETTERS = 40, TOKEN_LETTERS = 64 };
    struct issued fresh = {.issued_unix_ms = clock_unix_ms()};
    fresh.expires_unix_ms = order->lifetime_ms ? fresh.issued_unix_ms + order->lifetime_ms : 0;
    if (copy_text(fresh.arn, sizeof fresh.arn, order->arn) < 0 ||
        copy_text(fresh.role_arn, sizeof fresh.role_arn, order->role_arn ? order->role_arn : "") <
            0 ||
        copy_text(fresh.of, sizeof fresh.of, order->of ? order->of : "") < 0)
        return err_set(err, ERR_TOO_BIG, "issue credentials: the ARN is too long");
    memcpy(fresh.credentials.access_key_id, "ASIA", 4);
    random_text(fresh.credentials.access_key_id + 4, ID_LETTERS, RANDOM_UPPER);
    random_text(fresh.credentials.secret_access_key, SECRET_LETTERS, RANDOM_LOWER);
    random_text(fresh.credentials.session_token, TOKEN_LETTERS, RANDOM_LOWER);
    int result = add_issued(identities, &fresh, err);
    if (result == 0)
        *out = fresh.credentials;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return result;
}

int identity_issue(struct identities *identities, const char *arn, int64_t lifetime_ms,
                   struct identity_credentials *out, struct err *err)
{
    const struct identity_order order = {.arn = arn, .lifetime_ms = lifetime_ms};
    return identity_issue_as(identities, &order, out, err);
}

int identity_add_user(struct identities *identities, const char *arn, const char *access_key_id,
                      const char *secret_access_key, struct err *err)
{
    struct issued fresh = {0};
    if (copy_text(fresh.arn, sizeof fresh.arn, arn) < 0 ||
        copy_text(fresh.credentials.access_key_id, IDENTITY_KEY_BYTES, access_key_id) < 0 ||
        copy_text(fresh.credentials.secret_access_key, IDENTITY_KEY_BYTES, secret_access_key) < 0)
        return err_set(err, ERR_TOO_BIG, "add an access key: a part of it is too long");
    int result = add_issued(identities, &fresh, err);
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return result;
}

void identity_forget_users(struct identities *identities)
{
    pthread_mutex_lock(&identities->lock);
    for (size_t i = identities->count; i-- > 0;)
        if (!*identities->issued[i].credentials.session_token)
            remove_issued(identities, &identities->issued[i]);
    pthread_mutex_unlock(&identities->lock);
}

void identity_revoke(struct identities *identities, const char *access_key_id)
{
    pthread_mutex_lock(&identities->lock);
    struct issued *t = find_issued(identities, access_key_id);
    if (t)
        remove_issued(identities, t);
    pthread_mutex_unlock(&identities->lock);
}

void identity_end_sessions(struct identities *identities, const char *arn)
{
    size_t size = strlen(arn);
    pthread_mutex_lock(&identities->lock);
    for (size_t i = identities->count; i-- > 0;) {
        struct issued *t = &identities->issued[i];
        if (t->expires_unix_ms && strncmp(t->arn, arn, size) == 0 &&
            (!t->arn[size] || t->arn[size] == '/'))
            remove_issued(identities, t);
    }
    pthread_mutex_unlock(&identities->lock);
}

static int same_secret(const char *a, const char *b)
{
    size_t size = strlen(a);
    return size == strlen(b) && CRYPTO_memcmp(a, b, size) == 0;
}

void identity_administrator(const struct identities *identities, struct identity *out)
{
    out->access_key_id = identities->access_key_id;
    out->arn = identities->arn;
    out->is_administrator = 1;
}

static int find_locked(struct identities *identities, const char *access_key_id,
                       const char *session_token, struct identity_secret *out, struct err *err)
{
    struct issued *t = find_issued(identities, access_key_id);
    if (!t)
        return err_set(err, ERR_NOT_FOUND, "access key %s: unknown", access_key_id);
    if (has_expired(t, clock_unix_ms()))
        return err_set(err, ERR_TIMEOUT, "access key %s: expired", access_key_id);
    if (!same_secret(session_token ? session_token : "", t->credentials.session_token))
        return err_set(err, ERR_DENIED, "access key %s: wrong session token", access_key_id);
    memcpy(out->secret_access_key, t->credentials.secret_access_key, IDENTITY_KEY_BYTES);
    memcpy(out->arn, t->arn, IDENTITY_ARN_BYTES);
    memcpy(out->role_arn, t->role_arn, IDENTITY_ARN_BYTES);
    memcpy(out->of, t->of, IDENTITY_KEY_BYTES);
    out->is_administrator = strcmp(t->arn, identities->arn) == 0;
    out->issued_unix_ms = t->issued_unix_ms;
    return 0;
}

/* What shares another key's rights lasts as long as that one, and is as old. */
static int share_locked(struct identities *identities, struct identity_secret *out, struct err *err)
{
    int is_roots = strcmp(out->of, identities->access_key_id) == 0;
    const struct issued *other = is_roots ? NULL : find_issued(identities, out->of);
    if (!is_roots && !other)
        return err_set(err, ERR_NOT_FOUND, "access key %s: no longer there", out->of);
    if (other && has_expired(other, clock_unix_ms()))
        return err_set(err, ERR_TIMEOUT, "access key %s: expired", out->of);
    out->issued_unix_ms = other ? other->issued_unix_ms : 0;
    return 0;
}

int identity_find(struct identities *identities, const char *access_key_id,
                  const char *session_token, struct identity_secret *out, struct err *err)
{
    if (strcmp(access_key_id, identities->access_key_id) == 0) {
        if (session_token)
            return err_set(err, ERR_DENIED, "access key %s: has no session token", access_key_id);
        memcpy(out->secret_access_key, identities->secret_access_key, IDENTITY_KEY_BYTES);
        memcpy(out->arn, identities->arn, IDENTITY_ARN_BYTES);
        *out->role_arn = *out->of = 0;
        out->is_administrator = 1;
        return 0;
    }
    pthread_mutex_lock(&identities->lock);
    int result = find_locked(identities, access_key_id, session_token, out, err);
    if (result == 0 && *out->of)
        result = share_locked(identities, out, err);
    pthread_mutex_unlock(&identities->lock);
    return result;
}

int identity_enter(struct exchange *x, const char *access_key_id,
                   const struct identity_secret *secret)
{
    x->identity.access_key_id = arena_strdup(&x->arena, access_key_id);
    x->identity.arn = arena_strdup(&x->arena, secret->arn);
    x->identity.role_arn = *secret->role_arn ? arena_strdup(&x->arena, secret->role_arn) : NULL;
    x->identity.is_administrator = secret->is_administrator;
    x->identity.issued_unix_ms = secret->issued_unix_ms;
    return x->identity.access_key_id && x->identity.arn &&
                   (x->identity.role_arn || !*secret->role_arn)
               ? 0
               : -1;
}
