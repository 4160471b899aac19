#include "nn/model.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/manifest.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "nn/import/import.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_shape(const char *text, struct import_options *options, struct err *err)
{
    const char *at = text;
    while (*at) {
        char *end;
        if (options->rank == IMPORT_MAX_RANK)
            return err_set(err, ERR_INVALID, "--shape: more than %d numbers", IMPORT_MAX_RANK);
        options->dims[options->rank++] = strtoll(at, &end, 10);
        if (end == at || (*end && *end != ','))
            return err_set(err, ERR_INVALID, "--shape: \"%s\" is not like 1,3,112,112", text);
        at = *end ? end + 1 : end;
    }
    return 0;
}

static void print_report(const char *name, const struct import_report *r, size_t bytes, double ms)
{
    printf(
        "%-24s %zu nodes to %zu, %.0f million multiply-adds, %.1f MB; fused %zu activations, %zu "
        "additions; %zu denormals to zero; %.0f ms\n",
        name, r->onnx_nodes, r->nodes, (double)r->macs / 1e6, (double)bytes / 1e6,
        r->fused_activations, r->fused_residuals, r->denormals, ms);
    fflush(stdout);
}

/* Imports `onnx` and writes `path`. */
static int import_bytes(const struct buf *onnx, const struct import_options *options,
                        const char *path, const char *name, struct err *err)
{
    uint64_t start = clock_monotonic_ns();
    struct import_report report;
    struct buf model;
    buf_init(&model, (size_t)2 << 30);
    int result = nn_import(onnx->data ? onnx->data : "", onnx->size, options, &model, &report, err);
    if (result == 0)
        result = file_write(path, model.data, model.size, 0644, err);
    else
        err_wrap(err, "import %s", name);
    if (result == 0)
        print_report(name, &report, model.size, clock_ms_since(start));
    buf_finish(&model);
    return result;
}

static int import_file(const char *from, const char *to, const struct import_options *options,
                       struct err *err)
{
    struct buf onnx;
    buf_init(&onnx, IMPORT_MAX_FILE_BYTES);
    int result = file_read(from, &onnx, err);
    if (result == 0)
        result = import_bytes(&onnx, options, to, from, err);
    buf_finish(&onnx);
    return result;
}

static int import_model(const struct manifest_model *model, const char *packages,
                        const char *folder, struct err *err)
{
    char path[PATH_MAX];
    struct buf onnx;
    snprintf(path, sizeof path, "%s/%s.ken", folder, model->name);
    buf_init(&onnx, IMPORT_MAX_FILE_BYTES);
    int result = manifest_read(model, packages, &onnx, err);
    if (result == 0)
        result = import_bytes(&onnx, NULL, path, model->name, err);
    buf_finish(&onnx);
    return result;
}

/* node_modules beside the folder that the manifest is in. */
static void default_packages(const char *manifest, char *path, size_t size)
{
    const char *slash = strrchr(manifest, '/');
    int length = slash ? (int)(slash - manifest) : 1;
    snprintf(path, size, "%.*s/../node_modules", length, slash ? manifest : ".");
}

static int import_manifest(const char *path, const char *packages, const char *folder,
                           struct err *err)
{
    char beside[PATH_MAX];
    struct manifest *manifest = manifest_open(path, err);
    if (!manifest)
        return -1;
    default_packages(path, beside, sizeof beside);
    int result = file_make_folders(folder, 0755, err);
    size_t count = manifest_models(manifest);
    for (size_t i = 0; i < count && result == 0; i++) {
        printf("[%zu/%zu] ", i + 1, count);
        result =
            import_model(manifest_model(manifest, i), packages ? packages : beside, folder, err);
    }
    if (result < 0)
        printf("\n");
    manifest_close(manifest);
    return result;
}

