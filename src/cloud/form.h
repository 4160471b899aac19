#ifndef CLOUD_FORM_H
#define CLOUD_FORM_H

#include "base/buf.h"
#include "cloud/exchange.h"

/* AWS's query protocol: a form with an Action in, XML out. */

/* A parameter of the form in the body, or in the query string; decoded, "" may be a value, NULL
 * when absent or wrongly encoded. */
const char *form_get(struct exchange *x, const char *name);

/* An answer: "<ActionResponse xmlns=..><ActionResult>" + what is put into `body` + the end. */
void form_begin(struct buf *body, const char *action, const char *name_space, size_t limit_bytes);
void form_put(struct buf *body, const char *element, const char *text);
/* The same, percent-encoded first, as policies are given. */
void form_put_encoded(struct buf *body, const char *element, const char *text);
void form_respond(struct exchange *x, struct buf *body, const char *action);

#endif
