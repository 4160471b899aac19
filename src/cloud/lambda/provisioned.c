#include "base/clock.h"
#include "cloud/lambda/configuration.h"
#include "cloud/lambda/service.h"

#include <stdlib.h>
#include <string.h>

/* Provisioned concurrency: instances of a published version that are started before anybody asks.
 * record["Provisioned"][QUALIFIER] is {"Requested": n, "LastModified": text}. */

enum { LIST_MAX_ITEMS = 50 };

static json_int_t requested_of(const json_t *settings)
{
    return json_integer_value(json_object_get(settings, "Requested"));
}

/* The version that a version or alias stands for, without lot. */
static const char *version_of(const json_t *record, const char *qualifier)
{
    if (function_qualifier_is_version(qualifier))
        return qualifier;
    const json_t *alias = lambda_part(record, "Aliases", qualifier);
    return json_string_value(json_object_get(alias, "FunctionVersion"));
}

static json_int_t wanted_of(const json_t *record, const char *version)
{
    const char *qualifier;
    json_t *settings;
    json_int_t wanted = 0;
    json_object_foreach(json_object_get(record, "Provisioned"), qualifier, settings)
    {
        const char *own = version_of(record, qualifier);
        if (own && (!version || strcmp(own, version) == 0))
            wanted += requested_of(settings);
    }
    return wanted;
}

void lambda_provision(struct lambda *lambda, const struct function *latest)
{
    size_t count;
    if (!json_object_get(latest->record, "Provisioned"))
        return;
    struct function **list = registry_list(lambda->registry, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->name, latest->name) == 0 && !function_is_latest(list[i]))
            manager_provision(lambda->manager, list[i],
                              (size_t)wanted_of(latest->record, list[i]->version));
        function_release(list[i]);
    }
    free(list);
}

void lambda_provision_all(struct lambda *lambda)
{
    size_t count;
    struct function **list = registry_list(lambda->registry, &count);
    for (size_t i = 0; i < count; i++) {
        if (function_is_latest(list[i]))
            lambda_provision(lambda, list[i]);
        function_release(list[i]);
    }
    free(list);
}

static json_t *show(struct lambda *lambda, const char *name, const json_t *record,
                    const char *qualifier)
{
    const json_t *settings = lambda_part(record, "Provisioned", qualifier);
    const char *version = version_of(record, qualifier);
    json_int_t requested = requested_of(settings), ready = 0;
    struct function *function =
        version ? registry_find_version(lambda->registry, name, version) : NULL;
    int failed = function && atomic_load(&function->init_failed);
    if (function)
        ready = atomic_load(&function->ready);
    function_release(function);
    ready = ready < requested ? ready : requested;
    const char *status = ready == requested ? "READY" : failed ? "FAILED" : "IN_PROGRESS";
    json_t *reply =
        json_pack("{s:I, s:I, s:I, s:s, s:O}", "RequestedProvisionedConcurrentExecutions",
                  requested, "AvailableProvisionedConcurrentExecutions", ready,
                  "AllocatedProvisionedConcurrentExecutions", ready, "Status", status,
                  "LastModified", json_object_get(settings, "LastModified"));
    if (strcmp(status, "FAILED") == 0)
        json_object_set_new(reply, "StatusReason", json_string("FUNCTION_ERROR_INIT_FAILURE"));
    return reply;
}

/* The change has been made in the record. */
static int check_amounts(struct lambda_change *c)
{
    const json_t *reserved = json_object_get(c->record, "ReservedConcurrency");
    json_int_t all = wanted_of(c->record, NULL);
    if (json_is_integer(reserved) && all > json_integer_value(reserved)) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "Requested Provisioned Concurrency should not be greater than the "
                      "reservedConcurrentExecution for function");
        return -1;
    }
    if (all > MANAGER_MAX_INSTANCES)
        exchange_fail(c->x, "InvalidParameterValueException",
                      "Specified ConcurrentExecutions for function is greater than account's "
                      "unreserved concurrency [%d].",
                      MANAGER_MAX_INSTANCES);
    else if (all > MANAGER_MAX_INSTANCES - MANAGER_UNRESERVED_INSTANCES)
        exchange_fail(c->x, "InvalidParameterValueException",
                      "Specified ConcurrentExecutions for function decreases account's "
                      "UnreservedConcurrentExecution below its minimum value of [%d].",
                      MANAGER_UNRESERVED_INSTANCES);
    else
        return 0;
    return -1;
}

