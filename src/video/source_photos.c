#include "video/source_kind.h"

#include "base/clock.h"
#include "base/log.h"
#include "image/image.h"

#include <libavutil/frame.h>
#include <libswscale/swscale.h>

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Photos one after the other, each fitted into the size of the first (or the one asked for) with
 * black around it. A damaged photo is left out with a line in the log. */

enum { MAX_PHOTOS = 1000000, MAX_SIDE = SOURCE_MAX_SIDE, DEFAULT_FPS = 1 };

struct photos_source {
    struct source base;
    struct source_options options;
    char folder[3072];
    char **names;
    size_t count, next;
    size_t good; /* of this pass through the folder */
    struct image image;
    AVFrame *picture;
    struct SwsContext *scaler;
    double fps;
    uint64_t number, limit, begin_ns;
};

static void close_photos(struct source *base)
{
    struct photos_source *source = (struct photos_source *)base;
    for (size_t i = 0; i < source->count; i++)
        free(source->names[i]);
    free(source->names);
    image_finish(&source->image);
    av_frame_free(&source->picture);
    sws_freeContext(source->scaler);
    free(source);
}

static int is_photo(const char *name)
{
    const char *end = strrchr(name, '.');
    return name[0] != '.' && end &&
           (strcasecmp(end, ".jpg") == 0 || strcasecmp(end, ".jpeg") == 0 ||
            strcasecmp(end, ".png") == 0);
}

static int add_name(struct photos_source *source, const char *name, struct err *err)
{
    if (source->count == MAX_PHOTOS)
        return err_set(err, ERR_TOO_BIG, "open %s: more than %d photos", source->folder,
                       MAX_PHOTOS);
    if ((source->count & (source->count - 1)) == 0) {
        size_t capacity = source->count ? source->count * 2 : 1;
        char **names = reallocarray(source->names, capacity, sizeof *names);
        if (!names)
            return err_set(err, ERR_NO_MEMORY, "open %s: out of memory", source->folder);
        source->names = names;
    }
    char *copy = strdup(name);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "open %s: out of memory", source->folder);
    source->names[source->count++] = copy;
    return 0;
}

/* 2.jpg before 10.jpg */
static int by_name(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static int list_photos(struct photos_source *source, struct err *err)
{
    DIR *folder = opendir(source->folder);
    if (!folder)
        return err_set_errno(err, "open %s", source->folder);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(folder));)
        if (is_photo(entry->d_name))
            result = add_name(source, entry->d_name, err);
    closedir(folder);
    if (result < 0)
        return -1;
    if (source->count == 0)
        return err_set(err, ERR_NOT_FOUND, "open %s: no .jpg or .png in it", source->folder);
    qsort(source->names, source->count, sizeof *source->names, by_name);
    return 0;
}

static struct source *open_photos(const char *location, const struct source_options *options,
                                  struct err *err)
{
    struct photos_source *source = calloc(1, sizeof *source);
    if (!source) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", location);
        return NULL;
    }
    source->options = *options;
    source->fps = options->fps > 0 ? options->fps : DEFAULT_FPS;
    source->limit = source_frame_limit(options, source->fps);
    source->picture = av_frame_alloc();
    int length = snprintf(source->folder, sizeof source->folder, "%s", location);
    int result = 0;
    if (!source->picture)
        result = err_set(err, ERR_NO_MEMORY, "open %s: out of memory", location);
    else if (length < 0 || (size_t)length >= sizeof source->folder)
        result = err_set(err, ERR_TOO_BIG, "open photos: the folder's name is too long");
    if (result < 0 || list_photos(source, err) < 0) {
        close_photos(&source->base);
        return NULL;
    }
    source->next = (size_t)fmin((double)source->count, round(options->start_s * source->fps));
    return &source->base;
}

static double fps_of_photos(const struct source *base)
{
    return ((const struct photos_source *)base)->fps;
}

