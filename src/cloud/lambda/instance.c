#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/lambda/launch.h"
#include "cloud/lambda/peer.h"
#include "cloud/lambda/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    INSTANCE_READ_BYTES = 64 * 1024,
    INSTANCE_MAX_DRAIN_READS = 64, /* what an ended process left in its pipe */
};

static void set_state(struct manager *m, struct instance *instance, enum instance_state state,
                      uint64_t deadline_ns)
{
    instance->state = state;
    instance->deadline_ns = deadline_ns;
    manager_arm(m, deadline_ns);
}

static uint64_t in_ms(long ms)
{
    return clock_monotonic_ns() + (uint64_t)ms * 1000000;
}

/* Start */

static int open_port(struct instance *instance, int *port, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    instance->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (instance->listen_fd < 0 ||
        bind(instance->listen_fd, (struct sockaddr *)&address, size) < 0 ||
        listen(instance->listen_fd, 16) < 0 ||
        getsockname(instance->listen_fd, (struct sockaddr *)&address, &size) < 0)
        return err_set_errno(err, "start function: open a port");
    *port = ntohs(address.sin_port);
    return 0;
}

static int make_temporary(struct manager *m, struct instance *instance, struct err *err)
{
    char id[17];
    if (m->sandbox->is_full)
        return 0; /* it has its own /tmp */
    random_text(id, 16, RANDOM_HEX);
    int size =
        snprintf(instance->temporary, sizeof instance->temporary, "%s/%s", m->options.folder, id);
    if (size < 0 || (size_t)size >= sizeof instance->temporary)
        return err_set(err, ERR_TOO_BIG, "start function: %s: path too long", m->options.folder);
    if (mkdir(instance->temporary, 0700) < 0)
        return err_set_errno(err, "start function: make %s", instance->temporary);
    return 0;
}

static int issue_keys(struct manager *m, struct instance *instance,
                      struct identity_credentials *keys, struct err *err)
{
    char arn[IDENTITY_ARN_BYTES];
    const char *role = strrchr(instance->function->role, '/');
    *keys = (struct identity_credentials){0};
    if (!m->options.identities)
        return 0;
    snprintf(arn, sizeof arn, "arn:aws:sts::%s:assumed-role/%s/%s", m->options.account_id,
             role ? role + 1 : "function", instance->function->name);
    const struct identity_order order = {.arn = arn, .role_arn = instance->function->role};
    if (identity_issue_as(m->options.identities, &order, keys, err) < 0)
        return err_wrap(err, "start function: make its keys");
    snprintf(instance->access_key_id, sizeof instance->access_key_id, "%s", keys->access_key_id);
    return 0;
}

static int start_process(struct manager *m, struct instance *instance, int port, struct err *err)
{
    struct identity_credentials keys;
    const struct function *function = instance->function;
    if (issue_keys(m, instance, &keys, err) < 0)
        return -1;
    char **environment = environment_create(m, instance, port, &keys);
    explicit_bzero(&keys, sizeof keys);
    if (!environment)
        return err_set(err, ERR_NO_MEMORY, "start function: no memory");
    struct launch launch;
    int result = launch_prepare(function, &launch, err);
    const struct process_options options = {.folder = function->code->folder,
                                            .environment = environment,
                                            .memory_mb = function->memory_mb,
                                            .storage_mb = function->storage_mb,
                                            .arguments = launch.arguments,
                                            .is_image = function->image != NULL,
                                            .working_folder = launch_folder(function)};
    if (result == 0)
        result = process_start(m->sandbox, &options, &instance->process, err);
    environment_destroy(environment);
    launch_finish(&launch);
    return result;
}

static int watch_all(struct manager *m, struct instance *instance, struct err *err)
{
    instance->accept_watch = (struct watch){WATCH_ACCEPT, instance};
    instance->output_watch = (struct watch){WATCH_OUTPUT, instance};
    instance->exit_watch = (struct watch){WATCH_EXIT, instance};
    if (manager_watch(m, instance->listen_fd, &instance->accept_watch, err) < 0 ||
        manager_watch(m, instance->process.kept.output_fd, &instance->output_watch, err) < 0 ||
        manager_watch(m, instance->process.kept.pidfd, &instance->exit_watch, err) < 0)
        return -1;
    return 0;
}

