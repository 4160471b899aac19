#include "cloud/iam/policy.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Policy documents of identities as IAM takes them in: each wrong one in AWS's words, and the
 * first of several mistakes in AWS's order. What a document says is policy.c's part. */

#define SYNTAX "Syntax errors in policy."
#define LEGACY "The policy failed legacy parsing"

typedef int check_text(const char *text, struct err *err);
typedef int check_statement(const json_t *statement, struct err *err);

static int each_statement(const json_t *document, check_statement *check, struct err *err)
{
    const json_t *all = json_object_get(document, "Statement");
    if (!json_is_array(all))
        return check(all, err);
    for (size_t i = 0; i < json_array_size(all); i++)
        if (check(json_array_get(all, i), err) < 0)
            return -1;
    return 0;
}

/* Of a text or a list of texts. */
static int each_text(const json_t *value, check_text *check, struct err *err)
{
    if (json_is_string(value))
        return check(json_string_value(value), err);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (check(json_string_value(json_array_get(value, i)), err) < 0)
            return -1;
    return 0;
}

static const json_t *either(const json_t *statement, const char *name, const char *negated)
{
    const json_t *value = json_object_get(statement, name);
    return value ? value : json_object_get(statement, negated);
}

/* -- syntax -- */

static int is_known(const char *name, const char *known)
{
    char word[32];
    size_t size = (size_t)snprintf(word, sizeof word, " %s ", name);
    return size < sizeof word && strstr(known, word);
}

static int has_only(const json_t *object, const char *known)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        if (!is_known(name, known))
            return 0;
    }
    return json_is_object(object);
}

static int is_text_or_texts(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return 0;
    return !value || json_is_string(value) || json_is_array(value);
}

static int is_condition(const json_t *condition)
{
    const char *name, *key;
    json_t *keys, *values, *one;
    size_t i;
    json_object_foreach((json_t *)condition, name, keys)
    {
        if (!json_is_object(keys) || (json_object_size(keys) && !policy_condition_is_known(name)))
            return 0;
        json_object_foreach(keys, key, values)
        {
            if (json_is_object(values) || json_is_null(values))
                return 0;
            json_array_foreach(values, i, one)
            {
                if (json_is_object(one) || json_is_array(one) || json_is_null(one))
                    return 0;
            }
        }
    }
    return !condition || json_is_object(condition);
}

static int check_statement_syntax(const json_t *s, struct err *err)
{
    const json_t *sid = json_object_get(s, "Sid");
    const char *effect = json_string_value(json_object_get(s, "Effect"));
    if (!has_only(s, " Sid Effect Action NotAction Resource NotResource Principal NotPrincipal "
                     "Condition ") ||
        (sid && !json_is_string(sid)) || !effect ||
        (strcasecmp(effect, "Allow") != 0 && strcasecmp(effect, "Deny") != 0) ||
        (json_object_get(s, "Action") && json_object_get(s, "NotAction")) ||
        (json_object_get(s, "Resource") && json_object_get(s, "NotResource")) ||
        !is_text_or_texts(either(s, "Action", "NotAction")) ||
        !is_text_or_texts(either(s, "Resource", "NotResource")) ||
        !is_condition(json_object_get(s, "Condition")))
        return err_set(err, ERR_INVALID, SYNTAX);
    return 0;
}

static int check_syntax(const json_t *document, struct err *err)
{
    const json_t *version = json_object_get(document, "Version");
    const json_t *id = json_object_get(document, "Id");
    const json_t *all = json_object_get(document, "Statement");
    const char *text = json_string_value(version);
    if (!has_only(document, " Version Id Statement ") || (id && !json_is_string(id)) ||
        (version && (!text || !is_known(text, " 2012-10-17 2008-10-17 "))) ||
        !(json_is_object(all) || json_array_size(all)))
        return err_set(err, ERR_INVALID, SYNTAX);
    return each_statement(document, check_statement_syntax, err);
}

/* -- what AWS calls legacy parsing -- */

/* Digits only, within bounds; at most two of them where `digits` is 2. */
static int is_number(const char *text, size_t size, long least, long most)
{
    char copy[24], *end;
    if (!size || size >= sizeof copy || (!isdigit((unsigned char)*text) && *text != '-'))
        return 0;
    memcpy(copy, text, size);
    copy[size] = 0;
    errno = 0;
    long value = strtol(copy, &end, 10);
    return isdigit((unsigned char)copy[size - 1]) && !*end && !errno && value >= least &&
           value <= most;
}

/* "YEAR[-MM[-DD]]" */
static int is_day(const char *text, size_t size)
{
    static const long least[] = {-292275054, 1, 1}, most[] = {292278993, 12, 31};
    const char *end = text + size;
    for (int part = 0; part < 3; part++) {
        size_t sign = part == 0 && size && *text == '-';
        const char *dash = memchr(text + sign, '-', (size_t)(end - text) - sign);
        const char *stop = dash ? dash : end;
        if (!is_number(text, (size_t)(stop - text), least[part], most[part]))
            return 0;
        if (!dash)
            return 1;
        text = dash + 1;
    }
    return 0;
}

