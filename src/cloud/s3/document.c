#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

/* Configurations in a request's body. */

struct tree *s3_take_tree_as(struct s3_request *r, const char *root, const struct tree_rule *rules,
                             const char *code)
{
    struct err err = {0};
    struct content content = {0};
    int taken = s3_take_body(r, CHECKSUM_NONE, &content);
    content_finish(&content);
    if (taken < 0)
        return NULL;
    const char *text = r->x->body.size <= CONFIG_MAX_BYTES ? exchange_body(r->x, &err) : NULL;
    if (r->x->body.size == 0) {
        exchange_fail(r->x, "MissingRequestBodyError", "Request Body is empty");
        return NULL;
    }
    struct tree *tree = text ? tree_read(&r->x->arena, text, r->x->body.size, &err) : NULL;
    if (tree && tree_check(tree, root, rules, &err) == 0)
        return tree;
    if (err.code == ERR_UNSUPPORTED)
        s3_fail_not_offered(r, "element", err.message);
    else
        exchange_fail(r->x, code,
                      "The XML you provided was not well-formed or did not validate against our "
                      "published schema");
    return NULL;
}

struct tree *s3_take_tree(struct s3_request *r, const char *root, const struct tree_rule *rules)
{
    return s3_take_tree_as(r, root, rules, "MalformedXML");
}