/* By hand, because closing is not enough while a child between fork and exec has copies. */
static void unwatch_all(struct manager *m, const struct instance *instance)
{
    epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, instance->listen_fd, NULL);
    epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, instance->process.kept.output_fd, NULL);
    epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, instance->process.kept.pidfd, NULL);
}

static void release(struct manager *m, struct instance *instance)
{
    struct err err;
    if (instance->listen_fd >= 0)
        close(instance->listen_fd);
    instance->listen_fd = -1;
    if (instance->access_key_id[0])
        identity_revoke(m->options.identities, instance->access_key_id);
    if (instance->temporary[0] && file_remove_tree(instance->temporary, &err) < 0)
        log_line(LOG_WARN, "lambda: %s", err.message);
}

void instance_free(struct instance *instance)
{
    output_finish(&instance->output);
    function_release(instance->function);
    free(instance);
}

static int start_parts(struct manager *m, struct instance *instance, struct err *err)
{
    int port = 0;
    if (open_port(instance, &port, err) < 0 || make_temporary(m, instance, err) < 0 ||
        start_process(m, instance, port, err) < 0)
        return -1;
    undertaker_watch(m->undertaker, instance->process.kept.pid);
    if (watch_all(m, instance, err) == 0)
        return 0;
    undertaker_forget(m->undertaker, instance->process.kept.pid);
    unwatch_all(m, instance);
    process_reap(&instance->process);
    return -1;
}

static void start_output(struct manager *m, struct instance *instance)
{
    char group[sizeof "/aws/lambda/" + FUNCTION_NAME_BYTES];
    const struct function *function = instance->function;
    snprintf(group, sizeof group, "/aws/lambda/%s", function->name);
    output_init(&instance->output, m->options.logs,
                function->log_group ? function->log_group : group, function->version);
}

struct instance *instance_start(struct manager *m, struct pool *pool, struct err *err)
{
    struct instance *instance = calloc(1, sizeof *instance);
    if (!instance) {
        err_set(err, ERR_NO_MEMORY, "start function: no memory");
        return NULL;
    }
    instance->manager = m;
    instance->pool = pool;
    instance->function = function_hold(pool->function);
    instance->listen_fd = -1;
    instance->started_ns = clock_monotonic_ns();
    start_output(m, instance);
    if (start_parts(m, instance, err) < 0) {
        release(m, instance);
        instance_free(instance);
        return NULL;
    }
    set_state(m, instance, INSTANCE_STARTING, in_ms(m->options.init_ms));
    manager_weigh_later(m);
    pool_put_first(pool, instance);
    m->instance_count++;
    m->started++;
    manager_prepare_later(m);
    const struct function *function = instance->function;
    output_line(&instance->output, "INIT_START Runtime Version: %s",
                function->image ? "container image" : function->runtime);
    return instance;
}

/* End */

void instance_end(struct manager *m, struct instance *instance)
{
    if (instance->state >= INSTANCE_ENDING)
        return;
    set_state(m, instance, INSTANCE_ENDING, 0);
    instance->poll = NULL;
    runtime_api_drop(m->api, instance);
    process_kill(&instance->process);
}

/* Reads what is there; returns 0 at the end of the output. */
static int read_output(struct instance *instance)
{
    char data[INSTANCE_READ_BYTES];
    ssize_t size = read(instance->process.kept.output_fd, data, sizeof data);
    if (size > 0)
        output_take(&instance->output, data, (size_t)size);
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR)) ? (int)(size > 0) : -1;
}

void instance_on_output(struct instance *instance)
{
    if (read_output(instance) < 0) /* closed; an end of file would be reported for ever */
        epoll_ctl(instance->manager->epoll_fd, EPOLL_CTL_DEL, instance->process.kept.output_fd,
                  NULL);
}

