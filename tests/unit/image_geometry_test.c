#include "test_picture.h"

/* Resizing and warping. */

static double resized(const struct image *in, const double box[4], int width, int height, int x,
                      int y, int c)
{
    double scale_x = box[2] / width, scale_y = box[3] / height, sum = 0;
    double wide = fmax(scale_x, 1), high = fmax(scale_y, 1);
    double left = box[0] + (x + 0.5) * scale_x - wide / 2;
    double top = box[1] + (y + 0.5) * scale_y - high / 2;
    for (int row = (int)floor(top); row < top + high; row++)
        for (int column = (int)floor(left); column < left + wide; column++) {
            double share = (fmin(column + 1, left + wide) - fmax(column, left)) *
                           (fmin(row + 1, top + high) - fmax(row, top));
            int inside_x = column < 0 ? 0 : column >= in->width ? in->width - 1 : column;
            int inside_y = row < 0 ? 0 : row >= in->height ? in->height - 1 : row;
            sum += share * pixel(in, inside_x, inside_y)[c];
        }
    return sum / (wide * high);
}

static void assert_resize_follows_the_definition(const struct image *in, const double box[4],
                                                 int width, int height)
{
    struct err err = {0};
    struct image out;
    assert_int_equal(image_init(&out, width, height, &err), 0);
    image_resize_part(&out, in, box);
    double worst = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                worst = fmax(worst,
                             fabs(resized(in, box, width, height, x, y, c) - pixel(&out, x, y)[c]));
    if (worst > 2) /* half for rounding, the rest for 8-bit weights of rows */
        fail_msg("%g x %g to %d x %d: off by %g", box[2], box[3], width, height, worst);
    image_finish(&out);
}

static void resize_averages_areas_and_interpolates(void **state)
{
    (void)state;
    struct image in = test_picture(97, 83);
    put_noise(pixel(&in, 0, 30), in.stride * 20);
    static const int sizes[][2] = {{97, 83}, {48, 41}, {1, 1},   {10, 77},  {96, 82},
                                   {98, 84}, {300, 7}, {7, 300}, {200, 190}};
    static const double boxes[][4] = {
        {0, 0, 97, 83}, {10.25, 3.75, 40.5, 60.125}, {-20, -30, 90, 140}, {50, 40, 4.5, 3.25}};
    for (size_t b = 0; b < sizeof boxes / sizeof boxes[0]; b++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            assert_resize_follows_the_definition(&in, boxes[b], sizes[s][0], sizes[s][1]);
    image_finish(&in);
}

static void resize_keeps_an_even_colour_even(void **state)
{
    (void)state;
    struct err err = {0};
    struct image in, out;
    assert_int_equal(image_init(&in, 5000, 9, &err), 0);
    memset(in.pixels, 255, in.stride * 9);
    for (int width = 1; width < 800; width = width * 3 + 1) {
        assert_int_equal(image_init(&out, width, 3, &err), 0);
        image_resize(&out, &in);
        for (int i = 0; i < 3 * width; i++)
            assert_int_equal(out.pixels[i], 255);
        image_finish(&out);
    }
    image_finish(&in);
}

static void resize_survives_absurd_boxes(void **state)
{
    (void)state;
    struct err err = {0};
    struct image in = test_picture(20, 20), out;
    assert_int_equal(image_init(&out, 30, 30, &err), 0);
    static const double values[] = {0, -1, 1e-9, 1e9, -1e300, 1e300, INFINITY, NAN};
    for (size_t a = 0; a < 8; a++)
        for (size_t b = 0; b < 8; b++) {
            image_resize_part(&out, &in, (double[4]){values[a], values[b], values[b], values[a]});
            image_resize_part(&out, &in, (double[4]){values[a], values[a], values[b], 5});
        }
    image_finish(&in);
    image_finish(&out);
}

static void warp_by_identity_is_a_copy_and_black_outside(void **state)
{
    (void)state;
    struct err err = {0};
    struct image in = test_picture(20, 10), out;
    assert_int_equal(image_init(&out, 30, 20, &err), 0);
    memset(out.pixels, 77, out.stride * 20);
    image_warp(&out, &in, (const double[2][3]){{1, 0, -3}, {0, 1, -2}});
    for (int y = 0; y < 20; y++)
        for (int x = 0; x < 30; x++) {
            int inside = x >= 3 && x < 23 && y >= 2 && y < 12;
            const uint8_t *want = inside ? pixel(&in, x - 3, y - 2) : (const uint8_t *)"\0\0\0";
            assert_memory_equal(pixel(&out, x, y), want, 3);
        }
    image_finish(&in);
    image_finish(&out);
}

static void warp_interpolates_between_four_pixels(void **state)
{
    (void)state;
    uint8_t pixels[12] = {0, 0, 0, 100, 100, 100, 200, 200, 200, 40, 40, 40}, out_pixels[3];
    struct image in = {.pixels = pixels, .width = 2, .height = 2, .stride = 6};
    struct image out = {.pixels = out_pixels, .width = 1, .height = 1, .stride = 3};
    image_warp(&out, &in, (const double[2][3]){{1, 0, 0.25}, {0, 1, 0.5}});
    assert_int_equal(out_pixels[0], (0 * .75 + 100 * .25 + 200 * .75 + 40 * .25) / 2 + 0.5);
    image_warp(&out, &in, (const double[2][3]){{1, 0, -0.5}, {0, 1, 1}});
    assert_int_equal(out_pixels[0], 100); /* half of it lies outside */
}

static void warp_survives_absurd_matrices(void **state)
{
    (void)state;
    struct err err = {0};
    struct image in = test_picture(20, 20), out;
    assert_int_equal(image_init(&out, 9, 9, &err), 0);
    static const double values[] = {0, -1, 1e9, -1e300, 1e300, INFINITY, -INFINITY, NAN};
    for (size_t a = 0; a < 8; a++)
        for (size_t b = 0; b < 8; b++)
            image_warp(&out, &in,
                       (const double[2][3]){{values[a], values[b], values[a]},
                                            {values[b], values[a], values[b]}});
    image_finish(&in);
    image_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_averages_areas_and_interpolates),
        cmocka_unit_test(resize_keeps_an_even_colour_even),
        cmocka_unit_test(resize_survives_absurd_boxes),
        cmocka_unit_test(warp_by_identity_is_a_copy_and_black_outside),
        cmocka_unit_test(warp_interpolates_between_four_pixels),
        cmocka_unit_test(warp_survives_absurd_matrices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
