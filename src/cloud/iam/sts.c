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

/* The role of RoleArn that the signer may assume; NULL: answered, and the same for a role that is
 * not there and one that is not theirs. */
static const json_t *find_role(struct iam_call *call)
{
    enum { LEAST_ARN = 20 };
    const char *arn = iam_need(call, "RoleArn", IAM_MAX_ARN), *name;
    json_t *role;
    if (!arn)
        return NULL;
    if (strlen(arn) < LEAST_ARN) {
        iam_refuse(call, "ValidationError",
                   "1 validation error detected: Value '%s' at 'roleArn' failed to satisfy "
                   "constraint: Member must have length greater than or equal to %d",
                   arn, LEAST_ARN);
        return NULL;
    }
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

/* Sessions with a policy of their own end with their credentials. */
static void keep_session_policy(struct iam *iam, const char *key_id, json_t *policy, long seconds)
{
    int64_t now = clock_unix_ms();
    const char *id;
    json_t *session;
    void *next;
    json_object_foreach_safe(iam->sessions, next, id, session)
    {
        if (json_integer_value(json_object_get(session, "expires")) < now)
            json_object_del(iam->sessions, id);
    }
    json_object_set_new(
        iam->sessions, key_id,
        json_pack("{s:O, s:I}", "policy", policy, "expires", (json_int_t)(now + seconds * 1000)));
}

static int read_session_policy(struct iam_call *call, json_t **out)
{
    struct err err = {0};
    const char *text = iam_get(call, "Policy");
    if (text && strlen(text) > IAM_MAX_SESSION_POLICY)
        return iam_refuse(call, "ValidationError",
                          "1 validation error detected: Value '%.512s' at 'policy' failed to "
                          "satisfy constraint: Member must have length less than or equal to %d",
                          text, IAM_MAX_SESSION_POLICY);
    *out = text ? policy_parse(text, POLICY_OF_IDENTITY, &err) : NULL;
    return text && !*out ? iam_refuse(call, "MalformedPolicyDocument", "%s", err.message) : 0;
}

static int issue(struct iam_call *call, const char *arn, long seconds, json_t *policy)
{
    struct err err = {0};
    struct identity_credentials keys;
    if (identity_issue(call->iam->cloud->identities, arn, seconds * 1000, &keys, &err) < 0) {
        exchange_fail_err(call->x, &err);
        return -1;
    }
    if (policy)
        keep_session_policy(call->iam, keys.access_key_id, policy, seconds);
    put_credentials(call, &keys, seconds);
    OPENSSL_cleanse(&keys, sizeof keys);
    return 0;
}

static const char *need_session_name(struct iam_call *call)
{
    const char *name = iam_need(call, "RoleSessionName", 64);
    int is_short = name && strlen(name) < 2;
    if (!name || (!is_short && iam_is_name(name)))
        return name;
    iam_refuse(call, "ValidationError",
               "1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy "
               "constraint: Member must %s",
               name,
               is_short ? "have length greater than or equal to 2"
                        : "satisfy regular expression pattern: [\\w+=,.@-]*");
    return NULL;
}

/* How long a session of the role is; -1: answered. */
static long role_seconds(struct iam_call *call, const json_t *role)
{
    long most = (long)json_integer_value(json_object_get(role, "MaxSessionDuration"));
    long seconds = iam_get_number(call, "DurationSeconds", IAM_MIN_SESSION_S, IAM_MAX_SESSION_S,
                                  IAM_DEFAULT_SESSION_S);
    if (seconds <= most)
        return seconds;
    return iam_refuse(call, "ValidationError",
                      "The requested DurationSeconds exceeds the MaxSessionDuration set for this "
                      "role.");
}

static int assume_role(struct iam_call *call)
{
    const char *session = need_session_name(call);
    const json_t *role = session ? find_role(call) : NULL;
    json_t *policy = NULL;
    if (!role)
        return -1;
    long seconds = role_seconds(call, role);
    const char *arn = arena_printf(&call->x->arena, "arn:aws:sts::%s:assumed-role/%s/%s",
                                   call->iam->cloud->account_id, iam_text(role, "Name"), session);
    if (seconds < 0 || !arn || read_session_policy(call, &policy) < 0)
        return -1;
    int result = issue(call, arn, seconds, policy);
    json_decref(policy);
    buf_printf(&call->body,
               "<AssumedRoleUser><AssumedRoleId>%s:%s</AssumedRoleId><Arn>%s</Arn>"
               "</AssumedRoleUser>",
               iam_text(role, "Id"), session, arn);
    return result;
}

static int get_session_token(struct iam_call *call)
{
    const struct identity *who = &call->x->identity;
    int is_root = who->is_administrator;
    long seconds = iam_get_number(call, "DurationSeconds", IAM_MIN_SESSION_S,
                                  is_root ? IAM_MAX_ROOT_TOKEN_S : IAM_MAX_TOKEN_S,
                                  is_root ? IAM_DEFAULT_SESSION_S : IAM_MAX_SESSION_S);
    if (seconds < 0)
        return -1;
    if (strncmp(who->access_key_id, "ASIA", 4) == 0)
        return iam_refuse(call, "AccessDenied",
                          "Cannot call GetSessionToken with session credentials");
    return issue(call, who->arn, seconds, NULL);
}

/* As "aws:userid": the account for its root, the user's id, or the role's with the session. */
static const char *user_id(struct iam_call *call)
{
    const struct identity *who = &call->x->identity;
    const char *role = strstr(who->arn, ":assumed-role/"), *last = strrchr(who->arn, '/');
    if (who->is_administrator || !last)
        return who->account_id;
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
    {0},
};

void iam_handle_sts(void *self, struct exchange *x)
{
    struct iam_call call = {.iam = self, .x = x};
    const struct iam_operation *operation = iam_begin(&call, operations, STS_NAMESPACE);
    if (!operation)
        return;
    pthread_mutex_lock(&call.iam->lock);
    call.state = call.iam->state;
    int result = operation->run(&call);
    pthread_mutex_unlock(&call.iam->lock);
    iam_end(&call, result);
}
