#include "base/file.h"
#include "edge/spool.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-spool-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static struct spool *open_fresh(uint64_t limit)
{
    struct err err = {0};
    assert_int_equal(file_remove_tree(folder, &err), 0);
    struct spool *spool = spool_open(folder, limit, &err);
    if (!spool)
        fail_msg("%s", err.message);
    return spool;
}

static int add(struct spool *spool, enum spool_rank rank, const char *meta, size_t size)
{
    struct err err = {0};
    char data[1000];
    memset(data, 'x', sizeof data);
    const struct spool_item item = {.rank = rank, .meta = meta, .data = data, .size = size};
    return spool_add(spool, &item, &err);
}

/* The first item's line; "" for none. */
static const char *first(struct spool *spool, uint64_t *id, size_t *size)
{
    static char line[SPOOL_MAX_META_BYTES + 1];
    struct buf meta, data;
    struct err err = {0};
    buf_init(&meta, SPOOL_MAX_META_BYTES);
    buf_init(&data, 1 << 20);
    int there = spool_first(spool, id, &meta, &data, &err);
    snprintf(line, sizeof line, "%s", there == 1 ? meta.data : "");
    *size = data.size;
    buf_finish(&meta);
    buf_finish(&data);
    return line;
}

static void items_come_in_order_and_outlive_the_program(void **state)
{
    (void)state;
    struct err err = {0};
    uint64_t id;
    size_t size;
    struct spool *spool = open_fresh(1 << 20);
    assert_int_equal(add(spool, SPOOL_QUESTION, "{\"n\":1}", 10), 0);
    assert_int_equal(add(spool, SPOOL_VIDEO, "{\"n\":2}", 0), 0);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "{\"n\":3}", 1000), 0);
    spool_close(spool);
    spool = spool_open(folder, 1 << 20, &err);
    assert_non_null(spool);
    assert_int_equal(spool_state(spool).items, 3);
    assert_string_equal(first(spool, &id, &size), "{\"n\":1}");
    assert_int_equal(size, 10);
    assert_string_equal(first(spool, &id, &size), "{\"n\":1}"); /* until it is removed */
    spool_remove(spool, id);
    assert_int_equal(spool_holds(spool, SPOOL_VIDEO, "\"n\":2"), 1);
    assert_int_equal(spool_holds(spool, SPOOL_VIDEO, "\"n\":3"), 0);
    assert_int_equal(spool_holds(spool, SPOOL_ARCHIVE, "\"n\":2"), 0);
    assert_string_equal(first(spool, &id, &size), "{\"n\":2}");
    assert_int_equal(spool_rewrite(spool, id, "{\"n\":2,\"id\":\"x\"}", &err), 0);
    assert_string_equal(first(spool, &id, &size), "{\"n\":2,\"id\":\"x\"}");
    spool_remove(spool, id);
    assert_string_equal(first(spool, &id, &size), "{\"n\":3}");
    assert_int_equal(size, 1000);
    spool_set_aside(spool, id);
    assert_string_equal(first(spool, &id, &size), "");
    assert_int_equal(spool_state(spool).bytes, 0);
    spool_close(spool);
}

static void the_oldest_of_the_least_rank_go_first(void **state)
{
    (void)state;
    uint64_t id;
    size_t size;
    struct spool *spool = open_fresh(4 * 1010);
    assert_int_equal(add(spool, SPOOL_QUESTION, "q1", 1000), 0);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "a1", 1000), 0);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "a2", 1000), 0);
    assert_int_equal(add(spool, SPOOL_QUESTION, "q2", 1000), 0);
    assert_int_equal(add(spool, SPOOL_QUESTION, "q3", 1000), 0); /* a1 goes */
    assert_int_equal(add(spool, SPOOL_VIDEO, "v1", 1000), 0);    /* a2 goes */
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "a3", 1000), -1); /* none below it */
    struct spool_state now = spool_state(spool);
    assert_int_equal(now.evicted, 2);
    assert_int_equal(now.of_rank[SPOOL_ARCHIVE], 0);
    assert_int_equal(now.of_rank[SPOOL_QUESTION], 3);
    assert_string_equal(first(spool, &id, &size), "q1");
    assert_int_equal(add(spool, SPOOL_QUESTION, "q4", 1000), 0); /* q1 is being sent: q2 goes */
    spool_remove(spool, id);
    assert_string_equal(first(spool, &id, &size), "q3");
    assert_true(spool_state(spool).bytes <= 4 * 1010);
    spool_close(spool);
}

