#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "base/err.h"
#include "edge/answer.h"
#include "edge/deployment.h"
#include "edge/local.h"
#include "edge/stage.h"
#include "edge/track.h"
#include "image/image.h"
#include "video/recorder.h"
#include "video/source.h"

#include <stddef.h>
#include <stdint.h>

/* The camera's side. One thread captures and never waits: every frame goes to the recorder, every
 * `every`-th to a bounded queue, from which workers deliver it, by the architecture: encode, keep a
 * copy in the work folder, PUT it to the frame bucket, ask the API who it is, remove the copy. A
 * recording goes to the video bucket as soon as its file is complete.
 *
 * Recorder and workers fail independently. A frame whose delivery fails is tried again for
 * `retry_s` where the failure may pass; then it is lost, stays in the work folder, and the cloud
 * counts as gone: each later frame has one try, until one gets through. */

enum { EDGE_MAX_WORKERS = 64, EDGE_MAX_PREFIX = 128, EDGE_KEY_BYTES = EDGE_MAX_PREFIX + 64 };

/* One frame that was sampled, delivered or lost. */
struct edge_frame {
    uint64_t number;
    char key[EDGE_KEY_BYTES];
    int64_t captured_unix_ms;
    size_t bytes;                 /* encoded */
    const struct answer *answer;  /* NULL: lost */
    const char *lost_because;     /* NULL: answered; why also where it is queued */
    int queued;                   /* it waits on the disk, and comes again when it was sent */
    int late;                     /* it waited there before */
    int by_device;                /* C, D: the cloud is gone, and this is the device's answer */
    int status;                   /* HTTP, of the answer */
    int asked;                    /* requests sent to the API for it */
    enum verdict verdict;         /* against `expect` */
    double stage_ms[STAGE_COUNT]; /* NAN: not reached or not known */
};

/* How things are, told about once a second. */
struct edge_status {
    uint64_t frames;                   /* captured */
    uint64_t queue_items, queue_bytes; /* what waits on the disk */
    uint64_t queue_evicted;            /* what went from there unsent */
    uint64_t queue_aside;              /* what was refused for ever, or could not be read */
    int cloud_gone;
    enum source_state camera;
};
enum { EDGE_STATUS_MS = 1000 };

struct edge_listener {
    void *context;
    /* Both come one at a time, from several threads. */
    void (*frame)(void *context, const struct edge_frame *frame);
    void (*notice)(void *context, const char *text); /* something went wrong; one line */
    void (*status)(void *context, const struct edge_status *status); /* NULL: nobody listens; from
                                                                         the capturing thread */
    void (*visit)(void *context, const struct track_event *event);   /* NULL: nobody listens */
    int (*stop)(void *context); /* asked at each frame; NULL: never */
};

/* How a frame comes to its answer (docs/architectures.md has all five). */
enum edge_architecture {
    EDGE_FRAME_TO_BUCKET,  /* C: PUT to the frame bucket, then GET */
    EDGE_FRAME_IN_REQUEST, /* D: POST the frame; the function archives it */
    EDGE_ON_DEVICE,        /* E: recognise here, fetch the record, archive the frame afterwards */
};
/* From "c", "d" or "e"; -1 for another word. */
int edge_architecture_read(enum edge_architecture *architecture, const char *word) MUST_USE;

struct edge_options {
    enum edge_architecture architecture;
    const struct local_options *local; /* networks (when_face, best_shot, crop, visits; E), and
                                          E's gallery and records */
    const char *video;
    struct source_options source;
    const struct deployment *deployment;
    const char *work;      /* folder, made if absent */
    const char *prefix;    /* in front of the keys; "" for none */
    const char *expect;    /* who is in the video, "unknown", or NULL */
    const char *report;    /* JSON lines go there, or NULL */
    uint64_t every;        /* every so many frames one is sent; */
    double interval_ms;    /* or, where it is above 0, one every so many milliseconds */
    int when_face;         /* of them only those that show a face */
    int best_shot;         /* not those, but the best picture of each visit */
    int crop;              /* only the part around the faces */
    int visits;            /* follow faces and tell who comes and goes */
    size_t workers, queue; /* queue: sampled frames that may wait in memory */
    enum image_format format;
    int quality; /* of JPEG */
    int record;
    double retry_s;
    uint64_t queue_bytes;  /* on the disk, for what cannot be sent now; 0: there is no such queue */
    int answer_here;       /* C, D: while the cloud is gone, by `local` */
    double record_again_s; /* in real time, after a failure; 0: EDGE_RECORD_AGAIN_S */
    struct recorder_options recorder; /* its folder, rate, size and callbacks are set here */
};

enum { EDGE_RECORD_AGAIN_S = 60 };

struct edge_totals {
    uint64_t frames;      /* captured */
    uint64_t sampled;     /* every N-th of them */
    uint64_t dropped;     /* sampled, but the queue was full */
    uint64_t requests;    /* frames that were asked about */
    uint64_t retries;     /* repeated questions */
    uint64_t answers;     /* of the function, failures such as NoFace included */
    uint64_t lost;        /* sampled without an answer; the dropped ones included */
    uint64_t queued;      /* went to the queue on the disk; */
    uint64_t late;        /* of them, or of an earlier run's, sent (and answered) since */
    uint64_t waiting;     /* what waits there at the end: frames and videos */
    uint64_t evicted;     /* went from there unsent, as it was full */
    uint64_t aside;       /* refused for ever, or unreadable: in the folder SPOOL_ASIDE there */
    uint64_t unarchived;  /* E: answered, but not in the frame bucket */
    uint64_t kept;        /* of the lost and unarchived, still in the work folder */
    uint64_t verdicts[4]; /* by enum verdict */
    uint64_t visits;      /* that were entered */
    struct recorder_result recording;
    int recorded, stored;     /* the recording is complete; all its files are in the video bucket */
    double seconds, cpu_s;    /* wall time; processor time of the whole process */
    char frames_folder[4096]; /* where kept frames are */
};

/* Whether every, workers and prefix are within their limits; edge_run() looks, too. */
int edge_check(const struct edge_options *options, struct err *err) MUST_USE;

/* Returns 0 when all went well: nothing lost, the recording stored. Otherwise -1 with the cause in
 * `err`. `totals` is filled in any case. */
int edge_run(const struct edge_options *options, const struct edge_listener *listener,
             struct edge_totals *totals, struct err *err) MUST_USE;

#endif
