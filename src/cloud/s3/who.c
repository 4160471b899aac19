#include "cloud/access.h"
#include "cloud/errors.h"
#include "cloud/s3/acl.h"
#include "cloud/s3/config.h"
#include "cloud/s3/tree.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* -- tags, as policies ask for them -- */

struct subject {
    struct s3_request *r;
    const char *bucket, *key;
    const char *tags; /* that the object has; NULL: not yet read */
};

static const char *existing_tag(struct subject *s, const char *name)
{
    struct s3_request at = {.s3 = s->r->s3, .x = s->r->x, .bucket = s->bucket, .key = s->key};
    struct meta_object object = {0};
    struct err ignored = {0};
    const char *version = *s->r->x->query ? exchange_query(s->r->x, "versionId") : NULL;
    if (!s->tags)
        s->tags = s->key && meta_version(&at, s->bucket, s->key, version, &object, &ignored) > 0 &&
                          object.tags
                      ? object.tags
                      : "";
    return s3_tag_value(s->r, s->tags, name);
}

/* Of the request's header, or of the <Tagging> that is its body. */
static const char *request_tag(struct subject *s, const char *name)
{
    struct err ignored = {0};
    struct exchange *x = s->r->x;
    const char *header = exchange_header(x, "x-amz-tagging");
    if (header)
        return s3_tag_value(s->r, header, name);
    int is_tagging = s->r->operation && s->r->operation->run == s3_put_object_tagging;
    const char *body = is_tagging && x->body.size > 0 ? exchange_body(x, &ignored) : NULL;
    const struct tree *config = body ? tree_read(&x->arena, body, x->body.size, &ignored) : NULL;
    const struct tree *tag = tree_get(tree_get(config, "TagSet"), "Tag");
    for (; tag; tag = tree_same(tag)) {
        const char *key = tree_text(tag, "Key");
        if (key && strcmp(key, name) == 0)
            return tree_text(tag, "Value");
    }
    return NULL;
}

static const char *condition_value(void *self, const char *key)
{
    static const char existing[] = "s3:ExistingObjectTag/", asked[] = "s3:RequestObjectTag/";
    if (strncasecmp(key, existing, sizeof existing - 1) == 0)
        return existing_tag(self, key + sizeof existing - 1);
    if (strncasecmp(key, asked, sizeof asked - 1) == 0)
        return request_tag(self, key + sizeof asked - 1);
    return NULL;
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
    struct subject subject = {r, bucket, key, NULL};
    struct access_question question = {action, bucket ? arn : "*", policy, condition_value,
                                       &subject};
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
