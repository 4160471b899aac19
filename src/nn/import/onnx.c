#include "nn/import/onnx.h"

#include "nn/format.h"
#include "nn/import/wire.h"

#include <math.h>
#include <string.h>

/* Field numbers of onnx.proto3. */
enum { MODEL_GRAPH = 7, MODEL_OPSET = 8, OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE, NODE_DOMAIN = 7 };
enum { ATTR_NAME = 1, ATTR_F, ATTR_I, ATTR_S, ATTR_T, ATTR_INTS = 8 };
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S,
    TENSOR_INT64S = 7,
    TENSOR_NAME,
    TENSOR_RAW,
    TENSOR_DOUBLES,
    TENSOR_LOCATION = 14
};
enum { VALUE_NAME = 1, VALUE_TYPE, TYPE_TENSOR = 1, TYPE_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1 };
enum {
    TYPE_FLOAT = 1,
    TYPE_INT32 = 6,
    TYPE_INT64 = 7,
    TYPE_BOOL = 9,
    TYPE_FLOAT16 = 10,
    TYPE_DOUBLE = 11
};

struct parser {
    struct arena *arena;
    struct err *err;
};

static int damaged(struct parser *p, const char *what)
{
    return err_set(p->err, ERR_INVALID, "%s: not valid ONNX (cut off or damaged)", what);
}

static int no_memory(struct parser *p)
{
    return err_set(p->err, ERR_TOO_BIG, "the network needs more memory than the import may take");
}

/* How many fields of this number; -1 when the message is damaged. */
static long count_fields(struct wire in, uint32_t number)
{
    struct wire_field field;
    long count = 0;
    int found;
    while ((found = wire_next(&in, &field)) == 1)
        count += field.number == number;
    return found < 0 ? -1 : count;
}

static const char *copy_text(struct parser *p, const struct wire_field *field)
{
    return field->type == WIRE_BYTES
               ? arena_copy(p->arena, field->bytes.at, wire_size(&field->bytes))
               : NULL;
}

/* Appends the integers of one field, packed or not. Returns the new count, or -1. */
static long take_ints(const struct wire_field *field, int64_t *out, long count, long most)
{
    if (field->type == WIRE_VARINT) {
        if (count >= most)
            return -1;
        out[count] = (int64_t)field->value;
        return count + 1;
    }
    struct wire in = field->bytes;
    uint64_t value;
    int found = 0;
    while (field->type == WIRE_BYTES && (found = wire_varint(&in, &value)) == 1) {
        if (count >= most)
            return -1;
        out[count++] = (int64_t)value;
    }
    return found < 0 || field->type != WIRE_BYTES ? -1 : count;
}

static int check_count(struct parser *p, struct onnx_tensor *tensor)
{
    tensor->count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] < 0 || tensor->dims[i] > MODEL_MAX_SIDE)
            return err_set(p->err, ERR_TOO_BIG, "tensor %s: dimension %lld is not 0 to %d",
                           tensor->name, (long long)tensor->dims[i], MODEL_MAX_SIDE);
        tensor->count *= (size_t)tensor->dims[i];
        if (tensor->count > MODEL_MAX_FLOATS)
            return err_set(p->err, ERR_TOO_BIG, "tensor %s: more than %d numbers", tensor->name,
                           MODEL_MAX_FLOATS);
    }
    return 0;
}

struct tensor_data {
    int64_t type;
    struct wire raw;
    int has_raw, external;
};

/* First pass over a tensor: everything but its numbers. */
static int read_tensor_head(struct parser *p, struct wire in, struct onnx_tensor *tensor,
                            struct tensor_data *data)
{
    struct wire_field field;
    long rank = 0;
    int found;
    while ((found = wire_next(&in, &field)) == 1) {
        if (field.number == TENSOR_DIMS)
            rank = take_ints(&field, tensor->dims, rank, IMPORT_MAX_RANK);
        else if (field.number == TENSOR_TYPE)
            data->type = (int64_t)field.value;
        else if (field.number == TENSOR_NAME)
            tensor->name = copy_text(p, &field);
        else if (field.number == TENSOR_LOCATION)
            data->external = field.value != 0;
        else if (field.number == TENSOR_RAW && field.type == WIRE_BYTES) {
            data->raw = field.bytes;
            data->has_raw = 1;
        }
        if (rank < 0 || !tensor->name)
            return damaged(p, "tensor");
    }
    if (found < 0)
        return damaged(p, "tensor");
    tensor->rank = (int)rank;
    if (data->external)
        return err_set(p->err, ERR_UNSUPPORTED,
                       "tensor %s: its numbers are in another file; save the network as one file",
                       tensor->name);
    return check_count(p, tensor);
}

/* IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
static float half_to_float(uint16_t half)
{
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    float x;
    if (exponent == 31)
        x = fraction ? NAN : INFINITY;
    else if (exponent)
        x = ldexpf((float)(1024 + fraction), (int)exponent - 25);
    else
        x = ldexpf((float)fraction, -24);
    return half >> 15 ? -x : x;
}

static size_t item_bytes(int64_t type)
{
    switch (type) {
    case TYPE_INT64:
    case TYPE_DOUBLE:
        return 8;
    case TYPE_FLOAT16:
        return 2;
    case TYPE_BOOL:
        return 1;
    default:
        return 4;
    }
}

static void unpack_item(struct onnx_tensor *tensor, size_t i, int64_t type, const unsigned char *at)
{
    int32_t narrow;
    uint16_t half;
    double wide;
    switch (type) {
    case TYPE_FLOAT:
        memcpy(&tensor->floats[i], at, sizeof tensor->floats[i]);
        break;
    case TYPE_FLOAT16:
        memcpy(&half, at, sizeof half);
        tensor->floats[i] = half_to_float(half);
        break;
    case TYPE_DOUBLE:
        memcpy(&wide, at, sizeof wide);
        tensor->floats[i] = (float)wide;
        break;
    case TYPE_INT64:
        memcpy(&tensor->ints[i], at, sizeof tensor->ints[i]);
        break;
    case TYPE_BOOL:
        tensor->ints[i] = *at != 0;
        break;
    default:
        memcpy(&narrow, at, sizeof narrow);
        tensor->ints[i] = narrow;
    }
}

static int unpack_raw(struct parser *p, struct onnx_tensor *tensor, const struct tensor_data *data)
{
    size_t item = item_bytes(data->type);
    if (wire_size(&data->raw) != tensor->count * item)
        return err_set(p->err, ERR_INVALID, "tensor %s: %zu bytes of numbers for %zu numbers",
                       tensor->name, wire_size(&data->raw), tensor->count);
    for (size_t i = 0; i < tensor->count; i++)
        unpack_item(tensor, i, data->type, data->raw.at + i * item);
    return 0;
}

/* Appends one float_data field, packed or a single number. Returns the new count, or -1. */
static long take_floats(const struct wire_field *field, float *out, long count, size_t most)
{
    if (field->type == WIRE_FIXED32 && (size_t)count < most) {
        uint32_t bits = (uint32_t)field->value;
        memcpy(&out[count], &bits, sizeof bits);
        return count + 1;
    }
    size_t size = wire_size(&field->bytes), items = size / sizeof *out;
    if (field->type != WIRE_BYTES || size % sizeof *out || items > most - (size_t)count)
        return -1;
    if (size)
        memcpy(out + count, field->bytes.at, size);
    return count + (long)items;
}

/* Appends one double_data field, packed or a single number. */
static long take_doubles(const struct wire_field *field, struct onnx_tensor *tensor, long count)
{
    const unsigned char *at = field->bytes.at;
    size_t size = wire_size(&field->bytes), item = item_bytes(TYPE_DOUBLE);
    if (field->type == WIRE_FIXED64) {
        at = (const unsigned char *)&field->value;
        size = item;
    } else if (field->type != WIRE_BYTES) {
        return -1;
    }
    if (size % item || size / item > tensor->count - (size_t)count)
        return -1;
    for (size_t i = 0; i < size / item; i++)
        unpack_item(tensor, (size_t)count + i, TYPE_DOUBLE, at + i * item);
    return count + (long)(size / item);
}

