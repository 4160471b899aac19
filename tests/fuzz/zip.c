#include "cloud/lambda/zip.h"
#include "base/file.h"

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was accepted lies inside the folder: files, folders, and links that stay there. */
static int check(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    char target[ZIP_MAX_PATH_BYTES + 1];
    (void)stat, (void)at;
    if (type == FTW_SL || type == FTW_SLN) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (!zip_path_is_safe(target))
            abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[] = "/tmp/ken-fuzz-zip-XXXXXX", inside[64];
    struct err err = {0};
    if (!mkdtemp(folder))
        abort();
    snprintf(inside, sizeof inside, "%s/code", folder);
    if (zip_unpack(data, size, inside, &err) == 0)
        nftw(inside, check, 16, FTW_PHYS);
    else if (access(inside, F_OK) == 0)
        abort(); /* nothing of a refused archive stays */
    if (file_remove_tree(folder, &err) < 0)
        abort();
    return 0;
}
