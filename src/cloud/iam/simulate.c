#include "cloud/form.h"
#include "cloud/iam/iam.h"
#include "cloud/iam/place.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What would a user, group or role, or whoever had the policies that are given, be allowed? The
 * policies are asked as a request's are (judge.c); nothing is changed. */

/* One simulation. Policies are {"id", "text", "document"}. */
struct simulation {
    struct iam_call *call;
    json_t *policies, *boundaries;
    json_t *resource_policy; /* a document, or NULL */
    const char *caller;      /* an ARN, or NULL */
};

/* -- the context -- */

/* "ContextEntries.member.3.ContextKeyName" */
static const char *entry_part(struct iam_call *call, int number, const char *part)
{
    char name[128];
    snprintf(name, sizeof name, "ContextEntries.member.%d.%s", number, part);
    return iam_get(call, name);
}

/* The number of the entry of that key; 0: none. */
static int find_entry(struct iam_call *call, const char *key)
{
    const char *name;
    for (int i = 1; (name = entry_part(call, i, "ContextKeyName")); i++)
        if (strcasecmp(name, key) == 0)
            return i;
    return 0;
}

static const char *value_of(void *context, const char *key, size_t index)
{
    const struct simulation *s = context;
    char part[64];
    int number = find_entry(s->call, key);
    snprintf(part, sizeof part, "ContextKeyValues.member.%zu", index + 1);
    if (number)
        return entry_part(s->call, number, part);
    const char *user = s->caller && !index ? strstr(s->caller, ":user/") : NULL;
    if (user && strcasecmp(key, "aws:username") == 0)
        return strrchr(user, '/') + 1;
    return s->caller && !index && strcasecmp(key, "aws:PrincipalArn") == 0 ? s->caller : NULL;
}

/* The keys that conditions of the policies name, into an object. */
static void collect_keys(const json_t *policies, json_t *keys)
{
    size_t i, k;
    json_t *policy, *statement, *tests;
    const char *operator, * key;
    json_array_foreach(policies, i, policy)
    {
        json_array_foreach(json_object_get(policy, "statements"), k, statement)
        {
            json_object_foreach(json_object_get(statement, "Condition"), operator, tests)
            {
                json_t *values;
                json_object_foreach(tests, key, values)
                {
                    json_object_set_new(keys, key, json_true());
                }
            }
        }
    }
}

static void put_names(struct iam_call *call, const char *element, const json_t *names)
{
    const char *name;
    json_t *value;
    buf_printf(&call->body, "<%s>", element);
    json_object_foreach((json_t *)names, name, value)
    {
        form_put(&call->body, "member", name);
    }
    buf_printf(&call->body, "</%s>", element);
}

/* -- the policies -- */

/* -1: it is no policy, and answered. */
static int add_policy(struct iam_call *call, json_t *policies, const char *id, const char *text)
{
    struct err err = {0};
    json_t *document = policy_parse(text, POLICY_OF_IDENTITY, &err);
    if (!document)
        return iam_refuse(call, "InvalidInput", "%s", err.message);
    json_t *statements = json_object_get(document, "Statement");
    json_t *all =
        json_is_array(statements) ? json_incref(statements) : json_pack("[O]", statements);
    json_array_append_new(
        policies, json_pack("{s:s, s:s, s:o*, s:o}", "id", id, "text", text, "version",
                            json_incref(json_object_get(document, "Version")), "statements", all));
    json_decref(document);
    return 0;
}

/* "PolicyInputList.member.1" and so on. */
static int add_list(struct iam_call *call, json_t *policies, const char *parameter)
{
    const char *text;
    for (int i = 1;; i++) {
        char name[96], id[96];
        snprintf(name, sizeof name, "%s.member.%d", parameter, i);
        snprintf(id, sizeof id, "%s.%d", parameter, i);
        if (!(text = iam_get(call, name)))
            return 0;
        if (add_policy(call, policies, id, text) < 0)
            return -1;
    }
}

static int add_attached(struct iam_call *call, json_t *policies, const char *arn)
{
    const json_t *policy = json_object_get(iam_members(call, "policies"), arn);
    const json_t *version =
        json_object_get(json_object_get(policy, "versions"), iam_text(policy, "default"));
    json_t *aws = policy ? NULL : iam_aws_policy(arn);
    char *text = aws ? json_dumps(aws, JSON_COMPACT) : NULL;
    int result = add_policy(call, policies, strrchr(arn, '/') + 1,
                            text ? text : iam_text(version, "document"));
    free(text);
    json_decref(aws);
    return result;
}

