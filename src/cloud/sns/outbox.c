#include "aws/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud/sns/delivery_policy.h"
#include "cloud/sns/sns.h"

#include <stdlib.h>
#include <string.h>

/* Messages to HTTP addresses, in the table `outbox` until they are answered. A few threads send
 * them; one that is refused is tried again after 1, 2, 4 ... seconds, at most OUTBOX_MAX_DELAY_MS
 * apart, OUTBOX_ATTEMPTS times in all; then it goes to the subscription's dead-letter queue. */

enum {
    OUTBOX_THREADS = 4,
    OUTBOX_ATTEMPTS = 50,
    OUTBOX_MAX_DELAY_MS = 10 * 60 * 1000,
    OUTBOX_TIMEOUT_MS = 15000,
    OUTBOX_ANSWER_BYTES = 64 * 1024,
    OUTBOX_LEASE_MS = 60 * 1000, /* one that is being sent is nobody else's for so long */
};

struct outbox {
    struct sns *sns;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t threads[OUTBOX_THREADS];
    size_t thread_count;
    int64_t next_ms; /* when something is due */
    int closing;
};

/* A row that is being sent. */
struct letter {
    int64_t id, attempts;
    json_t *text; /* its columns by name */
};

/* -- put -- */

static int put_job(struct connection *connection, void *context, struct err *err)
{
    const struct post *post = context;
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           "INSERT INTO outbox(subscription, topic, url, type, message, raw, body, "
                           "next_ms) VALUES(?,?,?,?,?,?,?,?)",
                           err);
    if (!statement)
        return -1;
    const char *texts[] = {post->subscription_arn, post->topic_arn, post->url, post->type,
                           post->message_id};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 6, post->is_raw);
    sqlite3_bind_text(statement, 7, post->body, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 8, clock_unix_ms());
    return connection_run(connection, statement, err);
}

static void wake(struct outbox *outbox, int64_t next_ms)
{
    pthread_mutex_lock(&outbox->lock);
    if (next_ms < outbox->next_ms)
        outbox->next_ms = next_ms;
    pthread_cond_signal(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
}

int sns_outbox_put(struct sns *sns, const struct post *post, struct err *err)
{
    if (database_write(sns->database, put_job, (void *)(uintptr_t)post, err) < 0)
        return -1;
    if (sns->outbox)
        wake(sns->outbox, 0);
    return 0;
}

/* -- take -- */

struct taking {
    struct letter letter;
    int64_t now_ms, next_ms; /* of the next one that is due */
};

static void read_letter(sqlite3_stmt *row, struct letter *out)
{
    static const char *const names[] = {"subscription", "topic", "url", "type", "message", "body"};
    out->id = sqlite3_column_int64(row, 0);
    out->attempts = sqlite3_column_int64(row, 1);
    out->text = json_object();
    for (int i = 0; i < 6; i++)
        json_object_set_new(out->text, names[i],
                            json_string((const char *)sqlite3_column_text(row, 3 + i)));
    json_object_set_new(out->text, "raw", json_boolean(sqlite3_column_int(row, 2)));
}

static int take_job(struct connection *connection, void *context, struct err *err)
{
    struct taking *taking = context;
    sqlite3_stmt *row = connection_prepare(
        connection,
        "UPDATE outbox SET next_ms=?1+?2, attempts=attempts+1 WHERE id=(SELECT id FROM outbox "
        "WHERE next_ms<=?1 ORDER BY next_ms LIMIT 1) RETURNING id, attempts, raw, subscription, "
        "topic, url, type, message, body",
        err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, taking->now_ms);
    sqlite3_bind_int64(row, 2, OUTBOX_LEASE_MS);
    if (sqlite3_step(row) == SQLITE_ROW)
        read_letter(row, &taking->letter);
    connection_reset(row);
    row = connection_prepare(connection, "SELECT min(next_ms) FROM outbox", err);
    taking->next_ms = INT64_MAX;
    if (row && sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL)
        taking->next_ms = sqlite3_column_int64(row, 0);
    connection_reset(row);
    return row ? 0 : -1;
}

/* -- settle -- */

struct settling {
    int64_t id, next_ms; /* next_ms 0: it is done */
};

static int settle_job(struct connection *connection, void *context, struct err *err)
{
    const struct settling *settling = context;
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           settling->next_ms ? "UPDATE outbox SET next_ms=?2 WHERE id=?1"
                                             : "DELETE FROM outbox WHERE id=?1",
                           err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, settling->id);
    if (settling->next_ms)
        sqlite3_bind_int64(statement, 2, settling->next_ms);
    return connection_run(connection, statement, err);
}

