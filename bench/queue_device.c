/* A camera whose answers come through a queue: architectures A and B of docs/architectures.md.
 *
 *   B  --segment 0  every 15th frame goes to the frame bucket
 *   A  --segment S  everything is recorded, in clips of S seconds, which go to the video bucket
 *
 * usage: queue_device --deployment FILE --queue URL --prefix TEXT --video FILE --seconds N
 *                     --expect NAME --report FILE [--start S] [--segment S] [--quality 80]
 *
 * Nobody is asked: the bucket's event starts the function, which publishes what it found, and the
 * device's long poll gets it. A frame's time runs from its capture to its answer. Fails when an
 * answer is missing, comes twice or names another. */
#include "aws/client.h"
#include "aws/sqs_client.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/queue.h"
#include "edge/answer.h"
#include "edge/deployment.h"
#include "edge/uplink.h"
#include "video/picture.h"
#include "video/recorder.h"
#include "video/source.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FPS = 30,
    EVERY = 15,
    WORKERS = 4,
    MAX_FRAMES = FPS * 3600,
    QUEUE = 256,
    PATIENCE_S = 60,
    KEY_BYTES = 256,
    WAIT_S = 5
};

struct settings {
    const char *deployment, *queue, *prefix, *video, *expect, *report;
    double start_s, seconds, segment_s, quality;
};

/* What goes to a bucket: a frame, or a finished clip. */
struct job {
    struct AVFrame *picture;
    uint64_t number;
    char clip[RECORDER_PATH_BYTES]; /* "" for a frame */
};

struct device {
    const struct settings *settings;
    struct deployment deployment;
    struct queue *jobs;
    pthread_mutex_t lock; /* of the counts, the report and the first failure */
    uint64_t captured_ns[MAX_FRAMES + 1];
    char answered[MAX_FRAMES + 1];
    uint64_t started_ns, sampled, answers, verdicts[4], repeated, bytes, objects, clips;
    double first_answer_s, capture_s;
    atomic_int captured_all;
    struct err failure;
    FILE *report;
};

static void note_failure(struct device *device, const struct err *err)
{
    pthread_mutex_lock(&device->lock);
    if (device->failure.code == ERR_NONE)
        device->failure = *err;
    pthread_mutex_unlock(&device->lock);
}

/* -- to the bucket -- */

static int send_frame(struct device *device, struct uplink *uplink, struct converter *converter,
                      const struct job *job, struct err *err)
{
    char key[KEY_BYTES];
    struct image image;
    struct buf encoded;
    buf_init(&encoded, IMAGE_MAX_FILE_BYTES);
    snprintf(key, sizeof key, "%s%" PRIu64 ".jpg", device->settings->prefix, job->number);
    int done = converter_run(converter, job->picture, &image, err);
    if (done == 0)
        done = image_encode(&image, IMAGE_JPEG, (int)device->settings->quality, &encoded, err);
    if (done == 0)
        done = uplink_put(uplink, key, "image/jpeg", encoded.data, encoded.size, err);
    pthread_mutex_lock(&device->lock);
    device->bytes += encoded.size;
    device->objects++;
    pthread_mutex_unlock(&device->lock);
    buf_finish(&encoded);
    return done;
}

static int send_clip(struct device *device, struct uplink *uplink, const struct job *job,
                     struct err *err)
{
    char key[KEY_BYTES];
    struct stat file = {0};
    snprintf(key, sizeof key, "%s%" PRIu64 ".mp4", device->settings->prefix, job->number);
    int done = stat(job->clip, &file) < 0 ? err_set_errno(err, "read %.300s", job->clip)
                                          : uplink_put_video(uplink, key, job->clip, err);
    pthread_mutex_lock(&device->lock);
    device->bytes += (uint64_t)file.st_size;
    device->objects++;
    pthread_mutex_unlock(&device->lock);
    unlink(job->clip);
    return done;
}

