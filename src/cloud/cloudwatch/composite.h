#ifndef CLOUD_CLOUDWATCH_COMPOSITE_H
#define CLOUD_CLOUDWATCH_COMPOSITE_H

#include "cloud/cloudwatch/alarms.h"

/* Composite alarms: alarms whose rule asks for the states of others. */

/* Judges the alarm when the state of one of its children is another than when it was last judged.
 * An alarm that depends on itself is left as it is. Under the lock. */
void composite_evaluate(struct alarms *alarms, const json_t *alarm);
/* Does a composite alarm's rule name that one? */
int composite_needs(struct alarms *alarms, const char *name);

#endif
