#include "edge/sender.h"

#include "aws/s3_upload.h"
#include "base/clock.h"
#include "base/file.h"
#include "edge/recording.h"
#include "edge/refusal.h"
#include "edge/retry.h"
#include "edge/spool.h"
#include "edge/uplink.h"
#include "video/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FRAME_BYTES ((size_t)64 * 1024 * 1024)
enum { LOOK_MS = 50 };

struct sender {
    struct edge_run *run;
    struct uplink *uplink; /* NULL until it could be opened */
    pthread_t thread;
    atomic_int finishing;
    atomic_llong give_up_ms; /* monotonic; counts once it finishes, moves on with each success */
    atomic_llong patience_ms;
    struct buf meta, data;
    uint64_t id;  /* of the item that is being sent */
    json_t *item; /* its line, of the rank */
    enum spool_rank rank;
    struct refusal refusals[SPOOL_RANKS];
    int pause_ms;
};

/* How sending an item ended; AGAIN: the cloud may be gone, or refuses it; GONE: somebody removed
 * its file. */
enum outcome { SENT, AGAIN, HOPELESS, GONE };

static const char *text_of(const struct sender *sender, const char *name)
{
    const char *text = json_string_value(json_object_get(sender->item, name));
    return text ? text : "";
}

/* Of this run's frames by the clock that nobody sets. */
static double waited_ms(const struct sender *sender)
{
    const char *folder = strrchr(sender->run->totals.frames_folder, '/');
    if (folder && strcmp(folder + 1, text_of(sender, "run")) == 0)
        return clock_ms_since(
            (uint64_t)json_integer_value(json_object_get(sender->item, "captured_ns")));
    int64_t captured_ms = json_integer_value(json_object_get(sender->item, "captured_unix_ms"));
    return fmax((double)(clock_unix_ms() - captured_ms), 0);
}

/* Tell of a frame that got through after all. */
static void tell(struct sender *sender, const struct uplink_frame *sent, struct answer *answer,
                 int status)
{
    struct edge_run *run = sender->run;
    struct edge_frame frame = {.late = 1, .asked = 1, .bytes = sent->size, .status = status};
    frame.number = (uint64_t)json_integer_value(json_object_get(sender->item, "number"));
    frame.captured_unix_ms = json_integer_value(json_object_get(sender->item, "captured_unix_ms"));
    frame.answer = answer;
    frame.verdict = answer_verdict(answer, run->options->expect);
    snprintf(frame.key, sizeof frame.key, "%s", answer->key);
    for (int i = 0; i < STAGE_COUNT; i++)
        frame.stage_ms[i] = NAN;
    frame.stage_ms[STAGE_total] = waited_ms(sender);
    pthread_mutex_lock(&run->lock);
    run->totals.requests++;
    run->totals.answers++;
    run->totals.verdicts[frame.verdict]++;
    report_frame(run->report, &frame);
    run->listener->frame(run->listener->context, &frame);
    pthread_mutex_unlock(&run->lock);
}

static enum outcome ask(struct sender *sender, const struct uplink_frame *frame, struct err *err)
{
    const struct buf *body;
    struct answer answer;
    int status = uplink_ask(sender->uplink, frame->key, &body, err);
    if (status < 0)
        return AGAIN;
    if (answer_parse(&answer, body->data, body->size, err) < 0)
        return AGAIN;
    tell(sender, frame, &answer, status);
    answer_finish(&answer);
    return SENT;
}

/* Under its key; where another run's frame has that already, below the run's own name, under which
 * only an earlier try can have been. */
static int put_frame(struct sender *sender, struct uplink_frame *frame, char *own, size_t own_bytes,
                     struct err *err)
{
    int other = uplink_put_new(sender->uplink, frame, frame->key, err);
    if (other <= 0)
        return other;
    snprintf(own, own_bytes, "%s/%s", text_of(sender, "run"), frame->key);
    frame->key = own;
    other = uplink_put_new(sender->uplink, frame, own, err);
    if (other == 2)
        return 0;
    return other == 1 ? err_set(err, ERR_EXISTS, "put %s: another frame is there", own) : other;
}

