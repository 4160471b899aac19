#include "aws/attribute.h"
#include "function/event.h"
#include "function/handler.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define GOOD_EVENT "{\"queryStringParameters\": {\"BucketName\": \"b\", \"ImageName\": \"1.png\"}}"

/* The parts with everything real taken out: each test says how they behave. */
struct fake {
    struct buf png;
    enum frame_result fetch_result;
    int faces, known, record; /* results of recognize, match (how many are known) and record */
    int asked, failing;       /* for how many records; the one that fails, from 1 */
    enum err_code failure;    /* of recognize, where faces is -1 */
    const char *record_text;
    size_t archived_bytes; /* of the last request's frame */
    char asked_bucket[64], asked_key[64], asked_name[64];
    struct image picture; /* kept from request to request */
};

static enum frame_result fake_fetch(void *self, const char *bucket, const char *key,
                                    const void **data, size_t *size, struct err *err)
{
    struct fake *fake = self;
    snprintf(fake->asked_bucket, sizeof fake->asked_bucket, "%s", bucket);
    snprintf(fake->asked_key, sizeof fake->asked_key, "%s", key);
    *data = fake->png.data;
    *size = fake->png.size;
    if (fake->fetch_result != FRAME_FETCHED)
        err_set(err, ERR_UNAVAILABLE, "fetch failed \xff");
    return fake->fetch_result;
}

static int fake_recognize(void *self, const struct image *image, struct face *faces, size_t max,
                          struct face_timings *timings, struct err *err)
{
    struct fake *fake = self;
    assert_int_equal(image->width, 4);
    assert_true(max >= 2);
    *timings = (struct face_timings){1, 2, 3};
    for (int i = 0; i < fake->faces; i++)
        faces[i] = (struct face){.box = {10.06f, 20, 30, 40}, .embedding = {(float)i}};
    return fake->faces < 0 ? err_set(err, fake->failure, "why it failed") : fake->faces;
}

static int fake_match(void *self, const float *embedding, struct match *out)
{
    struct fake *fake = self;
    static const char *const names[] = {"person-a", "person-b", "person-a", "person-\"c\""};
    int known = (int)embedding[0] < fake->known;
    *out = (struct match){known ? names[(int)embedding[0]] : NULL, known ? 0.875f : 0.25f};
    return known;
}

static int fake_record(void *self, const char *name, struct buf *plain, struct err *err)
{
    struct fake *fake = self;
    snprintf(fake->asked_name, sizeof fake->asked_name, "%s", name);
    fake->asked++;
    if (fake->asked == fake->failing)
        return err_set(err, ERR_UNAVAILABLE, "GetItem: no answer");
    if (strcmp(name, "person-\"c\"") == 0)
        return 0;
    if (fake->record < 0)
        return err_set(err, ERR_UNAVAILABLE, "GetItem: connection refused");
    if (fake->record)
        buf_puts(plain, fake->record_text);
    return fake->record;
}

static int setup(void **state)
{
    struct fake *fake = calloc(1, sizeof *fake);
    struct image image;
    struct err err;
    *fake = (struct fake){.faces = 1, .known = 1, .record = 1};
    fake->record_text = "{\"name\": \"person-a\", \"id\": 1, \"major\": \"Physics\", "
                        "\"year\": \"2\", \"x\": 0.1000000000000000000001}";
    buf_init(&fake->png, 10000);
    if (image_init(&image, 4, 4, &err) < 0 ||
        image_encode(&image, IMAGE_PNG, 0, &fake->png, &err) < 0)
        return -1;
    image_finish(&image);
    *state = fake;
    return 0;
}

static int teardown(void **state)
{
    struct fake *fake = *state;
    buf_finish(&fake->png);
    image_finish(&fake->picture);
    free(fake);
    return 0;
}

static struct handler_parts parts_of(struct fake *fake)
{
    return (struct handler_parts){fake,        fake_fetch, fake_recognize, fake_match,
                                  fake_record, "t",        &fake->picture};
}

/* Run the handler and check what is true of every answer; returns the body, whose text goes to
 * `raw`. */
