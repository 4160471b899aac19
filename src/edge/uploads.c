#include "edge/uploads.h"

#include "edge/recording.h"
#include "edge/retry.h"
#include "edge/uplink.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct uploads {
    struct edge_run *run;
    struct queue *paths;
    pthread_t thread;
    atomic_int ending;   /* the run is about to tell how it went */
    atomic_int left_out; /* there was no room for one */
    struct err first;    /* of those that stay here */
};

static int put(const struct edge_run *run, const char *path, struct err *err)
{
    struct retry retry;
    if (recording_await_name(path) < 0)
        return err_set_errno(err, "send %s", path);
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
        uploads->paths = queue_create(UPLOADS_MAX_WAITING, err);
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
    atomic_store(&uploads->left_out, 1);
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
    if (err->code == ERR_NONE && atomic_load(&uploads->left_out))
        err_set(err, ERR_BUSY, "too many recordings waited for the network: some stay here");
    queue_destroy(uploads->paths);
    free(uploads);
    return err->code == ERR_NONE ? 0 : -1;
}
