#include "cloud/lambda/cgroups.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CGROUPS_LINE_BYTES = 2 * PATH_MAX,
    CGROUPS_CPU_MB = 1769, /* AWS: this much memory comes with one CPU */
    CGROUPS_PERIOD_US = 100000,
    CGROUPS_KILL_ROUNDS = 50
};

static const char *const names[CGROUPS_KINDS] = {"memory", "pids", "cpu"};

static int write_text(const char *folder, const char *file, const char *text)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%s", folder, file);
    int fd = size > 0 && (size_t)size < sizeof path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, text, strlen(text));
    int cause = errno;
    close(fd);
    errno = cause;
    return written < 0 ? -1 : 0;
}

static int write_number(const char *folder, const char *file, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    return write_text(folder, file, text);
}

/* Is `word` one of the words of `list`, which commas divide? */
static int holds(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ',') && (!at[length] || at[length] == ','))
            return 1;
    return 0;
}

/* Where the tree of a controller is mounted ("" : version 2). */
static int find_mount(const struct cgroups_places *places, const char *controller,
                      char out[PATH_MAX])
{
    char line[CGROUPS_LINE_BYTES], folder[1024], type[64], options[1024];
    FILE *mounts = fopen(places->mounts, "re");
    int found = 0;
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        if (sscanf(line, "%*s %1023s %63s %1023s", folder, type, options) != 3)
            continue;
        found = *controller ? strcmp(type, "cgroup") == 0 && holds(options, controller)
                            : strcmp(type, "cgroup2") == 0;
    }
    if (mounts)
        fclose(mounts);
    if (found)
        snprintf(out, PATH_MAX, "%s", folder);
    return found;
}

/* The cloud's own group in that tree; its top where a container hides the way there. */
static int find_own(const struct cgroups_places *places, const char *controller, char out[PATH_MAX])
{
    char line[CGROUPS_LINE_BYTES], mount[PATH_MAX];
    struct stat about;
    if (!find_mount(places, controller, mount))
        return 0;
    snprintf(out, PATH_MAX, "%s", mount);
    FILE *groups = fopen(places->groups, "re");
    while (groups && fgets(line, sizeof line, groups)) {
        line[strcspn(line, "\n")] = 0;
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        list++;
        if (*controller ? !holds(list, controller) : *list)
            continue;
        int size = snprintf(out, PATH_MAX, "%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
        if (size < 0 || size >= PATH_MAX || stat(out, &about) < 0)
            snprintf(out, PATH_MAX, "%s", mount);
    }
    if (groups)
        fclose(groups);
    return 1;
}

static void remove_groups(const char *folder)
{
    char path[PATH_MAX];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && size > 0 && (size_t)size < sizeof path)
            rmdir(path); /* its files go with it; plain files are refused */
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

/* What killed clouds left: groups named after a process that is no more. */
static void sweep(const char *folder)
{
    char path[PATH_MAX];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "ken.", 4) != 0)
            continue;
        pid_t pid = (pid_t)strtol(entry->d_name + 4, NULL, 10);
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (pid > 0 && (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH)) && size > 0 &&
            (size_t)size < sizeof path)
            remove_groups(path);
    }
    if (dir)
        closedir(dir);
}

