#include "function/notice.h"
#include "function/notified.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RECORD(event, object)                                                                      \
    "{\"eventSource\":\"aws:s3\",\"eventName\":\"" event "\",\"s3\":{\"bucket\":{\"name\":\"b\"}," \
    "\"object\":{" object "}}}"
#define EVENT(records) "{\"Records\":[" records "]}"

static int read(struct notice *notices, const char *text)
{
    struct err err = {0};
    int count = notices_read(notices, text, strlen(text), &err);
    assert_int_equal(count < 0, err.code != ERR_NONE);
    return count;
}

static void other_events_are_no_notices(void **state)
{
    (void)state;
    struct notice notices[NOTICE_MAX];
    assert_int_equal(read(notices, ""), 0);
    assert_int_equal(read(notices, "[]"), 0);
    assert_int_equal(read(notices, "{\"Records\":[]}"), 0);
    assert_int_equal(read(notices, "{\"Records\":[{\"eventSource\":\"aws:sqs\"}]}"), 0);
    assert_int_equal(read(notices, "{\"queryStringParameters\":{\"ImageName\":\"1.png\"}}"), 0);
    assert_int_equal(read(notices, EVENT(RECORD("ObjectRemoved:Delete", "\"key\":\"x\""))), 0);
}

static void damaged_notices_are_refused(void **state)
{
    (void)state;
    struct notice notices[NOTICE_MAX];
    char text[4096];
    assert_int_equal(read(notices, EVENT(RECORD("ObjectCreated:Put", ""))), -1);
    assert_int_equal(read(notices, EVENT(RECORD("ObjectCreated:Put", "\"key\":\"\""))), -1);
    assert_int_equal(read(notices, EVENT(RECORD("ObjectCreated:Put", "\"key\":7"))), -1);
    assert_int_equal(read(notices, EVENT(RECORD("ObjectCreated:Put", "\"key\":\"a%00b\""))), -1);
    snprintf(text, sizeof text, EVENT(RECORD("ObjectCreated:Put", "\"key\":\"%01100d\"")), 0);
    assert_int_equal(read(notices, text), -1);
    snprintf(text, sizeof text,
             EVENT(RECORD("ObjectCreated:Put", "\"key\":\"a\",\"sequencer\":\"%080d\"")), 0);
    assert_int_equal(read(notices, text), -1);
}

static void too_many_records_are_refused(void **state)
{
    (void)state;
    struct notice notices[NOTICE_MAX];
    char text[8192] = "{\"Records\":[";
    size_t size = strlen(text);
    for (int i = 0; i <= NOTICE_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", i ? "," : "",
                                 RECORD("ObjectCreated:Put", "\"key\":\"a\""));
    snprintf(text + size, sizeof text - size, "]}");
    assert_int_equal(read(notices, text), -1);
}

static void a_key_comes_decoded(void **state)
{
    (void)state;
    struct notice notices[NOTICE_MAX];
    static const char put[] =
        RECORD("ObjectCreated:Put", "\"key\":\"cam+1/%C3%A4%2B.png\",\"sequencer\":\"00AB\"");
    static const char gone[] = RECORD("ObjectRemoved:Delete", "\"key\":\"x\"");
    static const char copy[] = RECORD("ObjectCreated:Copy", "\"key\":\"2\"");
    char text[1024];
    snprintf(text, sizeof text, EVENT("%s,%s,%s"), put, gone, copy);
    assert_int_equal(read(notices, text), 2);
    assert_string_equal(notices[0].bucket, "b");
    assert_string_equal(notices[0].key, "cam 1/\xc3\xa4+.png");
    assert_string_equal(notices[0].sequencer, "00AB");
    assert_string_equal(notices[1].key, "2");
    assert_string_equal(notices[1].sequencer, "");
}

