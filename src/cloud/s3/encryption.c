#include "cloud/cloud.h"
#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <string.h>
#include <strings.h>

/* Encryption by S3 (SSE-S3) is the disk's, where the cloud was told that it encrypts; else nothing
 * is encrypted and nothing says so. */

static const char header_name[] = "x-amz-server-side-encryption";

static int is_write(const struct s3_operation *o)
{
    return o && (o->run == s3_put_object || o->run == s3_copy_object || o->run == s3_post_object ||
                 o->run == s3_create_multipart_upload);
}

int s3_check_encryption(struct s3_request *r)
{
    const char *method = exchange_header(r->x, header_name);
    if (!method)
        return 0;
    if (!r->s3->cloud->encrypted_disk || strncmp(method, "aws:", 4) == 0) /* keys of KMS, of FSx */
        s3_fail_not_offered(r, "header", header_name);
    else if (!is_write(r->operation))
        s3_fail_argument(r, header_name, method,
                         "x-amz-server-side-encryption header is not supported for this "
                         "operation.");
    else if (strcmp(method, "AES256") != 0)
        s3_fail_argument(r, header_name, method,
                         "The encryption method specified is not supported");
    else
        return 0;
    return -1;
}

void s3_reply_encryption(struct s3_request *r)
{
    if (r->s3->cloud->encrypted_disk)
        exchange_reply_header(r->x, header_name, "AES256");
}

int encryption_check(struct s3_request *r, struct tree *config)
{
    const struct tree *rule = tree_get(config, "Rule");
    const struct tree *usual = tree_get(rule, "ApplyServerSideEncryptionByDefault");
    const char *method = tree_text(usual, "SSEAlgorithm");
    const char *has_key = tree_text(rule, "BucketKeyEnabled");
    if (tree_count(config, "Rule") != 1 || !method)
        s3_fail_malformed(r);
    else if (strcmp(method, "AES256") != 0)
        s3_fail_not_offered(r, "SSEAlgorithm", method);
    else if (has_key && strcasecmp(has_key, "true") == 0)
        s3_fail_not_offered(r, "element", "BucketKeyEnabled");
    else
        return 0;
    return -1;
}
