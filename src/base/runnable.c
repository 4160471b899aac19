#include "base/runnable.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int runnable_open(void)
{
    return open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

/* "0.20 0.18 0.12 1/80 11206": the number before the slash. */
long runnable_threads(int fd)
{
    char text[128];
    ssize_t size = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = 0;
    char *slash = strchr(text, '/');
    while (slash && slash > text && slash[-1] >= '0' && slash[-1] <= '9')
        slash--;
    return slash ? strtol(slash, NULL, 10) : 0;
}
