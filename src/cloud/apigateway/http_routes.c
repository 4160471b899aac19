#include "cloud/apigateway/http_routes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                      "PATCH", "DELETE", "OPTIONS", "ANY"};
enum { METHODS = sizeof methods / sizeof *methods, ANY = METHODS - 1, MAX_KEY_BYTES = 1024 };

struct tree { /* of the routes of a method */
    json_t *resources;
    struct path_tree *paths; /* NULL: there is none */
};

struct http_routes {
    struct tree whole[METHODS], greedy[METHODS];
    json_t *otherwise; /* {"id", "path", "route"} of $default; NULL: none */
};

static const char *key_of(const json_t *route)
{
    const char *key = json_string_value(json_object_get(route, "routeKey"));
    return key ? key : "";
}

static int method_index(const char *name, size_t size)
{
    for (int i = 0; i < METHODS; i++)
        if (strlen(methods[i]) == size && memcmp(methods[i], name, size) == 0)
            return i;
    return -1;
}

static int is_greedy(const char *path)
{
    size_t size = strlen(path);
    return size > 3 && strcmp(path + size - 2, "+}") == 0;
}

int http_route_key_is_valid(const char *key)
{
    char part[PATH_MAX_PART_BYTES + 1];
    size_t method = strcspn(key, " ");
    const char *path = key[method] ? key + method + 1 : "";
    if (strcmp(key, "$default") == 0)
        return 1;
    if (method_index(key, method) < 0 || *path != '/' || strlen(key) > MAX_KEY_BYTES)
        return 0;
    while (*path == '/' && path[1]) {
        size_t size = strcspn(++path, "/");
        if (size == 0 || size >= sizeof part)
            return 0;
        memcpy(part, path, size);
        part[size] = 0;
        if (!path_part_is_valid(part) || (is_greedy(part) && path[size]))
            return 0;
        path += size;
    }
    return !*path || strcmp(path, "/") == 0;
}

/* The node of a path, with those above it; its id is the path. */
static json_t *make_node(json_t *resources, const char *path, size_t size)
{
    json_t *node = json_stringn(path, size);
    const char *id = json_string_value(node);
    json_t *before = json_object_get(resources, id);
    if (before) {
        json_decref(node);
        return before;
    }
    size_t above = size;
    while (above > 0 && path[above - 1] != '/')
        above--;
    json_t *made = json_pack("{s:s, s:b}", "id", id, "isPassage", 1);
    if (size > 1) {
        json_object_set_new(made, "parentId", json_stringn(path, above > 1 ? above - 1 : 1));
        json_object_set_new(made, "pathPart", json_stringn(path + above, size - above));
    }
    json_object_set_new(resources, id, made);
    json_decref(node);
    if (size > 1)
        make_node(resources, path, above > 1 ? above - 1 : 1);
    return made;
}

/* The method's own route stays when ANY comes. */
static void add_route(json_t *resources, json_t *route, const char *path, int is_own)
{
    size_t size = strlen(path);
    if (size > 1 && path[size - 1] == '/')
        size--;
    json_t *node = make_node(resources, path, size);
    if (!is_own && json_object_get(node, "route"))
        return;
    json_object_del(node, "isPassage");
    json_object_set(node, "route", route);
    json_object_set_new(node, "path", json_string(path));
}

static int build(struct tree *tree, const json_t *routes, int method, int greedy)
{
    const char *id;
    json_t *route;
    tree->resources = json_object();
    json_object_foreach((json_t *)(uintptr_t)routes, id, route)
    {
        const char *key = key_of(route), *path = strchr(key, '/');
        int own = path ? method_index(key, (size_t)(path - key) - 1) : -1;
        if (path && (own == method || own == ANY) && is_greedy(path) == greedy)
            add_route(tree->resources, route, path, own == method);
    }
    if (json_object_size(tree->resources) == 0)
        return 0;
    tree->paths = path_tree_create(tree->resources);
    return tree->paths ? 0 : -1;
}

struct http_routes *http_routes_create(const json_t *routes)
{
    const char *id;
    json_t *route;
    int failed = 0;
    struct http_routes *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    for (int i = 0; i < METHODS; i++)
        failed = failed || build(&r->whole[i], routes, i, 0) < 0 ||
                 build(&r->greedy[i], routes, i, 1) < 0;
    json_object_foreach((json_t *)(uintptr_t)routes, id, route)
    {
        if (strcmp(key_of(route), "$default") == 0 && !r->otherwise)
            r->otherwise =
                json_pack("{s:s, s:s, s:O}", "id", id, "path", "$default", "route", route);
    }
    if (!failed)
        return r;
    http_routes_destroy(r);
    return NULL;
}

static void finish(struct tree *tree)
{
    path_tree_destroy(tree->paths);
    json_decref(tree->resources);
}

void http_routes_destroy(struct http_routes *r)
{
    if (!r)
        return;
    for (int i = 0; i < METHODS; i++) {
        finish(&r->whole[i]);
        finish(&r->greedy[i]);
    }
    json_decref(r->otherwise);
    free(r);
}

const json_t *http_routes_find(const struct http_routes *r, const char *method, const char *path,
                               struct path_match *match, struct arena *arena)
{
    int index = method_index(method, strlen(method));
    if (index < 0)
        index = ANY;
    const struct tree *trees[] = {&r->whole[index], &r->greedy[index]};
    for (size_t i = 0; i < 2; i++)
        if (trees[i]->paths && path_tree_find(trees[i]->paths, path, match, arena))
            return json_object_get(match->resource, "route");
    match->parameter_count = 0;
    match->resource = r->otherwise;
    return json_object_get(r->otherwise, "route");
}
