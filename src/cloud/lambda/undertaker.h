#ifndef CLOUD_LAMBDA_UNDERTAKER_H
#define CLOUD_LAMBDA_UNDERTAKER_H

#include "base/err.h"

#include <sys/types.h>

/* Sees to it that no process of a function outlives the cloud, however the cloud ends.
 *
 * A small process of its own that holds the other end of a pipe. It is told which process groups
 * exist, and ends them all when the pipe breaks: also after `kill -9` of the cloud, when the
 * instance itself is ended by the kernel (PR_SET_PDEATHSIG) but what it started is not. */
struct undertaker;

enum { UNDERTAKER_MAX_GROUPS = 4096 };

struct undertaker *undertaker_create(struct err *err);
void undertaker_destroy(struct undertaker *undertaker); /* ends all groups; NULL is fine */
void undertaker_watch(struct undertaker *undertaker, pid_t group);
void undertaker_forget(struct undertaker *undertaker,
                       pid_t group); /* before the leader is reaped */

#endif
