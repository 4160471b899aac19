#ifndef CLOUD_LAMBDA_CONFIGURATION_H
#define CLOUD_LAMBDA_CONFIGURATION_H

#include "base/err.h"

#include <jansson.h>

/* The settings of a function as CreateFunction and UpdateFunctionConfiguration give them. */

/* A FunctionConfiguration with Lambda's defaults. NULL without memory. */
json_t *configuration_create(const char *name, const char *arn);

/* Check what `request` sets and put it in. ERR_INVALID for a value that Lambda refuses,
 * ERR_UNSUPPORTED for what ken cloud does not do. After a failure `configuration` may be changed in
 * part: throw it away. */
int configuration_apply(json_t *configuration, const json_t *request, struct err *err) MUST_USE;

/* The part of it that UpdateFunctionCode may say. */
int configuration_apply_architectures(json_t *configuration, const json_t *request,
                                      struct err *err) MUST_USE;

/* Is its PackageType Image? */
int configuration_is_image(const json_t *configuration);

/* What has to be there in a CreateFunction request. */
int configuration_check_create(const json_t *request, struct err *err) MUST_USE;

/* "2026-11-23T05:31:29.123+0000", as Lambda writes times. */
enum { CONFIGURATION_TIME_BYTES = 32 };
void configuration_time(char text[CONFIGURATION_TIME_BYTES]);
/* New RevisionId, of a configuration or an alias. */
void configuration_revise(json_t *configuration);
/* New LastModified. */
void configuration_touch(json_t *configuration);
/* CodeSize and CodeSha256 of a zip. */
void configuration_set_code(json_t *configuration, const void *zip, size_t size);

#endif
