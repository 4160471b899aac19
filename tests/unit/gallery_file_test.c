#include "gallery_fixture.h"

#include "face/gallery_data.h"
#include "face/seal.h"

#include <dirent.h>
#include <sys/stat.h>

#include <openssl/evp.h>

/* The gallery's file: what an addition does to it, and what is refused. */

static const float *axis(float out[FACE_EMBEDDING_FLOATS], int main_axis, float part)
{
    return leaning(out, main_axis, 500, part);
}

static struct gallery *open_gallery(int to_change)
{
    return must_open(to_change ? gallery_open_to_change : gallery_open);
}

static void make(int plain)
{
    unlink(path);
    struct gallery *gallery = two_people();
    save_gallery(gallery, plain);
    gallery_destroy(gallery);
}

/* Ada gets a third template, and Cleo comes. */
static void add_two(int plain)
{
    struct gallery *gallery = open_gallery(1);
    add(gallery, "Ada", 0, 0.5f);
    add(gallery, "Cleo", 2, 0.1f);
    save_gallery(gallery, plain);
    gallery_destroy(gallery);
}

static void assert_refused(const char *text)
{
    assert_open_fails(ERR_CORRUPT, text);
}

static void a_changed_byte_of_an_addition_is_refused(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        make(plain);
        struct buf base = file_content();
        size_t before = base.size;
        buf_finish(&base);
        add_two(plain);
        struct buf file = file_content();
        for (size_t at = before; at < file.size; at += 7) {
            file.data[at] ^= 0x20;
            put_content(file.data, file.size);
            assert_refused("open ");
            file.data[at] ^= 0x20;
        }
        buf_finish(&file);
    }
}

static void an_addition_that_is_missing_or_moved_is_refused(void **state)
{
    (void)state;
    size_t ends[3];
    make(1);
    for (int i = 0; i < 3; i++) {
        add_two(1);
        struct buf file = file_content();
        ends[i] = file.size;
        buf_finish(&file);
    }
    struct buf file = file_content();
    size_t second = ends[1] - ends[0];
    uint64_t less = file.size - second;
    memmove(file.data + ends[0], file.data + ends[1], ends[2] - ends[1]);
    memcpy(file.data + GALLERY_COMMITTED_AT, &less, sizeof less);
    put_content(file.data, less);
    assert_refused("it was changed");
    buf_finish(&file);
}

static void a_file_cut_before_what_counts_is_refused(void **state)
{
    (void)state;
    make(0);
    add_two(0);
    struct buf file = file_content();
    for (size_t size = 0; size < file.size; size += 53) {
        put_content(file.data, size);
        assert_refused("");
    }
    buf_finish(&file);
}

static void an_addition_touches_nothing_of_the_rest(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct stat before, after;
        make(plain);
        struct buf first = file_content();
        assert_int_equal(stat(path, &before), 0);
        add_two(plain);
        struct buf second = file_content();
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino);
        assert_true(second.size > first.size);
        /* Two templates, and the mean of who had one already. */
        assert_true(second.size < first.size + 2 * 600 + ROW_VALUES + 100);
        size_t behind = GALLERY_COMMITTED_AT + 8;
        assert_memory_equal(first.data, second.data, GALLERY_COMMITTED_AT);
        assert_memory_equal(first.data + behind, second.data + behind, first.size - behind);
        struct gallery *gallery = open_gallery(0);
        assert_people(gallery, 3, 5);
        assert_int_equal(gallery_person_templates(gallery, 0), 3);
        gallery_destroy(gallery);
        buf_finish(&first);
        buf_finish(&second);
    }
}

/* As a power cut leaves it: any part of the addition is there, what counts is not told yet. */
static void an_addition_cut_short_costs_nothing_else(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        make(plain);
        struct buf first = file_content();
        add_two(plain);
        struct buf whole = file_content();
        memcpy(whole.data, first.data, GALLERY_HEADER_BYTES);
        for (size_t size = first.size; size <= whole.size; size += 97) {
            put_content(whole.data, size);
            struct gallery *gallery = open_gallery(0);
            assert_people(gallery, 2, 3);
            assert_int_equal(gallery_unfinished_bytes(gallery), size - first.size);
            gallery_destroy(gallery);
        }
        add_two(plain); /* the next change cuts it off */
        struct buf again = file_content();
        assert_int_equal(again.size, whole.size);
        struct gallery *gallery = open_gallery(0);
        assert_people(gallery, 3, 5);
        assert_int_equal(gallery_unfinished_bytes(gallery), 0);
        gallery_destroy(gallery);
        buf_finish(&first);
        buf_finish(&whole);
        buf_finish(&again);
    }
}

