#include "cloud/lambda/service.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_POLICY_BYTES = 20480 };

/* Permissions. */

static json_t *make_principal(const char *principal, const char *account_id)
{
    if (strcmp(principal, "*") == 0)
        return json_string(principal);
    if (strstr(principal, ".amazonaws.com") || strstr(principal, ".amazon.com"))
        return json_pack("{s:s}", "Service", principal);
    if (strlen(principal) == strlen(account_id) &&
        strspn(principal, "0123456789") == strlen(account_id))
        return json_pack("{s:o}", "AWS", json_sprintf("arn:aws:iam::%s:root", principal));
    return json_pack("{s:s}", "AWS", principal);
}

/* What the request says beyond who and what, as a policy's conditions. */
static json_t *make_conditions(const json_t *request)
{
    static const struct {
        const char *member, *operator, * key;
    } known[] = {
        {"SourceArn", "ArnLike", "AWS:SourceArn"},
        {"SourceAccount", "StringEquals", "AWS:SourceAccount"},
        {"EventSourceToken", "StringEquals", "lambda:EventSourceToken"},
        {"PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"},
        {"FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"},
        {"InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"},
    };
    json_t *conditions = json_object();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        json_t *value = json_object_get(request, known[i].member);
        json_t *holder = json_object_get(conditions, known[i].operator);
        if (!value || json_is_null(value))
            continue;
        if (!holder) {
            holder = json_object();
            json_object_set_new(conditions, known[i].operator, holder);
        }
        json_object_set_new(holder, known[i].key,
                            json_is_boolean(value)
                                ? json_string(json_is_true(value) ? "true" : "false")
                                : json_incref(value));
    }
    return conditions;
}

static json_t *make_statement(const struct lambda_change *c)
{
    char arn[FUNCTION_ARN_BYTES];
    const char *principal = json_string_value(json_object_get(c->request, "Principal"));
    lambda_function_arn(c->lambda, c->name, c->qualifier, arn);
    json_t *conditions = make_conditions(c->request);
    json_t *statement = json_pack(
        "{s:O, s:s, s:o, s:O, s:s}", "Sid", json_object_get(c->request, "StatementId"), "Effect",
        "Allow", "Principal", make_principal(principal, c->lambda->cloud->account_id), "Action",
        json_object_get(c->request, "Action"), "Resource", arn);
    if (json_object_size(conditions))
        json_object_set(statement, "Condition", conditions);
    json_decref(conditions);
    return statement;
}

static size_t find_statement(const json_t *statements, const char *id)
{
    size_t at;
    json_t *statement;
    json_array_foreach(statements, at, statement)
    {
        if (strcmp(json_string_value(json_object_get(statement, "Sid")), id) == 0)
            return at;
    }
    return json_array_size(statements);
}

static json_t *policy_statements(const struct lambda_change *c)
{
    json_t *policy = lambda_part(c->record, "Policies", c->qualifier);
    if (!policy) {
        policy =
            json_pack("{s:s, s:s, s:[]}", "Version", "2012-10-17", "Id", "default", "Statement");
        lambda_set_part(c->record, "Policies", c->qualifier, policy);
    }
    return json_object_get(policy, "Statement");
}

/* A policy's RevisionId is the function's, or the alias's. */
static const json_t *revised(const json_t *record, const char *qualifier)
{
    const json_t *alias = lambda_part(record, "Aliases", qualifier);
    return alias ? alias : json_object_get(record, "Configuration");
}

static int fail_pattern(struct lambda_change *c, const char *member, const char *value,
                        const char *pattern)
{
    exchange_fail(c->x, "ValidationException",
                  "1 validation error detected: Value '%.128s' at '%s' failed to satisfy "
                  "constraint: Member must satisfy regular expression pattern: %s",
                  value, member, pattern);
    return -1;
}

static int is_word(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_";
    return *text && strlen(text) <= 100 && strspn(text, letters) == strlen(text);
}

/* Anybody, a service, an account's number, or whom an ARN names. */
static int is_principal(const char *text)
{
    return strcmp(text, "*") == 0 || strstr(text, ".amazonaws.com") ||
           strstr(text, ".amazon.com") ||
           (strlen(text) == 12 && strspn(text, "0123456789") == 12) ||
           (strncmp(text, "arn:", 4) == 0 && (strstr(text, ":iam::") || strstr(text, ":sts::")));
}

