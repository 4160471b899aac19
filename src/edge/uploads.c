#include "edge/uploads.h"

#include "base/clock.h"
#include "edge/retry.h"
#include "edge/uplink.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WAITING = 1000, NAME_TRIES = 100, NAME_PAUSE_MS = 20 };

struct uploads {
    struct edge_run *run;
    struct queue *paths;
    pthread_t thread;
    atomic_int ending; /* the run is about to tell how it went */
    struct err first;  /* of those that stay here */
};

/* The recorder tells of a file just before that gets its name. */
static void await_name(const char *path)
{
    for (int i = 0; i < NAME_TRIES && access(path, F_OK) < 0; i++)
        clock_sleep_until_ns(clock_monotonic_ns() + NAME_PAUSE_MS * 1000000u);
}

static int put(const struct edge_run *run, const char *path, struct err *err)
{
    struct retry retry;
    struct uplink *uplink = uplink_open(run->options->deployment, err);
    if (!uplink)
        return -1;
    int result;
    retry_start(&retry, run->options->retry_s);
    do
        result = uplink_put_video(uplink, strrchr(path, '/') + 1, path, err);
    while (result < 0 && uplink_may_pass(err) && !atomic_load(&run->cloud_gone) &&
           retry_wait(&retry));
    uplink_close(uplink);
    return result;
}

/* At the end the first is told as the run's own failure. */
static void stays_here(struct uploads *uploads, const char *path, struct err *err)
{
    int is_first = uploads->first.code == ERR_NONE;
    err_wrap(err, "the recording stays in %s", path);
    if (is_first)
        uploads->first = *err;
    if (!is_first || !atomic_load(&uploads->ending))
        edge_notice(uploads->run, "%s", err->message);
}

static void *work(void *argument)
{
    struct uploads *uploads = argument;
    for (char *path; (path = queue_pop(uploads->paths)); free(path)) {
        struct err err = {0};
        await_name(path);
        if (put(uploads->run, path, &err) < 0)
            stays_here(uploads, path, &err);
    }
    return NULL;
}

struct uploads *uploads_start(struct edge_run *run, struct err *err)
{
    struct uploads *uploads = calloc(1, sizeof *uploads);
    if (uploads) {
        uploads->run = run;
        uploads->paths = queue_create(MAX_WAITING, err);
    }
    if (uploads && uploads->paths && pthread_create(&uploads->thread, NULL, work, uploads) == 0)
        return uploads;
    if (uploads)
        queue_destroy(uploads->paths);
    free(uploads);
    err_set(err, ERR_NO_MEMORY, "start to upload: out of memory");
    return NULL;
}

void uploads_add(struct uploads *uploads, const char *path)
{
    char *copy = strdup(path);
    if (copy && queue_try_push(uploads->paths, copy) == 0)
        return;
    free(copy);
    edge_notice(uploads->run, "too many recordings wait for the network: %s stays here", path);
}

void uploads_end(struct uploads *uploads)
{
    if (uploads)
        atomic_store(&uploads->ending, 1);
}

int uploads_finish(struct uploads *uploads, struct err *err)
{
    if (!uploads)
        return 0;
    queue_close(uploads->paths);
    pthread_join(uploads->thread, NULL);
    *err = uploads->first;
    queue_destroy(uploads->paths);
    free(uploads);
    return err->code == ERR_NONE ? 0 : -1;
}
