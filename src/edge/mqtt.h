#ifndef EDGE_MQTT_H
#define EDGE_MQTT_H

#include "base/err.h"
#include "edge/track.h"

/* Visits for home automation, over MQTT 3.1.1. Below TOPIC/DEVICE:
 *
 *   status    online, offline (retained; offline also as the last will)
 *   visit     one JSON object an event, as ken edge --json prints it
 *   person    the last name told, unknown, or nobody (retained)
 *   present   ON while somebody is there, else OFF (retained)
 *
 * and, where `discovery` is given, the configurations from which Home Assistant makes a sensor and
 * a binary sensor. The broker may be absent, or refuse: it is tried again and again, on a thread of
 * its own, which tells so once, and when it is there; visits of that time are kept in memory,
 * MQTT_MAX_QUEUED of their events; what is retained is told as it is then. */
struct mqtt;

enum { MQTT_MAX_QUEUED = 1000, MQTT_MAX_PAUSE_S = 30 };

struct mqtt_options {
    const char *url;           /* mqtt://host[:port] or mqtts://host[:port] */
    const char *user;          /* or NULL */
    const char *password_file; /* its first line; or NULL */
    const char *ca_file;       /* of mqtts; NULL: the system's certificates */
    const char *topic;         /* "ken" */
    const char *device;        /* in topics: letters, digits, "-_" */
    const char *discovery;     /* "homeassistant"; NULL or "": none */
    void *context;
    void (*notice)(void *context, const char *text); /* from the thread; or NULL */
};

/* Whether URL and names can be right; nothing is opened. */
int mqtt_check(const struct mqtt_options *options, struct err *err) MUST_USE;
struct mqtt *mqtt_open(const struct mqtt_options *options, struct err *err);
void mqtt_visit(struct mqtt *mqtt, const struct track_event *event); /* one thread at a time */
/* Tell "offline" and end; waits a second at most for what is on its way. NULL is fine. */
void mqtt_close(struct mqtt *mqtt);

#endif