static void what_can_never_fit_evicts_nothing(void **state)
{
    (void)state;
    struct spool *spool = open_fresh(500);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "a", 100), 0);
    assert_int_equal(add(spool, SPOOL_VIDEO, "v", 900), -1);
    assert_int_equal(add(spool, SPOOL_VIDEO, "two\nlines", 1), -1);
    assert_int_equal(spool_state(spool).items, 1);
    spool_close(spool);
}

static void the_time_says_the_order(void **state)
{
    (void)state;
    struct err err = {0};
    uint64_t id;
    size_t size;
    struct spool *spool = open_fresh(1 << 20);
    const int64_t times[] = {5000, 2000, 4000, 1000, 3000, 3000};
    for (int i = 0; i < 6; i++) {
        char meta[16];
        snprintf(meta, sizeof meta, "%d", (int)times[i]);
        const struct spool_item item = {.rank = SPOOL_QUESTION, .meta = meta, .unix_ms = times[i]};
        assert_int_equal(spool_add(spool, &item, &err), 0);
    }
    static const char *const sorted[] = {"1000", "2000", "3000", "3000", "4000", "5000"};
    for (int i = 0; i < 6; i++) {
        assert_string_equal(first(spool, &id, &size), sorted[i]);
        spool_remove(spool, id);
    }
    spool_close(spool);
}

static void after_a_clock_that_went_back_they_go_as_they_came(void **state)
{
    (void)state;
    struct err err = {0};
    uint64_t id;
    size_t size;
    const int64_t hour = 3600000, now = 1800000000000;
    const int64_t times[] = {now, now - hour, now - hour + 1000, now - hour + 500};
    const char *const lines[] = {"1", "2", "3", "4"};
    struct spool *spool = open_fresh(1 << 20);
    for (size_t i = 0; i < 4; i++) {
        const struct spool_item item = {
            .rank = SPOOL_QUESTION, .meta = lines[i], .unix_ms = times[i]};
        assert_int_equal(spool_add(spool, &item, &err), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(first(spool, &id, &size), lines[i]);
        spool_remove(spool, id);
    }
    spool_close(spool);
}

static void only_one_program_sends_from_it(void **state)
{
    (void)state;
    struct err err = {0};
    struct spool *spool = open_fresh(1000);
    assert_null(spool_open(folder, 1000, &err));
    assert_int_equal(err.code, ERR_BUSY);
    spool_close(spool);
}

static int is_aside(uint64_t id)
{
    char path[200];
    snprintf(path, sizeof path, "%s/aside/%020" PRIu64 "-0-0.item", folder, id);
    return access(path, F_OK) == 0;
}

static void what_is_set_aside_has_a_limit(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf meta, data;
    uint64_t ids[3];
    struct spool *spool = open_fresh(8 * 250);
    buf_init(&meta, SPOOL_MAX_META_BYTES);
    buf_init(&data, 1 << 20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(add(spool, SPOOL_ARCHIVE, "a", 100), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spool_first(spool, &ids[i], &meta, &data, &err), 1);
        spool_set_aside(spool, ids[i]);
    }
    assert_false(is_aside(ids[0]));
    assert_true(is_aside(ids[1]));
    assert_true(is_aside(ids[2]));
    assert_int_equal(spool_state(spool).aside, 3);
    assert_int_equal(spool_state(spool).items, 0);
    buf_finish(&meta);
    buf_finish(&data);
    spool_close(spool);
}

static void another_one_of_the_rank_may_be_picked(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf meta, data;
    uint64_t first, id;
    struct spool *spool = open_fresh(1 << 20);
    buf_init(&meta, SPOOL_MAX_META_BYTES);
    buf_init(&data, 1 << 20);
    assert_int_equal(add(spool, SPOOL_VIDEO, "v", 1), 0);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "a", 1), 0);
    struct spool_wish wish = {.ranks = 1 << SPOOL_ARCHIVE};
    assert_int_equal(spool_pick(spool, &wish, &first, &meta, &data, &err), 1);
    assert_string_equal(meta.data, "a");
    wish.but = first;
    assert_int_equal(spool_pick(spool, &wish, &id, &meta, &data, &err), 0);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "b", 1), 0);
    assert_int_equal(spool_pick(spool, &wish, &id, &meta, &data, &err), 1);
    assert_string_equal(meta.data, "b");
    wish.ranks = 1 << SPOOL_QUESTION;
    assert_int_equal(spool_pick(spool, &wish, &id, &meta, &data, &err), 0);
    buf_finish(&meta);
    buf_finish(&data);
    spool_close(spool);
}

