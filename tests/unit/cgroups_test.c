#include "base/buf.h"
#include "base/file.h"
#include "cloud/lambda/cgroups.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Version 2 in a folder that plays the kernel's tree: which files are found, made and written, with
 * what. And, where the machine has a tree of version 2 that may be written, in the kernel's own. */

struct tree {
    char folder[64];
    char mounts[96], groups[96], own[128], ken[160];
};

/* The kernel's files stay the same while what they say changes. */
static void write_in_place(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    struct err err;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_write(path, text, strlen(text), 0644, &err), 0);
}

static void expect_file(const char *folder, const char *name, const char *start)
{
    struct err err;
    struct buf text;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    buf_init(&text, 4096);
    assert_int_equal(file_read(path, &text, &err), 0);
    buf_append(&text, "", 1);
    if (strncmp(text.data, start, strlen(start)) != 0)
        fail_msg("%s holds \"%s\", not \"%s\"", name, text.data, start);
    buf_finish(&text);
}

/* Room for "+memory" and the like in front, which the kernel would not keep as text. */
#define CONTROLLERS "................ memory pids cpu\n"

static void make_tree(struct tree *t)
{
    char line[256];
    strcpy(t->folder, "/tmp/ken-cgroups-XXXXXX");
    assert_non_null(mkdtemp(t->folder));
    snprintf(t->mounts, sizeof t->mounts, "%s/mounts", t->folder);
    snprintf(t->groups, sizeof t->groups, "%s/groups", t->folder);
    snprintf(t->own, sizeof t->own, "%s/tree/user.slice", t->folder);
    snprintf(t->ken, sizeof t->ken, "%s/ken.%ld", t->own, (long)getpid());
    struct err err;
    assert_int_equal(file_make_folders(t->ken, 0755, &err), 0);
    snprintf(line, sizeof line,
             "proc /proc proc rw 0 0\ncgroup2 %s/tree cgroup2 rw,nsdelegate 0 0\n", t->folder);
    write_file(t->folder, "mounts", line);
    write_file(t->folder, "groups", "0::/user.slice\n");
    write_file(t->own, "cgroup.subtree_control", CONTROLLERS);
    write_file(t->ken, "cgroup.subtree_control", CONTROLLERS);
}

static void remove_tree(struct tree *t)
{
    struct err err;
    assert_int_equal(file_remove_tree(t->folder, &err), 0);
}

static void open_tree(const struct tree *t, struct cgroups *cgroups)
{
    cgroups_open_at(cgroups, &(struct cgroups_places){t->mounts, t->groups});
}

static void without_a_tree_there_are_no_groups(void **state)
{
    (void)state;
    struct tree t;
    struct cgroups cgroups;
    make_tree(&t);
    write_file(t.folder, "mounts", "proc /proc proc rw 0 0\n");
    open_tree(&t, &cgroups);
    for (int i = 0; i < CGROUPS_KINDS; i++)
        assert_int_equal(cgroups.version[i], 0);
    assert_int_equal(cgroups_resident_bytes(&cgroups, 1), 0);
    cgroups_close(&cgroups);
    remove_tree(&t);
}

static void a_controller_that_is_not_given_is_missed(void **state)
{
    (void)state;
    struct tree t;
    struct cgroups cgroups;
    make_tree(&t);
    write_file(t.ken, "cgroup.subtree_control", "................ memory pids\n");
    open_tree(&t, &cgroups);
    assert_int_equal(cgroups.version[CGROUPS_MEMORY], 2);
    assert_int_equal(cgroups.version[CGROUPS_PIDS], 2);
    assert_int_equal(cgroups.version[CGROUPS_CPU], 0);
    remove_tree(&t);
}

