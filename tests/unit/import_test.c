#include "base/file.h"
#include "nn/format.h"
#include "nn/import/external.h"
#include "nn/import/import.h"
#include "nn/import/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_writer.h"

static struct import_report report;

static int import_graph(struct buf *graph, struct buf *out, struct err *err)
{
    struct buf file = onnx_file(graph);
    *out = new_message();
    int result = nn_import(file.data, file.size, NULL, out, &report, err);
    buf_finish(&file);
    return result;
}

static void assert_imports(struct buf *graph)
{
    struct err err = {0};
    struct buf out;
    int result = import_graph(graph, &out, &err);
    if (result < 0)
        print_error("%s\n", err.message);
    assert_int_equal(result, 0);
    buf_finish(&out);
}

static void assert_refuses(struct buf *graph, enum err_code code, const char *words)
{
    struct err err = {0};
    struct buf out;
    assert_int_equal(import_graph(graph, &out, &err), -1);
    if (!strstr(err.message, words))
        print_error("\"%s\" is not in: %s\n", words, err.message);
    assert_non_null(strstr(err.message, words));
    assert_int_equal(err.code, code);
    buf_finish(&out);
}

/* Input x of 1x4x5x6 and output y; weights w of 8x4x3x3. */
static struct buf usual_graph(void)
{
    struct buf graph = new_message();
    float weights[8 * 4 * 9];
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
        weights[i] = (float)i / 100.0f - 1.0f;
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, 4, 5, 6));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, 8, 3, 4));
    put_floats(&graph, "w", DIMS(8, 4, 3, 3), weights, sizeof weights / sizeof weights[0]);
    return graph;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct buf graph = usual_graph();
    put_node(&graph, "Conv", "first", "x w", "c", NULL);
    put_node(&graph, "Relu", "second", "c", "y", NULL);
    struct buf file = onnx_file(&graph);
    for (size_t size = 0; size < file.size; size++) {
        struct err err = {0};
        struct buf out = new_message();
        char *cut = malloc(size + !size); /* of its exact size: ASan sees the byte behind */
        assert_non_null(cut);
        memcpy(cut, file.data, size);
        assert_int_equal(nn_import(cut, size, NULL, &out, &report, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        free(cut);
        buf_finish(&out);
    }
    buf_finish(&file);
}

static void an_unknown_operator_is_named_with_its_node(void **state)
{
    (void)state;
    struct buf graph = usual_graph();
    put_node(&graph, "Conv", "first", "x w", "c", NULL);
    put_node(&graph, "QuickSwish", "swish_7", "c", "y", NULL);
    assert_refuses(&graph, ERR_UNSUPPORTED, "operator QuickSwish of node \"swish_7\"");
}

static void a_cycle_is_refused(void **state)
{
    (void)state;
    struct buf graph = usual_graph();
    put_node(&graph, "Add", "a", "x b", "c", NULL);
    put_node(&graph, "Relu", "r", "c", "b", NULL);
    put_node(&graph, "Conv", "k", "b w", "y", NULL);
    assert_refuses(&graph, ERR_INVALID, "node \"a\" (Add): uses \"b\"");
}

static void a_value_made_twice_is_refused(void **state)
{
    (void)state;
    struct buf graph = usual_graph();
    put_node(&graph, "Relu", "a", "x", "c", NULL);
    put_node(&graph, "Exp", "b", "x", "c", NULL);
    put_node(&graph, "Conv", "k", "c w", "y", NULL);
    assert_refuses(&graph, ERR_INVALID, "node \"b\" (Exp): makes \"c\"");
}

static void an_output_that_nobody_makes_is_refused(void **state)
{
    (void)state;
    struct buf graph = usual_graph();
    put_node(&graph, "Conv", "k", "x w", "c", NULL);
    assert_refuses(&graph, ERR_INVALID, "output \"y\" is made by no node");
}

static void absurd_input_dimensions_are_refused(void **state)
{
    (void)state;
    static const int64_t shapes[][5] = {
        {1, 3, 1 << 20, 1 << 20, 0},
        {1, INT64_MAX, 1, 1, 0},
        {1, 1 << 24, 1 << 24, 1 << 24, 0},
        {2, 3, 4, 4, 0},
        {1, 3, -1, 4, 0},
        {1, 3, INT64_C(1) << 40, 4, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct buf graph = new_message();
        put_edge(&graph, ONNX_INPUT, "x", shapes[i]);
        put_edge(&graph, ONNX_OUTPUT, "y", shapes[i]);
        put_node(&graph, "Relu", "r", "x", "y", NULL);
        assert_refuses(&graph, ERR_UNSUPPORTED, "input \"x\"");
    }
}

static void absurd_constants_are_refused(void **state)
{
    (void)state;
    float one = 1.0f;
    static const int64_t shapes[][4] = {{1 << 30, 0}, {1 << 20, 1 << 20, 0}, {-5, 0}, {2, 0}};
    static const enum err_code codes[] = {ERR_TOO_BIG, ERR_TOO_BIG, ERR_TOO_BIG, ERR_INVALID};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct buf graph = usual_graph();
        put_floats(&graph, "k", shapes[i], &one, 1);
        put_node(&graph, "Conv", "c", "x w", "y", NULL);
        assert_refuses(&graph, codes[i], "tensor k");
    }
}

static void a_result_past_the_limit_is_refused(void **state)
{
    (void)state;
    static const struct test_attribute pads[] = {{"pads", {1024, 1024, 1024, 1024}, 4}, {0}};
    struct buf graph = new_message();
    static float weights[1024];
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, 1, 100, 100));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, 1024, 2148, 2148));
    put_floats(&graph, "w", DIMS(1024, 1, 1, 1), weights, 1024);
    put_node(&graph, "Conv", "c", "x w", "y", pads);
    assert_refuses(&graph, ERR_TOO_BIG, "node \"c\" (Conv)");
}

