#ifndef CLOUD_S3_EVENTS_H
#define CLOUD_S3_EVENTS_H

#include "cloud/s3/meta.h"

/* Event notifications: which events of a bucket go where, and the outbox that they wait in.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */

struct s3_event {
    const char *name;                 /* "ObjectCreated:Put" */
    const char *key, *etag, *version; /* "" for none */
    int64_t size, sequence;
    int has_size; /* removals tell none */
};

/* Inside the writer's transaction: a row of the outbox for each of the bucket's configurations that
 * wants the event. It is as durable as what happened. */
int events_note(struct connection *c, struct s3_request *r, const struct s3_event *event,
                struct err *err) MUST_USE;

/* Behind the commit: let the outbox look when there were any. */
void events_wake(struct s3_request *r);

/* The thread that empties the outbox. */
struct outbox;
struct outbox *outbox_create(struct s3 *s3, struct err *err);
void outbox_wake(struct outbox *outbox); /* NULL is fine: not started yet */
/* Ends the thread, so that the targets may go; what still comes waits for the next start. */
void outbox_stop(struct outbox *outbox);
void outbox_destroy(struct outbox *outbox); /* NULL is fine */

/* Check a notification configuration's targets and send each s3:TestEvent. -1: answered. */
struct tree;
int events_check(struct s3_request *r, struct tree *config);

#endif
