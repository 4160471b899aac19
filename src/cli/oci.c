#include "cli/oci.h"

#include "base/file.h"

#include <elf.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CONFIG_BYTES = 64 * 1024 };

/* Where systems keep the certificates they trust: Debian, Amazon Linux, Alpine. */
static const char *const certificate_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

static const char *const layer_names[OCI_LAYERS] = {"networks", "function", "gallery"};

const char *oci_layer_name(enum oci_layer layer)
{
    return layer_names[layer];
}

/* -- layers -- */

static int add_task(struct layer *layer, struct err *err)
{
    return layer_add_folder(layer, "var", 0755, err) < 0 ||
                   layer_add_folder(layer, "var/task", 0755, err) < 0
               ? -1
               : 0;
}

static int add_network(void *context, const char *file, const char *path, struct err *err)
{
    char name[128];
    snprintf(name, sizeof name, "var/task/models/%s", file);
    return layer_add_file(context, name, 0644, path, err);
}

static int add_networks(struct layer *layer, const struct oci_files *files, struct err *err)
{
    if (add_task(layer, err) < 0 || layer_add_folder(layer, "var/task/models", 0755, err) < 0)
        return -1;
    return bundle_each_model(files->function.models, add_network, layer, err);
}

static const char *find_certificates(const struct oci_files *files, struct err *err)
{
    if (files->certificates)
        return files->certificates;
    for (size_t i = 0; i < sizeof certificate_files / sizeof *certificate_files; i++)
        if (access(certificate_files[i], R_OK) == 0)
            return certificate_files[i];
    err_set(err, ERR_NOT_FOUND,
            "find the certificates that https trusts: none on this machine (give them with "
            "--certificates FILE)");
    return NULL;
}

static int add_text(struct layer *layer, const char *path, const char *text, struct err *err)
{
    return layer_add_bytes(layer, path, 0644, text, strlen(text), err);
}

/* Mount points of engines with a read-only root, and what the C library asks a system. */
static int add_function(struct layer *layer, const struct oci_files *files, struct err *err)
{
    const char *certificates = find_certificates(files, err);
    if (!certificates)
        return -1;
    if (layer_add_file(layer, "bootstrap", 0755, files->function.function, err) < 0 ||
        layer_add_folder(layer, "dev", 0755, err) < 0 ||
        layer_add_folder(layer, "etc", 0755, err) < 0 ||
        add_text(layer, "etc/group", "root:x:0:\nfunction:x:65532:\n", err) < 0 ||
        add_text(layer, "etc/nsswitch.conf", "hosts: files dns\n", err) < 0 ||
        add_text(layer, "etc/passwd",
                 "root:x:0:0:root:/:/sbin/nologin\n"
                 "function:x:65532:65532:function:/tmp:/sbin/nologin\n",
                 err) < 0 ||
        layer_add_folder(layer, "etc/ssl", 0755, err) < 0 ||
        layer_add_folder(layer, "etc/ssl/certs", 0755, err) < 0 ||
        layer_add_file(layer, "etc/ssl/certs/ca-certificates.crt", 0644, certificates, err) < 0 ||
        layer_add_folder(layer, "proc", 0755, err) < 0 ||
        layer_add_folder(layer, "sys", 0755, err) < 0)
        return -1;
    return layer_add_folder(layer, "tmp", 01777, err);
}

static int add_gallery(struct layer *layer, const struct oci_files *files, struct err *err)
{
    if (add_task(layer, err) < 0)
        return -1;
    return layer_add_file(layer, "var/task/gallery.ken", 0644, files->function.gallery, err);
}

static int make_layer(struct oci_image *image, enum oci_layer which, const struct oci_files *files,
                      char plain_digest[LAYER_DIGEST_BYTES], struct err *err)
{
    static int (*const add[OCI_LAYERS])(struct layer * layer, const struct oci_files *files,
                                        struct err *err) = {
        [OCI_NETWORKS] = add_networks, [OCI_FUNCTION] = add_function, [OCI_GALLERY] = add_gallery};
    struct oci_blob *blob = &image->layers[which];
    struct layer layer;
    int done = layer_begin(&layer, err);
    if (done == 0)
        done = add[which](&layer, files, err);
    if (done == 0)
        done = layer_end(&layer, &blob->data, plain_digest, err);
    if (done == 0) {
        layer_digest(blob->data.data, blob->data.size, blob->digest);
        image->unpacked_bytes += layer.bytes.size;
    }
    layer_finish(&layer);
    return done;
}

