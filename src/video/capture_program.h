#ifndef VIDEO_CAPTURE_PROGRAM_H
#define VIDEO_CAPTURE_PROGRAM_H

#include "base/err.h"
#include "video/source.h"

#include <sys/types.h>

/* Starting and leaving ken-capture. */

#define CAPTURE_ENV_LOCATION "KEN_CAPTURE_LOCATION"
#define CAPTURE_ENV_WIDTH "KEN_CAPTURE_WIDTH"
#define CAPTURE_ENV_HEIGHT "KEN_CAPTURE_HEIGHT"
#define CAPTURE_ENV_FPS "KEN_CAPTURE_FPS"
#define CAPTURE_ENV_FORMAT "KEN_CAPTURE_FORMAT"
#define CAPTURE_ENV_COMMAND "KEN_CAPTURE_COMMAND"
#define CAPTURE_ENV_SILENCE "KEN_CAPTURE_SILENCE"
/* Where the program is; without it, beside the running one. */
#define CAPTURE_ENV_PROGRAM "KEN_CAPTURE"

/* Processes that were killed but hang in a driver; more than this, and no other is started. */
enum { CAPTURE_MAX_LEFT_BEHIND = 8 };

struct capture_program {
    pid_t pid; /* 0: none */
    int fd;    /* its messages, non-blocking; -1: none */
    pid_t left_behind[CAPTURE_MAX_LEFT_BEHIND];
};

int capture_program_start(struct capture_program *program, const char *location,
                          const struct source_options *options, struct err *err) MUST_USE;

/* End it: asks (SIGTERM), waits up to `patience_ms`, kills, and leaves behind what does not die. */
void capture_program_stop(struct capture_program *program, int patience_ms);

#endif
