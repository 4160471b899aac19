#include "cloud/s3/config.h"

#include "cloud/errors.h"
#include "cloud/s3/acl.h"
#include "cloud/s3/events.h"
#include "cloud/s3/meta_rows.h"
#include "cloud/s3/write.h"

#include <stdlib.h>
#include <string.h>

/* -- rows -- */

int config_read_row(struct connection *c, struct arena *arena, const char *bucket, const char *name,
                    const char **value, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c, "SELECT value FROM configs WHERE bucket=? AND name=?", err);
    if (!s)
        return -1;
    meta_bind_key(s, bucket, name);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        *value = arena_copy(arena, text ? text : "", (size_t)sqlite3_column_bytes(s, 0));
        if (!*value)
            found = err_set(err, ERR_NO_MEMORY, "read a configuration: out of memory");
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "read a configuration", err);
    connection_reset(s);
    return found;
}

int config_read(struct s3_request *r, const char *bucket, const char *name, const char **value,
                struct err *err)
{
    struct connection *c = database_read_begin(r->s3->database, err);
    if (!c)
        return -1;
    int found = config_read_row(c, &r->x->arena, bucket, name, value, err);
    database_read_end(r->s3->database, c);
    return found;
}

int config_tree(struct s3_request *r, const char *bucket, const char *name, struct tree **tree,
                struct err *err)
{
    const char *text;
    int found = config_read(r, bucket, name, &text, err);
    if (found <= 0)
        return found;
    *tree = tree_read(&r->x->arena, text, strlen(text), err);
    return *tree ? 1 : -1;
}

struct config_job {
    struct s3_request *r;
    const char *name, *value;
    enum meta_outcome outcome;
};

static int write_job(struct connection *c, void *context, struct err *err)
{
    struct config_job *job = context;
    enum versioning ignored;
    int exists = meta_read_versioning(c, job->r->bucket, &ignored, err);
    job->outcome = exists ? META_DONE : META_NO_BUCKET;
    if (exists <= 0)
        return exists;
    sqlite3_stmt *s = connection_prepare(
        c,
        job->value ? "INSERT OR REPLACE INTO configs(bucket, name, value) VALUES(?, ?, ?)"
                   : "DELETE FROM configs WHERE bucket=? AND name=?",
        err);
    if (!s)
        return -1;
    meta_bind_key(s, job->r->bucket, job->name);
    if (job->value)
        meta_bind_text(s, 3, job->value);
    return connection_run(c, s, err);
}

int config_write(struct s3_request *r, const char *name, const char *value,
                 enum meta_outcome *outcome, struct err *err)
{
    struct config_job job = {.r = r, .name = name, .value = value};
    int result = database_write(r->s3->database, write_job, &job, err);
    *outcome = job.outcome;
    return result == 0 && strcmp(name, "lifecycle") == 0 ? config_count_lifecycles(r->s3, err)
                                                         : result;
}

int config_count_lifecycles(struct s3 *s3, struct err *err)
{
    struct connection *c = database_read_begin(s3->database, err);
    sqlite3_stmt *s =
        c ? connection_prepare(c, "SELECT count(*) FROM configs WHERE name='lifecycle'", err)
          : NULL;
    int result = -1;
    if (s) {
        result = sqlite3_step(s) == SQLITE_ROW ? 0 : connection_fail(c, "count lifecycles", err);
        if (result == 0)
            __atomic_store_n(&s3->lifecycles, sqlite3_column_int(s, 0), __ATOMIC_RELEASE);
        connection_reset(s);
    }
    database_read_end(s3->database, c);
    return result;
}

/* -- kinds -- */

static const struct tree_rule tagging_rules[] = {{.path = "TagSet", .kind = TREE_PARENT},
                                                 {.path = "TagSet/Tag", .kind = TREE_PARENT},
                                                 {.path = "TagSet/Tag/Key", .kind = TREE_TEXT},
                                                 {.path = "TagSet/Tag/Value", .kind = TREE_TEXT},
                                                 {0}};

static const struct tree_rule cors_rules[] = {
    {.path = "CORSRule", .kind = TREE_PARENT},
    {.path = "CORSRule/ID", .kind = TREE_TEXT},
    {.path = "CORSRule/AllowedMethod", .kind = TREE_TEXT},
    {.path = "CORSRule/AllowedOrigin", .kind = TREE_TEXT},
    {.path = "CORSRule/AllowedHeader", .kind = TREE_TEXT},
    {.path = "CORSRule/ExposeHeader", .kind = TREE_TEXT},
    {.path = "CORSRule/MaxAgeSeconds", .kind = TREE_TEXT}, /* AWS takes negative ones too */
    {0}};

