/* The request front without its sockets. The first byte says how: bit 0 signed by us, bit 1 S3 or
 * DynamoDB, bit 2 chunks that are signed, the rest how long the body's pieces are. Then the lines
 * of a head as HTTP has them, a line that is empty, and the body. */
#include "cloud/request.h"
#include "base/clock.h"
#include "cloud/cloud.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IS_SIGNED = 1, IS_S3 = 2, HAS_SIGNED_CHUNKS = 4, MAX_HEADERS = 64, OWN_HEADERS = 4 };

static void handle(void *self, struct exchange *x)
{
    (void)self, (void)x;
}

static struct cloud *create_cloud(void)
{
    struct err err;
    struct cloud *cloud = calloc(1, sizeof *cloud);
    if (!cloud)
        abort();
    cloud->spool_folder = "/tmp";
    cloud->region = "us-east-1";
    cloud->account_id = "000000000000";
    cloud->identities = identities_create("AKIAFUZZ", "a secret", "000000000000", &err);
    cloud->services[0] = (struct service){
        .name = "s3", .error_form = ERROR_FORM_S3, .anonymous = 1, .handle = handle};
    cloud->services[1] =
        (struct service){.name = "dynamodb", .error_form = ERROR_FORM_JSON, .handle = handle};
    cloud->service_count = 2;
    return cloud;
}

/* "Name: value" up to the empty line; what is behind that. */
static char *read_headers(struct exchange *x, struct http_header *headers, char *at)
{
    while (at && *at && *at != '\n' && x->header_count < MAX_HEADERS) {
        char *end = strchr(at, '\n'), *colon = strchr(at, ':');
        if (end)
            *end = 0;
        if (colon && (!end || colon < end)) {
            *colon = 0;
            headers[x->header_count++] = (struct http_header){at, colon + 1 + (colon[1] == ' ')};
        }
        at = end ? end + 1 : NULL;
    }
    return at && *at == '\n' ? at + 1 : at;
}

static void sign(struct exchange *x, struct http_header *headers, int how)
{
    struct err err;
    const struct sigv4_key key = {.access_key_id = "AKIAFUZZ", .secret_access_key = "a secret"};
    const struct sigv4_scope scope = {"us-east-1", how & IS_S3 ? "s3" : "dynamodb"};
    int64_t now = x->received_unix_ms / 1000;
    char *date = arena_alloc(&x->arena, SIGV4_AMZ_DATE_BYTES, 1);
    const char *hash = exchange_header(x, "x-amz-content-sha256");
    if (!hash) {
        hash = how & HAS_SIGNED_CHUNKS ? SIGV4_STREAMING : SIGV4_UNSIGNED;
        headers[x->header_count++] = (struct http_header){"x-amz-content-sha256", hash};
    }
    if (!exchange_header(x, "Host"))
        headers[x->header_count++] = (struct http_header){"Host", "localhost"};
    sigv4_amz_date(now, date);
    headers[x->header_count++] = (struct http_header){"X-Amz-Date", date};
    const struct sigv4_request request = {x->method, x->path,         x->query,
                                          headers,   x->header_count, hash};
    const char *text = sigv4_authorization(&request, &key, &scope, now, &x->arena, &err);
    if (text)
        headers[x->header_count++] = (struct http_header){"Authorization", text};
}

static void run(struct cloud *cloud, int how, char *text, size_t size)
{
    struct http_header headers[MAX_HEADERS + OWN_HEADERS];
    char *end = text + size, *uri = strchr(text, ' ');
    char *line = uri ? strchr(uri, '\n') : NULL;
    if (!line)
        return;
    *uri++ = *line++ = 0;
    struct request *request = request_create(cloud, uri);
    struct exchange *x = request ? &request->x : NULL;
    if (!x)
        return;
    x->method = text;
    x->headers = headers;
    char *body = read_headers(x, headers, line);
    if (how & IS_SIGNED)
        sign(x, headers, how);
    request_head(request);
    size_t step = (size_t)(how >> 3) + 1;
    for (char *at = body; at && at < end; at += step)
        request_body(request, at, (size_t)(end - at) < step ? (size_t)(end - at) : step);
    if (request_complete(request) != (request->state == REQUEST_HANDLED))
        abort();
    if (request->state == REQUEST_HANDLED ? request->reply.status != 0
                                          : request->reply.status < 400)
        abort(); /* an answer before the service has it, or none that says why */
    if (request->state == REQUEST_HANDLED && !(how & IS_SIGNED) && x->identity.access_key_id)
        abort(); /* nobody signs by chance */
    request_destroy(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cloud *cloud;
    if (!cloud)
        cloud = create_cloud();
    char *text = size ? malloc(size) : NULL;
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    run(cloud, data[0], text, size - 1);
    free(text);
    return 0;
}
