#include "face/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 320, HEIGHT = 240 };

/* A pattern of four levels, `spread` apart from `low` on, in the middle; white around it. */
static struct image draw(int low, int spread)
{
    struct err err = {0};
    struct image image;
    assert_int_equal(image_init(&image, WIDTH, HEIGHT, &err), 0);
    memset(image.pixels, 255, image.stride * HEIGHT);
    for (int y = HEIGHT / 2 - 36; y < HEIGHT / 2 + 36; y++)
        for (int x = WIDTH / 2 - 36; x < WIDTH / 2 + 36; x++)
            memset(image.pixels + (size_t)y * image.stride + 3 * x, low + spread * ((x + y) % 4),
                   3);
    return image;
}

static int at(const struct image *image, int x)
{
    return image->pixels[(size_t)(HEIGHT / 2) * image->stride + 3 * (size_t)x];
}

/* What the four levels have become, darkest first. */
static void even(int low, int spread, int levels[4])
{
    struct image image = draw(low, spread);
    detector_even_light(&image);
    for (int i = 0; i < 4; i++)
        levels[i] = at(&image, WIDTH / 2 + i); /* WIDTH / 2 + HEIGHT / 2 is a multiple of four */
    image_finish(&image);
}

static void a_face_in_the_dark_gets_the_whole_range(void **state)
{
    (void)state;
    int levels[4];
    even(4, 10, levels);
    assert_int_equal(levels[0], 0);
    assert_int_equal(levels[3], 255);
    assert_true(levels[1] > 40 && levels[1] < levels[2] && levels[2] < 215);
}

static void so_does_one_in_glaring_light(void **state)
{
    (void)state;
    int levels[4];
    even(200, 15, levels);
    assert_int_equal(levels[0], 0);
    assert_int_equal(levels[3], 255);
}

static void noise_is_not_spread_over_the_whole_range(void **state)
{
    (void)state;
    int levels[4];
    even(10, 1, levels);
    assert_true(levels[3] - levels[0] < 160);
    assert_true(levels[0] <= levels[1] && levels[2] <= levels[3]);
}

static void one_level_is_no_trap(void **state)
{
    (void)state;
    int levels[4];
    even(0, 0, levels);
    assert_int_equal(levels[0], levels[3]);
    even(255, 0, levels);
    assert_int_equal(levels[0], levels[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_face_in_the_dark_gets_the_whole_range),
        cmocka_unit_test(so_does_one_in_glaring_light),
        cmocka_unit_test(noise_is_not_spread_over_the_whole_range),
        cmocka_unit_test(one_level_is_no_trap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
