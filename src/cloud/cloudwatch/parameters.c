#include "cloud/cloudwatch/operations.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int call_fail(struct metrics_call *call, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_set_args(&call->err, ERR_INVALID, format, args);
    va_end(args);
    call->code = code;
    return -1;
}

int call_text(struct metrics_call *call, const json_t *from, const char *name, int required,
              const char **out)
{
    *out = json_string_value(json_object_get(from, name));
    if (!*out && required)
        return call_fail(call, "MissingParameter", "The parameter %s is required.", name);
    if (*out && (!**out || strlen(*out) > 255))
        return call_fail(call, "InvalidParameterValue",
                         "The parameter %s must have 1 to 255 characters.", name);
    return 0;
}

static int wrong(struct metrics_call *call, const char *name)
{
    return call_fail(call, "InvalidParameterValue", "The value of parameter %s is malformed.",
                     name);
}

int call_number(struct metrics_call *call, const json_t *from, const char *name, double *out,
                int *present)
{
    const json_t *json = json_object_get(from, name);
    const char *text = json_string_value(json);
    char *end = NULL;
    *present = json && !json_is_null(json);
    if (!*present)
        return 0;
    *out = json_number_value(json);
    if (text)
        *out = strtod(text, &end);
    if ((text && (!*text || *end)) || (!text && !json_is_number(json)) || !isfinite(*out))
        return wrong(call, name);
    return 0;
}

/* "2026-11-23T05:31:29[.123](Z|+00:00)" or seconds. */
static int parse_time(const char *text, double *out)
{
    struct tm tm = {0};
    double seconds;
    char *end;
    int used = 0, hours = 0, minutes = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &used) != 5 ||
        !used) {
        *out = strtod(text, &end);
        return *text && !*end && isfinite(*out) ? 0 : -1;
    }
    seconds = strtod(text + used, &end);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (*end == '+' || *end == '-') {
        if (sscanf(end + 1, "%2d:%2d", &hours, &minutes) != 2)
            return -1;
        minutes = (hours * 60 + minutes) * (*end == '+' ? -1 : 1);
    } else if (*end && strcmp(end, "Z")) {
        return -1;
    }
    *out = (double)timegm(&tm) + seconds + minutes * 60;
    return seconds >= 0 && seconds < 61 ? 0 : -1;
}

int call_time(struct metrics_call *call, const json_t *from, const char *name, double *out,
              int *present)
{
    const json_t *json = json_object_get(from, name);
    const char *text = json_string_value(json);
    *present = json && !json_is_null(json);
    if (!*present)
        return 0;
    *out = json_number_value(json);
    if (text ? parse_time(text, out) < 0 : !json_is_number(json))
        return wrong(call, name);
    return fabs(*out) < 1e11 ? 0 : wrong(call, name);
}

char *call_dimensions(struct metrics_call *call, const json_t *from)
{
    struct metric_dimension dimensions[METRIC_MAX_DIMENSIONS];
    const json_t *list = json_object_get(from, "Dimensions");
    size_t count = json_array_size(list);
    if (count > METRIC_MAX_DIMENSIONS) {
        call_fail(call, "InvalidParameterValue", "A metric has at most %d dimensions.",
                  METRIC_MAX_DIMENSIONS);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(list, i);
        if (call_text(call, one, "Name", 1, &dimensions[i].name) < 0)
            return NULL;
        dimensions[i].value = json_string_value(json_object_get(one, "Value"));
        if (!dimensions[i].value || strlen(dimensions[i].value) > 1024) {
            call_fail(call, "InvalidParameterValue",
                      "A dimension's Value must have 1 to 1024 characters.");
            return NULL;
        }
    }
    char *text = metrics_dimensions(dimensions, count);
    if (!text)
        err_set(&call->err, ERR_NO_MEMORY, "read dimensions: out of memory");
    return text;
}