static void settle(struct outbox *outbox, int64_t id, int64_t next_ms)
{
    struct err err = {0};
    struct settling settling = {id, next_ms};
    if (database_write_relaxed(outbox->sns->database, settle_job, &settling, &err) < 0)
        log_line(LOG_ERROR, "sns: %s", err.message);
    if (next_ms)
        wake(outbox, next_ms);
}

/* -- send -- */

/* Notifications have the type that the delivery policies say; free() it. */
static char *content_type(struct sns *sns, const struct letter *letter, const json_t *subscription)
{
    int is_message = !strcmp(sns_text(letter->text, "type"), "Notification");
    const char *name = sns_topic_name(sns, sns_text(letter->text, "topic"));
    json_t *topic = is_message && name ? sns_topic(sns, name) : NULL;
    const char *own = sns_text(json_object_get(subscription, "attributes"), "DeliveryPolicy");
    const char *above = sns_text(json_object_get(topic, "attributes"), "DeliveryPolicy");
    char *type = delivery_policy_content_type(is_message ? own : NULL, above);
    json_decref(topic);
    return type;
}

/* 0 when it was answered with 2xx; else why not in `err`. */
static int post(struct http *http, const struct letter *letter, const char *type, struct err *err)
{
    const char *body = sns_text(letter->text, "body");
    struct http_header headers[] = {
        {"Content-Type", type},
        {"User-Agent", "Amazon Simple Notification Service Agent"},
        {"Accept-Encoding", "gzip,deflate"},
        {"x-amz-sns-message-type", sns_text(letter->text, "type")},
        {"x-amz-sns-message-id", sns_text(letter->text, "message")},
        {"x-amz-sns-topic-arn", sns_text(letter->text, "topic")},
        {"x-amz-sns-subscription-arn", sns_text(letter->text, "subscription")},
        {"x-amz-sns-rawdelivery", "true"},
    };
    int is_raw = json_is_true(json_object_get(letter->text, "raw"));
    int asks = !strcmp(sns_text(letter->text, "type"), "SubscriptionConfirmation");
    size_t count = sizeof headers / sizeof *headers - (asks ? 2 : is_raw ? 0 : 1);
    struct http_request request = {.method = "POST",
                                   .url = sns_text(letter->text, "url"),
                                   .headers = headers,
                                   .header_count = count,
                                   .body = body,
                                   .body_bytes = strlen(body),
                                   .body_fd = -1,
                                   .timeout_ms = OUTBOX_TIMEOUT_MS};
    struct http_response response;
    http_response_init(&response);
    response.body.limit = OUTBOX_ANSWER_BYTES;
    int result = http_send(http, &request, &response, err);
    if (result == 0 && (response.status < 200 || response.status > 299))
        result = err_set(err, ERR_UNAVAILABLE, "answered %d", response.status);
    http_response_finish(&response);
    return result;
}

static void count(struct outbox *outbox, const struct letter *letter, const char *metric)
{
    if (!strcmp(sns_text(letter->text, "type"), "Notification"))
        sns_count(outbox->sns, sns_text(letter->text, "topic"), metric, 1);
}

static void give_up(struct outbox *outbox, const struct letter *letter)
{
    count(outbox, letter, "NumberOfNotificationsFailed");
    json_t *subscription = sns_subscription(outbox->sns, sns_text(letter->text, "subscription"));
    if (subscription)
        sns_bury(outbox->sns, subscription, NULL, sns_text(letter->text, "body"));
    json_decref(subscription);
    settle(outbox, letter->id, 0);
}

