#ifndef EDGE_UPLINK_H
#define EDGE_UPLINK_H

#include "base/buf.h"
#include "base/err.h"
#include "edge/deployment.h"

#include <stddef.h>

/* One worker's way to the cloud: connections that stay open. One thread at a time.
 *
 * Failures that may pass by themselves are ERR_UNAVAILABLE (no connection), ERR_TIMEOUT (no answer)
 * and ERR_BUSY (throttled, or a 5xx); uplink_may_pass() tells them from the others. Nothing is
 * retried here. */
struct uplink;

enum { UPLINK_TIMEOUT_MS = 30000 }; /* API Gateway gives up at 29 s */

/* Credentials come from the environment; where the services are, the deployment knows, unless the
 * environment says otherwise. */
struct aws_config;
int uplink_config(struct aws_config *config, const struct deployment *deployment,
                  struct err *err) MUST_USE;

struct uplink *uplink_open(const struct deployment *deployment, struct err *err);
void uplink_close(struct uplink *uplink); /* NULL is fine */

/* Open the connections to the API and the frame bucket, so that the first frame does not wait for
 * it: a request without a signature to each, whose refusal is not looked at. */
void uplink_warm(struct uplink *uplink);

int uplink_put(struct uplink *uplink, const char *key, const char *content_type, const void *data,
               size_t size, struct err *err) MUST_USE; /* into the frame bucket */
int uplink_put_video(struct uplink *uplink, const char *key, const char *path,
                     struct err *err) MUST_USE; /* a file, into the video bucket */

/* Ask who is on frame `key`. Returns the HTTP status with the body in `body` (borrowed until the
 * next call), or -1. 429 and 5xx are failures. */
int uplink_ask(struct uplink *uplink, const char *key, const struct buf **body,
               struct err *err) MUST_USE;

/* The same with the frame itself in the request; the function archives it as `key`. */
struct uplink_frame {
    const char *key, *content_type;
    const void *data;
    size_t size;
};
int uplink_post(struct uplink *uplink, const struct uplink_frame *frame, const struct buf **body,
                struct err *err) MUST_USE;

/* Into the frame bucket unless there is such a key already: 0: it is there with these bytes, now or
 * since an earlier try; 1: something else is there; 2: something, which this device may not read;
 * -1. So a frame that is sent twice is stored
 * once, and one of another run is never replaced. */
int uplink_put_new(struct uplink *uplink, const struct uplink_frame *frame, const char *key,
                   struct err *err) MUST_USE;
/* A file into the video bucket, in parts; `upload` says which, and gets its bucket here. */
struct s3_upload;
int uplink_upload(struct uplink *uplink, struct s3_upload *upload, struct err *err) MUST_USE;
/* Give it up: nothing of it stays. */
int uplink_abandon(struct uplink *uplink, struct s3_upload *upload, struct err *err) MUST_USE;

int uplink_may_pass(const struct err *err);

/* Whether S3 takes the keys, without storing anything: which uploads go on in the video bucket.
 * Returns 1 when they may be asked for, 0 when the keys are right and may not, -1 on failure. */
int uplink_probe(struct uplink *uplink, struct err *err) MUST_USE;

#endif
