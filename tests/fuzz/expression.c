#include "cloud/dynamodb/expression.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char item_text[] =
    "{\"a\":{\"S\":\"x\"},\"n\":{\"N\":\"5\"},\"l\":{\"L\":[{\"N\":\"1\"},{\"M\":{\"k\":{\"S\":"
    "\"v\"}}},{\"L\":[{\"N\":\"2\"},{\"SS\":[\"q\"]}]}]},\"m\":{\"M\":{\"a\":{\"N\":\"7\"}}},\"s\":"
    "{\"SS\":[\"p\",\"q\"]}}";
static const char values_text[] = "{\":s\":{\"S\":\"x\"},\":n\":{\"N\":\"2\"},\":l\":{\"L\":[]},"
                                  "\":q\":{\"SS\":[\"q\"]},\":t\":{\"S\":\"N\"}}";

/* What an update made of an item is an item: it can be written and read again. */
static void check_item(const struct value *item, struct arena *arena)
{
    struct err err = {0};
    struct value again;
    struct buf text;
    buf_init(&text, (size_t)16 << 20);
    item_write(&text, item);
    json_t *json = json_loadb(text.data, text.size, JSON_ALLOW_NUL, NULL);
    if (!json || item_from_json(json, &again, arena, &err) < 0 || !value_equal(item, &again))
        abort();
    json_decref(json);
    buf_finish(&text);
}

/* The bytes as each kind of expression; what parses is run against an item. */
static void run(const char *text, struct arena *arena, const json_t *item_json, const json_t *names,
                const json_t *values)
{
    struct substitutions s;
    struct err err = {0};
    struct value item, changed;
    struct update update;
    struct projection projection;
    if (substitutions_init(&s, names, values, VALUE_OLDER, arena, &err) < 0 ||
        item_from_json(item_json, &item, arena, &err) < 0)
        abort();
    struct node *node = condition_parse(&s, "ConditionExpression", text, &err);
    if (!node && err.code == ERR_NONE)
        abort(); /* a refusal says why */
    if (node)
        condition_holds(node, &item);
    if (projection_parse(&s, text, &projection, &err) == 0 &&
        projection_apply(&projection, &item, &changed, arena, &err) < 0)
        abort();
    if (update_parse(&s, text, &update, &err) == 0 &&
        value_copy(&changed, &item, arena, &err) == 0 &&
        update_apply(&update, &changed, arena, &err) == 0)
        check_item(&changed, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    if (size > 2 * EXPRESSION_MAX_BYTES)
        return 0;
    arena_init(&arena, 16 << 20);
    json_t *item = json_loads(item_text, 0, NULL), *values = json_loads(values_text, 0, NULL);
    json_t *names = json_loads("{\"#a\":\"a\"}", 0, NULL);
    char *text = arena_copy(&arena, data, size);
    if (text)
        run(text, &arena, item, names, values);
    json_decref(item);
    json_decref(values);
    json_decref(names);
    arena_finish(&arena);
    return 0;
}