static int is_in_file(const void *bytes, size_t size)
{
    struct buf file = file_content();
    int found = memmem(file.data, file.size, bytes, size) != NULL;
    buf_finish(&file);
    return found;
}

static void forgetting_erases_what_was_added_too(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    int8_t row[ROW_VALUES];
    make(1);
    add_two(1);
    row_from_floats(row, axis(vector, 2, 0.1f));
    assert_true(is_in_file(row, sizeof row) && is_in_file("Cleo", 4));
    struct gallery *gallery = open_gallery(1);
    assert_int_equal(gallery_forget(gallery, "Cleo", &err), 0);
    save_gallery(gallery, 1);
    gallery_destroy(gallery);
    assert_false(is_in_file(row, sizeof row) || is_in_file("Cleo", 4));
    row_from_floats(row, axis(vector, 0, 0.5f));
    assert_true(is_in_file(row, sizeof row)); /* Ada's third */
}

static void a_change_after_an_addition_keeps_all(void **state)
{
    (void)state;
    make(0);
    add_two(0);
    struct gallery *gallery = open_gallery(1);
    gallery_set_threshold(gallery, 0.61f);
    add(gallery, "Dora", 3, 0.1f);
    save_gallery(gallery, 0);
    gallery_destroy(gallery);
    gallery = open_gallery(0);
    assert_people(gallery, 4, 6);
    assert_true(gallery_threshold(gallery) == 0.61f);
    gallery_destroy(gallery);
}

static void a_gallery_saved_twice_holds_everybody_once(void **state)
{
    (void)state;
    make(0);
    struct gallery *gallery = open_gallery(1);
    add(gallery, "Cleo", 2, 0.1f);
    save_gallery(gallery, 0);
    add(gallery, "Dora", 3, 0.1f);
    save_gallery(gallery, 0);
    gallery_destroy(gallery);
    gallery = open_gallery(0);
    assert_people(gallery, 4, 5);
    gallery_destroy(gallery);
}

static void a_template_takes_600_bytes_at_most(void **state)
{
    (void)state;
    struct err err = {0};
    static const int photos[] = {1, 2, 3, 5, 10, 40};
    for (size_t p = 0; p < sizeof photos / sizeof *photos; p++) {
        enum { PEOPLE = 50 };
        char name[32];
        unlink(path);
        struct gallery *gallery = gallery_create(&err);
        for (int i = 0; i < PEOPLE * photos[p]; i++) {
            snprintf(name, sizeof name, "a person, %d", i / photos[p]);
            add(gallery, name, i % 400, 0.1f);
        }
        save_gallery(gallery, 0);
        gallery_destroy(gallery);
        struct buf file = file_content();
        assert_true(file.size <= (size_t)PEOPLE * (size_t)photos[p] * 600);
        buf_finish(&file);
    }
}

/* The version before, as docs/gallery.md had it then: means, rows of who has more than one, people.
 * Returns the bytes. */
enum { OLD_ROWS = 4, OLD_PAYLOAD = OLD_ROWS * ROW_VALUES + 5 + 3 + 5 + 4 };

static size_t put_old_file(uint8_t file[64 + OLD_PAYLOAD + 32], const uint8_t *key)
{
    struct err err = {0};
    uint32_t form = key != NULL, people = 2, templates = 3, rows = 2, counts[] = {2, 1};
    uint64_t payload = OLD_PAYLOAD;
    float threshold = 0.55f, vector[FACE_EMBEDDING_FLOATS];
    memcpy(file, "KENGAL2\n", 8);
    memcpy(file + 8, &form, 4);
    memcpy(file + 12, &people, 4);
    memcpy(file + 16, &templates, 4);
    memcpy(file + 20, &threshold, 4);
    memcpy(file + 24, &payload, 8);
    memset(file + 32, 7, 12); /* the nonce */
    memcpy(file + 44, &rows, 4);
    int8_t *at = (int8_t *)file + 64;
    row_from_floats(at, axis(vector, 0, 0.2f));
    row_from_floats(at + ROW_VALUES, axis(vector, 1, 0.2f));
    row_from_floats(at + 2 * ROW_VALUES, axis(vector, 0, 0.1f));
    row_from_floats(at + 3 * ROW_VALUES, axis(vector, 0, 0.3f));
    uint8_t *entry = file + 64 + OLD_ROWS * ROW_VALUES, *check = file + 64 + OLD_PAYLOAD;
    memcpy(entry, &counts[0], 4);
    memcpy(entry + 4, "\3Ada", 4);
    memcpy(entry + 8, &counts[1], 4);
    memcpy(entry + 12, "\4Bert", 5);
    struct seal seal = {key, file + 32, file, 64};
    if (key)
        assert_int_equal(seal_encrypt(&seal, file + 64, OLD_PAYLOAD, check, &err), 0);
    else
        EVP_Digest(file, 64 + OLD_PAYLOAD, check, NULL, EVP_sha256(), NULL);
    return 64 + OLD_PAYLOAD + (key ? 16 : 32);
}

