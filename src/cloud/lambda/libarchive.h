#ifndef CLOUD_LAMBDA_LIBARCHIVE_H
#define CLOUD_LAMBDA_LIBARCHIVE_H

#include "base/err.h"

#include <archive.h>
#include <archive_entry.h>

/* libarchive, loaded when a package or an image is unpacked and not with the program: it brings a
 * dozen libraries, which would take 2.5 ms of every start and 1.5 MB from then on. */

/* Its functions that are used here. */
#define LIBARCHIVE_FUNCTIONS(X)                                                                    \
    X(entry_filetype)                                                                              \
    X(entry_hardlink)                                                                              \
    X(entry_hardlink_utf8)                                                                         \
    X(entry_mode)                                                                                  \
    X(entry_pathname)                                                                              \
    X(entry_pathname_utf8)                                                                         \
    X(entry_size)                                                                                  \
    X(entry_symlink)                                                                               \
    X(entry_symlink_utf8)                                                                          \
    X(error_string)                                                                                \
    X(read_data_block)                                                                             \
    X(read_free)                                                                                   \
    X(read_new)                                                                                    \
    X(read_next_header)                                                                            \
    X(read_open_fd)                                                                                \
    X(read_open_memory)                                                                            \
    X(read_support_filter_gzip)                                                                    \
    X(read_support_filter_zstd)                                                                    \
    X(read_support_format_tar)                                                                     \
    X(read_support_format_zip_seekable)

struct libarchive { /* archive_NAME() is ->NAME() */
#define X(name) __typeof__(archive_##name) *name;
    LIBARCHIVE_FUNCTIONS(X)
#undef X
};

/* Fills `library`; once loaded it stays. ERR_UNSUPPORTED where it is not installed. */
int libarchive_load(struct libarchive *library, struct err *err) MUST_USE;

#endif
