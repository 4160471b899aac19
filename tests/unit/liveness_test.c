#include "face/liveness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void check_crop(const float box[4], const double wanted[4])
{
    struct image image = {.width = 640, .height = 480};
    double crop[4];
    liveness_crop(crop, &image, box);
    for (int i = 0; i < 4; i++)
        if (fabs(crop[i] - wanted[i]) > 1e-3)
            fail_msg("crop[%d] is %f, not %f", i, crop[i], wanted[i]);
}

static void without_the_network_there_is_no_liveness(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(liveness_create("/nonexistent", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    liveness_destroy(NULL);
}

static void a_box_without_extent_has_a_crop_inside_the_picture(void **state)
{
    (void)state;
    check_crop((float[4]){640, 480, 0, 0}, (double[4]){637.3, 477.3, 2.7, 2.7});
}

static void the_crop_is_2_7_boxes_about_the_face(void **state)
{
    (void)state;
    check_crop((float[4]){300, 200, 40, 50}, (double[4]){266, 157.5, 108, 135});
}

static void at_the_edge_the_crop_moves_inside(void **state)
{
    (void)state;
    check_crop((float[4]){0, 430, 40, 50}, (double[4]){0, 345, 108, 135});
}

static void a_large_face_has_as_much_as_the_picture_holds(void **state)
{
    (void)state;
    check_crop((float[4]){100, 40, 300, 400}, (double[4]){70, 0, 360, 480});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_network_there_is_no_liveness),
        cmocka_unit_test(a_box_without_extent_has_a_crop_inside_the_picture),
        cmocka_unit_test(the_crop_is_2_7_boxes_about_the_face),
        cmocka_unit_test(at_the_edge_the_crop_moves_inside),
        cmocka_unit_test(a_large_face_has_as_much_as_the_picture_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