static int check_version(struct lambda_change *c)
{
    const char *other, *version;
    json_t *settings;
    if (lambda_check_qualifier(c) < 0)
        return -1;
    version = *c->qualifier ? version_of(c->record, c->qualifier) : NULL;
    if (!version || strcmp(version, "$LATEST") == 0) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "Provisioned Concurrency Configs cannot be applied to unpublished function "
                      "versions.");
        return -1;
    }
    json_object_foreach(json_object_get(c->record, "Provisioned"), other, settings)
    {
        const char *others = version_of(c->record, other);
        if (strcmp(other, c->qualifier) == 0 || !others || strcmp(others, version) != 0)
            continue;
        exchange_fail(c->x, "ResourceConflictException", "%s",
                      function_qualifier_is_version(c->qualifier)
                          ? "Version is pointed by a Provisioned Concurrency alias"
                          : "Alias can't be used for Provisioned Concurrency configuration on an "
                            "already Provisioned version");
        return -1;
    }
    return 0;
}

static int put(struct lambda_change *c)
{
    const json_t *value = json_object_get(c->request, "ProvisionedConcurrentExecutions");
    char time[CONFIGURATION_TIME_BYTES];
    if (!json_is_integer(value) || json_integer_value(value) < 1) {
        exchange_fail(c->x, "ValidationException",
                      "1 validation error detected: Value '%lld' at "
                      "'provisionedConcurrentExecutions' failed to satisfy constraint: Member must "
                      "have value greater than or equal to 1",
                      (long long)json_integer_value(value));
        return -1;
    }
    if (check_version(c) < 0)
        return -1;
    configuration_time(time);
    lambda_set_part(
        c->record, "Provisioned", c->qualifier,
        json_pack("{s:I, s:s}", "Requested", json_integer_value(value), "LastModified", time));
    if (check_amounts(c) < 0)
        return -1;
    c->status = 202;
    c->reply = show(c->lambda, c->name, c->record, c->qualifier);
    return 0;
}

static void fail_absent(struct exchange *x)
{
    exchange_fail_status(x, 404, "ProvisionedConcurrencyConfigNotFoundException",
                         "No Provisioned Concurrency Config found for this function");
}

/* Only a version or alias can have them. */
static int is_published(struct exchange *x, const char *qualifier)
{
    if (*qualifier && strcmp(qualifier, "$LATEST") != 0)
        return 1;
    exchange_fail(x, "InvalidParameterValueException",
                  "The function resource provided must be an alias or a published version.");
    return 0;
}

/* One without any is as it should be. */
static int delete (struct lambda_change *c)
{
    if (!is_published(c->x, c->qualifier) || lambda_check_qualifier(c) < 0)
        return -1;
    json_object_del(json_object_get(c->record, "Provisioned"), c->qualifier);
    return 0;
}

void lambda_put_provisioned(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, put);
}

void lambda_delete_provisioned(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, delete);
}

static void list(struct lambda *lambda, struct rest_call *call, const struct function *function)
{
    const char *qualifier;
    json_t *settings, *items = json_array();
    json_object_foreach(json_object_get(function->record, "Provisioned"), qualifier, settings)
    {
        char arn[FUNCTION_ARN_BYTES];
        json_t *item = show(lambda, function->name, function->record, qualifier);
        lambda_function_arn(lambda, function->name, qualifier, arn);
        json_object_set_new(item, "FunctionArn", json_string(arn));
        json_array_append_new(items, item);
    }
    lambda_reply_page(call->x, "ProvisionedConcurrencyConfigs", items, LIST_MAX_ITEMS);
}

void lambda_get_provisioned(void *self, struct rest_call *call)
{
    struct lambda_target target;
    const char *all = exchange_query(call->x, "List");
    if (lambda_open(self, call, &target) < 0)
        return;
    if (all && strcmp(all, "ALL") == 0)
        list(self, call, target.latest);
    else if (!is_published(call->x, target.qualifier))
        ;
    else if (lambda_part(target.latest->record, "Provisioned", target.qualifier))
        rest_reply(call->x, 200,
                   show(self, target.latest->name, target.latest->record, target.qualifier));
    else
        fail_absent(call->x);
    lambda_release(&target);
}
