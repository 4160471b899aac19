#include "aws/s3_upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void parts_are_few_and_large_enough(void **state)
{
    (void)state;
    assert_int_equal(s3_upload_part_bytes(1), S3_UPLOAD_PART_BYTES);
    assert_int_equal(s3_upload_part_bytes(S3_UPLOAD_PART_BYTES * 1000), S3_UPLOAD_PART_BYTES);
    for (uint64_t size = 1; size <= S3_UPLOAD_MAX_BYTES; size = size * 3 + 1) {
        uint64_t part = s3_upload_part_bytes(size);
        assert_true((size + part - 1) / part <= S3_UPLOAD_MAX_PARTS);
        assert_true(part <= 72u * 1024 * 1024);
    }
}

static void parts_of_a_list_are_read(void **state)
{
    (void)state;
    const char *text = "<ListPartsResult><PartNumberMarker>0</PartNumberMarker>"
                       "<Part><PartNumber>1</PartNumber><ETag>&quot;ab12&quot;</ETag>"
                       "<Size>8388608</Size></Part>"
                       "<Part><ETag>\"cd-2\"</ETag><Size>5</Size><PartNumber>9</PartNumber></Part>"
                       "</ListPartsResult>";
    struct s3_part part;
    assert_int_equal(s3_upload_read_part(&text, &part), 1);
    assert_int_equal(part.number, 1);
    assert_int_equal(part.size, 8388608);
    assert_string_equal(part.etag, "ab12");
    assert_int_equal(s3_upload_read_part(&text, &part), 1);
    assert_int_equal(part.number, 9);
    assert_string_equal(part.etag, "cd-2");
    assert_int_equal(s3_upload_read_part(&text, &part), 0);
}

static void damaged_parts_are_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "<Part>",
        "<Part></Part>",
        "<Part><PartNumber>1</PartNumber><Size>1</Size></Part><ETag>ab</ETag>",
        "<Part><PartNumber>0</PartNumber><ETag>ab</ETag><Size>1</Size></Part>",
        "<Part><PartNumber>10001</PartNumber><ETag>ab</ETag><Size>1</Size></Part>",
        "<Part><PartNumber>1</PartNumber><ETag>&quot;</ETag><Size>1</Size></Part>",
        "<Part><PartNumber>11111111111111111111</PartNumber><ETag>ab</ETag><Size>1</Size></Part>",
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct s3_part part;
        const char *text = lists[i];
        assert_int_equal(s3_upload_read_part(&text, &part), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_few_and_large_enough),
        cmocka_unit_test(parts_of_a_list_are_read),
        cmocka_unit_test(damaged_parts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