static void send_letter(struct outbox *outbox, struct http *http, const struct letter *letter)
{
    struct err err = {0};
    int shift = letter->attempts < 20 ? (int)letter->attempts - 1 : 19;
    int64_t delay_ms = (int64_t)1000 << (shift > 0 ? shift : 0);
    if (delay_ms > OUTBOX_MAX_DELAY_MS)
        delay_ms = OUTBOX_MAX_DELAY_MS;
    json_t *subscription = sns_subscription(outbox->sns, sns_text(letter->text, "subscription"));
    int is_farewell = !strcmp(sns_text(letter->text, "type"), "UnsubscribeConfirmation");
    char *type = content_type(outbox->sns, letter, subscription);
    int has_gone = !type || (!subscription && !is_farewell);
    if (has_gone || post(http, letter, type, &err) == 0) {
        if (!has_gone)
            count(outbox, letter, "NumberOfNotificationsDelivered");
        settle(outbox, letter->id, 0);
    } else {
        log_line(LOG_INFO, "sns: post to %s: %s", sns_text(letter->text, "url"), err.message);
        if (letter->attempts >= OUTBOX_ATTEMPTS)
            give_up(outbox, letter);
        else
            settle(outbox, letter->id, clock_unix_ms() + delay_ms);
    }
    free(type);
    json_decref(subscription);
}

/* Waits until something is due; 0 when the end has come. */
static int wait_due(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    while (!outbox->closing && outbox->next_ms > clock_unix_ms()) {
        if (outbox->next_ms == INT64_MAX) {
            pthread_cond_wait(&outbox->wake, &outbox->lock);
            continue;
        }
        struct timespec until = {outbox->next_ms / 1000, outbox->next_ms % 1000 * 1000000};
        pthread_cond_timedwait(&outbox->wake, &outbox->lock, &until);
    }
    int open = !outbox->closing;
    outbox->next_ms = INT64_MAX; /* what is left is told after taking */
    pthread_mutex_unlock(&outbox->lock);
    return open;
}

static void *outbox_main(void *argument)
{
    struct outbox *outbox = argument;
    struct err err = {0};
    struct http *http = http_create(&err);
    while (http && wait_due(outbox)) {
        struct taking taking = {.now_ms = clock_unix_ms()};
        if (!database_exists(outbox->sns->database))
            continue; /* until something is published */
        if (database_write_relaxed(outbox->sns->database, take_job, &taking, &err) < 0) {
            log_line(LOG_ERROR, "sns: %s", err.message);
            wake(outbox, clock_unix_ms() + 1000);
            continue;
        }
        wake(outbox, taking.next_ms);
        if (taking.letter.text)
            send_letter(outbox, http, &taking.letter);
        json_decref(taking.letter.text);
    }
    http_destroy(http);
    return NULL;
}

/* -- life -- */

int sns_outbox_start(struct sns *sns, struct err *err)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return err_set(err, ERR_NO_MEMORY, "start SNS: out of memory");
    outbox->sns = sns;
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_cond_init(&outbox->wake, NULL);
    sns->outbox = outbox;
    while (outbox->thread_count < OUTBOX_THREADS &&
           pthread_create(&outbox->threads[outbox->thread_count], NULL, outbox_main, outbox) == 0)
        outbox->thread_count++;
    return outbox->thread_count ? 0 : err_set(err, ERR_NO_MEMORY, "start SNS: no thread");
}

void sns_outbox_stop(struct sns *sns)
{
    struct outbox *outbox = sns->outbox;
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox->closing = 1;
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    for (size_t i = 0; i < outbox->thread_count; i++)
        pthread_join(outbox->threads[i], NULL);
    outbox->thread_count = 0;
}

void sns_outbox_destroy(struct sns *sns)
{
    struct outbox *outbox = sns->outbox;
    if (!outbox)
        return;
    pthread_cond_destroy(&outbox->wake);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
    sns->outbox = NULL;
}
