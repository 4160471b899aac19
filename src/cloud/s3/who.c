#include "cloud/access.h"
#include "cloud/errors.h"
#include "cloud/s3/acl.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

/* Who may do what: the signer by policies, anybody by policies and access control lists. */

/* What an access control list gives to everybody, a policy can still take away. */
static int ask_lists(struct s3_request *r, const char *action, const char *bucket, const char *key,
                     struct err *why)
{
    struct err failure = {0};
    int is_signed = r->x->identity.access_key_id != NULL;
    int let = acl_lets_anyone(r, action, bucket, key, &failure);
    if (let > 0)
        return 0;
    if (let < 0)
        *why = failure;
    else if (!is_signed)
        err_set(why, ERR_DENIED, "Access Denied");
    return -1;
}

int s3_may(struct s3_request *r, const char *action, const char *bucket, const char *key,
           struct err *why)
{
    char arn[64 + S3_MAX_KEY_BYTES + 64];
    const char *policy = NULL;
    if (r->x->identity.is_administrator)
        return 0;
    if (bucket && config_read(r, bucket, "policy", &policy, why) < 0)
        return -1;
    snprintf(arn, sizeof arn, "arn:aws:s3:::%.64s%s%s", bucket ? bucket : "", key ? "/" : "",
             key ? key : "");
    struct access_question question = {action, bucket ? arn : "*", policy};
    if (exchange_may(r->x, &question, why) == 0)
        return 0;
    return strstr(why->message, "explicit deny") ? -1 : ask_lists(r, action, bucket, key, why);
}

int s3_authorize(struct s3_request *r, const char *action, const char *bucket, const char *key)
{
    struct err why = {0};
    if (s3_may(r, action, bucket, key, &why) == 0)
        return 0;
    s3_fail(r, &why);
    return -1;
}

const char *s3_action(struct s3_request *r)
{
    const struct s3_operation *o = r->operation;
    int has_version = o->version_action && *r->x->query && exchange_query(r->x, "versionId");
    return has_version ? o->version_action : o->action;
}

/* Each key is asked for later: is there anything that might let anybody delete? */
static int admit_batch(struct s3_request *r)
{
    struct err why = {0};
    const char *policy;
    int let = acl_lets_anyone(r, "s3:DeleteObject", r->bucket, NULL, &why);
    if (let == 0)
        let = config_read(r, r->bucket, "policy", &policy, &why);
    if (let < 0)
        s3_fail(r, &why);
    else if (!let)
        exchange_fail(r->x, "AccessDenied", "Access Denied");
    return let > 0 ? 0 : -1;
}

int s3_admit(void *self, struct exchange *x)
{
    struct s3_request r = {.s3 = self, .x = x};
    if (s3_address(&r) < 0)
        return -1;
    r.operation = s3_find_operation(&r);
    if (r.operation && r.operation->is_open)
        return r.operation->run == s3_delete_objects ? admit_batch(&r) : 0;
    if (!r.operation || !s3_action(&r))
        exchange_fail(x, "AccessDenied", "Access Denied");
    else if (s3_authorize(&r, s3_action(&r), r.bucket, r.key) == 0)
        return 0;
    s3_reply_cors(&r); /* a page shall be able to read the refusal */
    return -1;
}
