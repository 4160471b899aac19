#ifndef FUNCTION_HANDLER_H
#define FUNCTION_HANDLER_H

#include "base/buf.h"
#include "base/err.h"
#include "face/gallery.h"
#include "face/recognizer.h"
#include "function/event.h"
#include "image/image.h"

#include <stddef.h>

/* From a request's event to its answer: fetch the frame or take it from the request, recognise,
 * look the record up. Nothing that comes in makes it fail: what goes wrong becomes an answer with
 * its own status and message (docs/function.md). */

enum { HANDLER_MAX_FACES = 32 };

/* How fetching a frame ended. */
enum frame_result {
    FRAME_FETCHED,
    FRAME_NO_BUCKET,
    FRAME_NO_KEY,
    FRAME_DENIED, /* by the policies of the function's role */
    FRAME_TOO_BIG,
    FRAME_FAILED
};

/* What the handler works with; tests put their own in. */
struct handler_parts {
    void *self;
    /* Put the object's bytes where `data` and `size` say, valid until the next call. `err` is set
     * for all but FRAME_FETCHED. */
    enum frame_result (*fetch)(void *self, const char *bucket, const char *key, const void **data,
                               size_t *size, struct err *err);
    int (*recognize)(void *self, const struct image *image, struct face *faces, size_t max,
                     struct face_timings *timings, struct err *err);       /* as recognizer_run() */
    int (*match)(void *self, const float *embedding, struct match *match); /* as gallery_match() */
    /* Append the person's record as plain JSON. 1: found, 0: none, -1. */
    int (*record)(void *self, const char *name, struct buf *plain, struct err *err);
    const char *table; /* its name, for messages */
    /* Memory for pictures, kept from request to request unless one was unusually large; NULL: none
     * is kept. */
    struct image *picture;
};

/* What happened, for the log: nothing in it tells who was seen. */
struct handler_outcome {
    int status;        /* HTTP */
    const char *error; /* "NoFace"; NULL when all went well */
    size_t faces;
    double total_ms;
    struct event archive; /* its picture came in the request and is to be archived; NULL: none */
};
void handler_outcome_finish(struct handler_outcome *outcome);

/* Append the answer, in the form that a proxy integration wants:
 * {"statusCode": .., "headers": {..}, "body": "..", "isBase64Encoded": false}. */
void handler_run(const struct handler_parts *parts, const char *event, size_t event_bytes,
                 int cold_start, struct buf *answer, struct handler_outcome *outcome);

/* The same from a picture that is at hand, for the device that recognises by itself: appends the
 * body alone. `fetch` and `picture` of the parts are not used. */
void handler_recognize(const struct handler_parts *parts, const char *key,
                       const struct image *image, struct buf *body,
                       struct handler_outcome *outcome);

#endif