static void *work(void *argument)
{
    struct device *device = argument;
    struct err err = {0};
    struct uplink *uplink = uplink_open(&device->deployment, &err);
    struct converter *converter = uplink ? converter_create(&err) : NULL;
    for (struct job *job; (job = queue_pop(device->jobs)); free(job)) {
        int done = -1;
        if (converter)
            done = job->clip[0] ? send_clip(device, uplink, job, &err)
                                : send_frame(device, uplink, converter, job, &err);
        if (done < 0)
            note_failure(device, &err);
        picture_release(job->picture);
    }
    converter_destroy(converter);
    uplink_close(uplink);
    return NULL;
}

/* -- from the queue -- */

/* "b/105.jpg" is frame 105; "a/60.mp4#15" the 15th after the 60th. 0: neither. */
static uint64_t frame_of(const struct device *device, const char *key)
{
    size_t prefix = strlen(device->settings->prefix);
    char *end;
    if (strncmp(key, device->settings->prefix, prefix) != 0)
        return 0;
    uint64_t number = strtoull(key + prefix, &end, 10);
    if (strncmp(end, ".mp4#", 5) == 0)
        number += strtoull(end + 5, &end, 10);
    return number <= MAX_FRAMES ? number : 0;
}

static void account(struct device *device, const struct answer *answer, uint64_t number)
{
    double total_ms = clock_ms_since(device->captured_ns[number]);
    double after_ms =
        (double)clock_unix_us() / 1000 - answer->started_unix_ms - answer->function_ms;
    enum verdict verdict = answer_verdict(answer, device->settings->expect);
    if (device->answered[number]) {
        device->repeated++;
        return;
    }
    device->answered[number] = 1;
    device->verdicts[verdict]++;
    if (device->answers++ == 0)
        device->first_answer_s = clock_ms_since(device->started_ns) / 1000;
    fprintf(device->report,
            "{\"type\": \"frame\", \"key\": \"%s\", \"verdict\": \"%s\", \"latency_ms\": "
            "{\"total\": %.3f}, \"function_ms\": %.3f, \"after_function_ms\": %.3f}\n",
            answer->key, verdict_name(verdict), total_ms, answer->function_ms, after_ms);
}

static void take(struct device *device, const json_t *message)
{
    const char *body = json_string_value(json_object_get(message, "Body"));
    struct answer answer;
    struct err err = {0};
    if (answer_parse(&answer, body ? body : "", body ? strlen(body) : 0, &err) < 0) {
        note_failure(device, &err);
        return;
    }
    pthread_mutex_lock(&device->lock);
    uint64_t number = frame_of(device, answer.key);
    if (number > 0 && device->captured_ns[number] > 0)
        account(device, &answer, number);
    pthread_mutex_unlock(&device->lock);
    answer_finish(&answer);
}

static int is_complete(struct device *device)
{
    pthread_mutex_lock(&device->lock);
    int complete = atomic_load(&device->captured_all) && device->answers >= device->sampled;
    complete |= device->failure.code != ERR_NONE;
    pthread_mutex_unlock(&device->lock);
    return complete;
}

static void poll_queue(struct device *device, struct aws_client *client, struct err *err)
{
    const char *url = device->settings->queue;
    uint64_t last_ns = clock_monotonic_ns();
    while (!is_complete(device) && clock_ms_since(last_ns) < PATIENCE_S * 1000) {
        json_t *messages = aws_sqs_receive(client, url, WAIT_S, err), *message;
        size_t i;
        if (!messages) {
            note_failure(device, err);
            return;
        }
        json_array_foreach(messages, i, message) take(device, message);
        if (json_array_size(messages) > 0) {
            last_ns = clock_monotonic_ns();
            if (aws_sqs_delete(client, url, messages, err) < 0)
                note_failure(device, err);
        }
        json_decref(messages);
    }
}

