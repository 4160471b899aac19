#ifndef CLOUD_S3_LIFECYCLE_H
#define CLOUD_S3_LIFECYCLE_H

#include "cloud/s3/config.h"

/* The rules of a bucket's lifecycle, applied to objects, old versions and uploads.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html */

/* What a rule looks at. */
struct lifecycle_object {
    const char *key, *tags;
    int64_t size, modified_ms;
};

int lifecycle_fits(const struct tree *rule, const struct lifecycle_object *object);
/* When the rule ends a current object of that age; -1: never. */
int64_t lifecycle_current_end_ms(const struct s3 *s3, const struct tree *rule, int64_t modified_ms);
/* The same of an upload that began then. */
int64_t lifecycle_upload_end_ms(const struct s3 *s3, const struct tree *rule, int64_t created_ms);
/* When `days` of the rule's text are over: at the midnight (UTC) after, as AWS counts; with short
 * days of tests at once. -1: `days` is NULL. */
int64_t lifecycle_days_end_ms(const struct s3 *s3, const char *days, int64_t start_ms);

/* The thread that applies them. */
struct expiry *expiry_create(struct s3 *s3, struct err *err);
void expiry_destroy(struct expiry *expiry);

#endif
