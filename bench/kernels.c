/* How fast the kernels are: the core's peak rate of multiply-adds at each level, then every layer
 * of the networks alone, then each network's layers one after the other, as when it runs.
 *
 *   kernels [NETWORK] [LEVEL]     for example: kernels fr_feature avx2 */
#include "base/clock.h"
#include "peak.h"
#include "simd/layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 128, TRIES = 7 };
static const double LEAST_NS = 2e6; /* of one try */

struct level {
    enum simd_level level;
    const struct kernels *kernels;
    double peak; /* floating-point operations a ns */
};

struct bench {
    struct level levels[SIMD_LEVELS];
    int level_count;
    const char *network; /* NULL for all */
};

static float *random_floats(size_t count)
{
    float *p = aligned_alloc(64, (count * sizeof *p + 127) / 64 * 64);
    uint32_t state = 1;
    for (size_t i = 0; p && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        p[i] = (float)(int32_t)state * 0x1p-31f;
    }
    return p ? p : (perror("bench"), exit(1), NULL);
}

static size_t padded(int channels)
{
    return ((size_t)channels + SIMD_PANEL - 1) / SIMD_PANEL * SIMD_PANEL;
}

/* A layer with its own weights and buffers. */
static struct conv make_layer(const struct layer *l)
{
    struct conv c = layer_conv(l);
    size_t in = (size_t)c.in_height * (size_t)c.in_width * (size_t)c.in_channels;
    size_t out = (size_t)c.out_height * (size_t)c.out_width * (size_t)c.out_channels;
    size_t taps = (size_t)c.kernel_height * (size_t)c.kernel_width;
    c.in = random_floats(in);
    c.out = random_floats(out);
    c.weights = random_floats(l->depthwise ? taps * (size_t)c.out_channels
                                           : simd_packed_floats(c.out_channels, c.in_channels,
                                                                c.kernel_height, c.kernel_width));
    c.bias = random_floats(padded(c.out_channels));
    c.slope = random_floats(padded(c.out_channels));
    c.residual = l->residual ? random_floats(out) : NULL;
    c.scratch = random_floats(simd_conv_scratch_bytes(&c) / sizeof(float));
    return c;
}

static void free_layer(struct conv *c)
{
    free((void *)(uintptr_t)c->in);
    free(c->out);
    free((void *)(uintptr_t)c->weights);
    free((void *)(uintptr_t)c->bias);
    free((void *)(uintptr_t)c->slope);
    free((void *)(uintptr_t)c->residual);
    free(c->scratch);
    *c = (struct conv){0};
}

static double operations(const struct layer *l)
{
    double inputs = l->depthwise ? 1 : l->in_channels;
    return 2.0 * layer_out(l->height, l) * layer_out(l->width, l) * l->out_channels * inputs *
           l->kernel * l->kernel;
}

struct layer_run {
    const struct layer *layer;
    struct conv conv;
};

static void run_layer(const struct kernels *k, const void *context)
{
    const struct layer_run *run = context;
    if (run->layer->depthwise)
        k->depthwise_f32(&run->conv);
    else
        k->conv_f32(&run->conv);
}

typedef void run_function(const struct kernels *k, const void *context);

/* Nanoseconds of one run at each level: the best of some tries, the levels taking turns. */
static void time_levels(const struct bench *b, run_function *run, const void *context,
                        double best[SIMD_LEVELS])
{
    for (int i = 0; i < b->level_count; i++)
        best[i] = 1e30;
    for (int try = 0; try < TRIES; try++)
        for (int i = 0; i < b->level_count; i++) {
            if (b->levels[i].level == SIMD_C && try > 0)
                continue;
            long runs = 0;
            uint64_t start = clock_monotonic_ns();
            double ns = 0;
            do {
                run(b->levels[i].kernels, context);
                runs++;
                ns = (double)(clock_monotonic_ns() - start);
            } while (ns < LEAST_NS);
            best[i] = ns / (double)runs < best[i] ? ns / (double)runs : best[i];
        }
}

