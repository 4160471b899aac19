#include "cloud/lambda/undertaker.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct undertaker {
    pid_t pid;
    int fd; /* the writing end */
};

/* What is said over the pipe: a group to watch, or its negative to forget it. */
static void note(pid_t *groups, size_t *count, int32_t said)
{
    if (said > 0 && *count < UNDERTAKER_MAX_GROUPS)
        groups[(*count)++] = said;
    for (size_t i = 0; said < 0 && i < *count; i++)
        if (groups[i] == -said)
            groups[i] = groups[--*count];
}

/* Runs behind fork() in a program with threads: system calls only. */
__attribute__((noreturn)) static void keep_watch(int fd)
{
    pid_t groups[UNDERTAKER_MAX_GROUPS];
    size_t count = 0;
    int32_t said[256];
    setsid();
    if (dup2(fd, 3) < 0)
        _exit(1);
    close(0);
    close(1);
    close(2);
    syscall(SYS_close_range, 4U, ~0U, 0U);
    prctl(PR_SET_NAME, "ken-undertaker");
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    for (;;) {
        ssize_t size = read(3, said, sizeof said);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        for (size_t i = 0; i < (size_t)size / sizeof said[0]; i++)
            note(groups, &count, said[i]);
    }
    for (size_t i = 0; i < count; i++)
        kill(-groups[i], SIGKILL);
    _exit(0);
}

struct undertaker *undertaker_create(struct err *err)
{
    int ends[2];
    struct undertaker *undertaker = calloc(1, sizeof *undertaker);
    if (!undertaker || pipe2(ends, O_CLOEXEC) < 0) {
        free(undertaker);
        err_set_errno(err, "start the undertaker");
        return NULL;
    }
    undertaker->fd = ends[1];
    undertaker->pid = fork();
    if (undertaker->pid == 0) {
        close(ends[1]);
        keep_watch(ends[0]);
    }
    int cause = errno;
    close(ends[0]);
    if (undertaker->pid > 0)
        return undertaker;
    close(ends[1]);
    free(undertaker);
    errno = cause;
    err_set_errno(err, "start the undertaker");
    return NULL;
}

void undertaker_destroy(struct undertaker *undertaker)
{
    if (!undertaker)
        return;
    close(undertaker->fd);
    while (waitpid(undertaker->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(undertaker);
}

static void say(struct undertaker *undertaker, int32_t what)
{
    if (write(undertaker->fd, &what, sizeof what) != sizeof what)
        log_line(LOG_ERROR, "lambda: the undertaker is gone");
}

void undertaker_watch(struct undertaker *undertaker, pid_t group)
{
    say(undertaker, group);
}

void undertaker_forget(struct undertaker *undertaker, pid_t group)
{
    say(undertaker, -group);
}
