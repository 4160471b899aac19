#ifndef EDGE_SPOOL_FILE_H
#define EDGE_SPOOL_FILE_H

#include "edge/spool.h"

/* The files of the spool's folder; inside the edge module only. */

enum { SPOOL_NAME_BYTES = 64 };

/* Small, as a day without network may be a million of them. */
struct spool_entry {
    uint64_t id, outside; /* bytes of a file elsewhere */
    uint32_t own;         /* bytes of the item's file */
    uint8_t rank, gone;
};

struct spool_file {
    struct spool_entry entry;
    const struct spool_item *item;
};

/* "00000000000000000042-1-0.item": number, rank, bytes outside. -1: it is no item's name. */
void spool_name(const struct spool_entry *entry, char name[SPOOL_NAME_BYTES]);
int spool_parse_name(const char *name, struct spool_entry *entry) MUST_USE;

/* Writes the files, at most SPOOL_BATCH, into the folder: how many of the first are there, durably
 * and whole; nothing is left of the others, and `err` says why. */
size_t spool_write(int folder, const struct spool_file files[], size_t count,
                   struct err *err) MUST_USE;
/* Removes those that were written. */
void spool_unwrite(int folder, const struct spool_file files[], size_t count);
/* Puts another content in the place of a file that is there: after a failure it has the one or the
 * other, whole. */
int spool_rewrite_file(int folder, const struct spool_file *file, struct err *err) MUST_USE;

#endif
