/* An aws-chunked body. The first byte says how: bit 0 signed, bit 1 with trailers, the rest how
 * long the pieces are that it comes in. */
#include "cloud/chunked.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *context, const void *data, size_t size, struct err *err)
{
    (void)err;
    const unsigned char *bytes = data;
    size_t *total = context;
    for (size_t i = 0; i < size; i++)
        *total += bytes[i] != 0;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct chunked chunked;
    struct sigv4_chain chain = {.amz_date = "20261123T053129Z",
                                .scope = "20261123/us-east-1/s3/aws4_request"};
    if (size == 0)
        return 0;
    size_t total = 0, step = (size_t)(data[0] >> 2) + 1;
    if (chunked_init(&chunked, data[0] & 1 ? &chain : NULL, data[0] & 2, count, &total, &err) < 0)
        return 0;
    int result = 0;
    for (size_t at = 1; result == 0 && at < size; at += step)
        result = chunked_feed(&chunked, data + at, size - at < step ? size - at : step, &err);
    if (result == 0 && chunked_end(&chunked, &err) == 0 && total > size)
        abort(); /* more than came in */
    chunked_finish(&chunked);
    return 0;
}
