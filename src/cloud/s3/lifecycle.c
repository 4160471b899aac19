#include "cloud/s3/lifecycle.h"

#include "base/random.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MAX_RULES = 1000,
    MAX_ID = 255,
    MAX_TAG_KEY = 128, /* letters */
    MAX_TAG_VALUE = 256,
    ID_LETTERS = 32,
    DAY_MS = 24 * 3600 * 1000
};

/* -- the configuration -- */

static int fail(struct s3_request *r, const char *code, const char *message)
{
    exchange_fail(r->x, code, "%s", message);
    return -1;
}

static int malformed(struct s3_request *r)
{
    s3_fail_malformed(r);
    return -1;
}

/* "2026-12-31", "2026-12-31T00:00:00Z" or with ".000". -1: it is no date. */
static int64_t read_date_ms(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest && *rest == 'T') {
        rest = strptime(rest, "T%H:%M:%S", &tm);
        if (rest && *rest == '.')
            rest += 1 + strspn(rest + 1, "0");
        if (rest && strncmp(rest, "+00:00", 6) == 0)
            rest += 6;
        else if (rest && *rest == 'Z')
            rest++;
    }
    return rest && !*rest ? (int64_t)timegm(&tm) * 1000 : -1;
}

static int check_days(struct s3_request *r, const struct tree *action, const char *name,
                      const char *message)
{
    const char *text = tree_text(action, name);
    return !text || s3_number(text, INT32_MAX) > 0 ? 0 : fail(r, "InvalidArgument", message);
}

/* What the rule's filter says under a name: itself or in its And. NULL: nothing. */
static const struct tree *in_filter(const struct tree *rule, const char *name)
{
    const struct tree *filter = tree_get(rule, "Filter"), *found = tree_get(filter, name);
    return found ? found : tree_get(tree_get(filter, "And"), name);
}

static size_t count_children(const struct tree *tree)
{
    size_t count = 0;
    for (const struct tree *t = tree ? tree->child : NULL; t; t = t->next)
        count++;
    return count;
}

static int check_expiration(struct s3_request *r, const struct tree *rule)
{
    const struct tree *end = tree_get(rule, "Expiration");
    const char *date = tree_text(end, "Date");
    if (!end)
        return 0;
    if (count_children(end) != 1)
        return malformed(r);
    if (check_days(r, end, "Days", "'Days' for Expiration action must be a positive integer") < 0)
        return -1;
    if (date && read_date_ms(date) < 0)
        return malformed(r);
    if (date && read_date_ms(date) % DAY_MS)
        return fail(r, "InvalidArgument", "'Date' must be at midnight GMT");
    if (tree_get(end, "ExpiredObjectDeleteMarker") && in_filter(rule, "Tag"))
        return fail(r, "InvalidRequest",
                    "ExpiredObjectDeleteMarker cannot be specified with Tags.");
    return 0;
}

static int check_old(struct s3_request *r, const struct tree *rule)
{
    const struct tree *old = tree_get(rule, "NoncurrentVersionExpiration");
    if (old && !tree_get(old, "NoncurrentDays"))
        return malformed(r);
    if (tree_get(old, "NewerNoncurrentVersions") && !tree_get(rule, "Filter"))
        return fail(r, "InvalidRequest",
                    "NewerNoncurrentVersions element can only be used in Lifecycle V2.");
    return check_days(r, old, "NoncurrentDays",
                      "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive "
                      "integer");
}

static int check_abort(struct s3_request *r, const struct tree *rule)
{
    const struct tree *abort = tree_get(rule, "AbortIncompleteMultipartUpload");
    if (abort && in_filter(rule, "Tag"))
        return fail(r, "InvalidRequest",
                    "AbortIncompleteMultipartUpload cannot be specified with Tags.");
    if (abort &&
        (in_filter(rule, "ObjectSizeGreaterThan") || in_filter(rule, "ObjectSizeLessThan")))
        return fail(r, "InvalidRequest",
                    "AbortIncompleteMultipartUpload cannot be specified with Object Size.");
    return check_days(r, abort, "DaysAfterInitiation",
                      "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a "
                      "positive integer");
}

static int check_actions(struct s3_request *r, const struct tree *rule)
{
    if (check_expiration(r, rule) < 0 || check_old(r, rule) < 0 || check_abort(r, rule) < 0)
        return -1;
    if (!tree_get(rule, "Expiration") && !tree_get(rule, "NoncurrentVersionExpiration") &&
        !tree_get(rule, "AbortIncompleteMultipartUpload"))
        return fail(r, "InvalidRequest", "At least one action needs to be specified in a rule");
    return 0;
}

