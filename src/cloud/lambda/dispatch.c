#include "base/clock.h"
#include "base/log.h"
#include "base/runnable.h"
#include "cloud/lambda/private.h"

#include <stdlib.h>
#include <string.h>

enum { TURN_LOOK_MS = 5 };

struct pool *pool_find(struct manager *m, const struct function *function, int make)
{
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        if (strcmp(pool->key, function->key) == 0)
            return pool;
    struct pool *pool = make ? calloc(1, sizeof *pool) : NULL;
    if (!pool)
        return NULL;
    snprintf(pool->key, sizeof pool->key, "%s", function->key);
    snprintf(pool->name, sizeof pool->name, "%s", function->name);
    pool->reserved = -1;
    pool->queue_end = &pool->queue;
    pool->next = m->pools;
    m->pools = pool;
    return pool;
}

/* The versions of a function share what is reserved for it. */
static void set_reserved(struct manager *m, const struct function *latest)
{
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        if (strcmp(pool->name, latest->name) == 0 &&
            pool->reserved_generation < latest->generation) {
            pool->reserved = latest->reserved;
            pool->reserved_generation = latest->generation;
        }
}

static void push(struct pool *pool, struct job *job)
{
    *pool->queue_end = job;
    pool->queue_end = &job->next;
    pool->queued++;
}

struct job *pool_pop(struct pool *pool)
{
    struct job *job = pool->queue;
    if (!job)
        return NULL;
    pool->queue = job->next;
    if (!pool->queue)
        pool->queue_end = &pool->queue;
    pool->queued--;
    job->next = NULL;
    return job;
}

void pool_remove_instance(struct pool *pool, struct instance *instance)
{
    struct instance **at = &pool->instances;
    while (*at && *at != instance)
        at = &(*at)->next;
    if (*at)
        *at = instance->next;
    instance->next = NULL;
}

void pool_put_first(struct pool *pool, struct instance *instance)
{
    instance->next = pool->instances;
    pool->instances = instance;
}

static void throttle(struct manager *m, struct job *job)
{
    outcome_throttle(m, job);
}

int instance_is_current(const struct instance *instance)
{
    const struct function *function = instance->pool->function;
    return function && instance->function->incarnation == function->incarnation;
}

/* Instances of another revision take no more requests. */
static void drop_outdated(struct manager *m, struct pool *pool)
{
    for (struct instance *i = pool->instances, *next; i; i = next) {
        next = i->next;
        if (!instance_is_current(i) && (i->state == INSTANCE_IDLE || i->state == INSTANCE_STARTING))
            instance_end(m, i);
    }
}

static void set_function(struct manager *m, struct pool *pool, struct function *function)
{
    if (pool->function && function && pool->function->generation >= function->generation)
        return;
    struct function *before = pool->function;
    pool->function = function ? function_hold(function) : NULL;
    function_release(before);
    drop_outdated(m, pool);
}

static size_t count_state(const struct pool *pool, enum instance_state state)
{
    size_t count = 0;
    for (const struct instance *i = pool->instances; i; i = i->next)
        count += i->state == state;
    return count;
}

static size_t count_living(const struct pool *pool)
{
    size_t count = 0;
    for (const struct instance *i = pool->instances; i; i = i->next)
        count += i->state < INSTANCE_ENDING;
    return count;
}

static size_t count_busy(const struct pool *pool)
{
    return count_state(pool, INSTANCE_BUSY);
}

/* Of all versions of the function. */
static size_t count_group(const struct manager *m, const struct pool *pool,
                          size_t (*count_one)(const struct pool *pool))
{
    size_t count = 0;
    for (const struct pool *p = m->pools; p; p = p->next)
        if (strcmp(p->name, pool->name) == 0)
            count += count_one(p);
    return count;
}

static size_t most_instances(const struct manager *m, const struct pool *pool)
{
    size_t most = (size_t)m->options.instances, provisioned = 0;
    if (pool->reserved >= 0)
        return (size_t)pool->reserved;
    for (const struct pool *p = m->pools; p; p = p->next)
        if (strcmp(p->name, pool->name) == 0)
            provisioned += p->provisioned;
    return provisioned > most ? provisioned : most;
}

