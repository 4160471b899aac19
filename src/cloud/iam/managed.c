#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <stdlib.h>
#include <string.h>

/* Managed policies: AWS's own, as far as the services of this cloud go, and customers'. */

#define AWS_POLICY "arn:aws:iam::aws:policy/"

/* What each allows on every resource; a JSON list, as AWS's documentation of the policies gives
 * it. */
static const struct {
    const char *name, *actions;
} aws_policies[] = {
    {"AdministratorAccess", "[\"*\"]"},
    {"AmazonS3FullAccess", "[\"s3:*\"]"},
    {"AmazonS3ReadOnlyAccess", "[\"s3:Get*\",\"s3:List*\",\"s3:Describe*\"]"},
    {"AmazonDynamoDBFullAccess", "[\"dynamodb:*\"]"},
    {"AmazonDynamoDBReadOnlyAccess",
     "[\"dynamodb:BatchGetItem\",\"dynamodb:Describe*\",\"dynamodb:List*\",\"dynamodb:GetItem\","
     "\"dynamodb:Query\",\"dynamodb:Scan\"]"},
    {"AmazonSQSFullAccess", "[\"sqs:*\"]"},
    {"AmazonSQSReadOnlyAccess",
     "[\"sqs:GetQueueAttributes\",\"sqs:GetQueueUrl\",\"sqs:ListDeadLetterSourceQueues\","
     "\"sqs:ListQueues\",\"sqs:ListMessageMoveTasks\",\"sqs:ListQueueTags\"]"},
    {"AmazonSNSFullAccess", "[\"sns:*\"]"},
    {"AmazonSNSReadOnlyAccess", "[\"sns:GetTopicAttributes\",\"sns:List*\"]"},
    {"AWSLambda_FullAccess", "[\"lambda:*\",\"iam:GetRole\",\"iam:ListRoles\",\"logs:*\"]"},
    {"AWSLambda_ReadOnlyAccess", "[\"lambda:Get*\",\"lambda:List*\"]"},
    {"AmazonAPIGatewayAdministrator", "[\"apigateway:*\"]"},
    {"AmazonAPIGatewayInvokeFullAccess", "[\"execute-api:Invoke\"]"},
    {"CloudWatchFullAccess", "[\"cloudwatch:*\",\"logs:*\",\"sns:*\"]"},
    {"CloudWatchReadOnlyAccess",
     "[\"cloudwatch:Describe*\",\"cloudwatch:Get*\",\"cloudwatch:List*\",\"logs:Get*\","
     "\"logs:List*\",\"logs:Describe*\",\"logs:FilterLogEvents\"]"},
    {"CloudWatchLogsFullAccess", "[\"logs:*\"]"},
    {"IAMFullAccess", "[\"iam:*\"]"},
    {"IAMReadOnlyAccess", "[\"iam:Get*\",\"iam:List*\"]"},
    {"AmazonEC2ContainerRegistryFullAccess", "[\"ecr:*\"]"},
    {"AmazonEC2ContainerRegistryReadOnly",
     "[\"ecr:GetAuthorizationToken\",\"ecr:BatchCheckLayerAvailability\","
     "\"ecr:GetDownloadUrlForLayer\",\"ecr:BatchGetImage\",\"ecr:Describe*\",\"ecr:List*\"]"},
    {"AmazonEC2ContainerRegistryPullOnly",
     "[\"ecr:GetAuthorizationToken\",\"ecr:BatchCheckLayerAvailability\","
     "\"ecr:GetDownloadUrlForLayer\",\"ecr:BatchGetImage\"]"},
    {"AmazonEC2ContainerRegistryPowerUser",
     "[\"ecr:GetAuthorizationToken\",\"ecr:BatchCheckLayerAvailability\","
     "\"ecr:GetDownloadUrlForLayer\",\"ecr:GetRepositoryPolicy\",\"ecr:DescribeRepositories\","
     "\"ecr:ListImages\",\"ecr:DescribeImages\",\"ecr:BatchGetImage\",\"ecr:GetLifecyclePolicy\","
     "\"ecr:GetLifecyclePolicyPreview\",\"ecr:ListTagsForResource\","
     "\"ecr:DescribeImageScanFindings\",\"ecr:InitiateLayerUpload\",\"ecr:UploadLayerPart\","
     "\"ecr:CompleteLayerUpload\",\"ecr:PutImage\"]"},
    {"AWSXRayDaemonWriteAccess",
     "[\"xray:PutTraceSegments\",\"xray:PutTelemetryRecords\",\"xray:GetSamplingRules\","
     "\"xray:GetSamplingTargets\",\"xray:GetSamplingStatisticSummaries\"]"},
    {"service-role/AmazonAPIGatewayPushToCloudWatchLogs",
     "[\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:DescribeLogGroups\","
     "\"logs:DescribeLogStreams\",\"logs:PutLogEvents\",\"logs:GetLogEvents\","
     "\"logs:FilterLogEvents\"]"},
    {"service-role/AWSLambdaVPCAccessExecutionRole",
     "[\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\","
     "\"ec2:CreateNetworkInterface\",\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\","
     "\"ec2:DeleteNetworkInterface\",\"ec2:AssignPrivateIpAddresses\","
     "\"ec2:UnassignPrivateIpAddresses\"]"},
    {"service-role/AWSLambdaBasicExecutionRole",
     "[\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"]"},
    {"service-role/AWSLambdaSQSQueueExecutionRole",
     "[\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\",\"sqs:GetQueueAttributes\","
     "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"]"},
    {"service-role/AWSLambdaRole", "[\"lambda:InvokeFunction\"]"},
};

