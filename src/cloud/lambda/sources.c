#include "base/clock.h"
#include "base/random.h"
#include "cloud/lambda/event_filter.h"
#include "cloud/lambda/mapping.h"
#include "cloud/lambda/service.h"
#include "cloud/sqs/queue.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations on event source mappings. */

enum { LIST_MAX_ITEMS = 100, DEFAULT_BATCH = 10, MIN_CONCURRENCY = 2, MAX_CONCURRENCY = 1000 };

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static int refuse(struct exchange *x, const char *message)
{
    exchange_fail(x, "InvalidParameterValueException", "%s", message);
    return -1;
}

static int check_number(struct exchange *x, const json_t *mapping, const char *name,
                        const long range[2])
{
    const json_t *value = json_object_get(mapping, name);
    if (!value || (json_is_integer(value) && json_integer_value(value) >= range[0] &&
                   json_integer_value(value) <= range[1]))
        return 0;
    json_int_t number = json_integer_value(value);
    exchange_fail(x, "ValidationException",
                  "1 validation error detected: Value '%lld' at '%s%c%s' failed to satisfy "
                  "constraint: Member must have value %s than or equal to %ld",
                  (long long)number, range[0] == MIN_CONCURRENCY ? "scalingConfig." : "",
                  name[0] | 0x20, name + 1, number < range[0] ? "greater" : "less",
                  number < range[0] ? range[0] : range[1]);
    return -1;
}

static int refuse_types(struct exchange *x, const json_t *first)
{
    exchange_fail(
        x, "ValidationException",
        "1 validation error detected: Value '[%.64s]' at 'functionResponseTypes' failed to "
        "satisfy constraint: Member must satisfy constraint: [Member must satisfy enum "
        "value set: [ReportBatchItemFailures], Member must not be null]",
        json_is_string(first) ? json_string_value(first) : "");
    return -1;
}

static int check_form(struct exchange *x, const json_t *mapping)
{
    static const long batch[] = {1, MAPPING_MAX_BATCH}, window[] = {0, MAPPING_MAX_WINDOW_S},
                      concurrency[] = {MIN_CONCURRENCY, MAX_CONCURRENCY};
    const json_t *types = json_object_get(mapping, "FunctionResponseTypes");
    const json_t *first = json_array_get(types, 0);
    if (check_number(x, mapping, "BatchSize", batch) < 0 ||
        check_number(x, mapping, "MaximumBatchingWindowInSeconds", window) < 0 ||
        check_number(x, json_object_get(mapping, "ScalingConfig"), "MaximumConcurrency",
                     concurrency) < 0)
        return -1;
    if (types && (json_array_size(types) > 1 ||
                  (first && strcmp(json_string_value(first) ? json_string_value(first) : "",
                                   "ReportBatchItemFailures") != 0)))
        return refuse_types(x, first);
    struct err err;
    return event_filter_check(json_object_get(mapping, "FilterCriteria"), &err) == 0
               ? 0
               : refuse(x, err.message);
}

static int check_queue(struct lambda *lambda, struct exchange *x, const json_t *mapping,
                       const struct function *function)
{
    struct err err = {0};
    struct queue_source source;
    json_int_t batch = json_integer_value(json_object_get(mapping, "BatchSize"));
    json_int_t window =
        json_integer_value(json_object_get(mapping, "MaximumBatchingWindowInSeconds"));
    if (queue_source_look(lambda->cloud->sqs, text(mapping, "EventSourceArn"), &source, &err) < 0)
        return refuse(x,
                      "Error occurred while ReceiveMessage. SQS Error Code: "
                      "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified "
                      "queue does not exist.");
    if (source.is_fifo && (batch > DEFAULT_BATCH || window > 0))
        return refuse(x, "A FIFO queue has batches of at most 10 and no batching window");
    if (batch > DEFAULT_BATCH && window < 1)
        return refuse(x, "Maximum batch window in seconds must be greater than 0 if maximum batch "
                         "size is greater than 10");
    if (source.visibility_s >= function->timeout_s)
        return 0;
    exchange_fail(x, "InvalidParameterValueException",
                  "Queue visibility timeout: %d seconds is less than Function timeout: %ld seconds",
                  source.visibility_s, function->timeout_s);
    return -1;
}