static int check_permission(struct lambda_change *c)
{
    static const char *const needed[] = {"StatementId", "Action", "Principal"};
    for (size_t i = 0; i < 3; i++)
        if (!json_is_string(json_object_get(c->request, needed[i]))) {
            exchange_fail(c->x, "InvalidParameterValueException",
                          "StatementId, Action and Principal are needed");
            return -1;
        }
    const char *action = json_string_value(json_object_get(c->request, "Action"));
    const char *id = json_string_value(json_object_get(c->request, "StatementId"));
    const char *principal = json_string_value(json_object_get(c->request, "Principal"));
    if (strncmp(action, "lambda:", 7) != 0 && strcmp(action, "*") != 0)
        return fail_pattern(c, "action", action, "(lambda:[*]|lambda:[a-zA-Z]+|[*])");
    if (!is_word(id))
        return fail_pattern(c, "statementId", id, "([a-zA-Z0-9-_]+)");
    const char *source = json_string_value(json_object_get(c->request, "SourceArn"));
    if (source && strncmp(source, "arn:aws", 7) != 0)
        return fail_pattern(c, "sourceArn", source,
                            "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}((-gov)|(-iso([a-z]?"
                            ")))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)");
    if (!is_principal(principal)) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "The provided principal was invalid. Please check the principal and try "
                      "again.");
        return -1;
    }
    if (strcmp(c->qualifier, "$LATEST") == 0) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "We currently do not support adding policies for $LATEST.");
        return -1;
    }
    if (lambda_check_qualifier(c) < 0)
        return -1;
    return lambda_revision_matches(c->x, revised(c->record, c->qualifier), c->request) ? 0 : -1;
}

static int add_permission(struct lambda_change *c)
{
    if (check_permission(c) < 0)
        return -1;
    const char *id = json_string_value(json_object_get(c->request, "StatementId"));
    json_t *statements = policy_statements(c);
    if (find_statement(statements, id) < json_array_size(statements)) {
        exchange_fail(c->x, "ResourceConflictException",
                      "The statement id (%s) provided already exists. Please provide a new "
                      "statement id, or remove the existing statement.",
                      id);
        return -1;
    }
    json_t *statement = make_statement(c);
    char *text = json_dumps(statement, JSON_COMPACT);
    json_array_append_new(statements, statement);
    c->status = 201;
    c->reply = json_pack("{s:s}", "Statement", text ? text : "");
    free(text);
    if (json_dumpb(lambda_part(c->record, "Policies", c->qualifier), NULL, 0, JSON_COMPACT) <=
        MAX_POLICY_BYTES)
        return 0;
    exchange_fail_status(c->x, 400, "PolicyLengthExceededException",
                         "The final policy size is bigger than the limit of 20480 bytes.");
    return -1;
}

static int remove_permission(struct lambda_change *c)
{
    json_t *statements = policy_statements(c);
    size_t at = find_statement(statements, c->call->parameters[1]);
    const char *revision = exchange_query(c->x, "RevisionId");
    if (revision)
        json_object_set_new(c->request, "RevisionId", json_string(revision));
    if (lambda_check_qualifier(c) < 0)
        return -1;
    if (at == json_array_size(statements)) {
        char arn[FUNCTION_ARN_BYTES];
        lambda_function_arn(c->lambda, c->name, c->qualifier, arn);
        lambda_fail_resource(c->x, arena_printf(&c->x->arena,
                                                at ? "Statement %s is not found in resource policy."
                                                   : "No policy is found for: %s",
                                                at ? c->call->parameters[1] : arn));
        return -1;
    }
    json_array_remove(statements, at);
    return lambda_revision_matches(c->x, revised(c->record, c->qualifier), c->request) ? 0 : -1;
}

void lambda_add_permission(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, add_permission);
}

void lambda_remove_permission(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, remove_permission);
}

void lambda_get_policy(void *self, struct rest_call *call)
{
    struct lambda_target target;
    if (lambda_open(self, call, &target) < 0)
        return;
    const json_t *record = target.latest->record;
    const json_t *policy = lambda_part(record, "Policies", target.qualifier);
    char *text = json_array_size(json_object_get(policy, "Statement"))
                     ? json_dumps(policy, JSON_COMPACT)
                     : NULL;
    if (text)
        rest_reply(call->x, 200,
                   json_pack("{s:s, s:O*}", "Policy", text, "RevisionId",
                             json_object_get(revised(record, target.qualifier), "RevisionId")));
    else
        lambda_fail_resource(call->x, "The resource you requested does not exist.");
    free(text);
    lambda_release(&target);
}

/* Concurrency */

