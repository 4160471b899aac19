#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "nn/model.h"

/* models/manifest.json: which network comes from which file of which package, its checksum and
 * licence. The checksum decides: another file under the same name is refused. */
struct manifest;

struct manifest_model {
    const char *name; /* "fr_feature": NAME.ken is made of it */
    const char *package, *version, *file, *licence, *sha256, *role;
    struct model_use use; /* the role, and "input": channels, subtract, divide */
};

struct manifest *manifest_open(const char *path, struct err *err);
void manifest_close(struct manifest *manifest); /* NULL is fine */
size_t manifest_models(const struct manifest *manifest);
const struct manifest_model *manifest_model(const struct manifest *manifest, size_t index);

/* Appends the bytes of a model's file, found below `packages` (the folder node_modules), to `out`,
 * after checking its checksum. */
int manifest_read(const struct manifest_model *model, const char *packages, struct buf *out,
                  struct err *err) MUST_USE;

#endif
