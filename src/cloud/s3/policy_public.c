#include "cloud/s3/policy_public.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef int is_fixed(const char *value);

static int has_no_wildcard(const char *value)
{
    return !strpbrk(value, "*?") && !strstr(value, "${");
}

/* The account is the fifth field; what follows may have wildcards. */
static int is_account_fixed(const char *value)
{
    size_t length = 0;
    for (int colons = 0; value[length] && colons < 5; length++)
        colons += value[length] == ':';
    size_t wildcard = strcspn(value, "*?$");
    return wildcard >= length;
}

/* Networks wider than /8 are the world, of IPv6 wider than /32. */
static int is_network(const char *value)
{
    const char *slash = strchr(value, '/');
    return has_no_wildcard(value) &&
           (!slash || strtol(slash + 1, NULL, 10) >= (strchr(value, ':') ? 32 : 8));
}

static const struct {
    const char *key;
    is_fixed *test;
} keys[] = {
    {"aws:SourceIp", is_network},
    {"aws:SourceArn", has_no_wildcard},
    {"aws:SourceVpc", has_no_wildcard},
    {"aws:SourceVpce", has_no_wildcard},
    {"aws:SourceOwner", has_no_wildcard},
    {"aws:SourceAccount", has_no_wildcard},
    {"aws:userid", has_no_wildcard},
    {"aws:PrincipalOrgID", has_no_wildcard},
    {"s3:DataAccessPointArn", is_account_fixed},
    {"s3:DataAccessPointAccount", has_no_wildcard},
};

static int all_fixed(const json_t *values, is_fixed *test)
{
    size_t i;
    json_t *one;
    if (json_is_string(values))
        return test(json_string_value(values));
    json_array_foreach((json_t *)values, i, one) if (!all_fixed(one, test)) return 0;
    return json_array_size(values) > 0;
}

/* Only what must be there and alike says who: neither `StringNotEquals` nor `...IfExists` does. */
static int is_saying(const char *operator)
{
    static const char *const names[] = {"StringEquals", "StringEqualsIgnoreCase",
                                        "StringLike",   "ArnEquals",
                                        "ArnLike",      "IpAddress"};
    static const char any[] = "ForAnyValue:";
    if (strncmp(operator, any, sizeof any - 1) == 0)
        operator+= sizeof any - 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(operator, names[i]) == 0)
            return 1;
    return 0;
}

static int is_fixing(const char *key, const json_t *values)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcasecmp(keys[i].key, key) == 0)
            return all_fixed(values, keys[i].test);
    return 0;
}

static int is_restricted(const json_t *condition)
{
    const char *operator, * key;
    json_t *of_operator, *values;
    json_object_foreach((json_t *)condition, operator, of_operator) json_object_foreach(
        of_operator, key, values) if (is_saying(operator) && is_fixing(key, values)) return 1;
    return 0;
}

static int has_anybody(const json_t *principal)
{
    size_t i;
    json_t *one;
    const char *text = json_string_value(principal);
    if (text)
        return strcmp(text, "*") == 0;
    json_array_foreach((json_t *)principal, i, one) if (has_anybody(one)) return 1;
    return 0;
}

static int lets_anybody(const json_t *statement)
{
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const json_t *principal = json_object_get(statement, "Principal");
    if (json_is_object(principal))
        principal = json_object_get(principal, "AWS");
    return effect && strcmp(effect, "Allow") == 0 &&
           (json_object_get(statement, "NotPrincipal") || has_anybody(principal)) &&
           !is_restricted(json_object_get(statement, "Condition"));
}

int policy_is_public(const json_t *policy)
{
    const json_t *statements = json_object_get(policy, "Statement");
    size_t i;
    json_t *one;
    if (json_is_object(statements))
        return lets_anybody(statements);
    json_array_foreach((json_t *)statements, i, one) if (lets_anybody(one)) return 1;
    return 0;
}
