#include "cloud/logs/filter.h"

#include "cloud/logs/filter_node.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Reading patterns. */

struct reader {
    const char *at;
    struct arena *arena;
    struct filter *filter;
    int depth;
};

static int mistake(const struct reader *r, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "Invalid filter pattern: %s at \"%.40s\"", what, r->at);
}

static void skip_spaces(struct reader *r)
{
    r->at += strspn(r->at, " \t\n");
}

static int take(struct reader *r, const char *text)
{
    size_t size = strlen(text);
    skip_spaces(r);
    if (strncasecmp(r->at, text, size) != 0)
        return 0;
    if (isalpha((unsigned char)*text) && isalnum((unsigned char)r->at[size]))
        return 0;
    r->at += size;
    return 1;
}

/* -- terms -- */

/* A quoted phrase from the opening quote on, with \" and \\; returns what is behind it, or NULL. */
static const char *read_phrase(const char *at, char *out, size_t *size)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
        out[(*size)++] = *at;
    }
    return *at ? at + 1 : NULL;
}

static int read_terms(struct reader *r, struct err *err)
{
    size_t length = strlen(r->at);
    const char *at = r->at;
    struct filter *out = r->filter;
    out->terms = arena_new(r->arena, struct filter_term, length / 2 + 1);
    char *text = arena_alloc(r->arena, length + 1, 1);
    if (!out->terms || !text)
        return err_set(err, ERR_NO_MEMORY, "read the filter pattern: out of memory");
    while (*at) {
        struct filter_term *term = &out->terms[out->count];
        term->kind = ' ';
        if ((*at == '?' || *at == '-') && at[1] && at[1] != ' ')
            term->kind = *at++;
        term->text = text;
        if (*at == '"') {
            at = read_phrase(at, text, &term->size);
            if (!at)
                return err_set(err, ERR_INVALID, "Invalid filter pattern: a quote is not closed.");
        } else {
            term->size = strcspn(at, " \t");
            memcpy(text, at, term->size);
            at += term->size;
        }
        text += term->size;
        out->count += term->size > 0;
        at += strspn(at, " \t");
    }
    return 0;
}

/* -- values and comparisons -- */

static struct filter_node *new_node(struct reader *r, struct err *err)
{
    struct filter_node *node = arena_new(r->arena, struct filter_node, 1);
    if (!node)
        err_set(err, ERR_NO_MEMORY, "read the filter pattern: out of memory");
    return node;
}

static int read_value(struct reader *r, struct filter_node *node, struct err *err)
{
    skip_spaces(r);
    size_t size = 0, most = strlen(r->at);
    char *text = arena_alloc(r->arena, most + 1, 1), *end;
    int quoted = *r->at == '"';
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "read the filter pattern: out of memory");
    if (*r->at == '%')
        return mistake(r, "ken takes no regular expressions", err);
    if (quoted) {
        const char *behind = read_phrase(r->at, text, &size);
        if (!behind)
            return mistake(r, "a quote is not closed", err);
        r->at = behind;
    } else {
        size = strcspn(r->at, " \t\n,)]}&|");
        memcpy(text, r->at, size);
        r->at += size;
    }
    if (!size && !quoted)
        return mistake(r, "a value is missing", err);
    node->value = text;
    node->number = strtod(text, &end);
    node->is_number = !quoted && *text && !*end;
    return 0;
}

static int read_operator(struct reader *r, struct filter_node *node)
{
    static const struct {
        const char *text;
        enum filter_operator operator;
    } operators[] = {{"!=", FILTER_UNEQUAL}, {"<=", FILTER_AT_MOST}, {">=", FILTER_AT_LEAST},
                     {"=", FILTER_EQUAL},    {"<", FILTER_LESS},     {">", FILTER_GREATER}};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (take(r, operators[i].text)) {
            node->operator= operators[i].operator;
            return 1;
        }
    return 0;
}

static int is_order(enum filter_operator operator)
{
    return operator>= FILTER_LESS && operator<= FILTER_AT_LEAST;
}

static int read_comparison(struct reader *r, struct filter_node *node, struct err *err)
{
    if (!read_operator(r, node))
        return mistake(r, "an operator is missing", err);
    if (read_value(r, node, err) < 0)
        return -1;
    return !is_order(node->operator) || node->is_number
               ? 0
               : mistake(r, "this comparison needs a number", err);
}

/* "IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS": 1; another thing: 0. */
static int read_test(struct reader *r, struct filter_node *node, struct err *err)
{
    if (take(r, "NOT")) {
        node->operator= FILTER_NOT_EXISTS;
        return take(r, "EXISTS") ? 1 : mistake(r, "EXISTS is missing", err);
    }
    if (!take(r, "IS"))
        return 0;
    node->operator= take(r, "NULL") ? FILTER_IS_NULL
    : take(r, "TRUE")               ? FILTER_IS_TRUE
    : take(r, "FALSE")              ? FILTER_IS_FALSE
                                    : FILTER_AND;
    return node->operator!= FILTER_AND ? 1 : mistake(r, "NULL, TRUE or FALSE is missing", err);
}

/* -- trees: ||, &&, parentheses -- */

typedef struct filter_node *read_leaf(struct reader *r, struct err *err);
static struct filter_node *read_any(struct reader *r, read_leaf *leaf, struct err *err);

