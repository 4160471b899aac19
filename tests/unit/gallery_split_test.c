#include "gallery_fixture.h"

#include "face/gallery_data.h"
#include "face/rows.h"
#include "face/seal.h"

/* Galleries whose people have several templates: their means can be read alone. */

static uint32_t state_bits = 1;

static float random_value(void)
{
    state_bits = state_bits * 1664525u + 1013904223u;
    return (float)(state_bits >> 8) * 0x1p-24f - 0.5f;
}

/* A unit vector near `centre`: `spread` 0 is the centre itself. */
static void near(float out[ROW_VALUES], const float centre[ROW_VALUES], float spread)
{
    double square = 0;
    for (int i = 0; i < ROW_VALUES; i++) {
        out[i] = centre[i] + spread * random_value();
        square += (double)out[i] * (double)out[i];
    }
    for (int i = 0; i < ROW_VALUES; i++)
        out[i] /= (float)sqrt(square);
}

static void add_vector(struct gallery *gallery, int person, const float *vector)
{
    struct err err = {0};
    char name[32];
    snprintf(name, sizeof name, "person %d", person);
    if (gallery_add(gallery, name, vector, &err) < 0)
        fail_msg("%s", err.message);
}

enum { PEOPLE = 6 };
static const int photos[PEOPLE] = {1, 2, 3, 9, 1, 40};

static void add_photos(struct gallery *gallery, int person, int count)
{
    float centre[ROW_VALUES], vector[ROW_VALUES];
    near(centre, (const float[ROW_VALUES]){0}, 1);
    for (int i = 0; i < count; i++) {
        near(vector, centre, 0.1f);
        add_vector(gallery, person, vector);
    }
}

static struct gallery *make_people(void)
{
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    for (int i = 0; i < PEOPLE; i++)
        add_photos(gallery, i, photos[i]);
    return gallery;
}

static void save_people(int plain)
{
    struct gallery *gallery = make_people();
    unlink(path);
    save_gallery(gallery, plain);
    gallery_destroy(gallery);
}

static void assert_same_templates(const struct gallery *a, const struct gallery *b)
{
    assert_int_equal(gallery_people(a), gallery_people(b));
    for (size_t i = 0; i < gallery_people(a); i++) {
        assert_string_equal(gallery_name(a, i), gallery_name(b, i));
        assert_int_equal(gallery_person_templates(a, i), gallery_person_templates(b, i));
        assert_memory_equal(gallery_person_rows(a, i, 0), gallery_person_rows(b, i, 0),
                            gallery_person_templates(a, i) * ROW_VALUES);
    }
}

static void assert_same_answers(const struct gallery *a, const struct gallery *b)
{
    assert_int_equal(gallery_people(a), gallery_people(b));
    assert_int_equal(gallery_templates(a), gallery_templates(b));
    for (int try = 0; try < 20; try++) {
        float face[ROW_VALUES];
        struct candidate first[PEOPLE], second[PEOPLE];
        near(face, (const float[ROW_VALUES]){0}, 1);
        size_t found = gallery_search(a, face, first, PEOPLE);
        assert_int_equal(gallery_search(b, face, second, PEOPLE), found);
        for (size_t i = 0; i < found; i++) {
            assert_int_equal(first[i].person, second[i].person);
            assert_true(first[i].similarity == second[i].similarity);
        }
        assert_string_equal(gallery_name(a, first[0].person), gallery_name(b, second[0].person));
    }
}

static void templates_come_back_to_the_bit(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct gallery *made = make_people();
        unlink(path);
        save_gallery(made, plain);
        struct gallery *gallery = must_open(gallery_open);
        assert_same_templates(gallery, made);
        assert_same_answers(gallery, made);
        gallery_destroy(gallery);
        gallery_destroy(made);
    }
}

/* What the mean says least about: templates that have nothing in common, that are far from each
 * other, or all the same. */
