#include "cloud/cloudwatch/alarm_rule.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct cursor {
    const char *at;
    rule_ask *ask;
    void *context;
    struct err *err;
    int children, elements, depth;
};

static int parse_or(struct cursor *c);

static int fail_here(struct cursor *c)
{
    return err_set(c->err, ERR_INVALID, "AlarmRule must not contain a syntax error at '%.40s'",
                   c->at);
}

static void skip_space(struct cursor *c)
{
    c->at += strspn(c->at, " \t\r\n");
}

static int take(struct cursor *c, const char *word)
{
    size_t size = strlen(word);
    skip_space(c);
    int is_word = isalpha((unsigned char)*word);
    if (strncasecmp(c->at, word, size) != 0 ||
        (is_word && (isalnum((unsigned char)c->at[size]) || c->at[size] == '_')))
        return 0;
    c->at += size;
    return 1;
}

static int count_element(struct cursor *c)
{
    return ++c->elements <= RULE_MAX_ELEMENTS
               ? 0
               : err_set(c->err, ERR_INVALID, "AlarmRule must not have more than %d elements",
                         RULE_MAX_ELEMENTS);
}

/* Behind the parenthesis; of an ARN the name at its end. */
static int parse_name(struct cursor *c, char name[RULE_NAME_BYTES])
{
    skip_space(c);
    char quote = *c->at == '"' || *c->at == '\'' ? *c->at : 0;
    const char *begin = c->at + (quote != 0);
    size_t size = quote ? strcspn(begin, quote == '"' ? "\"" : "'") : strcspn(begin, ")");
    c->at = begin + size + (quote && begin[size]);
    while (!quote && size && isspace((unsigned char)begin[size - 1]))
        size--;
    for (size_t i = 0; i + 7 < size; i++)
        if (strncmp(begin, "arn:", 4) == 0 && strncmp(begin + i, ":alarm:", 7) == 0) {
            begin += i + 7;
            size -= i + 7;
        }
    if (!size || size >= RULE_NAME_BYTES || !take(c, ")"))
        return fail_here(c);
    memcpy(name, begin, size);
    name[size] = 0;
    return 0;
}

static int parse_child(struct cursor *c, const char *state)
{
    char name[RULE_NAME_BYTES];
    if (!take(c, "("))
        return fail_here(c);
    if (parse_name(c, name) < 0 || count_element(c) < 0)
        return -1;
    if (++c->children > RULE_MAX_CHILDREN)
        return err_set(c->err, ERR_INVALID, "AlarmRule must not have more than %d child alarms",
                       RULE_MAX_CHILDREN);
    return c->ask(c->context, name, state, c->err);
}

static int parse_truth(struct cursor *c, int truth)
{
    return count_element(c) < 0 ? -1 : truth;
}

static int parse_group(struct cursor *c)
{
    int result = parse_or(c);
    if (result < 0 || count_element(c) < 0)
        return -1;
    return take(c, ")") ? result : fail_here(c);
}

static int parse_one(struct cursor *c)
{
    static const char *const states[] = {"ALARM", "OK", "INSUFFICIENT_DATA"};
    if (take(c, "("))
        return parse_group(c);
    for (size_t i = 0; i < 3; i++)
        if (take(c, states[i]))
            return parse_child(c, states[i]);
    if (take(c, "TRUE"))
        return parse_truth(c, 1);
    if (take(c, "FALSE"))
        return parse_truth(c, 0);
    if (take(c, "AT_LEAST"))
        return err_set(c->err, ERR_INVALID, "AT_LEAST in an AlarmRule is not supported");
    return fail_here(c);
}

static int parse_not(struct cursor *c)
{
    int negated = 0;
    while (take(c, "NOT"))
        negated = !negated;
    int result = parse_one(c);
    return result < 0 ? -1 : result != negated;
}

static int parse_and(struct cursor *c)
{
    int result = parse_not(c);
    while (result >= 0 && take(c, "AND")) {
        int other = parse_not(c);
        result = other < 0 ? -1 : result && other;
    }
    return result;
}

static int parse_or(struct cursor *c)
{
    if (++c->depth > RULE_MAX_DEPTH)
        return err_set(c->err, ERR_INVALID, "AlarmRule must not be nested deeper than %d",
                       RULE_MAX_DEPTH);
    int result = parse_and(c);
    while (result >= 0 && take(c, "OR")) {
        int other = parse_and(c);
        result = other < 0 ? -1 : result || other;
    }
    c->depth--;
    return result;
}

int rule_evaluate(const char *rule, rule_ask *ask, void *context, struct err *err)
{
    struct cursor c = {.at = rule, .ask = ask, .context = context, .err = err};
    if (strlen(rule) > RULE_MAX_BYTES)
        return err_set(err, ERR_INVALID, "AlarmRule must not be longer than %d", RULE_MAX_BYTES);
    int result = parse_or(&c);
    skip_space(&c);
    return result >= 0 && *c.at ? fail_here(&c) : result;
}
