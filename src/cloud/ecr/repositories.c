#include "base/buf.h"
#include "cloud/ecr/api.h"
#include "cloud/iam/policy.h"

#include <stdlib.h>
#include <string.h>

/* Repositories, with their policies and tags. */

static json_t *describe(const struct api_call *call, const struct ecr_repository *r)
{
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:{s:b}, s:{s:s}}", "repositoryArn",
        ecr_arn(call->ecr, call->x, r->name), "registryId", api_account(call), "repositoryName",
        r->name, "repositoryUri", json_sprintf("%s/%s", api_host(call), r->name), "createdAt",
        api_seconds(r->created_ms), "imageTagMutability", r->is_immutable ? "IMMUTABLE" : "MUTABLE",
        "imageScanningConfiguration", "scanOnPush", r->scan_on_push, "encryptionConfiguration",
        "encryptionType", "AES256");
}

/* 1: IMMUTABLE, 0: MUTABLE or absent, -1: neither. */
static int read_mutability(struct api_call *call)
{
    const char *value = api_text(call, "imageTagMutability");
    if (!value || strcmp(value, "MUTABLE") == 0)
        return 0;
    if (strcmp(value, "IMMUTABLE") == 0)
        return 1;
    return api_fail(call, INVALID,
                    "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: "
                    "'Member must satisfy enum value set: [IMMUTABLE, MUTABLE]'");
}

/* [{"Key", "Value"}..] as it is kept; NULL: none, or wrong and told. */
static char *read_tags(struct api_call *call, const json_t *list)
{
    size_t i;
    json_t *tag;
    json_array_foreach(list, i, tag)
    {
        if (!json_is_string(json_object_get(tag, "Key"))) {
            api_fail(call, "InvalidTagParameterException", "A tag has a Key and a Value");
            return NULL;
        }
    }
    return list ? json_dumps(list, JSON_COMPACT) : NULL;
}

int on_create_repository(struct api_call *call)
{
    struct ecr_repository r = {.created_ms = call->x->received_unix_ms};
    const json_t *scanning = json_object_get(call->wire.body, "imageScanningConfiguration");
    const json_t *encryption = json_object_get(call->wire.body, "encryptionConfiguration");
    const char *type = json_string_value(json_object_get(encryption, "encryptionType"));
    if (encryption && (!type || strcmp(type, "AES256") != 0))
        return api_fail(call, INVALID,
                        "CreateRepository has no encryptionConfiguration but AES256");
    r.is_immutable = read_mutability(call);
    r.scan_on_push = json_is_true(json_object_get(scanning, "scanOnPush"));
    snprintf(r.name, sizeof r.name, "%s", call->repository);
    char *tags =
        r.is_immutable < 0 ? NULL : read_tags(call, json_object_get(call->wire.body, "tags"));
    int result = call->code ? -1 : ecr_put_repository(call->ecr, &r, &call->err);
    if (result < 0 && call->err.code == ERR_EXISTS)
        api_fail(call, "RepositoryAlreadyExistsException",
                 "The repository with name '%s' already exists in the registry with id '%s'",
                 r.name, api_account(call));
    if (result == 0 && tags)
        result = ecr_set_text(call->ecr, r.name, "tags", tags, &call->err);
    free(tags);
    if (result == 0)
        api_set(call, "repository", describe(call, &r));
    return result;
}

int on_delete_repository(struct api_call *call)
{
    struct ecr_repository r;
    int force = json_is_true(json_object_get(call->wire.body, "force"));
    if (ecr_get_repository(call->ecr, call->repository, &r, &call->err) < 0)
        return api_no_repository(call);
    if (ecr_delete_repository(call->ecr, call->repository, force, &call->err) < 0)
        return call->err.code == ERR_BUSY
                   ? api_fail(call, "RepositoryNotEmptyException",
                              "The repository with name '%s' in registry with id '%s' cannot be "
                              "deleted because it still contains images",
                              call->repository, api_account(call))
                   : api_no_repository(call);
    ecr_sweep(call->ecr);
    api_set(call, "repository", describe(call, &r));
    return 0;
}

