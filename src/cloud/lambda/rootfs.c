#include "cloud/lambda/rootfs.h"

#include "base/file.h"
#include "base/log.h"
#include "cloud/lambda/libarchive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, LOOKUPS = 1000 };
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

/* One entry of a layer: where it goes. */
struct place {
    int parent; /* the folder, O_PATH */
    char path[ROOTFS_MAX_PATH_BYTES + 1];
    const char *name; /* the last part, in `path` */
};

struct layer {
    struct libarchive lib;
    struct archive *archive;
};

static int refuse(struct err *err, const char *path, const char *why)
{
    return err_set(err, ERR_INVALID, "unpack layer: %.200s: %s", path, why);
}

/* -- names -- */

static int part_is_safe(const char *part, size_t size)
{
    if (size == 0 || size > NAME_MAX || (size == 1 && *part == '.') ||
        (size == 2 && part[0] == '.' && part[1] == '.'))
        return 0;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f)
            return 0;
    return 1;
}

/* "./usr/bin/" becomes "usr/bin"; the root itself "". -1: a path that is none of ours. */
static int clean_path(const char *given, char out[ROOTFS_MAX_PATH_BYTES + 1])
{
    if (!given || strlen(given) > ROOTFS_MAX_PATH_BYTES)
        return -1;
    while (*given == '/' || (given[0] == '.' && (given[1] == '/' || !given[1])))
        given++;
    strncpy(out, given, ROOTFS_MAX_PATH_BYTES);
    out[ROOTFS_MAX_PATH_BYTES] = 0;
    for (size_t size = strlen(out); size > 0 && out[size - 1] == '/'; size--)
        out[size - 1] = 0;
    for (const char *part = out; *part;) {
        size_t size = strcspn(part, "/");
        if (!part_is_safe(part, size))
            return -1;
        part += size;
        part += *part == '/';
    }
    return 0;
}

/* -- lookups -- */

/* A folder below the root, whatever links stand in the way; -1 with errno. */
static int open_inside(const struct rootfs *rootfs, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    for (int i = 0; i < LOOKUPS;
         i++) { /* EAGAIN: something was renamed on this machine meanwhile */
        int fd = (int)syscall(SYS_openat2, rootfs->fd, *path ? path : ".", &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN)
            return fd;
    }
    return -1;
}

/* Links may nest folders deeper than any name; what is deeper could not be removed again. */
static int is_deep(const struct rootfs *rootfs, int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    return size < 0 || (size_t)size > rootfs->folder_bytes + ROOTFS_MAX_DEPTH_BYTES;
}

/* Opens the folder `path`, making what is missing of it. */
static int make_folders(const struct rootfs *rootfs, char *path)
{
    int fd = open_inside(rootfs, path);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    int above = open_inside(rootfs, "");
    for (char *end = path; above >= 0; end++) {
        if (*end && *end != '/')
            continue;
        char saved = *end;
        const char *name = end;
        *end = 0;
        while (name > path && name[-1] != '/')
            name--;
        int made = mkdirat(above, name, 0755) == 0 || errno == EEXIST;
        close(above);
        above = made ? open_inside(rootfs, path) : -1;
        *end = saved;
        if (!saved)
            break;
    }
    return above;
}

/* With `make` 0 the parent may be -1: there is no such folder. */
static int find_place(const struct rootfs *rootfs, const char *given, int make, struct place *out,
                      struct err *err)
{
    out->parent = -1;
    if (clean_path(given, out->path) < 0)
        return refuse(err, "an entry", "a path that is too long or leaves the image");
    char *slash = strrchr(out->path, '/');
    char none[1] = "", *above = slash ? out->path : none;
    out->name = slash ? slash + 1 : out->path;
    if (slash)
        *slash = 0;
    out->parent = make ? make_folders(rootfs, above) : open_inside(rootfs, above);
    int is_missing = out->parent < 0 && !make && (errno == ENOENT || errno == ENOTDIR);
    if (slash)
        *slash = '/';
    if (is_missing)
        return 0;
    if (out->parent < 0)
        return refuse(err, out->path, "something is in the way of its folder");
    if (!is_deep(rootfs, out->parent))
        return 0;
    close(out->parent);
    out->parent = -1;
    return refuse(err, out->path, "its folder is too deep");
}

