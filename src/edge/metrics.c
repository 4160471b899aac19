#include "edge/metrics.h"

#include "base/resident.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PAGE_BYTES = 16 * 1024 };

struct metrics {
    pthread_mutex_t lock;
    struct MHD_Daemon *daemon;
    int port;
    uint64_t answers, known, lost, queued, late, entered, left, timed;
    double latency_s; /* of `timed` answers that did not wait in the queue */
    struct edge_status status;
};

void metrics_frame(struct metrics *metrics, const struct edge_frame *frame)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->answers += frame->answer != NULL;
    metrics->known += frame->answer && frame->answer->name;
    metrics->queued += (uint64_t)frame->queued;
    metrics->late += (uint64_t)frame->late;
    metrics->lost += !frame->answer && !frame->queued;
    if (frame->answer && !frame->late && isfinite(frame->stage_ms[STAGE_total])) {
        metrics->timed++;
        metrics->latency_s += frame->stage_ms[STAGE_total] / 1000;
    }
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_visit(struct metrics *metrics, const struct track_event *event)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->entered += event->kind == TRACK_ENTER;
    metrics->left += event->kind == TRACK_LEAVE;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_status(struct metrics *metrics, const struct edge_status *status)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->status = *status;
    pthread_mutex_unlock(&metrics->lock);
}

static void put(struct buf *out, const char *name, const char *kind, const char *help, double value)
{
    buf_printf(out, "# HELP ken_%s %s\n# TYPE ken_%s %s\nken_%s %.17g\n", name, help, name, kind,
               name, value);
}

void metrics_write(struct metrics *metrics, struct buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    const struct metrics m = *metrics;
    pthread_mutex_unlock(&metrics->lock);
    const struct {
        const char *name, *kind, *help;
        double value;
    } rows[] = {
        {"frames_total", "counter", "Frames captured.", (double)m.status.frames},
        {"answers_total", "counter", "Frames answered.", (double)m.answers},
        {"known_total", "counter", "Answers that name somebody.", (double)m.known},
        {"lost_total", "counter", "Frames without an answer.", (double)m.lost},
        {"queued_total", "counter", "Frames that went to the queue on the disk.", (double)m.queued},
        {"late_total", "counter", "Frames answered from there.", (double)m.late},
        {"visits_total", "counter", "Visits that began.", (double)m.entered},
        {"present", "gauge", "Visits that are going on.", (double)m.entered - (double)m.left},
        {"queue_items", "gauge", "What waits on the disk.", (double)m.status.queue_items},
        {"queue_bytes", "gauge", "Its size.", (double)m.status.queue_bytes},
        {"queue_evicted_total", "counter", "What went from there unsent, as it was full.",
         (double)m.status.queue_evicted},
        {"queue_set_aside_total", "counter", "What the cloud refuses while others get through.",
         (double)m.status.queue_aside},
        {"cloud_up", "gauge", "The cloud answered last time.", !m.status.cloud_gone},
        {"camera_up", "gauge", "The camera delivers.", m.status.camera == SOURCE_STREAMING},
        {"resident_bytes", "gauge", "Memory of this process.", (double)resident_bytes()},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        put(out, rows[i].name, rows[i].kind, rows[i].help, rows[i].value);
    buf_printf(out,
               "# HELP ken_latency_seconds Capture to answer, of frames that did not wait on the "
               "disk.\n# TYPE ken_latency_seconds summary\nken_latency_seconds_sum %.17g\n"
               "ken_latency_seconds_count %" PRIu64 "\n",
               m.latency_s, m.timed);
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    (void)version, (void)data, (void)size, (void)state;
    struct buf page;
    if (strcmp(method, "GET") != 0 || strcmp(url, "/metrics") != 0)
        return reply(connection, 404, "/metrics is all there is\n");
    buf_init(&page, MAX_PAGE_BYTES);
    metrics_write(context, &page);
    enum MHD_Result result = reply(connection, 200, page.data ? page.data : "");
    buf_finish(&page);
    return result;
}

struct metrics *metrics_open(int port, struct err *err)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics) {
        err_set(err, ERR_NO_MEMORY, "open metrics: out of memory");
        return NULL;
    }
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, (uint16_t)port, NULL, NULL, handle,
                         metrics, MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_CONNECTION_LIMIT, 16u,
                         MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)16384, MHD_OPTION_END);
    if (metrics->daemon) {
        metrics->port = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
        return metrics;
    }
    err_set(err, ERR_UNAVAILABLE, "open metrics: port %d cannot be had", port);
    metrics_close(metrics);
    return NULL;
}

int metrics_port(const struct metrics *metrics)
{
    return metrics->port;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->daemon)
        MHD_stop_daemon(metrics->daemon);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}
