#include "cloud/iam/policy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Compares one value of the request with one of the policy. Returns 1 or 0. */
typedef int compare(const char *have, const char *want, const struct policy_request *request);

/* -- text -- */

static int equals(const char *have, const char *want, const struct policy_request *request)
{
    return policy_equals_filled(want, have, 0, request);
}

static int equals_ignore_case(const char *have, const char *want,
                              const struct policy_request *request)
{
    return policy_equals_filled(want, have, 1, request);
}

static int like(const char *have, const char *want, const struct policy_request *request)
{
    return policy_matches_filled(want, have, 0, request);
}

static int same_bool(const char *have, const char *want, const struct policy_request *request)
{
    (void)request;
    return strcasecmp(have, want) == 0;
}

/* -- numbers and dates: -2 when one of them is none -- */

/* "-5", "0.5", "5e1"; not all that C takes for one. */
static int read_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return *text && !*end && !text[strspn(text, "+-.0123456789eE")] ? 0 : -1;
}

static int order_numbers(const char *have, const char *want)
{
    double a, b;
    if (read_number(have, &a) < 0 || read_number(want, &b) < 0)
        return -2;
    return (a > b) - (a < b);
}

/* "08", "08:00", "08:00:00", "08:00:00.123". Returns what follows, NULL where it is none. */
static const char *read_time(const char *text, struct tm *tm, double *fraction)
{
    char *end;
    const char *rest = strptime(text, "%H", tm);
    if (rest && *rest == ':')
        rest = strptime(rest, ":%M", tm);
    if (rest && *rest == ':')
        rest = strptime(rest, ":%S", tm);
    if (!rest || *rest != '.')
        return rest;
    *fraction = strtod(rest, &end);
    return end;
}

/* "Z", "+05:30", "-02", or nothing, which is Z. */
static int read_zone(const char *text, double *seconds)
{
    struct tm tm = {0};
    double none = 0;
    *seconds = 0;
    if (!*text || strcasecmp(text, "Z") == 0)
        return 0;
    const char *rest = strchr("+-", *text) ? read_time(text + 1, &tm, &none) : NULL;
    *seconds = (*text == '-' ? -60.0 : 60.0) * (tm.tm_hour * 60 + tm.tm_min);
    return rest && !*rest ? 0 : -1;
}

/* "2026-11-23T08:00:00Z" and the shorter forms of ISO 8601, or seconds since 1970. */
static int read_date(const char *text, double *out)
{
    struct tm tm = {0};
    char *end;
    double fraction = 0, zone;
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (!rest) {
        *out = strtod(text, &end);
        return *text && !*end ? 0 : -1;
    }
    if (*rest == 'T' || *rest == 't')
        rest = read_time(rest + 1, &tm, &fraction);
    if (!rest || read_zone(rest, &zone) < 0)
        return -1;
    *out = (double)timegm(&tm) + fraction - zone;
    return 0;
}

static int order_dates(const char *have, const char *want)
{
    double a, b;
    if (read_date(have, &a) < 0 || read_date(want, &b) < 0)
        return -2;
    return (a > b) - (a < b);
}

#define ORDER(name, order, test)                                                                   \
    static int name(const char *have, const char *want, const struct policy_request *request)      \
    {                                                                                              \
        int difference = order(have, want);                                                        \
        (void)request;                                                                             \
        return difference != -2 && difference test 0;                                              \
    }
ORDER(number_equal, order_numbers, ==)
ORDER(number_less, order_numbers, <)
ORDER(number_less_equal, order_numbers, <=)
ORDER(number_greater, order_numbers, >)
ORDER(number_greater_equal, order_numbers, >=)
ORDER(date_equal, order_dates, ==)
ORDER(date_less, order_dates, <)
ORDER(date_less_equal, order_dates, <=)
ORDER(date_greater, order_dates, >)
ORDER(date_greater_equal, order_dates, >=)

/* -- addresses and ARNs -- */

