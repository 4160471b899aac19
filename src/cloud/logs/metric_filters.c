#include "cloud/logs/derive.h"
#include "cloud/logs/filter.h"
#include "cloud/logs/operations.h"

#include <stdlib.h>
#include <string.h>

/* Metric filters and tags of groups. */

enum { TAGS_MOST = 50, TEST_MOST_LINES = 50 };

/* -- metric filters -- */

struct filter_change {
    const char *group, *name, *pattern;
    char *transformations;
    int64_t now_ms;
};

static int put_job(struct connection *connection, void *context, struct err *err)
{
    const struct filter_change *change = context;
    int64_t group = logs_find_group(connection, change->group, err);
    sqlite3_stmt *s = group ? connection_prepare(connection,
                                                 "INSERT OR REPLACE INTO filters(group_id, name, "
                                                 "pattern, transformations, created_ms) "
                                                 "VALUES(?1, ?2, ?3, ?4, ?5)",
                                                 err)
                            : NULL;
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, group);
    sqlite3_bind_text(s, 2, change->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, change->pattern, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, change->transformations, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, change->now_ms);
    return connection_run(connection, s, err);
}

static int check_transformation(struct logs_call *call, const json_t *t)
{
    const char *value = json_string_value(json_object_get(t, "metricValue"));
    char *end;
    if (!value || (*value != '$' && (strtod(value, &end), !*value || *end)))
        return call_invalid(call, "Invalid metric transformation: metricValue must be a number or "
                                  "a field of the pattern.");
    if (json_object_size(json_object_get(t, "dimensions")) && json_object_get(t, "defaultValue"))
        return call_invalid(call, "Invalid metric transformation: dimensions and default value are "
                                  "mutually exclusive properties.");
    return 0;
}

int put_metric_filter(struct logs_call *call)
{
    const json_t *list = json_object_get(call->body, "metricTransformations");
    const char *pattern = json_string_value(json_object_get(call->body, "filterPattern"));
    struct filter_change change = {.pattern = pattern, .now_ms = call->now_ms};
    if (call_name(call, "logGroupName", 1, &change.group) < 0 ||
        call_name(call, "filterName", 1, &change.name) < 0)
        return -1;
    if (pattern && strlen(pattern) > FILTER_MAX_BYTES)
        return call_too_long(call, "filterPattern", pattern, FILTER_MAX_BYTES);
    if (json_array_size(list) > 1)
        return call_too_long(call, "metricTransformations", "[MetricTransformation, ...]", 1);
    if (!pattern || json_array_size(list) != 1)
        return call_invalid(call, "filterPattern and one metricTransformation are needed.");
    struct filter parsed;
    if (check_transformation(call, json_array_get(list, 0)) < 0 ||
        filter_parse(pattern, &parsed, &call->x->arena, &call->err) < 0)
        return -1;
    change.transformations = json_dumps(list, JSON_COMPACT);
    if (!change.transformations)
        return err_set(&call->err, ERR_NO_MEMORY, "put a metric filter: out of memory");
    int result = database_write(logs_database(call->logs), put_job, &change, &call->err);
    free(change.transformations);
    struct derive_filter filter = {change.group, change.name, pattern, json_array_get(list, 0)};
    return result < 0 ? -1 : derive_put(logs_derive(call->logs), &filter, &call->err);
}

static int delete_job(struct connection *connection, void *context, struct err *err)
{
    const struct filter_change *change = context;
    int64_t group = logs_find_group(connection, change->group, err);
    sqlite3_stmt *s =
        group ? connection_prepare(
                    connection, "DELETE FROM filters WHERE group_id = ?1 AND name = ?2 RETURNING 1",
                    err)
              : NULL;
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, group);
    sqlite3_bind_text(s, 2, change->name, -1, SQLITE_STATIC);
    int found = sqlite3_step(s) == SQLITE_ROW;
    connection_reset(s);
    return found ? 0 : err_set(err, ERR_NOT_FOUND, "The specified metric filter does not exist.");
}

int delete_metric_filter(struct logs_call *call)
{
    struct filter_change change = {0};
    if (call_name(call, "logGroupName", 1, &change.group) < 0 ||
        call_name(call, "filterName", 1, &change.name) < 0 ||
        database_write(logs_database(call->logs), delete_job, &change, &call->err) < 0)
        return -1;
    derive_remove(logs_derive(call->logs), change.group, change.name);
    return 0;
}

static int has_metric(const json_t *transformations, const char *member, const char *wanted)
{
    const char *own =
        json_string_value(json_object_get(json_array_get(transformations, 0), member));
    return !wanted || (own && !strcmp(own, wanted));
}

