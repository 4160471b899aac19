#include "cloud/lambda/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { JAIL_USER = 993 }; /* what a user namespace calls it; AWS's functions have the same */

/* What programs need of a machine. Links at the top are copied, everywhere else followed. */
static const char *const places[] = {"/usr",
                                     "/bin",
                                     "/sbin",
                                     "/lib",
                                     "/lib32",
                                     "/lib64",
                                     "/libx32",
                                     "/etc/alternatives",
                                     "/etc/ssl",
                                     "/etc/pki",
                                     "/etc/hosts",
                                     "/etc/host.conf",
                                     "/etc/resolv.conf",
                                     "/etc/nsswitch.conf",
                                     "/etc/gai.conf",
                                     "/etc/services",
                                     "/etc/protocols",
                                     "/etc/localtime",
                                     "/etc/ld.so.cache",
                                     "/dev/null",
                                     "/dev/zero",
                                     "/dev/full",
                                     "/dev/random",
                                     "/dev/urandom"};

static const char *const folders[] = {"etc", "dev", "proc", "tmp", "var", "var/task", "old"};

static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                       {"/proc/self/fd/0", "dev/stdin"},
                                       {"/proc/self/fd/1", "dev/stdout"},
                                       {"/proc/self/fd/2", "dev/stderr"}};

pid_t jail_fork(const struct jail *jail)
{
    struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                       CLONE_NEWCGROUP | (jail->is_rootless ? CLONE_NEWUSER : 0U),
                              .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static int write_file(const char *path, int flags, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    if (fd < 0)
        return -1;
    ssize_t size = write(fd, text, strlen(text));
    close(fd);
    return size < 0 ? -1 : 0;
}

/* "993 OUTSIDE 1" without the library's formatting. */
static void describe_map(char out[32], unsigned outside)
{
    char digits[12];
    size_t count = 0, at = 4;
    memcpy(out, "993 ", 4);
    do
        digits[count++] = (char)('0' + outside % 10);
    while ((outside /= 10));
    while (count)
        out[at++] = digits[--count];
    memcpy(out + at, " 1\n", 4);
}

static int map_user(uid_t uid, gid_t gid)
{
    char text[32];
    describe_map(text, uid);
    if (write_file("/proc/self/uid_map", 0, text) < 0 ||
        write_file("/proc/self/setgroups", 0, "deny") < 0)
        return -1;
    describe_map(text, gid);
    return write_file("/proc/self/gid_map", 0, text);
}

static int bind(const char *from, const char *to)
{
    return mount(from, to, NULL, MS_BIND | MS_REC, NULL);
}

static int make_empty(const char *path)
{
    return write_file(path, O_CREAT | O_EXCL, "");
}

static int copy_link(const char *from, const char *to)
{
    char target[256];
    ssize_t size = readlink(from, target, sizeof target - 1);
    if (size < 0)
        return -1;
    target[size] = 0;
    return symlink(target, to);
}

static int put(const char *path)
{
    struct stat about;
    const char *to = path + 1;
    int is_top = !strchr(to, '/');
    if ((is_top ? lstat(path, &about) : stat(path, &about)) < 0)
        return errno == ENOENT ? 0 : -1;
    if (S_ISLNK(about.st_mode))
        return copy_link(path, to);
    if ((S_ISDIR(about.st_mode) ? mkdir(to, 0755) : make_empty(to)) < 0)
        return -1;
    return bind(path, to);
}

static int put_all(const char **step)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (*step = folders[i], mkdir(folders[i], 0755) < 0)
            return -1;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (*step = links[i][1], symlink(links[i][0], links[i][1]) < 0)
            return -1;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (*step = places[i], put(places[i]) < 0)
            return -1;
    *step = "/etc/passwd";
    return write_file("etc/passwd", O_CREAT,
                      "root:x:0:0:root:/:/bin/sh\nfunction:x:993:993::/tmp:/bin/sh\n") < 0
               ? -1
               : write_file("etc/group", O_CREAT, "root:x:0:\nfunction:x:993:\n");
}

