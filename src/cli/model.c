#include "nn/model.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/manifest.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "nn/import/import.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_shape(const char *text, struct import_options *options, struct err *err)
{
    const char *at = text;
    while (*at) {
        char *end;
        if (options->rank == IMPORT_MAX_RANK)
            return err_set(err, ERR_INVALID, "--input-shape: more than %d numbers",
                           IMPORT_MAX_RANK);
        options->dims[options->rank++] = strtoll(at, &end, 10);
        if (end == at || (*end && *end != ',' && *end != 'x') || (*end && !end[1]))
            return err_set(err, ERR_INVALID, "--input-shape: \"%s\" is not like 1x3x640x640", text);
        at = *end ? end + 1 : end;
    }
    return 0;
}

/* One number or a fraction: 0.0078125, 1/128. */
static int parse_number(const char **at, float *out)
{
    char *end;
    double number = strtod(*at, &end);
    if (end == *at)
        return -1;
    if (*end == '/') {
        const char *divisor = end + 1;
        number /= strtod(divisor, &end);
        if (end == divisor)
            return -1;
    }
    *at = end;
    *out = (float)number;
    return isfinite(*out) ? 0 : -1;
}

/* One for all channels, or one for each of the three, in the order of the input's. */
static int parse_numbers(const char *name, const char *text, float out[3], struct err *err)
{
    const char *at = text;
    int count = 0;
    while (count < 3 && parse_number(&at, &out[count]) == 0) {
        count++;
        if (*at != ',')
            break;
        at++;
    }
    if (*at || (count != 1 && count != 3))
        return err_set(err, ERR_INVALID, "--%s: \"%s\" is neither one number nor three a,b,c", name,
                       text);
    for (int i = count; i < 3; i++)
        out[i] = out[0];
    return 0;
}

static int parse_word(const char *option, const char *word, int (*find)(const char *name),
                      const char *words, struct err *err)
{
    int value = find(word);
    return value < 0
               ? err_set(err, ERR_INVALID, "--%s: \"%s\" is not one of %s", option, word, words)
               : value;
}

/* The command line's words for the network's use; NULL where not given. */
struct use_words {
    const char *role, *order, *mean, *scale, *alignment;
};

/* Guessing would give a network that works, badly: all is to be told. */
static int parse_use(const struct use_words *words, struct model_use *use, struct err *err)
{
    if (!words->role)
        return words->order || words->mean || words->scale || words->alignment
                   ? err_set(err, ERR_INVALID,
                             "--input-order, --mean, --scale and --align go "
                             "with --role")
                   : 0;
    if (!words->order || !words->mean || !words->scale)
        return err_set(err, ERR_INVALID,
                       "--role wants --input-order, --mean and --scale too (like --input-order rgb "
                       "--mean 127.5 --scale 1/128): the network's makers say which");
    int role = parse_word("role", words->role, model_role_named,
                          "detect, landmark, embed, liveness, none", err);
    int order = parse_word("input-order", words->order, model_order_named, "rgb, bgr, grey", err);
    int alignment = words->alignment ? parse_word("align", words->alignment, model_alignment_named,
                                                  "arcface, dlib", err)
                                     : ALIGN_ARCFACE;
    if (role < 0 || order < 0 || alignment < 0)
        return -1;
    use->role = (enum model_role)role;
    use->order = (enum model_order)order;
    use->alignment = (enum model_alignment)alignment;
    if (parse_numbers("mean", words->mean, use->mean, err) < 0)
        return -1;
    return parse_numbers("scale", words->scale, use->scale, err);
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
    struct import_options located = *options;
    located.path = from;
    buf_init(&onnx, IMPORT_MAX_FILE_BYTES);
    int result = file_read(from, &onnx, err);
    if (result == 0)
        result = import_bytes(&onnx, &located, to, from, err);
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
    const struct import_options options = {.use = model->use};
    int result = manifest_read(model, packages, &onnx, err);
    if (result == 0)
        result = import_bytes(&onnx, &options, path, model->name, err);
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
    struct use_words words = {0};
    const struct option_spec options[] = {
        {"output", 'o', OPTION_TEXT, &output, "FILE",
         "the model file to write; with --manifest, the folder", 0, 0},
        {"role", 0, OPTION_TEXT, &words.role, "ROLE",
         "what it is for: detect, landmark, embed or liveness", 0, 0},
        {"input-order", 0, OPTION_TEXT, &words.order, "ORDER", "its channels: rgb, bgr or grey", 0,
         0},
        {"mean", 0, OPTION_TEXT, &words.mean, "X|A,B,C",
         "what is taken off each byte, for all channels or each", 0, 0},
        {"scale", 0, OPTION_TEXT, &words.scale, "X|A,B,C",
         "and what the rest is multiplied by: 1/128", 0, 0},
        {"align", 0, OPTION_TEXT, &words.alignment, "HOW",
         "how an embedder's faces are cut out: arcface (default) or dlib", 0, 0},
        {"input-shape", 0, OPTION_TEXT, &shape, "NxCxHxW",
         "the input's shape, where the network leaves it open or another is wanted", 0, 0},
        {"manifest", 0, OPTION_TEXT, &manifest, "FILE", "import every network that this list names",
         0, 0},
        {"packages", 0, OPTION_TEXT, &packages, "DIR",
         "where the manifest's packages are (default: node_modules beside its folder)", 0, 0},
        {0},
    };
    const struct command_line line = {
        "model import", "Make ken's model file of an ONNX network.", "FILE.onnx",
        "examples:\n"
        "  ken model import arcface.onnx -o mine/embed.ken --role embed --input-order rgb \\\n"
        "      --mean 127.5 --scale 1/127.5\n"
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
        result = parse_shape(shape, &import, &err) < 0 ? -1 : parse_use(&words, &import.use, &err);
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

static json_t *numbers_json(const float numbers[3])
{
    return json_pack("[f, f, f]", (double)numbers[0], (double)numbers[1], (double)numbers[2]);
}

static json_t *use_json(const struct model *model)
{
    struct model_use use = model_use(model);
    char identity[17];
    snprintf(identity, sizeof identity, "%016llx", (unsigned long long)use.identity);
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s}", "role", model_role_name(use.role),
                     "input_order", model_order_name(use.order), "mean", numbers_json(use.mean),
                     "scale", numbers_json(use.scale), "align", model_alignment_name(use.alignment),
                     "identity", identity);
}