static json_t *show_filter(sqlite3_stmt *s)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:b}", "logGroupName",
                     (const char *)sqlite3_column_text(s, 0), "filterName",
                     (const char *)sqlite3_column_text(s, 1), "filterPattern",
                     (const char *)sqlite3_column_text(s, 2), "metricTransformations",
                     json_loads((const char *)sqlite3_column_text(s, 3), 0, NULL), "creationTime",
                     (json_int_t)sqlite3_column_int64(s, 4), "applyOnTransformedLogs", 0);
}

/* Pages go on behind "GROUP FILTER". */
static int list_filters(struct logs_call *call, sqlite3_stmt *s, int64_t limit)
{
    const char *metric = json_string_value(json_object_get(call->body, "metricName"));
    const char *name_space = json_string_value(json_object_get(call->body, "metricNamespace"));
    json_t *out = json_array();
    int step;
    json_object_set_new(call->answer, "metricFilters", out);
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *shown = show_filter(s);
        const json_t *transformations = json_object_get(shown, "metricTransformations");
        int wanted = has_metric(transformations, "metricName", metric) &&
                     has_metric(transformations, "metricNamespace", name_space);
        if (wanted && json_array_size(out) == (size_t)limit) {
            const json_t *last = json_array_get(out, (size_t)limit - 1);
            json_object_set_new(
                call->answer, "nextToken",
                json_sprintf("n/%s %s", json_string_value(json_object_get(last, "logGroupName")),
                             json_string_value(json_object_get(last, "filterName"))));
            json_decref(shown);
            return 0;
        }
        if (wanted)
            json_array_append(out, shown);
        json_decref(shown);
    }
    return step == SQLITE_DONE ? 0 : err_set(&call->err, ERR_IO, "list metric filters");
}

int describe_metric_filters(struct logs_call *call)
{
    const char *group, *prefix, *token;
    int64_t limit = LOGS_LIST_PAGE;
    int result = -1;
    if (call_name(call, "logGroupName", 0, &group) < 0 ||
        call_name(call, "filterNamePrefix", 0, &prefix) < 0 ||
        call_limit(call, LOGS_LIST_PAGE, &limit) < 0 || call_token(call, 'n', &token) < 0)
        return -1;
    if (!json_object_get(call->body, "metricName") !=
        !json_object_get(call->body, "metricNamespace"))
        return call_invalid(call, "If you include the metricName parameter in your request, you "
                                  "must also include the metricNamespace parameter.");
    const char *metric = json_string_value(json_object_get(call->body, "metricName"));
    if (metric && strlen(metric) > METRIC_MAX_NAME)
        return call_too_long(call, "metricName", metric, METRIC_MAX_NAME);
    struct connection *connection = call_read_begin(call);
    if (connection && group && !logs_find_group(connection, group, &call->err)) {
        call_read_end(call, connection);
        return -1;
    }
    sqlite3_stmt *s =
        connection
            ? connection_prepare(connection,
                                 "SELECT g.name, f.name, f.pattern, f.transformations, "
                                 "f.created_ms FROM filters f JOIN groups g ON g.id = f.group_id "
                                 "WHERE (?1 IS NULL OR g.name = ?1) AND substr(f.name, 1, "
                                 "length(?2)) = ?2 AND g.name || ' ' || f.name > ?3 ORDER BY "
                                 "g.name || ' ' || f.name",
                                 &call->err)
            : NULL;
    if (s) {
        sqlite3_bind_text(s, 1, group, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, prefix ? prefix : "", -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, token ? token : "", -1, SQLITE_STATIC);
        result = list_filters(call, s, limit);
    }
    connection_reset(s);
    call_read_end(call, connection);
    return result;
}

static json_t *extracted(const struct filter *filter, const char *text, struct arena *arena)
{
    json_t *values = json_object();
    for (size_t i = 0; i < filter->field_count; i++) {
        const char *name = filter->fields[i] ? arena_printf(arena, "$%s", filter->fields[i]) : NULL;
        const char *value = name ? filter_select(filter, name, text, strlen(text), arena) : NULL;
        if (value)
            json_object_set_new(values, name, json_string(value));
    }
    return values;
}

int test_metric_filter(struct logs_call *call)
{
    const char *pattern = json_string_value(json_object_get(call->body, "filterPattern"));
    const json_t *lines = json_object_get(call->body, "logEventMessages");
    struct filter filter;
    size_t i;
    json_t *line, *matches = json_array();
    json_object_set_new(call->answer, "matches", matches);
    if (!pattern || !json_array_size(lines) || json_array_size(lines) > TEST_MOST_LINES)
        return call_invalid(call, "filterPattern and 1 to 50 logEventMessages are needed.");
    if (filter_parse(pattern, &filter, &call->x->arena, &call->err) < 0)
        return -1;
    json_array_foreach(lines, i, line)
    {
        const char *text = json_string_value(line);
        if (!text)
            return call_invalid(call, "logEventMessages holds what is no text.");
        if (filter_matches(&filter, text, strlen(text)))
            json_array_append_new(matches,
                                  json_pack("{s:I, s:O, s:o}", "eventNumber", (json_int_t)i + 1,
                                            "eventMessage", line, "extractedValues",
                                            extracted(&filter, text, &call->x->arena)));
    }
    return 0;
}

