#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/path.h"
#include "cloud/apigateway/service.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAME_BYTES = 1024 };

/* APIs */

static json_t *root_resource(const char *id)
{
    return json_pack("{s:{s:s, s:s}}", id, "id", id, "path", "/");
}

static json_t *make_api(const struct work *work, const char *id, const char *root_id)
{
    json_t *request = work->request;
    json_t *types = json_object_get(request, "binaryMediaTypes");
    json_t *api = json_pack(
        "{s:s, s:O, s:O*, s:O*, s:o, s:s, s:{s:[s]}, s:b, s:s, s:o, s:O*}", "id", id, "name",
        json_object_get(request, "name"), "description", json_object_get(request, "description"),
        "version", json_object_get(request, "version"), "createdDate", work_now(), "apiKeySource",
        "HEADER", "endpointConfiguration", "types", "EDGE", "disableExecuteApiEndpoint", 0,
        "rootResourceId", root_id, "binaryMediaTypes",
        json_is_array(types) ? json_incref(types) : json_array(), "policy",
        json_object_get(request, "policy"));
    json_t *endpoint = json_object_get(request, "endpointConfiguration");
    if (json_is_object(endpoint))
        json_object_set(api, "endpointConfiguration", endpoint);
    return api;
}

static int media_types_are_texts(const json_t *types)
{
    size_t i;
    json_t *type;
    json_array_foreach(types, i, type)
    {
        if (!json_is_string(type))
            return 0;
    }
    return 1;
}

/* They all answer at the same place; private ones would need a network of their own. */
static int check_endpoint(struct work *work, const json_t *api)
{
    size_t i;
    json_t *type;
    const json_t *types = json_object_get(json_object_get(api, "endpointConfiguration"), "types");
    json_array_foreach(types, i, type)
    {
        const char *text = json_string_value(type);
        if (text && (strcmp(text, "EDGE") == 0 || strcmp(text, "REGIONAL") == 0))
            continue;
        work_fail(work, "BadRequestException",
                  "Endpoint type %.32s is not supported: ken cloud has EDGE and REGIONAL",
                  text ? text : "(none)");
        return -1;
    }
    return 0;
}

void apigateway_create_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES], root_id[WORK_ID_BYTES];
    const char *name = work_text(work, "name"), *source = work_text(work, "apiKeySource");
    (void)call;
    if (exchange_query(work->x, "mode")) {
        work_fail(work, "BadRequestException", "ImportRestApi is not supported");
        return;
    }
    if (!name || !*name || strlen(name) > MAX_NAME_BYTES) {
        work_fail(work, "BadRequestException", "Invalid API name specified");
        return;
    }
    if (work_text(work, "cloneFrom") || (source && strcmp(source, "HEADER") != 0) ||
        !media_types_are_texts(json_object_get(work->request, "binaryMediaTypes"))) {
        work_fail(work, "BadRequestException",
                  "cloneFrom and apiKeySource AUTHORIZER are not supported");
        return;
    }
    work_make_id(id);
    work_make_id(root_id);
    json_t *api = make_api(work, id, root_id);
    if (check_endpoint(work, api) < 0 || work_take_tags(work, api) < 0) {
        json_decref(api);
        return;
    }
    work->api = json_pack("{s:O, s:o, s:{}, s:{}, s:{}}", "api", api, "resources",
                          root_resource(root_id), "validators", "deployments", "stages");
    work->changes_api = 1;
    work->status = 201;
    work->reply = api;
}

void apigateway_list_apis(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *document, *apis = json_object();
    (void)call;
    json_object_foreach((json_t *)(uintptr_t)store_apis(work->gateway->store), id, document)
    {
        if (!gateway_is_http(document))
            json_object_set(apis, id, json_object_get(document, "api"));
    }
    work->reply = work_list(work, apis, NULL);
    json_decref(apis);
}

void apigateway_get_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work->reply = json_incref(json_object_get(work->api, "api"));
}

/* Plans must not keep naming a stage that is gone. */
static void forget_stages(struct work *work)
{
    const char *id;
    json_t *plan;
    if (work_open_plans(work) < 0)
        return;
    json_object_foreach(json_object_get(work->plans, "plans"), id, plan)
    {
        json_t *stages = json_object_get(plan, "apiStages");
        for (size_t i = json_array_size(stages); i-- > 0;) {
            const char *api =
                json_string_value(json_object_get(json_array_get(stages, i), "apiId"));
            if (api && strcmp(api, work->call->parameters[0]) == 0)
                json_array_remove(stages, i);
        }
    }
    work->changes_plans = 1;
}

