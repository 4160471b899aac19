#include "cli/beside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int beside_program(const char *name, char *path, size_t path_bytes, struct err *err)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return err_set_errno(err, "find %s", name);
    program[length] = 0;
    char *slash = strrchr(program, '/');
    *(slash ? slash : program) = 0;
    int written = snprintf(path, path_bytes, "%s/%s", program, name);
    if (written < 0 || (size_t)written >= path_bytes || access(path, R_OK) < 0)
        return err_set(err, ERR_NOT_FOUND, "find %s: it is not in %.200s", name, program);
    return 0;
}
