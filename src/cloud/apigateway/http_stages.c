#include "cloud/apigateway/http_service.h"

#include <stdint.h>
#include <string.h>

/* Stages and deployments of HTTP APIs. */

static const char *const hidden[] = {"routes", "integrations", NULL};
static const char *const stage_members[] = {
    "autoDeploy",           "deploymentId",  "description", "stageVariables",
    "defaultRouteSettings", "routeSettings", NULL};

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

/* Deployments */

static json_t *add_deployment(struct work *work, int is_automatic)
{
    char id[WORK_ID_BYTES];
    json_t *deployments = json_object_get(work->api, "deployments");
    work_make_id(id);
    json_t *deployment =
        json_pack("{s:s, s:b, s:s, s:o, s:o, s:o}", "deploymentId", id, "autoDeployed",
                  is_automatic, "deploymentStatus", "DEPLOYED", "createdDate", http_now(), "routes",
                  json_deep_copy(json_object_get(work->api, "routes")), "integrations",
                  json_deep_copy(json_object_get(work->api, "integrations")));
    json_object_set_new(deployments, id, deployment);
    return deployment;
}

static int is_used(const struct work *work, const char *deployment)
{
    const char *name;
    json_t *stage;
    json_object_foreach(json_object_get(work->api, "stages"), name, stage)
    {
        if (strcmp(text(stage, "deploymentId"), deployment) == 0)
            return 1;
    }
    return 0;
}

/* Automatic deployments that no stage has are forgotten, so that they do not pile up. */
static void forget_automatic(struct work *work)
{
    const char *id;
    void *next;
    json_t *deployment, *deployments = json_object_get(work->api, "deployments");
    json_object_foreach_safe(deployments, next, id, deployment)
    {
        if (json_is_true(json_object_get(deployment, "autoDeployed")) && !is_used(work, id))
            json_object_del(deployments, id);
    }
}

void http_changed(struct work *work)
{
    const char *name;
    json_t *stage;
    const json_t *deployment = NULL;
    work->changes_api = 1;
    json_object_foreach(json_object_get(work->api, "stages"), name, stage)
    {
        if (!json_is_true(json_object_get(stage, "autoDeploy")))
            continue;
        if (!deployment)
            deployment = add_deployment(work, 1);
        json_object_set(stage, "deploymentId", json_object_get(deployment, "deploymentId"));
        json_object_set_new(stage, "lastDeploymentStatusMessage",
                            json_sprintf("Successfully deployed stage with deployment ID '%s'",
                                         text(deployment, "deploymentId")));
    }
    forget_automatic(work);
}

void http_create_deployment(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *name = work_text(work, "stageName");
    (void)call;
    if (http_open(work) < 0)
        return;
    json_t *stage = name ? json_object_get(json_object_get(work->api, "stages"), name) : NULL;
    if (name && !stage) {
        work_fail(work, "NotFoundException", "Invalid stage identifier specified");
        return;
    }
    if (json_is_true(json_object_get(stage, "autoDeploy"))) {
        work_fail(work, "BadRequestException",
                  "Deployment ID cannot be set on a stage with AutoDeploy enabled.");
        return;
    }
    if (json_object_size(json_object_get(work->api, "deployments")) >= STORE_MAX_DEPLOYMENTS) {
        work_fail(work, "TooManyRequestsException", "Maximum number of deployments is %d",
                  STORE_MAX_DEPLOYMENTS);
        return;
    }
    json_t *deployment = add_deployment(work, 0);
    if (work_text(work, "description"))
        json_object_set(deployment, "description", json_object_get(work->request, "description"));
    if (stage)
        json_object_set(stage, "deploymentId", json_object_get(deployment, "deploymentId"));
    work->changes_api = 1;
    work->status = 201;
    work->reply = work_without(deployment, hidden);
}

void http_get_deployment(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    const json_t *deployment = http_find(work, "deployments", "Deployment");
    if (deployment)
        work->reply = work_without(deployment, hidden);
}

void http_list_deployments(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    if (http_open(work) == 0)
        work->reply = http_list(work, json_object_get(work->api, "deployments"));
}

void http_update_deployment(void *self, struct rest_call *call)
{
    (void)call;
    static const char *const members[] = {"description", NULL};
    struct work *work = self;
    json_t *deployment = http_find(work, "deployments", "Deployment");
    if (!deployment)
        return;
    http_take(deployment, work->request, members);
    work->changes_api = 1;
    work->reply = work_without(deployment, hidden);
}

void http_delete_deployment(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (!http_find(work, "deployments", "Deployment"))
        return;
    if (is_used(work, call->parameters[1])) {
        work_fail(work, "BadRequestException",
                  "Active stages pointing to this deployment must be moved or deleted");
        return;
    }
    json_object_del(json_object_get(work->api, "deployments"), call->parameters[1]);
    work->changes_api = 1;
    work->status = 204;
}

