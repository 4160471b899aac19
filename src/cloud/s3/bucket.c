#include "base/clock.h"
#include "cloud/errors.h"
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

static int add_buckets(struct connection *c, struct buf *out, const char *prefix, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c, "SELECT name, created_ms, region FROM buckets ORDER BY name", err);
    if (!s)
        return -1;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        char when[CLOCK_TEXT_BYTES];
        if (strncmp(name, prefix, strlen(prefix)))
            continue;
        clock_text(sqlite3_column_int64(s, 1), when);
        buf_puts(out, "<Bucket>");
        s3_xml(out, "Name", name);
        s3_xml(out, "CreationDate", when);
        s3_xml(out, "BucketRegion", (const char *)sqlite3_column_text(s, 2));
        buf_puts(out, "</Bucket>");
    }
    int result = step == SQLITE_DONE ? 0 : connection_fail(c, "list buckets", err);
    connection_reset(s);
    return result;
}

void s3_list_buckets(struct s3_request *r)
{
    struct err err = {0};
    struct buf out;
    const char *prefix = exchange_query(r->x, "prefix");
    struct connection *c = database_read_begin(r->s3->database, &err);
    s3_xml_begin(&out, "ListAllMyBucketsResult");
    buf_printf(&out, "<Owner><ID>%s</ID></Owner><Buckets>", r->s3->cloud->account_id);
    int result = c ? add_buckets(c, &out, prefix ? prefix : "", &err) : -1;
    database_read_end(r->s3->database, c);
    buf_puts(&out, "</Buckets></ListAllMyBucketsResult>");
    if (result == 0) {
        s3_xml_send(r->x, &out);
        return;
    }
    buf_finish(&out);
    s3_fail(r, &err);
}

static int take_location(void *context, const char *path, const char *text, struct err *err)
{
    char *region = context;
    if (strcmp(path, "CreateBucketConfiguration/LocationConstraint") == 0 &&
        snprintf(region, 64, "%s", text) >= 64)
        return err_set(err, ERR_TOO_BIG, "LocationConstraint is too long");
    return 0;
}

static int read_location(struct s3_request *r, char region[64])
{
    struct err err = {0};
    snprintf(region, 64, "%s", r->s3->cloud->region);
    if (r->x->body.size == 0)
        return 0;
    if (r->x->body.data &&
        xml_read(r->x->body.data, r->x->body.size, take_location, region, &err) == 0)
        return 0;
    exchange_fail(r->x, "MalformedXML", "The XML you provided was not well-formed: %s",
                  err.message);
    return -1;
}

void s3_create_bucket(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    char region[64], location[80];
    if (!s3_bucket_name_is_valid(r->bucket)) {
        exchange_fail(r->x, "InvalidBucketName", "The specified bucket is not valid.");
        return;
    }
    if (read_location(r, region) < 0)
        return;
    if (meta_create_bucket(r, region, &outcome, &err) < 0) {
        s3_fail(r, &err);
        return;
    }
    /* In us-east-1 making one's own bucket again is fine. */
    if (outcome == META_EXISTS && strcmp(region, "us-east-1") != 0) {
        exchange_fail(r->x, "BucketAlreadyOwnedByYou",
                      "Your previous request to create the named bucket succeeded and you already "
                      "own it.");
        return;
    }
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
    exchange_respond(r->x, 200, "application/xml", NULL, 0);
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
        exchange_fail(r->x, "BucketNotEmpty", "The bucket you tried to delete is not empty");
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
    struct buf out;
    if (s3_need_bucket(r, NULL) < 0)
        return;
    s3_xml_begin(&out, "VersioningConfiguration");
    buf_puts(&out, "</VersioningConfiguration>");
    s3_xml_send(r->x, &out);
}

void s3_get_bucket_tagging(struct s3_request *r)
{
    if (s3_need_bucket(r, NULL) == 0)
        exchange_fail(r->x, "NoSuchTagSet", "The TagSet does not exist");
}