json_t *iam_aws_policy(const char *arn)
{
    static const size_t prefix = sizeof AWS_POLICY - 1;
    if (strncmp(arn, AWS_POLICY, prefix) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof aws_policies / sizeof *aws_policies; i++)
        if (strcmp(arn + prefix, aws_policies[i].name) == 0)
            return json_pack("{s:s, s:[{s:s, s:o, s:s}]}", "Version", "2012-10-17", "Statement",
                             "Effect", "Allow", "Action",
                             json_loads(aws_policies[i].actions, 0, NULL), "Resource", "*");
    return NULL;
}

static const json_t *version_of(const json_t *policy, const char *id)
{
    return json_object_get(json_object_get(policy, "versions"), id);
}

json_t *iam_policy_document(const json_t *state, const char *arn)
{
    const json_t *policy = json_object_get(json_object_get(state, "policies"), arn);
    struct err err;
    if (!policy)
        return iam_aws_policy(arn);
    return policy_parse(iam_text(version_of(policy, iam_text(policy, "default")), "document"),
                        POLICY_OF_IDENTITY, &err);
}

/* -- showing -- */

static long count_attached(struct iam_call *call, const char *arn)
{
    static const char *const members[] = {"users", "groups", "roles"};
    long count = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *name;
        json_t *entity;
        json_object_foreach(iam_members(call, members[i]), name, entity)
        {
            const json_t *attached = json_object_get(entity, "attached");
            count += iam_index_of(attached, arn) < json_array_size(attached);
        }
    }
    return count;
}

/* What lists have of it. */
static void put_policy(struct iam_call *call, const char *arn, const json_t *policy)
{
    iam_put(call, policy, "PolicyName");
    iam_put(call, policy, "PolicyId");
    form_put(&call->body, "Arn", arn);
    iam_put(call, policy, "Path");
    form_put(&call->body, "DefaultVersionId", iam_text(policy, "default"));
    buf_printf(&call->body,
               "<AttachmentCount>%ld</AttachmentCount><PermissionsBoundaryUsageCount>%zu"
               "</PermissionsBoundaryUsageCount><IsAttachable>true</IsAttachable>",
               count_attached(call, arn), iam_count_boundaries(call->state, arn));
    iam_put(call, policy, "CreateDate");
    iam_put(call, policy, "UpdateDate");
}

/* One that was just made says less of itself than one that is asked for. */
static void put_element(struct iam_call *call, const char *arn, const json_t *policy,
                        int is_asked_for)
{
    buf_puts(&call->body, "<Policy>");
    put_policy(call, arn, policy);
    if (is_asked_for)
        iam_put(call, policy, "Description");
    iam_put_tags(call, json_object_get(policy, "tags"), is_asked_for);
    buf_puts(&call->body, "</Policy>");
}

/* AWS's own, as an object of the form of customers'. A new reference, or NULL. */
static json_t *show_aws_policy(const char *arn)
{
    json_t *document = iam_aws_policy(arn);
    const char *name = strrchr(arn, '/');
    if (!document)
        return NULL;
    char *text = json_dumps(document, JSON_COMPACT);
    const char *path = arn + strlen(AWS_POLICY) - 1;
    json_t *policy = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:s, s:{s:{s:s, s:s}}}", "PolicyName", name + 1, "PolicyId",
        name + 1, "Path", json_stringn(path, (size_t)(name - path) + 1), "default", "v1",
        "CreateDate", "2015-02-06T00:00:00Z", "UpdateDate", "2015-02-06T00:00:00Z", "versions",
        "v1", "document", text, "CreateDate", "2015-02-06T00:00:00Z");
    free(text);
    json_decref(document);
    return policy;
}