static void *listen_queue(void *argument)
{
    struct device *device = argument;
    struct err err = {0};
    struct aws_config config;
    struct aws_client *client = NULL;
    if (uplink_config(&config, &device->deployment, &err) == 0)
        client = aws_client_create(&config, &err);
    explicit_bzero(&config, sizeof config);
    if (client)
        poll_queue(device, client, &err);
    else
        note_failure(device, &err);
    aws_client_destroy(client);
    return NULL;
}

/* -- the camera -- */

/* Takes the picture. */
static int add_job(struct device *device, struct AVFrame *picture, uint64_t number,
                   const char *clip)
{
    struct job *job = calloc(1, sizeof *job);
    if (job) {
        job->picture = picture;
        job->number = number;
        snprintf(job->clip, sizeof job->clip, "%s", clip);
        if (queue_push(device->jobs, job) == 0)
            return 0;
    }
    free(job);
    picture_release(picture);
    return -1;
}

/* Finish the clip that is being recorded and send it; nothing where there is none. */
static int cut(struct device *device, struct recorder **recorder, struct err *err)
{
    struct recorder_result result;
    uint64_t frames = (uint64_t)(device->settings->segment_s * FPS);
    if (!*recorder)
        return 0;
    int done = recorder_finish(*recorder, &result, err);
    *recorder = NULL;
    if (done < 0 || add_job(device, NULL, device->clips++ * frames, result.path) < 0)
        return -1;
    if (result.dropped > 0) /* later frames would be taken for others */
        return err_set(err, ERR_BUSY, "record clip: %" PRIu64 " frames were dropped",
                       result.dropped);
    return 0;
}

/* Into the clip, of which a new one begins every `segment_s`. */
static int record(struct device *device, const struct frame *frame, const char *folder,
                  struct recorder **recorder, struct err *err)
{
    const struct recorder_options options = {.folder = folder,
                                             .fps = FPS,
                                             .width = frame->width,
                                             .height = frame->height,
                                             .queue = 2 * FPS};
    uint64_t frames = (uint64_t)(device->settings->segment_s * FPS);
    if (frames == 0)
        return 0;
    if ((frame->number - 1) % frames == 0) {
        if (cut(device, recorder, err) < 0)
            return -1;
        *recorder = recorder_start(&options, err);
    }
    return *recorder ? recorder_write(*recorder, frame->picture, frame->number, err) : -1;
}

static int sample(struct device *device, const struct frame *frame, struct err *err)
{
    if (frame->number > MAX_FRAMES)
        return err_set(err, ERR_TOO_BIG, "capture: longer than an hour");
    if (frame->number % EVERY != 0)
        return 0;
    pthread_mutex_lock(&device->lock);
    device->captured_ns[frame->number] = frame->captured_ns;
    device->sampled++;
    pthread_mutex_unlock(&device->lock);
    if (device->settings->segment_s > 0) /* it goes with its clip */
        return 0;
    struct AVFrame *picture = picture_keep(frame->picture, err);
    return picture ? add_job(device, picture, frame->number, "") : -1;
}

static int capture(struct device *device, const char *folder, struct err *err)
{
    const struct settings *settings = device->settings;
    const struct source_options options = {.start_s = settings->start_s,
                                           .seconds = settings->seconds,
                                           .fps = FPS,
                                           .real_time = 1,
                                           .loop = 1};
    struct source *source = source_open(settings->video, &options, err);
    struct recorder *recorder = NULL;
    struct frame frame;
    int more = source ? source_read(source, &frame, err) : -1;
    device->started_ns = clock_monotonic_ns();
    for (; more == SOURCE_FRAME; more = source_read(source, &frame, err))
        if (sample(device, &frame, err) < 0 || record(device, &frame, folder, &recorder, err) < 0) {
            more = -1;
            break;
        }
    device->capture_s = clock_ms_since(device->started_ns) / 1000;
    source_close(source);
    return cut(device, &recorder, err) < 0 ? -1 : more;
}

/* -- program -- */

