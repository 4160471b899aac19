#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 1000, LINE_BYTES = 6 * MESSAGE_BYTES + 128 };

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

static int wants_json(void)
{
    const char *format = getenv("KEN_LOG_FORMAT");
    return format && strcmp(format, "json") == 0;
}

/* `text` inside JSON's quotes: RFC 8259 section 7. Six bytes a letter at most. */
static size_t escape(char *out, const char *text)
{
    char *next = out;
    for (; *text; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter < 0x20 || letter == 0x7f)
            next += snprintf(next, 7, "\\u%04x", letter);
        else {
            if (letter == '"' || letter == '\\')
                *next++ = '\\';
            *next++ = *text;
        }
    }
    return (size_t)(next - out);
}

static size_t put_json(char out[LINE_BYTES], const char *when, const char *level, const char *text)
{
    int used = snprintf(out, LINE_BYTES, "{\"time\": \"%s\", \"level\": \"%s\", \"message\": \"",
                        when, level);
    size_t size = (size_t)used + escape(out + used, text);
    return size + (size_t)snprintf(out + size, LINE_BYTES - size, "\"}\n");
}

/* A terminal that shows the log obeys none of what clients put into it. */
static void quiet(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_shows(level))
        return;
    char message[MESSAGE_BYTES], line[LINE_BYTES], when[CLOCK_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (!wants_json())
        quiet(message);
    clock_text(clock_unix_ms(), when);
    size_t size = wants_json() ? put_json(line, when, names[level], message)
                               : (size_t)snprintf(line, sizeof line, "%s %s %s\n", when,
                                                  names[level], message);
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* nowhere left to say so */
}
