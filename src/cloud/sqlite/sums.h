#ifndef CLOUD_SQLITE_SUMS_H
#define CLOUD_SQLITE_SUMS_H

#include "base/err.h"

#include <sqlite3.h>

/* A sum for each page of a SQLite file, so that a bit that the disk has turned is found and never
 * answered: SQLite's own file system with a layer that puts a CRC-32C of the page's number and
 * bytes into SUMS_BYTES at its end, which SQLite keeps free, and looks when a page is read. A page
 * that does not fit gives SQLITE_IOERR_DATA and a line in the log. Files that were made without
 * sums are read and written as they are. The log (WAL) has sums of SQLite's own, which it looks at
 * when it begins after a crash. The same layer gives the disk a large write in small pieces, and
 * keeps the log's file (log_file.h). */

#define SUMS_FILE_SYSTEM "ken-sums" /* for sqlite3_open_v2(), after sums_prepare() */
/* What lies below: SQLite's file system for files that one process has for itself. It locks the
 * whole file once, and keeps the log's index and its readers' locks in memory. With SQLite's usual
 * one each read locks and unlocks a byte of a file, under a lock of the whole process. */
#define SUMS_BELOW "unix-excl"
enum { SUMS_BYTES = 4 };

/* Make it known to SQLite; any number of times, from any thread. */
int sums_prepare(struct err *err) MUST_USE;

/* On a connection whose file is still empty: let it have sums. */
void sums_want(sqlite3 *handle);

#endif
