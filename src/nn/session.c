#include "nn/internal.h"
#include "simd/kernels.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    SPLIT_MACS = 80 * 1000, /* a smaller layer is done before another thread has begun */
    PAGE_BYTES = 4096,
    LARGE_PAGE_BYTES = 2 * 1024 * 1024,
};

/* A node with its addresses and kernel, ready to run. */
struct step {
    const struct model_node *node;
    void (*kernel)(const struct conv *c); /* convolutions */
    struct conv conv;
    size_t parts, rows_a_part;
    struct operands operands; /* of all others */
};

struct session {
    const struct model *model;
    struct pool *pool;
    const struct kernels *kernels;
    float *arena;
    char *scratch; /* scratch_bytes for each thread */
    size_t scratch_bytes, all_scratch_bytes, arena_bytes;
    int arena_borrowed; /* of another session */
    int exact;          /* no 16-bit products */
    struct step *running;
    size_t steps;
    struct step step[];
};

static float *view_data(const struct session *session, const struct model_view *view)
{
    switch (view->space) {
    case SPACE_ARENA:
        return session->arena + view->offset;
    case SPACE_WEIGHTS: /* only ever read: model_verify() lets no node write to the weights */
        return (float *)(uintptr_t)(session->model->weights + view->offset);
    default:
        return NULL;
    }
}

static struct strided resolve(const struct session *session, const struct model_view *view)
{
    return (struct strided){view_data(session, view), view->dims, view->strides};
}

/* A 1x1 convolution does not look at its neighbours, so the picture may as well be one column of
 * pixels: threads then split it between any two pixels. */
static void flatten(struct conv *c)
{
    if (c->kernel_height != 1 || c->kernel_width != 1 || c->stride_y != 1 || c->stride_x != 1 ||
        c->pad_top || c->pad_left || c->out_height != c->in_height || c->out_width != c->in_width)
        return;
    c->in_height = c->out_height *= c->out_width;
    c->in_width = c->out_width = 1;
}

struct conv model_node_conv(const struct model_node *node)
{
    struct conv c = {
        .in_height = node->a.dims[2],
        .in_width = node->a.dims[3],
        .in_channels = node->a.dims[1],
        .in_stride = node->a.strides[3],
        .out_height = node->out.dims[2],
        .out_width = node->out.dims[3],
        .out_channels = node->out.dims[1],
        .out_stride = node->out.strides[3],
        .residual_stride = node->b.strides[3],
        .kernel_height = node->kernel[0],
        .kernel_width = node->kernel[1],
        .stride_y = node->stride[0],
        .stride_x = node->stride[1],
        .pad_top = node->pads[0],
        .pad_left = node->pads[1],
        .dilation_y = node->dilation[0],
        .dilation_x = node->dilation[1],
        .activation = (enum activation)node->activation,
        .winograd = (int)node->kind,
    };
    if (node->op == MODEL_CONV)
        flatten(&c);
    c.row_end = c.out_height;
    return c;
}

/* Even parts: the tiles of each are as even as can be, so no multiple of a tile's height is better.
 * Tiles of Winograd's stay whole. */
static void plan_parts(struct step *step, size_t threads)
{
    size_t rows = (size_t)step->conv.out_height,
           tile = step->conv.winograd ? (size_t)step->conv.winograd : 1;
    step->parts = 1;
    step->rows_a_part = rows;
    if (threads < 2 || model_node_macs(step->node) < SPLIT_MACS)
        return;
    step->rows_a_part = ((rows + tile - 1) / tile + threads - 1) / threads * tile;
    step->parts = (rows + step->rows_a_part - 1) / step->rows_a_part;
}

static void prepare_conv(const struct session *session, struct step *step)
{
    const struct kernels *kernels = session->kernels;
    const float *weights = session->model->weights;
    const struct model_node *node = step->node;
    step->kernel = node->op == MODEL_DEPTHWISE ? kernels->depthwise_f32
                   : step->conv.is_product     ? kernels->product_i16
                   : node->kind                ? kernels->winograd_f32
                                               : kernels->conv_f32;
    step->conv.in = view_data(session, &node->a);
    step->conv.out = view_data(session, &node->out);
    step->conv.residual = view_data(session, &node->b);
    step->conv.weights = weights + (step->conv.is_product ? node->product : node->weights);
    step->conv.bias = weights + node->bias;
    step->conv.slope = node->slope == MODEL_NO_SLOPE ? NULL : weights + node->slope;
    plan_parts(step, pool_threads(session->pool));
}

