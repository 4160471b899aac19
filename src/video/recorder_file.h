#ifndef VIDEO_RECORDER_FILE_H
#define VIDEO_RECORDER_FILE_H

#include "base/err.h"
#include "video/recorder.h"

#include <time.h>

struct AVCodecParameters;
struct AVPacket;

/* One fragmented MP4; inside the video module only. Packets have the time base 1/RECORDER_TICKS;
 * the file begins at its first one's time. What a fragment holds is on the disk when the next one
 * begins. */
struct recorder_file;

enum { RECORDER_TICKS = 90000 };

struct recorder_file_options {
    const char *folder;
    const struct AVCodecParameters *parameters;
    double fps;
    int rotate, mirror; /* for the header */
    time_t begins;      /* what its name says */
    void *context;
    void (*finished)(void *context, const char *path); /* as in struct recorder_options */
};

struct recorder_file *recorder_file_open(const struct recorder_file_options *options,
                                         struct err *err);

/* The packet is emptied. */
int recorder_file_write(struct recorder_file *file, struct AVPacket *packet,
                        struct err *err) MUST_USE;

/* Complete it, durably, under its name, and free it. `path` and `bytes` tell what there is in any
 * case. With `keep_part` it stays as it is: a recording that failed. */
int recorder_file_finish(struct recorder_file *file, int keep_part, char path[RECORDER_PATH_BYTES],
                         uint64_t *bytes, struct err *err) MUST_USE;

const char *recorder_file_part(const struct recorder_file *file); /* its path for now */

#endif