/* The function that FunctionName means, and its ARN in the mapping. */
static int take_function(struct lambda *lambda, struct exchange *x, const json_t *request,
                         json_t *mapping)
{
    struct lambda_target target;
    struct err err = {0};
    const char *name = json_string_value(json_object_get(request, "FunctionName"));
    if (lambda_resolve(lambda, name ? name : text(mapping, "FunctionArn"), NULL, &target, &err) <
        0) {
        if (err.code == ERR_NOT_FOUND)
            return refuse(x, "Function does not exist");
        lambda_fail_err(x, &err);
        return -1;
    }
    json_object_set_new(mapping, "FunctionArn", json_string(target.arn));
    int result = check_form(x, mapping) < 0 ? -1 : check_queue(lambda, x, mapping, target.function);
    lambda_release(&target);
    return result;
}

static void take_settings(json_t *mapping, const json_t *request)
{
    static const char *const fields[] = {"BatchSize", "MaximumBatchingWindowInSeconds",
                                         "FunctionResponseTypes", "ScalingConfig",
                                         "FilterCriteria"};
    const json_t *enabled = json_object_get(request, "Enabled");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *value = json_object_get(request, fields[i]);
        if (value && !json_is_null(value))
            json_object_set(mapping, fields[i], value);
    }
    if (!json_array_size(json_object_get(json_object_get(mapping, "FilterCriteria"), "Filters")))
        json_object_del(mapping, "FilterCriteria"); /* so an update takes them away */
    if (json_is_boolean(enabled))
        json_object_set_new(mapping, "State",
                            json_string(json_is_true(enabled) ? "Enabled" : "Disabled"));
    json_object_set_new(mapping, "LastModified", json_real((double)clock_unix_ms() / 1000));
    json_object_set_new(mapping, "StateTransitionReason", json_string("USER_INITIATED"));
}

static void answer(struct exchange *x, int status, const char *state, json_t *mapping)
{
    json_object_del(mapping, "Tags"); /* ListTags has them */
    if (state)
        json_object_set_new(mapping, "State", json_string(state));
    rest_reply(x, status, mapping);
}

/* The mapping of the same queue and function: a reference; NULL: there is none. */
static json_t *find_pair(struct lambda *lambda, const json_t *mapping)
{
    size_t i;
    json_t *other, *all = mappings_list(lambda->mappings), *found = NULL;
    json_array_foreach(all, i, other)
    {
        if (strcmp(text(other, "EventSourceArn"), text(mapping, "EventSourceArn")) == 0 &&
            strcmp(text(other, "FunctionArn"), text(mapping, "FunctionArn")) == 0)
            found = other;
    }
    json_incref(found);
    json_decref(all);
    return found;
}

static int check_source(struct exchange *x, const char *arn)
{
    static const char *const others[] = {":kinesis:", ":dynamodb:", ":kafka:", ":mq:", ":rds:"};
    if (strncmp(arn, "arn:aws:sqs:", 12) == 0)
        return 0;
    if (*arn && strncmp(arn, "arn:aws", 7) != 0) {
        exchange_fail(x, "ValidationException",
                      "1 validation error detected: Value '%.256s' at 'eventSourceArn' failed to "
                      "satisfy constraint: Member must satisfy regular expression pattern: "
                      "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}((-gov)|(-iso([a-z]?)))?"
                      "-[a-z]+-\\d{1})?:(\\d{12})?:(.*)",
                      arn);
        return -1;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(arn, others[i])) {
            exchange_fail(x, "InvalidParameterValueException",
                          "EventSourceArn %.256s is not supported: ken cloud has SQS queues", arn);
            return -1;
        }
    return refuse(x, "Unrecognized event source.");
}

static json_t *new_mapping(struct lambda *lambda, struct exchange *x, const json_t *request)
{
    char uuid[RANDOM_UUID_BYTES];
    const char *arn = text(request, "EventSourceArn");
    if (check_source(x, arn) < 0)
        return NULL;
    if (!json_is_string(json_object_get(request, "FunctionName"))) {
        refuse(x, "FunctionName is needed");
        return NULL;
    }
    random_uuid(uuid);
    json_t *mapping =
        json_pack("{s:s, s:s, s:i, s:i, s:[], s:s, s:o}", "UUID", uuid, "EventSourceArn", arn,
                  "BatchSize", DEFAULT_BATCH, "MaximumBatchingWindowInSeconds", 0,
                  "FunctionResponseTypes", "State", "Enabled", "EventSourceMappingArn",
                  json_sprintf("arn:aws:lambda:%s:%s:event-source-mapping:%s",
                               lambda->cloud->region, lambda->cloud->account_id, uuid));
    take_settings(mapping, request);
    if (json_object_size(json_object_get(request, "Tags")))
        json_object_set(mapping, "Tags", json_object_get(request, "Tags"));
    if (take_function(lambda, x, request, mapping) == 0)
        return mapping;
    json_decref(mapping);
    return NULL;
}

