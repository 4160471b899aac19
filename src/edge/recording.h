#ifndef EDGE_RECORDING_H
#define EDGE_RECORDING_H

#include "base/err.h"

#include <sys/stat.h>

/* The file of a recording, which gets its name from PATH.part just after it was told of. -1 is with
 * errno: ENOENT where neither is there. Inside the edge module only. */

/* Under the one name or the other. */
int recording_stat(const char *path, struct stat *status) MUST_USE;
/* Waits until it has its name, at most two seconds. */
int recording_await_name(const char *path) MUST_USE;

#endif
