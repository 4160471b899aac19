#include "cloud/lambda/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILTER_MAX_BYTES = 32 * 1024 };

struct filter {
    struct sock_fprog program;
};

static const char *const denied[] = {
    /* other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    /* the tree of files */
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl",
    "quotactl_fd", "name_to_handle_at", "open_by_handle_at", "fanotify_init",
    /* namespaces */
    "unshare", "setns",
    /* the kernel */
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf",
    "perf_event_open", "keyctl", "add_key", "request_key", "userfaultfd", "reboot", "syslog",
    "acct", "settimeofday", "clock_settime", "stime", "iopl", "ioperm", "modify_ldt", "vhangup",
    "lookup_dcookie", "nfsservctl", "vmsplice"};

/* Answered as if the kernel had none, so that runtimes take the older way: clone3 hides its flags
 * from a filter, io_uring its calls. */
static const char *const absent[] = {"clone3", "io_uring_setup", "io_uring_enter",
                                     "io_uring_register"};

static const uint64_t namespaces[] = {CLONE_NEWNS,  CLONE_NEWPID, CLONE_NEWUSER,  CLONE_NEWNET,
                                      CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};

/* A name that this machine or library does not know needs no rule. */
static int deny_all(scmp_filter_ctx context, const char *const *names, size_t count, int cause)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number < 0)
            continue;
        int result = seccomp_rule_add(context, SCMP_ACT_ERRNO((uint16_t)cause), number, 0);
        if (result < 0 && result != -EDOM)
            return result;
    }
    return 0;
}

static int deny_namespaces(scmp_filter_ctx context)
{
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
        int result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                      SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
        if (result < 0)
            return result;
    }
    return 0;
}

/* Left are AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK (which programs ask for their addresses),
 * without raw sockets. */
static int deny_sockets(scmp_filter_ctx context)
{
    enum { TYPE_MASK = 0xf };
    int result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
    for (uint64_t family = 0; family < AF_NETLINK && result == 0; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                      SCMP_A0(SCMP_CMP_EQ, family));
    static const uint64_t inet[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2 && result == 0; i++)
        result = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2,
                                  SCMP_A0(SCMP_CMP_EQ, inet[i]),
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_RAW));
    return result;
}

static int add_rules(scmp_filter_ctx context)
{
    int result = deny_all(context, denied, sizeof denied / sizeof *denied, EPERM);
    if (result == 0)
        result = deny_all(context, absent, sizeof absent / sizeof *absent, ENOSYS);
    if (result == 0)
        result = deny_namespaces(context);
    if (result == 0)
        result = deny_sockets(context);
    return result;
}

/* The library writes to a file only. */
static int export_rules(scmp_filter_ctx context, struct sock_fprog *program)
{
    struct stat about;
    int fd = memfd_create("filter", MFD_CLOEXEC), result = -1;
    if (fd >= 0 && seccomp_export_bpf(context, fd) == 0 && fstat(fd, &about) == 0 &&
        about.st_size > 0 && about.st_size <= FILTER_MAX_BYTES) {
        size_t size = (size_t)about.st_size;
        program->len = (unsigned short)(size / sizeof *program->filter);
        program->filter = malloc(size);
        if (program->filter && pread(fd, program->filter, size, 0) == (ssize_t)size)
            result = 0;
    }
    if (fd >= 0)
        close(fd);
    return result;
}

struct filter *filter_create(struct err *err)
{
    struct filter *filter = calloc(1, sizeof *filter);
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    if (filter && context && add_rules(context) == 0 &&
        export_rules(context, &filter->program) == 0) {
        seccomp_release(context);
        return filter;
    }
    seccomp_release(context);
    filter_destroy(filter);
    err_set(err, ERR_UNSUPPORTED, "make the filter of system calls: refused");
    return NULL;
}

void filter_destroy(struct filter *filter)
{
    if (filter)
        free(filter->program.filter);
    free(filter);
}

int filter_enter(const struct filter *filter)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter->program);
}
