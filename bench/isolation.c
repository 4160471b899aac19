#include "base/clock.h"
#include "base/file.h"
#include "cloud/lambda/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What isolation adds to the start of an instance: from the order to the program's first byte, for
 * a bare process, basic and full isolation, in turns. "ready" is as the cloud does it, with a
 * keeper made ahead; "cold" makes it then. Usage: bench_isolation [ROUNDS] */

enum { ROUNDS = 60, MOST_ROUNDS = 1000, WAYS = 5, PAUSE_US = 20000 };
static const char *const ways[WAYS] = {"none", "basic, ready", "full, ready", "basic, cold",
                                       "full, cold"};
static const char program[] = "#!/bin/sh\necho up\n";

static int die(const struct err *err)
{
    fprintf(stderr, "bench_isolation: %s\n", err->message);
    exit(1);
}

static void await_byte(int fd)
{
    char byte;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, -1) < 0 || (read(fd, &byte, 1) < 0))
        continue;
}

static double start_bare(const char *bootstrap)
{
    int pipe_fds[2];
    pid_t pid;
    char *const arguments[] = {(char *)bootstrap, NULL}, *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        exit(1);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
    uint64_t begun = clock_monotonic_ns();
    if (posix_spawn(&pid, bootstrap, &actions, NULL, arguments, environment) != 0)
        exit(1);
    await_byte(pipe_fds[0]);
    double ms = clock_ms_since(begun);
    waitpid(pid, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return ms;
}

static double start_kept(struct sandbox *sandbox, const char *code)
{
    struct err err = {0};
    struct process process;
    char *const environment[] = {NULL};
    const struct process_options options = {
        .folder = code, .environment = environment, .memory_mb = 128, .storage_mb = 512};
    uint64_t begun = clock_monotonic_ns();
    if (process_start(sandbox, &options, &process, &err) < 0)
        die(&err);
    await_byte(process.kept.output_fd);
    double ms = clock_ms_since(begun);
    process_kill(&process);
    process_reap(&process);
    return ms;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(double (*ms)[MOST_ROUNDS], int rounds)
{
    double bare = 0;
    printf("%d starts each, in turns; ms from the order to the first byte\n", rounds);
    printf("%-14s %8s %8s %8s  %s\n", "", "median", "min", "p90", "median over none");
    for (int way = 0; way < WAYS; way++) {
        qsort(ms[way], (size_t)rounds, sizeof **ms, compare);
        double median = ms[way][rounds / 2];
        bare = way == 0 ? median : bare;
        printf("%-14s %8.2f %8.2f %8.2f  %+.2f\n", ways[way], median, ms[way][0],
               ms[way][rounds * 9 / 10], median - bare);
    }
}

static struct sandbox *make_sandbox(const char *folder, const char *name, enum isolation isolation)
{
    struct err err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_make_folders(path, 0755, &err) < 0)
        die(&err);
    struct sandbox *sandbox =
        sandbox_create(&(struct sandbox_options){.folder = path, .hide = folder}, &err);
    if (!sandbox || sandbox_choose(sandbox, isolation, &err) < 0)
        die(&err);
    return sandbox;
}

int main(int count, char **arguments)
{
    static double ms[WAYS][MOST_ROUNDS];
    struct err err = {0};
    char folder[] = "/tmp/ken-isolation-XXXXXX", code[64], bootstrap[80];
    int rounds = count > 1 ? (int)strtol(arguments[1], NULL, 10) : ROUNDS;
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    if (!mkdtemp(folder))
        return 1;
    snprintf(code, sizeof code, "%s/code", folder);
    snprintf(bootstrap, sizeof bootstrap, "%s/bootstrap", code);
    if (chmod(folder, 0755) < 0 || file_make_folders(code, 0755, &err) < 0 ||
        file_write(bootstrap, program, strlen(program), 0755, &err) < 0)
        return die(&err);
    struct sandbox *basic = make_sandbox(folder, "basic", ISOLATION_BASIC);
    struct sandbox *full = make_sandbox(folder, "full", ISOLATION_FULL);
    for (int i = 0; i < rounds; i++) {
        sandbox_prepare(basic);
        sandbox_prepare(full);
        usleep(PAUSE_US); /* both are ready and quiet */
        ms[0][i] = start_bare(bootstrap);
        ms[1][i] = start_kept(basic, code);
        ms[2][i] = start_kept(full, code);
        ms[3][i] = start_kept(basic, code); /* nothing was prepared again */
        ms[4][i] = start_kept(full, code);
    }
    report(ms, rounds);
    sandbox_destroy(basic);
    sandbox_destroy(full);
    return file_remove_tree(folder, &err) < 0 ? die(&err) : 0;
}
