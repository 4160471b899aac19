#ifndef NN_IMPORT_IMPORTER_H
#define NN_IMPORT_IMPORTER_H

#include "nn/format.h"
#include "nn/import/onnx.h"
#include "nn/import/view.h"

/* The importer's state and the steps between its files. In order: values.c numbers the values and
 * links nodes to them; lower*.c turn each ONNX node into operations on views (or, over constants,
 * into another constant: fold*.c); plan.c places the buffers; write.c writes the file. */

enum { IMPORT_MAX_ROOTS = 4 * MODEL_MAX_NODES };

/* A buffer: of the arena, or (constants) of the weights. */
struct root {
    int64_t floats, offset; /* offset: from plan.c, or at once for constants */
    int is_constant;
    int pinned;                   /* an edge of the model: keeps its place and layout */
    int first, last;              /* operations that touch it */
    const struct root *neighbour; /* best placed `apart` floats behind that one, modulo a page */
    int64_t apart;
};

struct value {
    const char *name;
    const struct onnx_tensor *constant; /* NULL when it comes about at run time */
    struct view view;                   /* where it is, when `known` and no constant */
    int known;                          /* made by a node before */
    int uses, consumer;                 /* how often it is used; one node that does */
    int constant_root;                  /* 1 + the root a constant was put in; 0: none yet */
    int32_t pads[4];                    /* zeros about it that the one convolution using it adds */
};

struct import_node {
    const struct onnx_node *onnx;
    int *inputs, *outputs; /* values; NO_VALUE for an optional one left out */
    int done;              /* fused into another */
};
enum { NO_VALUE = -1 };

struct operation {
    struct model_node node; /* all but the views */
    struct view out, a, b;
    int has_a, has_b;
};

struct importer {
    struct arena *arena;
    struct err *err;
    struct onnx_graph graph;
    const struct import_options *options;
    struct import_report *report;
    struct value *values;
    struct import_node *nodes;
    struct root *roots;
    struct operation *operations;
    int value_count, node_count, root_count, operation_count;
    int64_t arena_floats;
    struct buf weights;
    int inputs[MODEL_MAX_INPUTS], outputs[MODEL_MAX_OUTPUTS]; /* values */
    struct model_use use;
    int input_count, output_count;
};

/* values.c */
int values_link(struct importer *im) MUST_USE;

/* Failures, with the node named. Return -1. */
int import_fail(struct importer *im, enum err_code code, const char *format, ...) PRINTF(3, 4);
int node_fail(struct importer *im, const struct import_node *node, enum err_code code,
              const char *format, ...) PRINTF(4, 5);

/* Helpers for lowering (lower.c). */
int new_root(struct importer *im, int64_t floats); /* -1 past the limit */
struct operation *new_operation(struct importer *im, const struct import_node *node,
                                enum model_op op); /* NULL past the limit */
/* Puts floats into the weights, denormal ones as 0; *offset counts floats from their start. */
int put_weights(struct importer *im, const float *data, size_t count, uint32_t *offset) MUST_USE;
/* The same of what is packed and not floats alone: as it is. */
int put_packed(struct importer *im, const float *data, size_t count, uint32_t *offset) MUST_USE;
/* A view of any value, constants included (they then take room in the weights). */
int value_view(struct importer *im, int value, struct view *view) MUST_USE;
int value_rank(const struct importer *im, int value);
const int64_t *value_dims(const struct importer *im, int value);
void define_value(struct importer *im, int value, const struct view *view);
void define_constant(struct importer *im, int value, const struct onnx_tensor *constant);
int emit_copy(struct importer *im, const struct import_node *node, const struct view *from,
              const struct view *to) MUST_USE;
/* The view as pixels for a convolution, copied first where it lies otherwise. */
int ensure_pixels(struct importer *im, const struct import_node *node, struct view *view) MUST_USE;
/* Gives `out` a new root with the shape of pixels. */
int new_pixels(struct importer *im, const struct import_node *node, const int64_t dims[4],
               struct view *out) MUST_USE;

int64_t attribute_int(const struct import_node *node, const char *name, int64_t otherwise);
float attribute_float(const struct import_node *node, const char *name, float otherwise);
/* Integers of an attribute, or of constant input `input` (newer opsets moved many there). Returns
 * how many, 0 for none, -1 when they are not constant or more than `most`. */
int attribute_ints(struct importer *im, const struct import_node *node, const char *name, int input,
                   int64_t *out, int most);
int normal_axis(int64_t axis, int rank); /* -1 when it is out of range */

/* Operations on views, which make a view of a new root (lower_math.c, lower_norm.c). */
int emit_unary(struct importer *im, const struct import_node *node, enum model_unary kind,
               const struct view *in, struct view *out) MUST_USE;
