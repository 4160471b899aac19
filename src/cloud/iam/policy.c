#include "cloud/iam/policy.h"

#include <string.h>
#include <strings.h>

/* -- reading -- */

static int has_members(const json_t *object, const char *const *known, size_t count)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(known[i], name) != 0)
            i++;
        if (i == count)
            return 0;
    }
    return 1;
}

/* A text, or a list of texts with at least one; none is too long. */
static int is_texts(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) < POLICY_MAX_TEXT_BYTES;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)) ||
            json_string_length(json_array_get(value, i)) >= POLICY_MAX_TEXT_BYTES)
            return 0;
    return json_is_array(value) && json_array_size(value);
}

/* Does `test` hold for each text of a text or list? */
static int all_texts(const json_t *value, int (*test)(const char *text))
{
    if (json_is_string(value))
        return test(json_string_value(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!test(json_string_value(json_array_get(value, i))))
            return 0;
    return 1;
}

static int is_action(const char *text)
{
    const char *colon = strchr(text, ':');
    return strcmp(text, "*") == 0 || (colon && colon != text && colon[1]);
}

static int is_resource(const char *text)
{
    return strcmp(text, "*") == 0 || strncmp(text, "arn:", 4) == 0;
}

/* One of two members, and just one. NULL with what is wrong in `err`. */
static const json_t *one_of(const json_t *statement, const char *name, const char *negated,
                            const char *absent, struct err *err)
{
    const json_t *value = json_object_get(statement, name);
    const json_t *other = json_object_get(statement, negated);
    if (value && other)
        err_set(err, ERR_INVALID, "Statement/policy already has instance of %s", name);
    else if (!value && !other)
        err_set(err, ERR_INVALID, "%s", absent);
    else
        return value ? value : other;
    return NULL;
}

static int check_actions(const json_t *statement, struct err *err)
{
    const json_t *actions =
        one_of(statement, "Action", "NotAction", "Policy statement must contain actions.", err);
    if (!actions)
        return -1;
    if (!is_texts(actions))
        return err_set(err, ERR_INVALID, "Policy statement must contain actions.");
    if (!all_texts(actions, is_action))
        return err_set(
            err, ERR_INVALID,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    return 0;
}

static int check_resources(const json_t *statement, enum policy_kind kind, struct err *err)
{
    if (kind == POLICY_OF_TRUST) {
        if (json_object_get(statement, "Resource") || json_object_get(statement, "NotResource"))
            return err_set(err, ERR_INVALID, "Has prohibited field Resource");
        return 0;
    }
    const json_t *resources = one_of(statement, "Resource", "NotResource",
                                     "Policy statement must contain resources.", err);
    if (!resources)
        return -1;
    if (!is_texts(resources))
        return err_set(err, ERR_INVALID, "Policy statement must contain resources.");
    if (!all_texts(resources, is_resource))
        return err_set(err, ERR_INVALID, "Resource must be in ARN format or \"*\".");
    return 0;
}

/* "*", or {"AWS" | "Service" | "Federated" | "CanonicalUser": texts}. */
static int is_principal(const json_t *value)
{
    static const char *const kinds[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    const char *kind;
    json_t *names;
    if (json_is_string(value))
        return strcmp(json_string_value(value), "*") == 0;
    if (!json_is_object(value) || !json_object_size(value) ||
        !has_members(value, kinds, sizeof kinds / sizeof *kinds))
        return 0;
    json_object_foreach((json_t *)value, kind, names)
    {
        if (!is_texts(names))
            return 0;
    }
    return 1;
}

static int check_principal(const json_t *statement, enum policy_kind kind, struct err *err)
{
    if (kind == POLICY_OF_IDENTITY) {
        if (json_object_get(statement, "Principal") || json_object_get(statement, "NotPrincipal"))
            return err_set(err, ERR_INVALID, "Policy document should not specify a principal.");
        return 0;
    }
    const json_t *principal =
        one_of(statement, "Principal", "NotPrincipal", "Missing required field Principal", err);
    if (!principal)
        return -1;
    return is_principal(principal) ? 0 : err_set(err, ERR_INVALID, "Invalid principal in policy");
}

static int is_scalar_or_list(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_is_object(json_array_get(value, i)) || json_is_array(json_array_get(value, i)))
            return 0;
    return value && !json_is_object(value) && !json_is_null(value);
}

static int check_condition(const json_t *statement, struct err *err)
{
    const char *name, *key;
    json_t *keys, *values, *condition = json_object_get(statement, "Condition");
    if (condition && !json_is_object(condition))
        return err_set(err, ERR_INVALID, "Syntax errors in policy.");
    json_object_foreach(condition, name, keys)
    {
        if (!json_is_object(keys))
            return err_set(err, ERR_INVALID, "Syntax errors in policy.");
        if (json_object_size(keys) && !policy_condition_is_known(name))
            return err_set(err, ERR_INVALID, "Invalid Condition type : %.64s.", name);
        json_object_foreach(keys, key, values)
        {
            if (!is_scalar_or_list(values))
                return err_set(err, ERR_INVALID, "Syntax errors in policy.");
        }
    }
    return 0;
}

static int check_statement(const json_t *statement, enum policy_kind kind, struct err *err)
{
    static const char *const known[] = {"Sid",       "Effect",       "Action",
                                        "NotAction", "Resource",     "NotResource",
                                        "Principal", "NotPrincipal", "Condition"};
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const json_t *sid = json_object_get(statement, "Sid");
    if (!json_is_object(statement) ||
        !has_members(statement, known, sizeof known / sizeof *known) ||
        (sid && !json_is_string(sid)))
        return err_set(err, ERR_INVALID, "Syntax errors in policy.");
    if (!effect || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
        return err_set(err, ERR_INVALID, "Invalid effect: %.32s", effect ? effect : "none");
    if ((kind == POLICY_OF_TRUST && check_resources(statement, kind, err) < 0) ||
        check_principal(statement, kind, err) < 0 || check_actions(statement, err) < 0 ||
        check_resources(statement, kind, err) < 0)
        return -1;
    return check_condition(statement, err);
}

static int check_document(const json_t *document, enum policy_kind kind, struct err *err)
{
    static const char *const known[] = {"Version", "Id", "Statement"};
    const json_t *version = json_object_get(document, "Version");
    const json_t *statements = json_object_get(document, "Statement");
    const char *text = json_string_value(version);
    if (!json_is_object(document) || !has_members(document, known, sizeof known / sizeof *known) ||
        !statements)
        return err_set(err, ERR_INVALID, "Syntax errors in policy.");
    if (version && (!text || (strcmp(text, "2012-10-17") != 0 && strcmp(text, "2008-10-17") != 0)))
        return err_set(err, ERR_INVALID, "The policy must contain a valid version string");
    if (json_is_object(statements))
        return check_statement(statements, kind, err);
    if (!json_is_array(statements))
        return err_set(err, ERR_INVALID, "Syntax errors in policy.");
    for (size_t i = 0; i < json_array_size(statements); i++)
        if (check_statement(json_array_get(statements, i), kind, err) < 0)
            return -1;
    return 0;
}

static int depth_of(const char *text)
{
    int depth = 0, deepest = 0;
    for (; *text; text++) {
        depth += (*text == '{' || *text == '[') - (*text == '}' || *text == ']');
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

int policy_is_shallow(const char *text)
{
    return strlen(text) <= POLICY_MAX_DOCUMENT_BYTES && depth_of(text) <= 4 * POLICY_MAX_DEPTH;
}

json_t *policy_parse(const char *text, enum policy_kind kind, struct err *err)
{
    json_t *document =
        policy_is_shallow(text) ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!document) {
        err_set(err, ERR_INVALID, "This policy contains invalid Json");
        return NULL;
    }
    if (check_document(document, kind, err) == 0)
        return document;
    json_decref(document);
    return NULL;
}

/* -- evaluating -- */

/* How one text of a statement is compared with the request's. */
struct matcher {
    const char *text;
    int ignore_case;
    const struct policy_request *request; /* NULL: no variables */
};

static int matches_any(const json_t *patterns, const struct matcher *m)
{
    if (json_is_string(patterns))
        return policy_matches_filled(json_string_value(patterns), m->text, m->ignore_case,
                                     m->request);
    for (size_t i = 0; i < json_array_size(patterns); i++)
        if (policy_matches_filled(json_string_value(json_array_get(patterns, i)), m->text,
                                  m->ignore_case, m->request))
            return 1;
    return 0;
}

/* Action or NotAction, Resource or NotResource. */
static int member_matches(const json_t *statement, const char *name, const char *negated,
                          const struct matcher *m)
{
    const json_t *value = json_object_get(statement, name);
    return value ? matches_any(value, m) : !matches_any(json_object_get(statement, negated), m);
}

/* One name under "AWS": "*", an account (its number or its root), a user, a role, a session. */
static int is_signer(const char *name, const struct policy_request *request)
{
    char root[64];
    if (strcmp(name, "*") == 0)
        return 1;
    if (!request->principal_arn)
        return 0;
    snprintf(root, sizeof root, "arn:aws:iam::%s:root", request->account_id);
    return strcmp(name, root) == 0 || strcmp(name, request->account_id) == 0 ||
           strcmp(name, request->principal_arn) == 0 ||
           (request->role_arn && strcmp(name, request->role_arn) == 0);
}

static int is_service(const char *name, const struct policy_request *request)
{
    return request->service && strcmp(name, request->service) == 0;
}

static int names_one(const json_t *names, const struct policy_request *request,
                     int (*is)(const char *name, const struct policy_request *request))
{
    if (json_is_string(names))
        return is(json_string_value(names), request);
    for (size_t i = 0; i < json_array_size(names); i++)
        if (is(json_string_value(json_array_get(names, i)), request))
            return 1;
    return 0;
}

static int principal_is(const json_t *principal, const struct policy_request *request)
{
    return json_is_string(principal) ||
           names_one(json_object_get(principal, "AWS"), request, is_signer) ||
           names_one(json_object_get(principal, "Service"), request, is_service);
}

static int principal_matches(const json_t *statement, const struct policy_request *request)
{
    const json_t *principal = json_object_get(statement, "Principal");
    return principal ? principal_is(principal, request)
                     : !principal_is(json_object_get(statement, "NotPrincipal"), request);
}

static int statement_matches(const json_t *statement, enum policy_kind kind,
                             const struct policy_request *request)
{
    const struct matcher action = {request->action, 1, NULL};
    const struct matcher resource = {request->resource, 0, request};
    return (kind == POLICY_OF_IDENTITY || principal_matches(statement, request)) &&
           member_matches(statement, "Action", "NotAction", &action) &&
           (kind == POLICY_OF_TRUST ||
            member_matches(statement, "Resource", "NotResource", &resource)) &&
           policy_condition_holds(json_object_get(statement, "Condition"), request);
}

static enum policy_effect effect_of(const json_t *statement)
{
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    return strcmp(effect, "Deny") == 0 ? POLICY_DENIES : POLICY_ALLOWS;
}

enum policy_effect policy_evaluate(const json_t *document, enum policy_kind kind,
                                   const struct policy_request *request)
{
    const json_t *statements = json_object_get(document, "Statement");
    const char *version = json_string_value(json_object_get(document, "Version"));
    struct policy_request asked = *request;
    asked.fills_variables = version && strcmp(version, "2012-10-17") == 0;
    size_t count = json_is_array(statements) ? json_array_size(statements) : 1;
    enum policy_effect result = POLICY_SILENT;
    for (size_t i = 0; i < count && result != POLICY_DENIES; i++) {
        const json_t *statement =
            json_is_array(statements) ? json_array_get(statements, i) : statements;
        if (statement_matches(statement, kind, &asked))
            result = effect_of(statement) == POLICY_DENIES ? POLICY_DENIES : POLICY_ALLOWS;
    }
    return result;
}
