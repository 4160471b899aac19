#ifndef CLOUD_IAM_IAM_H
#define CLOUD_IAM_IAM_H

#include "base/buf.h"
#include "cloud/cloud.h"
#include "cloud/iam/policy.h"

#include <jansson.h>
#include <limits.h>
#include <pthread.h>

/* IAM and STS inside: what their operations share.
 *
 * Everything is one JSON document, DIR/iam/iam.json (mode 0600, as it holds secret keys), which a
 * change replaces as a whole and which is synced before the answer:
 *
 *   {"users":    {NAME: entity + {"keys": [{"id", "secret", "status", "created"}]}},
 *    "groups":   {NAME: entity + {"members": [NAME..]}},
 *    "roles":    {NAME: entity + {"AssumeRolePolicyDocument", "Description",
 *                 "MaxSessionDuration"}},
 *    "profiles": {NAME: entity + {"role": NAME or absent}}, instance profiles
 *    "policies": {ARN: {"PolicyName", "PolicyId", "Path", "Arn", "Description", "CreateDate",
 *                 "UpdateDate", "default", "next", "tags", "versions": {"v1": {"document",
 *                 "CreateDate"}}}}}
 *   entity: {"Path", "Name", "Id", "Arn", "CreateDate", "tags": {KEY: VALUE},
 *            "attached": [ARN..], "inline": {NAME: document}, "boundary": ARN or absent} */
struct iam {
    struct cloud *cloud;
    char path[PATH_MAX];
    pthread_mutex_t lock; /* of all below */
    json_t *state;
    json_t *compiled; /* parsed documents, by entity's ARN (a list) or boundary's (one); emptied by
                         every change */
    json_t *sessions; /* key id of a session with a policy of its own: {"policy", "expires"}, and
                         "user" of a federated one: whose it is, "" for root's */
    json_t *uses;     /* key id of a user: {"second", "service", "region"}, since the start */
};

enum {
    IAM_MAX_POLICIES = 1500,
    IAM_MAX_ATTACHED = 10,
    IAM_MAX_INLINE = 20,
    IAM_MAX_KEYS = 2,
    IAM_MAX_VERSIONS = 5,
    IAM_MAX_TAGS = 50,
    IAM_MAX_GROUPS = 10, /* that a user is in */
    IAM_MAX_NAME = 64,
    IAM_MAX_GROUP_NAME = 128,
    IAM_MAX_POLICY_NAME = 128,
    IAM_MAX_PATH = 512,
    IAM_MAX_DESCRIPTION = 1000,
    IAM_MAX_ARN = 2048,
    IAM_MAX_DOCUMENT = 131072, /* as it is sent */
    IAM_MAX_MANAGED_BYTES = 6144,
    IAM_MAX_TRUST_BYTES = 2048,
    IAM_MAX_SIMULATED = 256, /* decisions in one call */
    IAM_MAX_FILE_BYTES = 64 * 1024 * 1024,
    IAM_MAX_REPLY_BYTES = 16 * 1024 * 1024,
    IAM_DEFAULT_SESSION_S = 3600,
    IAM_MIN_SESSION_S = 900,
    IAM_MAX_SESSION_S = 43200,
    IAM_MAX_TOKEN_S = 129600, /* of GetSessionToken */
    IAM_MAX_ROOT_TOKEN_S = 3600,
    IAM_MAX_SESSION_POLICY = 2048,
};

/* What users, groups, roles and instance profiles share. */
struct iam_kind {
    const char *member;    /* of the state: "users" */
    const char *element;   /* in answers and parameters' names: "User" */
    const char *parameter; /* "UserName" */
    const char *word;      /* in messages and ARNs: "user" */
    const char *id_prefix;
    size_t max_name;
    size_t max_inline; /* bytes of all its own policies, without white space */
    size_t quota;      /* how many there may be */
};
extern const struct iam_kind iam_user, iam_group, iam_role, iam_profile;

/* One call. An operation answers errors by itself and then returns -1. */
struct iam_call {
    struct iam *iam;
    struct exchange *x;
    const struct iam_kind *kind; /* of the operation, or NULL */
    json_t *state;               /* a copy of its own for operations that change it */
    json_t *entity;              /* after iam_find() */
    struct buf body;             /* of the answer */
};

/* One operation of IAM: `parameters` are the names it knows, up to the first '.', between blanks.
 */
struct iam_operation {
    const char *action;
    const struct iam_kind *kind;
    int changes;
    const char *parameters;
    int (*run)(struct iam_call *call);
};

/* -- call.c -- */
int iam_refuse(struct iam_call *call, const char *code, const char *format, ...) PRINTF(3, 4);
/* The same for a value that breaks a constraint: "have length less than or equal to %d". Since 2026
 * IAM's message leaves the value out; STS's has it, or null. */
int iam_refuse_value(struct iam_call *call, const char *name, const char *value,
                     const char *constraint, ...) PRINTF(4, 5);
