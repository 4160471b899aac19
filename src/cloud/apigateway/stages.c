#include "cloud/apigateway/method_settings.h"
#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/service.h"

#include <stdint.h>
#include <string.h>

/* Deployments: the resources as they were, so that later changes are not served before they are
 * deployed too. */

static const char *const hidden[] = {"resources", "validators", NULL};

static int is_stage_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_";
    size_t size = strlen(name);
    return size > 0 && size <= 128 && strspn(name, allowed) == size;
}

/* AWS refuses to deploy what cannot answer. */
static int check_deployable(struct work *work)
{
    const char *id, *name;
    json_t *resource, *method;
    size_t methods = 0;
    json_object_foreach(json_object_get(work->api, "resources"), id, resource)
    {
        json_object_foreach(json_object_get(resource, "resourceMethods"), name, method)
        {
            methods++;
            if (!json_object_get(method, "methodIntegration")) {
                work_fail(work, "BadRequestException", "No integration defined for method");
                return -1;
            }
        }
    }
    if (methods == 0)
        work_fail(work, "BadRequestException", "The REST API doesn't contain any methods");
    return methods ? 0 : -1;
}

static json_t *add_stage(struct work *work, const char *name, const char *deployment_id,
                         json_t *variables, json_t *description)
{
    json_t *stages = json_object_get(work->api, "stages");
    if (!is_stage_name(name)) {
        work_fail(work, "BadRequestException", "Stage name only allows a-zA-Z0-9_-");
        return NULL;
    }
    if (!json_object_get(stages, name) && json_object_size(stages) >= STORE_MAX_STAGES) {
        work_fail(work, "LimitExceededException", "Maximum number of stages for this API is %d",
                  STORE_MAX_STAGES);
        return NULL;
    }
    json_t *stage =
        json_pack("{s:s, s:s, s:b, s:s, s:{}, s:b, s:o, s:o, s:O*, s:O*}", "deploymentId",
                  deployment_id, "stageName", name, "cacheClusterEnabled", 0, "cacheClusterStatus",
                  "NOT_AVAILABLE", "methodSettings", "tracingEnabled", 0, "createdDate", work_now(),
                  "lastUpdatedDate", work_now(), "variables",
                  json_is_object(variables) ? variables : NULL, "description", description);
    json_object_set_new(stages, name, stage);
    return stage;
}

/* The stage of the deployment is made, or moves to it. */
static int stage_deployment(struct work *work, const char *deployment_id)
{
    const char *name = work_text(work, "stageName");
    if (!name || !*name)
        return 0;
    json_t *stage = json_object_get(json_object_get(work->api, "stages"), name);
    json_t *variables = json_object_get(work->request, "variables");
    if (!stage)
        return add_stage(work, name, deployment_id, variables,
                         json_object_get(work->request, "stageDescription"))
                   ? 0
                   : -1;
    json_object_set_new(stage, "deploymentId", json_string(deployment_id));
    json_object_set_new(stage, "lastUpdatedDate", work_now());
    if (json_is_object(variables))
        json_object_set(stage, "variables", variables);
    return 0;
}

void apigateway_create_deployment(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES];
    (void)call;
    if (work_open_api(work) < 0 || check_deployable(work) < 0)
        return;
    json_t *deployments = json_object_get(work->api, "deployments");
    if (json_object_size(deployments) >= STORE_MAX_DEPLOYMENTS) {
        work_fail(work, "LimitExceededException",
                  "Maximum number of deployments for this API is %d: delete old ones",
                  STORE_MAX_DEPLOYMENTS);
        return;
    }
    work_make_id(id);
    json_t *deployment =
        json_pack("{s:s, s:O*, s:o, s:o, s:o}", "id", id, "description",
                  json_object_get(work->request, "description"), "createdDate", work_now(),
                  "resources", json_deep_copy(json_object_get(work->api, "resources")),
                  "validators", json_deep_copy(json_object_get(work->api, "validators")));
    json_object_set_new(deployments, id, deployment);
    if (stage_deployment(work, id) < 0)
        return;
    work->changes_api = 1;
    work->status = 201;
    work->reply = work_without(deployment, hidden);
}

void apigateway_list_deployments(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work->reply = work_list(work, json_object_get(work->api, "deployments"), hidden);
}

static json_t *find_deployment(struct work *work)
{
    if (work_open_api(work) < 0)
        return NULL;
    json_t *deployment =
        json_object_get(json_object_get(work->api, "deployments"), work->call->parameters[1]);
    if (!deployment)
        work_fail(work, "NotFoundException", "Invalid Deployment identifier specified");
    return deployment;
}

