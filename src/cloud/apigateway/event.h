#ifndef CLOUD_APIGATEWAY_EVENT_H
#define CLOUD_APIGATEWAY_EVENT_H

#include "aws/http.h"
#include "base/arena.h"
#include "cloud/apigateway/path.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The event of a proxy integration: an HTTP request as JSON. Version 1.0 is REST APIs', and HTTP
 * APIs' by choice; 2.0 that of HTTP APIs and function URLs.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */

struct event_pair {
    const char *name, *value; /* decoded */
};

struct event_request {
    const char *method, *path; /* decoded, without the stage */
    const struct http_header *headers;
    size_t header_count;
    const struct event_pair *query;
    size_t query_count;
    const void *body;
    size_t body_bytes;
    const struct path_match *match; /* resource and path parameters; NULL in 2.0: none */
    int is_http_api;                /* in 1.0: says its version */
    const char *route_key, *raw_query, *domain_prefix; /* of 2.0: "GET /a", "a=%20b", API or URL */
    const json_t *stage_variables;                     /* object of texts, or NULL */
    const char *api_id, *stage, *deployment_id, *account_id;
    const char *request_id, *source_ip, *domain_name;
    const char *access_key_id, *user_arn; /* who signed; NULL: nobody */
    const char *api_key_id, *api_key;     /* NULL: none */
    const json_t *binary_media_types;     /* list of texts, or NULL */
    int64_t unix_ms;
    int is_secure; /* came by TLS */
};

/* The event as text from malloc(); NULL without memory. A body that is of a binary media type, or
 * is not UTF-8, goes as base64. */
char *event_create(const struct event_request *request, size_t *size);

/* The same in version 2.0. */
char *event_create_v2(const struct event_request *request, size_t *size);

/* Splits "a=1&b=2", decoding into the arena. At most `most` pairs; returns how many, or -1 when the
 * query is wrongly encoded or has more. */
int event_split_query(const char *query, struct event_pair *pairs, size_t most,
                      struct arena *arena);

#endif
