#ifndef NN_MODEL_H
#define NN_MODEL_H

#include "base/err.h"
#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

/* A network in ken's own file form (docs/model-file.md), made once by `ken model import` and mapped
 * read-only: nothing is parsed, packed or copied when it opens, and processes share its pages.
 * Opening checks the header, every offset and size, and the checksum; a damaged or hostile file is
 * refused with ERR_CORRUPT. A model is immutable: any number of threads and sessions may use it. */
struct model;

enum { MODEL_MAX_INPUTS = 4, MODEL_MAX_OUTPUTS = 16, MODEL_NAME_BYTES = 64 };

/* What a network is for and how a picture becomes its first input, as told at import. */
enum model_role { ROLE_NONE, ROLE_DETECT, ROLE_LANDMARK, ROLE_EMBED, ROLE_LIVENESS, MODEL_ROLES };
enum model_order { ORDER_NONE, ORDER_RGB, ORDER_BGR, ORDER_GREY, MODEL_ORDERS };
/* How an embedder wants the face cut out: face/parts.h has both. */
enum model_alignment { ALIGN_ARCFACE, ALIGN_DLIB, MODEL_ALIGNMENTS };

struct model_use {
    enum model_role role;
    enum model_order order;
    enum model_alignment alignment;
    float mean[3], scale[3]; /* input = (byte - mean) * scale; [c] is the input's channel c */
    /* Of the ONNX file, the input's shape and all of the above; the same with another version of
     * ken. What one network computed means nothing to a network of another identity. */
    uint64_t identity;
};

/* "detect", "rgb", "arcface"; the value of such a word, or -1. */
const char *model_role_name(enum model_role role);
const char *model_order_name(enum model_order order);
const char *model_alignment_name(enum model_alignment alignment);
int model_role_named(const char *name);
int model_order_named(const char *name);
int model_alignment_named(const char *name);

/* A tensor at the model's edge. Memory is NHWC with N = 1 for 4-d tensors:
 * [height][width][channels]. `dims` are the ONNX shape (N, C, H, W) with `rank` entries. A tensor
 * of another rank is stored as ONNX has it. */
struct model_tensor {
    char name[MODEL_NAME_BYTES];
    int rank, dims[4];
    size_t floats;
};

struct model *model_open(const char *path, struct err *err);
/* The same of a file that is in memory: borrowed until model_close(), 64-byte aligned. */
struct model *model_open_memory(const void *data, size_t size, struct err *err);
void model_close(struct model *model); /* NULL is fine; after its sessions are gone */
/* It is not used for now: its pages need not stay in memory. A later use reads them again. */
void model_rest(const struct model *model);

size_t model_inputs(const struct model *model);
size_t model_outputs(const struct model *model);
const struct model_tensor *model_input(const struct model *model, size_t index);
const struct model_tensor *model_output(const struct model *model, size_t index);

struct model_use model_use(const struct model *model);

/* Multiply-adds of one run. */
size_t model_macs(const struct model *model);

/* Of the planned memory of one session. */
size_t model_arena_bytes(const struct model *model);

/* What the network is made of, for people: one node. */
struct model_node_text {
    const char *name, *op; /* the ONNX node's name; "conv", "depthwise", ... */
    int out[4];            /* dimensions of what it makes; (1, C, H, W) for convolutions */
    size_t macs;
};
size_t model_nodes(const struct model *model);
void model_node_describe(const struct model *model, size_t index, struct model_node_text *text);

/* The working memory of one thread of execution: one arena planned at import. */
struct session;

/* `pool` (borrowed, may be NULL) splits large layers over its threads. */
struct session *session_create(const struct model *model, struct pool *pool, struct err *err);
/* With products of 32-bit floats only, also where the processor is faster with 16-bit ones
 * (docs/engine.md): for what is kept, or compared with what another processor computes. */
struct session *session_create_exact(const struct model *model, struct pool *pool, struct err *err);
/* A session that never runs while `beside` does, as exact, with the same pool and in the same
 * memory where that is large enough: `beside` must outlive it, and the outputs of each are valid
 * until the other's inputs are written. Stages of one picture, the largest network first. */
struct session *session_create_beside(const struct model *model, const struct session *beside,
                                      struct err *err);
void session_destroy(struct session *session); /* NULL is fine */

/* Where to put an input before session_run(), and find an output after it. Outputs stay valid until
 * the next run; inputs must be written again for each run (their memory is reused). */
float *session_input(struct session *session, size_t index);
const float *session_output(const struct session *session, size_t index);

/* Bytes a session holds: arena (unless it is another's) and scratch. */
size_t session_bytes(const struct session *session);

/* Runs the network. Never fails, never allocates. Denormal floats count as zero in the calling
 * thread (and the pool's) from then on. */
void session_run(struct session *session);
/* One node of it, to measure: a run is all of them in order, 0 to model_nodes() - 1. */
void session_run_node(struct session *session, size_t index);

#endif
