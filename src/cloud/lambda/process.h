#ifndef CLOUD_LAMBDA_PROCESS_H
#define CLOUD_LAMBDA_PROCESS_H

#include "base/err.h"

#include <sys/types.h>

/* The process of one instance: how it is started, confined and ended. Everything that keeps a
 * function apart from the machine is in process.c; namespaces and system call filters belong there
 * too. */
struct process {
    pid_t pid;     /* leads its own session and process group */
    int pidfd;     /* readable when it has ended */
    int output_fd; /* its stdout and stderr, not blocking */
};

struct process_options {
    const char *program;      /* absolute path of `bootstrap` */
    const char *folder;       /* working folder */
    char *const *environment; /* "NAME=value", ends with NULL: nothing else is inherited */
    long memory_mb;           /* memory size of the function */
    long storage_mb;          /* largest file it may write */
};

/* Fails with ERR_NOT_FOUND when there is no such program, ERR_DENIED when it is not executable. */
int process_start(const struct process_options *options, struct process *process,
                  struct err *err) MUST_USE;

/* End the whole group, at once. */
void process_kill(const struct process *process);

/* After pidfd turned readable (or process_kill()): ends what is left of the group, waits, closes
 * both descriptors and returns the wait status. */
int process_reap(struct process *process);

/* Pages in memory now, in bytes; 0 when it cannot be told. */
size_t process_memory_bytes(const struct process *process);

#endif
