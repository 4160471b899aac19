#include "cloud/logs/emf.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

struct reading {
    const json_t *line;
    const char *name_space;
    int64_t unix_ms;
    emf_put *put;
    void *context;
    size_t count;
};

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

/* The dimensions that a set names, with their values from the line. -1: one is missing. */
static int read_set(const struct reading *r, const json_t *set,
                    struct metric_dimension out[METRIC_MAX_DIMENSIONS])
{
    size_t i;
    json_t *name;
    if (!json_is_array(set) || json_array_size(set) > METRIC_MAX_DIMENSIONS)
        return -1;
    json_array_foreach(set, i, name)
    {
        const char *key = json_string_value(name), *value = key ? text_of(r->line, key) : NULL;
        if (!key || !*key || !value || !*value || strlen(key) > 255 || strlen(value) > 1024)
            return -1;
        out[i] = (struct metric_dimension){key, value};
    }
    return (int)json_array_size(set);
}

static void put_value(struct reading *r, struct metric_value *value, const json_t *number)
{
    if (!json_is_number(number) || !isfinite(json_number_value(number)))
        return;
    value->value = json_number_value(number);
    r->put(r->context, value);
    r->count++;
}

static void read_metric(struct reading *r, const json_t *metric,
                        const struct metric_dimension *dimensions, size_t dimension_count)
{
    const char *name = text_of(metric, "Name"), *unit = text_of(metric, "Unit");
    size_t i;
    json_t *number;
    if (!name || !*name || strlen(name) > 255 || (unit && strlen(unit) > 255))
        return;
    const json_t *values = json_object_get(r->line, name);
    struct metric_value value = {r->name_space,        name,      dimensions, dimension_count, 0,
                                 unit ? unit : "None", r->unix_ms};
    if (!json_is_array(values)) {
        put_value(r, &value, values);
        return;
    }
    json_array_foreach(values, i, number)
    {
        if (i < EMF_MAX_VALUES)
            put_value(r, &value, number);
    }
}

static void read_directive(struct reading *r, const json_t *directive)
{
    static const char *const no_dimensions = "[[]]";
    struct metric_dimension dimensions[METRIC_MAX_DIMENSIONS];
    const json_t *sets = json_object_get(directive, "Dimensions"),
                 *metrics = json_object_get(directive, "Metrics");
    json_t *none = json_loads(no_dimensions, 0, NULL), *set, *metric;
    size_t i, m;
    r->name_space = text_of(directive, "Namespace");
    if (!json_array_size(sets))
        sets = none;
    if (r->name_space && *r->name_space && strlen(r->name_space) <= 255)
        json_array_foreach(sets, i, set)
        {
            int count = i < EMF_MAX_SETS ? read_set(r, set, dimensions) : -1;
            json_array_foreach(metrics, m, metric)
            {
                if (count >= 0 && m < EMF_MAX_METRICS)
                    read_metric(r, metric, dimensions, (size_t)count);
            }
        }
    json_decref(none);
}

static int may_be_emf(const char *text, size_t size)
{
    while (size && isspace((unsigned char)*text)) {
        text++;
        size--;
    }
    return size && size <= EMF_MAX_BYTES && *text == '{' &&
           memmem(text, size, "\"_aws\"", 6) != NULL;
}

size_t emf_read(const char *text, size_t size, int64_t received_ms, emf_put *put, void *context)
{
    size_t i;
    json_t *directive;
    json_t *line = may_be_emf(text, size) ? json_loadb(text, size, 0, NULL) : NULL;
    const json_t *aws = json_object_get(line, "_aws"), *time = json_object_get(aws, "Timestamp");
    struct reading r = {.line = line, .unix_ms = received_ms, .put = put, .context = context};
    if (json_is_integer(time) && json_integer_value(time) > 0)
        r.unix_ms = json_integer_value(time);
    json_array_foreach(json_object_get(aws, "CloudWatchMetrics"), i, directive)
    {
        if (i < EMF_MAX_DIRECTIVES)
            read_directive(&r, directive);
    }
    json_decref(line);
    return r.count;
}
