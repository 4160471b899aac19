#include "cloud/route.h"

#include <string.h>
#include <strings.h>

/* X-Amz-Target starts with the service's internal name. */
static const struct {
    const char *prefix, *service;
} targets[] = {
    {"DynamoDB_", "dynamodb"},
    {"DynamoDBStreams_", "dynamodb"},
    {"GraniteServiceVersion", "monitoring"},
    {"Logs_", "logs"},
    {"AmazonSQS", "sqs"},
    {"AmazonEC2ContainerRegistry", "ecr"},
};

static const struct {
    const char *prefix, *service;
} paths[] = {
    {"/2015-03-31/functions", "lambda"},
    {"/2015-03-31/event-source-mappings", "lambda"},
    {"/service/GraniteServiceVersion", "monitoring"},
    {"/apikeys", "apigateway"},
    {"/v2/", "ecr"},
    {"/usageplans", "apigateway"},
    {"/v2/apis", "apigateway"},
};

static const char *target_service(const char *target)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (strncmp(target, targets[i].prefix, strlen(targets[i].prefix)) == 0)
            return targets[i].service;
    return NULL;
}

/* /restapis/{api}/{stage}/_user_request_/... */
static int is_execute_path(const char *path)
{
    if (strncmp(path, "/restapis/", 10))
        return 0;
    const char *stage = strchr(path + 10, '/');
    const char *marker = stage ? strchr(stage + 1, '/') : NULL;
    return marker && strncmp(marker, "/_user_request_", 15) == 0;
}

/* What a receiver of notifications visits: the addresses in them. */
static int is_notification(const struct exchange *x)
{
    return strncmp(x->path, "/SimpleNotificationService-", 27) == 0 ||
           (strcmp(x->path, "/") == 0 && (strstr(x->query, "Action=ConfirmSubscription") ||
                                          strstr(x->query, "Action=Unsubscribe")));
}

static int has_action(const char *query)
{
    const char *action = strstr(query, "Action=");
    return action && (action == query || action[-1] == '&');
}

/* The query protocol, which S3 knows not: a form, or the same in the address. */
static int is_query_protocol(const struct exchange *x)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = exchange_header(x, "Content-Type");
    if (strcmp(x->path, "/") != 0)
        return 0;
    return has_action(x->query) || (strcmp(x->method, "POST") == 0 && type &&
                                    strncasecmp(type, form, sizeof form - 1) == 0);
}

const char *route_service(const struct exchange *x, const char *scope)
{
    const char *host = exchange_header(x, "Host");
    if (strncmp(x->path, "/_lambda-url/", 13) == 0 || strncmp(x->path, "/_lambda-code/", 14) == 0 ||
        (host && strstr(host, ".lambda-url.")))
        return "lambda-url"; /* signed as "lambda" */
    if (scope)
        return scope;
    if (is_execute_path(x->path) || (host && strstr(host, ".execute-api.")))
        return "execute-api";
    if (is_notification(x))
        return "sns";
    const char *target = exchange_header(x, "X-Amz-Target");
    const char *found = target ? target_service(target) : NULL;
    if (found)
        return found;
    if (strncmp(x->path, "/restapis", 9) == 0 && (x->path[9] == '/' || !x->path[9]))
        return "apigateway";
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strncmp(x->path, paths[i].prefix, strlen(paths[i].prefix)) == 0)
            return paths[i].service;
    /* Which of its services is in a body that is still to come; unsigned all refuse in one form. */
    return is_query_protocol(x) ? "sts" : "s3";
}
