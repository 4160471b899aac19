#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"error", "warn", "info", "debug"};

int log_shows(enum log_level level)
{
    const char *lowest = getenv("KEN_LOG");
    int shown = LOG_WARN;
    for (int i = LOG_ERROR; lowest && i <= LOG_DEBUG; i++)
        if (strcmp(lowest, names[i]) == 0)
            shown = i;
    return (int)level <= shown;
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_shows(level))
        return;
    char line[1024], when[CLOCK_TEXT_BYTES];
    clock_text(clock_unix_ms(), when);
    int used = snprintf(line, sizeof line, "%s %s ", when, names[level]);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    size_t size = (size_t)used + (length < 0 ? 0 : (size_t)length);
    if (size > sizeof line - 2)
        size = sizeof line - 2;
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* nowhere left to say so */
}
