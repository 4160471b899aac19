#ifndef CLOUD_LAMBDA_ZIP_H
#define CLOUD_LAMBDA_ZIP_H

#include "base/err.h"

#include <stddef.h>

/* Unpacks a function's zip. The archive comes from outside: names that leave the folder, links that
 * point out of it, devices, and archives larger than the limits are refused, and nothing of a
 * refused archive stays behind.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */

enum {
    ZIP_MAX_ENTRIES = 20000,
    ZIP_MAX_PATH_BYTES = 1024,
};
#define ZIP_MAX_BYTES ((size_t)50 * 1024 * 1024) /* in a request; in S3 they may be larger */
#define ZIP_MAX_UNPACKED_BYTES ((size_t)250 * 1024 * 1024)

/* `folder` is made by the call and must not exist. Files become read-only (0444, or 0555 where the
 * archive says executable). ERR_INVALID for what is no zip or holds forbidden names, ERR_TOO_BIG
 * past a limit. */
int zip_unpack(const void *data, size_t size, const char *folder, struct err *err) MUST_USE;

/* 1 when `path` stays below its folder: relative, no empty, "." or ".." part, no backslash or
 * control character. A '/' at the end is fine. */
int zip_path_is_safe(const char *path);

#endif
