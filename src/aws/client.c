#include "aws/client.h"

#include "aws/sigv4_keys.h"
#include "aws/url.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ARENA_BYTES = 4 * 1024 * 1024,
    FIRST_BACKOFF_MS = 50,
    MAX_BACKOFF_MS = 2000,
    MIN_SKEW_S = 240, /* less than this is not why a signature is refused */
    EXTRA_HEADERS =
        5, /* Host, X-Amz-Date, X-Amz-Content-Sha256, X-Amz-Security-Token, Authorization */
};

struct aws_client {
    struct aws_config config;
    struct http *http;
    struct http_response scratch;
    struct aws_failure failure;
    struct sigv4_keys keys;
    uint64_t deadline_ns;  /* 0: none */
    int64_t clock_ahead_s; /* of the service's clock before ours, as learnt from it */
};

struct aws_client *aws_client_create(const struct aws_config *config, struct err *err)
{
    struct aws_client *client = calloc(1, sizeof *client);
    if (!client) {
        err_set(err, ERR_NO_MEMORY, "start AWS client: out of memory");
        return NULL;
    }
    client->config = *config;
    sigv4_keys_init(&client->keys);
    http_response_init(&client->scratch);
    client->http = http_create(err);
    if (!client->http) {
        aws_client_destroy(client);
        return NULL;
    }
    return client;
}

void aws_client_destroy(struct aws_client *client)
{
    if (!client)
        return;
    http_destroy(client->http);
    http_response_finish(&client->scratch);
    OPENSSL_cleanse(&client->config, sizeof client->config);
    sigv4_keys_finish(&client->keys);
    free(client);
}

const struct aws_config *aws_client_config(const struct aws_client *client)
{
    return &client->config;
}

void aws_client_set_deadline(struct aws_client *client, uint64_t deadline_ns)
{
    client->deadline_ns = deadline_ns;
}

/* A try's time limit: the request's, or what is left until the deadline; 0 when nothing is. */
static int time_for(const struct aws_client *client, const struct aws_request *request)
{
    int wanted_ms = request->timeout_ms ? request->timeout_ms : HTTP_DEFAULT_TIMEOUT_MS;
    if (!client->deadline_ns)
        return wanted_ms;
    uint64_t now = clock_monotonic_ns();
    uint64_t left_ms = client->deadline_ns > now ? (client->deadline_ns - now) / 1000000 : 0;
    return left_ms < (uint64_t)wanted_ms ? (int)left_ms : wanted_ms;
}

const struct aws_failure *aws_client_failure(const struct aws_client *client)
{
    return &client->failure;
}

struct http_response *aws_client_scratch(struct aws_client *client)
{
    return &client->scratch;
}

/* One try's worth: the request with everything that the signature adds. */
struct attempt {
    const struct aws_request *request;
    struct http_header headers[HTTP_MAX_HEADERS];
    size_t header_count;
    char payload_hash[SIGV4_HEX_BYTES];
    const char *base; /* "https://host" */
    struct arena *arena;
};

static void put_header(struct attempt *a, const char *name, const char *value)
{
    a->headers[a->header_count++] = (struct http_header){name, value};
}

static int sign(struct aws_client *client, struct attempt *a, const char *authority,
                struct err *err)
{
    const struct aws_request *r = a->request;
    const struct aws_config *config = &client->config;
    int64_t now_s = clock_unix_ms() / 1000 + client->clock_ahead_s;
    char *date = arena_alloc(a->arena, SIGV4_AMZ_DATE_BYTES, 1);
    if (!date)
        return err_set(err, ERR_TOO_BIG, "sign request: it is too long");
    sigv4_amz_date(now_s, date);
    put_header(a, "Host", authority);
    put_header(a, "X-Amz-Date", date);
    if (r->service == AWS_S3)
        put_header(a, "X-Amz-Content-Sha256", a->payload_hash);
    const struct aws_key *own = &config->own_keys[r->service];
    int has_own = own->access_key_id[0] != 0;
    if (*config->session_token && !has_own)
        put_header(a, "X-Amz-Security-Token", config->session_token);
    struct sigv4_request to_sign = {r->method,  r->path ? r->path : "/", r->query ? r->query : "",
                                    a->headers, a->header_count,         a->payload_hash};
    struct sigv4_key key = {has_own ? own->access_key_id : config->access_key_id,
                            has_own ? own->secret_access_key : config->secret_access_key, NULL,
                            &client->keys};
    struct sigv4_scope scope = {aws_service_region(config, r->service),
                                aws_service_name(r->service)};
    const char *value = sigv4_authorization(&to_sign, &key, &scope, now_s, a->arena, err);
    if (!value)
        return -1;
    put_header(a, "Authorization", value);
    return 0;
}

