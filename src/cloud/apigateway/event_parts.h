#ifndef CLOUD_APIGATEWAY_EVENT_PARTS_H
#define CLOUD_APIGATEWAY_EVENT_PARTS_H

#include "cloud/apigateway/event.h"

/* What both versions of the event are made of. */

json_t *event_text(const char *text); /* null for NULL, and for what is not UTF-8 */
json_t *event_time(int64_t unix_ms);  /* "12/Mar/2020:19:03:58 +0000" */
const char *event_header(const struct event_request *request, const char *name);
/* A header that is not the function's to see. */
int event_hides(const struct event_request *request, const char *name);
const char *event_port(const struct event_request *request); /* that the client came to */

struct event_body {
    const void *data;
    size_t size;
    int is_text;   /* as far as the request says so */
    int says_none; /* one that is empty is null, not left out */
};
/* The event's text with the body in it, and its size; takes the event. Base64 goes straight into
 * the text: it needs no escapes, and may be megabytes. NULL without memory. */
char *event_write(json_t *event, const struct event_body *body, size_t *size);

#endif