static void templates_that_their_mean_hardly_tells_come_back(void **state)
{
    (void)state;
    float centre[ROW_VALUES], vector[ROW_VALUES];
    for (int kind = 0; kind < 4; kind++) {
        struct err err = {0};
        struct gallery *made = gallery_create(&err);
        near(centre, (const float[ROW_VALUES]){0}, 1);
        for (int i = 0; i < 5; i++) {
            leaning(vector, 3 * i, 500, 0.1f);
            if (kind > 0)
                near(vector, centre, kind == 1 ? 0 : kind == 2 ? 5 : 0.01f);
            for (int k = 0; kind == 3 && i % 2 && k < ROW_VALUES; k++)
                vector[k] = -vector[k]; /* they nearly cancel */
            add_vector(made, 0, vector);
        }
        unlink(path);
        save_gallery(made, 1);
        struct gallery *gallery = must_open(gallery_open);
        assert_same_templates(gallery, made);
        gallery_destroy(gallery);
        gallery_destroy(made);
    }
}

static void means_alone_answer_as_all_does(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        save_people(plain);
        struct gallery *all = must_open(gallery_open), *means = must_open(gallery_open_to_search);
        assert_same_answers(means, all);
        assert_int_equal(gallery_person_templates(means, 5), 40);
        gallery_destroy(means);
        gallery_destroy(all);
    }
}

