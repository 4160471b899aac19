#ifndef VIDEO_RETENTION_H
#define VIDEO_RETENTION_H

#include "video/recorder.h"

/* Remove the oldest recordings in options->folder while they are past keep_s or keep_bytes. What is
 * no recording by its name is left alone; so are `current` (a path, or NULL) and what may_remove
 * holds back. A recording that an earlier run left unfinished (".part") counts as one. What cannot
 * be removed gets a line in the log. Returns how many are gone. */
int retention_apply(const struct recorder_options *options, const char *current);

/* Somebody is writing that ".part" file now, this program or another: a recorder holds a lock on
 * its file (flock) while it has it open. */
int retention_is_open(const char *path);

/* "24_12_2026_18_30_00.mp4", with or without ".part" behind: 1 and its time as a number that
 * sorts; else 0. */
int retention_is_recording(const char *name, uint64_t *when);

#endif
