#include "edge/spool.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "edge/spool_aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, ITEMS_OF_A_MS = 4096, ASIDE_SHARE = 8 };
enum { SET_BACK_MS = 5 * 60 * 1000 }; /* workers overtake each other by less */
#define MAX_DATA_BYTES ((size_t)64 * 1024 * 1024)

struct spool {
    char folder[PATH_BYTES - 64];
    int folder_fd, lock_fd;
    uint64_t limit, bytes, evicted, aside;
    unsigned drawn;   /* tells items of one millisecond apart */
    uint64_t newest;  /* the highest number that waits or waited since it was empty */
    uint64_t busy_id; /* the one that is being sent is never evicted */
    struct spool_entry *entries;
    size_t first, count, capacity; /* from `first` on by id; some of them are gone */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int woken;
};

static uint64_t bytes_of(const struct spool_entry *entry)
{
    return entry->own + entry->outside;
}

static void path_of(const struct spool *spool, const struct spool_entry *entry,
                    char path[PATH_BYTES])
{
    char name[SPOOL_NAME_BYTES];
    spool_name(entry, name);
    snprintf(path, PATH_BYTES, "%s/%s", spool->folder, name);
}

static int put_entry(struct spool *spool, const struct spool_entry *entry, struct err *err)
{
    if (spool->count == spool->capacity) {
        size_t capacity = spool->capacity ? 2 * spool->capacity : 256;
        struct spool_entry *entries = realloc(spool->entries, capacity * sizeof *entries);
        if (!entries || capacity > 2 * SPOOL_MAX_ITEMS) {
            spool->entries = entries ? entries : spool->entries;
            return err_set(err, ERR_NO_MEMORY, "queue: more than %d items", SPOOL_MAX_ITEMS);
        }
        spool->entries = entries;
        spool->capacity = capacity;
    }
    spool->entries[spool->count++] = *entry;
    spool->bytes += bytes_of(entry);
    if (entry->id > spool->newest)
        spool->newest = entry->id;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct spool_entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* What an earlier run left: whole items count, unfinished ones go. */
static int scan(struct spool *spool, struct err *err)
{
    DIR *folder = opendir(spool->folder);
    int result = folder ? 0 : err_set_errno(err, "read %s", spool->folder);
    for (struct dirent *file; result == 0 && (file = readdir(folder));) {
        struct spool_entry entry = {0};
        struct stat status;
        if (strstr(file->d_name, ".new"))
            unlinkat(dirfd(folder), file->d_name, 0);
        if (spool_parse_name(file->d_name, &entry) < 0 ||
            fstatat(dirfd(folder), file->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode) || status.st_size > UINT32_MAX)
            continue;
        entry.own = (uint32_t)status.st_size;
        result = put_entry(spool, &entry, err);
    }
    if (folder)
        closedir(folder);
    if (spool->count > 1)
        qsort(spool->entries, spool->count, sizeof *spool->entries, by_id);
    return result;
}

static int take_lock(struct spool *spool, struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lock", spool->folder);
    spool->lock_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (spool->lock_fd < 0)
        return err_set_errno(err, "open %s", path);
    if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_BUSY, "open %s: another program sends from it", spool->folder);
    return 0;
}

