#include "base/file.h"
#include "edge/metrics.h"
#include "edge/mqtt.h"
#include "edge/notify.h"
#include "edge/webhook.h"

#include "fake_hook.h"

#include <malloc.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static const struct track_event event = {.kind = TRACK_NAME,
                                         .visit = 1,
                                         .at_ms = 1000,
                                         .entered_ms = 500,
                                         .has_name = 1,
                                         .name = "person-a",
                                         .similarity = 0.75f};

static void systemd_is_told_by_a_datagram(void **state)
{
    (void)state;
    char path[64], got[64] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1"), 0);
    snprintf(path, sizeof path, "/tmp/ken-notify-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(notify_send("READY=1\nSTATUS=x"), 1);
    assert_int_equal(recv(fd, got, sizeof got - 1, 0), 16);
    assert_string_equal(got, "READY=1\nSTATUS=x");
    unlink(path);
    assert_int_equal(notify_send("READY=1"), 0); /* gone: no harm */
    setenv("NOTIFY_SOCKET", "no path", 1);
    assert_int_equal(notify_send("READY=1"), 0);
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}

/* RFC 4231, test case 2 has this key and these bytes: "what do ya want for nothing?". */
static void a_signature_is_hmac_sha256_of_timestamp_and_body(void **state)
{
    (void)state;
    char one[WEBHOOK_SIGNATURE_BYTES], other[WEBHOOK_SIGNATURE_BYTES];
    webhook_sign("Jefe", "what do ya want for nothing?", "", 0, one);
    webhook_sign("Jefe", "what do ya want for nothing?", "x", 1, other);
    assert_int_equal(strlen(one), 71);
    assert_memory_equal(one, "sha256=", 7);
    assert_string_not_equal(one, other);
    /* printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef */
    webhook_sign("0123456789abcdef", "1700000000", "{}", 2, one);
    assert_string_equal(one, FAKE_HOOK_SIGNATURE);
}

static void on_notice(void *context, const char *text)
{
    (void)text;
    ++*(int *)context;
}

static struct webhook_options hook_options(const char *folder, int *notices)
{
    static char url[64], secret[128], queue[128];
    struct err err;
    snprintf(secret, sizeof secret, "%s/secret", folder);
    snprintf(queue, sizeof queue, "%s/queue", folder);
    assert_int_equal(file_write(secret, "0123456789abcdef\n", 17, 0600, &err), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", 1);
    return (struct webhook_options){.url = url,
                                    .secret_file = secret,
                                    .folder = queue,
                                    .patience_s = 10,
                                    .context = notices,
                                    .notice = on_notice};
}

static void a_hook_gets_each_event_once_it_answers(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-hook-XXXXXX", url[64];
    struct err err = {0};
    struct fake_hook hook;
    int notices = 0;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(fake_hook_start(&hook), 0);
    atomic_store(&hook.refuse, 2); /* 503 twice */
    struct webhook_options options = hook_options(folder, &notices);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/ken", hook.port);
    options.url = url;
    struct webhook *webhook = webhook_open(&options, &err);
    if (!webhook)
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; i++)
        webhook_visit(webhook, &event);
    webhook_close(webhook);
    assert_int_equal(atomic_load(&hook.taken), 3);
    assert_int_equal(atomic_load(&hook.wrong), 0); /* signatures */
    assert_true(notices >= 1);
    fake_hook_stop(&hook);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void events_outlive_the_program(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-hook-XXXXXX", url[64];
    struct err err = {0};
    struct fake_hook hook;
    int notices = 0;
    assert_non_null(mkdtemp(folder));
    struct webhook_options options = hook_options(folder, &notices);
    options.patience_s = 0; /* nobody there, no patience */
    struct webhook *webhook = webhook_open(&options, &err);
    assert_non_null(webhook);
    webhook_visit(webhook, &event);
    webhook_close(webhook);
    assert_int_equal(fake_hook_start(&hook), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/ken", hook.port);
    options.url = url;
    options.patience_s = 10;
    webhook = webhook_open(&options, &err);
    assert_non_null(webhook);
    webhook_close(webhook);
    assert_int_equal(atomic_load(&hook.taken), 1);
    fake_hook_stop(&hook);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void a_hook_without_a_good_secret_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken-hook-XXXXXX";
    struct err err = {0};
    int notices = 0;
    assert_non_null(mkdtemp(folder));
    struct webhook_options options = hook_options(folder, &notices);
    assert_int_equal(file_write(options.secret_file, "short\n", 6, 0600, &err), 0);
    assert_null(webhook_open(&options, &err));
    options.secret_file = NULL;
    assert_null(webhook_open(&options, &err));
    options = hook_options(folder, &notices);
    options.url = "ftp://x";
    assert_null(webhook_open(&options, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

static void wrong_brokers_and_names_are_refused(void **state)
{
    (void)state;
    static const struct mqtt_options wrong[] = {
        {.url = "http://x", .topic = "ken", .device = "d"},
        {.url = "mqtt://", .topic = "ken", .device = "d"},
        {.url = "mqtt://h:0", .topic = "ken", .device = "d"},
        {.url = "mqtt://h:1x", .topic = "ken", .device = "d"},
        {.url = "mqtt://h", .topic = "k#", .device = "d"},
        {.url = "mqtt://h", .topic = "ken", .device = "a/b"},
        {.url = "mqtt://h", .topic = "ken", .device = ""},
        {.url = "mqtts://h", .topic = "ken", .device = "d", .ca_file = "/tmp/ken-absent"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {0};
        assert_null(mqtt_open(&wrong[i], &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void an_absent_broker_holds_nobody_up(void **state)
{
    (void)state;
    struct err err = {0};
    const struct mqtt_options options = {
        .url = "mqtt://127.0.0.1:1", .topic = "ken", .device = "d", .discovery = "ha"};
    struct mqtt *mqtt = mqtt_open(&options, &err);
    assert_non_null(mqtt);
    for (int i = 0; i < 3000; i++)
        mqtt_visit(mqtt, &event);
    mqtt_close(mqtt);
}

/* Months without the broker must not fill the memory. */
static void what_an_absent_broker_misses_has_a_limit(void **state)
{
    (void)state;
    struct err err = {0};
    struct track_event steps[] = {event, event, event};
    const struct mqtt_options options = {
        .url = "mqtt://127.0.0.1:1", .topic = "ken", .device = "d", .discovery = "ha"};
    struct mqtt *mqtt = mqtt_open(&options, &err);
    assert_non_null(mqtt);
    steps[0].kind = TRACK_ENTER;
    steps[2].kind = TRACK_LEAVE;
    size_t before = 0;
    for (int i = 0; i < 12000; i++) {
        if (i == 3000)
            before = mallinfo2().uordblks;
        mqtt_visit(mqtt, &steps[i % 3]);
    }
    assert_in_range(mallinfo2().uordblks, 0, before + 100000);
    mqtt_close(mqtt);
}

struct words {
    atomic_int count;
    char first[300];
};

static void keep_first(void *context, const char *text)
{
    struct words *words = context;
    if (atomic_load(&words->count) == 0)
        snprintf(words->first, sizeof words->first, "%s", text);
    atomic_fetch_add(&words->count, 1);
}

/* What is told of a broker at that port. */
static void hear_of_broker(int port, struct words *words)
{
    char url[64];
    struct err err = {0};
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%d", port);
    const struct mqtt_options options = {
        .url = url, .topic = "ken", .device = "d", .context = words, .notice = keep_first};
    struct mqtt *mqtt = mqtt_open(&options, &err);
    assert_non_null(mqtt);
    for (int i = 0; i < 1000 && atomic_load(&words->count) == 0; i++)
        usleep(10000);
    mqtt_close(mqtt);
}

static void an_absent_broker_is_told(void **state)
{
    (void)state;
    struct words words = {0};
    hear_of_broker(1, &words);
    assert_int_equal(atomic_load(&words.count), 1);
    assert_non_null(strstr(words.first, "MQTT broker 127.0.0.1, port 1: Connection refused"));
}

/* CONNACK with code 5, MQTT 3.1.1, 3.2.2.3. */
static void *refuse(void *context)
{
    char request[1024];
    int fd = accept(*(int *)context, NULL, NULL);
    if (fd >= 0 && recv(fd, request, sizeof request, 0) > 0)
        (void)!send(fd, "\x20\x02\0\x05", 4, MSG_NOSIGNAL);
    while (fd >= 0 && recv(fd, request, sizeof request, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void a_broker_that_refuses_the_password_is_told(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct words words = {0};
    pthread_t broker;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&broker, NULL, refuse, &fd), 0);
    hear_of_broker(ntohs(address.sin_port), &words);
    pthread_join(broker, NULL);
    close(fd);
    assert_int_equal(atomic_load(&words.count), 1);
    assert_non_null(strstr(words.first, "not authorised"));
}

static void the_page_counts_and_names_nobody(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf page;
    struct answer answer = {.name = "person-a"};
    struct edge_frame frame = {.answer = &answer};
    frame.stage_ms[STAGE_total] = 250;
    struct metrics *metrics = metrics_open(0, &err);
    assert_non_null(metrics);
    assert_true(metrics_port(metrics) > 0);
    metrics_frame(metrics, &frame);
    metrics_visit(metrics, &(struct track_event){.kind = TRACK_ENTER});
    const struct edge_status status = {
        .frames = 30, .queue_items = 7, .queue_aside = 2, .cloud_gone = 1};
    metrics_status(metrics, &status);
    buf_init(&page, 1 << 16);
    metrics_write(metrics, &page);
    static const char *const lines[] = {
        "\nken_frames_total 30\n",
        "\nken_answers_total 1\n",
        "\nken_known_total 1\n",
        "\nken_present 1\n",
        "\nken_queue_items 7\n",
        "\nken_queue_set_aside_total 2\n",
        "\nken_cloud_up 0\n",
        "\n# TYPE ken_latency_seconds summary\nken_latency_seconds_sum 0.25\n",
        "\nken_latency_seconds_count 1\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(page.data, lines[i]))
            fail_msg("%s is not in %s", lines[i], page.data);
    assert_null(strstr(page.data, "person-a"));
    buf_finish(&page);
    metrics_close(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(systemd_is_told_by_a_datagram),
        cmocka_unit_test(a_signature_is_hmac_sha256_of_timestamp_and_body),
        cmocka_unit_test(a_hook_gets_each_event_once_it_answers),
        cmocka_unit_test(events_outlive_the_program),
        cmocka_unit_test(a_hook_without_a_good_secret_is_refused),
        cmocka_unit_test(wrong_brokers_and_names_are_refused),
        cmocka_unit_test(an_absent_broker_holds_nobody_up),
        cmocka_unit_test(what_an_absent_broker_misses_has_a_limit),
        cmocka_unit_test(an_absent_broker_is_told),
        cmocka_unit_test(a_broker_that_refuses_the_password_is_told),
        cmocka_unit_test(the_page_counts_and_names_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