int pool_must_keep(const struct pool *pool)
{
    return count_living(pool) <= pool->provisioned;
}

static struct instance *find_idle(struct pool *pool)
{
    for (struct instance *i = pool->instances; i; i = i->next)
        if (i->state == INSTANCE_IDLE && instance_is_current(i))
            return i;
    return NULL;
}

/* Ends an idle instance that nobody waits for: of other versions of `name`, or of any function when
 * that is NULL. There is room when it has gone. */
static void end_one_idle(struct manager *m, const struct pool *for_pool, const char *name)
{
    for (struct pool *pool = m->pools; pool; pool = pool->next) {
        if (pool == for_pool || pool->queue || pool_must_keep(pool) ||
            (name && strcmp(pool->name, name) != 0))
            continue;
        for (struct instance *i = pool->instances; i; i = i->next)
            if (i->state == INSTANCE_IDLE) {
                instance_end(m, i);
                return;
            }
    }
}

/* May the pool have one more? */
static int make_room(struct manager *m, const struct pool *pool)
{
    if (count_group(m, pool, count_living) >= most_instances(m, pool)) {
        end_one_idle(m, pool, pool->name);
        return 0;
    }
    if (m->instance_count < m->options.all_instances)
        return 1;
    end_one_idle(m, pool, NULL);
    return 0;
}

static void refuse_start(struct manager *m, struct job *job, const struct err *err)
{
    if (err->code == ERR_NOT_FOUND || err->code == ERR_DENIED)
        outcome_init_fail(m, NULL, job, "Runtime.InvalidEntrypoint",
                          "Couldn't find valid bootstrap(s): the zip needs an executable file "
                          "\"bootstrap\" at its top");
    else
        outcome_refuse(job, 503, "ServiceException", "The function could not be started");
}

static size_t count_at_work(const struct pool *pool)
{
    return count_state(pool, INSTANCE_BUSY) + count_state(pool, INSTANCE_STARTING);
}

/* Instances that compute at the same time share the processors and their caches: each is late, and
 * the work takes longer altogether. So where a function's own fill them, its next request waits for
 * one to end, for a limited time. Where they wait for something else, a processor is free. */
static int awaits_processor(struct manager *m, const struct pool *pool)
{
    if (!pool->queue || count_at_work(pool) <= m->processors)
        return 0;
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns - pool->queue->came_ns >= MANAGER_TURN_MS * 1000000ULL ||
        runnable_threads(m->runnable_fd) <= (long)m->processors) /* with this one */
        return 0;
    manager_arm(m, now_ns + TURN_LOOK_MS * 1000000ULL);
    return 1;
}

static void start_missing(struct manager *m, struct pool *pool)
{
    size_t coming = count_state(pool, INSTANCE_STARTING) + count_state(pool, INSTANCE_SETTLING);
    while (pool->queued > coming && !awaits_processor(m, pool) && make_room(m, pool)) {
        struct err err = {0};
        if (!instance_start(m, pool, &err)) {
            log_line(LOG_WARN, "lambda: %s: %s", pool->key, err.message);
            refuse_start(m, pool_pop(pool), &err);
            continue;
        }
        coming++;
    }
}

static void start_provisioned(struct manager *m, struct pool *pool)
{
    uint64_t now_ns = clock_monotonic_ns();
    while (count_living(pool) < pool->provisioned && pool->provision_retry_ns <= now_ns &&
           make_room(m, pool)) {
        struct err err = {0};
        if (instance_start(m, pool, &err))
            continue;
        log_line(LOG_WARN, "lambda: %s: %s", pool->key, err.message);
        pool_instance_failed(m, pool);
    }
}

void pool_instance_failed(struct manager *m, struct pool *pool)
{
    pool->provision_retry_ns =
        clock_monotonic_ns() + MANAGER_PROVISION_RETRY_MS * (uint64_t)1000000;
    if (pool->function)
        atomic_store(&pool->function->init_failed, 1);
    if (pool->provisioned)
        manager_arm(m, pool->provision_retry_ns);
}

