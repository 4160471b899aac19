#ifndef EDGE_DEVICE_H
#define EDGE_DEVICE_H

/* A device in front of a fake cloud: three seconds of video at 25 frames a second. */

#include "base/file.h"
#include "edge/edge.h"
#include "fake_cloud.h"
#include "test_video.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-test-XXXXXX";
static char video[64], work[64], report[64];

struct seen {
    int frames, lost, notices, stop_after;
    char last_notice[1024], last_key[EDGE_KEY_BYTES];
};

struct device {
    struct fake_cloud fake;
    struct deployment deployment;
    struct edge_options options;
    struct edge_totals totals;
    struct seen seen;
    struct err err;
};

static inline int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    unsetenv("AWS_SESSION_TOKEN");
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_ENDPOINT_URL_S3");
    if (!mkdtemp(folder))
        return -1;
    snprintf(video, sizeof video, "%s/v.mkv", folder);
    snprintf(work, sizeof work, "%s/work", folder);
    snprintf(report, sizeof report, "%s/report.jsonl", folder);
    return test_video_even(video, 25, 75);
}

static inline int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static inline void on_frame(void *context, const struct edge_frame *frame)
{
    struct seen *seen = context;
    seen->frames++;
    seen->lost += !frame->answer;
    snprintf(seen->last_key, sizeof seen->last_key, "%s", frame->key);
}

static inline void on_notice(void *context, const char *text)
{
    struct seen *seen = context;
    seen->notices++;
    snprintf(seen->last_notice, sizeof seen->last_notice, "%s", text);
}

static inline int should_stop(void *context)
{
    struct seen *seen = context;
    return seen->stop_after > 0 && --seen->stop_after == 0;
}

static inline void prepare(struct device *d)
{
    struct err err;
    *d = (struct device){0};
    assert_int_equal(file_remove_tree(work, &err), 0);
    assert_int_equal(fake_start(&d->fake), 0);
    d->deployment = (struct deployment){.region = "us-east-1",
                                        .frames_bucket = "frames",
                                        .videos_bucket = "videos",
                                        .function = "f",
                                        .auth = "iam"};
    snprintf(d->deployment.endpoint, sizeof d->deployment.endpoint, "http://127.0.0.1:%d",
             d->fake.port);
    snprintf(d->deployment.api_url, sizeof d->deployment.api_url, "http://127.0.0.1:%d/api/face",
             d->fake.port);
    d->options = (struct edge_options){
        .video = video,
        .source = {.fps = 30},
        .deployment = &d->deployment,
        .work = work,
        .prefix = "",
        .expect = "person-a",
        .report = report,
        .every = 15,
        .workers = 2,
        .queue = 8,
        .record = 1,
        .retry_s = 5,
    };
}

static inline int run(struct device *d)
{
    const struct edge_listener listener = {
        .context = &d->seen, .frame = on_frame, .notice = on_notice, .stop = should_stop};
    int result = edge_run(&d->options, &listener, &d->totals, &d->err);
    fake_stop(&d->fake);
    return result;
}

/* Files in a folder, those in folders below included. */
static int __attribute__((unused)) files_in(const char *path, const char *ending)
{
    int count = 0;
    DIR *opened = opendir(path);
    if (!opened)
        return 0;
    for (struct dirent *entry; (entry = readdir(opened));) {
        char below[1024];
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            count += files_in(below, ending);
        size_t length = strlen(entry->d_name), tail = strlen(ending);
        count += length > tail && strcmp(entry->d_name + length - tail, ending) == 0;
    }
    closedir(opened);
    return count;
}

#endif
