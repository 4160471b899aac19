#include "base/file.h"
#include "base/pool.h"
#include "nn/format.h"
#include "nn/import/import.h"
#include "nn/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "onnx_writer.h"

enum { CHANNELS = 4, HEIGHT = 6, WIDTH = 5, OUTS = 19 };

static float number(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (float)(int32_t)*state / 2147483648.0f;
}

static void put_noise(struct buf *graph, const char *name, const int64_t *dims, uint32_t seed)
{
    size_t count = 1;
    for (const int64_t *d = dims; *d; d++)
        count *= (size_t)*d;
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++)
        data[i] = number(&seed);
    put_floats(graph, name, dims, data, count);
    free(data);
}

/* A model of each kind of node: convolution, depthwise, pool, binary, softmax, copy, unary. */
static struct buf model_bytes(void)
{
    static const struct test_attribute same[] = {{"pads", {1, 1, 1, 1}, 4}, {0}};
    static const struct test_attribute deep[] = {
        {"pads", {1, 1, 1, 1}, 4}, {"group", {OUTS}, 0}, {0}};
    static const struct test_attribute window[] = {{"kernel_shape", {2, 2}, 2}, {0}};
    static const struct test_attribute order[] = {{"perm", {0, 2, 3, 1}, 4}, {0}};
    struct buf graph = new_message();
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, CHANNELS, HEIGHT, WIDTH));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, HEIGHT - 1, WIDTH - 1, OUTS));
    put_noise(&graph, "w", DIMS(OUTS, CHANNELS, 3, 3), 1);
    put_noise(&graph, "d", DIMS(OUTS, 1, 3, 3), 2);
    put_noise(&graph, "b", DIMS(OUTS), 3);
    put_noise(&graph, "s", DIMS(OUTS, 1, 1), 4);
    put_node(&graph, "Conv", "conv", "x w b", "c", same);
    put_node(&graph, "PRelu", "prelu", "c s", "p", NULL);
    put_node(&graph, "Conv", "deep", "p d", "e", deep);
    put_node(&graph, "Add", "add", "e p", "a", NULL);
    put_node(&graph, "MaxPool", "pool", "a", "m", window);
    put_node(&graph, "Mul", "scale", "m s", "n", NULL);
    put_node(&graph, "Tanh", "tanh", "n", "t", NULL);
    put_node(&graph, "Transpose", "turn", "t", "u", order);
    put_node(&graph, "Softmax", "softmax", "u", "y", NULL);
    struct buf file = onnx_file(&graph), out = new_message();
    struct import_report report;
    struct err err = {0};
    if (nn_import(file.data, file.size, NULL, &out, &report, &err) < 0)
        fail_msg("%s", err.message);
    buf_finish(&file);
    return out;
}

/* Aligned memory of the exact size, so that a sanitizer sees what lies behind. */
static void *exact_copy(const void *data, size_t size)
{
    void *copy = NULL;
    assert_int_equal(posix_memalign(&copy, MODEL_ALIGN_BYTES, size ? size : 1), 0);
    memcpy(copy, data, size);
    return copy;
}

static void mend_checksum(void *data, size_t size)
{
    struct model_header *header = data;
    size_t skipped = offsetof(struct model_header, checksum) + sizeof header->checksum;
    header->checksum = model_checksum((char *)data + skipped, size - skipped);
}

/* Opens and, if that is accepted, runs the model. Returns whether it was accepted. */
static int try_model(const void *data, size_t size)
{
    struct err err = {0};
    struct model *model = model_open_memory(data, size, &err);
    if (!model) {
        assert_int_equal(err.code, ERR_CORRUPT);
        return 0;
    }
    struct session *session = session_create(model, NULL, &err);
    if (session && model_macs(model) < 10 * 1000 * 1000) {
        for (size_t i = 0; i < model_inputs(model); i++)
            memset(session_input(session, i), 0, model_input(model, i)->floats * sizeof(float));
        session_run(session);
        float sum = 0;
        for (size_t i = 0; i < model_outputs(model); i++)
            for (size_t j = 0; j < model_output(model, i)->floats; j++)
                sum += session_output(session, i)[j];
        assert_true(sum == sum || sum != sum); /* every output float was read */
    }
    session_destroy(session);
    model_close(model);
    return 1;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct buf bytes = model_bytes();
    for (size_t size = 0; size < bytes.size; size += size < 4096 ? 1 : 97) {
        void *copy = exact_copy(bytes.data, size);
        assert_int_equal(try_model(copy, size), 0);
        if (size >=
            sizeof(struct model_header)) { /* even if header and checksum claim it is right */
            ((struct model_header *)copy)->file_bytes = size;
            mend_checksum(copy, size);
            assert_int_equal(try_model(copy, size), 0);
        }
        free(copy);
    }
    buf_finish(&bytes);
}

