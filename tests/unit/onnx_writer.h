#ifndef TESTS_ONNX_WRITER_H
#define TESTS_ONNX_WRITER_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Writes small ONNX files for tests, right ones and wrong ones. A graph is built by appending
 * nodes, constants and edges in any order; onnx_file() wraps it up. */

enum { ONNX_NODE = 1, ONNX_CONSTANT = 5, ONNX_INPUT = 11, ONNX_OUTPUT = 12 };

static inline void put_varint(struct buf *out, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        buf_append(out, &byte, 1);
        value >>= 7;
    } while (value);
}

static inline void put_number(struct buf *out, unsigned field, int64_t value)
{
    put_varint(out, field << 3);
    put_varint(out, (uint64_t)value);
}

static inline void put_bytes(struct buf *out, unsigned field, const void *data, size_t size)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, size);
    buf_append(out, data, size);
}

static inline void put_text(struct buf *out, unsigned field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

static inline void put_message(struct buf *out, unsigned field, struct buf *message)
{
    put_bytes(out, field, message->data ? message->data : "", message->size);
    buf_finish(message);
}

static inline struct buf new_message(void)
{
    struct buf message;
    buf_init(&message, (size_t)64 * 1024 * 1024);
    return message;
}

/* Dimensions end with 0. */
static inline void put_edge(struct buf *graph, unsigned field, const char *name,
                            const int64_t *dims)
{
    struct buf edge = new_message(), type = new_message(), tensor = new_message(),
               shape = new_message();
    for (; *dims; dims++) {
        struct buf dim = new_message();
        if (*dims > 0) /* a negative one is left open */
            put_number(&dim, 1, *dims);
        put_message(&shape, 1, &dim);
    }
    put_number(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&edge, 1, name);
    put_message(&edge, 2, &type);
    put_message(graph, field, &edge);
}

static inline void put_floats(struct buf *graph, const char *name, const int64_t *dims,
                              const float *data, size_t count)
{
    struct buf tensor = new_message();
    for (; *dims; dims++)
        put_number(&tensor, 1, *dims);
    put_number(&tensor, 2, 1);
    put_text(&tensor, 8, name);
    put_bytes(&tensor, 9, data, count * sizeof *data);
    put_message(graph, ONNX_CONSTANT, &tensor);
}

static inline void put_integers(struct buf *graph, const char *name, const int64_t *data,
                                size_t count)
{
    struct buf tensor = new_message();
    put_number(&tensor, 1, (int64_t)count);
    put_number(&tensor, 2, 7);
    put_text(&tensor, 8, name);
    put_bytes(&tensor, 9, data, count * sizeof *data);
    put_message(graph, ONNX_CONSTANT, &tensor);
}

/* An attribute of integers, as many as `count`; of one integer where count is 0. */
struct test_attribute {
    const char *name;
    int64_t numbers[4];
    size_t count;
};

static inline void put_attribute(struct buf *node, const struct test_attribute *attribute)
{
    struct buf message = new_message();
    put_text(&message, 1, attribute->name);
    if (attribute->count == 0)
        put_number(&message, 3, attribute->numbers[0]);
    for (size_t i = 0; i < attribute->count; i++)
        put_number(&message, 8, attribute->numbers[i]);
    put_message(node, 5, &message);
}

/* Names separated by spaces, as "x w b"; attributes end with .name == NULL (the whole may be NULL).
 */
static inline void put_names(struct buf *node, unsigned field, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");
        put_bytes(node, field, names, length);
        names += length + (names[length] == ' ');
    }
}

static inline void put_node(struct buf *graph, const char *op, const char *name, const char *inputs,
                            const char *outputs, const struct test_attribute *attributes)
{
    struct buf node = new_message();
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    put_text(&node, 3, name);
    put_text(&node, 4, op);
    for (; attributes && attributes->name; attributes++)
        put_attribute(&node, attributes);
    put_message(graph, ONNX_NODE, &node);
}

/* The file of a graph, which is freed. The graph comes last, so that every cut cuts it. */
static inline struct buf onnx_file(struct buf *graph)
{
    struct buf file = new_message(), opset = new_message();
    put_number(&file, 1, 8);
    put_text(&opset, 1, "");
    put_number(&opset, 2, 13);
    put_message(&file, 8, &opset);
    put_message(&file, 7, graph);
    return file;
}

#define DIMS(...)                                                                                  \
    (const int64_t[])                                                                              \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }

#endif
