#ifndef CLOUD_CHUNKED_H
#define CLOUD_CHUNKED_H

#include "aws/sigv4.h"
#include "base/err.h"

#include <stddef.h>

/* Decoder of S3's aws-chunked bodies, with and without signatures and trailers, fed in pieces of
 * any size. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and -trailers.html
 */

enum {
    CHUNKED_MAX_LINE = 512,
    CHUNKED_MAX_TRAILERS = 8,
    CHUNKED_TRAILER_BYTES = 4096,
};

struct chunked_trailer {
    const char *name, *value;
};

typedef int chunked_sink(void *context, const void *data, size_t size, struct err *err);

enum chunked_state {
    CHUNKED_HEAD,
    CHUNKED_DATA,
    CHUNKED_DATA_END,
    CHUNKED_TRAILER,
    CHUNKED_DONE,
};

struct chunked {
    enum chunked_state state;
    int is_signed, has_trailer, trailer_signed;
    struct sigv4_chain chain;
    void *sha256; /* EVP_MD_CTX of the current chunk, when signed */
    char line[CHUNKED_MAX_LINE];
    size_t line_size;
    char signature[SIGV4_HEX_BYTES]; /* the current chunk's, as told */
    size_t chunk_left;
    char text[CHUNKED_TRAILER_BYTES]; /* trailers: name 0 value 0 */
    size_t text_size;
    struct chunked_trailer trailers[CHUNKED_MAX_TRAILERS];
    size_t trailer_count;
    chunked_sink *sink;
    void *sink_context;
};

/* `chain` is NULL for unsigned chunks. */
int chunked_init(struct chunked *c, const struct sigv4_chain *chain, int has_trailer,
                 chunked_sink *sink, void *sink_context, struct err *err) MUST_USE;
void chunked_finish(struct chunked *c);
/* ERR_INVALID for a wrong form, ERR_DENIED for a wrong signature, else the sink's error. */
int chunked_feed(struct chunked *c, const void *data, size_t size, struct err *err) MUST_USE;
/* Was it all? ERR_INVALID when the end is missing. */
int chunked_end(const struct chunked *c, struct err *err) MUST_USE;

#endif