struct listing {
    struct api_call *call;
    json_t *list;
    size_t most;
    char last[ECR_MAX_NAME + 1]; /* of a full page */
};

static int take_repository(void *context, const struct ecr_repository *r)
{
    struct listing *listing = context;
    if (json_array_size(listing->list) == listing->most) {
        const json_t *one = json_array_get(listing->list, listing->most - 1);
        snprintf(listing->last, sizeof listing->last, "%s",
                 json_string_value(json_object_get(one, "repositoryName")));
        return 1;
    }
    return json_array_append_new(listing->list, describe(listing->call, r)) < 0;
}

static int describe_named(struct api_call *call, const json_t *names, json_t *list)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        struct ecr_repository r;
        call->repository = json_string_value(name) ? json_string_value(name) : "";
        if (ecr_get_repository(call->ecr, call->repository, &r, &call->err) < 0)
            return api_no_repository(call);
        json_array_append_new(list, describe(call, &r));
    }
    return 0;
}

int on_describe_repositories(struct api_call *call)
{
    struct listing listing = {.call = call, .list = json_array()};
    const json_t *names = json_object_get(call->wire.body, "repositoryNames");
    api_set(call, "repositories", listing.list);
    if (json_array_size(names))
        return describe_named(call, names, listing.list);
    if (api_page_size(call, &listing.most) < 0)
        return -1;
    int result = ecr_list_repositories(call->ecr, api_text(call, "nextToken"), take_repository,
                                       &listing, &call->err);
    if (result == 0 && *listing.last)
        api_set(call, "nextToken", json_string(listing.last));
    return result;
}

int on_put_mutability(struct api_call *call)
{
    int is_immutable = read_mutability(call);
    if (is_immutable < 0)
        return -1;
    if (ecr_set_mutability(call->ecr, call->repository, is_immutable, &call->err) < 0)
        return api_no_repository(call);
    api_set(call, "registryId", json_string(api_account(call)));
    api_set(call, "repositoryName", json_string(call->repository));
    api_set(call, "imageTagMutability", json_string(is_immutable ? "IMMUTABLE" : "MUTABLE"));
    return 0;
}

/* -- texts of a repository: its policy, its lifecycle policy -- */

struct kind {
    const char *kind, *member, *absent, *word;
};
static const struct kind policy = {"policy", "policyText", "RepositoryPolicyNotFoundException",
                                   "Repository"};
static const struct kind lifecycle = {"lifecycle", "lifecyclePolicyText",
                                      "LifecyclePolicyNotFoundException", "Lifecycle"};

static void set_kind(struct api_call *call, const struct kind *kind, const char *value)
{
    api_set(call, "registryId", json_string(api_account(call)));
    api_set(call, "repositoryName", json_string(call->repository));
    api_set(call, kind->member, json_string(value));
}

static int put_kind(struct api_call *call, const struct kind *kind)
{
    struct err err;
    const char *value = api_text(call, kind->member);
    /* Like trust, a repository's policy has a Principal and no Resource. */
    json_t *json = !value            ? NULL
                   : kind == &policy ? policy_parse(value, POLICY_OF_TRUST, &err)
                                     : json_loads(value, 0, NULL);
    int is_object = json_is_object(json);
    json_decref(json);
    if (!is_object)
        return api_fail(call, INVALID,
                        "Invalid parameter at '%sPolicyText' failed to satisfy constraint: '%s'",
                        kind == &policy ? "" : "Lifecycle",
                        kind == &policy ? "Invalid repository policy provided"
                                        : "Lifecycle policy validation failure: it is no object");
    if (ecr_set_text(call->ecr, call->repository, kind->kind, value, &call->err) < 0)
        return api_no_repository(call);
    set_kind(call, kind, value);
    return 0;
}

