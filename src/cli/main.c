#include "cli/options.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
#define X(name, summary) {#name, summary, verb_##name},
    VERB_LIST(X)
#undef X
        {NULL, NULL, NULL},
};

static void print_usage(FILE *out)
{
    fprintf(out, "usage: ken VERB [options] [arguments]\n\n"
                 "Gives a camera the record of the person in front of it.\n\nverbs:\n");
    for (const struct verb *verb = verbs; verb->name; verb++)
        fprintf(out, "  %-10s %s\n", verb->name, verb->summary);
    fprintf(out, "\n\"ken VERB --help\" tells more of one; \"ken --version\" the version.\n");
}

/* Where one of the three is closed, the next file opened would take its place and what is printed
 * would go into that file. */
static void open_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            abort();
}

/* A reader that has seen enough, as head(1), closes its end: that is no failure. */
static int is_reader_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

/* What was printed may be lost only now, on a full disk say. */
static int finish_output(const char *name, int code)
{
    errno = 0;
    int failed = fflush(stdout) != 0;
    const char *cause = errno ? strerror(errno) : "not all of it could be written";
    if ((!failed && !ferror(stdout)) || is_reader_gone())
        return code;
    fprintf(stderr, "ken %s: standard output: %s\n", name, cause);
    return code == EXIT_OK ? EXIT_FAILED : code;
}

static int run_verb(int argc, char **argv)
{
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (strcmp(argv[1], verb->name) == 0)
            return verb->run(argc - 1, argv + 1);
    fprintf(stderr, "ken: %s: no such verb (see ken --help)\n", argv[1]);
    return EXIT_USAGE;
}

static int is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

int main(int argc, char **argv)
{
    open_standard_streams();
    /* A closed pipe or socket is an error where it is written, not a death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (is_one_of(argv[1], "--help", "-h", "help")) {
        print_usage(stdout);
        return finish_output("--help", EXIT_OK);
    }
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        printf("ken %s\n", KEN_VERSION);
        return finish_output("--version", EXIT_OK);
    }
    return finish_output(argv[1], run_verb(argc, argv));
}
