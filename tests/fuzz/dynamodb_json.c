#include "cloud/dynamodb/value.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An item that is accepted, written and read again is the same item of the same size. */
static void run(const json_t *json, struct arena *arena)
{
    struct value item, again;
    struct err err = {0};
    struct buf text;
    if (item_from_json(json, &item, arena, &err) < 0)
        return;
    buf_init(&text, (size_t)16 << 20);
    item_write(&text, &item);
    json_t *second = json_loadb(text.data, text.size, JSON_ALLOW_NUL, NULL);
    if (!second || item_from_json(second, &again, arena, &err) < 0 || !value_equal(&item, &again) ||
        item_size(&item) != item_size(&again))
        abort();
    json_decref(second);
    buf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (!json)
        return 0;
    arena_init(&arena, (size_t)64 << 20);
    run(json, &arena);
    json_decref(json);
    arena_finish(&arena);
    return 0;
}
