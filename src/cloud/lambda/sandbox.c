#include "cloud/lambda/sandbox.h"

#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Users of instances: 512 of a range that neither systems nor container tools hand out, chosen at
 * random, so that two clouds on a machine hardly meet; else systemd's range of passing users. */
enum {
    SANDBOX_UIDS = 1900000000,
    SANDBOX_RANGES = 400000,
    SANDBOX_SMALL_UIDS = 61184,
    SANDBOX_PROBE_MS = 5000
};

static int is_mapped(uid_t first)
{
    unsigned long inside, outside, count;
    int found = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    while (map && !found && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3)
        found = first >= inside && first + SANDBOX_SLOTS <= inside + count;
    if (map)
        fclose(map);
    return found;
}

static uid_t choose_users(void)
{
    uint32_t number;
    random_bytes(&number, sizeof number);
    uid_t first = SANDBOX_UIDS + number % SANDBOX_RANGES * SANDBOX_SLOTS;
    return is_mapped(first) ? first : SANDBOX_SMALL_UIDS;
}

uid_t sandbox_uid(const struct sandbox *sandbox, unsigned slot)
{
    return sandbox->is_full && !sandbox->jail.is_rootless ? sandbox->first_uid + slot : 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static int open_pipes(int pipes[3][2])
{
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) < 0)
            return -1;
    return 0;
}

enum { PIPE_OUTPUT, PIPE_ORDERS, PIPE_STATUS };

static pid_t make_process(const struct sandbox *sandbox, struct jail *jail,
                          const struct keeper_post *post)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of the cloud runs in the copy */
    pid_t pid = sandbox->is_full ? jail_fork(jail) : fork();
    if (pid == 0)
        keeper_run(post);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static int start_keeper(struct sandbox *sandbox, struct kept *kept, int pipes[3][2])
{
    struct jail jail = sandbox->jail;
    struct keeper_post post = {.jail = sandbox->is_full ? &jail : NULL,
                               .filter = sandbox->filter,
                               .parent = getpid(),
                               .arguments = sandbox->arguments,
                               .argument_bytes = sandbox->argument_bytes,
                               .output = pipes[PIPE_OUTPUT][1],
                               .orders = pipes[PIPE_ORDERS][0],
                               .status = pipes[PIPE_STATUS][1]};
    if (!jail.is_rootless)
        jail.uid = sandbox->first_uid + kept->slot;
    cgroups_make(&sandbox->cgroups, kept->slot, post.groups);
    kept->pid = make_process(sandbox, &jail, &post);
    int cause = errno;
    for (int i = 0; i < CGROUPS_KINDS; i++)
        close_fd(post.groups[i]);
    kept->pidfd = kept->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, kept->pid, 0U);
    if (kept->pidfd >= 0) {
        kept->peak_fd = cgroups_open_peak(&sandbox->cgroups, kept->slot);
        return 0;
    }
    if (kept->pid > 0) {
        cause = errno;
        kill(kept->pid, SIGKILL);
        waitpid(kept->pid, NULL, 0);
    }
    cgroups_remove(&sandbox->cgroups, kept->slot);
    errno = cause;
    return -1;
}

static int find_slot(struct sandbox *sandbox, unsigned *slot)
{
    for (unsigned i = 0; i < SANDBOX_SLOTS; i++)
        if (!sandbox->slots[i]) {
            *slot = i;
            return 0;
        }
    errno = EAGAIN;
    return -1;
}

static int make_kept(struct sandbox *sandbox, struct kept *kept, struct err *err)
{
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    *kept = (struct kept){0};
    int result = find_slot(sandbox, &kept->slot);
    if (result == 0)
        result = open_pipes(pipes);
    if (result == 0)
        result = start_keeper(sandbox, kept, pipes);
    if (result < 0) {
        err_set_errno(err, "start function: make a process");
        for (int i = 0; i < 6; i++)
            close_fd(pipes[i / 2][i % 2]);
        kept->pid = 0;
        return -1;
    }
    sandbox->slots[kept->slot] = 1;
    close(pipes[PIPE_OUTPUT][1]);
    close(pipes[PIPE_ORDERS][0]);
    close(pipes[PIPE_STATUS][1]);
    kept->output_fd = pipes[PIPE_OUTPUT][0];
    kept->orders_fd = pipes[PIPE_ORDERS][1];
    kept->status_fd = pipes[PIPE_STATUS][0];
    fcntl(kept->output_fd, F_SETFL, O_NONBLOCK);
    fcntl(kept->status_fd, F_SETFL, O_NONBLOCK);
    return 0;
}

void sandbox_prepare(struct sandbox *sandbox)
{
    struct err err;
    if (sandbox->spare.pid == 0 && make_kept(sandbox, &sandbox->spare, &err) < 0)
        log_line(LOG_WARN, "lambda: %s", err.message);
}

int sandbox_take(struct sandbox *sandbox, struct kept *kept, struct err *err)
{
    if (sandbox->spare.pid && kill(sandbox->spare.pid, 0) == 0) {
        *kept = sandbox->spare;
        sandbox->spare.pid = 0;
        return 0;
    }
    return make_kept(sandbox, kept, err);
}