/* int32_data of a float16 tensor: the bits of one number each. */
static int halves_from_bits(struct parser *p, struct wire in, struct onnx_tensor *tensor)
{
    struct wire_field field;
    long count = 0;
    int64_t *bits = arena_new(p->arena, int64_t, tensor->count + 1);
    if (!bits)
        return no_memory(p);
    while (count >= 0 && wire_next(&in, &field) == 1)
        if (field.number == TENSOR_INT32S)
            count = take_ints(&field, bits, count, (long)tensor->count);
    for (long i = 0; i < count; i++)
        tensor->floats[i] = half_to_float((uint16_t)bits[i]);
    return count == (long)tensor->count ? 0 : damaged(p, tensor->name);
}

/* Second pass: the numbers from float_data, double_data, int32_data or int64_data. */
static int unpack_fields(struct parser *p, struct wire in, struct onnx_tensor *tensor)
{
    struct wire_field field;
    long count = 0;
    while (wire_next(&in, &field) == 1) {
        if (field.number == TENSOR_FLOATS && tensor->floats)
            count = take_floats(&field, tensor->floats, count, tensor->count);
        else if (field.number == TENSOR_DOUBLES && tensor->floats)
            count = take_doubles(&field, tensor, count);
        else if ((field.number == TENSOR_INT32S || field.number == TENSOR_INT64S) && tensor->ints)
            count = take_ints(&field, tensor->ints, count, (long)tensor->count);
        if (count < 0)
            break;
    }
    if (count != (long)tensor->count)
        return err_set(p->err, ERR_INVALID, "tensor %s: has not the %zu numbers of its shape",
                       tensor->name, tensor->count);
    return 0;
}

static int read_tensor(struct parser *p, struct wire in, struct onnx_tensor *tensor)
{
    struct tensor_data data = {0};
    *tensor = (struct onnx_tensor){.name = ""};
    if (read_tensor_head(p, in, tensor, &data) < 0)
        return -1;
    if (tensor->count > wire_size(&in)) /* a number takes a byte at least */
        return err_set(p->err, ERR_INVALID, "tensor %s: has not the %zu numbers of its shape",
                       tensor->name, tensor->count);
    if (data.type == TYPE_FLOAT || data.type == TYPE_FLOAT16 || data.type == TYPE_DOUBLE)
        tensor->floats = arena_new(p->arena, float, tensor->count + 1);
    else if (data.type == TYPE_INT64 || data.type == TYPE_INT32 || data.type == TYPE_BOOL)
        tensor->ints = arena_new(p->arena, int64_t, tensor->count + 1);
    else
        return err_set(
            p->err, ERR_UNSUPPORTED,
            "tensor %s: ONNX data type %lld; ken reads float32, float16, double, int32, int64 "
            "and bool",
            tensor->name, (long long)data.type);
    if (!tensor->floats && !tensor->ints)
        return no_memory(p);
    if (data.has_raw)
        return unpack_raw(p, tensor, &data);
    return data.type == TYPE_FLOAT16 ? halves_from_bits(p, in, tensor)
                                     : unpack_fields(p, in, tensor);
}

static int read_tensor_attribute(struct parser *p, const struct wire_field *field,
                                 struct onnx_attribute *a)
{
    a->tensor = arena_new(p->arena, struct onnx_tensor, 1);
    if (!a->tensor)
        return no_memory(p);
    if (field->type != WIRE_BYTES)
        return damaged(p, "attribute");
    return read_tensor(p, field->bytes, a->tensor);
}

