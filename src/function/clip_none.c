#include "function/clip.h"

int clip_answer(const struct notified *notified, const struct notice *notice,
                struct handler_outcome *outcome, struct err *err)
{
    (void)notified;
    outcome->status = 415;
    outcome->error = "UnreadableImage";
    return err_set(err, ERR_UNSUPPORTED,
                   "answer %.200s: this is ken-function, which reads no video", notice->key);
}