static void print_times(const struct bench *b, double work, const double ns[SIMD_LEVELS])
{
    for (int i = 0; i < b->level_count; i++) {
        printf(" | %8.4f %6.1f", ns[i] / 1e6, work / ns[i]);
        if (b->levels[i].peak > 0)
            printf(" %3.0f%%", 100 * work / ns[i] / b->levels[i].peak);
        if (i > 0)
            printf(" x%.2f", ns[i - 1] / ns[i]);
    }
    putchar('\n');
}

static void print_heading(const struct bench *b)
{
    printf("\n%-42s", "layer alone, or array");
    for (int i = 0; i < b->level_count; i++)
        printf(" | %s: ms, GF/s or values a ns, of peak", simd_level_name(b->levels[i].level));
    putchar('\n');
}

static void bench_layers(const struct bench *b, int depthwise)
{
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &layers[i];
        double ns[SIMD_LEVELS];
        if (l->depthwise != depthwise || (b->network && strcmp(l->network, b->network) != 0))
            continue;
        struct layer_run run = {l, make_layer(l)};
        time_levels(b, run_layer, &run, ns);
        char name[64];
        snprintf(name, sizeof name, "%-11s %2dx %dx%dx%d>%d %s%dx%d/%d d%d%s", l->network, l->count,
                 l->height, l->width, l->in_channels, l->out_channels, l->depthwise ? "dw" : "",
                 l->kernel, l->kernel, l->stride, l->dilation, l->residual ? " +" : "");
        printf("%-42s", name);
        print_times(b, operations(l), ns);
        free_layer(&run.conv);
    }
}

static void bench_conv_f32(const struct bench *b)
{
    bench_layers(b, 0);
}

static void bench_depthwise_f32(const struct bench *b)
{
    bench_layers(b, 1);
}

static void run_product(const struct kernels *k, const void *context)
{
    const struct layer_run *run = context;
    k->product_i16(&run->conv);
}

/* GF/s are as if it multiplied floats. */
static void bench_product_i16(const struct bench *b)
{
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &layers[i];
        struct layer_run run = {l, layer_conv(l)};
        double ns[SIMD_LEVELS];
        if (l->depthwise || !simd_can_product(&run.conv) ||
            (b->network && strcmp(l->network, b->network) != 0))
            continue;
        run.conv = make_layer(l);
        run.conv.is_product = 1;
        free((void *)(uintptr_t)run.conv.weights);
        free(run.conv.scratch);
        run.conv.weights = random_floats(simd_product_floats(l->out_channels, l->in_channels));
        run.conv.scratch = random_floats(simd_conv_scratch_bytes(&run.conv) / sizeof(float));
        time_levels(b, run_product, &run, ns);
        char name[64];
        snprintf(name, sizeof name, "product: %dx%dx%d>%d%s", l->height, l->width, l->in_channels,
                 l->out_channels, l->residual ? " +" : "");
        printf("%-42s", name);
        print_times(b, operations(l), ns);
        free_layer(&run.conv);
    }
}

static void run_winograd(const struct kernels *k, const void *context)
{
    const struct layer_run *run = context;
    k->winograd_f32(&run->conv);
}

/* Every layer that it can make, in both tile sizes. GF/s are as if it did all the multiplications
 * of the direct way. */
static void bench_winograd_f32(const struct bench *b)
{
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *l = &layers[i];
        if (l->depthwise || l->kernel != 3 || l->stride != 1 ||
            (b->network && strcmp(l->network, b->network) != 0))
            continue;
        for (int tile = 2; tile <= 4; tile += 2) {
            double ns[SIMD_LEVELS];
            struct layer_run run = {l, make_layer(l)};
            run.conv.winograd = tile;
            free((void *)(uintptr_t)run.conv.weights);
            free(run.conv.scratch);
            run.conv.weights =
                random_floats(simd_winograd_floats(tile, l->out_channels, l->in_channels));
            run.conv.scratch = random_floats(simd_conv_scratch_bytes(&run.conv) / sizeof(float));
            time_levels(b, run_winograd, &run, ns);
            char name[64];
            snprintf(name, sizeof name, "winograd %d: %dx%dx%d>%d d%d%s", tile, l->height, l->width,
                     l->in_channels, l->out_channels, l->dilation, l->residual ? " +" : "");
            printf("%-42s", name);
            print_times(b, operations(l), ns);
            free_layer(&run.conv);
        }
    }
}

