#include "aws/http.h"

#include "aws/stream.h"
#include "aws/url.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The transport over sockets: HTTP/1.1 with connections kept open, for the static function, which
 * has no room for libcurl. What comes from the other side is hostile until parsed. */

enum {
    CONNECTIONS = 4,
    INPUT_BYTES = 16 * 1024,
    MAX_LINE_BYTES = 16 * 1024,
    FILE_PART = 64 * 1024,
    MAX_IDLE_MS = 20 * 1000
};

struct connection {
    struct stream *stream; /* NULL: free */
    char origin[288];      /* "https://host:port" */
    uint64_t used_ns;
    char input[INPUT_BYTES];
    size_t start, end; /* of what was received and not yet used */
};

struct http {
    struct connection connections[CONNECTIONS];
    struct stream_tls *tls;
};

/* One exchange under way. */
struct exchange {
    struct connection *connection;
    const struct http_request *request;
    struct http_response *response;
    uint64_t deadline_ns;
    int received; /* some byte of the answer came */
    int keep;     /* the connection may serve the next exchange */
};

struct http *http_create(struct err *err)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        err_set(err, ERR_NO_MEMORY, "start HTTP client: out of memory");
    return http;
}

static void drop(struct connection *connection)
{
    stream_close(connection->stream);
    connection->stream = NULL;
    connection->start = connection->end = 0;
}

void http_destroy(struct http *http)
{
    if (!http)
        return;
    for (size_t i = 0; i < CONNECTIONS; i++)
        drop(&http->connections[i]);
    stream_tls_destroy(http->tls);
    free(http);
}

/* Receive more; 0 when the other side has closed. */
static long fill(struct exchange *x, struct err *err)
{
    struct connection *c = x->connection;
    if (c->start == c->end)
        c->start = c->end = 0;
    if (c->end == INPUT_BYTES) {
        memmove(c->input, c->input + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
    }
    long got = stream_read(c->stream, c->input + c->end, INPUT_BYTES - c->end, x->deadline_ns, err);
    if (got > 0) {
        c->end += (size_t)got;
        x->received = 1;
    }
    return got;
}

static int closed(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "connection closed before the whole answer");
}

static int no_http(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the answer is no HTTP");
}

/* The next line without its end, valid until the next call. */
static int read_line(struct exchange *x, const char **line, size_t *size, struct err *err)
{
    struct connection *c = x->connection;
    size_t seen = 0;
    for (;;) {
        char *from = c->input + c->start + seen;
        char *end = memchr(from, '\n', c->end - c->start - seen);
        if (end) {
            *line = c->input + c->start;
            *size = (size_t)(end - *line);
            if (*size > 0 && (*line)[*size - 1] == '\r')
                (*size)--;
            c->start = (size_t)(end + 1 - c->input);
            return memchr(*line, 0, *size) ? no_http(err) : 0;
        }
        seen = c->end - c->start;
        if (seen >= MAX_LINE_BYTES)
            return err_set(err, ERR_TOO_BIG, "the answer has a line that is too long");
        long got = fill(x, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return closed(err);
    }
}

static int too_big(struct err *err)
{
    return err_set(err, ERR_TOO_BIG, "the answer is too big");
}

/* Move `size` bytes of the answer into the body. */
static int read_exactly(struct exchange *x, size_t size, struct err *err)
{
    struct connection *c = x->connection;
    struct buf *body = &x->response->body;
    if (buf_reserve(body, size) < 0)
        return too_big(err);
    while (size > 0) {
        size_t ready = c->end - c->start;
        if (ready == 0) { /* straight into place */
            long got = stream_read(c->stream, body->data + body->size, size, x->deadline_ns, err);
            if (got <= 0)
                return got < 0 ? -1 : closed(err);
            body->size += (size_t)got;
            size -= (size_t)got;
            continue;
        }
        if (ready > size)
            ready = size;
        buf_append(body, c->input + c->start, ready);
        c->start += ready;
        size -= ready;
    }
    body->data[body->size] = 0;
    return 0;
}

static int read_to_end(struct exchange *x, struct err *err)
{
    struct connection *c = x->connection;
    x->keep = 0;
    for (;;) {
        if (buf_append(&x->response->body, c->input + c->start, c->end - c->start) < 0)
            return too_big(err);
        c->start = c->end;
        long got = fill(x, err);
        if (got <= 0)
            return (int)got;
    }
}

/* A number of at most 15 digits in base 10 or 16; -1 otherwise. */
static long long read_number(const char *text, size_t size, int base)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    char copy[16];
    if (size == 0 || size >= sizeof copy)
        return -1;
    memcpy(copy, text, size);
    copy[size] = 0;
    if (strspn(copy, base == 10 ? "0123456789" : digits) != size)
        return -1;
    return strtoll(copy, NULL, base);
}

