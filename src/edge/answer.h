#ifndef EDGE_ANSWER_H
#define EDGE_ANSWER_H

#include "base/err.h"
#include "edge/stage.h"

#include <jansson.h>
#include <stddef.h>

/* What the function said about a frame, and whether it was right. */

struct answer {
    json_t *body;               /* owned */
    const char *key, *response; /* borrowed from body; response is NULL for a failure */
    const char *error;          /* "UnknownFace", ...; NULL when the person was recognised */
    const char *message;
    const char *name;             /* of the first face; NULL: nobody known */
    double similarity;            /* of the first face; NAN without one */
    int face_count;               /* how many faces it lists */
    double stage_ms[STAGE_COUNT]; /* the function's; NAN where it does not tell */
    double function_ms;           /* its total; NAN where it does not tell */
    double started_unix_ms;       /* when it began, by its clock (started_unix_us); NAN: not told */
    int cold_start;
};

enum { ANSWER_MAX_BYTES = 1024 * 1024 };

/* Parse a body. Only a JSON object with a text "key" and either "response" or "error" is an answer
 * of the function; anything else (a gateway's own message, say) is ERR_INVALID. */
int answer_parse(struct answer *answer, const char *data, size_t size, struct err *err) MUST_USE;
void answer_finish(struct answer *answer);

/* What was expected against what came. */
enum verdict { VERDICT_NONE, VERDICT_RIGHT, VERDICT_WRONG, VERDICT_UNKNOWN };
#define EXPECT_UNKNOWN "unknown"

/* `expect` is a name, "unknown" (a stranger), or NULL (VERDICT_NONE). A name that was not expected
 * is wrong. No name where one was expected is unknown; so is a stranger's frame without a verdict
 * on a face (NoFace, say). */
enum verdict answer_verdict(const struct answer *answer, const char *expect);
const char *verdict_name(enum verdict verdict);

/* Spread a round trip over gateway_and_queue, the function's stages, function_other and way_back.
 * `sent_unix_ms` is when the request left. With the function's starting time the two ways are
 * measured; without it, or where the two clocks cannot agree, all that is not the function's counts
 * as gateway_and_queue and way_back stays NAN. */
void answer_stages(const struct answer *answer, double sent_unix_ms, double round_trip_ms,
                   double stage_ms[STAGE_COUNT]);

#endif