/* -- what was there -- */

static int remove_at(int parent, const char *name, struct err *err)
{
    char path[64 + NAME_MAX];
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_set_errno(err, "unpack layer: %.200s", name);
    if (!S_ISDIR(status.st_mode))
        return unlinkat(parent, name, 0) < 0 ? err_set_errno(err, "unpack layer: %.200s", name) : 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", parent, name);
    return file_remove_tree(path, err);
}

static int remove_children(int parent, struct err *err)
{
    int result = 0, fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (!names)
        return err_set_errno(err, "unpack layer: read a folder");
    for (struct dirent *name; result == 0 && (name = readdir(names));)
        if (strcmp(name->d_name, ".") != 0 && strcmp(name->d_name, "..") != 0)
            result = remove_at(parent, name->d_name, err);
    closedir(names);
    return result;
}

/* -- entries -- */

static int copy_data(struct rootfs *rootfs, struct layer *layer, int fd, const struct place *place,
                     struct err *err)
{
    const void *block;
    size_t size;
    la_int64_t offset, end = 0;
    for (;;) {
        int result = layer->lib.read_data_block(layer->archive, &block, &size, &offset);
        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK)
            return refuse(err, place->path, layer->lib.error_string(layer->archive));
        if (size > rootfs->max_bytes - rootfs->bytes)
            return err_set(err, ERR_TOO_BIG, "unpack layer: more than %llu bytes unpacked",
                           (unsigned long long)rootfs->max_bytes);
        rootfs->bytes += size;
        if (offset < end || (uint64_t)offset > rootfs->max_bytes || lseek(fd, offset, SEEK_SET) < 0)
            return refuse(err, place->path, "its parts overlap");
        if (file_write_all(fd, block, size, err) < 0)
            return err_wrap(err, "unpack layer");
        end = offset + (la_int64_t)size;
    }
    return 0;
}

static int put_file(struct rootfs *rootfs, struct layer *layer, const struct place *place,
                    mode_t mode, struct err *err)
{
    if (remove_at(place->parent, place->name, err) < 0)
        return -1;
    int fd = openat(place->parent, place->name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, "unpack layer: %.200s", place->path);
    int result = copy_data(rootfs, layer, fd, place, err);
    if (result == 0 && fchmod(fd, (mode & 0777) | 0400) < 0)
        result = err_set_errno(err, "unpack layer: %.200s", place->path);
    close(fd);
    return result;
}

/* A folder that is there stays, with its new mode. */
static int put_folder(const struct place *place, mode_t mode, struct err *err)
{
    struct stat status;
    int there = fstatat(place->parent, place->name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !S_ISDIR(status.st_mode) && remove_at(place->parent, place->name, err) < 0)
        return -1;
    if ((mkdirat(place->parent, place->name, 0700) < 0 && errno != EEXIST) ||
        fchmodat(place->parent, place->name, (mode & 0777) | 0700, 0) < 0)
        return err_set_errno(err, "unpack layer: %.200s", place->path);
    return 0;
}

static int put_symlink(const struct place *place, const char *target, struct err *err)
{
    if (!target || !*target || strlen(target) >= PATH_MAX)
        return refuse(err, place->path, "a link to nothing");
    if (remove_at(place->parent, place->name, err) < 0)
        return -1;
    return symlinkat(target, place->parent, place->name) < 0
               ? err_set_errno(err, "unpack layer: %.200s", place->path)
               : 0;
}

