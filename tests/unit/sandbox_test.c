#include "cloud/lambda/cgroups.h"
#include "lambda_fixture.h"

#include <dirent.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What a function cannot do. Where the machine permits no full isolation, this is not a test. */

static void start_full(struct fixture *f)
{
    prepare(f);
    start_with(f, &(struct manager_options){.instances = 4},
               make_function(f->folder, json_pack("{s:s}", "MINE", "secret-of-one"), 20, -1, 1));
    if (strncmp(manager_isolation(f->manager), "full", 4) != 0) {
        print_message("skipped: isolation is %s\n", manager_isolation(f->manager));
        stop(f);
        skip();
    }
}

static void probe(struct fixture *f, const char *what, const char *answer)
{
    char payload[512], expected[512];
    snprintf(payload, sizeof payload, "\"%s\"", what);
    snprintf(expected, sizeof expected, "\"%s\"", answer);
    struct outcome o;
    begin(f, payload, &o);
    await(&o);
    if (strcmp(o.error, "") != 0 || strcmp(o.payload, expected) != 0)
        fail_msg("%s: %s %s, not %s", what, o.error, o.payload, expected);
    drop(&o);
}

static void the_clouds_data_is_out_of_sight(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    char path[128], what[160];
    start_full(&f);
    snprintf(path, sizeof path, "%s/credentials", f.folder);
    assert_int_equal(file_write(path, "secret", 6, 0644, &err), 0);
    snprintf(what, sizeof what, "read %s", path);
    probe(&f, what, "No such file or directory");
    snprintf(what, sizeof what, "list %s", f.folder);
    probe(&f, what, "No such file or directory");
    snprintf(what, sizeof what, "list /proc/1/root%s", f.folder);
    probe(&f, what, "Permission denied");
    probe(&f, "read /root/.aws/credentials", "No such file or directory");
    probe(&f, "read /etc/shadow", "No such file or directory");
    probe(&f, "list /sys", "No such file or directory");
    probe(&f, "list /home", "No such file or directory");
    probe(&f, "list /old", "done");
    stop(&f);
}

static void other_processes_are_out_of_sight(void **state)
{
    (void)state;
    struct fixture f;
    char what[64];
    start_full(&f);
    snprintf(what, sizeof what, "read /proc/%d/environ", (int)getpid());
    probe(&f, what, "No such file or directory");
    probe(&f, "read /proc/1/environ", "Permission denied");
    probe(&f, "read /proc/1/mem", "Permission denied");
    probe(&f, "list /proc/1/fd", "Permission denied");
    probe(&f, "read /proc/3/environ", "No such file or directory");
    probe(&f, "try kill", "No such process");
    struct outcome o; /* process 1 is a copy of the cloud, whose arguments name its folders */
    begin(&f, "\"show /proc/1/cmdline\"", &o);
    await(&o);
    assert_int_equal(o.payload[1 + strspn(o.payload + 1, " ")], '"');
    drop(&o);
    stop(&f);
}

static void only_the_temporary_folder_takes_files(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    static const char *const closed[] = {
        "/file",      "/var/task/file", "/var/task/bootstrap", "/usr/file",
        "/etc/hosts", "/dev/file",      "/old/file",           "/proc/sys/kernel/hostname"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        char payload[128];
        struct outcome o;
        snprintf(payload, sizeof payload, "\"write %s\"", closed[i]);
        begin(&f, payload, &o);
        await(&o);
        if (!strstr(o.payload, "Read-only file system") &&
            !strstr(o.payload, "Permission denied") && !strstr(o.payload, "Text file busy"))
            fail_msg("%s: %s", closed[i], o.payload);
        drop(&o);
    }
    probe(&f, "write /tmp/file", "done");
    probe(&f, "read /tmp/file", "done");
    probe(&f, "write /dev/null", "done");
    probe(&f, "read /dev/urandom", "done");
    stop(&f);
}

static void the_temporary_folder_ends_at_its_size(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    probe(&f, "fill", "512 No space left on device");
    probe(&f, "write /tmp/file", "done");
    assert_int_equal(count_started(&f), 1);
    stop(&f);
}