static const struct tree_rule lifecycle_rules[] = {
    {.path = "Rule", .kind = TREE_PARENT},
    {.path = "Rule/ID", .kind = TREE_TEXT},
    {.path = "Rule/Prefix", .kind = TREE_TEXT},
    {.path = "Rule/Status", .kind = TREE_ONE_OF, .words = "Enabled Disabled"},
    {.path = "Rule/Filter", .kind = TREE_PARENT},
    {.path = "Rule/Filter/Prefix", .kind = TREE_TEXT},
    {.path = "Rule/Filter/Tag", .kind = TREE_PARENT},
    {.path = "Rule/Filter/Tag/Key", .kind = TREE_TEXT},
    {.path = "Rule/Filter/Tag/Value", .kind = TREE_TEXT},
    {.path = "Rule/Filter/ObjectSizeGreaterThan", .kind = TREE_NUMBER},
    {.path = "Rule/Filter/ObjectSizeLessThan", .kind = TREE_NUMBER},
    {.path = "Rule/Filter/And", .kind = TREE_PARENT},
    {.path = "Rule/Filter/And/Prefix", .kind = TREE_TEXT},
    {.path = "Rule/Filter/And/Tag", .kind = TREE_PARENT},
    {.path = "Rule/Filter/And/Tag/Key", .kind = TREE_TEXT},
    {.path = "Rule/Filter/And/Tag/Value", .kind = TREE_TEXT},
    {.path = "Rule/Filter/And/ObjectSizeGreaterThan", .kind = TREE_NUMBER},
    {.path = "Rule/Filter/And/ObjectSizeLessThan", .kind = TREE_NUMBER},
    {.path = "Rule/Expiration", .kind = TREE_PARENT},
    {.path = "Rule/Expiration/Date", .kind = TREE_TEXT},
    {.path = "Rule/Expiration/Days", .kind = TREE_TEXT},
    {.path = "Rule/Expiration/ExpiredObjectDeleteMarker", .kind = TREE_BOOLEAN},
    {.path = "Rule/NoncurrentVersionExpiration", .kind = TREE_PARENT},
    {.path = "Rule/NoncurrentVersionExpiration/NoncurrentDays", .kind = TREE_TEXT},
    {.path = "Rule/NoncurrentVersionExpiration/NewerNoncurrentVersions", .kind = TREE_NUMBER},
    {.path = "Rule/AbortIncompleteMultipartUpload", .kind = TREE_PARENT},
    {.path = "Rule/AbortIncompleteMultipartUpload/DaysAfterInitiation", .kind = TREE_TEXT},
    {.path = "Rule/Transition", .is_refused = 1},
    {.path = "Rule/NoncurrentVersionTransition", .is_refused = 1},
    {0}};

#define NOTIFICATION_RULES(element, target)                                                        \
    {.path = element, .kind = TREE_PARENT}, {.path = element "/Id", .kind = TREE_TEXT},            \
        {.path = element "/" target, .kind = TREE_TEXT},                                           \
        {.path = element "/Event", .kind = TREE_TEXT},                                             \
        {.path = element "/Filter", .kind = TREE_PARENT},                                          \
        {.path = element "/Filter/S3Key", .kind = TREE_PARENT},                                    \
        {.path = element "/Filter/S3Key/FilterRule", .kind = TREE_PARENT},                         \
        {.path = element "/Filter/S3Key/FilterRule/Name", .kind = TREE_TEXT},                      \
    {                                                                                              \
        .path = element "/Filter/S3Key/FilterRule/Value", .kind = TREE_TEXT                        \
    }

static const struct tree_rule notification_rules[] = {
    NOTIFICATION_RULES("QueueConfiguration", "Queue"),
    NOTIFICATION_RULES("TopicConfiguration", "Topic"),
    NOTIFICATION_RULES("CloudFunctionConfiguration", "CloudFunction"),
    {.path = "EventBridgeConfiguration", .is_refused = 1},
    {0}};

static const struct tree_rule ownership_rules[] = {
    {.path = "Rule", .kind = TREE_PARENT},
    {.path = "Rule/ObjectOwnership",
     .kind = TREE_ONE_OF,
     .words = "BucketOwnerPreferred ObjectWriter BucketOwnerEnforced"},
    {0}};

