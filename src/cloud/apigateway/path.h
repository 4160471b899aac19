#ifndef CLOUD_APIGATEWAY_PATH_H
#define CLOUD_APIGATEWAY_PATH_H

#include "base/arena.h"

#include <jansson.h>
#include <stddef.h>

/* Which resource of an API a path belongs to. Like API Gateway: at each part a literal name goes
 * before {parameter}, and that before {parameter+}, which takes all the rest; where the preferred
 * way leads nowhere, the next one is tried.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
 */
enum { PATH_MAX_PARTS = 64, PATH_MAX_PARAMETERS = 32, PATH_MAX_PART_BYTES = 255 };

struct path_tree;

/* `resources` is an object of resources by id, each with "id", "path" and, but for the root,
 * "parentId" and "pathPart"; one with "isPassage" only leads to others. Borrowed: it must outlive
 * the tree. NULL without memory. */
struct path_tree *path_tree_create(const json_t *resources);
void path_tree_destroy(struct path_tree *tree); /* NULL is fine */

struct path_parameter {
    const char *name, *value; /* in the arena */
};

struct path_match {
    json_t *resource; /* borrowed */
    struct path_parameter parameters[PATH_MAX_PARAMETERS];
    size_t parameter_count;
};

/* `path` is decoded already and starts with '/'. 1: found. */
int path_tree_find(const struct path_tree *tree, const char *path, struct path_match *match,
                   struct arena *arena);

/* 1 for what may be a resource's path part: a name, {name} or {name+}. */
int path_part_is_valid(const char *part);

#endif
