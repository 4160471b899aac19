#include "edge/records.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A table that counts how often it is asked, and may be out of reach. */
struct table {
    int asked, gone;
    const char *plain; /* NULL: nobody */
};

static int fetch(void *context, const char *name, struct buf *plain, struct err *err)
{
    struct table *table = context;
    (void)name;
    table->asked++;
    if (table->gone)
        return err_set(err, ERR_UNAVAILABLE, "GetItem: no route");
    if (table->plain)
        buf_puts(plain, table->plain);
    return table->plain != NULL;
}

static struct records *open_records(struct table *table, double lifetime_s)
{
    struct err err = {0};
    const struct records_source source = {fetch, table};
    struct records *records = records_create(&source, lifetime_s, &err);
    assert_non_null(records);
    return records;
}

static void expect(struct records *records, const char *name, int found, const char *plain)
{
    struct err err = {0};
    struct buf got;
    buf_init(&got, RECORDS_MAX_BYTES);
    assert_int_equal(records_get(records, name, &got, &err), found);
    if (plain)
        assert_string_equal(got.data, plain);
    else
        assert_int_equal(got.size, 0);
    buf_finish(&got);
}

static void a_record_is_fetched_once(void **state)
{
    (void)state;
    struct table table = {.plain = "{\"id\": 1}"};
    struct records *records = open_records(&table, 60);
    for (int i = 0; i < 5; i++)
        expect(records, "a", 1, table.plain);
    assert_int_equal(table.asked, 1);
    expect(records, "b", 1, table.plain);
    assert_int_equal(table.asked, 2);
    records_close(records);
}

static void an_old_record_is_fetched_again(void **state)
{
    (void)state;
    struct table table = {.plain = "1"};
    struct records *records = open_records(&table, 0);
    expect(records, "a", 1, "1");
    table.plain = "2";
    expect(records, "a", 1, "2");
    records_close(records);
}

static void nobody_is_remembered_too(void **state)
{
    (void)state;
    struct table table = {0};
    struct records *records = open_records(&table, 60);
    expect(records, "a", 0, NULL);
    expect(records, "a", 0, NULL);
    assert_int_equal(table.asked, 1);
    records_close(records);
}

static void without_a_network_the_old_record_serves(void **state)
{
    (void)state;
    struct table table = {.plain = "1"};
    struct records *records = open_records(&table, 0);
    expect(records, "a", 1, "1");
    table.gone = 1;
    expect(records, "a", 1, "1");
    records_close(records);
}

static void without_anything_the_name_alone_is_the_record(void **state)
{
    (void)state;
    struct table table = {.gone = 1};
    struct records *records = open_records(&table, 60);
    expect(records, "o\"o", 1, "{\"name\": \"o\\\"o\"}");
    expect(records, "b", 1, "{\"name\": \"b\"}");
    assert_int_equal(table.asked, 1); /* a silent table is left alone for a while */
    records_close(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_fetched_once),
        cmocka_unit_test(an_old_record_is_fetched_again),
        cmocka_unit_test(nobody_is_remembered_too),
        cmocka_unit_test(without_a_network_the_old_record_serves),
        cmocka_unit_test(without_anything_the_name_alone_is_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