static int make_folder(char own[PATH_MAX])
{
    char name[32];
    size_t length = strlen(own);
    snprintf(name, sizeof name, "/ken.%ld", (long)getpid());
    if (length + strlen(name) >= PATH_MAX)
        return -1;
    sweep(own);
    strcpy(own + length, name);
    return mkdir(own, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* Version 2 lets no group have both processes and limited children: the cloud itself moves into a
 * group of its own when it must. */
static int delegate(const char *own, const char *folder)
{
    char leaf[PATH_MAX + 8];
    snprintf(leaf, sizeof leaf, "%s.self", folder);
    for (int i = 0; i < CGROUPS_KINDS; i++) {
        char enable[16];
        snprintf(enable, sizeof enable, "+%s", names[i]);
        if (write_text(own, "cgroup.subtree_control", enable) < 0 && errno == EBUSY &&
            (mkdir(leaf, 0755) == 0 || errno == EEXIST) &&
            write_text(leaf, "cgroup.procs", "0") == 0 &&
            write_text(own, "cgroup.subtree_control", enable) < 0)
            return -1;
        write_text(folder, "cgroup.subtree_control", enable); /* each may be missing */
    }
    return 0;
}

static int has_controller(const char *folder, const char *name)
{
    char path[PATH_MAX + 32], word[64];
    int found = 0;
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder);
    FILE *file = fopen(path, "re");
    while (file && !found && fscanf(file, "%63s", word) == 1)
        found = strcmp(word, name) == 0;
    if (file)
        fclose(file);
    return found;
}

/* Where delegate() moved the cloud to when it opened its groups before: one level below its own. */
static void leave_leaf(char own[PATH_MAX])
{
    char leaf[32];
    snprintf(leaf, sizeof leaf, "/ken.%ld.self", (long)getpid());
    char *last = strrchr(own, '/');
    if (last && strcmp(last, leaf) == 0)
        *last = 0;
}

static void open_second(struct cgroups *cgroups, const struct cgroups_places *places)
{
    char own[PATH_MAX], folder[PATH_MAX];
    if (!find_own(places, "", own))
        return;
    leave_leaf(own);
    memcpy(folder, own, sizeof folder);
    if (make_folder(folder) < 0)
        return;
    int result = delegate(own, folder);
    for (int i = 0; i < CGROUPS_KINDS; i++)
        if (result == 0 && !cgroups->version[i] && has_controller(folder, names[i])) {
            cgroups->version[i] = 2;
            memcpy(cgroups->folder[i], folder, sizeof folder);
        }
}

void cgroups_open(struct cgroups *cgroups)
{
    cgroups_open_at(cgroups, &(struct cgroups_places){.mounts = "/proc/self/mounts",
                                                      .groups = "/proc/self/cgroup"});
}

void cgroups_open_at(struct cgroups *cgroups, const struct cgroups_places *places)
{
    int missing = 0;
    memset(cgroups, 0, sizeof *cgroups);
    for (int i = 0; i < CGROUPS_KINDS; i++) {
        if (find_own(places, names[i], cgroups->folder[i]) && make_folder(cgroups->folder[i]) == 0)
            cgroups->version[i] = 1;
        missing += !cgroups->version[i];
    }
    if (missing)
        open_second(cgroups, places);
}

void cgroups_close(struct cgroups *cgroups)
{
    for (int i = 0; i < CGROUPS_KINDS; i++)
        if (cgroups->version[i])
            remove_groups(cgroups->folder[i]);
    memset(cgroups, 0, sizeof *cgroups);
}

/* 0 where there is none, or it is another kind's too. */
static int group_path(const struct cgroups *cgroups, int kind, unsigned slot, char out[PATH_MAX])
{
    if (!cgroups->version[kind])
        return 0;
    for (int i = 0; i < kind; i++)
        if (cgroups->version[i] == 2 && cgroups->version[kind] == 2)
            return 0;
    int size = snprintf(out, PATH_MAX, "%s/%u", cgroups->folder[kind], slot);
    return size > 0 && size < PATH_MAX;
}

void cgroups_make(const struct cgroups *cgroups, unsigned slot, int fds[CGROUPS_KINDS])
{
    char folder[PATH_MAX], path[PATH_MAX + 16];
    for (int i = 0; i < CGROUPS_KINDS; i++) {
        fds[i] = -1;
        if (!group_path(cgroups, i, slot, folder))
            continue;
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
            log_line(LOG_WARN, "lambda: make %s: %s", folder, strerrordesc_np(errno));
        /* A thread that moves itself waits for nobody; a process may wait 10 ms for all others. */
        snprintf(path, sizeof path, "%s/%s", folder,
                 cgroups->version[i] == 1 ? "tasks" : "cgroup.procs");
        fds[i] = open(path, O_WRONLY | O_CLOEXEC);
    }
}

/* A share of the machine as large as the memory, and never more than AWS's measure; but a whole CPU
 * for small functions too, as there is nobody here to sell the rest to. */
static int set_cpu(const char *folder, int version, long memory_mb)
{
    char text[64];
    long cpus = memory_mb > CGROUPS_CPU_MB ? memory_mb : CGROUPS_CPU_MB;
    long quota_us = cpus * CGROUPS_PERIOD_US / CGROUPS_CPU_MB;
    if (version == 1)
        return write_number(folder, "cpu.shares", memory_mb) < 0
                   ? -1
                   : write_number(folder, "cpu.cfs_quota_us", quota_us);
    snprintf(text, sizeof text, "%ld %d", quota_us, CGROUPS_PERIOD_US);
    if (write_number(folder, "cpu.weight", 1 + memory_mb / 16) < 0)
        return -1;
    return write_text(folder, "cpu.max", text);
}

static int set_memory(const char *folder, int version, long mb)
{
    long long bytes = (long long)mb * 1024 * 1024;
    if (write_number(folder, version == 1 ? "memory.limit_in_bytes" : "memory.max", bytes) < 0)
        return -1;
    /* Without swap there are no such files. */
    if (version == 1) {
        write_number(folder, "memory.memsw.limit_in_bytes", bytes);
        return 0;
    }
    write_number(folder, "memory.swap.max", 0);
    write_number(folder, "memory.oom.group", 1);
    return 0;
}

int cgroups_set(const struct cgroups *cgroups, unsigned slot, const struct cgroups_size *size,
                struct err *err)
{
    char folder[PATH_MAX];
    for (int i = 0; i < CGROUPS_KINDS; i++) {
        int version = cgroups->version[i], result = 0;
        if (!version)
            continue;
        int length = snprintf(folder, sizeof folder, "%s/%u", cgroups->folder[i], slot);
        if (length < 0 || (size_t)length >= sizeof folder)
            return err_set(err, ERR_TOO_BIG, "start function: path too long");
        if (i == CGROUPS_MEMORY)
            result = set_memory(folder, version, size->memory_mb + size->storage_mb);
        else if (i == CGROUPS_PIDS)
            result = write_number(folder, "pids.max", CGROUPS_MAX_PROCESSES);
        else
            result = set_cpu(folder, version, size->memory_mb);
        if (result < 0)
            return err_set_errno(err, "start function: limit its %s", names[i]);
    }
    return 0;
}

/* Returns how many there were. */
static int kill_all(const char *folder)
{
    char path[PATH_MAX + 16];
    int count = 0, pid;
    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    FILE *file = fopen(path, "re");
    while (file && fscanf(file, "%d", &pid) == 1) {
        count++;
        if (pid > 1)
            kill(pid, SIGKILL);
    }
    if (file)
        fclose(file);
    return count;
}

void cgroups_remove(const struct cgroups *cgroups, unsigned slot)
{
    char folder[PATH_MAX];
    for (int i = 0; i < CGROUPS_KINDS; i++) {
        if (!group_path(cgroups, i, slot, folder))
            continue;
        for (int round = 0; rmdir(folder) < 0 && errno == EBUSY && round < CGROUPS_KILL_ROUNDS;
             round++) {
            kill_all(folder);
            usleep(1000);
        }
    }
}

int cgroups_open_peak(const struct cgroups *cgroups, unsigned slot)
{
    char path[PATH_MAX + 64];
    int version = cgroups->version[CGROUPS_MEMORY];
    if (!version)
        return -1;
    snprintf(path, sizeof path, "%s/%u/%s", cgroups->folder[CGROUPS_MEMORY], slot,
             version == 1 ? "memory.max_usage_in_bytes" : "memory.peak");
    return open(path, O_RDONLY | O_CLOEXEC);
}

size_t cgroups_peak_bytes(int peak_fd)
{
    char text[32];
    ssize_t size = peak_fd < 0 ? -1 : pread(peak_fd, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = 0;
    return strtoull(text, NULL, 10);
}

size_t cgroups_resident_bytes(const struct cgroups *cgroups, unsigned slot)
{
    char path[PATH_MAX + 64], line[128];
    int version = cgroups->version[CGROUPS_MEMORY];
    size_t bytes = 0;
    if (!version)
        return 0;
    snprintf(path, sizeof path, "%s/%u/memory.stat", cgroups->folder[CGROUPS_MEMORY], slot);
    FILE *file = fopen(path, "re");
    while (file && !bytes && fgets(line, sizeof line, file))
        if (sscanf(line, version == 1 ? "rss %zu" : "anon %zu", &bytes) != 1)
            bytes = 0;
    if (file)
        fclose(file);
    return bytes;
}
