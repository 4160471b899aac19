#include "base/file.h"
#include "cloud/lambda/rootfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1024 * 1024 };

/* Whatever was unpacked is a file, a folder or a link, of no more right than its own. */
static int check(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)path, (void)at;
    if (type == FTW_SL || type == FTW_SLN)
        return 0;
    if ((!S_ISREG(stat->st_mode) && !S_ISDIR(stat->st_mode)) || (stat->st_mode & 07000))
        abort();
    return 0;
}

static int count(const char *folder)
{
    int names = 0;
    DIR *open = opendir(folder);
    for (struct dirent *name; open && (name = readdir(open));)
        names += name->d_name[0] != '.';
    if (open)
        closedir(open);
    return names;
}

/* The input is two layers over each other: the same one twice, so that it meets what it made. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[] = "/tmp/ken-fuzz-layer-XXXXXX", inside[64];
    struct err err = {0};
    struct rootfs rootfs;
    int fd = memfd_create("layer", MFD_CLOEXEC);
    if (fd < 0 || !mkdtemp(folder) || file_write_all(fd, data, size, &err) < 0)
        abort();
    snprintf(inside, sizeof inside, "%s/root", folder);
    if (rootfs_create(&rootfs, inside, &err) < 0)
        abort();
    rootfs.max_bytes = MAX_BYTES;
    int good = rootfs_apply(&rootfs, fd, &err) == 0 && rootfs_apply(&rootfs, fd, &err) == 0 &&
               rootfs_complete(&rootfs, &err) == 0;
    if (count(folder) != 1) /* nothing beside the root */
        abort();
    if (good)
        nftw(inside, check, 16, FTW_PHYS);
    rootfs_close(&rootfs, good);
    if (!good && access(inside, F_OK) == 0)
        abort(); /* nothing of a refused one stays */
    close(fd);
    if (file_remove_tree(folder, &err) < 0)
        abort();
    return 0;
}
