#ifndef CLOUD_APIGATEWAY_HTTP_SERVICE_H
#define CLOUD_APIGATEWAY_HTTP_SERVICE_H

#include "cloud/apigateway/service.h"

/* HTTP APIs (the API called apigatewayv2). An API's document in the store:
 *   {"kind": "HTTP", "api": {"id", "apiId", .. as GetApi}, "routes": {ID: Route},
 *    "integrations": {ID: Integration}, "deployments": {ID: {.., "routes", "integrations" as they
 *    were}}, "stages": {NAME: Stage with "deploymentId"}}. */

extern const struct rest_operation http_operations[];

/* A copy of the document that the first parameter names. -1: answered. */
int http_open(struct work *work) MUST_USE;
json_t *http_now(void); /* "2026-11-23T05:31:29Z" */
/* Child `parameters[1]` of the document's `field`; NULL: answered. */
json_t *http_find(struct work *work, const char *field, const char *what);
/* {"items": [..], "nextToken"} of an object's values. */
json_t *http_list(struct work *work, const json_t *values);
/* Copies what the request has of the named members; NULL-terminated. null and "" remove. */
void http_take(json_t *to, const json_t *request, const char *const *members);

/* http_routes_api.c: both check. NULL: answered; borrowed from the document. */
json_t *http_add_route(struct work *work, const json_t *request);
json_t *http_add_integration(struct work *work, const json_t *request);
/* http_stages.c */
json_t *http_add_stage(struct work *work, const json_t *request);
/* Stages that deploy by themselves get the routes as they are now; marks the document changed. */
void http_changed(struct work *work);

apigateway_operation http_create_api, http_get_api, http_list_apis, http_update_api,
    http_delete_api, http_delete_cors, http_tag, http_untag, http_get_tags;
apigateway_operation http_create_route, http_get_route, http_list_routes, http_update_route,
    http_delete_route, http_create_integration, http_get_integration, http_list_integrations,
    http_update_integration, http_delete_integration, http_refuse_authorizer, http_list_authorizers;
apigateway_operation http_create_stage, http_get_stage, http_list_stages, http_update_stage,
    http_delete_stage, http_delete_route_settings, http_create_deployment, http_get_deployment,
    http_list_deployments, http_update_deployment, http_delete_deployment;

#endif
