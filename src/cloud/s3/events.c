#include "cloud/s3/events.h"

#include "base/clock.h"
#include "base/random.h"
#include "cloud/deliver.h"
#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/meta_rows.h"
#include "cloud/s3/write.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The three kinds of target, by their element; the same word names the ARN in it. */
static const struct {
    const char *element, *target;
} kinds[] = {
    {"QueueConfiguration", "Queue"},
    {"TopicConfiguration", "Topic"},
    {"CloudFunctionConfiguration", "CloudFunction"},
};
enum { KINDS = sizeof kinds / sizeof *kinds, FUNCTION = 2, MAX_UNREACHED = 16 };

/* What happens here. */
static const char *const offered[] = {
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
};

/* What AWS knows and never happens here. */
static const char *const not_offered[] = {
    "s3:ObjectRestore:",      "s3:Replication:",       "s3:ReducedRedundancyLostObject",
    "s3:LifecycleTransition", "s3:IntelligentTiering",
};

/* -- matching -- */

static int wants_event(const struct tree *config, const char *name)
{
    for (const struct tree *t = tree_get(config, "Event"); t; t = tree_same(t)) {
        const char *wanted = strncmp(t->text, "s3:", 3) == 0 ? t->text + 3 : t->text;
        size_t length = strlen(wanted);
        if (strcmp(wanted, name) == 0 ||
            (length && wanted[length - 1] == '*' && strncmp(wanted, name, length - 1) == 0))
            return 1;
    }
    return 0;
}

/* The value of the filter "prefix" or "suffix"; "" without one. */
static const char *filter_value(const struct tree *config, const char *name)
{
    const struct tree *key = tree_get(tree_get(config, "Filter"), "S3Key");
    for (const struct tree *t = tree_get(key, "FilterRule"); t; t = tree_same(t)) {
        const char *rule = tree_text(t, "Name"), *value = tree_text(t, "Value");
        if (rule && value && strcasecmp(rule, name) == 0)
            return value;
    }
    return "";
}

static int ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), end = strlen(suffix);
    return length >= end && strcmp(text + length - end, suffix) == 0;
}

static int wants_key(const struct tree *config, const char *key)
{
    const char *prefix = filter_value(config, "prefix");
    return strncmp(key, prefix, strlen(prefix)) == 0 &&
           ends_with(key, filter_value(config, "suffix"));
}

/* -- the message -- */

/* As a form's value: a space is '+'. */
static json_t *encoded_key(const char *key)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._*/";
    struct buf text;
    buf_init(&text, 4 * S3_MAX_KEY_BYTES);
    for (const char *p = key; *p; p++) {
        if (*p == ' ')
            buf_puts(&text, "+");
        else if (strchr(plain, *p))
            buf_append(&text, p, 1);
        else
            buf_printf(&text, "%%%02X", (unsigned char)*p);
    }
    json_t *value = json_string(text.size ? text.data : "");
    buf_finish(&text);
    return value;
}

static json_t *object_part(const struct s3_event *event)
{
    char sequencer[20];
    snprintf(sequencer, sizeof sequencer, "%018llX", (unsigned long long)event->sequence);
    int changes_tags = strncmp(event->name, "ObjectTagging:", 14) == 0;
    int changes_acl = strncmp(event->name, "ObjectAcl:", 10) == 0;
    json_t *object = json_object();
    json_object_set_new(object, "key", encoded_key(event->key));
    if (event->has_size)
        json_object_set_new(object, "size", json_integer(event->size));
    if (*event->etag)
        json_object_set_new(object, "eTag", json_string(event->etag));
    if (*event->version)
        json_object_set_new(object, "versionId", json_string(event->version));
    if (!changes_tags && !changes_acl) /* AWS orders only what comes and goes */
        json_object_set_new(object, "sequencer", json_string(sequencer));
    return object;
}

static int is_first_generation(const char *name)
{
    return strncmp(name, "ObjectCreated:", 14) == 0 || strncmp(name, "ObjectRemoved:", 14) == 0;
}

