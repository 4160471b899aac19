#include "edge/edge.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/photo_format.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "edge/notify.h"
#include "edge/outlets.h"
#include "edge/report.h"
#include "video/cameras.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct edge_settings {
    const char *deployment, *architecture, *models, *gallery, *video, *format, *work, *prefix,
        *expect, *report;
    double start_s, seconds, fps, retry_s, record_lifetime_s;
    const char *config, *mqtt, *mqtt_user, *mqtt_password_file, *mqtt_ca, *mqtt_topic;
    const char *mqtt_discovery, *device, *webhook, *webhook_secret_file, *capture_format, *command;
    double interval_ms, segment_min, pre_roll_s, post_roll_s, keep_days;
    long width, height, rotate, keep_mb, metrics_port;
    int mirror, events_only, list_cameras;
    long queue_mb, every, workers, queue, quality;
    int loop, fast, json, no_record, quiet, when_face, best_shot, crop, visits;
};

/* What the listener needs. */
struct console {
    const struct edge_settings *settings;
    struct outlets *outlets;
    sigset_t stop_signals;
    int stopped;
    char last_cause[sizeof((struct err *)0)->message]; /* of a frame without an answer */
};

static void print_answer(const struct edge_frame *frame)
{
    const struct answer *answer = frame->answer;
    json_t *line = json_pack("{ss}", "key", answer->key);
    if (answer->response)
        json_object_set_new(line, "response", json_string(answer->response));
    else
        json_object_set_new(line, "error", json_string(answer->error));
    if (answer->message)
        json_object_set_new(line, "message", json_string(answer->message));
    char *text = json_dumps(line, 0);
    printf("latency: %.3f seconds\n%s\n", frame->stage_ms[STAGE_total] / 1000, text ? text : "");
    free(text);
    json_decref(line);
}

/* A cause that lasts is said once. */
static void print_lost(struct console *console, const struct edge_frame *frame)
{
    const char *what = frame->queued ? "queued" : "no answer";
    if (strcmp(console->last_cause, frame->lost_because) == 0) {
        printf("%s: %s: as before\n", what, frame->key);
        return;
    }
    snprintf(console->last_cause, sizeof console->last_cause, "%s", frame->lost_because);
    printf("%s: %s: %s\n", what, frame->key, frame->lost_because);
}

