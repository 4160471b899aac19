#ifndef NN_IMPORT_EXTERNAL_H
#define NN_IMPORT_EXTERNAL_H

#include "base/err.h"
#include "nn/import/wire.h"

#include <stddef.h>
#include <stdint.h>

/* Numbers that lie in a file beside the ONNX file, as exporters write networks of any size by now:
 * https://onnx.ai/onnx/repo-docs/ExternalData.html. */
struct external {
    const char *location; /* below the ONNX file's folder; borrowed from an arena */
    uint64_t offset, bytes;
    int has_bytes; /* else: to the end of the file */
};

/* Reads `size` bytes, all of them, from the file beside `onnx_path`. A location that leads out of
 * that folder is refused. */
int external_read(const struct external *external, const char *onnx_path, void *out, size_t size,
                  struct err *err) MUST_USE;

#endif