static int send_once(struct aws_client *client, struct attempt *a, struct http_response *response,
                     struct err *err)
{
    const struct aws_request *r = a->request;
    int timeout_ms = time_for(client, r);
    if (timeout_ms == 0)
        return err_set(err, ERR_TIMEOUT, "no time left for it");
    const char *query = r->query && *r->query ? r->query : NULL;
    const char *url = arena_printf(a->arena, "%s%s%s%s", a->base, r->path ? r->path : "/",
                                   query ? "?" : "", query ? query : "");
    struct url parts;
    if (!url)
        return err_set(err, ERR_TOO_BIG, "send request: it is too long");
    if (url_parse(&parts, url, err) < 0)
        return -1;
    a->header_count = r->header_count;
    for (size_t i = 0; i < r->header_count; i++)
        a->headers[i] = r->headers[i];
    if (!r->unsign && sign(client, a, parts.authority, err) < 0)
        return -1;
    struct http_request request = {
        .method = r->method,
        .url = url,
        .headers = a->headers,
        .header_count = a->header_count,
        .body = r->body,
        .body_bytes = r->body_bytes,
        .body_fd = r->body_fd,
        .body_offset = r->body_offset,
        .timeout_ms = timeout_ms,
    };
    return http_send(client->http, &request, response, err);
}

/* Was the request refused for its date? Then take the service's, once: a device may have no clock
 * of its own that survives being switched off. 1 when the next try signs with another time. */
static int learn_time(struct aws_client *client, const struct http_response *response)
{
    static const char *const codes[] = {"RequestTimeTooSkewed", "RequestExpired",
                                        "InvalidSignatureException", "SignatureDoesNotMatch"};
    char date[64];
    struct tm tm = {0};
    int refused = 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        refused |= strcmp(client->failure.code, codes[i]) == 0;
    if (!refused || http_response_header(response, "Date", date, sizeof date) < 0 ||
        !strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return 0;
    int64_t ahead_s = (int64_t)timegm(&tm) - clock_unix_ms() / 1000;
    int64_t change_s = ahead_s - client->clock_ahead_s;
    if (change_s > -MIN_SKEW_S && change_s < MIN_SKEW_S)
        return 0; /* the clocks agree: something else is wrong */
    client->clock_ahead_s = ahead_s;
    log_line(LOG_WARN, "this machine's clock is %lld s off; signing with the service's time",
             (long long)-ahead_s);
    return 1;
}

/* A failure that may have passed by the next try. */
static int may_pass(const struct aws_request *request, const struct aws_failure *failure,
                    const struct err *err)
{
    if (failure->status == 0)
        return err->code == ERR_UNAVAILABLE ||
               (err->code == ERR_TIMEOUT && strcmp(request->method, "POST") != 0);
    return err->code == ERR_BUSY || (failure->status >= 500 && failure->status != 501);
}

/* Full jitter: anywhere up to the doubled ceiling, so that many clients do not return together.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
static void wait_before(int try)
{
    uint64_t ceiling_ms = FIRST_BACKOFF_MS;
    for (int i = 1; i < try && ceiling_ms < MAX_BACKOFF_MS; i++)
        ceiling_ms *= 2;
    if (ceiling_ms > MAX_BACKOFF_MS)
        ceiling_ms = MAX_BACKOFF_MS;
    uint32_t random;
    random_bytes(&random, sizeof random);
    clock_sleep_until_ns(clock_monotonic_ns() + random % (ceiling_ms * 1000000));
}

/* 0 for a good answer; otherwise `failure` and `err` say what is wrong. */
static int try_once(struct aws_client *client, struct attempt *a, struct http_response *response,
                    struct err *err)
{
    struct aws_failure *failure = &client->failure;
    *failure = (struct aws_failure){0};
    if (send_once(client, a, response, err) < 0)
        return err_wrap(err, "%s", a->request->operation);
    if (response->status >= 200 && response->status < 300)
        return 0;
    aws_failure_read(response, failure);
    const char *code = *failure->code ? failure->code : "HTTP";
    if (!*failure->message)
        snprintf(failure->message, sizeof failure->message, "status %d%s", failure->status,
                 failure->status == 403 ? ": wrong credentials, or not allowed" : "");
    return err_set(err, aws_failure_kind(failure), "%s: %s: %s", a->request->operation, code,
                   failure->message);
}

static int hash_body(struct attempt *a, struct err *err)
{
    const struct aws_request *r = a->request;
    if (!r->body && r->body_bytes > 0)
        return sigv4_hash_file(r->body_fd, r->body_offset, r->body_bytes, a->payload_hash, err);
    sigv4_hash(r->body, r->body_bytes, a->payload_hash);
    return 0;
}

int aws_client_send(struct aws_client *client, const struct aws_request *request,
                    struct http_response *response, struct err *err)
{
    struct attempt a = {.request = request};
    char base[512];
    client->failure = (struct aws_failure){0};
    if (request->header_count > HTTP_MAX_HEADERS - EXTRA_HEADERS)
        return err_set(err, ERR_TOO_BIG, "%s: too many headers", request->operation);
    a.base = request->endpoint;
    if (!a.base) {
        if (aws_config_endpoint(&client->config, request->service, base, sizeof base, err) < 0)
            return -1;
        a.base = base;
    }
    if (hash_body(&a, err) < 0)
        return err_wrap(err, "%s", request->operation);
    int tries = request->tries ? request->tries : AWS_DEFAULT_TRIES, done, learnt = 0;
    for (int try = 1;; try++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        a.arena = &arena;
        done = try_once(client, &a, response, err);
        arena_finish(&arena);
        if (done < 0 && !learnt && (learnt = learn_time(client, response)))
            continue;
        if (done == 0 || try >= tries || !may_pass(request, &client->failure, err) ||
            time_for(client, request) == 0)
            return done;
        log_line(LOG_INFO, "%s (try %d of %d)", err->message, try, tries);
        wait_before(try);
    }
}
