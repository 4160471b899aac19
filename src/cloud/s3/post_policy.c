#include "cloud/s3/post_policy.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static int invalid(struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "Invalid Policy: %s", why);
}

static int denied(struct err *err, const json_t *condition)
{
    char *text = json_dumps(condition, 0);
    err_set(err, ERR_DENIED, "Invalid according to Policy: Policy Condition failed: %.300s",
            text ? text : "");
    free(text);
    return -1;
}

static int check_expiration(const json_t *policy, int64_t now_ms, struct err *err)
{
    const char *text = json_string_value(json_object_get(policy, "expiration"));
    struct tm tm = {0};
    if (!text)
        return invalid(err, "Policy missing expiration.");
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!rest || strcmp(rest, "Z") != 0)
        return err_set(err, ERR_INVALID, "Invalid Policy: Invalid 'expiration' value: '%.64s'",
                       text);
    if ((int64_t)timegm(&tm) * 1000 < now_ms)
        return err_set(err, ERR_DENIED, "Invalid according to Policy: Policy expired.");
    return 0;
}

/* -- conditions -- */

struct checking {
    const struct post_form *form;
    const char *bucket;
    struct post_limits *limits;
    char is_named[POST_MAX_FIELDS]; /* some condition speaks of the field */
    int names_bucket;               /* and of the bucket, which each form has by its address */
};

/* The bucket is a field too, named by the address. */
static const char *value_of(struct checking *c, const char *name)
{
    for (size_t i = 0; i < c->form->field_count; i++)
        if (strcasecmp(c->form->fields[i].name, name) == 0)
            c->is_named[i] = 1;
    const char *value = post_form_get(c->form, name);
    c->names_bucket |= strcasecmp(name, "bucket") == 0;
    return !value && strcasecmp(name, "bucket") == 0 ? c->bucket : value;
}

static int is_equal(struct checking *c, const char *name, const char *wanted)
{
    const char *value = value_of(c, name);
    return value && strcmp(value, wanted) == 0;
}

/* A list of types separated by commas must all begin so; any other value does. */
static int begins(struct checking *c, const char *name, const char *prefix)
{
    const char *value = value_of(c, name);
    if (!value)
        return !*prefix;
    return strncmp(value, prefix, strlen(prefix)) == 0;
}

static int read_size(const json_t *value, int64_t *out)
{
    char *end;
    const char *text = json_string_value(value);
    if (json_is_integer(value))
        *out = json_integer_value(value);
    else if (text && *text)
        *out = strtoll(text, &end, 10);
    return (json_is_integer(value) || (text && *text && !*end)) && *out >= 0 ? 0 : -1;
}

/* What a list's first word may be, and what AWS calls it in its errors. */
static const struct operator
{
    const char *verb, *called;
    int (*holds)(struct checking * c, const char *name, const char *value); /* NULL: sizes */
}
operators[] = {{"eq", "Eq", is_equal},
               {"starts-with", "starts-with", begins},
               {"content-length-range", "content-length-range", NULL}};

static const struct operator* find_operator(const char *verb)
{
    for (size_t i = 0; verb && i < sizeof operators / sizeof *operators; i++)
        if (strcasecmp(operators[i].verb, verb) == 0)
            return &operators[i];
    return NULL;
}

static int check_list(struct checking *c, const json_t *condition, struct err *err)
{
    const char *verb = json_string_value(json_array_get(condition, 0));
    const json_t *a = json_array_get(condition, 1), *b = json_array_get(condition, 2);
    const struct operator* operator= find_operator(verb);
    if (!operator)
        return err_set(err, ERR_INVALID,
                       "Invalid Policy: Invalid Condition: unknown operation '%.64s'.",
                       verb ? verb : "");
    if (json_array_size(condition) != 3)
        return err_set(err, ERR_INVALID,
                       "Invalid Policy: Invalid %s: wrong number of arguments.", operator->called);
    if (!operator->holds) {
        if (read_size(a, &c->limits->min_bytes) < 0 || read_size(b, &c->limits->max_bytes) < 0)
            return invalid(err, "Invalid content-length-range.");
        return 0;
    }
    const char *name = json_string_value(a), *value = json_string_value(b);
    if (!name || !value || *name != '$')
        return invalid(err, "Invalid condition: its field must begin with '$'.");
    return operator->holds(c, name + 1, value) ? 0 : denied(err, condition);
}

static int check_object(struct checking *c, const json_t *condition, struct err *err)
{
    const char *name;
    json_t *value;
    if (json_object_size(condition) != 1)
        return invalid(err, "Invalid Simple-Condition: Simple-Conditions must have exactly one "
                            "property specified.");
    json_object_foreach((json_t *)condition, name, value)
    {
        const char *text = json_string_value(value);
        if (!text)
            return invalid(err, "Invalid Simple-Condition: value must be a string.");
        if (!is_equal(c, name, text))
            return err_set(err, ERR_DENIED,
                           "Invalid according to Policy: Policy Condition failed: [\"eq\", "
                           "\"$%.100s\", \"%.150s\"]",
                           name, text);
    }
    return 0;
}

/* Fields that need no condition. */
static int is_free(const char *name)
{
    static const char *const names[] = {"policy",         "signature", "x-amz-signature",
                                        "AWSAccessKeyId", "file",      "bucket"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], name) == 0)
            return 1;
    return strncasecmp(name, "x-ignore-", 9) == 0;
}

static int check_extra(const struct checking *c, struct err *err)
{
    if (!c->names_bucket)
        return err_set(err, ERR_DENIED, "Invalid according to Policy: Extra input fields: bucket");
    for (size_t i = 0; i < c->form->field_count; i++)
        if (!c->is_named[i] && !is_free(c->form->fields[i].name))
            return err_set(err, ERR_DENIED,
                           "Invalid according to Policy: Extra input fields: %.100s",
                           c->form->fields[i].name);
    return 0;
}

static int check_policy(const json_t *policy, struct checking *c, int64_t now_ms, struct err *err)
{
    const json_t *conditions = json_object_get(policy, "conditions");
    const char *name;
    size_t i;
    json_t *one;
    if (!json_is_object(policy))
        return invalid(err, "Invalid JSON.");
    if (check_expiration(policy, now_ms, err) < 0)
        return -1;
    if (!conditions)
        return invalid(err, "Policy missing conditions.");
    if (!json_is_array(conditions))
        return invalid(err, "Invalid 'conditions' value: must be a List.");
    json_object_foreach((json_t *)policy, name, one)
    {
        if (strcmp(name, "expiration") != 0 && strcmp(name, "conditions") != 0)
            return err_set(err, ERR_INVALID, "Invalid Policy: Unexpected: '%.64s'", name);
    }
    json_array_foreach((json_t *)conditions, i, one)
    {
        int result = json_is_array(one) ? check_list(c, one, err)
                     : json_is_object(one)
                         ? check_object(c, one, err)
                         : invalid(err, "Invalid condition test: must be a List or Object.");
        if (result < 0)
            return -1;
    }
    return check_extra(c, err);
}

int post_policy_check(const char *text, size_t size, const struct post_request *request,
                      struct post_limits *limits, struct err *err)
{
    struct checking c = {.form = request->form, .bucket = request->bucket, .limits = limits};
    json_error_t ignored;
    *limits = (struct post_limits){0, -1};
    json_t *policy = json_loadb(text, size, 0, &ignored);
    int result = check_policy(policy, &c, request->now_ms, err);
    json_decref(policy);
    return result;
}
