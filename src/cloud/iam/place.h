#ifndef CLOUD_IAM_PLACE_H
#define CLOUD_IAM_PLACE_H

#include <stddef.h>

/* Where a statement stands in the text of a policy, as simulations tell it: from behind what stands
 * before it (a bracket, a comma, a colon) to behind its end. Pure. */

struct policy_place {
    int line, column; /* from 1 */
};

/* Statement `number`, from 0, of a text that policy_parse() took; 1, 1 where "Statement" is written
 * with escapes. */
void policy_place(const char *text, size_t number, struct policy_place *start,
                  struct policy_place *end);

#endif
