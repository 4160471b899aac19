#include "edge/outlets.h"

#include "edge/metrics.h"
#include "edge/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct outlets {
    struct mqtt *mqtt;
    struct webhook *webhook;
    struct metrics *metrics;
    int told_ready;
};

int outlets_check(const struct outlets_options *options, struct err *err)
{
    if (options->webhook.url && webhook_check(&options->webhook, err) < 0)
        return -1;
    return options->mqtt.url ? mqtt_check(&options->mqtt, err) : 0;
}

static int open_all(struct outlets *outlets, const struct outlets_options *options, struct err *err)
{
    if (options->metrics_port && !(outlets->metrics = metrics_open(options->metrics_port, err)))
        return -1;
    if (options->webhook.url && !(outlets->webhook = webhook_open(&options->webhook, err)))
        return -1;
    if (options->mqtt.url && !(outlets->mqtt = mqtt_open(&options->mqtt, err)))
        return -1;
    return 0;
}

struct outlets *outlets_open(const struct outlets_options *options, struct err *err)
{
    struct outlets *outlets = calloc(1, sizeof *outlets);
    if (!outlets) {
        err_set(err, ERR_NO_MEMORY, "open outlets: out of memory");
        return NULL;
    }
    if (open_all(outlets, options, err) == 0)
        return outlets;
    outlets_close(outlets);
    return NULL;
}

void outlets_close(struct outlets *outlets)
{
    if (!outlets)
        return;
    notify_send("STOPPING=1");
    mqtt_close(outlets->mqtt);
    webhook_close(outlets->webhook);
    metrics_close(outlets->metrics);
    free(outlets);
}

void outlets_frame(struct outlets *outlets, const struct edge_frame *frame)
{
    if (outlets->metrics)
        metrics_frame(outlets->metrics, frame);
}

void outlets_visit(struct outlets *outlets, const struct track_event *event)
{
    if (outlets->metrics)
        metrics_visit(outlets->metrics, event);
    if (outlets->mqtt)
        mqtt_visit(outlets->mqtt, event);
    if (outlets->webhook)
        webhook_visit(outlets->webhook, event);
}

void outlets_status(struct outlets *outlets, const struct edge_status *status)
{
    char text[200];
    if (outlets->metrics)
        metrics_status(outlets->metrics, status);
    snprintf(text, sizeof text, "%sWATCHDOG=1\nSTATUS=camera %s, cloud %s, %" PRIu64 " waiting",
             outlets->told_ready ? "" : "READY=1\n", source_state_name(status->camera),
             status->cloud_gone ? "gone" : "answers", status->queue_items);
    notify_send(text);
    outlets->told_ready = 1;
}
