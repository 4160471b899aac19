#include "cloud/s3/s3.h"

#include "cloud/access.h"
#include "cloud/errors.h"
#include "cloud/query.h"
#include "cloud/s3/acl.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Which operation a request asks for, and what of a request is not offered. */

#define VERSION "versionId"
#define OVERRIDES                                                                                  \
    " response-content-type response-content-language response-expires response-cache-control"     \
    " response-content-disposition response-content-encoding"
#define LIST "prefix delimiter encoding-type max-keys"

/* Configurations of a bucket: reading, writing and removing one look alike. */
#define GET_CONFIG(n, q, a)                                                                        \
    {                                                                                              \
        .name = n, .method = "GET", .subject = ON_BUCKET, .query = q, .action = a,                 \
        .parameters = q, .run = s3_get_config                                                      \
    }
#define PUT_CONFIG(n, q, a)                                                                        \
    {                                                                                              \
        .name = n, .method = "PUT", .subject = ON_BUCKET, .query = q, .action = a,                 \
        .parameters = q, .run = s3_put_config                                                      \
    }
#define DELETE_CONFIG(n, q, a)                                                                     \
    {                                                                                              \
        .name = n, .method = "DELETE", .subject = ON_BUCKET, .query = q, .action = a,              \
        .parameters = q, .run = s3_delete_config                                                   \
    }

/* What AWS answers where a bucket was made without object lock. */
static void no_object_lock(struct s3_request *r)
{
    exchange_fail(r->x, "InvalidRequest", "Bucket is missing Object Lock Configuration");
}

static void no_such_configuration(struct s3_request *r)
{
    exchange_fail_more(r->x, "NoSuchConfiguration", "BucketName", r->bucket,
                       "The specified configuration does not exist.");
}

/* ?analytics and its like without an id: a list, which is empty. */
static void list_configurations(struct s3_request *r)
{
    static const struct {
        const char *query, *root;
    } roots[] = {{"analytics", "ListBucketAnalyticsConfigurationResult"},
                 {"inventory", "ListInventoryConfigurationsResult"},
                 {"metrics", "ListMetricsConfigurationsResult"},
                 {"intelligent-tiering", "ListBucketIntelligentTieringConfigurationsOutput"}};
    struct buf out;
    if (exchange_query(r->x, "id")) {
        no_such_configuration(r);
        return;
    }
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (strcmp(roots[i].query, r->operation->query) != 0)
            continue;
        s3_xml_begin(&out, roots[i].root);
        buf_printf(&out, "<IsTruncated>false</IsTruncated></%s>", roots[i].root);
        s3_xml_send(r->x, &out);
    }
}

/* The first row that fits answers. The frequent ones of each subject stand where few rows precede
 * them for requests without a query. */
