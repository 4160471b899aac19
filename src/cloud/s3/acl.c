#include "cloud/s3/acl.h"

#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

#define GROUPS "http://acs.amazonaws.com/groups/"
#define ALL_USERS GROUPS "global/AllUsers"
#define SIGNED_USERS GROUPS "global/AuthenticatedUsers"
#define LOG_DELIVERY GROUPS "s3/LogDelivery"

/* The grants before the owner's FULL_CONTROL. */
static const struct {
    const char *name, *grants;
} canned[] = {
    {"private", ""},
    {"public-read", "READ uri " ALL_USERS "\n"},
    {"public-read-write", "READ uri " ALL_USERS "\nWRITE uri " ALL_USERS "\n"},
    {"authenticated-read", "READ uri " SIGNED_USERS "\n"},
    {"bucket-owner-read", ""}, /* the bucket's owner is the object's */
    {"bucket-owner-full-control", ""},
    {"log-delivery-write", "WRITE uri " LOG_DELIVERY "\nREAD_ACP uri " LOG_DELIVERY "\n"},
};

static const struct {
    const char *header, *permission;
} grant_headers[] = {
    {"x-amz-grant-read", "READ"},
    {"x-amz-grant-write", "WRITE"},
    {"x-amz-grant-read-acp", "READ_ACP"},
    {"x-amz-grant-write-acp", "WRITE_ACP"},
    {"x-amz-grant-full-control", "FULL_CONTROL"},
};

/* -- reading -- */

static int invalid(struct s3_request *r, const char *name, const char *value, const char *message)
{
    s3_fail_argument(r, name, value, message);
    return -1;
}

static int add_grant(struct s3_request *r, struct buf *out, const char *permission,
                     const char *type, const char *grantee)
{
    int is_id = strcmp(type, "id") == 0, is_uri = strcmp(type, "uri") == 0;
    if (strcmp(type, "emailAddress") == 0) {
        exchange_fail(r->x, "UnresolvableGrantByEmailAddress",
                      "The e-mail address you provided does not match any account on record.");
        return -1;
    }
    if (!is_id && !is_uri)
        return invalid(r, type, grantee, "Argument format not recognized");
    if (is_id && strcmp(grantee, r->s3->owner_id) != 0)
        return invalid(r, type, grantee, "Invalid id");
    if (is_uri && strcmp(grantee, ALL_USERS) != 0 && strcmp(grantee, SIGNED_USERS) != 0 &&
        strcmp(grantee, LOG_DELIVERY) != 0)
        return invalid(r, type, grantee, "Invalid group uri");
    buf_printf(out, "%s %s %s\n", permission, type, grantee);
    return 0;
}

/* `id="..", uri=".."` */
static int read_grants(struct s3_request *r, const char *text, const char *permission,
                       struct buf *out)
{
    char type[32], grantee[256];
    for (const char *p = text; *p;) {
        int used = 0;
        p += strspn(p, ", \t");
        if (sscanf(p, "%31[A-Za-z]=\"%255[^\"]\"%n", type, grantee, &used) != 2 || !used) {
            used = 0;
            if (sscanf(p, "%31[A-Za-z]=%255[^\", \t]%n", type, grantee, &used) != 2 || !used)
                return invalid(r, NULL, text, "Argument format not recognized");
        }
        if (add_grant(r, out, permission, type, grantee) < 0)
            return -1;
        p += used;
        p += strspn(p, ", \t");
    }
    return 0;
}

static const char *finish(struct s3_request *r, struct buf *out, int result)
{
    const char *text =
        result == 0 && !out->failed
            ? arena_copy(&r->x->arena, out->size ? out->data : "-", out->size ? out->size : 1)
            : NULL;
    if (result == 0 && !text)
        exchange_fail(r->x, "InvalidRequest", "The access control list is too long.");
    buf_finish(out);
    return text;
}

