#include "cloud/ecr/api.h"

#include <stdlib.h>
#include <string.h>

/* Images: put, got, listed, deleted. */

/* A failure from below, by what it says there. */
static int fail_as(struct api_call *call, const char *not_found)
{
    switch (call->err.code) {
    case ERR_NOT_FOUND:
        call->code = not_found;
        break;
    case ERR_EXISTS:
        call->code = "ImageTagAlreadyExistsException";
        break;
    case ERR_INVALID:
    case ERR_TOO_BIG:
        call->code = INVALID;
        break;
    default:
        break;
    }
    return -1;
}

static json_t *image_id(const char *digest, const char *tag)
{
    return json_pack("{s:s, s:s*}", "imageDigest", digest, "imageTag", tag);
}

static json_t *image(struct api_call *call, const struct ecr_manifest *m, const char *tag)
{
    return json_pack("{s:s, s:s, s:o, s:s%, s:s}", "registryId", api_account(call),
                     "repositoryName", call->repository, "imageId", image_id(m->digest, tag),
                     "imageManifest", (const char *)m->content, m->size, "imageManifestMediaType",
                     m->media_type);
}

int on_put_image(struct api_call *call)
{
    struct ecr_manifest m;
    int was_there = 0;
    const char *manifest = api_text(call, "imageManifest"), *tag = api_text(call, "imageTag"),
               *digest = api_text(call, "imageDigest");
    char is[ECR_DIGEST_BYTES];
    if (!manifest)
        return api_fail(call, INVALID, "Invalid parameter at 'imageManifest'");
    ecr_digest(digest ? digest : "", manifest, strlen(manifest), is);
    if (digest && strcmp(digest, is) != 0)
        return api_fail(call, "ImageDigestDoesNotMatchException",
                        "The specified image digest does not match the digest that Amazon ECR "
                        "calculated for the image");
    const struct ecr_push push = {.repository = call->repository,
                                  .media_type = api_text(call, "imageManifestMediaType"),
                                  .digest = digest,
                                  .tags = (const char *const[]){tag, NULL},
                                  .data = manifest,
                                  .size = strlen(manifest)};
    if (ecr_push(call->ecr, &push, &call->x->arena, &m, &was_there, &call->err) < 0)
        return strncmp(call->err.message, "repository", 10) == 0
                   ? api_no_repository(call)
                   : fail_as(call, "LayersNotFoundException");
    if (was_there)
        return api_fail(call, "ImageAlreadyExistsException",
                        "Image with digest '%s' and tag '%s' already exists in the repository with "
                        "name '%s' in registry with id '%s'",
                        m.digest, tag ? tag : "", call->repository, api_account(call));
    api_set(call, "image", image(call, &m, tag));
    return 0;
}

/* Calls `take` for each of imageIds; what it refuses goes into `failures`. */
typedef int take_id(struct api_call *call, const char *digest, const char *tag);

static void add_failure(json_t *failures, json_t *id, const char *code, const char *reason)
{
    json_array_append_new(failures, json_pack("{s:O, s:s, s:s}", "imageId", id, "failureCode", code,
                                              "failureReason", reason));
}

/* What is wrong with the id itself. */
static int add_wrong_id(json_t *failures, json_t *id)
{
    const char *digest = json_string_value(json_object_get(id, "imageDigest"));
    if (!digest && !json_string_value(json_object_get(id, "imageTag")))
        add_failure(failures, id, "MissingDigestAndTag",
                    "Invalid request parameters: both tag and digest cannot be null");
    else if (digest && !ecr_is_digest(digest))
        add_failure(failures, id, "InvalidImageDigest",
                    "Invalid request parameters: image digest should satisfy the regex "
                    "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'");
    else
        return 0;
    return 1;
}

static int each_image(struct api_call *call, take_id *take)
{
    size_t i;
    json_t *id, *ids = json_object_get(call->wire.body, "imageIds"), *failures = json_array();
    struct ecr_repository r;
    api_set(call, "failures", failures);
    if (ecr_get_repository(call->ecr, call->repository, &r, &call->err) < 0)
        return api_no_repository(call);
    if (!json_array_size(ids) || json_array_size(ids) > 100)
        return api_fail(call, INVALID, "Invalid parameter at 'imageIds': 1 to 100 are needed");
    json_array_foreach(ids, i, id)
    {
        const char *digest = json_string_value(json_object_get(id, "imageDigest"));
        const char *tag = json_string_value(json_object_get(id, "imageTag"));
        if (add_wrong_id(failures, id) || take(call, digest, tag) == 0)
            continue;
        if (call->err.code != ERR_NOT_FOUND)
            return -1;
        add_failure(failures, id, "ImageNotFound", "Requested image not found");
    }
    return 0;
}

