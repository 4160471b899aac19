#include "face/head_train.h"

#include "base/pool.h"
#include "face/gallery.h"
#include "face/seal.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct head_options head_defaults = {.epochs = 20,
                                           .batch_size = 128,
                                           .learning_rate = 3e-4,
                                           .seed = 1,
                                           .threshold = GALLERY_DEFAULT_THRESHOLD};

/* The scale and the margin of the cosines: half of what networks are trained with from scratch (64
 * and 0.35), because the embeddings are good already. The pull towards no correction keeps the head
 * harmless where it has nothing to learn: without it, LFW's people who were not trained on were
 * told apart worse (docs/accuracy.md). */
static const float scale = 32, margin = 0.2f, pull = 0.01f;
/* Adam's own (Kingma and Ba 2014). */
static const double first_decay = 0.9, second_decay = 0.999, tiny = 1e-8;

uint64_t head_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void head_shuffle(uint32_t *order, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t other = head_random(state) % i;
        uint32_t last = order[i - 1];
        order[i - 1] = order[other];
        order[other] = last;
    }
}

/* What is learnt, with its gradient and Adam's moments. */
struct parameter {
    float *values, *gradient, *first, *second;
    size_t count;
};

struct trainer {
    const struct head_photos *photos;
    const struct head_options *options;
    const struct kernels *kernels;
    struct pool *pool;
    struct parameter correction, prototypes; /* ROW_VALUES x ROW_VALUES; people x ROW_VALUES */
    size_t people, most;                     /* most: photos of a batch */
    uint32_t *order;                         /* of the photos in this epoch */
    float *block;                            /* everything below, in one piece */
    float *in, *mapped, *units, *back;       /* batch x ROW_VALUES */
    float *mapped_lengths;                   /* batch */
    float *centres, *centre_lengths;         /* the prototypes as unit vectors; people */
    float *cosines;                          /* batch x people; then the loss' gradient by them */
    float *turned[2], *packed, *zeros;
    const uint32_t **labels; /* batch: into photos->people */
    double *losses;          /* batch */
    char *hits;              /* batch: the right person came first */
    size_t batch;            /* photos in the present one */
    long step;
};

/* ---- products: out = in * weights^T, rows x depth by columns x depth ---- */

struct product {
    const struct trainer *trainer;
    struct conv conv;
    const float *weights;
    size_t jobs;
};

static void pack_panel(void *context, size_t panel)
{
    const struct product *product = context;
    const struct conv *conv = &product->conv;
    size_t depth = (size_t)conv->in_channels, from = panel * SIMD_PANEL;
    size_t columns = (size_t)conv->out_channels - from;
    columns = columns < SIMD_PANEL ? columns : SIMD_PANEL;
    simd_pack_conv(product->trainer->packed + from * depth, product->weights + from * depth,
                   (int)columns, (int)depth, 1, 1);
}

static void multiply_rows(void *context, size_t job)
{
    const struct product *product = context;
    struct conv part = product->conv;
    size_t rows = (size_t)part.out_height;
    simd_flush_denormals();
    part.row_begin = (int)(rows * job / product->jobs);
    part.row_end = (int)(rows * (job + 1) / product->jobs);
    if (part.row_begin < part.row_end)
        product->trainer->kernels->conv_f32(&part);
}

struct matrix {
    const float *values;
    size_t rows;
};

static void multiply(const struct trainer *trainer, float *out, struct matrix in,
                     struct matrix weights, size_t depth, const float *residual)
{
    struct product product = {
        .trainer = trainer,
        .weights = weights.values,
        .jobs = pool_threads(trainer->pool),
        .conv = {.in = in.values,
                 .out = out,
                 .weights = trainer->packed,
                 .bias = trainer->zeros,
                 .residual = residual,
                 .residual_stride = (int)weights.rows,
                 .in_height = (int)in.rows,
                 .in_width = 1,
                 .in_channels = (int)depth,
                 .in_stride = (int)depth,
                 .out_height = (int)in.rows,
                 .out_width = 1,
                 .out_channels = (int)weights.rows,
                 .out_stride = (int)weights.rows,
                 .kernel_height = 1,
                 .kernel_width = 1,
                 .stride_y = 1,
                 .stride_x = 1,
                 .dilation_y = 1,
                 .dilation_x = 1},
    };
    size_t panels = (weights.rows + SIMD_PANEL - 1) / SIMD_PANEL;
    pool_run(trainer->pool, panels, pack_panel, &product);
    pool_run(trainer->pool, product.jobs, multiply_rows, &product);
}