static json_t *run(struct fake *fake, const char *event, int status, char *raw, size_t raw_bytes)
{
    const struct handler_parts parts = parts_of(fake);
    struct handler_outcome outcome;
    struct buf answer;
    fake->asked_key[0] = 0;
    buf_init(&answer, 1 << 20);
    handler_run(&parts, event, strlen(event), 1, &answer, &outcome);
    json_t *root = json_loadb(answer.data, answer.size, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "statusCode")), status);
    assert_int_equal(outcome.status, status);
    const char *text = json_string_value(json_object_get(root, "body"));
    assert_non_null(text);
    snprintf(raw, raw_bytes, "%s", text);
    json_t *body = attribute_load_plain(text, strlen(text));
    assert_non_null(body);
    json_t *times = json_object_get(body, "timings_ms");
    static const char *const stages[] = {"fetch", "decode", "detect", "landmark",
                                         "embed", "match",  "record", "total"};
    for (size_t i = 0; i < COUNT(stages); i++)
        assert_true(json_is_number(json_object_get(times, stages[i])));
    assert_true(json_is_true(json_object_get(times, "cold_start")));
    assert_true(json_number_value(json_object_get(times, "started_unix_us")) > 1.6e15);
    fake->archived_bytes = outcome.archive.picture_bytes;
    handler_outcome_finish(&outcome);
    json_decref(root);
    buf_finish(&answer);
    return body;
}

static const char *text_of(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? text : "";
}

static void expect_error(struct fake *fake, const char *event, int status, const char *error)
{
    char raw[4096];
    json_t *body = run(fake, event, status, raw, sizeof raw);
    assert_string_equal(text_of(body, "error"), error);
    assert_true(*text_of(body, "message"));
    assert_null(json_object_get(body, "response"));
    assert_null(json_object_get(body, "record"));
    json_decref(body);
}

static void bad_events_are_missing_parameters(void **state)
{
    static const char *const events[] = {
        "",
        "null",
        "[1, 2",
        "\"text\"",
        "{}",
        "{\"queryStringParameters\": null}",
        "{\"queryStringParameters\": []}",
        "{\"queryStringParameters\": {\"BucketName\": \"b\"}}",
        "{\"queryStringParameters\": {\"ImageName\": \"k\"}}",
        "{\"queryStringParameters\": {\"BucketName\": \"\", \"ImageName\": \"k\"}}",
        "{\"queryStringParameters\": {\"BucketName\": 1, \"ImageName\": {}}}",
    };
    for (size_t i = 0; i < COUNT(events); i++)
        expect_error(*state, events[i], 400, "MissingParameter");
}

#define POST_HEAD                                                                                  \
    "{\"httpMethod\": \"POST\", \"queryStringParameters\": {\"BucketName\": \"b\", "               \
    "\"ImageName\": \"1.png\"}, "

static void a_post_without_a_picture_in_base64_is_refused(void **state)
{
    static const char *const tails[] = {
        "\"body\": null, \"isBase64Encoded\": false}",
        "\"isBase64Encoded\": true}",
        "\"body\": \"\", \"isBase64Encoded\": true}",
        "\"body\": 5, \"isBase64Encoded\": true}",
        "\"body\": \"AAAA\"}",
        "\"body\": \"AAA\", \"isBase64Encoded\": true}",
        "\"body\": \"A?AA\", \"isBase64Encoded\": true}",
        "\"body\": \" AAA\", \"isBase64Encoded\": true}",
    };
    for (size_t i = 0; i < COUNT(tails); i++) {
        char event[400];
        snprintf(event, sizeof event, POST_HEAD "%s", tails[i]);
        expect_error(*state, event, 400, "MissingParameter");
        assert_int_equal(((struct fake *)*state)->archived_bytes, 0);
    }
}

/* The event of a POST of `size` bytes of the fake's picture. */
static void make_post(const struct fake *fake, size_t size, char *event, size_t event_bytes)
{
    unsigned char text[4096];
    assert_true(size < sizeof text / 2);
    EVP_EncodeBlock(text, (const unsigned char *)fake->png.data, (int)size);
    snprintf(event, event_bytes, POST_HEAD "\"body\": \"%s\", \"isBase64Encoded\": true}", text);
}

