#include "video/retention.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RECORDINGS = 100000 };

struct recording {
    char name[40];
    uint64_t when, bytes;
    time_t ended;
};

int retention_is_recording(const char *name, uint64_t *when)
{
    static const char shape[] = "00_00_0000_00_00_00.mp4";
    uint64_t parts[6] = {0};
    size_t part = 0, length = sizeof shape - 1;
    for (size_t i = 0; i < length; i++) {
        int digit = name[i] >= '0' && name[i] <= '9';
        if (i < 19 && shape[i] == '0' ? !digit : name[i] != shape[i])
            return 0;
        if (i < 19 && digit)
            parts[part] = parts[part] * 10 + (uint64_t)(name[i] - '0');
        else if (i < 19)
            part++;
    }
    if (name[length] && strcmp(name + length, ".part") != 0)
        return 0;
    *when =
        ((((parts[2] * 100 + parts[1]) * 100 + parts[0]) * 100 + parts[3]) * 100 + parts[4]) * 100 +
        parts[5];
    return 1;
}

static int older_first(const void *a, const void *b)
{
    const struct recording *x = a, *y = b;
    return (x->when > y->when) - (x->when < y->when);
}

/* All of them, oldest first; NULL for none. */
static struct recording *list(const char *folder, size_t *count)
{
    struct recording *all = NULL;
    size_t capacity = 0;
    DIR *dir = opendir(folder);
    *count = 0;
    for (struct dirent *entry; dir && *count < MAX_RECORDINGS && (entry = readdir(dir));) {
        struct recording one = {0};
        struct stat status;
        if (!retention_is_recording(entry->d_name, &one.when) ||
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        if (*count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            struct recording *more = reallocarray(all, capacity, sizeof *all);
            if (!more)
                break;
            all = more;
        }
        snprintf(one.name, sizeof one.name, "%.32s", entry->d_name);
        one.bytes = (uint64_t)status.st_size;
        one.ended = status.st_mtime;
        all[(*count)++] = one;
    }
    if (dir)
        closedir(dir);
    if (all)
        qsort(all, *count, sizeof *all, older_first);
    return all;
}

int retention_is_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return held;
}

static int may_go(const struct recorder_options *options, const char *path, const char *current)
{
    if ((current && strcmp(path, current) == 0) || retention_is_open(path))
        return 0;
    return !options->may_remove || options->may_remove(options->context, path);
}

int retention_apply(const struct recorder_options *options, const char *current)
{
    if (options->keep_s <= 0 && options->keep_bytes == 0)
        return 0;
    size_t count;
    struct recording *all = list(options->folder, &count);
    uint64_t total = 0;
    int removed = 0;
    for (size_t i = 0; i < count; i++)
        total += all[i].bytes;
    for (size_t i = 0; i < count; i++) {
        char path[RECORDER_PATH_BYTES];
        int old = options->keep_s > 0 && difftime(time(NULL), all[i].ended) > options->keep_s;
        int big = options->keep_bytes > 0 && total > options->keep_bytes;
        snprintf(path, sizeof path, "%s/%s", options->folder, all[i].name);
        if (!(old || big) || !may_go(options, path, current))
            continue;
        if (unlink(path) < 0) {
            log_line(LOG_WARN, "remove %s: %s", path, strerror(errno));
            continue;
        }
        total -= all[i].bytes;
        removed++;
    }
    free(all);
    return removed;
}
