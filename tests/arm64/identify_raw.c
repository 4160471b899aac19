/* Who is in pictures, from plain pixels: the face library alone, without codecs and cryptography,
 * so that it can be built for another processor without that one's libraries.
 *   identify_raw MODELS [NAME=PHOTO.ppm|NAME=TEMPLATE.row...] FRAME.ppm...
 * enrols the photos' largest faces, or templates of a gallery as they are kept, and prints "FRAME
 * NAME SIMILARITY x y w h" for each face. */
#include "face/gallery.h"
#include "face/recognizer.h"
#include "face/rows.h"

#include <stdio.h>
#include <string.h>

enum { MOST_FACES = 8 };

static int read_ppm(struct image *image, const char *path, struct err *err)
{
    int width = 0, height = 0;
    FILE *in = fopen(path, "rb");
    if (!in)
        return err_set_errno(err, "open %s", path);
    int result = fscanf(in, "P6 %d %d 255", &width, &height) == 2 && fgetc(in) == '\n'
                     ? image_init(image, width, height, err)
                     : err_set(err, ERR_INVALID, "%s: not a PPM", path);
    size_t bytes = result == 0 ? image->stride * (size_t)image->height : 0;
    if (result == 0 && fread(image->pixels, 1, bytes, in) != bytes) {
        image_finish(image);
        result = err_set(err, ERR_INVALID, "%s: too short", path);
    }
    fclose(in);
    return result;
}

struct program {
    struct face_models *models;
    struct recognizer *recognizer;
    struct gallery *gallery;
    struct face faces[MOST_FACES];
};

/* How many faces, or -1. */
static int find_faces(struct program *program, const char *path, struct err *err)
{
    struct image image;
    if (read_ppm(&image, path, err) < 0)
        return -1;
    int count = recognizer_run(program->recognizer, &image, program->faces, MOST_FACES, NULL, err);
    image_finish(&image);
    return count;
}

static int enrol_row(struct program *program, const char *name, const char *path, struct err *err)
{
    int8_t row[ROW_VALUES];
    float vector[ROW_VALUES];
    FILE *in = fopen(path, "rb");
    if (!in)
        return err_set_errno(err, "open %s", path);
    int whole = fread(row, 1, sizeof row, in) == sizeof row;
    fclose(in);
    if (!whole)
        return err_set(err, ERR_INVALID, "%s: too short", path);
    row_to_floats(vector, row);
    return gallery_add(program->gallery, name, vector, err);
}

static int enrol(struct program *program, const char *name, const char *path, struct err *err)
{
    if (strstr(path, ".row"))
        return enrol_row(program, name, path, err);
    int count = find_faces(program, path, err);
    if (count < 1)
        return count < 0 ? -1 : err_set(err, ERR_INVALID, "%s: no face", path);
    return gallery_add(program->gallery, name, program->faces[0].embedding, err);
}

static int identify(struct program *program, const char *path, struct err *err)
{
    int count = find_faces(program, path, err);
    for (int i = 0; i < count; i++) {
        struct match match;
        const float *box = program->faces[i].box;
        int known = gallery_match(program->gallery, program->faces[i].embedding, &match);
        printf("%s\t%s\t%.6f\t%.3f\t%.3f\t%.3f\t%.3f\n", path, known ? match.name : "unknown",
               (double)match.similarity, (double)box[0], (double)box[1], (double)box[2],
               (double)box[3]);
    }
    return count < 0 ? -1 : 0;
}

static int run(struct program *program, int argc, char **argv, struct err *err)
{
    program->models = face_models_open(argv[1], err);
    program->recognizer = program->models ? recognizer_create(program->models, NULL, err) : NULL;
    program->gallery = program->recognizer ? gallery_create(err) : NULL;
    int result = program->gallery ? 0 : -1;
    for (int i = 2; i < argc && result == 0; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals)
            *equals = 0;
        result =
            equals ? enrol(program, argv[i], equals + 1, err) : identify(program, argv[i], err);
    }
    return result;
}

int main(int argc, char **argv)
{
    static struct program program;
    struct err err = {0};
    if (argc < 3)
        return 2;
    int result = run(&program, argc, argv, &err);
    if (result < 0)
        fprintf(stderr, "identify_raw: %s\n", err.message);
    gallery_destroy(program.gallery);
    recognizer_destroy(program.recognizer);
    face_models_close(program.models);
    return result < 0;
}