static void drain_output(struct instance *instance)
{
    for (int i = 0; i < INSTANCE_MAX_DRAIN_READS && read_output(instance) > 0; i++)
        continue;
}

static void describe_exit(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "Runtime exited with error: signal: %s",
                 sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "unknown");
    else if (WEXITSTATUS(status) != 0)
        snprintf(text, size, "Runtime exited with error: exit status %d", WEXITSTATUS(status));
    else
        snprintf(text, size, "Runtime exited without providing a reason");
}

static void fail_request(struct manager *m, struct instance *instance, const char *type,
                         const char *message)
{
    if (instance->state == INSTANCE_STARTING)
        outcome_init_fail(m, instance, pool_pop(instance->pool), type, message);
    else if (instance->job)
        outcome_fail(m, instance, type, message);
}

void instance_on_exit(struct manager *m, struct instance *instance)
{
    char cause[128];
    struct pool *pool = instance->pool;
    runtime_api_drop(m->api, instance);
    process_kill(&instance->process);
    undertaker_forget(m->undertaker, instance->process.kept.pid);
    drain_output(instance);
    unwatch_all(m, instance);
    describe_exit(process_reap(&instance->process), cause, sizeof cause);
    output_flush(&instance->output);
    if (instance->state == INSTANCE_STARTING)
        pool_instance_failed(m, pool);
    fail_request(m, instance, "Runtime.ExitError", cause);
    release(m, instance);
    pool_remove_instance(pool, instance);
    set_state(m, instance, INSTANCE_GONE, 0);
    instance->next = m->gone;
    m->gone = instance;
    m->instance_count--;
    pool_pump_all(m); /* any of them may have waited for room */
}

void instance_weigh(struct manager *m, struct instance *instance)
{
    char text[96];
    long memory_mb = instance->function->memory_mb;
    size_t most_bytes = (size_t)memory_mb * 1024 * 1024;
    if (!process_is_over(&instance->process, most_bytes))
        return;
    snprintf(text, sizeof text, "Runtime exited with error: signal: Killed (more than %ld MB)",
             memory_mb);
    instance->peak_memory_bytes = most_bytes;
    drain_output(instance);
    fail_request(m, instance, "Runtime.OutOfMemory", text);
    instance_end(m, instance);
}

void instance_on_deadline(struct manager *m, struct instance *instance)
{
    char text[64];
    if (instance->state == INSTANCE_IDLE && pool_must_keep(instance->pool)) {
        set_state(m, instance, INSTANCE_IDLE, in_ms(m->options.idle_ms));
        return;
    }
    drain_output(instance);
    if (instance->state == INSTANCE_STARTING)
        pool_instance_failed(m, instance->pool);
    if (instance->state == INSTANCE_STARTING)
        snprintf(text, sizeof text, "Task timed out after %ld.%02ld seconds",
                 m->options.init_ms / 1000, m->options.init_ms % 1000 / 10);
    else
        snprintf(text, sizeof text, "Task timed out after %ld.00 seconds",
                 instance->function->timeout_s);
    if (instance->state != INSTANCE_IDLE)
        fail_request(m, instance, "Sandbox.Timedout", text);
    instance_end(m, instance);
}

/* Work */

/* The port is on a loopback that all share, but only the instance's own user may speak there. */
static int is_its_own(const struct manager *m, const struct instance *instance, int fd)
{
    uid_t uid = sandbox_uid(m->sandbox, instance->process.kept.slot), peer;
    return !uid || (peer_uid(fd, &peer) == 0 && peer == uid);
}

