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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-gallery-XXXXXX";
static char path[64], key_path[64];

/* A unit vector that leans from axis `main` towards axis `other`. */
static const float *leaning(float out[FACE_EMBEDDING_FLOATS], int main_axis, int other, float part)
{
    memset(out, 0, FACE_EMBEDDING_FLOATS * sizeof *out);
    out[main_axis] = sqrtf(1 - part * part);
    out[other] += part;
    return out;
}

static void add(struct gallery *gallery, const char *name, int axis, float part)
{
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    assert_int_equal(gallery_add(gallery, name, leaning(vector, axis, 500, part), &err), 0);
}

static struct gallery *two_people(void)
{
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    assert_non_null(gallery);
    add(gallery, "Ada", 0, 0.1f);
    add(gallery, "Bert", 1, 0.2f);
    add(gallery, "Ada", 0, 0.3f);
    return gallery;
}

static void assert_knows_two_people(const struct gallery *gallery)
{
    float vector[FACE_EMBEDDING_FLOATS];
    struct match match;
    assert_int_equal(gallery_people(gallery), 2);
    assert_int_equal(gallery_templates(gallery), 3);
    assert_int_equal(gallery_match(gallery, leaning(vector, 0, 500, 0.2f), &match), 1);
    assert_string_equal(match.name, "Ada");
    assert_true(match.similarity > 0.99f);
    assert_int_equal(gallery_match(gallery, leaning(vector, 1, 500, 0.2f), &match), 1);
    assert_string_equal(match.name, "Bert");
    assert_int_equal(gallery_match(gallery, leaning(vector, 7, 8, 0.5f), &match), 0);
    assert_null(match.name);
    assert_true(fabsf(match.similarity) < 1e-6f);
}

static void assert_open_fails(enum err_code code, const char *text)
{
    struct err err = {0};
    struct gallery *gallery = gallery_open(path, &err);
    assert_null(gallery);
    if (err.code != code || !strstr(err.message, text))
        fail_msg("code %d, \"%s\" does not say \"%s\"", err.code, err.message, text);
}

static struct buf file_content(void)
{
    struct err err = {0};
    struct buf file;
    buf_init(&file, 1 << 20);
    assert_int_equal(file_read(path, &file, &err), 0);
    return file;
}

static void save(int plain)
{
    struct err err = {0};
    struct gallery *gallery = two_people();
    gallery_set_threshold(gallery, 0.5f);
    assert_int_equal(
        plain ? gallery_save_plain(gallery, path, &err) : gallery_save(gallery, path, &err), 0);
    gallery_destroy(gallery);
}

static void an_empty_gallery_knows_nobody(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    struct match match;
    struct gallery *gallery = gallery_create(&err);
    assert_int_equal(gallery_match(gallery, leaning(vector, 0, 1, 0), &match), 0);
    assert_null(match.name);
    assert_true(match.similarity == -1);
    gallery_destroy(gallery);
    gallery_destroy(NULL);
}

static void add_refuses_bad_names_and_vectors(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    char name[GALLERY_NAME_BYTES + 1];
    struct gallery *gallery = gallery_create(&err);
    leaning(vector, 0, 1, 0.5f);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(gallery_add(gallery, "", vector, &err), -1);
    assert_int_equal(gallery_add(gallery, name, vector, &err), -1);
    assert_int_equal(gallery_add(gallery, "unknown", vector, &err), -1);
    assert_int_equal(gallery_add(gallery, "a\nb", vector, &err), -1);
    vector[0] = 7;
    assert_int_equal(gallery_add(gallery, "Ada", vector, &err), -1);
    vector[0] = NAN;
    assert_int_equal(gallery_add(gallery, "Ada", vector, &err), -1);
    assert_int_equal(gallery_people(gallery), 0);
    name[GALLERY_NAME_BYTES - 1] = 0;
    assert_int_equal(gallery_add(gallery, name, leaning(vector, 0, 1, 0), &err), 0);
    gallery_destroy(gallery);
}

