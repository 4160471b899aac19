#include "video/source_kind.h"

#include "base/clock.h"
#include "video/turn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What stands in front of a location, and whose it is. */
static const struct scheme {
    const char *text;
    const struct source_kind *kind;
    int strip; /* the kind's open() wants what stands behind */
} schemes[] = {
    {"file:", &source_file, 1},   {"photos:", &source_photos, 1}, {"test:", &source_pattern, 1},
    {"v4l2:", &source_camera, 0}, {"/dev/", &source_camera, 0},   {"libcamera:", &source_camera, 0},
    {"pipe:", &source_camera, 0}, {"rtsp:", &source_camera, 0},   {"rtsps:", &source_camera, 0},
    {"http:", &source_camera, 0}, {"https:", &source_camera, 0},
};

static const struct source_kind *kind_of(const char **location)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i].text);
        if (strncmp(*location, schemes[i].text, length) != 0)
            continue;
        *location += schemes[i].strip ? length : 0;
        return schemes[i].kind;
    }
    struct stat status;
    return stat(*location, &status) == 0 && S_ISDIR(status.st_mode) ? &source_photos : &source_file;
}

int source_check_options(const struct source_options *options, struct err *err)
{
    if (!(options->start_s >= 0 && options->start_s < 1e6))
        return err_set(err, ERR_INVALID, "open video: a start of %g s", options->start_s);
    if (!(options->seconds >= 0 && options->seconds < 1e9))
        return err_set(err, ERR_INVALID, "open video: a length of %g s", options->seconds);
    if (!(options->fps >= 0 && options->fps <= SOURCE_MAX_FPS))
        return err_set(err, ERR_INVALID, "open video: %g frames a second, not 0 to %d",
                       options->fps, SOURCE_MAX_FPS);
    if (options->width < 0 || options->height < 0 || options->width > SOURCE_MAX_SIDE ||
        options->height > SOURCE_MAX_SIDE || !options->width != !options->height)
        return err_set(err, ERR_INVALID, "open video: %dx%d pixels, not up to %d a side",
                       options->width, options->height, SOURCE_MAX_SIDE);
    if (options->rotate % 90 != 0 || options->rotate < 0 || options->rotate > 270)
        return err_set(err, ERR_INVALID, "open video: turned by %d degrees, not 0, 90, 180 or 270",
                       options->rotate);
    if (!(options->frozen_s >= 0 && options->frozen_s <= 3600))
        return err_set(err, ERR_INVALID, "open video: frozen after %g s, not 0 to 3600",
                       options->frozen_s);
    return 0;
}

uint64_t source_frame_limit(const struct source_options *options, double fps)
{
    uint64_t limit = (uint64_t)llround(options->seconds * fps);
    return options->seconds > 0 && limit == 0 ? 1 : limit;
}

struct source *source_open(const char *location, const struct source_options *options,
                           struct err *err)
{
    if (source_check_options(options, err) < 0)
        return NULL;
    struct turner *turner = NULL;
    if ((options->rotate || options->mirror) &&
        !(turner = turner_create(options->rotate, options->mirror, err)))
        return NULL;
    const struct source_kind *kind = kind_of(&location);
    struct source *source = kind->open(location, options, err);
    if (!source) {
        turner_destroy(turner);
        return NULL;
    }
    source->kind = kind;
    source->turner = turner;
    pthread_mutex_init(&source->lock, NULL);
    source->status.state = kind->picture ? SOURCE_CONNECTING : SOURCE_STREAMING;
    source->status.connects = !kind->picture;
    source->status.since_unix_ms = clock_unix_ms();
    return source;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    turner_destroy(source->turner);
    pthread_mutex_destroy(&source->lock);
    source->kind->close(source);
}

int source_is_camera(const struct source *source)
{
    return source->kind->picture != NULL;
}

double source_fps(const struct source *source)
{
    return source->kind->fps(source);
}

static int turn(struct source *source, struct frame *frame, struct err *err)
{
    if (!source->turner || !frame->picture)
        return SOURCE_FRAME;
    if (turner_run(source->turner, frame->picture, &frame->picture, err) < 0)
        return -1;
    return SOURCE_FRAME;
}

int source_read(struct source *source, struct frame *frame, struct err *err)
{
    int result = source->kind->read(source, frame, err);
    if (result != SOURCE_FRAME)
        return result;
    if (turner_swaps_sides(source->turner)) {
        int width = frame->width;
        frame->width = frame->height;
        frame->height = width;
    }
    pthread_mutex_lock(&source->lock);
    source->status.last_unix_ms = clock_unix_ms();
    pthread_mutex_unlock(&source->lock);
    return turn(source, frame, err);
}

int source_picture(struct source *source, struct frame *frame, struct err *err)
{
    if (frame->picture)
        return SOURCE_FRAME;
    int result = source->kind->picture(source, frame, err);
    return result == SOURCE_FRAME ? turn(source, frame, err) : result;
}

void source_set_state(struct source *source, enum source_state state, const char *reason)
{
    pthread_mutex_lock(&source->lock);
    struct source_status *status = &source->status;
    if (status->state != state) {
        status->state = state;
        status->since_unix_ms = clock_unix_ms();
        status->connects += state == SOURCE_STREAMING;
    }
    snprintf(status->reason, sizeof status->reason, "%s", reason ? reason : "");
    if (state != SOURCE_STREAMING)
        status->camera[0] = '\0';
    pthread_mutex_unlock(&source->lock);
}

void source_get_status(struct source *source, struct source_status *status)
{
    pthread_mutex_lock(&source->lock);
    *status = source->status;
    pthread_mutex_unlock(&source->lock);
}

const char *source_state_name(enum source_state state)
{
    static const char *const names[] = {"connecting", "streaming", "lost"};
    return names[state];
}

/* A password may be anything up to the last "@" before the path. */
void source_label(const char *location, char label[SOURCE_LABEL_BYTES])
{
    const char *host = strstr(location, "://");
    if (!host) {
        snprintf(label, SOURCE_LABEL_BYTES, "%s", location);
        return;
    }
    host += 3;
    int scheme = (int)(host - location);
    size_t authority = strcspn(host, "/?#");
    for (size_t i = authority; i > 0; i--)
        if (host[i - 1] == '@') {
            host += i;
            break;
        }
    /* a query may hold a token */
    snprintf(label, SOURCE_LABEL_BYTES, "%.*s%.*s", scheme, location, (int)strcspn(host, "?#"),
             host);
}