/* "[HH[:MM[:SS[.NNNNNNNNN]]]]" */
static int is_time(const char *text, size_t size)
{
    static const long most[] = {23, 59, 59};
    const char *end = text + size, *dot = memchr(text, '.', size);
    if (dot && !is_number(dot + 1, (size_t)(end - dot - 1), 0, 999999999))
        return 0;
    end = dot ? dot : end;
    for (int part = 0; size && part < 3; part++) {
        const char *colon = memchr(text, ':', (size_t)(end - text));
        const char *stop = colon ? colon : end;
        if (!is_number(text, (size_t)(stop - text), 0, most[part]))
            return 0;
        if (!colon)
            return 1;
        text = colon + 1;
    }
    return !size;
}

static int is_zone(const char *text)
{
    if (tolower((unsigned char)*text) == 'z')
        return !text[1];
    return !*text || ((strlen(text) == 3 || (strlen(text) == 6 && text[3] == ':')) &&
                      is_number(text + 1, 2, 0, 23) && (!text[3] || is_number(text + 4, 2, 0, 59)));
}

/* Seconds since 1970, or a time of ISO 8601 with a year of any length. */
static int check_date(const char *text, struct err *err)
{
    size_t day = strcspn(text, "tT");
    int is_good;
    if (!text[day] && !strchr(text, '-')) {
        is_good = is_number(text, day, 0, LONG_MAX);
    } else {
        const char *time = text[day] ? text + day + 1 : text + day;
        size_t size = strcspn(time, "+-zZ");
        is_good = is_day(text, day) && is_time(time, size) && is_zone(time + size);
    }
    return is_good ? 0 : err_set(err, ERR_INVALID, LEGACY);
}

static int is_about_dates(const char *operator)
{
    const char *colon = strchr(operator, ':');
    return strncasecmp(colon ? colon + 1 : operator, "Date", 4) == 0;
}

