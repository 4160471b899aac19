#ifndef NN_IMPORT_ONNX_PARSER_H
#define NN_IMPORT_ONNX_PARSER_H

#include "nn/import/onnx.h"
#include "nn/import/wire.h"

/* Between the files that read ONNX. */
struct onnx_parser {
    struct arena *arena;
    struct err *err;
    const char *path; /* of the file, or NULL */
    uint64_t external_checksum;
};

/* Failures; both return -1. */
int onnx_damaged(struct onnx_parser *p, const char *what);
int onnx_no_memory(struct onnx_parser *p);

/* A field's text in the arena; NULL: it is none, or there is no memory. */
const char *onnx_copy_text(struct onnx_parser *p, const struct wire_field *field);
/* Appends the integers of one field, packed or not. Returns the new count, or -1. */
long onnx_take_ints(const struct wire_field *field, int64_t *out, long count, long most);
/* The same for floats. */
long onnx_take_floats(const struct wire_field *field, float *out, long count, size_t most);
/* A TensorProto (onnx_tensor.c). */
int onnx_read_tensor(struct onnx_parser *p, struct wire in, struct onnx_tensor *tensor);

#endif
