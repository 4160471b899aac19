#ifndef EDGE_SPOOL_H
#define EDGE_SPOOL_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* What has to be sent and could not be yet: a queue on the disk that outlives the program and the
 * power. One file an item: a line of JSON, then its bytes. A file is written under another name,
 * synced and renamed, so an item is there as a whole or not at all, and what spool_add() has
 * returned 0 for is there after a kill or a power cut. Thread safe; one program at a time (a lock
 * file sees to it). */
struct spool;

/* What goes first when the spool is full. */
enum spool_rank { SPOOL_ARCHIVE, SPOOL_QUESTION, SPOOL_VIDEO, SPOOL_RANKS };

enum { SPOOL_MAX_ITEMS = 1000000, SPOOL_MAX_META_BYTES = 8192, SPOOL_BATCH = 64 };

struct spool_item {
    enum spool_rank rank;
    const char *meta; /* one line of JSON */
    const void *data; /* its bytes, or NULL */
    size_t size;
    int64_t unix_ms;        /* its place in the queue; 0: now */
    uint64_t outside_bytes; /* of a file elsewhere that the item stands for */
};

/* Opens or makes the folder and counts what is in it. ERR_BUSY when another program has it open. */
struct spool *spool_open(const char *folder, uint64_t limit_bytes, struct err *err);
void spool_close(struct spool *spool); /* NULL is fine */

/* Durable when it returns 0. Where the limit is passed, the oldest items of the lowest rank go, but
 * none above the new one's; ERR_NO_SPACE when that is not enough. */
int spool_add(struct spool *spool, const struct spool_item *item, struct err *err) MUST_USE;
/* The same of several, with few more syncs than for one: how many of the first are in it, at most
 * SPOOL_BATCH. Where that is fewer than could be, `err` says what is wrong with the next one. */
size_t spool_add_all(struct spool *spool, const struct spool_item items[], size_t count,
                     struct err *err) MUST_USE;

/* The oldest item: 1 and its number, with its line and bytes in `meta` and `data` (cleared before);
 * 0 when there is none; -1 when it cannot be read (`id` tells which one). */
int spool_first(struct spool *spool, uint64_t *id, struct buf *meta, struct buf *data,
                struct err *err) MUST_USE;
/* The same of the oldest item of these ranks; or of any other one of them than `but`, drawn. */
struct spool_wish {
    unsigned ranks; /* 1 << rank of each */
    uint64_t but;   /* 0: the oldest */
};
int spool_pick(struct spool *spool, const struct spool_wish *wish, uint64_t *id, struct buf *meta,
               struct buf *data, struct err *err) MUST_USE;
/* Another line for the item, durably; its bytes must have been none. */
int spool_rewrite(struct spool *spool, uint64_t id, const char *meta, struct err *err) MUST_USE;
/* It was sent. After a power cut it may be there again: what is sent must bear that. */
void spool_remove(struct spool *spool, uint64_t id);
/* It will never be sent: it goes to the folder SPOOL_ASIDE below the queue's, and waits no more.
 * An eighth of the limit may lie there; then the oldest go. */
#define SPOOL_ASIDE "aside"
void spool_set_aside(struct spool *spool, uint64_t id);

/* Whether an item of the rank has this text in its line. Reads their files: for a few large ones.
 */
int spool_holds(struct spool *spool, enum spool_rank rank, const char *text);

struct spool_state {
    uint64_t items, bytes;
    uint64_t evicted, aside; /* since it was opened: went as it was full, was set aside */
    uint64_t of_rank[SPOOL_RANKS];
};
struct spool_state spool_state(struct spool *spool);
/* Wait for an item, at most so long, or until spool_wake(). */
void spool_wait(struct spool *spool, int timeout_ms);
void spool_wake(struct spool *spool);

#endif
