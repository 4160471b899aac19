/* Preloaded into `ken-cloud`: writes down what it does to the files of one folder, so that
 * tests/clients/power.py can rebuild that folder as a power cut would leave it.
 *
 *   KEN_POWER_FOLDER   the folder, absolute
 *   KEN_POWER_JOURNAL  the journal; appended to
 *   KEN_POWER_HALT     a file of one byte: HALT_WANTED there stops all calls before the next one
 *
 * A stopped process can be killed without leaving a change that the journal does not have, which
 * the next start would build upon.
 *
 * A record is struct head, then `first_bytes` and `second_bytes` of data. Memory maps are not seen:
 * only SQLite's -shm files are written so, and those are made anew after a cut. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_FD = 65536, JOURNAL_FD = 900, HALT_WANTED = 1, HALT_REACHED = 2 };

/* The numbers are power.py's. */
enum kind {
    START = 1,
    OPEN,
    CLOSE,
    DUP,
    WRITE,
    TRUNCATE,
    RENAME,
    LINK,
    UNLINK,
    MKDIR,
    SYNC_BEGIN,
    SYNC_END,
    SYMLINK,
    CHMOD,
    SYNC_ALL, /* a SYNC_END of everything */
};

struct head {
    uint32_t kind;
    int32_t fd;
    int64_t number;
    uint32_t first_bytes, second_bytes;
};

/* The one state of this library; `lock` makes the order of records that of the calls. */
static struct shim {
    pthread_mutex_t lock;
    pid_t owner;
    int journal;
    long syncs;
    volatile char *halt; /* NULL: never */
    char folder[PATH_MAX];
    size_t folder_bytes;
    char tracked[MAX_FD];
} shim = {.lock = PTHREAD_MUTEX_INITIALIZER, .journal = -1};

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* A child of fork() shares the table and the journal, and has no business with either. */
static int is_on(void)
{
    return shim.journal >= 0 && getpid() == shim.owner;
}

static int begin(void)
{
    if (!is_on())
        return 0;
    pthread_mutex_lock(&shim.lock);
    if (shim.halt && *shim.halt == HALT_WANTED) {
        *shim.halt = HALT_REACHED;
        for (;;)
            pause();
    }
    return 1;
}

static void end(int on)
{
    int kept = errno;
    if (on)
        pthread_mutex_unlock(&shim.lock);
    errno = kept;
}

static void put(enum kind kind, int fd, int64_t number, const void *first, size_t first_bytes,
                const char *second)
{
    int kept = errno;
    size_t second_bytes = second ? strlen(second) : 0;
    struct head head = {kind, fd, number, (uint32_t)first_bytes, (uint32_t)second_bytes};
    struct iovec parts[] = {{&head, sizeof head},
                            {(void *)(uintptr_t)first, first_bytes},
                            {(void *)(uintptr_t)second, second_bytes}};
    ssize_t all = (ssize_t)(sizeof head + first_bytes + second_bytes);
    if (REAL(writev)(shim.journal, parts, 3) != all)
        abort(); /* a journal with holes would prove nothing */
    errno = kept;
}

static void put_path(enum kind kind, int fd, int64_t number, const char *path, const char *second)
{
    put(kind, fd, number, path, strlen(path), second);
}

static int is_tracked(int fd)
{
    return fd >= 0 && fd < MAX_FD && shim.tracked[fd];
}

/* The absolute path when it lies in the folder. */
static int is_inside(int at, const char *path, char out[PATH_MAX])
{
    char link[64], base[PATH_MAX] = "";
    if (path[0] != '/') {
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        ssize_t size = readlink(link, base, sizeof base - 1);
        base[size > 0 ? size : 0] = 0;
    }
    int size = snprintf(out, PATH_MAX, "%s%s%s", base, base[0] ? "/" : "", path);
    return size > 0 && size < PATH_MAX && strncmp(out, shim.folder, shim.folder_bytes) == 0 &&
           (out[shim.folder_bytes] == '/' || !out[shim.folder_bytes]);
}

static void watch_halt(const char *path)
{
    int fd = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
    void *byte = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (byte == MAP_FAILED)
        abort();
    shim.halt = byte;
    REAL(close)(fd);
}