static int run(struct device *device, struct err *err)
{
    pthread_t workers[WORKERS], listener;
    char folder[] = "/tmp/ken-queue-device-XXXXXX";
    if (!mkdtemp(folder))
        return err_set_errno(err, "make %s", folder);
    device->jobs = queue_create(QUEUE, err);
    if (!device->jobs)
        return -1;
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&workers[i], NULL, work, device);
    pthread_create(&listener, NULL, listen_queue, device);
    int done = capture(device, folder, err);
    if (done < 0)
        note_failure(device, err);
    queue_close(device->jobs);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    atomic_store(&device->captured_all, 1);
    pthread_join(listener, NULL);
    queue_destroy(device->jobs);
    rmdir(folder);
    *err = device->failure;
    return err->code == ERR_NONE ? 0 : -1;
}

static void print_end(const struct device *device)
{
    fprintf(device->report,
            "{\"type\": \"footer\", \"sampled\": %" PRIu64 ", \"answers\": %" PRIu64
            ", \"right\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"unknown\": %" PRIu64
            ", \"repeated\": %" PRIu64 ", \"objects\": %" PRIu64 ", \"bytes\": %" PRIu64
            ", \"first_answer_s\": %.3f, \"capture_s\": %.3f}\n",
            device->sampled, device->answers, device->verdicts[VERDICT_RIGHT],
            device->verdicts[VERDICT_WRONG], device->verdicts[VERDICT_UNKNOWN], device->repeated,
            device->objects, device->bytes, device->first_answer_s, device->capture_s);
}

static int read_options(int argc, char **argv, struct settings *settings, struct err *err)
{
    static const struct option known[] = {{"deployment", required_argument, NULL, 'd'},
                                          {"queue", required_argument, NULL, 'q'},
                                          {"prefix", required_argument, NULL, 'p'},
                                          {"video", required_argument, NULL, 'v'},
                                          {"expect", required_argument, NULL, 'e'},
                                          {"report", required_argument, NULL, 'r'},
                                          {"start", required_argument, NULL, 'b'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"segment", required_argument, NULL, 'c'},
                                          {"quality", required_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        const char **text = option == 'd'   ? &settings->deployment
                            : option == 'q' ? &settings->queue
                            : option == 'p' ? &settings->prefix
                            : option == 'v' ? &settings->video
                            : option == 'e' ? &settings->expect
                            : option == 'r' ? &settings->report
                                            : NULL;
        double *number = option == 'b'   ? &settings->start_s
                         : option == 's' ? &settings->seconds
                         : option == 'c' ? &settings->segment_s
                         : option == 'j' ? &settings->quality
                                         : NULL;
        if (text)
            *text = optarg;
        else if (number)
            *number = strtod(optarg, NULL);
        else
            return err_set(err, ERR_INVALID, "wrong option: see the start of bench/queue_device.c");
    }
    if (!settings->deployment || !settings->queue || !settings->prefix || !settings->video ||
        !settings->expect || !settings->report || settings->seconds <= 0)
        return err_set(err, ERR_INVALID, "an option is missing: see bench/queue_device.c");
    return 0;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "queue_device: %s\n", err->message);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct settings settings = {.quality = 80};
    struct device *device = calloc(1, sizeof *device);
    if (!device || read_options(argc, argv, &settings, &err) < 0)
        return fail(&err);
    device->settings = &settings;
    pthread_mutex_init(&device->lock, NULL);
    device->report = fopen(settings.report, "we");
    if (!device->report)
        err_set_errno(&err, "write %s", settings.report);
    if (!device->report || deployment_read(&device->deployment, settings.deployment, &err) < 0)
        return fail(&err);
    int done = run(device, &err);
    print_end(device);
    if (fclose(device->report) != 0 || done < 0)
        return fail(&err);
    int good = device->answers == device->sampled && device->repeated == 0 &&
               device->verdicts[VERDICT_WRONG] == 0;
    free(device);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
