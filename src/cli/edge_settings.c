#include "cli/edge_settings.h"

#include "cli/photo_format.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

static const struct edge_settings defaults = {
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
    .encoder = "auto",
};

/* Where a value lies: in a table that is the same for every struct edge_settings. */
struct row {
    const char *name;
    char letter;
    enum option_kind kind;
    size_t offset;
    const char *argument, *help;
    double min, max;
};
#define AT(field) offsetof(struct edge_settings, field)

static const struct row rows[] = {
    {"deployment", 0, OPTION_TEXT, AT(deployment), "FILE",
     "what ken deploy wrote (" DEPLOYMENT_DEFAULT_PATH ")"},
    {"architecture", 0, OPTION_TEXT, AT(architecture), "c|d|e",
     "frame to the bucket, in the request, or recognised here (c)"},
    {"models", 0, OPTION_TEXT, AT(models), "DIR",
     "networks, to look for faces or recognise them here (default $KEN_MODELS)"},
    {"gallery", 0, OPTION_TEXT, AT(gallery), "FILE", "e: the people (default $KEN_GALLERY)"},
    {"record-lifetime", 0, OPTION_REAL, AT(record_lifetime_s), "S",
     "e: a record is fetched again after S seconds (300)", 0, 1e7},
    {"video", 0, OPTION_TEXT, AT(video), "FILE",
     "the camera: a file, test:, photos:DIR, /dev/video0, libcamera:, rtsp://..., pipe:CMD"},
    {"start", 0, OPTION_REAL, AT(start_s), "S", "skip its first S seconds (0)", 0, 1e6},
    {"seconds", 0, OPTION_REAL, AT(seconds), "N", "stop after N seconds (0: at its end)", 0, 1e7},
    {"loop", 0, OPTION_FLAG, AT(loop), NULL, "start it again when it ends"},
    {"fps", 0, OPTION_REAL, AT(fps), "N", "frames a second, of a camera at most (30)", 0.1,
     SOURCE_MAX_FPS},
    {"fast", 0, OPTION_FLAG, AT(fast), NULL, "not in real time: as fast as the answers come"},
    {"every", 0, OPTION_INT, AT(every), "N", "send every N-th frame (15)", 1, 1000000},
    {"interval", 0, OPTION_REAL, AT(interval_ms), "MS",
     "instead, a frame every MS milliseconds (0: by --every)", 0, 1e9},
    {"when-face", 0, OPTION_FLAG, AT(when_face), NULL,
     "of these only frames that show a face (found here, with --models)"},
    {"best-shot", 0, OPTION_FLAG, AT(best_shot), NULL,
     "instead, the best picture of each visit: one soon, another where it is much better"},
    {"crop", 0, OPTION_FLAG, AT(crop), NULL, "send only the part around the faces"},
    {"visits", 0, OPTION_FLAG, AT(visits), NULL,
     "follow faces: one line when somebody enters, has a name, leaves"},
    {"format", 0, OPTION_TEXT, AT(format), "F", "of the frames sent: png or jpeg (png)"},
    {"quality", 0, OPTION_INT, AT(quality), "Q", "of JPEG, 1 to 100 (90)", 1, 100},
    {"prefix", 0, OPTION_TEXT, AT(prefix), "TEXT", "in front of the frames' names (none)"},
    {"workers", 0, OPTION_INT, AT(workers), "N", "frames on their way at once (4)", 1,
     EDGE_MAX_WORKERS},
    {"queue", 0, OPTION_INT, AT(queue), "N",
     "frames that may wait for a worker (64; with --offline 4)", 1, 10000},
    {"offline", 0, OPTION_INT, AT(queue_mb), "MB",
     "what cannot be sent waits on the disk, so much at most (0: it is lost)", 0, 1000000},
    {"retry", 0, OPTION_REAL, AT(retry_s), "S", "retry a frame for S seconds (10)", 0, 86400},
    {"work", 0, OPTION_TEXT, AT(work), "DIR",
     "recordings, and frames not yet delivered (ken-edge)"},
    {"no-record", 0, OPTION_FLAG, AT(no_record), NULL, "keep no video"},
    {"expect", 0, OPTION_TEXT, AT(expect), "NAME",
     "who is on the video (or \"unknown\"): count right and wrong"},
    {"report", 0, OPTION_TEXT, AT(report), "FILE", "write JSON lines for ken summary"},
    {"width", 0, OPTION_INT, AT(width), "PX", "asked of a camera (its own)", 0, SOURCE_MAX_SIDE},
    {"height", 0, OPTION_INT, AT(height), "PX", "asked of a camera (its own)", 0, SOURCE_MAX_SIDE},
    {"rotate", 0, OPTION_INT, AT(rotate), "DEG", "clockwise: 0, 90, 180, 270 (0)", 0, 270},
    {"mirror", 0, OPTION_FLAG, AT(mirror), NULL, "swap left and right"},
    {"camera-format", 0, OPTION_TEXT, AT(capture_format), "F",
     "of a camera: h264, mjpeg, yuyv (the first it has)"},
    {"camera-command", 0, OPTION_TEXT, AT(command), "CMD", "of libcamera:, in place of rpicam-vid"},
    {"encoder", 0, OPTION_TEXT, AT(encoder), "E",
     "of the recording: auto, x264, hardware, copy (auto: a camera's H.264 as it is)"},
    {"segment", 0, OPTION_REAL, AT(segment_min), "MIN",
     "a new recording every MIN minutes (0: one)", 0, 1e5},
    {"events-only", 0, OPTION_FLAG, AT(events_only), NULL,
     "record only while somebody is there (see --visits)"},
    {"pre-roll", 0, OPTION_REAL, AT(pre_roll_s), "S", "and so long before (5)", 0,
     RECORDER_MAX_PRE_ROLL_S},
    {"post-roll", 0, OPTION_REAL, AT(post_roll_s), "S", "and after (5)", 0, 3600},
    {"keep-days", 0, OPTION_REAL, AT(keep_days), "N", "recordings older than that go (0: none)", 0,
     1e5},
    {"keep-mb", 0, OPTION_INT, AT(keep_mb), "MB",
     "the oldest recordings go when there is more (0: no limit)", 0, 100000000},
    {"device", 0, OPTION_TEXT, AT(device), "NAME", "this device's, in topics (the host's)"},
    {"mqtt", 0, OPTION_TEXT, AT(mqtt), "URL", "tell visits to mqtt://HOST or mqtts://HOST"},
    {"mqtt-user", 0, OPTION_TEXT, AT(mqtt_user), "NAME", "who logs in there"},
    {"mqtt-password-file", 0, OPTION_TEXT, AT(mqtt_password_file), "FILE", "and how"},
    {"mqtt-ca", 0, OPTION_TEXT, AT(mqtt_ca), "FILE", "certificates (the system's)"},
    {"mqtt-topic", 0, OPTION_TEXT, AT(mqtt_topic), "TEXT", "in front of the topics (ken)"},
    {"mqtt-discovery", 0, OPTION_TEXT, AT(mqtt_discovery), "TEXT",
     "where Home Assistant looks (homeassistant; empty: nowhere)"},
    {"webhook", 0, OPTION_TEXT, AT(webhook), "URL", "POST visits there, signed"},
    {"webhook-secret-file", 0, OPTION_TEXT, AT(webhook_secret_file), "FILE",
     "the key of the signatures"},
    {"metrics", 0, OPTION_INT, AT(metrics_port), "PORT",
     "serve http://127.0.0.1:PORT/metrics (0: do not)", 0, 65535},
    {"config", 0, OPTION_TEXT, AT(config), "FILE",
     "these options as lines \"name = value\"; the command line wins"},
    {"list-cameras", 0, OPTION_FLAG, AT(list_cameras), NULL,
     "show this machine's cameras and what they offer (with --json as JSON), and end"},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print one JSON line a frame"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL,
     "print no answers, but visits (--visits) and the end"},
};
#undef AT
_Static_assert(sizeof rows / sizeof *rows < EDGE_SETTINGS_MAX, "room for the last, empty one");

