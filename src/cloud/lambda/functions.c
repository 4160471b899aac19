#include "cloud/lambda/configuration.h"
#include "cloud/lambda/service.h"
#include "cloud/lambda/zip.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX_ITEMS = 50 };

/* Code */

struct zip_bytes {
    unsigned char *data;
    size_t size;
};

static int decode_base64(const char *text, size_t size, struct zip_bytes *out, struct err *err)
{
    if (size == 0 || size % 4 != 0 || size / 4 * 3 > ZIP_MAX_BYTES + 2)
        return err_set(err, size / 4 * 3 > ZIP_MAX_BYTES ? ERR_TOO_BIG : ERR_INVALID,
                       size / 4 * 3 > ZIP_MAX_BYTES
                           ? "The zip is larger than 52428800 bytes"
                           : "Could not unzip uploaded file. ZipFile is not base64");
    out->data = malloc(size / 4 * 3);
    int decoded =
        out->data ? EVP_DecodeBlock(out->data, (const unsigned char *)text, (int)size) : -1;
    if (decoded < 0) {
        free(out->data);
        return err_set(err, ERR_INVALID, "Could not unzip uploaded file. ZipFile is not base64");
    }
    out->size = (size_t)decoded - (text[size - 1] == '=') - (text[size - 2] == '=');
    return 0;
}

/* `code` is the "Code" of CreateFunction, or the whole UpdateFunctionCode request. */
static int read_zip(const json_t *code, struct zip_bytes *out, struct err *err)
{
    const json_t *zip = json_object_get(code, "ZipFile");
    if (json_object_get(code, "ImageUri"))
        return err_set(err, ERR_UNSUPPORTED, "ImageUri is not supported yet: give ZipFile");
    if (json_object_get(code, "S3Bucket") || json_object_get(code, "S3Key"))
        return err_set(err, ERR_UNSUPPORTED,
                       "S3Bucket and S3Key are not supported yet: give ZipFile");
    if (!json_is_string(zip))
        return err_set(err, ERR_INVALID, "Please provide a source for function code.");
    return decode_base64(json_string_value(zip), json_string_length(zip), out, err);
}

/* Unpacks the request's zip and notes it in the record. NULL: the error is answered. */
static struct code *take_code(struct lambda *lambda, struct exchange *x, const json_t *request,
                              json_t *record)
{
    struct err err = {0};
    struct zip_bytes zip = {0};
    char id[REGISTRY_ID_BYTES];
    if (read_zip(request, &zip, &err) < 0) {
        lambda_fail_err(x, &err);
        return NULL;
    }
    struct code *code = registry_unpack(lambda->registry, zip.data, zip.size, id, &err);
    if (code) {
        configuration_set_code(json_object_get(record, "Configuration"), zip.data, zip.size);
        json_object_set_new(record, "Code", json_string(id));
    } else {
        lambda_fail_err(x, &err);
    }
    free(zip.data);
    return code;
}

static void drop_code(struct code *code)
{
    if (code)
        atomic_store(&code->is_obsolete, 1);
    code_release(code);
}

/* CreateFunction */

static json_t *new_record(struct lambda *lambda, const char *name, const json_t *request,
                          struct err *err)
{
    char arn[256];
    snprintf(arn, sizeof arn, "arn:aws:lambda:%s:%s:function:%s", lambda->cloud->region,
             lambda->cloud->account_id, name);
    json_t *configuration = configuration_create(name, arn);
    if (!configuration || configuration_apply(configuration, request, err) < 0) {
        json_decref(configuration);
        return NULL;
    }
    json_t *tags = json_object_get(request, "Tags");
    return json_pack("{s:o, s:O*}", "Configuration", configuration, "Tags", tags);
}

static void store_new(struct lambda *lambda, struct exchange *x, const char *name, json_t *record,
                      struct code *code)
{
    registry_begin_change(lambda->registry);
    struct function *before = registry_find(lambda->registry, name);
    struct function *function = NULL;
    if (before) {
        exchange_fail(x, "ResourceConflictException", "Function already exist: %s", name);
        drop_code(code);
        json_decref(record);
    } else {
        function = lambda_store_record(lambda, x, record, code);
    }
    registry_end_change(lambda->registry);
    if (function)
        rest_reply(x, 201, json_deep_copy(function->configuration));
    function_release(before);
    function_release(function);
}

static void create_from(struct lambda *lambda, struct rest_call *call, const json_t *request)
{
    struct err err = {0};
    char name[FUNCTION_NAME_BYTES];
    if (configuration_check_create(request, &err) < 0) {
        lambda_fail_err(call->x, &err);
        return;
    }
    const char *given = json_string_value(json_object_get(request, "FunctionName"));
    if (lambda_read_name(call, given ? given : "", name) < 0)
        return;
    json_t *record = new_record(lambda, name, request, &err);
    if (!record) {
        lambda_fail_err(call->x, &err);
        return;
    }
    struct code *code = take_code(lambda, call->x, json_object_get(request, "Code"), record);
    if (code)
        store_new(lambda, call->x, name, record, code);
    else
        json_decref(record);
}

void lambda_create_function(void *self, struct rest_call *call)
{
    json_t *request = rest_body(call->x);
    if (request)
        create_from(self, call, request);
    json_decref(request);
}

