#include "cloud/lambda/service.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_POLICY_BYTES = 20480, MAX_TAGS = 50 };

/* A change of the record that needs nothing but the call. Returns -1 when it answered an error. */
typedef int change(struct lambda *lambda, struct rest_call *call, json_t *record, json_t *request);

/* Runs `make` on a copy of the record and stores it. The answer has the field `reply_field` of the
 * request, which `make` may have set; NULL: an empty 204. */
static void change_record(struct lambda *lambda, struct rest_call *call, change *make, int status,
                          const char *reply_field)
{
    char name[FUNCTION_NAME_BYTES];
    if (lambda_read_name(call, call->parameters[0], name) < 0)
        return;
    json_t *request = rest_body(call->x);
    if (!request)
        return;
    struct function *function = NULL;
    registry_begin_change(lambda->registry);
    json_t *record = lambda_open_record(lambda, call->x, name);
    if (record && make(lambda, call, record, request) == 0)
        function = lambda_store_record(lambda, call->x, record, NULL);
    else
        json_decref(record);
    registry_end_change(lambda->registry);
    if (function && reply_field)
        rest_reply(call->x, status,
                   json_pack("{s:O}", reply_field, json_object_get(request, reply_field)));
    else if (function)
        exchange_respond(call->x, status, NULL, NULL, 0);
    function_release(function);
    json_decref(request);
}

/* Permissions: kept and shown; who signs as the administrator may do everything anyway. */

