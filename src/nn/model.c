#include "nn/internal.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void describe_edge(struct model_tensor *tensor, const struct model_edge *edge)
{
    memcpy(tensor->name, edge->name, sizeof tensor->name);
    tensor->rank = edge->rank;
    tensor->floats = 1;
    for (int i = 0; i < edge->rank; i++) {
        tensor->dims[i] = edge->dims[i];
        tensor->floats *= (size_t)edge->dims[i];
    }
}

struct model *model_open_memory(const void *data, size_t size, struct err *err)
{
    if ((uintptr_t)data % MODEL_ALIGN_BYTES != 0) {
        err_set(err, ERR_INVALID, "open model: memory not aligned to %d bytes", MODEL_ALIGN_BYTES);
        return NULL;
    }
    if (model_verify(data, size, err) < 0)
        return NULL;
    struct model *model = calloc(1, sizeof *model);
    if (!model) {
        err_set(err, ERR_NO_MEMORY, "open model");
        return NULL;
    }
    const char *bytes = data;
    model->header = data;
    model->edges = (const void *)(bytes + model->header->tensors_at);
    model->nodes = (const void *)(bytes + model->header->nodes_at);
    model->weights = (const void *)(bytes + model->header->weights_at);
    for (size_t i = 0; i < model_inputs(model) + model_outputs(model); i++)
        describe_edge(&model->tensors[i], &model->edges[i]);
    return model;
}

/* The whole file, read-only, and its pages mapped in one call, where touching them one by one would
 * fault for each (before Linux 5.14 they do). What is not in the page cache yet is read in large
 * pages, where the file system has them: to map those, now and in every process after, takes a
 * tenth of the time. All of it is advice. */
static void *map_whole(int fd, size_t size)
{
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    madvise(map, size, MADV_HUGEPAGE);
    madvise(map, size, MADV_POPULATE_READ);
    return map;
}

static void *map_file(const char *path, size_t *size, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        err_set_errno(err, "open %s", path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    void *map = NULL;
    if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(struct model_header))
        err_set(err, ERR_CORRUPT, "open %s: not a ken model file", path);
    else if ((uint64_t)status.st_size > MODEL_MAX_FILE_BYTES)
        err_set(err, ERR_TOO_BIG, "open %s: larger than 2 GiB", path);
    else if (!(map = map_whole(fd, (size_t)status.st_size)))
        err_set_errno(err, "map %s", path);
    close(fd);
    *size = (size_t)status.st_size;
    return map;
}

struct model *model_open(const char *path, struct err *err)
{
    size_t size;
    void *map = map_file(path, &size, err);
    if (!map)
        return NULL;
    struct model *model = model_open_memory(map, size, err);
    if (!model) {
        munmap(map, size);
        err_wrap(err, "open %s", path);
        return NULL;
    }
    model->mapped_bytes = size;
    return model;
}

void model_close(struct model *model)
{
    if (!model)
        return;
    if (model->mapped_bytes)
        munmap((void *)(uintptr_t)model->header, model->mapped_bytes);
    free(model);
}

void model_rest(const struct model *model)
{
    /* advice: where it is not taken, all is as it was */
    if (model->mapped_bytes)
        (void)madvise((void *)(uintptr_t)model->header, model->mapped_bytes, MADV_DONTNEED);
}

size_t model_inputs(const struct model *model)
{
    return model->header->inputs;
}

size_t model_outputs(const struct model *model)
{
    return model->header->outputs;
}

const struct model_tensor *model_input(const struct model *model, size_t index)
{
    return index < model_inputs(model) ? &model->tensors[index] : NULL;
}

const struct model_tensor *model_output(const struct model *model, size_t index)
{
    return index < model_outputs(model) ? &model->tensors[model_inputs(model) + index] : NULL;
}

size_t model_nodes(const struct model *model)
{
    return model->header->nodes;
}

size_t model_macs(const struct model *model)
{
    size_t macs = 0;
    for (size_t i = 0; i < model_nodes(model); i++)
        macs += model_node_macs(&model->nodes[i]);
    return macs;
}

size_t model_arena_bytes(const struct model *model)
{
    return model->header->arena_floats * sizeof(float);
}

void model_node_describe(const struct model *model, size_t index, struct model_node_text *text)
{
    static const char *const ops[MODEL_OPS] = {"conv",   "depthwise", "pool",   "binary",
                                               "unary",  "softmax",   "copy",   "resize",
                                               "reduce", "matmul",    "windows"};
    const struct model_node *node = &model->nodes[index];
    *text = (struct model_node_text){
        .name = node->name, .op = ops[node->op], .macs = model_node_macs(node)};
    if (node->op == MODEL_CONV && node->kind)
        text->op = "winograd";
    memcpy(text->out, node->out.dims, sizeof text->out);
}

struct model_use model_use(const struct model *model)
{
    const struct model_header *h = model->header;
    struct model_use use = {.role = (enum model_role)h->role,
                            .order = (enum model_order)h->order,
                            .alignment = (enum model_alignment)h->alignment,
                            .identity = h->identity};
    memcpy(use.mean, h->mean, sizeof use.mean);
    memcpy(use.scale, h->scale, sizeof use.scale);
    return use;
}

static const char *const roles[MODEL_ROLES] = {"none", "detect", "landmark", "embed", "liveness"};
static const char *const orders[MODEL_ORDERS] = {"none", "rgb", "bgr", "grey"};
static const char *const alignments[MODEL_ALIGNMENTS] = {"arcface", "dlib"};

static int find_word(const char *const *words, int count, const char *word)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

const char *model_role_name(enum model_role role)
{
    return roles[role];
}

const char *model_order_name(enum model_order order)
{
    return orders[order];
}

const char *model_alignment_name(enum model_alignment alignment)
{
    return alignments[alignment];
}

int model_role_named(const char *name)
{
    return find_word(roles, MODEL_ROLES, name);
}

int model_order_named(const char *name)
{
    return find_word(orders, MODEL_ORDERS, name);
}

int model_alignment_named(const char *name)
{
    return find_word(alignments, MODEL_ALIGNMENTS, name);
}
