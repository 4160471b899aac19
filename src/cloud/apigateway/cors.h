#ifndef CLOUD_APIGATEWAY_CORS_H
#define CLOUD_APIGATEWAY_CORS_H

#include "cloud/exchange.h"

#include <jansson.h>

/* Cross-origin requests as HTTP APIs and function URLs are told about them: {"AllowCredentials":
 * bool, "AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders": [text], "MaxAge":
 * seconds}, the names in either case of their first letter. NULL: nothing is said. */

/* ERR_INVALID unless it has that form. */
int http_cors_check(const json_t *cors, struct err *err) MUST_USE;

/* 1: it was a preflight request and is answered (204). */
int http_cors_answer_preflight(struct exchange *x, const json_t *cors);
/* The headers for an answer to come, where the request has an origin that is allowed. */
void http_cors_add_headers(struct exchange *x, const json_t *cors);
/* A header that the function's answer may not have then. */
int http_cors_owns_header(const char *name);

#endif
