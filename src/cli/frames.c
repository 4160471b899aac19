#include "base/buf.h"
#include "base/file.h"
#include "cli/options.h"
#include "cli/photo_format.h"
#include "cli/verbs.h"
#include "video/picture.h"
#include "video/source.h"

#include <stdio.h>

enum { MAX_PATH = 4096 };

struct frames_options {
    const char *video, *folder;
    enum image_format format;
    double start_s, seconds, every_s;
    long quality;
};

static int write_photo(const struct frames_options *options, const struct image *image,
                       unsigned long long number, struct buf *bytes, struct err *err)
{
    char path[MAX_PATH];
    int length = snprintf(path, sizeof path, "%s/%04llu.%s", options->folder, number,
                          options->format == IMAGE_PNG ? "png" : "jpg");
    if (length < 0 || (size_t)length >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "write into %s: the name is too long", options->folder);
    buf_clear(bytes);
    if (image_encode(image, options->format, (int)options->quality, bytes, err) < 0)
        return -1;
    return file_write(path, bytes->data, bytes->size, 0600, err);
}

static int extract(const struct frames_options *options, struct source *source,
                   struct converter *converter, unsigned long long *count, struct err *err)
{
    struct frame frame;
    struct image image;
    struct buf bytes;
    int result;
    buf_init(&bytes, IMAGE_MAX_FILE_BYTES);
    while ((result = source_read(source, &frame, err)) == 1) {
        result = converter_run(converter, frame.picture, &image, err);
        if (result == 0)
            result = write_photo(options, &image, frame.number, &bytes, err);
        if (result < 0)
            break;
        *count = frame.number;
    }
    buf_finish(&bytes);
    return result;
}

static int run(const struct frames_options *options, struct err *err)
{
    struct source_options how = {
        .start_s = options->start_s, .seconds = options->seconds, .fps = 1 / options->every_s};
    struct source *source = source_open(options->video, &how, err);
    if (!source)
        return -1;
    unsigned long long count = 0;
    int result = -1;
    struct converter *converter = converter_create(err);
    if (converter && file_make_folders(options->folder, 0700, err) == 0)
        result = extract(options, source, converter, &count, err);
    converter_destroy(converter);
    source_close(source);
    if (result == 0)
        printf("%llu photos in %s\n", count, options->folder);
    return result;
}

int verb_frames(int argc, char **argv)
{
    struct frames_options options = {.every_s = 1, .quality = 95};
    const char *format = "png";
    const struct option_spec specs[] = {
        {"output", 'o', OPTION_TEXT, &options.folder, "FOLDER", "where the photos go (made)"},
        {"start", 0, OPTION_REAL, &options.start_s, "S", "skip the first S seconds (0)", 0, 1e6},
        {"seconds", 0, OPTION_REAL, &options.seconds, "N", "take N seconds (0: to the end)", 0,
         1e6},
        {"every-seconds", 0, OPTION_REAL, &options.every_s, "S", "one photo every S seconds (1)",
         1.0 / SOURCE_MAX_FPS, 1e5},
        {"format", 0, OPTION_TEXT, &format, "F", "png or jpeg (png)"},
        {"quality", 0, OPTION_INT, &options.quality, "Q", "of JPEG, 1 to 100 (95)", 1, 100},
        {0},
    };
    const struct command_line line = {
        .verb = "frames",
        .summary = "Take photos out of a video, as FOLDER/0001.png and so on.",
        .operands = "VIDEO",
        .details = "examples:\n"
                   "  ken frames me.mp4 -o photos/me --seconds 15       15 photos to enrol from\n"
                   "  ken frames walk.mp4 -o out --every-seconds 0.1    ten photos a second",
        .options = specs,
    };
    struct err err = {0};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first != argc - 1 || !options.folder) {
        err_set(&err, ERR_INVALID, "give one VIDEO and -o FOLDER (see ken frames --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (photo_format_parse(format, &options.format, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    options.video = argv[first];
    return run(&options, &err) < 0 ? options_fail(&line, &err) : EXIT_OK;
}
