#include "face/parts.h"
#include "face/recognizer.h"

#include <math.h>

enum { INPUT_SIDE = 112, REDUCED_SIDE = 168 /* 1.5 times: holds the input turned */ };

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
    if (image_init(&embedder->input, INPUT_SIDE, INPUT_SIDE, err) < 0 ||
        image_init(&embedder->reduced, REDUCED_SIDE, REDUCED_SIDE, err) < 0)
        return -1;
    embedder->session = session_create(model, pool, err);
    return embedder->session ? 0 : -1;
}

void embedder_finish(struct embedder *embedder)
{
    session_destroy(embedder->session);
    image_finish(&embedder->input);
    image_finish(&embedder->reduced);
    *embedder = (struct embedder){0};
}

/* Blue first, as the network was trained: with red first, twice as many pairs are judged wrongly
 * (docs/accuracy.md). */
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

/* How many pixels of the picture a step of the network's input may take before the picture is
 * averaged first: bilinear sampling looks at four pixels only, and would skip the rest. */
static const double max_step = 1.5;

/* The part of one axis of the picture within `reach` of the face's centre; `pixels` when reduced.
 */
struct span {
    double low, size;
    int pixels;
};

static int find_span(struct span *span, const double row[3], double reach, double step, int size)
{
    const double middle = (INPUT_SIDE - 1) / 2.0;
    double centre = row[0] * middle + row[1] * middle + row[2];
    double low = fmax(floor(centre - reach), 0), high = fmin(ceil(centre + reach), size);
    if (!(high - low >= 1))
        return -1;
    *span = (struct span){low, high - low,
                          (int)fmin(fmax(round((high - low) / step), 1), REDUCED_SIDE)};
    return 0;
}

static void scale_row(double row[3], const struct span *span)
{
    double scale = span->pixels / span->size;
    row[0] *= scale;
    row[1] *= scale;
    row[2] = (row[2] - span->low + 0.5) * scale - 0.5; /* 0.5: positions count from pixel centres */
}

/* Average the picture around the face down to about a pixel a step; `m`, which maps the network's
 * input to the picture, then maps to `reduced`. What lies outside the picture stays outside
 * (black), as in the network's training. */
static int reduce(struct image *reduced, const struct image *image, double m[2][3], double step)
{
    struct span x, y;
    double reach = step * REDUCED_SIDE / 2;
    if (find_span(&x, m[0], reach, step, image->width) < 0 ||
        find_span(&y, m[1], reach, step, image->height) < 0)
        return -1;
    reduced->width = x.pixels;
    reduced->height = y.pixels;
    image_resize_part(reduced, image, (double[4]){x.low, y.low, x.size, y.size});
    scale_row(m[0], &x);
    scale_row(m[1], &y);
    return 0;
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
    double step = hypot(to_picture[0][0], to_picture[1][0]);
    if (step > max_step && reduce(&embedder->reduced, image, to_picture, step) == 0)
        image = &embedder->reduced;
    image_warp(&embedder->input, image, (const double(*)[3])to_picture);
    fill_input(embedder);
    session_run(embedder->session);
    return make_unit_length(embedding, session_output(embedder->session, 0));
}
