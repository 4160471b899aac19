#ifndef CLI_START_H
#define CLI_START_H

/* What every program of ken does before and after its work. */

/* Closed standard streams are opened on /dev/null, and a closed pipe is no death. */
void start_program(void);

/* Ends the work of the verb `name` ("train"): what was printed may be lost only now, on a full disk
 * say, and then that is said and the exit code is EXIT_FAILED instead of EXIT_OK. */
int finish_program(const char *name, int code);

/* Becomes the program `program` that lies beside this one, with argv[0] = the verb. Returns only
 * when that failed, with the exit code to leave with. */
int become_program(const char *program, char **argv);

#endif
