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
        {"ListInstanceProfilesForRole", "InstanceProfiles"},
        {"ListInstanceProfiles", "InstanceProfiles"},
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
    if (call->kind && (call->kind == &iam_role || iam_get(call, "UserName")) && iam_find(call) < 0)
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

static int get_summary(struct iam_call *call)
{
    static const struct {
        const char *member, *key, *quota;
    } counted[] = {{"users", "Users", "UsersQuota"},
                   {"groups", "Groups", "GroupsQuota"},
                   {"roles", "Roles", "RolesQuota"},
                   {"policies", "Policies", "PoliciesQuota"}};
    static const char *const none[] = {"MFADevices",       "MFADevicesInUse",
                                       "InstanceProfiles", "ServerCertificates",
                                       "Providers",        "AccountMFAEnabled"};
    buf_puts(&call->body, "<SummaryMap>");
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        put_number(call, counted[i].key, json_object_size(iam_members(call, counted[i].member)));
        put_number(call, counted[i].quota, IAM_MAX_ENTITIES);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        put_number(call, none[i], 0);
    put_number(call, "AccessKeysPerUserQuota", IAM_MAX_KEYS);
    put_number(call, "VersionsPerPolicyQuota", IAM_MAX_VERSIONS);
    put_number(call, "PolicySizeQuota", IAM_MAX_MANAGED_BYTES);
    put_number(call, "UserPolicySizeQuota", iam_user.max_inline);
    put_number(call, "GroupPolicySizeQuota", iam_group.max_inline);
    put_number(call, "RolePolicySizeQuota", iam_role.max_inline);
    put_number(call, "AttachedPoliciesPerUserQuota", IAM_MAX_ATTACHED);
    put_number(call, "AttachedPoliciesPerGroupQuota", IAM_MAX_ATTACHED);
    put_number(call, "AttachedPoliciesPerRoleQuota", IAM_MAX_ATTACHED);
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
    {"ListInstanceProfilesForRole", &iam_role, 0, " RoleName Marker MaxItems ", list_nothing},
    {"ListVirtualMFADevices", NULL, 0, " AssignmentStatus Marker MaxItems ", list_nothing},
    {"ListInstanceProfiles", NULL, 0, PAGED, list_nothing},
    {"ListServerCertificates", NULL, 0, PAGED, list_nothing},
    {"ListAccountAliases", NULL, 0, PAGED, list_nothing},
    {"ListSAMLProviders", NULL, 0, " ", list_nothing},
    {"ListOpenIDConnectProviders", NULL, 0, " ", list_nothing},
    {"GetLoginProfile", &iam_user, 0, " UserName ", find_password},
    {"DeleteLoginProfile", &iam_user, 0, " UserName ", find_password},
    {"GetAccountSummary", NULL, 0, " ", get_summary},
    {0},
};
