#include "aws/client.h"
#include "aws/http.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/edge_settings.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/settings.h"
#include "cli/verbs.h"
#include "edge/deployment.h"
#include "edge/uplink.h"
#include "face/gallery.h"
#include "video/source.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* ken doctor: everything a device needs, looked at one after another. */

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };
enum { CAMERA_MS = 6000, CAMERA_FAILED_MS = 2000, HTTP_MS = 10000, PROBE_BYTES = 16 * 1024 * 1024 };
static const double skew_warn_s = 5, skew_fail_s = 300; /* S3 refuses at 15 minutes */
static const double free_warn_mb = 1000, free_fail_mb = 100, write_warn_mb_s = 5;

struct doctor {
    const char *deployment_path, *video, *work, *models, *gallery, *config;
    double fps;
    long width, height;
    int json;
    struct deployment deployment;
    int has_deployment;
    struct aws_config aws;
    int has_keys;
};

/* What a check found. */
struct finding {
    enum level level;
    char text[512], advice[300]; /* advice: "" when there is nothing to do */
};

static void found(struct finding *f, enum level level, const char *format, ...) PRINTF(3, 4);
static void found(struct finding *f, enum level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    f->level = level;
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
}

static void advise(struct finding *f, const char *text)
{
    snprintf(f->advice, sizeof f->advice, "%s", text);
}

static void check_deployment(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    d->has_deployment = deployment_read(&d->deployment, d->deployment_path, &err) == 0;
    if (!d->has_deployment) {
        found(f, LEVEL_FAIL, "%s", err.message);
        advise(f, "run ken deploy, and give its deployment.json with --deployment");
    } else if (edge_settings_file_is_open_to_all(d->deployment_path)) {
        found(f, LEVEL_WARN, "%s may be read by everybody", d->deployment_path);
        advise(f, "chmod 600: it may hold an API key");
    } else {
        found(f, LEVEL_OK, "%s: buckets %s and %s", d->deployment_path, d->deployment.frames_bucket,
              d->deployment.videos_bucket);
    }
}

static void check_keys(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    const char *file = getenv("AWS_SHARED_CREDENTIALS_FILE");
    d->has_keys = (d->has_deployment ? uplink_config(&d->aws, &d->deployment, &err)
                                     : aws_config_load(&d->aws, &err)) == 0;
    if (!d->has_keys) {
        found(f, LEVEL_FAIL, "%s", err.message);
        advise(f, "put the device's own keys into a file of mode 600 and name it in "
                  "AWS_SHARED_CREDENTIALS_FILE");
    } else if (edge_settings_file_is_open_to_all(file)) {
        found(f, LEVEL_WARN, "%s may be read by everybody", file);
        advise(f, "chmod 600 it");
    } else {
        found(f, LEVEL_OK, "key %.4s..., region %s", d->aws.access_key_id, d->aws.region);
    }
}

/* One answer of S3's endpoint, whatever it is. Returns the milliseconds it took, -1 on failure;
 * `server_s` gets its Date, 0 without one. */
static double ask_endpoint(struct doctor *d, time_t *server_s, struct err *err)
{
    char base[560], url[600], date[64];
    struct tm when = {0};
    struct http *http = http_create(err);
    struct http_response response;
    if (!http)
        return -1;
    http_response_init(&response);
    *server_s = 0;
    double ms = -1;
    if (aws_config_endpoint(&d->aws, AWS_S3, base, sizeof base, err) == 0) {
        snprintf(url, sizeof url, "%s/", base);
        const struct http_request request = {
            .method = "GET", .url = url, .body_fd = -1, .timeout_ms = HTTP_MS};
        uint64_t start_ns = clock_monotonic_ns();
        if (http_send(http, &request, &response, err) == 0)
            ms = clock_ms_since(start_ns);
    }
    if (ms >= 0 && http_response_header(&response, "Date", date, sizeof date) > 0 &&
        strptime(date, "%a, %d %b %Y %H:%M:%S", &when))
        *server_s = timegm(&when);
    http_response_finish(&response);
    http_destroy(http);
    return ms;
}