static void wrong_attributes_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct test_attribute attributes[2];
        const char *words;
    } wrong[] = {
        {{{"strides", {0, 1}, 2}}, "strides"},
        {{{"strides", {-1, 1}, 2}}, "strides"},
        {{{"strides", {1, 1 << 20}, 2}}, "strides"},
        {{{"dilations", {9, 9}, 2}}, "window is larger"},
        {{{"pads", {-1, 0, 0, 0}, 4}}, "pads"},
        {{{"group", {3}, 0}}, "3 groups"},
        {{{"group", {-4}, 0}}, "groups"},
        {{{"kernel_shape", {2, 2}, 2}}, "kernel_shape"},
        {{{"kernel_shape", {3}, 1}}, "kernel_shape"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = {0};
        struct buf out, graph = usual_graph();
        put_node(&graph, "Conv", "c", "x w", "y", wrong[i].attributes);
        assert_int_equal(import_graph(&graph, &out, &err), -1);
        if (!strstr(err.message, wrong[i].words))
            fail_msg("\"%s\" is not in: %s", wrong[i].words, err.message);
        buf_finish(&out);
    }
}

static void an_unknown_attribute_is_named_with_its_node(void **state)
{
    (void)state;
    static const struct test_attribute modulated[] = {{"modulated", {1}, 0}, {0}};
    struct buf graph = usual_graph();
    put_node(&graph, "Conv", "c", "x w", "y", modulated);
    assert_refuses(&graph, ERR_UNSUPPORTED, "node \"c\" (Conv): attribute \"modulated\"");
}

static void run_time_weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct buf graph = usual_graph();
    put_node(&graph, "Concat", "j", "x x", "twice", NULL);
    put_node(&graph, "Conv", "c", "x twice", "y", NULL);
    assert_refuses(&graph, ERR_INVALID, "do not match weights of 1 x 8");
}

