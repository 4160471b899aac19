#include "cloud/s3/s3.h"

#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

/* Which operation a request asks for. */

#define VERSION "versionId"
#define OVERRIDES                                                                                  \
    " response-content-type response-content-language response-expires response-cache-control"     \
    " response-content-disposition response-content-encoding"
#define LIST "prefix delimiter encoding-type max-keys"

/* What every row says, and then what only some do. */
#define OBJECT_ROW(n, m, q, a, f, ...)                                                             \
    {                                                                                              \
        .name = n, .method = m, .subject = ON_OBJECT, .query = q, .action = a, .run = f,           \
        __VA_ARGS__                                                                                \
    }
#define BUCKET_ROW(n, m, q, a, f, ...)                                                             \
    {                                                                                              \
        .name = n, .method = m, .subject = ON_BUCKET, .query = q, .action = a, .run = f,           \
        __VA_ARGS__                                                                                \
    }

/* Configurations of a bucket: reading, writing and removing one look alike. */
#define GET_CONFIG(n, q, a) BUCKET_ROW(n, "GET", q, a, s3_get_config, .parameters = q)
#define PUT_CONFIG(n, q, a) BUCKET_ROW(n, "PUT", q, a, s3_put_config, .parameters = q)
#define DELETE_CONFIG(n, q, a) BUCKET_ROW(n, "DELETE", q, a, s3_delete_config, .parameters = q)
#define LIST_CONFIGURATIONS(n, q, a)                                                               \
    BUCKET_ROW(n, "GET", q, a, list_configurations, .parameters = q " id continuation-token")

/* What AWS answers where a bucket was made without object lock. */
static void no_object_lock(struct s3_request *r)
{
    struct meta_object object;
    if (s3_need_version(r, &object) < 0)
        return;
    exchange_fail(r->x, "InvalidRequest", "Bucket is missing Object Lock Configuration");
}

