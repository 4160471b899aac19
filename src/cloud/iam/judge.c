#include "base/clock.h"
#include "cloud/access.h"
#include "cloud/auth_s3_v2.h"
#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Decides what a signer may do: the policies of the user with its groups, or of the session's role,
 * the session's own, and the one attached to the resource. An explicit denial anywhere wins; in one
 * account an allowance on either side, identity or resource, is enough. */

enum { TIME_BYTES = 32 };

/* Who asks, taken apart, and what the conditions may look at. */
struct asking {
    struct exchange *x;
    const struct access_question *question;
    const json_t *entity;         /* the user or role; NULL: unknown, or nobody */
    const char *name;             /* of user or role; NULL: nobody, or root */
    const char *session;          /* NULL for users */
    const char *role_arn;         /* of a session; as if its role had no path when unknown */
    const char *home_region;      /* the cloud's */
    const char *user_id;          /* NULL when the entity is unknown */
    const json_t *kept;           /* what iam.h has of the session */
    int is_distrustful;           /* the role does not trust the service that acts in it */
    int is_federated, is_of_root; /* a federated user, whose rights are a user's or the root's */
    char current_time[TIME_BYTES], epoch_time[TIME_BYTES];
    char issue_time[TIME_BYTES]; /* of a session's credentials; "" for other keys */
};

/* -- condition keys -- */

static const char *tag_of(const struct asking *a, const char *key)
{
    return json_string_value(json_object_get(json_object_get(a->entity, "tags"), key));
}

static const char *principal_arn(const struct asking *a)
{
    return a->session ? a->role_arn : a->x->identity.arn;
}

static const char *principal_type(const struct asking *a)
{
    if (!a->x->identity.access_key_id)
        return "Anonymous";
    if (a->x->identity.is_administrator)
        return "Account";
    if (a->is_federated)
        return "FederatedUser";
    return a->session ? "AssumedRole" : "User";
}

static const char *auth_type(const struct asking *a)
{
    return exchange_header(a->x, "Authorization") ? "REST-HEADER" : "REST-QUERY-STRING";
}

/* Keys of the whole of AWS and of STS. */
static const char *global_value(const struct asking *a, const char *key)
{
    const struct {
        const char *key, *value;
    } values[] = {
        {"aws:CurrentTime", a->current_time},
        {"aws:EpochTime", a->epoch_time},
        {"aws:SourceIp", a->x->source_ip},
        {"aws:SecureTransport", a->x->is_secure ? "true" : "false"},
        {"aws:UserAgent", exchange_header(a->x, "User-Agent")},
        {"aws:Referer", exchange_header(a->x, "Referer")},
        {"aws:PrincipalArn", principal_arn(a)},
        {"aws:PrincipalAccount", a->x->identity.arn ? a->x->identity.account_id : NULL},
        {"aws:PrincipalType", principal_type(a)},
        {"aws:RequestedRegion", a->x->region},
        {"aws:username", a->session || a->is_federated ? NULL : a->name},
        {"aws:userid", a->user_id},
        {"aws:ResourceAccount", a->x->identity.account_id},
        {"aws:ViaAWSService", "false"},
        {"aws:PrincipalIsAWSService", "false"},
        {"aws:TokenIssueTime", *a->issue_time ? a->issue_time : NULL},
        {"aws:MultiFactorAuthPresent", *a->issue_time ? "false" : NULL},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcasecmp(values[i].key, key) == 0)
            return values[i].value;
    if (strncasecmp(key, "aws:PrincipalTag/", 17) == 0)
        return tag_of(a, key + 17);
    return strncasecmp(key, "sts:", 4) == 0 ? form_get(a->x, key + 4) : NULL;
}

/* "s3:prefix" is a parameter of the query, "s3:x-amz-acl" a header. */
static const char *s3_value(const struct asking *a, const char *key)
{
    static const char *const queries[] = {"prefix", "delimiter", "max-keys", "versionId"};
    if (strncasecmp(key, "x-amz-", 6) == 0)
        return exchange_header(a->x, key);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        if (strcasecmp(queries[i], key) == 0)
            return exchange_query(a->x, queries[i]);
    if (strcasecmp(key, "authType") == 0)
        return auth_type(a);
    if (strcasecmp(key, "signatureversion") == 0)
        return auth_s3_v2_is(a->x) ? "AWS" : "AWS4-HMAC-SHA256";
    return NULL;
}

static const char *value_of(void *context, const char *key, size_t index)
{
    const struct asking *a = context;
    if (index)
        return NULL;
    const char *value =
        strncasecmp(key, "s3:", 3) == 0 ? s3_value(a, key + 3) : global_value(a, key);
    return value || !a->question->value ? value : a->question->value(a->question->self, key);
}

/* -- who asks -- */