static int check_effect_and_dates(const json_t *statement, struct err *err)
{
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const char *name, *key;
    json_t *keys, *values;
    if (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0)
        return err_set(err, ERR_INVALID, LEGACY);
    json_object_foreach(json_object_get(statement, "Condition"), name, keys)
    {
        if (!is_about_dates(name))
            continue;
        json_object_foreach(keys, key, values)
        {
            if (is_text_or_texts(values) && each_text(values, check_date, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* -- resources -- */

/* The part of an ARN that follows so many colons; the empty end of the text when there is none. */
static const char *part_of(const char *arn, int colons)
{
    for (; colons && *arn; arn++)
        colons -= *arn == ':';
    return arn;
}

static size_t count_colons(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == ':';
    return count;
}

static int is_partition(const char *part, size_t size)
{
    return (size == 3 && strncmp(part, "aws", 3) == 0) || (size == 1 && *part == '*');
}

static int refuse_partition(const char *resource, struct err *err)
{
    static const char *const padding[] = {"", "", ":*:*:*:*", ":*:*:*", ":*:*", ":*"};
    const char *partition = part_of(resource, 1);
    size_t parts = count_colons(resource) + 1;
    return err_set(
        err, ERR_INVALID, "Partition \"%.*s\" is not valid for resource \"arn:%.200s%s\".",
        (int)strcspn(partition, ":"), partition, partition, parts < 6 ? padding[parts] : "");
}

static int check_iam_path(const char *path, struct err *err)
{
    static const char *const starts[] = {"*",
                                         "root",
                                         "user/",
                                         "federated-user/",
                                         "role/",
                                         "group/",
                                         "instance-profile/",
                                         "mfa/",
                                         "server-certificate/",
                                         "policy/",
                                         "sms-mfa/",
                                         "saml-provider/",
                                         "oidc-provider/",
                                         "report/",
                                         "access-report/"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(path, starts[i], strlen(starts[i])) == 0)
            return 0;
    return err_set(
        err, ERR_INVALID,
        "IAM resource path must either be \"*\", root, or start with user/, "
        "federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, "
        "sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.");
}

static int check_resource(const char *resource, struct err *err)
{
    const char *partition = part_of(resource, 1), *vendor = part_of(resource, 2);
    const char *region = part_of(resource, 3);
    if (strcmp(resource, "*") == 0)
        return 0;
    if (!strchr(resource, ':'))
        return err_set(err, ERR_INVALID, "Resource %.200s must be in ARN format or \"*\".",
                       resource);
    if (!is_partition(partition, strcspn(partition, ":")))
        return refuse_partition(resource, err);
    if (!strchr(partition, ':'))
        return err_set(err, ERR_INVALID,
                       "Resource vendor must be fully qualified and cannot contain regexes.");
    if (strncmp(vendor, "iam:", 4) == 0 && *region != ':')
        return err_set(err, ERR_INVALID, "IAM resource %.200s cannot contain region information.",
                       resource);
    if (strncmp(vendor, "s3:", 3) == 0 && *region != ':')
        return err_set(err, ERR_INVALID, "Resource %.200s can not contain region information.",
                       resource);
    return strncmp(vendor, "iam:", 4) == 0 ? check_iam_path(part_of(resource, 5), err) : 0;
}

static int check_resource_parts(const char *resource, struct err *err)
{
    const char *vendor = part_of(resource, 2);
    if (strcmp(resource, "*") == 0 ||
        (*vendor != ':' && !(strstr(resource, "::") && count_colons(resource) < 5)))
        return 0;
    return err_set(err, ERR_INVALID, LEGACY);
}

static int check_resources(const json_t *statement, struct err *err)
{
    return each_text(either(statement, "Resource", "NotResource"), check_resource, err);
}

static int check_resources_parts(const json_t *statement, struct err *err)
{
    return each_text(either(statement, "Resource", "NotResource"), check_resource_parts, err);
}

/* -- the rest -- */

static int check_sids(const json_t *document, struct err *err)
{
    const json_t *all = json_object_get(document, "Statement");
    int result = 0;
    json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *sid = json_object_get(json_array_get(all, i), "Sid");
        if (sid && *json_string_value(sid) && json_object_get(seen, json_string_value(sid)))
            result =
                err_set(err, ERR_INVALID, "Statement IDs (SID) in a single policy must be unique.");
        if (sid)
            json_object_set_new(seen, json_string_value(sid), json_true());
    }
    json_decref(seen);
    return result;
}

static int is_empty(const json_t *value)
{
    return !value || (json_is_array(value) && !json_array_size(value));
}

static int check_principal_and_actions(const json_t *statement, struct err *err)
{
    if (either(statement, "Principal", "NotPrincipal"))
        return err_set(err, ERR_INVALID, "Policy document should not specify a principal.");
    if (is_empty(either(statement, "Action", "NotAction")))
        return err_set(err, ERR_INVALID, "Policy statement must contain actions.");
    return 0;
}

static int check_action(const char *action, struct err *err)
{
    size_t colons = count_colons(action), vendor = strcspn(action, ":");
    if (strcmp(action, "*") == 0)
        return 0;
    if (!colons)
        return err_set(
            err, ERR_INVALID,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    if (colons > 1)
        return err_set(err, ERR_INVALID, "Actions/Condition can contain only one colon.");
    for (size_t i = 0; i < vendor; i++)
        if (!isalnum((unsigned char)action[i]) && !strchr(".-*?", action[i]))
            return err_set(err, ERR_INVALID, "Vendor %.*s is not valid",
                           vendor < 200 ? (int)vendor : 200, action);
    return 0;
}

static int check_actions(const json_t *statement, struct err *err)
{
    return each_text(either(statement, "Action", "NotAction"), check_action, err);
}

static int check_has_resources(const json_t *statement, struct err *err)
{
    if (is_empty(either(statement, "Resource", "NotResource")))
        return err_set(err, ERR_INVALID, "Policy statement must contain resources.");
    return 0;
}

static int check_version(const json_t *document, struct err *err)
{
    const char *version = json_string_value(json_object_get(document, "Version"));
    if (version && strcmp(version, "2012-10-17") == 0)
        return 0;
    return err_set(err, ERR_INVALID, "Policy document must be version 2012-10-17 or greater.");
}

static int check_all(const json_t *document, int is_managed, struct err *err)
{
    struct err about_resources = {0};
    if (check_syntax(document, err) < 0 || (is_managed && check_version(document, err) < 0) ||
        each_statement(document, check_effect_and_dates, err) < 0)
        return -1;
    int wrong = each_statement(document, check_resources, &about_resources) < 0;
    if ((!wrong && each_statement(document, check_resources_parts, err) < 0) ||
        check_sids(document, err) < 0 ||
        each_statement(document, check_principal_and_actions, err) < 0)
        return -1;
    if (wrong) {
        *err = about_resources;
        return -1;
    }
    return each_statement(document, check_has_resources, err) < 0
               ? -1
               : each_statement(document, check_actions, err);
}

int policy_check_identity(const char *text, int is_managed, struct err *err)
{
    json_t *document =
        policy_is_shallow(text) ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int result =
        document ? check_all(document, is_managed, err) : err_set(err, ERR_INVALID, SYNTAX);
    json_decref(document);
    if (result < 0)
        return -1;
    json_t *parsed = policy_parse(text, POLICY_OF_IDENTITY, err); /* as it will be for requests */
    json_decref(parsed);
    return parsed ? 0 : -1;
}

size_t policy_size(const char *text)
{
    size_t size = 0;
    for (; *text; text++)
        size += !isspace((unsigned char)*text);
    return size;
}
