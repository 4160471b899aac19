#include "base/log.h"
#include "cloud/errors.h"
#include "cloud/s3/s3.h"

#include <stdio.h>

/* The errors that many operations share. */

void s3_fail(struct s3_request *r, const struct err *err)
{
    exchange_fail_err(r->x, err);
}

void s3_fail_no_bucket(struct s3_request *r)
{
    exchange_fail_more(r->x, "NoSuchBucket", "BucketName", r->bucket,
                       "The specified bucket does not exist");
}

void s3_fail_no_key(struct s3_request *r)
{
    exchange_fail_more(r->x, "NoSuchKey", "Key", r->key, "The specified key does not exist.");
}

void s3_fail_no_version(struct s3_request *r, const char *key, const char *version)
{
    const struct error_field fields[] = {{"Key", key}, {"VersionId", version}};
    exchange_fail_fields(r->x, "NoSuchVersion", "The specified version does not exist.", fields, 2);
}

void s3_fail_argument(struct s3_request *r, const char *name, const char *value,
                      const char *message)
{
    const struct error_field fields[] = {{"ArgumentName", name}, {"ArgumentValue", value}};
    exchange_fail_fields(r->x, "InvalidArgument", message, fields, 2);
}

int s3_fail_long_key(struct s3_request *r, size_t bytes)
{
    char told[24], most[24];
    snprintf(told, sizeof told, "%zu", bytes);
    snprintf(most, sizeof most, "%d", S3_MAX_KEY_BYTES);
    const struct error_field fields[] = {{"Size", told}, {"MaxSizeAllowed", most}};
    exchange_fail_fields(r->x, "KeyTooLongError", "Your key is too long", fields, 2);
    return -1;
}

/* AWS's own words for what it does not do; `more` says what that is. */
void s3_fail_not_implemented(struct s3_request *r, const char *header, const char *more)
{
    const struct error_field fields[] = {{"Header", header}, {"additionalMessage", more}};
    log_line(LOG_INFO, "s3: %s: %s", header, more);
    exchange_fail_fields(r->x, "NotImplemented",
                         "A header you provided implies functionality that is not implemented",
                         fields, 2);
}

void s3_fail_malformed(struct s3_request *r)
{
    exchange_fail(r->x, "MalformedXML",
                  "The XML you provided was not well-formed or did not validate against our "
                  "published schema");
}

void s3_fail_not_offered(struct s3_request *r, const char *what, const char *name)
{
    char message[256];
    snprintf(message, sizeof message,
             "The %s %.120s asks for functionality that is not implemented.", what, name);
    log_line(LOG_INFO, "s3: %s", message);
    exchange_fail_more(r->x, "NotImplemented", "Header", name, message);
}
