#include "base/file.h"
#include "face/gallery_data.h"
#include "face/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of `path`, locked: whoever changes a gallery in it waits here for the other. It is the
 * folder because the file itself is replaced. Some network file systems cannot lock a folder; there
 * nobody waits. Returns a descriptor or -1. */
static int lock_folder(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder)
        return err_set(err, ERR_TOO_BIG, "the path is too long");
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "open folder %s", slash ? folder : ".");
    while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
    return fd;
}

int gallery_check_place(const char *path, int plain, struct err *err)
{
    uint8_t key[SEAL_KEY_BYTES];
    int result = file_check_writable(path, err);
    if (result == 0 && !plain) {
        result = seal_find_key(path, 0, key, err);
        seal_wipe(key, sizeof key);
        if (result < 0 && err->code == ERR_NOT_FOUND) /* it will be made */
            result = 0;
    }
    return result < 0 ? err_wrap(err, "save %s", path) : 0;
}

static int encode_and_replace(const struct gallery *gallery, const char *path, int plain,
                              struct err *err)
{
    size_t size;
    uint8_t *file = gallery_encode(gallery, plain, path, &size, err);
    if (!file)
        return -1;
    int result = file_write_alone(path, file, size, 0600, err);
    seal_wipe(file, size);
    free(file);
    return result;
}

static int write_at(int fd, const void *data, size_t size, uint64_t at, struct err *err)
{
    if (lseek(fd, (off_t)at, SEEK_SET) < 0)
        return err_set_errno(err, "write");
    if (file_write_all(fd, data, size, err) < 0)
        return -1;
    return fdatasync(fd) < 0 ? err_set_errno(err, "sync") : 0;
}

/* First the segment, at the end of what counts; when it is on the disk, the eight bytes that say
 * how much counts. Whatever stops this half-way leaves the gallery as it was. */
static int append(int fd, const struct gallery *gallery, const uint8_t *segment, size_t size,
                  struct err *err)
{
    uint8_t header[GALLERY_HEADER_BYTES];
    uint64_t end = gallery->end.bytes;
    if (ftruncate(fd, (off_t)end) < 0)
        return err_set_errno(err, "cut");
    int result = write_at(fd, segment, size, end, err);
    gallery_put_committed(header, end + size);
    if (result == 0)
        return write_at(fd, header + GALLERY_COMMITTED_AT, sizeof end, GALLERY_COMMITTED_AT, err);
    if (ftruncate(fd, (off_t)end) < 0) /* what is too much does not count anyhow */
        return -1;
    return -1;
}

/* Opens the file at `path` where it still is, and ends, as it was read; else -1. */
static int open_the_same(const char *path, const struct gallery_end *end)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    uint8_t header[GALLERY_HEADER_BYTES];
    uint64_t bytes;
    struct err err;
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == end->device &&
        status.st_ino == end->inode &&
        pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header &&
        gallery_committed_bytes(header, (size_t)status.st_size, &bytes, &err) == 0 &&
        bytes == end->bytes)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A mean takes the place of a template only where the file is written as a whole. Additions bring
 * some besides, until they are a twentieth of the file. */
static int has_many_means(const struct gallery_end *end)
{
    enum { FEW = 64, PART = 20 };
    return end->means > FEW + end->bytes / (PART * ROW_VALUES);
}

static int can_append(const struct gallery *gallery, int plain)
{
    const struct gallery_end *end = &gallery->end;
    return gallery->lock_folder >= 0 && !gallery->changed && gallery->plain == plain &&
           end->bytes > 0 && end->segments < GALLERY_MAX_SEGMENTS && !has_many_means(end);
}

/* Returns 1 when the change is in the file, 0 when the file is to be written anew, -1 on failure.
 */
static int try_append(const struct gallery *gallery, const char *path, int plain, struct err *err)
{
    int fd = can_append(gallery, plain) ? open_the_same(path, &gallery->end) : -1;
    if (fd < 0)
        return 0;
    size_t size;
    uint8_t *segment = file_remove_unfinished(path, err) == 0
                           ? gallery_encode_added(gallery, path, &size, err)
                           : NULL;
    int result = segment ? append(fd, gallery, segment, size, err) : -1;
    if (segment)
        seal_wipe(segment, size);
    free(segment);
    close(fd);
    return result < 0 ? -1 : 1;
}