static void pads_past_their_limits_are_refused(void **state)
{
    (void)state;
    static const int64_t pads[][8] = {
        {0, 0, -1, 0, 0, 0, 0, 0},
        {0, 0, 0, 0, 0, 0, 0, INT64_MAX},
        {0, 0, 0, 1 << 20, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof pads / sizeof pads[0]; i++) {
        struct buf graph = usual_graph();
        put_integers(&graph, "p", pads[i], 8);
        put_node(&graph, "Pad", "p1", "x p", "q", NULL);
        put_node(&graph, "Conv", "c", "q w", "y", NULL);
        assert_refuses(&graph, ERR_UNSUPPORTED, "node \"p1\" (Pad): pads");
    }
}

static void absurd_scales_are_refused(void **state)
{
    (void)state;
    static const float scales[][4] = {
        {1, 1, 1e9f, 1}, {1, 1, 0, 1}, {1, 1, -2, 1}, {1, 1, NAN, 1}, {1, 1, 1, INFINITY}};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        struct buf graph = usual_graph();
        put_floats(&graph, "s", DIMS(4), scales[i], 4);
        put_node(&graph, "Resize", "r", "x  s", "y", NULL);
        assert_refuses(&graph, ERR_INVALID, "node \"r\" (Resize): a scale of");
    }
}

static void a_picture_made_too_large_is_refused(void **state)
{
    (void)state;
    static const float scales[4] = {1, 1, 1e5f, 1e5f};
    struct buf graph = usual_graph();
    put_floats(&graph, "s", DIMS(4), scales, 4);
    put_node(&graph, "Resize", "r", "x  s", "y", NULL);
    assert_refuses(&graph, ERR_TOO_BIG, "node \"r\" (Resize): makes a tensor past the limit");
}

static void spreading_past_the_limit_is_refused(void **state)
{
    (void)state;
    static const int64_t shape[] = {1 << 20, 1 << 20, 4, 5, 6};
    struct buf graph = usual_graph();
    put_integers(&graph, "s", shape, 5);
    put_node(&graph, "Expand", "e", "x s", "y", NULL);
    assert_refuses(&graph, ERR_TOO_BIG, "node \"e\" (Expand)");
}

/* 2^22 constants, each with each: 2^44 numbers. */
static void too_much_over_constants_is_refused(void **state)
{
    (void)state;
    static const int64_t rows[] = {1 << 22, 1}, columns[] = {1, 1 << 22};
    struct buf graph = usual_graph();
    put_integers(&graph, "r", rows, 2);
    put_integers(&graph, "s", columns, 2);
    put_node(&graph, "ConstantOfShape", "a", "r", "a", NULL);
    put_node(&graph, "ConstantOfShape", "b", "s", "b", NULL);
    put_node(&graph, "Mul", "m", "a b", "y", NULL);
    assert_refuses(&graph, ERR_TOO_BIG, "limit");
}

static void a_reshape_to_another_size_is_refused(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 7, 9}, {-1, -1, 4}, {1, 1 << 30, 1 << 30}, {0, 0, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct buf graph = usual_graph();
        put_integers(&graph, "s", shapes[i], 3);
        put_node(&graph, "Reshape", "r", "x s", "y", NULL);
        assert_refuses(&graph, ERR_INVALID, "node \"r\" (Reshape)");
    }
}

static void axes_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct test_attribute axis[] = {{"axis", {9}, 0}, {0}};
    static const struct test_attribute order[] = {{"perm", {0, 1, 1, 3}, 4}, {0}};
    const struct {
        const char *op, *inputs;
        const struct test_attribute *attributes;
    } nodes[] = {{"Concat", "x x", axis}, {"Softmax", "x", axis},    {"Flatten", "x", axis},
                 {"Split", "x", axis},    {"Transpose", "x", order}, {"Gather", "w w", axis}};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        struct err err = {0};
        struct buf out, graph = usual_graph();
        put_node(&graph, nodes[i].op, "n", nodes[i].inputs, "y", nodes[i].attributes);
        assert_int_equal(import_graph(&graph, &out, &err), -1);
        assert_non_null(strstr(err.message, "node \"n\""));
        buf_finish(&out);
    }
}