static void a_posted_picture_is_answered_and_then_to_be_archived(void **state)
{
    struct fake *fake = *state;
    char raw[4096], event[8192];
    make_post(fake, fake->png.size, event, sizeof event);
    json_t *body = run(fake, event, 200, raw, sizeof raw);
    assert_string_equal(text_of(body, "key"), "1.png");
    assert_string_equal(fake->asked_key, ""); /* nothing was fetched */
    assert_int_equal(fake->archived_bytes, fake->png.size);
    json_decref(body);
    fake->known = 0; /* strangers are archived too */
    json_decref(run(fake, event, 404, raw, sizeof raw));
    assert_int_equal(fake->archived_bytes, fake->png.size);
}

static void a_picture_is_found_however_the_event_is_written(void **state)
{
    static const char *const tails[] = {
        "\"body\":\"/9j/\",\"isBase64Encoded\":true}",
        "\"body\" :\r\n\t\"/9j/\", \"isBase64Encoded\": true}",
        "\"isBase64Encoded\": true, \"body\": \"\\/9j\\/\"}", /* JSON may write a slash so */
        "\"isBase64Encoded\": true, \"\\u0062ody\": \"/9j/\"}",
        "\"x\": {\"body\": \"AAAA\"}, \"isBase64Encoded\": true, \"body\": \"/9j/\"}",
        "\"x\": \"\\\"body\\\": \\\\\", \"isBase64Encoded\": true, \"body\": \"/9j/\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(tails); i++) {
        char text[400];
        struct event event;
        struct err err = {0};
        snprintf(text, sizeof text, POST_HEAD "%s", tails[i]);
        assert_int_equal(event_read(&event, text, strlen(text), &err), 0);
        assert_int_equal(event.picture_bytes, 3);
        assert_memory_equal(event.picture, "\xff\xd8\xff", 3);
        event_finish(&event);
    }
}

static void an_event_that_breaks_off_in_or_behind_its_picture_is_refused(void **state)
{
    static const char *const tails[] = {"\"body",
                                        "\"body\"",
                                        "\"body\":",
                                        "\"body\":\"",
                                        "\"body\":\"AAAA\\",
                                        "\"body\":\"AAAA\"",
                                        "\"body\":\"AAAA\" \"isBase64Encoded\": true}"};
    for (size_t i = 0; i < COUNT(tails); i++) {
        char event[400];
        snprintf(event, sizeof event, POST_HEAD "%s", tails[i]);
        expect_error(*state, event, 400, "MissingParameter");
    }
}

static void what_is_no_picture_is_not_archived(void **state)
{
    struct fake *fake = *state;
    char event[8192];
    make_post(fake, fake->png.size / 2, event, sizeof event);
    expect_error(fake, event, 415, "UnreadableImage");
    assert_int_equal(fake->archived_bytes, 0);
}

static void what_was_fetched_is_not_archived_again(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    json_decref(run(fake, GOOD_EVENT, 200, raw, sizeof raw));
    assert_int_equal(fake->archived_bytes, 0);
}

static void a_picture_at_hand_gets_the_same_answer(void **state)
{
    struct fake *fake = *state;
    const struct handler_parts parts = parts_of(fake);
    struct handler_outcome outcome;
    struct image image;
    struct buf body;
    struct err err;
    assert_int_equal(image_init(&image, 4, 4, &err), 0);
    buf_init(&body, 1 << 20);
    handler_recognize(&parts, "7.png", &image, &body, &outcome);
    assert_int_equal(outcome.status, 200);
    json_t *root = json_loadb(body.data, body.size, 0, NULL);
    assert_string_equal(text_of(root, "key"), "7.png");
    assert_string_equal(text_of(root, "response"), "Id: 1 Name: person-a Major: Physics Year: 2");
    json_decref(root);
    image_finish(&image);
    buf_finish(&body);
}

static void parameters_past_their_limits_are_refused(void **state)
{
    char event[3000], key[1100];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    snprintf(event, sizeof event, "{\"BucketName\": \"b\", \"ImageName\": \"%s\"}", key);
    expect_error(*state, event, 400, "MissingParameter");
}

