#ifndef AWS_HTTP_H
#define AWS_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* One HTTP exchange as the AWS clients need it, over a connection that is kept open. Two transports
 * with this one interface: libcurl for the tools and the device (http_curl.c), and a small one over
 * sockets and OpenSSL for the static function and the cloud (http_socket.c); a program links one of
 * them. For https both trust the system's certificates, or those in the file AWS_CA_BUNDLE. */
struct http;

enum {
    HTTP_MAX_HEADERS = 64,             /* of a request */
    HTTP_MAX_HEADER_BYTES = 64 * 1024, /* of a response, all together */
    HTTP_CONNECT_TIMEOUT_MS = 5000,
    HTTP_DEFAULT_TIMEOUT_MS = 60000,
};
#define HTTP_MAX_RESPONSE_BYTES ((size_t)256 * 1024 * 1024)

struct http_header {
    const char *name, *value;
};

struct http_request {
    const char *method, *url; /* absolute http:// or https:// URL, already encoded */
    const struct http_header
        *headers; /* without Host and Content-Length, which are added unless here */
    size_t header_count;
    const void *body; /* NULL for none */
    size_t body_bytes;
    int body_fd; /* instead of `body`: body_bytes of this file from body_offset; -1 for none */
    uint64_t body_offset;
    int timeout_ms; /* 0: HTTP_DEFAULT_TIMEOUT_MS */
};

struct http_response {
    int status;
    struct buf headers; /* "Name: value\n" lines as received */
    struct buf body;
};

struct http *http_create(struct err *err); /* one thread at a time */
void http_destroy(struct http *http);      /* NULL is fine */

/* `response` is set up by http_response_init(), and cleared by each call. Any status is a success
 * here, and no redirect is followed. A refused or broken connection is ERR_UNAVAILABLE, no whole
 * answer in time ERR_TIMEOUT, an answer past the limits ERR_TOO_BIG, one that is no HTTP
 * ERR_CORRUPT, a certificate that does not hold ERR_DENIED. */
int http_send(struct http *http, const struct http_request *request, struct http_response *response,
              struct err *err) MUST_USE;

/* Set up for answers of up to HTTP_MAX_RESPONSE_BYTES; set body.limit to lower that. */
void http_response_init(struct http_response *response);
void http_response_finish(struct http_response *response);
void http_response_clear(struct http_response *response); /* empties it, keeps the memory */
/* The value of the first header of that name, copied into `out`; case-insensitive. Returns its
 * length, or -1 when absent or too long for `out`. */
int http_response_header(const struct http_response *response, const char *name, char *out,
                         size_t out_bytes);
/* For the transports. Too many headers, or one that would end its line, are an error. */
int http_check_headers(const struct http_request *request, struct err *err) MUST_USE;
int http_has_header(const struct http_request *request, const char *name);
/* Store one header line, with or without its line end. -1 when it is past the
 * limit or holds a control character. */
int http_add_header_line(struct http_response *response, const char *line, size_t size);

#endif