static const float *turn(float *out, const float *in, size_t rows, size_t columns)
{
    enum { SIDE = 16 };
    for (size_t top = 0; top < rows; top += SIDE)
        for (size_t left = 0; left < columns; left += SIDE)
            for (size_t y = top; y < rows && y < top + SIDE; y++)
                for (size_t x = left; x < columns && x < left + SIDE; x++)
                    out[x * rows + y] = in[y * columns + x];
    return out;
}

/* ---- one batch ---- */

static float length_of(const struct trainer *trainer, const float *row)
{
    return fmaxf(sqrtf(trainer->kernels->dot_f32(row, row, ROW_VALUES)), 1e-12f);
}

static void to_unit(const struct trainer *trainer, float *out, const float *in, float *length)
{
    *length = length_of(trainer, in);
    for (size_t i = 0; i < ROW_VALUES; i++)
        out[i] = in[i] / *length;
}

static void normalise_photo(void *context, size_t i)
{
    const struct trainer *trainer = context;
    to_unit(trainer, trainer->units + i * ROW_VALUES, trainer->mapped + i * ROW_VALUES,
            &trainer->mapped_lengths[i]);
}

static void normalise_centre(void *context, size_t i)
{
    const struct trainer *trainer = context;
    to_unit(trainer, trainer->centres + i * ROW_VALUES, trainer->prototypes.values + i * ROW_VALUES,
            &trainer->centre_lengths[i]);
}

/* Loss of one photo; its cosines become the loss' gradient by them. */
static void score_photo(void *context, size_t i)
{
    const struct trainer *trainer = context;
    float *row = trainer->cosines + i * trainer->people, most = -HUGE_VALF;
    size_t own = *trainer->labels[i], best = 0;
    for (size_t k = 0; k < trainer->people; k++)
        best = row[k] > row[best] ? k : best;
    trainer->hits[i] = best == own;
    row[own] -= margin;
    for (size_t k = 0; k < trainer->people; k++) {
        row[k] *= scale;
        most = row[k] > most ? row[k] : most;
    }
    for (size_t k = 0; k < trainer->people; k++)
        row[k] -= most;
    double right = (double)row[own], sum = 0;
    trainer->kernels->exp_f32(row, row, trainer->people);
    for (size_t k = 0; k < trainer->people; k++)
        sum += (double)row[k];
    trainer->losses[i] = log(sum) - right;
    float share = scale / (float)trainer->batch, factor = share / (float)sum;
    for (size_t k = 0; k < trainer->people; k++)
        row[k] *= factor;
    row[own] -= share;
}

/* Through out = in / |in|: the gradient by `in` from that by `out`, in place. */
static void through_length(const struct trainer *trainer, float *gradient, const float *unit,
                           float length)
{
    float along = trainer->kernels->dot_f32(gradient, unit, ROW_VALUES);
    for (size_t i = 0; i < ROW_VALUES; i++)
        gradient[i] = (gradient[i] - along * unit[i]) / length;
}

static void back_through_photo(void *context, size_t i)
{
    const struct trainer *trainer = context;
    through_length(trainer, trainer->back + i * ROW_VALUES, trainer->units + i * ROW_VALUES,
                   trainer->mapped_lengths[i]);
}

static void back_through_centre(void *context, size_t i)
{
    const struct trainer *trainer = context;
    through_length(trainer, trainer->prototypes.gradient + i * ROW_VALUES,
                   trainer->centres + i * ROW_VALUES, trainer->centre_lengths[i]);
}

static void forward(struct trainer *trainer)
{
    struct matrix in = {trainer->in, trainer->batch}, units = {trainer->units, trainer->batch};
    multiply(trainer, trainer->mapped, in, (struct matrix){trainer->correction.values, ROW_VALUES},
             ROW_VALUES, trainer->in);
    pool_run(trainer->pool, trainer->batch, normalise_photo, trainer);
    pool_run(trainer->pool, trainer->people, normalise_centre, trainer);
    multiply(trainer, trainer->cosines, units, (struct matrix){trainer->centres, trainer->people},
             ROW_VALUES, NULL);
    pool_run(trainer->pool, trainer->batch, score_photo, trainer);
}

