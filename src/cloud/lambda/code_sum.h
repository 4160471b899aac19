#ifndef CLOUD_LAMBDA_CODE_SUM_H
#define CLOUD_LAMBDA_CODE_SUM_H

#include "base/err.h"

#include <stdint.h>

/* A sum of all that lies in a folder: names, kinds, modes, contents, where links lead; not of times
 * and owners. A gigabyte takes some tenths of a second. */
int code_sum(const char *folder, uint64_t *sum, struct err *err) MUST_USE;

#endif
