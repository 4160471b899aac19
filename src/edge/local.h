#ifndef EDGE_LOCAL_H
#define EDGE_LOCAL_H

#include "base/buf.h"
#include "base/err.h"
#include "edge/deployment.h"
#include "image/image.h"

/* Recognition on the device: the function's own handler over networks and a gallery that lie here,
 * so that the answer is the same. A person's record is fetched by GetItem and kept; where it cannot
 * be fetched a kept one of any age serves, and without one the record is the name alone, so the
 * device answers without a network too. Thread safe; one picture at a time. */
struct local;

enum { LOCAL_MAX_RECORDS = 10000, LOCAL_MAX_BODY_BYTES = 1024 * 1024 };

struct local_options {
    const char *models, *gallery; /* folder and file */
    double record_lifetime_s;     /* a kept record is fetched again when it is older */
};

/* `deployment` is borrowed: its table has the records. */
struct local *local_open(const struct local_options *options, const struct deployment *deployment,
                         struct err *err);
void local_close(struct local *local); /* NULL is fine */

/* Appends the answer's body for the picture named `key`; returns the HTTP status that the function
 * would give. */
int local_ask(struct local *local, const char *key, const struct image *image, struct buf *body);

#endif
