#include "aws/http.h"

#include <string.h>
#include <strings.h>

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){0};
    buf_init(&response->headers, HTTP_MAX_HEADER_BYTES);
    buf_init(&response->body, HTTP_MAX_RESPONSE_BYTES);
}

void http_response_finish(struct http_response *response)
{
    buf_finish(&response->headers);
    buf_finish(&response->body);
}

void http_response_clear(struct http_response *response)
{
    response->status = 0;
    buf_clear(&response->headers);
    buf_clear(&response->body);
}

/* The value in a "Name: value" line of `length` bytes, NULL when it is of another header. */
static const char *value_in_line(const char *line, size_t length, const char *name)
{
    size_t name_length = strlen(name);
    if (length <= name_length || line[name_length] != ':' ||
        strncasecmp(line, name, name_length) != 0)
        return NULL;
    return line + name_length + 1;
}

int http_response_header(const struct http_response *response, const char *name, char *out,
                         size_t out_bytes)
{
    for (const char *line = response->headers.data; line && *line;) {
        size_t length = strcspn(line, "\n");
        const char *value = value_in_line(line, length, name), *end = line + length;
        if (value) {
            while (value < end && (*value == ' ' || *value == '\t'))
                value++;
            while (value < end && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            size_t size = (size_t)(end - value);
            if (size >= out_bytes)
                return -1;
            memcpy(out, value, size);
            out[size] = 0;
            return (int)size;
        }
        line = end + (*end == '\n');
    }
    return -1;
}

int http_add_header_line(struct http_response *response, const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == '\n'))
        size--;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)line[i] < ' ' && line[i] != '\t')
            return -1;
    buf_append(&response->headers, line, size);
    return buf_puts(&response->headers, "\n");
}

int http_check_headers(const struct http_request *request, struct err *err)
{
    if (request->header_count > HTTP_MAX_HEADERS)
        return err_set(err, ERR_TOO_BIG, "send request: more than %d headers", HTTP_MAX_HEADERS);
    for (size_t i = 0; i < request->header_count; i++)
        if (strpbrk(request->headers[i].name, "\r\n: ") ||
            strpbrk(request->headers[i].value, "\r\n"))
            return err_set(err, ERR_INVALID, "send request: a line break in a header");
    return 0;
}

int http_has_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return 1;
    return 0;
}
