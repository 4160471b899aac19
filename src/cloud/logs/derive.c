#include "cloud/logs/derive.h"

#include "cloud/logs/emf.h"
#include "cloud/logs/filter.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    struct rule *next;
    struct arena arena; /* of all that follows */
    const char *group, *name, *name_space, *metric, *value, *unit;
    struct filter filter;
    struct metric_dimension dimensions[METRIC_MAX_DIMENSIONS]; /* values are selectors */
    size_t dimension_count;
    int has_default;
    double otherwise;
    int64_t told_minute; /* when the default was last put */
};

struct derive {
    struct metrics *metrics;
    pthread_rwlock_t lock;
    struct rule *first;
    size_t count;
};

struct derive *derive_create(struct metrics *metrics, struct err *err)
{
    struct derive *derive = calloc(1, sizeof *derive);
    if (!derive) {
        err_set(err, ERR_NO_MEMORY, "start metric filters: out of memory");
        return NULL;
    }
    derive->metrics = metrics;
    pthread_rwlock_init(&derive->lock, NULL);
    return derive;
}

static void free_rule(struct rule *rule)
{
    arena_finish(&rule->arena);
    free(rule);
}

void derive_destroy(struct derive *derive)
{
    if (!derive)
        return;
    while (derive->first) {
        struct rule *next = derive->first->next;
        free_rule(derive->first);
        derive->first = next;
    }
    pthread_rwlock_destroy(&derive->lock);
    free(derive);
}

/* -- rules -- */

static const char *copy_text(struct rule *rule, const json_t *from, const char *name)
{
    const char *text = json_string_value(json_object_get(from, name));
    return text ? arena_strdup(&rule->arena, text) : NULL;
}

static int fill_rule(struct rule *rule, const struct derive_filter *from, struct err *err)
{
    const json_t *t = from->transformation, *otherwise = json_object_get(t, "defaultValue");
    const char *key;
    json_t *value;
    char *pattern = arena_strdup(&rule->arena, from->pattern);
    rule->group = arena_strdup(&rule->arena, from->group);
    rule->name = arena_strdup(&rule->arena, from->name);
    rule->metric = copy_text(rule, t, "metricName");
    rule->name_space = copy_text(rule, t, "metricNamespace");
    rule->value = copy_text(rule, t, "metricValue");
    rule->unit = copy_text(rule, t, "unit");
    rule->has_default = json_is_number(otherwise);
    rule->otherwise = json_number_value(otherwise);
    json_object_foreach(json_object_get(t, "dimensions"), key, value)
    {
        if (rule->dimension_count < METRIC_MAX_DIMENSIONS)
            rule->dimensions[rule->dimension_count++] = (struct metric_dimension){
                arena_strdup(&rule->arena, key),
                arena_strdup(&rule->arena,
                             json_string_value(value) ? json_string_value(value) : "")};
    }
    if (!pattern || !rule->group || !rule->name || !rule->metric || !rule->name_space ||
        !rule->value)
        return err_set(err, ERR_INVALID,
                       "A metric transformation needs metricName, "
                       "metricNamespace and metricValue.");
    return filter_parse(pattern, &rule->filter, &rule->arena, err);
}

static int is_rule(const struct rule *rule, const char *group, const char *name)
{
    return !strcmp(rule->group, group) && (!name || !strcmp(rule->name, name));
}

/* Under the lock. */
static void remove_rules(struct derive *derive, const char *group, const char *name)
{
    struct rule **at = &derive->first;
    while (*at) {
        struct rule *rule = *at;
        if (is_rule(rule, group, name)) {
            *at = rule->next;
            derive->count--;
            free_rule(rule);
        } else {
            at = &rule->next;
        }
    }
}

