#ifndef CAMERA_H
#define CAMERA_H

/* What tests of cameras without a camera share: streams of the test pattern in a folder, and how
 * they are read. */

#include "base/clock.h"
#include "base/file.h"
#include "stream_file.h"
#include "video/source.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-test-XXXXXX";

static inline const char *at(const char *name)
{
    static char paths[4][96];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline int make_stream(const char *name, enum AVCodecID codec, int count, int sizes)
{
    struct stream_file how = {.path = at(name),
                              .codec = codec,
                              .width = 640,
                              .height = 480,
                              .count = count,
                              .gop = 15,
                              .sizes = sizes,
                              .first = 1};
    return stream_file_write(&how);
}

static inline int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static inline struct source *opened(const char *location, struct source_options options)
{
    struct err err = {0};
    options.real_time = 1;
    struct source *source = source_open(location, &options, &err);
    if (!source)
        fail_msg("%s", err.message);
    return source;
}

/* The next frame, or none within `limit_ms`. */
static inline int next_frame(struct source *source, struct frame *frame, int limit_ms)
{
    struct err err = {0};
    uint64_t start_ns = clock_monotonic_ns();
    while (clock_ms_since(start_ns) < limit_ms) {
        uint64_t before_ns = clock_monotonic_ns();
        int result = source_read(source, frame, &err);
        if (result < 0)
            fail_msg("%s", err.message);
        assert_true(clock_ms_since(before_ns) < 1500); /* the reader is never held up */
        if (result == SOURCE_FRAME)
            return 1;
        assert_int_equal(result, SOURCE_WAITING);
    }
    return 0;
}

static inline struct source_status status_of(struct source *source)
{
    struct source_status status;
    source_get_status(source, &status);
    return status;
}

#endif
