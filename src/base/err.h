#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

/* Why an operation failed. The caller owns it, usually on its stack; no heap behind it.
 *
 * Functions that can fail return 0 or -1 (or a pointer or NULL) and take `struct err *err` last.
 * A message is "verb object: cause" ("open gallery.ken: No such file or directory"), one line, and
 * holds no secret and no biometric data. It is printed once, at the top. */

enum err_code {
    ERR_NONE,
    ERR_INVALID,     /* the input is wrong */
    ERR_NOT_FOUND,   /* what was named does not exist */
    ERR_EXISTS,      /* what should be made exists already */
    ERR_TOO_BIG,     /* past a named limit */
    ERR_CORRUPT,     /* stored data fails its checks */
    ERR_UNSUPPORTED, /* valid, but not something ken does */
    ERR_DENIED,      /* not allowed, or not authenticated */
    ERR_BUSY,        /* in use, or throttled: try later */
    ERR_TIMEOUT,     /* took longer than allowed */
    ERR_UNAVAILABLE, /* the other side cannot be reached */
    ERR_IO,          /* reading or writing failed */
    ERR_NO_SPACE,    /* the disk is full */
    ERR_NO_MEMORY,   /* allocation failed */
};

struct err {
    enum err_code code;
    char message[512];
};

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* Record a failure. Always returns -1, so `return err_set(err, ...)` is the idiom. */
int err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF(3, 4);

/* The same with a va_list; what it prints may be err's own message. */
int err_set_args(struct err *err, enum err_code code, const char *format, va_list args)
    PRINTF(3, 0);

/* Record a failed system call: the code and the cause come from `errno`. Always returns -1. */
int err_set_errno(struct err *err, const char *format, ...) PRINTF(2, 3);

/* Put "context: " in front of a failure that came from below. Always returns -1. */
int err_wrap(struct err *err, const char *format, ...) PRINTF(2, 3);

#endif
