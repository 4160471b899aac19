#ifndef VIDEO_RECORDER_H
#define VIDEO_RECORDER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Keeps everything a camera sees as H.264 in a fragmented MP4, on a thread of its own. The file is
 * DD_MM_YYYY_HH_MM_SS.mp4 (local time of its start), with ".part" behind until it is complete; a
 * fragment is written every RECORDER_FRAGMENT_S, so a file that was cut short plays to there. */
struct recorder;
struct AVFrame;

enum { RECORDER_FRAGMENT_S = 2, RECORDER_PATH_BYTES = 4096 };

struct recorder_options {
    const char *folder; /* must exist */
    double fps;
    int width, height;  /* pixels; an odd last column or row is not recorded */
    size_t queue;       /* frames that may wait for the encoder */
    int wait;           /* when the queue is full: wait (a source that can), rather than drop */
    const char *preset; /* x264's, ultrafast to fast; NULL: RECORDER_PRESET */
};
#define RECORDER_PRESET "veryfast"

struct recorder_result {
    char path[RECORDER_PATH_BYTES]; /* the finished file; the .part file after a failure */
    uint64_t frames, dropped;       /* recorded; dropped because the queue was full */
    uint64_t bytes;
    double cpu_s; /* the recorder thread's processor time */
};

struct recorder *recorder_start(const struct recorder_options *options, struct err *err);

/* Hand over a frame; never waits unless `wait`. Returns 0, or -1 once recording has failed (a full
 * disk, say): further frames are refused, and what was written stays in the .part file. */
int recorder_write(struct recorder *recorder, const struct AVFrame *picture, uint64_t number,
                   struct err *err) MUST_USE;

/* Finish: encode what waits, make the file durable, give it its name. Frees the recorder; NULL is
 * fine. `result` is filled in any case. */
int recorder_finish(struct recorder *recorder, struct recorder_result *result,
                    struct err *err) MUST_USE;

#endif
