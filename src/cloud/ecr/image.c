#include "cloud/ecr/image.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_BYTES = 2 * ECR_MAX_MANIFEST_BYTES };

/* What a single image's parts are called by OCI and by Docker. */
static const char *const manifest_types[] = {"application/vnd.oci.image.manifest.v1+json",
                                             "application/vnd.docker.distribution.manifest.v2+json",
                                             NULL};
static const char *const config_types[] = {"application/vnd.oci.image.config.v1+json",
                                           "application/vnd.docker.container.image.v1+json", NULL};
static const char *const layer_types[] = {
    "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.gzip", NULL};

static int is_one_of(const char *text, const char *const *list)
{
    for (; text && *list; list++)
        if (strcmp(text, *list) == 0)
            return 1;
    return 0;
}

static int copy_part(char *out, size_t out_bytes, const char *from, size_t size)
{
    if (size == 0 || size >= out_bytes)
        return -1;
    memcpy(out, from, size);
    out[size] = 0;
    return 0;
}

int ecr_read_uri(const char *text, struct ecr_uri *out, struct err *err)
{
    const char *slash = strchr(text, '/'), *name = slash ? slash + 1 : "";
    size_t size = strcspn(name, ":@");
    const char *reference = name[size] ? name + size + 1 : "latest";
    int by_digest = name[size] == '@';
    if (strlen(text) > ECR_MAX_URI || !slash ||
        copy_part(out->host, sizeof out->host, text, (size_t)(slash - text)) < 0 ||
        copy_part(out->repository, sizeof out->repository, name, size) < 0 ||
        copy_part(out->reference, sizeof out->reference, reference, strlen(reference)) < 0 ||
        !ecr_is_name(out->repository) ||
        !(by_digest ? ecr_is_digest(reference) : ecr_is_tag(reference)))
        return err_set(err, ERR_INVALID, "\"%.200s\" is not HOST/REPOSITORY:TAG or @sha256:DIGEST",
                       text);
    return 0;
}

int ecr_is_own_host(const struct cloud *cloud, const char *host, const char *own_host)
{
    char aws[256];
    const char *authority = cloud->endpoint ? strstr(cloud->endpoint, "://") : NULL;
    snprintf(aws, sizeof aws, "%s.dkr.ecr.%s.amazonaws.com", cloud->account_id, cloud->region);
    return (own_host && strcmp(host, own_host) == 0) ||
           (authority && strcmp(host, authority + 3) == 0) || strcmp(host, aws) == 0;
}

static int unsupported(struct err *err, const char *what)
{
    return err_set(err, ERR_UNSUPPORTED, "open image: the type of its %s is not supported", what);
}

/* A blob that the repository has, as it was pushed. Returns the file or -1. */
static int open_part(struct ecr *ecr, const char *repository, const json_t *descriptor,
                     size_t *size, struct err *err)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest"));
    if (!digest || !ecr_is_digest(digest))
        return err_set(err, ERR_CORRUPT, "open image: a part has no digest");
    return ecr_find_blob(ecr, repository, digest, size, err) < 0 ? -1
                                                                 : ecr_blob_open(ecr, digest, err);
}

static int read_config(struct ecr *ecr, const char *repository, const json_t *descriptor,
                       struct ecr_image *out, struct err *err)
{
    size_t size;
    if (!is_one_of(json_string_value(json_object_get(descriptor, "mediaType")), config_types))
        return unsupported(err, "config");
    int fd = open_part(ecr, repository, descriptor, &size, err);
    if (fd < 0)
        return -1;
    int result = size > ECR_IMAGE_MAX_CONFIG_BYTES
                     ? err_set(err, ERR_TOO_BIG, "open image: its config is larger than %d bytes",
                               ECR_IMAGE_MAX_CONFIG_BYTES)
                     : 0;
    if (result == 0)
        out->config = json_loadfd(fd, 0, NULL);
    if (result == 0 && !json_is_object(out->config))
        result = err_set(err, ERR_UNSUPPORTED, "open image: its config is no JSON object");
    close(fd);
    return result;
}

static int open_layers(struct ecr *ecr, const char *repository, const json_t *layers,
                       struct ecr_image *out, struct err *err)
{
    size_t size;
    if (json_array_size(layers) > ECR_IMAGE_MAX_LAYERS)
        return err_set(err, ERR_TOO_BIG, "open image: more than %d layers", ECR_IMAGE_MAX_LAYERS);
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        if (!is_one_of(json_string_value(json_object_get(layer, "mediaType")), layer_types))
            return unsupported(err, "layer");
        int fd = open_part(ecr, repository, layer, &size, err);
        if (fd < 0)
            return err_wrap(err, "open image");
        out->layers[out->layer_count++] = fd;
    }
    return 0;
}

int ecr_image_open(struct ecr *ecr, const char *repository, const char *reference,
                   struct ecr_image *out, struct err *err)
{
    struct arena arena;
    struct ecr_manifest manifest = {0};
    *out = (struct ecr_image){0};
    arena_init(&arena, ARENA_BYTES);
    int result = ecr_get_manifest(ecr, repository, reference, &arena, &manifest, err);
    if (result == 0 && !is_one_of(manifest.media_type, manifest_types))
        result = unsupported(err, "manifest");
    json_t *root = result == 0 ? json_loadb(manifest.content, manifest.size, 0, NULL) : NULL;
    if (result == 0)
        result = read_config(ecr, repository, json_object_get(root, "config"), out, err);
    if (result == 0)
        result = open_layers(ecr, repository, json_object_get(root, "layers"), out, err);
    snprintf(out->digest, sizeof out->digest, "%s", manifest.digest);
    json_decref(root);
    arena_finish(&arena);
    return result;
}

void ecr_image_close(struct ecr_image *image)
{
    for (size_t i = 0; i < image->layer_count; i++)
        close(image->layers[i]);
    json_decref(image->config);
    *image = (struct ecr_image){0};
}
