#include "cloud/sns/filter.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- checks -- */

static int wrong(struct err *err, const char *text)
{
    return err_set(err, ERR_INVALID, "%s", text);
}

/* Names what stands there: "30", or "]" where the list ends. */
static int wrong_member(struct err *err, const char *text, const json_t *member)
{
    char *shown = member ? json_dumps(member, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    int result = err_set(err, ERR_INVALID, "%s: %.64s", text, shown ? shown : "]");
    free(shown);
    return result;
}

static int is_scalar(const json_t *json)
{
    return json_is_string(json) || json_is_number(json) || json_is_boolean(json) ||
           json_is_null(json);
}

static int check_text(const char *operator, const json_t * value, struct err *err)
{
    return json_is_string(value)
               ? 0
               : err_set(err, ERR_INVALID, "%s match pattern must be a string", operator);
}

static int is_range(const char *text)
{
    return text &&
           (!strcmp(text, "<") || !strcmp(text, "<=") || !strcmp(text, ">") || !strcmp(text, ">="));
}

static int check_second(const json_t *list, struct err *err)
{
    const char *first = json_string_value(json_array_get(list, 0));
    const json_t *second = json_array_get(list, 2);
    const char *text = json_string_value(second);
    size_t size = json_array_size(list);
    if (*first == '<')
        return wrong(err, "Too many elements in numeric expression");
    if (!text)
        return wrong_member(err, "Bad value in numeric range", second);
    if (!is_range(text) || *text != '<')
        return err_set(err, ERR_INVALID, "Bad numeric range operator: %.32s", text);
    if (!json_is_number(json_array_get(list, 3)))
        return err_set(err, ERR_INVALID, "Value of %s must be numeric", text);
    if (size > 4)
        return wrong(err, "Too many terms in numeric range expression");
    return json_number_value(json_array_get(list, 1)) < json_number_value(json_array_get(list, 3))
               ? 0
               : wrong(err, "Bottom must be less than top");
}

static int check_numeric(const json_t *list, struct err *err)
{
    const char *operator= json_string_value(json_array_get(list, 0));
    size_t size = json_array_size(list);
    if (!json_is_array(list))
        return wrong(err, "Value of numeric must be an array.");
    if (!operator)
        return wrong_member(err, "Invalid member in numeric match", json_array_get(list, 0));
    if (!is_range(operator) && strcmp(operator, "=") != 0)
        return err_set(err, ERR_INVALID, "Unrecognized numeric range operator: %.32s", operator);
    if (!json_is_number(json_array_get(list, 1)))
        return err_set(err, ERR_INVALID, "Value of %s must be numeric",
                       *operator== '=' ? "equals" : operator);
    if (size > 2 && *operator== '=')
        return wrong(err, "Too many elements in numeric expression");
    return size == 2 ? 0 : check_second(list, err);
}

static int check_anything_but(const json_t *value, struct err *err)
{
    size_t i;
    const char *key;
    json_t *element;
    if (json_is_string(value) || json_is_number(value))
        return 0;
    if (json_is_object(value) && json_object_size(value) == 1) {
        json_object_foreach((json_t *)value, key, element)
        {
            if (strcmp(key, "prefix") != 0 && strcmp(key, "suffix") != 0)
                return err_set(err, ERR_INVALID, "Unsupported anything-but pattern: %.64s", key);
            return check_text(key, element, err);
        }
    }
    if (!json_array_size(value))
        return wrong(err, "Value of anything-but must be an array or single string/number value.");
    json_array_foreach(value, i, element)
    {
        if (!json_is_string(element) && !json_is_number(element))
            return wrong(err, "Inside anything but list, start|null|boolean is not supported.");
    }
    return 0;
}

/* An address and how many of its bits count; returns the bytes of the address, 0: malformed. */
static size_t read_cidr(const char *text, unsigned char address[16], int *bits)
{
    char copy[64], *slash, *end;
    if (strlen(text) >= sizeof copy)
        return 0;
    memcpy(copy, text, strlen(text) + 1);
    slash = strchr(copy, '/');
    if (slash)
        *slash = 0;
    size_t size = inet_pton(AF_INET, copy, address) == 1    ? 4
                  : inet_pton(AF_INET6, copy, address) == 1 ? 16
                                                            : 0;
    long count = (long)size * 8;
    if (slash) {
        count = strtol(slash + 1, &end, 10);
        if (!slash[1] || *end || count < 0 || count > (long)size * 8)
            return 0;
    }
    *bits = (int)count;
    return size;
}

static int check_cidr(const json_t *value, struct err *err)
{
    unsigned char address[16];
    int bits;
    const char *text = json_string_value(value);
    if (!text)
        return check_text("prefix", value, err);
    return strchr(text, '/') && read_cidr(text, address, &bits)
               ? 0
               : wrong(err, "Malformed CIDR, one '/' required");
}

static int check_operator(const char *name, const json_t *value, struct err *err)
{
    if (!strcmp(name, "prefix") || !strcmp(name, "suffix") || !strcmp(name, "equals-ignore-case"))
        return check_text(name, value, err);
    if (!strcmp(name, "numeric"))
        return check_numeric(value, err);
    if (!strcmp(name, "anything-but"))
        return check_anything_but(value, err);
    if (!strcmp(name, "cidr"))
        return check_cidr(value, err);
    if (!strcmp(name, "exists"))
        return json_is_boolean(value)
                   ? 0
                   : wrong(err, "exists match pattern must be either true or false.");
    return err_set(err, ERR_INVALID, "Unrecognized match type %.64s", name);
}

static int check_conditions(const json_t *list, struct err *err)
{
    size_t i;
    json_t *condition;
    if (!json_array_size(list))
        return wrong(err, "Empty arrays are not allowed");
    json_array_foreach(list, i, condition)
    {
        if (is_scalar(condition))
            continue;
        if (!json_is_object(condition))
            return wrong(err, "Match value must be String, number, true, false, or null");
        if (json_object_size(condition) != 1)
            return wrong(err, "Only one key allowed in match expression");
        const char *name = json_object_iter_key(json_object_iter(condition));
        if (check_operator(name, json_object_get(condition, name), err) < 0)
            return -1;
    }
    return 0;
}

/* What a policy adds up to. */
struct measure {
    double combinations;
    int is_nested, depth;
};

static int check_policy(const json_t *policy, struct measure *measure, struct err *err);

static int check_or(const json_t *list, struct measure *measure, struct err *err)
{
    size_t i;
    json_t *policy;
    double before = measure->combinations, sum = 0;
    json_array_foreach(list, i, policy)
    {
        measure->combinations = before;
        if (!json_is_object(policy))
            return wrong(err, "\"$or\" must be an array of objects");
        if (check_policy(policy, measure, err) < 0)
            return -1;
        sum += measure->combinations;
    }
    measure->combinations = sum > 0 ? sum : before;
    return 0;
}

static int check_member(const char *key, const json_t *value, struct measure *measure,
                        struct err *err)
{
    if (!strcmp(key, "$or") && json_array_size(value) > 1 &&
        json_is_object(json_array_get(value, 0)))
        return check_or(value, measure, err);
    if (json_is_object(value)) {
        measure->is_nested = 1;
        return check_policy(value, measure, err);
    }
    if (!json_is_array(value))
        return err_set(err, ERR_INVALID, "\"%.100s\" must be an object or an array", key);
    measure->combinations *= (double)(json_array_size(value) * (size_t)measure->depth);
    return check_conditions(value, err);
}

static int check_policy(const json_t *policy, struct measure *measure, struct err *err)
{
    const char *key;
    json_t *value;
    int result = 0;
    if (++measure->depth > FILTER_MAX_NESTING)
        return wrong(err, "Filter policy is too complex");
    json_object_foreach((json_t *)policy, key, value)
    {
        if (result == 0)
            result = check_member(key, value, measure, err);
    }
    measure->depth--;
    return result;
}

int filter_policy_check(const json_t *policy, int in_body, struct err *err)
{
    struct measure measure = {.combinations = 1};
    if (!json_is_object(policy))
        return wrong(err, "failed to parse JSON.");
    if (check_policy(policy, &measure, err) < 0)
        return -1;
    if (measure.is_nested && !in_body)
        return wrong(err,
                     "Filter policy scope MessageAttributes does not support nested filter policy");
    if (json_object_size(policy) > FILTER_MAX_KEYS)
        return wrong(err, "Filter policy can not have more than 5 keys");
    return measure.combinations <= FILTER_MAX_COMBINATIONS
               ? 0
               : wrong(err, "Filter policy is too complex");
}

int filter_pattern_check(const json_t *pattern, struct err *err)
{
    struct measure measure = {.combinations = 1};
    return json_is_object(pattern) ? check_policy(pattern, &measure, err)
                                   : wrong(err, "failed to parse JSON.");
}

/* -- matching -- */

static int has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int has_suffix(const char *text, const char *suffix)
{
    size_t size = strlen(text), more = strlen(suffix);
    return size >= more && strcmp(text + size - more, suffix) == 0;
}

/* "Five digits of accuracy after the decimal point", of which AWS looks at six. */
static int is_same_number(double a, double b)
{
    return trunc(a * 1e6) == trunc(b * 1e6);
}

static int same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return is_same_number(json_number_value(a), json_number_value(b));
    return json_equal(a, b);
}

