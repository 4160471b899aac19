#include "base/clock.h"
#include "cloud/ecr/ecr.h"

#include <jansson.h>
#include <string.h>

/* Image manifests and indexes: what they name.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md and Docker's version 2. */

static const struct {
    const char *media_type;
    int is_index;
} types[] = {
    {"application/vnd.oci.image.manifest.v1+json", 0},
    {"application/vnd.docker.distribution.manifest.v2+json", 0},
    {"application/vnd.oci.image.index.v1+json", 1},
    {"application/vnd.docker.distribution.manifest.list.v2+json", 1},
};

/* 0: manifest, 1: index, -1: unknown. */
static int kind_of(const char *media_type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (media_type && strcmp(types[i].media_type, media_type) == 0)
            return types[i].is_index;
    return -1;
}

static int wrong(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "the manifest is invalid: %s", what);
}

/* A descriptor's digest, copied; its size is added. NULL: it is none. */
static const char *take_descriptor(const json_t *descriptor, struct arena *arena, size_t *bytes)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest"));
    const json_t *size = json_object_get(descriptor, "size");
    if (!digest || !ecr_is_digest(digest) || !json_is_integer(size) ||
        json_integer_value(size) < 0 || (size_t)json_integer_value(size) > ECR_MAX_BLOB_BYTES)
        return NULL;
    *bytes += (size_t)json_integer_value(size);
    return arena_strdup(arena, digest);
}

/* A layer that may not be distributed lies where its links say, and need not be here:
 * https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers */
static int is_elsewhere(const json_t *layer)
{
    static const char *const prefixes[] = {
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar"};
    const char *type = json_string_value(json_object_get(layer, "mediaType"));
    for (size_t i = 0; type && i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(type, prefixes[i], strlen(prefixes[i])) == 0)
            return json_array_size(json_object_get(layer, "urls")) > 0;
    return 0;
}

/* `first` (NULL: none) and a list of descriptors, without those of what is elsewhere. */
static int take_all(const json_t *first, const json_t *list, struct arena *arena,
                    const char *const **out, size_t *bytes)
{
    size_t count = json_array_size(list), used = 0;
    const char **digests = arena_new(arena, const char *, count + 2);
    if (!digests || count > ECR_MAX_LAYERS)
        return -1;
    if (first && !(digests[used++] = take_descriptor(first, arena, bytes)))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(list, i);
        size_t ignored = 0;
        int elsewhere = is_elsewhere(one);
        const char *digest = take_descriptor(one, arena, elsewhere ? &ignored : bytes);
        if (!digest)
            return -1;
        if (!elsewhere)
            digests[used++] = digest;
    }
    *out = digests;
    return 0;
}

static const char *copy_text(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? arena_strdup(arena, text) : NULL;
}

static int take_subject(const json_t *root, struct arena *arena, struct ecr_manifest *out,
                        struct err *err)
{
    const json_t *subject = json_object_get(root, "subject");
    size_t ignored = 0;
    out->subject = subject ? take_descriptor(subject, arena, &ignored) : NULL;
    if (subject && !out->subject)
        return wrong(err, "its subject is no descriptor");
    out->artifact_type = copy_text(root, "artifactType", arena);
    if (!out->artifact_type)
        out->artifact_type = copy_text(json_object_get(root, "config"), "mediaType", arena);
    char *annotations = json_dumps(json_object_get(root, "annotations"), JSON_COMPACT);
    out->annotations = annotations ? arena_strdup(arena, annotations) : NULL;
    free(annotations);
    return 0;
}

static int read_root(const json_t *root, const char *media_type, struct arena *arena,
                     struct ecr_manifest *out, const char *const **children, struct err *err)
{
    static const char *const none[] = {NULL};
    const char *own = json_string_value(json_object_get(root, "mediaType"));
    const json_t *config = json_object_get(root, "config"),
                 *layers = json_object_get(root, "layers"),
                 *manifests = json_object_get(root, "manifests");
    if (json_integer_value(json_object_get(root, "schemaVersion")) != 2)
        return wrong(err, "schemaVersion must be 2");
    if (own && media_type && strcmp(own, media_type) != 0)
        return wrong(err, "its mediaType is not the request's Content-Type");
    out->media_type = media_type ? media_type : own ? arena_strdup(arena, own) : NULL;
    int kind = kind_of(out->media_type);
    *children = out->blobs = none;
    if (kind < 0)
        return wrong(err, "its media type is unknown");
    if (kind == 0 && (!json_is_object(config) || !json_is_array(layers) || manifests ||
                      take_all(config, layers, arena, &out->blobs, &out->layers_bytes) < 0))
        return wrong(err, "config or layers are no descriptors");
    if (kind == 1 && (!json_is_array(manifests) || config || layers ||
                      take_all(NULL, manifests, arena, children, &out->layers_bytes) < 0))
        return wrong(err, "manifests are no descriptors");
    return take_subject(root, arena, out, err);
}

int ecr_read_manifest(const char *media_type, const void *data, size_t size, struct arena *arena,
                      struct ecr_manifest *out, const char *const **children, struct err *err)
{
    *out = (struct ecr_manifest){.content = data, .size = size};
    if (size > ECR_MAX_MANIFEST_BYTES)
        return err_set(err, ERR_TOO_BIG, "the manifest has more than %d bytes",
                       ECR_MAX_MANIFEST_BYTES);
    json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    int result = json_is_object(root) ? read_root(root, media_type, arena, out, children, err)
                                      : wrong(err, "it is no JSON object");
    json_decref(root);
    return result;
}

/* -- pushing -- */

static int find_parts(struct ecr *ecr, const struct ecr_push *push, const struct ecr_manifest *out,
                      const char *const *children, struct err *err)
{
    struct ecr_manifest child;
    size_t size;
    for (const char *const *blob = out->blobs; *blob; blob++)
        if (ecr_find_blob(ecr, push->repository, *blob, &size, err) < 0)
            return -1;
    for (; *children; children++)
        if (ecr_get_manifest(ecr, push->repository, *children, NULL, &child, err) < 0)
            return -1;
    return 0;
}

int ecr_push(struct ecr *ecr, const struct ecr_push *push, struct arena *arena,
             struct ecr_manifest *out, int *was_there, struct err *err)
{
    const char *const *children;
    if (ecr_read_manifest(push->media_type, push->data, push->size, arena, out, &children, err) < 0)
        return -1;
    ecr_digest(push->digest ? push->digest : "", push->data, push->size, out->digest);
    out->pushed_ms = clock_unix_ms();
    if (push->digest && strcmp(push->digest, out->digest) != 0)
        return err_set(err, ERR_INVALID, "the manifest is %s, not %.140s", out->digest,
                       push->digest);
    for (const char *const *tag = push->tags; *tag; tag++)
        if (!ecr_is_tag(*tag))
            return err_set(err, ERR_INVALID, "%.80s is no tag", *tag);
    if (find_parts(ecr, push, out, children, err) < 0)
        return -1;
    return ecr_put_manifest(ecr, push->repository, out, push->tags, was_there, err);
}
