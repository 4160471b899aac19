#ifndef NN_FORMAT_H
#define NN_FORMAT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* The model file, as docs/model-file.md describes it: header, edge tensors, nodes, weights. All
 * numbers are little-endian; the structs below are the file's bytes, without padding.
 *
 * Internal to src/nn: the importer writes this, model_open() checks and maps it. */

#define MODEL_MAGIC "KENMODEL"
enum {
    MODEL_VERSION = 4,
    MODEL_ALIGN_BYTES = 64, /* every tensor in the weights, and each section */
    MODEL_MAX_NODES = 4096,
    MODEL_MAX_SIDE = 1 << 24,   /* one dimension of a tensor */
    MODEL_MAX_FLOATS = 1 << 28, /* one tensor, the arena, the weights: 1 GiB */
    MODEL_MAX_KERNEL = 1024,    /* rows or columns of a window; also strides, pads, dilations */
};
#define MODEL_MAX_FILE_BYTES ((uint64_t)2 << 30)
#define MODEL_MAX_NODE_WORK ((uint64_t)1 << 38) /* multiply-adds of one node */

struct model_header {
    char magic[8];
    uint32_t version, panel; /* SIMD_PANEL at the time of packing */
    uint64_t checksum;       /* model_checksum() of all that follows this field */
    uint64_t file_bytes;
    uint64_t arena_floats, weights_floats;
    uint64_t tensors_at, nodes_at, weights_at; /* bytes from the start of the file */
    uint32_t inputs, outputs, nodes;
    uint32_t role, order, alignment; /* what for: struct model_use */
    float mean[3], scale[3];
    uint64_t identity;
};

/* One input or output: the public face and where it lies in the arena. */
struct model_edge {
    char name[64];
    int32_t rank, dims[4];
    uint32_t offset; /* floats */
    uint32_t reserved[10];
};

/* Some floats: element (i, j, k, l) is at offset + i * strides[0] + ... + l * strides[3]. */
enum model_space { SPACE_NONE, SPACE_ARENA, SPACE_WEIGHTS };
struct model_view {
    uint32_t space, offset;
    int32_t dims[4], strides[4];
};

enum model_op {
    MODEL_CONV,      /* views are (1, channels, height, width), channel stride 1, rows dense; kind:
                        struct conv's `winograd` */
    MODEL_DEPTHWISE, /* the same; kind 0 */
    MODEL_POOL,      /* views are (1, channels, height, width), any strides; kind: model_pool */
    MODEL_BINARY,    /* out = a ? b, element by element; kind: model_binary */
    MODEL_UNARY,     /* kind: model_unary */
    MODEL_SOFTMAX,   /* over the last dimension */
    MODEL_COPY,      /* out = a */
    MODEL_RESIZE,    /* views as MODEL_POOL's; kind: model_resize; its tables lie at `weights` and
                        `bias` */
    MODEL_REDUCE,    /* kind: model_reduce; strides of 0 in `out` walk what becomes one number */
    MODEL_MATMUL,    /* out (i, j, m, n) = sum over k of a (i, j, m, k) * b (i, j, k, n) */
    MODEL_WINDOWS,   /* a convolution whose weights come about at run time: b (out, in of one group,
                        kernel rows, columns); the other views as MODEL_POOL's */
    MODEL_OPS,
};

enum model_pool { POOL_AVERAGE, POOL_AVERAGE_WITH_PADS, POOL_MAX, POOL_KINDS };
enum model_binary {
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV,
    BINARY_MIN,
    BINARY_MAX,
    BINARY_PRELU, /* a < 0 ? a * b : a */
    BINARY_POW,
    BINARY_KINDS
};
enum model_unary {
    UNARY_RELU,
    UNARY_EXP,
    UNARY_SIGMOID,
    UNARY_TANH,
    UNARY_SQRT,
    UNARY_NEG,
    UNARY_ABS,
    UNARY_LOG,
    UNARY_ERF,
    UNARY_HARD_SWISH, /* x * clamp(x / 6 + 1 / 2, 0, 1) */
    UNARY_GELU,       /* x * (1 + erf(x / sqrt 2)) / 2 */
    UNARY_GELU_TANH,  /* the approximation by tanh */
    UNARY_SOFTPLUS,   /* log(1 + e^x) */
    UNARY_MISH,       /* x * tanh(softplus(x)) */
    UNARY_RECIPROCAL,
    UNARY_KINDS
};

/* The tables of MODEL_RESIZE, one for the rows of `out` and one for its columns: for each a triple
 * (low, high, part), which stands for (1 - part) * in[low] + part * in[high]. */
enum model_resize { RESIZE_NEAREST /* in[low] */, RESIZE_LINEAR, RESIZE_KINDS };
enum { RESIZE_TRIPLE = 3 };

enum model_reduce {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_SUM_SQUARES,
    REDUCE_MEAN_SQUARES,
    REDUCE_L2, /* the square root of the sum of squares */
    REDUCE_KINDS
};

/* No slope: MODEL_NO_SLOPE. Pads: top, left, bottom, right. */
#define MODEL_NO_SLOPE UINT32_MAX
struct model_node {
    uint32_t op, kind, activation, reserved;
    struct model_view out, a, b; /* b: the residual of a convolution; SPACE_NONE where unused */
    /* Floats into the weights, 16-float aligned. A convolution may have its weights for
     * product_i16 too: 0 where it has none. */
    uint32_t weights, bias, slope, product;
    int32_t kernel[2], stride[2], dilation[2], pads[4]; /* row, column */
    char name[32];                                      /* the ONNX node's, cut; for people */
};

_Static_assert(sizeof(struct model_header) == 128, "the file's bytes");
_Static_assert(sizeof(struct model_edge) == 128, "the file's bytes");
_Static_assert(sizeof(struct model_node) == 224, "the file's bytes");

/* 64 bits in eight lanes, made for speed (a few GB/s): it finds accidents, not forgeries. Any
 * change within one 8-byte word changes it. */
uint64_t model_checksum(const void *data, size_t size);

/* Whether a whole file can be run without reading or writing out of bounds, whatever is in it.
 * ERR_CORRUPT otherwise. `data` is 8-byte aligned. */
int model_verify(const void *data, size_t size, struct err *err) MUST_USE;

/* What one node costs, in multiply-adds (0 for nodes without weights). */
uint64_t model_node_macs(const struct model_node *node);

#endif
