#ifndef TESTS_UNIT_LAMBDA_FIXTURE_H
#define TESTS_UNIT_LAMBDA_FIXTURE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "cloud/identity.h"
#include "cloud/lambda/manager.h"
#include "cloud/metrics.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A manager with fakes around it. Not every test needs all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

/* Fakes of what the manager tells others. */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct told {
    int invocations, errors, throttles, most_concurrent, issued, revoked;
    char log[64 * 1024];
    size_t log_bytes;
} told;

void metrics_put(struct metrics *metrics, const struct metric_value *v)
{
    (void)metrics;
    assert_string_equal(v->name_space, "AWS/Lambda");
    if (v->dimension_count == 0)
        return;
    assert_string_equal(v->dimensions[0].name, "FunctionName");
    pthread_mutex_lock(&lock);
    if (strcmp(v->name, "Invocations") == 0)
        told.invocations += (int)v->value;
    if (strcmp(v->name, "Errors") == 0)
        told.errors += (int)v->value;
    if (strcmp(v->name, "Throttles") == 0)
        told.throttles += (int)v->value;
    if (strcmp(v->name, "ConcurrentExecutions") == 0 && v->value > told.most_concurrent)
        told.most_concurrent = (int)v->value;
    pthread_mutex_unlock(&lock);
}

void logs_put(struct logs *logs, const char *group, const char *stream, int64_t unix_ms,
              const char *message, size_t size)
{
    (void)logs, (void)stream, (void)unix_ms;
    assert_memory_equal(group, "/aws/lambda/", 12);
    pthread_mutex_lock(&lock);
    if (told.log_bytes + size + 2 < sizeof told.log)
        told.log_bytes +=
            (size_t)snprintf(told.log + told.log_bytes, sizeof told.log - told.log_bytes, "%.*s\n",
                             (int)size, message);
    pthread_mutex_unlock(&lock);
}

int identity_issue_as(struct identities *identities, const struct identity_order *order,
                      struct identity_credentials *out, struct err *err)
{
    (void)identities, (void)err;
    assert_memory_equal(order->arn, "arn:aws:sts::000000000000:assumed-role/r/", 40);
    strcpy(out->access_key_id, "ASIATEST");
    strcpy(out->secret_access_key, "secret");
    strcpy(out->session_token, "token");
    pthread_mutex_lock(&lock);
    told.issued++;
    pthread_mutex_unlock(&lock);
    return 0;
}

void identity_revoke(struct identities *identities, const char *access_key_id)
{
    (void)identities;
    assert_string_equal(access_key_id, "ASIATEST");
    pthread_mutex_lock(&lock);
    told.revoked++;
    pthread_mutex_unlock(&lock);
}

/* A manager and a function whose bootstrap is tests/function/bootstrap.c. */

struct fixture {
    char folder[64];
    struct manager *manager;
    struct function *function;
};

static json_t *make_record(const char *name, json_t *environment, long timeout_s)
{
    return json_pack("{s:{s:s, s:o, s:s, s:s, s:I, s:I, s:{s:I}, s:{s:o}}}", "Configuration",
                     "FunctionName", name, "FunctionArn",
                     json_sprintf("arn:aws:lambda:us-east-1:000000000000:function:%s", name),
                     "Runtime", "provided.al2023", "Role", "arn:aws:iam::000000000000:role/r",
                     "Timeout", (json_int_t)timeout_s, "MemorySize", (json_int_t)128,
                     "EphemeralStorage", "Size", (json_int_t)512, "Environment", "Variables",
                     environment ? environment : json_object());
}

static struct function *function_of(const char *folder, json_t *record, uint64_t generation)
{
    struct err err = {0};
    char code[128];
    snprintf(code, sizeof code, "%s/code", folder);
    struct function *function = function_create(record, code_create(code), generation, &err);
    assert_non_null(function);
    return function;
}

static struct function *make_function(const char *folder, json_t *environment, long timeout_s,
                                      long reserved, uint64_t generation)
{
    json_t *record = make_record("f", environment, timeout_s);
    if (reserved >= 0)
        json_object_set_new(record, "ReservedConcurrency", json_integer(reserved));
    return function_of(folder, record, generation);
}