/* Plain arrays: a template (512), a picture for fr_feature (37632), one for fr_detect (230400). */
struct array_run {
    size_t n;
    float *out, *a, *b;
};

static void bench_arrays(const struct bench *b, const char *name, run_function *run)
{
    static const size_t sizes[] = {512, 37632, 230400};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct array_run arrays = {sizes[i], random_floats(sizes[i]), random_floats(sizes[i]),
                                   random_floats(sizes[i])};
        double ns[SIMD_LEVELS];
        time_levels(b, run, &arrays, ns);
        printf("%-16s %-25zu", name, sizes[i]);
        print_times(b, (double)sizes[i], ns);
        free(arrays.out);
        free(arrays.a);
        free(arrays.b);
    }
}

static void run_dot(const struct kernels *k, const void *context)
{
    const struct array_run *r = context;
    r->out[0] = k->dot_f32(r->a, r->b, r->n);
}

enum { TEMPLATE_BYTES = 512 };

/* A gallery of templates: n floats' bytes are n / 128 rows. */
static void run_dots(const struct kernels *k, const void *context)
{
    const struct array_run *r = context;
    const int8_t *rows = (const void *)r->a, *query = (const void *)r->b;
    k->dots_i8((int32_t *)(void *)r->out, query, rows, TEMPLATE_BYTES,
               r->n * sizeof(float) / TEMPLATE_BYTES);
}

static void run_normalize(const struct kernels *k, const void *context)
{
    const struct array_run *r = context;
    k->normalize_u8_f32(r->out, (const uint8_t *)(const void *)r->a, r->n, 127.5f, 1 / 128.0f);
}

static void run_exp(const struct kernels *k, const void *context)
{
    const struct array_run *r = context;
    k->exp_f32(r->out, r->a, r->n);
}

static void bench_exp_f32(const struct bench *b)
{
    bench_arrays(b, "exp_f32", run_exp);
}

static void bench_dot_f32(const struct bench *b)
{
    bench_arrays(b, "dot_f32", run_dot);
}

static void bench_dots_i8(const struct bench *b)
{
    bench_arrays(b, "dots_i8, floats", run_dots);
}

static void bench_normalize_u8_f32(const struct bench *b)
{
    bench_arrays(b, "normalize_u8_f32", run_normalize);
}

/* Pictures of as many bytes; a resize to a third. */
static void run_halve(const struct kernels *k, const void *context)
{
    const struct array_run *r = context;
    const uint8_t *row = (const void *)r->a;
    k->halve_u8((uint8_t *)r->out, row, row + r->n / 2, r->n / 12);
}

