#include "nn/import/import.h"

#include "nn/import/importer.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Counts the denormal floats of the constants and makes them 0: they mean nothing and cost a lot.
 */
static size_t flush_constants(const struct onnx_graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->constant_count; i++) {
        struct onnx_tensor *t = &graph->constants[i];
        for (size_t j = 0; t->floats && j < t->count; j++)
            if (t->floats[j] != 0.0f && fabsf(t->floats[j]) < FLT_MIN) {
                t->floats[j] = 0.0f;
                count++;
            }
    }
    return count;
}

/* The first input is the picture that the role's preprocessing fills. */
static int check_use(struct importer *im)
{
    const struct model_use *use = &im->use;
    if (use->role == ROLE_NONE)
        return 0;
    const struct view *in = &im->values[im->inputs[0]].view;
    int channels = use->order == ORDER_GREY ? 1 : 3;
    if (im->input_count != 1 || in->rank != 4)
        return import_fail(im, ERR_UNSUPPORTED, "a network for faces has one input, a picture");
    if (use->order == ORDER_NONE || in->dims[1] != channels)
        return import_fail(im, ERR_INVALID, "its input has %lld channels, which %s does not fit",
                           (long long)in->dims[1], model_order_name(use->order));
    return 0;
}

/* Tells networks apart: the file, how it is cut to size, and what it is shown. */
static void set_identity(struct importer *im, const struct onnx_file *file)
{
    struct {
        uint64_t file;
        int64_t dims[4];
        uint32_t order, alignment;
        float mean[3], scale[3];
    } all = {.file = model_checksum(file->data, file->size) + im->graph.external_checksum,
             .order = im->use.order,
             .alignment = im->use.alignment};
    const struct view *in = &im->values[im->inputs[0]].view;
    for (int i = 0; i < in->rank && i < 4; i++)
        all.dims[i] = in->dims[i];
    memcpy(all.mean, im->use.mean, sizeof all.mean);
    memcpy(all.scale, im->use.scale, sizeof all.scale);
    im->use.identity = model_checksum(&all, sizeof all);
}

static int import_into(struct importer *im, const struct onnx_file *file, struct buf *out)
{
    if (onnx_parse(file, im->arena, &im->graph, im->err) < 0)
        return -1;
    im->report->onnx_nodes = im->graph.node_count;
    im->report->denormals = flush_constants(&im->graph);
    im->roots = calloc(IMPORT_MAX_ROOTS, sizeof *im->roots); /* large, and mostly never touched */
    im->operations = calloc(MODEL_MAX_NODES, sizeof *im->operations);
    if (!im->roots || !im->operations)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    if (values_link(im) < 0 || lower_graph(im) < 0 || check_use(im) < 0 || plan_arena(im) < 0)
        return -1;
    set_identity(im, file);
    return write_model(im, out);
}

/* What is written must pass the checks that opening it makes. */
static int check_result(const struct buf *out, size_t start, struct err *err)
{
    size_t size = out->size - start;
    void *copy = aligned_alloc(MODEL_ALIGN_BYTES,
                               (size + MODEL_ALIGN_BYTES - 1) & ~(size_t)(MODEL_ALIGN_BYTES - 1));
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    memcpy(copy, out->data + start, size);
    int result = model_verify(copy, size, err);
    free(copy);
    return result < 0 ? err_wrap(err, "the import made a wrong file") : 0;
}

int nn_import(const void *onnx, size_t size, const struct import_options *options, struct buf *out,
              struct import_report *report, struct err *err)
{
    struct arena arena;
    struct importer im = {.arena = &arena, .err = err, .options = options, .report = report};
    const struct onnx_file file = {onnx, size, options ? options->path : NULL};
    size_t start = out->size;
    if (options)
        im.use = options->use;
    if (size > IMPORT_MAX_FILE_BYTES)
        return err_set(err, ERR_TOO_BIG, "larger than 1 GiB");
    *report = (struct import_report){0};
    arena_init(&arena, IMPORT_MAX_MEMORY_BYTES);
    buf_init(&im.weights, (size_t)MODEL_MAX_FLOATS * sizeof(float));
    int result = import_into(&im, &file, out);
    if (result == 0)
        result = check_result(out, start, err);
    free(im.roots);
    free(im.operations);
    buf_finish(&im.weights);
    arena_finish(&arena);
    return result;
}
