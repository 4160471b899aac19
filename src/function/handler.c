#include "function/handler.h"

#include "aws/attribute.h"
#include "base/clock.h"
#include "function/event.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RECORD_BYTES ((size_t)1024 * 1024)
#define KEEP_PICTURE_BYTES ((size_t)16 * 1024 * 1024) /* five megapixels: what cameras send */

/* One request on its way. */
struct run {
    const struct handler_parts *parts;
    struct event event;
    int readable; /* the picture is one */
    struct face *faces;
    struct match matches[HANDLER_MAX_FACES];
    int known[HANDLER_MAX_FACES];
    size_t face_count;
    struct face_timings stages;
    double fetch_ms, decode_ms, match_ms, record_ms;
    uint64_t start_ns;
    int64_t started_unix_us; /* so that the caller can tell the way here from the way back */
    struct buf record;       /* plain JSON; empty: none */
    struct buf others;       /* members of a JSON object: records of other people; empty: none */
    int status;
    const char *error;
    char message[512];
};

/* End the request with an error answer; -1, so that callers can return it. */
static int fail(struct run *run, int status, const char *error, const char *message)
{
    run->status = status;
    run->error = error;
    snprintf(run->message, sizeof run->message, "%s", message);
    json_t *text = json_string(run->message);
    for (char *c = run->message; !text && *c; c++) /* a name cut in the middle of a character */
        *c = (char)((unsigned char)*c < 0x80 ? *c : '?');
    json_decref(text);
    return -1;
}

static int fetch(struct run *run, const void **data, size_t *size)
{
    struct err err = {0};
    if (run->event.picture) {
        *data = run->event.picture;
        *size = run->event.picture_bytes;
        return 0;
    }
    uint64_t start_ns = clock_monotonic_ns();
    enum frame_result result =
        run->parts->fetch(run->parts->self, run->event.bucket, run->event.key, data, size, &err);
    run->fetch_ms = clock_ms_since(start_ns);
    switch (result) {
    case FRAME_FETCHED:
        return 0;
    case FRAME_NO_BUCKET:
        return fail(run, 404, "NoSuchBucket", err.message);
    case FRAME_NO_KEY:
        return fail(run, 404, "NoSuchKey", err.message);
    case FRAME_DENIED:
        return fail(run, 403, "AccessDenied", err.message);
    case FRAME_TOO_BIG:
        return fail(run, 415, "UnreadableImage", err.message);
    case FRAME_FAILED:
        break;
    }
    return fail(run, 502, "DependencyFailed", err.message);
}

static int decode(struct run *run, const void *data, size_t size, struct image *image)
{
    struct err err = {0};
    uint64_t start_ns = clock_monotonic_ns();
    int done = image_decode_again(image, data, size, &err);
    run->decode_ms = clock_ms_since(start_ns);
    return done < 0 ? fail(run, 415, "UnreadableImage", err.message) : 0;
}

static int recognize(struct run *run, const struct image *image)
{
    struct err err = {0};
    int count = run->parts->recognize(run->parts->self, image, run->faces, HANDLER_MAX_FACES,
                                      &run->stages, &err);
    if (count < 0 && err.code == ERR_INVALID) /* a picture too small to show a face */
        return fail(run, 422, "NoFace", err.message);
    if (count < 0)
        return fail(run, 500, "RecognitionFailed", err.message);
    if (count == 0)
        return fail(run, 422, "NoFace", "there is no face in the picture");
    run->face_count = (size_t)count;
    uint64_t start_ns = clock_monotonic_ns();
    for (size_t i = 0; i < run->face_count; i++)
        run->known[i] =
            run->parts->match(run->parts->self, run->faces[i].embedding, &run->matches[i]) == 1;
    run->match_ms = clock_ms_since(start_ns);
    if (!run->known[0])
        return fail(run, 404, "UnknownFace", "the face is of nobody in the gallery");
    return 0;
}

static int look_up(struct run *run)
{
    struct err err = {0};
    char message[400];
    const char *name = run->matches[0].name;
    uint64_t start_ns = clock_monotonic_ns();
    int found = run->parts->record(run->parts->self, name, &run->record, &err);
    run->record_ms = clock_ms_since(start_ns);
    if (found < 0)
        return fail(run, 502, "DependencyFailed", err.message);
    if (found == 0) {
        snprintf(message, sizeof message,
                 "%.150s is in the gallery and has no record in table %.150s", name,
                 run->parts->table);
        return fail(run, 404, "NoRecord", message);
    }
    return 0;
}

