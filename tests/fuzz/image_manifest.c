#include "cloud/ecr/ecr.h"

#include <stdint.h>
#include <stdlib.h>

/* A container image's manifest, as a registry gets it. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct ecr_manifest manifest;
    const char *const *children;
    struct err err;
    arena_init(&arena, 8 * 1024 * 1024);
    if (ecr_read_manifest(NULL, data, size, &arena, &manifest, &children, &err) == 0)
        for (const char *const *blob = manifest.blobs; *blob; blob++)
            if (!ecr_is_digest(*blob))
                abort(); /* a name that would become a path */
    arena_finish(&arena);
    return 0;
}
