/* oneDNN's primitives on NHWC. Residual and ReLU are post-operations of the convolution; PReLU is a
 * primitive of its own, since as a post-operation it would leave the convolution to a slow kernel.
 */
#include "peer.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_LAYERS = 512, MOST_ARGUMENTS = 6 };

struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[MOST_ARGUMENTS];
    int argument_count;
};

static struct step steps[2 * MOST_LAYERS];
static size_t step_count;
static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
    exit(1);
}

static void add_argument(struct step *step, int which, const dnnl_memory_desc_t *desc,
                         const float *data)
{
    dnnl_memory_t memory;
    must(dnnl_memory_create(&memory, desc, engine, (void *)(uintptr_t)data), "memory");
    step->arguments[step->argument_count++] = (dnnl_exec_arg_t){which, memory};
}

static dnnl_memory_desc_t image(const int32_t dims[4])
{
    dnnl_memory_desc_t desc;
    const dnnl_dims_t sizes = {1, dims[1], dims[2], dims[3]};
    must(dnnl_memory_desc_init_by_tag(&desc, 4, sizes, dnnl_f32, dnnl_nhwc), "image");
    return desc;
}

/* Weights of a depthwise layer have a dimension more: the group. */
static dnnl_memory_desc_t weights_as(const struct peer_layer *l, int any)
{
    dnnl_memory_desc_t desc;
    const int32_t *k = l->node->kernel;
    const dnnl_dims_t dense = {peer_out(l)[1], peer_in(l)[1], k[0], k[1]};
    const dnnl_dims_t grouped = {peer_out(l)[1], 1, 1, k[0], k[1]};
    dnnl_format_tag_t tag = any ? dnnl_format_tag_any : l->depthwise ? dnnl_goihw : dnnl_oihw;
    must(dnnl_memory_desc_init_by_tag(&desc, l->depthwise ? 5 : 4, l->depthwise ? grouped : dense,
                                      dnnl_f32, tag),
         "weights");
    return desc;
}

/* In the order that the primitive wants. */
static float *reorder_weights(const struct peer_layer *l, const dnnl_memory_desc_t *to)
{
    dnnl_memory_desc_t from = weights_as(l, 0);
    size_t bytes = (dnnl_memory_desc_get_size(to) + 63) / 64 * 64;
    float *out = aligned_alloc(64, bytes);
    dnnl_primitive_desc_t desc;
    struct step reorder = {0};
    must(dnnl_reorder_primitive_desc_create(&desc, &from, engine, to, engine, NULL), "reorder");
    must(dnnl_primitive_create(&reorder.primitive, desc), "reorder");
    add_argument(&reorder, DNNL_ARG_FROM, &from, l->weights);
    add_argument(&reorder, DNNL_ARG_TO, to, out);
    must(dnnl_primitive_execute(reorder.primitive, stream, 2, reorder.arguments), "reorder");
    must(dnnl_stream_wait(stream), "reorder");
    return out;
}

static dnnl_primitive_attr_t post_operations(const struct peer_layer *l)
{
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t list;
    dnnl_memory_desc_t out = image(peer_out(l));
    must(dnnl_primitive_attr_create(&attributes), "attributes");
    must(dnnl_post_ops_create(&list), "post-operations");
    if (l->residual)
        must(dnnl_post_ops_append_binary(list, dnnl_binary_add, &out), "addition");
    if (l->node->activation == ACTIVATION_RELU)
        must(dnnl_post_ops_append_eltwise(list, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f), "ReLU");
    must(dnnl_primitive_attr_set_post_ops(attributes, list), "post-operations");
    return attributes;
}