/* None of that ARN. Whoever asked for a version of it is told of that. */
static void refuse_policy(struct iam_call *call, const char *arn)
{
    const char *id = iam_get(call, "VersionId");
    if (id)
        iam_refuse(call, "NoSuchEntity",
                   "Policy %s version %s does not exist or is not attachable.", arn, id);
    else
        iam_refuse(call, "NoSuchEntity", "Policy %s was not found.", arn);
}

/* The policy of PolicyArn, for reading. A new reference; NULL: answered. */
static json_t *find(struct iam_call *call)
{
    const char *arn = iam_need_policy_arn(call, "PolicyArn");
    if (!arn)
        return NULL;
    json_t *policy = json_incref(json_object_get(iam_members(call, "policies"), arn));
    if (!policy)
        policy = show_aws_policy(arn);
    if (!policy)
        refuse_policy(call, arn);
    return policy;
}

/* The same for changing: a customer's, in the call's copy of the state. */
json_t *iam_find_own_policy(struct iam_call *call)
{
    const char *arn = iam_need_policy_arn(call, "PolicyArn");
    json_t *policy = arn ? json_object_get(iam_members(call, "policies"), arn) : NULL;
    if (arn && !policy)
        refuse_policy(call, arn);
    return policy;
}

static int get(struct iam_call *call)
{
    json_t *policy = find(call);
    if (!policy)
        return -1;
    put_element(call, iam_get(call, "PolicyArn"), policy, 1);
    json_decref(policy);
    return 0;
}

/* What OnlyAttached and PolicyUsageFilter leave of a list. */
static void keep_used(struct iam_call *call, json_t *all)
{
    const char *attached = iam_get(call, "OnlyAttached"), *use = iam_get(call, "PolicyUsageFilter");
    int only_attached = attached && strcmp(attached, "true") == 0;
    int only_boundaries = use && strcmp(use, "PermissionsBoundary") == 0;
    const char *arn;
    json_t *policy;
    void *next;
    json_object_foreach_safe(all, next, arn, policy)
    {
        int is_boundary = iam_count_boundaries(call->state, arn) > 0;
        if ((only_boundaries && !is_boundary) ||
            (only_attached && !is_boundary && !count_attached(call, arn)))
            json_object_del(all, arn);
    }
}

/* Scope: "Local" customers', "AWS" the built-in ones, "All". */
static int list(struct iam_call *call)
{
    const char *scope = iam_get(call, "Scope");
    if (scope && strcmp(scope, "All") != 0 && strcmp(scope, "AWS") != 0 &&
        strcmp(scope, "Local") != 0)
        return iam_refuse_value(call, "Scope", scope, "satisfy enum value set: [AWS, Local, All]");
    int own = !scope || strcmp(scope, "AWS") != 0, aws = !scope || strcmp(scope, "Local") != 0;
    json_t *all = own ? json_copy(iam_members(call, "policies")) : json_object();
    for (size_t i = 0; aws && i < sizeof aws_policies / sizeof *aws_policies; i++) {
        char arn[256];
        snprintf(arn, sizeof arn, "%s%s", AWS_POLICY, aws_policies[i].name);
        json_object_set_new(all, arn, show_aws_policy(arn));
    }
    keep_used(call, all);
    int result = iam_list(call, "Policies", all, put_policy);
    json_decref(all);
    return result;
}

static void put_holders(struct iam_call *call, const struct iam_kind *kind, int with_boundaries)
{
    const char *arn = iam_get(call, "PolicyArn"), *name;
    json_t *entity;
    json_object_foreach(iam_members(call, kind->member), name, entity)
    {
        const json_t *attached = json_object_get(entity, "attached");
        int holds = with_boundaries ? strcmp(iam_text(entity, "boundary"), arn) == 0
                                    : iam_index_of(attached, arn) < json_array_size(attached);
        if (!holds)
            continue;
        buf_puts(&call->body, "<member>");
        form_put(&call->body, kind->parameter, name);
        buf_printf(&call->body, "<%sId>%s</%sId></member>", kind->element, iam_text(entity, "Id"),
                   kind->element);
    }
}

