#include "base/buf.h"
#include "base/file.h"
#include "cloud/lambda/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

struct entry {
    const char *path, *data;
    mode_t type, mode;
    const char *link;
};

static char archive_bytes[64 * 1024], folder[64], inside[128];

static size_t make_zip(const struct entry *entries, size_t count)
{
    size_t size = 0;
    struct archive *a = archive_write_new();
    archive_write_set_format_zip(a);
    archive_write_open_memory(a, archive_bytes, sizeof archive_bytes, &size);
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, entries[i].path);
        archive_entry_set_filetype(entry, entries[i].type ? entries[i].type : AE_IFREG);
        archive_entry_set_perm(entry, entries[i].mode ? entries[i].mode : 0644);
        if (entries[i].link)
            archive_entry_set_symlink(entry, entries[i].link);
        if (entries[i].data)
            archive_entry_set_size(entry, (la_int64_t)strlen(entries[i].data));
        archive_write_header(a, entry);
        if (entries[i].data)
            archive_write_data(a, entries[i].data, strlen(entries[i].data));
        archive_entry_free(entry);
    }
    archive_write_close(a);
    archive_write_free(a);
    return size;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ken-zip-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(inside, sizeof inside, "%s/code", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static void expect_refused(const struct entry *entries, size_t count, enum err_code code)
{
    struct err err = {0};
    size_t size = make_zip(entries, count);
    assert_int_equal(zip_unpack(archive_bytes, size, inside, &err), -1);
    assert_int_equal(err.code, code);
    assert_int_equal(access(inside, F_OK), -1); /* nothing stays behind */
}

static void names_that_leave_the_folder_are_unsafe(void **state)
{
    (void)state;
    static const char *const unsafe[] = {"",    "/",    "/a",    "..",   "../a", "a/../b", "a/..",
                                         "./a", "a//b", "a/./b", "a\\b", "a\n",  "\x7f"};
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
        assert_false(zip_path_is_safe(unsafe[i]));
    char longest[ZIP_MAX_PATH_BYTES + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_false(zip_path_is_safe(longest));
    assert_false(zip_path_is_safe(NULL));
    static const char *const safe[] = {"a", "a/b", "a/", "..a", "...", "a..", ".a/b c"};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        assert_true(zip_path_is_safe(safe[i]));
}

static void an_archive_with_such_a_name_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"../escaped", "/tmp/ken-escaped", "a/../../escaped"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct entry entries[] = {{.path = "bootstrap", .data = "x"},
                                        {.path = paths[i], .data = "x"}};
        expect_refused(entries, 2, ERR_INVALID);
    }
    assert_int_equal(access("/tmp/ken-escaped", F_OK), -1);
}

static void links_out_of_their_folder_are_refused(void **state)
{
    (void)state;
    static const char *const targets[] = {"/etc/passwd", "../x", "a/../../x", "."};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct entry entry = {.path = "link", .type = AE_IFLNK, .link = targets[i]};
        expect_refused(&entry, 1, ERR_INVALID);
    }
}

static void nothing_is_written_through_a_link(void **state)
{
    (void)state;
    const struct entry entries[] = {{.path = "target/a", .data = "x"},
                                    {.path = "link", .type = AE_IFLNK, .link = "target"},
                                    {.path = "link/b", .data = "x"}};
    expect_refused(entries, 3, ERR_INVALID);
    const struct entry twice[] = {{.path = "link", .type = AE_IFLNK, .link = "target"},
                                  {.path = "link", .data = "x"}};
    expect_refused(twice, 2, ERR_INVALID);
}

