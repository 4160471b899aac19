#ifndef AWS_CLIENT_H
#define AWS_CLIENT_H

#include "aws/config.h"
#include "aws/http.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Signed requests to AWS services, or to what speaks like them: signs, sends, tries again after
 * failures that may pass (no connection, 5xx, throttling), and turns error answers into `struct
 * err`. Where a signature is refused for its date, the service's own Date is used from then on. One
 * thread at a time; connections stay open, so keep a client as long as there is work. */
struct aws_client;

enum { AWS_DEFAULT_TRIES = 4 };

struct aws_request {
    enum aws_service service;
    const char *operation; /* "GetObject", for messages */
    const char *endpoint;  /* "https://host"; NULL: the configuration's */
    const char *method;
    const char *path;  /* encoded; NULL: "/" */
    const char *query; /* encoded, without "?"; NULL: none */
    const struct http_header *headers;
    size_t header_count;
    const void *body; /* NULL: none, or from body_fd */
    size_t body_bytes;
    int body_fd; /* read from body_offset where body is NULL and body_bytes is not 0 */
    uint64_t body_offset;
    int timeout_ms; /* for each try; 0: HTTP_DEFAULT_TIMEOUT_MS */
    int tries;      /* 0: AWS_DEFAULT_TRIES */
    int unsign;     /* send without a signature */
};

/* What the service said of the last failed call. */
struct aws_failure {
    int status;        /* 0: there was no answer */
    char code[96];     /* "NoSuchKey", "ResourceNotFoundException"; "" when it gave none */
    char message[320]; /* one line */
};

struct aws_client *aws_client_create(const struct aws_config *config, struct err *err);
void aws_client_destroy(struct aws_client *client); /* NULL is fine */
const struct aws_config *aws_client_config(const struct aws_client *client);

/* No call goes on past this time (monotonic, ns; 0: no such limit): it ends with ERR_TIMEOUT. For
 * those who must answer in time themselves. */
void aws_client_set_deadline(struct aws_client *client, uint64_t deadline_ns);

/* 0 for a 2xx answer. Otherwise -1 and "GetObject: NoSuchKey: text": ERR_NOT_FOUND, ERR_EXISTS,
 * ERR_DENIED, ERR_INVALID, ERR_BUSY (throttled) by the service's code or status; ERR_UNAVAILABLE
 * and ERR_TIMEOUT as http_send(). */
int aws_client_send(struct aws_client *client, const struct aws_request *request,
                    struct http_response *response, struct err *err) MUST_USE;
const struct aws_failure *aws_client_failure(const struct aws_client *client);

/* A response that belongs to the client, for calls whose answer is read at once: valid until the
 * next call. */
struct http_response *aws_client_scratch(struct aws_client *client);

/* Which kind of error an answer is; for tests. */
void aws_failure_read(const struct http_response *response, struct aws_failure *failure);
enum err_code aws_failure_kind(const struct aws_failure *failure);

#endif