static int open_folder(struct spool *spool, struct err *err)
{
    spool->folder_fd = open(spool->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return spool->folder_fd < 0 ? err_set_errno(err, "open %s", spool->folder) : 0;
}

/* By a clock that nobody sets: a wait must not last an hour because the time went back by one. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct spool *spool_open(const char *folder, uint64_t limit_bytes, struct err *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (!spool || strlen(folder) >= sizeof spool->folder) {
        err_set(err, spool ? ERR_TOO_BIG : ERR_NO_MEMORY, "open queue %.200s", folder);
        free(spool);
        return NULL;
    }
    snprintf(spool->folder, sizeof spool->folder, "%s", folder);
    spool->folder_fd = spool->lock_fd = -1;
    spool->limit = limit_bytes;
    pthread_mutex_init(&spool->lock, NULL);
    init_condition(&spool->changed);
    if (file_make_folders(folder, 0700, err) == 0 && take_lock(spool, err) == 0 &&
        scan(spool, err) == 0 && open_folder(spool, err) == 0)
        return spool;
    spool_close(spool);
    return NULL;
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    if (spool->folder_fd >= 0)
        close(spool->folder_fd);
    if (spool->lock_fd >= 0)
        close(spool->lock_fd);
    pthread_mutex_destroy(&spool->lock);
    pthread_cond_destroy(&spool->changed);
    free(spool->entries);
    free(spool);
}

static struct spool_entry *find(const struct spool *spool, uint64_t id)
{
    for (size_t i = spool->first; i < spool->count; i++)
        if (spool->entries[i].id == id && !spool->entries[i].gone)
            return &spool->entries[i];
    return NULL;
}

/* An item's file, if it is still there. */
static int find_path(const struct spool *spool, const struct spool_entry *entry,
                     char path[PATH_BYTES])
{
    path_of(spool, entry, path);
    return access(path, F_OK);
}

/* The entry no longer counts; the front of the list closes up. */
static void forget(struct spool *spool, struct spool_entry *entry)
{
    spool->bytes -= bytes_of(entry);
    entry->gone = 1;
    while (spool->first < spool->count && spool->entries[spool->first].gone)
        spool->first++;
    if (spool->first == spool->count)
        spool->first = spool->count = spool->newest = 0;
    if (spool->first > 1024 && spool->first > spool->count / 2) {
        memmove(spool->entries, spool->entries + spool->first,
                (spool->count - spool->first) * sizeof *spool->entries);
        spool->count -= spool->first;
        spool->first = 0;
    }
}

/* Remove the oldest item of the lowest rank up to `rank`. 0: there is none. */
static int evict(struct spool *spool, enum spool_rank rank)
{
    struct spool_entry *victim = NULL;
    for (size_t i = spool->first; i < spool->count; i++) {
        struct spool_entry *entry = &spool->entries[i];
        if (entry->gone || entry->rank > rank || entry->id == spool->busy_id)
            continue;
        if (!victim || entry->rank < victim->rank)
            victim = entry;
        if (victim->rank == SPOOL_ARCHIVE)
            break;
    }
    if (!victim)
        return 0;
    char path[PATH_BYTES];
    if (find_path(spool, victim, path) == 0)
        unlink(path);
    spool->evicted++;
    forget(spool, victim);
    return 1;
}

static int make_room(struct spool *spool, uint64_t bytes, enum spool_rank rank, struct err *err)
{
    size_t items = spool->count - spool->first;
    while (spool->bytes + bytes > spool->limit || items >= SPOOL_MAX_ITEMS) {
        if (bytes > spool->limit || !evict(spool, rank))
            return err_set(err, ERR_NO_SPACE, "queue: its limit of %" PRIu64 " MB is reached",
                           spool->limit / 1000000);
        items--;
    }
    return 0;
}

/* By its time; after a clock that was set back by the order in which items come. */
static uint64_t draw_id(struct spool *spool, int64_t unix_ms)
{
    uint64_t at_ms = (uint64_t)(unix_ms > 0 ? unix_ms : clock_unix_ms());
    if (spool->newest / ITEMS_OF_A_MS > at_ms + SET_BACK_MS)
        return ++spool->newest;
    return at_ms * ITEMS_OF_A_MS + spool->drawn++ % ITEMS_OF_A_MS;
}

/* Room and a number for an item that is about to be written. */
static int reserve(struct spool *spool, const struct spool_item *item, struct spool_file *file,
                   struct err *err)
{
    size_t meta_bytes = strlen(item->meta);
    if (meta_bytes > SPOOL_MAX_META_BYTES || strchr(item->meta, '\n') ||
        item->size > MAX_DATA_BYTES)
        return err_set(err, ERR_TOO_BIG, "queue: the item is too large");
    *file = (struct spool_file){.item = item,
                                .entry = {.rank = (uint8_t)item->rank,
                                          .own = (uint32_t)(meta_bytes + 1 + item->size),
                                          .outside = item->outside_bytes}};
    if (make_room(spool, bytes_of(&file->entry), item->rank, err) < 0)
        return -1;
    file->entry.id = draw_id(spool, item->unix_ms);
    spool->bytes += bytes_of(&file->entry); /* spoken for */
    return 0;
}

static int enter(struct spool *spool, const struct spool_entry *entry, struct err *err)
{
    if (put_entry(spool, entry, err) < 0)
        return -1;
    struct spool_entry *entries = spool->entries;
    for (size_t i = spool->count - 1; i > spool->first && entries[i - 1].id > entries[i].id; i--) {
        struct spool_entry later = entries[i - 1]; /* it was quicker */
        entries[i - 1] = entries[i];
        entries[i] = later;
    }
    return 0;
}

/* The lock is not held while the disk works: others may add and remove meanwhile. */
size_t spool_add_all(struct spool *spool, const struct spool_item items[], size_t count,
                     struct err *err)
{
    struct spool_file files[SPOOL_BATCH];
    size_t reserved = 0, written, entered = 0;
    pthread_mutex_lock(&spool->lock);
    while (reserved < count && reserved < SPOOL_BATCH &&
           reserve(spool, &items[reserved], &files[reserved], err) == 0)
        reserved++;
    pthread_mutex_unlock(&spool->lock);
    written = spool_write(spool->folder_fd, files, reserved, err);
    pthread_mutex_lock(&spool->lock);
    for (size_t i = 0; i < reserved; i++)
        spool->bytes -= bytes_of(&files[i].entry);
    while (entered < written && enter(spool, &files[entered].entry, err) == 0)
        entered++;
    spool_unwrite(spool->folder_fd, files + entered, written - entered); /* no room in memory */
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->lock);
    return entered;
}

