#include "edge/shot.h"

#include <math.h>

static float at_most_1(float value)
{
    return fminf(fmaxf(value, 0), 1);
}

float shot_quality(const struct face_quality *quality, float score)
{
    const float degree = 0.017453293f;
    float size = at_most_1(quality->eye_distance_px / 60);
    float sharp = 1 / (1 + fmaxf(quality->blur_px, 0) / 3);
    float frontal =
        at_most_1(cosf(quality->yaw_deg * degree)) * at_most_1(cosf(quality->pitch_deg * degree));
    float lit = at_most_1(quality->brightness / 60) * at_most_1((255 - quality->brightness) / 40) *
                at_most_1(quality->contrast / 20);
    return at_most_1(score) * size * sharp * frontal * lit;
}

void shot_begin(struct shot *shot, int64_t at_ms)
{
    *shot = (struct shot){.entered_ms = at_ms};
}

int shot_offer(struct shot *shot, float quality)
{
    if (shot->waits && quality <= shot->best)
        return 0;
    if (!shot->waits && shot->sent_ms && quality < shot->sent * SHOT_BETTER)
        return 0;
    shot->waits = 1;
    shot->best = quality;
    return 1;
}

int shot_due(const struct shot *shot, int64_t at_ms, int leaving)
{
    if (!shot->waits)
        return 0;
    if (leaving)
        return 1;
    if (!shot->sent_ms)
        return shot->best >= SHOT_GOOD || at_ms - shot->entered_ms >= SHOT_FIRST_MS;
    return at_ms - shot->sent_ms >= SHOT_PAUSE_MS;
}

void shot_sent(struct shot *shot, int64_t at_ms)
{
    if (shot->best > shot->sent)
        shot->sent = shot->best;
    shot->sent_ms = at_ms > 0 ? at_ms : 1;
    shot->waits = 0;
    shot->best = 0;
}