static int read_attribute(struct parser *p, struct wire in, struct onnx_attribute *a)
{
    *a = (struct onnx_attribute){.name = "", .text = ""};
    struct wire_field field;
    long count = 0, most = (long)wire_size(&in); /* an integer takes a byte at least */
    int found;
    while ((found = wire_next(&in, &field)) == 1) {
        uint32_t bits = (uint32_t)field.value;
        if (field.number == ATTR_NAME)
            a->name = copy_text(p, &field);
        else if (field.number == ATTR_S)
            a->text = copy_text(p, &field);
        else if (field.number == ATTR_I)
            a->i = (int64_t)field.value;
        else if (field.number == ATTR_F)
            memcpy(&a->f, &bits, sizeof bits);
        else if (field.number == ATTR_T) {
            if (read_tensor_attribute(p, &field, a) < 0)
                return -1;
        } else if (field.number == ATTR_INTS) {
            if (!a->ints && !(a->ints = arena_new(p->arena, int64_t, (size_t)most)))
                return no_memory(p);
            count = take_ints(&field, a->ints, count, most);
        }
        if (count < 0 || !a->name || !a->text)
            return damaged(p, "attribute");
    }
    a->int_count = (size_t)count;
    return found < 0 ? damaged(p, "attribute") : 0;
}

static int prepare_node(struct parser *p, struct wire in, struct onnx_node *node)
{
    long inputs = count_fields(in, NODE_INPUT), outputs = count_fields(in, NODE_OUTPUT);
    long attributes = count_fields(in, NODE_ATTRIBUTE);
    if (inputs < 0)
        return damaged(p, "node");
    *node = (struct onnx_node){.op = "", .name = "", .domain = ""};
    node->inputs = arena_new(p->arena, const char *, (size_t)inputs + 1);
    node->outputs = arena_new(p->arena, const char *, (size_t)outputs + 1);
    node->attributes = arena_new(p->arena, struct onnx_attribute, (size_t)attributes + 1);
    return node->inputs && node->outputs && node->attributes ? 0 : no_memory(p);
}

static int read_node(struct parser *p, struct wire in, struct onnx_node *node)
{
    if (prepare_node(p, in, node) < 0)
        return -1;
    for (struct wire_field field; wire_next(&in, &field) == 1;) {
        if (field.number > NODE_DOMAIN || field.type != WIRE_BYTES)
            continue;
        if (field.number == NODE_ATTRIBUTE) {
            if (read_attribute(p, field.bytes, &node->attributes[node->attribute_count++]) < 0)
                return -1;
            continue;
        }
        const char *text = copy_text(p, &field);
        if (!text)
            return no_memory(p);
        if (field.number == NODE_INPUT)
            node->inputs[node->input_count++] = text;
        else if (field.number == NODE_OUTPUT)
            node->outputs[node->output_count++] = text;
        else if (field.number == NODE_NAME)
            node->name = text;
        else if (field.number == NODE_OP)
            node->op = text;
        else if (field.number == NODE_DOMAIN)
            node->domain = text;
    }
    if (node->name[0] == 0 && node->output_count > 0)
        node->name = node->outputs[0];
    return 0;
}

static int read_shape(struct parser *p, struct wire in, struct onnx_value *value)
{
    value->rank = 0;
    int found;
    for (struct wire_field dim, field; (found = wire_next(&in, &dim)) == 1;) {
        if (dim.number != SHAPE_DIM || dim.type != WIRE_BYTES)
            continue;
        if (value->rank == IMPORT_MAX_RANK)
            return err_set(p->err, ERR_UNSUPPORTED, "%s: more than %d dimensions", value->name,
                           IMPORT_MAX_RANK);
        int64_t size = ONNX_UNKNOWN_DIM;
        while ((found = wire_next(&dim.bytes, &field)) == 1)
            if (field.number == DIM_VALUE && field.type == WIRE_VARINT)
                size = (int64_t)field.value;
        if (found < 0)
            break;
        value->dims[value->rank++] = size;
    }
    return found < 0 ? damaged(p, "shape") : 0;
}

/* The only field of this number in a message; 0 when there is none, -1 when damaged. */
static int find_message(struct wire in, uint32_t number, struct wire *out)
{
    struct wire_field field;
    int found, have = 0;
    while ((found = wire_next(&in, &field)) == 1)
        if (field.number == number && field.type == WIRE_BYTES) {
            *out = field.bytes;
            have = 1;
        }
    return found < 0 ? -1 : have;
}

