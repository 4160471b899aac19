#include "face/head.h"
#include "face/train.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const reason_names[TRAIN_REASONS] = {
    [TRAIN_USED] = "used",
    [TRAIN_UNREADABLE] = "unreadable",
    [TRAIN_NO_FACE] = "no_face",
    [TRAIN_SEVERAL_FACES] = "several_faces",
    [TRAIN_TOO_SMALL] = "too_small",
    [TRAIN_TOO_BLURRED] = "too_blurred",
    [TRAIN_TURNED_AWAY] = "turned_away",
    [TRAIN_BAD_LIGHT] = "bad_light",
    [TRAIN_DUPLICATE] = "duplicate",
    [TRAIN_OUTLIER] = "outlier",
    [TRAIN_LIKE_OTHER] = "like_other",
    [TRAIN_BAD_NAME] = "bad_name",
};

const char *train_reason_name(enum train_reason reason)
{
    return reason_names[reason];
}

void train_refuse(struct train_verdict *verdict, enum train_reason reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    verdict->reason = reason;
    vsnprintf(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
}

/* Numbers are rounded away from the limit, so that none looks as if it met it. */
static void judge_view(const struct face_quality *quality, struct train_verdict *verdict)
{
    double eyes = (double)quality->eye_distance_px, blur = (double)quality->blur_px;
    double yaw = (double)quality->yaw_deg, pitch = (double)quality->pitch_deg;
    double grey = (double)quality->brightness;
    if (quality->eye_distance_px < TRAIN_MIN_EYE_DISTANCE)
        train_refuse(verdict, TRAIN_TOO_SMALL,
                     "too small: %.0f pixels between the eyes, %.0f are needed: go closer",
                     floor(eyes), (double)TRAIN_MIN_EYE_DISTANCE);
    else if (quality->blur_px > TRAIN_MAX_BLUR)
        train_refuse(verdict, TRAIN_TOO_BLURRED,
                     "too blurred: edges are %.1f pixels wide, at most %.1f", ceil(10 * blur) / 10,
                     (double)TRAIN_MAX_BLUR);
    else if (fabs(yaw) > (double)TRAIN_MAX_YAW)
        train_refuse(verdict, TRAIN_TURNED_AWAY,
                     "turned away: %.0f degrees to the %s of the picture, at most %.0f",
                     ceil(fabs(yaw)), yaw > 0 ? "right" : "left", (double)TRAIN_MAX_YAW);
    else if (fabs(pitch) > (double)TRAIN_MAX_PITCH)
        train_refuse(verdict, TRAIN_TURNED_AWAY, "turned away: looks %.0f degrees %s, at most %.0f",
                     ceil(fabs(pitch)), pitch > 0 ? "up" : "down", (double)TRAIN_MAX_PITCH);
    else if (quality->brightness < TRAIN_MIN_BRIGHTNESS)
        train_refuse(verdict, TRAIN_BAD_LIGHT,
                     "too dark: the face's mean grey is %.0f of 255, at least %.0f: more light",
                     floor(grey), (double)TRAIN_MIN_BRIGHTNESS);
    else if (quality->brightness > TRAIN_MAX_BRIGHTNESS)
        train_refuse(verdict, TRAIN_BAD_LIGHT,
                     "overexposed: the face's mean grey is %.0f of 255, at most %.0f: less light",
                     ceil(grey), (double)TRAIN_MAX_BRIGHTNESS);
}

void train_judge(const struct album_photo *photo, struct train_verdict *verdict)
{
    *verdict = (struct train_verdict){0};
    if (photo->state == ALBUM_UNREADABLE)
        train_refuse(verdict, TRAIN_UNREADABLE, "%s",
                     photo->failure ? photo->failure : "unreadable");
    else if (photo->state == ALBUM_NO_FACE)
        train_refuse(verdict, TRAIN_NO_FACE, "no face in it");
    /* People in the background do not matter; a second person beside the first does. */
    else if (photo->similar > 1)
        train_refuse(verdict, TRAIN_SEVERAL_FACES, "%d faces of like size: show one person",
                     photo->similar);
    else
        judge_view(&photo->face.quality, verdict);
}

/* Whether one of the person's templates is of this very picture. */
static int is_enrolled(const struct gallery *gallery, const char *person, const float *embedding)
{
    float own[FACE_EMBEDDING_FLOATS], other[FACE_EMBEDDING_FLOATS], most = -1;
    size_t index;
    if (!gallery_find(gallery, person, &index))
        return 0;
    head_apply(gallery_head(gallery), own, embedding);
    for (size_t i = 0; i < gallery_person_templates(gallery, index); i++) {
        gallery_template(gallery, index, i, other);
        most = fmaxf(most, simd_kernels(SIMD_C)->dot_f32(own, other, FACE_EMBEDDING_FLOATS));
    }
    return most >= TRAIN_MIN_DUPLICATE;
}

int train_photo(struct gallery *gallery, const char *person, const struct image *image,
                struct recognizer *recognizer, struct err *err)
{
    struct album_photo photo = {.person = person};
    struct train_verdict verdict;
    if (album_find_face(&photo, recognizer, image, ALBUM_LARGEST, err) < 0)
        return -1;
    train_judge(&photo, &verdict);
    if (verdict.reason != TRAIN_USED)
        return err_set(err, ERR_INVALID, "%s", verdict.text);
    struct match match;
    if (gallery_match(gallery, photo.face.embedding, &match) && strcmp(match.name, person) != 0)
        return err_set(err, ERR_INVALID, "looks like %s (similarity %.2f), who is enrolled",
                       match.name, (double)match.similarity);
    if (is_enrolled(gallery, person, photo.face.embedding))
        return err_set(err, ERR_INVALID, "the same picture is enrolled already");
    return gallery_add(gallery, person, photo.face.embedding, err);
}