/* "arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION", from ROLE on. */
static void read_session(struct asking *a, const char *role, const json_t *roles)
{
    struct arena *arena = &a->x->arena;
    size_t length = strcspn(role, "/");
    a->name = arena_copy(arena, role, length);
    a->session = role + length + (role[length] != 0);
    a->entity = a->name ? json_object_get(roles, a->name) : NULL;
    const char *given = a->x->identity.role_arn; /* of another path or account: another role */
    if (a->entity && given && strcmp(given, iam_text(a->entity, "Arn")) != 0)
        a->entity = NULL;
    a->role_arn = a->entity ? iam_text(a->entity, "Arn")
                  : given   ? given
                            : arena_printf(arena, "arn:aws:iam::%s:role/%s",
                                           a->x->identity.account_id, a->name ? a->name : "");
    if (a->entity)
        a->user_id = arena_printf(arena, "%s:%s", iam_text(a->entity, "Id"), a->session);
}

/* "arn:aws:iam::ACCOUNT:user/PATH/NAME" */
static void read_user(struct asking *a, const char *name, const json_t *users)
{
    a->name = name;
    a->entity = json_object_get(users, name);
    a->user_id = a->entity ? iam_text(a->entity, "Id") : NULL;
}

/* "arn:aws:sts::ACCOUNT:federated-user/NAME": the rights are those of whom it came from. */
static void read_federated(struct asking *a, const char *name, const json_t *users)
{
    const char *user = iam_text(a->kept, "user");
    a->is_federated = 1;
    a->is_of_root = a->kept && !*user;
    if (*user)
        read_user(a, user, users);
    a->user_id = arena_printf(&a->x->arena, "%s:%s", a->x->identity.account_id, name);
}

static void read_arn(struct asking *a, const json_t *state)
{
    static const char assumed[] = ":assumed-role/";
    const char *arn = a->x->identity.arn;
    const char *role = arn ? strstr(arn, assumed) : NULL, *name = arn ? strrchr(arn, '/') : NULL;
    if (role)
        read_session(a, role + sizeof assumed - 1, json_object_get(state, "roles"));
    else if (name && strstr(arn, ":federated-user/"))
        read_federated(a, name + 1, json_object_get(state, "users"));
    else if (name)
        read_user(a, name + 1, json_object_get(state, "users"));
}

/* What a role's trust may ask of the service that acts in it. */
static const char *function_value(void *context, const char *key, size_t index)
{
    const struct asking *a = context;
    if (!index && strcasecmp(key, "aws:SourceAccount") == 0)
        return a->x->identity.account_id;
    if (!index && strcasecmp(key, "aws:SourceArn") == 0)
        return arena_printf(&a->x->arena, "arn:aws:lambda:%s:%s:function:%s", a->home_region,
                            a->x->identity.account_id, a->session);
    return NULL;
}

/* A function is a role only as long as the role lets it be. */
static void check_trust(struct asking *a)
{
    struct err err;
    const struct policy_request request = {.action = "sts:AssumeRole",
                                           .resource = iam_text(a->entity, "Arn"),
                                           .service = "lambda.amazonaws.com",
                                           .account_id = a->x->identity.account_id,
                                           .value = function_value,
                                           .context = a};
    json_t *trust =
        policy_parse(iam_text(a->entity, "AssumeRolePolicyDocument"), POLICY_OF_TRUST, &err);
    a->is_distrustful =
        !trust || policy_evaluate(trust, POLICY_OF_TRUST, &request) != POLICY_ALLOWS;
    json_decref(trust);
    if (!a->is_distrustful)
        return;
    a->entity = NULL;
    a->role_arn = "";
}

static void write_time(int64_t unix_ms, char out[TIME_BYTES])
{
    char time[CLOCK_TEXT_BYTES];
    clock_text(unix_ms, time);
    snprintf(out, TIME_BYTES, "%.19sZ", time);
}

static void read_asking(struct asking *a, struct exchange *x, const struct iam *iam)
{
    const char *key_id = x->identity.access_key_id;
    *a = (struct asking){.x = x, .kept = key_id ? json_object_get(iam->sessions, key_id) : NULL};
    write_time(x->received_unix_ms, a->current_time);
    if (x->identity.issued_unix_ms)
        write_time(x->identity.issued_unix_ms, a->issue_time);
    snprintf(a->epoch_time, sizeof a->epoch_time, "%lld", (long long)(x->received_unix_ms / 1000));
    a->home_region = iam->cloud->region;
    read_arn(a, iam->state);
    if (a->entity && x->identity.role_arn)
        check_trust(a);
}

