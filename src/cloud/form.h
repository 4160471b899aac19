#ifndef CLOUD_FORM_H
#define CLOUD_FORM_H

#include "base/buf.h"
#include "cloud/exchange.h"

/* AWS's query protocol: a form with an Action in, XML out. */

/* A parameter of the form in the body, or in the query string; decoded, "" may be a value, NULL
 * when absent or wrongly encoded. */
const char *form_get(struct exchange *x, const char *name);

/* The names of all parameters, of the body and then of the query string, one a call; NULL at the
 * end. Starts with a cursor of zeros. */
struct form_cursor {
    const char *at;
    int place; /* 0: not begun, 1: body, 2: query string */
};
const char *form_next(struct exchange *x, struct form_cursor *cursor);

/* An answer: "<ActionResponse xmlns=..><ActionResult>" + what is put into `body` + the end. */
void form_begin(struct buf *body, const char *action, const char *name_space, size_t limit_bytes);
void form_put(struct buf *body, const char *element, const char *text);
/* The same, percent-encoded first, as policies are given. */
void form_put_encoded(struct buf *body, const char *element, const char *text);
void form_respond(struct exchange *x, struct buf *body, const char *action);

#endif
