#include "gallery_fixture.h"

#include "face/gallery_data.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

static void save(int plain)
{
    struct gallery *gallery = two_people();
    gallery_set_threshold(gallery, 0.5f);
    save_gallery(gallery, plain);
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

static void a_gallery_of_another_network_is_refused(void **state)
{
    (void)state;
    const struct face_network own = {0x1234, 128}, other = {0x1235, 128}, longer = {0x1234, 512};
    struct err err = {0};
    struct gallery *gallery = two_people();
    gallery_set_network(gallery, &own);
    assert_int_equal(gallery_save(gallery, path, &err), 0);
    gallery_destroy(gallery);
    gallery = gallery_open(path, &err);
    assert_non_null(gallery);
    assert_int_equal(gallery_check_network(gallery, &own, &err), 0);
    assert_int_equal(gallery_check_network(gallery, &longer, &err), -1);
    assert_int_equal(gallery_check_network(gallery, &other, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(
        strstr(err.message, "made with another network (0000000000001234, 128 numbers"));
    gallery_destroy(gallery);
}

static void an_empty_gallery_suits_any_network(void **state)
{
    (void)state;
    const struct face_network network = {0x1234, 128};
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    assert_int_equal(gallery_check_network(gallery, &network, &err), 0);
    gallery_destroy(gallery);
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
    assert_open_fails(ERR_DENIED, "others may read this key (mode 644): chmod 600");
    chmod(key_path, 0620);
    assert_open_fails(ERR_DENIED, "others may read this key");
    chmod(key_path, 0600);
    struct err err = {0};
    assert_int_equal(file_write(key_path, "0123", 4, 0600, &err), 0);
    assert_open_fails(ERR_INVALID, "not 64 hex digits");
    char too_long[67];
    memset(too_long, 'a', sizeof too_long);
    assert_int_equal(file_write(key_path, too_long, sizeof too_long, 0600, &err), 0);
    assert_open_fails(ERR_INVALID, "not 64 hex digits");
    unlink(key_path);
    assert_int_equal(mkdir(key_path, 0700), 0);
    assert_open_fails(ERR_DENIED, "not a file");
    rmdir(key_path);
    assert_int_equal(mkfifo(key_path, 0600), 0); /* must not wait for a writer */
    assert_open_fails(ERR_DENIED, "not a file");
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

/* How often the bytes are in the folder's files. */
static int count_in_folder(const void *bytes, size_t size)
{
    struct err err = {0};
    int count = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        char file_path[512];
        struct buf file;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file_path, sizeof file_path, "%s/%s", folder, entry->d_name);
        buf_init(&file, 1 << 20);
        assert_int_equal(file_read(file_path, &file, &err), 0);
        count += memmem(file.data, file.size, bytes, size) != NULL;
        buf_finish(&file);
    }
    closedir(entries);
    return count;
}

static void forgetting_leaves_nothing_in_any_file(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    int8_t row[ROW_VALUES];
    save(1);
    row_from_floats(row, leaning(vector, 0, 500, 0.3f)); /* Ada's second */
    assert_int_equal(count_in_folder(row, sizeof row), 1);
    assert_int_equal(count_in_folder("Ada", 3), 1);
    /* What a killed program left behind. */
    char left_behind[80];
    snprintf(left_behind, sizeof left_behind, "%s.unfinished", path);
    struct buf file = file_content();
    assert_int_equal(file_write(left_behind, file.data, file.size, 0600, &err), 0);
    buf_finish(&file);
    assert_int_equal(count_in_folder(row, sizeof row), 2);

    struct gallery *gallery = gallery_open_to_change(path, &err);
    assert_non_null(gallery);
    assert_true(gallery_is_plain(gallery));
    assert_int_equal(gallery_forget(gallery, "Ada", &err), 0);
    assert_int_equal(gallery_save_plain(gallery, path, &err), 0);
    gallery_destroy(gallery);
    assert_int_equal(count_in_folder(row, sizeof row), 0);
    assert_int_equal(count_in_folder("Ada", 3), 0);
    row_from_floats(row, leaning(vector, 1, 500, 0.2f));
    assert_int_equal(count_in_folder(row, sizeof row), 1); /* Bert's one */
}

static void the_forgotten_are_unknown_and_the_others_keep_their_order(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    struct match match;
    size_t person;
    struct gallery *gallery = two_people();
    add(gallery, "Cleo", 2, 0.1f);
    assert_int_equal(gallery_forget(gallery, "Nobody", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(gallery_forget(gallery, "Ada", &err), 0);
    assert_int_equal(gallery_people(gallery), 2);
    assert_int_equal(gallery_templates(gallery), 2);
    assert_string_equal(gallery_name(gallery, 0), "Bert");
    assert_string_equal(gallery_name(gallery, 1), "Cleo");
    assert_int_equal(gallery_find(gallery, "Ada", &person), 0);
    assert_int_equal(gallery_find(gallery, "Cleo", &person), 1);
    assert_int_equal(person, 1);
    assert_int_equal(gallery_match(gallery, leaning(vector, 0, 500, 0.1f), &match), 0);
    assert_int_equal(gallery_match(gallery, leaning(vector, 2, 500, 0.1f), &match), 1);
    assert_string_equal(match.name, "Cleo");
    add(gallery, "Ada", 9, 0.1f); /* may come back, as somebody new */
    assert_int_equal(gallery_people(gallery), 3);
    gallery_destroy(gallery);
}

static void renaming_keeps_the_face_and_merges_nobody(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    struct match match;
    struct gallery *gallery = two_people();
    assert_int_equal(gallery_rename(gallery, "Nobody", "Carl", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(gallery_rename(gallery, "Ada", "Bert", &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_int_equal(gallery_rename(gallery, "Ada", "unknown", &err), -1);
    assert_int_equal(gallery_rename(gallery, "Ada", "", &err), -1);
    assert_int_equal(gallery_rename(gallery, "Ada", "Ada", &err), 0);
    assert_knows_two_people(gallery);
    assert_int_equal(gallery_rename(gallery, "Ada", "Adele", &err), 0);
    assert_int_equal(gallery_match(gallery, leaning(vector, 0, 500, 0.2f), &match), 1);
    assert_string_equal(match.name, "Adele");
    add(gallery, "Ada", 9, 0.1f);
    assert_int_equal(gallery_people(gallery), 3);
    gallery_destroy(gallery);
}

static void search_orders_people(void **state)
{
    (void)state;
    float vector[FACE_EMBEDDING_FLOATS];
    struct candidate found[3];
    struct gallery *gallery = two_people();
    leaning(vector, 1, 0, 0.5f);
    assert_int_equal(gallery_search(gallery, vector, found, 3), 2);
    assert_int_equal(found[0].person, 1);
    assert_int_equal(found[1].person, 0);
    assert_true(found[0].similarity > found[1].similarity);
    gallery_destroy(gallery);
}

static void templates_come_back_as_they_were_given(void **state)
{
    (void)state;
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS], back[FACE_EMBEDDING_FLOATS];
    save(0);
    struct gallery *gallery = gallery_open(path, &err);
    assert_non_null(gallery);
    assert_int_equal(gallery_person_templates(gallery, 0), 2);
    assert_int_equal(gallery_person_templates(gallery, 1), 1);
    gallery_template(gallery, 0, 1, back);
    leaning(vector, 0, 500, 0.3f);
    for (int i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        assert_true(fabsf(vector[i] - back[i]) < 5e-3f);
    /* One more to a person whose templates still lie in the file's bytes. */
    add(gallery, "Ada", 0, 0.2f);
    assert_int_equal(gallery_person_templates(gallery, 0), 3);
    gallery_template(gallery, 0, 1, back);
    assert_true(fabsf(vector[0] - back[0]) < 5e-3f);
    gallery_destroy(gallery);
}

static void many_names_are_told_apart(void **state)
{
    (void)state;
    enum { PEOPLE = 5000 };
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    char name[32];
    for (int i = 0; i < PEOPLE; i++) {
        snprintf(name, sizeof name, "person-%d", i);
        add(gallery, name, i % 500, 0.1f);
    }
    assert_int_equal(gallery_people(gallery), PEOPLE);
    for (int i = 0; i < PEOPLE; i += 7) {
        size_t person;
        snprintf(name, sizeof name, "person-%d", i);
        assert_int_equal(gallery_find(gallery, name, &person), 1);
        assert_int_equal(person, i);
    }
    gallery_destroy(gallery);
}

static void a_file_with_a_name_twice_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct gallery *gallery = gallery_create(&err);
    add(gallery, "Ada", 0, 0.1f);
    add(gallery, "Bob", 1, 0.1f);
    memcpy(gallery->people[1].name, "Ada", 4); /* behind the index's back */
    assert_int_equal(gallery_save_plain(gallery, path, &err), 0);
    gallery_destroy(gallery);
    assert_open_fails(ERR_CORRUPT, "Ada is there twice");
}

static void a_file_with_a_template_of_zeros_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    const int8_t zeros[ROW_VALUES] = {0};
    struct gallery *gallery = two_people();
    rows_set(&gallery->means, 1, zeros);
    assert_int_equal(gallery_save_plain(gallery, path, &err), 0);
    gallery_destroy(gallery);
    assert_open_fails(ERR_CORRUPT, "all zeros");
}

static void a_file_of_another_version_is_told_so(void **state)
{
    (void)state;
    struct err err = {0};
    save(0);
    struct buf file = file_content();
    file.data[6] = '1';
    assert_int_equal(file_write(path, file.data, file.size, 0600, &err), 0);
    buf_finish(&file);
    assert_open_fails(ERR_CORRUPT, "another version");
}

static void writer(int number)
{
    struct err err = {0};
    float vector[FACE_EMBEDDING_FLOATS];
    char name[32];
    snprintf(name, sizeof name, "writer-%d", number);
    int is_new;
    struct gallery *gallery = gallery_open_or_create(path, &is_new, &err);
    if (!gallery || gallery_add(gallery, name, leaning(vector, 10 + number, 500, 0.1f), &err) < 0 ||
        gallery_save(gallery, path, &err) < 0)
        _exit(1);
    gallery_destroy(gallery);
    _exit(0);
}

enum { WRITERS = 8 };

static void start_writers(pid_t children[WRITERS])
{
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            writer(i);
    }
}

static void writers_wait_for_each_other_and_readers_always_read(void **state)
{
    (void)state;
    struct err err = {0};
    save(0);
    pid_t children[WRITERS];
    start_writers(children);
    size_t people = 2;
    for (int i = 0; i < WRITERS;) {
        int status = 0;
        struct gallery *gallery = gallery_open(path, &err);
        if (!gallery)
            fail_msg("%s", err.message);
        assert_true(gallery_people(gallery) >= people);
        people = gallery_people(gallery);
        gallery_destroy(gallery);
        if (waitpid(children[i], &status, WNOHANG) == 0)
            continue;
        assert_int_equal(status, 0);
        i++;
    }
    struct gallery *gallery = gallery_open(path, &err);
    assert_int_equal(gallery_people(gallery), 2 + WRITERS);
    gallery_destroy(gallery);
}

/* Each finds no gallery when it starts. */
static void of_the_first_writers_none_is_lost(void **state)
{
    (void)state;
    unlink(path);
    pid_t children[WRITERS];
    start_writers(children);
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct gallery *gallery = must_open(gallery_open);
    assert_int_equal(gallery_people(gallery), WRITERS);
    gallery_destroy(gallery);
}

static void a_save_that_fails_leaves_the_old_file(void **state)
{
    (void)state;
    struct err err = {0};
    char in_the_way[80];
    save(0);
    snprintf(in_the_way, sizeof in_the_way, "%s.unfinished", path);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    struct gallery *gallery = two_people();
    add(gallery, "Cleo", 2, 0.1f);
    assert_int_equal(gallery_save(gallery, path, &err), -1);
    assert_non_null(strstr(err.message, "save "));
    gallery_destroy(gallery);
    rmdir(in_the_way);
    gallery = gallery_open(path, &err);
    assert_knows_two_people(gallery);
    gallery_destroy(gallery);
}

static void open_names_an_absent_file(void **state)
{
    (void)state;
    unlink(path);
    assert_open_fails(ERR_NOT_FOUND, "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_new_folder(an_empty_gallery_knows_nobody),
        in_new_folder(add_refuses_bad_names_and_vectors),
        in_new_folder(names_are_utf8),
        in_new_folder(a_face_below_the_threshold_is_unknown),
        in_new_folder(sealed_and_plain_galleries_come_back),
        in_new_folder(a_gallery_of_another_network_is_refused),
        in_new_folder(an_empty_gallery_suits_any_network),
        in_new_folder(only_the_sealed_file_hides_names),
        in_new_folder(two_saves_differ_in_every_part),
        in_new_folder(files_are_their_owners_alone),
        in_new_folder(open_refuses_every_changed_byte),
        in_new_folder(open_refuses_every_cut),
        in_new_folder(open_refuses_the_wrong_key_and_none),
        in_new_folder(the_key_may_come_from_the_environment),
        in_new_folder(forgetting_leaves_nothing_in_any_file),
        in_new_folder(the_forgotten_are_unknown_and_the_others_keep_their_order),
        in_new_folder(renaming_keeps_the_face_and_merges_nobody),
        in_new_folder(search_orders_people),
        in_new_folder(templates_come_back_as_they_were_given),
        in_new_folder(many_names_are_told_apart),
        in_new_folder(a_file_with_a_name_twice_is_refused),
        in_new_folder(a_file_with_a_template_of_zeros_is_refused),
        in_new_folder(a_file_of_another_version_is_told_so),
        in_new_folder(writers_wait_for_each_other_and_readers_always_read),
        in_new_folder(of_the_first_writers_none_is_lost),
        in_new_folder(a_save_that_fails_leaves_the_old_file),
        in_new_folder(open_names_an_absent_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
