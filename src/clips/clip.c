#include "function/clip.h"

#include "base/file.h"
#include "video/picture.h"
#include "video/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVERY = 15, MAX_BODY_BYTES = 3 * 1024 * 1024 };

static uint64_t every(void)
{
    const char *text = getenv("KEN_EVERY");
    unsigned long value = text ? strtoul(text, NULL, 10) : 0;
    return value > 0 ? value : EVERY;
}

static int answer_picture(const struct notified *notified, const struct notice *notice,
                          const struct image *image, uint64_t number,
                          struct handler_outcome *outcome, struct err *err)
{
    char key[EVENT_KEY_BYTES + 32];
    struct buf body;
    buf_init(&body, MAX_BODY_BYTES);
    snprintf(key, sizeof key, "%s#%" PRIu64, notice->key, number);
    handler_recognize(notified->parts, key, image, &body, outcome);
    int done = 0;
    if (body.failed || !body.data)
        done = err_set(err, ERR_NO_MEMORY, "answer %.200s: out of memory", key);
    else if (outcome->status >= 500)
        done = err_set(err, ERR_UNAVAILABLE, "answer %.200s: %s", key, outcome->error);
    else
        done = notified->answer(notified->self, notice, (unsigned)number, body.data, err);
    buf_finish(&body);
    return done;
}

static int answer_all(const struct notified *notified, const struct notice *notice,
                      struct source *source, struct handler_outcome *outcome, struct err *err)
{
    struct converter *converter = converter_create(err);
    const uint64_t step = every();
    struct frame frame;
    struct image image;
    int more = converter ? source_read(source, &frame, err) : -1;
    for (; more == 1; more = source_read(source, &frame, err)) {
        if (frame.number % step != 0)
            continue;
        if (converter_run(converter, frame.picture, &image, err) < 0 ||
            answer_picture(notified, notice, &image, frame.number, outcome, err) < 0) {
            more = -1;
            break;
        }
    }
    converter_destroy(converter);
    return more;
}

/* FFmpeg reads files: /tmp is memory in Lambda as in `ken cloud`. */
static int keep(const struct notified *notified, const struct notice *notice, char *path,
                struct err *err)
{
    const void *data;
    size_t size;
    const struct handler_parts *parts = notified->parts;
    if (parts->fetch(parts->self, notice->bucket, notice->key, &data, &size, err) != FRAME_FETCHED)
        return err_wrap(err, "fetch clip");
    int fd = mkstemp(path);
    if (fd < 0)
        return err_set_errno(err, "keep clip in %s", path);
    int done = file_write_all(fd, data, size, err);
    close(fd);
    if (done < 0)
        unlink(path);
    return done;
}

int clip_answer(const struct notified *notified, const struct notice *notice,
                struct handler_outcome *outcome, struct err *err)
{
    char path[] = "/tmp/clip-XXXXXX";
    const struct source_options options = {0};
    if (keep(notified, notice, path, err) < 0)
        return -1;
    struct source *source = source_open(path, &options, err);
    unlink(path); /* it lives on while it is open */
    int done = source ? answer_all(notified, notice, source, outcome, err) : -1;
    source_close(source);
    return done;
}
