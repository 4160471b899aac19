#include "face/quality.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = QUALITY_CHIP_SIDE };

/* Points of a head, seen under roll, yaw and pitch in degrees from `distance_mm`; the same points
 * as in quality.c, the others far off, so that a fit that used one of them would fail. */
static void look(float (*points)[2], double roll, double yaw, double pitch, double distance_mm)
{
    static const struct {
        int index;
        double x, y, z;
    } head[] = {{36, -45, 0, 8},  {39, -17, 0, 0},  {42, 17, 0, 0},   {45, 45, 0, 8},
                {27, 0, -4, -16}, {30, 0, 39, -39}, {33, 0, 50, -18}, {48, -27, 69, 10},
                {54, 27, 69, 10}, {8, 0, 116, 14}};
    const double radians = 3.14159265358979 / 180;
    for (int i = 0; i < QUALITY_POINTS; i++)
        points[i][0] = points[i][1] = 1e6f;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        double x = head[i].x, y = head[i].y, z = head[i].z, p = pitch * radians, w = yaw * radians,
               r = roll * radians;
        /* Up: what points at the camera (z below 0) moves up (y smaller). */
        double y1 = y * cos(p) + z * sin(p), z1 = -y * sin(p) + z * cos(p);
        /* To the right: what points at the camera moves right (x larger). */
        double x2 = x * cos(w) - z1 * sin(w), z2 = x * sin(w) + z1 * cos(w);
        double x3 = x2 * cos(r) - y1 * sin(r), y3 = x2 * sin(r) + y1 * cos(r);
        double scale = 800 / (distance_mm + z2);
        points[head[i].index][0] = (float)(320 + scale * x3);
        points[head[i].index][1] = (float)(240 + scale * y3);
    }
}

static void points_on_one_spot_or_line_have_no_pose(void **state)
{
    (void)state;
    float points[QUALITY_POINTS][2] = {{0}};
    struct face_quality quality = {.yaw_deg = 7, .pitch_deg = 7, .roll_deg = 7};
    quality_measure_pose(&quality, (const float(*)[2])points);
    assert_true(quality.yaw_deg == 0 && quality.pitch_deg == 0 && quality.roll_deg == 0);
    for (int i = 0; i < QUALITY_POINTS; i++)
        points[i][0] = points[i][1] = (float)i;
    quality_measure_pose(&quality, (const float(*)[2])points);
    assert_true(quality.yaw_deg == 0 && quality.pitch_deg == 0 && quality.roll_deg == 0);
}

static void assert_pose(double roll, double yaw, double pitch, double distance_mm, double tolerance)
{
    float points[QUALITY_POINTS][2];
    struct face_quality quality = {0};
    look(points, roll, yaw, pitch, distance_mm);
    quality_measure_pose(&quality, (const float(*)[2])points);
    if (fabs(quality.roll_deg - roll) > tolerance || fabs(quality.yaw_deg - yaw) > tolerance ||
        fabs(quality.pitch_deg - pitch) > tolerance)
        fail_msg("roll %g yaw %g pitch %g measured as %g %g %g", roll, yaw, pitch,
                 (double)quality.roll_deg, (double)quality.yaw_deg, (double)quality.pitch_deg);
}

static void pose_of_a_far_head_is_exact(void **state)
{
    (void)state;
    for (int roll = -90; roll <= 90; roll += 30)
        for (int yaw = -60; yaw <= 60; yaw += 20)
            for (int pitch = -40; pitch <= 40; pitch += 20)
                assert_pose(roll, yaw, pitch, 1e6, 0.2);
}

static void pose_at_a_webcams_distance_is_near(void **state)
{
    (void)state;
    for (int yaw = -40; yaw <= 40; yaw += 10)
        for (int pitch = -20; pitch <= 20; pitch += 10)
            assert_pose(10, yaw, pitch, 600, 8);
}

