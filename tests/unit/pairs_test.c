#include "base/file.h"
#include "face/pairs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/ken-pairs-XXXXXX";

static int read_text(struct pair_list *list, const char *text, struct err *err)
{
    struct err writing = {0};
    assert_int_equal(file_write(path, text, strlen(text), 0600, &writing), 0);
    return pair_list_read(list, path, err);
}

static void assert_refused(const char *text, const char *reason)
{
    struct err err = {0};
    struct pair_list list;
    assert_int_equal(read_text(&list, text, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    if (!strstr(err.message, reason))
        fail_msg("\"%s\" does not say \"%s\"", err.message, reason);
}

static void read_refuses_what_is_no_list_of_pairs(void **state)
{
    (void)state;
    assert_refused("", "empty");
    assert_refused("image_a\timage_b\tsame\n", "no pairs");
    assert_refused("a\tb\t1\na\tb\n", "line 2: 2 columns");
    assert_refused("a\tb\t1\tc\n", "line 1: 4 columns");
    assert_refused("a\tb\t1\nc\td\tyes\n", "line 2: same is \"yes\"");
    assert_refused("a\tb\t1\n\n\nc\td\t2\n", "line 4: same is \"2\"");
    assert_refused("a\tb\t1\n\tb\t0\n", "line 2: an image name is empty");
}

static void read_names_an_absent_file(void **state)
{
    (void)state;
    struct err err = {0};
    struct pair_list list;
    assert_int_equal(pair_list_read(&list, "/nonexistent.tsv", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void read_takes_a_heading_or_none_and_any_line_ends(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "image_a\timage_b\tsame\nx.jpg\ty.jpg\t1\ny.jpg\ta.jpg\t0\n",
        "x.jpg\ty.jpg\t1\r\ny.jpg\ta.jpg\t0\r\n", "x.jpg\ty.jpg\t1\n\ny.jpg\ta.jpg\t0"};
    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};
        struct pair_list list;
        assert_int_equal(read_text(&list, texts[i], &err), 0);
        assert_int_equal(list.count, 2);
        assert_int_equal(list.photo_count, 3);
        assert_string_equal(list.photos[list.pairs[0].a], "x.jpg");
        assert_string_equal(list.photos[list.pairs[0].b], "y.jpg");
        assert_string_equal(list.photos[list.pairs[1].b], "a.jpg");
        assert_int_equal(list.pairs[0].same, 1);
        assert_int_equal(list.pairs[1].same, 0);
        pair_list_finish(&list);
    }
}

enum { EACH = 1000 };

/* Same pairs from 0.5 up, different ones from 0.4 down: no overlap. */
static void apart(struct pair_score scores[2 * EACH])
{
    for (int i = 0; i < EACH; i++) {
        scores[i] = (struct pair_score){.similarity = 0.5f + 0.0004f * (float)i, .same = 1};
        scores[EACH + i] = (struct pair_score){.similarity = 0.4f - 0.0004f * (float)i};
    }
}

static void evaluate_needs_ten_pairs_of_each_kind(void **state)
{
    (void)state;
    struct err err = {0};
    struct pair_result result;
    struct pair_score scores[2 * EACH];
    apart(scores);
    assert_int_equal(pairs_evaluate(scores, EACH + 9, &result, &err), -1);
    apart(scores);
    assert_int_equal(pairs_evaluate(scores, EACH + 10, &result, &err), 0);
}

static void evaluate_of_separate_scores_is_perfect(void **state)
{
    (void)state;
    struct err err = {0};
    struct pair_result result;
    struct pair_score scores[2 * EACH];
    apart(scores);
    assert_int_equal(pairs_evaluate(scores, 2 * EACH, &result, &err), 0);
    assert_true(fabs(result.accuracy - 1) < 1e-9);
    assert_true(result.threshold > 0.4 && result.threshold < 0.5);
    assert_true(result.tar_at_far_1e2 == 1 && result.tar_at_far_1e3 == 1);
}

static void a_failed_pair_is_wrong_and_never_accepted(void **state)
{
    (void)state;
    struct err err = {0};
    struct pair_result result;
    struct pair_score scores[2 * EACH];
    apart(scores);
    for (int i = 0; i < 100; i++) {
        scores[i].failed = 1; /* the photos may well have been alike */
        scores[i].similarity = 1;
        scores[EACH + i].failed = 1;
    }
    assert_int_equal(pairs_evaluate(scores, 2 * EACH, &result, &err), 0);
    assert_true(fabs(result.accuracy - 0.9) < 1e-9);
    assert_true(fabs(result.tar_at_far_1e2 - 0.9) < 1e-9);
}

static void tar_counts_the_same_pairs_above_the_allowed_few(void **state)
{
    (void)state;
    struct err err = {0};
    struct pair_result result;
    struct pair_score scores[2 * EACH];
    apart(scores);
    /* Ten different pairs among the best same ones, the eleventh in the middle of them. */
    for (int i = 0; i < 10; i++)
        scores[EACH + i].similarity = 0.95f;
    scores[EACH + 10].similarity = 0.5f + 0.0004f * 499.5f;
    assert_int_equal(pairs_evaluate(scores, 2 * EACH, &result, &err), 0);
    assert_true(fabs(result.tar_at_far_1e2 - 0.5) < 1e-9);
    assert_true(result.tar_at_far_1e3 == 0);
}

static void the_threshold_is_not_chosen_on_what_it_is_judged_by(void **state)
{
    (void)state;
    struct err err = {0};
    struct pair_result result;
    struct pair_score scores[20];
    /* Labels without any relation to the scores: a threshold fitted to each fold itself would be
     * right more often than not, one fitted to the others cannot. */
    for (int i = 0; i < 20; i++)
        scores[i] = (struct pair_score){.similarity = 0.01f * (float)i, .same = i % 2};
    assert_int_equal(pairs_evaluate(scores, 20, &result, &err), 0);
    assert_true(result.accuracy <= 0.6);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_refuses_what_is_no_list_of_pairs),
        cmocka_unit_test(read_names_an_absent_file),
        cmocka_unit_test(read_takes_a_heading_or_none_and_any_line_ends),
        cmocka_unit_test(evaluate_needs_ten_pairs_of_each_kind),
        cmocka_unit_test(evaluate_of_separate_scores_is_perfect),
        cmocka_unit_test(a_failed_pair_is_wrong_and_never_accepted),
        cmocka_unit_test(tar_counts_the_same_pairs_above_the_allowed_few),
        cmocka_unit_test(the_threshold_is_not_chosen_on_what_it_is_judged_by),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