static enum outcome send_frame(struct sender *sender, struct err *err)
{
    char own[EDGE_KEY_BYTES + 256];
    struct uplink_frame frame = {.key = text_of(sender, "key"),
                                 .content_type = text_of(sender, "type"),
                                 .data = sender->data.data,
                                 .size = sender->data.size};
    if (!*frame.key || frame.size == 0) {
        err_set(err, ERR_CORRUPT, "send frame: the queue's item has none");
        return HOPELESS;
    }
    if (put_frame(sender, &frame, own, sizeof own, err) < 0)
        return err->code == ERR_EXISTS ? HOPELESS : AGAIN;
    return json_is_true(json_object_get(sender->item, "ask")) ? ask(sender, &frame, err) : SENT;
}

/* The upload's id is kept with the item, so that the next try, or the next start, goes on. */
static int keep_upload_id(void *context, const char *id, struct err *err)
{
    struct sender *sender = context;
    json_object_set_new(sender->item, "upload_id", json_string(id));
    char *text = json_dumps(sender->item, JSON_COMPACT);
    int done = text ? spool_rewrite(sender->run->spool, sender->id, text, err)
                    : err_set(err, ERR_NO_MEMORY, "keep upload: out of memory");
    free(text);
    return done;
}

/* Absolute, also of a file that is not there yet. Allocated; NULL with errno. */
static char *full_path(const char *path)
{
    char *full = NULL, folder[4096];
    const char *name = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", name ? (int)(name - path) : 1, name ? path : ".");
    char *real = realpath(*folder ? folder : "/", NULL);
    if (real && asprintf(&full, "%s/%s", real, name ? name + 1 : path) < 0)
        full = NULL;
    free(real);
    return full;
}

/* What is known of the upload. */
static struct s3_upload upload_of(struct sender *sender)
{
    struct s3_upload upload = {.key = text_of(sender, "key"),
                               .content_type = "video/mp4",
                               .fd = -1,
                               .began = keep_upload_id,
                               .context = sender};
    const json_t *id = json_object_get(sender->item, "upload_id");
    snprintf(upload.id, sizeof upload.id, "%s", text_of(sender, "upload_id"));
    upload.unsure = id && !upload.id[0];
    return upload;
}

/* The file is gone: nobody will ever complete what was sent of it. */
static enum outcome abandon_video(struct sender *sender, struct err *err)
{
    struct err why = {0};
    struct s3_upload upload = upload_of(sender);
    if (uplink_abandon(sender->uplink, &upload, &why) == 0 || !uplink_may_pass(&why))
        return GONE;
    *err = why;
    return AGAIN;
}

static enum outcome send_video(struct sender *sender, struct err *err)
{
    struct stat status;
    const char *path = text_of(sender, "path");
    int fd = recording_await_name(path) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        int gone = errno == ENOENT && recording_stat(path, &status) < 0;
        err_set_errno(err, "send %s", path);
        if (fd >= 0)
            close(fd);
        return gone ? abandon_video(sender, err) : AGAIN;
    }
    struct s3_upload upload = upload_of(sender);
    upload.fd = fd;
    upload.size = (uint64_t)status.st_size;
    int done = uplink_upload(sender->uplink, &upload, err);
    close(fd);
    if (done < 0)
        return AGAIN;
    pthread_mutex_lock(&sender->run->lock);
    snprintf(sender->run->sent_video, sizeof sender->run->sent_video, "%s", path);
    pthread_mutex_unlock(&sender->run->lock);
    return SENT;
}

static enum spool_rank rank_of(const struct sender *sender, const char *kind)
{
    if (strcmp(kind, "video") == 0)
        return SPOOL_VIDEO;
    return json_is_true(json_object_get(sender->item, "ask")) ? SPOOL_QUESTION : SPOOL_ARCHIVE;
}

static enum outcome send_item(struct sender *sender, struct err *err)
{
    if (!sender->uplink && !(sender->uplink = uplink_open(sender->run->options->deployment, err)))
        return AGAIN;
    sender->item = json_loadb(sender->meta.data, sender->meta.size, 0, NULL);
    const char *kind = text_of(sender, "kind");
    sender->rank = rank_of(sender, kind);
    enum outcome outcome = HOPELESS;
    if (strcmp(kind, "frame") == 0)
        outcome = send_frame(sender, err);
    else if (strcmp(kind, "video") == 0)
        outcome = send_video(sender, err);
    else
        err_set(err, ERR_CORRUPT, "send from the queue: an item of no kind");
    json_decref(sender->item);
    sender->item = NULL;
    return outcome;
}

