#include "base/clock.h"
#include "cloud/access.h"
#include "cloud/errors.h"
#include "cloud/form.h"
#include "cloud/iam/iam.h"
#include "cloud/identity.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define STS_NAMESPACE "https://sts.amazonaws.com/doc/2011-06-15/"

/* STS: who am I, and let me be somebody else for a while. */

static void put_credentials(struct iam_call *call, const struct identity_credentials *keys,
                            long seconds)
{
    char time[CLOCK_TEXT_BYTES];
    clock_text(clock_unix_ms() + seconds * 1000, time);
    buf_puts(&call->body, "<Credentials>");
    form_put(&call->body, "AccessKeyId", keys->access_key_id);
    form_put(&call->body, "SecretAccessKey", keys->secret_access_key);
    form_put(&call->body, "SessionToken", keys->session_token);
    buf_printf(&call->body, "<Expiration>%.19sZ</Expiration></Credentials>", time);
}

/* "arn:partition:service:region:account:resource", of which region and account may be empty. */
static int is_arn(const char *text)
{
    const char *part = text;
    for (int at = 0; at < 5; at++) {
        const char *colon = strchr(part, ':');
        int may_be_empty = at == 3 || at == 4;
        if (!colon || (colon == part && !may_be_empty) ||
            (at == 0 && strncmp(text, "arn:", 4) != 0))
            return 0;
        part = colon + 1;
    }
    return *part != 0;
}

/* The role of RoleArn that the signer may assume; NULL: answered, and the same for a role that is
 * not there and one that is not theirs. */
static const json_t *find_role(struct iam_call *call)
{
    enum { LEAST_ARN = 20 };
    const char *arn = iam_need(call, "RoleArn", IAM_MAX_ARN), *name;
    json_t *role;
    if (!arn)
        return NULL;
    if (strlen(arn) < LEAST_ARN)
        iam_refuse_value(call, "RoleArn", arn, "have length greater than or equal to %d",
                         LEAST_ARN);
    else if (!is_arn(arn))
        iam_refuse(call, "ValidationError", "%s is invalid", arn);
    if (strlen(arn) < LEAST_ARN || !is_arn(arn))
        return NULL;
    json_object_foreach(iam_members(call, "roles"), name, role)
    {
        if (strcmp(iam_text(role, "Arn"), arn) == 0 &&
            iam_may_assume(call->iam, call->x, role) == 0)
            return role;
    }
    iam_refuse(call, "AccessDenied",
               "User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
               call->x->identity.arn, arn);
    return NULL;
}

/* A session as iam.h has it ends with its credentials. */
static void keep_session(struct iam *iam, const char *key_id, json_t *session, long seconds)
{
    int64_t now = clock_unix_ms();
    const char *id;
    json_t *other;
    void *next;
    json_object_foreach_safe(iam->sessions, next, id, other)
    {
        if (json_integer_value(json_object_get(other, "expires")) < now)
            json_object_del(iam->sessions, id);
    }
    json_object_set_new(session, "expires", json_integer((json_int_t)(now + seconds * 1000)));
    json_object_set(iam->sessions, key_id, session);
}

/* {"policy"} of the parameter; a new reference, empty without one; NULL: answered. */
static json_t *read_session(struct iam_call *call)
{
    struct err err = {0};
    const char *text = iam_get(call, "Policy");
    if (text && strlen(text) > IAM_MAX_SESSION_POLICY) {
        iam_refuse_value(call, "Policy", text, "have length less than or equal to %d",
                         IAM_MAX_SESSION_POLICY);
        return NULL;
    }
    json_t *policy = text ? policy_parse(text, POLICY_OF_IDENTITY, &err) : NULL;
    if (text && !policy)
        iam_refuse(call, "MalformedPolicyDocument", "%s", err.message);
    return text && !policy ? NULL : json_pack("{s:o*}", "policy", policy);
}