static void what_was_opened_to_search_cannot_be_changed(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[ROW_VALUES];
    save_people(0);
    struct gallery *gallery = must_open(gallery_open_to_search);
    assert_int_equal(gallery_add(gallery, "person 1", leaning(vector, 1, 2, 0), &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(gallery_forget(gallery, "person 1", &err), -1);
    assert_int_equal(gallery_save(gallery, path, &err), -1);
    assert_non_null(strstr(err.message, "opened to search only"));
    gallery_destroy(gallery);
}

/* A byte that the search does not need may be wrong unnoticed, but then no answer changes. */
static void a_changed_byte_is_refused_or_changes_no_answer(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        save_people(plain);
        struct gallery *whole = must_open(gallery_open);
        struct buf file = file_content();
        size_t searched = 0, tries = 0;
        for (size_t at = 0; at < file.size; at += at < 200 ? 1 : 433, tries++) {
            struct err err = {0};
            file.data[at] ^= 0x20;
            put_content(file.data, file.size);
            assert_open_fails(ERR_CORRUPT, "open ");
            struct gallery *gallery = gallery_open_to_search(path, &err);
            if (gallery) {
                assert_same_answers(gallery, whole);
                searched++;
            } else {
                assert_int_equal(err.code, ERR_CORRUPT);
            }
            gallery_destroy(gallery);
            file.data[at] ^= 0x20;
        }
        assert_true(searched > 0 && searched < tries);
        buf_finish(&file);
        gallery_destroy(whole);
    }
}

static void a_cut_or_another_key_is_refused_when_searching_too(void **state)
{
    (void)state;
    save_people(0);
    struct buf file = file_content();
    for (size_t size = 0; size < file.size; size += 997) {
        struct err err = {0};
        put_content(file.data, size);
        assert_null(gallery_open_to_search(path, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    put_content(file.data, file.size);
    buf_finish(&file);
    struct err err = {0};
    setenv("KEN_GALLERY_KEY", "00000000000000000000000000000000000000000000000000000000000000aa",
           1);
    assert_null(gallery_open_to_search(path, &err));
    assert_non_null(strstr(err.message, "the key is another one"));
    unsetenv("KEN_GALLERY_KEY");
}

/* Additions: people with one photo and with more, and more photos of those who have one or more. */
static void additions_are_searched(void **state)
{
    (void)state;
    static const int added[][2] = {{6, 1}, {7, 3}, {0, 1}, {0, 2}, {6, 1}, {7, 1}, {5, 2}};
    for (int plain = 0; plain < 2; plain++) {
        save_people(plain);
        for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
            struct gallery *gallery = must_open(gallery_open_to_change);
            add_photos(gallery, added[i][0], added[i][1]);
            save_gallery(gallery, plain);
            struct gallery *all = must_open(gallery_open);
            struct gallery *means = must_open(gallery_open_to_search);
            assert_true(means->only_means);
            assert_same_templates(all, gallery);
            assert_same_answers(all, gallery);
            assert_same_answers(means, gallery);
            gallery_destroy(means);
            gallery_destroy(all);
            gallery_destroy(gallery);
        }
    }
}

/* The next segment of the plain file that `last` was opened from: one entry, with its rows. */
static void put_segment(const struct gallery *last, const struct segment *about, uint32_t count,
                        const char *name, const int8_t *rows)
{
    struct err err = {0};
    struct buf file = file_content();
    struct segment segment = *about;
    size_t start = file.size, rows_bytes = about->rows * (size_t)ROW_VALUES;
    uint8_t length = (uint8_t)strlen(name), check[GALLERY_CHECK_BYTES] = {0};
    segment.payload_bytes = rows_bytes + ENTRY_BYTES + length;
    assert_int_equal(buf_append(&file, &segment, sizeof segment), 0);
    assert_int_equal(buf_append(&file, rows, rows_bytes), 0);
    assert_int_equal(buf_append(&file, &count, 4), 0);
    assert_int_equal(buf_append(&file, &length, 1), 0);
    assert_int_equal(buf_append(&file, name, length), 0);
    assert_int_equal(buf_append(&file, check, sizeof check), 0);
    struct segment_place place = {(uint8_t *)file.data, last->end.check, NULL};
    assert_int_equal(segment_close((uint8_t *)file.data + start, &place, &err), 0);
    gallery_put_committed((uint8_t *)file.data, file.size);
    put_content(file.data, file.size);
    buf_finish(&file);
}

static void additions_without_a_mean_are_searched_too(void **state)
{
    (void)state;
    save_people(1);
    struct gallery *all = must_open(gallery_open);
    const struct segment segment = {.people = 1, .rows = 2, .threshold = 0.5f};
    int8_t rows[2 * ROW_VALUES];
    memcpy(rows, gallery_person_rows(all, 5, 7), sizeof rows);
    put_segment(all, &segment, 2 | ENTRY_HAS_ROWS, "person 2", rows);
    gallery_destroy(all);
    all = must_open(gallery_open);
    struct gallery *means = must_open(gallery_open_to_search);
    assert_int_equal(gallery_person_templates(all, 2), photos[2] + 2);
    assert_memory_equal(gallery_person_rows(all, 2, 3), rows, sizeof rows);
    assert_same_answers(means, all);
    gallery_destroy(means);
    gallery_destroy(all);
}

/* Templates that are told of and not there: none is read from beside the others. */
static void an_entry_without_its_templates_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        const char *name;
    } entries[] = {{5000, "somebody"},
                   {5000 | ENTRY_IS_MORE, "person 1"},
                   {1 | ENTRY_IS_MORE, "somebody"},
                   {1 | ENTRY_IS_MORE | ENTRY_HAS_ROWS, "person 1"},
                   {2 | ENTRY_HAS_ROWS, "person 1"}};
    const struct segment segment = {.people = 1, .rows = 1, .threshold = 0.5f};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct err err = {0};
        save_people(1);
        struct gallery *all = must_open(gallery_open);
        put_segment(all, &segment, entries[i].count, entries[i].name, rows_at(&all->means, 1));
        gallery_destroy(all);
        assert_open_fails(ERR_CORRUPT, "entry is damaged");
        assert_null(gallery_open_to_search(path, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
}

static void many_additions_are_written_as_a_whole_at_last(void **state)
{
    (void)state;
    size_t largest = 0;
    save_people(1);
    for (int i = 0; i < 80; i++) {
        struct gallery *gallery = must_open(gallery_open_to_change);
        largest = gallery->end.bytes > largest ? gallery->end.bytes : largest;
        add_photos(gallery, 1, 1);
        save_gallery(gallery, 1);
        gallery_destroy(gallery);
    }
    struct gallery *gallery = must_open(gallery_open);
    assert_int_equal(gallery_person_templates(gallery, 1), photos[1] + 80);
    assert_in_range(gallery->end.segments, 2, 20);
    assert_true(gallery->end.bytes < largest);
    gallery_destroy(gallery);
}

/* The rest of one file behind the means of another, sealed with the same key. */
static void the_rest_of_another_file_is_refused(void **state)
{
    (void)state;
    save_people(0);
    struct buf first = file_content();
    save_people(0);
    struct buf second = file_content();
    size_t size = first.size < second.size ? first.size : second.size, rest = size / 2;
    memcpy(first.data + first.size - rest, second.data + second.size - rest, rest);
    put_content(first.data, first.size);
    assert_open_fails(ERR_CORRUPT, "it was changed");
    buf_finish(&first);
    buf_finish(&second);
}

/* A file of the version before: all rows in the segment, then the people. */
static size_t put_file_3(uint8_t *file, const struct gallery *gallery, const uint8_t *key)
{
    struct err err = {0};
    uint32_t form = key ? FORM_SEALED : FORM_PLAIN;
    struct segment segment = {.people = PEOPLE, .threshold = 0.55f, .nonce = {7}};
    uint8_t *start = file + GALLERY_HEADER_BYTES, *at = start + SEGMENT_HEADER_BYTES;
    memset(file, 0, GALLERY_HEADER_BYTES);
    memcpy(file, "KENGAL3\n", 8);
    memcpy(file + 8, &form, sizeof form);
    for (size_t i = 0; i < PEOPLE; i++) {
        size_t rows = gallery_person_templates(gallery, i);
        memcpy(at, gallery_person_rows(gallery, i, 0), rows * ROW_VALUES);
        at += rows * ROW_VALUES;
        segment.rows += (uint32_t)rows;
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        uint32_t count = (uint32_t)gallery_person_templates(gallery, i);
        uint8_t length = (uint8_t)strlen(gallery_name(gallery, i));
        memcpy(at, &count, 4);
        at[4] = length;
        memcpy(at + 5, gallery_name(gallery, i), length);
        at += 5 + length;
    }
    segment.payload_bytes = (uint64_t)(at - start) - SEGMENT_HEADER_BYTES;
    segment_put_header(start, &segment);
    gallery_put_committed(file, (uint64_t)(at - file) + segment_check_bytes(form));
    struct segment_place place = {file, NULL, key};
    assert_int_equal(segment_close(start, &place, &err), 0);
    return (size_t)(at - file) + segment_check_bytes(form);
}

static void files_of_the_version_before_open_both_ways(void **state)
{
    (void)state;
    static uint8_t file[1 << 20];
    uint8_t key[SEAL_KEY_BYTES] = {0xab};
    setenv("KEN_GALLERY_KEY", "ab00000000000000000000000000000000000000000000000000000000000000",
           1);
    for (int plain = 0; plain < 2; plain++) {
        struct gallery *made = make_people();
        size_t size = put_file_3(file, made, plain ? NULL : key);
        file[1000] ^= 1;
        put_content(file, size);
        assert_open_fails(ERR_CORRUPT, "it was changed");
        file[1000] ^= 1;
        put_content(file, size);
        struct gallery *all = must_open(gallery_open_to_change);
        struct gallery *means = must_open(gallery_open_to_search);
        assert_same_templates(all, made);
        assert_same_answers(means, made);
        assert_true(gallery_threshold(means) == 0.55f);
        save_gallery(all, plain);
        gallery_destroy(all);
        gallery_destroy(means);
        struct buf content = file_content();
        assert_memory_equal(content.data, "KENGAL4\n", 8);
        buf_finish(&content);
        all = must_open(gallery_open);
        assert_same_templates(all, made);
        gallery_destroy(all);
        gallery_destroy(made);
    }
    unsetenv("KEN_GALLERY_KEY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_new_folder(templates_come_back_to_the_bit),
        in_new_folder(templates_that_their_mean_hardly_tells_come_back),
        in_new_folder(means_alone_answer_as_all_does),
        in_new_folder(what_was_opened_to_search_cannot_be_changed),
        in_new_folder(a_changed_byte_is_refused_or_changes_no_answer),
        in_new_folder(a_cut_or_another_key_is_refused_when_searching_too),
        in_new_folder(additions_are_searched),
        in_new_folder(additions_without_a_mean_are_searched_too),
        in_new_folder(an_entry_without_its_templates_is_refused),
        in_new_folder(many_additions_are_written_as_a_whole_at_last),
        in_new_folder(the_rest_of_another_file_is_refused),
        in_new_folder(files_of_the_version_before_open_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
