#include "face/identification.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put(struct search_trials *trials, float similarity, int mated, int right, int failed)
{
    if (trials->count == trials->capacity) {
        trials->capacity += 64;
        trials->all = realloc(trials->all, trials->capacity * sizeof *trials->all);
        assert_non_null(trials->all);
    }
    trials->all[trials->count++] = (struct search_trial){
        .similarity = similarity, .mated = mated, .right = right, .failed = failed};
}

static void without_strangers_there_is_no_threshold(void **state)
{
    (void)state;
    struct search_trials trials = {0};
    struct err err;
    float threshold;
    put(&trials, 0.8f, 1, 1, 0);
    put(&trials, -1, 0, 0, 1); /* a stranger's photo without a face */
    assert_int_equal(search_threshold(&trials, 0.01, &threshold, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    search_trials_finish(&trials);
}

static void a_rate_without_trials_is_unknown(void **state)
{
    (void)state;
    struct rate rate = rate_of(0, 0);
    assert_true(rate.low == 0 && rate.high == 1);
}

/* Known values: R, binom.test(k, n)$conf.int, and the closed forms for k = 0 and k = n. */
static void intervals_are_those_of_clopper_and_pearson(void **state)
{
    (void)state;
    struct rate rate = rate_of(0, 100);
    assert_true(rate.low == 0);
    assert_true(fabs(rate.high - (1 - pow(0.025, 0.01))) < 1e-9);
    rate = rate_of(50, 50);
    assert_true(rate.high == 1);
    assert_true(fabs(rate.low - pow(0.025, 1 / 50.0)) < 1e-9);
    rate = rate_of(5, 10); /* 0.1870860 0.8129140 */
    assert_true(fabs(rate.low - 0.1870860) < 1e-6);
    assert_true(fabs(rate.high - 0.8129140) < 1e-6);
    rate = rate_of(1, 10); /* 0.002528579 0.445016117 */
    assert_true(fabs(rate.low - 0.002528579) < 1e-8);
    assert_true(fabs(rate.high - 0.445016117) < 1e-8);
    rate = rate_of(300000, 1000000);
    assert_true(rate.low > 0.2990 && rate.low < 0.2992);
    assert_true(rate.high > 0.3008 && rate.high < 0.3010);
}

static void the_rule_of_three_says_how_many_are_needed(void **state)
{
    (void)state;
    assert_int_equal(search_least_trials(0.003), 1000);
    assert_int_equal(search_least_trials(0.01), 300);
    assert_int_equal(search_least_trials(1), 3);
}

static void
a_strangers_photo_that_is_enrolled_sets_no_threshold_that_a_gallery_refuses(void **state)
{
    (void)state;
    struct search_trials trials = {0};
    struct err err;
    float threshold = 0;
    put(&trials, nextafterf(1, 2), 0, 0, 0);
    assert_int_equal(search_threshold(&trials, 0.5, &threshold, &err), 0);
    assert_true(threshold == 1);
    search_trials_finish(&trials);
}

static void the_threshold_lets_no_more_strangers_pass_than_asked(void **state)
{
    (void)state;
    struct search_trials trials = {0};
    struct err err;
    float threshold = 0;
    for (int i = 0; i < 100; i++)
        put(&trials, (float)i / 100, 0, 0, 0);
    assert_int_equal(search_threshold(&trials, 0.03, &threshold, &err), 0);
    assert_int_equal(search_fpir(&trials, threshold).hits, 3);
    assert_int_equal(search_fpir(&trials, nextafterf(threshold, -1)).hits, 4);
    assert_int_equal(search_threshold(&trials, 0.009, &threshold, &err), 0);
    assert_int_equal(search_fpir(&trials, threshold).hits, 0);
    /* Equal scores stand or fall together. */
    for (int i = 0; i < 5; i++)
        put(&trials, 0.99f, 0, 0, 0);
    assert_int_equal(search_threshold(&trials, 0.03, &threshold, &err), 0);
    assert_int_equal(search_fpir(&trials, threshold).hits, 0);
    search_trials_finish(&trials);
}

static void misses_are_wrong_people_low_scores_and_photos_without_face(void **state)
{
    (void)state;
    struct search_trials trials = {0};
    put(&trials, 0.9f, 1, 1, 0);
    put(&trials, 0.4f, 1, 1, 0);
    put(&trials, 0.8f, 1, 0, 0);
    put(&trials, -1, 1, 0, 1);
    put(&trials, 0.7f, 0, 0, 0);
    assert_int_equal(search_fnir(&trials, 0.5f).hits, 3);
    assert_int_equal(search_fnir(&trials, 0.5f).trials, 4);
    assert_int_equal(search_rank1(&trials).hits, 2);
    assert_int_equal(search_fpir(&trials, 0.5f).hits, 1);
    assert_int_equal(search_fpir(&trials, 0.5f).trials, 1);
    search_trials_finish(&trials);
}

static void set_face(struct album_photo *photo, int axis, float along)
{
    memset(&photo->face, 0, sizeof photo->face);
    photo->state = ALBUM_FACE;
    photo->face.embedding[axis] = along;
    photo->face.embedding[300] = sqrtf(1 - along * along);
}

static void photos_are_mated_by_their_folders_name(void **state)
{
    (void)state;
    struct err err;
    struct album album;
    struct search_trials trials = {0};
    struct gallery *gallery = gallery_create(&err);
    float anna[FACE_EMBEDDING_FLOATS] = {1}, bert[FACE_EMBEDDING_FLOATS] = {0, 1};
    assert_int_equal(gallery_add(gallery, "anna", anna, &err), 0);
    assert_int_equal(gallery_add(gallery, "bert", bert, &err), 0);
    album_init(&album);
    static const char *const names[] = {"anna", "anna", "zoe", ""};
    for (int i = 0; i < 4; i++)
        assert_int_equal(album_add(&album, names[i], "x", &err), 0);
    set_face(&album.photos[0], 0, 0.9f);
    set_face(&album.photos[1], 1, 0.7f);
    set_face(&album.photos[2], 1, 0.6f);
    assert_int_equal(search_trials_add(&trials, gallery, &album, SEARCH_BY_NAME, &err), 0);
    assert_int_equal(trials.count, 4);
    assert_true(trials.all[0].mated && trials.all[0].right);
    assert_true(trials.all[1].mated && !trials.all[1].right && trials.all[1].candidate == 1);
    assert_true(!trials.all[2].mated && fabsf(trials.all[2].similarity - 0.6f) < 0.01f);
    assert_true(!trials.all[3].mated && trials.all[3].failed);
    search_trials_finish(&trials);
    assert_int_equal(search_trials_add(&trials, gallery, &album, SEARCH_STRANGERS, &err), 0);
    assert_int_equal(trials.count, 2);
    search_trials_finish(&trials);
    album_finish(&album);
    gallery_destroy(gallery);
}

static void an_enrolled_photo_is_compared_with_the_others_alone(void **state)
{
    (void)state;
    struct err err;
    struct search_trials trials = {0};
    struct gallery *gallery = gallery_create(&err);
    float a[FACE_EMBEDDING_FLOATS] = {0.8f, 0.6f}, b[FACE_EMBEDDING_FLOATS] = {0.8f, -0.6f},
          c[FACE_EMBEDDING_FLOATS] = {0, 0, 1};
    assert_int_equal(gallery_add(gallery, "anna", a, &err), 0);
    assert_int_equal(gallery_add(gallery, "anna", b, &err), 0);
    assert_int_equal(gallery_add(gallery, "carl", c, &err), 0);
    assert_int_equal(search_trials_add_enrolled(&trials, gallery, &err), 0);
    assert_int_equal(trials.count, 2); /* carl has one photo */
    assert_true(fabsf(trials.all[0].similarity - 0.28f) < 0.01f);
    assert_true(trials.all[0].mated && trials.all[0].right);
    search_trials_finish(&trials);
    gallery_destroy(gallery);
}

/* Every step of a small set is a point, also steps much smaller than a hundredth. */
static void the_curve_has_each_step(void **state)
{
    (void)state;
    struct search_trials trials = {0};
    struct search_curve curve;
    struct err err;
    put(&trials, 0.5f, 0, 0, 0);
    put(&trials, 0.5003f, 0, 0, 0);
    put(&trials, 0.5006f, 1, 1, 0);
    put(&trials, 0.5003f, 0, 0, 0);
    put(&trials, -1, 1, 0, 1);
    put(&trials, 0.7f, 1, 1, 0);
    assert_int_equal(search_curve_init(&curve, &trials, &err), 0);
    static const size_t rates[][2] = {{3, 1}, {2, 1}, {0, 1}, {0, 2}, {0, 3}};
    assert_int_equal(curve.count, sizeof rates / sizeof *rates);
    for (size_t i = 0; i < curve.count; i++) {
        assert_int_equal(search_fpir(&trials, curve.thresholds[i]).hits, rates[i][0]);
        assert_int_equal(search_fnir(&trials, curve.thresholds[i]).hits, rates[i][1]);
        assert_true(i == 0 || curve.thresholds[i] > curve.thresholds[i - 1]);
    }
    free(curve.thresholds);
    search_trials_finish(&trials);
}

/* The rare false positives, which a rate of 0.0001 is about, are all told apart; the many are not.
 */
static void the_curve_of_many_is_fine_at_its_end_and_short(void **state)
{
    (void)state;
    enum { STRANGERS = 20000 };
    struct search_trials trials = {0};
    struct search_curve curve;
    struct err err;
    for (int i = 0; i < STRANGERS; i++)
        put(&trials, (float)i / STRANGERS, 0, 0, 0);
    assert_int_equal(search_curve_init(&curve, &trials, &err), 0);
    assert_in_range(curve.count, 100, 1000);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(search_fpir(&trials, curve.thresholds[curve.count - 1 - i]).hits, i);
    free(curve.thresholds);
    search_trials_finish(&trials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_strangers_there_is_no_threshold),
        cmocka_unit_test(a_rate_without_trials_is_unknown),
        cmocka_unit_test(intervals_are_those_of_clopper_and_pearson),
        cmocka_unit_test(the_rule_of_three_says_how_many_are_needed),
        cmocka_unit_test(
            a_strangers_photo_that_is_enrolled_sets_no_threshold_that_a_gallery_refuses),
        cmocka_unit_test(the_threshold_lets_no_more_strangers_pass_than_asked),
        cmocka_unit_test(misses_are_wrong_people_low_scores_and_photos_without_face),
        cmocka_unit_test(photos_are_mated_by_their_folders_name),
        cmocka_unit_test(an_enrolled_photo_is_compared_with_the_others_alone),
        cmocka_unit_test(the_curve_has_each_step),
        cmocka_unit_test(the_curve_of_many_is_fine_at_its_end_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