void apigateway_delete_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) < 0)
        return;
    work->deletes_api = 1;
    work->status = 202;
    forget_stages(work);
}

static void patch(struct work *work, json_t *object, const char *const *allowed)
{
    struct err err = {0};
    if (patch_apply(object, work->request, allowed, &err) < 0) {
        work_fail_err(work, &err);
        return;
    }
    work->changes_api = 1;
    work->reply = json_incref(object);
}

void apigateway_update_api(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"name",
                                          "description",
                                          "binaryMediaTypes",
                                          "policy",
                                          "minimumCompressionSize",
                                          "disableExecuteApiEndpoint",
                                          "endpointConfiguration",
                                          NULL};
    struct work *work = self;
    (void)call;
    if (work_open_api(work) < 0)
        return;
    json_t *api = json_object_get(work->api, "api");
    patch(work, api, allowed);
    if (!work->has_failed)
        work->has_failed = check_endpoint(work, api) < 0;
}

/* Resources */

/* What the operations on resources show: methods by name only, unless embed=methods was asked. */
static json_t *show_resource(struct work *work, const json_t *resource)
{
    const char *embed = exchange_query(work->x, "embed"), *name;
    json_t *method, *copy = json_copy((json_t *)(uintptr_t)resource), *names = json_object();
    json_object_foreach(json_object_get(resource, "resourceMethods"), name, method)
    {
        if (embed && strcmp(embed, "methods") == 0)
            json_object_set(names, name, method);
        else
            json_object_set_new(names, name, json_object());
    }
    json_object_del(copy, "resourceMethods");
    if (json_object_size(names))
        json_object_set(copy, "resourceMethods", names);
    json_decref(names);
    return copy;
}

static json_t *find_resource(struct work *work)
{
    json_t *resource =
        json_object_get(json_object_get(work->api, "resources"), work->call->parameters[1]);
    if (!resource)
        work_fail(work, "NotFoundException", "Invalid Resource identifier specified");
    return resource;
}

void apigateway_list_resources(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *resource, *shown = json_object();
    (void)call;
    if (work_open_api(work) == 0) {
        json_object_foreach(json_object_get(work->api, "resources"), id, resource)
        {
            json_object_set_new(shown, id, show_resource(work, resource));
        }
        work->reply = work_list(work, shown, NULL);
    }
    json_decref(shown);
}

void apigateway_get_resource(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    const json_t *resource = work_open_api(work) == 0 ? find_resource(work) : NULL;
    if (resource)
        work->reply = show_resource(work, resource);
}

static int is_variable(const char *part)
{
    return part[0] == '{';
}

/* A parent has one child of a name, one {parameter} and one {parameter+}. */
static int check_siblings(struct work *work, const json_t *resources, const char *above,
                          const char *part)
{
    const char *id;
    json_t *other;
    json_object_foreach((json_t *)(uintptr_t)resources, id, other)
    {
        const char *parent = json_string_value(json_object_get(other, "parentId"));
        const char *name = json_string_value(json_object_get(other, "pathPart"));
        if (!parent || strcmp(parent, above) != 0)
            continue;
        if (strcmp(name, part) == 0) {
            work_fail(work, "ConflictException",
                      "Another resource with the same parent already has this name: %.255s", part);
            return -1;
        }
        if (is_variable(name) && is_variable(part) && !strstr(name, "+}") == !strstr(part, "+}")) {
            work_fail(work, "BadRequestException",
                      "A sibling ({%.200s) of this resource already has a variable path part -- "
                      "only one is allowed",
                      name + 1);
            return -1;
        }
    }
    return 0;
}

static json_t *join_path(const char *above, const char *part)
{
    return json_sprintf("%s/%s", strcmp(above, "/") ? above : "", part);
}

void apigateway_create_resource(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES];
    const char *part = work_text(work, "pathPart");
    json_t *parent = work_open_api(work) == 0 ? find_resource(work) : NULL;
    if (!parent)
        return;
    json_t *resources = json_object_get(work->api, "resources");
    if (!part || !path_part_is_valid(part)) {
        work_fail(work, "BadRequestException",
                  "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable "
                  "and curly braces at the beginning and the end.");
        return;
    }
    if (check_siblings(work, resources, call->parameters[1], part) < 0)
        return;
    if (json_object_size(resources) >= STORE_MAX_RESOURCES) {
        work_fail(work, "LimitExceededException", "Maximum number of resources for this API is %d",
                  STORE_MAX_RESOURCES);
        return;
    }
    const char *above = json_string_value(json_object_get(parent, "path"));
    work_make_id(id);
    json_t *resource = json_pack("{s:s, s:s, s:s, s:o}", "id", id, "parentId", call->parameters[1],
                                 "pathPart", part, "path", join_path(above, part));
    json_object_set(resources, id, resource);
    work->changes_api = 1;
    work->status = 201;
    work->reply = resource;
}