static int bytes_of(const char *text, unsigned char out[16])
{
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

/* "10.0.0.0/8", "2001:db8::/32", or one address. */
static int in_network(const char *have, const char *want, const struct policy_request *request)
{
    unsigned char address[16], network[16];
    char text[64];
    size_t length = strcspn(want, "/"), digits = want[length] ? strlen(want + length + 1) : 0;
    (void)request;
    if (length >= sizeof text)
        return 0;
    memcpy(text, want, length);
    text[length] = 0;
    int size = bytes_of(have, address);
    if (!size || bytes_of(text, network) != size)
        return 0;
    if (want[length] &&
        (!digits || digits > 3 || strspn(want + length + 1, "0123456789") != digits))
        return 0;
    long bits = digits ? strtol(want + length + 1, NULL, 10) : size * 8L;
    if (bits > size * 8L)
        return 0;
    size_t whole = (size_t)bits / 8;
    int mask = (0xff00 >> (bits % 8)) & 0xff;
    return memcmp(address, network, whole) == 0 &&
           (!mask || ((address[whole] ^ network[whole]) & mask) == 0);
}

/* Up to the next colon that is in no "${aws:username}". */
static size_t part_size(const char *pattern)
{
    size_t size = 0;
    while (pattern[size] && pattern[size] != ':') {
        int is_variable = pattern[size] == '$' && pattern[size + 1] == '{';
        size += is_variable ? strcspn(pattern + size, "}") : 1;
    }
    return size;
}

/* Six parts by colons, each matched for itself. */
static int arn_like(const char *have, const char *want, const struct policy_request *request)
{
    char have_part[POLICY_MAX_TEXT_BYTES], want_part[POLICY_MAX_TEXT_BYTES];
    for (int part = 0; part < 6; part++) {
        int is_last = part == 5;
        size_t have_size = is_last ? strlen(have) : strcspn(have, ":");
        size_t want_size = is_last ? strlen(want) : part_size(want);
        if (have_size >= sizeof have_part || want_size >= sizeof want_part)
            return 0;
        memcpy(have_part, have, have_size);
        memcpy(want_part, want, want_size);
        have_part[have_size] = want_part[want_size] = 0;
        if (!policy_matches_filled(want_part, have_part, 0, request))
            return 0;
        if (!is_last && (!have[have_size] || !want[want_size]))
            return 0;
        have += have_size + 1;
        want += want_size + 1;
    }
    return 1;
}

/* -- the operators of a condition -- */

static const struct comparison {
    const char *name;
    compare *holds;
    int negated; /* holds when no value of the policy matches */
} comparisons[] = {
    {"StringEquals", equals, 0},
    {"StringNotEquals", equals, 1},
    {"StringEqualsIgnoreCase", equals_ignore_case, 0},
    {"StringNotEqualsIgnoreCase", equals_ignore_case, 1},
    {"StringLike", like, 0},
    {"StringNotLike", like, 1},
    {"NumericEquals", number_equal, 0},
    {"NumericNotEquals", number_equal, 1},
    {"NumericLessThan", number_less, 0},
    {"NumericLessThanEquals", number_less_equal, 0},
    {"NumericGreaterThan", number_greater, 0},
    {"NumericGreaterThanEquals", number_greater_equal, 0},
    {"DateEquals", date_equal, 0},
    {"DateNotEquals", date_equal, 1},
    {"DateLessThan", date_less, 0},
    {"DateLessThanEquals", date_less_equal, 0},
    {"DateGreaterThan", date_greater, 0},
    {"DateGreaterThanEquals", date_greater_equal, 0},
    {"Bool", same_bool, 0},
    {"BinaryEquals", equals, 0},
    {"IpAddress", in_network, 0},
    {"NotIpAddress", in_network, 1},
    {"ArnEquals", arn_like, 0},
    {"ArnNotEquals", arn_like, 1},
    {"ArnLike", arn_like, 0},
    {"ArnNotLike", arn_like, 1},
};

enum quantity { ONE_VALUE, ALL_VALUES, ANY_VALUE };

struct test {
    const struct comparison *by; /* NULL: Null */
    enum quantity quantity;
    int if_exists;
};

static const struct comparison *find_operator(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
        if (strlen(comparisons[i].name) == size &&
            strncasecmp(comparisons[i].name, name, size) == 0)
            return &comparisons[i];
    return NULL;
}

static int read_operator(const char *name, struct test *out)
{
    static const char all[] = "ForAllValues:", any[] = "ForAnyValue:", exists[] = "IfExists";
    *out = (struct test){0};
    if (strncasecmp(name, all, sizeof all - 1) == 0) {
        out->quantity = ALL_VALUES;
        name += sizeof all - 1;
    } else if (strncasecmp(name, any, sizeof any - 1) == 0) {
        out->quantity = ANY_VALUE;
        name += sizeof any - 1;
    }
    size_t size = strlen(name), suffix = sizeof exists - 1;
    if (strcasecmp(name, "Null") == 0)
        return 0;
    if (size > suffix && strcasecmp(name + size - suffix, exists) == 0) {
        out->if_exists = 1;
        size -= suffix;
    }
    out->by = find_operator(name, size);
    return out->by ? 0 : -1;
}

int policy_condition_is_known(const char *name)
{
    struct test test;
    return read_operator(name, &test) == 0;
}

/* A policy's value as text: JSON's true and 5 are written without quotes by some. */
static const char *text_of(const json_t *value, char *room, size_t room_bytes)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    return json_dumpb(value, room, room_bytes - 1, JSON_ENCODE_ANY) < room_bytes ? room : "";
}

