#include "face/recognizer.h"
#include "base/clock.h"
#include "face/parts.h"
#include "simd/kernels.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct face_models {
    struct model *detect, *landmark, *feature;
};

struct recognizer {
    struct detector detector;
    struct landmarker landmarker;
    struct embedder embedder;
    float min_score;
    enum face_detect detect;
};

const struct recognizer_options recognizer_defaults = {.min_score = 0.65f};

static struct model *open_model(const char *folder, const char *name, struct err *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) {
        err_set(err, ERR_TOO_BIG, "open models in %s: the path is too long", folder);
        return NULL;
    }
    return model_open(path, err);
}

struct face_models *face_models_open(const char *folder, struct err *err)
{
    struct face_models *models = calloc(1, sizeof *models);
    if (!models) {
        err_set(err, ERR_NO_MEMORY, "open models in %s: no memory", folder);
        return NULL;
    }
    models->detect = open_model(folder, "fr_detect.ken", err);
    if (models->detect)
        models->landmark = open_model(folder, "fr_landmark.ken", err);
    if (models->landmark)
        models->feature = open_model(folder, "fr_feature.ken", err);
    if (models->feature)
        return models;
    face_models_close(models);
    return NULL;
}

void face_models_close(struct face_models *models)
{
    if (!models)
        return;
    model_close(models->detect);
    model_close(models->landmark);
    model_close(models->feature);
    free(models);
}

struct recognizer *recognizer_create(const struct face_models *models,
                                     const struct recognizer_options *options, struct err *err)
{
    struct recognizer *recognizer = calloc(1, sizeof *recognizer);
    if (!recognizer) {
        err_set(err, ERR_NO_MEMORY, "create recognizer: no memory");
        return NULL;
    }
    if (!options)
        options = &recognizer_defaults;
    recognizer->min_score = options->min_score;
    recognizer->detect = options->detect;
    if (detector_init(&recognizer->detector, models->detect, options->pool, err) < 0 ||
        landmarker_init(&recognizer->landmarker, models->landmark, options->pool, err) < 0 ||
        embedder_init(&recognizer->embedder, models->feature, options->pool, err) < 0) {
        recognizer_destroy(recognizer);
        err_wrap(err, "create recognizer");
        return NULL;
    }
    return recognizer;
}

void recognizer_destroy(struct recognizer *recognizer)
{
    if (!recognizer)
        return;
    detector_finish(&recognizer->detector);
    landmarker_finish(&recognizer->landmarker);
    embedder_finish(&recognizer->embedder);
    free(recognizer);
}

static float area(const struct face_box *box)
{
    return (box->right - box->left) * (box->bottom - box->top);
}

/* The `max` largest, largest first, into `chosen`. */
static size_t choose_largest(const struct face_box *chosen[], size_t max,
                             const struct face_box *boxes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = kept < max ? kept++ : max;
        for (; at > 0 && area(chosen[at - 1]) < area(&boxes[i]); at--)
            if (at < max)
                chosen[at] = chosen[at - 1];
        if (at < max)
            chosen[at] = &boxes[i];
    }
    return kept;
}

static void set_box(struct face *face, const struct face_box *box, const struct image *image)
{
    float left = fmaxf(box->left, 0), top = fmaxf(box->top, 0);
    face->box[0] = left;
    face->box[1] = top;
    face->box[2] = fmaxf(fminf(box->right, (float)image->width) - left, 0);
    face->box[3] = fmaxf(fminf(box->bottom, (float)image->height) - top, 0);
    face->score = box->score;
}

static void measure(struct face *face, const float (*points)[2], const struct image *chip)
{
    const float(*five)[2] = (const float(*)[2])face->landmarks;
    face->quality.eye_distance_px = hypotf(five[1][0] - five[0][0], five[1][1] - five[0][1]);
    quality_measure_pose(&face->quality, points);
    quality_measure_chip(&face->quality, chip);
}

/* Adds the times of the two stages. Returns 0 where the points make no face. */
static int run_face(struct recognizer *recognizer, const struct image *image,
                    const struct face_box *box, struct face *face, struct face_timings *timings)
{
    float points[LANDMARK_POINTS][2];
    set_box(face, box, image);
    uint64_t start = clock_monotonic_ns();
    landmarker_run(&recognizer->landmarker, image, box, points);
    landmarks_reduce(face->landmarks, (const float(*)[2])points);
    uint64_t middle = clock_monotonic_ns();
    int result = embedder_run(&recognizer->embedder, image, (const float(*)[2])face->landmarks,
                              face->embedding);
    if (result == 0)
        measure(face, (const float(*)[2])points, &recognizer->embedder.input);
    timings->landmark_ms += (double)(middle - start) / 1e6;
    timings->embed_ms += clock_ms_since(middle);
    return result == 0;
}

static int is_thorough(const struct recognizer *recognizer, const struct image *image)
{
    if (recognizer->detect == FACE_DETECT_AUTO)
        return (size_t)image->width * (size_t)image->height > FACE_FAST_PIXELS;
    return recognizer->detect == FACE_DETECT_THOROUGH;
}

/* The `max` largest faces, largest first. Returns how many, or -1. */
static int find_faces(struct recognizer *recognizer, const struct image *image,
                      const struct face_box *chosen[FACE_MAX_FACES], size_t max, struct err *err)
{
    if (image->width < FACE_MIN_PICTURE_SIDE || image->height < FACE_MIN_PICTURE_SIDE)
        return err_set(err, ERR_INVALID, "%dx%d pixels: too small to show a face, %d a side needed",
                       image->width, image->height, FACE_MIN_PICTURE_SIDE);
    simd_flush_denormals();
    const struct face_box *boxes;
    struct detector *detector = &recognizer->detector;
    size_t count = is_thorough(recognizer, image)
                       ? detector_run_thorough(detector, image, recognizer->min_score, &boxes)
                       : detector_run(detector, image, recognizer->min_score, &boxes);
    return (int)choose_largest(chosen, max < FACE_MAX_FACES ? max : FACE_MAX_FACES, boxes, count);
}

int recognizer_detect(struct recognizer *recognizer, const struct image *image, struct face *faces,
                      size_t max, struct err *err)
{
    const struct face_box *chosen[FACE_MAX_FACES];
    int count = find_faces(recognizer, image, chosen, max, err);
    for (int i = 0; i < count; i++)
        set_box(&faces[i], chosen[i], image);
    return count;
}

int recognizer_run(struct recognizer *recognizer, const struct image *image, struct face *faces,
                   size_t max, struct face_timings *timings, struct err *err)
{
    struct face_timings times = {0};
    const struct face_box *chosen[FACE_MAX_FACES];
    uint64_t start = clock_monotonic_ns();
    int count = find_faces(recognizer, image, chosen, max, err), found = 0;
    if (count < 0)
        return -1;
    times.detect_ms = clock_ms_since(start);
    for (int i = 0; i < count; i++)
        found += run_face(recognizer, image, chosen[i], &faces[found], &times);
    if (timings)
        *timings = times;
    return found;
}
