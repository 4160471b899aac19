#include "base/clock.h"
#include "cloud/errors.h"
#include "cloud/s3/acl.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"
#include "cloud/xml.h"

#include <stdio.h>
#include <string.h>

/* Operations on buckets. */

/* Answers itself unless the bucket exists. */
int s3_need_bucket(struct s3_request *r, struct meta_bucket *bucket)
{
    struct err err = {0};
    int found = meta_bucket(r, r->bucket, bucket, &err);
    if (found < 0)
        s3_fail(r, &err);
    else if (!found)
        s3_fail_no_bucket(r);
    return found > 0 ? 0 : -1;
}

struct bucket_list {
    const char *prefix, *after, *region;
    int64_t max, count;
    char last[64];
    int is_truncated;
};

static void put_bucket(struct buf *out, sqlite3_stmt *s, const char *name)
{
    char when[CLOCK_TEXT_BYTES];
    clock_text(sqlite3_column_int64(s, 1), when);
    buf_puts(out, "<Bucket>");
    s3_xml(out, "Name", name);
    s3_xml(out, "CreationDate", when);
    s3_xml(out, "BucketRegion", (const char *)sqlite3_column_text(s, 2));
    buf_puts(out, "</Bucket>");
}

static int add_buckets(struct connection *c, struct buf *out, struct bucket_list *l,
                       struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c,
                                         "SELECT name, created_ms, region FROM buckets"
                                         " WHERE name>? AND name>=?"
                                         " AND (?3='' OR region=?3) ORDER BY name",
                                         err);
    if (!s)
        return -1;
    sqlite3_bind_text(s, 1, l->after, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, l->prefix, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, l->region, -1, SQLITE_STATIC);
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        if (strncmp(name, l->prefix, strlen(l->prefix)) != 0)
            break;
        if (l->count == l->max) {
            l->is_truncated = 1;
            break;
        }
        l->count++;
        snprintf(l->last, sizeof l->last, "%s", name);
        put_bucket(out, s, name);
    }
    int result =
        step == SQLITE_DONE || step == SQLITE_ROW ? 0 : connection_fail(c, "list buckets", err);
    connection_reset(s);
    return result;
}

static int read_bucket_list(struct s3_request *r, struct bucket_list *l)
{
    enum { MAX_BUCKETS = 10000 };
    const char *prefix = exchange_query(r->x, "prefix"), *max = exchange_query(r->x, "max-buckets");
    const char *token = exchange_query(r->x, "continuation-token");
    const char *region = exchange_query(r->x, "bucket-region");
    *l = (struct bucket_list){prefix ? prefix : "",
                              token ? token : "",
                              region ? region : "",
                              max ? s3_number(max, MAX_BUCKETS) : MAX_BUCKETS,
                              0,
                              "",
                              0};
    if (l->max >= 1)
        return 0;
    s3_fail_argument(r, "max-buckets", max,
                     "Argument max-buckets must be an integer between 1 and 10000");
    return -1;
}

void s3_list_buckets(struct s3_request *r)
{
    struct err err = {0};
    struct bucket_list l;
    struct buf out;
    if (read_bucket_list(r, &l) < 0)
        return;
    struct connection *c = database_read_begin(r->s3->database, &err);
    s3_xml_begin(&out, "ListAllMyBucketsResult");
    s3_xml_owner(&out, r->s3);
    buf_puts(&out, "<Buckets>");
    int result = c ? add_buckets(c, &out, &l, &err) : -1;
    database_read_end(r->s3->database, c);
    buf_puts(&out, "</Buckets>");
    if (*l.prefix)
        s3_xml(&out, "Prefix", l.prefix);
    if (l.is_truncated)
        s3_xml(&out, "ContinuationToken", l.last);
    buf_puts(&out, "</ListAllMyBucketsResult>");
    if (result == 0) {
        s3_xml_send(r->x, &out);
        return;
    }
    buf_finish(&out);
    s3_fail(r, &err);
}

/* "eu-west-1" and its like, or "EU"; us-east-1 is what it is called when nothing is said. */
static int is_region(const char *text)
{
    static const char areas[] = "af ap ca cn eu il me mx sa us";
    size_t length = strlen(text), words = 1;
    char area[4];
    snprintf(area, sizeof area, "%.2s", text);
    for (const char *p = text; (p = strchr(p, '-')); p++)
        words++;
    if (strcmp(text, "EU") == 0)
        return 1;
    return length > 5 && length < 32 && words >= 3 && text[2] == '-' && strlen(area) == 2 &&
           strstr(areas, area) && strchr("123456789", text[length - 1]) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz-") == length - 1 &&
           strcmp(text, "us-east-1") != 0;
}