static void the_group_is_the_folder(void **state)
{
    (void)state;
    char group[NOTICE_GROUP_BYTES];
    notice_group("camera 1/today/15.png", group);
    assert_string_equal(group, "camera-1-today");
    notice_group("15.png", group);
    assert_string_equal(group, "frames");
    notice_group("/15.png", group);
    assert_string_equal(group, "frames");
}

/* -- answers -- */

struct fake {
    int published, clips, fail, gone;
    char key[64], answer[4096];
};

static enum frame_result fake_fetch(void *self, const char *bucket, const char *key,
                                    const void **data, size_t *size, struct err *err)
{
    struct fake *fake = self;
    (void)bucket, (void)key, (void)data, (void)size;
    err_set(err, ERR_UNAVAILABLE, "not there");
    return fake->gone ? FRAME_NO_KEY : FRAME_FAILED;
}

static int fake_answer(void *self, const struct notice *notice, unsigned part, const char *answer,
                       struct err *err)
{
    struct fake *fake = self;
    assert_int_equal(part, 0);
    fake->published++;
    snprintf(fake->key, sizeof fake->key, "%.63s", notice->key);
    snprintf(fake->answer, sizeof fake->answer, "%s", answer);
    return fake->fail ? err_set(err, ERR_DENIED, "Publish: no") : 0;
}

static int fake_clip(const struct notified *notified, const struct notice *notice,
                     struct handler_outcome *outcome, struct err *err)
{
    struct fake *fake = notified->self;
    (void)err;
    fake->clips++;
    outcome->status = 200;
    snprintf(fake->key, sizeof fake->key, "%.63s", notice->key);
    return 0;
}

static int answer(struct fake *fake, const struct notice *notice)
{
    struct err err = {0};
    struct handler_outcome outcome;
    const struct handler_parts parts = {.self = fake, .fetch = fake_fetch, .table = "t"};
    const struct notified notified = {&parts, fake, fake_answer, fake_clip};
    return notified_answer(&notified, notice, 1, 0, &outcome, &err);
}

static void a_frame_that_is_gone_is_an_answer_too(void **state)
{
    (void)state;
    struct fake fake = {.gone = 1};
    const struct notice notice = {.bucket = "b", .key = "1.png"};
    assert_int_equal(answer(&fake, &notice), 0);
    assert_int_equal(fake.published, 1);
    json_t *body = json_loads(fake.answer, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(body, "error")), "NoSuchKey");
    assert_string_equal(json_string_value(json_object_get(body, "key")), "1.png");
    json_decref(body);
}

static void what_may_pass_comes_again(void **state)
{
    (void)state;
    struct fake fake = {0};
    const struct notice notice = {.bucket = "b", .key = "1.png"};
    assert_int_equal(answer(&fake, &notice), -1);
    assert_int_equal(fake.published, 0);
}

static void an_answer_that_nobody_takes_is_a_failure(void **state)
{
    (void)state;
    struct fake fake = {.gone = 1, .fail = 1};
    const struct notice notice = {.bucket = "b", .key = "1.png"};
    assert_int_equal(answer(&fake, &notice), -1);
}

static void a_clip_is_told_by_its_name(void **state)
{
    (void)state;
    struct fake fake = {0};
    const struct notice notice = {.bucket = "b", .key = "a/1.mp4"};
    assert_int_equal(answer(&fake, &notice), 0);
    assert_int_equal(fake.clips, 1);
    assert_string_equal(fake.key, "a/1.mp4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_events_are_no_notices),
        cmocka_unit_test(damaged_notices_are_refused),
        cmocka_unit_test(too_many_records_are_refused),
        cmocka_unit_test(a_key_comes_decoded),
        cmocka_unit_test(the_group_is_the_folder),
        cmocka_unit_test(a_frame_that_is_gone_is_an_answer_too),
        cmocka_unit_test(what_may_pass_comes_again),
        cmocka_unit_test(an_answer_that_nobody_takes_is_a_failure),
        cmocka_unit_test(a_clip_is_told_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
