#ifndef VIDEO_RECORDER_H
#define VIDEO_RECORDER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Keeps everything a camera sees in fragmented MP4 files, on a thread of its own. A file is
 * DD_MM_YYYY_HH_MM_SS.mp4 (local time of its start), with ".part" behind until it is complete; a
 * fragment is written every RECORDER_FRAGMENT_S and brought to the disk, so a file that was cut
 * short plays to there.
 *
 * A camera's own H.264 is stored as it is; pictures are encoded, by the hardware where there is an
 * encoder (V4L2 M2M), else by x264. Usually one file holds the whole session; `segment_s` cuts it
 * at key frames. A new file begins in any case when the camera comes back with another picture, or
 * after a gap of RECORDER_MAX_GAP_S. */
struct recorder;
struct frame;
struct AVFrame;

enum { RECORDER_FRAGMENT_S = 2, RECORDER_PATH_BYTES = 4096, RECORDER_MAX_GAP_S = 60 };

/* What may wait in memory of the time before an event. */
enum { RECORDER_MAX_PRE_ROLL_S = 60, RECORDER_MAX_PRE_ROLL_BYTES = 64 * 1024 * 1024 };

/* A camera's packets that may wait for the disk: half a minute of 640x480 at 2 Mbit/s. */
enum { RECORDER_MAX_PACKETS = 4096, RECORDER_MAX_PACKET_BYTES = 8 * 1024 * 1024 };

enum recorder_codec {
    RECORDER_AUTO,     /* a camera's H.264 as it is; else encode, in hardware if there is any */
    RECORDER_X264,     /* always encode, by x264 */
    RECORDER_HARDWARE, /* always encode, by h264_v4l2m2m; refused where there is none */
    RECORDER_COPY,     /* a camera's H.264 or MJPEG as it is; refused for pictures */
};

struct recorder_result {
    char path[RECORDER_PATH_BYTES]; /* the finished file; the .part file after a failure */
    uint64_t frames, dropped;       /* recorded; dropped because the queue was full */
    uint64_t bytes;
    double cpu_s;       /* the recorder thread's processor time */
    uint64_t files;     /* how many there are; the fields above but `path` add them up */
    uint64_t discarded; /* frames that no event asked for */
    char encoder[32];   /* "copy", "libx264", "h264_v4l2m2m" */
};

struct recorder_options {
    const char *folder; /* must exist */
    double fps;
    int width, height;  /* pixels; an odd last column or row is not recorded */
    size_t queue;       /* pictures that may wait for the encoder */
    int wait;           /* when the queue is full: wait (a source that can), rather than drop */
    const char *preset; /* x264's, ultrafast to fast; NULL: RECORDER_PRESET */
    enum recorder_codec codec;
    int rotate, mirror; /* as in struct source_options: into the header of what is copied */
    double segment_s;   /* a new file after so long; 0: one file */

    int events_only;    /* write only between recorder_event(1) and (0), and */
    double pre_roll_s;  /* so long before (from the key frame before), and */
    double post_roll_s; /* so long after it */

    /* Before a file is begun and after one is finished, finished recordings (of earlier runs too)
     * go, oldest first, while they are older than `keep_s` or all together more than `keep_bytes`;
     * 0: no limit. Never the one being written, nor one that `may_remove` holds back. */
    double keep_s;
    uint64_t keep_bytes;

    /* Called on the recorder's thread; any may be NULL. */
    void *context;
    /* A file is complete and on the disk; it gets this name next, and loses its ".part". So what
     * the callback notes down is there before a file that nobody would look at again. */
    void (*finished)(void *context, const char *path);
    int (*may_remove)(void *context, const char *path);
};
#define RECORDER_PRESET "veryfast"

struct recorder *recorder_start(const struct recorder_options *options, struct err *err);

/* Hand over a frame; never waits unless `wait`. Returns 0, or -1 once recording has failed (a full
 * disk, say): further frames are refused, and what was written stays in the .part file. */
int recorder_write(struct recorder *recorder, const struct AVFrame *picture, uint64_t number,
                   struct err *err) MUST_USE;

/* The same for a frame of a source: its packet as it is where `codec` allows, else its picture (a
 * camera's that was not decoded is decoded on the recorder's thread). Frames are stored at the time
 * they were captured. */
int recorder_write_frame(struct recorder *recorder, const struct frame *frame,
                         struct err *err) MUST_USE;

/* Something begins (1) or is over (0) now; without `events_only` it does nothing. Any thread. */
void recorder_event(struct recorder *recorder, int begins);

/* Finish: encode what waits, make the file durable, give it its name. Frees the recorder; NULL is
 * fine. `result` is filled in any case; with no file (no event) its path is "". */
int recorder_finish(struct recorder *recorder, struct recorder_result *result,
                    struct err *err) MUST_USE;

#endif
