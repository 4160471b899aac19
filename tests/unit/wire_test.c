#include "cloud/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct wire_name names[] = {
    {"Attributes", "Attribute", WIRE_NAME_VALUE, NULL},
    {"Entries", "Entry", WIRE_LIST, "Batch"},
    {"Sizes", "Entry", WIRE_LIST, "Other"},
    {"Tags", "Tag", WIRE_KEY_VALUE, NULL},
    {"Map", "Map", WIRE_ENTRY, NULL},
};
static const struct wire_service service = {
    .name_space = "http://n/", .names = names, .name_count = 5, .has_times = 1};

static void reads(const char *form, const char *expected)
{
    struct exchange x = {0};
    struct err err = {0};
    arena_init(&x.arena, 1 << 24);
    json_t *json = wire_read_form(&x, &service, form, &err);
    if (!json) {
        assert_int_equal(err.code, ERR_INVALID);
        if (expected)
            fail_msg("refused: %s", form);
    } else {
        char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, expected ? expected : "a refusal");
        free(text);
    }
    json_decref(json);
    arena_finish(&x.arena);
}

static void forms_become_json(void **state)
{
    (void)state;
    reads("", "{}");
    reads("A=1&B=x%20y+z", "{\"A\":\"1\",\"B\":\"x y z\"}");
    reads("L.member.1=a&L.member.2=b", "{\"L\":[\"a\",\"b\"]}");
    reads("O.P=1&O.Q.R=2", "{\"O\":{\"P\":\"1\",\"Q\":{\"R\":\"2\"}}}");
    reads("Attribute.1.Name=n&Attribute.1.Value=v&Attribute.2.Name=m&Attribute.2.Value=",
          "{\"Attributes\":{\"m\":\"\",\"n\":\"v\"}}");
    reads("Map.entry.1.key=k&Map.entry.1.value.X=1", "{\"Map\":{\"k\":{\"X\":\"1\"}}}");
    reads("Tag.1.Key=k&Tag.1.Value=v", "{\"Tags\":{\"k\":\"v\"}}");
    reads("Action=Batch&Entry.1.Id=a&Entry.1.Attribute.1.Name=n&Entry.1.Attribute.1.Value=v",
          "{\"Action\":\"Batch\",\"Entries\":[{\"Attributes\":{\"n\":\"v\"},\"Id\":\"a\"}]}");
    reads("Action=Other&Entry.1=7", "{\"Action\":\"Other\",\"Sizes\":[\"7\"]}");
    reads("Entry=text", "{\"Entry\":\"text\"}");
}

static void malformed_forms_are_refused(void **state)
{
    (void)state;
    reads("A=%G1", NULL);
    reads("A=%00", NULL);
    reads("A=%ff", NULL);
    reads("L.member.2=a", NULL);
    reads("L.member.0=a", NULL);
    reads("L.member.1000000=a", NULL);
    reads("L.member.1=a&L.X=b", NULL);
    reads("A=1&A.B=2", NULL);
    reads("Attribute.1.Name=n", NULL);
    reads("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1", NULL);
}

static void xml_is_as_the_service_writes_it(void **state)
{
    (void)state;
    struct exchange x = {.request_id = "id"};
    struct wire wire = {&service, WIRE_QUERY, "Batch", NULL};
    struct buf out;
    json_t *answer =
        json_loads("{\"A\": \"<&>\", \"L\": [1, true], \"Entries\": [{\"Id\": \"x\"}], "
                   "\"Attributes\": {\"k\": \"v\"}, \"Map\": {\"k\": 2.5}, "
                   "\"StartTimestamp\": 0.5}",
                   0, NULL);
    buf_init(&out, 1 << 20);
    wire_write_xml(&x, &wire, answer, &out);
    assert_non_null(strstr(
        out.data, "<BatchResult><A>&lt;&amp;&gt;</A><L><member>1</member><member>true</member></L>"
                  "<Entry><Id>x</Id></Entry><Attribute><Name>k</Name><Value>v</Value></Attribute>"
                  "<Map><entry><key>k</key><value>2.5</value></entry></Map>"
                  "<StartTimestamp>1970-01-01T00:00:00.500Z</StartTimestamp></BatchResult>"));
    buf_finish(&out);
    json_decref(answer);
}

static void parameters_come_in_both_forms(void **state)
{
    (void)state;
    int64_t value = 5;
    json_t *json = json_loads("{\"n\": 7, \"t\": \"-8\", \"x\": \"8x\", \"e\": \"\", \"b\": true, "
                              "\"f\": \"false\", \"z\": null}",
                              0, NULL);
    assert_int_equal(wire_integer(json, "absent", &value), 0);
    assert_int_equal(wire_integer(json, "z", &value), 0);
    assert_int_equal(value, 5);
    assert_int_equal(wire_integer(json, "n", &value), 1);
    assert_int_equal(value, 7);
    assert_int_equal(wire_integer(json, "t", &value), 1);
    assert_int_equal(value, -8);
    assert_int_equal(wire_integer(json, "x", &value), -1);
    assert_int_equal(wire_integer(json, "e", &value), -1);
    assert_int_equal(wire_truth(json, "b", 0), 1);
    assert_int_equal(wire_truth(json, "f", 1), 0);
    assert_int_equal(wire_truth(json, "absent", 1), 1);
    struct wire wire = {.body = json};
    assert_string_equal(wire_unknown(&wire, "n t x e b fx"), "f");
    assert_null(wire_unknown(&wire, "n t x e b f z"));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_become_json),
        cmocka_unit_test(malformed_forms_are_refused),
        cmocka_unit_test(xml_is_as_the_service_writes_it),
        cmocka_unit_test(parameters_come_in_both_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