static void check_network(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    time_t server_s;
    double ms = d->has_keys ? ask_endpoint(d, &server_s, &err) : -1;
    if (!d->has_keys)
        found(f, LEVEL_FAIL, "not tried: there are no keys");
    else if (ms < 0)
        found(f, LEVEL_FAIL, "%s", err.message);
    else
        found(f, ms > 1000 ? LEVEL_WARN : LEVEL_OK, "S3 answers in %.0f ms", ms);
    if (f->level == LEVEL_FAIL)
        advise(f, "check cable, DNS, proxy and AWS_ENDPOINT_URL; with --offline MB frames wait "
                  "on the disk meanwhile");
}

static void check_clock(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    time_t server_s = 0;
    if (!d->has_keys || ask_endpoint(d, &server_s, &err) < 0 || server_s == 0) {
        found(f, LEVEL_WARN, "cannot be compared: no Date from the endpoint");
        return;
    }
    double skew_s = (double)(clock_unix_ms() / 1000 - server_s);
    double size_s = skew_s < 0 ? -skew_s : skew_s;
    enum level level = size_s >= skew_fail_s   ? LEVEL_FAIL
                       : size_s >= skew_warn_s ? LEVEL_WARN
                                               : LEVEL_OK;
    found(f, level, "%.0f s from the endpoint's", skew_s);
    if (level != LEVEL_OK)
        advise(f, "start time synchronisation (timedatectl set-ntp true): signatures of a wrong "
                  "time are refused");
}

/* Where nobody answers neither keys nor function are to blame. */
static void advise_unless_absent(struct finding *f, const struct err *err, const char *text)
{
    int is_absent = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
    advise(f, is_absent ? "nobody answers there: see network, and the addresses in deployment.json"
                        : text);
}

/* The keys may be there and be wrong: only a signed request tells. */
static void check_buckets(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    struct uplink *uplink =
        d->has_deployment && d->has_keys ? uplink_open(&d->deployment, &err) : NULL;
    int may = uplink ? uplink_probe(uplink, &err) : -1;
    const char *bucket = d->deployment.videos_bucket;
    if (!uplink) {
        found(f, LEVEL_FAIL, "not tried: there is no deployment or no key");
    } else if (may > 0) {
        found(f, LEVEL_OK, "S3 takes the keys in %s", bucket);
    } else if (may == 0) {
        found(f, LEVEL_WARN, "S3 takes the keys, which may not list uploads in %s", bucket);
        advise(f, "is their policy that of deploy/iam-device.json, for these buckets?");
    } else {
        found(f, LEVEL_FAIL, "%s", err.message);
        advise_unless_absent(f, &err,
                             "are the keys those of the device's user, still valid, and is "
                             "deployment.json of the same account?");
    }
    uplink_close(uplink);
}

/* An empty frame's name is refused by the function itself, so whoever gets that answer may ask. */
static void check_api(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    const struct buf *body;
    struct uplink *uplink =
        d->has_deployment && d->has_keys ? uplink_open(&d->deployment, &err) : NULL;
    int status = uplink ? uplink_ask(uplink, "", &body, &err) : -1;
    if (!uplink)
        found(f, LEVEL_FAIL, "not tried: there is no deployment or no key");
    else if (status < 0)
        found(f, LEVEL_FAIL, "%s", err.message);
    else if (status == 400)
        found(f, LEVEL_OK, "the function answers");
    else
        found(f, LEVEL_FAIL, "HTTP %d", status);
    if (status == 403)
        advise(f, "the API refuses the key: is deployment.json current, and the policy that of "
                  "deploy/iam-device.json?");
    else if (f->level == LEVEL_FAIL)
        advise_unless_absent(f, &err, "is the function deployed? ken deploy may be run again");
    uplink_close(uplink);
}

/* Write and sync a file; MB/s, or -1. */
static double write_speed(const char *folder, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/.doctor-XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        err_set_errno(err, "write into %s", folder);
        return -1;
    }
    unlink(path);
    char *block = calloc(1, PROBE_BYTES);
    uint64_t start_ns = clock_monotonic_ns();
    int done = block ? file_write_all(fd, block, PROBE_BYTES, err)
                     : err_set(err, ERR_NO_MEMORY, "write into %s: out of memory", folder);
    if (done == 0 && fsync(fd) < 0)
        done = err_set_errno(err, "write into %s", folder);
    free(block);
    close(fd);
    return done < 0 ? -1 : PROBE_BYTES / 1e3 / clock_ms_since(start_ns);
}

