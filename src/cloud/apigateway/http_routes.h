#ifndef CLOUD_APIGATEWAY_HTTP_ROUTES_H
#define CLOUD_APIGATEWAY_HTTP_ROUTES_H

#include "base/err.h"
#include "cloud/apigateway/path.h"

/* Which route of an HTTP API a request takes: one whose whole path and method match ("GET /a/{b}",
 * ANY after the method's own), else a greedy one ("ANY /a/{proxy+}"), else "$default".
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html */
struct http_routes;

/* `routes` is an object of routes, each with a valid "routeKey"; it must outlive the result. NULL
 * without memory. */
struct http_routes *http_routes_create(const json_t *routes);
void http_routes_destroy(struct http_routes *routes); /* NULL is fine */

/* NULL: there is none. match->resource is {"id", "path"}: the route's id and its path or
 * "$default". */
const json_t *http_routes_find(const struct http_routes *routes, const char *method,
                               const char *path, struct path_match *match, struct arena *arena);

/* "$default", or a method or ANY, a space, and a path with at most one {greedy+} part, the last. */
int http_route_key_is_valid(const char *key);

#endif
