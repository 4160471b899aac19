#ifndef EDGE_BALLOT_H
#define EDGE_BALLOT_H

/* Who somebody is, from many looks: each recognised frame is a vote. A name is announced once it is
 * sure enough, and another one only when it is far surer, so that what is announced never flaps:
 * "unknown" may become a name, a name may (rarely) become another name, never "unknown" again. */

enum { BALLOT_NAMES = 4, BALLOT_NAME_BYTES = 128 };

/* A single look this alike is enough; so are two that pass the gallery's threshold. */
#define BALLOT_SURE 0.60f
/* So many looks without a name make somebody unknown. */
enum { BALLOT_UNKNOWN_LOOKS = 3 };
/* Another name needs this many times the announced one's score. */
#define BALLOT_FAR_SURER 2.0f
/* What each vote leaves of the others' scores: a score of constant votes ends at 10 votes' worth.
 */
#define BALLOT_KEEP 0.9f

struct ballot {
    struct ballot_name {
        char name[BALLOT_NAME_BYTES];
        float score, best; /* best: greatest similarity */
        int votes;
    } names[BALLOT_NAMES];
    int count, strangers, votes; /* strangers: votes for nobody in a row, without names since */
    int announced;               /* index of a name, or one of: */
};
enum { BALLOT_OPEN = -1, BALLOT_UNKNOWN = -2 };

void ballot_init(struct ballot *ballot);
/* `name` NULL: the face is of nobody enrolled. Returns 1 when what is announced changed. */
int ballot_vote(struct ballot *ballot, const char *name, float similarity);
/* The announced name; NULL for unknown, and as long as it is open. */
const char *ballot_name(const struct ballot *ballot);
float ballot_similarity(const struct ballot *ballot); /* the announced name's best; 0 without */

#endif
