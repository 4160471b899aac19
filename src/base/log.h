#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

/* One line a message on standard error: "2026-11-23T05:31:29.123Z level message", or with
 * KEN_LOG_FORMAT=json in the environment {"time": .., "level": .., "message": ..}. KEN_LOG (error,
 * warn, info, debug) sets the lowest level shown; the default is warn. Never log keys, signatures,
 * templates or pictures. Thread safe: one write a line. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_line(enum log_level level, const char *format, ...) PRINTF(2, 3);
int log_shows(enum log_level level);

#endif