static int put_hard_link(struct rootfs *rootfs, const struct place *place, const char *target,
                         struct err *err)
{
    struct place from;
    struct stat status;
    if (find_place(rootfs, target, 0, &from, err) < 0)
        return -1;
    int result = from.parent < 0 ||
                         fstatat(from.parent, from.name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
                         !S_ISREG(status.st_mode)
                     ? refuse(err, place->path, "a hard link to what is no file of the image")
                     : 0;
    if (result == 0 && strcmp(from.path, place->path) != 0 &&
        (result = remove_at(place->parent, place->name, err)) == 0 &&
        linkat(from.parent, from.name, place->parent, place->name, 0) < 0)
        result = err_set_errno(err, "unpack layer: %.200s", place->path);
    if (from.parent >= 0)
        close(from.parent);
    return result;
}

static const char *hard_link_of(struct layer *layer, struct archive_entry *entry)
{
    const char *text = layer->lib.entry_hardlink(entry);
    return text ? text : layer->lib.entry_hardlink_utf8(entry);
}

static const char *symlink_of(struct layer *layer, struct archive_entry *entry)
{
    const char *text = layer->lib.entry_symlink(entry);
    return text ? text : layer->lib.entry_symlink_utf8(entry);
}

static const char *path_of(struct layer *layer, struct archive_entry *entry)
{
    const char *text = layer->lib.entry_pathname(entry);
    return text ? text : layer->lib.entry_pathname_utf8(entry);
}

static int put_at(struct rootfs *rootfs, struct layer *layer, struct archive_entry *entry,
                  const struct place *place, struct err *err)
{
    const char *target = hard_link_of(layer, entry);
    mode_t type = layer->lib.entry_filetype(entry), mode = layer->lib.entry_mode(entry);
    if (target)
        return put_hard_link(rootfs, place, target, err);
    if (type == AE_IFDIR)
        return put_folder(place, mode, err);
    if (type == AE_IFLNK)
        return put_symlink(place, symlink_of(layer, entry), err);
    if (type == AE_IFREG)
        return put_file(rootfs, layer, place, mode, err);
    return refuse(err, place->path, "neither file, folder nor link");
}

static int is_whiteout(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return path && strncmp(slash ? slash + 1 : path, WHITEOUT, strlen(WHITEOUT)) == 0;
}

static int put_entry(struct rootfs *rootfs, struct layer *layer, struct archive_entry *entry,
                     struct err *err)
{
    struct place place;
    const char *path = path_of(layer, entry);
    if (is_whiteout(path))
        return 0;
    if (find_place(rootfs, path, 1, &place, err) < 0)
        return -1;
    int result = *place.name ? put_at(rootfs, layer, entry, &place, err) : 0; /* "": the root */
    close(place.parent);
    return result;
}

/* What the layers below have and this one takes away. */
static int take_away(struct rootfs *rootfs, struct layer *layer, struct archive_entry *entry,
                     struct err *err)
{
    struct place place;
    if (!is_whiteout(path_of(layer, entry)))
        return 0;
    if (find_place(rootfs, path_of(layer, entry), 0, &place, err) < 0)
        return -1;
    if (place.parent < 0)
        return 0;
    int result = 0;
    const char *name = place.name + strlen(WHITEOUT);
    if (strcmp(place.name, OPAQUE) == 0)
        result = remove_children(place.parent, err);
    else if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0) /* aufs's own: nothing to us */
        result = part_is_safe(name, strlen(name)) ? remove_at(place.parent, name, err)
                                                  : refuse(err, place.path, "no whiteout");
    close(place.parent);
    return result;
}

/* -- layers -- */

typedef int visit_entry(struct rootfs *rootfs, struct layer *layer, struct archive_entry *entry,
                        struct err *err);

static int visit_all(struct rootfs *rootfs, struct layer *layer, visit_entry *visit,
                     struct err *err)
{
    uint64_t bytes = 0; /* said to be in this layer: what is skipped is unpacked too */
    struct archive_entry *entry;
    for (;;) {
        int result = layer->lib.read_next_header(layer->archive, &entry);
        if (result == ARCHIVE_EOF)
            return 0;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return err_set(err, ERR_INVALID, "unpack layer: %s",
                           layer->lib.error_string(layer->archive));
        if (++rootfs->entries > 2 * (size_t)ROOTFS_MAX_ENTRIES) /* each is visited twice */
            return err_set(err, ERR_TOO_BIG, "unpack layer: more than %d entries",
                           ROOTFS_MAX_ENTRIES);
        la_int64_t size = layer->lib.entry_size(entry);
        if (size < 0 || (uint64_t)size > rootfs->max_bytes - bytes)
            return err_set(err, ERR_TOO_BIG, "unpack layer: more than %llu bytes unpacked",
                           (unsigned long long)rootfs->max_bytes);
        bytes += (uint64_t)size;
        if (visit(rootfs, layer, entry, err) < 0)
            return -1;
    }
}

