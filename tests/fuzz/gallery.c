#include "base/file.h"
#include "face/gallery_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the rest, which lies behind the segment at `at`, end in the file, and its checksum right.
 * Returns its bytes. */
static size_t mend_rest(uint8_t *at, const struct segment *segment, size_t left)
{
    struct rest rest;
    struct err err;
    if (!(segment->people & SEGMENT_HAS_REST) || segment->payload_bytes < sizeof rest)
        return 0;
    uint8_t *payload = at + SEGMENT_HEADER_BYTES;
    memcpy(&rest, payload, sizeof rest);
    rest.bytes = rest.bytes < left ? rest.bytes : left;
    if (rest_close(&rest, payload + segment->payload_bytes + GALLERY_CHECK_BYTES, NULL, &err) < 0)
        abort();
    memcpy(payload, &rest, sizeof rest);
    return rest.bytes;
}

/* Makes the file say its own length, and each segment's checksum right. */
static void mend_file(uint8_t *file, size_t size)
{
    const uint8_t *previous = NULL;
    struct err err;
    gallery_put_committed(file, size);
    for (size_t at = GALLERY_HEADER_BYTES;
         size - at >= SEGMENT_HEADER_BYTES + GALLERY_CHECK_BYTES;) {
        struct segment segment = segment_take_header(file + at);
        size_t most = size - at - SEGMENT_HEADER_BYTES - GALLERY_CHECK_BYTES;
        segment.payload_bytes = segment.payload_bytes < most ? segment.payload_bytes : most;
        segment_put_header(file + at, &segment);
        size_t rest = mend_rest(file + at, &segment, most - segment.payload_bytes);
        struct segment_place place = {file, previous, NULL};
        if (segment_close(file + at, &place, &err) < 0)
            abort();
        at += SEGMENT_HEADER_BYTES + segment.payload_bytes + GALLERY_CHECK_BYTES;
        previous = file + at - GALLERY_CHECK_BYTES;
        at += rest;
    }
}

/* The version before: one checksum over all. */
static void mend_old_file(uint8_t *file, size_t size)
{
    size_t unchecked = size - GALLERY_CHECK_BYTES;
    EVP_Digest(file, unchecked, file + unchecked, NULL, EVP_sha256(), NULL);
}

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
    if (mend && size > GALLERY_HEADER_BYTES && memcmp(copy, "KENGAL2", 7) == 0)
        mend_old_file(copy, size);
    else if (mend && size > GALLERY_HEADER_BYTES)
        mend_file(copy, size);
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
    gallery = gallery_open_to_search(path, &err);
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
