#include "cloud/lambda/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* All of this runs in a copy of a program with threads: system calls only. */

enum { KEEPER_MAX_FILES = 1024, ORDERS_FD = 3, STATUS_FD = 4 };

struct request { /* an order, read */
    struct keeper_order order;
    char text[KEEPER_MAX_TEXT_BYTES];
    char *texts[KEEPER_MAX_TEXTS + 1];
};

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* an ignored signal would stay ignored behind exec */
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void report(int fd, int cause, const char *step)
{
    struct keeper_report report = {.cause = cause};
    strncpy(report.step, step, sizeof report.step - 1);
    if (write(fd, &report, sizeof report) != sizeof report)
        _exit(127);
}

__attribute__((noreturn)) static void give_up(const char *step)
{
    const char *texts[] = {"cannot start bootstrap: ", step, *step ? ": " : "",
                           strerrordesc_np(errno), "\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i] && write(2, texts[i], strlen(texts[i])) < 0)
            break;
    _exit(127);
}

static void arrange_files(const struct keeper_post *post)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* first away from the places that they go to */
    int orders = fcntl(post->orders, F_DUPFD, 16), status = fcntl(post->status, F_DUPFD, 16);
    int output = fcntl(post->output, F_DUPFD, 16);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
        dup2(orders, ORDERS_FD) < 0 || dup2(status, STATUS_FD) < 0)
        _exit(127);
    fcntl(ORDERS_FD, F_SETFD, FD_CLOEXEC);
    fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
    syscall(SYS_close_range, STATUS_FD + 1U, ~0U, 0U);
}

/* A function of a cloud at real-time priority is an ordinary process: it may not keep the machine
 * to itself, and the kernel lets no other into a group for processors. */
static void leave_real_time(void)
{
    int policy = sched_getscheduler(0);
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
}

static void enter_groups(const struct keeper_post *post)
{
    leave_real_time();
    for (int i = 0; i < CGROUPS_KINDS; i++)
        if (post->groups[i] >= 0 && write(post->groups[i], "0", 1) < 0)
            _exit(127); /* without its limits it does not run */
}

static void read_all(void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = read(ORDERS_FD, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            _exit(0); /* the cloud is gone, or needs no more */
        at += got;
        size -= (size_t)got;
    }
}

static void read_request(struct request *request)
{
    const struct keeper_order *order = &request->order;
    read_all(&request->order, sizeof request->order);
    if (order->text_bytes > sizeof request->text || order->texts > KEEPER_MAX_TEXTS ||
        order->arguments == 0 || order->arguments > KEEPER_MAX_ARGUMENTS ||
        order->texts < KEEPER_ARGUMENTS + order->arguments)
        _exit(127);
    read_all(request->text, order->text_bytes);
    char *at = request->text;
    for (uint32_t i = 0; i < order->texts; i++) {
        request->texts[i] = at;
        at += strlen(at) + 1;
    }
    request->texts[order->texts] = NULL;
}

static void limit(int resource, rlim_t value)
{
    struct rlimit now, wanted = {value, value};
    if (getrlimit(resource, &now) == 0 && now.rlim_max < value)
        wanted = (struct rlimit){now.rlim_max, now.rlim_max};
    setrlimit(resource, &wanted);
}

static void set_limits(const struct keeper_order *order)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, KEEPER_MAX_FILES);
    limit(RLIMIT_MEMLOCK, 64 * 1024);
    limit(RLIMIT_FSIZE, order->max_file_bytes);
    if (order->max_data_bytes)
        limit(RLIMIT_DATA, order->max_data_bytes);
    if (order->max_processes)
        limit(RLIMIT_NPROC, order->max_processes);
}

static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent && getppid() != parent)
        _exit(127);
}

static void confine(const struct keeper_post *post, const struct request *request)
{
    const char *step = "";
    int (*enter)(const char *, const char *, const char **) =
        request->order.is_image ? jail_enter_image : jail_enter;
    if (post->jail &&
        enter(request->texts[KEEPER_CODE], request->texts[KEEPER_TEMPORARY], &step) < 0)
        give_up(step);
    set_limits(&request->order);
    if ((post->jail ? jail_drop(post->jail, &step) : jail_drop_capabilities()) < 0)
        give_up(step);
    die_with(post->jail ? 0 : post->parent); /* anew: another user forgets it */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        give_up("give up privileges");
    umask(022);
}

static const char *path_of(char *const *variables)
{
    for (; *variables; variables++)
        if (strncmp(*variables, "PATH=", 5) == 0)
            return *variables + 5;
    return "/usr/local/bin:/usr/bin:/bin";
}

/* As a shell finds it: a name without '/' is looked for in the function's own PATH. Comes back with
 * errno. */
static void execute(char *const *arguments, char *const *variables)
{
    char program[KEEPER_MAX_PROGRAM_BYTES];
    size_t size = strlen(arguments[0]);
    if (strchr(arguments[0], '/')) {
        execve(arguments[0], arguments, variables);
        return;
    }
    for (const char *at = path_of(variables);; at++) {
        size_t length = strcspn(at, ":");
        if (length > 0 && length + size + 2 <= sizeof program) {
            memcpy(program, at, length);
            program[length] = '/';
            memcpy(program + length + 1, arguments[0], size + 1);
            execve(program, arguments, variables);
        }
        at += length;
        if (!*at || (errno != ENOENT && errno != ENOTDIR && errno != EACCES))
            break;
    }
}

__attribute__((noreturn)) static void become(const struct keeper_post *post,
                                             const struct request *request)
{
    char *arguments[KEEPER_MAX_ARGUMENTS + 1];
    size_t count = request->order.arguments;
    memcpy(arguments, request->texts + KEEPER_ARGUMENTS, count * sizeof *arguments);
    arguments[count] = NULL;
    if (post->filter && filter_enter(post->filter) < 0)
        give_up("filter system calls");
    if (chdir(request->texts[KEEPER_FOLDER]) == 0)
        execute(arguments, request->texts + KEEPER_ARGUMENTS + count);
    give_up("");
}

/* The instance's process 1. */
__attribute__((noreturn)) static void keep(const struct keeper_post *post, pid_t function)
{
    int status;
    prctl(PR_SET_DUMPABLE, 0); /* its memory is a copy of the cloud's */
    if (post->filter && filter_enter(post->filter) < 0)
        _exit(127);
    for (;;) {
        pid_t pid = waitpid(-1, &status, 0);
        if (pid == function)
            break;
        if (pid < 0 && errno != EINTR)
            _exit(127);
    }
    if (write(STATUS_FD, &status, sizeof status) != sizeof status)
        _exit(127);
    _exit(0);
}

void keeper_run(const struct keeper_post *post)
{
    struct request request;
    const char *step = "";
    setsid();
    reset_signals();
    prctl(PR_SET_NAME, "ken-keeper");
    if (post->arguments)
        memset(post->arguments, 0, post->argument_bytes);
    die_with(post->jail ? 0 : post->parent); /* from inside, its parent has no number */
    if (post->jail && jail_build(post->jail, &step) < 0) {
        report(post->status, errno, step);
        _exit(127);
    }
    report(post->status, 0, "");
    enter_groups(post);
    arrange_files(post);
    read_request(&request);
    confine(post, &request);
    if (!post->jail)
        become(post, &request);
    /* not by the library, whose locks may be another thread's of the program this is a copy of */
    prctl(PR_SET_DUMPABLE, 0);
    pid_t function = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (function < 0)
        give_up("make a process");
    if (function > 0)
        keep(post, function);
    setsid();
    become(post, &request);
}
