#ifndef CLOUD_LAMBDA_CGROUPS_H
#define CLOUD_LAMBDA_CGROUPS_H

#include "base/err.h"

#include <limits.h>
#include <stddef.h>

/* Control groups of the instances: DIR/ken.PID/SLOT below the cloud's own group, so that what
 * limits the cloud limits its functions too. Version 1 has a tree a controller, version 2 one for
 * all. */

enum cgroups_kind { CGROUPS_MEMORY, CGROUPS_PIDS, CGROUPS_CPU, CGROUPS_KINDS };
enum { CGROUPS_MAX_PROCESSES = 1024 }; /* as AWS: processes and threads of an instance */

struct cgroups {
    int version[CGROUPS_KINDS]; /* 0: not to be had, 1 or 2 */
    char folder[CGROUPS_KINDS][PATH_MAX];
};

/* Finds and makes the groups' folder; takes away what clouds that were killed left behind. */
void cgroups_open(struct cgroups *cgroups);
/* The same where the kernel tells elsewhere than in /proc/self/mounts and /proc/self/cgroup: for
 * tests. */
struct cgroups_places {
    const char *mounts, *groups;
};
void cgroups_open_at(struct cgroups *cgroups, const struct cgroups_places *places);
void cgroups_close(struct cgroups *cgroups);

/* Makes the groups of a slot. `fds` get their lists of members, -1 where there is none: a process
 * that writes "0" there moves in. */
void cgroups_make(const struct cgroups *cgroups, unsigned slot, int fds[CGROUPS_KINDS]);
/* Sets the limits of a function. Files in /tmp are memory to the kernel, but not to the function's
 * memory size: so the kernel's limit is the sum of both, and one whose cgroups_resident_bytes() are
 * past its memory size is to be ended. */
struct cgroups_size {
    long memory_mb, storage_mb;
};
int cgroups_set(const struct cgroups *cgroups, unsigned slot, const struct cgroups_size *size,
                struct err *err) MUST_USE;
/* Ends what is left in the groups, and them. */
void cgroups_remove(const struct cgroups *cgroups, unsigned slot);
/* What tells the most that the group ever had in memory; -1: nothing does. Kept open, because it is
 * asked after each request and the way to it is long. */
int cgroups_open_peak(const struct cgroups *cgroups, unsigned slot);
size_t cgroups_peak_bytes(int peak_fd); /* 0: not known */
/* What it has now, without any files; 0: not known. */
size_t cgroups_resident_bytes(const struct cgroups *cgroups, unsigned slot);

#endif
