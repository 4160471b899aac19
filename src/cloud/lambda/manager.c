#include "cloud/lambda/manager.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/runnable.h"
#include "cloud/lambda/private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANAGER_EVENTS_A_ROUND = 64, MANAGER_PREPARE_MS = 50, MANAGER_WEIGH_MS = 100 };

void manager_arm(struct manager *m, uint64_t deadline_ns)
{
    if (deadline_ns && (!m->next_deadline_ns || deadline_ns < m->next_deadline_ns))
        m->next_deadline_ns = deadline_ns;
}

void manager_prepare_later(struct manager *m)
{
    m->prepare_ns = clock_monotonic_ns() + MANAGER_PREPARE_MS * 1000000ULL;
    manager_arm(m, m->prepare_ns);
}

void manager_weigh_later(struct manager *m)
{
    if (m->weigh_ns || !m->sandbox->cgroups.version[CGROUPS_MEMORY])
        return;
    m->weigh_ns = clock_monotonic_ns() + MANAGER_WEIGH_MS * 1000000ULL;
    manager_arm(m, m->weigh_ns);
}

int manager_watch(struct manager *m, int fd, struct watch *watch, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    if (epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_set_errno(err, "watch a file descriptor");
    return 0;
}

/* The clock. */

static void weigh_all(struct manager *m)
{
    m->weigh_ns = 0;
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        for (struct instance *i = pool->instances; i; i = i->next) {
            if (i->state == INSTANCE_IDLE || i->state >= INSTANCE_ENDING)
                continue;
            instance_weigh(m, i);
            manager_weigh_later(m);
        }
}

static void expire_own(struct manager *m, uint64_t now_ns)
{
    if (m->prepare_ns && m->prepare_ns <= now_ns) {
        sandbox_prepare(m->sandbox);
        m->prepare_ns = 0;
    }
    if (m->weigh_ns && m->weigh_ns <= now_ns)
        weigh_all(m);
    manager_arm(m, m->prepare_ns);
    manager_arm(m, m->weigh_ns);
}

static void expire(struct manager *m)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (!m->next_deadline_ns || now_ns < m->next_deadline_ns)
        return;
    m->next_deadline_ns = 0;
    expire_own(m, now_ns);
    for (struct pool *pool = m->pools; pool; pool = pool->next) {
        for (struct instance *i = pool->instances, *next; i; i = next) {
            next = i->next; /* ending one does not unlink it: its exit does */
            if (i->deadline_ns && i->deadline_ns <= now_ns)
                instance_on_deadline(m, i);
            manager_arm(m, i->deadline_ns);
        }
        pool_expire(m, pool, now_ns);
        manager_arm(m, pool->provision_retry_ns > now_ns ? pool->provision_retry_ns : 0);
        pool_pump(m, pool);
    }
}

static int wait_ms(struct manager *m)
{
    if (runtime_api_is_busy(m->api))
        return 0;
    if (!m->next_deadline_ns)
        return -1;
    uint64_t now_ns = clock_monotonic_ns();
    if (m->next_deadline_ns <= now_ns)
        return 0;
    uint64_t ms = (m->next_deadline_ns - now_ns + 999999) / 1000000;
    return ms > 60000 ? 60000 : (int)ms;
}

/* The thread. */

static void handle(struct manager *m, const struct watch *watch)
{
    struct instance *instance = watch->instance;
    if (instance && instance->state == INSTANCE_GONE)
        return;
    switch (watch->kind) {
    case WATCH_MESSAGES:
        manager_receive(m);
        break;
    case WATCH_API:
        break; /* runs after every round */
    case WATCH_ACCEPT:
        instance_on_accept(m, instance);
        break;
    case WATCH_OUTPUT:
        instance_on_output(instance);
        break;
    case WATCH_EXIT:
        instance_on_exit(m, instance);
        break;
    }
}

static void bury(struct manager *m)
{
    while (m->gone) {
        struct instance *instance = m->gone;
        m->gone = instance->next;
        instance_free(instance);
    }
}

static void count_instances(struct manager *m)
{
    struct manager_counts counts = {.started = m->started};
    for (struct pool *pool = m->pools; pool; pool = pool->next) {
        int ready = 0;
        for (struct instance *i = pool->instances; i; i = i->next) {
            int is_busy = i->state == INSTANCE_BUSY || i->state == INSTANCE_SETTLING;
            counts.starting += i->state == INSTANCE_STARTING;
            counts.idle += i->state == INSTANCE_IDLE;
            counts.busy += is_busy;
            ready += instance_is_current(i) && (is_busy || i->state == INSTANCE_IDLE);
        }
        if (pool->function)
            atomic_store(&pool->function->ready, ready);
    }
    pthread_mutex_lock(&m->lock);
    m->counts = counts;
    pthread_mutex_unlock(&m->lock);
}

static int is_stopping(struct manager *m)
{
    pthread_mutex_lock(&m->lock);
    int stopping = m->is_stopping;
    pthread_mutex_unlock(&m->lock);
    return stopping;
}

static int choose(struct manager *m, struct err *err)
{
    int result = sandbox_choose(m->sandbox, m->options.isolation, err);
    pthread_mutex_lock(&m->lock);
    m->is_chosen = 1;
    pthread_cond_broadcast(&m->chosen);
    pthread_mutex_unlock(&m->lock);
    return result;
}