/* UpdateFunctionCode, UpdateFunctionConfiguration */

static int revision_matches(struct exchange *x, const json_t *record, const json_t *request)
{
    const json_t *wanted = json_object_get(request, "RevisionId");
    const json_t *present = json_object_get(json_object_get(record, "Configuration"), "RevisionId");
    if (!json_is_string(wanted) || json_string_length(wanted) == 0 || json_equal(wanted, present))
        return 1;
    exchange_fail_status(x, 412, "PreconditionFailedException",
                         "The Revision Id provided does not match the latest Revision Id. Call the "
                         "GetFunction/GetAlias API to retrieve the latest Revision Id");
    return 0;
}

static void answer_update(struct exchange *x, struct function *function)
{
    if (function)
        rest_reply(x, 200, json_deep_copy(function->configuration));
    function_release(function);
}

static void update_code(struct lambda *lambda, struct exchange *x, const char *name,
                        const json_t *request)
{
    json_t *record = lambda_open_record(lambda, x, name);
    if (!record || !revision_matches(x, record, request)) {
        json_decref(record);
        return;
    }
    struct code *code = take_code(lambda, x, request, record);
    if (code && json_is_true(json_object_get(request, "DryRun"))) {
        drop_code(code);
        rest_reply(x, 200, json_deep_copy(json_object_get(record, "Configuration")));
    } else if (code) {
        answer_update(x, lambda_store_record(lambda, x, json_incref(record), code));
    }
    json_decref(record);
}

static void update_configuration(struct lambda *lambda, struct exchange *x, const char *name,
                                 const json_t *request)
{
    struct err err = {0};
    json_t *record = lambda_open_record(lambda, x, name);
    if (!record)
        return;
    if (!revision_matches(x, record, request))
        json_decref(record);
    else if (configuration_apply(json_object_get(record, "Configuration"), request, &err) < 0) {
        json_decref(record);
        lambda_fail_err(x, &err);
    } else {
        answer_update(x, lambda_store_record(lambda, x, record, NULL));
    }
}

static void update(struct lambda *lambda, struct rest_call *call,
                   void (*change)(struct lambda *lambda, struct exchange *x, const char *name,
                                  const json_t *request))
{
    char name[FUNCTION_NAME_BYTES];
    if (lambda_read_name(call, call->parameters[0], name) < 0)
        return;
    json_t *request = rest_body(call->x);
    if (!request)
        return;
    registry_begin_change(lambda->registry);
    change(lambda, call->x, name, request);
    registry_end_change(lambda->registry);
    json_decref(request);
}

void lambda_update_code(void *self, struct rest_call *call)
{
    update(self, call, update_code);
}

void lambda_update_configuration(void *self, struct rest_call *call)
{
    update(self, call, update_configuration);
}

/* Reading and deleting */

void lambda_get_function(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (!function)
        return;
    json_t *reply = json_pack(
        "{s:O, s:{s:s}, s:O*}", "Configuration", json_object_get(function->record, "Configuration"),
        "Code", "RepositoryType", "S3", "Tags", json_object_get(function->record, "Tags"));
    if (function->reserved >= 0)
        json_object_set_new(
            reply, "Concurrency",
            json_pack("{s:I}", "ReservedConcurrentExecutions", (json_int_t)function->reserved));
    rest_reply(call->x, 200, reply);
    function_release(function);
}

void lambda_get_configuration(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (function)
        rest_reply(call->x, 200, json_deep_copy(function->configuration));
    function_release(function);
}

void lambda_list_versions(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (function)
        rest_reply(
            call->x, 200,
            json_pack("{s:[O]}", "Versions", json_object_get(function->record, "Configuration")));
    function_release(function);
}

void lambda_list_functions(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    size_t count, at = 0;
    size_t most = (size_t)rest_query_integer(call->x, "MaxItems", 1, 10000, LIST_MAX_ITEMS);
    const char *marker = exchange_query(call->x, "Marker");
    struct function **list = registry_list(lambda->registry, &count);
    json_t *functions = json_array(), *reply = json_pack("{s:o}", "Functions", functions);
    while (at < count && marker && strcmp(list[at]->name, marker) <= 0)
        at++;
    for (size_t given = 0; at < count && given < most; at++, given++)
        json_array_append(functions, json_object_get(list[at]->record, "Configuration"));
    if (at > 0 && at < count)
        json_object_set_new(reply, "NextMarker", json_string(list[at - 1]->name));
    for (size_t i = 0; i < count; i++)
        function_release(list[i]);
    free(list);
    rest_reply(call->x, 200, reply);
}

void lambda_delete_function(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    struct err err = {0};
    struct function *function = lambda_find(lambda, call);
    if (!function)
        return;
    registry_begin_change(lambda->registry);
    struct function *removed = registry_remove(lambda->registry, function->name, &err);
    registry_end_change(lambda->registry);
    if (removed) {
        manager_retire(lambda->manager, removed);
        exchange_respond(call->x, 204, NULL, NULL, 0);
    } else {
        lambda_fail_not_found(lambda, call->x, function->name);
    }
    function_release(removed);
    function_release(function);
}
