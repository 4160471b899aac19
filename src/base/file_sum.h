#ifndef BASE_FILE_SUM_H
#define BASE_FILE_SUM_H

#include "base/file.h"

/* Small documents of text with their CRC-32C in a last line ("#sum 1a2b3c4d"), so that a bit that
 * the disk has turned is found. */

/* file_write() of the text and its sum. */
int file_write_summed(const char *path, const char *text, size_t size, mode_t mode,
                      struct err *err) MUST_USE;

/* file_read() of the text without that line. ERR_CORRUPT when it does not fit; a file that never
 * had a sum is taken as it is. The buffer's limit is the text's. */
int file_read_summed(const char *path, struct buf *out, struct err *err) MUST_USE;

#endif
