#include "nn/import/onnx_parser.h"

#include "nn/format.h"

#include <string.h>

/* Field numbers of onnx.proto3. */
enum { MODEL_GRAPH = 7, MODEL_OPSET = 8, OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE, NODE_DOMAIN = 7 };
enum { ATTR_NAME = 1, ATTR_F, ATTR_I, ATTR_S, ATTR_T, ATTR_FLOATS = 7, ATTR_INTS };
enum { VALUE_NAME = 1, VALUE_TYPE, TYPE_TENSOR = 1, TYPE_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1 };

int onnx_damaged(struct onnx_parser *p, const char *what)
{
    return err_set(p->err, ERR_INVALID, "%s: not valid ONNX (cut off or damaged)", what);
}

int onnx_no_memory(struct onnx_parser *p)
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

const char *onnx_copy_text(struct onnx_parser *p, const struct wire_field *field)
{
    return field->type == WIRE_BYTES
               ? arena_copy(p->arena, field->bytes.at, wire_size(&field->bytes))
               : NULL;
}

/* Appends the integers of one field, packed or not. Returns the new count, or -1. */
long onnx_take_ints(const struct wire_field *field, int64_t *out, long count, long most)
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

static int read_tensor_attribute(struct onnx_parser *p, const struct wire_field *field,
                                 struct onnx_attribute *a)
{
    a->tensor = arena_new(p->arena, struct onnx_tensor, 1);
    if (!a->tensor)
        return onnx_no_memory(p);
    if (field->type != WIRE_BYTES)
        return onnx_damaged(p, "attribute");
    return onnx_read_tensor(p, field->bytes, a->tensor);
}

static int take_list(struct onnx_parser *p, const struct wire_field *field,
                     struct onnx_attribute *a, size_t bytes)
{
    long count;
    if (field->number == ATTR_INTS) {
        /* an integer takes a byte at least */
        if (!a->ints && !(a->ints = arena_new(p->arena, int64_t, bytes)))
            return onnx_no_memory(p);
        count = onnx_take_ints(field, a->ints, (long)a->int_count, (long)bytes);
        a->int_count = count < 0 ? 0 : (size_t)count;
    } else {
        if (!a->floats && !(a->floats = arena_new(p->arena, float, bytes / sizeof(float) + 1)))
            return onnx_no_memory(p);
        count = onnx_take_floats(field, a->floats, (long)a->float_count, bytes / sizeof(float));
        a->float_count = count < 0 ? 0 : (size_t)count;
    }
    return count < 0 ? onnx_damaged(p, "attribute") : 0;
}

static int read_attribute(struct onnx_parser *p, struct wire in, struct onnx_attribute *a)
{
    *a = (struct onnx_attribute){.name = "", .text = ""};
    struct wire_field field;
    size_t bytes = wire_size(&in);
    int found;
    while ((found = wire_next(&in, &field)) == 1) {
        uint32_t bits = (uint32_t)field.value;
        if (field.number == ATTR_NAME)
            a->name = onnx_copy_text(p, &field);
        else if (field.number == ATTR_S)
            a->text = onnx_copy_text(p, &field);
        else if (field.number == ATTR_I)
            a->i = (int64_t)field.value;
        else if (field.number == ATTR_F)
            memcpy(&a->f, &bits, sizeof bits);
        else if (field.number == ATTR_T) {
            if (read_tensor_attribute(p, &field, a) < 0)
                return -1;
        } else if (field.number == ATTR_INTS || field.number == ATTR_FLOATS) {
            if (take_list(p, &field, a, bytes) < 0)
                return -1;
        }
        if (!a->name || !a->text)
            return onnx_damaged(p, "attribute");
    }
    return found < 0 ? onnx_damaged(p, "attribute") : 0;
}

