#ifndef NN_IMPORT_IMPORT_H
#define NN_IMPORT_IMPORT_H

#include "base/buf.h"
#include "base/err.h"
#include "nn/model.h"

#include <stddef.h>
#include <stdint.h>

/* ONNX to ken's model file (docs/model-file.md). Done once for a network, so clarity comes before
 * speed. The input may be anything: damage is ERR_INVALID, past a limit ERR_TOO_BIG, a valid
 * network that ken cannot run ERR_UNSUPPORTED with the operator and the node named. */

enum { IMPORT_MAX_RANK = 6 };
#define IMPORT_MAX_FILE_BYTES ((size_t)1 << 30)
#define IMPORT_MAX_MEMORY_BYTES ((size_t)4 << 30)

struct import_options {
    /* Shape of the first input where the file leaves it open; rank 0: as the file says, with an
     * open first dimension (the batch) taken as 1. */
    int rank;
    int64_t dims[IMPORT_MAX_RANK];
    /* Kept in the model file; its identity is worked out here. Where a role is given, the first
     * input must be a picture (1, C, H, W) of as many channels as the order says. */
    struct model_use use;
    /* Where the ONNX file lies, to read numbers that it keeps in files beside it; NULL: such a
     * network is refused. */
    const char *path;
};

/* What the import did, for people. */
struct import_report {
    size_t onnx_nodes, nodes; /* before and after */
    size_t fused_activations, fused_residuals, folded_nodes;
    size_t denormals; /* weights flushed to zero */
    size_t weights_floats, arena_floats, macs;
};

/* Appends the model file's bytes to `out`. `options` may be NULL. */
int nn_import(const void *onnx, size_t size, const struct import_options *options, struct buf *out,
              struct import_report *report, struct err *err) MUST_USE;

#endif
