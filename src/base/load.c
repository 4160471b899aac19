#include "base/load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int load_open(void)
{
    return open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

int load_has_room(int fd)
{
    char text[128]; /* "0.20 0.18 0.12 1/80 11206": one of 80 threads runs */
    ssize_t size = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (size <= 0)
        return 1;
    text[size] = 0;
    char *slash = strchr(text, '/');
    while (slash && slash > text && slash[-1] >= '0' && slash[-1] <= '9')
        slash--;
    return !slash || strtol(slash, NULL, 10) < load_processors();
}

int load_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}