/* Who has the policy? EntityFilter: only that kind. */
static int list_entities(struct iam_call *call)
{
    static const struct iam_kind *const kinds[] = {&iam_group, &iam_user, &iam_role};
    const char *filter = iam_get(call, "EntityFilter"), *use = iam_get(call, "PolicyUsageFilter");
    json_t *policy = find(call);
    if (!policy)
        return -1;
    json_decref(policy);
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated>");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int is_asked_for = !filter || strcmp(filter, kinds[i]->element) == 0 ||
                           strcmp(filter, "LocalManagedPolicy") == 0 ||
                           strcmp(filter, "AWSManagedPolicy") == 0;
        buf_printf(&call->body, "<Policy%ss>", kinds[i]->element);
        if (is_asked_for)
            put_holders(call, kinds[i], use && strcmp(use, "PermissionsBoundary") == 0);
        buf_printf(&call->body, "</Policy%ss>", kinds[i]->element);
    }
    return 0;
}

/* -- making and removing -- */

static int create(struct iam_call *call)
{
    json_t *all = iam_members(call, "policies");
    const char *name = iam_need_name(call, "PolicyName", IAM_MAX_POLICY_NAME);
    const char *path = name ? iam_path_parameter(call) : NULL;
    const char *document = path ? iam_need_document(call) : NULL;
    const char *description = iam_get(call, "Description");
    if (!document)
        return -1;
    const char *arn = arena_printf(&call->x->arena, "arn:aws:iam::%s:policy%s%s",
                                   call->iam->cloud->account_id, path, name);
    if (!arn || json_object_size(all) >= IAM_MAX_POLICIES)
        return iam_refuse(call, "LimitExceeded", "Cannot exceed quota for PoliciesPerAccount: %d",
                          IAM_MAX_POLICIES);
    if (iam_look_up(all, arn))
        return iam_refuse(call, "EntityAlreadyExists",
                          "A policy called %s already exists. Duplicate names are not allowed.",
                          name);
    json_t *policy = json_pack(
        "{s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:i, s:{s:{s:s, s:o}}, s:{}}", "PolicyName", name,
        "PolicyId", iam_new_id("ANPA"), "Path", path, "Description", description ? description : "",
        "CreateDate", iam_now(), "UpdateDate", iam_now(), "default", "v1", "next", 2, "versions",
        "v1", "document", document, "CreateDate", iam_now(), "tags");
    if (!policy)
        return iam_refuse(call, "ValidationError", "The text is not UTF-8");
    json_object_set_new(all, arn, policy);
    if (iam_read_tags(call, json_object_get(policy, "tags")) < 0)
        return -1;
    put_element(call, arn, policy, 0);
    return 0;
}

static int delete (struct iam_call *call)
{
    const json_t *policy = iam_find_own_policy(call);
    const char *arn = iam_get(call, "PolicyArn");
    if (!policy)
        return -1;
    if (count_attached(call, arn) || iam_count_boundaries(call->state, arn))
        return iam_refuse(call, "DeleteConflict", "Cannot delete a policy attached to entities.");
    if (json_object_size(json_object_get(policy, "versions")) > 1)
        return iam_refuse(call, "DeleteConflict",
                          "This policy has more than one version. Before you delete a policy, you "
                          "must delete the policy's versions.");
    return json_object_del(iam_members(call, "policies"), arn);
}

/* -- versions -- */

static void put_version(struct iam_call *call, const json_t *policy, const char *id,
                        int with_document)
{
    const json_t *version = version_of(policy, id);
    if (with_document)
        form_put_encoded(&call->body, "Document", iam_text(version, "document"));
    form_put(&call->body, "VersionId", id);
    buf_printf(&call->body, "<IsDefaultVersion>%s</IsDefaultVersion>",
               strcmp(id, iam_text(policy, "default")) == 0 ? "true" : "false");
    iam_put(call, version, "CreateDate");
}

