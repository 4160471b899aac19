#include "video/source_kind.h"

#include "base/clock.h"
#include "video/pattern.h"

#include <libavutil/frame.h>

#include <math.h>
#include <stdlib.h>

enum { DEFAULT_WIDTH = 640, DEFAULT_HEIGHT = 480, DEFAULT_FPS = 30 };

struct pattern_source {
    struct source base;
    struct source_options options;
    AVFrame *picture;
    double fps;
    uint64_t first, number, limit; /* the pattern's first number; frames handed out; 0: no end */
    uint64_t begin_ns;
};

static void close_pattern(struct source *base)
{
    struct pattern_source *source = (struct pattern_source *)base;
    av_frame_free(&source->picture);
    free(source);
}

static struct source *open_pattern(const char *location, const struct source_options *options,
                                   struct err *err)
{
    if (*location) {
        err_set(err, ERR_INVALID, "open test:%s: it is just \"test:\" (see --size, --fps)",
                location);
        return NULL;
    }
    int width = options->width ? options->width : DEFAULT_WIDTH;
    int height = options->height ? options->height : DEFAULT_HEIGHT;
    if (width < PATTERN_MIN_SIDE || height < PATTERN_MIN_SIDE) {
        err_set(err, ERR_INVALID, "open test: %dx%d pixels, less than %d a side", width, height,
                PATTERN_MIN_SIDE);
        return NULL;
    }
    struct pattern_source *source = calloc(1, sizeof *source);
    if (!source || !(source->picture = av_frame_alloc())) {
        free(source);
        err_set(err, ERR_NO_MEMORY, "open test: out of memory");
        return NULL;
    }
    source->options = *options;
    source->options.width = width;
    source->options.height = height;
    source->fps = options->fps > 0 ? options->fps : DEFAULT_FPS;
    source->first = (uint64_t)llround(options->start_s * source->fps);
    source->limit = source_frame_limit(options, source->fps);
    return &source->base;
}

static double fps_of_pattern(const struct source *base)
{
    return ((const struct pattern_source *)base)->fps;
}

static int read_pattern(struct source *base, struct frame *frame, struct err *err)
{
    struct pattern_source *source = (struct pattern_source *)base;
    if (source->limit > 0 && source->number == source->limit)
        return SOURCE_END;
    AVFrame *picture = source->picture;
    av_frame_unref(picture); /* somebody may keep the last one */
    picture->format = AV_PIX_FMT_YUV420P;
    picture->width = source->options.width;
    picture->height = source->options.height;
    if (av_frame_get_buffer(picture, 0) < 0)
        return err_set(err, ERR_NO_MEMORY, "draw test picture: out of memory");
    uint64_t now_ns = clock_monotonic_ns();
    if (source->number == 0)
        source->begin_ns = now_ns;
    uint64_t due_ns = source->begin_ns + (uint64_t)((double)source->number / source->fps * 1e9);
    source->number++;
    pattern_draw(picture, source->first + source->number);
    if (source->options.real_time)
        clock_sleep_until_ns(due_ns);
    *frame = (struct frame){
        .picture = picture,
        .width = picture->width,
        .height = picture->height,
        .number = source->number,
        .captured_ns = source->options.real_time ? due_ns : now_ns,
        .begins = source->number == 1,
    };
    return SOURCE_FRAME;
}

const struct source_kind source_pattern = {
    .open = open_pattern,
    .close = close_pattern,
    .fps = fps_of_pattern,
    .read = read_pattern,
};