/* A report may stand before it. */
static int read_status(int fd, int status)
{
    char told[sizeof(struct keeper_report) + sizeof status];
    ssize_t size = read(fd, told, sizeof told);
    if (size == (ssize_t)sizeof told || size == (ssize_t)sizeof status)
        memcpy(&status, told + size - (ssize_t)sizeof status, sizeof status);
    return status;
}

int sandbox_end(struct sandbox *sandbox, struct kept *kept)
{
    int status = 0;
    kill(-kept->pid, SIGKILL);
    kill(kept->pid, SIGKILL); /* it may not lead its group yet; the pid is ours until waitpid() */
    while (waitpid(kept->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    status = read_status(kept->status_fd, status);
    close_fd(kept->pidfd);
    close_fd(kept->output_fd);
    close_fd(kept->orders_fd);
    close_fd(kept->status_fd);
    close_fd(kept->peak_fd);
    cgroups_remove(&sandbox->cgroups, kept->slot);
    sandbox->slots[kept->slot] = 0;
    *kept = (struct kept){
        .pidfd = -1, .output_fd = -1, .orders_fd = -1, .status_fd = -1, .peak_fd = -1};
    return status;
}

/* The first spare shows what this machine permits. */
static int probe(struct sandbox *sandbox, struct err *err)
{
    struct keeper_report report = {.cause = EIO, .step = "start"};
    if (make_kept(sandbox, &sandbox->spare, err) < 0)
        return -1;
    struct pollfd ready = {.fd = sandbox->spare.status_fd, .events = POLLIN};
    poll(&ready, 1, SANDBOX_PROBE_MS);
    if (read(sandbox->spare.status_fd, &report, sizeof report) == sizeof report &&
        report.cause == 0)
        return 0;
    sandbox_end(sandbox, &sandbox->spare);
    errno = report.cause;
    return err_set_errno(err, "isolate functions: %s", report.step);
}

static void describe_limits(const struct sandbox *sandbox, char *out, size_t size)
{
    static const char *const names[CGROUPS_KINDS] = {"memory", "processes", "CPU"};
    int length = snprintf(out, size, "%s", sandbox->filter ? "" : "; no system call filter");
    for (int i = 0; i < CGROUPS_KINDS; i++)
        if (!sandbox->cgroups.version[i])
            length += snprintf(out + length, size - (size_t)length, "; no cgroup for %s", names[i]);
}

static void describe(struct sandbox *sandbox, const char *cause)
{
    char missing[160];
    describe_limits(sandbox, missing, sizeof missing);
    int is_less = *cause || *missing;
    if (sandbox->is_full)
        snprintf(sandbox->description, sizeof sandbox->description, "full%s%s",
                 sandbox->jail.is_rootless ? ", all functions are one user" : "", missing);
    else
        snprintf(sandbox->description, sizeof sandbox->description, "basic%s%.80s%s%.120s",
                 *cause ? " (" : "", cause, *cause ? ")" : "", missing);
    if (is_less)
        log_line(LOG_WARN, "lambda: isolation of functions: %s", sandbox->description);
}

int sandbox_choose(struct sandbox *sandbox, enum isolation wanted, struct err *err)
{
    struct err cause = {0}, ignored;
    sandbox->first_uid = choose_users();
    sandbox->filter = filter_create(&ignored);
    cgroups_open(&sandbox->cgroups);
    sandbox->jail = (struct jail){.is_rootless = geteuid() != 0,
                                  .uid = geteuid(),
                                  .gid = getegid(),
                                  .base = sandbox->base,
                                  .hide = sandbox->hide};
    sandbox->is_full = wanted != ISOLATION_BASIC;
    if (sandbox->is_full && probe(sandbox, &cause) < 0) {
        sandbox->is_full = 0;
        if (wanted == ISOLATION_FULL) {
            *err = cause;
            return err_wrap(err, "--isolation full is not to be had here");
        }
    }
    describe(sandbox, cause.code == ERR_NONE ? "" : cause.message);
    return 0;
}

/* proc(5): fields 48 and 49 of stat, the second being the last that may hold spaces. */
static void find_arguments(struct sandbox *sandbox)
{
    enum { NAME_FIELD = 2, START_FIELD = 48 };
    char line[2048] = "";
    uintptr_t start = 0, end = 0;
    FILE *stat = fopen("/proc/self/stat", "re");
    char *at = stat && fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
    if (stat)
        fclose(stat);
    for (int field = NAME_FIELD; at && field < START_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (!at || sscanf(at, "%" SCNuPTR " %" SCNuPTR, &start, &end) != 2 || start >= end)
        return;
    sandbox->arguments = (char *)start;
    sandbox->argument_bytes = end - start;
}

struct sandbox *sandbox_create(const struct sandbox_options *options, struct err *err)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox) {
        err_set(err, ERR_NO_MEMORY, "start functions: no memory");
        return NULL;
    }
    if (!realpath(options->folder, sandbox->base) || !realpath(options->hide, sandbox->hide)) {
        err_set_errno(err, "start functions: %s", options->folder);
        free(sandbox);
        return NULL;
    }
    find_arguments(sandbox);
    return sandbox;
}

void sandbox_destroy(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    if (sandbox->spare.pid)
        sandbox_end(sandbox, &sandbox->spare);
    cgroups_close(&sandbox->cgroups);
    filter_destroy(sandbox->filter);
    free(sandbox);
}
