#include "base/core.h"

#include <stdlib.h>
#include <sys/resource.h>

/* core(5): a limit of 0 does not keep a dump from a program that core_pattern pipes it to; one byte
 * does, as the kernel starts none then, and no file can be so small. PR_SET_DUMPABLE would do it
 * too, but gives /proc/self to root, which namespaces for functions are made through. */
void core_forbid(void)
{
    struct rlimit limit;
    if (getenv("KEN_CORE") || getrlimit(RLIMIT_CORE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max < 1 ? limit.rlim_max : 1;
    (void)setrlimit(RLIMIT_CORE, &limit); /* to less is always allowed */
}
