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
     .parameters = "marker list-type " LIST,
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
