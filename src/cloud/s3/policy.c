#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/policy_actions.h"
#include "cloud/s3/policy_public.h"
#include "cloud/s3/write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Bucket policies: kept as they come, once their form is right. What they allow is decided where
 * all policies are (cloud/access.h). */

enum { POLICY_MAX_BYTES = 20 * 1024 };

static int fail_policy(struct s3_request *r, const char *message)
{
    exchange_fail(r->x, "MalformedPolicy", "%s", message);
    return -1;
}

static int is_text_or_list(const json_t *value)
{
    size_t i;
    json_t *one;
    if (json_is_string(value))
        return 1;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return 0;
    json_array_foreach((json_t *)value, i, one) if (!json_is_string(one)) return 0;
    return 1;
}

static int has_one_of(const json_t *statement, const char *name, const char *opposite)
{
    const json_t *a = json_object_get(statement, name), *b = json_object_get(statement, opposite);
    return (a && !b && is_text_or_list(a)) || (b && !a && is_text_or_list(b));
}

/* "*", an account's number or ARN, somebody's ARN or unique id; whether he exists is not asked. */
static int is_aws_principal(const char *text)
{
    return strcmp(text, "*") == 0 || strncmp(text, "arn:", 4) == 0 ||
           (strlen(text) == 12 && strspn(text, "0123456789") == 12) ||
           strncmp(text, "AIDA", 4) == 0 || strncmp(text, "AROA", 4) == 0;
}

static int is_principal_of(const char *kind, const json_t *value)
{
    static const char *const kinds[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    int known = 0;
    size_t i;
    json_t *one;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
        known |= strcmp(kind, kinds[i]) == 0;
    if (!known || !is_text_or_list(value))
        return 0;
    if (json_is_string(value))
        return strcmp(kind, "AWS") == 0 ? is_aws_principal(json_string_value(value))
                                        : *json_string_value(value) != 0;
    json_array_foreach((json_t *)value, i, one) if (!is_principal_of(kind, one)) return 0;
    return 1;
}

static int is_principal(const json_t *value)
{
    const char *key;
    json_t *one;
    if (json_is_string(value))
        return strcmp(json_string_value(value), "*") == 0;
    if (!json_is_object(value) || json_object_size(value) == 0)
        return 0;
    json_object_foreach((json_t *)value, key, one) if (!is_principal_of(key, one)) return 0;
    return 1;
}

/* Each resource must be the bucket or what is in it. */
static int is_own(const struct s3_request *r, const char *arn)
{
    static const char prefix[] = "arn:aws:s3:::";
    size_t length = strlen(r->bucket);
    if (strncmp(arn, prefix, sizeof prefix - 1) != 0)
        return 0;
    const char *name = arn + sizeof prefix - 1;
    if (strpbrk(name, "*?") && strcspn(name, "*?") < length)
        return strncmp(name, r->bucket, strcspn(name, "*?")) == 0;
    return strncmp(name, r->bucket, length) == 0 &&
           (!name[length] || name[length] == '/' || name[length] == '*' || name[length] == '?');
}

static int owns_all(const struct s3_request *r, const json_t *resource)
{
    size_t i;
    json_t *one;
    if (json_is_string(resource))
        return is_own(r, json_string_value(resource));
    json_array_foreach((json_t *)resource, i, one) if (!is_own(r, json_string_value(one))) return 0;
    return 1;
}

/* What the resources are: the bucket, what is in it, or (with a '*' at its name) both. */
static int resource_subjects(const json_t *resource)
{
    size_t i;
    json_t *one;
    int result = 0;
    if (json_is_string(resource)) {
        const char *arn = json_string_value(resource);
        return strchr(arn, '/')     ? POLICY_ON_OBJECT
               : strpbrk(arn, "*?") ? POLICY_ON_BUCKET | POLICY_ON_OBJECT
                                    : POLICY_ON_BUCKET;
    }
    json_array_foreach((json_t *)resource, i, one) result |= resource_subjects(one);
    return result;
}

static int check_actions(struct s3_request *r, const json_t *action, int subjects)
{
    size_t i;
    json_t *one;
    if (json_is_array(action)) {
        json_array_foreach((json_t *)action, i,
                           one) if (check_actions(r, one, subjects) < 0) return -1;
        return 0;
    }
    int on = policy_action_subjects(json_string_value(action));
    if (!on)
        return fail_policy(r, "Policy has invalid action");
    return on & subjects ? 0
                         : fail_policy(r, "Action does not apply to any resource(s) in statement");
}

static int check_effect(struct s3_request *r, const char *effect)
{
    if (!effect)
        return fail_policy(r, "Missing required field Effect cannot be empty!");
    if (strcmp(effect, "Allow") == 0 || strcmp(effect, "Deny") == 0)
        return 0;
    exchange_fail(r->x, "MalformedPolicy", "Invalid effect: %.64s", effect);
    return -1;
}

/* A field that must be there: as text or list, it or its opposite. */
static int check_field(struct s3_request *r, const json_t *statement, const char *names[2],
                       const char *wrong)
{
    if (has_one_of(statement, names[0], names[1]))
        return 0;
    if (json_object_get(statement, names[0]) || json_object_get(statement, names[1]))
        return fail_policy(r, wrong);
    exchange_fail(r->x, "MalformedPolicy", "Missing required field %s", names[0]);
    return -1;
}

static int check_names(struct s3_request *r, const json_t *statement)
{
    static const char *const known[] = {"Sid",       "Effect",    "Principal", "NotPrincipal",
                                        "Action",    "NotAction", "Resource",  "NotResource",
                                        "Condition", NULL};
    const char *key;
    json_t *ignored;
    json_object_foreach((json_t *)statement, key, ignored)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return fail_policy(r, "Unknown field in the policy's statement");
    }
    return 0;
}