static void files_of_the_version_before_open(void **state)
{
    (void)state;
    uint8_t key[32] = {0xab}, file[64 + OLD_PAYLOAD + 32] = {0};
    setenv("KEN_GALLERY_KEY", "ab00000000000000000000000000000000000000000000000000000000000000",
           1);
    for (int plain = 0; plain < 2; plain++) {
        float vector[FACE_EMBEDDING_FLOATS], back[FACE_EMBEDDING_FLOATS];
        size_t size = put_old_file(file, plain ? NULL : key);
        file[100] ^= 1;
        put_content(file, size);
        assert_refused("it was changed");
        file[100] ^= 1;
        put_content(file, size);
        struct gallery *gallery = open_gallery(1);
        assert_people(gallery, 2, 3);
        assert_true(gallery_threshold(gallery) == 0.55f);
        gallery_template(gallery, 0, 1, back);
        axis(vector, 0, 0.3f);
        for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
            assert_true(fabsf(vector[i] - back[i]) < 5e-3f);
        add(gallery, "Cleo", 2, 0.1f);
        save_gallery(gallery, plain); /* as this version */
        gallery_destroy(gallery);
        assert_true(is_in_file("KENGAL4", 7));
        gallery = open_gallery(0);
        assert_people(gallery, 3, 4);
        gallery_destroy(gallery);
    }
    unsetenv("KEN_GALLERY_KEY");
}

/* Turns axis 1 towards axis 2 a little, and all else not at all. */
static struct head *small_head(void)
{
    struct err err = {0};
    static float correction[ROW_VALUES * ROW_VALUES];
    correction[2 * ROW_VALUES + 1] = 0.5f;
    struct head *head = head_create(correction, &err);
    assert_non_null(head);
    return head;
}

static void a_head_is_refused_behind_templates(void **state)
{
    (void)state;
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    add(gallery, "Ada", 0, 0.1f);
    assert_int_equal(gallery_set_head(gallery, small_head(), &err), -1);
    assert_null(gallery_head(gallery));
    gallery_destroy(gallery);
}

static void a_head_goes_with_the_file_and_is_applied_to_all(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS], kept[FACE_EMBEDDING_FLOATS];
    struct match match;
    unlink(path);
    struct gallery *gallery = gallery_create(&err);
    assert_int_equal(gallery_set_head(gallery, small_head(), &err), 0);
    add(gallery, "Ada", 1, 0);
    save_gallery(gallery, 0);
    gallery_destroy(gallery);
    gallery = open_gallery(1);
    assert_non_null(gallery_head(gallery));
    gallery_template(gallery, 0, 0, kept);
    assert_true(fabsf(kept[1] - 0.894f) < 5e-3f && fabsf(kept[2] - 0.447f) < 5e-3f);
    assert_int_equal(gallery_match(gallery, axis(vector, 1, 0), &match), 1);
    assert_true(match.similarity > 0.999f);
    add(gallery, "Bert", 3, 0); /* later, without training */
    save_gallery(gallery, 0);
    gallery_destroy(gallery);
    gallery = open_gallery(0);
    assert_people(gallery, 2, 2);
    assert_int_equal(gallery_match(gallery, axis(vector, 3, 0), &match), 1);
    assert_string_equal(match.name, "Bert");
    gallery_destroy(gallery);
}

static void a_head_with_a_scale_that_is_none_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct head *head = small_head();
    head->scales[7] = NAN;
    assert_null(head_read(head, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    head->scales[7] = -1;
    assert_null(head_read(head, &err));
    head_destroy(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_new_folder(a_changed_byte_of_an_addition_is_refused),
        in_new_folder(an_addition_that_is_missing_or_moved_is_refused),
        in_new_folder(a_file_cut_before_what_counts_is_refused),
        in_new_folder(an_addition_touches_nothing_of_the_rest),
        in_new_folder(an_addition_cut_short_costs_nothing_else),
        in_new_folder(forgetting_erases_what_was_added_too),
        in_new_folder(a_change_after_an_addition_keeps_all),
        in_new_folder(a_gallery_saved_twice_holds_everybody_once),
        in_new_folder(a_template_takes_600_bytes_at_most),
        in_new_folder(files_of_the_version_before_open),
        in_new_folder(a_head_is_refused_behind_templates),
        in_new_folder(a_head_goes_with_the_file_and_is_applied_to_all),
        in_new_folder(a_head_with_a_scale_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