__attribute__((constructor)) static void start(void)
{
    char program[PATH_MAX] = "";
    const char *folder = getenv("KEN_POWER_FOLDER"), *journal = getenv("KEN_POWER_JOURNAL");
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 || !folder || !journal ||
        strcmp(strrchr(program, '/'), "/ken-cloud") != 0)
        return;
    shim.folder_bytes = (size_t)snprintf(shim.folder, sizeof shim.folder, "%s", folder);
    int fd = REAL(open)(journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    shim.journal = fcntl(fd, F_DUPFD_CLOEXEC, JOURNAL_FD);
    REAL(close)(fd);
    if (shim.journal < 0)
        abort();
    shim.owner = getpid();
    watch_halt(getenv("KEN_POWER_HALT"));
    unsetenv("LD_PRELOAD");
    put(START, -1, 0, NULL, 0, NULL);
}

/* -- opening and closing -- */

static int open_it(int at, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    int on = begin();
    int inside = on && is_inside(at, path, full);
    int fd = REAL(openat)(at, path, flags, mode);
    if (inside && fd >= 0 && fd < MAX_FD) {
        struct stat status;
        shim.tracked[fd] = 1;
        put_path(OPEN, fd, flags, full, NULL);
        if (flags & O_CREAT && fstat(fd, &status) == 0)
            put(CHMOD, fd, status.st_mode & 07777, NULL, 0, NULL);
    }
    end(on);
    return fd;
}

/* NOLINTBEGIN: these are libc's names. */
#define MODE_OF(flags, mode)                                                                       \
    mode_t mode = 0;                                                                               \
    if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE) {                                     \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode = va_arg(more, mode_t);                                                               \
        va_end(more);                                                                              \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_it(at, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_it(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open_it(AT_FDCWD, path, flags, 0);
}

int __openat_2(int at, const char *path, int flags);
int __openat_2(int at, const char *path, int flags)
{
    return open_it(at, path, flags, 0);
}

int __openat64_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags)
{
    return open_it(at, path, flags, 0);
}

int mkostemp(char *template, int flags)
{
    char full[PATH_MAX];
    int on = begin();
    int fd = REAL(mkostemp)(template, flags);
    if (on && fd >= 0 && fd < MAX_FD && is_inside(AT_FDCWD, template, full)) {
        shim.tracked[fd] = 1;
        put_path(OPEN, fd, O_CREAT | O_EXCL | O_RDWR, full, NULL);
        put(CHMOD, fd, 0600, NULL, 0, NULL);
    }
    end(on);
    return fd;
}

int mkostemp64(char *template, int flags)
{
    return mkostemp(template, flags);
}

int close(int fd)
{
    int on = begin();
    if (on && is_tracked(fd)) {
        shim.tracked[fd] = 0;
        put(CLOSE, fd, 0, NULL, 0, NULL);
    }
    int result = REAL(close)(fd);
    end(on);
    return result;
}

static int duplicated(int from, int to)
{
    if (is_on() && to >= 0 && to < MAX_FD && to != from) {
        shim.tracked[to] = (char)is_tracked(from);
        if (shim.tracked[to])
            put(DUP, from, to, NULL, 0, NULL);
    }
    return to;
}

int dup(int fd)
{
    int on = begin();
    int to = duplicated(fd, REAL(dup)(fd));
    end(on);
    return to;
}

int dup2(int fd, int to)
{
    int on = begin();
    to = duplicated(fd, REAL(dup2)(fd, to));
    end(on);
    return to;
}

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    int copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    int on = copies && begin();
    int result = REAL(fcntl)(fd, command, argument);
    if (copies)
        duplicated(fd, result);
    end(on);
    return result;
}

int fcntl64(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return fcntl(fd, command, argument);
}

/* -- data -- */

