#include "base/random.h"
#include "cloud/lambda/configuration.h"
#include "cloud/lambda/service.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Published versions, which never change, and aliases, which point at them. */

enum { LIST_MAX_ITEMS = 50, MAX_VERSION_TRIES = 1000000 };

/* What makes one version differ from another. */
static json_t *content_of(const json_t *configuration)
{
    static const char *const others[] = {"RevisionId", "LastModified", "Description", "FunctionArn",
                                         "Version"};
    json_t *copy = json_copy((json_t *)(uintptr_t)configuration);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(copy, others[i]);
    return copy;
}

/* record["PublishedDescription"] is what $LATEST's was then; a version may have one of its own. */
static int is_unchanged(const struct function *last, const json_t *record)
{
    const json_t *configuration = json_object_get(record, "Configuration");
    const json_t *published = json_object_get(record, "PublishedDescription");
    json_t *before = content_of(last->configuration), *now = content_of(configuration);
    int same = before && json_equal(before, now) &&
               (!published || json_equal(published, json_object_get(configuration, "Description")));
    json_decref(before);
    json_decref(now);
    return same;
}

static struct function *find_last(struct lambda *lambda, const char *name, const json_t *record)
{
    char version[24];
    snprintf(version, sizeof version, "%lld",
             (long long)json_integer_value(json_object_get(record, "LastVersion")));
    return registry_find_version(lambda->registry, name, version);
}

static json_t *make_version(struct lambda *lambda, const char *name, const json_t *record,
                            json_int_t number, const json_t *description)
{
    char version[24], arn[FUNCTION_ARN_BYTES];
    json_t *configuration = json_deep_copy(json_object_get(record, "Configuration"));
    snprintf(version, sizeof version, "%lld", (long long)number);
    lambda_function_arn(lambda, name, version, arn);
    json_object_set_new(configuration, "Version", json_string(version));
    json_object_set_new(configuration, "FunctionArn", json_string(arn));
    if (json_is_string(description))
        json_object_set(configuration, "Description", (json_t *)(uintptr_t)description);
    configuration_revise(configuration);
    return json_pack("{s:o, s:O, s:O*}", "Configuration", configuration, "Code",
                     json_object_get(record, "Code"), "Image", json_object_get(record, "Image"));
}

struct function *lambda_publish(struct lambda *lambda, struct exchange *x, json_t *record,
                                const json_t *description)
{
    struct err err = {0};
    const json_t *configuration = json_object_get(record, "Configuration");
    const char *name = json_string_value(json_object_get(configuration, "FunctionName"));
    struct function *last = find_last(lambda, name, record);
    if (last && is_unchanged(last, record))
        return last;
    function_release(last);
    json_int_t number = json_integer_value(json_object_get(record, "LastVersion")) + 1;
    struct function *latest = registry_find(lambda->registry, name);
    struct function *version =
        latest ? registry_store(lambda->registry,
                                make_version(lambda, name, record, number, description),
                                code_hold(latest->code), &err)
               : NULL;
    function_release(latest);
    if (version) {
        json_object_set_new(record, "LastVersion", json_integer(number));
        json_object_set(record, "PublishedDescription",
                        json_object_get(configuration, "Description"));
    } else if (err.code) {
        lambda_fail_err(x, &err);
    } else {
        lambda_fail_not_found(lambda, x, name);
    }
    return version;
}

static int check_publish(struct lambda_change *c)
{
    const json_t *configuration = json_object_get(c->record, "Configuration");
    const char *wanted = json_string_value(json_object_get(c->request, "CodeSha256"));
    const char *present = json_string_value(json_object_get(configuration, "CodeSha256"));
    if (*c->qualifier && strcmp(c->qualifier, "$LATEST") != 0) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "A version is published of $LATEST, not of %s", c->qualifier);
        return -1;
    }
    if (wanted && *wanted && strcmp(wanted, present ? present : "") != 0) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "CodeSHA256 (%.64s) is different from current CodeSHA256 in $LATEST (%s). "
                      "Please try again with the CodeSHA256 in $LATEST.",
                      wanted, present ? present : "");
        return -1;
    }
    return lambda_revision_matches(c->x, configuration, c->request) ? 0 : -1;
}

static int publish(struct lambda_change *c)
{
    if (check_publish(c) < 0)
        return -1;
    struct function *version =
        lambda_publish(c->lambda, c->x, c->record, json_object_get(c->request, "Description"));
    if (!version)
        return -1;
    c->status = 201;
    c->reply = json_deep_copy(version->configuration);
    function_release(version);
    return 0;
}

void lambda_publish_version(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, publish);
}

static int compare_versions(const void *a, const void *b)
{
    const struct function *const *first = a, *const *second = b;
    int is_latest = function_is_latest(*second) - function_is_latest(*first);
    long long x = strtoll((*first)->version, NULL, 10), y = strtoll((*second)->version, NULL, 10);
    return is_latest ? is_latest : (x > y) - (x < y);
}

