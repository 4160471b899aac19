#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "nn/internal.h"

/* Other libraries run a network's convolutions side by side with ken: peer.c is the program, which
 * reads a model file and takes the time; peer_NAME.c makes and runs one library's operators. The
 * operators of other kinds (a detector's Softmax and boxes) are left out, to the peer's favour. */
struct peer_layer {
    const struct model_node *node;
    const float *in, *residual; /* pixels of in_pitch and residual_pitch floats */
    float *out;
    size_t in_pitch, out_pitch, residual_pitch;
    float *weights; /* as ONNX has them: [out][in][height][width]; depthwise: [out][1][..][..] */
    float *bias, *slope;
    int depthwise;
};

/* Dimensions: batch, channels, height, width. */
static inline const int32_t *peer_in(const struct peer_layer *layer)
{
    return layer->node->a.dims;
}

static inline const int32_t *peer_out(const struct peer_layer *layer)
{
    return layer->node->out.dims;
}

/* `verbose`: say on stderr which of its kernels the library chose. */
int peer_prepare(struct peer_layer *layers, size_t count, int verbose, struct err *err);
void peer_run(void);

#endif
