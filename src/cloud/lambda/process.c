#include "cloud/lambda/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Room above the function's memory size: RLIMIT_DATA counts what is reserved (thread stacks, heaps
 * of language runtimes), not what is used. */
enum { PROCESS_RESERVED_MB = 1024, PROCESS_MAX_FILES = 1024 };

static void limit(int resource, rlim_t value)
{
    struct rlimit now, wanted = {value, value};
    if (getrlimit(resource, &now) == 0 && now.rlim_max < value)
        wanted = (struct rlimit){now.rlim_max, now.rlim_max};
    setrlimit(resource, &wanted);
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* an ignored signal would stay ignored behind exec */
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between fork and exec of a program with threads: system calls only. */
static void confine(const struct process_options *options, pid_t parent)
{
    const rlim_t mb = 1024 * 1024;
    setsid();
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, PROCESS_MAX_FILES);
    limit(RLIMIT_DATA, ((rlim_t)options->memory_mb + PROCESS_RESERVED_MB) * mb);
    limit(RLIMIT_FSIZE, (rlim_t)options->storage_mb * mb);
    umask(022);
}

__attribute__((noreturn)) static void become(const struct process_options *options, pid_t parent,
                                             int output)
{
    confine(options, parent);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(127);
    syscall(SYS_close_range, 3U, ~0U, 0U);
    char *const arguments[] = {(char *)options->program, NULL};
    if (chdir(options->folder) == 0)
        execve(options->program, arguments, options->environment);
    const char *cause = strerrordesc_np(errno);
    static const char text[] = "cannot start bootstrap: ";
    if (write(2, text, sizeof text - 1) < 0 || write(2, cause, strlen(cause)) < 0 ||
        write(2, "\n", 1) < 0)
        _exit(127);
    _exit(127);
}

static int open_output(int ends[2], struct err *err)
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set_errno(err, "start function: make a pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int process_start(const struct process_options *options, struct process *process, struct err *err)
{
    int ends[2];
    if (access(options->program, X_OK) < 0)
        return err_set_errno(err, "start function: %s", options->program);
    if (open_output(ends, err) < 0)
        return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(options, parent, ends[1]);
    int cause = errno;
    close(ends[1]);
    int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0U);
    if (pidfd >= 0) {
        *process = (struct process){.pid = pid, .pidfd = pidfd, .output_fd = ends[0]};
        return 0;
    }
    close(ends[0]);
    if (pid > 0) {
        cause = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    errno = cause;
    return err_set_errno(err, "start function: make a process");
}

void process_kill(const struct process *process)
{
    kill(-process->pid, SIGKILL);
    kill(process->pid, SIGKILL); /* it may not lead its group yet */
}

int process_reap(struct process *process)
{
    int status = 0;
    process_kill(process); /* the pid is ours until waitpid() returns */
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(process->pidfd);
    close(process->output_fd);
    *process = (struct process){.pid = -1, .pidfd = -1, .output_fd = -1};
    return status;
}

size_t process_memory_bytes(const struct process *process)
{
    char path[64], text[128] = "";
    snprintf(path, sizeof path, "/proc/%d/statm", (int)process->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    size_t total, resident;
    if (size <= 0 || sscanf(text, "%zu %zu", &total, &resident) != 2)
        return 0;
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}
