#include "cloud/lambda/event_filter.h"

#include "cloud/sns/filter.h"

#include <stdint.h>
#include <string.h>

static int check_pattern(const char *text, struct err *err)
{
    struct err why;
    if (!text)
        return err_set(err, ERR_INVALID, "Invalid filter pattern definition.");
    if (strlen(text) > EVENT_FILTER_MAX_BYTES)
        return err_set(err, ERR_INVALID, "A filter's Pattern has at most %d bytes.",
                       EVENT_FILTER_MAX_BYTES);
    json_t *pattern = json_loads(text, 0, NULL);
    int result = filter_pattern_check(pattern, &why);
    json_decref(pattern);
    return result == 0 ? 0 : err_set(err, ERR_INVALID, "Invalid filter pattern definition.");
}

int event_filter_check(const json_t *criteria, struct err *err)
{
    size_t i;
    json_t *filter;
    const json_t *filters = json_object_get(criteria, "Filters");
    if (!criteria || json_is_null(criteria))
        return 0;
    if (!json_is_object(criteria) || (filters && !json_is_array(filters)))
        return err_set(err, ERR_INVALID, "FilterCriteria has a list of Filters.");
    if (json_array_size(filters) > EVENT_FILTERS_MOST)
        return err_set(err, ERR_INVALID, "A mapping has at most %d filters.", EVENT_FILTERS_MOST);
    json_array_foreach(filters, i, filter)
    {
        if (check_pattern(json_string_value(json_object_get(filter, "Pattern")), err) < 0)
            return -1;
    }
    return 0;
}

/* The record with its body as the pattern wants to see it; NULL: the body is of the other kind. */
static json_t *seen_by(const json_t *pattern, const json_t *record)
{
    const json_t *wanted = json_object_get(pattern, "body");
    const char *body = json_string_value(json_object_get(record, "body"));
    json_t *inside = wanted && body ? json_loads(body, 0, NULL) : NULL;
    json_t *seen = NULL;
    if (!wanted || json_is_object(wanted) == json_is_object(inside))
        seen = json_copy((json_t *)(uintptr_t)record);
    if (seen && json_is_object(inside))
        json_object_set(seen, "body", inside);
    json_decref(inside);
    return seen;
}

int event_filter_passes(const json_t *criteria, const json_t *record)
{
    size_t i;
    json_t *filter;
    const json_t *filters = json_object_get(criteria, "Filters");
    int passes = json_array_size(filters) == 0;
    json_array_foreach(filters, i, filter)
    {
        const char *text = json_string_value(json_object_get(filter, "Pattern"));
        json_t *pattern = text ? json_loads(text, 0, NULL) : NULL;
        json_t *seen = passes ? NULL : seen_by(pattern, record);
        passes |= seen && filter_policy_matches(pattern, seen);
        json_decref(seen);
        json_decref(pattern);
    }
    return passes;
}
