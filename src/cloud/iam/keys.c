#include "base/clock.h"
#include "base/random.h"
#include "cloud/form.h"
#include "cloud/iam/iam.h"
#include "cloud/identity.h"

#include <openssl/crypto.h>
#include <string.h>

/* Access keys of users: at most two, shown once with their secret. */

static json_t *find_key(struct iam_call *call, size_t *at)
{
    const char *id =
        iam_find_user(call) == 0 ? iam_need(call, "AccessKeyId", IDENTITY_KEY_BYTES - 1) : NULL;
    const json_t *keys = json_object_get(call->entity, "keys");
    for (*at = 0; id && *at < json_array_size(keys); ++*at)
        if (strcmp(iam_text(json_array_get(keys, *at), "id"), id) == 0)
            return json_array_get(keys, *at);
    if (id)
        iam_refuse(call, "NoSuchEntity", "The Access Key with id %s cannot be found.", id);
    return NULL;
}

static void put_key(struct iam_call *call, const json_t *key)
{
    form_put(&call->body, "UserName", iam_text(call->entity, "Name"));
    form_put(&call->body, "AccessKeyId", iam_text(key, "id"));
    form_put(&call->body, "Status", iam_text(key, "status"));
    form_put(&call->body, "CreateDate", iam_text(key, "created"));
}

static int create(struct iam_call *call)
{
    enum { ID_LETTERS = 16, SECRET_LETTERS = 40 };
    char id[4 + ID_LETTERS + 1] = "AKIA", secret[SECRET_LETTERS + 1];
    if (iam_find_user(call) < 0)
        return -1;
    json_t *keys = json_object_get(call->entity, "keys");
    if (json_array_size(keys) >= IAM_MAX_KEYS)
        return iam_refuse(call, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d",
                          IAM_MAX_KEYS);
    random_text(id + 4, ID_LETTERS, RANDOM_UPPER);
    random_text(secret, SECRET_LETTERS, RANDOM_LOWER);
    json_t *key = json_pack("{s:s, s:s, s:s, s:o}", "id", id, "secret", secret, "status", "Active",
                            "created", iam_now());
    json_array_append_new(keys, key);
    buf_puts(&call->body, "<AccessKey>");
    put_key(call, key);
    form_put(&call->body, "SecretAccessKey", secret);
    buf_puts(&call->body, "</AccessKey>");
    OPENSSL_cleanse(secret, sizeof secret);
    return 0;
}

static int list(struct iam_call *call)
{
    size_t i;
    json_t *key;
    if (iam_find_user(call) < 0)
        return -1;
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated><AccessKeyMetadata>");
    json_array_foreach(json_object_get(call->entity, "keys"), i, key)
    {
        buf_puts(&call->body, "<member>");
        put_key(call, key);
        buf_puts(&call->body, "</member>");
    }
    buf_puts(&call->body, "</AccessKeyMetadata>");
    return 0;
}

static int update(struct iam_call *call)
{
    size_t at;
    json_t *key = find_key(call, &at);
    const char *status = key ? iam_need(call, "Status", 16) : NULL;
    if (!status)
        return -1;
    if (strcmp(status, "Active") != 0 && strcmp(status, "Inactive") != 0)
        return iam_refuse(call, "ValidationError", "Status must be Active or Inactive");
    return json_object_set_new(key, "status", json_string(status));
}

static int delete (struct iam_call *call)
{
    size_t at;
    return find_key(call, &at) ? json_array_remove(json_object_get(call->entity, "keys"), at) : -1;
}

/* -- when a key was last used -- */

/* The user whose key it is; NULL: nobody's. */
static const json_t *find_owner(struct iam_call *call, const char *id)
{
    const char *name;
    json_t *user, *key;
    size_t i;
    json_object_foreach(iam_members(call, "users"), name, user)
    {
        json_array_foreach(json_object_get(user, "keys"), i, key)
        {
            if (strcmp(iam_text(key, "id"), id) == 0)
                return user;
        }
    }
    return NULL;
}

void iam_note_use(struct iam *iam, const struct exchange *x)
{
    const char *id = x->identity.access_key_id, *service = x->service->name;
    if (!id || strncmp(id, "AKIA", 4) != 0)
        return;
    json_int_t second = x->received_unix_ms / 1000;
    const json_t *use = json_object_get(iam->uses, id);
    if (json_integer_value(json_object_get(use, "second")) != second ||
        strcmp(iam_text(use, "service"), service) != 0)
        json_object_set_new(iam->uses, id,
                            json_pack("{s:I, s:s, s:s}", "second", second, "service", service,
                                      "region", x->region));
}

static int get_last_used(struct iam_call *call)
{
    const char *id = iam_need(call, "AccessKeyId", IDENTITY_KEY_BYTES - 1);
    const json_t *owner = id ? find_owner(call, id) : NULL;
    if (id && !owner)
        return iam_refuse(call, "AccessDenied",
                          "User: %s is not authorized to perform iam:GetAccessKeyLastUsed on "
                          "resource: access key %s",
                          call->x->identity.arn, id);
    if (!owner)
        return -1;
    const json_t *use = json_object_get(call->iam->uses, id);
    form_put(&call->body, "UserName", iam_text(owner, "Name"));
    buf_puts(&call->body, "<AccessKeyLastUsed>");
    if (use) {
        char time[CLOCK_TEXT_BYTES];
        clock_text(json_integer_value(json_object_get(use, "second")) * 1000, time);
        buf_printf(&call->body, "<LastUsedDate>%.19sZ</LastUsedDate>", time);
    }
    form_put(&call->body, "ServiceName", use ? iam_text(use, "service") : "N/A");
    form_put(&call->body, "Region", use ? iam_text(use, "region") : "N/A");
    buf_puts(&call->body, "</AccessKeyLastUsed>");
    return 0;
}

int iam_publish_keys(struct iam *iam, struct err *err)
{
    struct identities *identities = iam->cloud->identities;
    const char *name;
    json_t *user, *key;
    size_t i;
    identity_forget_users(identities);
    json_object_foreach(json_object_get(iam->state, "users"), name, user)
    {
        json_array_foreach(json_object_get(user, "keys"), i, key)
        {
            if (strcmp(iam_text(key, "status"), "Active") == 0 &&
                identity_add_user(identities, iam_text(user, "Arn"), iam_text(key, "id"),
                                  iam_text(key, "secret"), err) < 0)
                return -1;
        }
    }
    return 0;
}

const struct iam_operation iam_key_operations[] = {
    {"CreateAccessKey", &iam_user, 1, " UserName ", create},
    {"ListAccessKeys", &iam_user, 0, " UserName Marker MaxItems ", list},
    {"UpdateAccessKey", &iam_user, 1, " UserName AccessKeyId Status ", update},
    {"DeleteAccessKey", &iam_user, 1, " UserName AccessKeyId ", delete},
    {"GetAccessKeyLastUsed", NULL, 0, " AccessKeyId ", get_last_used},
    {0},
};
