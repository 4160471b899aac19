#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Tags of users, roles, instance profiles and policies. */

#define TAG_PATTERN "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"

enum { MAX_KEY = 128, MAX_VALUE = 256 };

static void put_tag(struct iam_call *call, const char *key, const json_t *value)
{
    form_put(&call->body, "Key", key);
    form_put(&call->body, "Value", json_string_value(value));
}

void iam_put_tags(struct iam_call *call, const json_t *tags, int is_asked_for)
{
    const char *key;
    json_t *value;
    if (!json_object_size(tags) && (!is_asked_for || (call->kind && call->kind != &iam_profile)))
        return;
    buf_puts(&call->body, "<Tags>");
    json_object_foreach((json_t *)tags, key, value)
    {
        buf_puts(&call->body, "<member>");
        put_tag(call, key, value);
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
        return iam_refuse_value(call, at, text, "have length less than or equal to %zu", most);
    if (!is_tag_text(text))
        return iam_refuse_value(call, at, text, "satisfy regular expression pattern: %s",
                                TAG_PATTERN);
    return 0;
}

/* -1: answered. */
static int check_tag(struct iam_call *call, int number, const char *key, const char *value)
{
    char at[64];
    if (!*key || !value)
        return iam_refuse(call, "ValidationError", "A tag has a Key and a Value");
    snprintf(at, sizeof at, "tags.%d.member.key", number);
    if (check_text(call, at, key, MAX_KEY) < 0)
        return -1;
    snprintf(at, sizeof at, "tags.%d.member.value", number);
    return check_text(call, at, value, MAX_VALUE);
}

/* Keys of users and roles are the same in small and in capital letters. */
static int ignores_case(const struct iam_call *call)
{
    return call->kind == &iam_user || call->kind == &iam_role;
}

static int is_same(const struct iam_call *call, const char *a, const char *b)
{
    return (ignores_case(call) ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

/* "Tags.member.3.Key" */
static const char *tag_part(struct iam_call *call, int number, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "Tags.member.%d.%s", number, part);
    return iam_get(call, name);
}

/* Is there one of that key among the first `count` of the request? */
static int came_before(struct iam_call *call, const char *key, int count)
{
    for (int i = 1; i <= count; i++)
        if (is_same(call, tag_part(call, i, "Key"), key))
            return 1;
    return 0;
}

/* -1: a tag of the request is wrong, and answered; else how many there are. */
static int check_tags(struct iam_call *call)
{
    int count = 0;
    const char *key;
    while ((key = tag_part(call, count + 1, "Key"))) {
        if (++count > IAM_MAX_TAGS)
            return iam_refuse_value(call, "tags", "", "have length less than or equal to %d",
                                    IAM_MAX_TAGS);
        if (check_tag(call, count, key, tag_part(call, count, "Value")) < 0)
            return -1;
        if (came_before(call, key, count - 1))
            return iam_refuse(
                call, "InvalidInput", "Duplicate tag keys found.%s",
                ignores_case(call) ? " Please note that Tag keys are case insensitive." : "");
    }
    return count;
}

static void remove_tag(const struct iam_call *call, json_t *tags, const char *key)
{
    const char *present;
    json_t *value;
    void *next;
    json_object_foreach_safe(tags, next, present, value)
    {
        if (is_same(call, present, key))
            json_object_del(tags, present);
    }
}

int iam_read_tags(struct iam_call *call, json_t *tags)
{
    int count = check_tags(call);
    for (int i = 1; i <= count; i++) {
        const char *key = tag_part(call, i, "Key");
        if (!json_object_get(tags, key))
            remove_tag(call, tags, key);
        if (json_object_set_new(tags, key, json_string(tag_part(call, i, "Value"))) < 0)
            return iam_refuse(call, "ValidationError", "A tag is not UTF-8");
    }
    if (json_object_size(tags) > IAM_MAX_TAGS)
        return iam_refuse(call, "LimitExceeded", "Cannot exceed quota for TagsPer%s: %d",
                          call->kind ? call->kind->element : "Policy", IAM_MAX_TAGS);
    return count < 0 ? -1 : 0;
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

static int is_key(const char *text)
{
    return *text && strlen(text) <= MAX_KEY && is_tag_text(text);
}

static int untag(struct iam_call *call)
{
    json_t *tags = find_tags(call);
    const char *key;
    char name[64] = "TagKeys.member.1";
    for (int i = 1; tags && (key = iam_get(call, name)); i++) {
        if (i > IAM_MAX_TAGS)
            return iam_refuse_value(call, "tagKeys", "", "have length less than or equal to %d",
                                    IAM_MAX_TAGS);
        if (!is_key(key))
            return iam_refuse_value(
                call, "tagKeys", key,
                "satisfy constraint: [Member must have length less than or equal to %d, Member "
                "must have length greater than or equal to 1, Member must satisfy regular "
                "expression pattern: %s, Member must not be null]",
                MAX_KEY, TAG_PATTERN);
        remove_tag(call, tags, key);
        snprintf(name, sizeof name, "TagKeys.member.%d", i + 1);
    }
    return tags ? 0 : -1;
}

static int list_tags(struct iam_call *call)
{
    const json_t *tags = find_tags(call);
    return tags ? iam_list(call, "Tags", tags, put_tag) : -1;
}

const struct iam_operation iam_tag_operations[] = {
    {"TagUser", &iam_user, 1, " UserName Tags ", tag},
    {"UntagUser", &iam_user, 1, " UserName TagKeys ", untag},
    {"ListUserTags", &iam_user, 0, " UserName Marker MaxItems ", list_tags},
    {"TagRole", &iam_role, 1, " RoleName Tags ", tag},
    {"UntagRole", &iam_role, 1, " RoleName TagKeys ", untag},
    {"ListRoleTags", &iam_role, 0, " RoleName Marker MaxItems ", list_tags},
    {"TagInstanceProfile", &iam_profile, 1, " InstanceProfileName Tags ", tag},
    {"UntagInstanceProfile", &iam_profile, 1, " InstanceProfileName TagKeys ", untag},
    {"ListInstanceProfileTags", &iam_profile, 0, " InstanceProfileName Marker MaxItems ",
     list_tags},
    {"TagPolicy", NULL, 1, " PolicyArn Tags ", tag},
    {"UntagPolicy", NULL, 1, " PolicyArn TagKeys ", untag},
    {"ListPolicyTags", NULL, 0, " PolicyArn Marker MaxItems ", list_tags},
    {0},
};
