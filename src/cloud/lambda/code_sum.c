#include "cloud/lambda/code_sum.h"

#include "base/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024 };

static int sum_file(const char *path, void *chunk, uint32_t *crc)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    ssize_t got;
    while ((got = read(fd, chunk, CHUNK_BYTES)) > 0)
        *crc = crc32c(*crc, chunk, (size_t)got);
    close(fd);
    return got < 0 ? -1 : 0;
}

static int sum_link(const char *path, uint32_t *crc)
{
    char target[PATH_MAX];
    ssize_t size = readlink(path, target, sizeof target);
    if (size >= 0)
        *crc = crc32c(*crc, target, (size_t)size);
    return size < 0 ? -1 : 0;
}

/* The name's sum and the whole's, spread so that entries may come in any order. */
static uint64_t mix(uint32_t name, uint32_t whole)
{
    uint64_t both = ((uint64_t)name << 32 | whole) * 0x9e3779b97f4a7c15;
    return (both ^ both >> 29) * 0xbf58476d1ce4e5b9;
}

static int sum_entry(const FTSENT *entry, const char *name, void *chunk, uint64_t *sum)
{
    uint32_t mode = entry->fts_statp->st_mode;
    uint32_t of_name = crc32c(crc32c(0, name, strlen(name) + 1), &mode, sizeof mode);
    uint32_t crc = of_name;
    int result = entry->fts_info == FTS_F    ? sum_file(entry->fts_accpath, chunk, &crc)
                 : entry->fts_info == FTS_SL ? sum_link(entry->fts_accpath, &crc)
                                             : 0;
    *sum += mix(of_name, crc);
    return result;
}

static int sum_entries(FTS *tree, size_t root_bytes, void *chunk, uint64_t *sum)
{
    FTSENT *entry;
    errno = 0;
    while ((entry = fts_read(tree))) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
            errno = entry->fts_errno;
            return -1;
        }
        if (entry->fts_info != FTS_DP && entry->fts_level > 0 &&
            sum_entry(entry, entry->fts_path + root_bytes, chunk, sum) < 0)
            return -1;
        errno = 0;
    }
    return errno ? -1 : 0;
}

int code_sum(const char *folder, uint64_t *sum, struct err *err)
{
    char *const roots[] = {strdup(folder), NULL};
    void *chunk = malloc(CHUNK_BYTES);
    FTS *tree = roots[0] && chunk ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    *sum = 0;
    int result = tree ? sum_entries(tree, strlen(folder), chunk, sum) : -1;
    if (result < 0)
        err_set_errno(err, "read the code in %s", folder);
    if (tree)
        fts_close(tree);
    free(chunk);
    free(roots[0]);
    return result;
}