/* Those of a user, group or role. AWS calls an inline one "user_NAME_POLICY". */
static int add_entity(struct iam_call *call, json_t *policies, const struct iam_kind *kind,
                      const json_t *entity)
{
    const char *name;
    json_t *text, *arn;
    size_t i;
    json_object_foreach(json_object_get(entity, "inline"), name, text)
    {
        char id[IAM_MAX_GROUP_NAME + IAM_MAX_POLICY_NAME + 16];
        snprintf(id, sizeof id, "%s_%s_%s", kind->word, iam_text(entity, "Name"), name);
        if (add_policy(call, policies, id, json_string_value(text)) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(entity, "attached"), i, arn)
    {
        if (add_attached(call, policies, json_string_value(arn)) < 0)
            return -1;
    }
    return 0;
}

static int add_groups_of(struct iam_call *call, json_t *policies, const char *user)
{
    const char *name;
    json_t *group;
    json_object_foreach(iam_members(call, "groups"), name, group)
    {
        const json_t *members = json_object_get(group, "members");
        if (iam_index_of(members, user) < json_array_size(members) &&
            add_entity(call, policies, &iam_group, group) < 0)
            return -1;
    }
    return 0;
}

/* The policies, and the boundary, of whom PolicySourceArn names. */
static int add_source(struct simulation *s)
{
    static const struct iam_kind *const kinds[] = {&iam_user, &iam_group, &iam_role};
    struct iam_call *call = s->call;
    const char *arn = iam_need(call, "PolicySourceArn", IAM_MAX_ARN);
    const struct iam_kind *kind = NULL;
    for (size_t i = 0; arn && i < sizeof kinds / sizeof *kinds; i++) {
        char part[32];
        snprintf(part, sizeof part, ":%s/", kinds[i]->word);
        if (strncmp(arn, "arn:", 4) == 0 && strstr(arn, part))
            kind = kinds[i];
    }
    if (arn && !kind)
        return iam_refuse(call, "InvalidInput",
                          "Invalid Entity Arn: %s does not clearly define entity type and name.",
                          arn);
    const char *name = arn ? strrchr(arn, '/') + 1 : NULL;
    const json_t *entity = name ? iam_find_named(call, kind, name) : NULL;
    if (!entity || add_entity(call, s->policies, kind, entity) < 0 ||
        (kind == &iam_user && add_groups_of(call, s->policies, name) < 0))
        return -1;
    if (kind != &iam_group && !s->caller)
        s->caller = arn;
    const char *boundary = iam_text(entity, "boundary");
    return *boundary && !iam_get(call, "PermissionsBoundaryPolicyInputList.member.1")
               ? add_attached(call, s->boundaries, boundary)
               : 0;
}

/* -- asking -- */

/* What one statement says. */
static enum policy_effect ask_statement(const json_t *policy, json_t *statement,
                                        const struct policy_request *request)
{
    json_t *version = json_object_get(policy, "version");
    json_t *document = json_pack("{s:O*, s:O}", "Version", version, "Statement", statement);
    enum policy_effect effect = policy_evaluate(document, POLICY_OF_IDENTITY, request);
    json_decref(document);
    return effect;
}

static void add_match(json_t *matches, const json_t *policy, size_t number)
{
    struct policy_place start, end;
    policy_place(iam_text(policy, "text"), number, &start, &end);
    json_array_append_new(matches, json_pack("[s, i, i, i, i]", iam_text(policy, "id"), start.line,
                                             start.column, end.line, end.column));
}

/* What the policies say, and which statements decide: into `matches`, where that is asked for. */
static enum policy_effect ask_policies(const json_t *policies, const struct policy_request *request,
                                       json_t *matches)
{
    enum policy_effect result = POLICY_SILENT;
    size_t i, k;
    json_t *policy, *statement;
    json_array_foreach(policies, i, policy)
    {
        json_array_foreach(json_object_get(policy, "statements"), k, statement)
        {
            enum policy_effect one = ask_statement(policy, statement, request);
            if (one == POLICY_SILENT || (one == POLICY_ALLOWS && result == POLICY_DENIES))
                continue;
            if (one != result)
                json_array_clear(matches);
            result = one;
            add_match(matches, policy, k);
        }
    }
    return result;
}

/* What is decided of one action on one resource. */
struct outcome {
    const char *decision;
    int is_within_boundary; /* 1 without one */
    json_t *matches;
};

static struct outcome simulate(struct simulation *s, const char *action, const char *resource)
{
    struct policy_request request = {.action = action,
                                     .resource = resource,
                                     .principal_arn = s->caller,
                                     .account_id = s->call->iam->cloud->account_id,
                                     .value = value_of,
                                     .context = s};
    struct outcome outcome = {.matches = json_array()};
    enum policy_effect identity = ask_policies(s->policies, &request, outcome.matches);
    enum policy_effect of_resource =
        s->resource_policy ? policy_evaluate(s->resource_policy, POLICY_OF_RESOURCE, &request)
                           : POLICY_SILENT;
    json_t *ignored = json_array();
    enum policy_effect boundary = json_array_size(s->boundaries)
                                      ? ask_policies(s->boundaries, &request, ignored)
                                      : POLICY_ALLOWS;
    json_decref(ignored);
    outcome.is_within_boundary = boundary == POLICY_ALLOWS;
    if (identity == POLICY_DENIES || boundary == POLICY_DENIES || of_resource == POLICY_DENIES)
        outcome.decision = "explicitDeny";
    else if ((identity == POLICY_ALLOWS && outcome.is_within_boundary) ||
             of_resource == POLICY_ALLOWS)
        outcome.decision = "allowed";
    else
        outcome.decision = "implicitDeny";
    return outcome;
}

/* -- the answer -- */

static void put_place(struct buf *body, const char *element, const json_t *match, size_t at)
{
    buf_printf(body, "<%s><Line>%lld</Line><Column>%lld</Column></%s>", element,
               (long long)json_integer_value(json_array_get(match, at)),
               (long long)json_integer_value(json_array_get(match, at + 1)), element);
}

/* The members that a result and a resource's result share, apart from their name. */
static void put_outcome(struct simulation *s, const char *decision, const struct outcome *outcome)
{
    struct buf *body = &s->call->body;
    json_t *match, *keys = json_object(), *missing = json_object(), *value;
    const char *key;
    size_t i;
    form_put(body, decision, outcome->decision);
    buf_puts(body, "<MatchedStatements>");
    json_array_foreach(outcome->matches, i, match)
    {
        buf_puts(body, "<member>");
        form_put(body, "SourcePolicyId", json_string_value(json_array_get(match, 0)));
        form_put(body, "SourcePolicyType", "IAM Policy");
        put_place(body, "StartPosition", match, 1);
        put_place(body, "EndPosition", match, 3);
        buf_puts(body, "</member>");
    }
    buf_puts(body, "</MatchedStatements>");
    collect_keys(s->policies, keys);
    collect_keys(s->boundaries, keys);
    json_object_foreach(keys, key, value)
    {
        if (!value_of(s, key, 0))
            json_object_set_new(missing, key, json_true());
    }
    put_names(s->call, "MissingContextValues", missing);
    json_decref(missing);
    json_decref(keys);
    if (json_array_size(s->boundaries))
        buf_printf(body,
                   "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>%s"
                   "</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>",
                   outcome->is_within_boundary ? "true" : "false");
}

static const char *member_at(struct iam_call *call, const char *list, long number)
{
    char name[64];
    snprintf(name, sizeof name, "%s.member.%ld", list, number);
    return iam_get(call, name);
}

static const char *resource_at(struct iam_call *call, long number)
{
    const char *resource = member_at(call, "ResourceArns", number);
    return resource || number > 1 ? resource : "*";
}

/* The result of several resources together is the worst of theirs, and no statement's. */
static struct outcome simulate_all(struct simulation *s, const char *action)
{
    static const char order[] = "aie"; /* allowed, implicitDeny, explicitDeny */
    struct outcome all = simulate(s, action, resource_at(s->call, 1));
    const char *resource;
    for (long i = 2; (resource = resource_at(s->call, i)); i++) {
        struct outcome one = simulate(s, action, resource);
        if (strchr(order, *one.decision) > strchr(order, *all.decision))
            all.decision = one.decision;
        all.is_within_boundary = all.is_within_boundary && one.is_within_boundary;
        json_array_clear(all.matches);
        json_decref(one.matches);
    }
    return all;
}

static void put_result(struct simulation *s, const char *action)
{
    struct iam_call *call = s->call;
    const char *resource;
    struct outcome all = simulate_all(s, action);
    form_put(&call->body, "EvalActionName", action);
    form_put(&call->body, "EvalResourceName", resource_at(call, 2) ? "*" : resource_at(call, 1));
    put_outcome(s, "EvalDecision", &all);
    json_decref(all.matches);
    if (!member_at(call, "ResourceArns", 1))
        return;
    buf_puts(&call->body, "<ResourceSpecificResults>");
    for (long i = 1; (resource = resource_at(call, i)); i++) {
        struct outcome one = simulate(s, action, resource);
        buf_puts(&call->body, "<member>");
        form_put(&call->body, "EvalResourceName", resource);
        put_outcome(s, "EvalResourceDecision", &one);
        buf_puts(&call->body, "</member>");
        json_decref(one.matches);
    }
    buf_puts(&call->body, "</ResourceSpecificResults>");
}

/* A page of the actions. */
static int put_results(struct simulation *s)
{
    struct iam_call *call = s->call;
    const char *marker = iam_get(call, "Marker");
    long most = iam_get_number(call, "MaxItems", 1, 1000, 100), resources = 1;
    long from = marker ? strtol(marker, NULL, 10) : 0, i;
    if (most < 0)
        return -1;
    if (from < 0 || from > IAM_MAX_SIMULATED * 1000)
        return iam_refuse(call, "ValidationError", "Invalid Marker.");
    while (resource_at(call, resources + 1))
        resources++;
    buf_puts(&call->body, "<EvaluationResults>");
    const char *action = NULL;
    for (i = from + 1; i <= from + most && (action = member_at(call, "ActionNames", i)); i++) {
        if ((i - from) * resources > IAM_MAX_SIMULATED)
            return iam_refuse(call, "InvalidInput", "More than %d decisions are asked for at once",
                              IAM_MAX_SIMULATED);
        buf_puts(&call->body, "<member>");
        put_result(s, action);
        buf_puts(&call->body, "</member>");
    }
    buf_puts(&call->body, "</EvaluationResults>");
    int is_truncated = action && member_at(call, "ActionNames", i) != NULL;
    buf_printf(&call->body, "<IsTruncated>%s</IsTruncated>", is_truncated ? "true" : "false");
    if (is_truncated)
        buf_printf(&call->body, "<Marker>%ld</Marker>", i - 1);
    return 0;
}

/* -- operations -- */

static int read_resource_policy(struct simulation *s)
{
    struct err err = {0};
    const char *text = iam_get(s->call, "ResourcePolicy");
    s->resource_policy = text ? policy_parse(text, POLICY_OF_RESOURCE, &err) : NULL;
    return text && !s->resource_policy ? iam_refuse(s->call, "InvalidInput", "%s", err.message) : 0;
}

/* Reads what is given, asks `then`. */
static int run(struct iam_call *call, int (*then)(struct simulation *s))
{
    struct simulation s = {.call = call,
                           .policies = json_array(),
                           .boundaries = json_array(),
                           .caller = iam_get(call, "CallerArn")};
    int is_of_principal = strstr(iam_get(call, "Action"), "Principal") != NULL;
    int result = is_of_principal ? add_source(&s) : 0;
    if (result == 0)
        result = add_list(call, s.policies, "PolicyInputList");
    if (result == 0)
        result = add_list(call, s.boundaries, "PermissionsBoundaryPolicyInputList");
    if (result == 0)
        result = read_resource_policy(&s);
    if (result == 0)
        result = then(&s);
    json_decref(s.policies);
    json_decref(s.boundaries);
    json_decref(s.resource_policy);
    return result;
}

static int simulate_policies(struct iam_call *call)
{
    if (!member_at(call, "ActionNames", 1))
        return iam_refuse_value(call, "ActionNames", NULL, "not be null");
    return run(call, put_results);
}

static int put_keys(struct simulation *s)
{
    json_t *keys = json_object();
    collect_keys(s->policies, keys);
    put_names(s->call, "ContextKeyNames", keys);
    json_decref(keys);
    return 0;
}

static int get_context_keys(struct iam_call *call)
{
    return run(call, put_keys);
}

#define SIMULATED                                                                                  \
    " PolicyInputList PermissionsBoundaryPolicyInputList ActionNames ResourceArns ResourcePolicy " \
    "CallerArn ContextEntries Marker MaxItems "

const struct iam_operation iam_simulate_operations[] = {
    {"SimulateCustomPolicy", NULL, 0, SIMULATED, simulate_policies},
    {"SimulatePrincipalPolicy", NULL, 0, " PolicySourceArn" SIMULATED, simulate_policies},
    {"GetContextKeysForCustomPolicy", NULL, 0, " PolicyInputList ", get_context_keys},
    {"GetContextKeysForPrincipalPolicy", NULL, 0, " PolicySourceArn PolicyInputList ",
     get_context_keys},
    {0},
};
