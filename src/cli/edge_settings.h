#ifndef CLI_EDGE_SETTINGS_H
#define CLI_EDGE_SETTINGS_H

#include "cli/options.h"
#include "edge/edge.h"

/* What can be said to ken edge, on its command line, in its file and in variables. */

struct edge_settings {
    const char *deployment, *architecture, *models, *gallery, *video, *format, *work, *prefix,
        *expect, *report;
    double start_s, seconds, fps, retry_s, record_lifetime_s;
    const char *config, *mqtt, *mqtt_user, *mqtt_password_file, *mqtt_ca, *mqtt_topic;
    const char *mqtt_discovery, *device, *webhook, *webhook_secret_file, *capture_format, *command,
        *encoder;
    double interval_ms, segment_min, pre_roll_s, post_roll_s, keep_days;
    long width, height, rotate, keep_mb, metrics_port;
    int mirror, events_only, list_cameras;
    long queue_mb, every, workers, queue, quality;
    int loop, fast, json, no_record, quiet, when_face, best_shot, crop, visits;
};

enum { EDGE_SETTINGS_MAX = 64 };

/* The defaults, and the table of options that fill `s`, which must outlive it. */
void edge_settings_init(struct edge_settings *s, struct option_spec specs[EDGE_SETTINGS_MAX]);

/* Visits are followed for somebody. */
int edge_settings_hear_visits(const struct edge_settings *s);

/* What the device is started with; its deployment and networks are the caller's. */
int edge_settings_options(const struct edge_settings *settings, struct edge_options *options,
                          struct err *err) MUST_USE;

/* Everybody on the machine may read the file, which holds keys. NULL: there is none. */
int edge_settings_file_is_open_to_all(const char *path);

#endif
