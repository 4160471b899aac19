#include "edge/mqtt.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "edge/report.h"

#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEEPALIVE_S = 30,
    CLOSE_MS = 5000,
    LOOP_MS = 100,
    GOODBYE_MS = 1000,
    HOST_BYTES = 256,
    PASSWORD_BYTES = 1024,
    TOPIC_BYTES = 300
};

struct mqtt {
    struct mosquitto *client;
    char base[TOPIC_BYTES]; /* TOPIC/DEVICE */
    char device[100], discovery[100];
    atomic_int present; /* visits that are going on */
    pthread_mutex_t lock;
    char person[BALLOT_NAME_BYTES]; /* the last one told */
    char host[HOST_BYTES];
    int port, running;
    pthread_t thread;
    void *context; /* of notice */
    void (*notice)(void *context, const char *text);
    int said_absent; /* by the thread, and not yet that it is there */
    atomic_int connected, unsent, closing;
};

/* A host and a port out of the URL; 1: with TLS. */
static int read_url(const char *url, char host[HOST_BYTES], int *port, struct err *err)
{
    int tls = strncmp(url, "mqtts://", 8) == 0;
    const char *start = tls ? url + 8 : url + 7;
    if (!tls && strncmp(url, "mqtt://", 7) != 0)
        return err_set(err, ERR_INVALID, "--mqtt: \"%s\" is not mqtt://HOST or mqtts://HOST", url);
    if (strchr(start, '@')) /* a password may be in it: it is not repeated */
        return err_set(err, ERR_INVALID,
                       "--mqtt: who logs in is told by --mqtt-user and --mqtt-password-file");
    size_t length = *start == '[' ? strcspn(start, "]") : strcspn(start, ":/");
    const char *rest = start + length;
    if (*start == '[' && *rest == ']') {
        start++;
        length--;
        rest++;
    }
    char *end = NULL;
    long number = *rest == ':' ? strtol(rest + 1, &end, 10) : (tls ? 8883 : 1883);
    const char *after = end ? end : rest;
    if (length == 0 || length >= HOST_BYTES || number < 1 || number > 65535 ||
        (*after && strcmp(after, "/") != 0))
        return err_set(err, ERR_INVALID, "--mqtt: \"%s\" is not mqtt://HOST:PORT", url);
    snprintf(host, HOST_BYTES, "%.*s", (int)length, start);
    *port = (int)number;
    return tls;
}

static int check_names(const struct mqtt_options *options, struct err *err)
{
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(options->device);
    if (length == 0 || length > 64 || strspn(options->device, allowed) != length)
        return err_set(err, ERR_INVALID, "--device: \"%s\" is not 1 to 64 letters, digits, \"-_\"",
                       options->device);
    length = strlen(options->topic);
    if (length == 0 || length > 128 || strcspn(options->topic, "+#") != length)
        return err_set(err, ERR_INVALID, "--mqtt-topic: \"%s\" is no topic", options->topic);
    return 0;
}

static void publish(struct mqtt *mqtt, const char *topic, const char *text, int retained)
{
    if (mosquitto_publish(mqtt->client, NULL, topic, (int)strlen(text), text, 1, retained != 0) ==
        MOSQ_ERR_SUCCESS)
        atomic_fetch_add(&mqtt->unsent, 1);
}

static void publish_below(struct mqtt *mqtt, const char *name, const char *text, int retained)
{
    char topic[TOPIC_BYTES + 32];
    snprintf(topic, sizeof topic, "%s/%s", mqtt->base, name);
    publish(mqtt, topic, text, retained);
}

/* https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery */
static void discover(struct mqtt *mqtt, const char *kind, const char *what, json_t *config)
{
    char topic[2 * TOPIC_BYTES], text[TOPIC_BYTES + 32];
    snprintf(text, sizeof text, "%s/%s", mqtt->base, what);
    json_object_set_new(config, "state_topic", json_string(text));
    snprintf(text, sizeof text, "%s/status", mqtt->base);
    json_object_set_new(config, "availability_topic", json_string(text));
    snprintf(text, sizeof text, "ken_%s_%s", mqtt->device, what);
    json_object_set_new(config, "unique_id", json_string(text));
    snprintf(text, sizeof text, "ken_%s", mqtt->device);
    json_object_set_new(config, "device",
                        json_pack("{s:[s], s:s, s:s}", "identifiers", text, "name", mqtt->device,
                                  "sw_version", KEN_VERSION));
    json_object_set_new(config, "origin",
                        json_pack("{s:s, s:s}", "name", "ken", "sw_version", KEN_VERSION));
    snprintf(topic, sizeof topic, "%s/%s/ken_%s/%s/config", mqtt->discovery, kind, mqtt->device,
             what);
    char *dumped = json_dumps(config, JSON_COMPACT);
    if (dumped)
        publish(mqtt, topic, dumped, 1);
    free(dumped);
    json_decref(config);
}

