#ifndef CLOUD_LAMBDA_CODE_H
#define CLOUD_LAMBDA_CODE_H

#include "cloud/lambda/service.h"

/* A function's code, as a request brings or names it: a zip in base64, a zip in S3, an image. */

/* `request` is the "Code" of CreateFunction, or the whole UpdateFunctionCode request. Unpacks it
 * and notes in the record what it is. NULL: the error is answered. */
struct code *code_take(struct lambda *lambda, struct exchange *x, const json_t *request,
                       json_t *record);

#endif
