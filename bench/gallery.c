/* How fast a gallery is searched, opened and changed, and the memory's speed beside it.
 * usage: bench_gallery [MOST_TEMPLATES]. Figures of docs/gallery.md. */
#include "face/gallery.h"
#include "base/clock.h"
#include "base/file.h"
#include "face/recognizer.h"
#include "face/rows.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TRIES = 25, TOP = 5 };

static uint32_t state = 1;

static uint32_t random_bits(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void random_unit(float out[ROW_VALUES])
{
    float square = 0;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        out[i] = -4;
        for (int j = 0; j < 8; j++) /* a sum of eight: nearly normal, as embeddings are */
            out[i] += (float)random_bits() * 0x1p-24f;
        square += out[i] * out[i];
    }
    for (size_t i = 0; i < ROW_VALUES; i++)
        out[i] /= sqrtf(square);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_gallery: %s: %s\n", what, err->message);
    exit(1);
}

/* ---- search ---- */

/* Read the templates once and do nothing with them: the least that any search can take. */
static void read_once(const struct rows *rows)
{
    uint64_t sum[8] = {0};
    for (size_t row = 0; row < rows->count; row += ROWS_A_CHUNK) {
        size_t left = rows->count - row;
        size_t words = (left < ROWS_A_CHUNK ? left : ROWS_A_CHUNK) * ROW_VALUES / sizeof *sum;
        const uint64_t *from = (const void *)rows->chunks[row / ROWS_A_CHUNK]->values;
        for (size_t i = 0; i < words; i += 8)
            for (size_t j = 0; j < 8; j++)
                sum[j] ^= from[i + j];
    }
    for (size_t j = 1; j < 8; j++)
        sum[0] ^= sum[j];
    __asm__ volatile("" : : "r"(sum[0]));
}

/* Search and reading take turns, since other programs share the memory. */
static void search(const struct rows *rows)
{
    float query[ROW_VALUES];
    double ms[TRIES], read[TRIES];
    random_unit(query);
    size_t runs = 1 + 200000 / rows->count, bytes = rows->count * ROW_VALUES;
    for (int try = 0; try < TRIES; try++) {
        struct row_hit hits[TOP];
        uint64_t start = clock_monotonic_ns();
        for (size_t run = 0; run < runs; run++)
            rows_search(rows, query, hits, TOP);
        ms[try] = clock_ms_since(start) / (double)runs;
        start = clock_monotonic_ns();
        for (size_t run = 0; run < runs; run++)
            read_once(rows);
        read[try] = clock_ms_since(start) / (double)runs;
    }
    qsort(ms, TRIES, sizeof *ms, by_size);
    qsort(read, TRIES, sizeof *read, by_size);
    printf("%9zu | %9.4f %9.4f | %6.1f | %9.4f %9.4f | %6.1f | %4.2f\n", rows->count, ms[0],
           ms[TRIES / 2], (double)bytes / ms[0] / 1e6, read[0], read[TRIES / 2],
           (double)bytes / read[0] / 1e6, ms[0] / read[0]);
}

static void bench_search(size_t most)
{
    struct rows rows = {0};
    printf("search of all templates, top %d, level %s\n", TOP, simd_level_name(simd_best()));
    printf("templates | ms: best    median |   GB/s | reading alone: ms  |   GB/s | search / "
           "reading\n");
    for (size_t count = 1000; count <= most; count *= 10) {
        while (rows.count < count) {
            int8_t row[ROW_VALUES];
            for (size_t i = 0; i < ROW_VALUES; i++)
                row[i] = (int8_t)(random_bits() % 255 - 127);
            if (rows_add(&rows, row) < 0)
                exit(1);
        }
        search(&rows);
    }
    rows_finish(&rows);
}

/* ---- the file ---- */

static void enrol(struct gallery *gallery, size_t people, size_t photos)
{
    struct err err = {0};
    float vector[ROW_VALUES];
    double ms = 0;
    for (size_t i = 0; i < people; i++) {
        char name[32];
        snprintf(name, sizeof name, "person-%zu", i);
        for (size_t photo = 0; photo < photos; photo++) {
            random_unit(vector);
            uint64_t start = clock_monotonic_ns();
            if (gallery_add(gallery, name, vector, &err) < 0)
                die("add", &err);
            ms += clock_ms_since(start);
        }
    }
    printf("%7zu x %2zu | %9.3f", people, photos, ms);
}

static double open_ms(const char *path, struct gallery *(*open_at)(const char *, struct err *))
{
    double best = 1e30;
    for (int try = 0; try < TRIES; try++) {
        struct err err = {0};
        uint64_t start = clock_monotonic_ns();
        struct gallery *gallery = open_at(path, &err);
        double ms = clock_ms_since(start);
        best = ms < best ? ms : best;
        if (!gallery)
            die("open", &err);
        gallery_destroy(gallery);
    }
    return best;
}

/* One person more, from the file to the file. */
static double append_ms(const char *path)
{
    struct err err = {0};
    float vector[ROW_VALUES];
    random_unit(vector);
    uint64_t start = clock_monotonic_ns();
    struct gallery *gallery = gallery_open_to_change(path, &err);
    if (!gallery || gallery_add(gallery, "one more", vector, &err) < 0 ||
        gallery_save(gallery, path, &err) < 0)
        die("append", &err);
    gallery_destroy(gallery);
    return clock_ms_since(start);
}

/* One photo more of every tenth person, in one change. */
static void add_photos(const char *path, size_t people)
{
    struct err err = {0};
    float vector[ROW_VALUES];
    struct gallery *gallery = gallery_open_to_change(path, &err);
    for (size_t i = 0; gallery && i < people; i += 10) {
        char name[32];
        snprintf(name, sizeof name, "person-%zu", i);
        random_unit(vector);
        if (gallery_add(gallery, name, vector, &err) < 0)
            die("add", &err);
    }
    if (!gallery || gallery_save(gallery, path, &err) < 0)
        die("add", &err);
    gallery_destroy(gallery);
}

static void bench_file(const char *path, size_t people, size_t photos)
{
    struct err err = {0};
    struct stat status = {0};
    struct gallery *gallery = gallery_create(&err);
    if (!gallery)
        die("create", &err);
    enrol(gallery, people, photos);
    uint64_t start = clock_monotonic_ns();
    if (gallery_save(gallery, path, &err) < 0)
        die("save", &err);
    double save = clock_ms_since(start);
    gallery_destroy(gallery);
    stat(path, &status);
    double open = open_ms(path, gallery_open), search = open_ms(path, gallery_open_to_search);
    double append = append_ms(path);
    add_photos(path, people);
    printf(" | %9.3f | %8.3f | %9.3f | %9.3f | %9.2f | %6.1f     | %9.3f\n", save, open, search,
           append, (double)status.st_size / 1e6, (double)status.st_size / (double)(people * photos),
           open_ms(path, gallery_open_to_search));
}

int main(int argc, char **argv)
{
    struct err err = {0};
    char folder[] = "/tmp/ken-bench-gallery-XXXXXX", path[64];
    long most = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    bench_search(most > 0 ? (size_t)most : 0);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/gallery.ken", folder);
    printf("\nencrypted file: ms, best of some (saving: once, with fsync)\n");
    printf("people x photos | add all | save      | open     | to search | add one   | MB        | "
           "bytes each | to search, one photo more of each tenth\n");
    static const size_t sizes[][2] = {{1000, 1}, {1000, 3}, {1000, 10}, {10000, 1}, {100000, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        bench_file(path, sizes[i][0], sizes[i][1]);
    return file_remove_tree(folder, &err) < 0;
}