static void the_clouds_own_group_is_found(void **state)
{
    (void)state;
    struct tree t;
    struct cgroups cgroups;
    make_tree(&t);
    open_tree(&t, &cgroups);
    for (int i = 0; i < CGROUPS_KINDS; i++) {
        assert_int_equal(cgroups.version[i], 2);
        assert_string_equal(cgroups.folder[i], t.ken);
    }
    expect_file(t.own, "cgroup.subtree_control", "+");
    remove_tree(&t);
}

static void an_instance_has_one_group_with_all_limits(void **state)
{
    (void)state;
    struct tree t;
    struct cgroups cgroups;
    struct err err;
    int fds[CGROUPS_KINDS];
    char slot[200];
    static const char *const files[] = {"cgroup.procs", "memory.max",       "memory.swap.max",
                                        "pids.max",     "memory.oom.group", "cpu.max",
                                        "cpu.weight"};
    make_tree(&t);
    open_tree(&t, &cgroups);
    snprintf(slot, sizeof slot, "%s/7", t.ken);
    assert_int_equal(mkdir(slot, 0755), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_file(slot, files[i], "");
    cgroups_make(&cgroups, 7, fds);
    assert_true(fds[CGROUPS_MEMORY] >= 0);
    assert_int_equal(fds[CGROUPS_PIDS], -1); /* the same group: to be joined once */
    assert_int_equal(fds[CGROUPS_CPU], -1);
    close(fds[CGROUPS_MEMORY]);
    assert_int_equal(cgroups_set(&cgroups, 7, &(struct cgroups_size){3538, 512}, &err), 0);
    expect_file(slot, "memory.max", "4246732800"); /* (3538 + 512) MiB */
    expect_file(slot, "memory.swap.max", "0");
    expect_file(slot, "memory.oom.group", "1");
    expect_file(slot, "pids.max", "1024");
    expect_file(slot, "cpu.max", "200000 100000"); /* two CPUs' worth of memory */
    expect_file(slot, "cpu.weight", "222");
    write_file(slot, "memory.peak", "12345\n");
    write_file(slot, "memory.stat", "anon 4096\nfile 8192\n");
    int peak_fd = cgroups_open_peak(&cgroups, 7);
    assert_int_equal(cgroups_peak_bytes(peak_fd), 12345);
    write_in_place(slot, "memory.peak", "23456\n");
    assert_int_equal(cgroups_peak_bytes(peak_fd), 23456); /* looked at anew */
    close(peak_fd);
    assert_int_equal(cgroups_peak_bytes(cgroups_open_peak(&cgroups, 8)), 0);
    assert_int_equal(cgroups_resident_bytes(&cgroups, 7), 4096);
    remove_tree(&t);
}

static void a_limit_that_cannot_be_set_is_an_error(void **state)
{
    (void)state;
    struct tree t;
    struct cgroups cgroups;
    struct err err = {0};
    make_tree(&t);
    open_tree(&t, &cgroups);
    assert_int_equal(cgroups_set(&cgroups, 9, &(struct cgroups_size){128, 512}, &err), -1);
    assert_non_null(strstr(err.message, "memory"));
    remove_tree(&t);
}

static void groups_of_clouds_that_are_gone_are_swept(void **state)
{
    (void)state;
    struct tree t;
    struct cgroups cgroups;
    struct err err;
    struct stat about;
    char old[200];
    make_tree(&t);
    snprintf(old, sizeof old, "%s/ken.4194305/3", t.own); /* past the largest process number */
    assert_int_equal(file_make_folders(old, 0755, &err), 0);
    open_tree(&t, &cgroups);
    snprintf(old, sizeof old, "%s/ken.4194305", t.own);
    assert_int_equal(stat(old, &about), -1);
    assert_int_equal(stat(t.ken, &about), 0);
    remove_tree(&t);
}

/* -- the kernel's own tree -- */

/* Where it is mounted, with what functions need handed down already; 0: not here. */
static int find_real_tree(char mount[256])
{
    char line[1024], type[64], path[300], words[256] = "";
    FILE *mounts = fopen("/proc/self/mounts", "re");
    int found = 0;
    while (mounts && !found && fgets(line, sizeof line, mounts))
        found = sscanf(line, "%*s %255s %63s", mount, type) == 2 && strcmp(type, "cgroup2") == 0;
    if (mounts)
        fclose(mounts);
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", found ? mount : "");
    FILE *given = fopen(path, "re");
    if (given && !fgets(words, sizeof words, given))
        *words = 0;
    if (given)
        fclose(given);
    return geteuid() == 0 && strstr(words, "memory") && strstr(words, "pids") &&
           strstr(words, "cpu");
}

static int join(const char *folder)
{
    char path[400];
    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int result = fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -1;
    close(fd);
    return result;
}

/* A process that moves into the group behind `fd` and takes 64 MiB. How it ended. */
static int eat_in(int fd)
{
    enum { BYTES = 64 * 1024 * 1024 };
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (write(fd, "0", 1) != 1)
            _exit(2);
        volatile char *memory = malloc(BYTES);
        for (size_t i = 0; memory && i < BYTES; i += 4096)
            memory[i] = 1;
        _exit(memory ? 0 : 3);
    }
    waitpid(pid, &status, 0);
    return status;
}