static void a_longer_file_is_refused(void **state)
{
    (void)state;
    struct buf bytes = model_bytes();
    size_t size = bytes.size;
    buf_append(&bytes, "", 1);
    void *copy = exact_copy(bytes.data, size + 1);
    assert_int_equal(try_model(copy, size), 1);
    assert_int_equal(try_model(copy, size + 1), 0);
    free(copy);
    buf_finish(&bytes);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct buf bytes = model_bytes();
    char *copy = exact_copy(bytes.data, bytes.size);
    for (size_t i = 0; i < bytes.size; i += i < 512 ? 1 : 13)
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (char)(1 << bit);
            struct err err = {0};
            assert_null(model_open_memory(copy, bytes.size, &err));
            copy[i] ^= (char)(1 << bit);
        }
    free(copy);
    buf_finish(&bytes);
}

/* With the checksum mended, only the checks of the numbers stand between a hostile file and memory.
 * Every 32-bit number of header, edges and nodes becomes each of these; a file is refused or runs
 * within its bounds, which a sanitizer watches. */
static void hostile_numbers_never_leave_the_bounds(void **state)
{
    (void)state;
    static const uint32_t hostile[] = {0,        1,         2,        3,          15,
                                       16,       100,       4096,     1u << 20,   1u << 24,
                                       1u << 28, INT32_MAX, 1u << 31, UINT32_MAX, UINT32_MAX - 15};
    struct buf bytes = model_bytes();
    const struct model_header *header = (const void *)bytes.data;
    size_t numbers = header->weights_at / sizeof(uint32_t), accepted = 0;
    char *copy = exact_copy(bytes.data, bytes.size);
    for (size_t i = 0; i < numbers; i++)
        for (size_t j = 0; j < sizeof hostile / sizeof hostile[0]; j++) {
            memcpy(copy + i * sizeof(uint32_t), &hostile[j], sizeof(uint32_t));
            mend_checksum(copy, bytes.size);
            accepted += (size_t)try_model(copy, bytes.size);
            memcpy(copy, bytes.data, header->weights_at);
        }
    assert_true(accepted > 0 && accepted < numbers * 15); /* reserved fields, equal values */
    free(copy);
    buf_finish(&bytes);
}

static void counts_past_the_limits_are_refused(void **state)
{
    (void)state;
    struct buf bytes = model_bytes();
    struct model_header *copy = exact_copy(bytes.data, bytes.size), first = *copy;
#define REFUSED(field, value)                                                                      \
    copy->field = (value);                                                                         \
    mend_checksum(copy, bytes.size);                                                               \
    assert_int_equal(try_model(copy, bytes.size), 0);                                              \
    *copy = first
    REFUSED(magic[0], 'k');
    REFUSED(version, MODEL_VERSION + 1);
    REFUSED(panel, 8);
    REFUSED(file_bytes, bytes.size + 1);
    REFUSED(inputs, MODEL_MAX_INPUTS + 1);
    REFUSED(inputs, 0);
    REFUSED(outputs, MODEL_MAX_OUTPUTS + 1);
    REFUSED(outputs, 0);
    REFUSED(nodes, MODEL_MAX_NODES + 1);
    REFUSED(arena_floats, (uint64_t)MODEL_MAX_FLOATS + 1);
    REFUSED(arena_floats, 16);
    REFUSED(weights_floats, first.weights_floats + 1);
    REFUSED(weights_floats, UINT64_MAX);
    REFUSED(weights_at, UINT64_MAX - 63);
    REFUSED(weights_at, first.weights_at + 64);
    REFUSED(nodes_at, 0);
    REFUSED(nodes_at, first.nodes_at + 4);
    REFUSED(tensors_at, bytes.size / 64 * 64);
#undef REFUSED
    assert_int_equal(try_model(copy, bytes.size), 1);
    free(copy);
    buf_finish(&bytes);
}

