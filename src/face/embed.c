#include "face/parts.h"
#include "face/recognizer.h"

#include <math.h>

enum { INPUT_SIDE = 112 };

/* Where the five points belong in the network's input. */
static const float template_points[FACE_LANDMARKS][2] = {{38.2946f, 51.6963f},
                                                         {73.5318f, 51.5014f},
                                                         {56.0252f, 71.7366f},
                                                         {41.5493f, 92.3655f},
                                                         {70.7299f, 92.2041f}};

int embedder_init(struct embedder *embedder, const struct model *model, struct pool *pool,
                  struct err *err)
{
    *embedder = (struct embedder){0};
    if (face_check_input(model, "feature", 3, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    if (model_outputs(model) != 1 || model_output(model, 0)->floats != FACE_EMBEDDING_FLOATS)
        return err_set(err, ERR_CORRUPT, "feature network: its output is not %d floats",
                       FACE_EMBEDDING_FLOATS);
    if (image_init(&embedder->input, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    embedder->session = session_create(model, pool, err);
    return embedder->session ? 0 : -1;
}

void embedder_finish(struct embedder *embedder)
{
    session_destroy(embedder->session);
    image_finish(&embedder->input);
    *embedder = (struct embedder){0};
}

/* Blue first, as the network was trained: RGB costs 0.3 % of accuracy (docs/accuracy.md). */
static void fill_input(struct embedder *embedder)
{
    const uint8_t *in = embedder->input.pixels;
    float *out = session_input(embedder->session, 0);
    for (int i = 0; i < INPUT_SIDE * INPUT_SIDE; i++, in += 3, out += 3) {
        out[0] = ((float)in[2] - 127.5f) / 128;
        out[1] = ((float)in[1] - 127.5f) / 128;
        out[2] = ((float)in[0] - 127.5f) / 128;
    }
}

static int make_unit_length(float *out, const float *in)
{
    double sum = 0;
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        sum += (double)in[i] * in[i];
    if (!(sum > 0) || !isfinite(sum))
        return -1;
    float factor = (float)(1 / sqrt(sum));
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        out[i] = in[i] * factor;
    return 0;
}

int embedder_run(struct embedder *embedder, const struct image *image, const float five[][2],
                 float *embedding)
{
    double to_template[2][3], to_picture[2][3];
    if (face_fit_similarity(five, template_points, FACE_LANDMARKS, to_template) < 0)
        return -1;
    face_invert_similarity((const double(*)[3])to_template, to_picture);
    image_warp(&embedder->input, image, (const double(*)[3])to_picture);
    fill_input(embedder);
    session_run(embedder->session);
    return make_unit_length(embedding, session_output(embedder->session, 0));
}
