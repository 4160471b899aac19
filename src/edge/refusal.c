#include "edge/refusal.h"

#include "edge/retry.h"

unsigned refusals_due(const struct refusal of_rank[SPOOL_RANKS], uint64_t now_ns)
{
    unsigned ranks = 0;
    for (int i = 0; i < SPOOL_RANKS; i++)
        ranks |= (unsigned)(of_rank[i].until_ns <= now_ns) << i;
    return ranks;
}

static void begin(struct refusal *refusal, uint64_t id)
{
    *refusal = (struct refusal){.id = id, .pause_ms = REFUSAL_FIRST_PAUSE_MS};
}

int refusal_note(struct refusal *refusal, uint64_t id, uint64_t now_ns)
{
    if (id == refusal->id && refusal->passed >= REFUSAL_PASSED) {
        *refusal = (struct refusal){0};
        return 1;
    }
    if (id != refusal->id && !refusal->others_turn)
        begin(refusal, id);
    refusal->others_turn = id == refusal->id;
    int pause_ms = retry_draw(&refusal->pause_ms, REFUSAL_MAX_PAUSE_MS);
    refusal->until_ns = now_ns + (uint64_t)pause_ms * 1000000;
    return 0;
}

void refusal_pass(struct refusal *refusal, uint64_t id)
{
    if (id == refusal->id) {
        *refusal = (struct refusal){0};
        return;
    }
    refusal->passed += refusal->id != 0;
    refusal->others_turn = 0;
    refusal->until_ns = 0;
    refusal->pause_ms = REFUSAL_FIRST_PAUSE_MS;
}
