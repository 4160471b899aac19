#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/path.h"
#include "cloud/apigateway/service.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The resources of a REST API. */

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

static int compare_path(const void *a, const void *b, void *resources)
{
    const json_t *first = json_object_get(resources, *(const char *const *)a);
    const json_t *second = json_object_get(resources, *(const char *const *)b);
    return strcmp(json_string_value(json_object_get(first, "path")),
                  json_string_value(json_object_get(second, "path")));
}

/* The ids by their paths, in the arena. */
static const char **sort_resources(struct work *work, const json_t *resources)
{
    const char *id,
        **ids = arena_new(&work->x->arena, const char *, json_object_size(resources) + 1);
    json_t *resource;
    size_t count = 0;
    if (!ids)
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)resources, id, resource)
    {
        ids[count++] = id;
    }
    qsort_r(ids, count, sizeof *ids, compare_path, (void *)(uintptr_t)resources);
    return ids;
}

void apigateway_list_resources(void *self, struct rest_call *call)
{
    struct work *work = self;
    json_t *shown = json_object();
    (void)call;
    if (work_open_api(work) == 0) {
        const json_t *all = json_object_get(work->api, "resources");
        const char **ids = sort_resources(work, all);
        for (size_t i = 0; ids && i < json_object_size(all); i++)
            json_object_set_new(shown, ids[i], show_resource(work, json_object_get(all, ids[i])));
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
    const char *name = json_string_value(json_object_get(parent, "pathPart"));
    if (name && strstr(name, "+}")) {
        work_fail(work, "BadRequestException",
                  "Cannot create a child of a resource with a greedy path variable: %.200s", name);
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

static int check_moves(struct work *work)
{
    size_t i;
    json_t *operation;
    json_array_foreach(json_object_get(work->request, "patchOperations"), i, operation)
    {
        const char *op = json_string_value(json_object_get(operation, "op"));
        const char *path = json_string_value(json_object_get(operation, "path"));
        int is_known = path && (strcmp(path, "/parentId") == 0 || strcmp(path, "/pathPart") == 0);
        if (is_known && op && strcmp(op, "replace") == 0)
            continue;
        work_fail(work, "BadRequestException",
                  "Invalid patch path  '%.200s' specified for op '%.20s'. %s", path ? path : "",
                  op ? op : "",
                  is_known ? "Please choose supported operations"
                           : "Must be one of: [/parentId, /pathPart]");
        return -1;
    }
    return 0;
}

/* Is `resource` below the one of `id`, or that itself? */
static int is_below(const json_t *resources, const json_t *resource, const char *id)
{
    while (resource) {
        const char *own = json_string_value(json_object_get(resource, "id"));
        const char *above = json_string_value(json_object_get(resource, "parentId"));
        if (own && strcmp(own, id) == 0)
            return 1;
        resource = above ? json_object_get(resources, above) : NULL;
    }
    return 0;
}

/* Where it shall be. NULL: the error is answered. */
static const json_t *new_parent(struct work *work, const json_t *resources, const json_t *changed)
{
    const char *id = json_string_value(json_object_get(changed, "parentId"));
    const char *part = json_string_value(json_object_get(changed, "pathPart"));
    const json_t *parent = id ? json_object_get(resources, id) : NULL;
    if (!part || !path_part_is_valid(part) || !json_object_get(changed, "path") ||
        strcmp(json_string_value(json_object_get(changed, "path")), "/") == 0)
        work_fail(work, "BadRequestException", "Invalid path part specified");
    else if (!parent)
        work_fail(work, "NotFoundException", "Invalid Resource identifier specified");
    else if (is_below(resources, parent, work->call->parameters[1]))
        work_fail(work, "BadRequestException", "Resources cannot be cyclical.");
    return work->has_failed ? NULL : parent;
}

/* Its name, or above what it stands. */
void apigateway_update_resource(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"pathPart", "parentId", NULL};
    struct work *work = self;
    json_t *resource = work_open_api(work) == 0 ? find_resource(work) : NULL;
    if (!resource || check_moves(work) < 0)
        return;
    struct err err = {0};
    json_t *resources = json_object_get(work->api, "resources"), *changed = json_copy(resource);
    if (patch_apply(changed, work->request, allowed, &err) < 0)
        work_fail_err(work, &err);
    const json_t *parent = work->has_failed ? NULL : new_parent(work, resources, changed);
    const char *part = json_string_value(json_object_get(changed, "pathPart"));
    json_object_del(resources, call->parameters[1]);
    if (parent && check_siblings(work, resources, json_string_value(json_object_get(parent, "id")),
                                 part) == 0) {
        json_object_set_new(changed, "path",
                            join_path(json_string_value(json_object_get(parent, "path")), part));
        json_object_set(resources, call->parameters[1], changed);
        renew_paths(resources, changed);
        work->changes_api = 1;
        work->reply = json_incref(changed);
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
