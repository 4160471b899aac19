#include "edge/spool_file.h"

#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_name(const struct spool_entry *entry, const char *suffix,
                       char name[SPOOL_NAME_BYTES])
{
    snprintf(name, SPOOL_NAME_BYTES, "%020" PRIu64 "-%d-%" PRIu64 ".item%s", entry->id,
             (int)entry->rank, entry->outside, suffix);
}

void spool_name(const struct spool_entry *entry, char name[SPOOL_NAME_BYTES])
{
    write_name(entry, "", name);
}

int spool_parse_name(const char *name, struct spool_entry *entry)
{
    int rank, end = 0;
    if (sscanf(name, "%20" SCNu64 "-%1d-%20" SCNu64 ".item%n", &entry->id, &rank, &entry->outside,
               &end) != 3 ||
        end == 0 || name[end] || rank < 0 || rank >= SPOOL_RANKS)
        return -1;
    entry->rank = (uint8_t)rank;
    return 0;
}

/* The name it has until it is whole. */
static void fresh_name(const struct spool_entry *entry, char name[SPOOL_NAME_BYTES])
{
    write_name(entry, ".new", name);
}

static int write_all(int fd, const struct spool_item *item, struct err *err)
{
    if (file_write_all(fd, item->meta, strlen(item->meta), err) < 0 ||
        file_write_all(fd, "\n", 1, err) < 0)
        return -1;
    return item->size ? file_write_all(fd, item->data, item->size, err) : 0;
}

/* On its way to the disk, which need not be waited for before the next one. Returns the open file.
 */
static int begin(int folder, const struct spool_file *file, struct err *err)
{
    char name[SPOOL_NAME_BYTES];
    fresh_name(&file->entry, name);
    int fd = openat(folder, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, "write %s", name);
    if (write_all(fd, file->item, err) == 0) {
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* where there is no such thing: later */
        return fd;
    }
    close(fd);
    unlinkat(folder, name, 0);
    return -1;
}

static int finish(int folder, const struct spool_file *file, int fd, struct err *err)
{
    char fresh[SPOOL_NAME_BYTES], name[SPOOL_NAME_BYTES];
    fresh_name(&file->entry, fresh);
    spool_name(&file->entry, name);
    if (fsync(fd) == 0 && renameat(folder, fresh, folder, name) == 0)
        return 0;
    return err_set_errno(err, "write %s", name);
}

static void take_back(int folder, const struct spool_file *file)
{
    char name[SPOOL_NAME_BYTES];
    fresh_name(&file->entry, name);
    unlinkat(folder, name, 0);
}

size_t spool_write(int folder, const struct spool_file files[], size_t count, struct err *err)
{
    int fds[SPOOL_BATCH];
    size_t begun = 0, named = 0;
    while (begun < count && begun < SPOOL_BATCH &&
           (fds[begun] = begin(folder, &files[begun], err)) >= 0)
        begun++;
    while (named < begun && finish(folder, &files[named], fds[named], err) == 0)
        named++;
    for (size_t i = 0; i < begun; i++)
        close(fds[i]);
    for (size_t i = named; i < begun; i++)
        take_back(folder, &files[i]);
    if (named == 0 || fsync(folder) == 0)
        return named;
    err_set_errno(err, "write the queue's folder");
    spool_unwrite(folder, files, named);
    return 0;
}

void spool_unwrite(int folder, const struct spool_file files[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[SPOOL_NAME_BYTES];
        spool_name(&files[i].entry, name);
        unlinkat(folder, name, 0);
    }
}

int spool_rewrite_file(int folder, const struct spool_file *file, struct err *err)
{
    int fd = begin(folder, file, err);
    int result = fd < 0 ? -1 : finish(folder, file, fd, err);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && result < 0)
        take_back(folder, file);
    if (result == 0 && fsync(folder) < 0)
        return err_set_errno(err, "write the queue's folder");
    return result;
}