int spool_add(struct spool *spool, const struct spool_item *item, struct err *err)
{
    return spool_add_all(spool, item, 1, err) == 1 ? 0 : -1;
}

static int split(struct buf *all, struct buf *meta, struct buf *data, struct err *err)
{
    const char *end = all->data ? memchr(all->data, '\n', all->size) : NULL;
    if (!end || buf_append(meta, all->data, (size_t)(end - all->data)) < 0)
        return err_set(err, ERR_CORRUPT, "read queue: an item without its first line");
    size_t rest = all->size - (size_t)(end + 1 - all->data);
    if (buf_append(data, end + 1, rest) < 0)
        return err_set(err, ERR_TOO_BIG, "read queue: the item is too large");
    return 0;
}

static int read_item(const char *path, struct buf *meta, struct buf *data, struct err *err)
{
    struct buf all;
    buf_init(&all, MAX_DATA_BYTES + SPOOL_MAX_META_BYTES + 1);
    int result = file_read(path, &all, err);
    if (result == 0)
        result = split(&all, meta, data, err);
    buf_finish(&all);
    return result < 0 ? -1 : 1;
}

static int is_wished(const struct spool_entry *entry, const struct spool_wish *wish)
{
    return !entry->gone && wish->ranks >> entry->rank & 1 && entry->id != wish->but;
}

/* From a place that is drawn on, and then from the front. */
static const struct spool_entry *choose(const struct spool *spool, const struct spool_wish *wish)
{
    size_t count = spool->count - spool->first, from = 0;
    if (wish->but && count > 0) {
        random_bytes(&from, sizeof from);
        from %= count;
    }
    for (size_t i = 0; i < count; i++) {
        const struct spool_entry *entry = &spool->entries[spool->first + (from + i) % count];
        if (is_wished(entry, wish))
            return entry;
    }
    return NULL;
}