int derive_put(struct derive *derive, const struct derive_filter *filter, struct err *err)
{
    struct rule *rule = calloc(1, sizeof *rule);
    if (!rule)
        return err_set(err, ERR_NO_MEMORY, "put a metric filter: out of memory");
    arena_init(&rule->arena, DERIVE_ARENA_BYTES);
    if (fill_rule(rule, filter, err) < 0) {
        free_rule(rule);
        return -1;
    }
    pthread_rwlock_wrlock(&derive->lock);
    remove_rules(derive, filter->group, filter->name);
    int full = derive->count >= DERIVE_MAX_FILTERS;
    if (!full) {
        rule->next = derive->first;
        derive->first = rule;
        derive->count++;
    }
    pthread_rwlock_unlock(&derive->lock);
    if (!full)
        return 0;
    free_rule(rule);
    return err_set(err, ERR_TOO_BIG, "There are too many metric filters.");
}

void derive_remove(struct derive *derive, const char *group, const char *name)
{
    pthread_rwlock_wrlock(&derive->lock);
    remove_rules(derive, group, name);
    pthread_rwlock_unlock(&derive->lock);
}

/* -- lines -- */

static void put_metric(void *context, const struct metric_value *value)
{
    const struct derive *derive = context;
    metrics_put(derive->metrics, value);
}

/* The value that a line gives: a number, or what a selector finds. NAN: none. */
static double value_of(const struct rule *rule, const char *text, size_t size, struct arena *arena)
{
    char *end;
    const char *found = *rule->value == '$'
                            ? filter_select(&rule->filter, rule->value, text, size, arena)
                            : rule->value;
    double value = found ? strtod(found, &end) : NAN;
    return found && *found && !*end && isfinite(value) ? value : NAN;
}

/* -1: a dimension's value is not in the line. */
static int dimensions_of(const struct rule *rule, const char *text, size_t size,
                         struct arena *arena, struct metric_dimension *out)
{
    for (size_t i = 0; i < rule->dimension_count; i++) {
        out[i] = rule->dimensions[i];
        if (*out[i].value == '$')
            out[i].value = filter_select(&rule->filter, out[i].value, text, size, arena);
        if (!out[i].value || !*out[i].value || strlen(out[i].value) > 1024)
            return -1;
    }
    return 0;
}

static void put_default(struct derive *derive, struct rule *rule, int64_t unix_ms)
{
    int64_t minute = unix_ms / 60000;
    if (!rule->has_default || rule->dimension_count ||
        __atomic_exchange_n(&rule->told_minute, minute, __ATOMIC_RELAXED) == minute)
        return;
    metrics_put(derive->metrics,
                &(struct metric_value){rule->name_space, rule->metric, NULL, 0, rule->otherwise,
                                       rule->unit ? rule->unit : "None", unix_ms});
}

static void apply_rule(struct derive *derive, struct rule *rule, int64_t unix_ms, const char *text,
                       size_t size)
{
    struct metric_dimension dimensions[METRIC_MAX_DIMENSIONS];
    struct arena arena;
    if (!filter_matches(&rule->filter, text, size)) {
        put_default(derive, rule, unix_ms);
        return;
    }
    arena_init(&arena, DERIVE_ARENA_BYTES);
    double value = value_of(rule, text, size, &arena);
    if (!isnan(value) && dimensions_of(rule, text, size, &arena, dimensions) == 0)
        metrics_put(derive->metrics,
                    &(struct metric_value){rule->name_space, rule->metric, dimensions,
                                           rule->dimension_count, value,
                                           rule->unit ? rule->unit : "None", unix_ms});
    arena_finish(&arena);
}

void derive_line(struct derive *derive, const char *group, int64_t unix_ms, const char *text,
                 size_t size)
{
    emf_read(text, size, unix_ms, put_metric, derive);
    if (__atomic_load_n(&derive->count, __ATOMIC_RELAXED) == 0)
        return;
    pthread_rwlock_rdlock(&derive->lock);
    for (struct rule *rule = derive->first; rule; rule = rule->next)
        if (!strcmp(rule->group, group))
            apply_rule(derive, rule, unix_ms, text, size);
    pthread_rwlock_unlock(&derive->lock);
}