static const char *acl_of_name(struct s3_request *r, const char *name)
{
    for (size_t i = 0; i < sizeof canned / sizeof *canned; i++) {
        if (strcmp(canned[i].name, name) != 0)
            continue;
        if (!*canned[i].grants)
            return "";
        const char *text =
            arena_printf(&r->x->arena, "%sFULL_CONTROL id %s\n", canned[i].grants, r->s3->owner_id);
        if (!text)
            exchange_fail(r->x, "InternalError", "Out of memory.");
        return text;
    }
    if (strcmp(name, "aws-exec-read") == 0)
        s3_fail_not_offered(r, "value aws-exec-read of", "x-amz-acl");
    else
        s3_fail_argument(r, "x-amz-acl", name, "");
    return NULL;
}

const char *acl_of_headers(struct s3_request *r, int *given)
{
    const char *name = exchange_header(r->x, "x-amz-acl");
    struct buf out;
    int grants = 0, result = 0;
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    for (size_t i = 0; result == 0 && i < sizeof grant_headers / sizeof *grant_headers; i++) {
        const char *text = exchange_header(r->x, grant_headers[i].header);
        if (text) {
            grants++;
            result = read_grants(r, text, grant_headers[i].permission, &out);
        }
    }
    *given = name || grants;
    if (result == 0 && name && grants) {
        exchange_fail(r->x, "InvalidRequest",
                      "Specifying both Canned ACLs and Header Grants is not allowed");
        result = -1;
    }
    if (result == 0 && !grants) {
        buf_finish(&out);
        return name ? acl_of_name(r, name) : "";
    }
    return finish(r, &out, result);
}

static const struct tree_rule policy_rules[] = {
    {.path = "Owner", .kind = TREE_PARENT},
    {.path = "Owner/ID", .kind = TREE_TEXT},
    {.path = "Owner/DisplayName", .kind = TREE_TEXT},
    {.path = "AccessControlList", .kind = TREE_PARENT},
    {.path = "AccessControlList/Grant", .kind = TREE_PARENT},
    {.path = "AccessControlList/Grant/Grantee", .kind = TREE_PARENT},
    {.path = "AccessControlList/Grant/Grantee/Type", .kind = TREE_TEXT},
    {.path = "AccessControlList/Grant/Grantee/ID", .kind = TREE_TEXT},
    {.path = "AccessControlList/Grant/Grantee/DisplayName", .kind = TREE_TEXT},
    {.path = "AccessControlList/Grant/Grantee/URI", .kind = TREE_TEXT},
    {.path = "AccessControlList/Grant/Grantee/EmailAddress", .kind = TREE_TEXT},
    {.path = "AccessControlList/Grant/Permission",
     .kind = TREE_ONE_OF,
     .words = "READ WRITE READ_ACP WRITE_ACP FULL_CONTROL"},
    {0}};

static int take_grant(struct s3_request *r, const struct tree *grant, struct buf *out)
{
    const struct tree *grantee = tree_get(grant, "Grantee");
    const char *permission = tree_text(grant, "Permission");
    const char *id = tree_text(grantee, "ID"), *uri = tree_text(grantee, "URI");
    const char *mail = tree_text(grantee, "EmailAddress");
    if (!permission || (!id && !uri && !mail)) {
        exchange_fail(r->x, "MalformedACLError",
                      "The XML you provided was not well-formed or did not validate against our "
                      "published schema");
        return -1;
    }
    return add_grant(r, out, permission,
                     id    ? "id"
                     : uri ? "uri"
                           : "emailAddress",
                     id    ? id
                     : uri ? uri
                           : mail);
}

const char *acl_of_body(struct s3_request *r)
{
    const struct tree *policy =
        s3_take_tree_as(r, "AccessControlPolicy", policy_rules, "MalformedACLError");
    if (!policy)
        return NULL;
    const struct tree *list = tree_get(policy, "AccessControlList");
    const char *owner = tree_text(tree_get(policy, "Owner"), "ID");
    if (!list || !owner || strcmp(owner, r->s3->owner_id) != 0 ||
        tree_count(list, "Grant") > ACL_MAX_GRANTS) {
        if (owner && strcmp(owner, r->s3->owner_id) != 0)
            exchange_fail(r->x, "AccessDenied", "Access Denied");
        else
            exchange_fail(r->x, "MalformedACLError",
                          "The XML you provided was not well-formed or did not validate against "
                          "our published schema");
        return NULL;
    }
    struct buf out;
    int result = 0;
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    for (const struct tree *g = tree_get(list, "Grant"); g && result == 0; g = tree_same(g))
        result = take_grant(r, g, &out);
    return finish(r, &out, result);
}

