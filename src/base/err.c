#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set_args(struct err *err, enum err_code code, const char *format, va_list args)
{
    char text[sizeof err->message];
    vsnprintf(text, sizeof text, format, args);
    memcpy(err->message, text, sizeof text);
    err->code = code;
    return -1;
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_set_args(err, code, format, args);
    va_end(args);
    return -1;
}

static enum err_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EADDRINUSE:
    case EBUSY:
        return ERR_BUSY;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
        return ERR_UNAVAILABLE;
    default:
        return ERR_IO;
    }
}

/* Append ": tail" to the message, cutting what does not fit. */
static void append(struct err *err, const char *tail)
{
    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", tail);
}

int err_set_errno(struct err *err, const char *format, ...)
{
    int number = errno;
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    err->code = code_of_errno(number);
    append(err, strerror_r(number, text, sizeof text));
    return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
    char cause[sizeof err->message];
    memcpy(cause, err->message, sizeof cause);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    append(err, cause);
    return -1;
}