/* An integer, `absent` when it is not there; -1: it is out of range, and answered. */
long iam_get_number(struct iam_call *call, const char *name, long least, long most, long absent);
const char *iam_get(struct iam_call *call, const char *name); /* NULL: absent */
/* A parameter that must be there. NULL: the error is answered. */
const char *iam_need(struct iam_call *call, const char *name, size_t most);
/* One that may be empty. */
const char *iam_need_there(struct iam_call *call, const char *name);
/* The same as iam_need(), and of the letters that names may have. */
const char *iam_need_name(struct iam_call *call, const char *name, size_t most);
int iam_is_name(const char *text); /* of those letters */
/* The ARN of a policy, of AWS's or of one's own. */
const char *iam_need_policy_arn(struct iam_call *call, const char *name);
/* "Path": begins and ends with '/'; "/" when absent. NULL: answered. */
const char *iam_path_parameter(struct iam_call *call);
/* A policy document of "PolicyDocument", checked, as the operation's kind of entity has one, or as
 * a managed policy is. NULL: answered. */
const char *iam_need_document(struct iam_call *call);
/* The same of who may assume a role. */
const char *iam_need_trust(struct iam_call *call, const char *name);
/* Finds the entity that the kind's parameter names. */
int iam_find(struct iam_call *call);
int iam_find_caller(struct iam_call *call); /* the user who asks */
int iam_find_user(struct iam_call *call);   /* the user of UserName, or without one who asks */
json_t *iam_find_named(struct iam_call *call, const struct iam_kind *kind, const char *name);
/* The one of that name, in small or in capital letters: no two differ in that alone. */
json_t *iam_look_up(const json_t *all, const char *name);
json_t *iam_members(const struct iam_call *call, const char *member); /* "users" */
const char *iam_text(const json_t *object, const char *name);         /* "" when absent */
json_t *iam_now(void); /* "2026-11-23T08:00:00Z", a new reference */
/* "AIDA" + 17 letters, a new reference. */
json_t *iam_new_id(const char *prefix);
/* Where `text` stands in a list of texts; its length when it does not. */
size_t iam_index_of(const json_t *list, const char *text);
/* Writes <name>text</name> for a member that has a text. */
void iam_put(struct iam_call *call, const json_t *object, const char *name);

/* A list by pages (MaxItems, Marker) in the order of names: the members of `all` whose Path begins
 * with PathPrefix. `put` writes one, without its <member>. */
typedef void iam_put_one(struct iam_call *call, const char *name, const json_t *one);
int iam_list(struct iam_call *call, const char *element, const json_t *all, iam_put_one *put);

/* Finds the action in a table and checks the names of its parameters, and begins the answer. NULL:
 * answered. */
const struct iam_operation *iam_begin(struct iam_call *call, const struct iam_operation *table,
                                      const char *name_space);
/* Sends the answer when `result` is 0, and frees it. */
void iam_end(struct iam_call *call, int result);

/* -- entities.c -- */
/* What every answer has of it. */
void iam_put_entity(struct iam_call *call, const struct iam_kind *kind, const json_t *entity);

/* -- members.c -- */
size_t iam_count_groups(const json_t *state, const char *user);   /* that the user is in */
size_t iam_count_profiles(const json_t *state, const char *role); /* that hold the role */

/* -- boundary.c: "PermissionsBoundary" -- */
void iam_put_boundary(struct iam_call *call, const json_t *entity); /* nothing for none */
int iam_read_boundary(struct iam_call *call); /* into call->entity, where the call has one */
size_t iam_count_boundaries(const json_t *state, const char *arn); /* whose boundary it is */

/* -- tags.c: "Tags.member.1.Key" -- */
/* Without tags nothing, or, where the answer always has them (policies, instance profiles) and is
 * `asked_for`, an empty list. */
void iam_put_tags(struct iam_call *call, const json_t *tags, int is_asked_for);
int iam_read_tags(struct iam_call *call, json_t *tags);

/* -- managed.c: AWS's own policies that are here -- */
json_t *iam_aws_policy(const char *arn); /* a new reference; NULL: none of that ARN */
/* The customer's policy of PolicyArn, to be changed. NULL: answered. */
json_t *iam_find_own_policy(struct iam_call *call);
/* The document in force of a policy of either kind. A new reference, or NULL. */
json_t *iam_policy_document(const json_t *state, const char *arn);

/* -- operations, each table ends with an action of NULL -- */
extern const struct iam_operation iam_entity_operations[], iam_policy_operations[],
    iam_managed_operations[], iam_key_operations[], iam_tag_operations[], iam_account_operations[],
    iam_boundary_operations[], iam_member_operations[], iam_simulate_operations[];

/* A user's key signed this request. Holds iam->lock. */
void iam_note_use(struct iam *iam, const struct exchange *x);
/* Every active key of every user becomes known to the front. */
int iam_publish_keys(struct iam *iam, struct err *err) MUST_USE;

/* -- judge.c -- */
struct access_question;
int iam_judge(void *self, struct exchange *x, const struct access_question *question,
              struct err *why);
/* May the signer assume the role? 0: yes. */
int iam_may_assume(struct iam *iam, struct exchange *x, const json_t *role);

/* -- sts.c -- */
void iam_handle_sts(void *self, struct exchange *x);

#endif