static void pause_a_while(struct sender *sender)
{
    int pause_ms = retry_draw(&sender->pause_ms, SENDER_MAX_PAUSE_MS);
    uint64_t until_ns = clock_monotonic_ns() + (uint64_t)pause_ms * 1000000;
    while (clock_monotonic_ns() < until_ns && !atomic_load(&sender->finishing))
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_MS * 1000000ull);
    if (atomic_load(&sender->finishing))
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_MS * 1000000ull);
}

static void note_progress(struct sender *sender)
{
    atomic_store(&sender->give_up_ms,
                 (long long)(clock_monotonic_ns() / 1000000) + atomic_load(&sender->patience_ms));
    sender->pause_ms = SENDER_FIRST_PAUSE_MS;
    refusal_pass(&sender->refusals[sender->rank], sender->id);
}

static void set_aside(struct sender *sender, const struct err *err, const char *why)
{
    edge_notice(sender->run, "%s; %sit lies in %s/queue/" SPOOL_ASIDE " now", err->message, why,
                sender->run->options->work);
    spool_set_aside(sender->run->spool, sender->id);
}

static void note_refusal(struct sender *sender, const struct err *err)
{
    struct refusal *refusal = &sender->refusals[sender->rank];
    int is_first = refusal->id == 0;
    if (refusal_note(refusal, sender->id, clock_monotonic_ns()))
        set_aside(sender, err, "others get through: ");
    else if (is_first)
        edge_notice(sender->run, "%s; what waits in the queue is tried again later", err->message);
}

static void settle(struct sender *sender, enum outcome outcome, const struct err *err)
{
    struct edge_run *run = sender->run;
    if (outcome == SENT) {
        edge_note_success(run);
        spool_remove(run->spool, sender->id);
        pthread_mutex_lock(&run->lock);
        run->totals.late++;
        pthread_mutex_unlock(&run->lock);
        note_progress(sender);
    } else if (outcome == HOPELESS) {
        set_aside(sender, err, "");
    } else if (outcome == GONE) {
        edge_notice(run, "%s; it waits no more", err->message);
        spool_remove(run->spool, sender->id);
    } else if (uplink_may_pass(err)) {
        edge_note_failure(run, err);
        pause_a_while(sender);
    } else {
        note_refusal(sender, err);
    }
}

static int is_over(struct sender *sender, int empty)
{
    if (!atomic_load(&sender->finishing))
        return 0;
    return empty || (long long)(clock_monotonic_ns() / 1000000) >= atomic_load(&sender->give_up_ms);
}

static int pick(struct sender *sender, unsigned ranks, uint64_t but, struct err *err)
{
    const struct spool_wish wish = {.ranks = ranks, .but = but};
    return spool_pick(sender->run->spool, &wish, &sender->id, &sender->meta, &sender->data, err);
}

/* The oldest item of the ranks, or another one in its place, see refusal.h. As spool_first(). */
static int next_item(struct sender *sender, unsigned ranks, struct err *err)
{
    int there = pick(sender, ranks, 0, err);
    for (unsigned i = 0; i < SPOOL_RANKS && there > 0; i++) {
        const struct refusal *refusal = &sender->refusals[i];
        if (!refusal->others_turn || refusal->id != sender->id)
            continue;
        int other = pick(sender, 1u << i, refusal->id, err);
        return other ? other : pick(sender, 1u << i, 0, err);
    }
    return there;
}

/* Nobody waits long for a program that is about to end. */
static unsigned due_ranks(struct sender *sender)
{
    uint64_t now_ns = clock_monotonic_ns(), soon_ns = now_ns + LOOK_MS * 1000000ull;
    for (int i = 0; i < SPOOL_RANKS && atomic_load(&sender->finishing); i++)
        if (sender->refusals[i].until_ns > soon_ns)
            sender->refusals[i].until_ns = soon_ns;
    return refusals_due(sender->refusals, now_ns);
}

static enum outcome unreadable(const struct err *err)
{
    return err->code == ERR_NOT_FOUND ? GONE : HOPELESS;
}

static void *work(void *argument)
{
    struct sender *sender = argument;
    struct spool *spool = sender->run->spool;
    for (;;) {
        struct err err = {0};
        unsigned ranks = due_ranks(sender);
        int there = next_item(sender, ranks, &err);
        int is_held = there == 0 && ranks != REFUSAL_ALL_RANKS;
        if (is_over(sender, there == 0 && !is_held))
            return NULL;
        if (is_held) {
            clock_sleep_until_ns(clock_monotonic_ns() + LOOK_MS * 1000000ull);
        } else if (there == 0) {
            spool_wait(spool, 1000);
        } else {
            settle(sender, there < 0 ? unreadable(&err) : send_item(sender, &err), &err);
        }
    }
}

