#ifndef CLOUD_SQLITE_LOG_FILE_H
#define CLOUD_SQLITE_LOG_FILE_H

#include "cloud/sqlite/database.h"

/* The file of SQLite's log, PATH-wal. A sync of what makes a file longer has to write the file
 * system's journal too, and waits for all else that this holds: several times as long as one that
 * only writes over what is there. So the log shall have room before it is needed, and is kept where
 * SQLite would remove it. */

enum { LOG_FRAME_BYTES = DATABASE_PAGE_BYTES + 24, LOG_HEADER_BYTES = 32 };

/* Make room for so many pages in all, by zeros, which end the log for whoever reads it. Whoever
 * calls keeps the writer from it until this returns, and syncs. Returns for how many there is room
 * now; -1: for no more than before. */
int log_file_lengthen(int fd, int pages, struct err *err) MUST_USE;

/* In the place of removing the file of a log that is in the database and synced: 1 when it is kept,
 * without its header, which makes it empty. Its frames need no sync: a power cut that brings the
 * header back brings back a log that is right, and the next one's header is synced before its first
 * frame. 0: not worth keeping. */
int log_file_keep(const char *path);

/* The log of the database `path`, whose file is gone: SQLite would take it for the next one's. Fine
 * when there is none. */
int log_file_remove(const char *path, struct err *err) MUST_USE;

#endif
