#ifndef VIDEO_PRE_ROLL_H
#define VIDEO_PRE_ROLL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct AVPacket;

/* The packets of the last seconds, from a key frame on; inside the video module only. Times are in
 * 1/RECORDER_TICKS. It takes what it needs: as few groups of pictures as cover the time, and none
 * past the limits of video/recorder.h. */
struct pre_roll;

struct pre_roll *pre_roll_create(double seconds, struct err *err);
void pre_roll_destroy(struct pre_roll *roll); /* NULL is fine */

/* Takes the packet. Returns how many were let go, or -1. */
int pre_roll_push(struct pre_roll *roll, struct AVPacket *packet, struct err *err) MUST_USE;

/* The oldest one, moved into `packet`; 0 when there is none. */
int pre_roll_pop(struct pre_roll *roll, struct AVPacket *packet);

int64_t pre_roll_span(const struct pre_roll *roll); /* from the oldest to the newest */
size_t pre_roll_clear(struct pre_roll *roll);       /* how many there were */

#endif