static struct policy_request make_request(struct asking *a, const struct access_question *question)
{
    a->question = question;
    return (struct policy_request){.action = question->action,
                                   .resource = question->resource,
                                   .principal_arn = a->x->identity.arn,
                                   .role_arn = a->session ? a->role_arn : NULL,
                                   .account_id = a->x->identity.account_id,
                                   .value = value_of,
                                   .context = a};
}

/* -- the documents of an entity, parsed once -- */

static void add_document(json_t *documents, const char *text)
{
    struct err err;
    json_t *document = policy_parse(text, POLICY_OF_IDENTITY, &err);
    if (document)
        json_array_append_new(documents, document);
}

static void add_documents(json_t *documents, const json_t *state, const json_t *entity)
{
    const char *name;
    json_t *text, *arn;
    size_t i;
    json_object_foreach(json_object_get(entity, "inline"), name, text)
    {
        add_document(documents, json_string_value(text));
    }
    json_array_foreach(json_object_get(entity, "attached"), i, arn)
    {
        json_t *document = iam_policy_document(state, json_string_value(arn));
        if (document)
            json_array_append_new(documents, document);
    }
}

static void add_groups(json_t *documents, const json_t *state, const char *user)
{
    const char *name;
    json_t *group;
    json_object_foreach(json_object_get(state, "groups"), name, group)
    {
        const json_t *members = json_object_get(group, "members");
        if (iam_index_of(members, user) < json_array_size(members))
            add_documents(documents, state, group);
    }
}

static const json_t *documents_of(struct iam *iam, const struct asking *a)
{
    const char *arn = iam_text(a->entity, "Arn");
    json_t *documents = json_object_get(iam->compiled, arn);
    if (documents || !a->entity)
        return documents;
    documents = json_array();
    add_documents(documents, iam->state, a->entity);
    if (!a->session)
        add_groups(documents, iam->state, a->name);
    json_object_set_new(iam->compiled, arn, documents);
    return documents;
}

/* -- deciding -- */

static enum policy_effect evaluate_all(const json_t *documents,
                                       const struct policy_request *request)
{
    enum policy_effect result = POLICY_SILENT;
    for (size_t i = 0; i < json_array_size(documents) && result != POLICY_DENIES; i++) {
        enum policy_effect one =
            policy_evaluate(json_array_get(documents, i), POLICY_OF_IDENTITY, request);
        result = one == POLICY_SILENT ? result : one;
    }
    return result;
}

/* A session's own policy can only take away; without one a role's session is as if it allowed
 * everything, and a federated user as if it allowed nothing. */
static enum policy_effect ask_session(const struct asking *a, const struct policy_request *request)
{
    const json_t *policy = json_object_get(a->kept, "policy");
    if (!policy)
        return a->is_federated ? POLICY_SILENT : POLICY_ALLOWS;
    return policy_evaluate(policy, POLICY_OF_IDENTITY, request);
}

/* The same of a user's or role's boundary. */
static enum policy_effect ask_boundary(struct iam *iam, const struct asking *a,
                                       const struct policy_request *request)
{
    const char *arn = iam_text(a->entity, "boundary");
    if (!*arn)
        return POLICY_ALLOWS;
    json_t *document = json_object_get(iam->compiled, arn);
    if (!document)
        json_object_set_new(iam->compiled, arn, document = iam_policy_document(iam->state, arn));
    return document ? policy_evaluate(document, POLICY_OF_IDENTITY, request) : POLICY_SILENT;
}

/* Does it allow by naming the signer, and not just the account, which leaves it to the signer's own
 * policies? Whom it names by the role is bound by boundary and session policy, `by_role` tells; a
 * user or session that it names is not. */
static int allows_by_name(const json_t *document, enum policy_kind kind, int by_role,
                          const struct policy_request *request)
{
    struct policy_request named = *request;
    named.account_id = "";
    if (!by_role)
        named.role_arn = NULL;
    return policy_evaluate(document, kind, &named) == POLICY_ALLOWS;
}

static enum policy_effect ask_resource(const char *text, int is_bound,
                                       const struct policy_request *request)
{
    struct err err;
    json_t *document = text ? policy_parse(text, POLICY_OF_RESOURCE, &err) : NULL;
    enum policy_effect effect =
        document ? policy_evaluate(document, POLICY_OF_RESOURCE, request) : POLICY_SILENT;
    if (effect == POLICY_ALLOWS &&
        !allows_by_name(document, POLICY_OF_RESOURCE, !is_bound, request))
        effect = POLICY_SILENT;
    json_decref(document);
    return effect;
}

/* What the documents say that have a voice. */
struct verdict {
    enum policy_effect identity, resource, boundary, session;
};

static struct verdict ask_identity(struct iam *iam, const struct asking *a,
                                   const struct policy_request *request)
{
    return (struct verdict){.identity = a->is_of_root ? POLICY_ALLOWS
                                                      : evaluate_all(documents_of(iam, a), request),
                            .boundary = ask_boundary(iam, a, request),
                            .session = ask_session(a, request)};
}