static void names_are_utf8(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    struct gallery *gallery = gallery_create(&err);
    leaning(vector, 0, 1, 0.5f);
    static const char *const bad[] = {"J\xf6rg",
                                      "\xc3",
                                      "a\x80",
                                      "\xc0\xaf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xe2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(gallery_add(gallery, bad[i], vector, &err), -1);
    static const char *const good[] = {"J\xc3\xb6rg", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(gallery_add(gallery, good[i], vector, &err), 0);
    gallery_destroy(gallery);
}

static void a_face_below_the_threshold_is_unknown(void **state)
{
    (void)state;
    float vector[FACE_EMBEDDING_FLOATS];
    struct match match;
    struct gallery *gallery = two_people();
    leaning(vector, 1, 9, 0.9f); /* 0.43 from Bert */
    gallery_set_threshold(gallery, 0.44f);
    assert_int_equal(gallery_match(gallery, vector, &match), 0);
    assert_null(match.name);
    gallery_set_threshold(gallery, 0.42f);
    assert_int_equal(gallery_match(gallery, vector, &match), 1);
    assert_string_equal(match.name, "Bert");
    gallery_destroy(gallery);
}

static void round_trip(int plain)
{
    struct err err = {0};
    save(plain);
    struct gallery *gallery = gallery_open(path, &err);
    if (!gallery)
        fail_msg("%s", err.message);
    assert_knows_two_people(gallery);
    assert_true(gallery_threshold(gallery) == 0.5f);
    assert_string_equal(gallery_name(gallery, 0), "Ada");
    assert_string_equal(gallery_name(gallery, 1), "Bert");
    gallery_destroy(gallery);
}

static void sealed_and_plain_galleries_come_back(void **state)
{
    (void)state;
    round_trip(0);
    round_trip(1);
}

static void only_the_sealed_file_hides_names(void **state)
{
    (void)state;
    save(0);
    struct buf file = file_content();
    assert_null(memmem(file.data, file.size, "Bert", 4));
    buf_finish(&file);
    save(1);
    file = file_content();
    assert_non_null(memmem(file.data, file.size, "Bert", 4));
    buf_finish(&file);
}

static void two_saves_differ_in_every_part(void **state)
{
    (void)state;
    save(0);
    struct buf first = file_content();
    save(0);
    struct buf second = file_content();
    assert_int_equal(first.size, second.size);
    assert_memory_not_equal(first.data + 64, second.data + 64, 64);
    buf_finish(&first);
    buf_finish(&second);
}

static void files_are_their_owners_alone(void **state)
{
    (void)state;
    struct stat status;
    save(0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(key_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void open_refuses_every_changed_byte(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct err err = {0};
        save(plain);
        struct buf file = file_content();
        size_t step = 1;
        for (size_t at = 0; at < file.size; at += step) {
            /* The sealed file's last 16 bytes are zeros that nothing reads. */
            if (!plain && at >= file.size - 16)
                break;
            file.data[at] ^= 0x20;
            assert_int_equal(file_write(path, file.data, file.size, 0600, &err), 0);
            assert_open_fails(ERR_CORRUPT, "open ");
            file.data[at] ^= 0x20;
            step = at < 64 || at > file.size - 40 ? 1 : 97; /* each write is synced */
        }
        buf_finish(&file);
    }
}

static void open_refuses_every_cut(void **state)
{
    (void)state;
    struct err err = {0};
    save(0);
    struct buf file = file_content();
    for (size_t size = 0; size < file.size; size += 211) {
        assert_int_equal(file_write(path, file.data, size, 0600, &err), 0);
        assert_open_fails(ERR_CORRUPT, "");
    }
    buf_append(&file, "x", 1);
    assert_int_equal(file_write(path, file.data, file.size, 0600, &err), 0);
    assert_open_fails(ERR_CORRUPT, "");
    buf_finish(&file);
}

static void open_refuses_the_wrong_key_and_none(void **state)
{
    (void)state;
    save(0);
    setenv("KEN_GALLERY_KEY", "00000000000000000000000000000000000000000000000000000000000000aa",
           1);
    assert_open_fails(ERR_CORRUPT, "the key is another one");
    setenv("KEN_GALLERY_KEY", "00", 1);
    assert_open_fails(ERR_INVALID, "KEN_GALLERY_KEY: not 64 hex digits");
    unsetenv("KEN_GALLERY_KEY");
    chmod(key_path, 0644);
    assert_open_fails(ERR_DENIED, "others may read this key");
    unlink(key_path);
    assert_open_fails(ERR_NOT_FOUND, "neither KEN_GALLERY_KEY nor");
}

static void the_key_may_come_from_the_environment(void **state)
{
    (void)state;
    setenv("KEN_GALLERY_KEY", "0123456789abcdef0123456789ABCDEF00000000000000000000000000000000",
           1);
    unlink(key_path);
    round_trip(0);
    assert_int_equal(access(key_path, F_OK), -1);
    unsetenv("KEN_GALLERY_KEY");
}

static void open_names_an_absent_file(void **state)
{
    (void)state;
    unlink(path);
    assert_open_fails(ERR_NOT_FOUND, "No such file");
}

static int make_folder(void **state)
{
    (void)state;
    unsetenv("KEN_GALLERY_KEY");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/g.ken", folder);
    snprintf(key_path, sizeof key_path, "%s/g.ken.key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    struct err err = {0};
    return file_remove_tree(folder, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_gallery_knows_nobody),
        cmocka_unit_test(add_refuses_bad_names_and_vectors),
        cmocka_unit_test(names_are_utf8),
        cmocka_unit_test(a_face_below_the_threshold_is_unknown),
        cmocka_unit_test(sealed_and_plain_galleries_come_back),
        cmocka_unit_test(only_the_sealed_file_hides_names),
        cmocka_unit_test(two_saves_differ_in_every_part),
        cmocka_unit_test(files_are_their_owners_alone),
        cmocka_unit_test(open_refuses_every_changed_byte),
        cmocka_unit_test(open_refuses_every_cut),
        cmocka_unit_test(open_refuses_the_wrong_key_and_none),
        cmocka_unit_test(the_key_may_come_from_the_environment),
        cmocka_unit_test(open_names_an_absent_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