static json_t *make_record(struct s3_request *r, const struct s3_event *event, const char *id)
{
    const struct exchange *x = r->x;
    const char *owner = r->s3->owner_id;
    const char *who = x->identity.access_key_id ? x->identity.access_key_id : "Anonymous";
    char when[CLOCK_TEXT_BYTES], arn[128], principal[192];
    clock_text(x->received_unix_ms, when);
    snprintf(arn, sizeof arn, "arn:aws:s3:::%s", r->bucket);
    snprintf(principal, sizeof principal, "AWS:%s", who);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}, s:{s:s, s:s}, s:{s:s, s:s, s:{s:s, s:{s:s}, "
        "s:s}, s:o}}",
        "eventVersion", is_first_generation(event->name) ? "2.1" : "2.3", "eventSource", "aws:s3",
        "awsRegion", r->s3->cloud->region, "eventTime", when, "eventName", event->name,
        "userIdentity", "principalId", principal, "requestParameters", "sourceIPAddress",
        x->source_ip ? x->source_ip : "127.0.0.1", "responseElements", "x-amz-request-id",
        x->request_id, "x-amz-id-2", x->request_id, "s3", "s3SchemaVersion", "1.0",
        "configurationId", id, "bucket", "name", r->bucket, "ownerIdentity", "principalId", owner,
        "arn", arn, "object", object_part(event));
}

static int insert_row(struct connection *c, struct s3_request *r, const char *target,
                      const char *body, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c,
                           "INSERT INTO outbox(target, bucket, body, created_ms, attempts, next_ms)"
                           " VALUES(?, ?, ?, ?4, 0, ?4)",
                           err);
    if (!s)
        return -1;
    meta_bind_key(s, target, r->bucket);
    meta_bind_text(s, 3, body);
    sqlite3_bind_int64(s, 4, r->x->received_unix_ms);
    return connection_run(c, s, err);
}

static int note_for(struct connection *c, struct s3_request *r, const struct s3_event *event,
                    const struct tree *config, const char *target, struct err *err)
{
    const char *id = tree_text(config, "Id");
    json_t *record = make_record(r, event, id ? id : "");
    json_t *message = record ? json_pack("{s:[o]}", "Records", record) : NULL;
    char *body = message ? json_dumps(message, JSON_COMPACT) : NULL;
    int result = body ? insert_row(c, r, target, body, err)
                      : err_set(err, ERR_NO_MEMORY, "write a notification: out of memory");
    r->has_events = 1;
    free(body);
    json_decref(message);
    return result;
}

int events_note(struct connection *c, struct s3_request *r, const struct s3_event *event,
                struct err *err)
{
    const char *text;
    int found = config_read_row(c, &r->x->arena, r->bucket, "notification", &text, err);
    if (found <= 0)
        return found;
    const struct tree *all = tree_read(&r->x->arena, text, strlen(text), err);
    if (!all)
        return -1;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct tree *config = tree_get(all, kinds[kind].element);
        for (; config; config = tree_same(config)) {
            const char *target = tree_text(config, kinds[kind].target);
            if (target && wants_event(config, event->name) && wants_key(config, event->key) &&
                note_for(c, r, event, config, target, err) < 0)
                return -1;
        }
    }
    return 0;
}

void events_wake(struct s3_request *r)
{
    if (r->has_events)
        outbox_wake(r->s3->outbox);
    r->has_events = 0;
}

/* -- the configuration -- */

static int fail(struct s3_request *r, const char *argument, const char *value, const char *message)
{
    s3_fail_argument(r, argument, value, message);
    return -1;
}

static int check_event(struct s3_request *r, const char *event)
{
    for (size_t i = 0; i < sizeof offered / sizeof *offered; i++)
        if (strcmp(offered[i], event) == 0)
            return 0;
    for (size_t i = 0; i < sizeof not_offered / sizeof *not_offered; i++) {
        if (strncmp(not_offered[i], event, strlen(not_offered[i])) == 0) {
            s3_fail_not_offered(r, "event", event);
            return -1;
        }
    }
    return fail(r, "Event", event, "The event is not supported for notifications");
}

/* The first of that name in a row of elements that may be changed. */
static struct tree *find(struct tree *row, const char *name)
{
    while (row && strcmp(row->name, name) != 0)
        row = row->next;
    return row;
}

