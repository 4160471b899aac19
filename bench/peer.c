/* The program around peer_onednn.c and peer_xnnpack.c (peer.h). Start it with OMP_NUM_THREADS=1.
 *   PEER run MODEL.ken RUNS     milliseconds of each run, one a line, after a few to warm up
 *   PEER first MODEL.ken        the shared clock, in ns, when the first result was there
 *   PEER check MODEL.ken        how far its output is from ken's, which kernels it chose */
#include "peer.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct network {
    struct model *model;
    struct peer_layer *layers;
    size_t count, skipped; /* skipped: operators of other kinds */
    float *arena;
    uint64_t unpack_ns; /* undoing ken's packing is no part of the peer's start */
};

static float *new_floats(size_t count)
{
    float *p = aligned_alloc(64, (count * sizeof *p + 127) / 64 * 64);
    if (p)
        memset(p, 0, (count * sizeof *p + 127) / 64 * 64);
    return p ? p : (perror("peer"), exit(1), NULL);
}

static void fill_input(const struct model *model, float *in)
{
    uint32_t state = 1;
    for (size_t i = 0; i < model_input(model, 0)->floats; i++) {
        state = state * 1664525 + 1013904223;
        in[i] = (float)(int32_t)state / 2147483648.0f;
    }
}

/* Weights packed for tiles of Winograd's (simd_pack_winograd()) back to what they were:
 * [out][in][9]. The first and the last place along a side are a filter's first and last value, the
 * second less the third is its middle one, each times a constant. */
static float *unpack_winograd(const struct model_node *node, const float *packed)
{
    const size_t out = (size_t)node->out.dims[1], in = (size_t)node->a.dims[1];
    const size_t side = node->kind + 2, places = side * side;
    const float first = node->kind == 2 ? 1 : 4, middle = node->kind == 2 ? 1 : -3;
    float *weights = new_floats(out * in * 9);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++) {
            const float *w =
                packed + (o / SIMD_PANEL * places * in + i) * SIMD_PANEL + o % SIMD_PANEL;
            float rows[3][6];
            for (size_t x = 0; x < side; x++) {
                const float *at = w + x * in * SIMD_PANEL;
                const size_t row = side * in * SIMD_PANEL;
                rows[0][x] = first * at[0];
                rows[1][x] = middle * (at[row] - at[2 * row]);
                rows[2][x] = at[(side - 1) * row];
            }
            for (size_t y = 0; y < 3; y++) {
                float *filter = weights + (o * in + i) * 9 + y * 3;
                filter[0] = first * rows[y][0];
                filter[1] = middle * (rows[y][1] - rows[y][2]);
                filter[2] = rows[y][side - 1];
            }
        }
    return weights;
}

static float *unpack_weights(const struct model_node *node, const float *packed)
{
    size_t out = (size_t)node->out.dims[1], in = (size_t)node->a.dims[1];
    size_t taps = (size_t)node->kernel[0] * (size_t)node->kernel[1];
    int depthwise = node->op == MODEL_DEPTHWISE;
    float *weights = new_floats(out * (depthwise ? 1 : in) * taps);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < (depthwise ? 1 : in); i++)
            for (size_t tap = 0; tap < taps; tap++)
                weights[(o * (depthwise ? 1 : in) + i) * taps + tap] =
                    depthwise ? packed[tap * out + o]
                              : packed[(o / SIMD_PANEL * in * taps + tap * in + i) * SIMD_PANEL +
                                       o % SIMD_PANEL];
    return weights;
}

static void add_layer(struct network *n, const struct model_node *node)
{
    const float *weights = n->model->weights;
    size_t out = (size_t)node->out.dims[1];
    struct peer_layer *layer = &n->layers[n->count++];
    *layer = (struct peer_layer){
        .node = node,
        .in = n->arena + node->a.offset,
        .out = n->arena + node->out.offset,
        .residual = node->b.space == SPACE_ARENA ? n->arena + node->b.offset : NULL,
        .in_pitch = (size_t)node->a.strides[3],
        .out_pitch = (size_t)node->out.strides[3],
        .residual_pitch = (size_t)node->b.strides[3],
        .weights = node->op == MODEL_CONV && node->kind
                       ? unpack_winograd(node, weights + node->weights)
                       : unpack_weights(node, weights + node->weights),
        .bias = new_floats(out),
        .depthwise = node->op == MODEL_DEPTHWISE,
    };
    memcpy(layer->bias, weights + node->bias, out * sizeof(float));
    if (node->slope != MODEL_NO_SLOPE) {
        layer->slope = new_floats(out);
        memcpy(layer->slope, weights + node->slope, out * sizeof(float));
    }
}

