#include "simd/kernels.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void unset_cap(void)
{
    unsetenv("KEN_SIMD");
}

static void an_unknown_cap_is_no_cap(void **state)
{
    (void)state;
    unset_cap();
    enum simd_level best = simd_best();
    setenv("KEN_SIMD", "AVX-2000", 1);
    assert_int_equal(simd_best(), best);
    unset_cap();
}

static void each_level_can_be_the_cap(void **state)
{
    (void)state;
    for (int i = SIMD_C; i < SIMD_LEVELS; i++) {
        setenv("KEN_SIMD", simd_level_name((enum simd_level)i), 1);
        assert_true((int)simd_best() <= i);
        if (simd_has((enum simd_level)i))
            assert_int_equal(simd_best(), i);
    }
    unset_cap();
}

static void the_c_level_is_everywhere(void **state)
{
    (void)state;
    assert_true(simd_has(SIMD_C));
    assert_non_null(simd_kernels(SIMD_C));
    assert_true(simd_has(simd_best()));
}

static void denormals_are_zero_after_flushing(void **state)
{
    (void)state;
    volatile float small = FLT_MIN;
    simd_flush_denormals();
    volatile float half = small * 0.5f;
    assert_true(half == 0.0f);
}

static void packing_puts_output_channels_side_by_side(void **state)
{
    (void)state;
    enum { OUT = 18, IN = 3, TAPS = 2 };
    float weights[OUT * IN * TAPS], packed[2 * SIMD_PANEL * IN * TAPS];
    for (int i = 0; i < OUT * IN * TAPS; i++)
        weights[i] = (float)(i + 1);
    assert_int_equal(simd_packed_floats(OUT, IN, 1, TAPS), sizeof packed / sizeof packed[0]);
    simd_pack_conv(packed, weights, OUT, IN, 1, TAPS);
    for (int panel = 0; panel < 2; panel++)
        for (int tap = 0; tap < TAPS; tap++)
            for (int in = 0; in < IN; in++)
                for (int lane = 0; lane < SIMD_PANEL; lane++) {
                    int out = panel * SIMD_PANEL + lane;
                    float want = out < OUT ? weights[(out * IN + in) * TAPS + tap] : 0.0f;
                    assert_true(packed[((panel * TAPS + tap) * IN + in) * SIMD_PANEL + lane] ==
                                want);
                }
}

static void packing_drops_denormals(void **state)
{
    (void)state;
    const float weights[2] = {FLT_MIN / 2, -FLT_MIN};
    float packed[SIMD_PANEL * 2];
    simd_pack_conv(packed, weights, 1, 2, 1, 1);
    assert_true(packed[0] == 0.0f);
    assert_true(packed[SIMD_PANEL] == -FLT_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_cap_is_no_cap),
        cmocka_unit_test(each_level_can_be_the_cap),
        cmocka_unit_test(the_c_level_is_everywhere),
        cmocka_unit_test(packing_puts_output_channels_side_by_side),
        cmocka_unit_test(packing_drops_denormals),
        cmocka_unit_test(denormals_are_zero_after_flushing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