static int read_chunks(struct exchange *x, struct err *err)
{
    const char *line;
    size_t size;
    for (;;) {
        if (read_line(x, &line, &size, err) < 0)
            return -1;
        const char *extension = memchr(line, ';', size);
        size_t digits = extension ? (size_t)(extension - line) : size;
        while (digits > 0 && (line[digits - 1] == ' ' || line[digits - 1] == '\t'))
            digits--;
        long long chunk = read_number(line, digits, 16);
        if (chunk < 0)
            return no_http(err);
        if (chunk == 0)
            break;
        if (read_exactly(x, (size_t)chunk, err) < 0 || read_line(x, &line, &size, err) < 0)
            return -1;
        if (size != 0)
            return no_http(err);
    }
    for (int trailers = 0; trailers < HTTP_MAX_HEADERS; trailers++) {
        if (read_line(x, &line, &size, err) < 0)
            return -1;
        if (size == 0)
            return 0;
    }
    return too_big(err);
}

/* "HTTP/1.1 200 OK" */
static int read_status(struct exchange *x, struct err *err)
{
    const char *line;
    size_t size;
    if (read_line(x, &line, &size, err) < 0)
        return -1;
    if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
        line[8] != ' ' || (size > 12 && line[12] != ' '))
        return no_http(err);
    long long status = read_number(line + 9, 3, 10);
    if (status < 100)
        return no_http(err);
    x->response->status = (int)status;
    x->keep = line[7] == '1';
    return 0;
}

/* Refuses what could be read in two ways: continued lines, names without a colon or with blanks. */
static int read_header_lines(struct exchange *x, struct err *err)
{
    const char *line;
    size_t size;
    for (;;) {
        if (read_line(x, &line, &size, err) < 0)
            return -1;
        if (size == 0)
            return 0;
        const char *colon = memchr(line, ':', size);
        if (!colon || colon == line || memchr(line, ' ', (size_t)(colon - line)) ||
            memchr(line, '\t', (size_t)(colon - line)))
            return no_http(err);
        if (http_add_header_line(x->response, line, size) < 0)
            return x->response->headers.failed ? too_big(err) : no_http(err);
    }
}

static int read_head(struct exchange *x, struct err *err)
{
    for (int interim = 0; interim < 8; interim++) {
        http_response_clear(x->response);
        if (read_status(x, err) < 0 || read_header_lines(x, err) < 0)
            return -1;
        if (x->response->status >= 200)
            return 0;
    }
    return no_http(err);
}

/* Do several Content-Length headers disagree? */
static int lengths_disagree(const struct http_response *response)
{
    const char *first = NULL;
    size_t first_size = 0;
    for (const char *line = response->headers.data; line && *line;) {
        size_t size = strcspn(line, "\n");
        if (strncasecmp(line, "content-length:", 15) == 0) {
            if (first && (size != first_size || strncasecmp(line, first, size) != 0))
                return 1;
            first = line;
            first_size = size;
        }
        line += size + (line[size] == '\n');
    }
    return 0;
}

static int read_body(struct exchange *x, struct err *err)
{
    char value[64];
    int status = x->response->status;
    if (strcmp(x->request->method, "HEAD") == 0 || status == 204 || status == 304)
        return 0;
    if (http_response_header(x->response, "Transfer-Encoding", value, sizeof value) >= 0)
        return strcasecmp(value, "chunked") == 0 ? read_chunks(x, err) : no_http(err);
    int length = http_response_header(x->response, "Content-Length", value, sizeof value);
    if (length < 0)
        return read_to_end(x, err);
    long long bytes = read_number(value, (size_t)length, 10);
    if (bytes < 0 || lengths_disagree(x->response))
        return no_http(err);
    return read_exactly(x, (size_t)bytes, err);
}

static int read_response(struct exchange *x, struct err *err)
{
    char value[64];
    if (read_head(x, err) < 0 || read_body(x, err) < 0)
        return -1;
    if (http_response_header(x->response, "Connection", value, sizeof value) >= 0 &&
        strcasecmp(value, "close") == 0)
        x->keep = 0;
    if (x->connection->start != x->connection->end)
        x->keep = 0; /* more than was asked for */
    return 0;
}

