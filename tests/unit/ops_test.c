#include "nn/internal.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 4096 };

static const int32_t row_dims[4] = {1, 1, 1, COUNT}, row_strides[4] = {0, 0, 0, 1};

static const struct kernels *kernels(void)
{
    return simd_kernels(simd_best());
}

static struct strided as_row(float *data)
{
    return (struct strided){data, row_dims, row_strides};
}

static void exponential_is_right_over_its_whole_range(void **state)
{
    (void)state;
    static float in[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++)
        in[i] = -87.3f + 176.0f * (float)i / COUNT;
    op_unary(kernels(), UNARY_EXP, as_row(out), as_row(in));
    for (int i = 0; i < COUNT; i++) {
        double right = exp((double)in[i]);
        assert_true(fabs((double)out[i] - right) <= 3e-7 * right);
    }
}

static void exponential_of_what_is_no_usual_number(void **state)
{
    (void)state;
    static float in[COUNT], out[COUNT];
    const float special[] = {-INFINITY, -1e30f, -90.0f, 90.0f, 1e30f, INFINITY, 0.0f, -0.0f};
    const float right[] = {0, 0, 0, INFINITY, INFINITY, INFINITY, 1, 1};
    memcpy(in, special, sizeof special);
    in[8] = NAN;
    op_unary(kernels(), UNARY_EXP, as_row(out), as_row(in));
    assert_memory_equal(out, right, sizeof right);
    assert_true(isnan(out[8]));
    op_unary(kernels(), UNARY_SIGMOID, as_row(out), as_row(in));
    assert_true(out[0] == 0.0f && out[5] == 1.0f && out[6] == 0.5f && isnan(out[8]));
}

static void softmax_of_pairs_is_that_of_rows(void **state)
{
    (void)state;
    static float in[COUNT], pairs[COUNT], rows[2 * COUNT];
    for (int i = 0; i < COUNT; i++)
        in[i] = (float)((i * 7919) % 401 - 200) / (i % 3 ? 10.0f : 1.0f);
    const int32_t dims[4] = {1, 1, COUNT / 2, 2}, near[4] = {0, 0, 2, 1}, far[4] = {0, 0, 4, 2};
    op_softmax(kernels(), (struct strided){pairs, dims, near}, (struct strided){in, dims, near});
    op_softmax(kernels(), (struct strided){rows, dims, far}, (struct strided){in, dims, near});
    for (int i = 0; i < COUNT; i += 2) {
        assert_true(fabsf(pairs[i] - rows[2 * i]) < 1e-6f);
        assert_true(fabsf(pairs[i] + pairs[i + 1] - 1.0f) < 1e-6f);
        assert_true((in[i] > in[i + 1]) == (pairs[i] > pairs[i + 1]));
    }
}

/* The same numbers as 2 x 2048 in pairs, and the other way about, one element at a time. */
static void arithmetic_on_pairs_is_that_on_rows(void **state)
{
    (void)state;
    static float a[COUNT], b[COUNT], pairs[COUNT], rows[COUNT];
    for (int i = 0; i < COUNT; i++) {
        a[i] = (float)((i * 7919) % 401 - 200);
        b[i] = (float)((i * 104729) % 37 - 18) + 0.5f;
    }
    const int32_t pair_dims[4] = {1, 1, COUNT / 2, 2}, near[4] = {0, 0, 2, 1};
    const int32_t long_dims[4] = {1, 1, 2, COUNT / 2}, far[4] = {0, 0, 1, 2};
    const int32_t same_near[4] = {0, 0, 2, 0}, same_far[4] = {0, 0, 0, 2};
    for (int kind = 0; kind < 2 * BINARY_KINDS; kind++) {
        enum model_binary op = (enum model_binary)(kind / 2);
        op_binary(op, (struct strided){pairs, pair_dims, near},
                  (struct strided){a, pair_dims, near},
                  (struct strided){b, pair_dims, kind % 2 ? same_near : near});
        op_binary(op, (struct strided){rows, long_dims, far}, (struct strided){a, long_dims, far},
                  (struct strided){b, long_dims, kind % 2 ? same_far : far});
        assert_memory_equal(pairs, rows, sizeof pairs);
        assert_true(pairs[3] != 0.0f || op == BINARY_MIN || op == BINARY_MAX);
    }
}

static void softmax_of_large_numbers_stays_finite(void **state)
{
    (void)state;
    float in[6] = {1e30f, -1e30f, FLT_MAX, FLT_MAX, -300.0f, 300.0f}, out[6];
    const int32_t dims[4] = {1, 1, 3, 2}, strides[4] = {0, 0, 2, 1};
    const float right[6] = {1, 0, 0.5f, 0.5f, 0, 1};
    op_softmax(kernels(), (struct strided){out, dims, strides},
               (struct strided){in, dims, strides});
    assert_memory_equal(out, right, sizeof right);
}

static void a_window_outside_the_picture_averages_to_zero(void **state)
{
    (void)state;
    float in[1] = {5.0f}, out[9];
    const int32_t in_dims[4] = {1, 1, 1, 1}, out_dims[4] = {1, 1, 3, 3};
    const int32_t in_strides[4] = {1, 1, 1, 1}, out_strides[4] = {9, 9, 3, 1};
    const float right[9] = {0, 0, 0, 0, 5, 0, 0, 0, 0};
    const struct model_node node = {.kind = POOL_AVERAGE,
                                    .kernel = {1, 1},
                                    .stride = {1, 1},
                                    .dilation = {1, 1},
                                    .pads = {1, 1, 1, 1}};
    op_pool(&node, (struct strided){out, out_dims, out_strides},
            (struct strided){in, in_dims, in_strides});
    assert_memory_equal(out, right, sizeof right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_is_right_over_its_whole_range),
        cmocka_unit_test(exponential_of_what_is_no_usual_number),
        cmocka_unit_test(softmax_of_pairs_is_that_of_rows),
        cmocka_unit_test(arithmetic_on_pairs_is_that_on_rows),
        cmocka_unit_test(softmax_of_large_numbers_stays_finite),
        cmocka_unit_test(a_window_outside_the_picture_averages_to_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