static void print_json(const struct model *model, size_t session)
{
    json_t *json = json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "use", use_json(model),
                             "inputs", edges_json(model, model_inputs(model), model_input),
                             "outputs", edges_json(model, model_outputs(model), model_output),
                             "multiply_adds", (json_int_t)model_macs(model), "arena_bytes",
                             (json_int_t)model_arena_bytes(model), "memory_bytes",
                             (json_int_t)session, "nodes", nodes_json(model));
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

static void print_use(const struct model *model)
{
    struct model_use use = model_use(model);
    if (use.role == ROLE_NONE) {
        printf("role   none: no program of ken but this one uses it (see --role)\n");
        return;
    }
    printf("role   %s; input = (byte - mean) * scale, %s, mean %g,%g,%g, scale %g,%g,%g",
           model_role_name(use.role), model_order_name(use.order), (double)use.mean[0],
           (double)use.mean[1], (double)use.mean[2], (double)use.scale[0], (double)use.scale[1],
           (double)use.scale[2]);
    if (use.role == ROLE_EMBED)
        printf(", faces cut out as for %s", model_alignment_name(use.alignment));
    printf("; identity %016llx\n", (unsigned long long)use.identity);
}

static void print_text(const struct model *model, size_t session)
{
    print_use(model);
    for (size_t i = 0; i < model_inputs(model); i++)
        print_tensor("input ", model_input(model, i));
    for (size_t i = 0; i < model_outputs(model); i++)
        print_tensor("output", model_output(model, i));
    printf("%zu nodes, %.1f million multiply-adds, %.1f MB of working memory (arena %.1f MB)\n",
           model_nodes(model), (double)model_macs(model) / 1e6, (double)session / 1e6,
           (double)model_arena_bytes(model) / 1e6);
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
    static const char usage[] =
        "usage: ken model import FILE.onnx -o FILE.ken [--role ROLE ...]\n"
        "       ken model import --manifest FILE -o DIR\n"
        "       ken model info FILE.ken [--json]\n"
        "\n"
        "Make ken's model file of an ONNX network, or show what one holds.\n"
        "\n"
        "examples:\n"
        "  ken model import --help\n"
        "  ken model info build/models/fr_feature.ken\n";
    if (argc > 1 && strcmp(argv[1], "import") == 0)
        return model_import(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "info") == 0)
        return model_info(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    if (argc > 1)
        fprintf(stderr, "ken model: %s: no such verb; there are import and info\n", argv[1]);
    else
        fputs(usage, stderr);
    return EXIT_USAGE;
}
