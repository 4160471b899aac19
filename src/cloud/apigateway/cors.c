#include "cloud/apigateway/cors.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_CORS_ITEMS = 100, MAX_AGE_S = 86400 };

static const json_t *part(const json_t *cors, const char *name)
{
    char lower[32];
    const json_t *value = json_object_get(cors, name);
    snprintf(lower, sizeof lower, "%c%s", tolower((unsigned char)name[0]), name + 1);
    return value ? value : json_object_get(cors, lower);
}

static int is_list_of_texts(const json_t *list)
{
    size_t i;
    json_t *text;
    json_array_foreach(list, i, text)
    {
        if (!json_is_string(text) || strpbrk(json_string_value(text), "\r\n"))
            return 0;
    }
    return !list || json_is_null(list) ||
           (json_is_array(list) && json_array_size(list) <= MAX_CORS_ITEMS);
}

static int is_known(const char *name)
{
    static const char *const names[] = {"AllowCredentials", "AllowHeaders",  "AllowMethods",
                                        "AllowOrigins",     "ExposeHeaders", "MaxAge"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], name) == 0)
            return 1;
    return 0;
}

int http_cors_check(const json_t *cors, struct err *err)
{
    static const char *const lists[] = {"AllowHeaders", "AllowMethods", "AllowOrigins",
                                        "ExposeHeaders"};
    const char *name;
    json_t *value;
    const json_t *age = part(cors, "MaxAge"), *credentials = part(cors, "AllowCredentials");
    json_object_foreach((json_t *)(uintptr_t)cors, name, value)
    {
        if (!is_known(name))
            return err_set(err, ERR_INVALID, "CORS has no %.64s", name);
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!is_list_of_texts(part(cors, lists[i])))
            return err_set(err, ERR_INVALID, "CORS %s is a list of texts", lists[i]);
    if (!json_is_object(cors) || (credentials && !json_is_boolean(credentials)) ||
        (age && (!json_is_integer(age) || json_integer_value(age) < -1 ||
                 json_integer_value(age) > MAX_AGE_S)))
        return err_set(err, ERR_INVALID,
                       "CORS AllowCredentials is true or false, MaxAge -1 to %d seconds",
                       MAX_AGE_S);
    return 0;
}

/* A pattern has at most one star: all origins, or those that begin and end like it. */
static int origin_matches(const char *pattern, const char *origin)
{
    const char *star = strchr(pattern, '*');
    size_t before = star ? (size_t)(star - pattern) : 0, after = star ? strlen(star + 1) : 0;
    size_t size = strlen(origin);
    if (!star)
        return strcasecmp(pattern, origin) == 0;
    return size >= before + after && strncasecmp(pattern, origin, before) == 0 &&
           strcasecmp(origin + size - after, star + 1) == 0;
}

/* What the answer names: "*", or the origin itself; NULL: it is not allowed. */
static const char *allowed_origin(const json_t *cors, const char *origin)
{
    size_t i;
    json_t *pattern;
    json_array_foreach(part(cors, "AllowOrigins"), i, pattern)
    {
        const char *text = json_string_value(pattern);
        if (!origin_matches(text, origin))
            continue;
        return strcmp(text, "*") == 0 && !json_is_true(part(cors, "AllowCredentials")) ? "*"
                                                                                       : origin;
    }
    return NULL;
}

static void add_list(struct exchange *x, const char *header, const json_t *list)
{
    size_t i;
    json_t *item;
    const char *joined = NULL;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        joined = joined ? arena_printf(&x->arena, "%s,%s", joined, text) : text;
    }
    if (joined)
        exchange_reply_header(x, header, joined);
}

static int add_origin(struct exchange *x, const json_t *cors)
{
    const char *origin = exchange_header(x, "Origin");
    const char *allowed = origin ? allowed_origin(cors, origin) : NULL;
    if (!allowed)
        return -1;
    exchange_reply_header(x, "Access-Control-Allow-Origin", allowed);
    if (strcmp(allowed, "*") != 0)
        exchange_reply_header(x, "Vary", "Origin");
    if (json_is_true(part(cors, "AllowCredentials")))
        exchange_reply_header(x, "Access-Control-Allow-Credentials", "true");
    return 0;
}

int http_cors_answer_preflight(struct exchange *x, const json_t *cors)
{
    const json_t *age = part(cors, "MaxAge");
    char text[32];
    if (!cors || strcmp(x->method, "OPTIONS") != 0 || !exchange_header(x, "Origin") ||
        !exchange_header(x, "Access-Control-Request-Method"))
        return 0;
    if (add_origin(x, cors) == 0) {
        add_list(x, "Access-Control-Allow-Methods", part(cors, "AllowMethods"));
        add_list(x, "Access-Control-Allow-Headers", part(cors, "AllowHeaders"));
        add_list(x, "Access-Control-Expose-Headers", part(cors, "ExposeHeaders"));
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(age));
        if (json_is_integer(age))
            exchange_reply_header(x, "Access-Control-Max-Age", text);
    }
    exchange_respond(x, 204, NULL, NULL, 0);
    return 1;
}

void http_cors_add_headers(struct exchange *x, const json_t *cors)
{
    if (cors && add_origin(x, cors) == 0)
        add_list(x, "Access-Control-Expose-Headers", part(cors, "ExposeHeaders"));
}

int http_cors_owns_header(const char *name)
{
    return strncasecmp(name, "Access-Control-", 15) == 0;
}
