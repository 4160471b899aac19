#include "base/file.h"
#include "cloud/lambda/rootfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

struct entry {
    const char *path, *data; /* of a link: where to */
    mode_t type, mode;       /* 0: a file, 0644; HARD: a hard link */
};
enum { HARD = 1 };

static char folder[64], inside[128];
static struct rootfs rootfs;
static struct err err;

/* A layer as a file in memory. */
static int make_layer(const struct entry *entries, size_t count)
{
    int fd = memfd_create("layer", MFD_CLOEXEC);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter_gzip(a);
    archive_write_open_fd(a, fd);
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = &entries[i];
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, e->path);
        archive_entry_set_filetype(entry, e->type && e->type != HARD ? e->type : AE_IFREG);
        archive_entry_set_perm(entry, e->mode ? e->mode : 0644);
        if (e->type == HARD)
            archive_entry_set_hardlink(entry, e->data);
        else if (e->type == AE_IFLNK)
            archive_entry_set_symlink(entry, e->data);
        else if (e->data)
            archive_entry_set_size(entry, (la_int64_t)strlen(e->data));
        archive_write_header(a, entry);
        if (e->data && !e->type)
            archive_write_data(a, e->data, strlen(e->data));
        archive_entry_free(entry);
    }
    archive_write_close(a);
    archive_write_free(a);
    return fd;
}

static int apply(const struct entry *entries, size_t count)
{
    int fd = make_layer(entries, count);
    int result = rootfs_apply(&rootfs, fd, &err);
    close(fd);
    return result;
}
#define APPLY(...)                                                                                 \
    apply((const struct entry[]){__VA_ARGS__},                                                     \
          sizeof((const struct entry[]){__VA_ARGS__}) / sizeof(struct entry))

