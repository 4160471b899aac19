#include "cli/start.h"

#include "base/core.h"
#include "cli/beside.h"
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where one of the three is closed, the next file opened would take its place and what is printed
 * would go into that file. */
static void open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            abort();
}

void start_program(void)
{
    open_standard_streams();
    core_forbid();
    /* A closed pipe or socket is an error where it is written. */
    signal(SIGPIPE, SIG_IGN);
}

/* A reader that has seen enough, as head(1), closes its end: that is no failure. */
static int is_reader_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

int finish_program(const char *name, int code)
{
    errno = 0;
    int failed = fflush(stdout) != 0;
    const char *cause = errno ? strerror(errno) : "not all of it could be written";
    if ((!failed && !ferror(stdout)) || is_reader_gone())
        return code;
    fprintf(stderr, "ken %s: standard output: %s\n", name, cause);
    return code == EXIT_OK ? EXIT_FAILED : code;
}

int become_program(const char *program, char **argv)
{
    char path[PATH_MAX];
    struct err err = {0};
    if (beside_program(program, path, sizeof path, &err) == 0) {
        execv(path, argv);
        err_set_errno(&err, "start %s", path);
    }
    fprintf(stderr, "ken %s: %s\n", argv[1], err.message);
    return EXIT_FAILED;
}

static int is_started_by_ken(int argc, char **argv)
{
    const char *slash = argc > 1 ? strrchr(argv[0], '/') : NULL;
    return argc > 1 && strcmp(slash ? slash + 1 : argv[0], "ken") == 0;
}

int run_program(const struct program_verb *verbs, size_t count,
                const struct program_verb *otherwise, int argc, char **argv)
{
    start_program();
    if (is_started_by_ken(argc, argv)) {
        argc--;
        argv++;
        for (size_t i = 0; i < count; i++)
            if (strcmp(argv[0], verbs[i].name) == 0)
                return finish_program(argv[0], verbs[i].run(argc, argv));
    }
    return finish_program(otherwise->name, otherwise->run(argc, argv));
}