static void check_disk(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    struct statvfs disk;
    if (file_make_folders(d->work, 0700, &err) < 0 || statvfs(d->work, &disk) < 0) {
        found(f, LEVEL_FAIL, "%s", err.code ? err.message : d->work);
        advise(f, "--work must name a folder that this user may write to");
        return;
    }
    double free_mb = (double)disk.f_bavail * (double)disk.f_frsize / 1e6;
    double speed = free_mb > 2.0 * PROBE_BYTES / 1e6 ? write_speed(d->work, &err) : 0;
    if (speed < 0) {
        found(f, LEVEL_FAIL, "%s", err.message);
        return;
    }
    enum level level = free_mb < free_fail_mb                              ? LEVEL_FAIL
                       : free_mb < free_warn_mb || speed < write_warn_mb_s ? LEVEL_WARN
                                                                           : LEVEL_OK;
    found(f, level, "%s: %.0f MB free, %.0f MB/s with fsync", d->work, free_mb, speed);
    if (level != LEVEL_OK)
        advise(f, "make room, or limit it with --keep-mb, --keep-days and --offline");
}

/* What to look at where a camera gives nothing, by how its location begins. */
static const char *camera_advice(const char *location)
{
    static const struct {
        const char *begins, *advice;
    } table[] = {
        {"/dev/", "is it plugged in (ken edge --list-cameras), is this user in the group video, "
                  "and is no other program using it?"},
        {"v4l2:", "is it plugged in (ken edge --list-cameras), is this user in the group video, "
                  "and is no other program using it?"},
        {"libcamera:", "is rpicam-apps installed, and does rpicam-vid --list-cameras show it?"},
        {"pipe:", "run the command by hand: it must write H.264 or MJPEG to its output"},
        {"rtsp", "is the camera on, and do address, user and password work in another player?"},
        {"http", "is the camera on, and do address, user and password work in another player?"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strncmp(location, table[i].begins, strlen(table[i].begins)) == 0)
            return table[i].advice;
    return "is the name right, and may this user read it?";
}

/* One that says why it does not come is not waited for as long as one that is silent. */
static int has_failed_for(struct source *source, double ms)
{
    struct source_status status;
    source_get_status(source, &status);
    return ms > CAMERA_FAILED_MS && status.reason[0];
}

/* Frames for a while: whether there are any, and how many a second. */
static void check_camera(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    char label[SOURCE_LABEL_BYTES];
    struct source_status status = {0};
    struct frame frame = {0};
    const struct source_options options = {
        .fps = d->fps, .real_time = 1, .width = (int)d->width, .height = (int)d->height};
    if (!d->video) {
        found(f, LEVEL_WARN, "not tried: --video does not say which");
        return;
    }
    source_label(d->video, label);
    struct source *source = source_open(d->video, &options, &err);
    uint64_t start_ns = clock_monotonic_ns();
    int result = source ? SOURCE_WAITING : -1, frames = 0;
    while (source && frames < 30 && clock_ms_since(start_ns) < CAMERA_MS &&
           !has_failed_for(source, clock_ms_since(start_ns)) &&
           (result = source_read(source, &frame, &err)) > 0)
        frames += result == SOURCE_FRAME;
    if (frames > 0) {
        found(f, LEVEL_OK, "%s: %dx%d, %.1f frames a second", label, frame.width, frame.height,
              source_fps(source));
    } else {
        if (source && result >= 0)
            source_get_status(source, &status);
        found(f, LEVEL_FAIL, "%s: %s", label,
              result < 0         ? err.message
              : status.reason[0] ? status.reason
                                 : "no frame in time");
        advise(f, camera_advice(d->video));
    }
    source_close(source);
}

static void check_models(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    struct face_models *models = paths_open_models(d->models, &err);
    if (models) {
        found(f, LEVEL_OK, "detector, landmarks and embedder open");
    } else {
        found(f, d->models ? LEVEL_FAIL : LEVEL_WARN, "%s", err.message);
        advise(f, "needed for --when-face, --best-shot, --crop and --architecture e");
    }
    face_models_close(models);
}

static void check_gallery(struct doctor *d, struct finding *f)
{
    struct err err = {0};
    struct gallery *gallery = gallery_open(paths_gallery(d->gallery), &err);
    if (gallery) {
        size_t people = gallery_people(gallery);
        found(f, LEVEL_OK, "%zu %s, %zu templates, threshold %.2f", people,
              people == 1 ? "person" : "people", gallery_templates(gallery),
              (double)gallery_threshold(gallery));
    } else {
        found(f, d->gallery ? LEVEL_FAIL : LEVEL_WARN, "%s", err.message);
        advise(f, "needed for --architecture e and for answers while the cloud is gone");
    }
    gallery_destroy(gallery);
}

static const struct check {
    const char *name;
    void (*run)(struct doctor *d, struct finding *f);
} checks[] = {
    {"deployment", check_deployment},
    {"credentials", check_keys},
    {"network", check_network},
    {"clock", check_clock},
    {"buckets", check_buckets},
    {"api", check_api},
    {"disk", check_disk},
    {"camera", check_camera},
    {"models", check_models},
    {"gallery", check_gallery},
};

static void print_finding(const struct doctor *d, const struct check *check,
                          const struct finding *f)
{
    static const char *const levels[] = {"ok", "warn", "fail"};
    if (d->json) {
        json_t *line = json_pack("{ss ss ss ss}", "check", check->name, "level", levels[f->level],
                                 "text", f->text, "advice", f->advice);
        if (line)
            json_dumpf(line, stdout, 0);
        putchar('\n');
        json_decref(line);
    } else {
        printf("%-4s  %-11s  %s\n", levels[f->level], check->name, f->text);
        if (f->advice[0])
            printf("                   -> %s\n", f->advice);
    }
    fflush(stdout);
}

static int run(struct doctor *d)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct finding finding = {0};
        checks[i].run(d, &finding);
        failed |= finding.level == LEVEL_FAIL;
        print_finding(d, &checks[i], &finding);
    }
    explicit_bzero(&d->aws, sizeof d->aws);
    explicit_bzero(&d->deployment, sizeof d->deployment);
    return failed ? EXIT_FAILED : EXIT_OK;
}

