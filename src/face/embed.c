#include "face/parts.h"
#include "face/recognizer.h"

#include <math.h>

enum { REFERENCE_SIDE = 112 };
_Static_assert((int)REFERENCE_SIDE == (int)QUALITY_CHIP_SIDE, "the template's chip serves both");

/* Where the five points belong: pixels of a square of REFERENCE_SIDE. ArcFace's are those of its
 * training. dlib's are the means of its average face (image_transforms/interpolation.h) over the
 * points that landmarks_reduce() takes, with a padding of 0.25. */
static const float templates[MODEL_ALIGNMENTS][FACE_LANDMARKS][2] = {
    [ALIGN_ARCFACE] = {{38.2946f, 51.6963f},
                       {73.5318f, 51.5014f},
                       {56.0252f, 71.7366f},
                       {41.5493f, 92.3655f},
                       {70.7299f, 92.2041f}},
    [ALIGN_DLIB] = {{35.4034f, 34.4920f},
                    {75.1222f, 34.4920f},
                    {55.2628f, 57.1667f},
                    {38.9957f, 77.0943f},
                    {71.5298f, 77.0943f}},
};

/* How much of the picture is averaged down: 1.5 times the side holds the input turned. */
static int reduced_side(const struct embedder *embedder)
{
    int side = embedder->side > REFERENCE_SIDE ? embedder->side : REFERENCE_SIDE;
    return side * 3 / 2;
}

static int read_shapes(struct embedder *embedder, const struct model *model, struct err *err)
{
    const struct model_tensor *in = model_inputs(model) == 1 ? model_input(model, 0) : NULL;
    const struct model_tensor *out = model_outputs(model) == 1 ? model_output(model, 0) : NULL;
    if (!in || in->rank != 4 || in->dims[2] != in->dims[3] || in->dims[2] < EMBED_MIN_SIDE ||
        in->dims[2] > EMBED_MAX_SIDE)
        return err_set(err, ERR_UNSUPPORTED,
                       "feature network: its input is no square picture of %d to %d pixels a side",
                       EMBED_MIN_SIDE, EMBED_MAX_SIDE);
    if (!out || out->floats < 2 || out->floats > FACE_EMBEDDING_FLOATS)
        return err_set(err, ERR_UNSUPPORTED, "feature network: its output is not 2 to %d numbers",
                       FACE_EMBEDDING_FLOATS);
    embedder->side = in->dims[2];
    embedder->floats = (int)out->floats;
    return 0;
}

static int input_is_chip(const struct embedder *embedder)
{
    return embedder->side == REFERENCE_SIDE && embedder->use.alignment == ALIGN_ARCFACE;
}

int embedder_init(struct embedder *embedder, const struct model *model,
                  const struct session *beside, struct err *err)
{
    *embedder = (struct embedder){.use = model_use(model)};
    if (read_shapes(embedder, model, err) < 0)
        return -1;
    int reduced = reduced_side(embedder);
    if (image_init(&embedder->input, embedder->side, embedder->side, err) < 0 ||
        image_init(&embedder->reduced, reduced, reduced, err) < 0)
        return -1;
    if (!input_is_chip(embedder) &&
        image_init(&embedder->chip, REFERENCE_SIDE, REFERENCE_SIDE, err) < 0)
        return -1;
    embedder->session = session_create_beside(model, beside, err);
    return embedder->session ? 0 : -1;
}

void embedder_finish(struct embedder *embedder)
{
    session_destroy(embedder->session);
    image_finish(&embedder->input);
    image_finish(&embedder->reduced);
    image_finish(&embedder->chip);
    *embedder = (struct embedder){0};
}

const struct image *embedder_chip(const struct embedder *embedder)
{
    return input_is_chip(embedder) ? &embedder->input : &embedder->chip;
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

/* What is cut out: a square of `side` pixels, each of `step` pixels of the picture. */
struct cut {
    int side, reduced_side;
    double step;
};

static int find_span(struct span *span, const double row[3], const struct cut *cut, int size)
{
    double reach = cut->step * cut->side * 3 / 4, middle = (cut->side - 1) / 2.0;
    double centre = row[0] * middle + row[1] * middle + row[2];
    double low = fmax(floor(centre - reach), 0), high = fmin(ceil(centre + reach), size);
    if (!(high - low >= 1))
        return -1;
    *span = (struct span){low, high - low,
                          (int)fmin(fmax(round((high - low) / cut->step), 1), cut->reduced_side)};
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
static int reduce(struct image *reduced, const struct image *image, double m[2][3],
                  const struct cut *cut)
{
    struct span x, y;
    if (find_span(&x, m[0], cut, image->width) < 0 || find_span(&y, m[1], cut, image->height) < 0)
        return -1;
    reduced->width = x.pixels;
    reduced->height = y.pixels;
    image_resize_part(reduced, image, (double[4]){x.low, y.low, x.size, y.size});
    scale_row(m[0], &x);
    scale_row(m[1], &y);
    return 0;
}

/* The rest of `out` is 0: directions of fewer numbers compare as they are. */
static int make_unit_length(float out[FACE_EMBEDDING_FLOATS], const float *in, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)in[i] * (double)in[i];
    if (!(sum > 0) || !isfinite(sum))
        return -1;
    float factor = (float)(1 / sqrt(sum));
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        out[i] = i < count ? in[i] * factor : 0.0f;
    return 0;
}

/* Fills `chip` with the face, its points where `alignment` has them. */
static int cut_out(struct embedder *embedder, struct image *chip, enum model_alignment alignment,
                   const struct image *image, const float five[][2])
{
    float wanted[FACE_LANDMARKS][2];
    double to_chip[2][3], to_picture[2][3];
    for (int i = 0; i < FACE_LANDMARKS; i++)
        for (int k = 0; k < 2; k++)
            wanted[i][k] = templates[alignment][i][k] * (float)chip->width / REFERENCE_SIDE;
    if (face_fit_similarity(five, (const float(*)[2])wanted, FACE_LANDMARKS, to_chip) < 0)
        return -1;
    face_invert_similarity((const double(*)[3])to_chip, to_picture);
    const struct cut cut = {chip->width, reduced_side(embedder),
                            hypot(to_picture[0][0], to_picture[1][0])};
    if (cut.step > max_step && reduce(&embedder->reduced, image, to_picture, &cut) == 0)
        image = &embedder->reduced;
    image_warp(chip, image, (const double(*)[3])to_picture);
    return 0;
}

int embedder_align(struct embedder *embedder, const struct image *image, const float five[][2])
{
    if (cut_out(embedder, &embedder->input, embedder->use.alignment, image, five) < 0)
        return -1;
    if (!input_is_chip(embedder) &&
        cut_out(embedder, &embedder->chip, ALIGN_ARCFACE, image, five) < 0)
        return -1;
    return 0;
}

int embedder_embed(struct embedder *embedder, float *embedding)
{
    face_fill_input(embedder->session, &embedder->input, &embedder->use);
    session_run(embedder->session);
    return make_unit_length(embedding, session_output(embedder->session, 0), embedder->floats);
}

int embedder_run(struct embedder *embedder, const struct image *image, const float five[][2],
                 float *embedding)
{
    return embedder_align(embedder, image, five) < 0 ? -1 : embedder_embed(embedder, embedding);
}