static int save(const struct gallery *gallery, const char *path, int plain, struct err *err)
{
    if (gallery->only_means)
        return err_set(err, ERR_INVALID, "save %s: it was opened to search only", path);
    int folder = gallery->lock_folder >= 0 ? gallery->lock_folder : lock_folder(path, err);
    int result = folder < 0 ? -1 : try_append(gallery, path, plain, err);
    if (result == 0)
        result = encode_and_replace(gallery, path, plain, err);
    if (folder >= 0 && folder != gallery->lock_folder)
        close(folder);
    return result < 0 ? err_wrap(err, "save %s", path) : 0;
}

int gallery_save(const struct gallery *gallery, const char *path, struct err *err)
{
    return save(gallery, path, 0, err);
}

int gallery_save_plain(const struct gallery *gallery, const char *path, struct err *err)
{
    return save(gallery, path, 1, err);
}

/* The header, and room for the rest of what counts: memory that is not filled costs nothing. While
 * it is being continued, a file may be longer than it was a moment ago. */
static int read_header(struct gallery *gallery, const char *path, int fd, struct err *err)
{
    struct stat status;
    uint8_t header[GALLERY_HEADER_BYTES] = {0};
    uint64_t bytes;
    ssize_t got = pread(fd, header, sizeof header, 0);
    if (got < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID, "open %s: not a file", path);
    if (gallery_committed_bytes(header, got < (ssize_t)sizeof header ? 0 : (size_t)status.st_size,
                                &bytes, err) < 0)
        return err_wrap(err, "open %s", path);
    if (bytes > gallery_most_file_bytes())
        return err_set(err, ERR_TOO_BIG, "open %s: more than %zu bytes", path,
                       gallery_most_file_bytes());
    gallery->file_bytes = (size_t)bytes;
    gallery->unfinished_bytes = (size_t)status.st_size - gallery->file_bytes;
    gallery->end = (struct gallery_end){.device = status.st_dev, .inode = status.st_ino};
    gallery->file = malloc(gallery->file_bytes + 1);
    if (!gallery->file)
        return err_set(err, ERR_NO_MEMORY, "open %s: no memory", path);
    memcpy(gallery->file, header, sizeof header);
    return 0;
}

static int fill(struct gallery *gallery, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set_errno(err, "open %s", path);
    int result = read_header(gallery, path, fd, err);
    gallery->fd = fd;
    if (result == 0 && gallery_decode(gallery, path, err) < 0)
        result = err_wrap(err, "open %s", path);
    gallery->fd = -1;
    close(fd);
    return result;
}

/* Nobody needs the file's bytes where no person's templates lie in it. What was read of it to find
 * means is wiped already. */
static void drop_file(struct gallery *gallery)
{
    for (size_t i = 0; i < gallery->people_count; i++)
        if (gallery->people[i].templates && !gallery->people[i].allocated)
            return;
    if (!gallery->only_means)
        seal_wipe(gallery->file, gallery->file_bytes);
    free(gallery->file);
    gallery->file = NULL;
    gallery->file_bytes = 0;
}

/* `*again` is set where only means were asked for and do not suffice. */
static struct gallery *open_file(const char *path, int only_means, int *again, struct err *err)
{
    struct gallery *gallery = gallery_create(err);
    if (!gallery)
        return NULL;
    gallery->only_means = only_means;
    if (fill(gallery, path, err) < 0) {
        *again = gallery->needs_rest;
        gallery_destroy(gallery);
        return NULL;
    }
    drop_file(gallery);
    return gallery;
}

struct gallery *gallery_open(const char *path, struct err *err)
{
    int again;
    return open_file(path, 0, &again, err);
}

struct gallery *gallery_open_to_search(const char *path, struct err *err)
{
    int again = 0;
    struct gallery *gallery = open_file(path, 1, &again, err);
    return again ? gallery_open(path, err) : gallery;
}

/* `is_new`: where it may be absent; else NULL. */
static struct gallery *open_locked(const char *path, int *is_new, struct err *err)
{
    int folder = lock_folder(path, err);
    if (folder < 0) {
        err_wrap(err, "change %s", path);
        return NULL;
    }
    int absent = is_new && access(path, F_OK) < 0 && errno == ENOENT;
    struct gallery *gallery = absent ? gallery_create(err) : gallery_open(path, err);
    if (is_new)
        *is_new = absent;
    if (gallery)
        gallery->lock_folder = folder;
    else
        close(folder);
    return gallery;
}

struct gallery *gallery_open_to_change(const char *path, struct err *err)
{
    return open_locked(path, NULL, err);
}

struct gallery *gallery_open_or_create(const char *path, int *is_new, struct err *err)
{
    return open_locked(path, is_new, err);
}
