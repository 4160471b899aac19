#include "edge/webhook.h"

#include "aws/http.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "edge/report.h"
#include "edge/retry.h"
#include "edge/spool.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_SECRET = 16, MAX_SECRET = 1024, FIRST_PAUSE_MS = 500 };

struct webhook {
    struct webhook_options options;
    char secret[MAX_SECRET + 1];
    struct spool *spool;
    struct http *http;
    struct http_response response;
    pthread_t thread;
    int running, said;
    atomic_int finishing;
    uint64_t give_up_ns;
    int pause_ms;
};

void webhook_sign(const char *secret, const char *timestamp, const void *body, size_t size,
                  char out[WEBHOOK_SIGNATURE_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    size_t before = strlen(timestamp);
    unsigned char *signed_text = malloc(before + 1 + size);
    snprintf(out, WEBHOOK_SIGNATURE_BYTES, "sha256=");
    if (!signed_text)
        return;
    memcpy(signed_text, timestamp, before);
    signed_text[before] = '.';
    memcpy(signed_text + before + 1, body, size);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), signed_text, before + 1 + size, digest,
         &length);
    hex_encode(digest, length, out + 7);
    free(signed_text);
}

static int read_secret(struct webhook *webhook, struct err *err)
{
    struct buf text;
    buf_init(&text, MAX_SECRET);
    int done = file_read(webhook->options.secret_file, &text, err);
    if (done == 0) {
        size_t length = text.data ? strcspn(text.data, "\r\n") : 0;
        snprintf(webhook->secret, sizeof webhook->secret, "%.*s", (int)length,
                 text.data ? text.data : "");
        if (length < MIN_SECRET)
            done = err_set(err, ERR_INVALID, "read %s: a secret has at least %d bytes",
                           webhook->options.secret_file, MIN_SECRET);
    }
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    buf_finish(&text);
    return done;
}

/* One try. The status; 0 without an answer. */
static int post(struct webhook *webhook, uint64_t id, const struct buf *body, struct err *err)
{
    char event[24], timestamp[24], signature[WEBHOOK_SIGNATURE_BYTES];
    snprintf(event, sizeof event, "%" PRIu64, id);
    snprintf(timestamp, sizeof timestamp, "%" PRId64, clock_unix_ms() / 1000);
    webhook_sign(webhook->secret, timestamp, body->data, body->size, signature);
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"X-Ken-Event", event},
                                          {"X-Ken-Timestamp", timestamp},
                                          {"X-Ken-Signature", signature}};
    const struct http_request request = {.method = "POST",
                                         .url = webhook->options.url,
                                         .headers = headers,
                                         .header_count = 4,
                                         .body = body->data,
                                         .body_bytes = body->size,
                                         .body_fd = -1,
                                         .timeout_ms = WEBHOOK_TIMEOUT_MS};
    if (http_send(webhook->http, &request, &webhook->response, err) < 0)
        return 0;
    return webhook->response.status;
}

static void say(struct webhook *webhook, const char *what, int status, const struct err *err)
{
    char text[700];
    if (webhook->said)
        return;
    webhook->said = 1;
    if (status)
        snprintf(text, sizeof text, "webhook: HTTP %d; %s", status, what);
    else
        snprintf(text, sizeof text, "webhook: %s; %s", err->message, what);
    webhook->options.notice(webhook->options.context, text);
}

static void pause_a_while(struct webhook *webhook)
{
    int pause_ms = retry_draw(&webhook->pause_ms, WEBHOOK_MAX_PAUSE_MS);
    uint64_t until_ns = clock_monotonic_ns() + (uint64_t)pause_ms * 1000000;
    do
        clock_sleep_until_ns(clock_monotonic_ns() + 50 * 1000000ull);
    while (clock_monotonic_ns() < until_ns && !atomic_load(&webhook->finishing));
}