static int model_import(int argc, char **argv)
{
    const char *output = NULL, *manifest = NULL, *packages = NULL, *shape = "";
    const struct option_spec options[] = {
        {"output", 'o', OPTION_TEXT, &output, "FILE",
         "the model file to write; with --manifest, the folder", 0, 0},
        {"shape", 0, OPTION_TEXT, &shape, "N,N,..",
         "the input's shape, where the network leaves it open", 0, 0},
        {"manifest", 0, OPTION_TEXT, &manifest, "FILE", "import every network that this list names",
         0, 0},
        {"packages", 0, OPTION_TEXT, &packages, "DIR",
         "where the manifest's packages are (default: node_modules beside its folder)", 0, 0},
        {0},
    };
    const struct command_line line = {
        "model import", "Make ken's model file of an ONNX network.", "FILE.onnx",
        "examples:\n  ken model import face.onnx -o face.ken\n"
        "  ken model import --manifest models/manifest.json -o build/models",
        options};
    int first;
    int leave = options_start(&line, argc, argv, &first);
    if (leave >= 0)
        return leave;
    struct err err = {0};
    struct import_options import = {0};
    int result;
    if (!output || argc - first != (manifest ? 0 : 1))
        result =
            err_set(&err, ERR_INVALID, "give one FILE.onnx (or --manifest) and -o (see --help)");
    else
        result = parse_shape(shape, &import, &err);
    if (result < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    result = manifest ? import_manifest(manifest, packages, output, &err)
                      : import_file(argv[first], output, &import, &err);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}

static json_t *dims_json(const int *dims, int rank)
{
    json_t *list = json_array();
    for (int i = 0; i < rank; i++)
        json_array_append_new(list, json_integer(dims[i]));
    return list;
}

static json_t *edges_json(const struct model *model, size_t count,
                          const struct model_tensor *(*edge)(const struct model *, size_t))
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct model_tensor *t = edge(model, i);
        json_array_append_new(
            list, json_pack("{s:s, s:o}", "name", t->name, "shape", dims_json(t->dims, t->rank)));
    }
    return list;
}

static json_t *nodes_json(const struct model *model)
{
    json_t *list = json_array();
    for (size_t i = 0; i < model_nodes(model); i++) {
        struct model_node_text node;
        model_node_describe(model, i, &node);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:I}", "name", node.name, "op",
                                              node.op, "shape", dims_json(node.out, 4),
                                              "multiply_adds", (json_int_t)node.macs));
    }
    return list;
}

static void print_json(const struct model *model, size_t session)
{
    json_t *json = json_pack("{s:o, s:o, s:I, s:I, s:o}", "inputs",
                             edges_json(model, model_inputs(model), model_input), "outputs",
                             edges_json(model, model_outputs(model), model_output), "multiply_adds",
                             (json_int_t)model_macs(model), "memory_bytes", (json_int_t)session,
                             "nodes", nodes_json(model));
    json_dumpf(json, stdout, JSON_INDENT(1));
    printf("\n");
    json_decref(json);
}

static void print_tensor(const char *what, const struct model_tensor *t)
{
    printf("%s %s", what, t->name);
    for (int i = 0; i < t->rank; i++)
        printf("%s%d", i ? "x" : " ", t->dims[i]);
    printf("\n");
}

static void print_text(const struct model *model, size_t session)
{
    for (size_t i = 0; i < model_inputs(model); i++)
        print_tensor("input ", model_input(model, i));
    for (size_t i = 0; i < model_outputs(model); i++)
        print_tensor("output", model_output(model, i));
    printf("%zu nodes, %.1f million multiply-adds, %.1f MB of working memory\n", model_nodes(model),
           (double)model_macs(model) / 1e6, (double)session / 1e6);
    for (size_t i = 0; i < model_nodes(model); i++) {
        struct model_node_text node;
        model_node_describe(model, i, &node);
        printf("%4zu  %-9s  %4d x %4d x %4d x %4d  %8.3f M  %s\n", i, node.op, node.out[0],
               node.out[1], node.out[2], node.out[3], (double)node.macs / 1e6, node.name);
    }
}

static int model_info(int argc, char **argv)
{
    int json = 0, first;
    const struct option_spec options[] = {
        {"json", 0, OPTION_FLAG, &json, NULL, "print JSON", 0, 0},
        {0},
    };
    const struct command_line line = {"model info", "Show what a model file holds.", "FILE.ken",
                                      "example:\n  ken model info build/models/fr_feature.ken",
                                      options};
    int leave = options_start(&line, argc, argv, &first);
    if (leave >= 0)
        return leave;
    struct err err = {0};
    if (argc - first != 1) {
        err_set(&err, ERR_INVALID, "give one FILE.ken (see --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    struct model *model = model_open(argv[first], &err);
    struct session *session = model ? session_create(model, NULL, &err) : NULL;
    int result = session ? EXIT_OK : options_fail(&line, &err);
    if (session && json)
        print_json(model, session_bytes(session));
    else if (session)
        print_text(model, session_bytes(session));
    session_destroy(session);
    model_close(model);
    return result;
}

int verb_model(int argc, char **argv)
{
    static const char usage[] = "usage: ken model import FILE.onnx -o FILE.ken\n"
                                "       ken model import --manifest FILE -o DIR\n"
                                "       ken model info FILE.ken [--json]\n";
    if (argc > 1 && strcmp(argv[1], "import") == 0)
        return model_import(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "info") == 0)
        return model_info(argc - 1, argv + 1);
    int asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    fputs(usage, asked ? stdout : stderr);
    return asked ? EXIT_OK : EXIT_USAGE;
}