static const struct tree_rule access_block_rules[] = {
    {.path = "BlockPublicAcls", .kind = TREE_BOOLEAN},
    {.path = "IgnorePublicAcls", .kind = TREE_BOOLEAN},
    {.path = "BlockPublicPolicy", .kind = TREE_BOOLEAN},
    {.path = "RestrictPublicBuckets", .kind = TREE_BOOLEAN},
    {0}};

static const struct tree_rule payment_rules[] = {
    {.path = "Payer", .kind = TREE_ONE_OF, .words = "BucketOwner Requester"}, {0}};
static const struct tree_rule accelerate_rules[] = {
    {.path = "Status", .kind = TREE_ONE_OF, .words = "Suspended Enabled"}, {0}};
static const struct tree_rule logging_rules[] = {{.path = "LoggingEnabled", .is_refused = 1}, {0}};
static const struct tree_rule policy_rules[] = {{0}};

#define BY_DEFAULT "Rule/ApplyServerSideEncryptionByDefault"
static const struct tree_rule encryption_rules[] = {
    {.path = "Rule", .kind = TREE_PARENT},
    {.path = BY_DEFAULT, .kind = TREE_PARENT},
    {.path = BY_DEFAULT "/SSEAlgorithm",
     .kind = TREE_ONE_OF,
     .words = "AES256 aws:kms aws:kms:dsse"},
    {.path = BY_DEFAULT "/KMSMasterKeyID", .is_refused = 1},
    {.path = "Rule/BucketKeyEnabled", .kind = TREE_BOOLEAN},
    {.path = "Rule/BlockedEncryptionTypes", .is_refused = 1},
    {0}};

/* One value asks for what is not offered. */
static int refuse_value(struct s3_request *r, const struct tree *config, const char *name,
                        const char *value)
{
    const char *text = tree_text(config, name);
    if (!text || strcmp(text, value) != 0)
        return 0;
    s3_fail_not_offered(r, name, value);
    return -1;
}

static int payment_check(struct s3_request *r, struct tree *config)
{
    return refuse_value(r, config, "Payer", "Requester");
}

static int accelerate_check(struct s3_request *r, struct tree *config)
{
    return refuse_value(r, config, "Status", "Enabled");
}

static int ownership_check(struct s3_request *r, struct tree *config)
{
    if (tree_count(config, "Rule") == 1 && tree_text(tree_get(config, "Rule"), "ObjectOwnership"))
        return 0;
    s3_fail_malformed(r);
    return -1;
}

/* What is not told is false. */
static int access_block_check(struct s3_request *r, struct tree *config)
{
    for (const struct tree_rule *rule = access_block_rules; rule->path; rule++) {
        if (tree_get(config, rule->path))
            continue;
        struct tree *absent = arena_new(&r->x->arena, struct tree, 1);
        if (!absent) {
            exchange_fail(r->x, "InternalError", "Out of memory.");
            return -1;
        }
        *absent = (struct tree){.name = rule->path, .text = "false", .next = config->child};
        config->child = absent;
    }
    return 0;
}

/* What a bucket has none of, or what it has from the start. */
static const struct config_kind {
    const char *name, *root;
    const struct tree_rule *rules; /* NULL: it cannot be set */
    int (*check)(struct s3_request *r, struct tree *config);
    const char *absent; /* the error's code, or the whole answer when it begins with '<' */
    const char *message;
    int put_status;
    const char *digests; /* of which a PUT must have one, as AWS says them; NULL: none */
} kinds[] = {
    {"tagging", "Tagging", tagging_rules, tags_check_bucket, "NoSuchTagSet",
     "The TagSet does not exist", 204, S3_ANY_DIGEST},
    {"cors", "CORSConfiguration", cors_rules, cors_check, "NoSuchCORSConfiguration",
     "The CORS configuration does not exist", 200, S3_ANY_DIGEST},
    {"lifecycle", "LifecycleConfiguration", lifecycle_rules, lifecycle_check,
     "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", 200,
     "Content-MD5"},
    {"notification", "NotificationConfiguration", notification_rules, events_check,
     "<NotificationConfiguration xmlns=\"" S3_NAMESPACE "\"/>", NULL, 200},
    {"ownershipControls", "OwnershipControls", ownership_rules, ownership_check,
     "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", 200},
    {"publicAccessBlock", "PublicAccessBlockConfiguration", access_block_rules, access_block_check,
     "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found",
     200},
    {"requestPayment", "RequestPaymentConfiguration", payment_rules, payment_check,
     "<RequestPaymentConfiguration xmlns=\"" S3_NAMESPACE
     "\"><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
     NULL, 200},
    {"accelerate", "AccelerateConfiguration", accelerate_rules, accelerate_check,
     "<AccelerateConfiguration xmlns=\"" S3_NAMESPACE "\"/>", NULL, 200},
    {"logging", "BucketLoggingStatus", logging_rules, NULL,
     "<BucketLoggingStatus xmlns=\"" S3_NAMESPACE "\"/>", NULL, 200},
    {"policy", "", policy_rules, NULL, "NoSuchBucketPolicy", "The bucket policy does not exist",
     204},
    {"encryption", NULL, NULL, NULL, "ServerSideEncryptionConfigurationNotFoundError",
     "The server side encryption configuration was not found", 0},
    {"website", NULL, NULL, NULL, "NoSuchWebsiteConfiguration",
     "The specified bucket does not have a website configuration", 0},
    {"replication", NULL, NULL, NULL, "ReplicationConfigurationNotFoundError",
     "The replication configuration was not found", 0},
    {"object-lock", NULL, NULL, NULL, "ObjectLockConfigurationNotFoundError",
     "Object Lock configuration does not exist for this bucket", 0},
};

