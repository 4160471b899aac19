#include "nn/import/external.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of folders and a file, none of them "..". */
static int is_inside(const char *location)
{
    if (!*location || *location == '/')
        return 0;
    for (const char *at = location; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == 0 || at[2] == '/'))
            return 0;
    }
    return 1;
}

static int find(const struct external *external, const char *onnx_path, char path[PATH_MAX],
                struct err *err)
{
    const char *slash = strrchr(onnx_path, '/');
    int folder = slash ? (int)(slash - onnx_path + 1) : 0;
    if (!is_inside(external->location))
        return err_set(err, ERR_DENIED, "its numbers are in \"%s\", not beside it",
                       external->location);
    if (snprintf(path, PATH_MAX, "%.*s%s", folder, onnx_path, external->location) >= PATH_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: the path is too long", external->location);
    return 0;
}

static int read_at(int fd, uint64_t offset, void *out, size_t size)
{
    for (ssize_t got; size > 0; size -= (size_t)got, offset += (uint64_t)got) {
        got = pread(fd, out, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got <= 0)
            return -1;
        out = (unsigned char *)out + got;
    }
    return 0;
}

int external_read(const struct external *external, const char *onnx_path, void *out, size_t size,
                  struct err *err)
{
    char path[PATH_MAX];
    struct stat status;
    if (find(external, onnx_path, path, err) < 0)
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set_errno(err, "its numbers are in another file: open %s", path);
    int result = 0;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        result = err_set(err, ERR_INVALID, "read %s: not a file", path);
    else if (external->offset > (uint64_t)status.st_size ||
             size > (uint64_t)status.st_size - external->offset ||
             read_at(fd, external->offset, out, size) < 0)
        result = err_set(err, ERR_INVALID, "read %s: it ends before byte %llu", path,
                         (unsigned long long)external->offset + size);
    close(fd);
    return result;
}