static int read_value(struct parser *p, struct wire in, struct onnx_value *value)
{
    *value = (struct onnx_value){.name = "", .rank = -1};
    struct wire name, type, tensor, shape;
    if (find_message(in, VALUE_NAME, &name) < 1)
        return damaged(p, "input or output");
    value->name = arena_copy(p->arena, name.at, wire_size(&name));
    if (!value->name)
        return no_memory(p);
    int found = find_message(in, VALUE_TYPE, &type);
    if (found == 1)
        found = find_message(type, TYPE_TENSOR, &tensor);
    if (found == 1)
        found = find_message(tensor, TYPE_SHAPE, &shape);
    if (found < 0)
        return damaged(p, value->name);
    return found == 1 ? read_shape(p, shape, value) : 0;
}

static int prepare_graph(struct parser *p, struct wire in, struct onnx_graph *graph)
{
    long nodes = count_fields(in, GRAPH_NODE), constants = count_fields(in, GRAPH_CONSTANT);
    long inputs = count_fields(in, GRAPH_INPUT), outputs = count_fields(in, GRAPH_OUTPUT);
    if (nodes < 0)
        return damaged(p, "graph");
    if (nodes > MODEL_MAX_NODES || constants > 16 * MODEL_MAX_NODES ||
        inputs > 16 * MODEL_MAX_NODES)
        return err_set(p->err, ERR_TOO_BIG, "%ld nodes, more than %d", nodes, MODEL_MAX_NODES);
    graph->nodes = arena_new(p->arena, struct onnx_node, (size_t)nodes + 1);
    graph->constants = arena_new(p->arena, struct onnx_tensor, (size_t)constants + 1);
    graph->inputs = arena_new(p->arena, struct onnx_value, (size_t)inputs + 1);
    graph->outputs = arena_new(p->arena, struct onnx_value, (size_t)outputs + 1);
    if (!graph->nodes || !graph->constants || !graph->inputs || !graph->outputs)
        return no_memory(p);
    return 0;
}

static int read_graph(struct parser *p, struct wire in, struct onnx_graph *graph)
{
    if (prepare_graph(p, in, graph) < 0)
        return -1;
    for (struct wire_field field; wire_next(&in, &field) == 1;) {
        int result = 0;
        if (field.type != WIRE_BYTES)
            continue;
        if (field.number == GRAPH_NODE)
            result = read_node(p, field.bytes, &graph->nodes[graph->node_count++]);
        else if (field.number == GRAPH_CONSTANT)
            result = read_tensor(p, field.bytes, &graph->constants[graph->constant_count++]);
        else if (field.number == GRAPH_INPUT)
            result = read_value(p, field.bytes, &graph->inputs[graph->input_count++]);
        else if (field.number == GRAPH_OUTPUT)
            result = read_value(p, field.bytes, &graph->outputs[graph->output_count++]);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int64_t read_opset(struct wire in)
{
    int64_t version = 0;
    int is_default = 1;
    for (struct wire_field field; wire_next(&in, &field) == 1;) {
        if (field.number == OPSET_VERSION && field.type == WIRE_VARINT)
            version = (int64_t)field.value;
        if (field.number == OPSET_DOMAIN && field.type == WIRE_BYTES)
            is_default = wire_size(&field.bytes) == 0;
    }
    return is_default ? version : 0;
}

int onnx_parse(const void *data, size_t size, struct arena *arena, struct onnx_graph *graph,
               struct err *err)
{
    struct parser p = {arena, err};
    struct wire in = {data, (const unsigned char *)data + size}, graph_bytes = {0};
    struct wire_field field;
    *graph = (struct onnx_graph){0};
    int found;
    while ((found = wire_next(&in, &field)) == 1) {
        if (field.number == MODEL_GRAPH && field.type == WIRE_BYTES)
            graph_bytes = field.bytes;
        if (field.number == MODEL_OPSET && field.type == WIRE_BYTES) {
            int64_t opset = read_opset(field.bytes);
            graph->opset = opset > graph->opset ? opset : graph->opset;
        }
    }
    if (found < 0)
        return damaged(&p, "file");
    if (!graph_bytes.at)
        return err_set(err, ERR_INVALID, "not an ONNX file: no graph in it");
    return read_graph(&p, graph_bytes, graph);
}

const struct onnx_attribute *onnx_attribute(const struct onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}