static void run_mix(const struct kernels *k, const void *context)
{
    enum { PIXELS = 64 };
    const struct array_run *r = context;
    uint16_t weights[] = {5461, 5462, 5461};
    struct taps taps[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        taps[i] = (struct taps){3 * i % 48, 3, weights};
    for (size_t i = 0; i + 9 * PIXELS <= r->n; i += 9 * PIXELS)
        k->mix_u16_u8((uint8_t *)r->out + i / 3, (const uint16_t *)(const void *)r->a, taps,
                      PIXELS);
}

static void run_sample(const struct kernels *k, const void *context)
{
    enum { PIXELS = 64 };
    const struct array_run *r = context;
    struct spot spots[PIXELS];
    for (unsigned i = 0; i < PIXELS; i++)
        spots[i] = (struct spot){3 * i, (uint16_t)(31 * i), (uint16_t)(17 * i)};
    for (size_t i = 0; i + 3 * PIXELS <= r->n; i += 3 * PIXELS)
        k->sample_u8((uint8_t *)r->out + i, (const uint8_t *)(const void *)r->a, 600, spots,
                     PIXELS);
}

static void run_mix_u64(const struct kernels *k, const void *context)
{
    const struct array_run *r = context;
    uint64_t lanes[8] = {0};
    k->mix_u64(lanes, (const uint8_t *)(const void *)r->a, r->n / 16);
    r->out[0] = (float)lanes[0];
}

static void bench_mix_u64(const struct bench *b)
{
    bench_arrays(b, "mix_u64, floats", run_mix_u64);
}

static void bench_halve_u8(const struct bench *b)
{
    bench_arrays(b, "halve_u8", run_halve);
}

static void bench_mix_u16_u8(const struct bench *b)
{
    bench_arrays(b, "mix_u16_u8", run_mix);
}

static void bench_sample_u8(const struct bench *b)
{
    bench_arrays(b, "sample_u8", run_sample);
}

static int make_stages(const char *network, struct layer_run stages[MOST_LAYERS])
{
    int count = 0;
    for (int i = 0; i < LAYERS; i++)
        for (int n = 0; n < layers[i].count && strcmp(layers[i].network, network) == 0; n++) {
            if (count == MOST_LAYERS)
                return count;
            stages[count++] = (struct layer_run){&layers[i], make_layer(&layers[i])};
        }
    /* As in a session: a layer reads what another wrote a moment ago. */
    float *shared[2] = {random_floats(1 << 20), random_floats(1 << 20)};
    for (int i = 0; i < count; i++) {
        free((void *)(uintptr_t)stages[i].conv.in);
        free(stages[i].conv.out);
        stages[i].conv.in = shared[i & 1];
        stages[i].conv.out = shared[(i + 1) & 1];
    }
    return count;
}

static void free_stages(struct layer_run stages[MOST_LAYERS], int count)
{
    for (int i = 0; i < count; i++) {
        if (i > 1)
            stages[i].conv.out = NULL;
        stages[i].conv.in = NULL;
        free_layer(&stages[i].conv);
    }
}

static double time_stages(const struct kernels *k, const struct layer_run *stages, int count)
{
    uint64_t start = clock_monotonic_ns();
    for (int i = 0; i < count; i++)
        run_layer(k, &stages[i]);
    return (double)(clock_monotonic_ns() - start);
}

static void bench_network(const struct bench *b, const char *network)
{
    enum { RUNS = 60 };
    struct layer_run stages[MOST_LAYERS];
    double ns[SIMD_LEVELS], work = 0;
    int count = make_stages(network, stages);
    for (int i = 0; i < count; i++)
        work += operations(stages[i].layer);
    for (int i = 0; i < b->level_count; i++)
        ns[i] = 1e30;
    for (int run = 0; run < RUNS; run++)
        for (int i = 0; i < b->level_count; i++) {
            if (b->levels[i].level == SIMD_C && run > 1)
                continue;
            double t = time_stages(b->levels[i].kernels, stages, count);
            ns[i] = t < ns[i] ? t : ns[i];
        }
    printf("%-42s", network);
    print_times(b, work, ns);
    free_stages(stages, count);
}

static void set_levels(struct bench *b, const char *only)
{
    for (int i = 0; i < SIMD_LEVELS; i++) {
        enum simd_level level = (enum simd_level)i;
        if (!simd_has(level) || (only && strcmp(only, simd_level_name(level)) != 0))
            continue;
        b->levels[b->level_count++] =
            (struct level){level, simd_kernels(level), peak_gflops(level)};
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.network = argc > 1 && strcmp(argv[1], "all") != 0 ? argv[1] : NULL};
    simd_flush_denormals();
    set_levels(&b, argc > 2 ? argv[2] : NULL);
    for (int i = 0; i < b.level_count; i++)
        if (b.levels[i].peak > 0)
            printf("peak %-7s %6.1f GF/s\n", simd_level_name(b.levels[i].level), b.levels[i].peak);
    print_heading(&b);
#define X(name, result, arguments) bench_##name(&b);
    KERNEL_LIST(X)
#undef X
    printf("\nall layers of a network, one after the other\n");
    static const char *const networks[] = {"fr_feature", "fr_detect", "fr_landmark"};
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        if (!b.network || strcmp(b.network, networks[i]) == 0)
            bench_network(&b, networks[i]);
    return 0;
}
