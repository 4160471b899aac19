#ifndef NN_IMPORT_ONNX_H
#define NN_IMPORT_ONNX_H

#include "base/arena.h"
#include "base/err.h"
#include "nn/import/import.h"

#include <stddef.h>
#include <stdint.h>

/* An ONNX file as it stands, in memory of one arena: https://onnx.ai/onnx/repo-docs/IR.html. Only
 * what inference needs is kept. Strings end with 0. */

/* A constant. Numbers are floats, or 64-bit integers (int64, int32, bool). */
struct onnx_tensor {
    const char *name;
    int rank;
    int64_t dims[IMPORT_MAX_RANK];
    size_t count;
    float *floats; /* one of the two is NULL */
    int64_t *ints;
};

struct onnx_attribute {
    const char *name, *text; /* text: "" when it is none */
    int64_t i;
    float f;
    struct onnx_tensor *tensor; /* NULL when it is none */
    int64_t *ints;
    float *floats;
    size_t int_count, float_count;
};

struct onnx_node {
    const char *op, *name, *domain;
    const char **inputs, **outputs; /* "" for an optional input left out */
    size_t input_count, output_count;
    struct onnx_attribute *attributes;
    size_t attribute_count;
};

enum { ONNX_UNKNOWN_DIM = -1 };
struct onnx_value {
    const char *name;
    int rank; /* -1: not told */
    int64_t dims[IMPORT_MAX_RANK];
};

struct onnx_graph {
    struct onnx_node *nodes;
    struct onnx_tensor *constants;
    struct onnx_value *inputs, *outputs;
    size_t node_count, constant_count, input_count, output_count;
    int64_t opset;              /* of the default domain */
    uint64_t external_checksum; /* of the numbers in files beside it; 0 without */
};

struct onnx_file {
    const void *data;
    size_t size;
    const char *path; /* where it lies, for files beside it; NULL: they are refused */
};
int onnx_parse(const struct onnx_file *file, struct arena *arena, struct onnx_graph *graph,
               struct err *err) MUST_USE;

/* The node's attribute, or NULL. */
const struct onnx_attribute *onnx_attribute(const struct onnx_node *node, const char *name);

#endif
