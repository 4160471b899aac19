#include "base/glob.h"
#include "cloud/logs/filter_node.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Asking patterns about lines. */

/* -- selectors -- */

static int wrong_selector(const char *at, struct err *err)
{
    return err_set(err, ERR_INVALID, "Invalid filter pattern: a selector is wrong at \"%.40s\"",
                   at);
}

/* Behind a '[': a number, * or a quoted name, and ']'. */
static const char *read_bracket(const char *at, struct filter_step *step, struct arena *arena)
{
    char quote = *at;
    step->index = -1;
    if (quote == '*') {
        at++;
    } else if (quote == '\'' || quote == '"') {
        const char *end = strchr(++at, quote);
        if (!end || !(step->member = arena_copy(arena, at, (size_t)(end - at))))
            return NULL;
        at = end + 1;
    } else {
        size_t digits = strspn(at, "0123456789");
        if (!digits || digits > 6)
            return NULL;
        step->index = (int)strtol(at, NULL, 10);
        at += digits;
    }
    return *at == ']' ? at + 1 : NULL;
}

int filter_read_selector(const char **at, struct filter_node *node, struct arena *arena,
                         struct err *err)
{
    const char *p = *at;
    node->steps = arena_new(arena, struct filter_step, FILTER_MAX_DEPTH);
    if (!node->steps)
        return err_set(err, ERR_NO_MEMORY, "read the filter pattern: out of memory");
    if (*p++ != '$')
        return wrong_selector(*at, err);
    while (*p == '.' || *p == '[') {
        struct filter_step *step = &node->steps[node->step_count];
        if (++node->step_count > FILTER_MAX_DEPTH)
            return wrong_selector(p, err);
        step->index = -1;
        if (*p == '[') {
            p = read_bracket(p + 1, step, arena);
            if (!p)
                return wrong_selector(*at, err);
            continue;
        }
        size_t size = strcspn(++p, ".[ \t\n=<>!)}&|");
        if (!size || !(step->member = arena_copy(arena, p, size)))
            return wrong_selector(p, err);
        p += size;
    }
    *at = p;
    return node->step_count ? 0 : wrong_selector(p, err);
}

/* -- comparisons -- */

/* '*' stands for any characters. */
static const struct glob wild = {.any = '*'};

static int compares(const struct filter_node *node, double value)
{
    switch (node->operator) {
    case FILTER_LESS:
        return value < node->number;
    case FILTER_AT_MOST:
        return value <= node->number;
    case FILTER_GREATER:
        return value > node->number;
    case FILTER_AT_LEAST:
        return value >= node->number;
    case FILTER_EQUAL:
        return value == node->number;
    default:
        return value != node->number;
    }
}

static int holds_text(const struct filter_node *node, const char *text, size_t size)
{
    int same = glob_matches(&wild, node->value, text, size);
    return node->operator== FILTER_EQUAL ? same : node->operator== FILTER_UNEQUAL && !same;
}

/* One value of a JSON line; NULL: absent. */
static int holds_value(const struct filter_node *node, const json_t *value)
{
    switch (node->operator) {
    case FILTER_NOT_EXISTS:
        return !value;
    case FILTER_IS_NULL:
        return json_is_null(value);
    case FILTER_IS_TRUE:
        return json_is_true(value);
    case FILTER_IS_FALSE:
        return json_is_false(value);
    default:
        break;
    }
    if (json_is_number(value))
        return node->is_number ? compares(node, json_number_value(value))
                               : node->operator== FILTER_UNEQUAL;
    if (json_is_string(value))
        return holds_text(node, json_string_value(value), json_string_length(value));
    if (json_is_boolean(value))
        return holds_text(node, json_is_true(value) ? "true" : "false",
                          json_is_true(value) ? 4 : 5);
    return 0;
}

/* Follows the steps from `step` on; any of a list's elements will do for [*]. */
static int holds_at(const struct filter_node *node, size_t step, const json_t *value)
{
    size_t i;
    json_t *element;
    if (step == node->step_count)
        return holds_value(node, value);
    const struct filter_step *s = &node->steps[step];
    if (s->member)
        return holds_at(node, step + 1, json_object_get(value, s->member));
    if (s->index >= 0)
        return holds_at(node, step + 1, json_array_get(value, (size_t)s->index));
    json_array_foreach(value, i, element)
    {
        if (holds_at(node, step + 1, element))
            return 1;
    }
    return 0;
}

/* A number when the whole word is one. */
static int word_number(const struct filter_word *word, double *out)
{
    char text[64], *end;
    if (!word->size || word->size >= sizeof text)
        return 0;
    memcpy(text, word->text, word->size);
    text[word->size] = 0;
    *out = strtod(text, &end);
    return !*end && !isspace((unsigned char)*text);
}

static int holds_word(const struct filter_node *node, const struct filter_word *word)
{
    double value;
    if (!word)
        return 0;
    if (node->is_number && word_number(word, &value))
        return compares(node, value);
    return holds_text(node, word->text, word->size);
}

/* -- lines -- */

