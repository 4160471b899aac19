#include "cloud/apigateway/response.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted can go on the wire: no header holds a line break or is the server's own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_response response;
    struct err err = {0};
    if (proxy_response_parse((const char *)data, size, &response, &err) < 0)
        return err.message[0] ? 0 : (abort(), 0);
    if (response.status < 100 || response.status > 599 || !response.content_type)
        abort();
    for (size_t i = 0; i < response.header_count; i++)
        if (strpbrk(response.headers[i].name, "\r\n: ") ||
            strpbrk(response.headers[i].value, "\r\n") || !*response.headers[i].name)
            abort();
    if (strpbrk(response.content_type, "\r\n"))
        abort();
    proxy_response_finish(&response);
    return 0;
}