static void every_failed_fetch_has_its_status(void **state)
{
    static const struct {
        enum frame_result result;
        int status;
        const char *error;
    } cases[] = {{FRAME_NO_BUCKET, 404, "NoSuchBucket"},
                 {FRAME_DENIED, 403, "AccessDenied"},
                 {FRAME_NO_KEY, 404, "NoSuchKey"},
                 {FRAME_TOO_BIG, 415, "UnreadableImage"},
                 {FRAME_FAILED, 502, "DependencyFailed"}};
    struct fake *fake = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake->fetch_result = cases[i].result;
        expect_error(fake, GOOD_EVENT, cases[i].status, cases[i].error);
    }
}

static void broken_pictures_are_unreadable(void **state)
{
    struct fake *fake = *state;
    size_t whole = fake->png.size - 24; /* the end marker holds no pixels */
    for (size_t size = 0; size < whole; size += 3) {
        fake->png.size = size;
        expect_error(fake, GOOD_EVENT, 415, "UnreadableImage");
    }
}

static void failures_of_the_parts_are_told_apart(void **state)
{
    struct fake *fake = *state;
    fake->faces = -1;
    fake->failure = ERR_NO_MEMORY;
    expect_error(fake, GOOD_EVENT, 500, "RecognitionFailed");
    fake->failure = ERR_INVALID;
    expect_error(fake, GOOD_EVENT, 422, "NoFace");
    fake->faces = 0;
    expect_error(fake, GOOD_EVENT, 422, "NoFace");
    fake->faces = 1;
    fake->record = -1;
    expect_error(fake, GOOD_EVENT, 502, "DependencyFailed");
    fake->record = 0;
    expect_error(fake, GOOD_EVENT, 404, "NoRecord");
    fake->known = 0;
    expect_error(fake, GOOD_EVENT, 404, "UnknownFace");
}

static void an_unknown_face_is_listed_as_unknown(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    fake->known = 0;
    json_t *body = run(fake, GOOD_EVENT, 404, raw, sizeof raw);
    json_t *face = json_array_get(json_object_get(body, "faces"), 0);
    assert_string_equal(text_of(face, "name"), "unknown");
    assert_true(json_real_value(json_object_get(face, "similarity")) == 0.25);
    assert_string_equal(fake->asked_name, "");
    json_decref(body);
}

static void a_known_face_gets_its_record(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    fake->faces = 2;
    json_t *body = run(fake, GOOD_EVENT, 200, raw, sizeof raw);
    assert_string_equal(fake->asked_bucket, "b");
    assert_string_equal(fake->asked_key, "1.png");
    assert_string_equal(fake->asked_name, "person-a");
    assert_string_equal(text_of(body, "key"), "1.png");
    assert_string_equal(text_of(body, "response"), "Id: 1 Name: person-a Major: Physics Year: 2");
    json_t *faces = json_object_get(body, "faces");
    assert_int_equal(json_array_size(faces), 2);
    assert_string_equal(text_of(json_array_get(faces, 0), "name"), "person-a");
    assert_string_equal(text_of(json_array_get(faces, 1), "name"), "unknown");
    assert_non_null(strstr(raw, "\"box\": [10.1, 20.0, 30.0, 40.0]"));
    assert_non_null(strstr(raw, "\"similarity\": 0.875"));
    assert_non_null(strstr(raw, "\"x\": 0.1000000000000000000001"));
    assert_string_equal(text_of(json_object_get(body, "record"), "major"), "Physics");
    json_decref(body);
}

static void everybody_known_gets_a_record_once(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    fake->faces = 5;
    fake->known = 4;
    json_t *body = run(fake, GOOD_EVENT, 200, raw, sizeof raw);
    assert_int_equal(json_array_size(json_object_get(body, "faces")), 5);
    assert_string_equal(text_of(body, "response"), "Id: 1 Name: person-a Major: Physics Year: 2");
    json_t *others = json_object_get(body, "other_records");
    assert_int_equal(json_object_size(others), 2);
    assert_string_equal(text_of(json_object_get(others, "person-b"), "major"), "Physics");
    assert_true(json_is_null(json_object_get(others, "person-\"c\"")));
    assert_int_equal(fake->asked, 3);
    json_decref(body);
}