static void on_frame(void *context, const struct edge_frame *frame)
{
    struct console *console = context;
    outlets_frame(console->outlets, frame);
    if (console->settings->json) {
        json_t *line = report_frame_json(frame);
        if (frame->answer)
            json_object_set(line, "answer", frame->answer->body);
        json_dumpf(line, stdout, JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(line);
    } else if (frame->answer) {
        if (!console->settings->quiet)
            print_answer(frame);
    } else {
        print_lost(console, frame);
    }
    fflush(stdout);
}

static void on_notice(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%sken edge: %s\n", notify_prefix(4), text);
}

static void on_visit(void *context, const struct track_event *event)
{
    const struct console *console = context;
    json_t *line = report_visit_json(event);
    outlets_visit(console->outlets, event);
    if (console->settings->json) {
        json_dumpf(line, stdout, JSON_REAL_PRECISION(6));
        putchar('\n');
    } else if (!console->settings->quiet &&
               (console->settings->visits || console->settings->best_shot)) {
        const char *who = event->has_name ? event->name : "unknown";
        if (event->kind == TRACK_NAME)
            printf("visit %" PRIu64 ": %s\n", event->visit, who);
        else if (event->kind == TRACK_ENTER)
            printf("visit %" PRIu64 ": somebody enters\n", event->visit);
        else
            printf("visit %" PRIu64 ": %s leaves after %.1f seconds\n", event->visit, who,
                   (double)(event->at_ms - event->entered_ms) / 1000);
    }
    fflush(stdout);
    json_decref(line);
}

static void on_status(void *context, const struct edge_status *status)
{
    const struct console *console = context;
    outlets_status(console->outlets, status);
}

/* The first SIGINT or SIGTERM ends the capture in good order; the next one ends the program. */
static int should_stop(void *context)
{
    struct console *console = context;
    const struct timespec at_once = {0};
    if (!console->stopped && sigtimedwait(&console->stop_signals, NULL, &at_once) > 0) {
        console->stopped = 1;
        sigprocmask(SIG_UNBLOCK, &console->stop_signals, NULL);
        fprintf(stderr, "ken edge: stopping: the last frames and the recording are on their way\n");
    }
    return console->stopped;
}

static void print_end(const struct edge_settings *settings, const struct edge_totals *totals,
                      const struct deployment *deployment)
{
    const struct recorder_result *recording = &totals->recording;
    FILE *out = settings->json ? stderr : stdout;
    if (totals->stored)
        fprintf(out, "video: %s (%" PRIu64 " frames, %.2f MB) is in bucket %s\n",
                strrchr(recording->path, '/') + 1, recording->frames,
                (double)recording->bytes / 1e6, deployment->videos_bucket);
    if (recording->dropped > 0)
        fprintf(out, "video: %" PRIu64 " frames were not recorded: the encoder was too slow\n",
                recording->dropped);
    fprintf(out,
            "%" PRIu64 " frames, %" PRIu64 " requests, %" PRIu64 " answers, %" PRIu64
            " lost (%" PRIu64 " dropped, %" PRIu64 " repeated)",
            totals->frames, totals->requests, totals->answers, totals->lost, totals->dropped,
            totals->retries);
    if (totals->queued + totals->late + totals->waiting > 0)
        fprintf(out, "; %" PRIu64 " queued, %" PRIu64 " sent later, %" PRIu64 " waiting",
                totals->queued, totals->late, totals->waiting);
    if (settings->expect)
        fprintf(out, ": %" PRIu64 " right, %" PRIu64 " wrong, %" PRIu64 " unknown",
                totals->verdicts[VERDICT_RIGHT], totals->verdicts[VERDICT_WRONG],
                totals->verdicts[VERDICT_UNKNOWN]);
    fputc('\n', out);
}

static int hears_visits(const struct edge_settings *s)
{
    return s->visits || s->best_shot || s->mqtt || s->webhook || s->metrics_port;
}

/* MQTT, webhook, metrics. */
static struct outlets *open_outlets(const struct edge_settings *s, char folder[PATH_MAX],
                                    struct err *err)
{
    char host[65] = "ken";
    gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = 0;
    snprintf(folder, PATH_MAX, "%s/webhook", s->work);
    const struct outlets_options options = {
        .mqtt = {.url = s->mqtt,
                 .user = s->mqtt_user,
                 .password_file = s->mqtt_password_file,
                 .ca_file = s->mqtt_ca,
                 .topic = s->mqtt_topic,
                 .device = s->device ? s->device : host,
                 .discovery = s->mqtt_discovery},
        .webhook = {.url = s->webhook,
                    .secret_file = s->webhook_secret_file,
                    .folder = folder,
                    .patience_s = s->retry_s,
                    .notice = on_notice},
        .metrics_port = (int)s->metrics_port,
    };
    return outlets_open(&options, err);
}

/* Keys that others on the machine may read are worth a word. */
static void warn_of_readers(const char *path)
{
    struct stat status;
    if (path && stat(path, &status) == 0 && (status.st_mode & 07))
        fprintf(stderr, "%sken edge: %s holds keys and may be read by everybody: chmod 600 it\n",
                notify_prefix(4), path);
}

static struct edge_options options_of(const struct edge_settings *settings)
{
    return (struct edge_options){
        .video = settings->video,
        .source = {.start_s = settings->start_s,
                   .seconds = settings->seconds,
                   .fps = settings->fps,
                   .real_time = !settings->fast,
                   .loop = settings->loop,
                   .on_demand = 1,
                   .width = (int)settings->width,
                   .height = (int)settings->height,
                   .rotate = (int)settings->rotate,
                   .mirror = settings->mirror,
                   .format = settings->capture_format,
                   .command = settings->command},
        .recorder = {.segment_s = settings->segment_min * 60,
                     .events_only = settings->events_only,
                     .pre_roll_s = settings->pre_roll_s,
                     .post_roll_s = settings->post_roll_s,
                     .keep_s = settings->keep_days * 86400,
                     .keep_bytes = (uint64_t)settings->keep_mb * 1000000},
        .work = settings->work,
        .prefix = settings->prefix,
        .expect = settings->expect,
        .report = settings->report,
        .every = (uint64_t)settings->every,
        .interval_ms = settings->interval_ms,
        .when_face = settings->when_face,
        .best_shot = settings->best_shot,
        .crop = settings->crop,
        .visits = hears_visits(settings),
        .workers = (size_t)settings->workers,
        .queue = (size_t)settings->queue,
        .quality = (int)settings->quality,
        .record = !settings->no_record,
        .retry_s = settings->retry_s,
        .queue_bytes = (uint64_t)settings->queue_mb * 1000000,
        .answer_here = settings->gallery != NULL,
    };
}

static int run(const struct edge_settings *settings, struct edge_options *options, struct err *err)
{
    char place[PATH_MAX], folder[PATH_MAX];
    struct deployment deployment;
    const struct local_options local = {.models = paths_models(settings->models, place),
                                        .gallery = paths_gallery(settings->gallery),
                                        .record_lifetime_s = settings->record_lifetime_s};
    struct edge_totals totals = {0};
    struct console console = {.settings = settings};
    const struct edge_listener listener = {.context = &console,
                                           .frame = on_frame,
                                           .notice = on_notice,
                                           .visit = hears_visits(settings) ? on_visit : NULL,
                                           .status = on_status,
                                           .stop = should_stop};
    if (deployment_read(&deployment, settings->deployment, err) < 0)
        return -1;
    options->deployment = &deployment;
    options->local = &local;
    sigemptyset(&console.stop_signals);
    sigaddset(&console.stop_signals, SIGINT);
    sigaddset(&console.stop_signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &console.stop_signals, NULL); /* before there are threads */
    warn_of_readers(settings->deployment);
    warn_of_readers(getenv("AWS_SHARED_CREDENTIALS_FILE"));
    console.outlets = open_outlets(settings, folder, err);
    if (!console.outlets)
        return -1;
    int result = edge_run(options, &listener, &totals, err);
    outlets_close(console.outlets);
    if (totals.frames > 0)
        print_end(settings, &totals, &deployment);
    return result;
}

static const char details[] =
    "Every frame goes into the recording, which is stored in the video bucket at the end; every\n"
    "--every-th is sent to the frame bucket and asked about. Credentials come from AWS's usual\n"
    "variables. The first Ctrl-C stops the camera and finishes the rest; the second one ends it.\n"
    "\n"
    "examples:\n"
    "  ken edge --video walk.mp4                                   play it as a camera\n"
    "  ken edge --video walk.mp4 --loop --seconds 300 --json       five minutes, JSON lines\n"
    "  ken edge --video walk.mp4 --expect person-a --report r.jsonl   measure; see ken summary\n"
    "  ken edge --video walk.mp4 --fast --no-record --format jpeg  as fast as the cloud answers";

static int check(const struct edge_settings *settings, struct edge_options *options,
                 struct err *err)
{
    if (!settings->video)
        return err_set(err, ERR_INVALID, "--video FILE is missing (see ken edge --help)");
    if (settings->rotate % 90)
        return err_set(err, ERR_INVALID, "--rotate: %ld is not 0, 90, 180 or 270",
                       settings->rotate);
    if (edge_architecture_read(&options->architecture, settings->architecture) < 0)
        return err_set(err, ERR_INVALID, "--architecture: \"%s\" is not c, d or e",
                       settings->architecture);
    return photo_format_parse(settings->format, &options->format, err);
}

static int start(const struct edge_settings *settings, const struct command_line *line)
{
    struct err err = {0};
    struct edge_options options = options_of(settings);
    if (check(settings, &options, &err) < 0) {
        options_fail(line, &err);
        return EXIT_USAGE;
    }
    return run(settings, &options, &err) < 0 ? options_fail(line, &err) : EXIT_OK;
}

static int list_cameras(const struct command_line *line, int json)
{
    struct err err = {0};
    struct buf text;
    buf_init(&text, 1024 * 1024);
    int count = cameras_list(CAMERAS_FOLDER, json, &text, &err);
    if (count >= 0)
        printf("%s%s", text.data, json ? "\n" : "");
    buf_finish(&text);
    return count < 0 ? options_fail(line, &err) : EXIT_OK;
}

int verb_edge(int argc, char **argv)
{
    struct edge_settings s = {
        .deployment = DEPLOYMENT_DEFAULT_PATH,
        .architecture = "c",
        .record_lifetime_s = 300,
        .format = "png",
        .work = "ken-edge",
        .prefix = "",
        .fps = 30,
        .retry_s = 10,
        .every = 15,
        .workers = 4,
        .queue = 64,
        .quality = 90,
        .mqtt_topic = "ken",
        .mqtt_discovery = "homeassistant",
        .pre_roll_s = 5,
        .post_roll_s = 5,
    };
    const struct option_spec specs[] = {
        {"deployment", 0, OPTION_TEXT, &s.deployment, "FILE",
         "what ken deploy wrote (" DEPLOYMENT_DEFAULT_PATH ")"},
        {"architecture", 0, OPTION_TEXT, &s.architecture, "c|d|e",
         "frame to the bucket, in the request, or recognised here (c)"},
        {"models", 0, OPTION_TEXT, &s.models, "DIR",
         "networks, to look for faces or recognise them here (default $KEN_MODELS)"},
        {"gallery", 0, OPTION_TEXT, &s.gallery, "FILE", "e: the people (default $KEN_GALLERY)"},
        {"record-lifetime", 0, OPTION_REAL, &s.record_lifetime_s, "S",
         "e: a record is fetched again after S seconds (300)", 0, 1e7},
        {"video", 0, OPTION_TEXT, &s.video, "FILE",
         "the camera: a file, test:, photos:DIR, /dev/video0, libcamera:, rtsp://..., pipe:CMD"},
        {"start", 0, OPTION_REAL, &s.start_s, "S", "skip its first S seconds (0)", 0, 1e6},
        {"seconds", 0, OPTION_REAL, &s.seconds, "N", "stop after N seconds (0: at its end)", 0,
         1e7},
        {"loop", 0, OPTION_FLAG, &s.loop, NULL, "start it again when it ends"},
        {"fps", 0, OPTION_REAL, &s.fps, "N", "the camera's frames a second (30)", 0.1,
         SOURCE_MAX_FPS},
        {"fast", 0, OPTION_FLAG, &s.fast, NULL, "not in real time: as fast as the answers come"},
        {"every", 0, OPTION_INT, &s.every, "N", "send every N-th frame (15)", 1, 1000000},
        {"interval", 0, OPTION_REAL, &s.interval_ms, "MS",
         "instead, a frame every MS milliseconds (0: by --every)", 0, 1e9},
        {"when-face", 0, OPTION_FLAG, &s.when_face, NULL,
         "of these only frames that show a face (found here, with --models)"},
        {"best-shot", 0, OPTION_FLAG, &s.best_shot, NULL,
         "instead, the best picture of each visit: one soon, another where it is much better"},
        {"crop", 0, OPTION_FLAG, &s.crop, NULL, "send only the part around the faces"},
        {"visits", 0, OPTION_FLAG, &s.visits, NULL,
         "follow faces: one line when somebody enters, has a name, leaves"},
        {"format", 0, OPTION_TEXT, &s.format, "F", "of the frames sent: png or jpeg (png)"},
        {"quality", 0, OPTION_INT, &s.quality, "Q", "of JPEG, 1 to 100 (90)", 1, 100},
        {"prefix", 0, OPTION_TEXT, &s.prefix, "TEXT", "in front of the frames' names (none)"},
        {"workers", 0, OPTION_INT, &s.workers, "N", "frames on their way at once (4)", 1,
         EDGE_MAX_WORKERS},
        {"queue", 0, OPTION_INT, &s.queue, "N", "frames that may wait for a worker (64)", 1, 10000},
        {"offline", 0, OPTION_INT, &s.queue_mb, "MB",
         "what cannot be sent waits on the disk, so much at most (0: it is lost)", 0, 1000000},
        {"retry", 0, OPTION_REAL, &s.retry_s, "S", "retry a frame for S seconds (10)", 0, 86400},
        {"work", 0, OPTION_TEXT, &s.work, "DIR",
         "recordings, and frames not yet delivered (ken-edge)"},
        {"no-record", 0, OPTION_FLAG, &s.no_record, NULL, "keep no video"},
        {"expect", 0, OPTION_TEXT, &s.expect, "NAME",
         "who is on the video (or \"unknown\"): count right and wrong"},
        {"report", 0, OPTION_TEXT, &s.report, "FILE", "write JSON lines for ken summary"},
        {"width", 0, OPTION_INT, &s.width, "PX", "asked of a camera (its own)", 0, SOURCE_MAX_SIDE},
        {"height", 0, OPTION_INT, &s.height, "PX", "asked of a camera (its own)", 0,
         SOURCE_MAX_SIDE},
        {"rotate", 0, OPTION_INT, &s.rotate, "DEG", "clockwise: 0, 90, 180, 270 (0)", 0, 270},
        {"mirror", 0, OPTION_FLAG, &s.mirror, NULL, "swap left and right"},
        {"camera-format", 0, OPTION_TEXT, &s.capture_format, "F",
         "of a camera: h264, mjpeg, yuyv (the first it has)"},
        {"camera-command", 0, OPTION_TEXT, &s.command, "CMD",
         "of libcamera:, in place of rpicam-vid"},
        {"segment", 0, OPTION_REAL, &s.segment_min, "MIN",
         "a new recording every MIN minutes (0: one)", 0, 1e5},
        {"events-only", 0, OPTION_FLAG, &s.events_only, NULL,
         "record only while somebody is there (see --visits)"},
        {"pre-roll", 0, OPTION_REAL, &s.pre_roll_s, "S", "and so long before (5)", 0,
         RECORDER_MAX_PRE_ROLL_S},
        {"post-roll", 0, OPTION_REAL, &s.post_roll_s, "S", "and after (5)", 0, 3600},
        {"keep-days", 0, OPTION_REAL, &s.keep_days, "N", "recordings older than that go (0: none)",
         0, 1e5},
        {"keep-mb", 0, OPTION_INT, &s.keep_mb, "MB",
         "the oldest recordings go when there is more (0: no limit)", 0, 100000000},
        {"device", 0, OPTION_TEXT, &s.device, "NAME", "this device's, in topics (the host's)"},
        {"mqtt", 0, OPTION_TEXT, &s.mqtt, "URL", "tell visits to mqtt://HOST or mqtts://HOST"},
        {"mqtt-user", 0, OPTION_TEXT, &s.mqtt_user, "NAME", "who logs in there"},
        {"mqtt-password-file", 0, OPTION_TEXT, &s.mqtt_password_file, "FILE", "and how"},
        {"mqtt-ca", 0, OPTION_TEXT, &s.mqtt_ca, "FILE", "certificates (the system's)"},
        {"mqtt-topic", 0, OPTION_TEXT, &s.mqtt_topic, "TEXT", "in front of the topics (ken)"},
        {"mqtt-discovery", 0, OPTION_TEXT, &s.mqtt_discovery, "TEXT",
         "where Home Assistant looks (homeassistant; empty: nowhere)"},
        {"webhook", 0, OPTION_TEXT, &s.webhook, "URL", "POST visits there, signed"},
        {"webhook-secret-file", 0, OPTION_TEXT, &s.webhook_secret_file, "FILE",
         "the key of the signatures"},
        {"metrics", 0, OPTION_INT, &s.metrics_port, "PORT",
         "serve http://127.0.0.1:PORT/metrics (0: do not)", 0, 65535},
        {"config", 0, OPTION_TEXT, &s.config, "FILE",
         "these options as lines \"name = value\"; the command line wins"},
        {"list-cameras", 0, OPTION_FLAG, &s.list_cameras, NULL,
         "show this machine's cameras and what they offer (with --json as JSON), and end"},
        {"json", 0, OPTION_FLAG, &s.json, NULL, "print one JSON line a frame"},
        {"quiet", 'q', OPTION_FLAG, &s.quiet, NULL, "print no answers, only the end"},
        {0},
    };
    const struct command_line line = {
        .verb = "edge",
        .summary = "Be the camera: send frames to the cloud, print who is on them, keep the video.",
        .details = details,
        .options = specs,
    };
    struct err err = {0};
    struct settings settings = {0};
    int first, code = -1;
    if (settings_load(&settings, &line, "KEN_EDGE_", argv, &err) < 0) {
        options_fail(&line, &err);
        code = EXIT_USAGE;
    }
    if (code < 0)
        code = options_start(&line, argc, argv, &first);
    if (code < 0)
        code = s.list_cameras ? list_cameras(&line, s.json) : start(&s, &line);
    settings_finish(&settings);
    return code;
}