ssize_t write(int fd, const void *data, size_t size)
{
    int on = is_tracked(fd) && begin();
    ssize_t done = REAL(write)(fd, data, size);
    if (on && done > 0)
        put(WRITE, fd, lseek(fd, 0, SEEK_CUR) - done, data, (size_t)done, NULL);
    end(on);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    int on = is_tracked(fd) && begin();
    ssize_t done = REAL(pwrite64)(fd, data, size, offset);
    if (on && done > 0)
        put(WRITE, fd, offset, data, (size_t)done, NULL);
    end(on);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

int ftruncate64(int fd, off64_t size)
{
    int on = is_tracked(fd) && begin();
    int result = REAL(ftruncate64)(fd, size);
    if (on && result == 0)
        put(TRUNCATE, fd, size, NULL, 0, NULL);
    end(on);
    return result;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int fchmod(int fd, mode_t mode)
{
    int on = is_tracked(fd) && begin();
    int result = REAL(fchmod)(fd, mode);
    if (on && result == 0)
        put(CHMOD, fd, mode, NULL, 0, NULL);
    end(on);
    return result;
}

/* What nobody here calls on a file of the cloud; should that change, the journal must learn it. */
static int unknown_call(int fd, const char *name)
{
    if (is_on() && is_tracked(fd)) {
        fprintf(stderr, "power_shim: %s is not written down\n", name);
        abort();
    }
    return 0;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    unknown_call(fd, "writev");
    return REAL(writev)(fd, parts, count);
}

/* The kernel copies; what it copied is read back. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t size,
                        unsigned flags)
{
    int on = is_tracked(out) && begin();
    off64_t from = in_at ? *in_at : lseek(in, 0, SEEK_CUR);
    off64_t at = out_at ? *out_at : lseek(out, 0, SEEK_CUR);
    ssize_t done = REAL(copy_file_range)(in, in_at, out, out_at, size, flags);
    char *data = on && done > 0 ? malloc((size_t)done) : NULL;
    if (on && done > 0 && (!data || pread(in, data, (size_t)done, from) != done))
        abort();
    if (data)
        put(WRITE, out, at, data, (size_t)done, NULL);
    free(data);
    end(on);
    return done;
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
    unknown_call(fd, "fallocate");
    return REAL(fallocate64)(fd, mode, offset, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    unknown_call(fd, "posix_fallocate");
    return REAL(posix_fallocate64)(fd, offset, size);
}

/* What is written before the call is on the disk after it; in between others may write. */
static int sync_it(int fd, int (*real)(int), enum kind kind)
{
    int on = is_tracked(fd) && begin();
    long id = on ? ++shim.syncs : 0;
    if (on)
        put(SYNC_BEGIN, fd, id, NULL, 0, NULL);
    end(on);
    int result = real(fd);
    if (on && result == 0) {
        on = begin();
        put(kind, fd, id, NULL, 0, NULL);
        end(on);
    }
    return result;
}

int fsync(int fd)
{
    return sync_it(fd, REAL(fsync), SYNC_END);
}

int fdatasync(int fd)
{
    return sync_it(fd, REAL(fdatasync), SYNC_END);
}

int syncfs(int fd)
{
    return sync_it(fd, REAL(syncfs), SYNC_ALL);
}

/* -- names -- */

int rename(const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];
    int on = begin();
    int result = REAL(rename)(from, to);
    if (on && result == 0 && is_inside(AT_FDCWD, from, a) && is_inside(AT_FDCWD, to, b))
        put_path(RENAME, -1, 0, a, b);
    end(on);
    return result;
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    char full[PATH_MAX], ignored[PATH_MAX];
    int fd = -1, on = begin();
    int result = REAL(linkat)(from_at, from, to_at, to, flags);
    if (on && result == 0 && is_inside(to_at, to, full)) {
        if (strncmp(from, "/proc/self/fd/", 14) == 0)
            fd = (int)strtol(from + 14, NULL, 10);
        else if (is_inside(from_at, from, ignored))
            abort(); /* nobody links so */
        put_path(LINK, fd, 0, full, NULL);
    }
    end(on);
    return result;
}

static int remove_it(int at, const char *path, int result, int on)
{
    char full[PATH_MAX];
    if (on && result == 0 && is_inside(at, path, full))
        put_path(UNLINK, -1, 0, full, NULL);
    end(on);
    return result;
}

int unlink(const char *path)
{
    int on = begin();
    return remove_it(AT_FDCWD, path, REAL(unlink)(path), on);
}

int unlinkat(int at, const char *path, int flags)
{
    int on = begin();
    return remove_it(at, path, REAL(unlinkat)(at, path, flags), on);
}

int rmdir(const char *path)
{
    int on = begin();
    return remove_it(AT_FDCWD, path, REAL(rmdir)(path), on);
}

int remove(const char *path)
{
    int on = begin();
    return remove_it(AT_FDCWD, path, REAL(remove)(path), on);
}

int mkdir(const char *path, mode_t mode)
{
    char full[PATH_MAX];
    int on = begin();
    int result = REAL(mkdir)(path, mode);
    if (on && result == 0 && is_inside(AT_FDCWD, path, full))
        put_path(MKDIR, -1, mode, full, NULL);
    end(on);
    return result;
}

int symlink(const char *target, const char *path)
{
    char full[PATH_MAX];
    int on = begin();
    int result = REAL(symlink)(target, path);
    if (on && result == 0 && is_inside(AT_FDCWD, path, full))
        put_path(SYMLINK, -1, 0, full, target);
    end(on);
    return result;
}
/* NOLINTEND */
