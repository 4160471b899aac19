#ifndef NN_IMPORT_LINEAR_H
#define NN_IMPORT_LINEAR_H

#include "nn/import/importer.h"
#include "simd/kernels.h"

/* A convolution or fully connected layer on its way to one operation, gathering up what follows it:
 * out = activation(weights * in + bias + residual). */
struct linear {
    struct import_node *node;
    struct view in;      /* pixels */
    float *weights;      /* [out][in / groups][kernel_height][kernel_width], its own copy */
    float *bias, *slope; /* [out] */
    int out_channels, in_channels, groups; /* in_channels: of one group */
    int32_t kernel[2], stride[2], dilation[2], pads[4];
    int64_t out_dims[4];
    int result;      /* the value it makes, after all fusing */
    int result_rank; /* 2 or 4 */
    int final_rank;  /* where the result is a matrix in more dimensions; 0 otherwise */
    int64_t final_dims[IMPORT_MAX_RANK];
    enum activation activation;
    struct view residual;
    int has_residual;
};

/* Fuse what follows (linear.c), then emit the operation(s). */
int linear_finish(struct importer *im, struct linear *linear) MUST_USE;

/* Reads window and output shape of a convolution over l->in with weights of these dimensions. */
int linear_read_conv(struct importer *im, struct linear *linear, int rank,
                     const int64_t *weights) MUST_USE;

/* Scale and shift of BatchNormalization as scale * x + shift, `channels` each; NULL on failure. */
float *batch_scale_shift(struct importer *im, const struct import_node *node, int64_t channels);

#endif