static void a_damaged_item_can_be_set_aside(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf meta, data;
    uint64_t id;
    char path[200];
    spool_close(open_fresh(1 << 20));
    snprintf(path, sizeof path, "%s/%020d-1-0.item", folder, 7);
    assert_int_equal(file_write(path, "no line", 7, 0600, &err), 0);
    snprintf(path, sizeof path, "%s/rubbish.item", folder);
    assert_int_equal(file_write(path, "x", 1, 0600, &err), 0);
    struct spool *spool = spool_open(folder, 1 << 20, &err);
    buf_init(&meta, SPOOL_MAX_META_BYTES);
    buf_init(&data, 1 << 20);
    assert_int_equal(spool_first(spool, &id, &meta, &data, &err), -1);
    assert_int_equal(id, 7);
    spool_set_aside(spool, id);
    assert_int_equal(spool_first(spool, &id, &meta, &data, &err), 0);
    assert_int_equal(add(spool, SPOOL_ARCHIVE, "a", 1), 0); /* numbers go on */
    assert_int_equal(spool_first(spool, &id, &meta, &data, &err), 1);
    assert_true(id > 7);
    buf_finish(&meta);
    buf_finish(&data);
    spool_close(spool);
}

/* A child adds items and says so on a pipe after each; it is killed in mid-work. */
static void a_kill_loses_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    struct err err = {0};
    for (int round = 0; round < 10; round++) {
        int pipe_fds[2], acknowledged = 0;
        char byte;
        spool_close(open_fresh(1 << 24));
        assert_int_equal(pipe(pipe_fds), 0);
        pid_t child = fork();
        if (child == 0) {
            struct spool *spool = spool_open(folder, 1 << 24, &err);
            while (spool && add(spool, SPOOL_QUESTION, "{\"kind\":\"frame\"}", 1000) == 0 &&
                   write(pipe_fds[1], "x", 1) == 1)
                continue;
            _exit(1);
        }
        close(pipe_fds[1]);
        for (int i = 0; i < 3 + round; i++)
            acknowledged += read(pipe_fds[0], &byte, 1) == 1;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(pipe_fds[0], &byte, 1) == 1)
            acknowledged++;
        close(pipe_fds[0]);
        struct spool *spool = spool_open(folder, 1 << 24, &err);
        assert_non_null(spool);
        uint64_t items = spool_state(spool).items, id;
        assert_true(items >= (uint64_t)acknowledged && items <= (uint64_t)acknowledged + 1);
        for (uint64_t i = 0; i < items; i++) {
            size_t size;
            assert_string_equal(first(spool, &id, &size), "{\"kind\":\"frame\"}");
            assert_int_equal(size, 1000);
            spool_remove(spool, id);
        }
        spool_close(spool);
    }
}

static void several_are_added_up_to_the_first_that_cannot_be(void **state)
{
    (void)state;
    struct err err = {0};
    uint64_t id;
    size_t size;
    char data[1000] = {0};
    struct spool_item items[SPOOL_BATCH + 1];
    struct spool *spool = open_fresh(1 << 20);
    for (int i = 0; i <= SPOOL_BATCH; i++)
        items[i] = (struct spool_item){
            .rank = SPOOL_QUESTION, .meta = "{}", .unix_ms = 1000 + i, .data = data, .size = 500};
    assert_int_equal(spool_add_all(spool, items, SPOOL_BATCH + 1, &err), SPOOL_BATCH);
    assert_int_equal(spool_state(spool).items, SPOOL_BATCH);
    items[0].meta = "{\"n\":1}";
    items[0].unix_ms = 1;
    items[2].meta = "two\nlines";
    assert_int_equal(spool_add_all(spool, items, 4, &err), 2);
    assert_int_equal(err.code, ERR_TOO_BIG);
    assert_int_equal(spool_state(spool).items, SPOOL_BATCH + 2);
    assert_string_equal(first(spool, &id, &size), "{\"n\":1}");
    assert_int_equal(size, 500);
    spool_close(spool);
    spool = spool_open(folder, 1 << 20, &err);
    assert_non_null(spool);
    assert_int_equal(spool_state(spool).items, SPOOL_BATCH + 2);
    assert_int_equal(spool_add_all(spool, items, 0, &err), 0);
    spool_close(spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order_and_outlive_the_program),
        cmocka_unit_test(the_oldest_of_the_least_rank_go_first),
        cmocka_unit_test(what_can_never_fit_evicts_nothing),
        cmocka_unit_test(the_time_says_the_order),
        cmocka_unit_test(after_a_clock_that_went_back_they_go_as_they_came),
        cmocka_unit_test(only_one_program_sends_from_it),
        cmocka_unit_test(what_is_set_aside_has_a_limit),
        cmocka_unit_test(another_one_of_the_rank_may_be_picked),
        cmocka_unit_test(a_damaged_item_can_be_set_aside),
        cmocka_unit_test(several_are_added_up_to_the_first_that_cannot_be),
        cmocka_unit_test(a_kill_loses_nothing_that_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
