#ifndef VIDEO_SOURCE_H
#define VIDEO_SOURCE_H

#include "base/err.h"
#include "image/image.h"

#include <stdint.h>

/* Where frames come from: a video file played as a camera (real time, at `fps`, frames repeated or
 * dropped to keep it), or as fast as possible. Cameras and streams join behind the same interface.
 */
struct source;

struct source_options {
    double start_s; /* skip the opening */
    double seconds; /* stop after this much; 0: the end */
    double fps;     /* frames a second handed out; 0: the file's own */
    int real_time;  /* pace by the clock */
    int loop;       /* start again (at start_s) when the file ends, until `seconds` are over */
};

struct frame {
    struct image image;   /* borrowed until the next source_read() */
    uint64_t number;      /* from 1 */
    uint64_t captured_ns; /* monotonic */
};

struct source *source_open(const char *location, const struct source_options *options,
                           struct err *err);
void source_close(struct source *source); /* NULL is fine */
/* Returns 1 with a frame, 0 at the end, -1 on failure. */
int source_read(struct source *source, struct frame *frame, struct err *err) MUST_USE;

#endif
