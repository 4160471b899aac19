#ifndef CLOUD_SQS_SQS_H
#define CLOUD_SQS_SQS_H

#include "aws/sqs.h"
#include "cloud/cloud.h"
#include "cloud/deliver.h"
#include "cloud/sqlite/database.h"
#include "cloud/wire.h"

#include <pthread.h>
#include <stdint.h>

/* SQS in ken cloud. Everything lies in DIR/sqs.sqlite; in memory are the queues' settings, when the
 * next message of each becomes visible, and the receives that wait for it.
 *
 * A send, a delete or a change of a queue is on the disk before its answer. That a message was
 * received is written with it, but not fsync'ed for: after a power cut it is handed out again. */

enum {
    SQS_MAX_QUEUES = 100000,
    SQS_MAX_QUEUE_NAME = 80,
    SQS_ARN_BYTES = 256,
    SQS_BUCKETS = 1024,
    SQS_MAX_VISIBILITY_S = 43200,
    SQS_MAX_DELAY_S = 900,
    SQS_MAX_WAIT_S = 20,
    SQS_MAX_RECEIVE = 10,
    SQS_MAX_IN_FLIGHT = 120000,
    SQS_MEASURE_MS = 60 * 1000,
    SQS_PURGE_MS = 60 * 1000, /* between two purges of a queue */
    SQS_DEDUPLICATION_MS = 5 * 60 * 1000,
    SQS_MAX_TAGS = 50,
    SQS_TEXT_BYTES = 129, /* deduplication ids, groups */
    SQS_HANDLE_BYTES = 96,
};
#define SQS_NEVER INT64_MAX

/* What sending and receiving need of a queue's attributes. */
struct queue_settings {
    int visibility_s, delay_s, wait_s, retention_s, max_bytes;
    int is_fifo, by_content, group_deduplication;
    int max_receives; /* 0: no redrive */
    char dead_letter[SQS_ARN_BYTES];
};

struct queue {
    int64_t id;
    char name[SQS_MAX_QUEUE_NAME + 1];
    struct queue_settings settings;
    json_t *attributes, *tags; /* texts by name; replaced as a whole, never changed */
    int64_t created_s, modified_s;
    int64_t next_ms;                  /* when the next message becomes visible, or SQS_NEVER */
    int64_t used_ms, measured_minute; /* for CloudWatch */
    int64_t purged_ms;                /* the last time; 0: not since the start */
    /* How many may be received before those in flight are counted again; of the writing thread. */
    int64_t flight_room;
    int holders, is_deleted;
    struct queue *next;
};

struct sqs {
    struct cloud *cloud;
    struct database *database;
    pthread_mutex_t lock; /* of all below, and of the queues */
    struct queue *buckets[SQS_BUCKETS];
    size_t queue_count;
    /* For CloudWatch: when the queues were looked through, and whether one was used since that was
     * not measured in its minute. */
    int64_t measured_minute;
    int has_unmeasured;
    struct poller *poller;
};

/* One request. An operation returns -1 with `code` and the message in `err`. */
struct sqs_call {
    struct sqs *sqs;
    struct exchange *x;
    struct wire wire;
    const json_t *body;
    json_t *answer; /* an object to fill */
    struct queue *queue;
    struct queue_settings settings; /* the queue's, when the call began */
    const char *code;
    struct err err;
    int64_t now_ms;
    int is_deferred; /* answered later: the call's parts are the poller's now */
};
typedef int sqs_operation(struct sqs_call *call);
sqs_operation sqs_create_queue, sqs_delete_queue, sqs_list_queues, sqs_get_queue_url,
    sqs_get_attributes, sqs_set_attributes, sqs_purge_queue, sqs_tag_queue, sqs_untag_queue,
    sqs_list_tags, sqs_list_sources, sqs_add_permission, sqs_remove_permission, sqs_send,
    sqs_send_batch, sqs_receive, sqs_delete, sqs_delete_batch, sqs_change_visibility,
    sqs_change_visibility_batch, sqs_start_move, sqs_cancel_move, sqs_list_moves;

