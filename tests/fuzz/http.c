#include "aws/http.h"
#include "aws/stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The small HTTP client against whatever a server may answer: the stream is the input, which comes
 * in pieces of the size its first byte says. */
struct stream {
    size_t at;
};

static struct {
    const uint8_t *data;
    size_t size, piece;
} input;

struct stream *stream_open(const struct url *url, struct stream_tls **tls, uint64_t deadline_ns,
                           struct err *err)
{
    (void)url;
    (void)tls;
    (void)deadline_ns;
    (void)err;
    return calloc(1, sizeof(struct stream));
}

void stream_close(struct stream *stream)
{
    free(stream);
}

void stream_tls_destroy(struct stream_tls *tls)
{
    (void)tls;
}

int stream_write(struct stream *stream, const void *data, size_t size, uint64_t deadline_ns,
                 struct err *err)
{
    (void)stream;
    (void)data;
    (void)size;
    (void)deadline_ns;
    (void)err;
    return 0;
}

long stream_read(struct stream *stream, void *out, size_t size, uint64_t deadline_ns,
                 struct err *err)
{
    (void)deadline_ns;
    (void)err;
    size_t left = input.size - stream->at;
    if (left > size)
        left = size;
    if (left > input.piece)
        left = input.piece;
    memcpy(out, input.data + stream->at, left);
    stream->at += left;
    return (long)left;
}

int stream_is_stale(struct stream *stream)
{
    (void)stream;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct http_response response;
    if (size == 0)
        return 0;
    input.piece = data[0] ? data[0] : 1;
    input.data = data + 1;
    input.size = size - 1;
    struct http *http = http_create(&err);
    http_response_init(&response);
    response.body.limit = 1 << 20;
    struct http_request request = {.method = "GET", .url = "http://h/", .body_fd = -1};
    for (int i = 0; i < 2; i++)
        if (http_send(http, &request, &response, &err) == 0 &&
            (response.status < 200 || response.status > 999 || response.body.size > 1 << 20))
            abort();
    http_response_finish(&response);
    http_destroy(http);
    return 0;
}