size_t filter_split(const char *text, size_t size, struct filter_word words[FILTER_MAX_FIELDS])
{
    const char *at = text, *end = text + size;
    size_t count = 0;
    while (count < FILTER_MAX_FIELDS) {
        while (at < end && isspace((unsigned char)*at))
            at++;
        if (at == end)
            break;
        char close = *at == '"' ? '"' : *at == '[' ? ']' : 0;
        const char *from = close ? at + 1 : at, *stop = from;
        while (stop < end && (close ? *stop != close : !isspace((unsigned char)*stop)))
            stop++;
        words[count++] = (struct filter_word){from, (size_t)(stop - from)};
        at = stop < end ? stop + 1 : stop;
    }
    return count;
}

const struct filter_word *filter_word_of(const struct filter *filter,
                                         const struct filter_word *words, size_t count, size_t at)
{
    size_t gap = 0;
    while (gap < filter->field_count && filter->fields[gap])
        gap++;
    if (gap == filter->field_count)
        return count == filter->field_count ? &words[at] : NULL;
    if (count + 1 < filter->field_count)
        return NULL;
    return at < gap ? &words[at] : &words[count - (filter->field_count - at)];
}

/* What a tree is asked about. */
struct subject {
    const struct filter *filter;
    const json_t *json;
    const struct filter_word *words;
    size_t word_count;
};

static int holds(const struct filter_node *node, const struct subject *subject)
{
    if (node->operator== FILTER_AND)
        return holds(node->left, subject) && holds(node->right, subject);
    if (node->operator== FILTER_OR)
        return holds(node->left, subject) || holds(node->right, subject);
    if (subject->filter->kind == FILTER_JSON)
        return holds_at(node, 0, subject->json);
    return holds_word(
        node, filter_word_of(subject->filter, subject->words, subject->word_count, node->field));
}

static json_t *read_json(const char *text, size_t size)
{
    while (size && isspace((unsigned char)*text)) {
        text++;
        size--;
    }
    return size && size <= FILTER_MAX_JSON_BYTES && (*text == '{' || *text == '[')
               ? json_loadb(text, size, 0, NULL)
               : NULL;
}

static int matches_json(const struct filter *filter, const char *text, size_t size)
{
    struct subject subject = {.filter = filter};
    json_t *json = read_json(text, size);
    subject.json = json;
    int result = json && holds(filter->root, &subject);
    json_decref(json);
    return result;
}

static int matches_fields(const struct filter *filter, const char *text, size_t size)
{
    struct filter_word words[FILTER_MAX_FIELDS];
    struct subject subject = {filter, NULL, words, filter_split(text, size, words)};
    return filter->root ? holds(filter->root, &subject) : 1;
}

static int matches_terms(const struct filter *filter, const char *text, size_t size)
{
    int wanted = 0, seen = 0;
    for (size_t i = 0; i < filter->count; i++) {
        const struct filter_term *term = &filter->terms[i];
        int found = size && memmem(text, size, term->text, term->size) != NULL;
        if ((term->kind == ' ' && !found) || (term->kind == '-' && found))
            return 0;
        wanted |= term->kind == '?';
        seen |= term->kind == '?' && found;
    }
    return !wanted || seen;
}

int filter_matches(const struct filter *filter, const char *text, size_t size)
{
    return filter->kind == FILTER_JSON     ? matches_json(filter, text, size)
           : filter->kind == FILTER_FIELDS ? matches_fields(filter, text, size)
                                           : matches_terms(filter, text, size);
}

/* -- what a selector finds -- */

static const json_t *follow(const struct filter_node *node, const json_t *json)
{
    for (size_t i = 0; i < node->step_count && json; i++)
        json =
            node->steps[i].member
                ? json_object_get(json, node->steps[i].member)
                : json_array_get(json, node->steps[i].index < 0 ? 0 : (size_t)node->steps[i].index);
    return json;
}

static const char *select_json(const char *selector, const char *text, size_t size,
                               struct arena *arena)
{
    struct filter_node node = {0};
    struct err err;
    json_t *json = read_json(text, size);
    const char *out = NULL;
    if (json && filter_read_selector(&selector, &node, arena, &err) == 0 && !*selector) {
        const json_t *value = follow(&node, json);
        if (json_is_string(value))
            out = arena_strdup(arena, json_string_value(value));
        else if (json_is_number(value))
            out = arena_printf(arena, "%.17g", json_number_value(value));
        else if (json_is_boolean(value))
            out = json_is_true(value) ? "true" : "false";
    }
    json_decref(json);
    return out;
}

static const char *select_field(const struct filter *filter, const char *name, const char *text,
                                size_t size, struct arena *arena)
{
    struct filter_word words[FILTER_MAX_FIELDS];
    size_t count = filter_split(text, size, words), at = 0;
    while (at < filter->field_count &&
           (!filter->fields[at] || strcmp(filter->fields[at], name) != 0))
        at++;
    const struct filter_word *word =
        at < filter->field_count ? filter_word_of(filter, words, count, at) : NULL;
    return word ? arena_copy(arena, word->text, word->size) : NULL;
}

const char *filter_select(const struct filter *filter, const char *selector, const char *text,
                          size_t size, struct arena *arena)
{
    if (*selector != '$')
        return NULL;
    return filter->kind == FILTER_FIELDS ? select_field(filter, selector + 1, text, size, arena)
                                         : select_json(selector, text, size, arena);
}
