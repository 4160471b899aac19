#ifndef CLOUD_LAMBDA_LAUNCH_H
#define CLOUD_LAMBDA_LAUNCH_H

#include "cloud/lambda/function.h"
#include "cloud/lambda/runtimes.h"

/* How a function is started. Of an image: as its config says, but for what the function's
 * ImageConfig says instead. Of a zip: its `bootstrap`, or the runtime's interpreter. */

struct launch {
    const char **arguments; /* ended by NULL; NULL: `bootstrap`. Texts of the function's */
    const char **list;      /* malloc()ed, or NULL */
    const char *interpreter[RUNTIMES_ARGUMENTS + 1];
    char program[RUNTIMES_PROGRAM_BYTES];
};
/* launch_finish() in any case. */
int launch_prepare(const struct function *function, struct launch *out, struct err *err) MUST_USE;
void launch_finish(struct launch *launch);

const char *launch_folder(const struct function *function);        /* WORKDIR, else "/" */
const json_t *launch_environment(const struct function *function); /* ["NAME=value"], or NULL */

#endif
