#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* Whole files. */

/* Append the file's bytes to `out`; ERR_TOO_BIG when they pass the buffer's limit. */
int file_read(const char *path, struct buf *out, struct err *err) MUST_USE;

/* Replace the file as a whole and durably: a temporary name beside it, fsync, rename, fsync of the
 * folder. After a failure the old file is untouched and no temporary file is left. A folder or a
 * device under that name is refused (ERR_INVALID). */
int file_write(const char *path, const void *data, size_t size, mode_t mode,
               struct err *err) MUST_USE;

/* The same without the syncs, for what a power cut may take: readers see the old file or the new
 * one, but after a power cut perhaps neither. */
int file_write_unsynced(const char *path, const void *data, size_t size, mode_t mode,
                        struct err *err) MUST_USE;

/* As file_write(), for a file that one program at a time writes (it holds a lock): the temporary
 * name is always PATH.unfinished, so that what a killed program left there goes with the next
 * write. */
int file_write_alone(const char *path, const void *data, size_t size, mode_t mode,
                     struct err *err) MUST_USE;
/* Removes what a killed file_write_alone() left; fine when there is nothing. */
int file_remove_unfinished(const char *path, struct err *err) MUST_USE;

/* Put the complete file `from` into the place of `to`, durably: it is synced, renamed, and their
 * folder synced. */
int file_move(const char *from, const char *to, struct err *err) MUST_USE;

/* Whether file_write() to that path can begin at all, for work that takes long before it writes.
 * Leaves nothing behind; the disk may still be full later. */
int file_check_writable(const char *path, struct err *err) MUST_USE;

/* Make a folder and those above it, durably: each new one's parent is synced. Fine when it exists.
 */
int file_make_folders(const char *path, mode_t mode, struct err *err) MUST_USE;

/* Write all of it, through short writes and interruptions. */
int file_write_all(int fd, const void *data, size_t size, struct err *err) MUST_USE;

/* Remove a file, durably: the folder is synced. ERR_NOT_FOUND when it is absent. */
int file_remove(const char *path, struct err *err) MUST_USE;

/* Remove a folder with everything in it; fine when it is absent. Follows no links. */
int file_remove_tree(const char *path, struct err *err) MUST_USE;

#endif
