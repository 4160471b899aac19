#include "edge/ballot.h"

#include <stdio.h>
#include <string.h>

void ballot_init(struct ballot *ballot)
{
    *ballot = (struct ballot){.announced = BALLOT_OPEN};
}

const char *ballot_name(const struct ballot *ballot)
{
    return ballot->announced >= 0 ? ballot->names[ballot->announced].name : NULL;
}

float ballot_similarity(const struct ballot *ballot)
{
    return ballot->announced >= 0 ? ballot->names[ballot->announced].best : 0;
}

/* The place of a name; a new one takes that of the least likely, but never the announced one's. */
static int place_of(struct ballot *ballot, const char *name)
{
    int least = -1;
    for (int i = 0; i < ballot->count; i++) {
        if (strcmp(ballot->names[i].name, name) == 0)
            return i;
        if (i != ballot->announced &&
            (least < 0 || ballot->names[i].score < ballot->names[least].score))
            least = i;
    }
    if (ballot->count < BALLOT_NAMES)
        least = ballot->count++;
    ballot->names[least] = (struct ballot_name){0};
    snprintf(ballot->names[least].name, sizeof ballot->names[least].name, "%s", name);
    return least;
}

static void fade(struct ballot *ballot)
{
    for (int i = 0; i < ballot->count; i++)
        ballot->names[i].score *= BALLOT_KEEP;
}

/* Is the name at `at` sure enough to be announced now? */
static int may_announce(const struct ballot *ballot, int at)
{
    const struct ballot_name *name = &ballot->names[at];
    if (ballot->announced >= 0)
        return name->votes >= BALLOT_UNKNOWN_LOOKS &&
               name->score > BALLOT_FAR_SURER * ballot->names[ballot->announced].score;
    for (int i = 0; i < ballot->count; i++)
        if (i != at && ballot->names[i].score * 1.5f > name->score)
            return 0;
    int looks = ballot->announced == BALLOT_UNKNOWN ? 2 : 1;
    return name->votes > looks || (name->votes == looks && name->best >= BALLOT_SURE);
}

int ballot_vote(struct ballot *ballot, const char *name, float similarity)
{
    fade(ballot);
    ballot->votes++;
    if (!name) {
        ballot->strangers++;
        if (ballot->announced != BALLOT_OPEN || ballot->strangers < BALLOT_UNKNOWN_LOOKS)
            return 0;
        ballot->announced = BALLOT_UNKNOWN;
        return 1;
    }
    int at = place_of(ballot, name);
    struct ballot_name *voted = &ballot->names[at];
    ballot->strangers = 0;
    voted->votes++;
    voted->score += similarity;
    if (similarity > voted->best)
        voted->best = similarity;
    if (at == ballot->announced || !may_announce(ballot, at))
        return 0;
    ballot->announced = at;
    return 1;
}