static int open_network(struct network *n, const char *path, int verbose, struct err *err)
{
    simd_flush_denormals(); /* for the peer, too */
    n->model = model_open(path, err);
    if (!n->model)
        return -1;
    size_t nodes = model_nodes(n->model);
    n->arena = new_floats(n->model->header->arena_floats);
    n->layers = calloc(nodes + 1, sizeof *n->layers);
    uint64_t start = clock_monotonic_ns();
    for (size_t i = 0; i < nodes && n->layers; i++)
        if (n->model->nodes[i].op <= MODEL_DEPTHWISE)
            add_layer(n, &n->model->nodes[i]);
        else
            n->skipped++;
    n->unpack_ns = clock_monotonic_ns() - start;
    if (!n->layers)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    return peer_prepare(n->layers, n->count, verbose, err);
}

static float *network_input(const struct network *n)
{
    return n->arena + n->model->edges[0].offset;
}

static int bench_runs(const char *path, long runs, struct err *err)
{
    enum { WARM_UP = 5 };
    struct network n = {0};
    if (open_network(&n, path, 0, err) < 0)
        return -1;
    for (long i = 0; i < runs + WARM_UP; i++) {
        fill_input(n.model, network_input(&n));
        uint64_t start = clock_monotonic_ns();
        peer_run();
        if (i >= WARM_UP)
            printf("%.4f\n", clock_ms_since(start));
    }
    return 0;
}

static int first_result(const char *path, struct err *err)
{
    struct network n = {0};
    if (open_network(&n, path, 0, err) < 0)
        return -1;
    fill_input(n.model, network_input(&n));
    peer_run();
    printf("%llu\n", (unsigned long long)(clock_monotonic_ns() - n.unpack_ns));
    return 0;
}

static int check_result(const char *path, struct err *err)
{
    struct network n = {0};
    if (open_network(&n, path, 1, err) < 0)
        return -1;
    struct session *session = session_create(n.model, NULL, err);
    if (!session)
        return -1;
    fill_input(n.model, network_input(&n));
    fill_input(n.model, session_input(session, 0));
    peer_run();
    session_run(session);
    const float *ours = session_output(session, 0), *theirs = n.arena;
    theirs += n.model->edges[model_inputs(n.model)].offset;
    float most = 0, apart = 0;
    for (size_t i = 0; i < model_output(n.model, 0)->floats; i++) {
        most = fabsf(ours[i]) > most ? fabsf(ours[i]) : most;
        apart = fabsf(ours[i] - theirs[i]) > apart ? fabsf(ours[i] - theirs[i]) : apart;
    }
    if (n.skipped)
        printf("%zu operators left out: nothing to compare\n", n.skipped);
    else
        printf("at most %g apart, of %g\n", (double)apart, (double)most);
    return n.skipped || apart <= 1e-4f * most ? 0 : err_set(err, ERR_CORRUPT, "wrong result");
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int result;
    if (argc == 4 && strcmp(argv[1], "run") == 0)
        result = bench_runs(argv[2], strtol(argv[3], NULL, 10), &err);
    else if (argc == 3 && strcmp(argv[1], "first") == 0)
        result = first_result(argv[2], &err);
    else if (argc == 3 && strcmp(argv[1], "check") == 0)
        result = check_result(argv[2], &err);
    else
        result = err_set(&err, ERR_INVALID,
                         "usage: %s run MODEL.ken N | first MODEL.ken | check "
                         "MODEL.ken",
                         argv[0]);
    if (result < 0)
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
    return result < 0;
}