static int is_named_before(const struct run *run, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (run->known[i] && strcmp(run->matches[i].name, run->matches[index].name) == 0)
            return 1;
    return 0;
}

/* The records of everybody else who is known; null for those without one. */
static int look_up_others(struct run *run)
{
    struct err err = {0};
    int found = 0;
    uint64_t start_ns = clock_monotonic_ns();
    for (size_t i = 1; i < run->face_count && found >= 0; i++) {
        if (!run->known[i] || is_named_before(run, i))
            continue;
        struct buf record;
        buf_init(&record, MAX_RECORD_BYTES);
        found = run->parts->record(run->parts->self, run->matches[i].name, &record, &err);
        json_t *name = json_string(run->matches[i].name);
        char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
        if (quoted && found >= 0)
            buf_printf(&run->others, "%s%s: %s", run->others.size ? ", " : "", quoted,
                       found ? record.data : "null");
        free(quoted);
        json_decref(name);
        buf_finish(&record);
    }
    run->record_ms += clock_ms_since(start_ns);
    if (found < 0)
        return fail(run, 502, "DependencyFailed", err.message);
    if (run->others.failed)
        return fail(run, 502, "DependencyFailed", "the records are too large for one answer");
    return 0;
}

/* The way of a request; -1 when it ended early. */
static int go(struct run *run, const char *event, size_t event_bytes)
{
    struct err err = {0};
    const void *data = NULL;
    size_t size = 0;
    struct image own = {0}, *image = run->parts->picture ? run->parts->picture : &own;
    if (event_read(&run->event, event, event_bytes, &err) < 0)
        return fail(run, 400, "MissingParameter", err.message);
    if (fetch(run, &data, &size) < 0 || decode(run, data, size, image) < 0)
        return -1;
    run->readable = 1;
    int done = recognize(run, image);
    if (image == &own || image->capacity > KEEP_PICTURE_BYTES)
        image_finish(image);
    return done < 0 || look_up(run) < 0 ? -1 : look_up_others(run);
}

/* Milliseconds with three decimals, so that the answer stays short. */
static json_t *ms(double value)
{
    return json_real((double)(long long)(value * 1000 + 0.5) / 1000);
}

static json_t *timings(const struct run *run, double total_ms, int cold_start)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "fetch",
                     ms(run->fetch_ms), "decode", ms(run->decode_ms), "detect",
                     ms(run->stages.detect_ms), "landmark", ms(run->stages.landmark_ms), "embed",
                     ms(run->stages.embed_ms), "match", ms(run->match_ms), "record",
                     ms(run->record_ms), "total", ms(total_ms), "cold_start", cold_start,
                     "started_unix_us", (json_int_t)run->started_unix_us);
}

static double one_decimal(float value)
{
    return (double)(long)(value * 10 + (value < 0 ? -0.5f : 0.5f)) / 10;
}

static json_t *face_list(const struct run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < run->face_count; i++) {
        const float *box = run->faces[i].box;
        const char *name = run->known[i] ? run->matches[i].name : "unknown";
        json_array_append_new(list, json_pack("{s:[f,f,f,f], s:s, s:f}", "box", one_decimal(box[0]),
                                              one_decimal(box[1]), one_decimal(box[2]),
                                              one_decimal(box[3]), "name", name, "similarity",
                                              (double)run->matches[i].similarity));
    }
    return list;
}

/* "Id: 1 Name: .. Major: .. Year: ..", of those that the record has. */
static void put_response(const struct run *run, struct buf *out)
{
    static const struct {
        const char *member, *label;
    } parts[] = {{"id", "Id"}, {"name", "Name"}, {"major", "Major"}, {"year", "Year"}};
    const char *space = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t size;
        const char *value =
            attribute_plain_member(run->record.data, run->record.size, parts[i].member, &size);
        if (!value || *value == 'n') /* null */
            continue;
        /* a text without its quotes; a number as it was written, with all its digits */
        json_t *text = *value == '"' ? json_loadb(value, size, JSON_DECODE_ANY, NULL) : NULL;
        buf_printf(out, "%s%s: ", space, parts[i].label);
        buf_append(out, text ? json_string_value(text) : value,
                   text ? json_string_length(text) : size);
        json_decref(text);
        space = " ";
    }
    if (out->size == 0)
        buf_printf(out, "Name: %s", run->matches[0].name);
}

