#include "edge/retry.h"

#include "base/clock.h"
#include "base/random.h"

void retry_start(struct retry *retry, double limit_s)
{
    retry->give_up_ns = clock_monotonic_ns() + (uint64_t)(limit_s * 1e9);
    retry->pause_ms = RETRY_FIRST_PAUSE_MS;
}

int retry_draw(int *pause_ms, int max_ms)
{
    unsigned drawn;
    random_bytes(&drawn, sizeof drawn);
    int half = *pause_ms / 2;
    *pause_ms = *pause_ms < max_ms / 2 ? 2 * *pause_ms : max_ms;
    return half + (int)(drawn % (unsigned)(half + 1));
}

int retry_next_pause(struct retry *retry, uint64_t now_ns)
{
    if (now_ns >= retry->give_up_ns)
        return -1;
    int pause_ms = retry_draw(&retry->pause_ms, RETRY_MAX_PAUSE_MS);
    uint64_t left_ms = (retry->give_up_ns - now_ns) / 1000000;
    return (uint64_t)pause_ms < left_ms ? pause_ms : (int)left_ms;
}

int retry_wait(struct retry *retry)
{
    uint64_t now_ns = clock_monotonic_ns();
    int pause_ms = retry_next_pause(retry, now_ns);
    if (pause_ms < 0)
        return 0;
    clock_sleep_until_ns(now_ns + (uint64_t)pause_ms * 1000000);
    return 1;
}
