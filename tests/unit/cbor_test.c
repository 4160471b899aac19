#include "cloud/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void refused(const char *bytes, size_t size)
{
    struct err err = {0};
    json_t *json = cbor_read(bytes, size, &err);
    if (json)
        fail_msg("accepted %zu bytes beginning with %02x", size, (unsigned char)bytes[0]);
    assert_int_equal(err.code, ERR_INVALID);
}

#define REFUSED(text) refused(text, sizeof text - 1)

static void damaged_bytes_are_refused(void **state)
{
    (void)state;
    REFUSED("");
    REFUSED("\x18");                                 /* argument missing */
    REFUSED("\x1c");                                 /* reserved */
    REFUSED("\x61");                                 /* text cut short */
    REFUSED("\x7b\xff\xff\xff\xff\xff\xff\xff\xff"); /* text of 2^64 - 1 bytes */
    REFUSED("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"); /* array of as many */
    REFUSED("\x81");
    REFUSED("\x9f\x01"); /* no break */
    REFUSED("\xff");
    REFUSED("\xa1\x01\x02"); /* a key that is no text */
    REFUSED("\xa1\x61"
            "a");
    REFUSED("\x41\x00");                             /* bytes */
    REFUSED("\x61\xff");                             /* no UTF-8 */
    REFUSED("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"); /* past 63 bits */
    REFUSED("\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00"); /* infinity */
    REFUSED("\x01\x01");                             /* two values */
    char deep[CBOR_MAX_DEPTH + 2];
    memset(deep, 0x81, sizeof deep);
    refused(deep, sizeof deep);
}

static void reads(const char *bytes, size_t size, const char *wanted)
{
    struct err err = {0};
    json_t *json = cbor_read(bytes, size, &err);
    if (!json)
        fail_msg("%s: %s", wanted, err.message);
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(json);
}

#define READS(text, wanted) reads(text, sizeof text - 1, wanted)

/* The examples of RFC 8949, appendix A. */
static void values_are_read(void **state)
{
    (void)state;
    READS("\x00", "0");
    READS("\x19\x03\xe8", "1000");
    READS("\x39\x03\xe7", "-1000");
    READS("\xf9\x3e\x00", "1.5");
    READS("\xf9\x00\x01", "5.9604644775390625e-8");
    READS("\xfa\x47\xc3\x50\x00", "100000.0");
    READS("\xfb\x40\x04\x00\x00\x00\x00\x00\x00", "2.5");
    READS("\xc1\x1a\x51\x4b\x67\xb0", "1363896240");
    READS("\xf5", "true");
    READS("\x64IETF", "\"IETF\"");
    READS("\x7f\x65strea\x64ming\xff", "\"streaming\"");
    READS("\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff", "[1,[2,3],[4,5]]");
    READS("\xbf\x63"
          "Fun\xf5\x63"
          "Amt\x21\xff",
          "{\"Fun\":true,\"Amt\":-2}");
}

static void written_values_read_back(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-1,23,24,255,256,65536,4294967296,-4294967297,1.5,\"x\",true,false,null],"
        "\"Label\":\"\"}";
    json_t *json = json_loads(text, 0, NULL);
    struct buf out;
    buf_init(&out, 4096);
    cbor_write(&out, json);
    reads(out.data, out.size, text);
    buf_finish(&out);
    json_decref(json);
}

static void times_are_tagged_floats(void **state)
{
    (void)state;
    json_t *json = json_loads("{\"Timestamp\":1,\"Timestamps\":[2]}", 0, NULL);
    struct buf out;
    buf_init(&out, 4096);
    cbor_write(&out, json);
    assert_non_null(memmem(out.data, out.size, "\xc1\xfb\x3f\xf0", 4));
    assert_non_null(memmem(out.data, out.size, "\xc1\xfb\x40\x00", 4));
    buf_finish(&out);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(written_values_read_back),
        cmocka_unit_test(times_are_tagged_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
