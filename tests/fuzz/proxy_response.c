#include "cloud/apigateway/response.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int parser(const char *text, size_t size, struct proxy_response *out, struct err *err);

/* What was accepted can go on the wire: no header holds a line break or is the server's own. */
static void check(parser *parse, const uint8_t *data, size_t size)
{
    struct proxy_response response;
    struct err err = {0};
    if (parse((const char *)data, size, &response, &err) < 0) {
        if (!err.message[0])
            abort();
        return;
    }
    if (response.status < 100 || response.status > 599 || !response.content_type)
        abort();
    for (size_t i = 0; i < response.header_count; i++)
        if (strpbrk(response.headers[i].name, "\r\n: ") ||
            strpbrk(response.headers[i].value, "\r\n") || !*response.headers[i].name)
            abort();
    if (strpbrk(response.content_type, "\r\n"))
        abort();
    proxy_response_finish(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(proxy_response_parse, data, size);
    check(proxy_response_parse_v2, data, size);
    return 0;
}
