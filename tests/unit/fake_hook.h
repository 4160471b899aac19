#ifndef FAKE_HOOK_H
#define FAKE_HOOK_H

/* Somebody who takes signed events, and checks them with the secret 0123456789abcdef. */

#include "edge/webhook.h"

#include <microhttpd.h>

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_HOOK_SIGNATURE                                                                        \
    "sha256=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"

struct fake_hook {
    struct MHD_Daemon *daemon;
    int port;
    atomic_int refuse; /* so many get 503 */
    atomic_int taken, wrong;
};

struct fake_event {
    char body[4096];
    size_t size;
};

static inline int fake_hook_holds(struct MHD_Connection *connection, const struct fake_event *event)
{
    char wanted[WEBHOOK_SIGNATURE_BYTES];
    const char *time = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Ken-Timestamp");
    const char *got = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Ken-Signature");
    if (!time || !got || !MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Ken-Event"))
        return 0;
    webhook_sign("0123456789abcdef", time, event->body, event->size, wanted);
    return strcmp(got, wanted) == 0 && strstr(event->body, "person-a") != NULL;
}

static inline enum MHD_Result fake_hook_handle(void *context, struct MHD_Connection *connection,
                                               const char *url, const char *method,
                                               const char *version, const char *data, size_t *size,
                                               void **state)
{
    (void)url, (void)method, (void)version;
    struct fake_hook *hook = context;
    struct fake_event *event = *state;
    if (!event) {
        *state = calloc(1, sizeof *event);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        size_t room = sizeof event->body - 1 - event->size, take = *size < room ? *size : room;
        memcpy(event->body + event->size, data, take);
        event->size += take;
        *size = 0;
        return MHD_YES;
    }
    int refuse = atomic_load(&hook->refuse) > 0;
    atomic_fetch_sub(&hook->refuse, refuse);
    atomic_fetch_add(&hook->taken, !refuse);
    atomic_fetch_add(&hook->wrong, !fake_hook_holds(connection, event));
    free(event);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, refuse ? 503 : 204, response);
    MHD_destroy_response(response);
    return result;
}

static inline int fake_hook_start(struct fake_hook *hook)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *hook = (struct fake_hook){0};
    hook->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, fake_hook_handle, hook,
                         MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_END);
    if (!hook->daemon)
        return -1;
    hook->port = MHD_get_daemon_info(hook->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return 0;
}

static inline void fake_hook_stop(struct fake_hook *hook)
{
    MHD_stop_daemon(hook->daemon);
}

#endif