void apigateway_get_deployment(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    const json_t *deployment = find_deployment(work);
    if (deployment)
        work->reply = work_without(deployment, hidden);
}

void apigateway_delete_deployment(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *name;
    json_t *stage;
    if (!find_deployment(work))
        return;
    json_object_foreach(json_object_get(work->api, "stages"), name, stage)
    {
        const char *id = json_string_value(json_object_get(stage, "deploymentId"));
        if (id && strcmp(id, call->parameters[1]) == 0) {
            work_fail(work, "BadRequestException",
                      "Active stages pointing to this deployment must be moved or deleted");
            return;
        }
    }
    json_object_del(json_object_get(work->api, "deployments"), call->parameters[1]);
    work->changes_api = 1;
    work->status = 202;
}

/* Stages */

static int check_options(struct work *work, const json_t *stage)
{
    static const char *const refused[] = {"cacheClusterEnabled", "tracingEnabled"};
    for (size_t i = 0; i < 2; i++)
        if (json_is_true(json_object_get(stage, refused[i]))) {
            work_fail(work, "BadRequestException", "%s is not supported", refused[i]);
            return -1;
        }
    return 0;
}

void apigateway_create_stage(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *name = work_text(work, "stageName");
    const char *deployment = work_text(work, "deploymentId");
    (void)call;
    if (work_open_api(work) < 0 || check_options(work, work->request) < 0)
        return;
    if (!deployment || !json_object_get(json_object_get(work->api, "deployments"), deployment)) {
        work_fail(work, "BadRequestException", "Deployment id does not exist");
        return;
    }
    if (name && json_object_get(json_object_get(work->api, "stages"), name)) {
        work_fail(work, "ConflictException", "Stage already exists");
        return;
    }
    json_t *stage =
        add_stage(work, name ? name : "", deployment, json_object_get(work->request, "variables"),
                  json_object_get(work->request, "description"));
    if (!stage || work_take_tags(work, stage) < 0)
        return;
    work->changes_api = 1;
    work->status = 201;
    work->reply = json_incref(stage);
}

/* GetStages has "item" too, without pages. */
void apigateway_list_stages(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *name, *wanted = exchange_query(work->x, "deploymentId");
    json_t *stage, *found = json_object();
    (void)call;
    if (work_open_api(work) == 0) {
        json_object_foreach(json_object_get(work->api, "stages"), name, stage)
        {
            const char *own = json_string_value(json_object_get(stage, "deploymentId"));
            if (!wanted || (own && strcmp(own, wanted) == 0))
                json_object_set(found, name, stage);
        }
        work->reply = work_list(work, found, NULL);
    }
    json_decref(found);
}

static json_t *find_stage(struct work *work)
{
    if (work_open_api(work) < 0)
        return NULL;
    json_t *stage =
        json_object_get(json_object_get(work->api, "stages"), work->call->parameters[1]);
    if (!stage)
        work_fail(work, "NotFoundException", "Invalid stage identifier specified");
    return stage;
}

void apigateway_get_stage(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    work->reply = json_incref(find_stage(work));
}

void apigateway_delete_stage(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (!find_stage(work))
        return;
    json_object_del(json_object_get(work->api, "stages"), call->parameters[1]);
    work->changes_api = 1;
    work->status = 202;
}

void apigateway_update_stage(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"deploymentId",        "description",    "variables",
                                          "cacheClusterEnabled", "tracingEnabled", NULL};
    struct work *work = self;
    struct err err = {0};
    (void)call;
    json_t *stage = find_stage(work);
    if (!stage)
        return;
    json_t *others = method_settings_patch(stage, work->request, &err);
    int result = others ? patch_apply(stage, others, allowed, &err) : -1;
    json_decref(others);
    if (result < 0) {
        work_fail_err(work, &err);
        return;
    }
    if (check_options(work, stage) < 0)
        return;
    const char *deployment = json_string_value(json_object_get(stage, "deploymentId"));
    if (!deployment || !json_object_get(json_object_get(work->api, "deployments"), deployment)) {
        work_fail(work, "BadRequestException", "Deployment id does not exist");
        return;
    }
    if (json_object_size(json_object_get(stage, "variables")) == 0)
        json_object_del(stage, "variables");
    json_object_set_new(stage, "lastUpdatedDate", work_now());
    work->changes_api = 1;
    work->reply = json_incref(stage);
}