/* The data may lie inside of what is shown. */
static int hide(const char *path)
{
    struct stat about;
    if (stat(path + 1, &about) < 0)
        return 0;
    return mount("hidden", path + 1, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0");
}

static int seal(void)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    return mount_setattr(AT_FDCWD, ".", AT_RECURSIVE, &attributes, sizeof attributes);
}

int jail_build(const struct jail *jail, const char **step)
{
    *step = "map the user";
    if (jail->is_rootless && map_user(jail->uid, jail->gid) < 0)
        return -1;
    *step = "part from the machine's mounts";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    *step = "make a root";
    if (mount("root", jail->base, "tmpfs", MS_NOSUID, "size=64k,nr_inodes=128,mode=755") < 0 ||
        chdir(jail->base) < 0)
        return -1;
    umask(022);
    if (put_all(step) < 0)
        return -1;
    *step = "hide the cloud's data";
    if (hide(jail->hide) < 0)
        return -1;
    *step = "mount /proc";
    if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -1;
    *step = "make the root read-only";
    if (seal() < 0)
        return -1;
    *step = "name the host";
    return sethostname("function", 8);
}

int jail_enter(const char *code, const char *temporary, const char **step)
{
    struct mount_attr attributes = {.attr_set =
                                        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    *step = "mount " JAIL_CODE;
    if (bind(code, "var/task") < 0 ||
        mount_setattr(AT_FDCWD, "var/task", AT_RECURSIVE, &attributes, sizeof attributes) < 0)
        return -1;
    *step = "mount " JAIL_TEMPORARY;
    if (mount("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, temporary) < 0)
        return -1;
    *step = "enter the root";
    if (syscall(SYS_pivot_root, ".", "old") < 0 || chdir("/") < 0)
        return -1;
    return umount2("/old", MNT_DETACH);
}

/* One of the machine's files, where it has it. */
static int bind_file(const char *from, const char *to)
{
    return bind(from, to) == 0 || errno == ENOENT ? 0 : -1;
}

int jail_enter_image(const char *root, const char *temporary, const char **step)
{
    struct mount_attr attributes = {.attr_set =
                                        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    *step = "mount the image";
    if (bind(root, "var/task") < 0 ||
        mount_setattr(AT_FDCWD, "var/task", AT_RECURSIVE, &attributes, sizeof attributes) < 0 ||
        chdir("var/task") < 0)
        return -1;
    *step = "mount " JAIL_TEMPORARY;
    if (mount("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, temporary) < 0)
        return -1;
    *step = "mount /dev and /proc";
    if (bind("../../dev", "dev") < 0 || bind("../../proc", "proc") < 0)
        return -1;
    *step = "mount /etc";
    if (bind_file("../../etc/hosts", "etc/hosts") < 0 ||
        bind_file("../../etc/resolv.conf", "etc/resolv.conf") < 0)
        return -1;
    *step = "enter the root";
    if (syscall(SYS_pivot_root, ".", ".") < 0) /* the old root lies over the new one then */
        return -1;
    return umount2(".", MNT_DETACH) < 0 ? -1 : chdir("/");
}

static void drop_bounding_set(void)
{
    for (int i = 0; i < 64; i++)
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            return; /* past the last, or no right to it: then it has none to lose */
}

int jail_drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    drop_bounding_set();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, none);
}

/* By system calls: the library would tell threads that are not here. */
int jail_drop(const struct jail *jail, const char **step)
{
    uid_t uid = jail->is_rootless ? JAIL_USER : jail->uid;
    *step = "become another user";
    drop_bounding_set();
    if (!jail->is_rootless && syscall(SYS_setgroups, 0, NULL) < 0)
        return -1;
    if (syscall(SYS_setresgid, uid, uid, uid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0)
        return -1;
    *step = "give up capabilities";
    return jail_drop_capabilities();
}
