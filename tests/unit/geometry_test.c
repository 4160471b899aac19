#include "face/parts.h"
#include "face/recognizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void overlap_of_boxes_apart_or_touching_is_zero(void **state)
{
    (void)state;
    struct face_box a = {0, 0, 10, 10, 1}, apart = {20, 20, 30, 30, 1},
                    touching = {10, 0, 20, 10, 1};
    assert_true(face_box_overlap(&a, &apart) == 0);
    assert_true(face_box_overlap(&a, &touching) == 0);
}

static void overlap_is_shared_area_by_joint_area(void **state)
{
    (void)state;
    struct face_box a = {0, 0, 10, 10, 1}, shifted = {5, 0, 15, 10, 1}, inner = {0, 0, 5, 5, 1};
    assert_true(fabsf(face_box_overlap(&a, &a) - 1) < 1e-6f);
    assert_true(fabsf(face_box_overlap(&a, &shifted) - 50.0f / 150) < 1e-6f);
    assert_true(fabsf(face_box_overlap(&inner, &a) - 0.25f) < 1e-6f);
}

static void suppress_of_nothing_is_nothing(void **state)
{
    (void)state;
    struct face_box none = {0};
    assert_int_equal(face_suppress(&none, 0, 0.3f), 0);
}

static void suppress_keeps_the_best_of_those_that_overlap(void **state)
{
    (void)state;
    struct face_box boxes[] = {
        {0, 0, 10, 10, 0.7f},    /* falls to the next */
        {1, 1, 11, 11, 0.9f},    /* kept */
        {100, 0, 110, 10, 0.8f}, /* kept: elsewhere */
        {2, 2, 12, 12, 0.85f},   /* falls */
        {8, 8, 18, 18, 0.66f},   /* kept: overlaps the first by 9/191 */
    };
    assert_int_equal(face_suppress(boxes, 5, 0.3f), 3);
    assert_true(boxes[0].score == 0.9f);
    assert_true(boxes[1].score == 0.8f);
    assert_true(boxes[2].score == 0.66f);
}

static void suppress_is_not_chained_through_what_it_removed(void **state)
{
    (void)state;
    /* b falls to a; c overlaps b alone and stays. */
    struct face_box boxes[] = {{0, 0, 10, 10, 0.9f}, {4, 0, 14, 10, 0.8f}, {8, 0, 18, 10, 0.7f}};
    assert_int_equal(face_suppress(boxes, 3, 0.3f), 2);
    assert_true(boxes[1].score == 0.7f);
}

static void letterbox_keeps_the_shape(void **state)
{
    (void)state;
    struct letterbox fit = letterbox_fit(640, 480, 320, 240);
    assert_int_equal(fit.width, 320);
    assert_int_equal(fit.height, 240);
    assert_true(fit.per_x == 2 && fit.per_y == 2);
    fit = letterbox_fit(250, 250, 320, 240);
    assert_int_equal(fit.width, 240);
    assert_int_equal(fit.height, 240);
    fit = letterbox_fit(1920, 1080, 320, 240);
    assert_int_equal(fit.width, 320);
    assert_int_equal(fit.height, 180);
    assert_true(fit.per_x == 6 && fit.per_y == 6);
}

static void letterbox_of_a_line_has_a_pixel_at_least(void **state)
{
    (void)state;
    struct letterbox fit = letterbox_fit(16384, 1, 320, 240);
    assert_int_equal(fit.width, 320);
    assert_int_equal(fit.height, 1);
    fit = letterbox_fit(1, 16384, 320, 240);
    assert_int_equal(fit.width, 1);
    assert_int_equal(fit.height, 240);
}

static const float points[5][2] = {{38, 52}, {74, 51}, {56, 72}, {42, 92}, {71, 92}};