static int get_kind(struct api_call *call, const struct kind *kind)
{
    const char *value;
    if (ecr_get_text(call->ecr, call->repository, kind->kind, &call->x->arena, &value, &call->err) <
        0)
        return api_no_repository(call);
    if (!value)
        return api_fail(call, kind->absent,
                        "%s policy does not exist for the repository with name '%s' in the "
                        "registry with id '%s'",
                        kind->word, call->repository, api_account(call));
    set_kind(call, kind, value);
    return 0;
}

static int delete_kind(struct api_call *call, const struct kind *kind)
{
    if (get_kind(call, kind) < 0)
        return -1;
    return ecr_set_text(call->ecr, call->repository, kind->kind, NULL, &call->err);
}

#define KIND_OPERATIONS(name)                                                                      \
    int on_put_##name(struct api_call *call)                                                       \
    {                                                                                              \
        return put_kind(call, &name);                                                              \
    }                                                                                              \
    int on_get_##name(struct api_call *call)                                                       \
    {                                                                                              \
        return get_kind(call, &name);                                                              \
    }                                                                                              \
    int on_delete_##name(struct api_call *call)                                                    \
    {                                                                                              \
        return delete_kind(call, &name);                                                           \
    }
KIND_OPERATIONS(policy)
KIND_OPERATIONS(lifecycle)

/* -- tags of repositories -- */

/* The repository of resourceArn. */
static int find_arn(struct api_call *call)
{
    const char *arn = api_text(call, "resourceArn"),
               *name = arn ? strstr(arn, ":repository/") : NULL;
    call->repository = name ? name + strlen(":repository/") : "";
    return name ? 0
                : api_fail(call, INVALID,
                           "Invalid parameter at 'resourceArn' failed to satisfy constraint: "
                           "'Invalid ARN'");
}

static json_t *load_tags(struct api_call *call)
{
    const char *kept;
    if (ecr_get_text(call->ecr, call->repository, "tags", &call->x->arena, &kept, &call->err) < 0) {
        api_no_repository(call);
        return NULL;
    }
    json_t *tags = kept ? json_loads(kept, 0, NULL) : json_array();
    return tags ? tags : json_array();
}

static int store_tags(struct api_call *call, json_t *tags)
{
    char *value = json_dumps(tags, JSON_COMPACT);
    int result = value ? ecr_set_text(call->ecr, call->repository, "tags", value, &call->err) : -1;
    free(value);
    json_decref(tags);
    return result;
}

static void remove_tag(json_t *tags, const char *key)
{
    for (size_t i = json_array_size(tags); key && i-- > 0;)
        if (strcmp(json_string_value(json_object_get(json_array_get(tags, i), "Key")), key) == 0)
            json_array_remove(tags, i);
}

int on_tag_resource(struct api_call *call)
{
    size_t i;
    json_t *tag, *more = json_object_get(call->wire.body, "tags");
    char *checked = find_arn(call) < 0 ? NULL : read_tags(call, more);
    json_t *tags = checked ? load_tags(call) : NULL;
    free(checked);
    if (!tags)
        return call->code ? -1 : api_fail(call, INVALID, "Invalid parameter at 'tags'");
    json_array_foreach(more, i, tag)
    {
        remove_tag(tags, json_string_value(json_object_get(tag, "Key")));
        json_array_append(tags, tag);
    }
    return store_tags(call, tags);
}

int on_untag_resource(struct api_call *call)
{
    size_t i;
    json_t *key, *tags = find_arn(call) < 0 ? NULL : load_tags(call);
    if (!tags)
        return -1;
    json_array_foreach(json_object_get(call->wire.body, "tagKeys"), i, key)
    {
        remove_tag(tags, json_string_value(key));
    }
    return store_tags(call, tags);
}

int on_list_tags(struct api_call *call)
{
    json_t *tags = find_arn(call) < 0 ? NULL : load_tags(call);
    if (!tags)
        return -1;
    api_set(call, "tags", tags);
    return 0;
}
