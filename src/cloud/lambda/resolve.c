#include "cloud/lambda/service.h"
#include "cloud/wire.h"

#include <stdio.h>
#include <string.h>

/* Which function, and which version of it, is meant. */

void lambda_function_arn(const struct lambda *lambda, const char *name, const char *qualifier,
                         char arn[FUNCTION_ARN_BYTES])
{
    snprintf(arn, FUNCTION_ARN_BYTES, "arn:aws:lambda:%.32s:%s:function:%.64s%s%.128s",
             lambda->cloud->region, lambda->cloud->account_id, name, *qualifier ? ":" : "",
             qualifier);
}

static int find_function(struct lambda *lambda, const char *name, struct lambda_target *out)
{
    const char *version = out->qualifier;
    out->latest = registry_find(lambda->registry, name);
    if (!out->latest)
        return -1;
    if (!*version || strcmp(version, "$LATEST") == 0) {
        out->function = function_hold(out->latest);
        return 0;
    }
    if (!function_qualifier_is_version(version))
        version = lambda_alias_version(out->latest->record, version);
    if (version && strcmp(version, "$LATEST") == 0)
        out->function = function_hold(out->latest);
    else if (version)
        out->function = registry_find_version(lambda->registry, name, version);
    return out->function ? 0 : -1;
}

static int read_reference(const char *text, const char *qualifier, struct function_reference *out,
                          struct err *err)
{
    if (function_read_reference(text, out, err) < 0)
        return -1;
    if (!qualifier || !*qualifier)
        return 0;
    if (!function_qualifier_is_valid(qualifier))
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '%.128s' at 'qualifier' failed to "
                       "satisfy constraint: Member must satisfy regular expression pattern: "
                       "(|[a-zA-Z0-9$_-]+)",
                       qualifier);
    if (*out->qualifier && strcmp(out->qualifier, qualifier) != 0)
        return err_set(err, ERR_INVALID,
                       "The derived qualifier from the function name does not match the specified "
                       "qualifier.");
    snprintf(out->qualifier, sizeof out->qualifier, "%s", qualifier);
    return 0;
}

int lambda_is_foreign(const struct function_reference *reference, const char *account_id)
{
    return *reference->account && strcmp(reference->account, account_id) != 0;
}

int lambda_resolve(struct lambda *lambda, const char *text, const char *qualifier,
                   struct lambda_target *out, struct err *err)
{
    struct function_reference reference;
    *out = (struct lambda_target){0};
    if (read_reference(text, qualifier, &reference, err) < 0)
        return -1;
    if (lambda_is_foreign(&reference, lambda->cloud->account_id))
        return err_set(err, ERR_NOT_FOUND, "Function not found: %.256s", text);
    snprintf(out->qualifier, sizeof out->qualifier, "%s", reference.qualifier);
    lambda_function_arn(lambda, reference.name, reference.qualifier, out->arn);
    if (find_function(lambda, reference.name, out) == 0)
        return 0;
    lambda_release(out);
    return err_set(err, ERR_NOT_FOUND, "Function not found: %s", out->arn);
}

void lambda_release(struct lambda_target *target)
{
    function_release(target->latest);
    function_release(target->function);
    target->latest = target->function = NULL;
}

/* -- what is said of a name that means no function -- */

/* Operations that tell of it in words of their own; `after` NULL: without the ARN. */
static const struct absence {
    const char *operations, *before, *after;
    int with_latest; /* an ARN without a qualifier gets $LATEST */
} absences[] = {
    {"CreateFunctionUrlConfig UpdateFunctionUrlConfig ListFunctionUrlConfigs",
     "Function does not exist", NULL, 0},
    {"GetFunctionUrlConfig DeleteFunctionUrlConfig", "The resource you requested does not exist.",
     NULL, 0},
    {"PutFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig ListFunctionEventInvokeConfigs",
     "The function doesn't exist.", NULL, 0},
    {"GetFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig", "The function ",
     " doesn't have an EventInvokeConfig", 1},
    {"PutFunctionConcurrency", "Function not found: ", "", 1},
    {"RemovePermission", "No policy is found for: ", "", 0},
};
static const struct absence usual_absence = {"", "Function not found: ", "", 0};
static const struct absence alias_absence = {"", "Cannot find alias arn: ", "", 0};
static const char alias_operations[] =
    "AddPermission RemovePermission PutProvisionedConcurrencyConfig "
    "GetProvisionedConcurrencyConfig DeleteProvisionedConcurrencyConfig";