static void *run(void *self)
{
    struct manager *m = self;
    struct epoll_event events[MANAGER_EVENTS_A_ROUND];
    struct err ignored = {0}; /* only what open_parts() has tried can fail */
    if (!m->is_chosen && choose(m, &ignored) < 0)
        log_line(LOG_ERROR, "lambda: %s", ignored.message);
    while (!is_stopping(m)) {
        int count = epoll_wait(m->epoll_fd, events, MANAGER_EVENTS_A_ROUND, wait_ms(m));
        for (int i = 0; i < count; i++)
            handle(m, events[i].data.ptr);
        runtime_api_run(m->api);
        expire(m);
        count_instances(m);
        bury(m);
    }
    return NULL;
}

static void drain_all(struct manager *m)
{
    manager_receive(m);
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        pool_drain(m, pool, 0);
}

static void end_all(struct manager *m)
{
    drain_all(m);
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        for (struct instance *i = pool->instances; i; i = i->next)
            if (i->job)
                outcome_fail(m, i, "Runtime.ExitError", "The cloud was stopped");
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        while (pool->instances)
            instance_on_exit(m, pool->instances); /* kills, waits, unlinks */
    bury(m);
    while (m->pools) {
        struct pool *pool = m->pools;
        m->pools = pool->next;
        function_release(pool->function);
        free(pool);
    }
}

static void free_options(struct manager_options *o)
{
    free((char *)(uintptr_t)o->folder);
    free((char *)(uintptr_t)o->data_folder);
    free((char *)(uintptr_t)o->region);
    free((char *)(uintptr_t)o->account_id);
    free((char *)(uintptr_t)o->endpoint);
}

static int copy_options(struct manager_options *o, const struct manager_options *from)
{
    *o = *from;
    o->folder = strdup(from->folder);
    o->data_folder = strdup(from->data_folder);
    o->region = strdup(from->region);
    o->account_id = strdup(from->account_id);
    o->endpoint = strdup(from->endpoint);
    o->instances = from->instances ? from->instances : MANAGER_DEFAULT_INSTANCES;
    o->idle_ms = from->idle_ms ? from->idle_ms : MANAGER_DEFAULT_IDLE_MS;
    o->queue_ms = from->queue_ms ? from->queue_ms : MANAGER_DEFAULT_QUEUE_MS;
    o->init_ms = from->init_ms ? from->init_ms : MANAGER_DEFAULT_INIT_MS;
    o->all_instances = from->all_instances ? from->all_instances : MANAGER_MAX_INSTANCES;
    return o->folder && o->data_folder && o->region && o->account_id && o->endpoint ? 0 : -1;
}

static void manager_free(struct manager *m)
{
    runtime_api_destroy(m->api);
    sandbox_destroy(m->sandbox);
    undertaker_destroy(m->undertaker);
    if (m->epoll_fd >= 0)
        close(m->epoll_fd);
    if (m->event_fd >= 0)
        close(m->event_fd);
    if (m->runnable_fd >= 0)
        close(m->runnable_fd);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->chosen);
    free_options(&m->options);
    free(m);
}

static int open_parts(struct manager *m, struct err *err)
{
    if (file_remove_tree(m->options.folder, err) < 0 || /* made anew, it needs no sync */
        (mkdir(m->options.folder, 0755) < 0 && file_make_folders(m->options.folder, 0755, err) < 0))
        return err_wrap(err, "start functions");
    m->undertaker = undertaker_create(err);
    if (!m->undertaker)
        return -1;
    m->sandbox = sandbox_create(
        &(struct sandbox_options){.folder = m->options.folder, .hide = m->options.data_folder},
        err);
    m->api = m->sandbox ? runtime_api_create(&instance_events, err) : NULL;
    if (!m->api || (m->options.isolation == ISOLATION_FULL && choose(m, err) < 0))
        return -1;
    m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->epoll_fd < 0 || m->event_fd < 0)
        return err_set_errno(err, "start functions");
    m->message_watch.kind = WATCH_MESSAGES;
    m->api_watch.kind = WATCH_API;
    if (manager_watch(m, m->event_fd, &m->message_watch, err) < 0 ||
        manager_watch(m, runtime_api_fd(m->api), &m->api_watch, err) < 0)
        return -1;
    return 0;
}

static int start_thread(struct manager *m, struct err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int cause = pthread_create(&m->thread, NULL, run, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = cause;
    return cause ? err_set_errno(err, "start functions: make a thread") : 0;
}

struct manager *manager_create(const struct manager_options *options, struct err *err)
{
    struct manager *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, ERR_NO_MEMORY, "start functions: no memory");
        return NULL;
    }
    m->epoll_fd = m->event_fd = -1;
    m->processors = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    m->runnable_fd = runnable_open();
    m->messages_end = &m->messages;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->chosen, NULL);
    int result = copy_options(&m->options, options);
    if (result < 0)
        err_set(err, ERR_NO_MEMORY, "start functions: no memory");
    if (result < 0 || open_parts(m, err) < 0 || start_thread(m, err) < 0) {
        manager_free(m);
        return NULL;
    }
    return m;
}

void manager_destroy(struct manager *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->is_stopping = 1;
    pthread_mutex_unlock(&m->lock);
    eventfd_write(m->event_fd, 1);
    pthread_join(m->thread, NULL);
    end_all(m);
    manager_free(m);
}

static const struct sandbox *await_sandbox(struct manager *m)
{
    pthread_mutex_lock(&m->lock);
    while (!m->is_chosen)
        pthread_cond_wait(&m->chosen, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return m->sandbox;
}

const char *manager_isolation(struct manager *m)
{
    return await_sandbox(m)->description;
}

int manager_runs_images(struct manager *m)
{
    return await_sandbox(m)->is_full;
}

void manager_count(struct manager *m, struct manager_counts *out)
{
    pthread_mutex_lock(&m->lock);
    *out = m->counts;
    pthread_mutex_unlock(&m->lock);
}