/* Per cent of the room for it; AWS counts in a packed form of its own. */
static void put_policy_size(struct iam_call *call)
{
    const char *text = iam_get(call, "Policy");
    size_t size = text ? policy_size(text) * 100 / IAM_MAX_SESSION_POLICY : 0;
    buf_printf(&call->body, "<PackedPolicySize>%zu</PackedPolicySize>", size);
}

/* Credentials of `arn`. Takes the reference to the session, which may be NULL. */
static int issue(struct iam_call *call, const char *arn, long seconds, json_t *session)
{
    struct err err = {0};
    struct identity_credentials keys;
    int result = identity_issue(call->iam->cloud->identities, arn, seconds * 1000, &keys, &err);
    if (result < 0)
        exchange_fail_err(call->x, &err);
    else
        put_credentials(call, &keys, seconds);
    if (result == 0 && json_object_size(session))
        keep_session(call->iam, keys.access_key_id, session, seconds);
    json_decref(session);
    OPENSSL_cleanse(&keys, sizeof keys);
    return result;
}

/* Of a session or a federated user, from 2 letters on. */
static const char *need_session_name(struct iam_call *call, const char *parameter, size_t most)
{
    const char *name = iam_need(call, parameter, most);
    int is_short = name && strlen(name) < 2;
    if (!name || (!is_short && iam_is_name(name)))
        return name;
    if (is_short)
        iam_refuse_value(call, parameter, name, "have length greater than or equal to 2");
    else
        iam_refuse_value(call, parameter, name, "satisfy regular expression pattern: [\\w+=,.@-]*");
    return NULL;
}

/* How long a session of the role is; -1: answered. */
static long role_seconds(struct iam_call *call, const json_t *role)
{
    long most = (long)json_integer_value(json_object_get(role, "MaxSessionDuration"));
    long seconds = iam_get_number(call, "DurationSeconds", IAM_MIN_SESSION_S, IAM_MAX_SESSION_S,
                                  IAM_DEFAULT_SESSION_S);
    if (seconds > IAM_DEFAULT_SESSION_S && strstr(call->x->identity.arn, ":assumed-role/"))
        return iam_refuse(call, "ValidationError",
                          "The requested DurationSeconds exceeds the 1 hour session limit for "
                          "roles assumed by role chaining.");
    if (seconds <= most)
        return seconds;
    return iam_refuse(call, "ValidationError",
                      "The requested DurationSeconds exceeds the MaxSessionDuration set for this "
                      "role.");
}

static int assume_role(struct iam_call *call)
{
    const char *name = need_session_name(call, "RoleSessionName", 64);
    const json_t *role = name ? find_role(call) : NULL;
    if (!role)
        return -1;
    long seconds = role_seconds(call, role);
    const char *arn = arena_printf(&call->x->arena, "arn:aws:sts::%s:assumed-role/%s/%s",
                                   call->iam->cloud->account_id, iam_text(role, "Name"), name);
    json_t *session = seconds < 0 || !arn ? NULL : read_session(call);
    if (!session || issue(call, arn, seconds, session) < 0)
        return -1;
    buf_printf(&call->body,
               "<AssumedRoleUser><AssumedRoleId>%s:%s</AssumedRoleId><Arn>%s</Arn>"
               "</AssumedRoleUser>",
               iam_text(role, "Id"), name, arn);
    if (iam_get(call, "Policy"))
        put_policy_size(call);
    return 0;
}

/* How long credentials of a user or of the root live that are no role's; -1: answered, also for
 * whoever has temporary ones. */
static long token_seconds(struct iam_call *call)
{
    const struct identity *who = &call->x->identity;
    int is_root = who->is_administrator;
    if (strncmp(who->access_key_id, "ASIA", 4) == 0)
        return iam_refuse(call, "AccessDenied", "Cannot call %s with session credentials",
                          iam_get(call, "Action"));
    return iam_get_number(call, "DurationSeconds", IAM_MIN_SESSION_S,
                          is_root ? IAM_MAX_ROOT_TOKEN_S : IAM_MAX_TOKEN_S,
                          is_root ? IAM_DEFAULT_SESSION_S : IAM_MAX_SESSION_S);
}