static void pose_does_not_depend_on_the_faces_size(void **state)
{
    (void)state;
    float points[QUALITY_POINTS][2];
    struct face_quality large = {0}, small = {0};
    look(points, 5, 25, -10, 1000);
    quality_measure_pose(&large, (const float(*)[2])points);
    for (int i = 0; i < QUALITY_POINTS; i++)
        points[i][0] *= 0.1f, points[i][1] *= 0.1f;
    quality_measure_pose(&small, (const float(*)[2])points);
    assert_true(fabsf(large.yaw_deg - small.yaw_deg) < 0.1f);
    assert_true(fabsf(large.pitch_deg - small.pitch_deg) < 0.1f);
}

static void set_grey(struct image *chip, int x, int y, double value)
{
    uint8_t *pixel = chip->pixels + (size_t)y * chip->stride + (size_t)3 * x;
    memset(pixel, (int)lround(fmin(fmax(value, 0), 255)), 3);
}

/* Edges of discs and bars smeared by a Gaussian of `sigma`, with noise of +-`noise`. */
static struct face_quality measure_edges(double sigma, int noise)
{
    struct image chip = {0};
    struct err err;
    struct face_quality quality = {0};
    assert_int_equal(image_init(&chip, SIDE, SIDE, &err), 0);
    srand(1);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double disc = 15 - hypot(x - 56, y - 70), bar = x - y * 0.3 - 60, floor_line = y - 40.5;
            double value = 60 + 50 * erfc(-disc / sigma / sqrt(2)) +
                           20 * erfc(-bar / hypot(1, 0.3) / sigma / sqrt(2)) +
                           15 * erfc(-floor_line / sigma / sqrt(2));
            set_grey(&chip, x, y, value + (noise ? rand() % (2 * noise + 1) - noise : 0));
        }
    quality_measure_chip(&quality, &chip);
    image_finish(&chip);
    return quality;
}

static void a_face_of_one_grey_is_as_blurred_as_can_be(void **state)
{
    (void)state;
    struct image chip = {0};
    struct err err;
    struct face_quality quality = {0};
    assert_int_equal(image_init(&chip, SIDE, SIDE, &err), 0);
    memset(chip.pixels, 77, chip.stride * SIDE);
    quality_measure_chip(&quality, &chip);
    image_finish(&chip);
    assert_true(quality.blur_px == QUALITY_MAX_BLUR);
    assert_true(fabsf(quality.brightness - 77) < 0.01f);
    assert_true(quality.contrast < 0.1f);
}

static void blur_is_the_width_of_the_edges(void **state)
{
    (void)state;
    for (double sigma = 1; sigma <= 4.01; sigma += 0.5) {
        double measured = (double)measure_edges(sigma, 0).blur_px;
        if (fabs(measured - sigma) > 0.15 * sigma)
            fail_msg("blur of %g measured as %g", sigma, measured);
    }
}

static void noise_hides_little_of_the_blur(void **state)
{
    (void)state;
    for (double sigma = 1; sigma <= 3.01; sigma += 1) {
        double measured = (double)measure_edges(sigma, 4).blur_px;
        if (fabs(measured - sigma) > 0.3 * sigma)
            fail_msg("blur of %g under noise measured as %g", sigma, measured);
    }
}

static void light_is_mean_and_spread_of_the_face(void **state)
{
    (void)state;
    struct image chip = {0};
    struct err err;
    struct face_quality quality = {0};
    assert_int_equal(image_init(&chip, SIDE, SIDE, &err), 0);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            set_grey(&chip, x, y, x % 2 ? 140 : 100);
    quality_measure_chip(&quality, &chip);
    image_finish(&chip);
    assert_true(fabsf(quality.brightness - 120) < 0.1f);
    assert_true(fabsf(quality.contrast - 20) < 0.1f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_on_one_spot_or_line_have_no_pose),
        cmocka_unit_test(pose_of_a_far_head_is_exact),
        cmocka_unit_test(pose_at_a_webcams_distance_is_near),
        cmocka_unit_test(pose_does_not_depend_on_the_faces_size),
        cmocka_unit_test(a_face_of_one_grey_is_as_blurred_as_can_be),
        cmocka_unit_test(blur_is_the_width_of_the_edges),
        cmocka_unit_test(noise_hides_little_of_the_blur),
        cmocka_unit_test(light_is_mean_and_spread_of_the_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
