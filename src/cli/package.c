#include "cli/oci.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/verbs.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

static const char details[] =
    "Writes an OCI image layout without any container engine: the networks, the function and\n"
    "the gallery in a layer each, for a user that is not root and a read-only root. The same\n"
    "files give the same bytes. The gallery's key is not in it: it goes into the function's\n"
    "environment as KEN_GALLERY_KEY.\n\n"
    "examples:\n"
    "  ken package image -o function-image\n"
    "  skopeo copy --dest-tls-verify=false oci:function-image:latest \\\n"
    "      docker://127.0.0.1:4566/ken-function:v1";

struct package {
    struct oci_files files;
    const char *output, *tag, *models, *gallery;
    int json;
};

static json_t *layers_json(const struct oci_image *image)
{
    json_t *layers = json_array();
    for (int i = 0; i < OCI_LAYERS; i++)
        json_array_append_new(layers, json_pack("{s:s, s:s, s:I}", "name",
                                                oci_layer_name((enum oci_layer)i), "digest",
                                                image->layers[i].digest, "bytes",
                                                (json_int_t)image->layers[i].data.size));
    return layers;
}

static void print_json(const struct package *package, const struct oci_image *image)
{
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "folder", package->output, "tag",
                  package->tag, "digest", image->manifest.digest, "architecture",
                  image->architecture, "bytes", (json_int_t)oci_bytes(image), "unpacked_bytes",
                  (json_int_t)image->unpacked_bytes, "layers", layers_json(image));
    json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}

static void print_text(const struct package *package, const struct oci_image *image)
{
    for (int i = 0; i < OCI_LAYERS; i++)
        printf("%-10s %6.2f MB  %s\n", oci_layer_name((enum oci_layer)i),
               (double)image->layers[i].data.size / 1e6, image->layers[i].digest);
    printf("%-10s %6.2f MB  %s (%.2f MB unpacked)\n", "image", (double)oci_bytes(image) / 1e6,
           image->manifest.digest, (double)image->unpacked_bytes / 1e6);
    printf("%s:%s\n", package->output, package->tag);
}

/* The gallery is opened, so that one that the function could not open fails here. */
static int find_files(struct package *package, char place[PATH_MAX], char program[PATH_MAX],
                      struct err *err)
{
    struct bundle_files *files = &package->files.function;
    char key[BUNDLE_KEY_BYTES];
    files->models = paths_models(package->models, place);
    files->gallery = paths_gallery(package->gallery);
    if (!files->function) {
        if (bundle_find_function(program, PATH_MAX, err) < 0)
            return -1;
        files->function = program;
    }
    int done = bundle_gallery_key(files->gallery, key, err);
    OPENSSL_cleanse(key, sizeof key);
    return done;
}

static int run(struct package *package, struct err *err)
{
    char place[PATH_MAX], program[PATH_MAX];
    struct oci_image image;
    if (find_files(package, place, program, err) < 0)
        return -1;
    int done = oci_make(&image, &package->files, err);
    if (done == 0)
        done = oci_write(&image, package->output, package->tag, err);
    if (done == 0)
        (package->json ? print_json : print_text)(package, &image);
    oci_finish(&image);
    return done;
}

/* https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
static int is_tag(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t size = strlen(text);
    return size >= 1 && size <= 128 && *text != '.' && *text != '-' &&
           strspn(text, letters) == size;
}

static int check(const struct package *package, int count, char **operands, struct err *err)
{
    if (count != 1 || strcmp(operands[0], "image") != 0)
        return err_set(err, ERR_INVALID, "%s: say what to make: image (see ken package --help)",
                       count > 0 ? operands[count - 1] : "nothing to do");
    if (!package->output)
        return err_set(err, ERR_INVALID, "--output is missing: the folder to write");
    if (!is_tag(package->tag))
        return err_set(err, ERR_INVALID, "--tag: \"%s\" is no tag of an image", package->tag);
    return 0;
}

int verb_package(int argc, char **argv)
{
    struct package package = {.tag = "latest"};
    const struct option_spec options[] = {
        {"output", 'o', OPTION_TEXT, &package.output, "FOLDER",
         "the image layout to write; an older image there is replaced", 0, 0},
        {"function", 0, OPTION_TEXT, &package.files.function.function, "FILE",
         "the function's program (default: ken-function beside ken)", 0, 0},
        {"models", 0, OPTION_TEXT, &package.models, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"gallery", 0, OPTION_TEXT, &package.gallery, "FILE",
         "the people (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"certificates", 0, OPTION_TEXT, &package.files.certificates, "FILE",
         "whom the function's https trusts (default: the system's)", 0, 0},
        {"tag", 0, OPTION_TEXT, &package.tag, "TAG", "the image's name (default latest)", 0, 0},
        {"json", 0, OPTION_FLAG, &package.json, NULL, "print sizes and digests as JSON", 0, 0},
        {0},
    };
    const struct command_line line = {"package", "Make the function's container image.", "image",
                                      details, options};
    struct err err = {0};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    if (check(&package, argc - first, argv + first, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    return run(&package, &err) < 0 ? options_fail(&line, &err) : EXIT_OK;
}
