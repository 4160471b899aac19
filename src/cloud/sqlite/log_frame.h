#ifndef CLOUD_SQLITE_LOG_FRAME_H
#define CLOUD_SQLITE_LOG_FRAME_H

#include <sqlite3.h>

/* A frame of SQLite's log in one write: SQLite writes a header of 24 bytes and then the page behind
 * it. The header waits for its page, and goes before all else that is done with the file. One that
 * is written over another's, as SQLite does with the sums of frames that are there already, has no
 * page behind it and does not wait: a kill would take the commit. */

enum { LOG_FRAME_HEADER_BYTES = 24 };

struct log_frame {
    sqlite3_io_methods methods; /* the file's; first, so that they lead here */
    const sqlite3_io_methods *real;
    unsigned char header[LOG_FRAME_HEADER_BYTES];
    sqlite3_int64 at;  /* where the header that waits belongs; -1: none does */
    sqlite3_int64 end; /* of the frames that were written since the log began */
};

/* On a log's file that was just opened. `frame` lives as long as the file. */
void log_frame_join(sqlite3_file *file, struct log_frame *frame);

#endif
