#include "cloud/lambda/mapping.h"
#include "cloud/lambda/service.h"
#include "cloud/query.h"

#include <string.h>

enum { MAX_TAGS = 50 };

/* Tags of functions and of event source mappings. */

static int are_texts(const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!json_is_string(value))
            return 0;
    }
    return json_is_object(object);
}

int lambda_check_tags(struct exchange *x, const json_t *tags)
{
    if (!tags || (are_texts(tags) && json_object_size(tags) <= MAX_TAGS))
        return 0;
    exchange_fail(x, "InvalidParameterValueException", "%s",
                  json_object_size(tags) > MAX_TAGS ? "Number of tags exceeds resource tag limit."
                                                    : "Tags is an object of texts");
    return -1;
}

/* Into the holder's "Tags". -1: the error is answered. */
static int add_tags(struct exchange *x, json_t *holder, const json_t *request)
{
    json_t *given = json_object_get(request, "Tags"), *tags = json_object_get(holder, "Tags");
    if (json_object_size(given) == 0) {
        exchange_fail(x, "InvalidParameterValueException",
                      "An error occurred and the request cannot be processed.");
        return -1;
    }
    if (!tags) {
        tags = json_object();
        json_object_set_new(holder, "Tags", tags);
    }
    json_object_update(tags, given);
    return lambda_check_tags(x, tags);
}

static void remove_tags(struct exchange *x, json_t *holder)
{
    struct query_pair pair;
    for (const char *at = x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(x, pair.name, pair.name_size, 1);
        const char *key = exchange_decode(x, pair.value, pair.value_size, 1);
        if (name && key && strcmp(name, "tagKeys") == 0)
            json_object_del(json_object_get(holder, "Tags"), key);
    }
}

static void reply_tags(struct exchange *x, const json_t *holder)
{
    json_t *tags = json_object_get(holder, "Tags");
    rest_reply(x, 200, json_pack("{s:o}", "Tags", tags ? json_incref(tags) : json_object()));
}

/* -- of functions -- */

static int check_is_function(struct lambda_change *c)
{
    if (!*c->qualifier)
        return 0;
    exchange_fail(c->x, "InvalidParameterValueException",
                  "Tags on function aliases and versions are not supported. Please specify a "
                  "function ARN.");
    return -1;
}

static int tag(struct lambda_change *c)
{
    return check_is_function(c) < 0 ? -1 : add_tags(c->x, c->record, c->request);
}

static int untag(struct lambda_change *c)
{
    if (check_is_function(c) < 0)
        return -1;
    remove_tags(c->x, c->record);
    return 0;
}

/* -- of mappings -- */

/* The mapping of "arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:UUID", a copy. NULL: `text` is
 * something else (*is_mapping 0), or the error is answered. */
static json_t *open_mapping(struct lambda *lambda, struct rest_call *call, int *is_mapping)
{
    static const char mark[] = ":event-source-mapping:";
    const char *found = strstr(call->parameters[0], mark);
    *is_mapping = found != NULL;
    json_t *mapping = found ? mappings_get(lambda->mappings, found + sizeof mark - 1) : NULL;
    if (found && !mapping)
        lambda_fail_resource(call->x, "The resource you requested does not exist.");
    return mapping;
}

static void store_mapping(struct lambda *lambda, struct exchange *x, json_t *mapping)
{
    struct err err = {0};
    if (mappings_put(lambda->mappings, mapping, &err) < 0)
        lambda_fail_err(x, &err);
    else
        exchange_respond(x, 204, NULL, NULL, 0);
}

/* -- operations -- */

/* Is it what can have tags? 0: the error is answered. */
static int is_resource(struct exchange *x, const char *arn)
{
    static const char *const kinds[] = {":function:", ":event-source-mapping:"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(arn, "arn:aws", 7) == 0 && strstr(arn, ":lambda:") && strstr(arn, kinds[i]))
            return 1;
    exchange_fail(
        x, "ValidationException",
        "1 validation error detected: Value '%.256s' at 'resource' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)"
        "|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]"
        "+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:"
        "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})",
        arn);
    return 0;
}

static int has_keys(struct exchange *x)
{
    if (exchange_query(x, "tagKeys"))
        return 1;
    exchange_fail(x, "ValidationException",
                  "1 validation error detected: Value null at 'tagKeys' failed to satisfy "
                  "constraint: Member must not be null");
    return 0;
}

void lambda_tag(void *self, struct rest_call *call)
{
    int is_mapping;
    if (!is_resource(call->x, call->parameters[0]))
        return;
    json_t *mapping = open_mapping(self, call, &is_mapping);
    if (!is_mapping)
        lambda_run_change(self, call, tag);
    json_t *request = mapping ? rest_call_body(call, "InvalidParameterValueException") : NULL;
    if (request && add_tags(call->x, mapping, request) == 0)
        store_mapping(self, call->x, mapping);
    else
        json_decref(mapping);
    json_decref(request);
}

void lambda_untag(void *self, struct rest_call *call)
{
    int is_mapping;
    if (!is_resource(call->x, call->parameters[0]) || !has_keys(call->x))
        return;
    json_t *mapping = open_mapping(self, call, &is_mapping);
    if (!is_mapping)
        lambda_run_change(self, call, untag);
    if (!mapping)
        return;
    remove_tags(call->x, mapping);
    store_mapping(self, call->x, mapping);
}

void lambda_list_tags(void *self, struct rest_call *call)
{
    int is_mapping;
    if (!is_resource(call->x, call->parameters[0]))
        return;
    json_t *mapping = open_mapping(self, call, &is_mapping);
    if (mapping)
        reply_tags(call->x, mapping);
    json_decref(mapping);
    struct function *function = is_mapping ? NULL : lambda_find(self, call);
    if (!function)
        return;
    reply_tags(call->x, function->record);
    function_release(function);
}
