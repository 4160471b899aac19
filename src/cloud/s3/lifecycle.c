#include "cloud/s3/lifecycle.h"

#include "base/random.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_RULES = 1000, MAX_ID = 255, ID_LETTERS = 32, DAY_MS = 24 * 3600 * 1000 };

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

/* "2026-12-31", "2026-12-31T00:00:00Z" or with ".000": midnight only. -1: it is another. */
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
    if (!rest || *rest)
        return -1;
    int64_t ms = (int64_t)timegm(&tm) * 1000;
    return ms % DAY_MS ? -1 : ms;
}

static int check_days(struct s3_request *r, const struct tree *action, const char *name,
                      const char *message)
{
    const char *text = tree_text(action, name);
    return !text || s3_number(text, INT32_MAX) > 0 ? 0 : fail(r, "InvalidArgument", message);
}

static int has_tags(const struct tree *rule)
{
    const struct tree *filter = tree_get(rule, "Filter");
    return tree_get(filter, "Tag") || tree_get(tree_get(filter, "And"), "Tag");
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
        return fail(r, "InvalidArgument", "'Date' must be at midnight GMT");
    if (tree_get(end, "ExpiredObjectDeleteMarker") && has_tags(rule))
        return fail(r, "InvalidRequest",
                    "ExpiredObjectDeleteMarker cannot be specified with Tags.");
    return 0;
}

static int check_other_actions(struct s3_request *r, const struct tree *rule)
{
    const struct tree *old = tree_get(rule, "NoncurrentVersionExpiration");
    const struct tree *abort = tree_get(rule, "AbortIncompleteMultipartUpload");
    if (old && !tree_get(old, "NoncurrentDays"))
        return malformed(r);
    if (check_days(r, old, "NoncurrentDays",
                   "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive "
                   "integer") < 0)
        return -1;
    if (check_days(r, abort, "DaysAfterInitiation",
                   "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a "
                   "positive integer") < 0)
        return -1;
    if (abort && has_tags(rule))
        return fail(r, "InvalidRequest",
                    "AbortIncompleteMultipartUpload cannot be specified with Tags.");
    if (!tree_get(rule, "Expiration") && !old && !abort)
        return fail(r, "InvalidRequest", "At least one action needs to be specified in a rule");
    return 0;
}

static int check_filter(struct s3_request *r, const struct tree *rule)
{
    const struct tree *filter = tree_get(rule, "Filter");
    const struct tree *both = tree_get(filter, "And");
    if (!filter == !tree_get(rule, "Prefix") || count_children(filter) > 1 ||
        (both && count_children(both) < 2))
        return malformed(r);
    return 0;
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
        if (check_filter(r, rule) < 0 || check_expiration(r, rule) < 0 ||
            check_other_actions(r, rule) < 0 || name_rule(r, rule) < 0)
            return -1;
    }
    return check_ids(r, config);
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

void s3_reply_expiration(struct s3_request *r, const struct meta_object *object)
{
    struct err err = {0};
    struct tree *config;
    const struct lifecycle_object seen = {r->key, object->tags, object->size, object->modified_ms};
    const struct tree *chosen = NULL;
    int64_t soonest = INT64_MAX;
    char date[S3_TIME_BYTES], text[512];
    if (!__atomic_load_n(&r->s3->lifecycles, __ATOMIC_ACQUIRE) ||
        config_tree(r, r->bucket, "lifecycle", &config, &err) <= 0)
        return;
    for (const struct tree *rule = tree_get(config, "Rule"); rule; rule = tree_same(rule)) {
        int64_t end = lifecycle_current_end_ms(r->s3, rule, object->modified_ms);
        if (end >= 0 && end < soonest && lifecycle_fits(rule, &seen)) {
            soonest = end;
            chosen = rule;
        }
    }
    const char *id = chosen ? tree_text(chosen, "ID") : NULL;
    if (!id || strpbrk(id, "\r\n"))
        return;
    s3_http_time(soonest, date);
    snprintf(text, sizeof text, "expiry-date=\"%s\", rule-id=\"%s\"", date, id);
    exchange_reply_header(r->x, "x-amz-expiration", text);
}
