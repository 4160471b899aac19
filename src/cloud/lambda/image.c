#include "cloud/lambda/image.h"

#include "cloud/access.h"
#include "cloud/ecr/image.h"
#include "cloud/lambda/rootfs.h"

#include <stdio.h>
#include <string.h>

#ifdef __aarch64__
#define OWN_ARCHITECTURE "arm64"
#else
#define OWN_ARCHITECTURE "amd64"
#endif

/* -- unpacking -- */

static int unpack(void *context, const char *folder, struct err *err)
{
    struct rootfs rootfs;
    const struct ecr_image *image = context;
    if (rootfs_create(&rootfs, folder, err) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < image->layer_count && result == 0; i++)
        if (rootfs_apply(&rootfs, image->layers[i], err) < 0)
            result = err_wrap(err, "layer %zu of the image", i + 1);
    if (result == 0)
        result = rootfs_complete(&rootfs, err);
    rootfs_close(&rootfs, result == 0);
    return result;
}

/* -- what the image says of itself -- */

static int are_texts(const json_t *list)
{
    size_t i;
    json_t *text;
    if (!list || json_is_null(list))
        return 1;
    json_array_foreach((json_t *)(uintptr_t)list, i, text)
    {
        if (!json_is_string(text) || strlen(json_string_value(text)) != json_string_length(text))
            return 0;
    }
    return json_is_array(list);
}

/* The four members that matter here, checked. */
static json_t *read_config(const json_t *config, struct err *err)
{
    static const char *const lists[] = {"Entrypoint", "Cmd", "Env"};
    const json_t *all = json_object_get(config, "config");
    const json_t *folder = json_object_get(all, "WorkingDir");
    const char *architecture = json_string_value(json_object_get(config, "architecture"));
    const char *system = json_string_value(json_object_get(config, "os"));
    json_t *out = json_object();
    int is_good = !folder || json_is_null(folder) || json_is_string(folder);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        is_good &= are_texts(json_object_get(all, lists[i]));
        if (json_is_array(json_object_get(all, lists[i])))
            json_object_set(out, lists[i], json_object_get(all, lists[i]));
    }
    if (json_is_string(folder))
        json_object_set(out, "WorkingDir", (json_t *)(uintptr_t)folder);
    if (!is_good)
        err_set(err, ERR_INVALID, "The config of the image is not as the OCI image format has it");
    else if (!system || strcmp(system, "linux") != 0 || !architecture ||
             strcmp(architecture, OWN_ARCHITECTURE) != 0)
        err_set(err, ERR_INVALID, "The image is for %.32s/%.32s; this machine runs linux/%s only",
                system ? system : "?", architecture ? architecture : "?", OWN_ARCHITECTURE);
    else
        return out;
    json_decref(out);
    return NULL;
}

/* -- errors -- */

/* As Lambda says it. Returns NULL. */
static struct code *fail(struct exchange *x, const char *uri, const struct err *err)
{
    if (err->code == ERR_NOT_FOUND)
        exchange_fail(x, "InvalidParameterValueException",
                      "Source image %.500s does not exist. Provide a valid source image.", uri);
    else if (err->code == ERR_UNSUPPORTED)
        exchange_fail(x, "InvalidParameterValueException",
                      "The image manifest, config or layer media type for the source image %.500s "
                      "is not supported.",
                      uri);
    else
        lambda_fail_err(x, err);
    return NULL;
}

static int read_uri(struct lambda *lambda, struct exchange *x, const json_t *code,
                    struct ecr_uri *out)
{
    struct err err;
    const char *uri = json_string_value(json_object_get(code, "ImageUri"));
    if (json_object_get(code, "ZipFile") || json_object_get(code, "S3Bucket") ||
        json_object_get(code, "S3Key") || !uri) {
        exchange_fail(x, "InvalidParameterValueException",
                      "Please provide ImageUri when updating a function with packageType Image.");
        return -1;
    }
    if (ecr_read_uri(uri, out, &err) == 0 &&
        ecr_is_own_host(lambda->cloud, out->host, exchange_header(x, "Host")))
        return 0;
    exchange_fail(x, "InvalidParameterValueException",
                  "Source image %.500s is not valid. Provide a valid source image.", uri);
    return -1;
}

static int authorize(struct lambda *lambda, struct exchange *x, const char *repository)
{
    const char *arn = arena_printf(&x->arena, "arn:aws:ecr:%s:%s:repository/%s",
                                   lambda->cloud->region, lambda->cloud->account_id, repository);
    if (exchange_authorize(x, "ecr:BatchGetImage", arn ? arn : "*") < 0)
        return -1;
    return exchange_authorize(x, "ecr:GetDownloadUrlForLayer", arn ? arn : "*");
}

/* -- */

static void note(json_t *record, const json_t *code, const struct ecr_uri *uri,
                 const struct ecr_image *image, const char *id, json_t *config)
{
    json_t *configuration = json_object_get(record, "Configuration");
    json_object_set_new(configuration, "CodeSize", json_integer(0)); /* Lambda says so of images */
    json_object_set_new(configuration, "CodeSha256", json_string(strchr(image->digest, ':') + 1));
    json_object_set_new(record, "Code", json_string(id));
    json_object_set_new(
        record, "Image",
        json_pack("{s:O, s:o, s:s, s:o}", "Uri", json_object_get(code, "ImageUri"), "Resolved",
                  json_sprintf("%s/%s@%s", uri->host, uri->repository, image->digest), "Digest",
                  image->digest, "Config", config));
}

static struct code *take_open(struct lambda *lambda, struct ecr_image *image,
                              char id[REGISTRY_ID_BYTES], struct err *err)
{
    if (!manager_runs_images(lambda->manager)) {
        err_set(err, ERR_INVALID,
                "PackageType Image needs the full isolation of functions, which this cloud does "
                "not have (%.200s)",
                manager_isolation(lambda->manager));
        return NULL;
    }
    struct code *code = registry_find_image(lambda->registry, image->digest, id);
    return code ? code : registry_make(lambda->registry, unpack, image, id, err);
}

struct code *image_take(struct lambda *lambda, struct exchange *x, const json_t *request,
                        json_t *record)
{
    char id[REGISTRY_ID_BYTES];
    struct err err = {0};
    struct ecr_uri uri;
    struct ecr_image image = {0};
    if (read_uri(lambda, x, request, &uri) < 0 || authorize(lambda, x, uri.repository) < 0)
        return NULL;
    const char *text = json_string_value(json_object_get(request, "ImageUri"));
    int opened = ecr_image_open(lambda->cloud->ecr, uri.repository, uri.reference, &image, &err);
    if (opened < 0) {
        ecr_image_close(&image);
        return fail(x, text, &err);
    }
    json_t *config = read_config(image.config, &err);
    struct code *code = config ? take_open(lambda, &image, id, &err) : NULL;
    if (code)
        note(record, request, &uri, &image, id, config);
    else {
        json_decref(config);
        lambda_fail_err(x, &err);
    }
    ecr_image_close(&image);
    return code;
}

json_t *image_show(const struct function *function)
{
    return json_pack("{s:s, s:O*, s:O*}", "RepositoryType", "ECR", "ImageUri",
                     json_object_get(function->image, "Uri"), "ResolvedImageUri",
                     json_object_get(function->image, "Resolved"));
}