static void processes_end_at_their_number(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    start_full(&f);
    begin(&f, "\"fork\"", &o);
    await(&o);
    assert_non_null(strstr(o.payload, "Resource temporarily unavailable"));
    long count = strtol(o.payload + 1, NULL, 10);
    assert_true(count > 900 && count <= 1024);
    drop(&o);
    expect(&f, "\"echo on\"", "", "on");
    stop(&f);
}

static void memory_ends_at_its_size(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    if (strstr(manager_isolation(f.manager), "memory")) {
        stop(&f);
        skip();
    }
    probe(&f, "eat 64", "done");
    expect(&f, "\"eat 300\"", "Unhandled", "signal: Killed");
    expect(&f, "\"eat 3000\"", "Unhandled", "signal: Killed");
    expect(&f, "\"echo on\"", "", "on");
    stop(&f);
}

/* The kernel lets no process at real-time priority into a group for processors. */
static void a_cloud_at_real_time_priority_runs_functions(void **state)
{
    (void)state;
    struct fixture f;
    if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1}) < 0)
        skip();
    start_full(&f); /* its threads inherit the priority */
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    expect(&f, "\"echo on\"", "", "on");
    stop(&f);
}

static void system_calls_that_reach_out_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    static const char *const calls[] = {
        "ptrace",          "trace me",    "mount",  "unmount", "user namespace",
        "clone namespace", "bpf",         "module", "kexec",   "perf",
        "keyctl",          "userfaultfd", "chroot", "device",  "raw socket"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char what[64];
        snprintf(what, sizeof what, "try %s", calls[i]);
        probe(&f, what, "Operation not permitted");
    }
    /* a user namespace knows no such user at all */
    probe(&f, "try setuid", geteuid() == 0 ? "Operation not permitted" : "Invalid argument");
    probe(&f, "try packet socket", "Address family not supported by protocol");
    probe(&f, "try vsock", "Address family not supported by protocol");
    probe(&f, "try clone3", "Function not implemented");
    probe(&f, "try io_uring", "Function not implemented");
    stop(&f);
}

static void nothing_is_left_of_its_rights(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    probe(&f, "status CapEff", "0000000000000000");
    probe(&f, "status CapPrm", "0000000000000000");
    probe(&f, "status CapInh", "0000000000000000");
    probe(&f, "status CapAmb", "0000000000000000");
    probe(&f, "status NoNewPrivs", "1");
    probe(&f, "status Seccomp", "2");
    if (geteuid() == 0)
        probe(&f, "status CapBnd", "0000000000000000");
    stop(&f);
}

static void nothing_of_the_cloud_is_open(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    probe(&f, "list /proc/self/fd", " 0  1  2  3  4 "); /* 3 is its connection, 4 this folder */
    stop(&f);
}

static void no_instance_speaks_for_another(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome slow, o;
    char what[64];
    start_full(&f);
    if (geteuid() != 0) {
        stop(&f);
        skip();
    }
    expect(&f, "\"env AWS_LAMBDA_RUNTIME_API\"", "", "127.0.0.1:");
    begin(&f, "\"env AWS_LAMBDA_RUNTIME_API\"", &o);
    await(&o);
    int port = (int)strtol(strchr(o.payload, ':') + 1, NULL, 10);
    drop(&o);
    begin(&f, "\"sleep 1500\"", &slow); /* the first is busy: the next request starts another */
    wait_for_counts(&f, 0, 1);
    snprintf(what, sizeof what, "port %d", port);
    probe(&f, what, "closed");
    await(&slow);
    assert_string_equal(slow.payload, "\"slept\"");
    drop(&slow);
    stop(&f);
}

static void an_escape_by_setsid_ends_with_the_instance(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    start_full(&f);
    begin(&f, "\"escape\"", &o);
    await(&o);
    int port = (int)strtol(o.payload + 1, NULL, 10);
    drop(&o);
    assert_true(is_open(port));
    stop(&f);
    assert_false(is_open(port)); /* at once */
}

/* A part of a test that needs another user's or fewer rights: it asserts nothing, since it runs in
 * a process of its own. */
static int is_answered(struct fixture *f, const char *what, const char *answer)
{
    char payload[512];
    struct outcome o;
    snprintf(payload, sizeof payload, "\"%s\"", what);
    begin(f, payload, &o);
    await(&o);
    int result = strstr(o.payload, answer) != NULL;
    if (!result)
        print_message("%s: %s, not %s\n", what, o.payload, answer);
    drop(&o);
    return result;
}