static void backward(struct trainer *trainer)
{
    size_t batch = trainer->batch, people = trainer->people;
    struct matrix by_cosines = {trainer->cosines, batch};
    const float *turned = turn(trainer->turned[0], trainer->centres, people, ROW_VALUES);
    multiply(trainer, trainer->back, by_cosines, (struct matrix){turned, ROW_VALUES}, people, NULL);
    pool_run(trainer->pool, batch, back_through_photo, trainer);
    struct matrix by_people = {turn(trainer->turned[0], trainer->cosines, batch, people), people};
    turned = turn(trainer->turned[1], trainer->units, batch, ROW_VALUES);
    multiply(trainer, trainer->prototypes.gradient, by_people, (struct matrix){turned, ROW_VALUES},
             batch, NULL);
    pool_run(trainer->pool, people, back_through_centre, trainer);
    struct matrix back = {turn(trainer->turned[0], trainer->back, batch, ROW_VALUES), ROW_VALUES};
    turned = turn(trainer->turned[1], trainer->in, batch, ROW_VALUES);
    multiply(trainer, trainer->correction.gradient, back, (struct matrix){turned, ROW_VALUES},
             batch, NULL);
    for (size_t i = 0; i < trainer->correction.count; i++)
        trainer->correction.gradient[i] += pull * trainer->correction.values[i];
}

/* ---- Adam ---- */

struct update {
    struct parameter *parameter;
    float rate, first_share, second_share;
};
enum { UPDATE_FLOATS = 1 << 14 };

static void update_part(void *context, size_t part)
{
    const struct update *update = context;
    struct parameter *p = update->parameter;
    size_t end = (part + 1) * UPDATE_FLOATS;
    const float a = (float)first_decay, b = (float)second_decay;
    for (size_t i = part * UPDATE_FLOATS; i < p->count && i < end; i++) {
        float gradient = p->gradient[i];
        p->first[i] = a * p->first[i] + (1 - a) * gradient;
        p->second[i] = b * p->second[i] + (1 - b) * gradient * gradient;
        float step = p->first[i] / update->first_share;
        p->values[i] -=
            update->rate * step / (sqrtf(p->second[i] / update->second_share) + (float)tiny);
    }
}

static void update(struct trainer *trainer, struct parameter *parameter, double rate)
{
    struct update one = {parameter, (float)rate,
                         (float)(1 - pow(first_decay, (double)trainer->step)),
                         (float)(1 - pow(second_decay, (double)trainer->step))};
    size_t parts = (parameter->count + UPDATE_FLOATS - 1) / UPDATE_FLOATS;
    pool_run(trainer->pool, parts, update_part, &one);
}

/* ---- epochs ---- */

static void fill_batch(struct trainer *trainer, size_t from, uint64_t *random)
{
    const struct head_photos *photos = trainer->photos;
    size_t left = photos->count - from;
    trainer->batch = left < trainer->most ? left : trainer->most;
    for (size_t i = 0; i < trainer->batch; i++) {
        size_t photo = trainer->order[from + i];
        size_t view = photos->views > 1 ? head_random(random) % photos->views : 0;
        memcpy(trainer->in + i * ROW_VALUES,
               photos->embeddings + (photo * photos->views + view) * ROW_VALUES,
               ROW_VALUES * sizeof *trainer->in);
        trainer->labels[i] = &photos->people[photo];
    }
}

/* The rate falls to 0 along a line. */
static void run_epoch(struct trainer *trainer, struct head_progress *progress, uint64_t *random)
{
    const struct head_options *options = trainer->options;
    size_t count = trainer->photos->count, hits = 0;
    size_t batches = (count + trainer->most - 1) / trainer->most;
    double steps = (double)batches * (double)options->epochs, loss = 0;
    head_shuffle(trainer->order, count, random);
    for (size_t from = 0; from < count; from += trainer->batch) {
        fill_batch(trainer, from, random);
        forward(trainer);
        backward(trainer);
        double rate = options->learning_rate * (1 - (double)trainer->step / steps);
        trainer->step++;
        update(trainer, &trainer->correction, rate);
        update(trainer, &trainer->prototypes, rate);
        for (size_t i = 0; i < trainer->batch; i++) {
            loss += trainer->losses[i];
            hits += (size_t)trainer->hits[i];
        }
    }
    progress->loss = loss / (double)count;
    progress->accuracy = (double)hits / (double)count;
}

/* Each person's prototype begins as the sum of the photos. */
static void place_prototypes(struct trainer *trainer)
{
    const struct head_photos *photos = trainer->photos;
    for (size_t i = 0; i < photos->count; i++) {
        float *sum = trainer->prototypes.values + (size_t)photos->people[i] * ROW_VALUES;
        const float *one = photos->embeddings + i * photos->views * ROW_VALUES;
        for (size_t k = 0; k < ROW_VALUES; k++)
            sum[k] += one[k];
    }
    for (size_t i = 0; i < trainer->people; i++) {
        float length;
        float *values = trainer->prototypes.values + i * ROW_VALUES;
        to_unit(trainer, values, values, &length);
    }
}

/* ---- memory ---- */

/* One block, shared out; without a block only counted. */
struct share {
    float *block;
    size_t floats;
};

