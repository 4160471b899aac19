#ifndef CLOUD_LOGS_FILTER_NODE_H
#define CLOUD_LOGS_FILTER_NODE_H

#include "cloud/logs/filter.h"

#include <jansson.h>

/* Between the files of filter: the tree of a JSON or field pattern. */

enum filter_operator {
    FILTER_EQUAL,
    FILTER_UNEQUAL,
    FILTER_LESS,
    FILTER_AT_MOST,
    FILTER_GREATER,
    FILTER_AT_LEAST,
    FILTER_IS_NULL,
    FILTER_IS_TRUE,
    FILTER_IS_FALSE,
    FILTER_NOT_EXISTS,
    FILTER_AND,
    FILTER_OR,
};

/* One step of a selector: a member, an element, or (both unset) any element. */
struct filter_step {
    const char *member;
    int index; /* -1: none */
};

struct filter_node {
    enum filter_operator operator;
    struct filter_node *left, *right; /* of AND and OR */
    struct filter_step *steps;        /* of a JSON selector */
    size_t step_count;
    size_t field; /* of a field pattern */
    const char *value;
    double number;
    int is_number;
};

/* Reads "$.a.b[0]['c']" from *at on. */
int filter_read_selector(const char **at, struct filter_node *node, struct arena *arena,
                         struct err *err) MUST_USE;

/* The words of a line in the order of the pattern's fields. Returns how many. */
struct filter_word {
    const char *text;
    size_t size;
};
size_t filter_split(const char *text, size_t size, struct filter_word words[FILTER_MAX_FIELDS]);
/* The word of field `at`, given that `...` takes what is over; NULL: there is none. */
const struct filter_word *filter_word_of(const struct filter *filter,
                                         const struct filter_word *words, size_t count, size_t at);

#endif
