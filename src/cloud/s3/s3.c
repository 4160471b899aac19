#include "cloud/s3/s3.h"

#include "base/file.h"
#include "base/log.h"
#include "cloud/errors.h"
#include "cloud/query.h"
#include "cloud/s3/meta.h"
#include "cloud/services.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum subject { ON_SERVICE, ON_BUCKET, ON_OBJECT };

static void s3_put_bucket_versioning(struct s3_request *r);

/* The first row that fits answers: a new operation is a row here and a function. */
static const struct operation {
    const char *method;
    enum subject subject;
    const char *query;  /* the parameter it needs, or NULL */
    const char *value;  /* and its value, NULL: any */
    const char *header; /* the header it needs, or NULL */
    void (*run)(struct s3_request *r);
} operations[] = {
    {"GET", ON_SERVICE, NULL, NULL, NULL, s3_list_buckets},
    {"GET", ON_BUCKET, "location", NULL, NULL, s3_get_bucket_location},
    {"GET", ON_BUCKET, "versioning", NULL, NULL, s3_get_bucket_versioning},
    {"GET", ON_BUCKET, "versions", NULL, NULL, s3_list_object_versions},
    {"GET", ON_BUCKET, "tagging", NULL, NULL, s3_get_bucket_tagging},
    {"GET", ON_BUCKET, "uploads", NULL, NULL, s3_list_multipart_uploads},
    {"GET", ON_BUCKET, "list-type", "2", NULL, s3_list_objects_v2},
    {"GET", ON_BUCKET, NULL, NULL, NULL, s3_list_objects},
    {"PUT", ON_BUCKET, "versioning", NULL, NULL, s3_put_bucket_versioning},
    {"PUT", ON_BUCKET, NULL, NULL, NULL, s3_create_bucket},
    {"HEAD", ON_BUCKET, NULL, NULL, NULL, s3_head_bucket},
    {"DELETE", ON_BUCKET, NULL, NULL, NULL, s3_delete_bucket},
    {"POST", ON_BUCKET, "delete", NULL, NULL, s3_delete_objects},
    {"PUT", ON_OBJECT, "partNumber", NULL, "x-amz-copy-source", s3_upload_part_copy},
    {"PUT", ON_OBJECT, "partNumber", NULL, NULL, s3_upload_part},
    {"PUT", ON_OBJECT, NULL, NULL, "x-amz-copy-source", s3_copy_object},
    {"PUT", ON_OBJECT, NULL, NULL, NULL, s3_put_object},
    {"GET", ON_OBJECT, "uploadId", NULL, NULL, s3_list_parts},
    {"GET", ON_OBJECT, "tagging", NULL, NULL, s3_get_object_tagging},
    {"GET", ON_OBJECT, NULL, NULL, NULL, s3_get_object}, /* quick, as is HEAD */
    {"HEAD", ON_OBJECT, NULL, NULL, NULL, s3_head_object},
    {"DELETE", ON_OBJECT, "uploadId", NULL, NULL, s3_abort_multipart_upload},
    {"DELETE", ON_OBJECT, NULL, NULL, NULL, s3_delete_object},
    {"POST", ON_OBJECT, "uploads", NULL, NULL, s3_create_multipart_upload},
    {"POST", ON_OBJECT, "uploadId", NULL, NULL, s3_complete_multipart_upload},
};

/* Query parameters that would make another operation of the request, and are not offered. */
static const char *const not_offered[] = {
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "website",
    "session",
    "metadataTable",
};

/* Headers that ask for what is not offered; with the one value that asks for nothing. */
static const struct {
    const char *name, *harmless;
} headers_not_offered[] = {
    {"x-amz-acl", "private"},
    {"x-amz-storage-class", "STANDARD"},
    {"x-amz-tagging", ""},
    {"x-amz-server-side-encryption", NULL},
    {"x-amz-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-website-redirect-location", NULL},
    {"x-amz-object-lock-mode", NULL},
    {"x-amz-object-lock-retain-until-date", NULL},
    {"x-amz-object-lock-legal-hold", "OFF"},
    {"x-amz-bucket-object-lock-enabled", "false"},
    {"x-amz-grant-full-control", NULL},
    {"x-amz-grant-read", NULL},
    {"x-amz-grant-read-acp", NULL},
    {"x-amz-grant-write-acp", NULL},
    {"x-amz-write-offset-bytes", NULL},
    {"x-amz-rename-source", NULL},
    {"x-amz-mfa", NULL},
};

static void fail_not_offered(struct exchange *x, const char *what, const char *name)
{
    exchange_fail(x, "NotImplemented", "The %s %s asks for functionality that is not implemented.",
                  what, name);
}

static void s3_put_bucket_versioning(struct s3_request *r)
{
    fail_not_offered(r->x, "query parameter", "versioning");
}