static void create(struct lambda *lambda, struct exchange *x, const json_t *request)
{
    struct err err = {0};
    json_t *mapping = new_mapping(lambda, x, request);
    if (!mapping)
        return;
    json_t *known = find_pair(lambda, mapping);
    if (known) {
        exchange_fail(x, "ResourceConflictException",
                      "An event source mapping with SQS arn (\" %.200s \") and function (\" %.200s "
                      "\") already exists. Please update or delete the existing mapping with UUID "
                      "%s",
                      text(mapping, "EventSourceArn"), text(request, "FunctionName"),
                      text(known, "UUID"));
        json_decref(known);
        json_decref(mapping);
        return;
    }
    json_t *copy = json_deep_copy(mapping);
    if (mappings_put(lambda->mappings, mapping, &err) < 0) {
        json_decref(copy);
        lambda_fail_err(x, &err);
        return;
    }
    answer(x, 202, "Creating", copy);
}

void lambda_create_mapping(void *self, struct rest_call *call)
{
    json_t *request = rest_call_body(call, "InvalidParameterValueException");
    if (request)
        create(self, call->x, request);
    json_decref(request);
}

static json_t *find(struct lambda *lambda, struct rest_call *call)
{
    json_t *mapping = mappings_get(lambda->mappings, call->parameters[0]);
    if (!mapping)
        lambda_fail_resource(call->x, "The resource you requested does not exist.");
    return mapping;
}

void lambda_get_mapping(void *self, struct rest_call *call)
{
    json_t *mapping = find(self, call);
    if (mapping)
        answer(call->x, 200, NULL, mapping);
}

/* What it is on its way to. */
static const char *changing_state(const json_t *mapping, const json_t *request)
{
    const json_t *enabled = json_object_get(request, "Enabled");
    int is_enabled = strcmp(text(mapping, "State"), "Enabled") == 0;
    if (!json_is_boolean(enabled) || json_is_true(enabled) == is_enabled)
        return "Updating";
    return is_enabled ? "Disabling" : "Enabling";
}

void lambda_update_mapping(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    struct err err = {0};
    json_t *request = rest_call_body(call, "InvalidParameterValueException");
    json_t *mapping = request ? find(lambda, call) : NULL;
    if (mapping) {
        const char *state = changing_state(mapping, request);
        take_settings(mapping, request);
        json_t *copy =
            take_function(lambda, call->x, request, mapping) == 0 ? json_deep_copy(mapping) : NULL;
        if (!copy)
            json_decref(mapping);
        else if (mappings_put(lambda->mappings, mapping, &err) == 0)
            answer(call->x, 202, state, copy);
        else {
            json_decref(copy);
            lambda_fail_err(call->x, &err);
        }
    }
    json_decref(request);
}

void lambda_delete_mapping(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    struct err err = {0};
    json_t *mapping = find(lambda, call);
    if (!mapping)
        return;
    if (mappings_remove(lambda->mappings, call->parameters[0], &err) == 0) {
        answer(call->x, 202, "Deleting", mapping);
        return;
    }
    json_decref(mapping);
    lambda_fail_err(call->x, &err);
}

void lambda_list_mappings(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    struct function_reference wanted, own;
    struct err err;
    size_t i;
    const char *queue = exchange_query(call->x, "EventSourceArn");
    const char *function = exchange_query(call->x, "FunctionName");
    json_t *mapping, *all = mappings_list(lambda->mappings), *some = json_array();
    if (function && function_read_reference(function, &wanted, &err) < 0) {
        lambda_fail_err(call->x, &err);
        json_decref(all);
        json_decref(some);
        return;
    }
    json_array_foreach(all, i, mapping)
    {
        int matches = !queue || strcmp(text(mapping, "EventSourceArn"), queue) == 0;
        if (function)
            matches = matches &&
                      function_read_reference(text(mapping, "FunctionArn"), &own, &err) == 0 &&
                      strcmp(own.name, wanted.name) == 0 &&
                      (!*wanted.qualifier || strcmp(own.qualifier, wanted.qualifier) == 0);
        json_object_del(mapping, "Tags");
        if (matches)
            json_array_append(some, mapping);
    }
    json_decref(all);
    lambda_reply_page(call->x, "EventSourceMappings", some, LIST_MAX_ITEMS);
}
