#include "aws/attribute.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A member that is found is the member that jansson finds. */
static void one_by_one(const struct buf *plain, const json_t *record)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)record, name, member)
    {
        size_t bytes;
        const char *value = attribute_plain_member(plain->data, plain->size, name, &bytes);
        if (!value)
            continue; /* its name is written with escapes */
        json_t *read = json_loadb(value, bytes, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        if (!json_equal(read, member))
            abort();
        json_decref(read);
    }
}

/* What passes as a record must come out typed, and be the same record when made plain again. */
static void both_ways(const char *text, size_t size)
{
    struct err err = {0};
    struct buf typed, plain;
    buf_init(&typed, 1 << 22);
    buf_init(&plain, 1 << 22);
    if (attribute_from_plain(text, size, &typed, &err) == 0) {
        json_t *item = json_loadb(typed.data, typed.size, JSON_DECODE_INT_AS_REAL, NULL);
        json_t *record = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, NULL);
        if (!item || attribute_to_plain(item, &plain, &err) < 0)
            abort();
        json_t *again = json_loadb(plain.data, plain.size, JSON_DECODE_INT_AS_REAL, NULL);
        if (!again || !json_equal(record, again))
            abort();
        one_by_one(&plain, again);
        json_decref(item);
        json_decref(record);
        json_decref(again);
    }
    buf_finish(&typed);
    buf_finish(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct buf plain;
    both_ways((const char *)data, size);
    json_t *item = json_loadb((const char *)data, size, 0, NULL);
    buf_init(&plain, 1 << 22);
    if (item && attribute_to_plain(item, &plain, &err) == 0) {
        json_error_t problem;
        json_t *record = json_loadb(plain.data, plain.size, JSON_DECODE_INT_AS_REAL, &problem);
        /* a number past a double's range is the one thing jansson cannot read */
        if (!record && json_error_code(&problem) != json_error_numeric_overflow)
            abort();
        json_decref(record);
    }
    buf_finish(&plain);
    json_decref(item);
    return 0;
}
