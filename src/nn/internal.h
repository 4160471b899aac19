#ifndef NN_INTERNAL_H
#define NN_INTERNAL_H

#include "nn/format.h"
#include "nn/model.h"
#include "simd/kernels.h"

/* An open model: pointers into the mapped file. */
struct model {
    const struct model_header *header;
    const struct model_edge *edges; /* inputs, then outputs */
    const struct model_node *nodes;
    const float *weights;
    size_t mapped_bytes; /* 0: the memory is borrowed */
    struct model_tensor tensors[MODEL_MAX_INPUTS + MODEL_MAX_OUTPUTS];
};

/* A convolution's shape, without its buffers. */
struct conv model_node_conv(const struct model_node *node);

/* A view with its address: what the plain operators (ops.c) work on. */
struct strided {
    float *data;
    const int32_t *dims, *strides;
};

/* No operand overlaps the result: the importer makes none, and a file that does gets wrong numbers.
 */
void op_pool(const struct model_node *node, struct strided out, struct strided in);
void op_binary(enum model_binary kind, struct strided out, struct strided a, struct strided b);
void op_unary(const struct kernels *kernels, enum model_unary kind, struct strided out,
              struct strided in);
void op_softmax(const struct kernels *kernels, struct strided out, struct strided in);
void op_copy(struct strided out, struct strided in);
/* `rows` and `columns`: the tables. */
void op_resize(enum model_resize kind, struct strided out, struct strided in, const float *rows,
               const float *columns);
void op_reduce(enum model_reduce kind, struct strided out, struct strided in);
void op_matmul(struct strided out, struct strided a, struct strided b);
void op_windows(const struct model_node *node, struct strided out, struct strided in,
                struct strided weights);

/* Any of the above: a node that is no convolution with packed weights. */
struct operands {
    struct strided out, a, b;
    const float *weights; /* of the model */
};
void op_run(const struct model_node *node, const struct kernels *kernels,
            const struct operands *operands);

#endif
