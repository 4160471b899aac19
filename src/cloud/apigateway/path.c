#include "cloud/apigateway/path.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A resource. Children hang on it in the order in which they are tried. */
struct node {
    json_t *resource;
    const char *part; /* "facerecognition", "{id}", "{proxy+}"; "" for the root */
    int is_passage;   /* nothing is found here */
    struct node *parent, *first_child, *next;
};

struct path_tree {
    struct node *nodes, *root;
    size_t count;
};

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

/* Literal names first, then {parameter}, then {parameter+}. */
static int rank(const struct node *node)
{
    size_t size = strlen(node->part);
    if (node->part[0] != '{')
        return 0;
    return size > 2 && node->part[size - 2] == '+' ? 2 : 1;
}

static void hang(struct node *parent, struct node *child)
{
    struct node **at = &parent->first_child;
    while (*at && rank(*at) <= rank(child))
        at = &(*at)->next;
    child->next = *at;
    child->parent = parent;
    *at = child;
}

static struct node *find_id(const struct path_tree *tree, const char *id)
{
    for (size_t i = 0; i < tree->count; i++)
        if (strcmp(text(tree->nodes[i].resource, "id"), id) == 0)
            return &tree->nodes[i];
    return NULL;
}

struct path_tree *path_tree_create(const json_t *resources)
{
    const char *id;
    json_t *resource;
    struct path_tree *tree = calloc(1, sizeof *tree);
    if (tree)
        tree->nodes = calloc(json_object_size(resources) + 1, sizeof *tree->nodes);
    if (!tree || !tree->nodes) {
        free(tree);
        return NULL;
    }
    json_object_foreach((json_t *)(uintptr_t)resources, id, resource)
    {
        tree->nodes[tree->count++] =
            (struct node){.resource = resource,
                          .part = text(resource, "pathPart"),
                          .is_passage = json_is_true(json_object_get(resource, "isPassage"))};
    }
    for (size_t i = 0; i < tree->count; i++) {
        struct node *node = &tree->nodes[i];
        struct node *parent = find_id(tree, text(node->resource, "parentId"));
        if (parent && parent != node)
            hang(parent, node);
        else if (!*node->part)
            tree->root = node;
    }
    return tree;
}

void path_tree_destroy(struct path_tree *tree)
{
    if (!tree)
        return;
    free(tree->nodes);
    free(tree);
}

/* "{id}" and "{proxy+}" take `value`. */
static int take(struct path_match *match, const struct node *node, const char *value, size_t size,
                struct arena *arena)
{
    size_t name_size = strlen(node->part) - (rank(node) == 2 ? 3 : 2);
    if (match->parameter_count == PATH_MAX_PARAMETERS)
        return -1;
    struct path_parameter *parameter = &match->parameters[match->parameter_count++];
    parameter->name = arena_copy(arena, node->part + 1, name_size);
    parameter->value = arena_copy(arena, value, size);
    return parameter->name && parameter->value ? 0 : -1;
}

static int find(const struct node *node, const char *path, int depth, struct path_match *match,
                struct arena *arena);

static int find_in(const struct node *child, const char *part, size_t size, int depth,
                   struct path_match *match, struct arena *arena)
{
    size_t before = match->parameter_count;
    int found = 0;
    switch (rank(child)) {
    case 0:
        found = strlen(child->part) == size && memcmp(child->part, part, size) == 0 &&
                find(child, part + size, depth + 1, match, arena);
        break;
    case 1:
        found = size > 0 && take(match, child, part, size, arena) == 0 &&
                find(child, part + size, depth + 1, match, arena);
        break;
    default:
        found = size > 0 && take(match, child, part, strlen(part), arena) == 0;
        if (found)
            match->resource = child->resource;
    }
    if (!found)
        match->parameter_count = before;
    return found;
}

/* `path` is what is left: "" or "/...". */
static int find(const struct node *node, const char *path, int depth, struct path_match *match,
                struct arena *arena)
{
    if (!*path || strcmp(path, "/") == 0) {
        match->resource = node->resource;
        return !node->is_passage;
    }
    if (depth == PATH_MAX_PARTS)
        return 0;
    const char *part = path + 1;
    size_t size = strcspn(part, "/");
    for (const struct node *child = node->first_child; child; child = child->next)
        if (find_in(child, part, size, depth, match, arena))
            return 1;
    return 0;
}

int path_tree_find(const struct path_tree *tree, const char *path, struct path_match *match,
                   struct arena *arena)
{
    match->parameter_count = 0;
    return tree->root && *path == '/' && find(tree->root, path, 0, match, arena);
}

int path_part_is_valid(const char *part)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-:$@~!&'()*,;=%";
    size_t size = strlen(part);
    if (size == 0 || size > PATH_MAX_PART_BYTES)
        return 0;
    if (part[0] != '{')
        return strspn(part, letters) == size;
    if (size < 3 || part[size - 1] != '}')
        return 0;
    size_t inner = size - 2 - (part[size - 2] == '+');
    return inner > 0 && strspn(part + 1, letters) >= inner;
}
