#include "cli/layer.h"

#include "base/file.h"
#include "base/hex.h"

#include <archive.h>
#include <archive_entry.h>
#include <libdeflate.h>
#include <openssl/sha.h>
#include <string.h>

enum { LEVEL = 9 }; /* of libdeflate's 12: the last ones take four times as long for 0.1 % */

static int failed(struct layer *layer, struct err *err)
{
    const char *cause = archive_error_string(layer->tar);
    return err_set(err, ERR_TOO_BIG, "make layer: %s", cause ? cause : "it is too large");
}

static la_ssize_t write_tar(struct archive *tar, void *context, const void *data, size_t size)
{
    (void)tar;
    return buf_append(context, data, size) < 0 ? -1 : (la_ssize_t)size;
}

int layer_begin(struct layer *layer, struct err *err)
{
    *layer = (struct layer){.tar = archive_write_new()};
    buf_init(&layer->bytes, LAYER_MAX_BYTES);
    if (!layer->tar)
        return err_set(err, ERR_NO_MEMORY, "make layer: out of memory");
    archive_write_set_format_ustar(layer->tar);
    archive_write_set_bytes_per_block(layer->tar, 0);
    return archive_write_open(layer->tar, &layer->bytes, NULL, write_tar, NULL) == ARCHIVE_OK
               ? 0
               : failed(layer, err);
}

static struct archive_entry *new_entry(const char *path, unsigned type, int mode, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return NULL;
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, (mode_t)mode);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    return entry;
}

static int put(struct layer *layer, struct archive_entry *entry, const void *data, size_t size,
               struct err *err)
{
    if (!entry)
        return err_set(err, ERR_NO_MEMORY, "make layer: out of memory");
    int done = archive_write_header(layer->tar, entry) == ARCHIVE_OK &&
                       (size == 0 || archive_write_data(layer->tar, data, size) == (la_ssize_t)size)
                   ? 0
                   : failed(layer, err);
    archive_entry_free(entry);
    return done;
}

int layer_add_folder(struct layer *layer, const char *path, int mode, struct err *err)
{
    return put(layer, new_entry(path, AE_IFDIR, mode, 0), NULL, 0, err);
}

int layer_add_bytes(struct layer *layer, const char *path, int mode, const void *data, size_t size,
                    struct err *err)
{
    return put(layer, new_entry(path, AE_IFREG, mode, size), data, size, err);
}

int layer_add_file(struct layer *layer, const char *path, int mode, const char *from,
                   struct err *err)
{
    struct buf data;
    buf_init(&data, LAYER_MAX_BYTES);
    int done = file_read(from, &data, err) < 0
                   ? err_wrap(err, "make layer")
                   : layer_add_bytes(layer, path, mode, data.data, data.size, err);
    buf_finish(&data);
    return done;
}

/* libdeflate writes no time, no name and no system into the header. */
static int compress(const struct buf *plain, struct buf *gzip, struct err *err)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
    size_t room = compressor ? libdeflate_gzip_compress_bound(compressor, plain->size) : 0;
    int done = -1;
    if (compressor && buf_reserve(gzip, room) == 0) {
        gzip->size = libdeflate_gzip_compress(compressor, plain->data, plain->size, gzip->data,
                                              gzip->capacity);
        done = gzip->size ? 0 : -1;
    }
    libdeflate_free_compressor(compressor);
    return done == 0 ? 0 : err_set(err, ERR_NO_MEMORY, "compress layer: out of memory");
}

int layer_end(struct layer *layer, struct buf *gzip, char plain_digest[LAYER_DIGEST_BYTES],
              struct err *err)
{
    if (archive_write_close(layer->tar) != ARCHIVE_OK)
        return failed(layer, err);
    layer_digest(layer->bytes.data, layer->bytes.size, plain_digest);
    return compress(&layer->bytes, gzip, err);
}

void layer_finish(struct layer *layer)
{
    if (layer->tar)
        archive_write_free(layer->tar);
    buf_finish(&layer->bytes);
    layer->tar = NULL;
}

void layer_digest(const void *data, size_t size, char digest[LAYER_DIGEST_BYTES])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(data, size, hash);
    memcpy(digest, "sha256:", 7);
    hex_encode(hash, sizeof hash, digest + 7);
}
