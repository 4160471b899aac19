#include "cloud/request.h"

#include "base/clock.h"
#include "base/random.h"
#include "cloud/auth_s3_v2.h"
#include "cloud/errors.h"
#include "cloud/front.h"
#include "cloud/route.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where an unsigned or unknown request's error is shaped when its service is not here. */
static const struct service nobody = {.name = "", .error_form = ERROR_FORM_S3};

struct request *request_create(struct cloud *cloud, const char *uri)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    struct exchange *x = &request->x;
    arena_init(&x->arena, FRONT_ARENA_BYTES);
    reply_init(&request->reply);
    request->reply.trees = &cloud->trees_bytes;
    request->body.fd = -1;
    request->cloud = cloud;
    x->reply = &request->reply;
    x->body = (struct body){.data = "", .fd = -1};
    x->region = cloud->region;
    x->identity.account_id = cloud->account_id;
    x->method = x->source_ip = ""; /* until the head has come */
    x->service = &nobody;
    x->judge = cloud->judge.decide ? &cloud->judge : NULL;
    x->received_unix_ms = clock_unix_ms();
    x->received_ns = clock_monotonic_ns();
    random_uuid(x->request_id);
    const char *mark = strchr(uri, '?');
    x->path = arena_copy(&x->arena, uri, mark ? (size_t)(mark - uri) : strlen(uri));
    x->query = arena_strdup(&x->arena, mark ? mark + 1 : "");
    if (!x->path || !x->query) {
        request_destroy(request);
        return NULL;
    }
    return request;
}

void request_destroy(struct request *request)
{
    if (!request)
        return;
    body_finish(&request->body);
    chunked_finish(&request->chunked);
    reply_finish(&request->reply);
    arena_finish(&request->x.arena);
    OPENSSL_cleanse(&request->auth, sizeof request->auth);
    OPENSSL_cleanse(&request->chunked.chain, sizeof request->chunked.chain);
    free(request);
}

static void refuse(struct request *request)
{
    request->state = REQUEST_REFUSED;
}

static const struct service *find_service(const struct cloud *cloud, const char *name)
{
    for (size_t i = 0; i < cloud->service_count; i++)
        if (strcmp(cloud->services[i].name, name) == 0)
            return &cloud->services[i];
    return NULL;
}

static unsigned count_headers(const struct exchange *x, const char *name)
{
    unsigned count = 0;
    for (size_t i = 0; i < x->header_count; i++)
        count += strcasecmp(x->headers[i].name, name) == 0;
    return count;
}

static int is_token_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-!#$%&'*+.^_`|~", c));
}

static int is_token(const char *name)
{
    const char *end = name;
    while (is_token_letter(*end))
        end++;
    return end > name && !*end;
}

/* libmicrohttpd joins a folded line to the header's name: "Transfer-Encodingchunked". */
static int is_folded(const char *name, const char *plain)
{
    size_t size = strlen(plain);
    return strncasecmp(name, plain, size) == 0 && name[size];
}

static int names_are_right(const struct exchange *x)
{
    for (size_t i = 0; i < x->header_count; i++) {
        const char *name = x->headers[i].name;
        if (!is_token(name) || is_folded(name, "Content-Length") ||
            is_folded(name, "Transfer-Encoding"))
            return 0;
    }
    return 1;
}

/* Where does the body end? A head that says it in two ways may be read in two ways, by us and by a
 * proxy before us (RFC 9112, 5.1, 5.2, 6.3 and 11.2); so may one with two hosts (3.2). */
static int check_framing(struct exchange *x)
{
    const char *coding = exchange_header(x, "Transfer-Encoding");
    unsigned lengths = count_headers(x, "Content-Length");
    unsigned codings = count_headers(x, "Transfer-Encoding");
    if (coding && strcasecmp(coding, "chunked") != 0) {
        exchange_fail(x, "NotImplemented",
                      "A header you provided implies functionality that is not implemented: "
                      "Transfer-Encoding");
        return -1;
    }
    if (lengths + codings > 1)
        exchange_fail(x, "InvalidRequest", "The head tells the body's length more than once.");
    else if (count_headers(x, "Host") > 1)
        exchange_fail(x, "InvalidRequest", "The head tells the host more than once.");
    else if (!names_are_right(x))
        exchange_fail(x, "InvalidRequest", "The head has a malformed header.");
    else
        return 0;
    return -1;
}

/* S3 alone takes signatures of version 2. */
static int check_v2(struct request *request)
{
    struct exchange *x = &request->x;
    if (x->service->error_form == ERROR_FORM_S3)
        return auth_head_v2(&request->auth, x, request->cloud->identities);
    auth_fail(x, AUTH_OLD_VERSION, NULL);
    return -1;
}

/* Find the service, and who says they signed. */
static int check_head(struct request *request)
{
    struct exchange *x = &request->x;
    int parsed = auth_parse(&request->auth, x);
    const char *name = route_service(x, parsed > 0 ? request->auth.claim.service : NULL);
    const struct service *service = find_service(request->cloud, name);
    if (!service) {
        if (parsed > 0)
            exchange_fail(x, "NotImplemented", "The service %s is not offered here.", name);
        else
            auth_fail(x, AUTH_MISSING, NULL);
        return -1;
    }
    x->service = service;
    if (x->path[0] != '/') {
        exchange_fail(x, error_code(service->error_form, ERR_INVALID), "The path is malformed.");
        return -1;
    }
    if (auth_s3_v2_is(x))
        return check_v2(request);
    if (parsed < 0) {
        auth_fail(x, AUTH_MALFORMED, request->auth.err.message);
        return -1;
    }
    if (parsed == 0 && request->cloud->anonymous) {
        identity_administrator(request->cloud->identities, &x->identity);
        return 0;
    }
    if (parsed == 0 && !service->anonymous) {
        auth_fail(x, AUTH_MISSING, NULL);
        return -1;
    }
    if (parsed == 0)
        return service->admit ? service->admit(service->self, x) : 0;
    return auth_head(&request->auth, x, request->cloud->identities);
}

