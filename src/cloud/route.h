#ifndef CLOUD_ROUTE_H
#define CLOUD_ROUTE_H

#include "cloud/exchange.h"

/* Which service a request is for, by name: "s3", "dynamodb", "execute-api", ... `scope` is the
 * service in the signature's scope, NULL when the request is not signed; then X-Amz-Target, the
 * Host and the path decide. Never NULL. */
const char *route_service(const struct exchange *x, const char *scope);

#endif