static void a_record_of_others_that_cannot_be_had_is_told(void **state)
{
    struct fake *fake = *state;
    fake->faces = fake->known = 2;
    fake->failing = 2;
    expect_error(fake, GOOD_EVENT, 502, "DependencyFailed");
}

static void one_known_face_has_no_other_records(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    fake->faces = 2;
    json_t *body = run(fake, GOOD_EVENT, 200, raw, sizeof raw);
    assert_null(json_object_get(body, "other_records"));
    json_decref(body);
}

static void numbers_of_a_record_keep_their_digits(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    fake->record_text = "{\"more\": 12345678901234567890123, \"id\": 98765432109876543210, "
                        "\"name\": \"q\\\"\", \"year\": null, \"major\": 1}";
    json_decref(run(fake, GOOD_EVENT, 200, raw, sizeof raw));
    assert_non_null(strstr(raw, "\"response\": \"Id: 98765432109876543210 Name: q\\\" Major: 1\""));
}

static void any_record_will_do(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    fake->record_text = "{\"nick\": \"q\\\"\", \"tags\": [1]}";
    json_t *body = run(fake, GOOD_EVENT, 200, raw, sizeof raw);
    assert_string_equal(text_of(body, "response"), "Name: person-a");
    json_decref(body);
}

static void events_of_all_forms_are_read(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"BucketName\": \"b\", \"ImageName\": \"a/é.png\"}",
        "{\"version\": \"2.0\", \"routeKey\": \"GET /facerecognition\", \"rawQueryString\": \"\","
        " \"queryStringParameters\": {\"BucketName\": \"b\", \"ImageName\": \"a/é.png\"}}",
        "{\"resource\": \"/facerecognition\", \"httpMethod\": \"GET\", \"headers\": null,"
        " \"multiValueQueryStringParameters\": {\"BucketName\": [\"b\"]},"
        " \"queryStringParameters\": {\"BucketName\": \"b\", \"ImageName\": \"a/é.png\"}}",
    };
    for (size_t i = 0; i < COUNT(events); i++) {
        struct event event;
        struct err err = {0};
        assert_int_equal(event_read(&event, events[i], strlen(events[i]), &err), 0);
        assert_string_equal(event.bucket, "b");
        assert_string_equal(event.key, "a/é.png");
    }
}

static void a_pictures_memory_is_used_again(void **state)
{
    struct fake *fake = *state;
    char raw[4096];
    json_decref(run(fake, GOOD_EVENT, 200, raw, sizeof raw));
    const uint8_t *pixels = fake->picture.pixels;
    assert_non_null(pixels);
    json_decref(run(fake, GOOD_EVENT, 200, raw, sizeof raw));
    assert_ptr_equal(fake->picture.pixels, pixels);
    size_t size = fake->png.size;
    fake->png.size = size / 2; /* damaged: the next one must still be answered */
    json_decref(run(fake, GOOD_EVENT, 415, raw, sizeof raw));
    fake->png.size = size;
    json_decref(run(fake, GOOD_EVENT, 200, raw, sizeof raw));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pictures_memory_is_used_again),
        TEST(bad_events_are_missing_parameters),
        TEST(parameters_past_their_limits_are_refused),
        TEST(a_post_without_a_picture_in_base64_is_refused),
        TEST(a_posted_picture_is_answered_and_then_to_be_archived),
        TEST(a_picture_is_found_however_the_event_is_written),
        TEST(an_event_that_breaks_off_in_or_behind_its_picture_is_refused),
        TEST(what_is_no_picture_is_not_archived),
        TEST(what_was_fetched_is_not_archived_again),
        TEST(a_picture_at_hand_gets_the_same_answer),
        TEST(every_failed_fetch_has_its_status),
        TEST(broken_pictures_are_unreadable),
        TEST(failures_of_the_parts_are_told_apart),
        TEST(an_unknown_face_is_listed_as_unknown),
        TEST(a_known_face_gets_its_record),
        TEST(everybody_known_gets_a_record_once),
        TEST(a_record_of_others_that_cannot_be_had_is_told),
        TEST(one_known_face_has_no_other_records),
        TEST(any_record_will_do),
        TEST(numbers_of_a_record_keep_their_digits),
        TEST(events_of_all_forms_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