/* -- what a list lets do -- */

static int lets_group(const char *acl, const char *permission, const char *group)
{
    char line[128];
    snprintf(line, sizeof line, "%s uri %s\n", permission, group);
    for (const char *at = acl; (at = strstr(at, line)); at++)
        if (at == acl || at[-1] == '\n')
            return 1;
    return strcmp(permission, "FULL_CONTROL") != 0 && lets_group(acl, "FULL_CONTROL", group);
}

static int lets(const struct s3_request *r, const char *acl, const char *permission)
{
    return lets_group(acl, permission, ALL_USERS) ||
           (r->x->identity.access_key_id && lets_group(acl, permission, SIGNED_USERS));
}

static int is_public(const char *acl)
{
    return strstr(acl, ALL_USERS) || strstr(acl, SIGNED_USERS);
}

/* Is the boolean of the bucket's public access block set? */
static int blocks(struct s3_request *r, const char *what, int *out, struct err *err)
{
    struct tree *config;
    int found = config_tree(r, r->bucket, "publicAccessBlock", &config, err);
    const char *text = found > 0 ? tree_text(config, what) : NULL;
    *out = text && (*text == 't' || *text == 'T');
    return found < 0 ? -1 : 0;
}

int acl_is_taken(struct s3_request *r, const char *acl)
{
    struct err err = {0};
    struct tree *ownership;
    int is_blocked = 0;
    if (!*acl)
        return 0;
    int found = config_tree(r, r->bucket, "ownershipControls", &ownership, &err);
    if (found < 0 || blocks(r, "BlockPublicAcls", &is_blocked, &err) < 0) {
        s3_fail(r, &err);
        return -1;
    }
    const char *rule = found ? tree_text(tree_get(ownership, "Rule"), "ObjectOwnership") : NULL;
    if (rule && strcmp(rule, "BucketOwnerEnforced") == 0)
        exchange_fail(r->x, "AccessControlListNotSupported", "The bucket does not allow ACLs");
    else if (is_blocked && is_public(acl))
        exchange_fail(r->x, "AccessDenied", "Access Denied");
    else
        return 0;
    return -1;
}

/* -- operations -- */

static void put_grant(struct s3_request *r, struct buf *out, const char *line, size_t size)
{
    char permission[16], type[8], grantee[256];
    char text[320];
    snprintf(text, sizeof text, "%.*s", (int)size, line);
    if (sscanf(text, "%15s %7s %255s", permission, type, grantee) != 3)
        return;
    int is_id = strcmp(type, "id") == 0;
    buf_printf(out,
               "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
               " xsi:type=\"%s\">",
               is_id ? "CanonicalUser" : "Group");
    s3_xml(out, is_id ? "ID" : "URI", grantee);
    if (is_id)
        s3_xml(out, "DisplayName", S3_OWNER_NAME);
    buf_printf(out, "</Grantee><Permission>%s</Permission></Grant>", permission);
    (void)r;
}

static void answer_acl(struct s3_request *r, const char *acl)
{
    struct buf out;
    char owner[128];
    snprintf(owner, sizeof owner, "FULL_CONTROL id %s", r->s3->owner_id);
    s3_xml_begin(&out, "AccessControlPolicy");
    s3_xml_owner(&out, r->s3);
    buf_puts(&out, "<AccessControlList>");
    for (const char *line = *acl ? acl : owner; *line;) {
        size_t size = strcspn(line, "\n");
        put_grant(r, &out, line, size);
        line += size + (line[size] == '\n');
    }
    buf_puts(&out, "</AccessControlList></AccessControlPolicy>");
    s3_xml_send(r->x, &out);
}

void s3_get_acl(struct s3_request *r)
{
    struct err err = {0};
    struct meta_object object;
    const char *acl = "";
    if (r->key) {
        if (s3_need_version(r, &object) < 0)
            return;
        s3_reply_version(r, &object);
        answer_acl(r, object.acl);
        return;
    }
    if (s3_need_bucket(r, NULL) < 0)
        return;
    if (config_read(r, r->bucket, "acl", &acl, &err) < 0)
        s3_fail(r, &err);
    else
        answer_acl(r, acl);
}

