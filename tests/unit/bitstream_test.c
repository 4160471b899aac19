#include "video/bitstream.h"
#include "video/capture_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct h264_unit inspected(const void *data, size_t size)
{
    struct h264_unit unit;
    h264_inspect(data, size, &unit);
    return unit;
}

static void a_key_picture_has_its_parameter_sets(void **state)
{
    (void)state;
    static const uint8_t unit[] = {0, 0, 0, 1,    9, 16, 0, 0, 0, 1,    0x67, 66, 7,
                                   0, 0, 1, 0x68, 8, 0,  0, 0, 1, 0x65, 0x88, 1};
    struct h264_unit found = inspected(unit, sizeof unit);
    assert_true(found.key);
    assert_ptr_equal(found.parameters, unit + 6);
    assert_int_equal(found.parameter_bytes, 12);
}

/* Else every key frame would look like the beginning of another stream. */
static void what_stands_behind_the_parameter_sets_is_not_theirs(void **state)
{
    (void)state;
    static const uint8_t unit[] = {0, 0, 1, 0x67, 66, 0, 0, 1, 0x68, 8,    0,
                                   0, 1, 6, 5,    1,  2, 0, 0, 1,    0x65, 0x88};
    assert_int_equal(inspected(unit, sizeof unit).parameter_bytes, 10);
}

static void other_pictures_have_none(void **state)
{
    (void)state;
    static const uint8_t plain[] = {0, 0, 1, 0x41, 0x9a, 2}, only_sps[] = {0, 0, 1, 0x67, 66};
    assert_false(inspected(plain, sizeof plain).key);
    assert_int_equal(inspected(plain, sizeof plain).parameter_bytes, 0);
    assert_int_equal(inspected(only_sps, sizeof only_sps).parameter_bytes, 0);
    assert_int_equal(inspected("", 0).parameter_bytes, 0);
    assert_false(inspected("\0\0\1", 3).key);
}

static void a_unit_ends_where_the_next_begins(void **state)
{
    (void)state;
    static const uint8_t two[] = {0, 0, 0, 1,    0x65, 0x88, 1, /* first slice */
                                  0, 0, 1, 0x65, 0x08, 1, /* second slice of the same picture */
                                  0, 0, 0, 1,    0x41, 0x9a, 2};
    assert_int_equal(h264_unit_end(two, sizeof two), 13);
    for (size_t cut = 0; cut < 18; cut++) /* the next start and its first byte are needed */
        assert_int_equal(h264_unit_end(two, cut), 0);
    assert_int_equal(h264_unit_end(two, 19), 13);
}

/* A thumbnail with an end of its own in the header, then the picture's. */
static const uint8_t jpeg[] = {9,    9,    0xff, 0xd8, 0xff, 0xe1, 0,    6,    0xff, 0xd8,
                               0xff, 0xd9, 0xff, 0xc0, 0,    11,   8,    0,    48,   0,
                               64,   1,    1,    0x11, 0,    0xff, 0xda, 0,    4,    1,
                               2,    7,    0xff, 0,    8,    0xff, 0xd9, 0xff, 0xd8};

static void a_jpeg_ends_behind_its_own_end_marker(void **state)
{
    (void)state;
    size_t start;
    assert_int_equal(jpeg_end(jpeg, sizeof jpeg, &start), 37);
    assert_int_equal(start, 2);
    for (size_t cut = 0; cut < 37; cut++)
        assert_int_equal(jpeg_end(jpeg, cut, &start), 0);
    assert_int_equal(jpeg_end((const uint8_t *)"abc\xff", 4, &start), 0);
    assert_int_equal(start, 3);
}

static void a_jpeg_tells_its_size(void **state)
{
    (void)state;
    int width, height;
    assert_int_equal(jpeg_size(jpeg + 2, sizeof jpeg - 2, &width, &height), 0);
    assert_int_equal(width, 64);
    assert_int_equal(height, 48);
    assert_int_equal(jpeg_size(jpeg, sizeof jpeg, &width, &height), -1);
    for (size_t cut = 0; cut < 23; cut++)
        assert_int_equal(jpeg_size(jpeg + 2, cut, &width, &height), -1);
}

static void messages_come_back_as_they_were(void **state)
{
    (void)state;
    struct err err = {0};
    uint8_t bytes[CAPTURE_HEADER_BYTES];
    struct capture_header header = {CAPTURE_PACKET, CAPTURE_KEY, 1234, 0x123456789abcdef0u}, back;
    capture_header_write(&header, bytes);
    assert_int_equal(capture_header_read(&back, bytes, &err), 0);
    assert_int_equal(back.kind, header.kind);
    assert_int_equal(back.flags, header.flags);
    assert_int_equal(back.size, header.size);
    assert_int_equal(back.captured_ns, header.captured_ns);
    uint8_t format_bytes[CAPTURE_FORMAT_BYTES];
    struct capture_format format = {.codec = CAPTURE_MJPEG, .width = 64, .height = 48, .fps = 7.5};
    struct capture_format format_back;
    capture_format_write(&format, format_bytes);
    assert_int_equal(capture_format_read(&format_back, format_bytes, sizeof format_bytes, &err), 0);
    assert_int_equal(format_back.width, 64);
    assert_true(format_back.fps == 7.5);
}

static void messages_that_are_none_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct capture_header header;
    struct capture_format format;
    const struct capture_header wrong[] = {
        {CAPTURE_PACKET, 0, CAPTURE_MAX_PACKET_BYTES + 1, 0},
        {CAPTURE_ERROR, 0, CAPTURE_MAX_ERROR_BYTES + 1, 0},
        {CAPTURE_PACKET, 0, 0, 0},
        {CAPTURE_ALIVE, 0, 2, 0},
        {(enum capture_kind)5, 0, 1, 0},
        {(enum capture_kind)0, 0, 1, 0},
    };
    uint8_t bytes[CAPTURE_HEADER_BYTES] = {0};
    assert_int_equal(capture_header_read(&header, bytes, &err), -1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        capture_header_write(&wrong[i], bytes);
        assert_int_equal(capture_header_read(&header, bytes, &err), -1);
    }
    const struct capture_format sizes[] = {
        {.codec = CAPTURE_H264, .width = 1, .height = 48},
        {.codec = CAPTURE_H264, .width = 64, .height = 9000},
        {.codec = (enum capture_codec)9, .width = 64, .height = 48}};
    uint8_t format_bytes[CAPTURE_FORMAT_BYTES];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        capture_format_write(&sizes[i], format_bytes);
        assert_int_equal(capture_format_read(&format, format_bytes, sizeof format_bytes, &err), -1);
    }
    assert_int_equal(capture_format_read(&format, format_bytes, 15, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_picture_has_its_parameter_sets),
        cmocka_unit_test(what_stands_behind_the_parameter_sets_is_not_theirs),
        cmocka_unit_test(other_pictures_have_none),
        cmocka_unit_test(a_unit_ends_where_the_next_begins),
        cmocka_unit_test(a_jpeg_ends_behind_its_own_end_marker),
        cmocka_unit_test(a_jpeg_tells_its_size),
        cmocka_unit_test(messages_come_back_as_they_were),
        cmocka_unit_test(messages_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
