#include "cloud/sqs/queue.h"

#include "base/clock.h"
#include "cloud/sqs/sqs.h"

static struct queue *find(struct sqs *sqs, const char *arn, struct err *err)
{
    struct queue *queue = queue_find_arn(sqs, arn);
    if (!queue)
        err_set(err, ERR_NOT_FOUND, "receive from %s: there is no such queue", arn);
    return queue;
}

int queue_source_look(struct sqs *sqs, const char *arn, struct queue_source *out, struct err *err)
{
    struct queue *queue = find(sqs, arn, err);
    if (!queue)
        return -1;
    const struct queue_settings settings = queue_settings(sqs, queue);
    *out = (struct queue_source){settings.visibility_s, settings.is_fifo};
    queue_drop(sqs, queue);
    return 0;
}

int queue_source_is_ready(struct sqs *sqs, const char *arn)
{
    struct queue *queue = queue_find_arn(sqs, arn);
    if (!queue)
        return 0;
    pthread_mutex_lock(&sqs->lock);
    int is_ready = queue->next_ms <= clock_unix_ms();
    pthread_mutex_unlock(&sqs->lock);
    queue_drop(sqs, queue);
    return is_ready;
}

int queue_source_receive(struct sqs *sqs, const char *arn, int most, json_t *messages,
                         struct err *err)
{
    struct queue *queue = find(sqs, arn, err);
    if (!queue)
        return -1;
    json_t *body =
        json_pack("{s:[s], s:[s]}", "AttributeNames", "All", "MessageAttributeNames", "All");
    struct reception reception = {.sqs = sqs,
                                  .queue = queue,
                                  .settings = queue_settings(sqs, queue),
                                  .body = body,
                                  .now_ms = clock_unix_ms(),
                                  .most = most < QUEUE_SOURCE_MOST ? most : QUEUE_SOURCE_MOST,
                                  .messages = messages};
    reception.visibility_ms = (int64_t)reception.settings.visibility_s * 1000;
    int result = reception_run(&reception, err);
    json_decref(body);
    queue_drop(sqs, queue);
    return result;
}

int queue_source_delete(struct sqs *sqs, const char *arn, const char *const *handles, size_t count,
                        struct err *err)
{
    struct queue *queue = find(sqs, arn, err);
    if (!queue)
        return -1;
    int result = messages_delete(sqs, queue, handles, count, err);
    queue_drop(sqs, queue);
    return result;
}
