/* Runs one model file over raw inputs, for the comparison with ONNX Runtime:
 *   run_model MODEL.ken INPUT.bin OUTPUT.bin [RUNS]
 * INPUT.bin holds the model's inputs one after the other as float32 in ONNX's order (NCHW), as
 * often as there are samples; OUTPUT.bin receives the outputs likewise. Everything is run RUNS
 * times (default 2), so that what a run leaves in the arena would show. KEN_THREADS: threads,
 * default 1. */
#include "base/buf.h"
#include "base/file.h"
#include "base/pool.h"
#include "nn/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INPUT_BYTES ((size_t)1 << 30)

/* Between ONNX's order and the session's, which differ for tensors of 4 dimensions. */
static void reorder(const struct model_tensor *t, float *session, float *onnx, int to_session)
{
    int turned = t->rank == 4;
    size_t channels = turned ? (size_t)t->dims[1] : 1, pixels = t->floats / channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++)
            if (to_session)
                session[p * channels + c] = onnx[c * pixels + p];
            else
                onnx[c * pixels + p] = session[p * channels + c];
}

static int run_sample(const struct model *model, struct session *session, float **in,
                      struct buf *out)
{
    for (size_t i = 0; i < model_inputs(model); i++) {
        const struct model_tensor *t = model_input(model, i);
        reorder(t, session_input(session, i), *in, 1);
        *in += t->floats;
    }
    session_run(session);
    for (size_t i = 0; i < model_outputs(model); i++) {
        const struct model_tensor *t = model_output(model, i);
        float *onnx = malloc(t->floats * sizeof *onnx);
        if (!onnx)
            return -1;
        reorder(t, (float *)(size_t)session_output(session, i), onnx, 0);
        buf_append(out, onnx, t->floats * sizeof *onnx);
        free(onnx);
    }
    return out->failed ? -1 : 0;
}

static int run_all(const struct model *model, struct session *session, const struct buf *in,
                   struct buf *out)
{
    size_t floats = 0;
    for (size_t i = 0; i < model_inputs(model); i++)
        floats += model_input(model, i)->floats;
    float *at = (float *)(void *)in->data;
    for (size_t left = in->size / sizeof *at; left >= floats; left -= floats)
        if (run_sample(model, session, &at, out) < 0)
            return -1;
    return 0;
}

static int run_file(char **argv, int runs, struct err *err)
{
    const char *threads = getenv("KEN_THREADS");
    struct pool *pool = pool_create(threads ? strtoul(threads, NULL, 10) : 1, err);
    struct model *model = pool ? model_open(argv[1], err) : NULL;
    struct session *session = model ? session_create(model, pool, err) : NULL;
    struct buf in, out;
    buf_init(&in, MAX_INPUT_BYTES);
    buf_init(&out, MAX_INPUT_BYTES);
    int result = session ? file_read(argv[2], &in, err) : -1;
    for (int i = 0; i < runs && result == 0; i++) {
        buf_clear(&out);
        if (run_all(model, session, &in, &out) < 0)
            result = err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    if (result == 0)
        result = file_write(argv[3], out.data, out.size, 0644, err);
    buf_finish(&in);
    buf_finish(&out);
    session_destroy(session);
    model_close(model);
    pool_destroy(pool);
    return result;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL.ken INPUT.bin OUTPUT.bin [RUNS]\n", argv[0]);
        return 2;
    }
    if (run_file(argv, argc > 4 ? (int)strtol(argv[4], NULL, 10) : 2, &err) < 0) {
        fprintf(stderr, "run_model: %s\n", err.message);
        return 1;
    }
    return 0;
}
