#include "cloud/apigateway/methods.h"
#include "cloud/apigateway/patch.h"

#include <stdint.h>
#include <string.h>

/* The PATCH operations on integrations, responses and deployments. */

/* Patches a copy of `value` and puts it in the place of the request, so that what checks requests
 * checks it too. NULL: the error is answered. */
static json_t *patch_copy(struct work *work, const json_t *value, const char *const *allowed)
{
    struct err err = {0};
    json_t *copy = json_deep_copy(value);
    if (!copy || patch_apply(copy, work->request, allowed, &err) < 0) {
        json_decref(copy);
        if (!err.code)
            work_fail(work, "ServiceException", "out of memory");
        else
            work_fail_err(work, &err);
        return NULL;
    }
    json_decref(work->request);
    work->request = copy;
    return copy;
}

void apigateway_update_integration(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {
        "timeoutInMillis", "uri",        "credentials", "requestTemplates", "passthroughBehavior",
        "contentHandling", "httpMethod", NULL};
    struct work *work = self;
    struct method_place place;
    (void)call;
    if (methods_find(work, 1, 1, &place) < 0)
        return;
    json_t *changed = patch_copy(work, place.integration, allowed);
    if (!changed || methods_check_integration(work) < 0)
        return;
    json_object_set(place.method, "methodIntegration", changed);
    methods_answer(work, 200, changed);
}

/* Of a method's response the parameters are true or false. */
static int read_flags(struct work *work, json_t *parameters)
{
    const char *name;
    void *next;
    json_t *value;
    json_object_foreach_safe(parameters, next, name, value)
    {
        const char *text = json_string_value(value);
        if (text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
            json_object_set_new(parameters, name, json_boolean(text[0] == 't'));
        else if (text) {
            work_fail(work, "BadRequestException", "Invalid value for %.200s: true or false", name);
            return -1;
        }
    }
    return 0;
}

void apigateway_update_method_response(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"responseParameters", "responseModels", NULL};
    struct work *work = self;
    struct method_place place;
    const json_t *response = methods_find(work, 1, 0, &place) < 0
                                 ? NULL
                                 : methods_find_response(work, place.method, METHOD_RESPONSES);
    json_t *changed = response ? patch_copy(work, response, allowed) : NULL;
    if (!changed || read_flags(work, json_object_get(changed, "responseParameters")) < 0)
        return;
    json_object_set(json_object_get(place.method, METHOD_RESPONSES), call->parameters[3], changed);
    methods_answer(work, 201, changed);
}

void apigateway_update_integration_response(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"selectionPattern", "responseParameters",
                                          "responseTemplates", "contentHandling", NULL};
    struct work *work = self;
    struct method_place place;
    const json_t *response =
        methods_find(work, 1, 1, &place) < 0
            ? NULL
            : methods_find_response(work, place.integration, INTEGRATION_RESPONSES);
    json_t *changed = response ? patch_copy(work, response, allowed) : NULL;
    if (!changed || methods_check_mock_response(work) < 0)
        return;
    json_object_set(json_object_get(place.integration, INTEGRATION_RESPONSES), call->parameters[3],
                    changed);
    methods_answer(work, 200, changed);
}

void apigateway_update_deployment(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"description", NULL};
    static const char *const hidden[] = {"resources", "validators", NULL};
    struct work *work = self;
    if (work_open_api(work) < 0)
        return;
    json_t *deployments = json_object_get(work->api, "deployments");
    const json_t *deployment = json_object_get(deployments, call->parameters[1]);
    if (!deployment) {
        work_fail(work, "NotFoundException", "Invalid Deployment identifier specified");
        return;
    }
    json_t *changed = patch_copy(work, deployment, allowed);
    if (!changed)
        return;
    json_object_set(deployments, call->parameters[1], changed);
    work->changes_api = 1;
    work->reply = work_without(changed, hidden);
}