void instance_on_accept(struct manager *m, struct instance *instance)
{
    int fd = accept4(instance->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (is_its_own(m, instance, fd)) {
        runtime_api_accept(m->api, fd, instance);
        return;
    }
    log_line(LOG_WARN, "lambda: %s: another process wanted to be its instance",
             instance->function->name);
    close(fd);
}

static void make_trace_id(char *out, size_t size)
{
    char root[25], parent[17];
    random_text(root, 24, RANDOM_HEX);
    random_text(parent, 16, RANDOM_HEX);
    snprintf(out, size, "Root=1-%08llx-%s;Parent=%s;Sampled=0",
             (unsigned long long)clock_unix_ms() / 1000, root, parent);
}

void instance_give(struct manager *m, struct instance *instance, struct job *job)
{
    char trace_id[128];
    long timeout_ms = instance->function->timeout_s * 1000;
    struct runtime_poll *poll = instance->poll;
    make_trace_id(trace_id, sizeof trace_id);
    pool_remove_instance(instance->pool, instance);
    pool_put_first(instance->pool, instance);
    instance->poll = NULL;
    instance->job = job;
    job->begun_ns = clock_monotonic_ns();
    set_state(m, instance, INSTANCE_BUSY, in_ms(timeout_ms));
    manager_weigh_later(m);
    outcome_started(m, instance);
    runtime_api_deliver(poll,
                        &(struct runtime_work){.request_id = job->request_id,
                                               .function_arn = job->arn,
                                               .trace_id = trace_id,
                                               .client_context = job->client_context,
                                               .deadline_unix_ms = clock_unix_ms() + timeout_ms,
                                               .payload = job->payload,
                                               .payload_bytes = job->payload_bytes});
}

static enum runtime_verdict on_next(void *self, struct runtime_poll *poll)
{
    struct instance *instance = self;
    struct manager *m = instance->manager;
    if (instance->state == INSTANCE_BUSY || instance->state >= INSTANCE_ENDING)
        return RUNTIME_WRONG_STATE;
    if (instance->poll)
        runtime_api_dismiss(instance->poll); /* it asks anew: the first call broke */
    if (instance->state == INSTANCE_STARTING)
        instance->init_ms = clock_ms_since(instance->started_ns);
    instance->poll = poll;
    if (instance->pool->function)
        atomic_store(&instance->pool->function->init_failed, 0);
    if (!instance_is_current(instance)) {
        instance_end(m, instance);
        pool_pump(m, instance->pool);
        return RUNTIME_ACCEPTED;
    }
    set_state(m, instance, INSTANCE_IDLE, in_ms(m->options.idle_ms));
    pool_pump(m, instance->pool);
    return RUNTIME_ACCEPTED;
}

static enum runtime_verdict on_init_error(struct instance *instance, const struct buf *body)
{
    struct manager *m = instance->manager;
    if (instance->state != INSTANCE_STARTING)
        return RUNTIME_WRONG_STATE;
    drain_output(instance);
    pool_instance_failed(m, instance->pool);
    struct job *job = pool_pop(instance->pool);
    outcome_init_error(m, instance, job, body->data ? body->data : "", body->size);
    set_state(m, instance, INSTANCE_SETTLING, in_ms(1000)); /* it ends by itself, or is ended */
    return RUNTIME_ACCEPTED;
}

static enum runtime_verdict on_report(void *self, enum runtime_report kind, const char *request_id,
                                      const char *error_type, struct buf *body, int too_large)
{
    struct instance *instance = self;
    struct manager *m = instance->manager;
    (void)error_type;
    if (kind == RUNTIME_INIT_ERROR)
        return on_init_error(instance, body);
    if (instance->state != INSTANCE_BUSY)
        return RUNTIME_WRONG_STATE;
    if (strcmp(request_id, instance->job->request_id) != 0)
        return RUNTIME_WRONG_ID;
    drain_output(instance);
    set_state(m, instance, INSTANCE_SETTLING, instance->deadline_ns);
    if (too_large)
        outcome_fail(m, instance, "Function.ResponseSizeTooLarge",
                     "Response payload size exceeded maximum allowed payload size "
                     "(6291556 bytes).");
    else if (kind == RUNTIME_ERROR)
        outcome_error(m, instance, "Unhandled", body->data ? body->data : "", body->size);
    else
        outcome_answer(m, instance, body->data ? body->data : "", body->size);
    return too_large ? RUNTIME_TOO_LARGE : RUNTIME_ACCEPTED;
}

const struct runtime_events instance_events = {.next = on_next, .report = on_report};