static int is_bound(const struct verdict *v)
{
    return v->boundary != POLICY_ALLOWS || v->session != POLICY_ALLOWS;
}

/* The kind of policy that denies; NULL: none. */
static const char *denier(const struct verdict *v)
{
    return v->identity == POLICY_DENIES   ? "an identity-based policy"
           : v->resource == POLICY_DENIES ? "a resource-based policy"
           : v->boundary == POLICY_DENIES ? "a permissions boundary"
           : v->session == POLICY_DENIES  ? "a session policy"
                                          : NULL;
}

static int is_allowed(const struct verdict *v)
{
    return !denier(v) &&
           (v->resource == POLICY_ALLOWS || (v->identity == POLICY_ALLOWS && !is_bound(v)));
}

static int explain(const struct asking *a, const struct access_question *question,
                   const struct verdict *v, struct err *why)
{
    const char *who = a->x->identity.arn ? a->x->identity.arn : "anonymous";
    if (denier(v))
        return err_set(why, ERR_DENIED,
                       "User: %.160s is not authorized to perform: %.64s on resource: %.160s with "
                       "an explicit deny in %s",
                       who, question->action, question->resource, denier(v));
    const char *silent = "identity-based policy";
    if (v->identity == POLICY_ALLOWS)
        silent = v->boundary == POLICY_SILENT ? "permissions boundary" : "session policy";
    const char *since = "";
    if (!a->entity && a->session)
        since = a->is_distrustful ? "its role does not trust lambda.amazonaws.com, so "
                                  : "its role does not exist, so ";
    return err_set(why, ERR_DENIED,
                   "User: %.160s is not authorized to perform: %.64s on resource: %.160s because "
                   "%sno %s allows the %.64s action",
                   who, question->action, question->resource, since, silent, question->action);
}

/* What a policy may ask of a service that acts on somebody's behalf. */
static const char *service_value(void *context, const char *key, size_t index)
{
    const struct asking *a = context;
    if (!index && strcasecmp(key, "aws:SourceArn") == 0)
        return a->question->source_arn;
    if (!index && strcasecmp(key, "aws:SourceAccount") == 0)
        return a->x->identity.account_id;
    return NULL;
}

static int allows_service(struct asking *a, const struct access_question *question)
{
    struct err err;
    const char *text = question->service ? question->resource_policy : NULL;
    json_t *document = text ? policy_parse(text, POLICY_OF_RESOURCE, &err) : NULL;
    const struct policy_request request = {.action = question->action,
                                           .resource = question->resource,
                                           .service = question->service,
                                           .account_id = a->x->identity.account_id,
                                           .value = service_value,
                                           .context = a};
    int result =
        document && policy_evaluate(document, POLICY_OF_RESOURCE, &request) == POLICY_ALLOWS;
    json_decref(document);
    return result;
}

int iam_judge(void *self, struct exchange *x, const struct access_question *question,
              struct err *why)
{
    struct iam *iam = self;
    struct asking a;
    pthread_mutex_lock(&iam->lock);
    iam_note_use(iam, x);
    read_asking(&a, x, iam);
    struct policy_request request = make_request(&a, question);
    struct verdict v = ask_identity(iam, &a, &request);
    v.resource = ask_resource(question->resource_policy, is_bound(&v), &request);
    int result =
        is_allowed(&v) || allows_service(&a, question) ? 0 : explain(&a, question, &v, why);
    pthread_mutex_unlock(&iam->lock);
    return result;
}

/* The role's trust must allow it; one that names the whole account leaves it to the signer's own
 * policies. */
int iam_may_assume(struct iam *iam, struct exchange *x, const json_t *role)
{
    struct asking a;
    struct err err;
    json_t *trust = policy_parse(iam_text(role, "AssumeRolePolicyDocument"), POLICY_OF_TRUST, &err);
    const struct access_question question = {.action = "sts:AssumeRole",
                                             .resource = iam_text(role, "Arn")};
    read_asking(&a, x, iam);
    struct policy_request request = make_request(&a, &question);
    enum policy_effect trusts =
        trust ? policy_evaluate(trust, POLICY_OF_TRUST, &request) : POLICY_SILENT;
    struct verdict v = ask_identity(iam, &a, &request);
    if (x->identity.is_administrator)
        v.identity = POLICY_ALLOWS;
    if (trusts == POLICY_ALLOWS && allows_by_name(trust, POLICY_OF_TRUST, !is_bound(&v), &request))
        v.resource = POLICY_ALLOWS;
    json_decref(trust);
    return trusts == POLICY_ALLOWS && is_allowed(&v) ? 0 : -1;
}