/* The head, and a body in memory behind it: one write. */
static void put_request(struct buf *out, const struct http_request *request, const struct url *url)
{
    int has_body = request->body_bytes > 0 || strcmp(request->method, "POST") == 0 ||
                   strcmp(request->method, "PUT") == 0;
    buf_printf(out, "%s %s%s HTTP/1.1\r\n", request->method, url->target[0] == '?' ? "/" : "",
               url->target);
    if (!http_has_header(request, "Host"))
        buf_printf(out, "Host: %s\r\n", url->authority);
    for (size_t i = 0; i < request->header_count; i++)
        buf_printf(out, "%s: %s\r\n", request->headers[i].name, request->headers[i].value);
    if (has_body && !http_has_header(request, "Content-Length"))
        buf_printf(out, "Content-Length: %zu\r\n", request->body_bytes);
    buf_puts(out, "\r\n");
    if (request->body)
        buf_append(out, request->body, request->body_bytes);
}

static int write_file(struct exchange *x, struct err *err)
{
    const struct http_request *request = x->request;
    char *part = malloc(FILE_PART);
    if (!part)
        return err_set(err, ERR_NO_MEMORY, "send: out of memory");
    int done = 0;
    for (size_t sent = 0; done == 0 && sent < request->body_bytes;) {
        size_t want = request->body_bytes - sent;
        ssize_t got = pread(request->body_fd, part, want < FILE_PART ? want : FILE_PART,
                            (off_t)(request->body_offset + sent));
        if (got <= 0)
            done = err_set(err, ERR_IO, "send: the file has become shorter");
        else
            done = stream_write(x->connection->stream, part, (size_t)got, x->deadline_ns, err);
        sent += got > 0 ? (size_t)got : 0;
    }
    free(part);
    return done;
}

static int write_request(struct exchange *x, const struct url *url, struct err *err)
{
    const struct http_request *request = x->request;
    struct buf out;
    buf_init(&out, HTTP_MAX_RESPONSE_BYTES);
    put_request(&out, request, url);
    int done = out.failed
                   ? err_set(err, ERR_TOO_BIG, "send: the request is too big")
                   : stream_write(x->connection->stream, out.data, out.size, x->deadline_ns, err);
    buf_finish(&out);
    if (done == 0 && !request->body && request->body_bytes > 0)
        done = write_file(x, err);
    return done;
}

/* An open connection to the origin, or the longest unused place. */
static struct connection *place_for(struct http *http, const char *origin)
{
    struct connection *place = &http->connections[0];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &http->connections[i];
        if (c->stream && strcmp(c->origin, origin) == 0)
            return c;
        if (!c->stream || (place->stream && c->used_ns < place->used_ns))
            place = c;
    }
    drop(place);
    snprintf(place->origin, sizeof place->origin, "%s", origin);
    return place;
}

/* A frozen function or a router in between may lose a connection without a word, and a request on
 * it would wait for its whole time limit: one that was long unused is given up instead. */
static int is_worn(const struct connection *c)
{
    return stream_is_stale(c->stream) || clock_ms_since(c->used_ns) > MAX_IDLE_MS;
}

/* One attempt. `*stale` tells that an old connection broke before any answer, so that a new one may
 * do better. */
static int attempt(struct http *http, struct exchange *x, const struct url *url, int *stale,
                   struct err *err)
{
    char origin[288];
    snprintf(origin, sizeof origin, "http%s://%s", url->tls ? "s" : "", url->authority);
    struct connection *c = x->connection = place_for(http, origin);
    if (c->stream && is_worn(c))
        drop(c);
    int reused = c->stream != NULL;
    if (!reused)
        c->stream = stream_open(url, &http->tls, x->deadline_ns, err);
    if (!c->stream)
        return -1;
    int done = write_request(x, url, err);
    if (done == 0)
        done = read_response(x, err);
    *stale = done < 0 && reused && !x->received && err->code == ERR_UNAVAILABLE;
    if (done < 0 || !x->keep)
        drop(c);
    c->used_ns = clock_monotonic_ns();
    return done;
}

static int is_idempotent(const char *method)
{
    return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

int http_send(struct http *http, const struct http_request *request, struct http_response *response,
              struct err *err)
{
    struct url url;
    http_response_clear(response);
    if (url_parse(&url, request->url, err) < 0)
        return -1;
    if (http_check_headers(request, err) < 0)
        return -1;
    int timeout_ms = request->timeout_ms ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS, stale = 0;
    struct exchange x = {
        .request = request,
        .response = response,
        .deadline_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000,
    };
    int done = attempt(http, &x, &url, &stale, err);
    if (done < 0 && stale && is_idempotent(request->method))
        done = attempt(http, &x, &url, &stale, err);
    if (done < 0)
        return err_wrap(err, "%s http%s://%s", request->method, url.tls ? "s" : "", url.authority);
    return 0;
}
