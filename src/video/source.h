#ifndef VIDEO_SOURCE_H
#define VIDEO_SOURCE_H

#include "base/err.h"

#include <stdint.h>

/* Where frames come from: a file played as a camera, photos, a test pattern, a camera, a stream.
 *
 *     walk.mp4, file:walk.mp4       a video file, in real time or as fast as possible
 *     photos:FOLDER, FOLDER         its photos (.jpg, .png) by name, one a frame
 *     test:                         a moving pattern with a frame counter, for trying things out
 *     /dev/video0, v4l2:/dev/video0 a camera of the kernel's: H.264, MJPEG or YUYV
 *     libcamera:, libcamera:1       the first, second camera of libcamera, through rpicam-vid
 *     pipe:COMMAND                  a command that writes H.264 or MJPEG (`format`) to its output
 *     rtsp: rtsps: http: https:     a stream, H.264 or MJPEG
 *
 * The last four are cameras: they capture in a process of its own, which is left behind when it
 * hangs, and none of their failures ends the source. While there is no camera source_read() says
 * SOURCE_WAITING and tries again by itself; source_get_status() tells why.
 *
 * A file's frame k is the last picture shown at start_s + k / fps. A source belongs to one thread
 * at a time. */
struct source;
struct AVFrame;
struct AVPacket;
struct AVCodecParameters;

enum {
    SOURCE_MAX_FPS = 240,
    SOURCE_MAX_SIDE = 8192, /* pixels asked of a camera */
    SOURCE_WAIT_MS = 200,   /* source_read() waits no longer than that for an absent camera */
    SOURCE_PAUSE_MIN_MS = 500 /* between two tries to reach a camera; doubles up to ... */,
    SOURCE_PAUSE_MAX_MS = 3000 /* ... this, so that one that returns is seen within 5 s */
};
/* A gap in a file's timestamps longer than this is damage, not a pause. */
#define SOURCE_MAX_GAP_S 60.0
/* A camera that gives no frame for so long is frozen: its process is killed, and started again. */
#define SOURCE_FROZEN_S 5.0

struct source_options {
    double start_s; /* skip the opening */
    double seconds; /* stop after this much; 0: the end */
    double fps;     /* frames a second, to SOURCE_MAX_FPS; 0: the file's, the camera's own choice.
                       A file is resampled to it, a camera asked for it. */
    int real_time;  /* pace by the clock; cameras always do */
    int loop;       /* start again (at start_s) when the file ends, until `seconds` are over */
    int width, height;   /* asked of a camera, which gives its nearest; of photos and the test
                            pattern the size; 0: its own. Files have theirs. */
    int rotate;          /* pictures are turned clockwise by 0, 90, 180 or 270 degrees, */
    int mirror;          /* and then left and right are swapped */
    const char *format;  /* of a camera: "h264", "mjpeg" or "yuyv"; NULL: the first of them that it
                            has at the size and rate asked */
    const char *command; /* of libcamera: in place of "rpicam-vid" or "libcamera-vid" */
    double frozen_s;     /* 0: SOURCE_FROZEN_S */
    int on_demand;       /* a camera's pictures are decoded only by source_picture() */
};

struct frame {
    struct AVFrame *picture; /* borrowed until the next source_read(); see video/picture.h. NULL:
                                not decoded yet (on_demand), see source_picture() */
    int width, height;       /* pixels, as turned; all frames' unless `begins` says otherwise */
    uint64_t number;         /* from 1 */
    uint64_t captured_ns;    /* monotonic; in real time the moment the frame was due */

    /* What a camera gave, for a recorder that stores it as it is; else NULL. Borrowed likewise. Not
     * turned: `rotate` and `mirror` of the options go into the recording's header. */
    const struct AVPacket *packet;
    const struct AVCodecParameters *parameters;
    int begins; /* the first one since the camera came (back); its size and kind may be others */
};

/* Of those read as 0 ("the end") and above; failures are -1. */
enum source_result {
    SOURCE_END = 0,
    SOURCE_FRAME = 1,
    SOURCE_WAITING = 2, /* no frame for now; ask again (and see whether it is time to stop) */
};

enum source_state { SOURCE_CONNECTING, SOURCE_STREAMING, SOURCE_LOST };

struct source_status {
    enum source_state state; /* files are always streaming */
    int64_t since_unix_ms;   /* in this state */
    int64_t last_unix_ms;    /* of the last frame; 0: none yet */
    uint64_t connects;       /* how often it began to stream */
    char reason[256];        /* why there is no camera; "" when there is */
    char camera[128];        /* what delivers: "h264 640x480 at 30", "" while nothing does */
};

/* `location` as above. Of files only local ones are opened, and only formats that hold a video
 * themselves (no playlists, which could name other files and hosts). A camera that is absent is no
 * error; options that make no sense are. */
struct source *source_open(const char *location, const struct source_options *options,
                           struct err *err);
void source_close(struct source *source); /* NULL is fine */

/* What may go and come back, and has no end of its own. */
int source_is_camera(const struct source *source);

/* Frames a second: exact for files, what a camera promised (or was asked for) else. */
double source_fps(const struct source *source);

/* Returns an enum source_result, with a frame for SOURCE_FRAME, or -1 on failure. */
int source_read(struct source *source, struct frame *frame, struct err *err) MUST_USE;

/* The decoded picture of the frame read last: `frame->picture` is filled in. Decodes what lies
 * between the last decoded frame (or the last key frame) and this one. Returns SOURCE_FRAME, or
 * SOURCE_WAITING when this frame cannot be shown (damaged, or before the first key frame). */
int source_picture(struct source *source, struct frame *frame, struct err *err) MUST_USE;

/* Any thread may ask, until the source is closed. */
void source_get_status(struct source *source, struct source_status *status);
const char *source_state_name(enum source_state state); /* "connecting", "streaming", "lost" */

/* The location without a password in it, for logs and messages. */
enum { SOURCE_LABEL_BYTES = 256 };
void source_label(const char *location, char label[SOURCE_LABEL_BYTES]);

#endif