static int get_session_token(struct iam_call *call)
{
    long seconds = token_seconds(call);
    return seconds < 0 ? -1 : issue(call, call->x->identity.arn, seconds, NULL);
}

/* "arn:aws:sts::ACCOUNT:federated-user/NAME"; NULL: answered. */
static const char *federated_arn(struct iam_call *call)
{
    enum { MAX_NAME = 32 };
    const char *name = need_session_name(call, "Name", MAX_NAME);
    return name ? arena_printf(&call->x->arena, "arn:aws:sts::%s:federated-user/%s",
                               call->iam->cloud->account_id, name)
                : NULL;
}

/* Somebody who may do what both the caller and the Policy allow; nothing without a Policy. */
static int get_federation_token(struct iam_call *call)
{
    const struct identity *who = &call->x->identity;
    const char *arn = federated_arn(call), *name = strrchr(who->arn, '/');
    long seconds = arn ? token_seconds(call) : -1;
    json_t *session = seconds < 0 ? NULL : read_session(call);
    if (!session)
        return -1;
    json_object_set_new(session, "user", json_string(who->is_administrator ? "" : name + 1));
    if (issue(call, arn, seconds, session) < 0)
        return -1;
    buf_printf(&call->body,
               "<FederatedUser><FederatedUserId>%s:%s</FederatedUserId><Arn>%s</Arn>"
               "</FederatedUser>",
               who->account_id, iam_get(call, "Name"), arn);
    put_policy_size(call);
    return 0;
}

/* As "aws:userid": the account for its root, the user's id, or the role's with the session. */
static const char *user_id(struct iam_call *call)
{
    const struct identity *who = &call->x->identity;
    const char *role = strstr(who->arn, ":assumed-role/"), *last = strrchr(who->arn, '/');
    if (who->is_administrator || !last)
        return who->account_id;
    if (strstr(who->arn, ":federated-user/"))
        return arena_printf(&call->x->arena, "%s:%s", who->account_id, last + 1);
    if (!role)
        return iam_text(json_object_get(iam_members(call, "users"), last + 1), "Id");
    role += strlen(":assumed-role/");
    const char *name = arena_copy(&call->x->arena, role, (size_t)(last - role));
    const char *id = iam_text(json_object_get(iam_members(call, "roles"), name ? name : ""), "Id");
    return arena_printf(&call->x->arena, "%s:%s", id, last + 1);
}

static int get_caller_identity(struct iam_call *call)
{
    form_put(&call->body, "UserId", user_id(call));
    form_put(&call->body, "Account", call->x->identity.account_id);
    form_put(&call->body, "Arn", call->x->identity.arn);
    return 0;
}

static const struct iam_operation operations[] = {
    {"GetCallerIdentity", NULL, 0, " ", get_caller_identity},
    {"AssumeRole", NULL, 0, " RoleArn RoleSessionName DurationSeconds Policy ExternalId ",
     assume_role},
    {"GetSessionToken", NULL, 0, " DurationSeconds ", get_session_token},
    {"GetFederationToken", NULL, 0, " Name DurationSeconds Policy ", get_federation_token},
    {0},
};

void iam_handle_sts(void *self, struct exchange *x)
{
    struct iam_call call = {.iam = self, .x = x};
    const struct iam_operation *operation = iam_begin(&call, operations, STS_NAMESPACE);
    if (!operation)
        return;
    if (operation->run == get_federation_token) {
        const char *arn = federated_arn(&call);
        if (!arn || exchange_authorize(x, "sts:GetFederationToken", arn) < 0) {
            iam_end(&call, -1);
            return;
        }
    }
    pthread_mutex_lock(&call.iam->lock);
    call.state = call.iam->state;
    int result = operation->run(&call);
    pthread_mutex_unlock(&call.iam->lock);
    iam_end(&call, result);
}