static int check_filter(struct s3_request *r, const struct tree *config)
{
    struct tree *filter = find(config->child, "Filter");
    struct tree *key = filter ? find(filter->child, "S3Key") : NULL;
    size_t prefixes = 0, suffixes = 0;
    for (struct tree *t = key ? key->child : NULL; t; t = t->next) {
        struct tree *name = find(t->child, "Name");
        if (!name || !tree_text(t, "Value")) {
            s3_fail_malformed(r);
            return -1;
        }
        int is_prefix = strcasecmp(name->text, "prefix") == 0;
        if (!is_prefix && strcasecmp(name->text, "suffix") != 0)
            return fail(r, "FilterRule.Name", name->text,
                        "filter rule name must be either prefix or suffix");
        prefixes += is_prefix;
        suffixes += !is_prefix;
        name->text = is_prefix ? "Prefix" : "Suffix"; /* as AWS gives them back */
    }
    return prefixes < 2 && suffixes < 2
               ? 0
               : fail(r, "FilterRule.Name", prefixes > 1 ? "prefix" : "suffix",
                      "Cannot specify more than one prefix or suffix rule in a filter.");
}

static int check_arn(struct s3_request *r, size_t kind, const char *arn)
{
    static const char *const parts[] = {":sqs:", ":sns:", ":lambda:"};
    if (strncmp(arn, "arn:aws:", 8) != 0 || !strstr(arn, parts[kind]))
        return fail(r, kinds[kind].target, arn, "The ARN could not be parsed");
    return kind == FUNCTION || !ends_with(arn, ".fifo")
               ? 0
               : fail(r, kinds[kind].target, arn, "FIFO queues and topics are not supported");
}

/* Those that cannot be reached, as fields of one error: the ARN and why. */
struct unreached {
    struct error_field fields[2 * MAX_UNREACHED];
    size_t count;
};

static void note_unreached(struct s3_request *r, size_t kind, const char *arn, int is_absent,
                           struct unreached *out)
{
    static const char *const words[] = {"queue", "topic", "Lambda function"};
    struct arena *arena = &r->x->arena;
    if (out->count == 2 * MAX_UNREACHED)
        return;
    size_t number = out->count / 2 + 1;
    const char *why =
        is_absent ? arena_printf(arena, "The destination %s does not exist", words[kind])
                  : arena_printf(arena,
                                 "Permissions on the destination %s do not allow S3 to publish "
                                 "notifications from this bucket",
                                 words[kind]);
    out->fields[out->count++] =
        (struct error_field){arena_printf(arena, "ArgumentName%zu", number), arn};
    out->fields[out->count++] =
        (struct error_field){arena_printf(arena, "ArgumentValue%zu", number), why};
}

static int fail_unreached(struct s3_request *r, const struct unreached *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (!u->fields[i].name || !u->fields[i].value) {
            exchange_fail(r->x, "InternalError", "Out of memory.");
            return -1;
        }
    exchange_fail_fields(r->x, "InvalidArgument",
                         "Unable to validate the following destination configurations", u->fields,
                         u->count);
    return -1;
}

static int skips_targets(struct s3_request *r)
{
    const char *skip = exchange_header(r->x, "x-amz-skip-destination-validation");
    return skip && strcasecmp(skip, "true") == 0;
}

static int check_targets(struct s3_request *r, const struct tree *all)
{
    struct unreached unreached = {0};
    const char *bucket = arena_printf(&r->x->arena, "arn:aws:s3:::%s", r->bucket);
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct tree *config = tree_get(all, kinds[kind].element);
        for (; config; config = tree_same(config)) {
            struct err err = {0};
            const char *arn = tree_text(config, kinds[kind].target);
            if (!bucket || cloud_check_delivery(r->s3->cloud, arn, bucket, &err) < 0 ||
                cloud_may_deliver(r->s3->cloud, r->x, arn, bucket, "s3.amazonaws.com", &err) < 0)
                note_unreached(r, kind, arn, err.code == ERR_NOT_FOUND, &unreached);
        }
    }
    return unreached.count ? fail_unreached(r, &unreached) : 0;
}

/* Configurations without an Id get one. */
static int name_config(struct s3_request *r, struct tree *config)
{
    const char *id = tree_text(config, "Id");
    char uuid[RANDOM_UUID_BYTES];
    if (id && *id)
        return 0;
    struct tree *name = arena_new(&r->x->arena, struct tree, 1);
    random_uuid(uuid);
    if (!name || !(name->text = arena_strdup(&r->x->arena, uuid))) {
        exchange_fail(r->x, "InternalError", "Out of memory.");
        return -1;
    }
    name->name = "Id";
    name->next = config->child;
    config->child = name;
    return 0;
}

