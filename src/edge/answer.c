#include "edge/answer.h"

#include "aws/attribute.h"

#include <math.h>
#include <string.h>

static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    return isfinite(number) ? number : NAN;
}

static void take_face(struct answer *answer)
{
    const json_t *faces = json_object_get(answer->body, "faces");
    const json_t *face = json_array_get(faces, 0);
    answer->face_count = (int)json_array_size(faces);
    answer->similarity = number_of(face, "similarity");
    const char *name = json_string_value(json_object_get(face, "name"));
    if (name && strcmp(name, EXPECT_UNKNOWN) != 0)
        answer->name = name;
}

static void take_timings(struct answer *answer)
{
    const json_t *timings = json_object_get(answer->body, "timings_ms");
    for (int i = 0; i < STAGE_COUNT; i++) {
        double ms = NAN;
        if (i >= STAGE_fetch && i <= STAGE_record)
            ms = number_of(timings, stage_name((enum stage)i));
        /* a failure ends the way early: the stages behind it say 0 and were not reached */
        answer->stage_ms[i] = ms < 0 || (answer->error && !(ms > 0)) ? NAN : ms;
    }
    answer->function_ms = number_of(timings, "total");
    answer->started_unix_ms = number_of(timings, "started_unix_us") / 1000;
    answer->cold_start = json_is_true(json_object_get(timings, "cold_start"));
}

int answer_parse(struct answer *answer, const char *data, size_t size, struct err *err)
{
    *answer = (struct answer){0};
    if (size > ANSWER_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "read answer: %zu bytes", size);
    answer->body = attribute_load_plain(data ? data : "", size);
    answer->key = json_string_value(json_object_get(answer->body, "key"));
    answer->response = json_string_value(json_object_get(answer->body, "response"));
    answer->error = json_string_value(json_object_get(answer->body, "error"));
    answer->message = json_string_value(json_object_get(answer->body, "message"));
    if (!answer->key || (!answer->response && !answer->error)) {
        answer_finish(answer);
        return err_set(err, ERR_INVALID, "read answer: not the function's");
    }
    take_face(answer);
    take_timings(answer);
    return 0;
}

void answer_finish(struct answer *answer)
{
    json_decref(answer->body);
    *answer = (struct answer){0};
}

enum verdict answer_verdict(const struct answer *answer, const char *expect)
{
    if (!expect)
        return VERDICT_NONE;
    if (answer->name)
        return strcmp(answer->name, expect) == 0 ? VERDICT_RIGHT : VERDICT_WRONG;
    if (strcmp(expect, EXPECT_UNKNOWN) == 0 && answer->face_count > 0)
        return VERDICT_RIGHT;
    return VERDICT_UNKNOWN;
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {"none", "right", "wrong", "unknown"};
    return names[verdict];
}

void answer_stages(const struct answer *answer, double sent_unix_ms, double round_trip_ms,
                   double stage_ms[STAGE_COUNT])
{
    double known_ms = 0;
    for (int i = STAGE_fetch; i <= STAGE_record; i++) {
        stage_ms[i] = answer->stage_ms[i];
        if (isfinite(stage_ms[i]))
            known_ms += stage_ms[i];
    }
    double function_ms = answer->function_ms;
    if (!isfinite(function_ms) || function_ms < known_ms)
        function_ms = known_ms;
    stage_ms[STAGE_function_other] = function_ms - known_ms;
    double ways_ms = fmax(0, round_trip_ms - function_ms);
    double there_ms = answer->started_unix_ms - sent_unix_ms;
    int measured = isfinite(there_ms) && there_ms >= 0 && there_ms <= ways_ms;
    stage_ms[STAGE_gateway_and_queue] = measured ? there_ms : ways_ms;
    stage_ms[STAGE_way_back] = measured ? ways_ms - there_ms : NAN;
}
