/* XNNPACK's operators: they know NHWC and pixel pitches; PReLU and additions are operators of their
 * own. */
#include "peer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

enum { MOST_STEPS = 3 * 512 };

static xnn_operator_t steps[MOST_STEPS];
static size_t step_count;

/* [out][in][tap] to [out][tap][in]; depthwise: to [tap][out]. */
static float *turn_weights(const struct peer_layer *l)
{
    size_t out = (size_t)peer_out(l)[1], in = l->depthwise ? 1 : (size_t)peer_in(l)[1];
    size_t taps = (size_t)l->node->kernel[0] * (size_t)l->node->kernel[1];
    float *turned = malloc(out * in * taps * sizeof *turned);
    for (size_t o = 0; turned && o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t tap = 0; tap < taps; tap++)
                turned[l->depthwise ? tap * out + o : (o * taps + tap) * in + i] =
                    l->weights[(o * in + i) * taps + tap];
    return turned;
}

static enum xnn_status add_convolution(const struct peer_layer *l)
{
    const struct model_node *n = l->node;
    size_t out = (size_t)peer_out(l)[1], in = (size_t)peer_in(l)[1];
    float least = n->activation == ACTIVATION_RELU && !l->residual ? 0.0f : -INFINITY;
    float *weights = turn_weights(l);
    xnn_operator_t op = NULL;
    enum xnn_status status = xnn_create_convolution2d_nhwc_f32(
        (uint32_t)n->pads[0], (uint32_t)n->pads[3], (uint32_t)n->pads[2], (uint32_t)n->pads[1],
        (uint32_t)n->kernel[0], (uint32_t)n->kernel[1], (uint32_t)n->stride[0],
        (uint32_t)n->stride[1], (uint32_t)n->dilation[0], (uint32_t)n->dilation[1],
        l->depthwise ? (uint32_t)out : 1, l->depthwise ? 1 : in, l->depthwise ? 1 : out,
        l->in_pitch, l->out_pitch, weights, l->bias, least, INFINITY,
        l->depthwise ? XNN_FLAG_DEPTHWISE_CONVOLUTION : 0, &op);
    free(weights);
    if (status == xnn_status_success)
        status = xnn_setup_convolution2d_nhwc_f32(op, 1, (size_t)peer_in(l)[2],
                                                  (size_t)peer_in(l)[3], l->in, l->out, NULL);
    steps[step_count++] = op;
    return status;
}

static enum xnn_status add_residual(const struct peer_layer *l)
{
    float least = l->node->activation == ACTIVATION_RELU ? 0.0f : -INFINITY;
    size_t shape[1] = {(size_t)peer_out(l)[1] * (size_t)peer_out(l)[2] * (size_t)peer_out(l)[3]};
    xnn_operator_t op = NULL;
    enum xnn_status status = xnn_create_add_nd_f32(least, INFINITY, 0, &op);
    if (status == xnn_status_success)
        status = xnn_setup_add_nd_f32(op, 1, shape, 1, shape, l->residual, l->out, l->out, NULL);
    steps[step_count++] = op;
    return status;
}

static enum xnn_status add_prelu(const struct peer_layer *l)
{
    size_t channels = (size_t)peer_out(l)[1];
    size_t pixels = (size_t)peer_out(l)[2] * (size_t)peer_out(l)[3];
    xnn_operator_t op = NULL;
    enum xnn_status status =
        xnn_create_prelu_nc_f32(channels, l->out_pitch, l->out_pitch, l->slope, 0, &op);
    if (status == xnn_status_success)
        status = xnn_setup_prelu_nc_f32(op, pixels, l->out, l->out, NULL);
    steps[step_count++] = op;
    return status;
}

int peer_prepare(struct peer_layer *layers, size_t count, int verbose, struct err *err)
{
    (void)verbose;
    if (xnn_initialize(NULL) != xnn_status_success || 3 * count > MOST_STEPS)
        return err_set(err, ERR_UNSUPPORTED, "XNNPACK does not start");
    for (size_t i = 0; i < count; i++)
        if (add_convolution(&layers[i]) != xnn_status_success ||
            (layers[i].residual && add_residual(&layers[i]) != xnn_status_success) ||
            (layers[i].slope && add_prelu(&layers[i]) != xnn_status_success))
            return err_set(err, ERR_UNSUPPORTED, "XNNPACK refuses layer %zu", i);
    return 0;
}

void peer_run(void)
{
    for (size_t i = 0; i < step_count; i++)
        xnn_run_operator(steps[i], NULL);
}