static const struct absence *absence_of(const char *operation, const char *qualifier)
{
    int removes = strcmp(operation, "RemovePermission") == 0;
    for (size_t i = 0; i < sizeof absences / sizeof *absences; i++)
        if (wire_has_word(absences[i].operations, operation) && !(removes && *qualifier))
            return &absences[i];
    int is_alias = *qualifier && strcmp(qualifier, "$LATEST") != 0 &&
                   !function_qualifier_is_version(qualifier);
    return is_alias && wire_has_word(alias_operations, operation) ? &alias_absence : &usual_absence;
}

static void fail_absent(struct lambda *lambda, struct rest_call *call, const char *name,
                        const char *qualifier)
{
    char arn[FUNCTION_ARN_BYTES];
    const struct absence *absence = absence_of(call->operation->name, qualifier);
    lambda_function_arn(lambda, name, *qualifier || !absence->with_latest ? qualifier : "$LATEST",
                        arn);
    lambda_fail_resource(
        call->x, absence->after
                     ? arena_printf(&call->x->arena, "%s%s%s", absence->before, arn, absence->after)
                     : absence->before);
}

/* The text cannot be read as a name. */
static void fail_name(struct lambda *lambda, struct rest_call *call, const char *text,
                      const struct err *err)
{
    enum { MAX_CHANGE_BYTES = 140, MAX_BYTES = 170 };
    const char *operation = call->operation->name;
    int creates = strcmp(operation, "CreateFunction") == 0;
    size_t most =
        creates || strcmp(operation, "DeleteFunction") == 0 ? MAX_CHANGE_BYTES : MAX_BYTES;
    if (err->code != ERR_TOO_BIG || (creates && !strchr(text, ':')))
        lambda_fail_err(call->x, err);
    else if (strlen(text) > most)
        exchange_fail(call->x, "ValidationException",
                      "1 validation error detected: Value '%.1024s' at 'functionName' failed to "
                      "satisfy constraint: Member must have length less than or equal to %zu",
                      text, most);
    else if (creates)
        lambda_fail_err(call->x, err);
    else
        fail_absent(lambda, call, text, "");
}

/* A function is where it was made: an ARN of another region than the request's (or the cloud's own,
 * which answers everywhere) means none. -1: the error is answered. */
static int check_region(const struct lambda *lambda, struct rest_call *call, const char *region)
{
    if (!*region || strcmp(region, lambda->cloud->region) == 0 ||
        strcmp(region, call->x->region) == 0)
        return 0;
    lambda_fail_resource(call->x,
                         arena_printf(&call->x->arena,
                                      "Functions from '%s' are not reachable in this region ('%s')",
                                      region, call->x->region));
    return -1;
}

/* `text` and ?Qualifier. -1: the error is answered. */
static int read_called(struct lambda *lambda, struct rest_call *call, const char *text,
                       struct function_reference *out)
{
    struct err err = {0};
    if (read_reference(text, exchange_query(call->x, "Qualifier"), out, &err) == 0)
        return check_region(lambda, call, out->region);
    fail_name(lambda, call, text, &err);
    return -1;
}

int lambda_open(struct lambda *lambda, struct rest_call *call, struct lambda_target *out)
{
    struct err err = {0};
    struct function_reference reference;
    const char *qualifier = exchange_query(call->x, "Qualifier");
    if (lambda_resolve(lambda, call->parameters[0], qualifier, out, &err) == 0 &&
        !strchr(call->parameters[0], ':'))
        return 0;
    if (read_called(lambda, call, call->parameters[0], &reference) < 0) {
        lambda_release(out);
        return -1;
    }
    if (!err.code)
        return 0;
    if (err.code == ERR_NOT_FOUND && !lambda_is_foreign(&reference, lambda->cloud->account_id))
        fail_absent(lambda, call, reference.name, reference.qualifier);
    else
        lambda_fail_err(call->x, &err);
    return -1;
}