static const struct tree_rule create_rules[] = {{.path = "LocationConstraint", .kind = TREE_TEXT},
                                                {.path = "Location", .is_refused = 1},
                                                {.path = "Bucket", .is_refused = 1},
                                                {.path = "Tags", .kind = TREE_PARENT},
                                                {.path = "Tags/Tag", .kind = TREE_PARENT},
                                                {.path = "Tags/Tag/Key", .kind = TREE_TEXT},
                                                {.path = "Tags/Tag/Value", .kind = TREE_TEXT},
                                                {0}};

/* The tags of a new bucket as the configuration that keeps them; "" when there are none, NULL:
 * answered. */
static const char *read_bucket_tags(struct s3_request *r, const struct tree *config)
{
    const struct tree *tags = tree_get(config, "Tags");
    if (!tags || !tags->child)
        return "";
    struct tree set = {.name = "TagSet", .text = "", .child = tags->child};
    struct tree tagging = {.name = "Tagging", .text = "", .child = &set};
    if (tags_check_bucket(r, &tagging) < 0)
        return NULL;
    struct buf out;
    buf_init(&out, CONFIG_MAX_BYTES);
    tree_write(&tagging, 1, &out);
    const char *text = out.failed ? NULL : arena_copy(&r->x->arena, out.data, out.size);
    buf_finish(&out);
    if (!text)
        s3_fail_malformed(r);
    return text;
}

/* Region and tags that the body names; the tags: NULL: answered. */
static const char *read_creation(struct s3_request *r, char region[64])
{
    snprintf(region, 64, "%s", r->s3->cloud->region);
    if (r->x->body.size == 0)
        return "";
    const struct tree *config = s3_take_tree(r, "CreateBucketConfiguration", create_rules);
    const char *location = config ? tree_text(config, "LocationConstraint") : NULL;
    if (!config)
        return NULL;
    if (location && *location && !is_region(location)) {
        exchange_fail_more(r->x, "InvalidLocationConstraint", "LocationConstraint", location,
                           "The specified location-constraint is not valid");
        return NULL;
    }
    if (location && *location)
        snprintf(region, 64, "%s", location);
    return read_bucket_tags(r, config);
}

/* What a new bucket's headers and body ask for, as three of its configurations. */
static int configure(struct s3_request *r, const char *acl, const char *tags)
{
    struct err err = {0};
    enum meta_outcome outcome;
    const char *ownership = exchange_header(r->x, "x-amz-object-ownership");
    const char *text = ownership ? arena_printf(&r->x->arena,
                                                "<OwnershipControls xmlns=\"" S3_NAMESPACE
                                                "\"><Rule><ObjectOwnership>%s</ObjectOwnership>"
                                                "</Rule></OwnershipControls>",
                                                ownership)
                                 : NULL;
    if ((text && config_write(r, "ownershipControls", text, &outcome, &err) < 0) ||
        (*acl && config_write(r, "acl", acl, &outcome, &err) < 0) ||
        (*tags && config_write(r, "tagging", tags, &outcome, &err) < 0)) {
        s3_fail(r, &err);
        return -1;
    }
    return 0;
}

/* The grants of a new bucket; NULL: answered. */
static const char *read_bucket_headers(struct s3_request *r)
{
    static const char *const known[] = {"BucketOwnerPreferred", "ObjectWriter",
                                        "BucketOwnerEnforced"};
    const char *ownership = exchange_header(r->x, "x-amz-object-ownership");
    int given, is_known = !ownership;
    const char *acl = acl_of_headers(r, &given);
    for (size_t i = 0; ownership && i < sizeof known / sizeof *known; i++)
        is_known |= strcmp(ownership, known[i]) == 0;
    if (!acl)
        return NULL;
    if (!is_known) {
        char message[96];
        snprintf(message, sizeof message, "Invalid x-amz-object-ownership header: %.40s",
                 ownership);
        s3_fail_argument(r, "x-amz-object-ownership", NULL, message);
        return NULL;
    }
    if (*acl && ownership && strcmp(ownership, "BucketOwnerEnforced") == 0) {
        exchange_fail(r->x, "InvalidBucketAclWithObjectOwnership",
                      "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced "
                      "setting");
        return NULL;
    }
    return acl;
}

