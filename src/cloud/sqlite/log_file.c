#include "cloud/sqlite/log_file.h"

#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT_LEAST_BYTES = 1 << 20, KEPT_MOST_BYTES = 100 << 20, PIECE_BYTES = 64 << 10 };

static int append_zeros(int fd, off_t at, off_t end)
{
    static const char zeros[PIECE_BYTES];
    while (at < end) {
        size_t size = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
        ssize_t done = pwrite(fd, zeros, size, at);
        if (done <= 0)
            return -1;
        at += done;
    }
    return 0;
}

int log_file_lengthen(int fd, int pages, struct err *err)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return err_set_errno(err, "make the log longer");
    off_t end = LOG_HEADER_BYTES + (off_t)pages * LOG_FRAME_BYTES;
    if (about.st_size >= end)
        return (int)((about.st_size - LOG_HEADER_BYTES) / LOG_FRAME_BYTES);
    if (append_zeros(fd, about.st_size, end) == 0)
        return pages;
    err_set_errno(err, "make the log longer");
    if (ftruncate(fd, about.st_size) < 0)
        return err_set_errno(err, "cut the log back");
    return -1;
}

/* More than it needs again and again, it only had while the disk was slow. */
static int cut(int fd, off_t size)
{
    return size > KEPT_MOST_BYTES ? ftruncate(fd, KEPT_MOST_BYTES) : 0;
}

int log_file_keep(const char *path)
{
    static const char header[LOG_HEADER_BYTES];
    struct stat about;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int kept = fd >= 0 && fstat(fd, &about) == 0 && about.st_size >= KEPT_LEAST_BYTES &&
               pwrite(fd, header, sizeof header, 0) == (ssize_t)sizeof header &&
               cut(fd, about.st_size) == 0;
    if (fd >= 0)
        close(fd);
    return kept;
}

int log_file_remove(const char *path, struct err *err)
{
    char log[PATH_MAX];
    if ((size_t)snprintf(log, sizeof log, "%s-wal", path) >= sizeof log)
        return err_set(err, ERR_TOO_BIG, "open %s: the path is too long", path);
    return access(log, F_OK) == 0 ? file_remove(log, err) : 0;
}
