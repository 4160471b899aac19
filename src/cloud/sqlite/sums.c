#include "cloud/sqlite/sums.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "cloud/sqlite/database.h"
#include "cloud/sqlite/log_file.h"
#include "cloud/sqlite/log_frame.h"

#include <endian.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* www.sqlite.org/fileformat.html, 1.3 */
enum { HEADER_BYTES = 100, PAGE_SIZE_AT = 16, RESERVED_AT = 20 };
/* So much at most is given to the disk at once: a commit beside it waits no longer than for that.
 */
enum { UNSYNCED_BYTES = 1 << 20 };

/* Lies behind the file that SQLite's own file system has made, in the same memory. */
struct sums {
    sqlite3_io_methods methods; /* the file's; first, so that they lead here */
    const sqlite3_io_methods *real;
    const char *path;
    int has_sums, unsynced_bytes;
};

union layer {
    struct sums sums;       /* of a database */
    struct log_frame frame; /* of its log */
};

struct file_system {
    sqlite3_vfs vfs; /* first */
    sqlite3_vfs *real;
};

static struct sums *sums_of(sqlite3_file *file)
{
    return (struct sums *)(uintptr_t)file->pMethods;
}

/* Page 1 tells whether the file has sums. */
static void look_at_header(struct sums *sums, const unsigned char *data, int size)
{
    static const char magic[16] = "SQLite format 3";
    if (size >= HEADER_BYTES && memcmp(data, magic, sizeof magic) == 0)
        sums->has_sums =
            data[RESERVED_AT] == SUMS_BYTES && data[PAGE_SIZE_AT] << 8 == DATABASE_PAGE_BYTES;
}

static int is_page(const struct sums *sums, int size, sqlite3_int64 at)
{
    return sums->has_sums && size == DATABASE_PAGE_BYTES && at % DATABASE_PAGE_BYTES == 0;
}

/* With the page's place, so that a page that was written to another's is found too. */
static uint32_t sum_page(const unsigned char *page, sqlite3_int64 at)
{
    uint64_t place = htole64((uint64_t)at);
    return htole32(crc32c(crc32c(0, &place, sizeof place), page, DATABASE_PAGE_BYTES - SUMS_BYTES));
}

static int sums_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at)
{
    struct sums *sums = sums_of(file);
    int code = sums->real->xRead(file, out, size, at);
    if (code != SQLITE_OK)
        return code;
    if (at == 0)
        look_at_header(sums, out, size);
    if (!is_page(sums, size, at))
        return SQLITE_OK;
    uint32_t sum = sum_page(out, at);
    if (memcmp(&sum, (unsigned char *)out + DATABASE_PAGE_BYTES - SUMS_BYTES, SUMS_BYTES) == 0)
        return SQLITE_OK;
    log_line(LOG_ERROR, "%s: page %lld is damaged", sums->path,
             (long long)(at / DATABASE_PAGE_BYTES + 1));
    return SQLITE_IOERR_DATA;
}

static int sums_sync(sqlite3_file *file, int flags)
{
    struct sums *sums = sums_of(file);
    sums->unsynced_bytes = 0;
    return sums->real->xSync(file, flags);
}

static int write_and_sync(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    struct sums *sums = sums_of(file);
    int code = sums->real->xWrite(file, data, size, at);
    if (code != SQLITE_OK || (sums->unsynced_bytes += size) < UNSYNCED_BYTES)
        return code;
    return sums_sync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int sums_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    struct sums *sums = sums_of(file);
    unsigned char page[DATABASE_PAGE_BYTES];
    if (at == 0)
        look_at_header(sums, data, size);
    if (!is_page(sums, size, at))
        return write_and_sync(file, data, size, at);
    memcpy(page, data, DATABASE_PAGE_BYTES);
    uint32_t sum = sum_page(page, at);
    memcpy(page + DATABASE_PAGE_BYTES - SUMS_BYTES, &sum, SUMS_BYTES);
    return write_and_sync(file, page, size, at);
}

/* What is mapped is not read: no page is. */
static int sums_fetch(sqlite3_file *file, sqlite3_int64 at, int size, void **out)
{
    (void)file, (void)at, (void)size;
    *out = NULL;
    return SQLITE_OK;
}

static int sums_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    const struct file_system *own = (const struct file_system *)vfs;
    int code = own->real->xOpen(own->real, path, file, flags, out);
    void *behind = (char *)file + vfs->szOsFile - sizeof(union layer);
    if (code == SQLITE_OK && flags & SQLITE_OPEN_WAL)
        log_frame_join(file, behind);
    if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
        return code;
    struct sums *sums = behind;
    *sums = (struct sums){.methods = *file->pMethods, .real = file->pMethods, .path = path};
    sums->methods.xRead = sums_read;
    sums->methods.xWrite = sums_write;
    sums->methods.xSync = sums_sync;
    sums->methods.xFetch = sums_fetch;
    file->pMethods = &sums->methods;
    return SQLITE_OK;
}

static int sums_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    static const char suffix[] = "-wal";
    const struct file_system *own = (const struct file_system *)vfs;
    size_t length = strlen(path), end = sizeof suffix - 1;
    if (length > end && strcmp(path + length - end, suffix) == 0 && log_file_keep(path))
        return SQLITE_OK;
    return own->real->xDelete(own->real, path, sync);
}

static struct file_system *make_file_system(void)
{
    struct file_system *own = malloc(sizeof *own);
    sqlite3_vfs *real = sqlite3_vfs_find(SUMS_BELOW);
    if (!own || !real) {
        free(own);
        return NULL;
    }
    size_t room = alignof(union layer) - 1;
    *own = (struct file_system){.vfs = *real, .real = real};
    own->vfs.pNext = NULL;
    own->vfs.zName = SUMS_FILE_SYSTEM;
    own->vfs.xOpen = sums_open;
    own->vfs.xDelete = sums_delete;
    own->vfs.szOsFile = (int)((((size_t)real->szOsFile + room) & ~room) + sizeof(union layer));
    return own;
}

int sums_prepare(struct err *err)
{
    int code = sqlite3_initialize();
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    sqlite3_mutex_enter(mutex);
    if (code == SQLITE_OK && !sqlite3_vfs_find(SUMS_FILE_SYSTEM)) {
        struct file_system *own = make_file_system(); /* SQLite's from here on, to the end */
        code = own ? sqlite3_vfs_register(&own->vfs, 0) : SQLITE_NOMEM;
    }
    sqlite3_mutex_leave(mutex);
    return code == SQLITE_OK ? 0 : err_set(err, ERR_NO_MEMORY, "prepare sums of pages: no memory");
}

void sums_want(sqlite3 *handle)
{
    int bytes = SUMS_BYTES;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}
