#include "video/capture_program.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ENVIRONMENT = 4096, STEP_MS = 5, PIPE_BYTES = 1024 * 1024, DEATH_MS = 50 };

static int find_program(char *path, size_t size, struct err *err)
{
    const char *told = getenv(CAPTURE_ENV_PROGRAM);
    if (told) {
        snprintf(path, size, "%s", told);
        return 0;
    }
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0)
        return err_set_errno(err, "find ken-capture");
    path[length] = '\0';
    char *name = strrchr(path, '/') + 1;
    size_t room = size - (size_t)(name - path);
    if ((size_t)snprintf(name, room, "ken-capture") >= room)
        return err_set(err, ERR_TOO_BIG, "find ken-capture: the path is too long");
    return 0;
}

/* The environment with `own` (a NULL-terminated list) in front of it. Borrowed strings. */
static int make_environment(const struct buf *own, const char **out, struct err *err)
{
    int count = 0;
    for (const char *at = own->data; at < own->data + own->size; at += strlen(at) + 1)
        out[count++] = at;
    for (char **other = environ; *other; other++) {
        if (strncmp(*other, "KEN_CAPTURE_", 12) == 0)
            continue;
        if (count == MAX_ENVIRONMENT - 1)
            return err_set(err, ERR_TOO_BIG, "start ken-capture: more than %d variables",
                           MAX_ENVIRONMENT);
        out[count++] = *other;
    }
    out[count] = NULL;
    return 0;
}

static int put_request(struct buf *own, const char *location, const struct source_options *options,
                       struct err *err)
{
    buf_printf(own, CAPTURE_ENV_LOCATION "=%s%c", location, 0);
    buf_printf(own, CAPTURE_ENV_WIDTH "=%d%c", options->width, 0);
    buf_printf(own, CAPTURE_ENV_HEIGHT "=%d%c", options->height, 0);
    buf_printf(own, CAPTURE_ENV_FPS "=%.3f%c", options->fps, 0);
    buf_printf(own, CAPTURE_ENV_SILENCE "=%.3f%c",
               options->frozen_s > 0 ? options->frozen_s : SOURCE_FROZEN_S, 0);
    if (options->format)
        buf_printf(own, CAPTURE_ENV_FORMAT "=%s%c", options->format, 0);
    if (options->command)
        buf_printf(own, CAPTURE_ENV_COMMAND "=%s%c", options->command, 0);
    return own->failed ? err_set(err, ERR_NO_MEMORY, "start ken-capture: out of memory") : 0;
}

/* A group of its own, so that Ctrl-C is not for it, and that its commands go with it. */
static int spawn(struct capture_program *program, const char *path, char **environment, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char name[] = "ken-capture", *argv[] = {name, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGINT);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    int code = posix_spawn(&program->pid, path, &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return code;
}

/* Forget those that died after all. Returns a free place, or -1. */
static int reap(struct capture_program *program)
{
    int place = -1;
    for (int i = 0; i < CAPTURE_MAX_LEFT_BEHIND; i++) {
        if (program->left_behind[i] && waitpid(program->left_behind[i], NULL, WNOHANG) != 0)
            program->left_behind[i] = 0;
        if (!program->left_behind[i])
            place = i;
    }
    return place;
}

static int start(struct capture_program *program, const struct buf *own, struct err *err)
{
    const char *environment[MAX_ENVIRONMENT];
    char path[PATH_MAX];
    int ends[2];
    if (find_program(path, sizeof path, err) < 0 || make_environment(own, environment, err) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set_errno(err, "start %s", path);
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches; without it all works too */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    int code = spawn(program, path, (char **)environment, ends[1]);
    close(ends[1]);
    if (code == 0) {
        program->fd = ends[0];
        return 0;
    }
    close(ends[0]);
    program->pid = 0;
    errno = code;
    return err_set_errno(err, "start %s", path);
}

int capture_program_start(struct capture_program *program, const char *location,
                          const struct source_options *options, struct err *err)
{
    if (reap(program) < 0)
        return err_set(err, ERR_BUSY,
                       "start ken-capture: %d of them hang in the camera's driver; only unplugging "
                       "it or a restart of this machine helps",
                       CAPTURE_MAX_LEFT_BEHIND);
    struct buf own;
    buf_init(&own, 64 * 1024);
    int result = put_request(&own, location, options, err);
    if (result == 0)
        result = start(program, &own, err);
    buf_finish(&own);
    return result;
}

static int died_within(pid_t pid, int patience_ms)
{
    for (uint64_t start_ns = clock_monotonic_ns();;) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return 1;
        if (clock_ms_since(start_ns) >= patience_ms)
            return 0;
        clock_sleep_until_ns(clock_monotonic_ns() + STEP_MS * 1000000u);
    }
}

void capture_program_stop(struct capture_program *program, int patience_ms)
{
    if (program->fd >= 0)
        close(program->fd);
    program->fd = -1;
    if (program->pid == 0)
        return;
    pid_t pid = program->pid;
    program->pid = 0;
    kill(-pid, SIGTERM);
    int died = died_within(pid, patience_ms);
    kill(-pid, SIGKILL); /* the whole group: a command may outlive its parent */
    if (died || died_within(pid, DEATH_MS))
        return;
    int place = reap(program);
    if (place >= 0)
        program->left_behind[place] = pid;
}