static dnnl_primitive_desc_t describe(const struct peer_layer *l, const dnnl_memory_desc_t *bias)
{
    const struct model_node *n = l->node;
    dnnl_memory_desc_t in = image(peer_in(l)), out = image(peer_out(l));
    dnnl_memory_desc_t weights = weights_as(l, 1);
    const dnnl_dims_t strides = {n->stride[0], n->stride[1]};
    const dnnl_dims_t dilates = {n->dilation[0] - 1, n->dilation[1] - 1};
    const dnnl_dims_t before = {n->pads[0], n->pads[1]}, after = {n->pads[2], n->pads[3]};
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_desc_t desc;
    must(dnnl_dilated_convolution_forward_desc_init(&convolution, dnnl_forward_inference,
                                                    dnnl_convolution_auto, &in, &weights, bias,
                                                    &out, strides, dilates, before, after),
         "convolution");
    must(dnnl_primitive_desc_create(&desc, &convolution, post_operations(l), engine, NULL),
         "convolution");
    return desc;
}

static void say_kernel(const struct peer_layer *l, const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name);
    fprintf(stderr, "%s: %s\n", l->node->name, name ? name : "?");
}

static void prepare_layer(const struct peer_layer *l, struct step *step, int verbose)
{
    const dnnl_dims_t channels = {peer_out(l)[1]};
    dnnl_memory_desc_t bias, in = image(peer_in(l));
    dnnl_memory_desc_t out = image(peer_out(l));
    must(dnnl_memory_desc_init_by_tag(&bias, 1, channels, dnnl_f32, dnnl_a), "bias");
    dnnl_primitive_desc_t desc = describe(l, &bias);
    if (verbose)
        say_kernel(l, desc);
    const dnnl_memory_desc_t *weights =
        dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    must(dnnl_primitive_create(&step->primitive, desc), "convolution");
    add_argument(step, DNNL_ARG_SRC, &in, l->in);
    add_argument(step, DNNL_ARG_WEIGHTS, weights, reorder_weights(l, weights));
    add_argument(step, DNNL_ARG_BIAS, &bias, l->bias);
    add_argument(step, DNNL_ARG_DST, &out, l->out);
    if (l->residual)
        add_argument(step, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, &out, l->residual);
}

static void prepare_prelu(const struct peer_layer *l, struct step *step)
{
    const int32_t slope_dims[4] = {1, peer_out(l)[1], 1, 1};
    dnnl_memory_desc_t out = image(peer_out(l)), slope = image(slope_dims);
    dnnl_prelu_desc_t prelu;
    dnnl_primitive_desc_t desc;
    must(dnnl_prelu_forward_desc_init(&prelu, dnnl_forward_inference, &out, &slope), "PReLU");
    must(dnnl_primitive_desc_create(&desc, &prelu, NULL, engine, NULL), "PReLU");
    must(dnnl_primitive_create(&step->primitive, desc), "PReLU");
    add_argument(step, DNNL_ARG_SRC, &out, l->out);
    add_argument(step, DNNL_ARG_WEIGHTS, &slope, l->slope);
    add_argument(step, DNNL_ARG_DST, &out, l->out);
}

/* A picture without gaps: a part of a concatenation would make oneDNN take slow ways. */
static float *dense(const int32_t dims[4])
{
    size_t bytes = (size_t)dims[1] * (size_t)dims[2] * (size_t)dims[3] * sizeof(float);
    float *out = aligned_alloc(64, (bytes + 63) / 64 * 64);
    for (size_t i = 0; out && i < bytes / sizeof *out; i++)
        out[i] = 0.5f;
    return out;
}

int peer_prepare(struct peer_layer *layers, size_t count, int verbose, struct err *err)
{
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    if (count > MOST_LAYERS)
        return err_set(err, ERR_TOO_BIG, "too many layers");
    for (size_t i = 0; i < count; i++) {
        struct peer_layer *l = &layers[i];
        if (l->in_pitch != (size_t)peer_in(l)[1])
            l->in = dense(peer_in(l));
        if (l->out_pitch != (size_t)peer_out(l)[1])
            l->out = dense(peer_out(l));
        prepare_layer(l, &steps[step_count++], verbose);
        if (l->slope)
            prepare_prelu(l, &steps[step_count++]);
    }
    return 0;
}

void peer_run(void)
{
    for (size_t i = 0; i < step_count; i++)
        dnnl_primitive_execute(steps[i].primitive, stream, steps[i].argument_count,
                               steps[i].arguments);
    dnnl_stream_wait(stream);
}
