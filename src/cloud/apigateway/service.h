#ifndef CLOUD_APIGATEWAY_SERVICE_H
#define CLOUD_APIGATEWAY_SERVICE_H

#include "cloud/apigateway/store.h"
#include "cloud/cloud.h"
#include "cloud/errors.h"
#include "cloud/rest/rest.h"

/* API Gateway's operations; the table is in service.c.
 *
 * service.c locks the store, calls the operation, and stores what it left in `api` or `plans` when
 * it says that they changed. An operation sees copies: until it has succeeded nothing is changed.
 */
struct apigateway {
    struct cloud *cloud;
    struct store *store;
    struct execution *execution;
};

struct work {
    struct apigateway *gateway;
    struct exchange *x;
    struct rest_call *call;
    json_t *request; /* the body; {} when empty */
    json_t *api;     /* work_open_api() */
    json_t *plans;   /* work_open_plans() */
    int changes_api, changes_plans, deletes_api;
    int has_failed; /* the error is answered */
    int status;     /* of the answer; 200 unless set */
    json_t *reply;  /* NULL: an empty answer */
};

enum { WORK_ID_BYTES = 11 };

/* Answer with an error; the work is over. */
void work_fail(struct work *work, const char *code, const char *format, ...) PRINTF(3, 4);
void work_fail_err(struct work *work, const struct err *err);

/* A copy of the document that the first parameter names. -1: there is none of that kind, the error
 * is answered. */
int work_open(struct work *work, int is_http) MUST_USE;
int work_open_api(struct work *work) MUST_USE; /* of a REST API */
int work_open_plans(struct work *work) MUST_USE;

void work_make_id(char id[WORK_ID_BYTES]);                        /* 10 of a-z0-9 */
json_t *work_now(void);                                           /* seconds since 1970 */
const char *work_text(const struct work *work, const char *name); /* of the request; NULL: absent */
/* A copy of `value` without the fields of which nobody is told; NULL-terminated names. */
json_t *work_without(const json_t *value, const char *const *hidden);
/* A page of the values of an object, under `items`: from ?FROM on and at most ?MOST, which is 1 to
 * `limit`, else `usual`; where there are more, the answer has the next FROM. */
struct page_words {
    const char *items, *most, *from;
    int limit, usual;
};
json_t *work_page(struct work *work, const json_t *values, const char *const *hidden,
                  const struct page_words *words);
/* {"item": [..]} with the values of an object, from ?position on and at most ?limit. */
json_t *work_list(struct work *work, const json_t *values, const char *const *hidden);

/* tags.c: the request's "tags" into the holder's. -1: the error is answered. */
int work_take_tags(struct work *work, json_t *holder) MUST_USE;

typedef void apigateway_operation(void *self, struct rest_call *call);

/* apis.c */
apigateway_operation apigateway_create_api, apigateway_list_apis, apigateway_get_api,
    apigateway_delete_api, apigateway_update_api, apigateway_create_validator,
    apigateway_list_validators, apigateway_get_validator, apigateway_update_validator,
    apigateway_delete_validator;
/* resources.c */
apigateway_operation apigateway_list_resources, apigateway_get_resource, apigateway_create_resource,
    apigateway_delete_resource, apigateway_update_resource;
/* methods.c */
apigateway_operation apigateway_put_method, apigateway_get_method, apigateway_delete_method,
    apigateway_update_method, apigateway_put_integration, apigateway_get_integration,
    apigateway_delete_integration, apigateway_put_method_response, apigateway_get_method_response,
    apigateway_delete_method_response, apigateway_put_integration_response,
    apigateway_get_integration_response, apigateway_delete_integration_response;
/* stages.c */
apigateway_operation apigateway_create_deployment, apigateway_list_deployments,
    apigateway_get_deployment, apigateway_delete_deployment, apigateway_create_stage,
    apigateway_list_stages, apigateway_get_stage, apigateway_delete_stage, apigateway_update_stage;
/* updates.c */
apigateway_operation apigateway_update_integration, apigateway_update_method_response,
    apigateway_update_integration_response, apigateway_update_deployment;
/* tags.c */
apigateway_operation apigateway_tag, apigateway_untag, apigateway_get_tags;
/* lookups.c */
apigateway_operation apigateway_get_account, apigateway_update_account, apigateway_list_nothing,
    apigateway_list_nothing_of_api, apigateway_no_domain, apigateway_no_authorizer,
    apigateway_list_models, apigateway_get_model;
/* plans.c */
apigateway_operation apigateway_create_key, apigateway_list_keys, apigateway_get_key,
    apigateway_delete_key, apigateway_update_key, apigateway_create_plan, apigateway_list_plans,
    apigateway_get_plan, apigateway_delete_plan, apigateway_update_plan, apigateway_create_plan_key,
    apigateway_list_plan_keys, apigateway_get_plan_key, apigateway_delete_plan_key;

#endif
