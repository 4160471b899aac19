#ifndef CLOUD_LAMBDA_DOWNLOAD_H
#define CLOUD_LAMBDA_DOWNLOAD_H

#include "cloud/exchange.h"
#include "cloud/lambda/function.h"

#include <jansson.h>

/* The zip that a function was made of, by a link that is good for ten minutes and needs no signer:
 * GetFunction's Code.Location. */
struct lambda;

/* NULL: there is no zip (an image, or code that an older program kept without it). */
json_t *lambda_code_link(const struct lambda *lambda, const struct exchange *x,
                         const struct function *function);
int lambda_is_code_link(const struct exchange *x);
/* Answers a request of which the path is such a link. */
void lambda_send_code(const struct lambda *lambda, struct exchange *x);

#endif
