#ifndef VIDEO_SOURCE_KIND_H
#define VIDEO_SOURCE_KIND_H

#include "video/source.h"

#include <pthread.h>

/* One kind of source; inside the video module only. A kind's own struct begins with a struct
 * source, of which open() leaves everything to its caller. */
struct source_kind {
    struct source *(*open)(const char *location, const struct source_options *options,
                           struct err *err);
    void (*close)(struct source *source);
    double (*fps)(const struct source *source);
    int (*read)(struct source *source, struct frame *frame, struct err *err);
    /* Decode the frame read last; NULL where read() always gives a picture. */
    int (*picture)(struct source *source, struct frame *frame, struct err *err);
};

struct source {
    const struct source_kind *kind;
    struct turner *turner; /* NULL: pictures stay as they are */
    pthread_mutex_t lock;  /* of the status */
    struct source_status status;
};

/* A kind whose camera comes and goes says so; `reason` may be NULL. */
void source_set_state(struct source *source, enum source_state state, const char *reason);

/* What all kinds refuse. */
int source_check_options(const struct source_options *options, struct err *err) MUST_USE;

/* Frames to hand out: 0 for no end. */
uint64_t source_frame_limit(const struct source_options *options, double fps);

extern const struct source_kind source_camera, source_file, source_pattern, source_photos;

#endif
