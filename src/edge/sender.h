#ifndef EDGE_SENDER_H
#define EDGE_SENDER_H

#include "edge/run.h"

/* Sends what waits in the queue on the disk, oldest first, on a thread of its own: frames to their
 * bucket (and asks about those without an answer), videos to theirs, in parts. While the cloud is
 * gone it tries after 0.5 s, then twice as long each time up to a minute, with jitter. What the
 * cloud refuses stays and is tried again, a wrong policy costs no frame; but what is refused again
 * and again while others get through is set aside (refusal.h). Inside the edge module only. */
struct sender;

enum { SENDER_FIRST_PAUSE_MS = 500, SENDER_MAX_PAUSE_MS = 60000 };

struct sender *sender_start(struct edge_run *run, struct err *err);
/* Wait until the queue is empty, or nothing has got through for `patience_s`. NULL is fine. */
void sender_finish(struct sender *sender, double patience_s);

/* Put a finished recording into the queue; its file stays where it is. */
int sender_queue_video(struct edge_run *run, const char *path, struct err *err) MUST_USE;
/* Recordings that a killed run left unfinished in the work folder: they play to where they were
 * cut, get their names, and are queued. */
int sender_adopt_videos(struct edge_run *run, struct err *err) MUST_USE;

#endif