static const char details[] =
    "One line a check: ok, warn or fail, and what to do about it. The exit code is 0 unless one\n"
    "failed. Reads the configuration of ken edge (--config, KEN_EDGE_...). It asks the API about "
    "a\n"
    "frame without a name, which the function refuses, and writes 16 MB into the work folder.\n"
    "\n"
    "examples:\n"
    "  ken doctor --video /dev/video0\n"
    "  ken doctor --config /etc/ken/edge.conf --json";

int verb_doctor(int argc, char **argv)
{
    struct doctor d = {.deployment_path = DEPLOYMENT_DEFAULT_PATH, .work = "ken-edge", .fps = 30};
    const struct option_spec specs[] = {
        {"deployment", 0, OPTION_TEXT, &d.deployment_path, "FILE",
         "what ken deploy wrote (" DEPLOYMENT_DEFAULT_PATH ")"},
        {"video", 0, OPTION_TEXT, &d.video, "CAMERA", "as of ken edge"},
        {"fps", 0, OPTION_REAL, &d.fps, "N", "asked of the camera (30)", 0.1, SOURCE_MAX_FPS},
        {"width", 0, OPTION_INT, &d.width, "PX", "asked of the camera", 0, SOURCE_MAX_SIDE},
        {"height", 0, OPTION_INT, &d.height, "PX", "asked of the camera", 0, SOURCE_MAX_SIDE},
        {"work", 0, OPTION_TEXT, &d.work, "DIR", "the device's folder (ken-edge)"},
        {"models", 0, OPTION_TEXT, &d.models, "DIR", "networks (default $KEN_MODELS)"},
        {"gallery", 0, OPTION_TEXT, &d.gallery, "FILE", "people (default $KEN_GALLERY)"},
        {"config", 0, OPTION_TEXT, &d.config, "FILE", "ken edge's, which this reads too"},
        {"json", 0, OPTION_FLAG, &d.json, NULL, "one JSON line a check"},
        {0},
    };
    const struct command_line line = {
        .verb = "doctor",
        .summary = "Check what a device needs, and say what to do.",
        .details = details,
        .options = specs,
    };
    struct err err = {0};
    struct settings settings = {.lenient = 1};
    int first, code = -1;
    if (settings_load(&settings, &line, "KEN_EDGE_", argv, &err) < 0) {
        options_fail(&line, &err);
        code = EXIT_USAGE;
    }
    d.json = 0;                    /* ken edge's is another matter */
    setenv("KEN_LOG", "error", 0); /* the findings say it */
    if (code < 0)
        code = options_start(&line, argc, argv, &first);
    if (code < 0)
        code = run(&d);
    settings_finish(&settings);
    return code;
}