static int check_statement(struct s3_request *r, const json_t *statement)
{
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const json_t *principal = json_object_get(statement, "Principal");
    if (!principal)
        principal = json_object_get(statement, "NotPrincipal");
    const json_t *action = json_object_get(statement, "Action");
    const json_t *resource = json_object_get(statement, "Resource");
    const json_t *condition = json_object_get(statement, "Condition");
    if (!json_is_object(statement))
        return fail_policy(r, "Statement is not an object");
    if (check_names(r, statement) < 0)
        return -1;
    if (check_effect(r, effect) < 0)
        return -1;
    if (!principal)
        return fail_policy(r, "Missing required field Principal cannot be empty!");
    if (!is_principal(principal))
        return fail_policy(r, "Invalid principal in policy");
    if (check_field(r, statement, (const char *[2]){"Action", "NotAction"},
                    "Policy has invalid action") < 0 ||
        check_field(r, statement, (const char *[2]){"Resource", "NotResource"},
                    "Policy has invalid resource") < 0)
        return -1;
    if (condition && !json_is_object(condition))
        return fail_policy(r, "Conditions must be an object");
    if (resource && !owns_all(r, resource))
        return fail_policy(r, "Policy has invalid resource");
    const int both = POLICY_ON_BUCKET | POLICY_ON_OBJECT;
    return action ? check_actions(r, action, resource ? resource_subjects(resource) : both) : 0;
}

static int check_policy(struct s3_request *r, const json_t *policy)
{
    const char *version = json_string_value(json_object_get(policy, "Version"));
    const json_t *statements = json_object_get(policy, "Statement");
    size_t i;
    json_t *one;
    if (!json_is_object(policy))
        return fail_policy(r, "Policies must be valid JSON and the first byte must be '{'");
    if (version && strcmp(version, "2012-10-17") != 0 && strcmp(version, "2008-10-17") != 0)
        return fail_policy(r, "The policy must contain a valid version string");
    if (json_is_object(statements))
        return check_statement(r, statements);
    if (!json_is_array(statements))
        return fail_policy(r, "Missing required field Statement");
    if (json_array_size(statements) == 0)
        return fail_policy(r, "Could not parse the policy: Statement is empty!");
    json_array_foreach((json_t *)statements, i, one) if (check_statement(r, one) < 0) return -1;
    return 0;
}

static int is_blocked(struct s3_request *r, const json_t *policy)
{
    struct err err = {0};
    struct tree *config;
    int found = config_tree(r, r->bucket, "publicAccessBlock", &config, &err);
    const char *text = found > 0 ? tree_text(config, "BlockPublicPolicy") : NULL;
    if (found < 0)
        s3_fail(r, &err);
    else if (!text || (*text != 't' && *text != 'T') || !policy_is_public(policy))
        return 0;
    else
        exchange_fail(r->x, "AccessDenied", "Access Denied");
    return 1;
}

const char *s3_take_policy(struct s3_request *r)
{
    struct err err = {0};
    const char *text = r->x->body.size <= POLICY_MAX_BYTES ? exchange_body(r->x, &err) : NULL;
    if (!text || r->x->body.size == 0) {
        if (r->x->body.size > POLICY_MAX_BYTES)
            exchange_fail(r->x, "PolicyTooLarge", "The policy exceeds the maximum of %d bytes",
                          POLICY_MAX_BYTES);
        else
            exchange_fail(r->x, "MalformedPolicy",
                          "Policies must be valid JSON and the first byte must be '{'");
        return NULL;
    }
    json_error_t ignored;
    json_t *policy = json_loadb(text, r->x->body.size, JSON_REJECT_DUPLICATES, &ignored);
    int result = !policy && *text == '{' ? fail_policy(r, "This policy contains invalid Json")
                                         : check_policy(r, policy);
    const char *kept = NULL;
    if (result == 0 && !is_blocked(r, policy))
        kept = arena_copy(&r->x->arena, text, r->x->body.size);
    json_decref(policy);
    return kept;
}

void s3_get_policy_status(struct s3_request *r)
{
    struct err err = {0};
    const char *text;
    struct buf out;
    if (s3_need_bucket(r, NULL) < 0)
        return;
    int found = config_read(r, r->bucket, "policy", &text, &err);
    if (found < 0) {
        s3_fail(r, &err);
        return;
    }
    if (!found) {
        exchange_fail_more(r->x, "NoSuchBucketPolicy", "BucketName", r->bucket,
                           "The bucket policy does not exist");
        return;
    }
    json_t *policy = json_loads(text, 0, NULL);
    s3_xml_begin(&out, "PolicyStatus");
    buf_printf(&out, "<IsPublic>%s</IsPublic></PolicyStatus>",
               policy_is_public(policy) ? "true" : "false");
    json_decref(policy);
    s3_xml_send(r->x, &out);
}

int s3_bucket_policy(struct s3 *s3, struct exchange *x, const char *bucket, const char **document,
                     struct err *err)
{
    struct s3_request r = {.s3 = s3, .x = x};
    return config_read(&r, bucket, "policy", document, err);
}