static int check_tags(struct s3_request *r, const struct tree *tag)
{
    for (; tag; tag = tree_same(tag)) {
        const char *key = tree_text(tag, "Key"), *value = tree_text(tag, "Value");
        size_t key_length = key ? s3_letters(key) : 0;
        if (key_length < 1 || key_length > MAX_TAG_KEY)
            return fail(r, "InvalidRequest", "A Tag's Key must be a length between 1 and 128.");
        if (value && s3_letters(value) > MAX_TAG_VALUE)
            return fail(r, "InvalidRequest", "A Tag's Value must be a length between 0 and 256.");
    }
    return 0;
}

static int check_sizes(struct s3_request *r, const struct tree *rule)
{
    const struct tree *above = in_filter(rule, "ObjectSizeGreaterThan");
    const struct tree *below = in_filter(rule, "ObjectSizeLessThan");
    if (above && below && s3_number(below->text, INT64_MAX) <= s3_number(above->text, INT64_MAX))
        return fail(r, "InvalidRequest",
                    "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.");
    return 0;
}

static int check_filter(struct s3_request *r, const struct tree *rule)
{
    const struct tree *filter = tree_get(rule, "Filter"), *base = tree_get(rule, "Prefix");
    const struct tree *both = tree_get(filter, "And");
    const struct tree *prefix = base ? base : in_filter(rule, "Prefix");
    if (!filter == !base || count_children(filter) > 1 || (both && count_children(both) < 2))
        return malformed(r);
    if (prefix && strlen(prefix->text) > S3_MAX_KEY_BYTES)
        return fail(r, "InvalidRequest", "The maximum size of a prefix is 1024");
    return check_tags(r, in_filter(rule, "Tag")) < 0 ? -1 : check_sizes(r, rule);
}

/* All rules are of the old form or all of the new one. */
static int check_forms(struct s3_request *r, const struct tree *config)
{
    int has_filter = 0, has_prefix = 0;
    for (const struct tree *rule = tree_get(config, "Rule"); rule; rule = tree_same(rule)) {
        has_filter |= tree_get(rule, "Filter") != NULL;
        has_prefix |= tree_get(rule, "Prefix") != NULL;
    }
    return !has_filter || !has_prefix
               ? 0
               : fail(r, "InvalidRequest",
                      "Base level prefix cannot be used in Lifecycle V2, prefixes are only "
                      "supported in the Filter.");
}

/* Rules without an ID get one. */
static int name_rule(struct s3_request *r, struct tree *rule)
{
    const char *id = tree_text(rule, "ID");
    char made[ID_LETTERS + 1];
    if (id && *id)
        return strlen(id) <= MAX_ID
                   ? 0
                   : fail(r, "InvalidArgument", "ID length should not exceed allowed limit of 255");
    struct tree *name = arena_new(&r->x->arena, struct tree, 1);
    random_text(made, ID_LETTERS, RANDOM_LOWER);
    if (!name || !(name->text = arena_strdup(&r->x->arena, made)))
        return fail(r, "InternalError", "Out of memory.");
    name->name = "ID";
    name->next = rule->child;
    rule->child = name;
    return 0;
}

static int check_ids(struct s3_request *r, const struct tree *config)
{
    for (const struct tree *a = tree_get(config, "Rule"); a; a = tree_same(a))
        for (const struct tree *b = tree_same(a); b; b = tree_same(b))
            if (strcmp(tree_text(a, "ID"), tree_text(b, "ID")) == 0)
                return fail(r, "InvalidArgument",
                            "Rule ID must be unique. Found same ID for more than one rule");
    return 0;
}

int lifecycle_check(struct s3_request *r, struct tree *config)
{
    size_t count = tree_count(config, "Rule");
    if (count == 0 || count > MAX_RULES)
        return malformed(r);
    for (struct tree *rule = config->child; rule; rule = rule->next) {
        if (!tree_get(rule, "Status"))
            return malformed(r);
        if (check_filter(r, rule) < 0 || check_actions(r, rule) < 0 || name_rule(r, rule) < 0)
            return -1;
    }
    return check_forms(r, config) < 0 ? -1 : check_ids(r, config);
}

/* -- the rules -- */

