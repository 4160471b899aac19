/* How long `ken cloud` takes from its start to its first answer to GET /health, and what it holds
 * when nothing is asked of it.
 *
 * usage: bench_cloud_start KEN FOLDER [STARTS]
 *
 * Half of the starts find a folder that an earlier one has filled, half an empty one; they
 * alternate. The clock runs from before fork() to the last byte of the answer. Prints one line of
 * JSON. FOLDER is made and removed, and decides which disk is measured.
 */
#include "base/clock.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, TEXT_BYTES = 512, SETTLE_MS = 1500, MAX_STARTS = 1000 };

struct run {
    pid_t pid;
    int ready_fd;
    double ms;
};

static int begin(const char *ken, const char *data, struct run *run)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    run->pid = fork();
    if (run->pid == 0) {
        char number[16];
        int null = open("/dev/null", O_RDWR);
        fcntl(ends[1], F_SETFD, 0);
        snprintf(number, sizeof number, "%d", ends[1]);
        dup2(null, STDOUT_FILENO);
        execl(ken, ken, "cloud", "--data", data, "--listen", "127.0.0.1:0", "--ready-fd", number,
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    run->ready_fd = ends[0];
    return run->pid < 0 ? -1 : 0;
}

/* The port out of {"endpoint": "http://127.0.0.1:PORT", ..}; 0: it did not start. */
static int read_port(int fd)
{
    char text[TEXT_BYTES] = "";
    size_t used = 0;
    for (ssize_t got; used < sizeof text - 1 && !strchr(text, '\n'); used += (size_t)got) {
        got = read(fd, text + used, sizeof text - 1 - used);
        if (got <= 0)
            break;
    }
    close(fd);
    const char *at = strstr(text, "127.0.0.1:");
    return at ? (int)strtol(at + strlen("127.0.0.1:"), NULL, 10) : 0;
}

static int ask_health(int port)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[4096] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t got = -1;
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
        write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1)
        got = read(fd, answer, sizeof answer - 1);
    close(fd);
    return got > 0 && strstr(answer, "200 OK") ? 0 : -1;
}

static int start(const char *ken, const char *data, struct run *run)
{
    uint64_t start_ns = clock_monotonic_ns();
    if (begin(ken, data, run) < 0)
        return -1;
    int port = read_port(run->ready_fd);
    int result = port ? ask_health(port) : -1;
    run->ms = clock_ms_since(start_ns);
    return result;
}

static void stop(struct run *run)
{
    kill(run->pid, SIGTERM);
    waitpid(run->pid, NULL, 0);
}

static long resident_kb(pid_t pid)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const char *name, double *ms, size_t count)
{
    qsort(ms, count, sizeof *ms, compare);
    printf("\"%s\": {\"least_ms\": %.2f, \"median_ms\": %.2f, \"most_ms\": %.2f}, ", name, ms[0],
           ms[count / 2], ms[count - 1]);
}

static int measure(const char *ken, const char *folder, size_t starts)
{
    static double again[MAX_STARTS], fresh[MAX_STARTS];
    char kept[PATH_BYTES + 8], empty[PATH_BYTES + 8];
    struct run run;
    struct err err = {0};
    snprintf(kept, sizeof kept, "%.4095s/kept", folder);
    snprintf(empty, sizeof empty, "%.4095s/empty", folder);
    if (start(ken, kept, &run) < 0)
        return -1;
    clock_sleep_until_ns(clock_monotonic_ns() + SETTLE_MS * 1000000ull);
    long kb = resident_kb(run.pid);
    stop(&run);
    for (size_t i = 0; i < starts; i++) {
        if (start(ken, kept, &run) < 0)
            return -1;
        stop(&run);
        again[i] = run.ms;
        if (start(ken, empty, &run) < 0)
            return -1;
        stop(&run);
        fresh[i] = run.ms;
        if (file_remove_tree(empty, &err) < 0)
            return -1;
    }
    printf("{\"starts\": %zu, ", starts);
    print("existing", again, starts);
    print("fresh", fresh, starts);
    printf("\"idle_mb\": %.1f}\n", (double)kb / 1024);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    size_t starts = argc > 3 ? strtoul(argv[3], NULL, 10) : 20;
    if (argc < 3 || starts < 1 || starts > MAX_STARTS || mkdir(argv[2], 0700) < 0) {
        fprintf(stderr, "usage: bench_cloud_start KEN FOLDER [STARTS]; FOLDER must not exist\n");
        return 2;
    }
    int result = measure(argv[1], argv[2], starts);
    if (result < 0)
        fprintf(stderr, "bench_cloud_start: the cloud did not start or did not answer\n");
    if (file_remove_tree(argv[2], &err) < 0)
        fprintf(stderr, "bench_cloud_start: %s\n", err.message);
    return result < 0;
}