static json_t *make_statement(const json_t *record, const json_t *request)
{
    const char *principal = json_string_value(json_object_get(request, "Principal"));
    const char *arn =
        json_string_value(json_object_get(json_object_get(record, "Configuration"), "FunctionArn"));
    int is_service = principal && strstr(principal, ".amazonaws.com");
    json_t *statement =
        json_pack("{s:O*, s:s, s:o, s:O*, s:s}", "Sid", json_object_get(request, "StatementId"),
                  "Effect", "Allow", "Principal",
                  is_service ? json_pack("{s:s}", "Service", principal)
                             : json_pack("{s:s}", "AWS", principal ? principal : "*"),
                  "Action", json_object_get(request, "Action"), "Resource", arn);
    json_t *source = json_object_get(request, "SourceArn");
    json_t *account = json_object_get(request, "SourceAccount");
    json_t *condition = json_object();
    if (source)
        json_object_set_new(condition, "ArnLike", json_pack("{s:O}", "AWS:SourceArn", source));
    if (account)
        json_object_set_new(condition, "StringEquals",
                            json_pack("{s:O}", "AWS:SourceAccount", account));
    if (json_object_size(condition))
        json_object_set(statement, "Condition", condition);
    json_decref(condition);
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

static json_t *policy_statements(json_t *record)
{
    json_t *policy = json_object_get(record, "Policy");
    if (!policy) {
        policy =
            json_pack("{s:s, s:s, s:[]}", "Version", "2012-10-17", "Id", "default", "Statement");
        json_object_set_new(record, "Policy", policy);
    }
    return json_object_get(policy, "Statement");
}

static int check_policy(struct rest_call *call, const json_t *policy)
{
    if (json_dumpb(policy, NULL, 0, JSON_COMPACT) <= MAX_POLICY_BYTES)
        return 0;
    exchange_fail_status(call->x, 400, "PolicyLengthExceededException",
                         "The final policy size is bigger than the limit of 20480 bytes.");
    return -1;
}

static int add_permission(struct lambda *lambda, struct rest_call *call, json_t *record,
                          json_t *request)
{
    (void)lambda;
    const char *id = json_string_value(json_object_get(request, "StatementId"));
    if (!id || !json_is_string(json_object_get(request, "Action")) ||
        !json_is_string(json_object_get(request, "Principal"))) {
        exchange_fail(call->x, "InvalidParameterValueException",
                      "StatementId, Action and Principal are needed");
        return -1;
    }
    json_t *statements = policy_statements(record);
    if (find_statement(statements, id) < json_array_size(statements)) {
        exchange_fail(call->x, "ResourceConflictException",
                      "The statement id (%s) provided already exists. Please provide a new "
                      "statement id, or remove the existing statement.",
                      id);
        return -1;
    }
    json_t *statement = make_statement(record, request);
    char *text = json_dumps(statement, JSON_COMPACT);
    json_array_append_new(statements, statement);
    json_object_set_new(request, "Statement", json_string(text));
    free(text);
    return check_policy(call, json_object_get(record, "Policy"));
}

static void fail_no_resource(struct exchange *x)
{
    exchange_fail_status(x, 404, "ResourceNotFoundException",
                         "The resource you requested does not exist.");
}

static int remove_permission(struct lambda *lambda, struct rest_call *call, json_t *record,
                             json_t *request)
{
    (void)lambda, (void)request;
    json_t *statements = policy_statements(record);
    size_t at = find_statement(statements, call->parameters[1]);
    if (at == json_array_size(statements)) {
        fail_no_resource(call->x);
        return -1;
    }
    json_array_remove(statements, at);
    return 0;
}

void lambda_add_permission(void *self, struct rest_call *call)
{
    change_record(self, call, add_permission, 201, "Statement");
}

void lambda_remove_permission(void *self, struct rest_call *call)
{
    change_record(self, call, remove_permission, 204, NULL);
}

void lambda_get_policy(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (!function)
        return;
    json_t *policy = json_object_get(function->record, "Policy");
    char *text = json_array_size(json_object_get(policy, "Statement"))
                     ? json_dumps(policy, JSON_COMPACT)
                     : NULL;
    if (text)
        rest_reply(call->x, 200,
                   json_pack("{s:s, s:O*}", "Policy", text, "RevisionId",
                             json_object_get(function->configuration, "RevisionId")));
    else
        fail_no_resource(call->x);
    free(text);
    function_release(function);
}

/* Concurrency */

static int put_concurrency(struct lambda *lambda, struct rest_call *call, json_t *record,
                           json_t *request)
{
    (void)lambda;
    json_t *value = json_object_get(request, "ReservedConcurrentExecutions");
    json_int_t count = json_integer_value(value);
    if (!json_is_integer(value) || count < 0 || count > MANAGER_MAX_INSTANCES) {
        exchange_fail(call->x, "InvalidParameterValueException",
                      "ReservedConcurrentExecutions is a number from 0 to %d",
                      MANAGER_MAX_INSTANCES);
        return -1;
    }
    json_object_set(record, "ReservedConcurrency", value);
    return 0;
}

void lambda_put_concurrency(void *self, struct rest_call *call)
{
    change_record(self, call, put_concurrency, 200, "ReservedConcurrentExecutions");
}

static int delete_concurrency(struct lambda *lambda, struct rest_call *call, json_t *record,
                              json_t *request)
{
    (void)lambda, (void)call, (void)request;
    json_object_del(record, "ReservedConcurrency");
    return 0;
}

void lambda_delete_concurrency(void *self, struct rest_call *call)
{
    change_record(self, call, delete_concurrency, 204, NULL);
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

/* Tags */

static int are_texts(const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!json_is_string(value))
            return 0;
    }
    return json_is_object(object);
}

static int tag(struct lambda *lambda, struct rest_call *call, json_t *record, json_t *request)
{
    (void)lambda;
    json_t *given = json_object_get(request, "Tags"), *tags = json_object_get(record, "Tags");
    if (!tags) {
        tags = json_object();
        json_object_set_new(record, "Tags", tags);
    }
    if (!are_texts(given) || json_object_update(tags, given) < 0 ||
        json_object_size(tags) > MAX_TAGS) {
        exchange_fail(call->x, "InvalidParameterValueException",
                      "Tags is an object of at most %d texts", MAX_TAGS);
        return -1;
    }
    return 0;
}

static int untag(struct lambda *lambda, struct rest_call *call, json_t *record, json_t *request)
{
    (void)lambda, (void)request;
    const char *key = exchange_query(call->x, "tagKeys");
    if (key)
        json_object_del(json_object_get(record, "Tags"), key);
    return 0;
}

void lambda_tag(void *self, struct rest_call *call)
{
    change_record(self, call, tag, 204, NULL);
}

void lambda_untag(void *self, struct rest_call *call)
{
    change_record(self, call, untag, 204, NULL);
}

void lambda_list_tags(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (!function)
        return;
    json_t *tags = json_object_get(function->record, "Tags");
    rest_reply(call->x, 200, json_pack("{s:o}", "Tags", tags ? json_incref(tags) : json_object()));
    function_release(function);
}
