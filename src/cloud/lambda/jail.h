#ifndef CLOUD_LAMBDA_JAIL_H
#define CLOUD_LAMBDA_JAIL_H

#include "base/err.h"

#include <sys/types.h>

/* What a process does to itself to be alone: namespaces, a root of its own, a user of its own. It
 * all runs between the making of a process and exec, in a copy of a program with threads: system
 * calls only. Those that can fail return -1 with errno, and say in *step what they were at. */

#define JAIL_CODE "/var/task"
#define JAIL_TEMPORARY "/tmp"

struct jail {
    int is_rootless;  /* by a user namespace */
    uid_t uid;        /* of the instance, as this machine sees it */
    gid_t gid;        /* when rootless, else as uid */
    const char *base; /* an existing folder: becomes the root, for the process alone */
    const char *hide; /* the cloud's data */
};

/* The process that this makes is the first of its own pid namespace (it needs to reap). Returns as
 * fork() does. */
pid_t jail_fork(const struct jail *jail);

/* In it, first: everything of the root but the function's own. */
int jail_build(const struct jail *jail, const char **step) MUST_USE;
/* Then: code read-only, `temporary` mount options of /tmp, and away from the machine's own root. */
int jail_enter(const char *code, const char *temporary, const char **step) MUST_USE;
/* Or: an image's file system, read-only, is all there is; it has the folders that rootfs.h makes.
 */
int jail_enter_image(const char *root, const char *temporary, const char **step) MUST_USE;
/* Last: another user without any right. */
int jail_drop(const struct jail *jail, const char **step) MUST_USE;

/* Also without a jail: no capability is left, none can be had. */
int jail_drop_capabilities(void) MUST_USE;

#endif