static int holds_comparison(const char *operator, double value, double limit)
{
    if (*operator== '=')
        return is_same_number(value, limit);
    if (operator[1] == '=')
        return *operator== '<' ? value <= limit : value >= limit;
    return *operator== '<' ? value < limit : value> limit;
}

static int holds_numeric(const json_t *list, const json_t *value)
{
    if (!json_is_number(value))
        return 0;
    for (size_t i = 0; i + 1 < json_array_size(list); i += 2)
        if (!holds_comparison(json_string_value(json_array_get(list, i)), json_number_value(value),
                              json_number_value(json_array_get(list, i + 1))))
            return 0;
    return 1;
}

static int holds_cidr(const char *range, const char *text)
{
    unsigned char network[16], address[16];
    int bits, all;
    size_t size = read_cidr(range, network, &bits);
    if (!size || strchr(text, '/') || read_cidr(text, address, &all) != size)
        return 0;
    for (int i = 0; i < bits; i++)
        if ((network[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
            return 0;
    return 1;
}

static int holds_anything_but(const json_t *but, const json_t *value)
{
    size_t i;
    json_t *element;
    const char *text = json_string_value(value);
    const char *prefix = json_string_value(json_object_get(but, "prefix"));
    const char *suffix = json_string_value(json_object_get(but, "suffix"));
    if (prefix || suffix)
        return text && !(prefix ? has_prefix(text, prefix) : has_suffix(text, suffix));
    json_array_foreach(but, i, element)
    {
        if (same(element, value))
            return 0;
    }
    return json_is_array(but) || !same(but, value);
}

static int holds_operator(const char *name, const json_t *operand, const json_t *value)
{
    const char *text = json_string_value(value), *pattern = json_string_value(operand);
    if (!strcmp(name, "exists"))
        return json_is_true(operand);
    if (!strcmp(name, "numeric"))
        return holds_numeric(operand, value);
    if (!strcmp(name, "anything-but"))
        return holds_anything_but(operand, value);
    if (!text || !pattern)
        return 0;
    if (!strcmp(name, "prefix"))
        return has_prefix(text, pattern);
    if (!strcmp(name, "suffix"))
        return has_suffix(text, pattern);
    if (!strcmp(name, "equals-ignore-case"))
        return strcasecmp(text, pattern) == 0;
    return !strcmp(name, "cidr") && holds_cidr(pattern, text);
}

/* One condition on one value that is there. */
static int holds(const json_t *condition, const json_t *value)
{
    size_t i;
    json_t *element;
    if (json_is_array(value)) {
        json_array_foreach(value, i, element)
        {
            if (holds(condition, element))
                return 1;
        }
        return 0;
    }
    if (!json_is_object(condition))
        return same(condition, value);
    const char *name = json_object_iter_key(json_object_iter((json_t *)condition));
    return name && holds_operator(name, json_object_get(condition, name), value);
}

/* Without a value only {"exists": false} holds. */
static int any_holds(const json_t *conditions, const json_t *value)
{
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition)
    {
        if (value ? holds(condition, value) : json_is_false(json_object_get(condition, "exists")))
            return 1;
    }
    return 0;
}

static int any_policy(const json_t *policies, const json_t *data)
{
    size_t i;
    json_t *policy;
    json_array_foreach(policies, i, policy)
    {
        if (filter_policy_matches(policy, data))
            return 1;
    }
    return 0;
}

static int matches_nested(const json_t *policy, const json_t *value)
{
    size_t i;
    json_t *element;
    if (!json_is_array(value))
        return filter_policy_matches(policy, json_is_object(value) ? value : NULL);
    json_array_foreach(value, i, element)
    {
        if (matches_nested(policy, element))
            return 1;
    }
    return 0;
}

int filter_policy_matches(const json_t *policy, const json_t *data)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)policy, key, value)
    {
        const json_t *there = json_object_get(data, key);
        int right = !strcmp(key, "$or") && json_is_object(json_array_get(value, 0)) &&
                            json_array_size(value) > 1
                        ? any_policy(value, data)
                    : json_is_object(value) ? matches_nested(value, there)
                                            : any_holds(value, there);
        if (!right)
            return 0;
    }
    return 1;
}

