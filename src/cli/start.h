#ifndef CLI_START_H
#define CLI_START_H

#include <stddef.h>

/* What every program of ken does before and after its work. */

/* Closed standard streams are opened on /dev/null, a closed pipe is no death, and a crash leaves no
 * core dump (base/core.h). */
void start_program(void);

/* Ends the work of the verb `name` ("train"): what was printed may be lost only now, on a full disk
 * say, and then that is said and the exit code is EXIT_FAILED instead of EXIT_OK. */
int finish_program(const char *name, int code);

/* `ken` becomes `program`, which lies beside it, with its own command line. Returns only when that
 * failed, with the exit code to leave with. */
int become_program(const char *program, char **argv);

/* A program behind `ken`: runs the verb that it was started for, or `otherwise` when somebody
 * started it by its own name. Returns the exit code. */
struct program_verb {
    const char *name;
    int (*run)(int argc, char **argv);
};
int run_program(const struct program_verb *verbs, size_t count,
                const struct program_verb *otherwise, int argc, char **argv);

#endif