static void what_is_no_zip_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(zip_unpack("not a zip", 9, inside, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(zip_unpack("", 0, inside, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    const struct entry entry = {.path = "bootstrap", .data = "0123456789"};
    size_t size = make_zip(&entry, 1);
    for (size_t cut = 1; cut < size; cut += 7) {
        assert_int_equal(zip_unpack(archive_bytes, size - cut, inside, &err), -1);
        assert_int_equal(access(inside, F_OK), -1);
    }
    expect_refused(NULL, 0, ERR_INVALID);
}

static void an_archive_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(zip_unpack("", ZIP_MAX_UNPACKED_BYTES + 1, inside, &err), -1);
    assert_int_equal(err.code, ERR_TOO_BIG);
}

static void what_says_it_is_too_large_is_not_unpacked(void **state)
{
    enum { SIZE_AT = 22, DIRECTORY_SIZE_AT = 24 };
    const struct entry entry = {"a", "five!", 0, 0, NULL};
    const uint8_t size_of_300_mb[] = {0, 0, 0, 0x13};
    struct err err = {0};
    (void)state;
    size_t size = make_zip(&entry, 1);
    char *directory = memmem(archive_bytes, size, "PK\1\2", 4);
    assert_non_null(directory);
    memcpy(archive_bytes + SIZE_AT, size_of_300_mb, sizeof size_of_300_mb);
    memcpy(directory + DIRECTORY_SIZE_AT, size_of_300_mb, sizeof size_of_300_mb);
    assert_int_equal(zip_unpack(archive_bytes, size, inside, &err), -1);
    assert_int_equal(err.code, ERR_TOO_BIG);
}

static void a_bomb_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    size_t size = 0, room = 4 * 1024 * 1024;
    char *bytes = malloc(room), *zeros = calloc(1, 1024 * 1024);
    struct archive *a = archive_write_new();
    archive_write_set_format_zip(a);
    archive_write_open_memory(a, bytes, room, &size);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, "zeros");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)ZIP_MAX_UNPACKED_BYTES + 1024 * 1024);
    archive_write_header(a, entry);
    for (size_t i = 0; i < ZIP_MAX_UNPACKED_BYTES / (1024 * 1024) + 1; i++)
        archive_write_data(a, zeros, 1024 * 1024);
    archive_entry_free(entry);
    archive_write_close(a);
    archive_write_free(a);
    assert_int_equal(zip_unpack(bytes, size, inside, &err), -1);
    assert_int_equal(err.code, ERR_TOO_BIG);
    assert_int_equal(access(inside, F_OK), -1);
    free(bytes);
    free(zeros);
}

static void a_folder_in_use_is_left_alone(void **state)
{
    (void)state;
    struct err err = {0};
    const struct entry entry = {.path = "bootstrap", .data = "x"};
    size_t size = make_zip(&entry, 1);
    assert_int_equal(mkdir(inside, 0755), 0);
    assert_int_equal(zip_unpack(archive_bytes, size, inside, &err), -1);
    assert_int_equal(access(inside, F_OK), 0);
}

static void files_come_out_read_only_with_their_modes(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf text;
    char path[192];
    struct stat stat_;
    const struct entry entries[] = {{.path = "bootstrap", .data = "#!/bin/sh\n", .mode = 0755},
                                    {.path = "models/", .type = AE_IFDIR, .mode = 0755},
                                    {.path = "models/a.ken", .data = "weights"},
                                    {.path = "deep/er/file", .data = ""},
                                    {.path = "link", .type = AE_IFLNK, .link = "models/a.ken"}};
    size_t size = make_zip(entries, 5);
    if (zip_unpack(archive_bytes, size, inside, &err) < 0)
        fail_msg("%s", err.message);
    snprintf(path, sizeof path, "%s/bootstrap", inside);
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 07777, 0555);
    snprintf(path, sizeof path, "%s/deep/er/file", inside);
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 07777, 0444);
    snprintf(path, sizeof path, "%s/link", inside);
    buf_init(&text, 100);
    assert_int_equal(file_read(path, &text, &err), 0);
    assert_string_equal(text.data, "weights");
    buf_finish(&text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_that_leave_the_folder_are_unsafe),
        CASE(an_archive_with_such_a_name_is_refused),
        CASE(links_out_of_their_folder_are_refused),
        CASE(nothing_is_written_through_a_link),
        CASE(what_is_no_zip_is_refused),
        CASE(an_archive_past_the_limit_is_refused),
        CASE(what_says_it_is_too_large_is_not_unpacked),
        CASE(a_bomb_is_refused),
        CASE(a_folder_in_use_is_left_alone),
        CASE(files_come_out_read_only_with_their_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