int emit_binary(struct importer *im, const struct import_node *node, enum model_binary kind,
                const struct view *operands[2], struct view *out) MUST_USE;
int emit_with_number(struct importer *im, const struct import_node *node, enum model_binary kind,
                     const struct view *in, float number, struct view *out) MUST_USE;
/* Over the dimensions whose bit is set in `axes`; they become 1. */
int emit_reduce(struct importer *im, const struct import_node *node, enum model_reduce kind,
                const struct view *in, unsigned axes, struct view *out) MUST_USE;
/* A constant of one number in the weights. */
int number_view(struct importer *im, float number, struct view *view) MUST_USE;
/* The shape that two broadcast to, outermost first. Returns 0 when they do not go together. */
int common_shape(const struct view *a, const struct view *b, int *rank, int64_t *dims);
/* A matrix product of views, the last two dimensions each; up to four in all. */
int emit_matmul(struct importer *im, const struct import_node *node, const struct view *a,
                const struct view *b, struct view *out) MUST_USE;

/* Node kinds: one function each. */
int lower_conv(struct importer *im, struct import_node *node);
int lower_gemm(struct importer *im, struct import_node *node);
int lower_matmul(struct importer *im, struct import_node *node);
int lower_batch_normalization(struct importer *im, struct import_node *node);
int lower_pool(struct importer *im, struct import_node *node);
int lower_binary(struct importer *im, struct import_node *node);
int lower_unary(struct importer *im, struct import_node *node);
int lower_clip(struct importer *im, struct import_node *node);
int lower_leaky_relu(struct importer *im, struct import_node *node);
int lower_elu(struct importer *im, struct import_node *node);
int lower_gelu(struct importer *im, struct import_node *node);
int lower_hard_sigmoid(struct importer *im, struct import_node *node);
int lower_pow(struct importer *im, struct import_node *node);
int lower_reduce(struct importer *im, struct import_node *node);
int lower_instance_normalization(struct importer *im, struct import_node *node);
int lower_lp_normalization(struct importer *im, struct import_node *node);
int lower_layer_normalization(struct importer *im, struct import_node *node);
int lower_pad(struct importer *im, struct import_node *node);
int lower_resize(struct importer *im, struct import_node *node);
int lower_expand(struct importer *im, struct import_node *node);
int lower_run_time_conv(struct importer *im, struct import_node *node);
int lower_run_time_gemm(struct importer *im, struct import_node *node);
int lower_softmax(struct importer *im, struct import_node *node);
int lower_view(struct importer *im, struct import_node *node);
int lower_split(struct importer *im, struct import_node *node);
int lower_concat(struct importer *im, struct import_node *node);
int lower_gather(struct importer *im, struct import_node *node);
int lower_cast(struct importer *im, struct import_node *node);

/* Constants (fold.c, fold_logic.c). */
/* NULL where there is no such input, or it comes about at run time. */
const struct onnx_tensor *constant_input(const struct importer *im, const struct import_node *node,
                                         size_t input);
int fold_constant(struct importer *im, struct import_node *node);
int fold_shape(struct importer *im, struct import_node *node);
int fold_gather(struct importer *im, struct import_node *node);
int fold_concat(struct importer *im, struct import_node *node, int axis);
int fold_constant_of_shape(struct importer *im, struct import_node *node);
int fold_round(struct importer *im, struct import_node *node);
int fold_equal(struct importer *im, struct import_node *node);
int fold_where(struct importer *im, struct import_node *node);
int fold_binary(struct importer *im, struct import_node *node, enum model_binary kind);
/* The elements of constant `from` that `view` (of a row-major root) shows, as a new constant. */
int fold_view(struct importer *im, struct import_node *node, const struct onnx_tensor *from,
              const struct view *view, int output);
/* A node over constants alone: emits its operations, runs them at once, and makes constants of what
 * they make (evaluate.c). */
int evaluate_node(struct importer *im, struct import_node *node,
                  int (*lower)(struct importer *im, struct import_node *node)) MUST_USE;
struct onnx_tensor *new_constant(struct importer *im, int rank, const int64_t *dims, int is_float);

/* Makes `view`, a whole root, a part of another root at the places `target` shows, rewriting every
 * view of it. Returns 1 when done, 0 when strides cannot say it (view_move.c). */
int move_root(struct importer *im, const struct view *view, const struct view *target);

int lower_graph(struct importer *im) MUST_USE;                  /* lower.c */
int plan_arena(struct importer *im) MUST_USE;                   /* plan.c */
int write_model(struct importer *im, struct buf *out) MUST_USE; /* write.c */
/* Brings the operation's views to the form of its kind of node and puts them into it; the roots
 * have their places. */
int shape_operation(struct importer *im, struct operation *op) MUST_USE;

#endif
