#ifndef FUNCTION_NOTIFIED_H
#define FUNCTION_NOTIFIED_H

#include "function/handler.h"
#include "function/notice.h"

/* Frames and clips that S3 tells about: a frame is recognised as if it had been asked about, of a
 * clip every so many frames; each answer is published as soon as it is there. */
struct notified {
    const struct handler_parts *parts;
    void *self;
    /* Publish one answer, as notice_answer() does. */
    int (*answer)(void *self, const struct notice *notice, unsigned part, const char *answer,
                  struct err *err);
    /* Answer a clip; clip_answer() of the program. */
    int (*clip)(const struct notified *notified, const struct notice *notice,
                struct handler_outcome *outcome, struct err *err);
};

/* Returns 0 when all are answered. ERR_UNAVAILABLE: the event should come again, because a service
 * did not answer; what was published already is not published twice. */
int notified_answer(const struct notified *notified, const struct notice *notices, int count,
                    int cold_start, struct handler_outcome *outcome, struct err *err) MUST_USE;

#endif
