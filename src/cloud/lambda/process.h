#ifndef CLOUD_LAMBDA_PROCESS_H
#define CLOUD_LAMBDA_PROCESS_H

#include "base/err.h"
#include "cloud/lambda/sandbox.h"

#include <sys/types.h>

/* The function's process of one instance: how it is started and ended. What keeps it apart from the
 * machine is in sandbox.h, keeper.h (the processes), jail.h (namespaces, root, user), cgroups.h
 * (limits groups) and filter.h (system calls). */
struct process {
    struct sandbox *sandbox; /* borrowed */
    struct kept kept;
};

struct process_options {
    const char *folder;           /* the code, with `bootstrap` in it */
    char *const *environment;     /* "NAME=value", ends with NULL: nothing else is inherited */
    const char *const *arguments; /* what runs, ended by NULL; NULL: `bootstrap` */
    int is_image;                 /* `folder` is an image's file system, and that runs in it */
    const char *working_folder;   /* in the image */
    long memory_mb;               /* memory size of the function */
    long storage_mb;              /* of its temporary files */
};

/* Fails with ERR_NOT_FOUND when there is no such program, ERR_DENIED when it is not executable; of
 * an image only the start itself tells. ERR_UNSUPPORTED for an image without a jail. */
int process_start(struct sandbox *sandbox, const struct process_options *options,
                  struct process *process, struct err *err) MUST_USE;

/* End the whole of it, at once. */
void process_kill(const struct process *process);

/* After its pidfd turned readable (or process_kill()): ends what is left, waits, closes, and
 * returns the wait status of the function. */
int process_reap(struct process *process);

/* The most it had in memory, in bytes; where no control group says so, what it and its children
 * have now; 0 when it cannot be told. */
size_t process_memory_bytes(const struct process *process);

/* Does it have more than this now that is not files? Never without a control group. */
int process_is_over(const struct process *process, size_t most_bytes);

#endif
