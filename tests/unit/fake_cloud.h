#ifndef FAKE_CLOUD_H
#define FAKE_CLOUD_H

/* A cloud for tests of the device: takes every PUT, answers every GET as the function would, and
 * fails on request. Checks no signature. */

#include <microhttpd.h>

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_cloud {
    struct MHD_Daemon *daemon;
    int port;
    /* what to do */
    atomic_int fail_next;  /* so many GETs get fail_status */
    atomic_int fail_puts;  /* so many PUTs get fail_status */
    int fail_status;       /* 0: break the connection */
    const char *fail_body; /* of failures */
    const char *refused;   /* PUTs with this in their path get fail_status for ever; or NULL */
    int delay_ms;          /* before each answer to a GET */
    atomic_int delay_puts_ms;
    size_t stored_bytes; /* of the video that is in its bucket; it comes whole, whatever is asked */
    /* what came */
    atomic_int puts, gets, posts, videos, api_keys; /* gets: questions, the posts included */
    atomic_long video_bytes, posted_bytes;
};

struct fake_request {
    size_t body_bytes;
};

static inline enum MHD_Result fake_reply(struct MHD_Connection *connection, unsigned status,
                                         const char *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* One of the failures that were asked for, if any are left. */
static inline int fake_takes(atomic_int *left)
{
    int now = atomic_load(left);
    while (now > 0)
        if (atomic_compare_exchange_weak(left, &now, now - 1))
            return 1;
    return 0;
}

static inline enum MHD_Result fake_fail(struct fake_cloud *fake, struct MHD_Connection *connection)
{
    if (fake->fail_status == 0)
        return MHD_NO;
    return fake_reply(connection, (unsigned)fake->fail_status,
                      fake->fail_body ? fake->fail_body : "{\"message\": \"no\"}");
}

static inline enum MHD_Result fake_answer(struct fake_cloud *fake,
                                          struct MHD_Connection *connection, int first)
{
    char body[1024];
    const char *key = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "ImageName");
    struct timespec delay = {fake->delay_ms / 1000, fake->delay_ms % 1000 * 1000000L};
    nanosleep(&delay, NULL);
    snprintf(body, sizeof body,
             "{\"key\": \"%s\", \"response\": \"Id: 1 Name: person-a Major: Optics Year: 2\", "
             "\"faces\": [{\"box\": [1, 2, 3, 4], \"name\": \"person-a\", \"similarity\": 0.8}], "
             "\"timings_ms\": {\"fetch\": 0.01, \"detect\": 0.02, \"total\": 0.05, "
             "\"cold_start\": %s}}",
             key ? key : "", first ? "true" : "false");
    return fake_reply(connection, 200, body);
}

static inline enum MHD_Result fake_stored(const struct fake_cloud *fake,
                                          struct MHD_Connection *connection)
{
    void *zeros = calloc(1, fake->stored_bytes);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(fake->stored_bytes, zeros, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static inline enum MHD_Result fake_handle(void *context, struct MHD_Connection *connection,
                                          const char *url, const char *method, const char *version,
                                          const char *data, size_t *size, void **state)
{
    (void)version, (void)data;
    struct fake_cloud *fake = context;
    struct fake_request *request = *state;
    if (!request) {
        *state = calloc(1, sizeof *request);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        request->body_bytes += *size;
        *size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "HEAD") ==
        0) /* opens a connection, and is refused as any without signature */
        return fake_reply(connection, 403, "");
    if (strcmp(method, "PUT") == 0) {
        if (fake_takes(&fake->fail_puts) || (fake->refused && strstr(url, fake->refused)))
            return fake_fail(fake, connection);
        int video = strncmp(url, "/videos/", 8) == 0, delay_ms = atomic_load(&fake->delay_puts_ms);
        struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000L};
        nanosleep(&delay, NULL);
        atomic_fetch_add(video ? &fake->videos : &fake->puts, 1);
        if (video)
            atomic_fetch_add(&fake->video_bytes, (long)request->body_bytes);
        return fake_reply(connection, 200, "");
    }
    int first = atomic_fetch_add(&fake->gets, 1) == 0;
    if (strcmp(method, "POST") == 0) {
        atomic_fetch_add(&fake->posts, 1);
        atomic_fetch_add(&fake->posted_bytes, (long)request->body_bytes);
    }
    if (fake->stored_bytes && strncmp(url, "/videos/", 8) == 0)
        return fake_stored(fake, connection);
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "x-api-key"))
        atomic_fetch_add(&fake->api_keys, 1);
    return fake_takes(&fake->fail_next) ? fake_fail(fake, connection)
                                        : fake_answer(fake, connection, first);
}

static inline void fake_done(void *context, struct MHD_Connection *connection, void **state,
                             enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    free(*state);
    *state = NULL;
}

static inline int fake_start(struct fake_cloud *fake)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fake->daemon =
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
                         NULL, fake_handle, fake, MHD_OPTION_SOCK_ADDR, &loopback,
                         MHD_OPTION_NOTIFY_COMPLETED, fake_done, NULL, MHD_OPTION_END);
    if (!fake->daemon)
        return -1;
    fake->port = MHD_get_daemon_info(fake->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return 0;
}

static inline void fake_stop(struct fake_cloud *fake)
{
    if (fake->daemon)
        MHD_stop_daemon(fake->daemon);
    fake->daemon = NULL;
}

#endif
