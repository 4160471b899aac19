#ifndef TESTS_SIMD_LAYERS_H
#define TESTS_SIMD_LAYERS_H

/* The layers of the networks that ken ships, for the checker and the benchmark: every distinct
 * shape, and how many layers of the network have it. Padding is the same on all sides. */
#include "simd/kernels.h"

struct layer {
    const char *network;
    int count;
    int height, width, in_channels, out_channels, kernel, stride, pad, dilation;
    int depthwise;
    enum activation activation;
    int residual;
};

static const struct layer layers[] = {
    {"fr_feature", 1, 112, 112, 3, 64, 3, 2, 1, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 56, 56, 64, 64, 3, 1, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 56, 56, 64, 128, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 56, 56, 128, 128, 3, 2, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 28, 28, 128, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_feature", 4, 28, 28, 64, 128, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 4, 28, 28, 128, 128, 3, 1, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 4, 28, 28, 128, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"fr_feature", 1, 28, 28, 64, 256, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 28, 28, 256, 256, 3, 2, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 14, 14, 256, 128, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_feature", 6, 14, 14, 128, 256, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 6, 14, 14, 256, 256, 3, 1, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 6, 14, 14, 256, 128, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"fr_feature", 1, 14, 14, 128, 512, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 14, 14, 512, 512, 3, 2, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 7, 7, 512, 128, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_feature", 2, 7, 7, 128, 256, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 2, 7, 7, 256, 256, 3, 1, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"fr_feature", 2, 7, 7, 256, 128, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"fr_feature", 1, 7, 7, 128, 512, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"fr_feature", 1, 7, 7, 512, 512, 7, 1, 0, 1, 1, ACTIVATION_NONE, 0},
    {"fr_feature", 1, 1, 1, 512, 512, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 240, 320, 3, 16, 3, 2, 1, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 120, 160, 16, 16, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 120, 160, 16, 32, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 120, 160, 32, 32, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 2, 60, 80, 32, 32, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 60, 80, 32, 32, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 60, 80, 32, 32, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 30, 40, 32, 64, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 4, 30, 40, 64, 64, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 2, 30, 40, 64, 64, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 3, 30, 40, 64, 8, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 2, 30, 40, 8, 16, 3, 1, 1, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 30, 40, 16, 16, 3, 1, 2, 2, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 30, 40, 16, 16, 3, 1, 3, 3, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 30, 40, 8, 12, 3, 1, 1, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 30, 40, 12, 16, 3, 1, 1, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 30, 40, 16, 16, 3, 1, 5, 5, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 30, 40, 48, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 30, 40, 64, 64, 1, 1, 0, 1, 0, ACTIVATION_RELU, 1},
    {"fr_detect", 1, 30, 40, 64, 6, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 30, 40, 64, 12, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 30, 40, 64, 64, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 15, 20, 64, 128, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 4, 15, 20, 128, 128, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 2, 15, 20, 128, 128, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 15, 20, 128, 4, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 15, 20, 128, 8, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 15, 20, 128, 128, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 8, 10, 128, 256, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 3, 8, 10, 256, 256, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 8, 10, 256, 256, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 8, 10, 256, 4, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 8, 10, 256, 8, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 8, 10, 256, 64, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 8, 10, 64, 64, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 4, 5, 64, 256, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_detect", 1, 4, 5, 256, 6, 3, 1, 1, 1, 0, ACTIVATION_NONE, 0},
    {"fr_detect", 1, 4, 5, 256, 12, 3, 1, 1, 1, 0, ACTIVATION_NONE, 0},
    {"fr_landmark", 1, 64, 64, 1, 32, 3, 2, 1, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 32, 32, 32, 32, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 32, 32, 32, 64, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 32, 32, 64, 64, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 16, 16, 64, 32, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_landmark", 3, 16, 16, 32, 64, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 3, 16, 16, 64, 64, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 3, 16, 16, 64, 32, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"fr_landmark", 1, 16, 16, 32, 128, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 16, 16, 128, 128, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 8, 8, 128, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_landmark", 4, 8, 8, 64, 128, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 4, 8, 8, 128, 128, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 4, 8, 8, 128, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"fr_landmark", 1, 8, 8, 64, 256, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 8, 8, 256, 256, 3, 2, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 4, 4, 256, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    {"fr_landmark", 2, 4, 4, 64, 128, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 2, 4, 4, 128, 128, 3, 1, 1, 1, 1, ACTIVATION_RELU, 0},
    {"fr_landmark", 2, 4, 4, 128, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"fr_landmark", 1, 4, 4, 64, 512, 1, 1, 0, 1, 0, ACTIVATION_RELU, 0},
    {"fr_landmark", 1, 4, 4, 512, 512, 4, 1, 0, 1, 1, ACTIVATION_NONE, 0},
    {"fr_landmark", 1, 1, 1, 512, 136, 1, 1, 0, 1, 0, ACTIVATION_NONE, 0},
    /* From a ResNet and a network with squeeze-excite blocks: shapes that the above lack. */
    {"other", 1, 35, 35, 64, 64, 3, 1, 1, 1, 0, ACTIVATION_RELU, 1},
    {"other", 1, 35, 35, 64, 128, 3, 2, 0, 1, 0, ACTIVATION_RELU, 0},
    {"other", 1, 9, 9, 256, 256, 3, 1, 1, 1, 0, ACTIVATION_RELU, 0},
    {"other", 1, 35, 35, 32, 32, 3, 1, 1, 1, 0, ACTIVATION_RELU, 1},
    {"other", 1, 17, 17, 64, 64, 3, 1, 1, 1, 0, ACTIVATION_RELU, 1},
    {"other", 1, 8, 8, 128, 128, 3, 1, 1, 1, 0, ACTIVATION_RELU, 1},
    {"other", 1, 4, 4, 256, 256, 3, 1, 1, 1, 0, ACTIVATION_RELU, 1},
    {"other", 1, 17, 17, 32, 64, 1, 2, 0, 1, 0, ACTIVATION_NONE, 0},
    {"other", 1, 64, 64, 103, 103, 3, 2, 1, 1, 1, ACTIVATION_PRELU, 0},
    {"other", 1, 32, 32, 13, 64, 1, 1, 0, 1, 0, ACTIVATION_NONE, 1},
    {"other", 1, 32, 32, 64, 231, 1, 1, 0, 1, 0, ACTIVATION_PRELU, 0},
    {"other", 1, 8, 8, 512, 512, 8, 1, 0, 1, 1, ACTIVATION_NONE, 0},
};

enum { LAYERS = sizeof layers / sizeof layers[0] };

static inline int layer_out(int in, const struct layer *l)
{
    return (in + 2 * l->pad - l->dilation * (l->kernel - 1) - 1) / l->stride + 1;
}

/* The layer as a convolution without its buffers, all its rows, pixels next to each other. */
static inline struct conv layer_conv(const struct layer *l)
{
    int height = layer_out(l->height, l), width = layer_out(l->width, l);
    return (struct conv){
        .in_height = l->height,
        .in_width = l->width,
        .in_channels = l->in_channels,
        .in_stride = l->in_channels,
        .out_height = height,
        .out_width = width,
        .out_channels = l->out_channels,
        .out_stride = l->out_channels,
        .residual_stride = l->out_channels,
        .kernel_height = l->kernel,
        .kernel_width = l->kernel,
        .stride_y = l->stride,
        .stride_x = l->stride,
        .pad_top = l->pad,
        .pad_left = l->pad,
        .dilation_y = l->dilation,
        .dilation_x = l->dilation,
        .row_end = height,
        .activation = l->activation,
    };
}

#endif