static void put_object_acl(struct s3_request *r, const char *acl)
{
    struct err err = {0};
    struct meta_change change = {
        .version = exchange_query(r->x, "versionId"), .acl = acl, .event = "ObjectAcl:Put"};
    if (meta_change_object(r, &change, &err) < 0)
        s3_fail(r, &err);
    else if (change.outcome != META_DONE)
        s3_fail_outcome(r, change.outcome);
    else {
        if (*change.out_version)
            exchange_reply_header(r->x, "x-amz-version-id", change.out_version);
        exchange_respond(r->x, 200, NULL, NULL, 0);
    }
}

void s3_put_acl(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    int given;
    if (s3_need_bucket(r, NULL) < 0)
        return;
    const char *acl = acl_of_headers(r, &given);
    if (acl && given && r->x->body.size > 0) {
        exchange_fail(r->x, "UnexpectedContent", "This request does not support content");
        return;
    }
    if (acl && !given) {
        if (r->x->body.size == 0) {
            exchange_fail(r->x, "MissingSecurityHeader",
                          "Your request was missing a required header");
            return;
        }
        acl = acl_of_body(r);
    }
    if (!acl || acl_is_taken(r, acl) < 0)
        return;
    if (r->key)
        put_object_acl(r, acl);
    else if (config_write(r, "acl", acl, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome != META_DONE)
        s3_fail_outcome(r, outcome);
    else
        exchange_respond(r->x, 200, NULL, NULL, 0);
}

/* -- requests that no policy allows -- */

static const struct {
    const char *action, *permission;
    int is_object; /* the object's list says, else the bucket's */
} covered[] = {
    {"s3:GetObject", "READ", 1},
    {"s3:GetObjectVersion", "READ", 1},
    {"s3:GetObjectAcl", "READ_ACP", 1},
    {"s3:GetObjectVersionAcl", "READ_ACP", 1},
    {"s3:PutObjectAcl", "WRITE_ACP", 1},
    {"s3:PutObjectVersionAcl", "WRITE_ACP", 1},
    {"s3:ListBucket", "READ", 0},
    {"s3:ListBucketVersions", "READ", 0},
    {"s3:ListBucketMultipartUploads", "READ", 0},
    {"s3:PutObject", "WRITE", 0},
    {"s3:DeleteObject", "WRITE", 0},
    {"s3:GetBucketAcl", "READ_ACP", 0},
    {"s3:PutBucketAcl", "WRITE_ACP", 0},
};

static int bucket_lets(struct s3_request *r, const char *permission, struct err *err)
{
    const char *acl = "";
    int found = config_read(r, r->bucket, "acl", &acl, err);
    return found < 0 ? -1 : found && lets(r, acl, permission);
}

static int object_lets(struct s3_request *r, const char *permission, struct err *err)
{
    struct meta_object object;
    const char *version = *r->x->query ? exchange_query(r->x, "versionId") : NULL;
    int found = meta_version(r, r->bucket, r->key, version, &object, err);
    if (found > 0)
        return lets(r, object.acl, permission);
    /* Who may list may also learn that a key is absent. */
    return found < 0 ? -1 : bucket_lets(r, "READ", err);
}

int acl_lets_anyone(struct s3_request *r, const char *action, const char *bucket, const char *key,
                    struct err *err)
{
    struct s3_request at = {.s3 = r->s3, .x = r->x, .bucket = bucket, .key = key};
    int is_ignored = 0;
    int exists = bucket ? meta_bucket(&at, bucket, NULL, err) : 0;
    for (size_t i = 0; exists >= 0 && i < sizeof covered / sizeof *covered; i++) {
        if (strcmp(covered[i].action, action) != 0)
            continue;
        if (!exists) /* its absence is no secret */
            return bucket != NULL;
        if (blocks(&at, "IgnorePublicAcls", &is_ignored, err) < 0)
            return -1;
        if (is_ignored)
            return 0;
        return covered[i].is_object ? object_lets(&at, covered[i].permission, err)
                                    : bucket_lets(&at, covered[i].permission, err);
    }
    return exists < 0 ? -1 : 0;
}
