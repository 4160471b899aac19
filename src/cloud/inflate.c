#include "cloud/inflate.h"

#include "base/buf.h"

#include <zlib.h>

/* One after the other, until nothing is left. Returns zlib's last word. */
static int inflate_pieces(z_stream *stream, struct buf *out)
{
    unsigned char piece[16384];
    int step = Z_OK;
    while (step == Z_OK && !out->failed) {
        stream->next_out = piece;
        stream->avail_out = sizeof piece;
        step = inflate(stream, Z_NO_FLUSH);
        buf_append(out, piece, sizeof piece - stream->avail_out);
        if (step == Z_STREAM_END && stream->avail_in)
            step = inflateReset(stream);
    }
    return step;
}

const char *inflate_gzip(const char *data, size_t *size, size_t max_bytes, struct arena *arena,
                         struct err *err)
{
    z_stream stream = {.next_in = (unsigned char *)data, .avail_in = (unsigned)*size};
    if (inflateInit2(&stream, 32 + MAX_WBITS) != Z_OK) { /* 32: of either kind */
        err_set(err, ERR_NO_MEMORY, "inflate the body: out of memory");
        return NULL;
    }
    struct buf out;
    buf_init(&out, max_bytes);
    int step = inflate_pieces(&stream, &out);
    inflateEnd(&stream);
    const char *copy = NULL;
    if (step == Z_STREAM_END && !out.failed)
        copy = arena_copy(arena, out.data ? out.data : "", out.size);
    *size = out.size;
    buf_finish(&out);
    if (!copy)
        err_set(err, ERR_INVALID, "the compressed body is damaged or too large");
    return copy;
}