static int share_event(const struct tree *a, const struct tree *b)
{
    for (const struct tree *t = tree_get(a, "Event"); t; t = tree_same(t))
        for (const struct tree *u = tree_get(b, "Event"); u; u = tree_same(u)) {
            size_t m = strcspn(t->text, "*"), n = strcspn(u->text, "*");
            int is_open = t->text[m] || u->text[n];
            if (strncmp(t->text, u->text, m < n ? m : n) == 0 && (is_open || m == n))
                return 1;
        }
    return 0;
}

static int overlap(const struct tree *a, const struct tree *b)
{
    const char *p = filter_value(a, "prefix"), *q = filter_value(b, "prefix");
    const char *s = filter_value(a, "suffix"), *t = filter_value(b, "suffix");
    size_t shorter = strlen(p) < strlen(q) ? strlen(p) : strlen(q);
    return share_event(a, b) && strncmp(p, q, shorter) == 0 && (ends_with(s, t) || ends_with(t, s));
}

static int check_overlap(struct s3_request *r, const struct tree *all)
{
    for (const struct tree *a = all->child; a; a = a->next)
        for (const struct tree *b = a->next; b; b = b->next)
            if (overlap(a, b)) {
                exchange_fail(r->x, "InvalidArgument",
                              "Configuration is ambiguously defined. Cannot have overlapping "
                              "suffixes in two rules if the prefixes are overlapping for the same "
                              "event type.");
                return -1;
            }
    return 0;
}

static int check_config(struct s3_request *r, size_t kind, struct tree *config)
{
    const char *target = tree_text(config, kinds[kind].target);
    if (!target || !*target || !tree_get(config, "Event")) {
        s3_fail_malformed(r);
        return -1;
    }
    for (const struct tree *t = tree_get(config, "Event"); t; t = tree_same(t))
        if (check_event(r, t->text) < 0)
            return -1;
    return check_filter(r, config) < 0 || check_arn(r, kind, target) < 0 ? -1
                                                                         : name_config(r, config);
}

/* Says that the target is wired up; functions get none. */
static int send_test(struct s3_request *r, size_t kind, const char *target)
{
    struct unreached unreached = {0};
    struct err err = {0};
    char when[CLOCK_TEXT_BYTES], arn[128];
    clock_text(r->x->received_unix_ms, when);
    snprintf(arn, sizeof arn, "arn:aws:s3:::%s", r->bucket);
    json_t *message = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Service", "Amazon S3", "Event",
                                "s3:TestEvent", "Time", when, "Bucket", r->bucket, "RequestId",
                                r->x->request_id, "HostId", r->x->request_id);
    char *body = message ? json_dumps(message, JSON_COMPACT) : NULL;
    struct delivery delivery = {.target_arn = target,
                                .source_arn = arn,
                                .body = body,
                                .body_bytes = body ? strlen(body) : 0,
                                .subject = "Amazon S3 Notification"};
    int result = body ? cloud_deliver(r->s3->cloud, &delivery, &err) : -1;
    free(body);
    json_decref(message);
    if (result == 0)
        return 0;
    note_unreached(r, kind, target, err.code == ERR_NOT_FOUND, &unreached);
    return fail_unreached(r, &unreached);
}

int events_check(struct s3_request *r, struct tree *all)
{
    for (struct tree *config = all->child; config; config = config->next)
        for (size_t kind = 0; kind < KINDS; kind++)
            if (strcmp(config->name, kinds[kind].element) == 0 && check_config(r, kind, config) < 0)
                return -1;
    if (check_overlap(r, all) < 0)
        return -1;
    if (skips_targets(r))
        return 0;
    if (check_targets(r, all) < 0)
        return -1;
    for (size_t kind = 0; kind < FUNCTION; kind++) {
        const struct tree *config = tree_get(all, kinds[kind].element);
        for (; config; config = tree_same(config))
            if (send_test(r, kind, tree_text(config, kinds[kind].target)) < 0)
                return -1;
    }
    return 0;
}
