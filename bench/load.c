/* Many devices at once: architectures C and D under load (docs/architectures.md).
 *
 * usage: load --deployment FILE --frames FOLDER --expect NAME [--architecture c|d] [--devices 100]
 *             [--rate 2] [--seconds 30] [--retry 30] [--prefix load/]
 *
 * Each device has connections of its own, kept open, and a frame every 1/rate seconds, each at a
 * phase of its own. A frame's time runs from the moment it was due, so a system that falls behind
 * cannot hide it. What is refused for a while (429, 5xx, no connection) is tried again, after a
 * pause with jitter, for `retry` seconds; then it is lost. FOLDER holds the frames, all of NAME
 * (who may be "unknown"). Prints one line of JSON; fails when a frame was lost or an answer wrong.
 */
#include "base/clock.h"
#include "base/file.h"
#include "edge/answer.h"
#include "edge/retry.h"
#include "edge/samples.h"
#include "edge/uplink.h"
#include "image/image.h"

#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_DEVICES = 2000, MAX_FRAMES = 256, KEY_BYTES = 256, STACK_BYTES = 256 * 1024 };

struct load {
    const char *deployment_file, *folder, *expect, *architecture, *prefix;
    double devices, rate, seconds, retry_s;
    struct deployment deployment;
    struct buf frames[MAX_FRAMES];
    size_t frame_count;
    uint64_t start_ns;
    pthread_mutex_t lock; /* of the rest */
    struct samples latency_ms;
    uint64_t sent, answers, wrong, lost, retries, throttled;
    struct err first_error;
};

/* One request of one device. */
struct shot {
    struct load *load;
    struct uplink *uplink;
    char key[KEY_BYTES];
    const struct buf *frame;
    uint64_t due_ns;
    int tries, throttled, wrong;
};

/* -- one frame -- */

static int try_once(struct shot *shot, struct err *err)
{
    const struct uplink_frame frame = {shot->key, "image/jpeg", shot->frame->data,
                                       shot->frame->size};
    const struct buf *body;
    struct answer answer;
    int status;
    if (shot->load->architecture[0] == 'd')
        status = uplink_post(shot->uplink, &frame, &body, err);
    else if (uplink_put(shot->uplink, shot->key, frame.content_type, frame.data, frame.size, err) <
             0)
        status = -1;
    else
        status = uplink_ask(shot->uplink, shot->key, &body, err);
    if (status < 0 || answer_parse(&answer, body->data, body->size, err) < 0)
        return -1;
    shot->wrong = strcmp(answer.key, shot->key) != 0 ||
                  answer_verdict(&answer, shot->load->expect) == VERDICT_WRONG;
    answer_finish(&answer);
    return 0;
}

static int persist(struct shot *shot, struct err *err)
{
    struct retry retry;
    retry_start(&retry, shot->load->retry_s);
    for (;;) {
        shot->tries++;
        if (try_once(shot, err) == 0)
            return 0;
        shot->throttled += strstr(err->message, "Too Many Requests") != NULL;
        if (!uplink_may_pass(err) || !retry_wait(&retry))
            return -1;
    }
}

static void account(struct shot *shot, int done, const struct err *err)
{
    struct load *load = shot->load;
    double total_ms = clock_ms_since(shot->due_ns);
    struct err full;
    pthread_mutex_lock(&load->lock);
    load->sent++;
    load->retries += (uint64_t)shot->tries - 1;
    load->throttled += (uint64_t)shot->throttled;
    load->wrong += (uint64_t)shot->wrong;
    if (done == 0 && samples_add(&load->latency_ms, total_ms, &full) == 0)
        load->answers++;
    else
        load->lost++;
    if (done < 0 && load->first_error.code == ERR_NONE)
        load->first_error = *err;
    pthread_mutex_unlock(&load->lock);
}

/* -- one device -- */

struct device {
    struct load *load;
    int number;
};

static void run_device(struct load *load, int number, struct uplink *uplink)
{
    double period_ns = 1e9 / load->rate;
    uint64_t count = (uint64_t)(load->seconds * load->rate);
    double phase_ns = period_ns * number / load->devices;
    for (uint64_t i = 0; i < count; i++) {
        struct err err = {0};
        struct shot shot = {.load = load, .uplink = uplink};
        shot.frame = &load->frames[((uint64_t)number + i) % load->frame_count];
        shot.due_ns = load->start_ns + (uint64_t)(phase_ns + period_ns * (double)i);
        snprintf(shot.key, sizeof shot.key, "%s%d/%" PRIu64 ".jpg", load->prefix, number, i);
        clock_sleep_until_ns(shot.due_ns);
        account(&shot, persist(&shot, &err), &err);
    }
}

static void *device_main(void *argument)
{
    struct device *device = argument;
    struct load *load = device->load;
    struct err err = {0};
    struct uplink *uplink = uplink_open(&load->deployment, &err);
    if (uplink)
        run_device(load, device->number, uplink);
    else
        account(&(struct shot){.load = load, .tries = 1}, -1, &err);
    uplink_close(uplink);
    return NULL;
}

