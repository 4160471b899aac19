#ifndef FACE_PARTS_H
#define FACE_PARTS_H

#include "base/err.h"
#include "face/recognizer.h"
#include "image/image.h"
#include "nn/model.h"

#include <stddef.h>

/* The stages behind recognizer_run(). A detector, landmarker or embedder is one network with its
 * session and the small pictures it fills; each belongs to one thread. */

/* Geometry: pure functions. */

struct face_box {
    float left, top, right, bottom; /* pixels */
    float score;
    float points[FACE_LANDMARKS][2]; /* from detectors that find them; else 0 */
};

/* Intersection over union, 0..1. */
float face_box_overlap(const struct face_box *a, const struct face_box *b);

/* Non-maximum suppression: sorts by score, keeps the best of those that overlap by more than
 * `limit`, moves what is kept to the front. Returns how many. */
size_t face_suppress(struct face_box *boxes, size_t count, float limit);

/* How a picture lies in the detector's input: scaled alike in both directions, top left. */
struct letterbox {
    int width, height;   /* of the scaled picture in the input */
    double per_x, per_y; /* picture pixels an input pixel */
};
struct letterbox letterbox_fit(int width, int height, int input_width, int input_height);

/* The least-squares similarity (scale, turn, shift) from `from` to `to`: u = m * (x, y, 1). Returns
 * -1 when the points of `from` are all one. */
int face_fit_similarity(const float (*from)[2], const float (*to)[2], size_t count,
                        double m[2][3]) MUST_USE;
void face_invert_similarity(const double m[2][3], double inverse[2][3]);

/* Networks. */

struct decoder;
struct detector {
    struct decoder *decoder;
    struct session *session;
    struct model_use use;
    struct image input;          /* what the network is shown */
    struct face_box *candidates; /* as many as the decoder may find */
    struct face_box *proposals;  /* of detector_run_thorough() */
};

/* `exact`: see struct recognizer_options; the networks beside it are then exact too. */
int detector_init(struct detector *detector, const struct model *model, struct pool *pool,
                  int exact, struct err *err) MUST_USE;
void detector_finish(struct detector *detector);
/* The faces found in one pass over the whole picture, best score first, borrowed until the next
 * call. A score is the probability that it is a face, as it was on the photos of docs/accuracy.md,
 * and means the same in both searches; that of other detectors than ken's own is what they say. */
size_t detector_run(struct detector *detector, const struct image *image, float min_score,
                    const struct face_box **faces);
/* Whether each box comes with the five points. */
int detector_has_points(const struct detector *detector);
/* The score from which a box is commonly taken for a face (docs/networks.md). */
float detector_usual_score(const struct detector *detector);
/* Whether the thorough search is made for this detector: its numbers were chosen for one. */
int detector_can_be_thorough(const struct detector *detector);
/* The same in many passes (docs/recognition.md): small faces of large pictures, and fewer false
 * alarms. Faces whose box is smaller than DETECT_MIN_SIDE squared are left out. */
size_t detector_run_thorough(struct detector *detector, const struct image *image, float min_score,
                             const struct face_box **faces);

/* What the thorough search knows of a candidate before it makes a score of it. */
enum {
    EVIDENCE_LOOKS,    /* mean logit of the looks at it */
    EVIDENCE_SHAPE,    /* |ln(width / height / that of a usual face)| */
    EVIDENCE_PROPOSAL, /* logit of the best score among the views that saw it first */
    DETECT_EVIDENCE,
};
/* The two halves of detector_run_thorough(), for programs that fit its weights: boxes worth another
 * look, in detector->proposals (returns how many), and what is seen there: the face's box, whose
 * score is not set, and the evidence. 0: no face. */
size_t detector_propose(struct detector *detector, const struct image *image);
int detector_study(struct detector *detector, const struct image *image,
                   const struct face_box *proposal, struct face_box *face,
                   double evidence[DETECT_EVIDENCE]);
/* detector_run() with the network's own score instead of a probability. */
size_t detector_run_raw(struct detector *detector, const struct image *image, float min_score,
                        const struct face_box **faces);