void s3_create_bucket(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    char region[64], location[80], arn[96];
    if (!s3_bucket_name_is_valid(r->bucket)) {
        exchange_fail_more(r->x, "InvalidBucketName", "BucketName", r->bucket,
                           "The specified bucket is not valid.");
        return;
    }
    const char *tags = read_creation(r, region), *acl = tags ? read_bucket_headers(r) : NULL;
    if (!acl)
        return;
    if (meta_create_bucket(r, region, &outcome, &err) < 0) {
        s3_fail(r, &err);
        return;
    }
    /* In us-east-1 making one's own bucket again is fine. */
    if (outcome == META_EXISTS && strcmp(region, "us-east-1") != 0) {
        exchange_fail_more(r->x, "BucketAlreadyOwnedByYou", "BucketName", r->bucket,
                           "Your previous request to create the named bucket succeeded and you "
                           "already own it.");
        return;
    }
    if (configure(r, acl, tags) < 0)
        return;
    snprintf(arn, sizeof arn, "arn:aws:s3:::%.70s", r->bucket);
    exchange_reply_header(r->x, "x-amz-bucket-arn", arn);
    snprintf(location, sizeof location, "/%.70s", r->bucket);
    exchange_reply_header(r->x, "Location", location);
    exchange_respond(r->x, 200, NULL, NULL, 0);
}

void s3_head_bucket(struct s3_request *r)
{
    struct meta_bucket bucket;
    if (s3_need_bucket(r, &bucket) < 0)
        return;
    exchange_reply_header(r->x, "x-amz-bucket-region", bucket.region);
    exchange_reply_header(r->x, "x-amz-access-point-alias", "false");
    exchange_respond(r->x, 200, "application/xml", NULL, 0);
}

static void fail_not_empty(struct s3_request *r)
{
    struct err ignored = {0};
    struct meta_bucket bucket;
    int has_versions =
        meta_bucket(r, r->bucket, &bucket, &ignored) > 0 && bucket.versioning != VERSIONING_OFF;
    exchange_fail_more(r->x, "BucketNotEmpty", "BucketName", r->bucket,
                       has_versions ? "The bucket you tried to delete is not empty. You must "
                                      "delete all versions in the bucket."
                                    : "The bucket you tried to delete is not empty");
}

void s3_delete_bucket(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    if (meta_delete_bucket(r, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome == META_NO_BUCKET)
        s3_fail_no_bucket(r);
    else if (outcome == META_NOT_EMPTY)
        fail_not_empty(r);
    else
        exchange_respond(r->x, 204, NULL, NULL, 0);
}

void s3_get_bucket_location(struct s3_request *r)
{
    struct meta_bucket bucket;
    struct buf out;
    if (s3_need_bucket(r, &bucket) < 0)
        return;
    s3_xml_begin(&out, "LocationConstraint");
    if (strcmp(bucket.region, "us-east-1") != 0)
        error_xml_escape(&out, bucket.region);
    buf_puts(&out, "</LocationConstraint>");
    s3_xml_send(r->x, &out);
}

void s3_get_bucket_versioning(struct s3_request *r)
{
    struct meta_bucket bucket;
    struct buf out;
    if (s3_need_bucket(r, &bucket) < 0)
        return;
    s3_xml_begin(&out, "VersioningConfiguration");
    if (bucket.versioning != VERSIONING_OFF)
        s3_xml(&out, "Status", bucket.versioning == VERSIONING_ENABLED ? "Enabled" : "Suspended");
    buf_puts(&out, "</VersioningConfiguration>");
    s3_xml_send(r->x, &out);
}

void s3_put_bucket_versioning(struct s3_request *r)
{
    static const struct tree_rule rules[] = {
        {.path = "Status", .kind = TREE_ONE_OF, .words = "Enabled Suspended"},
        {.path = "MfaDelete", .kind = TREE_ONE_OF, .words = "Enabled Disabled"},
        {0}};
    struct err err = {0};
    enum meta_outcome outcome;
    if (s3_need_bucket(r, NULL) < 0)
        return;
    const struct tree *config =
        s3_take_tree_as(r, "VersioningConfiguration", rules, "MalformedXML");
    const char *status = config ? tree_text(config, "Status") : NULL;
    const char *mfa = config ? tree_text(config, "MfaDelete") : NULL;
    if (!config)
        return;
    if (mfa && strcmp(mfa, "Enabled") == 0) {
        s3_fail_not_offered(r, "element", "MfaDelete");
        return;
    }
    if (!status) {
        exchange_fail(r->x, "IllegalVersioningConfigurationException",
                      "The Versioning element must be specified");
        return;
    }
    if (meta_set_versioning(r, *status == 'E' ? VERSIONING_ENABLED : VERSIONING_SUSPENDED, &outcome,
                            &err) < 0)
        s3_fail(r, &err);
    else if (outcome != META_DONE)
        s3_fail_outcome(r, outcome);
    else
        exchange_respond(r->x, 200, NULL, NULL, 0);
}
