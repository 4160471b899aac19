#include "cloud/dynamodb/table.h"

#include <string.h>
#include <zlib.h>

/* Keys as bytes. Strings and binaries: each byte, 00 as 00 FF, and 00 00 at the end; numbers as
 * number_key(). None begins another, so values may follow one another. */

static size_t bound(const struct value *value)
{
    return value->type == VALUE_N ? NUMBER_KEY_BYTES : 2 * value->bytes.size + 2;
}

static size_t append(unsigned char *out, const struct value *value, int whole)
{
    if (value->type == VALUE_N)
        return number_key(&value->number, out);
    size_t size = 0;
    for (size_t i = 0; i < value->bytes.size; i++) {
        out[size++] = (unsigned char)value->bytes.data[i];
        if (!value->bytes.data[i])
            out[size++] = 0xff;
    }
    if (whole) {
        out[size++] = 0;
        out[size++] = 0;
    }
    return size;
}

/* The partition key behind its hash. */
static size_t append_hash(unsigned char *out, const struct value *hash)
{
    size_t size = append(out + 4, hash, 1);
    uint32_t crc = (uint32_t)crc32(0, out + 4, (unsigned)size);
    crc *= 2654435761u; /* near keys far apart: segments of a scan fill evenly */
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(crc >> (24 - 8 * i));
    return size + 4;
}

int key_prefix(const struct value *hash, const struct value *range, int whole, struct key *out,
               struct arena *arena, struct err *err)
{
    unsigned char *data = arena_alloc(arena, 4 + bound(hash) + (range ? bound(range) : 0), 1);
    if (!data)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    size_t size = append_hash(data, hash);
    if (range)
        size += append(data + size, range, whole);
    *out = (struct key){data, size};
    return 0;
}

int table_key(const struct table *table, const struct value *item, struct key *out,
              struct arena *arena, struct err *err)
{
    const struct value *hash = value_member(item, table->keys.parts[0].name);
    const struct value *range =
        table->keys.count > 1 ? value_member(item, table->keys.parts[1].name) : NULL;
    if (!hash || (table->keys.count > 1 && !range))
        return err_set(err, ERR_INVALID, "The provided key element does not match the schema");
    return key_prefix(hash, range, 1, out, arena, err);
}

/* An item from before the index was may hold what is no key: AWS leaves it out. */
static int fits_index(const struct value *value, const struct key_part *part, size_t at)
{
    size_t most = at ? TABLE_MAX_RANGE_BYTES : TABLE_MAX_HASH_BYTES;
    return value && value->type == part->type &&
           (value->type == VALUE_N || (value->bytes.size && value->bytes.size <= most));
}

int table_index_key(const struct table *table, const struct table_index *index,
                    const struct value *item, struct key *out, struct arena *arena, struct err *err)
{
    const struct value *parts[2] = {NULL, NULL};
    for (size_t i = 0; i < index->keys.count; i++) {
        parts[i] = value_member(item, index->keys.parts[i].name);
        if (!fits_index(parts[i], &index->keys.parts[i], i))
            return 0;
    }
    struct key own, base;
    if (key_prefix(parts[0], parts[1], 1, &own, arena, err) < 0 ||
        table_key(table, item, &base, arena, err) < 0)
        return -1;
    unsigned char *data = arena_alloc(arena, own.size + base.size, 1);
    if (!data)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    memcpy(data, own.data, own.size);
    memcpy(data + own.size, base.data, base.size);
    *out = (struct key){data, own.size + base.size};
    return 1;
}

/* Whole seconds of a positive number below 10^12; -1 otherwise. */
static int64_t seconds_of(const struct value *value)
{
    int64_t seconds = 0;
    if (!value || value->type != VALUE_N || value->number.sign != 1 || value->number.exponent < 1 ||
        value->number.exponent > 12)
        return -1;
    for (int i = 0; i < value->number.exponent; i++)
        seconds = seconds * 10 + (i < value->number.count ? value->number.digits[i] : 0);
    return seconds;
}

int table_ttl_key(const struct table *table, const struct value *item, struct key *out,
                  struct arena *arena, struct err *err)
{
    int64_t seconds = seconds_of(value_member(item, table->ttl_name));
    struct key base;
    if (seconds < 0)
        return 0;
    if (table_key(table, item, &base, arena, err) < 0)
        return -1;
    unsigned char *data = arena_alloc(arena, 8 + base.size, 1);
    if (!data)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    for (int i = 0; i < 8; i++)
        data[i] = (unsigned char)((uint64_t)seconds >> (56 - 8 * i));
    memcpy(data + 8, base.data, base.size);
    *out = (struct key){data, 8 + base.size};
    return 1;
}

int key_after(const struct key *key, struct key *out, struct arena *arena, struct err *err)
{
    size_t size = key->size;
    while (size && key->data[size - 1] == 0xff)
        size--;
    unsigned char *data = (unsigned char *)arena_copy(arena, key->data, size);
    if (!data)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    if (size)
        data[size - 1]++;
    *out = (struct key){data, size};
    return 0;
}
