#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <string.h>

/* What tools ask of an account before they change or remove something: its numbers, and lists of
 * what is never there. */

static int list_nothing(struct iam_call *call)
{
    static const struct {
        const char *action, *element;
    } lists[] = {
        {"ListMFADevices", "MFADevices"},
        {"ListVirtualMFADevices", "VirtualMFADevices"},
        {"ListSSHPublicKeys", "SSHPublicKeys"},
        {"ListSigningCertificates", "Certificates"},
        {"ListServiceSpecificCredentials", "ServiceSpecificCredentials"},
        {"ListServerCertificates", "ServerCertificateMetadataList"},
        {"ListAccountAliases", "AccountAliases"},
        {"ListSAMLProviders", "SAMLProviderList"},
        {"ListOpenIDConnectProviders", "OpenIDConnectProviderList"},
    };
    const char *action = iam_get(call, "Action");
    size_t at = 0;
    while (at + 1 < sizeof lists / sizeof *lists && strcmp(action, lists[at].action) != 0)
        at++;
    if (call->kind && iam_get(call, "UserName") && iam_find(call) < 0)
        return -1;
    buf_printf(&call->body, "<IsTruncated>false</IsTruncated><%s></%s>", lists[at].element,
               lists[at].element);
    return 0;
}

/* Nobody has a password. */
static int find_password(struct iam_call *call)
{
    if (iam_find(call) < 0)
        return -1;
    return iam_refuse(call, "NoSuchEntity", "Login Profile for User %s cannot be found.",
                      iam_text(call->entity, "Name"));
}

static void put_number(struct iam_call *call, const char *key, size_t value)
{
    buf_printf(&call->body, "<entry><key>%s</key><value>%zu</value></entry>", key, value);
}

static size_t count_versions(struct iam_call *call)
{
    const char *arn;
    json_t *policy;
    size_t count = 0;
    json_object_foreach(iam_members(call, "policies"), arn, policy)
    {
        count += json_object_size(json_object_get(policy, "versions"));
    }
    return count;
}

static int get_summary(struct iam_call *call)
{
    static const struct iam_kind *const kinds[] = {&iam_user, &iam_group, &iam_role, &iam_profile};
    static const struct {
        const char *key;
        size_t value;
    } fixed[] = {{"PoliciesQuota", IAM_MAX_POLICIES},
                 {"MFADevices", 0},
                 {"MFADevicesInUse", 0},
                 {"ServerCertificates", 0},
                 {"ServerCertificatesQuota", 20},
                 {"SigningCertificatesPerUserQuota", 2},
                 {"AccountSigningCertificatesPresent", 0},
                 {"Providers", 0},
                 {"AccountMFAEnabled", 0},
                 {"AccountPasswordPresent", 0},
                 {"AccountAccessKeysPresent", 1},
                 {"GlobalEndpointTokenVersion", 1},
                 {"AccessKeysPerUserQuota", IAM_MAX_KEYS},
                 {"GroupsPerUserQuota", IAM_MAX_GROUPS},
                 {"VersionsPerPolicyQuota", IAM_MAX_VERSIONS},
                 {"PolicyVersionsInUseQuota", 10000},
                 {"PolicySizeQuota", IAM_MAX_MANAGED_BYTES},
                 {"AssumeRolePolicySizeQuota", IAM_MAX_TRUST_BYTES},
                 {"AttachedPoliciesPerUserQuota", IAM_MAX_ATTACHED},
                 {"AttachedPoliciesPerGroupQuota", IAM_MAX_ATTACHED},
                 {"AttachedPoliciesPerRoleQuota", IAM_MAX_ATTACHED}};
    buf_puts(&call->body, "<SummaryMap>");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char key[64];
        snprintf(key, sizeof key, "%ss", kinds[i]->element);
        put_number(call, key, json_object_size(iam_members(call, kinds[i]->member)));
        snprintf(key, sizeof key, "%ssQuota", kinds[i]->element);
        put_number(call, key, kinds[i]->quota);
        snprintf(key, sizeof key, "%sPolicySizeQuota", kinds[i]->element);
        if (kinds[i]->max_inline)
            put_number(call, key, kinds[i]->max_inline);
    }
    put_number(call, "Policies", json_object_size(iam_members(call, "policies")));
    put_number(call, "PolicyVersionsInUse", count_versions(call));
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        put_number(call, fixed[i].key, fixed[i].value);
    buf_puts(&call->body, "</SummaryMap>");
    return 0;
}

#define OF_USER " UserName Marker MaxItems "
#define PAGED " PathPrefix Marker MaxItems "
const struct iam_operation iam_account_operations[] = {
    {"ListMFADevices", &iam_user, 0, OF_USER, list_nothing},
    {"ListSSHPublicKeys", &iam_user, 0, OF_USER, list_nothing},
    {"ListSigningCertificates", &iam_user, 0, OF_USER, list_nothing},
    {"ListServiceSpecificCredentials", &iam_user, 0, " UserName ServiceName ", list_nothing},
    {"ListVirtualMFADevices", NULL, 0, " AssignmentStatus Marker MaxItems ", list_nothing},
    {"ListServerCertificates", NULL, 0, PAGED, list_nothing},
    {"ListAccountAliases", NULL, 0, PAGED, list_nothing},
    {"ListSAMLProviders", NULL, 0, " ", list_nothing},
    {"ListOpenIDConnectProviders", NULL, 0, " ", list_nothing},
    {"GetLoginProfile", &iam_user, 0, " UserName ", find_password},
    {"DeleteLoginProfile", &iam_user, 0, " UserName ", find_password},
    {"GetAccountSummary", NULL, 0, " ", get_summary},
    {0},
};