static int take_decoded(void *context, const void *data, size_t size, struct err *err)
{
    return body_add(context, data, size, err);
}

static int start_body(struct request *request, struct err *err)
{
    const struct service *service = request->x.service;
    struct auth *auth = &request->auth;
    size_t memory =
        service->memory_body_bytes ? service->memory_body_bytes : SERVICE_MEMORY_BODY_BYTES;
    size_t limit = service->max_body_bytes ? service->max_body_bytes : SERVICE_MAX_BODY_BYTES;
    body_init(&request->body, request->cloud->spool_folder, memory, limit);
    if (auth_hashes_body(auth) && body_hash(&request->body, err) < 0)
        return -1;
    if (auth->payload != AUTH_PAYLOAD_CHUNKED)
        return 0;
    struct sigv4_chain chain;
    if (auth->chunks_signed && sigv4_chain_init(&chain, &auth->claim, auth->signing_key, err) < 0)
        return -1;
    return chunked_init(&request->chunked, auth->chunks_signed ? &chain : NULL, auth->has_trailer,
                        take_decoded, &request->body, err);
}

/* Refuse a body that says it is too large before it comes. */
static int check_length(struct request *request, struct err *err)
{
    const char *length = exchange_header(&request->x, "Content-Length");
    char *end;
    if (length && strtoull(length, &end, 10) > request->body.limit_bytes)
        return err_set(err, ERR_TOO_BIG, "the body is larger than %zu bytes",
                       request->body.limit_bytes);
    return 0;
}

void request_head(struct request *request)
{
    struct err err = {0};
    request->state = REQUEST_BODY;
    if (check_framing(&request->x) < 0) {
        request->must_close = 1;
        refuse(request);
        return;
    }
    if (check_head(request) < 0) {
        refuse(request);
        return;
    }
    if (start_body(request, &err) < 0 || check_length(request, &err) < 0) {
        exchange_fail_err(&request->x, &err);
        refuse(request);
    }
}

static void fail_body(struct request *request, const struct err *err)
{
    if (err->code == ERR_DENIED)
        auth_fail(&request->x, AUTH_WRONG_SIGNATURE, NULL);
    else if (err->code == ERR_INVALID)
        exchange_fail(&request->x, "IncompleteBody", "%s", err->message);
    else
        exchange_fail_err(&request->x, err);
    refuse(request);
}

void request_body(struct request *request, const void *data, size_t size)
{
    if (request->state != REQUEST_BODY)
        return;
    struct err err = {0};
    int result = request->auth.payload == AUTH_PAYLOAD_CHUNKED
                     ? chunked_feed(&request->chunked, data, size, &err)
                     : body_add(&request->body, data, size, &err);
    if (result < 0)
        fail_body(request, &err);
}

/* The trailers join the headers; only checksums are taken, as nothing else may change what a signed
 * head says. */
static int add_trailers(struct request *request)
{
    struct exchange *x = &request->x;
    const struct chunked *c = &request->chunked;
    struct http_header *all =
        arena_new(&x->arena, struct http_header, x->header_count + c->trailer_count);
    if (!all)
        return -1;
    memcpy(all, x->headers, x->header_count * sizeof *all);
    for (size_t i = 0; i < c->trailer_count; i++) {
        if (strncasecmp(c->trailers[i].name, "x-amz-checksum-", 15) == 0)
            all[x->header_count++] =
                (struct http_header){c->trailers[i].name, c->trailers[i].value};
    }
    x->headers = all;
    return 0;
}

static int finish_chunks(struct request *request, struct err *err)
{
    if (chunked_end(&request->chunked, err) < 0)
        return -1;
    const char *length = exchange_header(&request->x, "X-Amz-Decoded-Content-Length");
    char *end;
    if (!length || strtoull(length, &end, 10) != request->body.size || *end)
        return err_set(err, ERR_INVALID,
                       "the body is not as long as x-amz-decoded-content-length says");
    if (add_trailers(request) < 0)
        return err_set(err, ERR_NO_MEMORY, "read trailers: out of memory");
    return 0;
}

int request_complete(struct request *request)
{
    if (request->state != REQUEST_BODY)
        return 0;
    struct err err = {0};
    if ((request->auth.payload == AUTH_PAYLOAD_CHUNKED && finish_chunks(request, &err) < 0) ||
        body_done(&request->body, &request->x.body, &err) < 0) {
        fail_body(request, &err);
        return 0;
    }
    if (request->auth.is_signed && auth_body(&request->auth, &request->x) < 0) {
        refuse(request);
        return 0;
    }
    if (request->x.service->error_form != ERROR_FORM_S3 &&
        exchange_admit_tree(&request->x, request->x.body.data, request->x.body.size, &err) < 0) {
        exchange_fail_err(&request->x, &err);
        refuse(request);
        return 0;
    }
    request->state = REQUEST_HANDLED;
    return 1;
}