static void a_network_without_nodes_inputs_or_outputs_is_refused(void **state)
{
    (void)state;
    struct buf graph = new_message();
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, 2));
    assert_refuses(&graph, ERR_UNSUPPORTED, "outputs");
    graph = new_message();
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, 2));
    assert_refuses(&graph, ERR_UNSUPPORTED, "no inputs");
    struct err err = {0};
    struct buf out = new_message();
    assert_int_equal(nn_import("hello", 5, NULL, &out, &report, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    buf_finish(&out);
}

static void an_open_shape_can_be_given(void **state)
{
    (void)state;
    struct buf graph = new_message();
    put_edge(&graph, ONNX_INPUT, "x", DIMS(-1, 3, -1, -1));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(-1, 3, -1, -1));
    put_node(&graph, "Relu", "r", "x", "y", NULL);
    struct buf file = onnx_file(&graph), out = new_message();
    struct err err = {0};
    struct import_options options = {4, {1, 3, 7, 9}};
    assert_int_equal(nn_import(file.data, file.size, NULL, &out, &report, &err), -1);
    assert_non_null(strstr(err.message, "dimension 2"));
    assert_int_equal(nn_import(file.data, file.size, &options, &out, &report, &err), 0);
    buf_finish(&file);
    buf_finish(&out);
}

static void activation_residual_and_normalisation_become_one_node(void **state)
{
    (void)state;
    static const struct test_attribute same[] = {{"pads", {1, 1, 1, 1}, 4}, {0}};
    struct buf graph = new_message();
    float numbers[4 * 4 * 9];
    for (size_t i = 0; i < 144; i++)
        numbers[i] = 1.0f + (float)i;
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, 4, 5, 6));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, 4, 5, 6));
    put_floats(&graph, "w", DIMS(4, 4, 3, 3), numbers, 144);
    put_floats(&graph, "g", DIMS(4), numbers, 4);
    put_node(&graph, "Conv", "c", "x w", "c", same);
    put_node(&graph, "BatchNormalization", "b", "c g g g g", "n", NULL);
    put_node(&graph, "Add", "a", "x n", "s", NULL);
    put_node(&graph, "Relu", "r", "s", "y", NULL);
    assert_imports(&graph);
    assert_int_equal(report.nodes, 1);
    assert_int_equal(report.fused_activations, 1);
    assert_int_equal(report.fused_residuals, 1);
    assert_int_equal(report.folded_nodes, 1);
}

static void parts_are_joined_without_a_copy(void **state)
{
    (void)state;
    static const struct test_attribute axis[] = {{"axis", {1}, 0}, {0}};
    struct buf graph = usual_graph();
    put_node(&graph, "Conv", "a", "x w", "a", NULL);
    put_node(&graph, "Conv", "b", "x w", "b", NULL);
    put_node(&graph, "Concat", "j", "a b", "y", axis);
    assert_imports(&graph);
    assert_int_equal(report.nodes, 2);
}

static void buffers_share_memory_when_their_times_do_not_meet(void **state)
{
    (void)state;
    struct buf graph = new_message();
    put_edge(&graph, ONNX_INPUT, "v0", DIMS(1, 64, 8, 8));
    put_edge(&graph, ONNX_OUTPUT, "v9", DIMS(1, 64, 8, 8));
    for (int i = 0; i < 9; i++) {
        char in[8], out[8];
        snprintf(in, sizeof in, "v%d", i);
        snprintf(out, sizeof out, "v%d", i + 1);
        put_node(&graph, "Exp", out, in, out, NULL);
    }
    assert_imports(&graph);
    assert_int_equal(report.nodes, 9);
    assert_int_equal(report.arena_floats, 2 * 64 * 8 * 8);
}

static void denormal_weights_become_zero(void **state)
{
    (void)state;
    struct buf graph = new_message();
    const float weights[4] = {1.0f, 1e-40f, -1e-39f, 2e-38f};
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, 1, 2, 2));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, 4, 2, 2));
    put_floats(&graph, "w", DIMS(4, 1, 1, 1), weights, 4);
    put_node(&graph, "Conv", "c", "x w", "y", NULL);
    struct err err = {0};
    struct buf out;
    assert_int_equal(import_graph(&graph, &out, &err), 0);
    assert_int_equal(report.denormals, 2);
    const struct model_header *header = (const void *)out.data;
    const float *packed = (const void *)(out.data + header->weights_at);
    assert_true(packed[0] == 1.0f && packed[1] == 0.0f && packed[2] == 0.0f && packed[3] == 2e-38f);
    buf_finish(&out);
}