/* Stages */

static int is_stage_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_";
    size_t size = strlen(name);
    return strcmp(name, "$default") == 0 ||
           (size > 0 && size <= 128 && strspn(name, allowed) == size);
}

/* Throttling is all that a route can be set to here. */
static int check_settings(struct work *work, const json_t *settings)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)settings, name, value)
    {
        int is_rate =
            strcmp(name, "throttlingRateLimit") == 0 || strcmp(name, "throttlingBurstLimit") == 0;
        int is_harmless = strcmp(name, "detailedMetricsEnabled") == 0 && json_is_false(value);
        if ((is_rate && json_is_number(value) && json_number_value(value) >= 0) || is_harmless)
            continue;
        work_fail(work, "BadRequestException",
                  "Route setting %.64s is not supported: ken cloud has throttlingRateLimit and "
                  "throttlingBurstLimit",
                  name);
        return -1;
    }
    return 0;
}

static int check_stage(struct work *work, const json_t *stage)
{
    const char *id = text(stage, "deploymentId"), *key;
    json_t *settings;
    if (*id && !json_object_get(json_object_get(work->api, "deployments"), id)) {
        work_fail(work, "NotFoundException", "Invalid deployment identifier specified");
        return -1;
    }
    if (work_text(work, "deploymentId") && json_is_true(json_object_get(stage, "autoDeploy"))) {
        work_fail(work, "BadRequestException",
                  "Deployment ID cannot be set on a stage with AutoDeploy enabled.");
        return -1;
    }
    json_object_foreach(json_object_get(stage, "routeSettings"), key, settings)
    {
        if (check_settings(work, settings) < 0)
            return -1;
    }
    return check_settings(work, json_object_get(stage, "defaultRouteSettings"));
}

json_t *http_add_stage(struct work *work, const json_t *request)
{
    const char *name = text(request, "stageName");
    json_t *stages = json_object_get(work->api, "stages");
    if (!is_stage_name(name)) {
        work_fail(work, "BadRequestException",
                  "Stage name only allows a-zA-Z0-9_- and at most 128 of them, or is $default");
        return NULL;
    }
    if (json_object_get(stages, name)) {
        work_fail(work, "ConflictException", "Stage already exists");
        return NULL;
    }
    if (json_object_size(stages) >= STORE_MAX_STAGES) {
        work_fail(work, "TooManyRequestsException", "Maximum number of stages for this API is %d",
                  STORE_MAX_STAGES);
        return NULL;
    }
    const json_t *tags = json_object_get(request, "tags");
    json_t *stage =
        json_pack("{s:s, s:b, s:{s:b}, s:{}, s:{}, s:o, s:o, s:o}", "stageName", name, "autoDeploy",
                  0, "defaultRouteSettings", "detailedMetricsEnabled", 0, "routeSettings",
                  "stageVariables", "createdDate", http_now(), "lastUpdatedDate", http_now(),
                  "tags", json_is_object(tags) ? json_deep_copy(tags) : json_object());
    http_take(stage, request, stage_members);
    json_object_set_new(stages, name, stage);
    return check_stage(work, stage) < 0 ? NULL : stage;
}

void http_create_stage(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    json_t *stage = http_open(work) == 0 ? http_add_stage(work, work->request) : NULL;
    if (!stage)
        return;
    http_changed(work);
    work->status = 201;
    work->reply = json_incref(stage);
}

void http_get_stage(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    work->reply = json_incref(http_find(work, "stages", "stage"));
}

void http_list_stages(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    if (http_open(work) == 0)
        work->reply = http_list(work, json_object_get(work->api, "stages"));
}

void http_update_stage(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    json_t *stage = http_find(work, "stages", "stage");
    if (!stage)
        return;
    http_take(stage, work->request, stage_members);
    if (check_stage(work, stage) < 0)
        return;
    json_object_set_new(stage, "lastUpdatedDate", http_now());
    http_changed(work);
    work->reply = json_incref(stage);
}

void http_delete_stage(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (!http_find(work, "stages", "stage"))
        return;
    json_object_del(json_object_get(work->api, "stages"), call->parameters[1]);
    http_changed(work);
    work->status = 204;
}

void http_delete_route_settings(void *self, struct rest_call *call)
{
    struct work *work = self;
    const json_t *stage = http_find(work, "stages", "stage");
    if (!stage)
        return;
    if (json_object_del(json_object_get(stage, "routeSettings"), call->parameters[2]) < 0) {
        work_fail(work, "NotFoundException", "Unable to find route settings for this route key");
        return;
    }
    work->changes_api = 1;
    work->status = 204;
}