static int prepare_node(struct onnx_parser *p, struct wire in, struct onnx_node *node)
{
    long inputs = count_fields(in, NODE_INPUT), outputs = count_fields(in, NODE_OUTPUT);
    long attributes = count_fields(in, NODE_ATTRIBUTE);
    if (inputs < 0)
        return onnx_damaged(p, "node");
    *node = (struct onnx_node){.op = "", .name = "", .domain = ""};
    node->inputs = arena_new(p->arena, const char *, (size_t)inputs + 1);
    node->outputs = arena_new(p->arena, const char *, (size_t)outputs + 1);
    node->attributes = arena_new(p->arena, struct onnx_attribute, (size_t)attributes + 1);
    return node->inputs && node->outputs && node->attributes ? 0 : onnx_no_memory(p);
}

static int read_node(struct onnx_parser *p, struct wire in, struct onnx_node *node)
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
        const char *text = onnx_copy_text(p, &field);
        if (!text)
            return onnx_no_memory(p);
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

static int read_shape(struct onnx_parser *p, struct wire in, struct onnx_value *value)
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
    return found < 0 ? onnx_damaged(p, "shape") : 0;
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

static int read_value(struct onnx_parser *p, struct wire in, struct onnx_value *value)
{
    *value = (struct onnx_value){.name = "", .rank = -1};
    struct wire name, type, tensor, shape;
    if (find_message(in, VALUE_NAME, &name) < 1)
        return onnx_damaged(p, "input or output");
    value->name = arena_copy(p->arena, name.at, wire_size(&name));
    if (!value->name)
        return onnx_no_memory(p);
    int found = find_message(in, VALUE_TYPE, &type);
    if (found == 1)
        found = find_message(type, TYPE_TENSOR, &tensor);
    if (found == 1)
        found = find_message(tensor, TYPE_SHAPE, &shape);
    if (found < 0)
        return onnx_damaged(p, value->name);
    return found == 1 ? read_shape(p, shape, value) : 0;
}

static int prepare_graph(struct onnx_parser *p, struct wire in, struct onnx_graph *graph)
{
    long nodes = count_fields(in, GRAPH_NODE), constants = count_fields(in, GRAPH_CONSTANT);
    long inputs = count_fields(in, GRAPH_INPUT), outputs = count_fields(in, GRAPH_OUTPUT);
    if (nodes < 0)
        return onnx_damaged(p, "graph");
    if (nodes > MODEL_MAX_NODES || constants > 16 * MODEL_MAX_NODES ||
        inputs > 16 * MODEL_MAX_NODES)
        return err_set(p->err, ERR_TOO_BIG, "%ld nodes, more than %d", nodes, MODEL_MAX_NODES);
    graph->nodes = arena_new(p->arena, struct onnx_node, (size_t)nodes + 1);
    graph->constants = arena_new(p->arena, struct onnx_tensor, (size_t)constants + 1);
    graph->inputs = arena_new(p->arena, struct onnx_value, (size_t)inputs + 1);
    graph->outputs = arena_new(p->arena, struct onnx_value, (size_t)outputs + 1);
    if (!graph->nodes || !graph->constants || !graph->inputs || !graph->outputs)
        return onnx_no_memory(p);
    return 0;
}

static int read_graph(struct onnx_parser *p, struct wire in, struct onnx_graph *graph)
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
            result = onnx_read_tensor(p, field.bytes, &graph->constants[graph->constant_count++]);
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

int onnx_parse(const struct onnx_file *file, struct arena *arena, struct onnx_graph *graph,
               struct err *err)
{
    struct onnx_parser p = {arena, err, file->path, 0};
    struct wire in = {file->data, (const unsigned char *)file->data + file->size};
    struct wire graph_bytes = {0};
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
        return onnx_damaged(&p, "file");
    if (!graph_bytes.at)
        return err_set(err, ERR_INVALID, "not an ONNX file: no graph in it");
    int result = read_graph(&p, graph_bytes, graph);
    graph->external_checksum = p.external_checksum;
    return result;
}

const struct onnx_attribute *onnx_attribute(const struct onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}
