#include "cloud/apigateway/method_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH_BYTES = 512 };
#define ALL_METHODS "*/*"

/* "/a~1b/GET" as the name of its settings: "a/b/GET". Of the root it is "/GET". */
static void read_name(const char *path, size_t size, char out[MAX_PATH_BYTES])
{
    size_t length = 0;
    for (size_t i = 0; i < size && length + 1 < MAX_PATH_BYTES; i++) {
        int is_slash = path[i] == '~' && i + 1 < size && path[i + 1] == '1';
        i += (size_t)is_slash;
        out[length++] = is_slash ? '/' : path[i];
    }
    out[length] = 0;
    size_t leading = strspn(out, "/");
    leading -= leading > 0 && !strchr(out + leading, '/');
    memmove(out, out + leading, length - leading + 1);
}

/* Where its last `count` parts begin; NULL: it has fewer. */
static const char *last_parts(const char *path, size_t count)
{
    const char *at = path + strlen(path);
    while (count > 0 && at > path)
        if (*--at == '/')
            count--;
    return count == 0 && at > path ? at : NULL;
}

static const struct setting {
    const char *path, *member;
    enum { SETTING_NUMBER, SETTING_OFF } kind; /* OFF: what is not offered */
    const char *off;
} settings[] = {
    {"/throttling/rateLimit", "throttlingRateLimit", SETTING_NUMBER, NULL},
    {"/throttling/burstLimit", "throttlingBurstLimit", SETTING_NUMBER, NULL},
    {"/logging/loglevel", "loggingLevel", SETTING_OFF, "OFF"},
    {"/logging/dataTrace", "dataTraceEnabled", SETTING_OFF, "false"},
    {"/metrics/enabled", "metricsEnabled", SETTING_OFF, "false"},
    {"/caching/enabled", "cachingEnabled", SETTING_OFF, "false"},
};

static const struct setting *find_setting(const char *path)
{
    const char *end = path ? last_parts(path, 2) : NULL;
    for (size_t i = 0; end && i < sizeof settings / sizeof *settings; i++)
        if (strcmp(end, settings[i].path) == 0)
            return &settings[i];
    return NULL;
}

static int is_method(const char *name)
{
    static const char *const known[] = {"/*",   "/GET",   "/HEAD",    "/POST",
                                        "/PUT", "/PATCH", "/OPTIONS", "/DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return 1;
    return 0;
}

/* What a method has that nothing was set for. */
static json_t *defaults(void)
{
    return json_pack("{s:b, s:s, s:b, s:b, s:i, s:b, s:b, s:s}", "metricsEnabled", 0,
                     "loggingLevel", "OFF", "dataTraceEnabled", 0, "cachingEnabled", 0,
                     "cacheTtlInSeconds", 300, "cacheDataEncrypted", 0,
                     "requireAuthorizationForCacheControl", 1,
                     "unauthorizedCacheControlHeaderStrategy", "SUCCEED_WITH_RESPONSE_HEADER");
}

static json_t *open_settings(json_t *stage, const char *name)
{
    json_t *all = json_object_get(stage, "methodSettings"), *own = json_object_get(all, name);
    if (own)
        return own;
    own = defaults();
    json_object_set_new(all, name, own);
    return own;
}

static int apply(json_t *own, const struct setting *setting, const char *value, struct err *err)
{
    char *end;
    if (setting->kind == SETTING_OFF)
        return value && strcmp(value, setting->off) == 0
                   ? 0
                   : err_set(err, ERR_UNSUPPORTED, "%s of methods is not supported: only %s",
                             setting->member, setting->off);
    errno = 0;
    double number = value ? strtod(value, &end) : -1;
    if (!value || errno || end == value || *end || !(number >= 0 && number < 1e9))
        return err_set(err, ERR_INVALID, "Invalid patch value for %s", setting->path + 1);
    return json_object_set_new(own, setting->member,
                               strstr(setting->member, "Burst") ? json_integer((json_int_t)number)
                                                                : json_real(number));
}

/* 1: it was one of these, 0: it is another, -1. */
static int patch_one(json_t *stage, const json_t *operation, struct err *err)
{
    char name[MAX_PATH_BYTES];
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    const struct setting *setting = find_setting(path);
    const char *end = path ? strrchr(path, '/') : NULL;
    if (!op || !path)
        return 0;
    if (!setting) {
        if (strcmp(op, "remove") != 0 || !is_method(end ? end : ""))
            return 0;
        read_name(path, strlen(path), name);
        return json_object_del(json_object_get(stage, "methodSettings"), name) == 0
                   ? 1
                   : err_set(err, ERR_INVALID,
                             "Cannot remove method setting %s because there is no method setting "
                             "for this method ",
                             name);
    }
    read_name(path, strlen(path) - strlen(setting->path), name);
    json_t *own = open_settings(stage, name);
    if (strcmp(op, "remove") == 0)
        json_object_del(own, setting->member);
    else if (apply(own, setting, json_string_value(json_object_get(operation, "value")), err) < 0)
        return -1;
    return 1;
}

json_t *method_settings_patch(json_t *stage, const json_t *request, struct err *err)
{
    size_t i;
    json_t *operation, *others = json_array();
    json_array_foreach(json_object_get(request, "patchOperations"), i, operation)
    {
        int result = patch_one(stage, operation, err);
        if (result < 0) {
            json_decref(others);
            return NULL;
        }
        if (result == 0)
            json_array_append(others, operation);
    }
    return json_pack("{s:o}", "patchOperations", others);
}

static const json_t *limit(const json_t *all, const char *name, const char *member)
{
    const json_t *own = json_object_get(json_object_get(all, name), member);
    return own ? own : json_object_get(json_object_get(all, ALL_METHODS), member);
}

struct method_rate method_settings_rate(const json_t *stage, const char *path, const char *method)
{
    char name[MAX_PATH_BYTES];
    const json_t *all = json_object_get(stage, "methodSettings");
    if (json_object_size(all) == 0)
        return (struct method_rate){0};
    snprintf(name, sizeof name, "%.400s/%.16s", path + strspn(path, "/"), method);
    return (struct method_rate){json_number_value(limit(all, name, "throttlingRateLimit")),
                                json_number_value(limit(all, name, "throttlingBurstLimit"))};
}