static int create_version(struct iam_call *call)
{
    json_t *policy = iam_find_own_policy(call), *versions = json_object_get(policy, "versions");
    const char *document = policy ? iam_need_document(call) : NULL;
    const char *make_default = iam_get(call, "SetAsDefault");
    if (!document)
        return -1;
    if (json_object_size(versions) >= IAM_MAX_VERSIONS)
        return iam_refuse(call, "LimitExceeded",
                          "A managed policy can have up to %d versions. Before you create a new "
                          "version, you must delete an existing version.",
                          IAM_MAX_VERSIONS);
    json_int_t next = json_integer_value(json_object_get(policy, "next"));
    char id[32];
    snprintf(id, sizeof id, "v%lld", (long long)next);
    json_object_set_new(policy, "next", json_integer(next + 1));
    json_object_set_new(policy, "UpdateDate", iam_now());
    json_object_set_new(versions, id,
                        json_pack("{s:s, s:o}", "document", document, "CreateDate", iam_now()));
    if (make_default && strcmp(make_default, "true") == 0)
        json_object_set_new(policy, "default", json_string(id));
    buf_puts(&call->body, "<PolicyVersion>");
    put_version(call, policy, id, 0);
    buf_puts(&call->body, "</PolicyVersion>");
    return 0;
}

static const char *need_version(struct iam_call *call, const json_t *policy)
{
    const char *id = policy ? iam_need(call, "VersionId", 32) : NULL;
    if (!id || version_of(policy, id))
        return id;
    size_t digits = strspn(id + 1, "0123456789");
    if (id[0] != 'v' || id[1] < '1' || id[1] > '9' || (id[1 + digits] && id[1 + digits] != '.')) {
        iam_refuse_value(call, "VersionId", id, "satisfy regular expression pattern: %s",
                         "v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?");
        return NULL;
    }
    refuse_policy(call, iam_get(call, "PolicyArn"));
    return NULL;
}

static int get_version(struct iam_call *call)
{
    json_t *policy = find(call);
    const char *id = need_version(call, policy);
    if (id) {
        buf_puts(&call->body, "<PolicyVersion>");
        put_version(call, policy, id, 1);
        buf_puts(&call->body, "</PolicyVersion>");
    }
    json_decref(policy);
    return id ? 0 : -1;
}

static void put_listed_version(struct iam_call *call, const char *key, const json_t *policy)
{
    char id[32];
    snprintf(id, sizeof id, "v%ld", LONG_MAX - strtol(key, NULL, 10));
    put_version(call, policy, id, 0);
}

/* The newest first: a list in the order of names has them by what is left to the largest number. */
static int list_versions(struct iam_call *call)
{
    const char *id;
    json_t *version, *policy = find(call), *all = json_object();
    json_object_foreach(json_object_get(policy, "versions"), id, version)
    {
        char key[32];
        snprintf(key, sizeof key, "%019ld", LONG_MAX - strtol(id + 1, NULL, 10));
        json_object_set(all, key, policy);
    }
    int result = policy ? iam_list(call, "Versions", all, put_listed_version) : -1;
    json_decref(all);
    json_decref(policy);
    return result;
}

static int delete_version(struct iam_call *call)
{
    json_t *policy = iam_find_own_policy(call);
    const char *id = need_version(call, policy);
    if (!id)
        return -1;
    if (strcmp(id, iam_text(policy, "default")) == 0)
        return iam_refuse(call, "DeleteConflict", "Cannot delete the default version of a policy.");
    return json_object_del(json_object_get(policy, "versions"), id);
}

static int set_default(struct iam_call *call)
{
    json_t *policy = iam_find_own_policy(call);
    const char *id = need_version(call, policy);
    return id ? json_object_set_new(policy, "default", json_string(id)) : -1;
}

const struct iam_operation iam_managed_operations[] = {
    {"CreatePolicy", NULL, 1, " PolicyName Path PolicyDocument Description Tags ", create},
    {"GetPolicy", NULL, 0, " PolicyArn ", get},
    {"ListPolicies", NULL, 0, " Scope OnlyAttached PolicyUsageFilter PathPrefix Marker MaxItems ",
     list},
    {"ListEntitiesForPolicy", NULL, 0, " PolicyArn EntityFilter PolicyUsageFilter Marker MaxItems ",
     list_entities},
    {"DeletePolicy", NULL, 1, " PolicyArn ", delete},
    {"CreatePolicyVersion", NULL, 1, " PolicyArn PolicyDocument SetAsDefault ", create_version},
    {"GetPolicyVersion", NULL, 0, " PolicyArn VersionId ", get_version},
    {"ListPolicyVersions", NULL, 0, " PolicyArn Marker MaxItems ", list_versions},
    {"DeletePolicyVersion", NULL, 1, " PolicyArn VersionId ", delete_version},
    {"SetDefaultPolicyVersion", NULL, 1, " PolicyArn VersionId ", set_default},
    {0},
};
