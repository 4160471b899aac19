#include "aws/sigv4.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Signs the requests given as JSON lines on standard input and prints a line for each: the
 * Authorization header, or the presigned query where "expires" is above 0. For sigv4_test.py. */

enum { MAX_LINE = 1 << 20, MAX_HEADERS = 64 };

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static size_t read_headers(const json_t *list, struct http_header *headers)
{
    size_t index;
    const json_t *pair;
    json_array_foreach(list, index, pair)
    {
        if (index == MAX_HEADERS)
            return index;
        headers[index] = (struct http_header){json_string_value(json_array_get(pair, 0)),
                                              json_string_value(json_array_get(pair, 1))};
    }
    return json_array_size(list);
}

static void sign(const json_t *line)
{
    struct arena arena;
    struct err err = {0};
    struct http_header headers[MAX_HEADERS];
    size_t count = read_headers(json_object_get(line, "headers"), headers);
    struct sigv4_request request = {
        text(line, "method"), text(line, "path"), text(line, "query"), headers, count,
        text(line, "hash")};
    const char *token = text(line, "token");
    struct sigv4_key key = {text(line, "id"), text(line, "secret"), *token ? token : NULL, NULL};
    struct sigv4_scope scope = {text(line, "region"), text(line, "service")};
    struct sigv4_period period = {json_integer_value(json_object_get(line, "unix_s")),
                                  json_integer_value(json_object_get(line, "expires"))};
    arena_init(&arena, 16 << 20);
    const char *result =
        period.expires_s > 0
            ? sigv4_presigned_query(&request, &key, &scope, &period, &arena, &err)
            : sigv4_authorization(&request, &key, &scope, period.unix_s, &arena, &err);
    puts(result ? result : err.message);
    arena_finish(&arena);
}

int main(void)
{
    static char line[MAX_LINE];
    while (fgets(line, sizeof line, stdin)) {
        json_t *parsed = json_loads(line, 0, NULL);
        if (!parsed)
            return 1;
        sign(parsed);
        json_decref(parsed);
    }
    return 0;
}