/* What a cloud alone in its group does there; a step's number when it goes wrong. */
static int use_real_tree(void)
{
    struct cgroups cgroups;
    struct err err;
    int fds[CGROUPS_KINDS];
    char folder[PATH_MAX];
    for (int round = 0; round < 2; round++) { /* again from where the first one moved to */
        cgroups_open(&cgroups);
        for (int i = 0; i < CGROUPS_KINDS; i++)
            if (cgroups.version[i] != 2)
                return 1 + round;
        if (strstr(cgroups.folder[0], ".self"))
            return 3;
        cgroups_make(&cgroups, 1, fds);
        if (cgroups_set(&cgroups, 1, &(struct cgroups_size){16, 0}, &err) < 0)
            return 4;
        int status = eat_in(fds[CGROUPS_MEMORY]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            return 5;
        int peak_fd = cgroups_open_peak(&cgroups, 1);
        size_t peak = cgroups_peak_bytes(peak_fd);
        close(peak_fd);
        if (peak && (peak < 8 * 1024 * 1024 || peak > 16 * 1024 * 1024)) /* Linux 5.19 tells it */
            return 6;
        close(fds[CGROUPS_MEMORY]);
        memcpy(folder, cgroups.folder[0], sizeof folder);
        cgroups_remove(&cgroups, 1);
        cgroups_close(&cgroups);
        if (access(folder, F_OK) == 0)
            return 7;
    }
    return 0;
}

static void the_kernel_obeys(void **state)
{
    (void)state;
    char mount[256], own[300], leaf[400];
    int status = 0;
    if (!find_real_tree(mount))
        skip();
    snprintf(own, sizeof own, "%s/ken-test.%ld", mount, (long)getpid());
    assert_int_equal(mkdir(own, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (join(own) < 0)
            _exit(99);
        _exit(use_real_tree());
    }
    waitpid(pid, &status, 0);
    snprintf(leaf, sizeof leaf, "%s/ken.%ld", own, (long)pid);
    rmdir(leaf);
    snprintf(leaf, sizeof leaf, "%s/ken.%ld.self", own, (long)pid);
    rmdir(leaf);
    assert_int_equal(rmdir(own), 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_tree_there_are_no_groups),
        cmocka_unit_test(a_controller_that_is_not_given_is_missed),
        cmocka_unit_test(the_clouds_own_group_is_found),
        cmocka_unit_test(an_instance_has_one_group_with_all_limits),
        cmocka_unit_test(a_limit_that_cannot_be_set_is_an_error),
        cmocka_unit_test(groups_of_clouds_that_are_gone_are_swept),
        cmocka_unit_test(the_kernel_obeys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
