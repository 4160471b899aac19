#include "edge/spool_aside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of all items there; `oldest` becomes the first of them, its id 0 without one. */
static uint64_t look(int aside, struct spool_entry *oldest)
{
    uint64_t bytes = 0;
    int fd = openat(aside, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    *oldest = (struct spool_entry){0};
    if (!folder && fd >= 0)
        close(fd);
    for (struct dirent *file; folder && (file = readdir(folder));) {
        struct spool_entry entry = {0};
        struct stat status;
        if (spool_parse_name(file->d_name, &entry) < 0 ||
            fstatat(aside, file->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        bytes += (uint64_t)status.st_size;
        if (!oldest->id || entry.id < oldest->id)
            *oldest = entry;
    }
    if (folder)
        closedir(folder);
    return bytes;
}

static void make_room(int aside, uint64_t limit_bytes)
{
    char name[SPOOL_NAME_BYTES];
    struct spool_entry oldest;
    while (look(aside, &oldest) > limit_bytes && oldest.id) {
        spool_name(&oldest, name);
        if (unlinkat(aside, name, 0) < 0)
            return;
    }
}

void spool_aside_add(int folder, const struct spool_entry *entry, uint64_t limit_bytes)
{
    char name[SPOOL_NAME_BYTES];
    spool_name(entry, name);
    (void)!mkdirat(folder, SPOOL_ASIDE, 0700); /* it may be there */
    int aside = openat(folder, SPOOL_ASIDE, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (aside < 0)
        return;
    make_room(aside, limit_bytes > entry->own ? limit_bytes - entry->own : 0);
    (void)!renameat(folder, name, aside, name);
    close(aside);
}
