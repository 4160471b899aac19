#include "base/clock.h"
#include "base/log.h"
#include "cloud/metrics.h"
#include "cloud/sqs/sqs.h"

#include <stdlib.h>

/* What CloudWatch is told of queues, AWS/SQS by QueueName. Messages are counted as they come; how
 * many there are and how old, once a minute for queues in use, or when somebody reads metrics. */

enum { ACTIVE_MS = 6 * 3600 * 1000 };

static void put(struct sqs *sqs, const struct queue *queue, const char *name, const char *unit,
                double value)
{
    const struct metric_dimension dimension = {"QueueName", queue->name};
    if (sqs->cloud->metrics)
        metrics_put(sqs->cloud->metrics, &(struct metric_value){"AWS/SQS", name, &dimension, 1,
                                                                value, unit, clock_unix_ms(), 1});
}

static size_t message_size(const struct message *message)
{
    json_t *attributes = message->attributes ? json_loads(message->attributes, 0, NULL) : NULL;
    size_t size = message->body_bytes + (attributes ? sqs_attributes_bytes(attributes) : 0);
    json_decref(attributes);
    return size;
}

void sqs_count_sent(const struct insertion *insertion)
{
    for (size_t i = 0; i < insertion->count; i++)
        put(insertion->sqs, insertion->queue, "SentMessageSize", "Bytes",
            (double)message_size(&insertion->messages[i]));
    if (insertion->count)
        put(insertion->sqs, insertion->queue, "NumberOfMessagesSent", "Count",
            (double)insertion->count);
}

void sqs_count_received(const struct reception *reception)
{
    size_t count = json_array_size(reception->messages);
    put(reception->sqs, reception->queue,
        count ? "NumberOfMessagesReceived" : "NumberOfEmptyReceives", "Count",
        count ? (double)count : 1);
}

void sqs_count_deleted(struct sqs *sqs, const struct queue *queue, size_t count)
{
    if (count)
        put(sqs, queue, "NumberOfMessagesDeleted", "Count", (double)count);
}

/* -- what is there -- */

static void measure(struct sqs *sqs, const struct queue *queue, int64_t now_ms)
{
    struct message_counts counts;
    struct err err;
    if (messages_count(sqs, queue, now_ms, &counts, &err) < 0) {
        log_line(LOG_ERROR, "sqs: %s", err.message);
        return;
    }
    int64_t age_ms = counts.oldest_ms ? now_ms - counts.oldest_ms : 0;
    put(sqs, queue, "ApproximateNumberOfMessagesVisible", "Count", (double)counts.visible);
    put(sqs, queue, "ApproximateNumberOfMessagesNotVisible", "Count", (double)counts.in_flight);
    put(sqs, queue, "ApproximateNumberOfMessagesDelayed", "Count", (double)counts.delayed);
    put(sqs, queue, "ApproximateAgeOfOldestMessage", "Seconds",
        age_ms > 0 ? (double)(age_ms / 1000) : 0);
}

/* Under the lock. A read of 500 metrics asks as often. */
static int has_due(struct sqs *sqs, int64_t minute)
{
    int has = sqs->has_unmeasured || sqs->measured_minute != minute;
    sqs->has_unmeasured = 0;
    sqs->measured_minute = minute;
    return has;
}

/* Queues that were used and not measured this minute, held; NULL: there are none. */
static struct queue **take_due(struct sqs *sqs, int64_t now_ms, size_t *count)
{
    int64_t minute = now_ms / SQS_MEASURE_MS;
    struct queue **due = NULL, *queue = NULL;
    *count = 0;
    pthread_mutex_lock(&sqs->lock);
    if (has_due(sqs, minute))
        due = calloc(sqs->queue_count + 1, sizeof(struct queue *));
    while (due && (queue = queue_next(sqs, queue))) {
        if (queue->measured_minute == minute || queue->used_ms < now_ms - ACTIVE_MS)
            continue;
        queue->measured_minute = minute;
        queue->holders++;
        due[(*count)++] = queue;
    }
    pthread_mutex_unlock(&sqs->lock);
    return due;
}

void sqs_measure(void *self)
{
    struct sqs *sqs = self;
    int64_t now_ms = clock_unix_ms();
    size_t count;
    struct queue **due = take_due(sqs, now_ms, &count);
    for (size_t i = 0; i < count; i++) {
        measure(sqs, due[i], now_ms);
        queue_drop(sqs, due[i]);
    }
    free(due);
}
