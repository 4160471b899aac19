#include "cloud/access.h"
#include "cloud/errors.h"
#include "cloud/logs/operations.h"
#include "cloud/services.h"
#include "cloud/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CloudWatch Logs over HTTP: JSON 1.1, the operation in X-Amz-Target. */

static const struct operation {
    const char *name;
    logs_operation *run;
    const char *parameters;
} operations[] = {
    {"CreateLogGroup", create_log_group, "logGroupName tags logGroupClass"},
    {"CreateLogStream", create_log_stream, "logGroupName logStreamName"},
    {"DeleteLogGroup", delete_log_group, "logGroupName"},
    {"DeleteLogStream", delete_log_stream, "logGroupName logStreamName"},
    {"DeleteMetricFilter", delete_metric_filter, "logGroupName filterName"},
    {"DeleteRetentionPolicy", delete_retention_policy, "logGroupName"},
    {"DescribeLogGroups", describe_log_groups,
     "logGroupNamePrefix logGroupNamePattern nextToken limit logGroupClass"},
    {"DescribeLogStreams", describe_log_streams,
     "logGroupName logGroupIdentifier logStreamNamePrefix orderBy descending nextToken limit"},
    {"DescribeMetricFilters", describe_metric_filters,
     "logGroupName filterNamePrefix nextToken limit metricName metricNamespace"},
    {"DescribeSubscriptionFilters", describe_subscription_filters,
     "logGroupName filterNamePrefix nextToken limit"},
    {"FilterLogEvents", filter_log_events,
     "logGroupName logGroupIdentifier logStreamNames logStreamNamePrefix startTime endTime "
     "filterPattern nextToken limit interleaved unmask"},
    {"GetLogEvents", get_log_events,
     "logGroupName logGroupIdentifier logStreamName startTime endTime nextToken limit "
     "startFromHead unmask"},
    {"ListTagsForResource", list_tags_log_group, "resourceArn"},
    {"ListTagsLogGroup", list_tags_log_group, "logGroupName"},
    {"PutLogEvents", put_log_events, "logGroupName logStreamName logEvents sequenceToken"},
    {"PutMetricFilter", put_metric_filter,
     "logGroupName filterName filterPattern metricTransformations applyOnTransformedLogs"},
    {"PutRetentionPolicy", put_retention_policy, "logGroupName retentionInDays"},
    {"TagLogGroup", tag_log_group, "logGroupName tags"},
    {"TagResource", tag_log_group, "resourceArn tags"},
    {"TestMetricFilter", test_metric_filter, "filterPattern logEventMessages"},
    {"UntagLogGroup", untag_log_group, "logGroupName tags"},
    {"UntagResource", untag_log_group, "resourceArn tagKeys"},
};

struct logs_service {
    struct logs *logs;
    const char *region, *account_id;
};

int call_invalid(struct logs_call *call, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(&call->err, ERR_INVALID, "%s", text);
}

int call_name(struct logs_call *call, const char *name, int required, const char **out)
{
    const json_t *json = json_object_get(call->body, name);
    *out = json_string_value(json);
    if (!json || json_is_null(json)) {
        if (!required)
            return 0;
        return call_invalid(call,
                            "1 validation error detected: Value null at '%s' failed to satisfy "
                            "constraint: Member must not be null",
                            name);
    }
    if (!*out)
        return call_invalid(call, "The parameter %s must be a text.", name);
    if (strlen(*out) > LOGS_MAX_NAME_BYTES &&
        (!strcmp(name, "logGroupName") || !strcmp(name, "logStreamName")))
        return call_invalid(call, "Invalid LogGroup or LogStream, both must have length less than "
                                  "or equal to 512.");
    if (!**out || strlen(*out) > LOGS_MAX_NAME_BYTES)
        return call_invalid(call,
                            "1 validation error detected: Value '%.256s' at '%s' failed to satisfy "
                            "constraint: Member must have length %s than or equal to %d",
                            *out, name, **out ? "less" : "greater",
                            **out ? LOGS_MAX_NAME_BYTES : 1);
    return 0;
}

int call_too_long(struct logs_call *call, const char *name, const char *value, int most)
{
    return call_invalid(call,
                        "1 validation error detected: Value '%.200s' at '%s' failed to satisfy "
                        "constraint: Member must have length less than or equal to %d",
                        value, name, most);
}

