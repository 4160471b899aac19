#include "edge/recording.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { TRIES = 200, PAUSE_MS = 10 };

int recording_stat(const char *path, struct stat *status)
{
    char part[4096 + 8];
    snprintf(part, sizeof part, "%s.part", path);
    if (stat(path, status) == 0 || stat(part, status) == 0)
        return 0;
    return stat(path, status); /* it may have got its name between the two */
}

int recording_await_name(const char *path)
{
    struct stat status;
    for (int i = 0; i < TRIES && access(path, F_OK) < 0; i++) {
        if (recording_stat(path, &status) < 0)
            return -1;
        clock_sleep_until_ns(clock_monotonic_ns() + PAUSE_MS * 1000000ull);
    }
    return access(path, F_OK);
}