static const struct s3_operation operations[] = {
    {.name = "ListBuckets",
     .method = "GET",
     .action = "s3:ListAllMyBuckets",
     .parameters = "prefix max-buckets continuation-token bucket-region",
     .run = s3_list_buckets},

    {.name = "GetObject",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "",
     .action = "s3:GetObject",
     .parameters = "",
     .run = s3_get_object},
    {.name = "PutObject",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "",
     .header = "!x-amz-copy-source",
     .action = "s3:PutObject",
     .parameters = "",
     .run = s3_put_object},
    {.name = "GetObjectTagging",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "tagging",
     .action = "s3:GetObjectTagging",
     .version_action = "s3:GetObjectVersionTagging",
     .parameters = "tagging " VERSION,
     .run = s3_get_object_tagging},
    {.name = "GetObjectAcl",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "acl",
     .action = "s3:GetObjectAcl",
     .version_action = "s3:GetObjectVersionAcl",
     .parameters = "acl " VERSION,
     .run = s3_get_acl},
    {.name = "GetObjectAttributes",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "attributes",
     .action = "s3:GetObjectAttributes",
     .version_action = "s3:GetObjectVersionAttributes",
     .parameters = "attributes " VERSION,
     .run = s3_get_object_attributes},
    {.name = "ListParts",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "uploadId",
     .action = "s3:ListMultipartUploadParts",
     .parameters = "uploadId max-parts part-number-marker",
     .run = s3_list_parts},
    {.name = "GetObjectRetention",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "retention",
     .action = "s3:GetObjectRetention",
     .parameters = "retention " VERSION,
     .run = no_object_lock},
    {.name = "GetObjectLegalHold",
     .method = "GET",
     .subject = ON_OBJECT,
     .query = "legal-hold",
     .action = "s3:GetObjectLegalHold",
     .parameters = "legal-hold " VERSION,
     .run = no_object_lock},
    {.name = "GetObject",
     .method = "GET",
     .subject = ON_OBJECT,
     .action = "s3:GetObject",
     .version_action = "s3:GetObjectVersion",
     .parameters = "partNumber " VERSION OVERRIDES,
     .run = s3_get_object}, /* quick, as is HEAD */
    {.name = "HeadObject",
     .method = "HEAD",
     .subject = ON_OBJECT,
     .action = "s3:GetObject",
     .version_action = "s3:GetObjectVersion",
     .parameters = "partNumber " VERSION OVERRIDES,
     .run = s3_head_object},
    {.name = "PutObjectTagging",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "tagging",
     .action = "s3:PutObjectTagging",
     .version_action = "s3:PutObjectVersionTagging",
     .parameters = "tagging " VERSION,
     .run = s3_put_object_tagging},
    {.name = "PutObjectAcl",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "acl",
     .action = "s3:PutObjectAcl",
     .version_action = "s3:PutObjectVersionAcl",
     .parameters = "acl " VERSION,
     .run = s3_put_acl},
    {.name = "PutObjectRetention",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "retention",
     .action = "s3:PutObjectRetention",
     .parameters = "retention " VERSION,
     .run = no_object_lock},
    {.name = "PutObjectLegalHold",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "legal-hold",
     .action = "s3:PutObjectLegalHold",
     .parameters = "legal-hold " VERSION,
     .run = no_object_lock},
    {.name = "UploadPartCopy",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "partNumber",
     .header = "x-amz-copy-source",
     .action = "s3:PutObject",
     .parameters = "partNumber uploadId",
     .run = s3_upload_part_copy},
    {.name = "UploadPart",
     .method = "PUT",
     .subject = ON_OBJECT,
     .query = "partNumber",
     .action = "s3:PutObject",
     .parameters = "partNumber uploadId",
     .run = s3_upload_part},
    {.name = "CopyObject",
     .method = "PUT",
     .subject = ON_OBJECT,
     .header = "x-amz-copy-source",
     .action = "s3:PutObject",
     .parameters = "",
     .run = s3_copy_object},
    {.name = "PutObject",
     .method = "PUT",
     .subject = ON_OBJECT,
     .action = "s3:PutObject",
     .parameters = "",
     .run = s3_put_object},
    {.name = "DeleteObjectTagging",
     .method = "DELETE",
     .subject = ON_OBJECT,
     .query = "tagging",
     .action = "s3:DeleteObjectTagging",
     .version_action = "s3:DeleteObjectVersionTagging",
     .parameters = "tagging " VERSION,
     .run = s3_delete_object_tagging},
    {.name = "AbortMultipartUpload",
     .method = "DELETE",
     .subject = ON_OBJECT,
     .query = "uploadId",
     .action = "s3:AbortMultipartUpload",
     .parameters = "uploadId",
     .run = s3_abort_multipart_upload},
    {.name = "DeleteObject",
     .method = "DELETE",
     .subject = ON_OBJECT,
     .action = "s3:DeleteObject",
     .version_action = "s3:DeleteObjectVersion",
     .parameters = VERSION,
     .run = s3_delete_object},
    {.name = "CreateMultipartUpload",
     .method = "POST",
     .subject = ON_OBJECT,
     .query = "uploads",
     .action = "s3:PutObject",
     .parameters = "uploads",
     .run = s3_create_multipart_upload},
    {.name = "CompleteMultipartUpload",
     .method = "POST",
     .subject = ON_OBJECT,
     .query = "uploadId",
     .action = "s3:PutObject",
     .parameters = "uploadId",
     .run = s3_complete_multipart_upload},
    {.name = "Preflight",
     .method = "OPTIONS",
     .subject = ON_OBJECT,
     .is_open = 1,
     .run = s3_preflight},

    {.name = "GetBucketLocation",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "location",
     .action = "s3:GetBucketLocation",
     .parameters = "location",
     .run = s3_get_bucket_location},
    {.name = "GetBucketVersioning",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "versioning",
     .action = "s3:GetBucketVersioning",
     .parameters = "versioning",
     .run = s3_get_bucket_versioning},
    {.name = "ListObjectVersions",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "versions",
     .action = "s3:ListBucketVersions",
     .parameters = "versions key-marker version-id-marker " LIST,
     .run = s3_list_object_versions},
    {.name = "ListMultipartUploads",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "uploads",
     .action = "s3:ListBucketMultipartUploads",
     .parameters = "uploads prefix delimiter encoding-type key-marker upload-id-marker max-uploads",
     .run = s3_list_multipart_uploads},
    {.name = "GetBucketAcl",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "acl",
     .action = "s3:GetBucketAcl",
     .parameters = "acl",
     .run = s3_get_acl},
    {.name = "GetBucketPolicyStatus",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "policyStatus",
     .action = "s3:GetBucketPolicyStatus",
     .parameters = "policyStatus",
     .run = s3_get_policy_status},
    GET_CONFIG("GetBucketTagging", "tagging", "s3:GetBucketTagging"),
    GET_CONFIG("GetBucketCors", "cors", "s3:GetBucketCORS"),
    GET_CONFIG("GetBucketLifecycleConfiguration", "lifecycle", "s3:GetLifecycleConfiguration"),
    GET_CONFIG("GetBucketNotificationConfiguration", "notification", "s3:GetBucketNotification"),
    GET_CONFIG("GetBucketPolicy", "policy", "s3:GetBucketPolicy"),
    GET_CONFIG("GetBucketEncryption", "encryption", "s3:GetEncryptionConfiguration"),
    GET_CONFIG("GetBucketOwnershipControls", "ownershipControls", "s3:GetBucketOwnershipControls"),
    GET_CONFIG("GetPublicAccessBlock", "publicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    GET_CONFIG("GetBucketRequestPayment", "requestPayment", "s3:GetBucketRequestPayment"),
    GET_CONFIG("GetBucketLogging", "logging", "s3:GetBucketLogging"),
    GET_CONFIG("GetBucketAccelerateConfiguration", "accelerate", "s3:GetAccelerateConfiguration"),
    GET_CONFIG("GetBucketWebsite", "website", "s3:GetBucketWebsite"),
    GET_CONFIG("GetBucketReplication", "replication", "s3:GetReplicationConfiguration"),
    GET_CONFIG("GetObjectLockConfiguration", "object-lock", "s3:GetBucketObjectLockConfiguration"),
#define LIST_CONFIGURATIONS(n, q, a)                                                               \
    {                                                                                              \
        .name = n, .method = "GET", .subject = ON_BUCKET, .query = q, .action = a,                 \
        .parameters = q " id continuation-token", .run = list_configurations                       \
    }
    LIST_CONFIGURATIONS("ListBucketAnalyticsConfigurations", "analytics",
                        "s3:GetAnalyticsConfiguration"),
    LIST_CONFIGURATIONS("ListBucketInventoryConfigurations", "inventory",
                        "s3:GetInventoryConfiguration"),
    LIST_CONFIGURATIONS("ListBucketMetricsConfigurations", "metrics", "s3:GetMetricsConfiguration"),
    LIST_CONFIGURATIONS("ListBucketIntelligentTieringConfigurations", "intelligent-tiering",
                        "s3:GetIntelligentTieringConfiguration"),
    {.name = "ListObjectsV2",
     .method = "GET",
     .subject = ON_BUCKET,
     .query = "list-type",
     .value = "2",
     .action = "s3:ListBucket",
     .parameters = "list-type continuation-token fetch-owner start-after " LIST,
     .run = s3_list_objects_v2},
    {.name = "ListObjects",
     .method = "GET",
     .subject = ON_BUCKET,
     .action = "s3:ListBucket",
     .parameters = "marker " LIST,
     .run = s3_list_objects},
    {.name = "PutBucketVersioning",
     .method = "PUT",
     .subject = ON_BUCKET,
     .query = "versioning",
     .action = "s3:PutBucketVersioning",
     .parameters = "versioning",
     .run = s3_put_bucket_versioning},
    {.name = "PutBucketAcl",
     .method = "PUT",
     .subject = ON_BUCKET,
     .query = "acl",
     .action = "s3:PutBucketAcl",
     .parameters = "acl",
     .run = s3_put_acl},
    PUT_CONFIG("PutBucketTagging", "tagging", "s3:PutBucketTagging"),
    PUT_CONFIG("PutBucketCors", "cors", "s3:PutBucketCORS"),
    PUT_CONFIG("PutBucketLifecycleConfiguration", "lifecycle", "s3:PutLifecycleConfiguration"),
    PUT_CONFIG("PutBucketNotificationConfiguration", "notification", "s3:PutBucketNotification"),
    PUT_CONFIG("PutBucketPolicy", "policy", "s3:PutBucketPolicy"),
    PUT_CONFIG("PutBucketEncryption", "encryption", "s3:PutEncryptionConfiguration"),
    PUT_CONFIG("PutBucketOwnershipControls", "ownershipControls", "s3:PutBucketOwnershipControls"),
    PUT_CONFIG("PutPublicAccessBlock", "publicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    PUT_CONFIG("PutBucketRequestPayment", "requestPayment", "s3:PutBucketRequestPayment"),
    PUT_CONFIG("PutBucketLogging", "logging", "s3:PutBucketLogging"),
    PUT_CONFIG("PutBucketAccelerateConfiguration", "accelerate", "s3:PutAccelerateConfiguration"),
    PUT_CONFIG("PutBucketWebsite", "website", "s3:PutBucketWebsite"),
    PUT_CONFIG("PutBucketReplication", "replication", "s3:PutReplicationConfiguration"),
    PUT_CONFIG("PutObjectLockConfiguration", "object-lock", "s3:PutBucketObjectLockConfiguration"),
    {.name = "CreateBucket",
     .method = "PUT",
     .subject = ON_BUCKET,
     .action = "s3:CreateBucket",
     .parameters = "",
     .run = s3_create_bucket},
    {.name = "HeadBucket",
     .method = "HEAD",
     .subject = ON_BUCKET,
     .action = "s3:ListBucket",
     .parameters = "",
     .run = s3_head_bucket},
    DELETE_CONFIG("DeleteBucketTagging", "tagging", "s3:PutBucketTagging"),
    DELETE_CONFIG("DeleteBucketCors", "cors", "s3:PutBucketCORS"),
    DELETE_CONFIG("DeleteBucketLifecycle", "lifecycle", "s3:PutLifecycleConfiguration"),
    DELETE_CONFIG("DeleteBucketPolicy", "policy", "s3:DeleteBucketPolicy"),
    DELETE_CONFIG("DeleteBucketEncryption", "encryption", "s3:PutEncryptionConfiguration"),
    DELETE_CONFIG("DeleteBucketOwnershipControls", "ownershipControls",
                  "s3:PutBucketOwnershipControls"),
    DELETE_CONFIG("DeletePublicAccessBlock", "publicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    DELETE_CONFIG("DeleteBucketWebsite", "website", "s3:DeleteBucketWebsite"),
    DELETE_CONFIG("DeleteBucketReplication", "replication", "s3:PutReplicationConfiguration"),
    {.name = "DeleteBucket",
     .method = "DELETE",
     .subject = ON_BUCKET,
     .action = "s3:DeleteBucket",
     .parameters = "",
     .run = s3_delete_bucket},
    {.name = "DeleteObjects",
     .method = "POST",
     .subject = ON_BUCKET,
     .query = "delete",
     .parameters = "delete",
     .is_open = 1, /* each key is asked for */
     .run = s3_delete_objects},
    {.name = "PostObject",
     .method = "POST",
     .subject = ON_BUCKET,
     .header = "Content-Type",
     .parameters = "",
     .is_open = 1,
     .run = s3_post_object},
    {.name = "Preflight",
     .method = "OPTIONS",
     .subject = ON_BUCKET,
     .is_open = 1,
     .run = s3_preflight},
};

/* -- finding -- */

static int has_header(const struct s3_request *r, const char *header)
{
    return *header == '!' ? !exchange_header(r->x, header + 1)
                          : exchange_header(r->x, header) != NULL;
}

/* .query "" wants a request without any. */
static int fits(const struct s3_operation *o, struct s3_request *r, enum s3_subject subject)
{
    if (o->subject != subject || strcmp(o->method, r->x->method) != 0)
        return 0;
    if (o->query && !*o->query) {
        if (*r->x->query)
            return 0;
    } else if (o->query) {
        const char *value = *r->x->query ? exchange_query(r->x, o->query) : NULL;
        if (!value || (o->value && strcmp(value, o->value) != 0))
            return 0;
    }
    return !o->header || has_header(r, o->header);
}

const struct s3_operation *s3_find_operation(struct s3_request *r)
{
    enum s3_subject subject = !r->bucket ? ON_SERVICE : !r->key ? ON_BUCKET : ON_OBJECT;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (fits(&operations[i], r, subject))
            return &operations[i];
    return NULL;
}

/* -- refusing -- */

/* Headers that ask for what is not offered; with the one value that asks for nothing. */
static const struct {
    const char *name, *harmless;
} refused_headers[] = {
    {"x-amz-server-side-encryption", NULL},
    {"x-amz-server-side-encryption-aws-kms-key-id", NULL},
    {"x-amz-server-side-encryption-context", NULL},
    {"x-amz-server-side-encryption-bucket-key-enabled", "false"},
    {"x-amz-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-server-side-encryption-customer-key", NULL},
    {"x-amz-server-side-encryption-customer-key-md5", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-key", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-key-md5", NULL},
    {"x-amz-object-lock-mode", NULL},
    {"x-amz-object-lock-retain-until-date", NULL},
    {"x-amz-object-lock-legal-hold", "OFF"},
    {"x-amz-bucket-object-lock-enabled", "false"},
    {"x-amz-bucket-object-lock-token", NULL},
    {"x-amz-write-offset-bytes", NULL},
    {"x-amz-rename-source", NULL},
    {"x-amz-mfa", NULL},
    {"x-amz-if-match-last-modified-time", NULL},
    {"x-amz-if-match-size", NULL},
    {"x-amz-bucket-namespace", NULL},
};

/* The others that are known; "-" at the end: all that begin so. */
static const char *const known_headers[] = {
    "x-amz-content-sha256", /* the frequent ones first */
    "x-amz-date",
    "x-amz-checksum-",
    "x-amz-meta-",
    "x-amz-security-token",
    "x-amz-user-agent",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-decoded-content-length",
    "x-amz-trailer",
    "x-amz-te",
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-metadata-directive",
    "x-amz-copy-source",
    "x-amz-copy-source-if-",
    "x-amz-copy-source-range",
    "x-amz-expected-bucket-owner",
    "x-amz-source-expected-bucket-owner",
    "x-amz-request-payer",
    "x-amz-object-attributes",
    "x-amz-optional-object-attributes",
    "x-amz-max-parts",
    "x-amz-part-number-marker",
    "x-amz-mp-object-size",
    "x-amz-object-ownership",
    "x-amz-bypass-governance-retention",
    "x-amz-confirm-remove-self-bucket-access",
    "x-amz-skip-destination-validation",
    "x-amz-transition-default-minimum-object-size",
    "x-amz-if-match-initiated-time",
    "x-amz-cf-id",
};

static int is_known_header(const char *name)
{
    for (size_t i = 0; i < sizeof known_headers / sizeof *known_headers; i++) {
        size_t length = strlen(known_headers[i]);
        int is_prefix = known_headers[i][length - 1] == '-';
        if (strncasecmp(name, known_headers[i], length) == 0 && (is_prefix || !name[length]))
            return 1;
    }
    return 0;
}

static int refuse_header(struct s3_request *r, const struct http_header *header)
{
    for (size_t i = 0; i < sizeof refused_headers / sizeof *refused_headers; i++) {
        const char *harmless = refused_headers[i].harmless;
        if (strcasecmp(header->name, refused_headers[i].name) != 0)
            continue;
        if (harmless && strcasecmp(header->value, harmless) == 0)
            return 0;
        s3_fail_not_offered(r, "header", refused_headers[i].name);
        return -1;
    }
    if (is_known_header(header->name))
        return 0;
    char name[128];
    snprintf(name, sizeof name, "%s", header->name);
    s3_fail_not_offered(r, "header", name);
    return -1;
}

static int is_listed(const char *words, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = words ? words : ""; *p;) {
        p += strspn(p, " ");
        size_t size = strcspn(p, " ");
        if (size == length && memcmp(p, name, size) == 0)
            return 1;
        p += size;
    }
    return 0;
}

/* The signature of a presigned request, and the SDKs' note of the operation. */
static int is_general(const char *name)
{
    static const char words[] = "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires"
                                " X-Amz-SignedHeaders X-Amz-Signature X-Amz-Security-Token"
                                " X-Amz-Content-Sha256 X-Amz-User-Agent x-id";
    return is_listed(words, name);
}

/* What would make another operation of a request, though it comes with a value. */
static const char sub_resources[] =
    "abac accelerate acl analytics attributes cors delete encryption id intelligent-tiering"
    " inventory legal-hold lifecycle list-type location logging metadataConfiguration"
    " metadataInventoryTable metadataJournalTable metadataTable metrics notification object-lock"
    " ownershipControls partNumber policy policyStatus publicAccessBlock renameObject replication"
    " requestPayment restore retention select select-type session tagging torrent uploadId uploads"
    " versionId versioning versions website";

/* SDKs put headers of a presigned request into its query, where they count the same. */
static int hoist(struct s3_request *r, const char *name, const struct query_pair *pair)
{
    struct exchange *x = r->x;
    const char *value = exchange_decode(x, pair->value, pair->value_size, 1);
    struct http_header *all = arena_new(&x->arena, struct http_header, x->header_count + 1);
    if (!value || !all) {
        exchange_fail(x, "InvalidArgument", "The query parameter %s is malformed.", name);
        return -1;
    }
    memcpy(all, x->headers, x->header_count * sizeof *all);
    all[x->header_count++] = (struct http_header){name, value};
    x->headers = all;
    return 0;
}

static int check_parameters(struct s3_request *r)
{
    const char *own = r->operation ? r->operation->parameters : "";
    struct query_pair pair;
    for (const char *at = r->x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(r->x, pair.name, pair.name_size, 1);
        if (!name) {
            exchange_fail(r->x, "InvalidURI", "Couldn't parse the specified URI.");
            return -1;
        }
        if (is_general(name) || (own && is_listed(own, name)))
            continue;
        if (strncasecmp(name, "x-amz-", 6) == 0) {
            if (hoist(r, name, &pair) < 0)
                return -1;
            continue;
        }
        if (pair.value_size && !is_listed(sub_resources, name))
            continue; /* it changes nothing, on AWS either: a browser's redirect brings some */
        s3_fail_not_offered(r, "query parameter", name);
        return -1;
    }
    return 0;
}

static int check_owner(struct s3_request *r)
{
    static const char *const names[] = {"x-amz-expected-bucket-owner",
                                        "x-amz-source-expected-bucket-owner"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *owner = exchange_header(r->x, names[i]);
        if (!owner || strcmp(owner, r->s3->cloud->account_id) == 0)
            continue;
        if (strlen(owner) == 12 && strspn(owner, "0123456789") == 12)
            exchange_fail(r->x, "AccessDenied", "Access Denied");
        else
            exchange_fail(r->x, "InvalidBucketOwnerAWSAccountID",
                          "The value of the expected bucket owner parameter must be an AWS account "
                          "ID");
        return -1;
    }
    return 0;
}

int s3_refuse_unknown(struct s3_request *r)
{
    if (r->operation && !r->operation->parameters) /* a preflight takes anything */
        return 0;
    if (*r->x->query && check_parameters(r) < 0)
        return -1;
    for (size_t i = 0; i < r->x->header_count; i++)
        if (strncasecmp(r->x->headers[i].name, "x-amz-", 6) == 0 &&
            refuse_header(r, &r->x->headers[i]) < 0)
            return -1;
    return check_owner(r);
}

int s3_may(struct s3_request *r, const char *action, const char *bucket, const char *key,
           struct err *why)
{
    char arn[64 + S3_MAX_KEY_BYTES + 64];
    const char *policy = NULL;
    if (r->x->identity.is_administrator)
        return 0;
    if (bucket && config_read(r, bucket, "policy", &policy, why) < 0)
        return -1;
    snprintf(arn, sizeof arn, "arn:aws:s3:::%.64s%s%s", bucket ? bucket : "", key ? "/" : "",
             key ? key : "");
    struct access_question question = {action, bucket ? arn : "*", policy};
    if (exchange_may(r->x, &question, why) == 0)
        return 0;
    /* What an access control list gives to everybody, a policy can still take away. */
    if (!r->x->identity.access_key_id && !strstr(why->message, "explicit deny")) {
        int let = acl_lets_anyone(r, action, bucket, key, why);
        if (let)
            return let > 0 ? 0 : -1;
        err_set(why, ERR_DENIED, "Access Denied");
    }
    return -1;
}

int s3_authorize(struct s3_request *r, const char *action, const char *bucket, const char *key)
{
    struct err why = {0};
    if (s3_may(r, action, bucket, key, &why) == 0)
        return 0;
    s3_fail(r, &why);
    return -1;
}

const char *s3_action(struct s3_request *r)
{
    const struct s3_operation *o = r->operation;
    int has_version = o->version_action && *r->x->query && exchange_query(r->x, "versionId");
    return has_version ? o->version_action : o->action;
}

/* Each key is asked for later: is there anything that might let anybody delete? */
static int admit_batch(struct s3_request *r)
{
    struct err why = {0};
    const char *policy;
    int let = acl_lets_anyone(r, "s3:DeleteObject", r->bucket, NULL, &why);
    if (let == 0)
        let = config_read(r, r->bucket, "policy", &policy, &why);
    if (let < 0)
        s3_fail(r, &why);
    else if (!let)
        exchange_fail(r->x, "AccessDenied", "Access Denied");
    return let > 0 ? 0 : -1;
}

int s3_admit(void *self, struct exchange *x)
{
    struct s3_request r = {.s3 = self, .x = x};
    if (s3_address(&r) < 0)
        return -1;
    r.operation = s3_find_operation(&r);
    if (r.operation && r.operation->is_open)
        return r.operation->run == s3_delete_objects ? admit_batch(&r) : 0;
    if (!r.operation || !s3_action(&r))
        exchange_fail(x, "AccessDenied", "Access Denied");
    else if (s3_authorize(&r, s3_action(&r), r.bucket, r.key) == 0)
        return 0;
    s3_reply_cors(&r); /* a page shall be able to read the refusal */
    return -1;
}