static int run_apart(int (*part)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(part());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static struct manager *create(const char *folder, enum isolation isolation, struct err *err)
{
    return manager_create(&(struct manager_options){.folder = folder,
                                                    .data_folder = folder,
                                                    .region = "r",
                                                    .account_id = "a",
                                                    .endpoint = "e",
                                                    .isolation = isolation},
                          err);
}

/* As root has it in a container. */
static int start_without_rights(void)
{
    struct err err = {0};
    char folder[] = "/tmp/ken-lambda-XXXXXX";
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct rights[2];
    if (!mkdtemp(folder) || syscall(SYS_capget, &header, rights) < 0)
        return 2;
    rights[0].effective &= ~(1U << CAP_SYS_ADMIN);
    rights[0].permitted &= ~(1U << CAP_SYS_ADMIN);
    if (syscall(SYS_capset, &header, rights) < 0)
        return 3;
    struct manager *manager = create(folder, ISOLATION_FULL, &err);
    if (manager || !strstr(err.message, "--isolation full") ||
        !strstr(err.message, "Operation not permitted"))
        return 4;
    manager = create(folder, ISOLATION_BEST, &err);
    if (!manager || strncmp(manager_isolation(manager), "basic (", 7) != 0)
        return 5;
    manager_destroy(manager);
    return file_remove_tree(folder, &err) == 0 ? 0 : 6;
}

static void full_isolation_that_is_not_to_be_had_is_an_error(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(run_apart(start_without_rights), 0);
}

enum { NOT_HERE = 77 };

static int start_as_user(void)
{
    struct fixture f;
    if (setresgid(12345, 12345, 12345) < 0 || setresuid(12345, 12345, 12345) < 0 ||
        access(TEST_FUNCTION, R_OK) < 0)
        return NOT_HERE;
    prctl(PR_SET_DUMPABLE, 1); /* as after exec; its /proc/self is its own again */
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : NOT_HERE);
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return NOT_HERE;
    prepare(&f);
    start_with(&f, &(struct manager_options){0}, make_function(f.folder, NULL, 5, -1, 1));
    char look[128];
    snprintf(look, sizeof look, "list %s", f.folder);
    int result = strncmp(manager_isolation(f.manager), "full", 4) == 0 &&
                 is_answered(&f, look, "No such file") &&
                 is_answered(&f, "read /proc/1/environ", "Permission denied") &&
                 is_answered(&f, "write /var/task/file", "Read-only file system") &&
                 is_answered(&f, "write /file", "Read-only file system") &&
                 is_answered(&f, "write /tmp/file", "done") &&
                 is_answered(&f, "try mount", "Operation not permitted") &&
                 is_answered(&f, "status CapEff", "0000000000000000") &&
                 is_answered(&f, "status Uid", "993");
    stop(&f);
    return !result;
}

static void without_root_user_namespaces_do_the_same(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int result = run_apart(start_as_user);
    if (result == NOT_HERE)
        skip();
    assert_int_equal(result, 0);
}

static int be_killed(struct fixture *f)
{
    start_with(f, &(struct manager_options){0}, make_function(f->folder, NULL, 5, -1, 1));
    is_answered(f, "echo x", "x");
    raise(SIGKILL);
    return 0;
}

static void the_next_cloud_sweeps_what_a_killed_one_left(void **state)
{
    (void)state;
    struct cgroups groups;
    char left[PATH_MAX + 32];
    cgroups_open(&groups);
    if (!groups.version[CGROUPS_PIDS])
        skip();
    char *own = strrchr(groups.folder[CGROUPS_PIDS], '/');
    assert_non_null(own);
    int parent_bytes = (int)(own - groups.folder[CGROUPS_PIDS]);
    struct fixture f;
    struct err err;
    prepare(&f);
    pid_t pid = fork();
    if (pid == 0)
        _exit(be_killed(&f));
    waitpid(pid, NULL, 0);
    snprintf(left, sizeof left, "%.*s/ken.%d", parent_bytes, groups.folder[CGROUPS_PIDS], (int)pid);
    for (int i = 0; i < 200 && access(left, F_OK) == 0; i++) { /* its processes go first */
        usleep(10000);
        cgroups_close(&groups);
        cgroups_open(&groups);
    }
    assert_int_equal(access(left, F_OK), -1);
    cgroups_close(&groups);
    assert_int_equal(file_remove_tree(f.folder, &err), 0);
}