/* The paths of all that is below, whose parents' are right. */
static void renew_paths(json_t *resources, const json_t *parent)
{
    const char *id, *own = json_string_value(json_object_get(parent, "id"));
    json_t *resource;
    json_object_foreach(resources, id, resource)
    {
        const char *above = json_string_value(json_object_get(resource, "parentId"));
        if (!above || strcmp(above, own) != 0)
            continue;
        json_object_set_new(resource, "path",
                            join_path(json_string_value(json_object_get(parent, "path")),
                                      json_string_value(json_object_get(resource, "pathPart"))));
        renew_paths(resources, resource);
    }
}

/* The part of its path; it stays below the same parent. */
void apigateway_update_resource(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"pathPart", NULL};
    struct work *work = self;
    (void)call;
    json_t *resource = work_open_api(work) == 0 ? find_resource(work) : NULL;
    if (!resource)
        return;
    json_t *resources = json_object_get(work->api, "resources");
    const json_t *parent =
        json_object_get(resources, json_string_value(json_object_get(resource, "parentId")));
    json_t *changed = json_copy(resource);
    patch(work, changed, allowed);
    const char *part = json_string_value(json_object_get(changed, "pathPart"));
    json_object_del(resources, work->call->parameters[1]);
    if (!work->has_failed && (!parent || !part || !path_part_is_valid(part)))
        work_fail(work, "BadRequestException", "Invalid path part specified");
    if (!work->has_failed &&
        check_siblings(work, resources, json_string_value(json_object_get(parent, "id")), part) ==
            0) {
        json_object_set_new(changed, "path",
                            join_path(json_string_value(json_object_get(parent, "path")), part));
        json_object_set(resources, work->call->parameters[1], changed);
        renew_paths(resources, changed);
    }
    json_decref(changed);
}

/* A resource one of whose ancestors is gone goes too. */
static int is_orphan(const json_t *resources, const json_t *resource)
{
    const char *parent = json_string_value(json_object_get(resource, "parentId"));
    return parent && !json_object_get(resources, parent);
}

static void remove_with_children(json_t *resources, const char *removed)
{
    const char *id;
    json_t *resource;
    void *next;
    int again = 1;
    json_object_del(resources, removed);
    while (again) {
        again = 0;
        json_object_foreach_safe(resources, next, id, resource)
        {
            if (is_orphan(resources, resource)) {
                json_object_del(resources, id);
                again = 1;
            }
        }
    }
}

void apigateway_delete_resource(void *self, struct rest_call *call)
{
    struct work *work = self;
    json_t *resource = work_open_api(work) == 0 ? find_resource(work) : NULL;
    if (!resource)
        return;
    if (!json_object_get(resource, "parentId")) {
        work_fail(work, "BadRequestException", "Root resource cannot be deleted.");
        return;
    }
    remove_with_children(json_object_get(work->api, "resources"), call->parameters[1]);
    work->changes_api = 1;
    work->status = 202;
}

/* Request validators */

void apigateway_create_validator(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES];
    (void)call;
    if (work_open_api(work) < 0)
        return;
    work_make_id(id);
    json_t *validator = json_pack(
        "{s:s, s:O*, s:b, s:b}", "id", id, "name", json_object_get(work->request, "name"),
        "validateRequestBody", json_is_true(json_object_get(work->request, "validateRequestBody")),
        "validateRequestParameters",
        json_is_true(json_object_get(work->request, "validateRequestParameters")));
    json_object_set(json_object_get(work->api, "validators"), id, validator);
    work->changes_api = 1;
    work->status = 201;
    work->reply = validator;
}

void apigateway_list_validators(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work->reply = work_list(work, json_object_get(work->api, "validators"), NULL);
}

static json_t *find_validator(struct work *work)
{
    if (work_open_api(work) < 0)
        return NULL;
    json_t *validator =
        json_object_get(json_object_get(work->api, "validators"), work->call->parameters[1]);
    if (!validator)
        work_fail(work, "NotFoundException", "Invalid Request Validator identifier specified");
    return validator;
}

void apigateway_get_validator(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    work->reply = json_incref(find_validator(work));
}

void apigateway_delete_validator(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (!find_validator(work))
        return;
    json_object_del(json_object_get(work->api, "validators"), call->parameters[1]);
    work->changes_api = 1;
    work->status = 202;
}
