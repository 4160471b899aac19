#ifndef CLOUD_APIGATEWAY_EVENT_PARTS_H
#define CLOUD_APIGATEWAY_EVENT_PARTS_H

#include "cloud/apigateway/event.h"

/* What both versions of the event are made of. */

json_t *event_text(const char *text);                /* null for NULL, and for what is not UTF-8 */
json_t *event_time(int64_t unix_ms);                 /* "12/Mar/2020:19:03:58 +0000" */
json_t *event_base64(const void *data, size_t size); /* NULL without memory */
const char *event_header(const struct event_request *request, const char *name);
/* A header that is not the function's to see. */
int event_hides(const struct event_request *request, const char *name);

#endif