static void numbers_beside_the_file_are_read_from_its_folder_alone(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-test-XXXXXX", onnx[64], data[64], out[4] = {0};
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(onnx, sizeof onnx, "%s/a.onnx", folder);
    snprintf(data, sizeof data, "%s/a.data", folder);
    assert_int_equal(file_write(data, "01234567", 8, 0600, &err), 0);
    struct external external = {.location = "a.data", .offset = 4};
    assert_int_equal(external_read(&external, onnx, out, 4, &err), 0);
    assert_memory_equal(out, "4567", 4);
    assert_int_equal(external_read(&external, onnx, out, 5, &err), -1);
    assert_non_null(strstr(err.message, "ends before byte 9"));
    external.offset = UINT64_MAX;
    assert_int_equal(external_read(&external, onnx, out, 4, &err), -1);
    static const char *const outside[] = {"", "/etc/passwd", "..", "../a.data", "b/../../a.data"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        external = (struct external){.location = outside[i]};
        assert_int_equal(external_read(&external, onnx, out, 4, &err), -1);
        assert_int_equal(err.code, ERR_DENIED);
    }
    external.location = "absent";
    assert_int_equal(external_read(&external, onnx, out, 4, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    external.location = "."; /* a folder */
    assert_int_equal(external_read(&external, onnx, out, 4, &err), -1);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void varints_longer_than_64_bits_are_refused(void **state)
{
    (void)state;
    unsigned char bytes[11];
    memset(bytes, 0xff, sizeof bytes);
    struct wire in = {bytes, bytes + sizeof bytes};
    uint64_t value;
    assert_int_equal(wire_varint(&in, &value), -1);
    in = (struct wire){bytes, bytes + 3};
    assert_int_equal(wire_varint(&in, &value), -1);
    in = (struct wire){bytes, bytes};
    assert_int_equal(wire_varint(&in, &value), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(numbers_beside_the_file_are_read_from_its_folder_alone),
        cmocka_unit_test(an_unknown_operator_is_named_with_its_node),
        cmocka_unit_test(a_cycle_is_refused),
        cmocka_unit_test(a_value_made_twice_is_refused),
        cmocka_unit_test(an_output_that_nobody_makes_is_refused),
        cmocka_unit_test(absurd_input_dimensions_are_refused),
        cmocka_unit_test(absurd_constants_are_refused),
        cmocka_unit_test(a_result_past_the_limit_is_refused),
        cmocka_unit_test(wrong_attributes_are_refused),
        cmocka_unit_test(an_unknown_attribute_is_named_with_its_node),
        cmocka_unit_test(run_time_weights_that_do_not_fit_are_refused),
        cmocka_unit_test(pads_past_their_limits_are_refused),
        cmocka_unit_test(absurd_scales_are_refused),
        cmocka_unit_test(a_picture_made_too_large_is_refused),
        cmocka_unit_test(spreading_past_the_limit_is_refused),
        cmocka_unit_test(too_much_over_constants_is_refused),
        cmocka_unit_test(a_reshape_to_another_size_is_refused),
        cmocka_unit_test(axes_out_of_range_are_refused),
        cmocka_unit_test(a_network_without_nodes_inputs_or_outputs_is_refused),
        cmocka_unit_test(an_open_shape_can_be_given),
        cmocka_unit_test(activation_residual_and_normalisation_become_one_node),
        cmocka_unit_test(parts_are_joined_without_a_copy),
        cmocka_unit_test(buffers_share_memory_when_their_times_do_not_meet),
        cmocka_unit_test(denormal_weights_become_zero),
        cmocka_unit_test(varints_longer_than_64_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