static void what_is_no_model_file_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(model_open("/nonexistent/x.ken", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_null(model_open("/tmp", &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_null(model_open("/dev/null", &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void a_mapped_file_runs_like_memory_and_alike_every_time(void **state)
{
    (void)state;
    char path[] = "/tmp/ken-model-XXXXXX";
    struct buf bytes = model_bytes();
    struct err err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, bytes.data, bytes.size, &err), 0);
    close(fd);
    struct model *model = model_open(path, &err);
    unlink(path);
    assert_non_null(model);
    struct pool *pool = pool_create(3, &err);
    struct session *sessions[3] = {session_create(model, NULL, &err),
                                   session_create(model, pool, &err)};
    sessions[2] = session_create_beside(model, sessions[0], &err);
    assert_ptr_equal(session_input(sessions[2], 0), session_input(sessions[0], 0));
    assert_true(session_bytes(sessions[2]) < session_bytes(sessions[0]));
    size_t floats = model_output(model, 0)->floats;
    assert_int_equal(floats, (HEIGHT - 1) * (WIDTH - 1) * OUTS);
    float first[(HEIGHT - 1) * (WIDTH - 1) * OUTS];
    for (int run = 0; run < 6; run++) {
        struct session *session = sessions[run % 3];
        uint32_t seed = 9;
        for (size_t i = 0; i < model_input(model, 0)->floats; i++)
            session_input(session, 0)[i] = number(&seed);
        session_run(session);
        if (run == 0)
            memcpy(first, session_output(session, 0), sizeof first);
        assert_memory_equal(first, session_output(session, 0), sizeof first);
    }
    /* The output's last dimension, over which softmax goes, is its columns; stored are pixels of
     * HEIGHT - 1 channels. */
    enum { PIXEL = HEIGHT - 1 };
    for (size_t row = 0; row < WIDTH - 1; row++)
        for (size_t channel = 0; channel < PIXEL; channel++) {
            float sum = 0;
            for (size_t column = 0; column < OUTS; column++)
                sum += first[(row * OUTS + column) * PIXEL + channel];
            assert_true(fabsf(sum - 1.0f) < 1e-5f);
        }
    for (int i = 2; i >= 0; i--)
        session_destroy(sessions[i]);
    pool_destroy(pool);
    model_close(model);
    buf_finish(&bytes);
}

static void a_large_layer_is_split_between_threads_without_a_seam(void **state)
{
    (void)state;
    static const struct test_attribute same[] = {{"pads", {1, 1, 1, 1}, 4}, {0}};
    enum { SIDE = 37, DEPTH = 24, FLOATS = SIDE * SIDE * DEPTH };
    struct buf graph = new_message();
    put_edge(&graph, ONNX_INPUT, "x", DIMS(1, DEPTH, SIDE, SIDE));
    put_edge(&graph, ONNX_OUTPUT, "y", DIMS(1, DEPTH, SIDE, SIDE));
    put_noise(&graph, "w", DIMS(DEPTH, DEPTH, 3, 3), 1);
    put_noise(&graph, "v", DIMS(DEPTH, DEPTH, 1, 1), 2);
    put_node(&graph, "Conv", "three", "x w", "c", same);
    put_node(&graph, "Conv", "one", "c v", "y", NULL);
    struct buf file = onnx_file(&graph), out = new_message();
    struct import_report report;
    struct err err = {0};
    assert_int_equal(nn_import(file.data, file.size, NULL, &out, &report, &err), 0);
    void *copy = exact_copy(out.data, out.size);
    struct model *model = model_open_memory(copy, out.size, &err);
    assert_non_null(model);
    float *first = malloc(FLOATS * sizeof *first);
    assert_non_null(first);
    for (size_t threads = 1; threads <= 4; threads++) {
        struct pool *pool = pool_create(threads, &err);
        struct session *session = session_create(model, pool, &err);
        assert_non_null(session);
        uint32_t seed = 9;
        for (size_t i = 0; i < FLOATS; i++)
            session_input(session, 0)[i] = number(&seed);
        session_run(session);
        if (threads == 1)
            memcpy(first, session_output(session, 0), FLOATS * sizeof *first);
        assert_memory_equal(first, session_output(session, 0), FLOATS * sizeof *first);
        session_destroy(session);
        pool_destroy(pool);
    }
    free(first);
    model_close(model);
    free(copy);
    buf_finish(&file);
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_longer_file_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(hostile_numbers_never_leave_the_bounds),
        cmocka_unit_test(counts_past_the_limits_are_refused),
        cmocka_unit_test(what_is_no_model_file_is_refused),
        cmocka_unit_test(a_mapped_file_runs_like_memory_and_alike_every_time),
        cmocka_unit_test(a_large_layer_is_split_between_threads_without_a_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
