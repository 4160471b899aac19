#ifndef CLOUD_LOGS_FILTER_H
#define CLOUD_LOGS_FILTER_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>

/* Filter patterns, of three kinds:
 *   terms     ERROR "a phrase" ?one ?other -without: all plain terms, one of those with ?, none
 * with - JSON      { $.status >= 500 && ($.path = "/a*" || $.user IS NULL || $.tags[0] NOT EXISTS)
 * } fields    [ip, user, ..., status = 4*, bytes > 1000]: a line's words, "quoted" or in [brackets]
 * Regular expressions are refused. In values * stands for any characters.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html */
enum {
    FILTER_MAX_BYTES = 1024,
    FILTER_MAX_FIELDS = 64,
    FILTER_MAX_DEPTH = 16, /* of parentheses, and of selectors */
    FILTER_MAX_JSON_BYTES = 256 * 1024,
};

struct filter_term {
    const char *text;
    size_t size;
    char kind; /* ' ' must, '?' one of these, '-' must not */
};

enum filter_kind { FILTER_TERMS, FILTER_JSON, FILTER_FIELDS };

struct filter {
    enum filter_kind kind;
    struct filter_term *terms;
    size_t count; /* of terms */
    struct filter_node *root;
    const char **fields; /* names of fields; NULL stands for ... */
    size_t field_count;
};

/* The result lives in the arena. ERR_INVALID with the place of the mistake. */
int filter_parse(const char *pattern, struct filter *out, struct arena *arena,
                 struct err *err) MUST_USE;
int filter_matches(const struct filter *filter, const char *text, size_t size);

/* The text of what a selector ("$.latency", "$bytes") finds in a line, in the arena; NULL: nothing.
 * A selector of a field needs the filter that names the fields. */
const char *filter_select(const struct filter *filter, const char *selector, const char *text,
                          size_t size, struct arena *arena);

#endif
