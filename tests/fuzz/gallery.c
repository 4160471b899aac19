#include "base/file.h"
#include "face/gallery_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHECK_BYTES = 32 };

/* Open the bytes as a plain gallery; with `mend`, after making the checksum right, so that changed
 * counts and names are read and not just refused. */
static void try_open(const uint8_t *data, size_t size, int mend)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/ken-fuzz-gallery-%d", (int)getpid());
    uint8_t *copy = malloc(size + 1);
    FILE *file = fopen(path, "wb");
    if (!copy || !file)
        abort();
    memcpy(copy, data, size);
    if (mend && size > CHECK_BYTES)
        EVP_Digest(copy, size - CHECK_BYTES, copy + size - CHECK_BYTES, NULL, EVP_sha256(), NULL);
    fwrite(copy, 1, size, file);
    fclose(file);
    free(copy);
    struct err err = {0};
    struct match match;
    float face[FACE_EMBEDDING_FLOATS] = {1};
    struct gallery *gallery = gallery_open(path, &err);
    if (gallery && gallery_match(gallery, face, &match) && !match.name)
        abort();
    gallery_destroy(gallery);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_open(data, size, 0);
    try_open(data, size, 1);
    return 0;
}