static float *take(struct share *share, size_t floats)
{
    float *taken = share->block ? share->block + share->floats : NULL;
    share->floats += (floats + SIMD_PANEL - 1) / SIMD_PANEL * SIMD_PANEL;
    return taken;
}

static void take_parameter(struct parameter *parameter, struct share *share, size_t count)
{
    parameter->count = count;
    parameter->values = take(share, count);
    parameter->gradient = take(share, count);
    parameter->first = take(share, count);
    parameter->second = take(share, count);
}

/* Returns the bytes. */
static size_t share_out(struct trainer *trainer)
{
    struct share share = {trainer->block, 0};
    size_t batch = trainer->most, people = trainer->people;
    size_t wide = people > ROW_VALUES ? people : ROW_VALUES;
    size_t high = batch > ROW_VALUES ? batch : ROW_VALUES;
    take_parameter(&trainer->correction, &share, (size_t)ROW_VALUES * ROW_VALUES);
    take_parameter(&trainer->prototypes, &share, people * ROW_VALUES);
    trainer->in = take(&share, batch * ROW_VALUES);
    trainer->mapped = take(&share, batch * ROW_VALUES);
    trainer->units = take(&share, batch * ROW_VALUES);
    trainer->back = take(&share, batch * ROW_VALUES);
    trainer->mapped_lengths = take(&share, batch);
    trainer->centres = take(&share, people * ROW_VALUES);
    trainer->centre_lengths = take(&share, people);
    trainer->cosines = take(&share, batch * people);
    trainer->turned[0] = take(&share, wide * high);
    trainer->turned[1] = take(&share, batch * ROW_VALUES);
    trainer->packed = take(&share, (wide + SIMD_PANEL) * high);
    trainer->zeros = take(&share, wide + SIMD_PANEL);
    return share.floats * sizeof *share.block;
}

static int allocate(struct trainer *trainer, struct err *err)
{
    size_t bytes = share_out(trainer);
    trainer->block = aligned_alloc(64, (bytes + 63) / 64 * 64);
    trainer->order = calloc(trainer->photos->count, sizeof *trainer->order);
    trainer->labels = calloc(trainer->most, sizeof *trainer->labels);
    trainer->losses = calloc(trainer->most, sizeof *trainer->losses);
    trainer->hits = calloc(trainer->most, 1);
    if (!trainer->block || !trainer->order || !trainer->labels || !trainer->losses ||
        !trainer->hits)
        return err_set(err, ERR_NO_MEMORY, "train the head: no memory for %zu MiB", bytes >> 20);
    memset(trainer->block, 0, bytes);
    (void)share_out(trainer);
    return 0;
}

static void finish(struct trainer *trainer)
{
    if (trainer->block)
        seal_wipe(trainer->block, share_out(trainer));
    free(trainer->block);
    free(trainer->order);
    free(trainer->labels);
    free(trainer->losses);
    free(trainer->hits);
    pool_destroy(trainer->pool);
}

static int check(const struct head_photos *photos, const struct head_options *options,
                 struct err *err)
{
    if (photos->people_count < 2 || photos->count < photos->people_count)
        return err_set(err, ERR_INVALID,
                       "train the head: photos of at least two people are wanted");
    if (photos->people_count > HEAD_MAX_PEOPLE || photos->count > HEAD_MAX_PHOTOS)
        return err_set(err, ERR_TOO_BIG,
                       "train the head: %zu photos of %zu people, more than %d or of %d",
                       photos->count, photos->people_count, HEAD_MAX_PHOTOS, HEAD_MAX_PEOPLE);
    if (options->epochs < 1 || options->batch_size < 1 || options->batch_size > HEAD_MAX_BATCH ||
        !(options->learning_rate > 0))
        return err_set(err, ERR_INVALID, "train the head: an option is out of its limits");
    return 0;
}

struct head *head_train(const struct head_photos *photos, const struct head_options *options,
                        struct err *err)
{
    if (check(photos, options, err) < 0)
        return NULL;
    struct trainer trainer = {.photos = photos,
                              .options = options,
                              .kernels = simd_kernels(simd_best()),
                              .people = photos->people_count,
                              .most = (size_t)options->batch_size};
    struct head *head = NULL;
    uint64_t random = options->seed;
    trainer.pool = pool_create(options->threads ? options->threads : pool_processors(), err);
    if (trainer.pool && allocate(&trainer, err) == 0) {
        place_prototypes(&trainer);
        for (long epoch = 1; epoch <= options->epochs; epoch++) {
            struct head_progress progress = {.epoch = epoch, .epochs = options->epochs};
            run_epoch(&trainer, &progress, &random);
            if (options->progress)
                options->progress(options->context, &progress);
        }
        head = head_create(trainer.correction.values, err);
    }
    finish(&trainer);
    return head;
}