void lambda_list_versions(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    size_t count;
    struct function *function = lambda_find(lambda, call);
    if (!function)
        return;
    struct function **list = registry_list(lambda->registry, &count);
    json_t *versions = json_array();
    if (list)
        qsort(list, count, sizeof *list, compare_versions);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->name, function->name) == 0)
            json_array_append_new(versions, lambda_list_item(lambda, list[i], 1));
        function_release(list[i]);
    }
    free(list);
    function_release(function);
    lambda_reply_page(call->x, "Versions", versions, LIST_MAX_ITEMS);
}

/* Aliases */

/* A number in 0..1 by lot. */
static double draw(void)
{
    uint32_t bits;
    random_bytes(&bits, sizeof bits);
    return (double)bits / 4294967296.0;
}

const char *lambda_alias_version(const json_t *record, const char *alias)
{
    const char *version;
    json_t *weight;
    const json_t *found = lambda_part(record, "Aliases", alias);
    double lot = draw(), sum = 0;
    json_object_foreach(
        json_object_get(json_object_get(found, "RoutingConfig"), "AdditionalVersionWeights"),
        version, weight)
    {
        sum += json_number_value(weight);
        if (lot < sum)
            return version;
    }
    return json_string_value(json_object_get(found, "FunctionVersion"));
}

static json_t *show_alias(const struct lambda *lambda, const char *name, const json_t *alias)
{
    char arn[FUNCTION_ARN_BYTES];
    json_t *copy = json_deep_copy(alias);
    lambda_function_arn(lambda, name, json_string_value(json_object_get(alias, "Name")), arn);
    json_object_set_new(copy, "AliasArn", json_string(arn));
    return copy;
}

static int version_exists(struct lambda_change *c, const char *version)
{
    if (version && strcmp(version, "$LATEST") == 0)
        return 1;
    struct function *found = version && function_qualifier_is_version(version)
                                 ? registry_find_version(c->lambda->registry, c->name, version)
                                 : NULL;
    function_release(found);
    return found != NULL;
}

static int refuse_version(struct lambda_change *c, const char *version)
{
    char arn[FUNCTION_ARN_BYTES];
    lambda_function_arn(c->lambda, c->name, version ? version : "", arn);
    lambda_fail_resource(c->x, arena_printf(&c->x->arena, "Function not found: %s", arn));
    return -1;
}

/* One version beside the alias's `own`. */
static int check_weight(const char *own, const char *version, const json_t *weight, struct err *err)
{
    double part = json_number_value(weight);
    if (!json_is_number(weight) || part < 0 || part > 1)
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '{%.32s=%g}' at "
                       "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map "
                       "value must satisfy constraint: [Member must have value less than or equal "
                       "to 1.0, Member must have value greater than or equal to 0.0, Member must "
                       "not be null]",
                       version, part);
    if (strcmp(version, own) == 0)
        return err_set(err, ERR_INVALID,
                       "Invalid function version %s. Function version %s is already included in "
                       "routing configuration.",
                       own, own);
    if (strcmp(own, "$LATEST") == 0)
        return err_set(err, ERR_INVALID,
                       "$LATEST is not supported for an alias pointing to more than 1 version");
    if (!function_qualifier_is_version(version))
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '{%.32s=%g}' at "
                       "'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map "
                       "keys must satisfy constraint: [Member must have length less than or equal "
                       "to 1024, Member must have length greater than or equal to 1, Member must "
                       "satisfy regular expression pattern: [0-9]+, Member must not be null]",
                       version, part);
    return 0;
}

static int check_routing(struct lambda_change *c, const json_t *alias)
{
    struct err err = {0};
    const json_t *routing = json_object_get(alias, "RoutingConfig");
    json_t *weights = json_object_get(routing, "AdditionalVersionWeights");
    const char *own = json_string_value(json_object_get(alias, "FunctionVersion"));
    const char *version = json_object_iter_key(json_object_iter(weights));
    int result = 0;
    if ((routing && !json_is_object(routing) && !json_is_null(routing)) ||
        (weights && !json_is_object(weights)))
        result = err_set(&err, ERR_INVALID, "Could not parse request body into json");
    else if (json_object_size(weights) > 1)
        result = err_set(&err, ERR_INVALID,
                         "Number of items in AdditionalVersionWeights cannot be greater than 1");
    else if (version)
        result = check_weight(own, version, json_object_get(weights, version), &err);
    if (result < 0)
        lambda_fail_err(c->x, &err);
    else if (version && !version_exists(c, version))
        return refuse_version(c, version);
    return result;
}

static int check_alias(struct lambda_change *c, const json_t *alias)
{
    const char *version = json_string_value(json_object_get(alias, "FunctionVersion"));
    const json_t *description = json_object_get(alias, "Description");
    if (!version_exists(c, version))
        return refuse_version(c, version);
    if (!json_is_string(description) || json_string_length(description) > 256) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "Description is a text of at most 256 bytes");
        return -1;
    }
    return check_routing(c, alias);
}

