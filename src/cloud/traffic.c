#include "cloud/traffic.h"

#include "base/resident.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Upper bounds of the histogram in microseconds. */
static const uint64_t bounds_us[TRAFFIC_BOUNDS] = {100,   250,   500,    1000,    2500,
                                                   10000, 50000, 250000, 1000000, 10000000};

static void add(uint64_t *counter, uint64_t more)
{
    __atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void traffic_count(struct traffic *traffic, size_t service, int status, uint64_t ns)
{
    if (service >= TRAFFIC_MAX_SERVICES || status < 100 || status > 599)
        return;
    struct traffic_service *s = &traffic->services[service];
    size_t bound = 0;
    while (bound < TRAFFIC_BOUNDS && ns / 1000 > bounds_us[bound])
        bound++;
    add(&s->requests[status / 100 - 1], 1);
    add(&s->within[bound], 1);
    add(&s->total_us, ns / 1000);
}

static void print_requests(const struct traffic *traffic, const char *const *names, struct buf *out)
{
    buf_puts(out, "# HELP ken_cloud_requests_total Requests answered.\n"
                  "# TYPE ken_cloud_requests_total counter\n");
    for (size_t i = 0; i < TRAFFIC_MAX_SERVICES; i++)
        for (int class = 0; class < TRAFFIC_CLASSES; class ++) {
            uint64_t count = get(&traffic->services[i].requests[class]);
            if (count && names[i])
                buf_printf(out, "ken_cloud_requests_total{service=\"%s\",status=\"%dxx\"} %llu\n",
                           names[i], class + 1, (unsigned long long)count);
        }
}

static void print_histogram(const struct traffic_service *s, const char *name, struct buf *out)
{
    uint64_t sum = 0;
    for (size_t i = 0; i <= TRAFFIC_BOUNDS; i++) {
        char bound[32] = "+Inf";
        sum += get(&s->within[i]);
        if (i < TRAFFIC_BOUNDS)
            snprintf(bound, sizeof bound, "%g", (double)bounds_us[i] / 1e6);
        buf_printf(out, "ken_cloud_request_seconds_bucket{service=\"%s\",le=\"%s\"} %llu\n", name,
                   bound, (unsigned long long)sum);
    }
    buf_printf(out,
               "ken_cloud_request_seconds_sum{service=\"%s\"} %.6f\n"
               "ken_cloud_request_seconds_count{service=\"%s\"} %llu\n",
               name, (double)get(&s->total_us) / 1e6, name, (unsigned long long)sum);
}

void traffic_print(const struct traffic *traffic, const char *const names[TRAFFIC_MAX_SERVICES],
                   struct buf *out)
{
    print_requests(traffic, names, out);
    buf_puts(out, "# HELP ken_cloud_request_seconds From the head of a request to the end of its "
                  "answer.\n# TYPE ken_cloud_request_seconds histogram\n");
    for (size_t i = 0; i < TRAFFIC_MAX_SERVICES; i++) {
        const struct traffic_service *s = &traffic->services[i];
        uint64_t any = 0;
        for (int class = 0; class < TRAFFIC_CLASSES; class ++)
            any += get(&s->requests[class]);
        if (any && names[i])
            print_histogram(s, names[i], out);
    }
}

long traffic_open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    long count = -3; /* ".", ".." and the folder itself */
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count < 0 ? 0 : count;
}

void traffic_print_process(struct buf *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    buf_printf(out,
               "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
               "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %" PRIu64
               "\n"
               "# HELP process_cpu_seconds_total User and system CPU time.\n"
               "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n"
               "# HELP process_open_fds Open file descriptors.\n"
               "# TYPE process_open_fds gauge\nprocess_open_fds %ld\n",
               resident_bytes(), seconds, traffic_open_files());
}