struct sender *sender_start(struct edge_run *run, struct err *err)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender) {
        err_set(err, ERR_NO_MEMORY, "send from the queue: out of memory");
        return NULL;
    }
    sender->run = run;
    sender->pause_ms = SENDER_FIRST_PAUSE_MS;
    buf_init(&sender->meta, SPOOL_MAX_META_BYTES);
    buf_init(&sender->data, MAX_FRAME_BYTES);
    if (pthread_create(&sender->thread, NULL, work, sender) == 0)
        return sender;
    err_set(err, ERR_NO_MEMORY, "send from the queue: no thread to be had");
    free(sender);
    return NULL;
}

void sender_finish(struct sender *sender, double patience_s)
{
    if (!sender)
        return;
    long long patience_ms = (long long)(patience_s * 1000);
    atomic_store(&sender->patience_ms, patience_ms);
    atomic_store(&sender->give_up_ms, (long long)(clock_monotonic_ns() / 1000000) + patience_ms);
    atomic_store(&sender->finishing, 1);
    spool_wake(sender->run->spool);
    pthread_join(sender->thread, NULL);
    uplink_close(sender->uplink);
    buf_finish(&sender->meta);
    buf_finish(&sender->data);
    free(sender);
}

int sender_queue_video(struct edge_run *run, const char *path, struct err *err)
{
    struct stat status;
    char *full = full_path(path);
    if (!full || recording_stat(full, &status) < 0) {
        free(full);
        return err_set_errno(err, "queue %s", path);
    }
    json_t *meta =
        json_pack("{ss ss ss}", "kind", "video", "path", full, "key", strrchr(full, '/') + 1);
    char *text = meta ? json_dumps(meta, JSON_COMPACT) : NULL;
    const struct spool_item item = {
        .rank = SPOOL_VIDEO, .meta = text ? text : "{}", .outside_bytes = (uint64_t)status.st_size};
    int done = text ? spool_add(run->spool, &item, err)
                    : err_set(err, ERR_INVALID, "queue %s: its name is no UTF-8", path);
    if (done == 0) {
        pthread_mutex_lock(&run->lock);
        snprintf(run->last_video, sizeof run->last_video, "%s", full);
        pthread_mutex_unlock(&run->lock);
    }
    free(text);
    json_decref(meta);
    free(full);
    return done;
}

static int plays(const char *path)
{
    struct err err = {0};
    struct frame frame;
    struct source *source = source_open(path, &(struct source_options){0}, &err);
    int shown = source ? source_read(source, &frame, &err) : -1;
    source_close(source);
    return shown == SOURCE_FRAME;
}

static int adopt(struct edge_run *run, const char *name, struct err *err)
{
    char from[4096], to[4096];
    size_t length = strlen(name) - strlen(".part");
    int a = snprintf(from, sizeof from, "%s/%s", run->options->work, name);
    int b = snprintf(to, sizeof to, "%s/%.*s", run->options->work, (int)length, name);
    if (a < 0 || b < 0 || (size_t)a >= sizeof from)
        return err_set(err, ERR_TOO_BIG, "adopt %s: the name is too long", name);
    if (retention_is_open(from))
        return 0;       /* another program's, without a queue */
    if (!plays(from)) { /* cut before its first fragment */
        edge_notice(run, "%s holds no picture yet; it is removed", from);
        unlink(from);
        return 0;
    }
    char quoted[300];
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)length, name);
    if (!spool_holds(run->spool, SPOOL_VIDEO, quoted) && sender_queue_video(run, to, err) < 0)
        return -1;
    return file_move(from, to, err);
}

int sender_adopt_videos(struct edge_run *run, struct err *err)
{
    const char *ending = ".mp4.part";
    DIR *folder = opendir(run->options->work);
    int result = folder ? 0 : err_set_errno(err, "read %s", run->options->work);
    for (struct dirent *file; result == 0 && (file = readdir(folder));) {
        size_t length = strlen(file->d_name), tail = strlen(ending);
        if (length > tail && strcmp(file->d_name + length - tail, ending) == 0)
            result = adopt(run, file->d_name, err);
    }
    if (folder)
        closedir(folder);
    return result;
}
