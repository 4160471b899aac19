#ifndef EDGE_WATCH_H
#define EDGE_WATCH_H

#include "edge/run.h"

/* The device's own look at the camera, on a thread of its own: finds faces in some of the frames,
 * follows them, and decides which frames are sent where that depends on faces (--when-face,
 * --best-shot, --crop). Inside the edge module only. */
struct watch;

/* How often a frame is looked at. */
enum { WATCH_IDLE_MS = 200, WATCH_BUSY_MS = 100 };

struct watch *watch_start(struct edge_run *run, struct err *err);
/* Whether the frame at `time_ms` should be looked at. Asked by the capturing thread. */
int watch_wants(struct watch *watch, int64_t time_ms);
/* Takes the job over; never waits for a camera. */
void watch_look(struct watch *watch, struct edge_job *job);
/* Finish what waits: the last best shots go to the workers. NULL is fine. */
void watch_stop(struct watch *watch);

#endif
