/* What the disk alone makes of writes that come at a constant rate and must be durable: the least
 * that any server on it needs. Beside what bench_rate tells of a server, in the same run.
 *
 * usage: bench_sync FOLDER RATE SECONDS BYTES [append]
 *
 * RATE writes of BYTES are due each second. One thread writes all that are due over a file that was
 * written before (with `append`: to the end of one that grows) and calls fdatasync() once for them,
 * as a server that commits in groups does. Each one's time counts from the moment it was due.
 * Prints one line of JSON.
 */
#include "base/clock.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 64 << 20, MOST_BYTES = 1 << 20, MOST_WRITES = 16 << 20, PATH_BYTES = 4096 };

struct load {
    double rate;
    size_t count, bytes;
    int append, fd;
    char *data;
    float *ms;
    size_t syncs;
};

static int prepare(struct load *load)
{
    load->data = malloc(MOST_BYTES);
    load->ms = calloc(load->count, sizeof *load->ms);
    if (!load->data || !load->ms)
        return -1;
    memset(load->data, 'k', MOST_BYTES);
    for (size_t done = 0; !load->append && done < FILE_BYTES; done += MOST_BYTES)
        if (write(load->fd, load->data, MOST_BYTES) != MOST_BYTES)
            return -1;
    return fsync(load->fd);
}

static int write_some(const struct load *load, size_t first, size_t count)
{
    size_t places = load->append ? SIZE_MAX : FILE_BYTES / load->bytes;
    for (size_t i = first; i < first + count; i++)
        if (pwrite(load->fd, load->data, load->bytes, (off_t)(i % places * load->bytes)) !=
            (ssize_t)load->bytes)
            return -1;
    return fdatasync(load->fd);
}

static uint64_t due_ns(const struct load *load, uint64_t start_ns, size_t number)
{
    return start_ns + (uint64_t)((double)number * 1e9 / load->rate);
}

static int run(struct load *load)
{
    uint64_t start_ns = clock_monotonic_ns();
    for (size_t done = 0, end = 0; done < load->count; done = end) {
        clock_sleep_until_ns(due_ns(load, start_ns, done));
        for (uint64_t now_ns = clock_monotonic_ns();
             end < load->count && due_ns(load, start_ns, end) <= now_ns;)
            end++;
        if (write_some(load, done, end - done) < 0)
            return -1;
        load->syncs++;
        for (size_t i = done; i < end; i++)
            load->ms[i] = (float)clock_ms_since(due_ns(load, start_ns, i));
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void report(struct load *load)
{
    qsort(load->ms, load->count, sizeof *load->ms, compare);
    printf("{\"rate\": %.0f, \"bytes\": %zu, \"syncs\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"p999_ms\": %.3f, \"most_ms\": %.3f}\n",
           load->rate, load->bytes, load->syncs, (double)load->ms[load->count / 2],
           (double)load->ms[load->count * 99 / 100], (double)load->ms[load->count * 999 / 1000],
           (double)load->ms[load->count - 1]);
}

int main(int argc, char **argv)
{
    struct load load = {.fd = -1};
    char path[PATH_BYTES] = "";
    if (argc >= 5) {
        load.rate = strtod(argv[2], NULL);
        load.count = (size_t)(load.rate * strtod(argv[3], NULL));
        load.bytes = strtoul(argv[4], NULL, 10);
        load.append = argc > 5;
    }
    if (!load.count || load.count > MOST_WRITES || !load.bytes || load.bytes > MOST_BYTES) {
        fprintf(stderr, "usage: bench_sync FOLDER RATE SECONDS BYTES [append]\n");
        return 2;
    }
    snprintf(path, sizeof path, "%.4000s/sync", argv[1]);
    load.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = load.fd < 0 || prepare(&load) < 0 ? -1 : run(&load);
    if (result < 0)
        perror("bench_sync");
    else
        report(&load);
    if (load.fd >= 0) {
        close(load.fd);
        unlink(path);
    }
    free(load.data);
    free(load.ms);
    return result < 0;
}
