#ifndef CLOUD_ERRORS_H
#define CLOUD_ERRORS_H

#include "base/err.h"
#include "cloud/exchange.h"

/* Errors as AWS gives them: one table maps an AWS error code to its HTTP status, the service's
 * error_form says how the body looks. */

/* Answer with the error `code` ("NoSuchBucket", "ResourceNotFoundException"); a code that is not in
 * the table is a 400. */
void exchange_fail(struct exchange *x, const char *code, const char *format, ...) PRINTF(3, 4);

/* The same with one more element, as S3's errors have: <BucketName>..</BucketName>. Left out in the
 * other forms, and where `value` is NULL. */
void exchange_fail_more(struct exchange *x, const char *code, const char *name, const char *value,
                        const char *message);

/* The same with several. */
struct error_field {
    const char *name, *value; /* left out where it is NULL */
};
void exchange_fail_fields(struct exchange *x, const char *code, const char *message,
                          const struct error_field *fields, size_t count);

/* The same with a status of one's own. */
void exchange_fail_status(struct exchange *x, int status, const char *code, const char *message);

/* Answer with what went wrong inside: the code comes from the err_code. The cause of an internal
 * failure is logged, not told. */
void exchange_fail_err(struct exchange *x, const struct err *err);

/* HTTP status of an AWS error code; 400 for unknown ones. */
int error_status(const char *code);

/* The AWS code of the form for an err_code. */
const char *error_code(enum error_form form, enum err_code code);

/* Append `text` escaped for XML text and attribute values; what XML 1.0 cannot hold becomes
 * U+FFFD. */
struct buf;
int error_xml_escape(struct buf *out, const char *text);

#endif