/* -- tags -- */

/* The group of logGroupName or of resourceArn. */
static int tagged_group(struct logs_call *call, const char **out)
{
    static const char mark[] = ":log-group:";
    const char *arn = json_string_value(json_object_get(call->body, "resourceArn"));
    if (!arn)
        return call_name(call, "logGroupName", 1, out);
    const char *name = strstr(arn, mark);
    char *copy = name ? arena_strdup(&call->x->arena, name + sizeof mark - 1) : NULL;
    if (!copy || !*copy)
        return call_invalid(call, "The resourceArn names no log group.");
    size_t size = strlen(copy);
    if (size > 2 && !strcmp(copy + size - 2, ":*"))
        copy[size - 2] = 0;
    *out = copy;
    return 0;
}

struct tag_change {
    const char *group;
    const json_t *set, *unset; /* an object, a list of keys */
    size_t count;
};

static json_t *read_tags(struct connection *connection, int64_t group, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(connection, "SELECT tags FROM group_tags WHERE group_id = ?1", err);
    json_t *tags = NULL;
    if (s) {
        sqlite3_bind_int64(s, 1, group);
        if (sqlite3_step(s) == SQLITE_ROW)
            tags = json_loads((const char *)sqlite3_column_text(s, 0), 0, NULL);
    }
    connection_reset(s);
    return tags ? tags : json_object();
}

static int write_tags(struct connection *connection, int64_t group, const json_t *tags,
                      struct err *err)
{
    char *text = json_dumps(tags, JSON_COMPACT);
    sqlite3_stmt *s = connection_prepare(
        connection, "INSERT OR REPLACE INTO group_tags(group_id, tags) VALUES(?1, ?2)", err);
    int result = -1;
    if (s && text) {
        sqlite3_bind_int64(s, 1, group);
        sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
        result = connection_run(connection, s, err);
    }
    free(text);
    return result;
}

static int tag_job(struct connection *connection, void *context, struct err *err)
{
    struct tag_change *change = context;
    size_t i;
    json_t *key;
    int64_t group = logs_find_group(connection, change->group, err);
    if (!group)
        return -1;
    json_t *tags = read_tags(connection, group, err);
    if (change->set)
        json_object_update(tags, (json_t *)change->set);
    json_array_foreach(change->unset, i, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    change->count = json_object_size(tags);
    int result = change->count <= TAGS_MOST ? write_tags(connection, group, tags, err)
                                            : err_set(err, ERR_INVALID, "Too many tags");
    json_decref(tags);
    return result;
}

static int change_tags(struct logs_call *call, struct tag_change *change)
{
    if (tagged_group(call, &change->group) < 0)
        return -1;
    int result = database_write(logs_database(call->logs), tag_job, change, &call->err);
    if (result < 0 && change->count > TAGS_MOST)
        call->code = "TooManyTagsException";
    return result;
}

int tag_log_group(struct logs_call *call)
{
    const char *key;
    json_t *value;
    struct tag_change change = {.set = json_object_get(call->body, "tags")};
    if (!json_object_size(change.set))
        return call_invalid(call, "tags must have at least one tag.");
    json_object_foreach((json_t *)change.set, key, value)
    {
        if (!*key || strlen(key) > 128 * 4 || !json_is_string(value) ||
            json_string_length(value) > 256 * 4)
            return call_invalid(call, "Tag keys have 1 to 128 characters, values 0 to 256.");
    }
    return change_tags(call, &change);
}

int untag_log_group(struct logs_call *call)
{
    struct tag_change change = {.unset = json_object_get(call->body, "tagKeys")};
    if (!change.unset)
        change.unset = json_object_get(call->body, "tags");
    if (!json_array_size(change.unset))
        return call_invalid(call, "The keys of tags to take away are missing.");
    return change_tags(call, &change);
}

int list_tags_log_group(struct logs_call *call)
{
    const char *name;
    if (tagged_group(call, &name) < 0)
        return -1;
    struct connection *connection = call_read_begin(call);
    int64_t group = connection ? logs_find_group(connection, name, &call->err) : 0;
    if (group)
        json_object_set_new(call->answer, "tags", read_tags(connection, group, &call->err));
    call_read_end(call, connection);
    return group ? 0 : -1;
}