/* What asks for another operation than the one that fits without it. */
static int refuse_parameters(struct exchange *x)
{
    for (size_t i = 0; *x->query && i < sizeof not_offered / sizeof *not_offered; i++) {
        if (exchange_query(x, not_offered[i])) {
            fail_not_offered(x, "query parameter", not_offered[i]);
            return -1;
        }
    }
    const char *version = *x->query ? exchange_query(x, "versionId") : NULL;
    if (version && strcmp(version, "null") != 0) {
        exchange_fail(x, "NoSuchVersion",
                      "The specified version does not exist: buckets have no versions here.");
        return -1;
    }
    return 0;
}

static int refuse_headers(struct exchange *x)
{
    for (size_t i = 0; i < sizeof headers_not_offered / sizeof *headers_not_offered; i++) {
        const char *value = exchange_header(x, headers_not_offered[i].name);
        const char *harmless = headers_not_offered[i].harmless;
        if (value && !(harmless && strcmp(value, harmless) == 0)) {
            fail_not_offered(x, "header", headers_not_offered[i].name);
            return -1;
        }
    }
    return 0;
}

static int fits(const struct operation *o, struct s3_request *r, enum subject subject)
{
    if (o->subject != subject || strcmp(o->method, r->x->method) != 0)
        return 0;
    if (o->query) {
        const char *value = *r->x->query ? exchange_query(r->x, o->query) : NULL;
        if (!value || (o->value && strcmp(value, o->value) != 0))
            return 0;
    }
    return !o->header || exchange_header(r->x, o->header);
}

static const struct operation *find_operation(struct s3_request *r, enum subject subject)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (fits(&operations[i], r, subject))
            return &operations[i];
    return NULL;
}

static void handle(void *self, struct exchange *x)
{
    struct s3_request r = {.s3 = self, .x = x};
    if (s3_address(&r) < 0)
        return;
    enum subject subject = !r.bucket ? ON_SERVICE : !r.key ? ON_BUCKET : ON_OBJECT;
    const struct operation *operation = find_operation(&r, subject);
    if ((!operation || !operation->query) && refuse_parameters(x) < 0)
        return;
    if (!operation) {
        exchange_fail(x, "MethodNotAllowed",
                      "The specified method is not allowed against this resource.");
        return;
    }
    if (refuse_headers(x) < 0 || (subject != ON_OBJECT && exchange_to_worker(x)))
        return;
    operation->run(&r);
}

/* Reads of one object; get.c gives the large ones to a worker. */
static int quick(void *self, const struct exchange *x)
{
    (void)self;
    return strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;
}

void s3_fail(struct s3_request *r, const struct err *err)
{
    exchange_fail_err(r->x, err);
}

void s3_fail_no_bucket(struct s3_request *r)
{
    exchange_fail(r->x, "NoSuchBucket", "The specified bucket does not exist");
}

void s3_fail_no_key(struct s3_request *r)
{
    exchange_fail(r->x, "NoSuchKey", "The specified key does not exist.");
}

/* -- life -- */

/* The mark says that the last end was none: files without a row may lie about. */
static int sweep_after_crash(struct s3 *s3, struct err *err)
{
    char mark[sizeof s3->folder + 16];
    snprintf(mark, sizeof mark, "%s/running", s3->folder);
    if (access(mark, F_OK) == 0 && meta_sweep(s3, err) < 0)
        return -1;
    return file_write(mark, "", 0, 0600, err);
}

static void destroy(void *self)
{
    struct s3 *s3 = self;
    char mark[sizeof s3->folder + 16];
    database_close(s3->database);
    checksums_destroy(s3->checksums);
    snprintf(mark, sizeof mark, "%s/running", s3->folder);
    unlink(mark);
    free(s3);
}

static int open_stores(struct s3 *s3, struct err *err)
{
    char path[sizeof s3->folder + 16];
    if (cloud_path(s3->cloud, "s3", s3->folder, sizeof s3->folder - 100, err) < 0 ||
        content_prepare(s3, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/meta.db", s3->folder);
    s3->database = database_open(path, s3_schema, err);
    s3->checksums = s3->database ? checksums_create(err) : NULL;
    return s3->checksums ? sweep_after_crash(s3, err) : -1;
}

int s3_service_create(struct cloud *cloud, struct err *err)
{
    struct s3 *s3 = calloc(1, sizeof *s3);
    if (!s3)
        return err_set(err, ERR_NO_MEMORY, "start s3: out of memory");
    s3->cloud = cloud;
    struct service service = {.name = "s3",
                              .error_form = ERROR_FORM_S3,
                              .memory_body_bytes = S3_MEMORY_BODY_BYTES,
                              .max_body_bytes = S3_MAX_OBJECT_BYTES + S3_MAX_OBJECT_BYTES / 64,
                              .handle = handle,
                              .quick = quick,
                              .destroy = destroy,
                              .self = s3};
    if (open_stores(s3, err) < 0 || cloud_add(cloud, &service, err) < 0) {
        destroy(s3);
        return err_wrap(err, "start s3");
    }
    return 0;
}
