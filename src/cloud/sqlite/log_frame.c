#include "cloud/sqlite/log_frame.h"

#include "cloud/sqlite/log_file.h"

#include <stdint.h>
#include <string.h>

static struct log_frame *frame_of(sqlite3_file *file)
{
    return (struct log_frame *)(uintptr_t)file->pMethods;
}

static int let_go(sqlite3_file *file)
{
    struct log_frame *frame = frame_of(file);
    if (frame->at < 0)
        return SQLITE_OK;
    int code = frame->real->xWrite(file, frame->header, sizeof frame->header, frame->at);
    if (code == SQLITE_OK)
        frame->at = -1;
    return code;
}

static int write_whole(sqlite3_file *file, const void *page)
{
    struct log_frame *frame = frame_of(file);
    unsigned char whole[LOG_FRAME_BYTES];
    memcpy(whole, frame->header, sizeof frame->header);
    memcpy(whole + sizeof frame->header, page, DATABASE_PAGE_BYTES);
    int code = frame->real->xWrite(file, whole, sizeof whole, frame->at);
    if (code == SQLITE_OK)
        frame->end = frame->at + LOG_FRAME_BYTES;
    frame->at = -1; /* SQLite begins with the header again */
    return code;
}

static int log_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    struct log_frame *frame = frame_of(file);
    if (frame->at >= 0 && size == DATABASE_PAGE_BYTES && at == frame->at + LOG_FRAME_HEADER_BYTES)
        return write_whole(file, data);
    int code = let_go(file);
    if (at == 0) /* the log begins anew */
        frame->end = 0;
    if (code != SQLITE_OK || size != LOG_FRAME_HEADER_BYTES || at < frame->end)
        return code != SQLITE_OK ? code : frame->real->xWrite(file, data, size, at);
    memcpy(frame->header, data, LOG_FRAME_HEADER_BYTES);
    frame->at = at;
    return SQLITE_OK;
}

static int log_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at)
{
    int code = let_go(file);
    return code != SQLITE_OK ? code : frame_of(file)->real->xRead(file, out, size, at);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = let_go(file);
    return code != SQLITE_OK ? code : frame_of(file)->real->xTruncate(file, size);
}

static int log_sync(sqlite3_file *file, int flags)
{
    int code = let_go(file);
    return code != SQLITE_OK ? code : frame_of(file)->real->xSync(file, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *out)
{
    int code = let_go(file);
    return code != SQLITE_OK ? code : frame_of(file)->real->xFileSize(file, out);
}

void log_frame_join(sqlite3_file *file, struct log_frame *frame)
{
    *frame = (struct log_frame){.methods = *file->pMethods, .real = file->pMethods, .at = -1};
    frame->methods.xWrite = log_write;
    frame->methods.xRead = log_read;
    frame->methods.xTruncate = log_truncate;
    frame->methods.xSync = log_sync;
    frame->methods.xFileSize = log_size;
    file->pMethods = &frame->methods;
}
