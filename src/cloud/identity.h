#ifndef CLOUD_IDENTITY_H
#define CLOUD_IDENTITY_H

#include "base/err.h"

#include <stdint.h>

/* Whose keys the cloud knows: the administrator's, those of IAM's users, and temporary credentials
 * that services issue (to functions, to who assumes a role). All live in memory only; IAM keeps its
 * users' and tells them at the start. Thread safe. */
struct identities;

enum {
    IDENTITY_MAX_ISSUED = 16384,  /* keys of users and temporary ones together */
    IDENTITY_MAX_SESSIONS = 2000, /* of one user or role: then the oldest ends */
    IDENTITY_KEY_BYTES = 129,
    IDENTITY_TOKEN_BYTES = 129,
    IDENTITY_ARN_BYTES = 257,
};

struct identities *identities_create(const char *access_key_id, const char *secret_access_key,
                                     const char *account_id, struct err *err);
void identities_destroy(struct identities *identities);
/* The signing keys of those whose signatures were right. */
struct sigv4_keys *identities_keys(struct identities *identities);

struct identity_credentials {
    char access_key_id[IDENTITY_KEY_BYTES]; /* "ASIA..." */
    char secret_access_key[IDENTITY_KEY_BYTES];
    char session_token[IDENTITY_TOKEN_BYTES];
};

/* New temporary credentials that act as `arn` (such as
 * "arn:aws:sts::000000000000:assumed-role/ken-function/ken-function") until revoked or
 * `lifetime_ms` has passed (0: until revoked). */
int identity_issue(struct identities *identities, const char *arn, int64_t lifetime_ms,
                   struct identity_credentials *out, struct err *err) MUST_USE;
/* The same, for who asks for more. */
struct identity_order {
    const char *arn;
    int64_t lifetime_ms;
    const char *role_arn; /* the role that a service acts in, path and all; NULL: none does */
    const char *of;       /* the key whose rights and end these share; NULL: none */
};
int identity_issue_as(struct identities *identities, const struct identity_order *order,
                      struct identity_credentials *out, struct err *err) MUST_USE;
/* A key of a user, which has no session token. */
int identity_add_user(struct identities *identities, const char *arn, const char *access_key_id,
                      const char *secret_access_key, struct err *err) MUST_USE;
/* All keys of users, before they are told anew. */
void identity_forget_users(struct identities *identities);
void identity_revoke(struct identities *identities, const char *access_key_id);
/* Temporary credentials that have an end and act as `arn`, or as it with a '/' and more. */
void identity_end_sessions(struct identities *identities, const char *arn);

/* Who the administrator is; the texts are borrowed. */
struct identity;
void identity_administrator(const struct identities *identities, struct identity *out);

/* The secret behind a key id. `session_token` is the request's, or NULL. Returns ERR_NOT_FOUND for
 * an unknown key id, ERR_DENIED for a wrong or missing token, ERR_TIMEOUT when expired. */
struct identity_secret {
    char secret_access_key[IDENTITY_KEY_BYTES];
    char arn[IDENTITY_ARN_BYTES], role_arn[IDENTITY_ARN_BYTES]; /* the latter "" for none */
    char of[IDENTITY_KEY_BYTES];                                /* "" for no other's */
    int is_administrator;
    int64_t issued_unix_ms; /* of temporary credentials; else 0 */
};
int identity_find(struct identities *identities, const char *access_key_id,
                  const char *session_token, struct identity_secret *out, struct err *err) MUST_USE;
/* The exchange is that key's, whose secret the caller has proved to be the sender's. The texts are
 * copied; -1: out of memory. */
struct exchange;
int identity_enter(struct exchange *x, const char *access_key_id,
                   const struct identity_secret *secret) MUST_USE;

#endif