static int set_up(void **state)
{
    (void)state;
    err = (struct err){0};
    snprintf(folder, sizeof folder, "/tmp/ken-rootfs-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(inside, sizeof inside, "%s/root", folder);
    return rootfs_create(&rootfs, inside, &err);
}

static int tear_down(void **state)
{
    (void)state;
    rootfs_close(&rootfs, 0);
    assert_int_equal(access(inside, F_OK), -1);
    return rmdir(folder); /* nothing came beside it */
}

static const char *content(const char *name)
{
    static char text[64];
    char path[256];
    snprintf(path, sizeof path, "%s/%s", inside, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return "absent";
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static void test_names_that_leave_the_root_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"../x", "a/../../x", "a/..", "..", "a//b", "a/./b", "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(APPLY({names[i], "x"}), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
    assert_int_equal(APPLY({"/top", "1"}, {"./dot", "2"}, {"./", NULL, AE_IFDIR, 0700}), 0);
    assert_string_equal(content("top"), "1");
    assert_string_equal(content("dot"), "2");
}

static void test_links_lead_nowhere_else(void **state)
{
    (void)state;
    assert_int_equal(APPLY({"up", "../../../../../..", AE_IFLNK}, {"up/x", "1"},
                           {"abs", "/", AE_IFLNK}, {"abs/y", "2"}),
                     0);
    assert_string_equal(content("x"), "1");
    assert_string_equal(content("y"), "2");
    assert_int_equal(APPLY({"out", "/nowhere", AE_IFLNK}, {"out/z", "3"}), -1);
    assert_int_equal(APPLY({"loop", "loop", AE_IFLNK}, {"loop/z", "3"}), -1);
}

static void test_a_file_takes_the_place_of_a_link_and_is_not_written_through_it(void **state)
{
    (void)state;
    assert_int_equal(APPLY({"real", "1"}, {"soft", "real", AE_IFLNK}, {"hard", "real", HARD}), 0);
    assert_int_equal(APPLY({"soft", "2"}, {"hard", "3"}), 0);
    assert_string_equal(content("real"), "1");
    assert_string_equal(content("soft"), "2");
    assert_string_equal(content("hard"), "3");
}

static void test_hard_links_are_to_files_of_the_image(void **state)
{
    (void)state;
    assert_int_equal(APPLY({"a", "1"}, {"d/b", "a", HARD}, {"a", "a", HARD}), 0);
    assert_string_equal(content("d/b"), "1");
    static const char *const targets[] = {"/etc/passwd", "../x", "d", "absent", "/proc/self/exe"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_int_equal(APPLY({"link", targets[i], HARD}), -1);
}

static void test_devices_and_pipes_are_refused(void **state)
{
    (void)state;
    static const mode_t types[] = {AE_IFCHR, AE_IFBLK, AE_IFIFO};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_int_equal(APPLY({"special", NULL, types[i]}), -1);
}

static void test_set_user_bits_are_dropped(void **state)
{
    (void)state;
    struct stat status;
    char path[256];
    snprintf(path, sizeof path, "%s/su", inside);
    assert_int_equal(APPLY({"su", "x", 0, 06755}), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
}

static void test_whiteouts_take_from_below_only(void **state)
{
    (void)state;
    assert_int_equal(APPLY({"a/one", "1"}, {"a/two", "2"}, {"b/three", "3"}), 0);
    assert_int_equal(APPLY({"a/two", "new"}, {"a/.wh.one", ""}, {"a/.wh.two", ""}, {"b/four", "4"},
                           {"b/.wh..wh..opq", ""}, {"c/.wh.never", ""}, {"b/.wh..wh.plnk", ""}),
                     0);
    assert_string_equal(content("a/one"), "absent");
    assert_string_equal(content("a/two"), "new");
    assert_string_equal(content("b/three"), "absent");
    assert_string_equal(content("b/four"), "4");
    assert_int_equal(APPLY({"a/.wh...", ""}), -1);
    assert_int_equal(APPLY({"a/.wh.", ""}), -1);
    assert_string_equal(content("a/two"), "new");
}

static void test_more_than_the_limit_is_refused(void **state)
{
    (void)state;
    rootfs.max_bytes = 10;
    assert_int_equal(APPLY({"a", "123456"}), 0);
    assert_int_equal(APPLY({"b", "123456"}), -1); /* of all layers together */
    assert_int_equal(err.code, ERR_TOO_BIG);
    assert_int_equal(APPLY({"c", "12345678901"}), -1);
    assert_int_equal(err.code, ERR_TOO_BIG);
}

/* Each link leads deeper, and no name is long. */
static void test_folders_deeper_than_names_can_be_are_refused(void **state)
{
    (void)state;
    char deep[901];
    for (size_t i = 0; i < sizeof deep - 1; i++)
        deep[i] = i % 30 == 29 ? '/' : 'd';
    deep[sizeof deep - 2] = 'd';
    deep[sizeof deep - 1] = 0;
    char first[1000], second[1000], third[1000];
    snprintf(first, sizeof first, "%s/x", deep);
    snprintf(second, sizeof second, "l1/%s/x", deep);
    snprintf(third, sizeof third, "l2/%s/x", deep);
    char link[1000];
    snprintf(link, sizeof link, "l1/%s", deep);
    assert_int_equal(APPLY({first, "1"}, {"l1", deep, AE_IFLNK}, {second, "2"}), 0);
    assert_int_equal(APPLY({"l2", link, AE_IFLNK}, {third, "3"}), -1);
}

static void test_what_is_no_tar_is_refused(void **state)
{
    (void)state;
    static const char junk[4096] = "no tar";
    int fd = memfd_create("layer", MFD_CLOEXEC);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    assert_int_equal(rootfs_apply(&rootfs, fd, &err), -1);
    close(fd);
}

static void test_mount_points_are_no_links(void **state)
{
    (void)state;
    char path[256];
    struct stat status;
    assert_int_equal(APPLY({"tmp", "/etc", AE_IFLNK}, {"proc", "file"},
                           {"etc/hosts", "../x", AE_IFLNK}, {"etc/resolv.conf/x", "1"}),
                     0);
    assert_int_equal(rootfs_complete(&rootfs, &err), 0);
    static const char *const folders[] = {"dev", "proc", "tmp", "etc"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", inside, folders[i]);
        assert_true(lstat(path, &status) == 0 && S_ISDIR(status.st_mode));
    }
    assert_string_equal(content("etc/hosts"), "");
    assert_string_equal(content("etc/resolv.conf"), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_names_that_leave_the_root_are_refused),
        TEST(test_links_lead_nowhere_else),
        TEST(test_a_file_takes_the_place_of_a_link_and_is_not_written_through_it),
        TEST(test_hard_links_are_to_files_of_the_image),
        TEST(test_devices_and_pipes_are_refused),
        TEST(test_set_user_bits_are_dropped),
        TEST(test_whiteouts_take_from_below_only),
        TEST(test_more_than_the_limit_is_refused),
        TEST(test_folders_deeper_than_names_can_be_are_refused),
        TEST(test_what_is_no_tar_is_refused),
        TEST(test_mount_points_are_no_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