/* What all functions but `name` have reserved of the instances. */
static json_int_t reserved_by_others(struct lambda *lambda, const char *name)
{
    size_t count;
    json_int_t reserved = 0;
    struct function **list = registry_list(lambda->registry, &count);
    for (size_t i = 0; i < count; i++) {
        if (function_is_latest(list[i]) && list[i]->reserved > 0 &&
            strcmp(list[i]->name, name) != 0)
            reserved += list[i]->reserved;
        function_release(list[i]);
    }
    free(list);
    return reserved;
}

/* The provisioned instances are taken from those that are reserved. */
static json_int_t provisioned_by(const json_t *record)
{
    const char *qualifier;
    json_t *settings;
    json_int_t all = 0;
    json_object_foreach(json_object_get(record, "Provisioned"), qualifier, settings)
    {
        all += json_integer_value(json_object_get(settings, "Requested"));
    }
    return all;
}

static int check_reserved(struct lambda_change *c, json_int_t count)
{
    json_int_t provisioned = provisioned_by(c->record);
    if (count > MANAGER_MAX_INSTANCES || reserved_by_others(c->lambda, c->name) + count >
                                             MANAGER_MAX_INSTANCES - MANAGER_UNRESERVED_INSTANCES)
        exchange_fail(c->x, "InvalidParameterValueException",
                      "Specified ReservedConcurrentExecutions for function decreases account's "
                      "UnreservedConcurrentExecution below its minimum value of [%d].",
                      MANAGER_UNRESERVED_INSTANCES);
    else if (provisioned > count)
        exchange_fail(c->x, "InvalidParameterValueException",
                      " ReservedConcurrentExecutions  %lld should not be lower than function's "
                      "total provisioned concurrency [%lld].",
                      (long long)count, (long long)provisioned);
    else
        return 0;
    return -1;
}

static int put_concurrency(struct lambda_change *c)
{
    json_t *value = json_object_get(c->request, "ReservedConcurrentExecutions");
    json_int_t count = json_integer_value(value);
    if (!json_is_integer(value) || count < 0) {
        exchange_fail(c->x, "ValidationException",
                      "1 validation error detected: Value '%lld' at 'reservedConcurrentExecutions' "
                      "failed to satisfy constraint: Member must have value greater than or equal "
                      "to 0",
                      (long long)count);
        return -1;
    }
    if (*c->qualifier) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "This operation is permitted on Lambda functions only. Aliases and versions "
                      "do not support this operation. Please specify either a function name or an "
                      "unqualified function ARN.");
        return -1;
    }
    if (check_reserved(c, count) < 0)
        return -1;
    json_object_set(c->record, "ReservedConcurrency", value);
    c->reply = json_pack("{s:O}", "ReservedConcurrentExecutions", value);
    return 0;
}

void lambda_put_concurrency(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, put_concurrency);
}

static int delete_concurrency(struct lambda_change *c)
{
    json_object_del(c->record, "ReservedConcurrency");
    return 0;
}

void lambda_delete_concurrency(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, delete_concurrency);
}

void lambda_get_concurrency(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (!function)
        return;
    json_t *reply = json_object();
    if (function->reserved >= 0)
        json_object_set_new(reply, "ReservedConcurrentExecutions",
                            json_integer(function->reserved));
    rest_reply(call->x, 200, reply);
    function_release(function);
}

/* GetAccountSettings */

void lambda_account_settings(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    size_t count;
    json_int_t reserved = 0, functions = 0, bytes = 0;
    struct function **list = registry_list(lambda->registry, &count);
    for (size_t i = 0; i < count; i++) {
        functions += function_is_latest(list[i]);
        reserved += list[i]->reserved > 0 ? list[i]->reserved : 0;
        bytes += json_integer_value(json_object_get(list[i]->configuration, "CodeSize"));
        function_release(list[i]);
    }
    free(list);
    json_int_t unreserved = reserved < MANAGER_MAX_INSTANCES ? MANAGER_MAX_INSTANCES - reserved : 0;
    rest_reply(call->x, 200,
               json_pack("{s:{s:I, s:I, s:I, s:i, s:I}, s:{s:I, s:I}}", "AccountLimit",
                         "TotalCodeSize", (json_int_t)80530636800, "CodeSizeUnzipped",
                         (json_int_t)262144000, "CodeSizeZipped", (json_int_t)52428800,
                         "ConcurrentExecutions", MANAGER_MAX_INSTANCES,
                         "UnreservedConcurrentExecutions", unreserved, "AccountUsage",
                         "TotalCodeSize", bytes, "FunctionCount", functions));
}
