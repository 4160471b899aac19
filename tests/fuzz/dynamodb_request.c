#include "cloud/dynamodb/request.h"
#include "cloud/dynamodb/shape.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A request as far as it goes without a table: its shape, legacy parameters and expressions; and
 * these against the item that it holds. */

static const struct {
    const char *name;
    unsigned uses;
} operations[] = {
    {"PutItem", USES_CONDITION},
    {"UpdateItem", USES_CONDITION | USES_UPDATE},
    {"Query", USES_KEY_CONDITION | USES_FILTER | USES_PROJECTION},
    {"Scan", USES_FILTER | USES_PROJECTION},
    {"GetItem", USES_PROJECTION},
    {"CreateTable", 0},
    {"UpdateTable", 0},
    {"TransactWriteItems", 0},
    {"BatchWriteItem", 0},
    {"BatchGetItem", 0},
};

static void evaluate(struct request *r, const struct expressions *e)
{
    struct value item, part;
    const json_t *json = json_object_get(r->body, "Item");
    if (!json)
        json = json_object_get(r->body, "Key");
    if (!json || item_from_json(json, &item, r->arena, &r->err) < 0)
        return;
    const struct node *conditions[] = {e->condition, e->filter, e->key_condition};
    for (size_t i = 0; i < 3; i++)
        if (conditions[i] && condition_holds(conditions[i], &item) < 0)
            abort();
    if (e->has_projection &&
        projection_apply(&e->projection, &item, &part, r->arena, &r->err) == 0 &&
        item_size(&part) > item_size(&item))
        abort();
    if (e->has_update && update_apply(&e->update, &item, r->arena, &r->err) < 0 && !r->err.code)
        abort();
}

static void run(const json_t *body, size_t operation, struct arena *arena)
{
    struct request r = {.arena = arena, .body = body, .operation = operations[operation].name};
    struct expressions expressions;
    enum shape_style style;
    const struct shape *shape = shape_of_operation(r.operation, &style);
    if (shape_check(shape, style, body, arena, &r.message, &r.err) < 0) {
        if (!r.err.code || (r.message && !*r.message))
            abort();
        if (shape_check_values(shape, body, &r.err) < 0 && r.err.code != ERR_CORRUPT)
            abort();
        return;
    }
    if (expressions_parse(&r, body, operations[operation].uses, &expressions) == 0)
        evaluate(&r, &expressions);
    else if (!r.err.code)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    for (size_t i = 0; json_is_object(json) && i < sizeof operations / sizeof *operations; i++) {
        arena_init(&arena, (size_t)64 << 20);
        run(json, i, &arena);
        arena_finish(&arena);
    }
    json_decref(json);
    return 0;
}