/* Of a cloud whose disk encrypts: what AWS gives each bucket. */
static const struct config_kind encrypted = {
    "encryption",
    "ServerSideEncryptionConfiguration",
    encryption_rules,
    encryption_check,
    "<ServerSideEncryptionConfiguration xmlns=\"" S3_NAMESPACE
    "\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
    "</ServerSideEncryptionConfiguration>",
    NULL,
    200};

static const struct config_kind *find_kind(const struct s3_request *r)
{
    const char *name = r->operation->query;
    if (r->s3->cloud->encrypted_disk && strcmp(name, encrypted.name) == 0)
        return &encrypted;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* -- operations -- */

static void add_bucket_name(struct s3_request *r, const struct config_kind *kind, struct buf *body)
{
    if (kind->absent[0] == '<')
        buf_puts(body, kind->absent);
    else
        exchange_fail_more(r->x, kind->absent, "BucketName", r->bucket, kind->message);
}

void s3_get_config(struct s3_request *r)
{
    struct err err = {0};
    const struct config_kind *kind = find_kind(r);
    const char *value;
    struct buf body;
    if (s3_need_bucket(r, NULL) < 0)
        return;
    int found = kind->rules ? config_read(r, r->bucket, kind->name, &value, &err) : 0;
    if (found < 0) {
        s3_fail(r, &err);
        return;
    }
    buf_init(&body, CONFIG_MAX_BYTES * 2);
    if (found && strcmp(kind->name, "policy") == 0) {
        exchange_respond(r->x, 200, "application/json", value, strlen(value));
        return;
    }
    buf_puts(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if (found)
        buf_puts(&body, value);
    else
        add_bucket_name(r, kind, &body);
    if (found || kind->absent[0] == '<')
        s3_xml_send(r->x, &body);
    buf_finish(&body);
}

static void put_text(struct s3_request *r, const struct config_kind *kind, const char *value)
{
    struct err err = {0};
    enum meta_outcome outcome;
    if (config_write(r, kind->name, value, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome != META_DONE)
        s3_fail_outcome(r, outcome);
    else
        exchange_respond(r->x, kind->put_status, NULL, NULL, 0);
}

/* The request's document as it will be kept; NULL: answered. */
static const char *take_document(struct s3_request *r, const struct config_kind *kind)
{
    struct tree *tree = kind->digests && s3_need_digest(r, kind->digests) < 0
                            ? NULL
                            : s3_take_tree(r, kind->root, kind->rules);
    if (!tree || (kind->check && kind->check(r, tree) < 0))
        return NULL;
    struct buf text;
    buf_init(&text, CONFIG_MAX_BYTES * 2);
    tree_write(tree, 1, &text);
    const char *value = text.failed ? NULL : arena_copy(&r->x->arena, text.data, text.size);
    buf_finish(&text);
    if (!value)
        s3_fail_malformed(r);
    return value;
}

void s3_put_config(struct s3_request *r)
{
    const struct config_kind *kind = find_kind(r);
    if (!kind->rules) {
        s3_fail_not_offered(r, "query parameter", kind->name);
        return;
    }
    if (s3_need_bucket(r, NULL) < 0)
        return;
    const char *value = *kind->root ? take_document(r, kind) : s3_take_policy(r);
    if (value)
        put_text(r, kind, value);
}

void s3_delete_config(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    if (config_write(r, r->operation->query, NULL, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome != META_DONE)
        s3_fail_outcome(r, outcome);
    else
        exchange_respond(r->x, 204, NULL, NULL, 0);
}
