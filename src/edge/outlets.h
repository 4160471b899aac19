#ifndef EDGE_OUTLETS_H
#define EDGE_OUTLETS_H

#include "edge/edge.h"
#include "edge/mqtt.h"
#include "edge/webhook.h"

/* Everybody but the console who hears of what the device sees: MQTT, a webhook, /metrics, systemd.
 * Those that were not asked for are left out. */
struct outlets;

struct outlets_options {
    struct mqtt_options mqtt;       /* url NULL: none */
    struct webhook_options webhook; /* url NULL: none */
    int metrics_port;               /* 0: none */
};

/* Whether they can be right; nothing is opened or read. */
int outlets_check(const struct outlets_options *options, struct err *err) MUST_USE;
struct outlets *outlets_open(const struct outlets_options *options, struct err *err);
void outlets_close(struct outlets *outlets); /* NULL is fine */

void outlets_frame(struct outlets *outlets, const struct edge_frame *frame);
void outlets_visit(struct outlets *outlets, const struct track_event *event);
/* Also tells systemd that all is well. */
void outlets_status(struct outlets *outlets, const struct edge_status *status);

#endif
