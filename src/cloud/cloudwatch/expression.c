#include "cloud/cloudwatch/expression_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The grammar and the operators of metric math. */

int math_fail_memory(struct err *err)
{
    return err_set(err, ERR_INVALID, "The expressions ask for too many datapoints.");
}

int math_series_like(struct math *math, const struct math_series *like, struct math_series *out,
                     struct err *err)
{
    *out = *like;
    out->is_metric = 0;
    out->values = arena_new(math->arena, double, like->count + 1);
    for (size_t i = 0; out->values && i < like->count; i++)
        out->values[i] = NAN;
    return out->values ? 0 : math_fail_memory(err);
}

int math_check_same(const struct math_series *a, const struct math_series *b, struct err *err)
{
    if (a->period_s == b->period_s && a->start_s == b->start_s && a->count == b->count)
        return 0;
    return err_set(err, ERR_INVALID,
                   "Time series of different periods (%lld and %lld s) are not supported.",
                   (long long)a->period_s, (long long)b->period_s);
}

int math_for_each(struct math *math, const struct math_value *in, math_each *each,
                  const void *context, struct math_value *out, struct err *err)
{
    struct math_value made = {.kind = in->kind, .count = in->count};
    made.series = arena_new(math->arena, struct math_series, in->count + 1);
    if (!made.series)
        return math_fail_memory(err);
    for (size_t i = 0; i < in->count; i++)
        if (each(math, &in->series[i], context, &made.series[i], err) < 0)
            return -1;
    *out = made;
    return 0;
}

/* -- operators -- */

enum sign { PLUS, MINUS, TIMES, OVER, POWER, LESS, MOST, MORE, LEAST, EQUAL, OTHER, AND, OR };

static const char *const sign_names[] = {
    "+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=", "AND", "OR"};

static double compare(enum sign sign, double a, double b)
{
    switch (sign) {
    case LESS:
        return a < b;
    case MOST:
        return a <= b;
    case MORE:
        return a > b;
    case LEAST:
        return a >= b;
    case EQUAL:
        return a == b;
    case OTHER:
        return a != b;
    case AND:
        return a != 0.0 && b != 0.0;
    default:
        return a != 0.0 || b != 0.0;
    }
}

static double compute(enum sign sign, double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    switch (sign) {
    case PLUS:
        return a + b;
    case MINUS:
        return a - b;
    case TIMES:
        return a * b;
    case OVER:
        return a / b;
    case POWER:
        return pow(a, b);
    default:
        return compare(sign, a, b);
    }
}

/* What is no number is left out. */
static double compute_finite(enum sign sign, double a, double b)
{
    double value = compute(sign, a, b);
    return isfinite(value) ? value : NAN;
}

struct other {
    enum sign sign;
    const struct math_series *series; /* NULL: the scalar */
    double scalar;
    int is_left;
};

static int apply_to_series(struct math *math, const struct math_series *in, const void *context,
                           struct math_series *out, struct err *err)
{
    const struct other *other = context;
    if ((other->series && math_check_same(in, other->series, err) < 0) ||
        math_series_like(math, in, out, err) < 0)
        return -1;
    for (size_t i = 0; i < in->count; i++) {
        double own = in->values[i], its = other->series ? other->series->values[i] : other->scalar;
        if (other->series && isnan(own) != isnan(its)) {
            own = isnan(own) ? 0 : own;
            its = isnan(its) ? 0 : its;
        }
        out->values[i] = other->is_left ? compute_finite(other->sign, its, own)
                                        : compute_finite(other->sign, own, its);
    }
    return 0;
}

static int refuse_operands(enum sign sign, const struct math_value *a, const struct math_value *b,
                           struct err *err)
{
    static const char *const names[] = {"Scalar", "TimeSeries", "Array[TimeSeries]", "String"};
    return err_set(err, ERR_INVALID, "Unsupported operand type(s) for %s: '%s, %s'",
                   sign_names[sign], names[a->kind], names[b->kind]);
}