static void link_bootstrap(const char *folder)
{
    struct err err = {0};
    char path[128];
    struct buf program;
    snprintf(path, sizeof path, "%s/code", folder);
    assert_int_equal(file_make_folders(path, 0755, &err), 0);
    strcat(path, "/bootstrap");
    buf_init(&program, 1 << 24);
    assert_int_equal(file_read(TEST_FUNCTION, &program, &err), 0);
    assert_int_equal(file_write(path, program.data, program.size, 0755, &err), 0);
    buf_finish(&program);
}

static void start_with(struct fixture *f, const struct manager_options *limits,
                       struct function *function)
{
    struct err err = {0};
    char temporary[128];
    snprintf(temporary, sizeof temporary, "%s/tmp", f->folder);
    struct manager_options options = *limits;
    options.folder = temporary;
    options.data_folder = f->folder;
    options.region = "us-east-1";
    options.account_id = "000000000000";
    options.endpoint = "http://127.0.0.1:1";
    options.metrics = (struct metrics *)f; /* the fakes do not look */
    options.logs = (struct logs *)f;
    options.identities = (struct identities *)f;
    memset(&told, 0, sizeof told);
    f->manager = manager_create(&options, &err);
    if (!f->manager)
        fail_msg("%s", err.message);
    f->function = function;
}

static void prepare(struct fixture *f)
{
    strcpy(f->folder, "/tmp/ken-lambda-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    link_bootstrap(f->folder);
}

static void start(struct fixture *f)
{
    prepare(f);
    start_with(f, &(struct manager_options){.instances = 4},
               make_function(f->folder, NULL, 2, -1, 1));
}

static void stop(struct fixture *f)
{
    struct err err = {0};
    manager_destroy(f->manager);
    function_release(f->function);
    assert_int_equal(told.issued, told.revoked);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
}

struct outcome {
    int done, status;
    char error[32], type[64], tail[5000];
    char *payload;
    size_t payload_bytes;
};

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void on_done(void *context, const struct lambda_result *result)
{
    struct outcome *o = context;
    pthread_mutex_lock(&lock);
    o->status = result->status;
    snprintf(o->error, sizeof o->error, "%s", result->function_error ? result->function_error : "");
    snprintf(o->type, sizeof o->type, "%s", result->error_type ? result->error_type : "");
    snprintf(o->tail, sizeof o->tail, "%s", result->log_tail ? result->log_tail : "");
    o->payload = malloc(result->payload_bytes + 1);
    if (result->payload_bytes)
        memcpy(o->payload, result->payload, result->payload_bytes);
    o->payload[result->payload_bytes] = 0;
    o->payload_bytes = result->payload_bytes;
    o->done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void begin(struct fixture *f, const char *payload, struct outcome *o)
{
    char id[RANDOM_UUID_BYTES];
    random_uuid(id);
    *o = (struct outcome){0};
    manager_invoke(f->manager, &(struct manager_request){.function = f->function,
                                                         .request_id = id,
                                                         .payload = payload,
                                                         .payload_bytes = strlen(payload),
                                                         .done = on_done,
                                                         .context = o});
}

static void await(struct outcome *o)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&lock);
    while (!o->done && pthread_cond_timedwait(&changed, &lock, &until) == 0)
        continue;
    int done = o->done;
    pthread_mutex_unlock(&lock);
    assert_int_equal(done, 1);
}

static void drop(struct outcome *o)
{
    free(o->payload);
    o->payload = NULL;
}

/* Invoke and expect `error` ("" for none) and a payload that holds `text`. */
static void expect(struct fixture *f, const char *payload, const char *error, const char *text)
{
    struct outcome o;
    begin(f, payload, &o);
    await(&o);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.error, error);
    if (!strstr(o.payload, text))
        fail_msg("\"%s\" holds no \"%s\"", o.payload, text);
    drop(&o);
}

static void wait_for_counts(struct fixture *f, size_t idle, size_t busy)
{
    struct manager_counts c;
    for (int i = 0; i < 2000; i++) {
        manager_count(f->manager, &c);
        if (c.idle == idle && c.busy == busy && c.starting == 0)
            return;
        usleep(5000);
    }
    fail_msg("idle %zu busy %zu starting %zu", c.idle, c.busy, c.starting);
}

static uint64_t count_started(struct fixture *f)
{
    struct manager_counts c;
    wait_for_counts(f, 1, 0);
    manager_count(f->manager, &c);
    return c.started;
}

/* The child that "child" leaves is alive as long as its port is open. */
static int is_open(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return result;
}

static void wait_until_closed(int port)
{
    for (int i = 0; i < 500 && is_open(port); i++)
        usleep(10000);
    assert_false(is_open(port));
}

#endif