int spool_pick(struct spool *spool, const struct spool_wish *wish, uint64_t *id, struct buf *meta,
               struct buf *data, struct err *err)
{
    char path[PATH_BYTES];
    buf_clear(meta);
    buf_clear(data);
    pthread_mutex_lock(&spool->lock);
    const struct spool_entry *entry = choose(spool, wish);
    int there = entry != NULL;
    if (entry) {
        *id = spool->busy_id = entry->id;
        there = find_path(spool, entry, path) == 0 ? 1 : -1;
    }
    pthread_mutex_unlock(&spool->lock);
    if (there < 0)
        return err_set(err, ERR_NOT_FOUND, "read queue: item %" PRIu64 " is gone", *id);
    return there == 0 ? 0 : read_item(path, meta, data, err);
}

int spool_first(struct spool *spool, uint64_t *id, struct buf *meta, struct buf *data,
                struct err *err)
{
    return spool_pick(spool, &(struct spool_wish){.ranks = ~0u}, id, meta, data, err);
}

int spool_rewrite(struct spool *spool, uint64_t id, const char *meta, struct err *err)
{
    const struct spool_item item = {.meta = meta};
    struct spool_file file = {.item = &item};
    pthread_mutex_lock(&spool->lock);
    const struct spool_entry *entry = find(spool, id);
    if (entry)
        file.entry = *entry;
    pthread_mutex_unlock(&spool->lock);
    if (!entry || strlen(meta) > SPOOL_MAX_META_BYTES)
        return err_set(err, ERR_NOT_FOUND, "write queue: item %" PRIu64 " is gone", id);
    return spool_rewrite_file(spool->folder_fd, &file, err);
}

static void take_out(struct spool *spool, uint64_t id, int keep_aside)
{
    char path[PATH_BYTES];
    pthread_mutex_lock(&spool->lock);
    struct spool_entry *entry = find(spool, id);
    if (entry && keep_aside)
        spool_aside_add(spool->folder_fd, entry, spool->limit / ASIDE_SHARE);
    else if (entry && find_path(spool, entry, path) == 0)
        unlink(path);
    if (entry)
        forget(spool, entry);
    spool->aside += entry && keep_aside;
    spool->busy_id = 0;
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->lock);
}

void spool_remove(struct spool *spool, uint64_t id)
{
    take_out(spool, id, 0);
}

void spool_set_aside(struct spool *spool, uint64_t id)
{
    take_out(spool, id, 1);
}

static int line_has(const char *path, const char *text)
{
    struct err err;
    struct buf line;
    buf_init(&line, SPOOL_MAX_META_BYTES + 1);
    int has = file_read(path, &line, &err) == 0 && line.data && strstr(line.data, text) != NULL;
    buf_finish(&line);
    return has;
}

int spool_holds(struct spool *spool, enum spool_rank rank, const char *text)
{
    char path[PATH_BYTES];
    int holds = 0;
    pthread_mutex_lock(&spool->lock);
    for (size_t i = spool->first; i < spool->count && !holds; i++) {
        const struct spool_entry *entry = &spool->entries[i];
        holds = !entry->gone && entry->rank == rank && find_path(spool, entry, path) == 0 &&
                line_has(path, text);
    }
    pthread_mutex_unlock(&spool->lock);
    return holds;
}

struct spool_state spool_state(struct spool *spool)
{
    struct spool_state state = {0};
    pthread_mutex_lock(&spool->lock);
    for (size_t i = spool->first; i < spool->count; i++) {
        if (spool->entries[i].gone)
            continue;
        state.items++;
        state.of_rank[spool->entries[i].rank]++;
    }
    state.bytes = spool->bytes;
    state.evicted = spool->evicted;
    state.aside = spool->aside;
    pthread_mutex_unlock(&spool->lock);
    return state;
}

void spool_wait(struct spool *spool, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&spool->lock);
    if (!spool->woken)
        pthread_cond_timedwait(&spool->changed, &spool->lock, &until);
    spool->woken = 0;
    pthread_mutex_unlock(&spool->lock);
}

void spool_wake(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->woken = 1;
    pthread_cond_broadcast(&spool->changed);
    pthread_mutex_unlock(&spool->lock);
}