/* The next photo that can be read. Returns 1, 0 at the end, or -1. */
static int load_next(struct photos_source *source, struct err *err)
{
    for (;;) {
        if (source->next == source->count) {
            if (source->good == 0)
                return err_set(err, ERR_INVALID, "read %s: none of its photos can be read",
                               source->folder);
            if (!source->options.loop)
                return 0;
            source->next = source->good = 0;
        }
        char path[4096];
        struct err why = {0};
        snprintf(path, sizeof path, "%s/%s", source->folder, source->names[source->next++]);
        image_finish(&source->image);
        if (image_read(&source->image, path, &why) == 0) {
            source->good++;
            return 1;
        }
        log_line(LOG_WARN, "photo left out: %s", why.message);
    }
}

/* The size of all frames: even, and no larger than what may be encoded. */
static void choose_size(struct photos_source *source)
{
    int width = source->image.width, height = source->image.height;
    double scale = fmin(1, (double)MAX_SIDE / (width > height ? width : height));
    source->options.width = (int)fmax(2, (int)(width * scale) & ~1);
    source->options.height = (int)fmax(2, (int)(height * scale) & ~1);
}

static int new_picture(struct photos_source *source, struct err *err)
{
    AVFrame *picture = source->picture;
    av_frame_unref(picture);
    picture->format = AV_PIX_FMT_YUV420P;
    picture->width = source->options.width;
    picture->height = source->options.height;
    if (av_frame_get_buffer(picture, 0) < 0)
        return err_set(err, ERR_NO_MEMORY, "read %s: out of memory", source->folder);
    for (int plane = 0; plane < 3; plane++)
        memset(picture->data[plane], plane ? 128 : 16,
               (size_t)picture->linesize[plane] *
                   (size_t)(plane ? (picture->height + 1) / 2 : picture->height));
    return 0;
}

static int fit(struct photos_source *source, struct err *err)
{
    if (source->options.width == 0)
        choose_size(source);
    if (new_picture(source, err) < 0)
        return -1;
    AVFrame *picture = source->picture;
    const struct image *image = &source->image;
    double scale =
        fmin((double)picture->width / image->width, (double)picture->height / image->height);
    int width = (int)fmax(2, (int)(image->width * scale + 0.5) & ~1);
    int height = (int)fmax(2, (int)(image->height * scale + 0.5) & ~1);
    int left = (picture->width - width) / 2 & ~1, top = (picture->height - height) / 2 & ~1;
    source->scaler = sws_getCachedContext(source->scaler, image->width, image->height,
                                          AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                                          SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!source->scaler)
        return err_set(err, ERR_NO_MEMORY, "read %s: cannot scale %dx%d", source->folder,
                       image->width, image->height);
    uint8_t *to[3];
    for (int plane = 0; plane < 3; plane++)
        to[plane] = picture->data[plane] +
                    (ptrdiff_t)(plane ? top / 2 : top) * picture->linesize[plane] +
                    (plane ? left / 2 : left);
    sws_scale(source->scaler, (const uint8_t *const[]){image->pixels}, (int[]){(int)image->stride},
              0, image->height, to, picture->linesize);
    return 0;
}

static int read_photos(struct source *base, struct frame *frame, struct err *err)
{
    struct photos_source *source = (struct photos_source *)base;
    if (source->limit > 0 && source->number == source->limit)
        return SOURCE_END;
    int result = load_next(source, err);
    if (result <= 0)
        return result;
    if (fit(source, err) < 0)
        return -1;
    uint64_t now_ns = clock_monotonic_ns();
    if (source->number == 0)
        source->begin_ns = now_ns;
    uint64_t due_ns = source->begin_ns + (uint64_t)((double)source->number / source->fps * 1e9);
    if (source->options.real_time)
        clock_sleep_until_ns(due_ns);
    source->number++;
    *frame = (struct frame){
        .picture = source->picture,
        .width = source->picture->width,
        .height = source->picture->height,
        .number = source->number,
        .captured_ns = source->options.real_time ? due_ns : now_ns,
        .begins = source->number == 1,
    };
    return SOURCE_FRAME;
}

const struct source_kind source_photos = {
    .open = open_photos,
    .close = close_photos,
    .fps = fps_of_photos,
    .read = read_photos,
};