int sqs_fail(struct sqs_call *call, const char *code, const char *format, ...) PRINTF(3, 4);
/* Codes that are used in more than one place. */
#define SQS_NO_QUEUE "AWS.SimpleQueueService.NonExistentQueue"
#define SQS_INVALID "InvalidParameterValue"
#define SQS_MISSING "MissingParameter"
int sqs_fail_missing(struct sqs_call *call, const char *name);
int sqs_fail_no_queue(struct sqs_call *call);
/* A whole number from `least` to `most`; `*out` stays when it is absent. */
int sqs_number(struct sqs_call *call, const json_t *from, const char *name, int64_t range[2],
               int64_t *out) MUST_USE;
const char *sqs_text(const json_t *from, const char *name); /* NULL: absent */
#define SQS_MESSAGE_PARAMETERS                                                                     \
    "MessageBody DelaySeconds MessageAttributes MessageSystemAttributes MessageDeduplicationId "   \
    "MessageGroupId"
/* Of a batch request: 1 to SQS_MAX_BATCH entries with different, valid ids, and no other members
 * than `members` names. */
int sqs_check_batch(struct sqs_call *call, const json_t *entries, const char *members) MUST_USE;
/* "Successful" and "Failed", of which empty ones are left out; takes both. */
void sqs_put_batch(struct sqs_call *call, json_t *successful, json_t *failed);
void sqs_put_failure(json_t *failed, const char *id, const char *code, const char *message);
/* Answers the call and ends it. */
void sqs_finish_call(struct sqs_call *call, int result);

/* -- queues (queues.c) -- */

/* Opens the file and reads the queues. */
int sqs_load(struct sqs *sqs, struct err *err) MUST_USE;
void sqs_unload(struct sqs *sqs);
/* A queue by name, held until queue_drop(); NULL: there is none. */
struct queue *queue_find(struct sqs *sqs, const char *name, size_t size);
struct queue *queue_find_arn(struct sqs *sqs, const char *arn);
void queue_drop(struct sqs *sqs, struct queue *queue); /* NULL is fine */
struct queue_settings queue_settings(struct sqs *sqs, struct queue *queue);
void queue_arn(const struct sqs *sqs, const struct queue *queue, char out[SQS_ARN_BYTES]);
/* Under the lock: every queue, one after the other; NULL begins and ends. */
struct queue *queue_next(struct sqs *sqs, const struct queue *queue);
char *queue_url(struct sqs_call *call, const char *name); /* in the exchange's arena */
/* Under the lock: put a queue among the others, take one out. */
void queue_link(struct sqs *sqs, struct queue *queue);
void queue_unlink(struct sqs *sqs, struct queue *queue);
void queue_free(struct queue *queue); /* one that is not, or no longer, among them */
/* The queue's attributes or tags as they are now: a reference. */
json_t *queue_hold(struct sqs_call *call, json_t *const *what);
/* Replaces both, on the disk first; takes both. `settings` NULL: as they were. */
int queue_store(struct sqs_call *call, json_t *attributes, json_t *tags,
                const struct queue_settings *settings);
/* Is that name one that a queue may have? */
int queue_name_is_valid(const char *name, size_t size, int is_fifo);

/* -- attributes (attributes.c) -- */

/* Check `given` (texts by name) over the queue's present ones and fill what they mean. The result
 * is a new object, or NULL with the call's failure. `present` NULL: a new queue. */
json_t *attributes_apply(struct sqs_call *call, const json_t *present, const json_t *given,
                         struct queue_settings *settings);
/* From stored ones. */
void attributes_settings(const json_t *attributes, struct queue_settings *settings);

/* -- messages (messages.c, fifo.c): inside write jobs -- */

struct message {
    int64_t id;
    const char *uuid, *body;
    size_t body_bytes;
    const char *attributes, *trace;                         /* JSON text; NULL: none */
    const char *group, *deduplication_id, *sender, *source; /* NULL: none */
    int64_t delay_ms;
};

/* Insert; for FIFO queues a duplicate of the last five minutes gets the first one's uuid (copied
 * into `uuid`) and id instead. */
struct insertion {
    struct sqs *sqs;
    struct queue *queue;
    struct queue_settings settings;
    struct message *messages;
    size_t count;
    int64_t now_ms;
    char (*uuids)[37]; /* as many as messages */
};
database_job messages_insert;
/* What a message has in `trace` when its request or topic was traced; from malloc(). */
char *sqs_trace_json(const char *header);

