#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_into(int fd, const char *path, struct buf *out, struct err *err)
{
    enum { STEP_BYTES = 64 * 1024 };
    char step[STEP_BYTES];
    for (;;) {
        ssize_t got = read(fd, step, sizeof step);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, "read %s", path);
        if (got == 0)
            return 0;
        if (buf_append(out, step, (size_t)got) < 0)
            return err_set(err, ERR_TOO_BIG, "read %s: larger than %zu bytes", path, out->limit);
    }
}

int file_read(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "open %s", path);
    int result = read_into(fd, path, out, err);
    close(fd);
    return result;
}

int file_write_all(int fd, const void *data, size_t size, struct err *err)
{
    const char *next = data;
    while (size > 0) {
        ssize_t put = write(fd, next, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set_errno(err, "write");
        next += put;
        size -= (size_t)put;
    }
    return 0;
}

static int sync_folder_of(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "open folder of %s", path);
    int result = fsync(fd) < 0 ? err_set_errno(err, "sync folder of %s", path) : 0;
    close(fd);
    return result;
}

struct content {
    const void *data;
    size_t size;
    mode_t mode;
    int is_durable;
};

static int write_content(int fd, const struct content *content, struct err *err)
{
    if (file_write_all(fd, content->data, content->size, err) < 0)
        return -1;
    if (fchmod(fd, content->mode) < 0)
        return err_set_errno(err, "set mode");
    return content->is_durable && fsync(fd) < 0 ? err_set_errno(err, "sync") : 0;
}

/* A rename would put a file in the place of a device such as /dev/stdout. */
static int check_replaceable(const char *path, struct err *err)
{
    struct stat status;
    if (stat(path, &status) < 0 || S_ISREG(status.st_mode))
        return 0;
    return err_set(err, ERR_INVALID, "write %s: %s", path,
                   S_ISDIR(status.st_mode) ? "it is a folder" : "it is no ordinary file");
}

/* A file of a name of its own beside `path`. Returns a descriptor or -1. */
static int open_temporary(const char *path, char temporary[PATH_MAX], struct err *err)
{
    if (check_replaceable(path, err) < 0)
        return -1;
    int length = snprintf(temporary, PATH_MAX, "%s.XXXXXX", path);
    if (length < 0 || length >= PATH_MAX)
        return err_set(err, ERR_TOO_BIG, "write %s: the path is too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    return fd < 0 ? err_set_errno(err, "write %s", path) : fd;
}

int file_check_writable(const char *path, struct err *err)
{
    char temporary[PATH_MAX];
    int fd = open_temporary(path, temporary, err);
    if (fd < 0)
        return -1;
    close(fd);
    return unlink(temporary) < 0 ? err_set_errno(err, "remove %s", temporary) : 0;
}

/* The open `temporary` takes the place of `path`, or goes. */
static int replace(int fd, const char *temporary, const char *path, const struct content *content,
                   struct err *err)
{
    int result = write_content(fd, content, err);
    if (close(fd) < 0 && result == 0)
        result = err_set_errno(err, "close");
    if (result == 0 && rename(temporary, path) < 0)
        result = err_set_errno(err, "rename");
    if (result < 0) {
        unlink(temporary);
        return err_wrap(err, "write %s", path);
    }
    return content->is_durable ? sync_folder_of(path, err) : 0;
}

static int write_beside(const char *path, const struct content *content, struct err *err)
{
    char temporary[PATH_MAX];
    int fd = open_temporary(path, temporary, err);
    return fd < 0 ? -1 : replace(fd, temporary, path, content, err);
}

int file_write(const char *path, const void *data, size_t size, mode_t mode, struct err *err)
{
    return write_beside(path, &(struct content){data, size, mode, .is_durable = 1}, err);
}

int file_write_unsynced(const char *path, const void *data, size_t size, mode_t mode,
                        struct err *err)
{
    return write_beside(path, &(struct content){data, size, mode, .is_durable = 0}, err);
}

static int remove_unfinished(const char *path, char temporary[PATH_MAX], struct err *err)
{
    if (snprintf(temporary, PATH_MAX, "%s.unfinished", path) >= PATH_MAX)
        return err_set(err, ERR_TOO_BIG, "write %s: the path is too long", path);
    if (unlink(temporary) < 0 && errno != ENOENT)
        return err_set_errno(err, "remove %s", temporary);
    return 0;
}

int file_remove_unfinished(const char *path, struct err *err)
{
    char temporary[PATH_MAX];
    return remove_unfinished(path, temporary, err);
}

int file_write_alone(const char *path, const void *data, size_t size, mode_t mode, struct err *err)
{
    char temporary[PATH_MAX];
    if (check_replaceable(path, err) < 0 || remove_unfinished(path, temporary, err) < 0)
        return -1;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, "create %s", temporary);
    return replace(fd, temporary, path, &(struct content){data, size, mode, .is_durable = 1}, err);
}

int file_remove(const char *path, struct err *err)
{
    if (unlink(path) < 0)
        return err_set_errno(err, "delete %s", path);
    return sync_folder_of(path, err);
}

int file_move(const char *from, const char *to, struct err *err)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "open %s", from);
    int result = fsync(fd) < 0 ? err_set_errno(err, "sync %s", from) : 0;
    close(fd);
    if (result == 0 && rename(from, to) < 0)
        result = err_set_errno(err, "rename %s to %s", from, to);
    return result < 0 ? -1 : sync_folder_of(to, err);
}

/* Its name is durable before anything in it can be. */
static int make_folder(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) == 0)
        return sync_folder_of(path, err);
    return errno == EEXIST ? 0 : err_set_errno(err, "make folder %s", path);
}

int file_make_folders(const char *path, mode_t mode, struct err *err)
{
    char part[PATH_MAX];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
        return err_set(err, ERR_TOO_BIG, "make folder %s: the path is too long", path);
    for (char *slash = part + 1; *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = 0;
        if (make_folder(part, mode, err) < 0)
            return -1;
        *slash = '/';
    }
    return make_folder(part, mode, err);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

int file_remove_tree(const char *path, struct err *err)
{
    enum { OPEN_FOLDERS = 16 };
    if (nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return err_set_errno(err, "remove %s", path);
    return 0;
}
