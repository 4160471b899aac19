#include "face/recognizer.h"
#include "base/clock.h"
#include "base/pool.h"
#include "face/decode.h"
#include "face/gallery.h"
#include "simd/kernels.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct face_models {
    struct model *detect, *landmark, *feature;
};

struct recognizer {
    struct pool *pool;
    struct detector detector;
    struct landmarker landmarker;
    struct embedder embedder;
    float min_score;
    enum face_detect detect;
};

const struct recognizer_options recognizer_defaults = {.min_score = FACE_USUAL_SCORE, .threads = 1};

size_t recognizer_threads(void)
{
    return pool_processors() > 1 ? 2 : 1;
}

int face_detect_read(enum face_detect *detect, const char *word)
{
    static const char *const words[] = {[FACE_DETECT_FAST] = "fast",
                                        [FACE_DETECT_THOROUGH] = "thorough",
                                        [FACE_DETECT_AUTO] = "auto"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0) {
            *detect = (enum face_detect)i;
            return 0;
        }
    return -1;
}

/* By role: what a user calls a network of their own, and ken's. */
static const char *const files[MODEL_ROLES][2] = {
    [ROLE_DETECT] = {"detect.ken", "fr_detect.ken"},
    [ROLE_LANDMARK] = {"landmark.ken", "fr_landmark.ken"},
    [ROLE_EMBED] = {"embed.ken", "fr_feature.ken"},
    [ROLE_LIVENESS] = {"liveness.ken", "fr_liveness.ken"},
};