int call_group(struct logs_call *call, const char **out)
{
    const char *identifier = json_string_value(json_object_get(call->body, "logGroupIdentifier"));
    if (!identifier)
        return call_name(call, "logGroupName", 1, out);
    if (json_object_get(call->body, "logGroupName")) {
        call->code = "ValidationException";
        return err_set(&call->err, ERR_INVALID,
                       "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
    }
    const char *arn = strstr(identifier, ":log-group:");
    char *name = arena_strdup(&call->x->arena, arn ? arn + strlen(":log-group:") : identifier);
    if (!name || !*name)
        return call_invalid(call, "The logGroupIdentifier is malformed.");
    size_t size = strlen(name);
    if (arn && size > 2 && !strcmp(name + size - 2, ":*"))
        name[size - 2] = 0;
    *out = name;
    return 0;
}

int call_integer(struct logs_call *call, const char *name, int64_t *out)
{
    const json_t *json = json_object_get(call->body, name);
    if (!json || json_is_null(json))
        return 0;
    if (!json_is_integer(json))
        return call_invalid(call, "The parameter %s must be a whole number.", name);
    *out = json_integer_value(json);
    return 0;
}

int call_limit(struct logs_call *call, int64_t most, int64_t *out)
{
    if (call_integer(call, "limit", out) < 0)
        return -1;
    return *out >= 1 && *out <= most
               ? 0
               : call_invalid(call,
                              "1 validation error detected: Value '%lld' at 'limit' failed to "
                              "satisfy constraint: Member must have value %s than or equal to %lld",
                              (long long)*out, *out < 1 ? "greater" : "less",
                              *out < 1 ? 1LL : (long long)most);
}

int call_token(struct logs_call *call, char kind, const char **out)
{
    const json_t *json = json_object_get(call->body, "nextToken");
    const char *text = json_string_value(json);
    *out = NULL;
    if (!json || json_is_null(json))
        return 0;
    if (!text || text[0] != kind || text[1] != '/')
        return call_invalid(call, "The specified nextToken is invalid.");
    *out = text + 2;
    return 0;
}

struct connection *call_read_begin(struct logs_call *call)
{
    if (logs_flush(call->logs, &call->err) < 0)
        return NULL;
    return database_read_begin(logs_database(call->logs), &call->err);
}

void call_read_end(struct logs_call *call, struct connection *connection)
{
    database_read_end(logs_database(call->logs), connection);
}

static const struct operation *find_operation(const struct exchange *x)
{
    static const char prefix[] = "Logs_20140328.";
    const char *target = exchange_header(x, "X-Amz-Target");
    if (!target || strncmp(target, prefix, sizeof prefix - 1))
        return NULL;
    return WIRE_FIND(operations, target + sizeof prefix - 1);
}

static void fail(struct exchange *x, const struct logs_call *call)
{
    if (call->code) {
        exchange_fail(x, call->code, "%s", call->err.message);
        return;
    }
    switch (call->err.code) {
    case ERR_INVALID:
        exchange_fail(x, "InvalidParameterException", "%s", call->err.message);
        break;
    case ERR_NOT_FOUND:
        exchange_fail(x, "ResourceNotFoundException", "%s", call->err.message);
        break;
    case ERR_EXISTS:
        exchange_fail(x, "ResourceAlreadyExistsException", "%s", call->err.message);
        break;
    default:
        exchange_fail_err(x, &call->err);
    }
}

/* The group that is named, or "*". */
static int authorize(struct logs_call *call, const struct operation *operation)
{
    static const char *const names[] = {"resourceArn", "logGroupIdentifier", "logGroupName"};
    const char *name = NULL;
    for (size_t i = 0; !name && i < sizeof names / sizeof *names; i++)
        name = json_string_value(json_object_get(call->body, names[i]));
    const char *stream = json_string_value(json_object_get(call->body, "logStreamName"));
    char *arn = name ? arena_printf(&call->x->arena, "%s%s", name, stream ? "" : ":*") : NULL;
    if (name && strncmp(name, "arn:", 4) != 0)
        arn = arena_printf(&call->x->arena, "arn:aws:logs:%s:%s:log-group:%s%s%s", call->region,
                           call->account_id, name, stream ? ":log-stream:" : "",
                           stream ? stream : ":*");
    char *action = arena_printf(&call->x->arena, "logs:%s", operation->name);
    return exchange_authorize(call->x, action ? action : "", arn ? arn : "*");
}

static void answer(struct exchange *x, const struct logs_call *call)
{
    char *text = json_dumps(call->answer, JSON_COMPACT);
    if (text)
        exchange_respond(x, 200, "application/x-amz-json-1.1", text, strlen(text));
    else
        exchange_fail(x, "ServiceUnavailableException", "out of memory");
    free(text);
}

static void run(struct logs_call *call, const struct operation *operation)
{
    const struct wire wire = {.body = (json_t *)(uintptr_t)call->body};
    const char *unknown = wire_unknown(&wire, operation->parameters);
    if (unknown) {
        call_invalid(call, "%s has no parameter %s, or ken has it not.", operation->name, unknown);
        fail(call->x, call);
    } else if (authorize(call, operation) < 0) {
        return;
    } else if (operation->run(call) < 0) {
        fail(call->x, call);
    } else {
        answer(call->x, call);
    }
}

static void handle(void *self, struct exchange *x)
{
    const struct logs_service *service = self;
    const struct operation *operation = find_operation(x);
    const char *target = exchange_header(x, "X-Amz-Target");
    struct logs_call call = {.logs = service->logs,
                             .x = x,
                             .now_ms = x->received_unix_ms,
                             .region = service->region,
                             .account_id = service->account_id};
    const char *data = exchange_body(x, &call.err);
    json_t *body = data ? json_loadb(data, x->body.size, JSON_ALLOW_NUL, NULL) : NULL;
    call.body = body;
    call.answer = json_object();
    if (!operation)
        exchange_fail(x, "UnknownOperationException", "ken does not have the operation %s.",
                      target ? target : "without a name");
    else if (!json_is_object(body))
        exchange_fail(x, "SerializationException", "The body is no JSON object.");
    else
        run(&call, operation);
    json_decref(call.answer);
    json_decref(body);
}

static void destroy(void *self)
{
    struct logs_service *service = self;
    logs_close(service->logs);
    free(service);
}

int logs_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    struct logs_service *own = calloc(1, sizeof *own);
    if (!own)
        return err_set(err, ERR_NO_MEMORY, "open logs: out of memory");
    own->region = cloud->region;
    own->account_id = cloud->account_id;
    if (cloud_path(cloud, "logs.sqlite", path, sizeof path, err) == 0)
        own->logs = logs_open(path, cloud->metrics, err);
    if (!own->logs) {
        free(own);
        return -1;
    }
    cloud->logs = own->logs;
    struct service service = {.name = "logs",
                              .error_form = ERROR_FORM_JSON,
                              .handle = handle,
                              .destroy = destroy,
                              .self = own};
    return cloud_add(cloud, &service, err);
}