static int read_layer(struct rootfs *rootfs, int fd, visit_entry *visit, struct err *err)
{
    struct layer layer;
    if (libarchive_load(&layer.lib, err) < 0)
        return err_wrap(err, "unpack layer");
    layer.archive = layer.lib.read_new();
    if (!layer.archive)
        return err_set(err, ERR_NO_MEMORY, "unpack layer: no memory");
    layer.lib.read_support_filter_gzip(layer.archive);
    layer.lib.read_support_filter_zstd(layer.archive);
    layer.lib.read_support_format_tar(layer.archive);
    int result;
    if (lseek(fd, 0, SEEK_SET) < 0)
        result = err_set_errno(err, "unpack layer");
    else if (layer.lib.read_open_fd(layer.archive, fd, READ_BYTES) != ARCHIVE_OK)
        result =
            err_set(err, ERR_INVALID, "unpack layer: %s", layer.lib.error_string(layer.archive));
    else
        result = visit_all(rootfs, &layer, visit, err);
    layer.lib.read_free(layer.archive);
    return result;
}

/* Whiteouts first: they are for what lies below, not for this layer's own, wherever they stand. */
int rootfs_apply(struct rootfs *rootfs, int fd, struct err *err)
{
    if (read_layer(rootfs, fd, take_away, err) < 0)
        return -1;
    return read_layer(rootfs, fd, put_entry, err);
}

int rootfs_create(struct rootfs *rootfs, const char *folder, struct err *err)
{
    char real[PATH_MAX];
    *rootfs = (struct rootfs){.fd = -1, .max_bytes = ROOTFS_MAX_BYTES};
    int size = snprintf(rootfs->folder, sizeof rootfs->folder, "%s", folder);
    if (size < 0 || (size_t)size >= sizeof rootfs->folder)
        return err_set(err, ERR_TOO_BIG, "unpack image: path too long");
    if (mkdir(folder, 0755) < 0)
        return err_set_errno(err, "unpack image: make %s", folder);
    rootfs->fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    rootfs->folder_bytes = realpath(folder, real) ? strlen(real) : 0;
    if (rootfs->fd >= 0 && rootfs->folder_bytes && chmod(folder, 0755) == 0)
        return 0;
    err_set_errno(err, "unpack image: %s", folder);
    rootfs_close(rootfs, 0);
    return -1;
}

/* Not through a link: what is mounted there must be seen there. */
static int make_mount_point(const struct rootfs *rootfs, const char *path, int is_folder,
                            struct err *err)
{
    struct stat status;
    struct place place;
    if (find_place(rootfs, path, 1, &place, err) < 0)
        return -1;
    int there = fstatat(place.parent, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    int fits = there && (is_folder ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode));
    int result = fits ? 0 : remove_at(place.parent, place.name, err);
    if (result == 0 && !fits) {
        int made = is_folder ? mkdirat(place.parent, place.name, 0755)
                             : mknodat(place.parent, place.name, S_IFREG | 0644, 0);
        if (made < 0)
            result = err_set_errno(err, "unpack image: %s", path);
    }
    close(place.parent);
    return result;
}

int rootfs_complete(struct rootfs *rootfs, struct err *err)
{
    static const struct {
        const char *path;
        int is_folder;
    } points[] = {{"dev", 1}, {"proc", 1},      {"tmp", 1},
                  {"etc", 1}, {"etc/hosts", 0}, {"etc/resolv.conf", 0}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (make_mount_point(rootfs, points[i].path, points[i].is_folder, err) < 0)
            return -1;
    return 0;
}

void rootfs_close(struct rootfs *rootfs, int keep)
{
    struct err err;
    if (rootfs->fd >= 0)
        close(rootfs->fd);
    rootfs->fd = -1;
    if (!keep && *rootfs->folder && file_remove_tree(rootfs->folder, &err) < 0)
        log_line(LOG_WARN, "lambda: %s", err.message);
}
