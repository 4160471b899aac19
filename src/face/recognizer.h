#ifndef FACE_RECOGNIZER_H
#define FACE_RECOGNIZER_H

#include "base/err.h"
#include "face/quality.h"
#include "image/image.h"
#include "nn/model.h"

#include <stddef.h>
#include <stdint.h>

/* Picture to faces: detect, landmarks, align, embed. A recognizer belongs to one thread at a time;
 * the models behind it may be shared. */
struct recognizer;
struct face_models;

enum {
    FACE_EMBEDDING_FLOATS = 512, /* at most; where the network makes fewer, the rest is 0 */
    FACE_LANDMARKS = 5, /* left eye, right eye (as seen), nose tip, left and right mouth corner */
    FACE_MAX_FACES = 256,
    FACE_MIN_PICTURE_SIDE = 16, /* pixels; a smaller picture is refused with ERR_INVALID */
};

struct face {
    float box[4];                           /* x, y, w, h in pixels, inside the picture */
    float landmarks[FACE_LANDMARKS][2];     /* x, y in pixels */
    float score;                            /* probability that it is a face, 0..1 */
    float embedding[FACE_EMBEDDING_FLOATS]; /* unit length */
    struct face_quality quality;
};

/* How long the last recognizer_run() took, by stage. */
struct face_timings {
    double detect_ms, landmark_ms, embed_ms;
};

/* How faces are looked for. Fast is one pass over the whole picture, reduced to 320x240: for camera
 * frames. Thorough takes 50 passes or so in a photo of a megapixel, and finds faces from about 24
 * pixels there. Figures: docs/accuracy.md. */
enum face_detect {
    FACE_DETECT_FAST,
    FACE_DETECT_THOROUGH,
    FACE_DETECT_AUTO, /* thorough for pictures of more than FACE_FAST_PIXELS */
}; /* Another detector than ken's own is always fast: the search is fitted to one. */
enum { FACE_FAST_PIXELS = 640 * 480 };
#define FACE_USUAL_SCORE (-1.0f)
/* From "fast", "thorough" or "auto"; -1 for another word. */
int face_detect_read(enum face_detect *detect, const char *word) MUST_USE;

struct recognizer_options {
    enum face_detect detect; /* default fast */
    float min_score;         /* score below which a candidate is no face, 0..1; default:
                                FACE_USUAL_SCORE, what the detector is commonly used with */
    size_t threads;          /* that share a picture where processors are free; default 1 */
    int exact; /* 32-bit products only: every processor finds the same, at up to 1.6 times the time
                  (docs/engine.md). For templates, and where the answer is not waited for. */
};

/* Threads for whoever wants the answer soonest: two, or one where there is one processor. */
size_t recognizer_threads(void);

/* The default options. */
extern const struct recognizer_options recognizer_defaults;

/* The network of a role in `folder`: ROLE.ken (detect.ken, landmark.ken, embed.ken, liveness.ken),
 * else ken's own (fr_detect.ken, fr_landmark.ken, fr_feature.ken, fr_liveness.ken). ERR_INVALID for
 * one that was imported for something else. */
struct model *face_model_open(const char *folder, enum model_role role, struct err *err);
/* Its file's name, without the folder; NULL where there is none. */
const char *face_model_file(const char *folder, enum model_role role);

/* Opens detector, landmarks and embedder. The landmarks may be absent where the detector finds the
 * five points itself; they are not used then. */
struct face_models *face_models_open(const char *folder, struct err *err);
void face_models_close(struct face_models *models); /* NULL is fine */
/* Only recognizer_detect() is likely from now on: what the other networks take of memory goes until
 * they are used. */
void face_models_rest(const struct face_models *models);

/* Whose numbers embeddings are: those of two networks cannot be compared. */
struct face_network {
    uint64_t identity; /* struct model_use's; 0: none */
    uint32_t floats;   /* of an embedding, the rest of which is 0 */
};
struct face_network face_models_network(const struct face_models *models);
/* The cosine from which two faces are commonly taken for one person's, with the embedder's numbers
 * (docs/networks.md): a new gallery's threshold. */
float face_models_threshold(const struct face_models *models);

/* `options` may be NULL for the defaults. The models must outlive the recognizer. */
struct recognizer *recognizer_create(const struct face_models *models,
                                     const struct recognizer_options *options, struct err *err);
void recognizer_destroy(struct recognizer *recognizer); /* NULL is fine */

/* Find and embed up to `max` faces, the largest first. Returns how many, or -1. `timings` may be
 * NULL. After the first picture nothing is allocated. */
int recognizer_run(struct recognizer *recognizer, const struct image *image, struct face *faces,
                   size_t max, struct face_timings *timings, struct err *err) MUST_USE;

/* A face as another picture might have shown it: what training learns from besides the photos. */
struct face_view {
    int mirrored;
    float scale;    /* of what is shown of the face; 1: as recognizer_run() */
    float shift[2]; /* of that, in distances between the eyes */
    float gamma;    /* of the brightness; 1: as it is, below: brighter */
};

/* The embedding of a view of a face that recognizer_run() found in this picture. Returns 0, or -1
 * where it shows nothing. */
int recognizer_view(struct recognizer *recognizer, const struct image *image,
                    const struct face *face, const struct face_view *view,
                    float embedding[FACE_EMBEDDING_FLOATS]) MUST_USE;

/* The first stage alone: box and score of up to `max` faces, the largest first; the rest of each
 * face is left as it was. Returns how many, or -1. */
int recognizer_detect(struct recognizer *recognizer, const struct image *image, struct face *faces,
                      size_t max, struct err *err) MUST_USE;

#endif