/* Puts the value under a name whose dots part the levels. */
static void put_nested(json_t *out, const char *name, json_t *value)
{
    const char *dot = strchr(name, '.');
    if (!dot) {
        json_t *there = json_object_get(out, name);
        if (json_is_object(there) && json_is_object(value))
            json_object_update_recursive(there, value);
        else
            json_object_set(out, name, value);
        return;
    }
    char *first = strndup(name, (size_t)(dot - name));
    json_t *below = first ? json_object_get(out, first) : NULL;
    if (first && !json_is_object(below))
        json_object_set_new(out, first, below = json_object());
    if (first)
        put_nested(below, dot + 1, value);
    free(first);
}

json_t *filter_nested(json_t *json)
{
    const char *name;
    size_t i;
    json_t *value, *out;
    if (json_is_array(json)) {
        out = json_array();
        json_array_foreach(json, i, value)
        {
            json_array_append_new(out, filter_nested(json_incref(value)));
        }
    } else if (json_is_object(json)) {
        out = json_object();
        json_object_foreach(json, name, value)
        {
            json_t *below = filter_nested(json_incref(value));
            put_nested(out, name, below);
            json_decref(below);
        }
    } else {
        return json;
    }
    json_decref(json);
    return out;
}

json_t *filter_attributes(const json_t *attributes)
{
    const char *name;
    json_t *attribute, *data = json_object();
    json_object_foreach((json_t *)attributes, name, attribute)
    {
        const char *type = json_string_value(json_object_get(attribute, "DataType"));
        const char *text = json_string_value(json_object_get(attribute, "StringValue"));
        json_t *value = NULL;
        if (!type || !text)
            continue;
        if (!strcmp(type, "String.Array"))
            value = json_loads(text, JSON_DECODE_ANY, NULL);
        else if (!strncmp(type, "Number", 6))
            value = json_real(strtod(text, NULL));
        json_object_set_new(data, name, value ? value : json_string(text));
    }
    return data;
}