static void send_one(struct webhook *webhook, uint64_t id, const struct buf *body)
{
    struct err err = {0};
    int status = post(webhook, id, body, &err);
    if (status >= 200 && status < 300) {
        spool_remove(webhook->spool, id);
        webhook->pause_ms = FIRST_PAUSE_MS;
        webhook->said = 0;
    } else if (status >= 400 && status < 500 && status != 408 && status != 429) {
        say(webhook, "the event is given up", status, &err);
        spool_remove(webhook->spool, id);
    } else {
        say(webhook, "events wait on the disk", status, &err);
        pause_a_while(webhook);
    }
}

static void *work(void *argument)
{
    struct webhook *webhook = argument;
    struct buf meta, data;
    buf_init(&meta, SPOOL_MAX_META_BYTES);
    buf_init(&data, 1024);
    for (;;) {
        struct err err = {0};
        uint64_t id = 0;
        int there = spool_first(webhook->spool, &id, &meta, &data, &err);
        int finishing = atomic_load(&webhook->finishing);
        if (finishing && (there == 0 || clock_monotonic_ns() >= webhook->give_up_ns))
            break;
        if (there == 0)
            spool_wait(webhook->spool, 1000);
        else if (there < 0)
            spool_set_aside(webhook->spool, id);
        else
            send_one(webhook, id, &meta);
    }
    buf_finish(&meta);
    buf_finish(&data);
    return NULL;
}

int webhook_check(const struct webhook_options *options, struct err *err)
{
    const char *url = options->url; /* may hold a password: it is not repeated */
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "--webhook: it is no http:// or https:// URL");
    if (!options->secret_file)
        return err_set(err, ERR_INVALID, "--webhook: its --webhook-secret-file is missing");
    return 0;
}

static int start(struct webhook *webhook, struct err *err)
{
    if (webhook_check(&webhook->options, err) < 0 || read_secret(webhook, err) < 0)
        return -1;
    webhook->spool = spool_open(webhook->options.folder, WEBHOOK_QUEUE_BYTES, err);
    webhook->http = webhook->spool ? http_create(err) : NULL;
    if (!webhook->http)
        return -1;
    if (pthread_create(&webhook->thread, NULL, work, webhook) != 0)
        return err_set(err, ERR_NO_MEMORY, "start webhook: no thread to be had");
    webhook->running = 1;
    return 0;
}

struct webhook *webhook_open(const struct webhook_options *options, struct err *err)
{
    struct webhook *webhook = calloc(1, sizeof *webhook);
    if (!webhook) {
        err_set(err, ERR_NO_MEMORY, "start webhook: out of memory");
        return NULL;
    }
    webhook->options = *options;
    webhook->pause_ms = FIRST_PAUSE_MS;
    http_response_init(&webhook->response);
    webhook->response.body.limit = 64 * 1024;
    if (start(webhook, err) == 0)
        return webhook;
    webhook_close(webhook);
    return NULL;
}

void webhook_visit(struct webhook *webhook, const struct track_event *event)
{
    struct err err = {0};
    json_t *line = report_visit_json(event);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    const struct spool_item item = {.rank = SPOOL_QUESTION, .meta = text ? text : "{}"};
    if (text && spool_add(webhook->spool, &item, &err) < 0)
        webhook->options.notice(webhook->options.context, err.message);
    free(text);
    json_decref(line);
}

void webhook_close(struct webhook *webhook)
{
    if (!webhook)
        return;
    webhook->give_up_ns = clock_monotonic_ns() + (uint64_t)(webhook->options.patience_s * 1e9);
    atomic_store(&webhook->finishing, 1);
    if (webhook->spool)
        spool_wake(webhook->spool);
    if (webhook->running)
        pthread_join(webhook->thread, NULL);
    spool_close(webhook->spool);
    http_destroy(webhook->http);
    http_response_finish(&webhook->response);
    explicit_bzero(webhook->secret, sizeof webhook->secret);
    free(webhook);
}