static int make_path(char path[PATH_MAX], const char *folder, const char *name)
{
    return (size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX ? 0 : -1;
}

const char *face_model_file(const char *folder, enum model_role role)
{
    char path[PATH_MAX];
    for (int i = 0; i < 2; i++)
        if (files[role][i] && make_path(path, folder, files[role][i]) == 0 &&
            access(path, F_OK) == 0)
            return files[role][i];
    return NULL;
}

struct model *face_model_open(const char *folder, enum model_role role, struct err *err)
{
    char path[PATH_MAX];
    const char *file = face_model_file(folder, role);
    if (make_path(path, folder, file ? file : files[role][1]) < 0) {
        err_set(err, ERR_TOO_BIG, "open models in %s: the path is too long", folder);
        return NULL;
    }
    struct model *model = model_open(path, err);
    if (!model || model_use(model).role == role)
        return model;
    err_set(err, ERR_INVALID, "open %s: imported with the role %s: import it with --role %s", path,
            model_role_name(model_use(model).role), model_role_name(role));
    model_close(model);
    return NULL;
}

/* The landmarks' network, unless the detector finds the points it would be used for. */
static int open_landmark(struct face_models *models, const char *folder, struct err *err)
{
    struct decoder decoder;
    if (decoder_choose(&decoder, models->detect, err) < 0)
        return err_wrap(err, "open models in %s", folder);
    if (decoder.has_points)
        return 0;
    models->landmark = face_model_open(folder, ROLE_LANDMARK, err);
    return models->landmark ? 0 : -1;
}

struct face_models *face_models_open(const char *folder, struct err *err)
{
    struct face_models *models = calloc(1, sizeof *models);
    if (!models) {
        err_set(err, ERR_NO_MEMORY, "open models in %s: no memory", folder);
        return NULL;
    }
    models->detect = face_model_open(folder, ROLE_DETECT, err);
    if (models->detect && open_landmark(models, folder, err) == 0)
        models->feature = face_model_open(folder, ROLE_EMBED, err);
    if (models->feature)
        return models;
    face_models_close(models);
    return NULL;
}

struct face_network face_models_network(const struct face_models *models)
{
    const struct model_tensor *out = model_output(models->feature, 0);
    return (struct face_network){model_use(models->feature).identity, (uint32_t)out->floats};
}

float face_models_threshold(const struct face_models *models)
{
    enum { SFACE_FLOATS = 128 };
    if (model_use(models->feature).alignment == ALIGN_DLIB)
        return 0.94f;
    if (model_output(models->feature, 0)->floats == SFACE_FLOATS)
        return 0.363f;
    return GALLERY_DEFAULT_THRESHOLD;
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

void face_models_rest(const struct face_models *models)
{
    if (models->landmark)
        model_rest(models->landmark);
    model_rest(models->feature);
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
    recognizer->pool = pool_create(options->threads, err);
    if (!recognizer->pool ||
        detector_init(&recognizer->detector, models->detect, recognizer->pool, options->exact,
                      err) < 0 ||
        (models->landmark && landmarker_init(&recognizer->landmarker, models->landmark,
                                             recognizer->detector.session, err) < 0) ||
        embedder_init(&recognizer->embedder, models->feature, recognizer->detector.session, err) <
            0) {
        recognizer_destroy(recognizer);
        err_wrap(err, "create recognizer");
        return NULL;
    }
    if (options->min_score < 0)
        recognizer->min_score = detector_usual_score(&recognizer->detector);
    return recognizer;
}

void recognizer_destroy(struct recognizer *recognizer)
{
    if (!recognizer)
        return;
    embedder_finish(&recognizer->embedder);
    landmarker_finish(&recognizer->landmarker);
    detector_finish(&recognizer->detector); /* after the others, which live in its memory */
    pool_destroy(recognizer->pool);
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

static void measure(struct face *face, const struct image *chip)
{
    const float(*five)[2] = (const float(*)[2])face->landmarks;
    face->quality.eye_distance_px = hypotf(five[1][0] - five[0][0], five[1][1] - five[0][1]);
    quality_measure_chip(&face->quality, chip);
}

/* The five points and the pose: of the detector's points, or of the 68. */
static void find_points(struct recognizer *recognizer, const struct image *image,
                        const struct face_box *box, struct face *face)
{
    float points[LANDMARK_POINTS][2];
    if (detector_has_points(&recognizer->detector)) {
        memcpy(face->landmarks, box->points, sizeof face->landmarks);
        quality_measure_pose_from_five(&face->quality, (const float(*)[2])face->landmarks);
        return;
    }
    landmarker_run(&recognizer->landmarker, image, box, points);
    landmarks_reduce(face->landmarks, (const float(*)[2])points);
    quality_measure_pose(&face->quality, (const float(*)[2])points);
}

/* Adds the times of the two stages. Returns 0 where the points make no face. */
static int run_face(struct recognizer *recognizer, const struct image *image,
                    const struct face_box *box, struct face *face, struct face_timings *timings)
{
    set_box(face, box, image);
    uint64_t start = clock_monotonic_ns();
    find_points(recognizer, image, box, face);
    uint64_t middle = clock_monotonic_ns();
    int result = embedder_run(&recognizer->embedder, image, (const float(*)[2])face->landmarks,
                              face->embedding);
    if (result == 0)
        measure(face, embedder_chip(&recognizer->embedder));
    timings->landmark_ms += (double)(middle - start) / 1e6;
    timings->embed_ms += clock_ms_since(middle);
    return result == 0;
}

static int is_thorough(const struct recognizer *recognizer, const struct image *image)
{
    if (!detector_can_be_thorough(&recognizer->detector))
        return 0;
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
    pool_begin(recognizer->pool);
    int count = find_faces(recognizer, image, chosen, max, err), found = 0;
    times.detect_ms = clock_ms_since(start);
    for (int i = 0; i < count; i++)
        found += run_face(recognizer, image, chosen[i], &faces[found], &times);
    pool_end(recognizer->pool);
    if (count < 0)
        return -1;
    if (timings)
        *timings = times;
    return found;
}

int recognizer_view(struct recognizer *recognizer, const struct image *image,
                    const struct face *face, const struct face_view *view,
                    float embedding[FACE_EMBEDDING_FLOATS])
{
    return embedder_view(&recognizer->embedder, image, (const float(*)[2])face->landmarks, view,
                         embedding);
}