static void prepare(struct session *session)
{
    for (size_t i = 0; i < session->steps; i++) {
        struct step *step = &session->step[i];
        if (step->node->op <= MODEL_DEPTHWISE) {
            prepare_conv(session, step);
            continue;
        }
        step->operands = (struct operands){
            .out = resolve(session, &step->node->out),
            .a = resolve(session, &step->node->a),
            .b = resolve(session, &step->node->b),
            .weights = session->model->weights,
        };
    }
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

/* Memory whose pages are there already: all of it is going to be written, and one system call is
 * cheaper than a fault for each page. Where the kernel is older than that call (5.14), the faults
 * happen. Large memory lies in large pages where the system has them: clearing one costs a fifth of
 * clearing its small ones one by one. A last one that would be mostly unused is small ones. */
static void *allocate(size_t bytes, struct err *err)
{
    void *block;
    int large = bytes >= LARGE_PAGE_BYTES;
    size_t page = large ? LARGE_PAGE_BYTES : PAGE_BYTES, whole = (bytes + page - 1) / page * page;
    if (posix_memalign(&block, page, whole) != 0) {
        err_set(err, ERR_NO_MEMORY, "start model");
        return NULL;
    }
    char *memory = block;
    size_t rest = bytes % LARGE_PAGE_BYTES;
    size_t in_large = rest < LARGE_PAGE_BYTES / 4 ? bytes - rest : whole;
    if (large) {
        madvise(memory, in_large, MADV_HUGEPAGE);
        madvise(memory + in_large, whole - in_large, MADV_NOHUGEPAGE);
    }
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) < 0)
        memset(memory, 0, bytes);
    return memory;
}

static int allocate_memory(struct session *session, const struct session *beside, struct err *err)
{
    size_t scratch;
    session->arena_bytes = whole_pages(session->model->header->arena_floats * sizeof(float) + 1);
    if (__builtin_mul_overflow(session->scratch_bytes, pool_threads(session->pool), &scratch) ||
        scratch > (size_t)MODEL_MAX_FLOATS * sizeof(float))
        return err_set(err, ERR_TOO_BIG, "start model: it needs more than 1 GiB of memory");
    session->all_scratch_bytes = whole_pages(scratch + 1);
    session->arena_borrowed = beside && beside->arena_bytes >= session->arena_bytes;
    session->arena = session->arena_borrowed ? beside->arena : allocate(session->arena_bytes, err);
    session->scratch = session->arena ? allocate(session->all_scratch_bytes, err) : NULL;
    return session->scratch ? 0 : -1;
}

static struct session *create(const struct model *model, struct pool *pool, int exact,
                              const struct session *beside, struct err *err)
{
    size_t steps = model_nodes(model);
    const enum simd_level level = simd_best();
    struct session *session = calloc(1, sizeof *session + steps * sizeof session->step[0]);
    if (!session) {
        err_set(err, ERR_NO_MEMORY, "start model");
        return NULL;
    }
    session->model = model;
    session->exact = exact;
    session->kernels = simd_kernels(level);
    session->pool = pool;
    session->steps = steps;
    for (size_t i = 0; i < steps; i++) {
        struct step *step = &session->step[i];
        step->node = &model->nodes[i];
        if (step->node->op > MODEL_DEPTHWISE)
            continue;
        step->conv = model_node_conv(step->node);
        step->conv.is_product = step->node->product && !exact && simd_prefers_product(level);
        if (step->node->op == MODEL_DEPTHWISE)
            continue; /* takes no scratch */
        size_t bytes = whole_pages(simd_conv_scratch_bytes(&step->conv));
        if (bytes > session->scratch_bytes)
            session->scratch_bytes = bytes;
    }
    if (allocate_memory(session, beside, err) < 0) {
        session_destroy(session);
        return NULL;
    }
    prepare(session);
    return session;
}

struct session *session_create(const struct model *model, struct pool *pool, struct err *err)
{
    return create(model, pool, 0, NULL, err);
}

struct session *session_create_exact(const struct model *model, struct pool *pool, struct err *err)
{
    return create(model, pool, 1, NULL, err);
}

struct session *session_create_beside(const struct model *model, const struct session *beside,
                                      struct err *err)
{
    return create(model, beside->pool, beside->exact, beside, err);
}

void session_destroy(struct session *session)
{
    if (!session)
        return;
    if (!session->arena_borrowed)
        free(session->arena);
    free(session->scratch);
    free(session);
}

size_t session_bytes(const struct session *session)
{
    return (session->arena_borrowed ? 0 : session->arena_bytes) + session->all_scratch_bytes;
}

float *session_input(struct session *session, size_t index)
{
    return session->arena + session->model->edges[index].offset;
}

const float *session_output(const struct session *session, size_t index)
{
    return session->arena + session->model->edges[model_inputs(session->model) + index].offset;
}

static void run_part(void *context, size_t index)
{
    const struct session *session = context;
    const struct step *step = session->running;
    struct conv conv = step->conv;
    conv.scratch = (float *)(void *)(session->scratch + index * session->scratch_bytes);
    size_t begin = index * step->rows_a_part, end = begin + step->rows_a_part;
    conv.row_begin = (int)begin;
    if (end < (size_t)conv.row_end)
        conv.row_end = (int)end;
    simd_flush_denormals();
    step->kernel(&conv);
}

static void run_conv(struct session *session, struct step *step)
{
    session->running = step;
    if (step->parts > 1)
        pool_run(session->pool, step->parts, run_part, session);
    else
        run_part(session, 0);
}

void session_run_node(struct session *session, size_t index)
{
    struct step *step = &session->step[index];
    if (step->node->op <= MODEL_DEPTHWISE)
        run_conv(session, step);
    else
        op_run(step->node, session->kernels, &step->operands);
}

void session_run(struct session *session)
{
    simd_flush_denormals();
    for (size_t i = 0; i < session->steps; i++)
        session_run_node(session, i);
}