static int apply(struct math *math, enum sign sign, const struct math_value *a,
                 const struct math_value *b, struct math_value *out, struct err *err)
{
    int lists = (a->kind == MATH_LIST) + (b->kind == MATH_LIST);
    if (a->kind == MATH_WORD || b->kind == MATH_WORD || lists == 2 || (lists && sign > POWER))
        return refuse_operands(sign, a, b, err);
    if (a->kind == MATH_SCALAR && b->kind == MATH_SCALAR) {
        *out = (struct math_value){.scalar = compute_finite(sign, a->scalar, b->scalar)};
        return 0;
    }
    int is_left = b->kind == MATH_LIST || a->kind == MATH_SCALAR;
    const struct math_value *one = is_left ? a : b;
    struct other other = {sign, one->kind == MATH_SERIES ? one->series : NULL, one->scalar,
                          is_left};
    return math_for_each(math, is_left ? b : a, apply_to_series, &other, out, err);
}

/* -- the grammar -- */

struct cursor {
    struct math *math;
    const char *at;
    struct err *err;
};

static int parse(struct cursor *c, int level, struct math_value *out);

static void skip_space(struct cursor *c)
{
    c->at += strspn(c->at, " \t\r\n");
}

static int fail_here(struct cursor *c)
{
    return *c->at ? err_set(c->err, ERR_INVALID, "Syntax error at '%.40s'", c->at)
                  : err_set(c->err, ERR_INVALID, "Unexpected end of the expression");
}

static int take(struct cursor *c, const char *text)
{
    skip_space(c);
    size_t size = strlen(text);
    if (strncmp(c->at, text, size) != 0 ||
        (isalpha((unsigned char)*text) &&
         (isalnum((unsigned char)c->at[size]) || c->at[size] == '_')))
        return 0;
    c->at += size;
    return 1;
}

static int parse_number(struct cursor *c, struct math_value *out)
{
    char text[64];
    size_t size = strspn(c->at, "0123456789.");
    if (size >= sizeof text)
        return fail_here(c);
    memcpy(text, c->at, size);
    text[size] = 0;
    char *end;
    *out = (struct math_value){.scalar = strtod(text, &end)};
    if (end == text || *end)
        return fail_here(c);
    c->at += size;
    return 0;
}

static int parse_string(struct cursor *c, struct math_value *out)
{
    const char *begin = c->at + 1, *end = strchr(begin, *c->at);
    if (!end)
        return fail_here(c);
    char *word = arena_copy(c->math->arena, begin, (size_t)(end - begin));
    if (!word)
        return math_fail_memory(c->err);
    *out = (struct math_value){.kind = MATH_WORD, .word = word};
    c->at = end + 1;
    return 0;
}

/* Values up to `close`, which is taken. */
static int parse_values(struct cursor *c, const char *close, struct math_value *values,
                        size_t *count)
{
    *count = 0;
    if (take(c, close))
        return 0;
    do {
        if (*count == MATH_MAX_ARGUMENTS)
            return err_set(c->err, ERR_INVALID, "There are more than %d arguments.",
                           MATH_MAX_ARGUMENTS);
        if (parse(c, 0, &values[(*count)++]) < 0)
            return -1;
    } while (take(c, ","));
    return take(c, close) ? 0 : fail_here(c);
}

static struct math_value *make_values(struct cursor *c)
{
    struct math_value *values = arena_new(c->math->arena, struct math_value, MATH_MAX_ARGUMENTS);
    if (!values)
        math_fail_memory(c->err);
    return values;
}

/* "[m1, METRICS()]": the series of all of them. */
static int parse_list(struct cursor *c, struct math_value *out)
{
    size_t count, total = 0;
    struct math_value *values = make_values(c);
    if (!values || parse_values(c, "]", values, &count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (values[i].kind != MATH_SERIES && values[i].kind != MATH_LIST)
            return err_set(c->err, ERR_INVALID, "An array holds time series only.");
        total += values[i].count;
    }
    if (total > MATH_MAX_LIST)
        return err_set(c->err, ERR_INVALID, "An array holds at most %d time series.",
                       MATH_MAX_LIST);
    *out = (struct math_value){.kind = MATH_LIST};
    out->series = arena_new(c->math->arena, struct math_series, total + 1);
    if (!out->series)
        return math_fail_memory(c->err);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < values[i].count; k++)
            out->series[out->count++] = values[i].series[k];
    return 0;
}