static void take_alias_fields(json_t *alias, const json_t *request)
{
    static const char *const fields[] = {"FunctionVersion", "Description", "RoutingConfig"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *value = json_object_get(request, fields[i]);
        if (value && !json_is_null(value))
            json_object_set(alias, fields[i], value);
    }
    const json_t *routing = json_object_get(alias, "RoutingConfig");
    if (json_object_size(json_object_get(routing, "AdditionalVersionWeights")) == 0 &&
        (json_is_object(routing) || json_is_null(routing)))
        json_object_del(alias, "RoutingConfig");
    configuration_revise(alias);
}

static int is_alias_name(const char *name)
{
    return name && strcmp(name, "$LATEST") != 0 && function_qualifier_is_valid(name) &&
           strspn(name, "0123456789") != strlen(name);
}

static int create_alias(struct lambda_change *c)
{
    const char *name = json_string_value(json_object_get(c->request, "Name"));
    if (!is_alias_name(name)) {
        exchange_fail(c->x, "ValidationException",
                      "1 validation error detected: Value '%.128s' at 'name' failed to satisfy "
                      "constraint: Member must satisfy regular expression pattern: "
                      "(?!^[0-9]+$)([a-zA-Z0-9-_]+)",
                      name ? name : "");
        return -1;
    }
    if (lambda_part(c->record, "Aliases", name)) {
        char arn[FUNCTION_ARN_BYTES];
        lambda_function_arn(c->lambda, c->name, name, arn);
        exchange_fail(c->x, "ResourceConflictException", "Alias already exists: %s", arn);
        return -1;
    }
    json_t *alias = json_pack("{s:s, s:s}", "Name", name, "Description", "");
    lambda_set_part(c->record, "Aliases", name, alias);
    take_alias_fields(alias, c->request);
    if (check_alias(c, alias) < 0)
        return -1;
    c->status = 201;
    c->reply = show_alias(c->lambda, c->name, alias);
    return 0;
}

static json_t *find_alias(struct lambda *lambda, struct rest_call *call, const char *function,
                          const json_t *record)
{
    char arn[FUNCTION_ARN_BYTES];
    const char *name = call->parameters[1];
    json_t *alias = json_object_get(json_object_get(record, "Aliases"), name);
    if (alias)
        return alias;
    lambda_function_arn(lambda, function, name, arn);
    lambda_fail_resource(call->x, arena_printf(&call->x->arena, "Cannot find alias arn: %s", arn));
    return NULL;
}

static int update_alias(struct lambda_change *c)
{
    json_t *alias = find_alias(c->lambda, c->call, c->name, c->record);
    if (!alias || !lambda_revision_matches(c->x, alias, c->request))
        return -1;
    take_alias_fields(alias, c->request);
    if (check_alias(c, alias) < 0)
        return -1;
    c->reply = show_alias(c->lambda, c->name, alias);
    return 0;
}

int lambda_forget_qualifier(json_t *record, const char *qualifier)
{
    static const char *const fields[] = {"Aliases",     "Policies", "EventInvokeConfigs",
                                         "Provisioned", "Urls",     "Runtimes"};
    int found = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        found |= json_object_del(json_object_get(record, fields[i]), qualifier) == 0;
    return found;
}

/* Deleting an absent one is fine, as on AWS. */
static int delete_alias(struct lambda_change *c)
{
    lambda_forget_qualifier(c->record, c->call->parameters[1]);
    return 0;
}

void lambda_create_alias(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, create_alias);
}

void lambda_update_alias(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, update_alias);
}

void lambda_delete_alias(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, delete_alias);
}

void lambda_get_alias(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    const json_t *alias =
        function ? find_alias(self, call, function->name, function->record) : NULL;
    if (alias)
        rest_reply(call->x, 200, show_alias(self, function->name, alias));
    function_release(function);
}

/* Does it point at the version, by weight too? */
static int points_at(const json_t *alias, const char *version)
{
    const char *own = json_string_value(json_object_get(alias, "FunctionVersion"));
    const json_t *weights =
        json_object_get(json_object_get(alias, "RoutingConfig"), "AdditionalVersionWeights");
    return strcmp(own, version) == 0 || json_object_get(weights, version);
}

void lambda_list_aliases(void *self, struct rest_call *call)
{
    const char *name, *version = exchange_query(call->x, "FunctionVersion");
    json_t *alias, *aliases;
    struct function *function = lambda_find(self, call);
    if (!function)
        return;
    aliases = json_array();
    json_object_foreach(json_object_get(function->record, "Aliases"), name, alias)
    {
        if (!version || points_at(alias, version))
            json_array_append_new(aliases, show_alias(self, function->name, alias));
    }
    function_release(function);
    lambda_reply_page(call->x, "Aliases", aliases, LIST_MAX_ITEMS);
}
