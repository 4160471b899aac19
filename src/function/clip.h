#ifndef FUNCTION_CLIP_H
#define FUNCTION_CLIP_H

#include "function/notified.h"

/* Answers to a clip of video: every KEN_EVERY-th frame (15) is recognised, and its answer published
 * under the key "CLIP#FRAME" (frames count from 1). A program links one of two: clip.c, which reads
 * videos (ken-function-video), or clip_none.c, which says that it does not (ken-function is static,
 * and FFmpeg's libraries come as shared ones). */
int clip_answer(const struct notified *notified, const struct notice *notice,
                struct handler_outcome *outcome, struct err *err) MUST_USE;

#endif