void edge_settings_init(struct edge_settings *s, struct option_spec specs[EDGE_SETTINGS_MAX])
{
    size_t count = sizeof rows / sizeof *rows;
    *s = defaults;
    for (size_t i = 0; i < count; i++)
        specs[i] = (struct option_spec){.name = rows[i].name,
                                        .letter = rows[i].letter,
                                        .kind = rows[i].kind,
                                        .value = (char *)s + rows[i].offset,
                                        .argument = rows[i].argument,
                                        .help = rows[i].help,
                                        .min = rows[i].min,
                                        .max = rows[i].max};
    specs[count] = (struct option_spec){0};
}

int edge_settings_hear_visits(const struct edge_settings *s)
{
    return s->visits || s->best_shot || s->mqtt || s->webhook || s->metrics_port;
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
        .visits = edge_settings_hear_visits(settings),
        .workers = (size_t)settings->workers,
        .queue = (size_t)settings->queue,
        .quality = (int)settings->quality,
        .record = !settings->no_record,
        .retry_s = settings->retry_s,
        .queue_bytes = (uint64_t)settings->queue_mb * 1000000,
        .answer_here = settings->gallery != NULL,
    };
}

static int read_encoder(enum recorder_codec *codec, const char *word, struct err *err)
{
    static const char *const words[] = {[RECORDER_AUTO] = "auto",
                                        [RECORDER_X264] = "x264",
                                        [RECORDER_HARDWARE] = "hardware",
                                        [RECORDER_COPY] = "copy"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0) {
            *codec = (enum recorder_codec)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "--encoder: \"%s\" is not auto, x264, hardware or copy", word);
}

int edge_settings_options(const struct edge_settings *settings, struct edge_options *options,
                          struct err *err)
{
    *options = options_of(settings);
    if (!settings->video)
        return err_set(err, ERR_INVALID, "--video FILE is missing (see ken edge --help)");
    if (settings->rotate % 90)
        return err_set(err, ERR_INVALID, "--rotate: %ld is not 0, 90, 180 or 270",
                       settings->rotate);
    if (edge_architecture_read(&options->architecture, settings->architecture) < 0)
        return err_set(err, ERR_INVALID, "--architecture: \"%s\" is not c, d or e",
                       settings->architecture);
    if (read_encoder(&options->recorder.codec, settings->encoder, err) < 0)
        return -1;
    return photo_format_parse(settings->format, &options->format, err);
}

int edge_settings_file_is_open_to_all(const char *path)
{
    struct stat status; /* /dev/null, say, is no file with keys in it */
    return path && stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 07);
}
