#include "lambda_fixture.h"

#include <dirent.h>
#include <sys/wait.h>

/* What a function cannot do. Where the machine permits no full isolation, this is not a test. */

static void start_full(struct fixture *f)
{
    prepare(f);
    start_with(f, &(struct manager_options){.instances = 4},
               make_function(f->folder, json_pack("{s:s}", "MINE", "secret-of-one"), 20, -1, 1));
    if (strncmp(manager_isolation(f->manager), "full", 4) != 0) {
        stop(f);
        print_message("skipped: isolation is %s\n", manager_isolation(f->manager));
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
        if (!strstr(o.payload, "Read-only file system") && !strstr(o.payload, "Permission denied"))
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

static void system_calls_that_reach_out_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    start_full(&f);
    static const char *const calls[] = {
        "ptrace", "trace me", "mount",  "unmount",   "user namespace", "clone namespace",
        "bpf",    "module",   "kexec",  "perf",      "keyctl",         "userfaultfd",
        "chroot", "setuid",   "device", "raw socket"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char what[64];
        snprintf(what, sizeof what, "try %s", calls[i]);
        probe(&f, what, "Operation not permitted");
    }
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
    begin(&f, "\"child\"", &o);
    await(&o);
    int port = (int)strtol(o.payload + 1, NULL, 10);
    drop(&o);
    assert_true(is_open(port));
    stop(&f);
    assert_false(is_open(port)); /* at once */
}

static void full_isolation_that_is_not_to_be_had_is_an_error(void **state)
{
    (void)state;
    struct err err = {0};
    if (geteuid() != 0)
        skip();
    pid_t pid = fork();
    if (pid == 0) { /* as another user, where user namespaces are used up */
        struct fixture f;
        prepare(&f);
        if (chown(f.folder, 12345, 12345) < 0)
            _exit(2);
        char code[128];
        snprintf(code, sizeof code, "%s/code", f.folder);
        if (chown(code, 12345, 12345) < 0 || setresgid(12345, 12345, 12345) < 0 ||
            setresuid(12345, 12345, 12345) < 0)
            _exit(2);
        struct manager_options options = {.folder = code,
                                          .data_folder = f.folder,
                                          .region = "r",
                                          .account_id = "a",
                                          .endpoint = "e",
                                          .isolation = ISOLATION_FULL};
        struct manager *manager = manager_create(&options, &err);
        if (!manager) /* a machine without user namespaces: it says so */
            _exit(strstr(err.message, "--isolation full") ? 0 : 1);
        _exit(strncmp(manager_isolation(manager), "full", 4) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
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
    double basic = first_answer_ms(ISOLATION_BASIC), full = first_answer_ms(ISOLATION_BEST);
    print_message("start to first answer: basic %.2f ms, full %.2f ms\n", basic, full);
    assert_true(full - basic < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_isolation_that_is_not_to_be_had_is_an_error),
        cmocka_unit_test(the_clouds_data_is_out_of_sight),
        cmocka_unit_test(other_processes_are_out_of_sight),
        cmocka_unit_test(only_the_temporary_folder_takes_files),
        cmocka_unit_test(the_temporary_folder_ends_at_its_size),
        cmocka_unit_test(processes_end_at_their_number),
        cmocka_unit_test(memory_ends_at_its_size),
        cmocka_unit_test(system_calls_that_reach_out_are_refused),
        cmocka_unit_test(nothing_is_left_of_its_rights),
        cmocka_unit_test(nothing_of_the_cloud_is_open),
        cmocka_unit_test(no_instance_speaks_for_another),
        cmocka_unit_test(an_escape_by_setsid_ends_with_the_instance),
        cmocka_unit_test(without_namespaces_functions_run_all_the_same),
        cmocka_unit_test(isolation_costs_little_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
