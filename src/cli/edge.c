#include "edge/edge.h"
#include "cli/edge_console.h"
#include "cli/edge_settings.h"
#include "cli/paths.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "edge/notify.h"
#include "video/cameras.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* MQTT, webhook, metrics, and the texts that they borrow. */
struct places {
    char host[65], folder[PATH_MAX];
    struct outlets_options options;
};

static void find_places(const struct edge_settings *s, struct places *places)
{
    *places = (struct places){.host = "ken"};
    gethostname(places->host, sizeof places->host - 1);
    places->host[strcspn(places->host, ".")] = 0;
    snprintf(places->folder, sizeof places->folder, "%s/webhook", s->work);
    places->options = (struct outlets_options){
        .mqtt = {.url = s->mqtt,
                 .user = s->mqtt_user,
                 .password_file = s->mqtt_password_file,
                 .ca_file = s->mqtt_ca,
                 .topic = s->mqtt_topic,
                 .device = s->device ? s->device : places->host,
                 .discovery = s->mqtt_discovery,
                 .notice = edge_console_notice},
        .webhook = {.url = s->webhook,
                    .secret_file = s->webhook_secret_file,
                    .folder = places->folder,
                    .patience_s = s->retry_s,
                    .notice = edge_console_notice},
        .metrics_port = (int)s->metrics_port,
    };
}

/* Keys that others on the machine may read are worth a word. */
static void warn_of_readers(const char *path)
{
    if (edge_settings_file_is_open_to_all(path))
        fprintf(stderr, "%sken edge: %s holds keys and may be read by everybody: chmod 600 it\n",
                notify_prefix(4), path);
}

static int run(const struct edge_settings *settings, struct edge_options *options,
               const struct places *places, struct err *err)
{
    char place[PATH_MAX];
    struct deployment deployment;
    const struct local_options local = {.models = paths_models(settings->models, place),
                                        .gallery = paths_gallery(settings->gallery),
                                        .record_lifetime_s = settings->record_lifetime_s};
    struct edge_totals totals = {0};
    struct edge_console console = {.settings = settings};
    const struct edge_listener listener = {
        .context = &console,
        .frame = edge_console_frame,
        .notice = edge_console_notice,
        .visit = edge_settings_hear_visits(settings) ? edge_console_visit : NULL,
        .status = edge_console_status,
        .stop = edge_console_stop};
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
    console.outlets = outlets_open(&places->options, err);
    if (!console.outlets)
        return -1;
    int result = edge_run(options, &listener, &totals, err);
    outlets_close(console.outlets);
    if (totals.frames > 0)
        edge_console_end(settings, &totals, &deployment);
    return result;
}

static const char details[] =
    "Every frame goes into the recording, which is stored in the video bucket at the end; every\n"
    "--every-th is sent to the frame bucket and asked about. Credentials come from AWS's usual\n"
    "variables. The first Ctrl-C stops the camera and finishes the rest; the second one ends it.\n"
    "\n"
    "examples:\n"
    "  ken edge --list-cameras; ken doctor --video /dev/video0     what is there, does it all "
    "work?\n"
    "  ken edge --video /dev/video0 --visits --quiet --segment 10 --offline 2000 --keep-mb 8000\n"
    "                                             a camera at a door, for good: docs/edge.md\n"
    "  ken edge --video walk.mp4                                   play it as a camera\n"
    "  ken edge --video walk.mp4 --loop --seconds 300 --json       five minutes, JSON lines\n"
    "  ken edge --video walk.mp4 --expect person-a --report r.jsonl   measure; see ken summary\n"
    "  ken edge --video walk.mp4 --fast --no-record --format jpeg  as fast as the cloud answers";

/* A device has little: pictures go back to the system when they are done with, threads do not each
 * have a heap of their own, and no page is 2 MB, which x264 asks for and half fills. */
static void save_memory(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

static int start(const struct edge_settings *settings, const struct command_line *line)
{
    struct err err = {0};
    struct edge_options options;
    struct places places;
    find_places(settings, &places);
    if (edge_settings_options(settings, &options, &err) < 0 || edge_check(&options, &err) < 0 ||
        outlets_check(&places.options, &err) < 0) {
        options_fail(line, &err);
        return EXIT_USAGE;
    }
    save_memory();
    return run(settings, &options, &places, &err) < 0 ? options_fail(line, &err) : EXIT_OK;
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
    struct edge_settings s;
    struct option_spec specs[EDGE_SETTINGS_MAX];
    edge_settings_init(&s, specs);
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