/* -- config and manifest -- */

/* The program's own word for which processor it is. */
static const char *read_architecture(const char *program, struct err *err)
{
    Elf64_Ehdr header;
    FILE *file = fopen(program, "re");
    size_t got = file ? fread(&header, 1, sizeof header, file) : 0;
    if (!file) {
        err_set_errno(err, "open %s", program);
        return NULL;
    }
    fclose(file);
    if (got == sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0) {
        if (header.e_machine == EM_X86_64)
            return "amd64";
        if (header.e_machine == EM_AARCH64)
            return "arm64";
    }
    err_set(err, ERR_INVALID, "%s: no program for x86-64 or arm64", program);
    return NULL;
}

/* Takes `json`. */
static int put_json(struct oci_blob *blob, json_t *json, struct err *err)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text || buf_puts(&blob->data, text) < 0) {
        free(text);
        return err_set(err, ERR_NO_MEMORY, "describe image: out of memory");
    }
    free(text);
    layer_digest(blob->data.data, blob->data.size, blob->digest);
    return 0;
}

static json_t *config_json(const struct oci_image *image,
                           char digests[OCI_LAYERS][LAYER_DIGEST_BYTES])
{
    static const char epoch[] = "1970-01-01T00:00:00Z";
    json_t *layers = json_array(), *history = json_array();
    for (int i = 0; i < OCI_LAYERS; i++) {
        json_array_append_new(layers, json_string(digests[i]));
        json_array_append_new(
            history, json_pack("{s:s, s:s}", "created", epoch, "created_by", layer_names[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:[s], s:[s], s:s}, s:{s:s, s:o}, s:o}", "created",
                     epoch, "architecture", image->architecture, "os", "linux", "config", "User",
                     OCI_USER, "Env", "LAMBDA_TASK_ROOT=/var/task", "Entrypoint", OCI_PROGRAM,
                     "WorkingDir", "/var/task", "rootfs", "type", "layers", "diff_ids", layers,
                     "history", history);
}

static json_t *descriptor(const char *type, const struct oci_blob *blob)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", blob->digest, "size",
                     (json_int_t)blob->data.size);
}

static json_t *manifest_json(const struct oci_image *image)
{
    json_t *layers = json_array();
    for (int i = 0; i < OCI_LAYERS; i++)
        json_array_append_new(layers, descriptor(OCI_LAYER_TYPE, &image->layers[i]));
    return json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType", OCI_MANIFEST_TYPE,
                     "config", descriptor(OCI_CONFIG_TYPE, &image->config), "layers", layers);
}

int oci_make(struct oci_image *image, const struct oci_files *files, struct err *err)
{
    char digests[OCI_LAYERS][LAYER_DIGEST_BYTES];
    *image = (struct oci_image){0};
    for (int i = 0; i < OCI_LAYERS; i++)
        buf_init(&image->layers[i].data, LAYER_MAX_BYTES * 2);
    buf_init(&image->config.data, MAX_CONFIG_BYTES);
    buf_init(&image->manifest.data, MAX_CONFIG_BYTES);
    image->architecture = read_architecture(files->function.function, err);
    if (!image->architecture)
        return -1;
    for (int i = 0; i < OCI_LAYERS; i++)
        if (make_layer(image, (enum oci_layer)i, files, digests[i], err) < 0)
            return err_wrap(err, "%s", layer_names[i]);
    if (put_json(&image->config, config_json(image, digests), err) < 0)
        return -1;
    return put_json(&image->manifest, manifest_json(image), err);
}

void oci_finish(struct oci_image *image)
{
    for (int i = 0; i < OCI_LAYERS; i++)
        buf_finish(&image->layers[i].data);
    buf_finish(&image->config.data);
    buf_finish(&image->manifest.data);
}

size_t oci_bytes(const struct oci_image *image)
{
    size_t bytes = image->config.data.size + image->manifest.data.size;
    for (int i = 0; i < OCI_LAYERS; i++)
        bytes += image->layers[i].data.size;
    return bytes;
}
