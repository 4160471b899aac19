#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t limit_bytes)
{
    *buf = (struct buf){.limit = limit_bytes};
}

void buf_finish(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.limit = buf->limit};
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = 0;
    if (buf->data)
        buf->data[0] = 0;
}

int buf_reserve(struct buf *buf, size_t more_bytes)
{
    if (buf->failed || more_bytes > buf->limit - buf->size) {
        buf->failed = 1;
        return -1;
    }
    size_t need = buf->size + more_bytes + 1; /* + 1: the 0 behind */
    if (need <= buf->capacity)
        return 0;
    size_t capacity = buf->capacity ? buf->capacity : 256;
    while (capacity < need)
        capacity = capacity > need / 2 ? need : capacity * 2;
    if (capacity < buf->capacity + buf->capacity / 2)
        capacity = buf->capacity + buf->capacity / 2;
    char *data = realloc(buf->data, capacity);
    if (!data) {
        buf->failed = 1;
        return -1;
    }
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int buf_append(struct buf *buf, const void *data, size_t size)
{
    if (buf_reserve(buf, size) < 0)
        return -1;
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = 0;
    return 0;
}

int buf_puts(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || buf_reserve(buf, (size_t)length) < 0) {
        buf->failed = 1;
        return -1;
    }
    va_start(args, format);
    vsnprintf(buf->data + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
    return 0;
}
