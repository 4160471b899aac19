#ifndef VIDEO_RECORDER_THREAD_H
#define VIDEO_RECORDER_THREAD_H

#include "base/err.h"
#include "base/queue.h"
#include "video/recorder.h"

#include <pthread.h>
#include <stdatomic.h>

struct AVFrame;
struct AVPacket;
struct AVCodecParameters;

/* The recorder's own thread: encodes or copies, cuts files, keeps what was before an event. Inside
 * the video module only; video/recorder.h is what others see. */

/* What waits for the thread: a picture to encode, or a packet. */
struct item {
    struct AVFrame *picture;
    struct AVPacket *packet;
    struct AVCodecParameters *parameters; /* of the packet, where they begin anew; else NULL */
    int64_t time_ns, taken_ns;            /* in the recording; by the monotonic clock */
};

struct recorder {
    struct recorder_options options;
    /* the capturing thread's: the next packet is to begin a stream; one was dropped, and what
     * follows is of no use up to the next key frame */
    int begins, broken;

    struct queue *queue;                           /* of struct item */
    atomic_size_t waiting_pictures, waiting_bytes; /* of it: pictures; bytes of packets */
    pthread_t thread;
    atomic_uint_fast64_t dropped;
    atomic_int event;                 /* something goes on */
    atomic_uint_fast64_t events;      /* how often something began */
    atomic_uint_fast64_t event_ended; /* monotonic ns */
    atomic_int failed;
    struct err err; /* why; written before `failed` is set */

    /* the writing thread's own */
    struct encoder *encoder;
    struct decoder *decoder; /* for packets that are to be encoded */
    struct turner *turner;   /* and turned, as nobody has done it */
    struct AVCodecParameters *parameters;
    struct AVPacket *packet;
    struct pre_roll *roll; /* with events_only */
    struct recorder_file *file;
    int copies;                     /* what comes is stored as it is */
    int64_t last_ticks, file_ticks; /* of the last packet; of the file's first one */
    uint64_t seen_events;
    struct recorder_result result;
};

/* The thread; `argument` is the recorder. Ends when its queue is closed and empty. */
void *recorder_thread(void *argument);

void recorder_item_destroy(struct item *item);
/* It is in the queue now (1), or no longer (-1). */
void recorder_count_waiting(struct recorder *recorder, const struct item *item, int change);
/* May a packet of that kind be stored as it is? */
int recorder_may_copy(const struct recorder *recorder, const struct AVCodecParameters *parameters);
int recorder_open_encoder(struct recorder *recorder, int width, int height,
                          struct err *err) MUST_USE;

#endif