static void similarity_refuses_points_on_one_spot(void **state)
{
    (void)state;
    static const float spot[5][2] = {{7, 7}, {7, 7}, {7, 7}, {7, 7}, {7, 7}};
    double m[2][3];
    assert_int_equal(face_fit_similarity(spot, points, 5, m), -1);
    assert_int_equal(face_fit_similarity(points, spot, 5, m), -1);
    static const float no_number[5][2] = {{NAN, 7}};
    assert_int_equal(face_fit_similarity(no_number, points, 5, m), -1);
}

static void similarity_recovers_scale_turn_and_shift(void **state)
{
    (void)state;
    for (int degrees = -180; degrees < 180; degrees += 15) {
        double a = 2.5 * cos(degrees * M_PI / 180), b = 2.5 * sin(degrees * M_PI / 180);
        float moved[5][2];
        for (int i = 0; i < 5; i++) {
            moved[i][0] = (float)(a * points[i][0] - b * points[i][1] + 300);
            moved[i][1] = (float)(b * points[i][0] + a * points[i][1] - 40);
        }
        double m[2][3], inverse[2][3];
        assert_int_equal(face_fit_similarity(points, (const float(*)[2])moved, 5, m), 0);
        const double want[2][3] = {{a, -b, 300}, {b, a, -40}};
        for (int i = 0; i < 6; i++)
            assert_true(fabs(m[i / 3][i % 3] - want[i / 3][i % 3]) < 1e-3);
        face_invert_similarity((const double(*)[3])m, inverse);
        for (int i = 0; i < 5; i++) {
            double x = inverse[0][0] * moved[i][0] + inverse[0][1] * moved[i][1] + inverse[0][2];
            double y = inverse[1][0] * moved[i][0] + inverse[1][1] * moved[i][1] + inverse[1][2];
            assert_true(fabs(x - points[i][0]) < 1e-3 && fabs(y - points[i][1]) < 1e-3);
        }
    }
}

static double residual(const float (*from)[2], const float (*to)[2], const double m[2][3])
{
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum += pow(m[0][0] * from[i][0] + m[0][1] * from[i][1] + m[0][2] - to[i][0], 2) +
               pow(m[1][0] * from[i][0] + m[1][1] * from[i][1] + m[1][2] - to[i][1], 2);
    return sum;
}

/* Where no similarity fits, any step away from the answer must fit worse. */
static void similarity_has_the_least_squares(void **state)
{
    (void)state;
    static const float bent[5][2] = {{30, 55}, {80, 45}, {60, 70}, {38, 97}, {69, 85}};
    double m[2][3];
    assert_int_equal(face_fit_similarity(points, bent, 5, m), 0);
    double best = residual(points, bent, (const double(*)[3])m);
    assert_true(best > 1);
    static const double steps[4][2][3] = {{{1e-3, 0, 0}, {0, 1e-3, 0}},
                                          {{0, -1e-3, 0}, {1e-3, 0, 0}},
                                          {{0, 0, 1e-2}, {0, 0, 0}},
                                          {{0, 0, 0}, {0, 0, 1e-2}}};
    for (int s = 0; s < 4; s++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double moved[2][3];
            for (int i = 0; i < 6; i++)
                moved[i / 3][i % 3] = m[i / 3][i % 3] + sign * steps[s][i / 3][i % 3];
            assert_true(residual(points, bent, (const double(*)[3])moved) > best);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_of_boxes_apart_or_touching_is_zero),
        cmocka_unit_test(overlap_is_shared_area_by_joint_area),
        cmocka_unit_test(suppress_of_nothing_is_nothing),
        cmocka_unit_test(suppress_keeps_the_best_of_those_that_overlap),
        cmocka_unit_test(suppress_is_not_chained_through_what_it_removed),
        cmocka_unit_test(letterbox_keeps_the_shape),
        cmocka_unit_test(letterbox_of_a_line_has_a_pixel_at_least),
        cmocka_unit_test(similarity_refuses_points_on_one_spot),
        cmocka_unit_test(similarity_recovers_scale_turn_and_shift),
        cmocka_unit_test(similarity_has_the_least_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