/* The children of this thread that are keepers. Returns how many there were. */
static int kill_keepers(const char *thread)
{
    char path[320], name[32] = "";
    int pid, killed = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/children", thread);
    FILE *children = fopen(path, "re");
    while (children && fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        FILE *comm = fopen(path, "re");
        if (comm && fscanf(comm, "%31s", name) == 1 && strcmp(name, "ken-keeper") == 0)
            killed += kill(pid, SIGKILL) == 0;
        if (comm)
            fclose(comm);
    }
    if (children)
        fclose(children);
    return killed;
}

/* A keeper without a function, whichever thread made it. */
static void kill_spare(struct manager *manager)
{
    int killed = 0;
    assert_non_null(manager_isolation(manager)); /* waits for the first spare */
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (struct dirent *thread; (thread = readdir(threads));)
        killed += thread->d_name[0] == '.' ? 0 : kill_keepers(thread->d_name);
    closedir(threads);
    assert_int_equal(killed, 1);
    usleep(50000);
}

static void a_killed_spare_is_replaced(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    kill_spare(f.manager);
    expect(&f, "\"echo x\"", "", "x");
    stop(&f);
}

static void without_namespaces_functions_run_all_the_same(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    start_with(&f, &(struct manager_options){.isolation = ISOLATION_BASIC},
               make_function(f.folder, NULL, 5, -1, 1));
    assert_memory_equal(manager_isolation(f.manager), "basic", 5);
    expect(&f, "\"echo x\"", "", "x");
    probe(&f, "try ptrace", "Operation not permitted");
    probe(&f, "status CapEff", "0000000000000000");
    probe(&f, "status NoNewPrivs", "1");
    stop(&f);
}

static double first_answer_ms(enum isolation isolation)
{
    enum { STARTS = 15 };
    double best = 1e9;
    struct fixture f;
    prepare(&f);
    start_with(&f, &(struct manager_options){.isolation = isolation, .idle_ms = 1},
               make_function(f.folder, NULL, 5, -1, 1));
    for (int i = 0; i < STARTS; i++) {
        usleep(120000); /* the spare is ready again */
        wait_for_counts(&f, 0, 0);
        uint64_t begun = clock_monotonic_ns();
        expect(&f, "\"echo x\"", "", "x");
        double ms = clock_ms_since(begun);
        best = ms < best ? ms : best;
    }
    stop(&f);
    return best;
}

static void isolation_costs_little_at_the_start(void **state)
{
    (void)state;
    double difference = 1e9;
    for (int i = 0; i < 4 && difference >= 5; i++) { /* others may want the CPU too */
        double basic = first_answer_ms(ISOLATION_BASIC), full = first_answer_ms(ISOLATION_BEST);
        print_message("start to first answer: basic %.2f ms, full %.2f ms\n", basic, full);
        difference = full - basic;
    }
    assert_true(difference < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_isolation_that_is_not_to_be_had_is_an_error),
        cmocka_unit_test(without_root_user_namespaces_do_the_same),
        cmocka_unit_test(the_clouds_data_is_out_of_sight),
        cmocka_unit_test(other_processes_are_out_of_sight),
        cmocka_unit_test(only_the_temporary_folder_takes_files),
        cmocka_unit_test(the_temporary_folder_ends_at_its_size),
        cmocka_unit_test(processes_end_at_their_number),
        cmocka_unit_test(memory_ends_at_its_size),
        cmocka_unit_test(a_cloud_at_real_time_priority_runs_functions),
        cmocka_unit_test(system_calls_that_reach_out_are_refused),
        cmocka_unit_test(nothing_is_left_of_its_rights),
        cmocka_unit_test(nothing_of_the_cloud_is_open),
        cmocka_unit_test(no_instance_speaks_for_another),
        cmocka_unit_test(an_escape_by_setsid_ends_with_the_instance),
        cmocka_unit_test(the_next_cloud_sweeps_what_a_killed_one_left),
        cmocka_unit_test(a_killed_spare_is_replaced),
        cmocka_unit_test(without_namespaces_functions_run_all_the_same),
        cmocka_unit_test(isolation_costs_little_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
