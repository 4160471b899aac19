#include "cloud/lambda/zip.h"

#include "base/file.h"
#include "cloud/lambda/libarchive.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct unpacking {
    struct libarchive lib;
    struct archive *archive;
    const char *folder;
    size_t entries, bytes; /* so far */
};

static int part_is_safe(const char *part, size_t size)
{
    if (size == 0 || size > NAME_MAX)
        return 0;
    if (part[0] == '.' && (size == 1 || (size == 2 && part[1] == '.')))
        return 0;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f || part[i] == '\\')
            return 0;
    return 1;
}

int zip_path_is_safe(const char *path)
{
    if (!path || !*path || strlen(path) > ZIP_MAX_PATH_BYTES)
        return 0;
    while (*path) {
        size_t size = strcspn(path, "/");
        if (!part_is_safe(path, size))
            return 0;
        path += size;
        if (*path == '/')
            path++;
    }
    return 1;
}

/* A link may point to what lies in the same folder or below it, and no further. */
static int link_is_safe(const char *target)
{
    return zip_path_is_safe(target) && target[strlen(target) - 1] != '/';
}

/* Make the folders above `path`, without passing through a link of the archive. */
static int make_parents(const struct unpacking *u, const char *path, struct err *err)
{
    char full[PATH_MAX];
    size_t base = strlen(u->folder) + 1;
    if ((size_t)snprintf(full, sizeof full, "%s/%s", u->folder, path) >= sizeof full)
        return err_set(err, ERR_TOO_BIG, "unpack zip: path too long");
    for (char *slash = strchr(full + base, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        struct stat stat;
        if (mkdir(full, 0755) < 0 && (lstat(full, &stat) < 0 || !S_ISDIR(stat.st_mode)))
            return err_set(err, ERR_INVALID, "unpack zip: %s: a file is in the way of a folder",
                           full + base);
        *slash = '/';
    }
    return 0;
}

static int too_large(struct err *err)
{
    return err_set(err, ERR_TOO_BIG, "Unzipped size must be smaller than %zu bytes",
                   ZIP_MAX_UNPACKED_BYTES);
}

static int copy_data(struct unpacking *u, int fd, const char *path, struct err *err)
{
    const void *block;
    size_t size;
    la_int64_t offset;
    for (;;) {
        int result = u->lib.read_data_block(u->archive, &block, &size, &offset);
        if (result == ARCHIVE_EOF)
            return 0;
        if (result != ARCHIVE_OK)
            return err_set(err, ERR_INVALID, "unpack zip: %s: %s", path,
                           u->lib.error_string(u->archive));
        if (size > ZIP_MAX_UNPACKED_BYTES - u->bytes)
            return too_large(err);
        u->bytes += size;
        if (file_write_all(fd, block, size, err) < 0)
            return err_wrap(err, "unpack zip: %s", path);
    }
}

static int unpack_file(struct unpacking *u, const char *path, mode_t mode, struct err *err)
{
    char full[PATH_MAX];
    if ((size_t)snprintf(full, sizeof full, "%s/%s", u->folder, path) >= sizeof full)
        return err_set(err, ERR_TOO_BIG, "unpack zip: path too long");
    int fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_INVALID, "unpack zip: %s: twice in the archive, or not a file name",
                       path);
    int result = copy_data(u, fd, path, err);
    if (result == 0 && fchmod(fd, mode & 0111 ? 0555 : 0444) < 0)
        result = err_set_errno(err, "unpack zip: %s", path);
    close(fd);
    return result;
}

static int unpack_link(struct unpacking *u, const char *path, const char *target, struct err *err)
{
    char full[PATH_MAX];
    if (!target || !link_is_safe(target))
        return err_set(err, ERR_INVALID, "unpack zip: %s: a link that leaves its folder", path);
    if ((size_t)snprintf(full, sizeof full, "%s/%s", u->folder, path) >= sizeof full)
        return err_set(err, ERR_TOO_BIG, "unpack zip: path too long");
    if (symlink(target, full) < 0)
        return err_set(err, ERR_INVALID, "unpack zip: %s: twice in the archive", path);
    return 0;
}

static int unpack_entry(struct unpacking *u, struct archive_entry *entry, struct err *err)
{
    const char *path = u->lib.entry_pathname(entry);
    if (++u->entries > ZIP_MAX_ENTRIES)
        return err_set(err, ERR_TOO_BIG, "unpack zip: more than %d entries", ZIP_MAX_ENTRIES);
    if (!zip_path_is_safe(path))
        return err_set(err, ERR_INVALID, "unpack zip: entry %zu: a name that leaves the folder",
                       u->entries);
    if (u->lib.entry_hardlink(entry))
        return err_set(err, ERR_INVALID, "unpack zip: %s: a hard link", path);
    if (make_parents(u, path, err) < 0)
        return -1;
    mode_t type = u->lib.entry_filetype(entry);
    la_int64_t bytes = u->lib.entry_size(entry); /* as it says; what comes is counted too */
    if (bytes > 0 && (uint64_t)bytes > ZIP_MAX_UNPACKED_BYTES - u->bytes)
        return too_large(err);
    if (type == AE_IFDIR)
        return 0; /* made on the way to its files, or by its own name's '/' */
    if (type == AE_IFLNK)
        return unpack_link(u, path, u->lib.entry_symlink(entry), err);
    if (type != AE_IFREG && type != 0)
        return err_set(err, ERR_INVALID, "unpack zip: %s: neither file, folder nor link", path);
    return unpack_file(u, path, u->lib.entry_mode(entry), err);
}

static int unpack_all(struct unpacking *u, struct err *err)
{
    struct archive_entry *entry;
    for (;;) {
        int result = u->lib.read_next_header(u->archive, &entry);
        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK)
            return err_set(err, ERR_INVALID, "unpack zip: %s", u->lib.error_string(u->archive));
        if (unpack_entry(u, entry, err) < 0)
            return -1;
    }
    if (u->entries == 0)
        return err_set(err, ERR_INVALID, "unpack zip: no entries");
    return 0;
}

int zip_unpack(const void *data, size_t size, const char *folder, struct err *err)
{
    if (size > ZIP_MAX_UNPACKED_BYTES)
        return too_large(err);
    struct unpacking u = {.folder = folder};
    if (libarchive_load(&u.lib, err) < 0)
        return err_wrap(err, "unpack zip");
    u.archive = u.lib.read_new();
    if (!u.archive)
        return err_set(err, ERR_NO_MEMORY, "unpack zip: no memory");
    int result = -1;
    /* Modes and links stand in the central directory, which only the seeking reader sees. */
    if (u.lib.read_support_format_zip_seekable(u.archive) != ARCHIVE_OK ||
        u.lib.read_open_memory(u.archive, data, size) != ARCHIVE_OK)
        err_set(err, ERR_INVALID, "unpack zip: %s", u.lib.error_string(u.archive));
    else if (mkdir(folder, 0755) < 0)
        err_set_errno(err, "unpack zip: make %s", folder);
    else
        result = unpack_all(&u, err);
    u.lib.read_free(u.archive);
    struct err ignored;
    if (result < 0 && err->code != ERR_EXISTS && file_remove_tree(folder, &ignored) < 0)
        return -1;
    return result;
}