void pool_pump(struct manager *m, struct pool *pool)
{
    struct instance *idle;
    while (pool->queue && !awaits_processor(m, pool) &&
           count_group(m, pool, count_busy) < most_instances(m, pool) && (idle = find_idle(pool)))
        instance_give(m, idle, pool_pop(pool));
    if (pool->queue && pool->function)
        start_missing(m, pool);
    if (pool->provisioned && pool->function)
        start_provisioned(m, pool);
}

void pool_pump_all(struct manager *m)
{
    for (struct pool *pool = m->pools; pool; pool = pool->next)
        pool_pump(m, pool);
}

static int is_full(const struct pool *pool, const struct job *job)
{
    return pool->queued >= (size_t)(job->is_event ? MANAGER_MAX_EVENTS : MANAGER_MAX_QUEUE);
}

void pool_take_job(struct manager *m, struct job *job)
{
    struct pool *pool = pool_find(m, job->function, 1);
    if (!pool) {
        outcome_refuse(job, 503, "ServiceException", "out of memory");
        return;
    }
    if (!pool->function && atomic_load(&job->function->is_retired)) {
        outcome_refuse(job, 404, "ResourceNotFoundException", "The function was deleted");
        return;
    }
    set_function(m, pool, job->function);
    set_reserved(m, job->latest);
    if (pool->reserved == 0 || is_full(pool, job)) {
        throttle(m, job);
        return;
    }
    job->came_ns = clock_monotonic_ns();
    push(pool, job);
    manager_arm(m, job->give_up_ns);
    pool_pump(m, pool);
}

void pool_update(struct manager *m, struct function *function)
{
    struct pool *pool = pool_find(m, function, 0);
    if (function_is_latest(function))
        set_reserved(m, function);
    if (!pool)
        return; /* nothing runs: the first request brings it */
    set_function(m, pool, function);
    pool_pump(m, pool);
}

static void refuse_all(struct pool *pool, int status, const char *type, const char *message)
{
    for (struct job *job; (job = pool_pop(pool));)
        outcome_refuse(job, status, type, message);
}

void pool_retire(struct manager *m, struct function *function)
{
    struct pool *pool = pool_find(m, function, 0);
    if (!pool || !pool->function || pool->function->generation > function->generation)
        return;
    pool->provisioned = 0;
    set_function(m, pool, NULL);
    refuse_all(pool, 404, "ResourceNotFoundException", "The function was deleted");
}

void pool_provision(struct manager *m, struct function *function, size_t instances)
{
    struct pool *pool = pool_find(m, function, instances > 0);
    if (!pool || atomic_load(&function->is_retired))
        return;
    set_function(m, pool, function);
    atomic_store(&function->init_failed, 0);
    pool->provisioned = instances;
    pool->provision_retry_ns = 0;
    pool_pump(m, pool);
}

void pool_drain(struct manager *m, struct pool *pool, uint64_t until_ns)
{
    pool->provisioned = 0;
    refuse_all(pool, 503, "ServiceException", "The cloud is being stopped");
    for (struct instance *i = pool->instances; i; i = i->next)
        if (i->state == INSTANCE_BUSY && i->deadline_ns > until_ns)
            i->deadline_ns = until_ns;
    manager_arm(m, until_ns);
}

/* Requests that waited too long for an instance. Those of one queue give up in the order in which
 * they came, but for asynchronous ones, which never do. */
void pool_expire(struct manager *m, struct pool *pool, uint64_t now_ns)
{
    struct job *list = pool->queue;
    pool->queue = NULL;
    pool->queue_end = &pool->queue;
    pool->queued = 0;
    while (list) {
        struct job *job = list;
        list = job->next;
        job->next = NULL;
        if (job->give_up_ns && job->give_up_ns <= now_ns) {
            throttle(m, job);
            continue;
        }
        manager_arm(m, job->give_up_ns);
        push(pool, job);
    }
}