/* When the queue's next message becomes visible goes to queue->next_ms; wakes the poller. */
int messages_refresh(struct connection *connection, struct sqs *sqs, struct queue *queue,
                     struct err *err) MUST_USE;
/* The group's next turn, after any change of its messages. */
int fifo_refresh(struct connection *connection, int64_t queue, const char *group,
                 struct err *err) MUST_USE;
/* It was received from: the other groups come first now. */
int fifo_to_end(struct connection *connection, int64_t queue, const char *group,
                struct err *err) MUST_USE;
/* 1: a duplicate, `message->id` and `uuid` are the first one's. */
int fifo_find_duplicate(struct connection *connection, const struct insertion *insertion,
                        struct message *message, char uuid[37], struct err *err);
int fifo_remember(struct connection *connection, const struct insertion *insertion,
                  const struct message *message, struct err *err) MUST_USE;
void fifo_sequence_number(int64_t id, char out[24]);

/* Counts of a queue. */
struct message_counts {
    int64_t visible, in_flight, delayed;
    int64_t oldest_ms; /* when the oldest one was sent; 0: there is none */
};
int messages_count(struct sqs *sqs, const struct queue *queue, int64_t now_ms,
                   struct message_counts *out, struct err *err) MUST_USE;

/* Those that were received and not deleted, inside a job. */
int messages_in_flight(struct connection *connection, const struct queue *queue, int64_t now_ms,
                       int64_t *out, struct err *err) MUST_USE;

/* A receipt handle names a message and one time that it was received. */
struct receipt {
    int64_t queue, message, nonce;
};
void receipt_write(const struct receipt *receipt, char out[SQS_HANDLE_BYTES]);
int receipt_read(const char *text, struct receipt *receipt) MUST_USE;

/* Deletes at most SQS_MAX_BATCH by receipt handles; those that are wrong or have expired are passed
 * over (change.c). */
int messages_delete(struct sqs *sqs, struct queue *queue, const char *const *handles, size_t count,
                    struct err *err) MUST_USE;

/* -- receiving (receive.c) -- */

struct reception {
    struct sqs *sqs;
    struct queue *queue;
    struct queue_settings settings;
    const json_t *body;
    int64_t now_ms, visibility_ms;
    int most;
    const char *attempt;
    json_t *messages; /* an array: what was received */
    int is_over;      /* nothing was: too many are in flight */
};
/* Try now; relaxed. */
int reception_run(struct reception *reception, struct err *err) MUST_USE;
/* Adds the message with that id, as its receiver gets it, to r->messages (receive_message.c). */
int reception_read(struct connection *connection, struct reception *r, int64_t id, int64_t nonce,
                   struct err *err) MUST_USE;

/* -- waiting (poller.c) -- */

int poller_start(struct sqs *sqs, struct err *err) MUST_USE;
/* Answers all that wait and ends the thread. */
void poller_stop(struct sqs *sqs);
void poller_destroy(struct sqs *sqs);
/* Under the lock: a queue may have something. */
void poller_wake(struct sqs *sqs);
/* There is a move task to begin. */
void poller_work(struct sqs *sqs);
/* Takes a call over and defers it; -1 when there is no memory or the cloud is stopping, then
 * answer at once. */
int poller_wait(struct sqs_call *call, const struct reception *reception, int64_t until_ms);

/* -- CloudWatch (numbers.c) -- */

void sqs_count_sent(const struct insertion *insertion);
void sqs_count_received(const struct reception *reception);
void sqs_count_deleted(struct sqs *sqs, const struct queue *queue, size_t count);
/* How many messages the queues have, those that were not measured this minute; `self` is a struct
 * sqs. */
void sqs_measure(void *self);

/* -- housekeeping -- */
/* Deletes what is past its retention, forgets old deduplication ids. */
void messages_expire(struct sqs *sqs, int64_t now_ms);
/* Move a piece of each running task. Returns when to come again, or SQS_NEVER. */
int64_t moves_work(struct sqs *sqs, int64_t now_ms);

#endif
