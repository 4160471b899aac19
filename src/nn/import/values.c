#include "nn/import/importer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names to values: open addressing, twice as many slots as names. */
struct names {
    int *slots; /* 1 + value */
    size_t mask;
};

static size_t hash(const char *name)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

static int value_named(struct importer *im, struct names *names, const char *name)
{
    if (!name[0])
        return NO_VALUE;
    size_t slot = hash(name) & names->mask;
    for (; names->slots[slot]; slot = (slot + 1) & names->mask)
        if (strcmp(im->values[names->slots[slot] - 1].name, name) == 0)
            return names->slots[slot] - 1;
    im->values[im->value_count].name = name;
    names->slots[slot] = ++im->value_count;
    return im->value_count - 1;
}

static int link_node(struct importer *im, struct names *names, int index)
{
    struct import_node *node = &im->nodes[index];
    const struct onnx_node *onnx = node->onnx = &im->graph.nodes[index];
    node->inputs = arena_new(im->arena, int, onnx->input_count + 1);
    node->outputs = arena_new(im->arena, int, onnx->output_count + 1);
    if (!node->inputs || !node->outputs)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    for (size_t i = 0; i < onnx->input_count; i++) {
        int value = node->inputs[i] = value_named(im, names, onnx->inputs[i]);
        if (value == NO_VALUE)
            continue;
        im->values[value].uses++;
        im->values[value].consumer = index;
    }
    for (size_t i = 0; i < onnx->output_count; i++)
        node->outputs[i] = value_named(im, names, onnx->outputs[i]);
    return 0;
}

static size_t count_names(const struct onnx_graph *graph)
{
    size_t count = graph->constant_count + graph->input_count + graph->output_count;
    for (size_t i = 0; i < graph->node_count; i++)
        count += graph->nodes[i].input_count + graph->nodes[i].output_count;
    return count;
}

static int link_constants(struct importer *im, struct names *names)
{
    for (size_t i = 0; i < im->graph.constant_count; i++) {
        int value = value_named(im, names, im->graph.constants[i].name);
        if (value == NO_VALUE || im->values[value].known)
            return import_fail(im, ERR_INVALID, "constant \"%s\" is there twice or has no name",
                               im->graph.constants[i].name);
        define_constant(im, value, &im->graph.constants[i]);
    }
    return 0;
}

/* Inputs that are not constants with a default, as older files list them too. */
static int link_edges(struct importer *im, struct names *names)
{
    const struct onnx_graph *graph = &im->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        int value = value_named(im, names, graph->inputs[i].name);
        if (value == NO_VALUE || im->values[value].known)
            continue;
        if (im->input_count == MODEL_MAX_INPUTS)
            return import_fail(im, ERR_UNSUPPORTED, "more than %d inputs", MODEL_MAX_INPUTS);
        graph->inputs[im->input_count] = graph->inputs[i];
        im->inputs[im->input_count++] = value;
    }
    if (graph->output_count < 1 || graph->output_count > MODEL_MAX_OUTPUTS)
        return import_fail(im, ERR_UNSUPPORTED, "%zu outputs, not 1 to %d", graph->output_count,
                           MODEL_MAX_OUTPUTS);
    if (im->input_count < 1)
        return import_fail(im, ERR_UNSUPPORTED, "no inputs");
    for (size_t i = 0; i < graph->output_count; i++) {
        int value = im->outputs[im->output_count++] =
            value_named(im, names, graph->outputs[i].name);
        if (value == NO_VALUE)
            return import_fail(im, ERR_INVALID, "an output has no name");
        im->values[value].uses += 2; /* stays: nothing may be fused over it */
    }
    return 0;
}

int values_link(struct importer *im)
{
    size_t count = count_names(&im->graph), slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    struct names names = {arena_new(im->arena, int, slots), slots - 1};
    im->values = arena_new(im->arena, struct value, count + 1);
    im->nodes = arena_new(im->arena, struct import_node, im->graph.node_count + 1);
    if (!names.slots || !im->values || !im->nodes)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    im->node_count = (int)im->graph.node_count;
    if (link_constants(im, &names) < 0 || link_edges(im, &names) < 0)
        return -1;
    for (int i = 0; i < im->node_count; i++)
        if (link_node(im, &names, i) < 0)
            return -1;
    return 0;
}

int import_fail(struct importer *im, enum err_code code, const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(im->err, code, "%s", text);
}

int node_fail(struct importer *im, const struct import_node *node, enum err_code code,
              const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(im->err, code, "node \"%s\" (%s): %s", node->onnx->name, node->onnx->op, text);
}
