#ifndef CLOUD_DYNAMODB_TABLE_H
#define CLOUD_DYNAMODB_TABLE_H

#include "cloud/dynamodb/expression.h"

#include <pthread.h>
#include <stdatomic.h>

/* A table as its definition says, and the bytes under which its items are stored.
 *
 * Items of a table lie in the SQL table i<id>(key BLOB PRIMARY KEY, item TEXT, size): `item` is
 * DynamoDB's JSON as it goes over the wire, `size` what DynamoDB counts. A key is a 4-byte hash of
 * the partition key (so that segments of a parallel scan are ranges), then partition key and sort
 * key in an encoding whose byte order is the order of the values: a query is one range of the
 * SQL index. Index n of a table is x<id>_<n>(key BLOB PRIMARY KEY, base BLOB): its own keys, then
 * the item's key, so that equal index keys stay apart. Where items have a time to live, index 99
 * has the second at which it ends (8 bytes, big-endian) and the item's key.
 *
 * A definition is what DescribeTable shows, and besides members that begin with "ken:": an index's
 * "ken:number" (absent: its position), and the table's "ken:ttl" {"AttributeName", "Backfilling"}.
 */
enum {
    TABLE_MAX_INDEXES = 25,      /* 20 global, 5 local */
    TABLE_TTL_NUMBER = 99,       /* of the index that times to live have */
    TABLE_MAX_HASH_BYTES = 2048, /* of all the attributes of a partition key together */
    TABLE_MAX_RANGE_BYTES = 1024,
    TABLE_SQL_BYTES = 256,
};

struct key_part {
    const char *name;
    enum value_type type;
};
enum { KEY_MAX_SIDE = 4, KEY_MAX_PARTS = 2 * KEY_MAX_SIDE };
struct key_schema {
    struct key_part parts[KEY_MAX_PARTS]; /* HASH, RANGE; several of each only in global indexes */
    size_t count, hashes;
};

enum projection_type { PROJECTION_ALL, PROJECTION_KEYS_ONLY, PROJECTION_INCLUDE };

struct table_index {
    const char *name;
    struct key_schema keys;
    int global, number;
    int backfilling; /* made after the table, and not all of its items are in yet */
    enum projection_type type;
    struct projection projection; /* what the index holds, unless all */
};

/* What an index holds, as it was last counted (index_sizes.c). */
struct index_size {
    int64_t items, bytes;
};

struct table {
    int64_t id;
    const char *name;
    json_t *definition; /* as DescribeTable gives it, without what changes */
    struct key_schema keys;
    struct table_index indexes[TABLE_MAX_INDEXES];
    size_t index_count;
    const char *ttl_name; /* the attribute with the time to live; NULL: there is none */
    int ttl_backfilling;
    atomic_int dropped;
    atomic_int stale; /* a changed definition is in its place: writes must not use this one */
    atomic_int references;
    pthread_mutex_t sizes_lock; /* of the next three */
    struct index_size sizes[TABLE_MAX_INDEXES];
    int64_t sizes_ms, sizes_cost_ms; /* when they were counted; 0: never */
    atomic_int sizes_wanted;         /* the worker shall count */
    struct arena arena;              /* of the names */
};

/* From a definition (taken over, also on failure). One reference. */
struct table *table_create(int64_t id, json_t *definition, struct err *err);
void table_release(struct table *table); /* NULL is fine */
const struct table_index *table_find_index(const struct table *table, const char *name);
int key_schema_has(const struct key_schema *keys, const char *name);

struct key {
    const unsigned char *data;
    size_t size;
};
/* Key of an item that has all key attributes in the right types. */
int table_key(const struct table *table, const struct value *item, struct key *out,
              struct arena *arena, struct err *err) MUST_USE;
/* Its key in an index: returns 1, or 0 when the item is not in it (attributes absent, or of a type
 * or length that no key has). */
int table_index_key(const struct table *table, const struct table_index *index,
                    const struct value *item, struct key *out, struct arena *arena,
                    struct err *err) MUST_USE;
/* Its key in the index of times to live: 1, or 0 when it has none (no number, or out of reason). */
int table_ttl_key(const struct table *table, const struct value *item, struct key *out,
                  struct arena *arena, struct err *err) MUST_USE;
/* The values of a key in the order of its schema: all `hashes` of the partition key, then as many
 * of the sort key as there are. */
struct key_values {
    const struct value *values[KEY_MAX_PARTS];
    size_t count, hashes;
};
/* The beginning that all keys with these values share. `whole`: the last is the full value, not a
 * beginning of it. */
int key_prefix(const struct key_values *of, int whole, struct key *out, struct arena *arena,
               struct err *err) MUST_USE;
/* The smallest byte string that is larger than all that begin with `key`; size 0: there is none. */
int key_after(const struct key *key, struct key *out, struct arena *arena,
              struct err *err) MUST_USE;

/* AWS's checks. ERR_INVALID: not what the schema says; ERR_TOO_BIG: empty or too long, which no
 * table takes. The key of a request: exactly the key attributes. */
int table_check_key(const struct table *table, const struct value *key, struct err *err) MUST_USE;
/* An item to be stored: key attributes present, types right, nothing empty or too long. */
int table_check_item(const struct table *table, const struct value *item, struct err *err) MUST_USE;
/* `updated`: by an update expression, which has a text of its own. */
int table_check_index_keys(const struct table *table, const struct value *item, int updated,
                           struct err *err) MUST_USE;

#endif
