#ifndef TESTS_UNIT_GALLERY_FIXTURE_H
#define TESTS_UNIT_GALLERY_FIXTURE_H

#include "base/buf.h"
#include "base/file.h"
#include "face/gallery.h"
#include "face/recognizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What the tests of galleries share: a folder, the gallery's path in it, and people on axes. */

static char folder[32];
static char path[64], key_path[64];

/* A unit vector that leans from axis `main` towards axis `other`. */
static inline const float *leaning(float out[FACE_EMBEDDING_FLOATS], int main_axis, int other,
                                   float part)
{
    memset(out, 0, FACE_EMBEDDING_FLOATS * sizeof *out);
    out[main_axis] = sqrtf(1 - part * part);
    out[other] += part;
    return out;
}

static inline void add(struct gallery *gallery, const char *name, int axis, float part)
{
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    assert_int_equal(gallery_add(gallery, name, leaning(vector, axis, 500, part), &err), 0);
}

/* Ada with two templates, and Bert. */
static inline struct gallery *two_people(void)
{
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    assert_non_null(gallery);
    add(gallery, "Ada", 0, 0.1f);
    add(gallery, "Bert", 1, 0.2f);
    add(gallery, "Ada", 0, 0.3f);
    return gallery;
}

static inline void save_gallery(const struct gallery *gallery, int plain)
{
    struct err err = {0};
    int result =
        plain ? gallery_save_plain(gallery, path, &err) : gallery_save(gallery, path, &err);
    if (result < 0)
        fail_msg("%s", err.message);
}

static inline void assert_people(const struct gallery *gallery, size_t people, size_t templates)
{
    assert_int_equal(gallery_people(gallery), people);
    assert_int_equal(gallery_templates(gallery), templates);
}

static inline struct gallery *must_open(struct gallery *(*open_at)(const char *, struct err *))
{
    struct err err = {0};
    struct gallery *gallery = open_at(path, &err);
    if (!gallery)
        fail_msg("%s", err.message);
    return gallery;
}

static inline void assert_open_fails(enum err_code code, const char *text)
{
    struct err err = {0};
    struct gallery *gallery = gallery_open(path, &err);
    assert_null(gallery);
    if (err.code != code || !strstr(err.message, text))
        fail_msg("code %d, \"%s\" does not say \"%s\"", err.code, err.message, text);
}

static inline struct buf file_content(void)
{
    struct err err = {0};
    struct buf file;
    buf_init(&file, 1 << 24);
    assert_int_equal(file_read(path, &file, &err), 0);
    return file;
}

static inline void put_content(const void *data, size_t size)
{
    FILE *file = fopen(path, "wb"); /* not synced: there are many */
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline int make_folder(void **state)
{
    (void)state;
    unsetenv("KEN_GALLERY_KEY");
    snprintf(folder, sizeof folder, "/tmp/ken-gallery-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/g.ken", folder);
    snprintf(key_path, sizeof key_path, "%s/g.ken.key", folder);
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    struct err err = {0};
    return file_remove_tree(folder, &err);
}

/* A folder for each test: one that fails leaves its folder locked, and the next would wait for it.
 */
#define in_new_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

#endif