static int fits_filter(const struct tree *filter, const struct lifecycle_object *object)
{
    const char *prefix = tree_text(filter, "Prefix");
    const char *above = tree_text(filter, "ObjectSizeGreaterThan");
    const char *below = tree_text(filter, "ObjectSizeLessThan");
    if (prefix && strncmp(object->key, prefix, strlen(prefix)) != 0)
        return 0;
    if (above && object->size <= s3_number(above, INT64_MAX))
        return 0;
    if (below && object->size >= s3_number(below, INT64_MAX))
        return 0;
    for (const struct tree *tag = tree_get(filter, "Tag"); tag; tag = tree_same(tag)) {
        const char *key = tree_text(tag, "Key"), *value = tree_text(tag, "Value");
        if (!key || !s3_tags_have(object->tags, key, value ? value : ""))
            return 0;
    }
    return 1;
}

int lifecycle_fits(const struct tree *rule, const struct lifecycle_object *object)
{
    const char *status = tree_text(rule, "Status"), *prefix = tree_text(rule, "Prefix");
    const struct tree *filter = tree_get(rule, "Filter");
    if (!status || strcmp(status, "Enabled") != 0)
        return 0;
    if (prefix && strncmp(object->key, prefix, strlen(prefix)) != 0)
        return 0;
    return !filter || (fits_filter(filter, object) &&
                       (!tree_get(filter, "And") || fits_filter(tree_get(filter, "And"), object)));
}

int64_t lifecycle_days_end_ms(const struct s3 *s3, const char *days, int64_t start_ms)
{
    int64_t count = days ? s3_number(days, INT32_MAX) : -1;
    if (count < 0)
        return -1;
    int64_t end = start_ms + count * s3->day_ms;
    return s3->day_ms == DAY_MS ? (end + DAY_MS - 1) / DAY_MS * DAY_MS : end;
}

int64_t lifecycle_current_end_ms(const struct s3 *s3, const struct tree *rule, int64_t modified_ms)
{
    const struct tree *end = tree_get(rule, "Expiration");
    const char *date = tree_text(end, "Date");
    return date ? read_date_ms(date)
                : lifecycle_days_end_ms(s3, tree_text(end, "Days"), modified_ms);
}

int64_t lifecycle_upload_end_ms(const struct s3 *s3, const struct tree *rule, int64_t created_ms)
{
    const struct tree *abort = tree_get(rule, "AbortIncompleteMultipartUpload");
    return lifecycle_days_end_ms(s3, tree_text(abort, "DaysAfterInitiation"), created_ms);
}

/* The rule that ends it first, and when; NULL: none does. `end_ms` is one of the two above. */
static const char *find_end(struct s3_request *r, const struct lifecycle_object *object,
                            int64_t (*end_ms)(const struct s3 *, const struct tree *, int64_t),
                            char date[S3_TIME_BYTES])
{
    struct err err = {0};
    struct tree *config;
    const struct tree *chosen = NULL;
    int64_t soonest = INT64_MAX;
    if (!__atomic_load_n(&r->s3->lifecycles, __ATOMIC_ACQUIRE) ||
        config_tree(r, r->bucket, "lifecycle", &config, &err) <= 0)
        return NULL;
    for (const struct tree *rule = tree_get(config, "Rule"); rule; rule = tree_same(rule)) {
        int64_t end = end_ms(r->s3, rule, object->modified_ms);
        if (end >= 0 && end < soonest && lifecycle_fits(rule, object)) {
            soonest = end;
            chosen = rule;
        }
    }
    const char *id = chosen ? tree_text(chosen, "ID") : NULL;
    if (!id || strpbrk(id, "\r\n"))
        return NULL;
    s3_http_time(soonest, date);
    return id;
}

void s3_reply_expiration(struct s3_request *r, const struct meta_object *object)
{
    const struct lifecycle_object seen = {r->key, object->tags, object->size, object->modified_ms};
    char date[S3_TIME_BYTES], text[512];
    const char *id = find_end(r, &seen, lifecycle_current_end_ms, date);
    if (!id)
        return;
    snprintf(text, sizeof text, "expiry-date=\"%s\", rule-id=\"%s\"", date, id);
    exchange_reply_header(r->x, "x-amz-expiration", text);
}

void s3_reply_abort(struct s3_request *r, const struct meta_upload *upload)
{
    const struct lifecycle_object seen = {upload->key, "", 0, upload->created_ms};
    char date[S3_TIME_BYTES];
    const char *id = find_end(r, &seen, lifecycle_upload_end_ms, date);
    if (!id)
        return;
    exchange_reply_header(r->x, "x-amz-abort-date", date);
    exchange_reply_header(r->x, "x-amz-abort-rule-id", id);
}
