#ifndef EDGE_WEBHOOK_H
#define EDGE_WEBHOOK_H

#include "base/err.h"
#include "edge/track.h"

#include <stddef.h>
#include <stdint.h>

/* Visits as POSTs to a URL: the JSON object that ken edge --json prints, with these headers:
 *
 *   X-Ken-Event      a number; the same event has the same one in every try
 *   X-Ken-Timestamp  seconds since 1970, of this try
 *   X-Ken-Signature  sha256=HEX: HMAC-SHA256 with the secret over TIMESTAMP "." BODY
 *
 * Events wait in a queue on the disk (edge/spool.h) until a 2xx answer came: tried again after 0.5
 * s, then twice as long each time up to a minute, with jitter. Another 4xx than 408 and 429 gives
 * the event up, told once by `notice`. */
struct webhook;

enum { WEBHOOK_TIMEOUT_MS = 10000, WEBHOOK_MAX_PAUSE_MS = 60000 };
#define WEBHOOK_QUEUE_BYTES ((uint64_t)16 * 1024 * 1024)

struct webhook_options {
    const char *url;         /* http:// or https:// */
    const char *secret_file; /* its first line, at least 16 bytes */
    const char *folder;      /* of the queue */
    double patience_s;       /* at the end */
    void *context;
    void (*notice)(void *context, const char *text); /* from the webhook's thread */
};

/* Whether the options can be right; nothing is opened or read. */
int webhook_check(const struct webhook_options *options, struct err *err) MUST_USE;
struct webhook *webhook_open(const struct webhook_options *options, struct err *err);
void webhook_visit(struct webhook *webhook, const struct track_event *event);
void webhook_close(struct webhook *webhook); /* sends what waits, for a while; NULL is fine */

/* "sha256=" and 64 digits. */
enum { WEBHOOK_SIGNATURE_BYTES = 72 };
void webhook_sign(const char *secret, const char *timestamp, const void *body, size_t size,
                  char out[WEBHOOK_SIGNATURE_BYTES]);

#endif
