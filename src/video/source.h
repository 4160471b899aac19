#ifndef VIDEO_SOURCE_H
#define VIDEO_SOURCE_H

#include "base/err.h"

#include <stdint.h>

/* Where frames come from: a video file played as a camera (real time, at `fps`, frames repeated or
 * dropped to keep it), or as fast as possible. Cameras and streams join behind the same interface.
 *
 * A file's frame k is the last picture shown at start_s + k / fps. A source belongs to one thread
 * at a time. */
struct source;
struct AVFrame;

enum { SOURCE_MAX_FPS = 240 };
/* A gap in a file's timestamps longer than this is damage, not a pause. */
#define SOURCE_MAX_GAP_S 60.0

struct source_options {
    double start_s; /* skip the opening */
    double seconds; /* stop after this much; 0: the end */
    double fps;     /* frames a second handed out, to SOURCE_MAX_FPS; 0: the file's own */
    int real_time;  /* pace by the clock */
    int loop;       /* start again (at start_s) when the file ends, until `seconds` are over */
};

struct frame {
    struct AVFrame *picture; /* borrowed until the next source_read(); see video/picture.h */
    int width, height;       /* pixels; the same for all frames of a source */
    uint64_t number;         /* from 1 */
    uint64_t captured_ns;    /* monotonic; in real time the moment the frame was due */
};

/* `location` is a file's path, or SCHEME:... of one of the kinds in video/source.c ("file:" too).
 * Of files only local ones are opened, and only formats that hold a video themselves (no playlists,
 * which could name other files and hosts). */
struct source *source_open(const char *location, const struct source_options *options,
                           struct err *err);
void source_close(struct source *source); /* NULL is fine */
double source_fps(const struct source *source);

/* Returns 1 with a frame, 0 at the end, -1 on failure. */
int source_read(struct source *source, struct frame *frame, struct err *err) MUST_USE;

#endif
