#include "cloud/lambda/output.h"

#include "base/clock.h"
#include "base/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void output_init(struct output *output, struct logs *logs, const char *group, const char *version)
{
    char id[33];
    struct tm now;
    time_t seconds = (time_t)(clock_unix_ms() / 1000);
    gmtime_r(&seconds, &now);
    random_text(id, 32, RANDOM_HEX);
    *output = (struct output){.logs = logs};
    snprintf(output->group, sizeof output->group, "%s", group);
    snprintf(output->stream, sizeof output->stream, "%04d/%02d/%02d/[%.20s]%s", now.tm_year + 1900,
             now.tm_mon + 1, now.tm_mday, version, id);
    buf_init(&output->line, OUTPUT_MAX_LINE_BYTES);
}

void output_finish(struct output *output)
{
    buf_finish(&output->line);
}

static void remember(struct output *output, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        output->tail[output->tail_total++ % OUTPUT_TAIL_BYTES] = data[i];
}

static void emit(struct output *output, const char *line, size_t size)
{
    remember(output, line, size);
    remember(output, "\n", 1);
    if (output->logs)
        logs_put(output->logs, output->group, output->stream, clock_unix_ms(), line, size);
}

void output_flush(struct output *output)
{
    if (output->line.size == 0)
        return;
    emit(output, output->line.data, output->line.size);
    buf_clear(&output->line);
}

/* Adds a piece of a line; a line at its limit goes out. */
static void collect(struct output *output, const char *data, size_t size)
{
    while (size > 0) {
        size_t room = OUTPUT_MAX_LINE_BYTES - output->line.size;
        size_t piece = size < room ? size : room;
        if (buf_append(&output->line, data, piece) < 0) {
            buf_clear(&output->line); /* no memory: the line is lost, the function is not */
            return;
        }
        data += piece;
        size -= piece;
        if (output->line.size == OUTPUT_MAX_LINE_BYTES)
            output_flush(output);
    }
}

void output_take(struct output *output, const char *data, size_t size)
{
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t piece = end ? (size_t)(end - data) : size;
        if (end && output->line.size == 0 && piece > 0 && piece < OUTPUT_MAX_LINE_BYTES) {
            emit(output, data, piece);
        } else {
            collect(output, data, piece);
            if (end)
                output_flush(output);
        }
        piece += end ? 1 : 0;
        data += piece;
        size -= piece;
    }
}

void output_line(struct output *output, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    output_flush(output);
    if (size > 0)
        emit(output, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void output_begin_request(struct output *output)
{
    output->tail_total = 0;
}

void output_copy_tail(const struct output *output, char *out)
{
    size_t size = output->tail_total < OUTPUT_TAIL_BYTES ? output->tail_total : OUTPUT_TAIL_BYTES;
    for (size_t i = 0; i < size; i++)
        out[i] = output->tail[(output->tail_total - size + i) % OUTPUT_TAIL_BYTES];
    out[size] = 0;
}
