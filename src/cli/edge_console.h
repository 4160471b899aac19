#ifndef CLI_EDGE_CONSOLE_H
#define CLI_EDGE_CONSOLE_H

#include "cli/edge_settings.h"
#include "edge/outlets.h"

#include <signal.h>

/* What ken edge prints, and passes on to MQTT, webhook and metrics. The functions are a struct
 * edge_listener's, with a struct edge_console as context. */

struct edge_console {
    const struct edge_settings *settings;
    struct outlets *outlets;
    sigset_t stop_signals;
    int stopped;
    char last_cause[sizeof((struct err *)0)->message]; /* of a frame without an answer */
};

void edge_console_frame(void *context, const struct edge_frame *frame);
void edge_console_notice(void *context, const char *text);
void edge_console_visit(void *context, const struct track_event *event);
void edge_console_status(void *context, const struct edge_status *status);
/* The first SIGINT or SIGTERM ends the capture in good order; the next one ends the program. */
int edge_console_stop(void *context);
void edge_console_end(const struct edge_settings *settings, const struct edge_totals *totals,
                      const struct deployment *deployment);

#endif