/* The body of a good answer. The record goes in as text, so that its numbers keep their digits. */
static void put_body(struct run *run, json_t *times, struct buf *out)
{
    struct buf response;
    buf_init(&response, MAX_RECORD_BYTES);
    put_response(run, &response);
    json_t *head = json_pack("{s:s, s:s, s:o}", "key", run->event.key, "response",
                             response.data ? response.data : "", "faces", face_list(run));
    json_t *tail = json_pack("{s:O}", "timings_ms", times);
    char *start = head ? json_dumps(head, JSON_REAL_PRECISION(6)) : NULL;
    char *end = tail ? json_dumps(tail, JSON_REAL_PRECISION(9)) : NULL;
    if (start && end) {
        buf_append(out, start, strlen(start) - 1);
        buf_printf(out, ", \"record\": %s, ", run->record.data);
        if (run->others.size)
            buf_printf(out, "\"other_records\": {%s}, ", run->others.data);
        buf_puts(out, end + 1);
    }
    free(start);
    free(end);
    json_decref(head);
    json_decref(tail);
    buf_finish(&response);
}

static void put_failure(const struct run *run, json_t *times, struct buf *out)
{
    json_t *body = json_pack("{s:s, s:s, s:s, s:O}", "key", run->event.key, "error", run->error,
                             "message", run->message, "timings_ms", times);
    if (body && run->face_count > 0)
        json_object_set_new(body, "faces", face_list(run));
    char *text = body ? json_dumps(body, JSON_REAL_PRECISION(9)) : NULL;
    buf_puts(out, text ? text : "{}");
    free(text);
    json_decref(body);
}

static void put_answer(int status, const struct buf *body, struct buf *answer)
{
    json_t *text = json_stringn(body->data, body->size);
    char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
    buf_printf(answer,
               "{\"statusCode\": %d, \"headers\": {\"Content-Type\": \"application/json\"}, "
               "\"isBase64Encoded\": false, \"body\": %s}",
               quoted ? status : 500, quoted ? quoted : "\"{}\"");
    free(quoted);
    json_decref(text);
}

/* Returns 0, or -1 where the request ends before it began. */
static int start(struct run *run, const struct handler_parts *parts)
{
    *run = (struct run){.parts = parts,
                        .status = 200,
                        .start_ns = clock_monotonic_ns(),
                        .started_unix_us = clock_unix_us()};
    buf_init(&run->record, MAX_RECORD_BYTES);
    buf_init(&run->others, MAX_RECORD_BYTES);
    run->faces = calloc(HANDLER_MAX_FACES, sizeof *run->faces);
    return run->faces ? 0 : fail(run, 500, "RecognitionFailed", "out of memory");
}

static void finish(struct run *run, int cold_start, struct buf *body,
                   struct handler_outcome *outcome)
{
    double total_ms = clock_ms_since(run->start_ns);
    json_t *times = timings(run, total_ms, cold_start);
    if (run->error)
        put_failure(run, times, body);
    else
        put_body(run, times, body);
    json_decref(times);
    *outcome = (struct handler_outcome){
        .status = run->status, .error = run->error, .faces = run->face_count, .total_ms = total_ms};
    if (run->readable)
        outcome->archive = run->event;
    else
        event_finish(&run->event);
    buf_finish(&run->record);
    buf_finish(&run->others);
    free(run->faces);
}

void handler_run(const struct handler_parts *parts, const char *event, size_t event_bytes,
                 int cold_start, struct buf *answer, struct handler_outcome *outcome)
{
    struct run run;
    struct buf body;
    buf_init(&body, 3 * MAX_RECORD_BYTES);
    if (start(&run, parts) == 0)
        (void)go(&run, event, event_bytes);
    finish(&run, cold_start, &body, outcome);
    put_answer(outcome->status, &body, answer);
    buf_finish(&body);
}

void handler_recognize(const struct handler_parts *parts, const char *key,
                       const struct image *image, struct buf *body, struct handler_outcome *outcome)
{
    struct run run;
    int ready = start(&run, parts);
    snprintf(run.event.key, sizeof run.event.key, "%s", key);
    if (ready == 0 && recognize(&run, image) == 0 && look_up(&run) == 0)
        (void)look_up_others(&run);
    finish(&run, 0, body, outcome);
}

void handler_outcome_finish(struct handler_outcome *outcome)
{
    event_finish(&outcome->archive);
}
