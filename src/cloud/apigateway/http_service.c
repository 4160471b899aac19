#include "cloud/apigateway/http_service.h"

#include "base/clock.h"

enum { LIST_MOST = 500, LIST_DEFAULT = 100 };

#define API "/v2/apis/{}"
#define API_MEMBERS                                                                                \
    "name description corsConfiguration disableExecuteApiEndpoint version routeKey target "        \
    "routeSelectionExpression apiKeySelectionExpression credentialsArn ipAddressType"
#define ROUTE_MEMBERS                                                                              \
    "routeKey target authorizationType authorizationScopes authorizerId operationName "            \
    "apiKeyRequired"
#define INTEGRATION_MEMBERS                                                                        \
    "integrationType integrationUri integrationMethod payloadFormatVersion timeoutInMillis "       \
    "description connectionType credentialsArn passthroughBehavior"
#define STAGE_MEMBERS                                                                              \
    "autoDeploy deploymentId description stageVariables defaultRouteSettings routeSettings"

const struct rest_operation http_operations[] = {
    {"CreateApi", "POST", "/v2/apis", http_create_api, "protocolType tags " API_MEMBERS},
    {"GetApis", "GET", "/v2/apis", http_list_apis, NULL},
    {"GetApi", "GET", API, http_get_api, NULL},
    {"UpdateApi", "PATCH", API, http_update_api, API_MEMBERS},
    {"DeleteApi", "DELETE", API, http_delete_api, NULL},
    {"DeleteCorsConfiguration", "DELETE", API "/cors", http_delete_cors, NULL},
    {"CreateRoute", "POST", API "/routes", http_create_route, ROUTE_MEMBERS},
    {"GetRoutes", "GET", API "/routes", http_list_routes, NULL},
    {"GetRoute", "GET", API "/routes/{}", http_get_route, NULL},
    {"UpdateRoute", "PATCH", API "/routes/{}", http_update_route, ROUTE_MEMBERS},
    {"DeleteRoute", "DELETE", API "/routes/{}", http_delete_route, NULL},
    {"CreateIntegration", "POST", API "/integrations", http_create_integration,
     INTEGRATION_MEMBERS},
    {"GetIntegrations", "GET", API "/integrations", http_list_integrations, NULL},
    {"GetIntegration", "GET", API "/integrations/{}", http_get_integration, NULL},
    {"UpdateIntegration", "PATCH", API "/integrations/{}", http_update_integration,
     INTEGRATION_MEMBERS},
    {"DeleteIntegration", "DELETE", API "/integrations/{}", http_delete_integration, NULL},
    {"CreateStage", "POST", API "/stages", http_create_stage, "stageName tags " STAGE_MEMBERS},
    {"GetStages", "GET", API "/stages", http_list_stages, NULL},
    {"GetStage", "GET", API "/stages/{}", http_get_stage, NULL},
    {"UpdateStage", "PATCH", API "/stages/{}", http_update_stage, STAGE_MEMBERS},
    {"DeleteStage", "DELETE", API "/stages/{}", http_delete_stage, NULL},
    {"DeleteRouteSettings", "DELETE", API "/stages/{}/routesettings/{}", http_delete_route_settings,
     NULL},
    {"CreateDeployment", "POST", API "/deployments", http_create_deployment,
     "description stageName"},
    {"GetDeployments", "GET", API "/deployments", http_list_deployments, NULL},
    {"GetDeployment", "GET", API "/deployments/{}", http_get_deployment, NULL},
    {"UpdateDeployment", "PATCH", API "/deployments/{}", http_update_deployment, "description"},
    {"DeleteDeployment", "DELETE", API "/deployments/{}", http_delete_deployment, NULL},
    {"CreateAuthorizer", "POST", API "/authorizers", http_refuse_authorizer, NULL},
    {"GetAuthorizers", "GET", API "/authorizers", http_list_authorizers, NULL},
    {"TagResource", "POST", "/v2/tags/{*}", http_tag, "tags"},
    {"UntagResource", "DELETE", "/v2/tags/{*}", http_untag, NULL},
    {"GetTags", "GET", "/v2/tags/{*}", http_get_tags, NULL},
    {0},
};

int http_open(struct work *work)
{
    return work_open(work, 1);
}

json_t *http_now(void)
{
    char time[CLOCK_TEXT_BYTES];
    clock_text(clock_unix_ms(), time);
    return json_sprintf("%.19sZ", time);
}

json_t *http_find(struct work *work, const char *field, const char *what)
{
    if (http_open(work) < 0)
        return NULL;
    json_t *found = json_object_get(json_object_get(work->api, field), work->call->parameters[1]);
    if (!found)
        work_fail(work, "NotFoundException", "Invalid %s identifier specified", what);
    return found;
}

json_t *http_list(struct work *work, const json_t *values)
{
    static const char *const hidden[] = {"id", "routes", "integrations", NULL};
    static const struct page_words words = {"items", "maxResults", "nextToken", LIST_MOST,
                                            LIST_DEFAULT};
    return work_page(work, values, hidden, &words);
}

void http_take(json_t *to, const json_t *request, const char *const *members)
{
    for (; *members; members++) {
        json_t *value = json_object_get(request, *members);
        int is_empty = json_is_null(value) || (json_is_string(value) && !json_string_length(value));
        if (is_empty)
            json_object_del(to, *members);
        else if (value)
            json_object_set(to, *members, value);
    }
}
