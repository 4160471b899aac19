#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Tags of users, roles and policies. */

void iam_put_tags(struct iam_call *call, const json_t *tags)
{
    const char *key;
    json_t *value;
    if (!json_object_size(tags))
        return;
    buf_puts(&call->body, "<Tags>");
    json_object_foreach((json_t *)tags, key, value)
    {
        buf_puts(&call->body, "<member>");
        form_put(&call->body, "Key", key);
        form_put(&call->body, "Value", json_string_value(value));
        buf_puts(&call->body, "</member>");
    }
    buf_puts(&call->body, "</Tags>");
}

/* Letters, digits, white space and "_.:/=+-@": what is not ASCII counts as a letter. */
static int is_tag_text(const char *text)
{
    static const char others[] = "_.:/=+-@ ";
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !(*text & 0x80) && !strchr(others, *text))
            return 0;
    return 1;
}

/* "tags.1.member.key" in messages. */
static int check_text(struct iam_call *call, const char *at, const char *text, size_t most)
{
    if (strlen(text) > most)
        return iam_refuse(call, "ValidationError",
                          "1 validation error detected: Value '%.300s' at '%s' failed to satisfy "
                          "constraint: Member must have length less than or equal to %zu",
                          text, at, most);
    if (!is_tag_text(text))
        return iam_refuse(call, "ValidationError",
                          "1 validation error detected: Value '%.300s' at '%s' failed to satisfy "
                          "constraint: Member must satisfy regular expression pattern: "
                          "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+",
                          text, at);
    return 0;
}

/* -1: answered. */
static int check_tag(struct iam_call *call, int number, const char *key, const char *value)
{
    enum { MAX_KEY = 128, MAX_VALUE = 256 };
    char at[64];
    if (!*key || !value)
        return iam_refuse(call, "ValidationError", "A tag has a Key and a Value");
    snprintf(at, sizeof at, "tags.%d.member.key", number);
    if (check_text(call, at, key, MAX_KEY) < 0)
        return -1;
    snprintf(at, sizeof at, "tags.%d.member.value", number);
    return check_text(call, at, value, MAX_VALUE);
}

/* Is there one of that key among the first `count` of the request? */
static int came_before(struct iam_call *call, const char *key, int count)
{
    for (int i = 1; i <= count; i++) {
        char name[64];
        snprintf(name, sizeof name, "Tags.member.%d.Key", i);
        if (strcasecmp(iam_get(call, name), key) == 0)
            return 1;
    }
    return 0;
}

int iam_read_tags(struct iam_call *call, json_t *tags)
{
    for (int i = 1; i <= IAM_MAX_TAGS + 1; i++) {
        char name[64];
        snprintf(name, sizeof name, "Tags.member.%d.Key", i);
        const char *key = iam_get(call, name);
        snprintf(name, sizeof name, "Tags.member.%d.Value", i);
        const char *value = iam_get(call, name);
        if (!key)
            return 0;
        if (check_tag(call, i, key, value) < 0)
            return -1;
        if (came_before(call, key, i - 1))
            return iam_refuse(call, "InvalidInput",
                              "Duplicate tag keys found. Please note that Tag keys are case "
                              "insensitive.");
        if (json_object_set_new(tags, key, json_string(value)) < 0)
            return iam_refuse(call, "ValidationError", "A tag is not UTF-8");
        if (json_object_size(tags) > IAM_MAX_TAGS)
            break;
    }
    return iam_refuse(call, "LimitExceeded", "There are more than %d tags", IAM_MAX_TAGS);
}

/* Of whatever the operation names, to be changed. NULL: answered. Policies made before they had
 * tags get them now. */
static json_t *find_tags(struct iam_call *call)
{
    if (call->kind)
        return iam_find(call) < 0 ? NULL : json_object_get(call->entity, "tags");
    json_t *policy = iam_find_own_policy(call);
    if (policy && !json_object_get(policy, "tags"))
        json_object_set_new(policy, "tags", json_object());
    return json_object_get(policy, "tags");
}

static int tag(struct iam_call *call)
{
    json_t *tags = find_tags(call);
    return tags ? iam_read_tags(call, tags) : -1;
}

static int untag(struct iam_call *call)
{
    json_t *tags = find_tags(call);
    if (!tags)
        return -1;
    for (int i = 1; i <= IAM_MAX_TAGS; i++) {
        char name[64];
        snprintf(name, sizeof name, "TagKeys.member.%d", i);
        const char *key = iam_get(call, name);
        if (!key)
            break;
        json_object_del(tags, key);
    }
    return 0;
}

static int list_tags(struct iam_call *call)
{
    const json_t *tags = find_tags(call);
    if (!tags)
        return -1;
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated>");
    if (json_object_size(tags))
        iam_put_tags(call, tags);
    else
        buf_puts(&call->body, "<Tags></Tags>");
    return 0;
}

const struct iam_operation iam_tag_operations[] = {
    {"TagUser", &iam_user, 1, " UserName Tags ", tag},
    {"UntagUser", &iam_user, 1, " UserName TagKeys ", untag},
    {"ListUserTags", &iam_user, 0, " UserName Marker MaxItems ", list_tags},
    {"TagRole", &iam_role, 1, " RoleName Tags ", tag},
    {"UntagRole", &iam_role, 1, " RoleName TagKeys ", untag},
    {"ListRoleTags", &iam_role, 0, " RoleName Marker MaxItems ", list_tags},
    {"TagPolicy", NULL, 1, " PolicyArn Tags ", tag},
    {"UntagPolicy", NULL, 1, " PolicyArn TagKeys ", untag},
    {"ListPolicyTags", NULL, 0, " PolicyArn Marker MaxItems ", list_tags},
    {0},
};