int lambda_read_name(struct lambda *lambda, struct rest_call *call, const char *text,
                     char name[FUNCTION_NAME_BYTES])
{
    struct err err = {0};
    struct function_reference reference;
    int result = 0;
    if (read_called(lambda, call, text, &reference) < 0)
        return -1;
    if (lambda_is_foreign(&reference, call->x->identity.account_id))
        result = err_set(&err, ERR_NOT_FOUND, "Function not found: %.256s", text);
    else if (*reference.qualifier && strcmp(call->operation->name, "CreateFunction") == 0)
        result = function_refuse_name(text, &err);
    else if (*reference.qualifier && strcmp(reference.qualifier, "$LATEST") != 0)
        result = err_set(&err, ERR_INVALID,
                         "This operation is permitted on Lambda functions only. Aliases and "
                         "versions do not support this operation. Please specify either a function "
                         "name or an unqualified function ARN.");
    if (result < 0)
        lambda_fail_err(call->x, &err);
    else
        snprintf(name, FUNCTION_NAME_BYTES, "%s", reference.name);
    return result;
}

struct function *lambda_find(struct lambda *lambda, struct rest_call *call)
{
    char name[FUNCTION_NAME_BYTES];
    if (lambda_read_name(lambda, call, call->parameters[0], name) < 0)
        return NULL;
    struct function *function = registry_find(lambda->registry, name);
    if (!function)
        fail_absent(lambda, call, name, "");
    return function;
}

/* Changes. */

json_t *lambda_part(const json_t *record, const char *field, const char *qualifier)
{
    return json_object_get(json_object_get(record, field), *qualifier ? qualifier : "$LATEST");
}

void lambda_set_part(json_t *record, const char *field, const char *qualifier, json_t *value)
{
    json_t *parts = json_object_get(record, field);
    if (!parts) {
        parts = json_object();
        json_object_set_new(record, field, parts);
    }
    json_object_set_new(parts, *qualifier ? qualifier : "$LATEST", value);
}

int lambda_check_qualifier(struct lambda_change *c)
{
    if (!*c->qualifier || strcmp(c->qualifier, "$LATEST") == 0)
        return 0;
    struct function *version = NULL;
    int found = 0;
    if (function_qualifier_is_version(c->qualifier)) {
        version = registry_find_version(c->lambda->registry, c->name, c->qualifier);
        found = version != NULL;
    } else {
        found = lambda_part(c->record, "Aliases", c->qualifier) != NULL;
    }
    function_release(version);
    if (found)
        return 0;
    fail_absent(c->lambda, c->call, c->name, c->qualifier);
    return -1;
}

static void make_change(struct lambda_change *c, lambda_changer *make)
{
    struct function *function = NULL;
    registry_begin_change(c->lambda->registry);
    struct function *present = registry_find(c->lambda->registry, c->name);
    if (present)
        c->record = lambda_open_record(c->lambda, c->x, c->name);
    else
        fail_absent(c->lambda, c->call, c->name, c->qualifier);
    function_release(present);
    if (c->record && make(c) == 0) {
        function = lambda_store_record(c->lambda, c->x, json_incref(c->record), NULL);
        if (function)
            lambda_provision(c->lambda, function);
    }
    registry_end_change(c->lambda->registry);
    json_decref(c->record);
    if (function && c->reply)
        rest_reply(c->x, c->status ? c->status : 200, json_incref(c->reply));
    else if (function)
        exchange_respond(c->x, c->status ? c->status : 204, NULL, NULL, 0);
    function_release(function);
}

void lambda_run_change(struct lambda *lambda, struct rest_call *call, lambda_changer *make)
{
    struct function_reference reference;
    struct lambda_change change = {.lambda = lambda, .call = call, .x = call->x};
    if (read_called(lambda, call, call->parameters[0], &reference) < 0)
        return;
    snprintf(change.name, sizeof change.name, "%s", reference.name);
    snprintf(change.qualifier, sizeof change.qualifier, "%s", reference.qualifier);
    change.request = rest_call_body(call, "InvalidParameterValueException");
    if (change.request)
        make_change(&change, make);
    json_decref(change.request);
    json_decref(change.reply);
}
