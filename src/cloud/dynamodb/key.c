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
static size_t append_hash(unsigned char *out, const struct key_values *of)
{
    size_t size = 0;
    for (size_t i = 0; i < of->hashes; i++)
        size += append(out + 4 + size, of->values[i], 1);
    uint32_t crc = (uint32_t)crc32(0, out + 4, (unsigned)size);
    crc *= 2654435761u; /* near keys far apart: segments of a scan fill evenly */
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(crc >> (24 - 8 * i));
    return size + 4;
}

int key_prefix(const struct key_values *of, int whole, struct key *out, struct arena *arena,
               struct err *err)
{
    size_t most = 4;
    for (size_t i = 0; i < of->count; i++)
        most += bound(of->values[i]);
    unsigned char *data = arena_alloc(arena, most, 1);
    if (!data)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    size_t size = append_hash(data, of);
    for (size_t i = of->hashes; i < of->count; i++)
        size += append(data + size, of->values[i], whole || i + 1 < of->count);
    *out = (struct key){data, size};
    return 0;
}

int table_key(const struct table *table, const struct value *item, struct key *out,
              struct arena *arena, struct err *err)
{
    struct key_values of = {.count = table->keys.count, .hashes = 1};
    for (size_t i = 0; i < of.count; i++) {
        of.values[i] = value_member(item, table->keys.parts[i].name);
        if (!of.values[i])
            return err_set(err, ERR_INVALID, "The provided key element does not match the schema");
    }
    return key_prefix(&of, 1, out, arena, err);
}

/* An item from before the index was may hold what is no key: AWS leaves it out. */
static int fits_index(const struct key_schema *keys, const struct value *item,
                      struct key_values *out)
{
    size_t sizes[2] = {0, 0};
    *out = (struct key_values){.count = keys->count, .hashes = keys->hashes};
    for (size_t i = 0; i < keys->count; i++) {
        const struct value *value = value_member(item, keys->parts[i].name);
        if (!value || value->type != keys->parts[i].type ||
            (value->type != VALUE_N && !value->bytes.size))
            return 0;
        out->values[i] = value;
        sizes[i >= keys->hashes] += value->type == VALUE_N ? 0 : value->bytes.size;
    }
    return sizes[0] <= TABLE_MAX_HASH_BYTES && sizes[1] <= TABLE_MAX_RANGE_BYTES;
}

int table_index_key(const struct table *table, const struct table_index *index,
                    const struct value *item, struct key *out, struct arena *arena, struct err *err)
{
    struct key_values of;
    struct key own, base;
    if (!fits_index(&index->keys, item, &of))
        return 0;
    if (key_prefix(&of, 1, &own, arena, err) < 0 || table_key(table, item, &base, arena, err) < 0)
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