/* The image of a digest, of a tag, or of both, where the tag must be that image's. */
static int find_image(struct api_call *call, const char *digest, const char *tag,
                      struct arena *arena, struct ecr_manifest *out)
{
    struct ecr_manifest tagged;
    if (digest && tag) {
        if (ecr_get_manifest(call->ecr, call->repository, tag, NULL, &tagged, &call->err) < 0)
            return -1;
        if (strcmp(tagged.digest, digest) != 0)
            return err_set(&call->err, ERR_NOT_FOUND, "The tag is another image's");
    }
    return ecr_get_manifest(call->ecr, call->repository, digest ? digest : tag, arena, out,
                            &call->err);
}

static int get_one(struct api_call *call, const char *digest, const char *tag)
{
    struct ecr_manifest m;
    if (find_image(call, digest, tag, &call->x->arena, &m) < 0)
        return -1;
    return json_array_append_new(json_object_get(call->answer, "images"), image(call, &m, tag));
}

int on_batch_get_image(struct api_call *call)
{
    api_set(call, "images", json_array());
    return each_image(call, get_one);
}

/* The ids of one image, one for each of its tags. */
struct ids_of {
    const char *digest;
    json_t *ids;
};

static int take_id_of(void *context, const struct ecr_manifest *manifest, const char *tag)
{
    struct ids_of *of = context;
    return strcmp(manifest->digest, of->digest) == 0
               ? json_array_append_new(of->ids, image_id(manifest->digest, tag))
               : 0;
}

static int delete_whole(struct api_call *call, const char *digest)
{
    struct ids_of of = {digest, json_array()};
    int result = ecr_list_images(call->ecr, call->repository, 0, take_id_of, &of, &call->err);
    if (result == 0)
        result = ecr_delete_manifest(call->ecr, call->repository, digest, &call->err);
    if (result == 0)
        result = json_array_extend(json_object_get(call->answer, "imageIds"), of.ids);
    json_decref(of.ids);
    return result;
}

/* By tag alone only the tag goes, as long as the image has another. */
static int delete_one(struct api_call *call, const char *digest, const char *tag)
{
    struct ecr_manifest m;
    if (find_image(call, digest, tag, NULL, &m) < 0)
        return -1;
    if (digest)
        return delete_whole(call, m.digest);
    if (ecr_delete_tag(call->ecr, call->repository, tag, &call->err) < 0)
        return -1;
    return json_array_append_new(json_object_get(call->answer, "imageIds"),
                                 image_id(m.digest, tag));
}

int on_batch_delete_image(struct api_call *call)
{
    api_set(call, "imageIds", json_array());
    int result = each_image(call, delete_one);
    ecr_sweep(call->ecr);
    return result;
}

int on_check_layers(struct api_call *call)
{
    size_t i, size;
    json_t *digest, *layers = json_array(), *failures = json_array();
    struct ecr_repository r;
    api_set(call, "layers", layers);
    api_set(call, "failures", failures);
    if (ecr_get_repository(call->ecr, call->repository, &r, &call->err) < 0)
        return api_no_repository(call);
    json_array_foreach(json_object_get(call->wire.body, "layerDigests"), i, digest)
    {
        const char *name = json_string_value(digest) ? json_string_value(digest) : "";
        if (ecr_find_blob(call->ecr, call->repository, name, &size, &call->err) == 0)
            json_array_append_new(layers, json_pack("{s:s, s:s, s:I}", "layerDigest", name,
                                                    "layerAvailability", "AVAILABLE", "layerSize",
                                                    (json_int_t)size));
        else if (call->err.code == ERR_NOT_FOUND)
            json_array_append_new(failures,
                                  json_pack("{s:s, s:s, s:s}", "layerDigest", name, "failureCode",
                                            "MissingLayerDigest", "failureReason",
                                            "Requested layer not found"));
        else
            return -1;
    }
    return 0;
}