/* What is retained is told anew to a broker that is back: until then it does not wait. */
static void publish_state(struct mqtt *mqtt, const char *name, const char *text)
{
    if (atomic_load(&mqtt->connected))
        publish_below(mqtt, name, text, 1);
}

static void tell_person(struct mqtt *mqtt, const char *name)
{
    pthread_mutex_lock(&mqtt->lock);
    if (name)
        snprintf(mqtt->person, sizeof mqtt->person, "%s", name);
    publish_state(mqtt, "person", mqtt->person);
    pthread_mutex_unlock(&mqtt->lock);
}

static void tell_present(struct mqtt *mqtt)
{
    publish_state(mqtt, "present", atomic_load(&mqtt->present) > 0 ? "ON" : "OFF");
}

static void tell_state(struct mqtt *mqtt, const char *state, const char *rest)
{
    char text[HOST_BYTES + 200];
    size_t length = strlen(state);
    length -= length > 0 && state[length - 1] == '.'; /* the library's sentences */
    snprintf(text, sizeof text, "MQTT broker %s, port %d: %.*s%s", mqtt->host, mqtt->port,
             (int)length, state, rest);
    if (mqtt->notice)
        mqtt->notice(mqtt->context, text);
}

static void tell_absent(struct mqtt *mqtt, const char *cause)
{
    if (!mqtt->said_absent)
        tell_state(mqtt, cause, "; it is tried again and again");
    mqtt->said_absent = 1;
}

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client;
    struct mqtt *mqtt = context;
    if (code != 0) {
        tell_absent(mqtt, mosquitto_connack_string(code));
        return;
    }
    if (mqtt->said_absent)
        tell_state(mqtt, "connected", "");
    mqtt->said_absent = 0;
    atomic_store(&mqtt->connected, 1);
    publish_below(mqtt, "status", "online", 1);
    tell_present(mqtt); /* a broker that was started again may have forgotten what it retained */
    tell_person(mqtt, NULL);
    if (!mqtt->discovery[0])
        return;
    discover(mqtt, "sensor", "person",
             json_pack("{s:s, s:s}", "name", "Person", "icon", "mdi:account"));
    discover(mqtt, "binary_sensor", "present",
             json_pack("{s:s, s:s}", "name", "Somebody", "device_class", "occupancy"));
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    (void)client, (void)code;
    atomic_store(&((struct mqtt *)context)->connected, 0);
}

static void on_publish(struct mosquitto *client, void *context, int id)
{
    (void)client, (void)id;
    atomic_fetch_sub(&((struct mqtt *)context)->unsent, 1);
}

static int set_login(struct mqtt *mqtt, const struct mqtt_options *options, struct err *err)
{
    struct buf text;
    if (!options->user)
        return 0;
    buf_init(&text, PASSWORD_BYTES);
    int done = options->password_file ? file_read(options->password_file, &text, err) : 0;
    if (text.data)
        text.data[strcspn(text.data, "\r\n")] = 0;
    if (done == 0 &&
        mosquitto_username_pw_set(mqtt->client, options->user, text.data) != MOSQ_ERR_SUCCESS)
        done = err_set(err, ERR_INVALID, "--mqtt-user: it cannot be used");
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    buf_finish(&text);
    return done;
}

/* In place of the library's own loop, which gives up where the first try fails. */
static void *work(void *argument)
{
    struct mqtt *mqtt = argument;
    int pause_ms = 1000;
    int code = mosquitto_connect_async(mqtt->client, mqtt->host, mqtt->port, KEEPALIVE_S);
    while (!atomic_load(&mqtt->closing)) {
        if (code == MOSQ_ERR_SUCCESS)
            code = mosquitto_loop(mqtt->client, LOOP_MS, 1);
        if (atomic_load(&mqtt->connected))
            pause_ms = 1000;
        if (code == MOSQ_ERR_SUCCESS)
            continue;
        tell_absent(mqtt, code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code));
        for (int i = 0; i < pause_ms / LOOP_MS && !atomic_load(&mqtt->closing); i++)
            clock_sleep_until_ns(clock_monotonic_ns() + LOOP_MS * 1000000ull);
        pause_ms = 2 * pause_ms < MQTT_MAX_PAUSE_S * 1000 ? 2 * pause_ms : MQTT_MAX_PAUSE_S * 1000;
        code = mosquitto_reconnect_async(mqtt->client);
    }
    return NULL;
}

