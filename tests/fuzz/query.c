/* The target of a request: path and query, and where S3 finds bucket and key in it. */
#include "cloud/query.h"
#include "base/utf8.h"
#include "cloud/reply.h"
#include "cloud/s3/s3.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(struct exchange *x)
{
    struct s3_request r = {.x = x};
    if (s3_address(&r) == 0 && r.key && (strlen(r.key) > S3_MAX_KEY_BYTES || !utf8_is_valid(r.key)))
        abort(); /* a key that S3 cannot have */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply reply;
    struct http_header host = {"Host", "a.localhost:1"};
    struct exchange x = {.method = "GET", .reply = &reply};
    char *text = malloc(size + 2);
    if (!text)
        return 0;
    text[0] = '/';
    memcpy(text + 1, data, size);
    text[size + 1] = 0;
    char *question = strchr(text, '?');
    x.query = question ? question + 1 : "";
    if (question)
        *question = 0;
    x.path = text;
    reply_init(&reply);
    arena_init(&x.arena, 1 << 20);
    struct query_pair pair;
    for (const char *at = x.query; query_next(&at, &pair);)
        exchange_decode(&x, pair.value, pair.value_size, 1);
    exchange_query(&x, "uploadId");
    check_address(&x);
    x.headers = &host;
    x.header_count = 1;
    check_address(&x);
    reply_finish(&reply);
    arena_finish(&x.arena);
    free(text);
    return 0;
}