static int run(struct load *load, struct err *err)
{
    pthread_attr_t attributes;
    int count = (int)load->devices, started = 0;
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    struct device *devices = calloc((size_t)count, sizeof *devices);
    if (!threads || !devices)
        return err_set(err, ERR_NO_MEMORY, "start devices: out of memory");
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    load->start_ns = clock_monotonic_ns() + 1000000000; /* when all are there */
    for (; started < count; started++) {
        devices[started] = (struct device){load, started};
        if (pthread_create(&threads[started], &attributes, device_main, &devices[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
    free(threads);
    free(devices);
    return started == count ? 0 : err_set(err, ERR_NO_MEMORY, "start devices: only %d", started);
}

/* -- program -- */

static int is_frame(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 4 && strcmp(entry->d_name + size - 4, ".jpg") == 0;
}

static int read_frames(struct load *load, struct err *err)
{
    struct dirent **names;
    int count = scandir(load->folder, &names, is_frame, alphasort), failed = 0;
    if (count < 0)
        return err_set_errno(err, "read %s", load->folder);
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", load->folder, names[i]->d_name);
        free(names[i]);
        if (failed || load->frame_count == MAX_FRAMES)
            continue;
        buf_init(&load->frames[load->frame_count], IMAGE_MAX_FILE_BYTES);
        failed = file_read(path, &load->frames[load->frame_count++], err) < 0;
    }
    free(names);
    if (!failed && load->frame_count == 0)
        return err_set(err, ERR_NOT_FOUND, "read %s: no .jpg there", load->folder);
    return failed ? -1 : 0;
}

static int read_options(int argc, char **argv, struct load *load, struct err *err)
{
    const struct {
        const char *name;
        const char **text;
        double *number;
    } known[] = {{"--deployment", &load->deployment_file, NULL},
                 {"--frames", &load->folder, NULL},
                 {"--expect", &load->expect, NULL},
                 {"--architecture", &load->architecture, NULL},
                 {"--prefix", &load->prefix, NULL},
                 {"--devices", NULL, &load->devices},
                 {"--rate", NULL, &load->rate},
                 {"--seconds", NULL, &load->seconds},
                 {"--retry", NULL, &load->retry_s}};
    size_t count = sizeof known / sizeof *known;
    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < count && strcmp(known[at].name, argv[i]) != 0)
            at++;
        if (at == count || i + 1 == argc)
            return err_set(err, ERR_INVALID, "%.100s: see the start of bench/load.c", argv[i]);
        if (known[at].text)
            *known[at].text = argv[i + 1];
        else
            *known[at].number = strtod(argv[i + 1], NULL);
    }
    if (!load->deployment_file || !load->folder || !load->expect)
        return err_set(err, ERR_INVALID, "--deployment, --frames and --expect are needed");
    if (load->devices < 1 || load->devices > MAX_DEVICES || load->rate <= 0 || load->seconds <= 0)
        return err_set(err, ERR_INVALID, "1 to %d devices, a rate and seconds above 0",
                       MAX_DEVICES);
    return 0;
}

static void print_result(struct load *load)
{
    struct samples *ms = &load->latency_ms;
    printf("{\"architecture\": \"%s\", \"devices\": %d, \"rate\": %.1f, \"seconds\": %.0f, "
           "\"sent\": %" PRIu64 ", \"answers\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"wrong\": %" PRIu64 ", \"retries\": %" PRIu64 ", \"throttled\": %" PRIu64
           ", \"latency_ms\": {\"p50\": %.2f, \"p95\": %.2f, \"p99\": %.2f, \"max\": %.2f}}\n",
           load->architecture, (int)load->devices, load->devices * load->rate, load->seconds,
           load->sent, load->answers, load->lost, load->wrong, load->retries, load->throttled,
           samples_percentile(ms, 50), samples_percentile(ms, 95), samples_percentile(ms, 99),
           samples_percentile(ms, 100));
}

static int fail(const struct err *err)
{
    fprintf(stderr, "load: %s\n", err->message);
    return 2;
}

static int start(struct load *load, int argc, char **argv, struct err *err)
{
    load->architecture = "d";
    load->prefix = "load/";
    load->devices = 100;
    load->rate = 2;
    load->seconds = load->retry_s = 30;
    pthread_mutex_init(&load->lock, NULL);
    samples_init(&load->latency_ms);
    if (read_options(argc, argv, load, err) < 0 || read_frames(load, err) < 0)
        return -1;
    return deployment_read(&load->deployment, load->deployment_file, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct load *load = calloc(1, sizeof *load);
    if (!load || start(load, argc, argv, &err) < 0 || run(load, &err) < 0)
        return fail(&err);
    print_result(load);
    if (load->first_error.code != ERR_NONE)
        fprintf(stderr, "load: %s\n", load->first_error.message);
    int failed = load->lost > 0 || load->wrong > 0;
    for (size_t i = 0; i < load->frame_count; i++)
        buf_finish(&load->frames[i]);
    samples_finish(&load->latency_ms);
    free(load);
    return failed;
}
