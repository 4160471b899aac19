#ifndef CLOUD_LAMBDA_SERVICE_H
#define CLOUD_LAMBDA_SERVICE_H

#include "cloud/cloud.h"
#include "cloud/errors.h"
#include "cloud/lambda/manager.h"
#include "cloud/lambda/registry.h"
#include "cloud/rest/rest.h"

/* The Lambda API on top of registry and manager; operations are rows of the table in service.c. */
struct lambda {
    struct cloud *cloud;
    struct registry *registry;
    struct manager *manager; /* from start() on */
};

enum { LAMBDA_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024, LAMBDA_MAX_EVENT_BYTES = 1024 * 1024 };
#define LAMBDA_MAX_BODY_BYTES ((size_t)70 * 1024 * 1024) /* a zip of 50 MiB in base64 */

typedef void lambda_operation(void *self, struct rest_call *call);

/* functions.c */
lambda_operation lambda_create_function, lambda_get_function, lambda_get_configuration,
    lambda_list_functions, lambda_delete_function, lambda_update_code, lambda_update_configuration,
    lambda_list_versions;
/* settings.c */
lambda_operation lambda_add_permission, lambda_get_policy, lambda_remove_permission,
    lambda_put_concurrency, lambda_get_concurrency, lambda_delete_concurrency, lambda_tag,
    lambda_untag, lambda_list_tags;
/* invocation.c */
lambda_operation lambda_invoke_function;

/* The function that the call's first parameter names, held; NULL: the error is answered. */
struct function *lambda_find(struct lambda *lambda, struct rest_call *call);
/* The same name, for operations that change it. */
int lambda_read_name(struct rest_call *call, const char *text, char name[FUNCTION_NAME_BYTES]);
void lambda_fail_not_found(struct lambda *lambda, struct exchange *x, const char *name);
void lambda_fail_err(struct exchange *x, const struct err *err);

/* A copy of the function's record to change; between registry_begin_change() and the end. NULL: the
 * error is answered. */
json_t *lambda_open_record(struct lambda *lambda, struct exchange *x, const char *name);
/* Stores it (taken) and hands it to the manager. Returns the new revision, held, or NULL: the error
 * is answered. */
struct function *lambda_store_record(struct lambda *lambda, struct exchange *x, json_t *record,
                                     struct code *code);

#endif