static int matches_one(const struct comparison *by, const char *have, const json_t *want,
                       const struct policy_request *request)
{
    char room[64] = {0};
    return by->holds(have, text_of(want, room, sizeof room), request);
}

/* Does one value of the request pass? */
static int passes(const struct comparison *by, const char *have, const json_t *wants,
                  const struct policy_request *request)
{
    if (!json_is_array(wants))
        return matches_one(by, have, wants, request) != by->negated;
    for (size_t i = 0; i < json_array_size(wants); i++)
        if (matches_one(by, have, json_array_get(wants, i), request))
            return !by->negated;
    return by->negated;
}

/* "Null": {"key": true}: the request does not have the key. */
static int null_holds(const char *have, const json_t *wants)
{
    char room[64] = {0};
    const json_t *want = json_is_array(wants) ? json_array_get(wants, 0) : wants;
    int wants_absent = strcasecmp(text_of(want, room, sizeof room), "true") == 0;
    return wants_absent == !have;
}

static int key_holds(const struct test *test, const char *key, const json_t *wants,
                     const struct policy_request *request)
{
    const char *have = request->value(request->context, key, 0);
    if (!test->by)
        return null_holds(have, wants);
    if (!have)
        return test->if_exists || test->quantity == ALL_VALUES ||
               (test->quantity == ONE_VALUE && test->by->negated);
    if (test->quantity == ONE_VALUE)
        return passes(test->by, have, wants, request);
    for (size_t i = 0; have; have = request->value(request->context, key, ++i))
        if (passes(test->by, have, wants, request) == (test->quantity == ANY_VALUE))
            return test->quantity == ANY_VALUE;
    return test->quantity == ALL_VALUES;
}

int policy_condition_holds(const json_t *condition, const struct policy_request *request)
{
    const char *name, *key;
    json_t *keys, *wants;
    struct test test;
    json_object_foreach((json_t *)condition, name, keys)
    {
        if (!json_object_size(keys))
            continue;
        if (read_operator(name, &test) < 0)
            return 0;
        json_object_foreach(keys, key, wants)
        {
            if (!key_holds(&test, key, wants, request))
                return 0;
        }
    }
    return 1;
}
