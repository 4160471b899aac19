#include "function/notified.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ANSWER_BYTES = 6 * 1024 * 1024 };

/* The body within a proxy integration's answer; free() it. */
static char *take_body(const struct buf *answer)
{
    json_t *root = answer->failed ? NULL : json_loadb(answer->data, answer->size, 0, NULL);
    const json_t *body = json_object_get(root, "body");
    char *text = json_is_string(body) ? strdup(json_string_value(body)) : NULL;
    json_decref(root);
    return text;
}

/* The answer's body; free() it. NULL: out of memory. */
static char *ask(const struct notified *notified, const struct notice *notice, int cold_start,
                 struct handler_outcome *outcome)
{
    struct buf answer;
    json_t *event = json_pack("{s:s, s:s}", "BucketName", notice->bucket, "ImageName", notice->key);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    buf_init(&answer, MAX_ANSWER_BYTES);
    if (text)
        handler_run(notified->parts, text, strlen(text), cold_start, &answer, outcome);
    free(text);
    char *body = take_body(&answer);
    buf_finish(&answer);
    return body;
}

static int answer_frame(const struct notified *notified, const struct notice *notice,
                        int cold_start, struct handler_outcome *outcome, struct err *err)
{
    char *body = ask(notified, notice, cold_start, outcome);
    int done = 0;
    if (!body)
        done = err_set(err, ERR_NO_MEMORY, "answer frame: out of memory");
    else if (outcome->status >= 500) /* may pass: Lambda brings the event again */
        done = err_set(err, ERR_UNAVAILABLE, "answer frame: %s", outcome->error);
    else if (notified->answer(notified->self, notice, 0, body, err) < 0)
        done = err_wrap(err, "publish answer");
    free(body);
    return done;
}

static int is_clip(const char *key)
{
    size_t size = strlen(key);
    return size > 4 && strcmp(key + size - 4, ".mp4") == 0;
}

int notified_answer(const struct notified *notified, const struct notice *notices, int count,
                    int cold_start, struct handler_outcome *outcome, struct err *err)
{
    for (int i = 0; i < count; i++) {
        const struct notice *notice = &notices[i];
        int done = is_clip(notice->key)
                       ? notified->clip(notified, notice, outcome, err)
                       : answer_frame(notified, notice, cold_start && i == 0, outcome, err);
        if (done < 0)
            return -1;
    }
    return 0;
}
