/* How similar different people are, and how similar one person's photos: every photo with every
 * other. usage: bench_thresholds LIST [MODELS]; LIST has the lines "photo TAB person". The largest
 * face of each photo counts. Figures of docs/accuracy.md. */
#include "base/file.h"
#include "face/recognizer.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PHOTOS = 100000, BINS = 2000 };

struct photo {
    const char *file, *person;
    float embedding[FACE_EMBEDDING_FLOATS];
};

struct histogram {
    unsigned long counts[BINS + 1], all;
};

/* Cosines from -1 to 1 in bins of 0.001. */
static void count(struct histogram *histogram, float similarity)
{
    int bin = (int)((similarity + 1) * BINS / 2);
    histogram->counts[bin < 0 ? 0 : bin > BINS ? BINS : bin]++;
    histogram->all++;
}

static double part_from(const struct histogram *histogram, double threshold)
{
    unsigned long from = 0;
    for (int bin = (int)lround((threshold + 1) * BINS / 2); bin <= BINS; bin++)
        from += histogram->counts[bin];
    return histogram->all ? (double)from / (double)histogram->all : 0;
}

static int embed(struct photo *photo, struct recognizer *recognizer, struct image *image)
{
    struct err err = {0};
    struct face face;
    int faces = image_read(image, photo->file, &err) < 0
                    ? -1
                    : recognizer_run(recognizer, image, &face, 1, NULL, &err);
    if (faces < 1) {
        fprintf(stderr, "%s: %s\n", photo->file, faces < 0 ? err.message : "no face");
        return 0;
    }
    memcpy(photo->embedding, face.embedding, sizeof face.embedding);
    return 1;
}

/* Cuts `text` into the photos; returns those with a face. */
static size_t embed_list(struct photo *photos, char *text, struct recognizer *recognizer)
{
    size_t found = 0;
    for (char *line; (line = strsep(&text, "\n")) && found < MAX_PHOTOS;) {
        struct photo *photo = &photos[found];
        struct image image = {0};
        photo->file = strsep(&line, "\t");
        photo->person = line;
        if (line)
            found += (size_t)embed(photo, recognizer, &image);
        image_finish(&image);
    }
    return found;
}

static void print_table(const struct photo *photos, size_t photo_count)
{
    static struct histogram same, different;
    const struct kernels *kernels = simd_kernels(simd_best());
    for (size_t i = 0; i < photo_count; i++)
        for (size_t j = 0; j < i; j++)
            count(
                strcmp(photos[i].person, photos[j].person) == 0 ? &same : &different,
                kernels->dot_f32(photos[i].embedding, photos[j].embedding, FACE_EMBEDDING_FLOATS));
    printf("%zu photos, %lu pairs of one person, %lu of two\n", photo_count, same.all,
           different.all);
    printf("threshold  false matches  false non-matches\n");
    for (int hundredths = 25; hundredths <= 60; hundredths += 5)
        printf("     %.2f       %.1e             %6.2f %%\n", hundredths / 100.0,
               part_from(&different, hundredths / 100.0),
               100 * (1 - part_from(&same, hundredths / 100.0)));
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct buf list;
    buf_init(&list, (size_t)64 << 20);
    struct photo *photos = calloc(MAX_PHOTOS, sizeof *photos);
    struct face_models *models = NULL;
    struct recognizer *recognizer = NULL;
    if (argc < 2 || !photos)
        err_set(&err, ERR_INVALID, "usage: bench_thresholds LIST [MODELS]");
    else if (file_read(argv[1], &list, &err) == 0)
        models = face_models_open(argc > 2 ? argv[2] : "build/models", &err);
    if (models)
        recognizer = recognizer_create(models, NULL, &err);
    if (recognizer && list.data)
        print_table(photos, embed_list(photos, list.data, recognizer));
    else
        fprintf(stderr, "bench_thresholds: %s\n", err.message);
    int failed = !recognizer;
    recognizer_destroy(recognizer);
    face_models_close(models);
    free(photos);
    buf_finish(&list);
    return failed;
}
