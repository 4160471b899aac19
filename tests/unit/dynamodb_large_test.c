#include "cloud/dynamodb/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An item of 400 KB may have tens of thousands of members: nothing may look at each for each. */

static const struct value one = {.type = VALUE_NULL};

static struct value make_map(struct arena *arena, int count, int backward)
{
    struct value map = {.type = VALUE_M};
    map.map.members = arena_new(arena, struct member, (size_t)count);
    assert_non_null(map.map.members);
    for (int i = 0; i < count; i++) {
        const char *name = arena_printf(arena, "%d", backward ? count - 1 - i : i);
        map.map.members[map.map.count++] = (struct member){name, one};
    }
    return map;
}

static struct value make_list(struct arena *arena, int count)
{
    struct err err = {0};
    struct value list = {.type = VALUE_L};
    for (int i = 0; i < count; i++)
        assert_int_equal(value_append(&list, &one, arena, &err), 0);
    return list;
}

static void maps_are_equal_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 65000 };
    struct arena arena;
    arena_init(&arena, 64 << 20);
    struct value forth = make_map(&arena, COUNT, 0), back = make_map(&arena, COUNT, 1);
    assert_true(value_equal(&forth, &back));
    back.map.members[7].name = "other";
    assert_false(value_equal(&forth, &back));
    assert_false(value_equal(&back, &forth));
    arena_finish(&arena);
}

static void update(struct arena *arena, struct value *item, const char *text)
{
    struct substitutions s;
    struct err err = {0};
    struct update update;
    assert_int_equal(substitutions_init(&s, NULL, NULL, VALUE_OLDER, arena, &err), 0);
    if (update_parse(&s, text, &update, &err) < 0 || update_apply(&update, item, arena, &err) < 0)
        fail_msg("%s", err.message);
}

/* In place: a copy of all for each would not fit the request's memory. */
static void an_update_adds_much_to_much(void **state)
{
    (void)state;
    enum { LARGE = 2000, MORE = 100 };
    struct arena arena;
    struct err err = {0};
    char text[EXPRESSION_MAX_BYTES] = "SET n = m.x";
    arena_init(&arena, 8 << 20);
    struct member members[] = {{"m", make_map(&arena, LARGE, 0)}, {"l", make_list(&arena, LARGE)}};
    struct value item, before = {.type = VALUE_M, .map = {members, 2, 0}};
    members[0].value.map.members[0].name = "x";
    for (int i = 0; i < MORE; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, ",m.x%d=l[0],l[9%03d]=m.x", i, i);
    }
    assert_int_equal(value_copy(&item, &before, &arena, &err), 0);
    update(&arena, &item, text);
    assert_int_equal(value_member(&item, "m")->map.count, LARGE + MORE);
    assert_int_equal(value_member(&item, "l")->list.count, LARGE + MORE);
    assert_int_equal(members[0].value.map.count, LARGE);
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_equal_in_any_order),
        cmocka_unit_test(an_update_adds_much_to_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