static struct filter_node *read_one(struct reader *r, read_leaf *leaf, struct err *err)
{
    if (!take(r, "("))
        return leaf(r, err);
    if (++r->depth > FILTER_MAX_DEPTH) {
        mistake(r, "too many parentheses", err);
        return NULL;
    }
    struct filter_node *node = read_any(r, leaf, err);
    r->depth--;
    if (node && !take(r, ")")) {
        mistake(r, "a ) is missing", err);
        return NULL;
    }
    return node;
}

/* A chain of one operator, leaning left. */
static struct filter_node *read_chain(struct reader *r, read_leaf *leaf,
                                      enum filter_operator operator, struct err * err)
{
    int all = operator== FILTER_AND;
    struct filter_node *left = all ? read_one(r, leaf, err) : read_chain(r, leaf, FILTER_AND, err);
    while (left && take(r, all ? "&&" : "||")) {
        struct filter_node *node = new_node(r, err);
        struct filter_node *right =
            all ? read_one(r, leaf, err) : read_chain(r, leaf, FILTER_AND, err);
        if (!node || !right)
            return NULL;
        *node = (struct filter_node){.operator= operator, .left = left, .right = right};
        left = node;
    }
    return left;
}

static struct filter_node *read_any(struct reader *r, read_leaf *leaf, struct err *err)
{
    return read_chain(r, leaf, FILTER_OR, err);
}

static struct filter_node *read_json_leaf(struct reader *r, struct err *err)
{
    struct filter_node *node = new_node(r, err);
    skip_spaces(r);
    if (!node || filter_read_selector(&r->at, node, r->arena, err) < 0)
        return NULL;
    int test = read_test(r, node, err);
    if (test < 0 || (!test && read_comparison(r, node, err) < 0))
        return NULL;
    return node;
}

static int read_json(struct reader *r, struct err *err)
{
    r->at++;
    r->filter->root = read_any(r, read_json_leaf, err);
    if (!r->filter->root)
        return -1;
    if (!take(r, "}"))
        return mistake(r, "a } is missing", err);
    skip_spaces(r);
    return *r->at ? mistake(r, "there is more behind the }", err) : 0;
}

/* -- fields -- */

static const char *read_name(struct reader *r)
{
    skip_spaces(r);
    size_t size = strcspn(r->at, " \t\n,=<>!]&|()");
    char *name = arena_copy(r->arena, r->at, size);
    r->at += size;
    return name;
}

/* The field that is read names itself again in each comparison of an && or ||. */
static struct filter_node *read_field_leaf(struct reader *r, struct err *err)
{
    struct filter_node *node = new_node(r, err);
    size_t field = r->filter->field_count;
    const char *name = read_name(r);
    if (!node || !name)
        return NULL;
    if (!*name) {
        mistake(r, "a field's name is missing", err);
        return NULL;
    }
    node->field = field;
    if (!r->filter->fields[field])
        r->filter->fields[field] = name;
    skip_spaces(r);
    if (*r->at == ',' || *r->at == ']') { /* only a name: any word */
        node->operator= FILTER_EQUAL;
        node->value = "*";
        return node;
    }
    return read_comparison(r, node, err) < 0 ? NULL : node;
}

static int add_root(struct reader *r, struct filter_node *node, struct err *err)
{
    struct filter_node *both = r->filter->root ? new_node(r, err) : node;
    if (!both)
        return -1;
    if (r->filter->root)
        *both = (struct filter_node){.operator= FILTER_AND, .left = r->filter->root, .right = node};
    r->filter->root = both;
    return 0;
}

static int read_field(struct reader *r, struct err *err)
{
    if (r->filter->field_count == FILTER_MAX_FIELDS)
        return mistake(r, "too many fields", err);
    if (!take(r, "...")) {
        struct filter_node *node = read_any(r, read_field_leaf, err);
        if (!node || add_root(r, node, err) < 0)
            return -1;
        if (!r->filter->fields[r->filter->field_count])
            return mistake(r, "a field is missing", err);
    }
    r->filter->field_count++;
    return 0;
}

static int read_fields(struct reader *r, struct err *err)
{
    r->at++;
    r->filter->fields = arena_new(r->arena, const char *, FILTER_MAX_FIELDS + 1);
    if (!r->filter->fields)
        return err_set(err, ERR_NO_MEMORY, "read the filter pattern: out of memory");
    do {
        if (read_field(r, err) < 0)
            return -1;
    } while (take(r, ","));
    if (!take(r, "]"))
        return mistake(r, "a ] is missing", err);
    skip_spaces(r);
    return *r->at ? mistake(r, "there is more behind the ]", err) : 0;
}

int filter_parse(const char *pattern, struct filter *out, struct arena *arena, struct err *err)
{
    struct reader r = {pattern, arena, out, 0};
    *out = (struct filter){0};
    if (strlen(pattern) > FILTER_MAX_BYTES)
        return err_set(err, ERR_INVALID, "filterPattern has more than 1024 characters.");
    skip_spaces(&r);
    if (*r.at == '%')
        return mistake(&r, "ken takes no regular expressions", err);
    out->kind = *r.at == '{' ? FILTER_JSON : *r.at == '[' ? FILTER_FIELDS : FILTER_TERMS;
    return out->kind == FILTER_JSON     ? read_json(&r, err)
           : out->kind == FILTER_FIELDS ? read_fields(&r, err)
                                        : read_terms(&r, err);
}