/* ln(p / (1 - p)), p kept between 0.02 and 0.9995: scores beyond are all alike. */
double detector_logit(float score);
extern const float detector_face_overlap; /* more than that, and two faces are one */

enum {
    DETECT_INPUT_WIDTH = 320, /* of the detector that can be thorough */
    DETECT_INPUT_HEIGHT = 240,
    DETECT_MIN_SIDE = 20,       /* pixels of the picture */
    DETECT_MAX_PROPOSALS = 512, /* that are looked at again */
    DETECT_VIEW_PROPOSALS = 64, /* of one view */
};

/* A part of the picture as the network sees it: `step` pixels of the picture make one of the input,
 * which begins at left, top. It may reach outside the picture (black). */
struct detector_view {
    double left, top, step;
    int mirrored;
    int evened; /* the light of the middle, where a face is looked at, evened out */
};

/* Spreads the levels of the middle part of `input` (72x72 pixels) over the whole range and brings
 * their mean near the middle, all colours alike, and treats the rest of `input` the same: for faces
 * in the dark and against the light. */
void detector_even_light(struct image *input);

/* Runs the network on one view. The candidates above `min_score`, in pixels of the picture, not
 * suppressed and not sorted, are in detector->candidates; returns how many. */
size_t detector_look(struct detector *detector, const struct image *image,
                     const struct detector_view *view, float min_score);

enum { LANDMARK_POINTS = 68 };

struct landmarker {
    struct session *session;
    struct model_use use;
    struct image input;
};

/* In the memory of the detector's session (session_create_beside()). */
int landmarker_init(struct landmarker *landmarker, const struct model *model,
                    const struct session *beside, struct err *err) MUST_USE;
void landmarker_finish(struct landmarker *landmarker);
/* The 68 points of iBUG's 300-W, pixels of the picture. */
void landmarker_run(struct landmarker *landmarker, const struct image *image,
                    const struct face_box *box, float (*points)[2]);
/* The five points of recognizer.h from the 68. */
void landmarks_reduce(float (*five)[2], const float (*points)[2]);

enum { EMBED_MIN_SIDE = 32, EMBED_MAX_SIDE = 1024 };

struct face_view;
/* Cuts faces out as the network wants them: the five points, in parts of a square input, are those
 * of ArcFace's training (112 x 112), or the means of dlib's chips (150 x 150, padding 0.25). */
struct embedder {
    struct session *session;
    struct model_use use;
    int side, floats; /* of the square input; of the output */
    struct image input, reduced;
    struct image chip; /* the face as quality_measure_chip() wants it, when `input` is not that */
};

/* The same. */
int embedder_init(struct embedder *embedder, const struct model *model,
                  const struct session *beside, struct err *err) MUST_USE;
void embedder_finish(struct embedder *embedder);
/* Returns -1 when the five points lie on one spot: no face. */
int embedder_run(struct embedder *embedder, const struct image *image, const float five[][2],
                 float *embedding) MUST_USE;
/* Its two halves: the aligned face into `input`, and from there to the embedding. */
int embedder_align(struct embedder *embedder, const struct image *image,
                   const float five[][2]) MUST_USE;
int embedder_embed(struct embedder *embedder, float *embedding) MUST_USE;
/* Another view of the face with these points (recognizer_view()). */
int embedder_view(struct embedder *embedder, const struct image *image, const float five[][2],
                  const struct face_view *view, float *embedding) MUST_USE;
/* The face of the last run, QUALITY_CHIP_SIDE pixels a side. */
const struct image *embedder_chip(const struct embedder *embedder);

/* Fills the network's first input with `image`, which is of its size and has no gaps. */
void face_fill_input(struct session *session, const struct image *image,
                     const struct model_use *use);

/* ERR_CORRUPT unless `model` has the one input, NCHW. */
int face_check_input(const struct model *model, const char *what, int channels, int height,
                     int width, struct err *err) MUST_USE;

#endif
