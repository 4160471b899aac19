/* What a camera costs while nobody is there: `camera LOCATION [SECONDS]` records it as it comes
 * (H.264 is copied, else encoded), decodes every 15th frame, and tells the processor time of this
 * process and of the capturing one, and their memory. `camera --shim LIBRARY [SECONDS]`: cameras of
 * 640x480 at 30, H.264 and MJPEG, behind the tests' stand-in for a driver. `camera --make FOLDER
 * [VIDEO]` only writes their streams there, of the pattern or of a video's pictures, for
 * bench/device.py and bench/soak.py. */
#include "../tests/camera/stream_file.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/resident.h"
#include "video/recorder.h"
#include "video/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FPS = 30, WIDTH = 640, HEIGHT = 480 };

static double used_s(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct load {
    const char *location, *format;
    double seconds;
    int every;
    enum recorder_codec codec;
};

/* Returns the frames read, or -1. */
static int run(const struct load *load, const char *folder, struct recorder_result *result,
               struct err *err)
{
    struct source_options options = {.real_time = 1,
                                     .seconds = load->seconds,
                                     .format = load->format,
                                     .on_demand = 1,
                                     .width = WIDTH,
                                     .height = HEIGHT,
                                     .fps = FPS};
    struct source *source = source_open(load->location, &options, err);
    struct recorder *recorder = NULL;
    struct frame frame;
    int frames = 0, more = source ? 1 : -1;
    while (more > 0 && (more = source_read(source, &frame, err)) > 0) {
        if (more == SOURCE_WAITING)
            continue;
        struct recorder_options how = {.folder = folder,
                                       .fps = FPS,
                                       .width = frame.width,
                                       .height = frame.height,
                                       .queue = 60,
                                       .codec = load->codec};
        if ((!recorder && !(recorder = recorder_start(&how, err))) ||
            recorder_write_frame(recorder, &frame, err) < 0 ||
            (load->every && frames % load->every == 0 && source_picture(source, &frame, err) < 0))
            more = -1;
        frames++;
    }
    source_close(source);
    if (recorder_finish(recorder, result, err) < 0 || more != 0)
        return -1;
    return frames;
}

static int measure(const char *name, const struct load *load, const char *folder)
{
    struct err err = {0};
    struct recorder_result result;
    double self = used_s(RUSAGE_SELF), children = used_s(RUSAGE_CHILDREN);
    uint64_t start_ns = clock_monotonic_ns();
    int frames = run(load, folder, &result, &err);
    double wall_s = clock_ms_since(start_ns) / 1000;
    if (frames < 0) {
        fprintf(stderr, "%s: %s\n", name, err.message);
        return 1;
    }
    self = (used_s(RUSAGE_SELF) - self) / wall_s * 100;
    children = (used_s(RUSAGE_CHILDREN) - children) / wall_s * 100;
    struct rusage child;
    getrusage(RUSAGE_CHILDREN, &child);
    printf("%-34s %5.1f %% of a core (%4.1f here, %4.1f capturing), %4d frames, %s, %3.0f MB + "
           "%.0f MB\n",
           name, self + children, self, children, frames, result.encoder,
           (double)resident_bytes() / 1e6, (double)child.ru_maxrss / 1e3);
    return 0;
}

static int make_stream(const char *folder, const char *name, enum AVCodecID codec)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct stream_file how = {.path = path,
                              .codec = codec,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .count = 300,
                              .gop = 60,
                              .sizes = 1};
    return stream_file_write(&how);
}

static int make_streams(const char *folder)
{
    return make_stream(folder, "H264", AV_CODEC_ID_H264) < 0 ||
           make_stream(folder, "MJPG", AV_CODEC_ID_MJPEG) < 0;
}

/* A video's pictures as a camera's H.264, 30 a second. */
static int make_stream_of(const char *video, const char *folder)
{
    char path[256];
    struct err err = {0};
    struct frame frame;
    int64_t count = 0;
    struct source *source = source_open(video, &(struct source_options){.fps = FPS}, &err);
    int more = source ? source_read(source, &frame, &err) : -1;
    snprintf(path, sizeof path, "%s/H264", folder);
    const struct stream_file how = {.codec = AV_CODEC_ID_H264,
                                    .width = more > 0 ? frame.width & ~1 : 2,
                                    .height = more > 0 ? frame.height & ~1 : 2,
                                    .gop = 60,
                                    .sizes = 1};
    FILE *file = fopen(path, "wb");
    AVCodecContext *encoder = stream_encoder(&how);
    for (; file && encoder && more > 0; more = source_read(source, &frame, &err)) {
        frame.picture->pts = count++;
        frame.picture->pict_type = AV_PICTURE_TYPE_NONE;
        avcodec_send_frame(encoder, frame.picture);
        stream_drain(file, &how, encoder);
    }
    if (encoder)
        avcodec_send_frame(encoder, NULL);
    if (file && encoder)
        stream_drain(file, &how, encoder);
    avcodec_free_context(&encoder);
    source_close(source);
    if (more < 0)
        fprintf(stderr, "%s\n", err.message);
    return !file || fclose(file) != 0 || more < 0 || count == 0;
}

static int measure_all(const char *shim, double seconds, const char *folder)
{
    if (make_streams(folder))
        return 1;
    setenv("LD_PRELOAD", shim, 1); /* for the capturing process */
    setenv("KEN_SHIM_PATH", "/dev/video-ken", 1);
    setenv("KEN_SHIM_DIR", folder, 1);
    setenv("KEN_SHIM_FORMATS", "H264 MJPG", 1);
    const char *camera = "v4l2:/dev/video-ken";
    const struct load copied = {camera, "h264", seconds, 0, RECORDER_AUTO};
    const struct load sampled = {camera, "h264", seconds, 15, RECORDER_AUTO};
    const struct load jpegs = {camera, "mjpeg", seconds, 15, RECORDER_COPY};
    const struct load encoded = {camera, "mjpeg", seconds, 15, RECORDER_AUTO};
    return measure("H.264 copied", &copied, folder) |
           measure("H.264 copied, every 15th decoded", &sampled, folder) |
           measure("MJPEG copied, every 15th decoded", &jpegs, folder) |
           measure("MJPEG encoded, every 15th decoded", &encoded, folder);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/ken-bench-XXXXXX";
    int by_shim = argc > 2 && strcmp(argv[1], "--shim") == 0;
    const char *last = argc > 2 + by_shim ? argv[2 + by_shim] : "30";
    struct load load = {argc > 1 ? argv[1] : "", NULL, strtod(last, NULL), 15, RECORDER_AUTO};
    struct err err;
    if (argc == 3 && strcmp(argv[1], "--make") == 0)
        return make_streams(argv[2]);
    if (argc == 4 && strcmp(argv[1], "--make") == 0)
        return make_stream_of(argv[3], argv[2]);
    if (argc < 2 || !(load.seconds > 0)) {
        fprintf(stderr, "usage: camera LOCATION [SECONDS] | --shim LIBRARY [SECONDS] | --make "
                        "FOLDER [VIDEO]\n");
        return 2;
    }
    if (!mkdtemp(folder))
        return 1;
    int failed =
        by_shim ? measure_all(argv[2], load.seconds, folder) : measure(argv[1], &load, folder);
    if (file_remove_tree(folder, &err) < 0)
        fprintf(stderr, "%s\n", err.message);
    return failed;
}