static void no_such_configuration(struct s3_request *r)
{
    if (s3_need_bucket(r, NULL) < 0)
        return;
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
    if (s3_need_bucket(r, NULL) < 0)
        return;
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

    OBJECT_ROW("GetObject", "GET", "", "s3:GetObject", s3_get_object, .parameters = ""),
    OBJECT_ROW("PutObject", "PUT", "", "s3:PutObject", s3_put_object,
               .header = "!x-amz-copy-source", .parameters = ""),
    OBJECT_ROW("GetObjectTagging", "GET", "tagging", "s3:GetObjectTagging", s3_get_object_tagging,
               .version_action = "s3:GetObjectVersionTagging", .parameters = "tagging " VERSION),
    OBJECT_ROW("GetObjectAcl", "GET", "acl", "s3:GetObjectAcl", s3_get_acl,
               .version_action = "s3:GetObjectVersionAcl", .parameters = "acl " VERSION),
    OBJECT_ROW("GetObjectAttributes", "GET", "attributes", "s3:GetObjectAttributes",
               s3_get_object_attributes, .version_action = "s3:GetObjectVersionAttributes",
               .parameters = "attributes " VERSION),
    OBJECT_ROW("ListParts", "GET", "uploadId", "s3:ListMultipartUploadParts", s3_list_parts,
               .parameters = "uploadId max-parts part-number-marker"),
    OBJECT_ROW("GetObjectRetention", "GET", "retention", "s3:GetObjectRetention", no_object_lock,
               .parameters = "retention " VERSION),
    OBJECT_ROW("GetObjectLegalHold", "GET", "legal-hold", "s3:GetObjectLegalHold", no_object_lock,
               .parameters = "legal-hold " VERSION),
    OBJECT_ROW("GetObject", "GET", NULL, "s3:GetObject", s3_get_object,
               .version_action = "s3:GetObjectVersion",
               .parameters = "partNumber " VERSION OVERRIDES), /* quick, as is HEAD */
    OBJECT_ROW("HeadObject", "HEAD", NULL, "s3:GetObject", s3_head_object,
               .version_action = "s3:GetObjectVersion",
               .parameters = "partNumber " VERSION OVERRIDES),
    OBJECT_ROW("PutObjectTagging", "PUT", "tagging", "s3:PutObjectTagging", s3_put_object_tagging,
               .version_action = "s3:PutObjectVersionTagging", .parameters = "tagging " VERSION),
    OBJECT_ROW("PutObjectAcl", "PUT", "acl", "s3:PutObjectAcl", s3_put_acl,
               .version_action = "s3:PutObjectVersionAcl", .parameters = "acl " VERSION),
    OBJECT_ROW("PutObjectRetention", "PUT", "retention", "s3:PutObjectRetention", no_object_lock,
               .parameters = "retention " VERSION),
    OBJECT_ROW("PutObjectLegalHold", "PUT", "legal-hold", "s3:PutObjectLegalHold", no_object_lock,
               .parameters = "legal-hold " VERSION),
    OBJECT_ROW("UploadPartCopy", "PUT", "partNumber", "s3:PutObject", s3_upload_part_copy,
               .header = "x-amz-copy-source", .parameters = "partNumber uploadId"),
    OBJECT_ROW("UploadPart", "PUT", "partNumber", "s3:PutObject", s3_upload_part,
               .parameters = "partNumber uploadId"),
    OBJECT_ROW("CopyObject", "PUT", NULL, "s3:PutObject", s3_copy_object,
               .header = "x-amz-copy-source", .parameters = ""),
    OBJECT_ROW("PutObject", "PUT", NULL, "s3:PutObject", s3_put_object, .parameters = ""),
    OBJECT_ROW("DeleteObjectTagging", "DELETE", "tagging", "s3:DeleteObjectTagging",
               s3_delete_object_tagging, .version_action = "s3:DeleteObjectVersionTagging",
               .parameters = "tagging " VERSION),
    OBJECT_ROW("AbortMultipartUpload", "DELETE", "uploadId", "s3:AbortMultipartUpload",
               s3_abort_multipart_upload, .parameters = "uploadId"),
    OBJECT_ROW("DeleteObject", "DELETE", NULL, "s3:DeleteObject", s3_delete_object,
               .version_action = "s3:DeleteObjectVersion", .parameters = VERSION),
    OBJECT_ROW("CreateMultipartUpload", "POST", "uploads", "s3:PutObject",
               s3_create_multipart_upload, .parameters = "uploads"),
    OBJECT_ROW("CompleteMultipartUpload", "POST", "uploadId", "s3:PutObject",
               s3_complete_multipart_upload, .parameters = "uploadId"),
    OBJECT_ROW("Preflight", "OPTIONS", NULL, NULL, s3_preflight, .is_open = 1),

    BUCKET_ROW("GetBucketLocation", "GET", "location", "s3:GetBucketLocation",
               s3_get_bucket_location, .parameters = "location"),
    BUCKET_ROW("GetBucketVersioning", "GET", "versioning", "s3:GetBucketVersioning",
               s3_get_bucket_versioning, .parameters = "versioning"),
    BUCKET_ROW("ListObjectVersions", "GET", "versions", "s3:ListBucketVersions",
               s3_list_object_versions,
               .parameters = "versions key-marker version-id-marker " LIST),
    BUCKET_ROW(
        "ListMultipartUploads", "GET", "uploads", "s3:ListBucketMultipartUploads",
        s3_list_multipart_uploads,
        .parameters =
            "uploads prefix delimiter encoding-type key-marker upload-id-marker max-uploads"),
    BUCKET_ROW("GetBucketAcl", "GET", "acl", "s3:GetBucketAcl", s3_get_acl, .parameters = "acl"),
    BUCKET_ROW("GetBucketPolicyStatus", "GET", "policyStatus", "s3:GetBucketPolicyStatus",
               s3_get_policy_status, .parameters = "policyStatus"),
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
    LIST_CONFIGURATIONS("ListBucketAnalyticsConfigurations", "analytics",
                        "s3:GetAnalyticsConfiguration"),
    LIST_CONFIGURATIONS("ListBucketInventoryConfigurations", "inventory",
                        "s3:GetInventoryConfiguration"),
    LIST_CONFIGURATIONS("ListBucketMetricsConfigurations", "metrics", "s3:GetMetricsConfiguration"),
    LIST_CONFIGURATIONS("ListBucketIntelligentTieringConfigurations", "intelligent-tiering",
                        "s3:GetIntelligentTieringConfiguration"),
    BUCKET_ROW("ListObjectsV2", "GET", "list-type", "s3:ListBucket", s3_list_objects_v2,
               .value = "2",
               .parameters = "list-type continuation-token fetch-owner start-after " LIST),
    BUCKET_ROW("ListObjects", "GET", NULL, "s3:ListBucket", s3_list_objects,
               .parameters = "marker list-type " LIST),
    BUCKET_ROW("PutBucketVersioning", "PUT", "versioning", "s3:PutBucketVersioning",
               s3_put_bucket_versioning, .parameters = "versioning"),
    BUCKET_ROW("PutBucketAcl", "PUT", "acl", "s3:PutBucketAcl", s3_put_acl, .parameters = "acl"),
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
    BUCKET_ROW("CreateBucket", "PUT", NULL, "s3:CreateBucket", s3_create_bucket, .parameters = ""),
    BUCKET_ROW("HeadBucket", "HEAD", NULL, "s3:ListBucket", s3_head_bucket, .parameters = ""),
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
#define DELETE_CONFIGURATION(n, q, a)                                                              \
    {                                                                                              \
        .name = n, .method = "DELETE", .subject = ON_BUCKET, .query = q, .action = a,              \
        .parameters = q " id", .run = no_such_configuration                                        \
    }
    DELETE_CONFIGURATION("DeleteBucketAnalyticsConfiguration", "analytics",
                         "s3:PutAnalyticsConfiguration"),
    DELETE_CONFIGURATION("DeleteBucketInventoryConfiguration", "inventory",
                         "s3:PutInventoryConfiguration"),
    DELETE_CONFIGURATION("DeleteBucketMetricsConfiguration", "metrics",
                         "s3:PutMetricsConfiguration"),
    DELETE_CONFIGURATION("DeleteBucketIntelligentTieringConfiguration", "intelligent-tiering",
                         "s3:PutIntelligentTieringConfiguration"),
    BUCKET_ROW("DeleteBucket", "DELETE", NULL, "s3:DeleteBucket", s3_delete_bucket,
               .parameters = ""),
    BUCKET_ROW("DeleteObjects", "POST", "delete", NULL, s3_delete_objects, .parameters = "delete",
               .is_open = 1),
    BUCKET_ROW("PostObject", "POST", NULL, NULL, s3_post_object, .header = "Content-Type",
               .parameters = "", .is_open = 1),
    BUCKET_ROW("Preflight", "OPTIONS", NULL, NULL, s3_preflight, .is_open = 1),
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
