#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

/* Configurations in a request's body. */

/* How long AWS lets each be, where that is not CONFIG_MAX_BYTES or more. */
static size_t most_bytes(const char *root)
{
    static const struct {
        const char *root;
        size_t bytes;
    } limits[] = {{"VersioningConfiguration", 1024},
                  {"OwnershipControls", 2048},
                  {"CORSConfiguration", 64 * 1024},
                  {"Tagging", 160 * 1024},
                  {"AccessControlPolicy", 200 * 1024}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (strcmp(limits[i].root, root) == 0)
            return limits[i].bytes;
    return CONFIG_MAX_BYTES;
}

int s3_check_size(struct s3_request *r, size_t most_bytes)
{
    char text[24];
    if (r->x->body.size <= most_bytes)
        return 0;
    snprintf(text, sizeof text, "%zu", most_bytes);
    exchange_fail_more(r->x, "MaxMessageLengthExceeded", "MaxMessageLengthBytes", text,
                       "Your request was too big.");
    return -1;
}

struct tree *s3_take_tree_as(struct s3_request *r, const char *root, const struct tree_rule *rules,
                             const char *code)
{
    struct err err = {0};
    struct content content = {0};
    if (s3_check_size(r, most_bytes(root)) < 0)
        return NULL;
    int taken = s3_take_body(r, CHECKSUM_NONE, &content);
    content_finish(&content);
    if (taken < 0)
        return NULL;
    const char *text = exchange_body(r->x, &err);
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
