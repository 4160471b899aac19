#ifndef EDGE_UPLOADS_H
#define EDGE_UPLOADS_H

#include "edge/run.h"

/* Recordings on their way to the video bucket where no queue on the disk takes them: one after
 * another on a thread of its own, while the camera goes on. Each is tried for `retry_s`; one that
 * does not get through stays in the work folder, and is told of. Inside the edge module only. */
struct uploads;

enum { UPLOADS_MAX_WAITING = 1000 }; /* one more is told of, and stays */

struct uploads *uploads_start(struct edge_run *run, struct err *err);

/* Never waits. The file is complete, but may get its name only now. */
void uploads_add(struct uploads *uploads, const char *path);

/* The camera has ended: a first failure from here on is for uploads_finish() to tell. */
void uploads_end(struct uploads *uploads); /* NULL is fine */

/* Wait for those that are on their way. Returns 0 when every one is in the bucket, -1 with what
 * kept the first that is not. Frees; NULL is fine. */
int uploads_finish(struct uploads *uploads, struct err *err) MUST_USE;

#endif
