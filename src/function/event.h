#ifndef FUNCTION_EVENT_H
#define FUNCTION_EVENT_H

#include "base/err.h"

#include <stddef.h>

/* What a request asks for: the frame's place, and with POST the frame itself. Read from the event
 * of a REST API's proxy integration (version 1.0), of an HTTP API (2.0), or from a plain
 * {"BucketName": .., "ImageName": ..} with or without "body". */

enum { EVENT_BUCKET_BYTES = 256, EVENT_KEY_BYTES = 1025 };

struct event {
    char bucket[EVENT_BUCKET_BYTES], key[EVENT_KEY_BYTES]; /* "" when absent */
    unsigned char *picture;                                /* NULL: the frame is in the bucket */
    size_t picture_bytes;
};

/* ERR_INVALID, saying what is wrong, also when a parameter or a POST's body is missing;
 * `event->key` is then filled as far as it is known. event_finish() in any case. */
int event_read(struct event *event, const char *text, size_t size, struct err *err) MUST_USE;
void event_finish(struct event *event);

#endif