static int parse_name(struct cursor *c, struct math_value *out)
{
    size_t size = 0, count;
    while (isalnum((unsigned char)c->at[size]) || c->at[size] == '_')
        size++;
    char *name = arena_copy(c->math->arena, c->at, size);
    if (!name)
        return math_fail_memory(c->err);
    c->at += size;
    if (take(c, "(")) {
        struct math_value *values = make_values(c);
        if (!values || parse_values(c, ")", values, &count) < 0)
            return -1;
        return math_call_function(c->math, &(struct math_call){name, values, count}, out, c->err);
    }
    if (islower((unsigned char)*name))
        return c->math->find(c->math->context, name, out, c->err);
    *out = (struct math_value){.kind = MATH_WORD, .word = name};
    return 0;
}

static int parse_primary(struct cursor *c, struct math_value *out)
{
    skip_space(c);
    if (take(c, "(")) {
        if (parse(c, 0, out) < 0)
            return -1;
        return take(c, ")") ? 0 : fail_here(c);
    }
    if (take(c, "["))
        return parse_list(c, out);
    if (isdigit((unsigned char)*c->at) || *c->at == '.')
        return parse_number(c, out);
    if (*c->at == '"' || *c->at == '\'')
        return parse_string(c, out);
    return isalpha((unsigned char)*c->at) ? parse_name(c, out) : fail_here(c);
}

/* A power binds more than a sign, and from right to left. */
static int parse_signed(struct cursor *c, struct math_value *out)
{
    static const struct math_value minus_one = {.scalar = -1};
    struct math_value own;
    if (take(c, "-")) {
        if (parse(c, 5, &own) < 0)
            return -1;
        return apply(c->math, TIMES, &minus_one, &own, out, c->err);
    }
    if (parse_primary(c, out) < 0)
        return -1;
    if (!take(c, "^"))
        return 0;
    struct math_value base = *out;
    if (parse(c, 5, &own) < 0)
        return -1;
    return apply(c->math, POWER, &base, &own, out, c->err);
}

static const struct level_sign {
    int level;
    const char *text;
    enum sign sign;
} signs[] = {
    {0, "OR", OR},    {0, "||", OR},   {1, "AND", AND},  {1, "&&", AND}, {2, "==", EQUAL},
    {2, "!=", OTHER}, {2, "<=", MOST}, {2, ">=", LEAST}, {2, "<", LESS}, {2, ">", MORE},
    {3, "+", PLUS},   {3, "-", MINUS}, {4, "*", TIMES},  {4, "/", OVER},
};

static const struct level_sign *take_sign(struct cursor *c, int level)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (signs[i].level == level && take(c, signs[i].text))
            return &signs[i];
    return NULL;
}

/* The operators of `level` and of those that bind more. */
static int parse_level(struct cursor *c, int level, struct math_value *out)
{
    const struct level_sign *found;
    struct math_value left, right;
    if (level == 5)
        return parse_signed(c, out);
    if (parse_level(c, level + 1, out) < 0)
        return -1;
    while ((found = take_sign(c, level))) {
        left = *out;
        if (parse_level(c, level + 1, &right) < 0 ||
            apply(c->math, found->sign, &left, &right, out, c->err) < 0)
            return -1;
    }
    return 0;
}

static int parse(struct cursor *c, int level, struct math_value *out)
{
    if (++c->math->depth > MATH_MAX_DEPTH)
        return err_set(c->err, ERR_INVALID, "The expressions are nested too deep.");
    int result = parse_level(c, level, out);
    c->math->depth--;
    return result;
}

int math_evaluate(struct math *math, const char *expression, struct math_value *out,
                  struct err *err)
{
    struct cursor c = {math, expression, err};
    if (strlen(expression) > MATH_MAX_EXPRESSION)
        return err_set(err, ERR_INVALID, "An expression has at most %d characters.",
                       MATH_MAX_EXPRESSION);
    if (take(&c, "SELECT"))
        return err_set(err, ERR_INVALID, "Metrics Insights queries (SELECT) are not supported.");
    if (parse(&c, 0, out) < 0)
        return -1;
    skip_space(&c);
    if (*c.at)
        return fail_here(&c);
    if (out->kind != MATH_SERIES && out->kind != MATH_LIST)
        return err_set(err, ERR_INVALID,
                       "The result of an expression must be a time series or an array of them.");
    return 0;
}