static int set_up(struct mqtt *mqtt, const struct mqtt_options *options, struct err *err)
{
    char will[TOPIC_BYTES + 16];
    int tls = read_url(options->url, mqtt->host, &mqtt->port, err);
    if (tls < 0 || set_login(mqtt, options, err) < 0)
        return -1;
    const char *folder = options->ca_file ? NULL : "/etc/ssl/certs";
    if (tls && mosquitto_tls_set(mqtt->client, options->ca_file, folder, NULL, NULL, NULL) !=
                   MOSQ_ERR_SUCCESS)
        return err_set(err, ERR_INVALID, "--mqtt-ca: %s cannot be used",
                       options->ca_file ? options->ca_file : folder);
    snprintf(will, sizeof will, "%s/status", mqtt->base);
    mosquitto_will_set(mqtt->client, will, 7, "offline", 1, true);
    mosquitto_max_inflight_messages_set(mqtt->client, 20);
    mosquitto_threaded_set(mqtt->client, true);
    mosquitto_connect_callback_set(mqtt->client, on_connect);
    mosquitto_disconnect_callback_set(mqtt->client, on_disconnect);
    mosquitto_publish_callback_set(mqtt->client, on_publish);
    if (pthread_create(&mqtt->thread, NULL, work, mqtt) != 0)
        return err_set(err, ERR_NO_MEMORY, "connect to MQTT: no thread to be had");
    mqtt->running = 1;
    return 0;
}

int mqtt_check(const struct mqtt_options *options, struct err *err)
{
    char host[HOST_BYTES];
    int port;
    return check_names(options, err) < 0 || read_url(options->url, host, &port, err) < 0 ? -1 : 0;
}

struct mqtt *mqtt_open(const struct mqtt_options *options, struct err *err)
{
    if (mqtt_check(options, err) < 0)
        return NULL;
    struct mqtt *mqtt = calloc(1, sizeof *mqtt);
    if (!mqtt) {
        err_set(err, ERR_NO_MEMORY, "connect to MQTT: out of memory");
        return NULL;
    }
    pthread_mutex_init(&mqtt->lock, NULL);
    snprintf(mqtt->person, sizeof mqtt->person, "nobody");
    mosquitto_lib_init();
    snprintf(mqtt->device, sizeof mqtt->device, "%s", options->device);
    snprintf(mqtt->base, sizeof mqtt->base, "%s/%s", options->topic, options->device);
    snprintf(mqtt->discovery, sizeof mqtt->discovery, "%s",
             options->discovery ? options->discovery : "");
    mqtt->context = options->context;
    mqtt->notice = options->notice;
    mqtt->client = mosquitto_new(NULL, true, mqtt);
    if (mqtt->client && set_up(mqtt, options, err) == 0)
        return mqtt;
    if (!mqtt->client)
        err_set(err, ERR_NO_MEMORY, "connect to MQTT: out of memory");
    mqtt_close(mqtt);
    return NULL;
}

void mqtt_visit(struct mqtt *mqtt, const struct track_event *event)
{
    int full = atomic_load(&mqtt->unsent) >= MQTT_MAX_QUEUED;
    json_t *line = full ? NULL : report_visit_json(event);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        publish_below(mqtt, "visit", text, 0);
    free(text);
    json_decref(line);
    if (event->kind == TRACK_NAME)
        tell_person(mqtt, event->has_name ? event->name : "unknown");
    if (event->kind == TRACK_ENTER && atomic_fetch_add(&mqtt->present, 1) == 0)
        tell_present(mqtt);
    if (event->kind == TRACK_LEAVE && atomic_fetch_sub(&mqtt->present, 1) == 1) {
        tell_present(mqtt);
        tell_person(mqtt, "nobody");
    }
}

/* The broker has read the end when it closes its side. Until then the connection stays open: one
 * with an answer in it that nobody read would be reset, the broker would not see the end of it, and
 * tell the last will. */
static void disconnect(struct mqtt *mqtt)
{
    char ignored[256];
    int fd = mosquitto_socket(mqtt->client);
    int held = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    mosquitto_disconnect(mqtt->client);
    mosquitto_loop_write(mqtt->client, 1);
    struct pollfd closed = {.fd = held, .events = POLLIN};
    uint64_t start_ns = clock_monotonic_ns();
    while (held >= 0 && clock_ms_since(start_ns) < GOODBYE_MS) {
        if (poll(&closed, 1, LOOP_MS) > 0 && read(held, ignored, sizeof ignored) <= 0)
            break;
    }
    if (held >= 0)
        close(held);
}

void mqtt_close(struct mqtt *mqtt)
{
    if (!mqtt)
        return;
    if (mqtt->client && atomic_load(&mqtt->connected)) {
        publish_below(mqtt, "status", "offline", 1);
        /* until all is acknowledged: an answer nobody reads any more would break the connection
         * before the broker has seen the end of it, and it would tell the last will */
        for (int i = 0;
             i < CLOSE_MS / 10 && atomic_load(&mqtt->connected) && atomic_load(&mqtt->unsent) > 0;
             i++)
            clock_sleep_until_ns(clock_monotonic_ns() + 10 * 1000000ull);
    }
    if (mqtt->running) {
        atomic_store(&mqtt->closing, 1);
        pthread_join(mqtt->thread, NULL);
        disconnect(mqtt);
    }
    if (mqtt->client)
        mosquitto_destroy(mqtt->client);
    mosquitto_lib_cleanup();
    pthread_mutex_destroy(&mqtt->lock);
    free(mqtt);
}