struct image_list {
    struct api_call *call;
    json_t *list;
    size_t skip, most, seen;
    int more;
    const char *status; /* of the filter's tagStatus; NULL: any */
    int whole;          /* an imageDetail each, not an id for each tag */
};

static json_t *detail(struct api_call *call, const struct ecr_manifest *m, const char *tag)
{
    json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:o, s:s, s:s*}", "registryId", api_account(call),
                            "repositoryName", call->repository, "imageDigest", m->digest,
                            "imageSizeInBytes", (json_int_t)(m->layers_bytes + m->size),
                            "imagePushedAt", api_seconds(m->pushed_ms), "imageManifestMediaType",
                            m->media_type, "artifactMediaType", m->artifact_type);
    if (tag)
        json_object_set_new(one, "imageTags", json_pack("[s]", tag));
    return one;
}

static int take_image(void *context, const struct ecr_manifest *m, const char *tag)
{
    struct image_list *list = context;
    json_t *last = json_array_get(list->list, json_array_size(list->list) - 1);
    const char *before = json_string_value(json_object_get(last, "imageDigest"));
    if (list->status && (strcmp(list->status, "TAGGED") == 0) != (tag != NULL))
        return 0;
    if (list->whole && before && strcmp(before, m->digest) == 0)
        return json_array_append_new(json_object_get(last, "imageTags"), json_string(tag)) < 0;
    if (list->seen++ < list->skip)
        return 0;
    if (json_array_size(list->list) == list->most) {
        list->more = 1;
        return 1;
    }
    json_t *one = list->whole ? detail(list->call, m, tag) : image_id(m->digest, tag);
    return json_array_append_new(list->list, one) < 0;
}

/* Tokens count the entries before the page. */
static int list_page(struct api_call *call, struct image_list *list)
{
    const char *token = api_text(call, "nextToken");
    const char *status =
        json_string_value(json_object_get(json_object_get(call->wire.body, "filter"), "tagStatus"));
    list->call = call;
    list->skip = token ? strtoull(token, NULL, 10) : 0;
    list->status = status && strcmp(status, "ANY") != 0 ? status : NULL;
    if (api_page_size(call, &list->most) < 0)
        return -1;
    if (ecr_list_images(call->ecr, call->repository, 0, take_image, list, &call->err) < 0)
        return api_no_repository(call);
    if (list->more)
        api_set(call, "nextToken", json_sprintf("%zu", list->skip + list->most));
    return 0;
}

int on_list_images(struct api_call *call)
{
    struct image_list list = {.list = json_array()};
    api_set(call, "imageIds", list.list);
    return list_page(call, &list);
}

static int take_named(void *context, const struct ecr_manifest *m, const char *tag)
{
    struct image_list *list = context;
    return strcmp(m->digest, list->status) == 0
               ? take_image(
                     &(struct image_list){
                         .call = list->call, .list = list->list, .most = SIZE_MAX, .whole = 1},
                     m, tag)
               : 0;
}

int on_describe_images(struct api_call *call)
{
    size_t i;
    json_t *id, *ids = json_object_get(call->wire.body, "imageIds");
    struct image_list list = {.list = json_array(), .whole = 1};
    api_set(call, "imageDetails", list.list);
    if (!json_array_size(ids))
        return list_page(call, &list);
    json_array_foreach(ids, i, id)
    {
        struct ecr_manifest m;
        const char *digest = json_string_value(json_object_get(id, "imageDigest"));
        const char *tag = json_string_value(json_object_get(id, "imageTag"));
        struct image_list one = {.call = call, .list = list.list, .status = m.digest};
        if (ecr_get_manifest(call->ecr, call->repository,
                             digest ? digest
                             : tag  ? tag
                                    : "",
                             NULL, &m, &call->err) < 0)
            return call->err.code == ERR_NOT_FOUND
                       ? api_fail(
                             call, NO_IMAGE,
                             "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not "
                             "exist within the repository with name '%s' in the registry with id "
                             "'%s'",
                             digest ? digest : "null", tag ? tag : "null", call->repository,
                             api_account(call))
                       : -1;
        if (ecr_list_images(call->ecr, call->repository, 0, take_named, &one, &call->err) < 0)
            return api_no_repository(call);
    }
    return 0;
}
