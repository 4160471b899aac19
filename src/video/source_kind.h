#ifndef VIDEO_SOURCE_KIND_H
#define VIDEO_SOURCE_KIND_H

#include "video/source.h"

/* One kind of source; inside the video module only. A kind's own struct begins with a struct
 * source, of which open() leaves `kind` to its caller. */
struct source_kind {
    const char *scheme; /* "rtsp:", in front of its locations */
    struct source *(*open)(const char *location, const struct source_options *options,
                           struct err *err); /* the location without the scheme */
    void (*close)(struct source *source);
    double (*fps)(const struct source *source);
    int (*read)(struct source *source, struct frame *frame, struct err *err);
};

struct source {
    const struct source_kind *kind;
};

extern const struct source_kind source_file;

#endif
