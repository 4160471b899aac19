"""What public suites hold users, policies and sessions to, where ken cloud once differed. iam_facts_test.py KEN"""
import datetime
import hashlib
import hmac
import json
import re
import sys
import unittest
import urllib.error
import urllib.request

import cloud as clouds

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

GOOD = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}
# STS tells the value that breaks a constraint; IAM, since 2026, does not.
BROKEN = "1 validation error detected: Value{} at '{}' failed to satisfy constraint: Member must {}"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


TRUST = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})


class Facts(clouds.Case):
    clients = {"iam": "iam", "sts": "sts"}

    def client_of(self, service, key):
        return self.cloud.client(boto3, service, aws_access_key_id=key["AccessKeyId"],
                                 aws_secret_access_key=key["SecretAccessKey"],
                                 aws_session_token=key.get("SessionToken"))

    def test_parameters_are_refused_in_awss_words(self):
        iam, long = self.iam, "a" * 65
        says = lambda call, **of: self.refused("ValidationError", call, **of)
        self.assertEqual(says(iam.create_role, RoleName=long, AssumeRolePolicyDocument=TRUST),
                         BROKEN.format("", "roleName", "have length less than or equal to 64"))
        self.assertEqual(says(iam.create_user, UserName="a b"),
                         "The specified value for userName is invalid. It must contain only alphanumeric "
                         "characters and/or the following: +=,.@_-")
        assume = dict(RoleArn="arn:aws:iam::000000000000:role/x", RoleSessionName="ss")
        self.assertIn("at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression "
                      "pattern: [\\w+=,.@-]*", says(self.sts.assume_role, **{**assume, "RoleSessionName": "s s"}))
        self.iam.create_role(RoleName="x", AssumeRolePolicyDocument=TRUST)
        self.assertEqual(says(self.sts.assume_role, DurationSeconds=899, **assume),
                         BROKEN.format(" '899'", "durationSeconds", "have value greater than or equal to 900"))
        for wrong in ("arn::b:::something/test-role", "arn:a::::something/test-role", "arn:a:::something/test-role",
                      "arn:a:a::aaaaaaaaaa:", "nothing-valid-in-here"):
            self.assertEqual(says(self.sts.assume_role, **{**assume, "RoleArn": wrong}), wrong + " is invalid")
        self.assertIn("at 'policy' failed to satisfy constraint",
                      says(self.sts.assume_role, Policy="a" * 2049, **assume))

    def test_values_are_refused_by_their_constraint(self):
        iam, arn = self.iam, "arn:aws:iam::000000000000:policy/ranged"
        role = {"RoleName": "ranged", "AssumeRolePolicyDocument": TRUST}
        iam.create_role(**role)
        iam.create_policy(PolicyName="ranged", PolicyDocument=document(GOOD))
        tagged = lambda key, value="v": {"RoleName": "ranged", "Tags": [{"Key": key, "Value": value}]}
        new = {**role, "RoleName": "new"}
        pattern = "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"
        many = [{"Key": str(n), "Value": "v"} for n in range(51)]
        key = ("satisfy constraint: [Member must have length less than or equal to 128, Member must have length "
               f"greater than or equal to 1, Member must {pattern}, Member must not be null]")
        for call, of, value, at, constraint in (
                (iam.list_users, {"MaxItems": 0}, "", "maxItems", "have value greater than or equal to 1"),
                (iam.list_roles, {"MaxItems": 1001}, "", "maxItems", "have value less than or equal to 1000"),
                (iam.create_role, {**new, "MaxSessionDuration": 43201}, "", "maxSessionDuration",
                 "have value less than or equal to 43200"),
                (iam.create_role, {**new, "Description": "d" * 1001}, "", "description",
                 "have length less than or equal to 1000"),
                (iam.list_policies, {"Scope": "x"}, "", "scope", "satisfy enum value set: [AWS, Local, All]"),
                (iam.set_default_policy_version, {"PolicyArn": arn, "VersionId": "one"}, "", "versionId",
                 "satisfy regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"),
                (iam.attach_role_policy, {"RoleName": "ranged", "PolicyArn": "short"}, "", "policyArn",
                 "have length greater than or equal to 20"),
                (iam.tag_role, tagged("k" * 129), "", "tags.1.member.key", "have length less than or equal to 128"),
                (iam.tag_role, tagged("k", "v" * 257), "", "tags.1.member.value",
                 "have length less than or equal to 256"),
                (iam.tag_role, tagged("no!"), "", "tags.1.member.key", pattern),
                (iam.tag_role, {"RoleName": "ranged", "Tags": many}, "", "tags", "have length less than or equal to 50"),
                (iam.untag_role, {"RoleName": "ranged", "TagKeys": [tag["Key"] for tag in many]}, "", "tagKeys",
                 "have length less than or equal to 50"),
                (iam.untag_role, {"RoleName": "ranged", "TagKeys": ["no!"]}, "", "tagKeys", key),
                (self.sts.assume_role, {"RoleArn": "x", "RoleSessionName": "s1"}, " 'x'", "roleArn",
                 "have length greater than or equal to 20")):
            with self.subTest(at=at):
                self.assertEqual(self.refused("ValidationError", call, **of), BROKEN.format(value, at, constraint))
        twice = [{"Key": "a", "Value": "b"}, {"Key": "A", "Value": "c"}]
        self.assertEqual(self.refused("InvalidInput", iam.tag_role, RoleName="ranged", Tags=twice),
                         "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        iam.tag_role(**tagged("größe @ 1", "é /:=+-_."))
        for action in ("s3:GetObject", "sts:*", "*", "sts:GetCallerIdentity"):
            said = self.refused("MalformedPolicyDocument", iam.create_role, RoleName="new",
                                AssumeRolePolicyDocument=TRUST.replace("sts:AssumeRole", action))
            self.assertEqual(said, "AssumeRole policy may only specify STS AssumeRole actions.")
        iam.attach_role_policy(RoleName="ranged", PolicyArn=arn)
        listed = lambda path: iam.list_attached_role_policies(RoleName="ranged", PathPrefix=path)["AttachedPolicies"]
        self.assertEqual([len(listed(path)) for path in ("/", "/none/")], [1, 0])

    def test_policy_documents_are_checked_as_iam_does(self):
        for number, (text, message) in enumerate((
                ("no json", "Syntax errors in policy."),
                (document({**GOOD, "NotAction": "s3:*"}), "Syntax errors in policy."),
                (document({**GOOD, "Resource": "arn:aws:s3:x::b"}),
                 "Resource arn:aws:s3:x::b can not contain region information."),
                (document({**GOOD, "Action": "a a:b"}), "Vendor a a is not valid"))):
            said = self.refused("MalformedPolicyDocument", self.iam.create_policy,
                                PolicyName=f"bad{number}", PolicyDocument=text)
            self.assertEqual(said, message)
        self.iam.create_user(UserName="full")
        big = document({**GOOD, "Resource": ["arn:aws:s3:::" + "x" * 90 + str(n) for n in range(60)]})
        self.assertEqual(self.refused("LimitExceeded", self.iam.create_policy, PolicyName="big",
                                      PolicyDocument=big), "Cannot exceed quota for PolicySize: 6144")
        self.assertEqual(self.refused("LimitExceeded", self.iam.put_user_policy, UserName="full",
                                      PolicyName="big", PolicyDocument=big),
                         "Maximum policy size of 2048 bytes exceeded for user full")
        self.iam.put_user_policy(UserName="full", PolicyName="white",
                                 PolicyDocument=document(GOOD) + " " * 3000)

    def test_policies_have_tags_and_uses(self):
        iam, names = self.iam, lambda **how: [p["PolicyName"] for p in self.iam.list_policies(**how)["Policies"]]
        policy = iam.create_policy(PolicyName="tagged", PolicyDocument=document(GOOD),
                                   Tags=[{"Key": "a", "Value": "b"}])["Policy"]
        arn = policy["Arn"]
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "c", "Value": "d"}])
        iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
        self.assertEqual(iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "c", "Value": "d"}])
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "C", "Value": "e"}])  # another one, where a role's would be the same
        page = iam.list_policy_tags(PolicyArn=arn, MaxItems=1)
        self.assertEqual((page["Tags"], page["IsTruncated"]), ([{"Key": "C", "Value": "e"}], True))
        self.assertEqual(iam.list_policy_tags(PolicyArn=arn, Marker=page["Marker"])["Tags"], [{"Key": "c", "Value": "d"}])
        self.assertEqual(self.refused("InvalidInput", iam.tag_policy, PolicyArn=arn, Tags=[{"Key": "x", "Value": ""}] * 2),
                         "Duplicate tag keys found.")
        iam.untag_policy(PolicyArn=arn, TagKeys=["C"])
        self.assertEqual(iam.get_policy(PolicyArn=arn)["Policy"]["Tags"], [{"Key": "c", "Value": "d"}])
        self.assertNotIn("tagged", names(OnlyAttached=True))
        iam.create_user(UserName="holder")
        iam.attach_user_policy(UserName="holder", PolicyArn=arn)
        self.assertIn("tagged", names(OnlyAttached=True))
        self.assertEqual(names(PolicyUsageFilter="PermissionsBoundary"), [])
        iam.create_role(RoleName="told", AssumeRolePolicyDocument=TRUST)
        told = iam.update_role_description(RoleName="told", Description="what it is for")["Role"]
        self.assertEqual(told["Description"], "what it is for")
        self.assertGreaterEqual(iam.get_account_summary()["SummaryMap"]["Policies"], 1)
        self.assertEqual(iam.list_ssh_public_keys(UserName="holder")["SSHPublicKeys"], [])
        self.assertEqual(self.refused("NoSuchEntity", iam.get_login_profile, UserName="holder"),
                         "Login Profile for User holder cannot be found.")

    def test_what_is_made_says_less_than_what_is_asked_for(self):
        iam = self.iam
        made = iam.create_role(RoleName="brief", AssumeRolePolicyDocument=TRUST, Description="d")["Role"]
        got, listed = iam.get_role(RoleName="brief")["Role"], next(
            role for role in iam.list_roles()["Roles"] if role["RoleName"] == "brief")
        self.assertEqual({**made, "Description": "d", "MaxSessionDuration": 3600}, listed)
        self.assertEqual({**listed, "RoleLastUsed": {}}, got)
        told = iam.update_role_description(RoleName="brief", Description="e")["Role"]
        self.assertEqual({**made, "Description": "e"}, told)
        policy = iam.create_policy(PolicyName="brief", PolicyDocument=document(GOOD), Description="d")["Policy"]
        self.assertEqual({**policy, "Description": "d", "Tags": []}, iam.get_policy(PolicyArn=policy["Arn"])["Policy"])
        for _ in range(2):
            iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=document(GOOD))
        self.assertEqual([v["VersionId"] for v in iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]],
                         ["v3", "v2", "v1"])
        self.assertEqual(self.refused("NoSuchEntity", iam.get_policy_version, PolicyArn=policy["Arn"] + "x", VersionId="v1"),
                         f"Policy {policy['Arn']}x version v1 does not exist or is not attachable.")
        iam.create_user(UserName="brief")
        attach = dict(UserName="brief", PolicyArn="longpolicynamebutnoarn")
        self.assertEqual(self.refused("ValidationError", iam.attach_user_policy, **attach),
                         "ARN longpolicynamebutnoarn is not valid.")
        self.assertEqual(self.refused("InvalidInput", iam.put_user_permissions_boundary, UserName="brief",
                                      PermissionsBoundary="arn:aws:iam::1:not_a_policy/x"),
                         "ARN arn:aws:iam::1:not_a_policy/x is not valid.")
        iam.attach_user_policy(UserName="brief", PolicyArn=policy["Arn"])
        holders = iam.list_entities_for_policy(PolicyArn=policy["Arn"], EntityFilter="Role")
        self.assertEqual((holders["PolicyUsers"], holders["PolicyRoles"]), ([], []))
        iam.create_group(GroupName="brief")
        iam.remove_user_from_group(GroupName="brief", UserName="brief")  # who is not in it
        self.assertEqual(self.refused("LimitExceeded", iam.create_role, RoleName="long", AssumeRolePolicyDocument=document(
            *[json.loads(TRUST)["Statement"][0]] * 30)), "Cannot exceed quota for ACLSizePerRole: 2048")

    def test_instance_profiles_hold_a_role(self):
        iam, name = self.iam, {"InstanceProfileName": "ip"}
        both = {**name, "RoleName": "held"}
        self.assertEqual(self.refused("NoSuchEntity", iam.get_instance_profile, **name),
                         "Instance Profile ip cannot be found.")
        made = iam.create_instance_profile(Path="/p/", **name)["InstanceProfile"]
        self.assertEqual((made["Arn"], made["Roles"]), ("arn:aws:iam::000000000000:instance-profile/p/ip", []))
        self.assertEqual(iam.get_instance_profile(**name)["InstanceProfile"], {**made, "Tags": []})
        self.assertEqual(self.refused("EntityAlreadyExists", iam.create_instance_profile, **name),
                         "Instance Profile ip already exists.")
        self.assertEqual(self.refused("NoSuchEntity", iam.add_role_to_instance_profile, **both),
                         "The role with name held cannot be found.")
        role = iam.create_role(RoleName="held", AssumeRolePolicyDocument=TRUST)["Role"]
        self.assertEqual(self.refused("NoSuchEntity", iam.remove_role_from_instance_profile, **both),
                         "Role held in Instance Profile ip cannot be found.")
        iam.add_role_to_instance_profile(**both)
        self.assertEqual(self.refused("LimitExceeded", iam.add_role_to_instance_profile, **both),
                         "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
        for call, of in ((iam.delete_role, {"RoleName": "held"}), (iam.delete_instance_profile, name)):
            self.assertEqual(self.refused("DeleteConflict", call, **of),
                             "Cannot delete entity, must remove roles from instance profile first.")
        held = [{**made, "Roles": [role]}]
        self.assertEqual(iam.list_instance_profiles(PathPrefix="/p/")["InstanceProfiles"], held)
        self.assertEqual(iam.list_instance_profiles_for_role(RoleName="held")["InstanceProfiles"], held)
        self.cloud.stop()
        self.cloud.start()
        self.connect()
        iam = self.iam
        self.assertEqual(iam.list_instance_profiles(PathPrefix="/p/")["InstanceProfiles"], held)
        iam.tag_instance_profile(Tags=[{"Key": "k", "Value": "v"}], **name)
        self.assertEqual(iam.list_instance_profile_tags(**name)["Tags"], [{"Key": "k", "Value": "v"}])
        iam.remove_role_from_instance_profile(**both)
        iam.delete_role(RoleName="held")
        iam.delete_instance_profile(**name)

    def test_a_role_is_put_into_a_profile_only_by_who_may_hand_it_on(self):
        iam, let = self.iam, {"Effect": "Allow", "Action": "iam:*InstanceProfile", "Resource": "*"}
        iam.create_user(UserName="putter")
        iam.create_role(RoleName="put", AssumeRolePolicyDocument=TRUST)
        iam.create_instance_profile(InstanceProfileName="put")
        putter = self.client_of("iam", iam.create_access_key(UserName="putter")["AccessKey"])
        iam.put_user_policy(UserName="putter", PolicyName="let", PolicyDocument=document(let))
        both = {"InstanceProfileName": "put", "RoleName": "put"}
        self.assertIn("iam:PassRole on resource: arn:aws:iam::000000000000:role/put",
                      self.refused("AccessDenied", putter.add_role_to_instance_profile, **both))
        iam.put_user_policy(UserName="putter", PolicyName="pass", PolicyDocument=document(
            {**let, "Action": "iam:PassRole", "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}))
        putter.add_role_to_instance_profile(**both)

    def test_names_are_the_same_in_small_and_capital_letters(self):
        iam = self.iam
        for name in ("cAd", "cac", "CAB", "caa"):
            iam.create_user(UserName=name, Path="/case/")
        pages = iam.get_paginator("list_users").paginate(PathPrefix="/case/", PaginationConfig={"PageSize": 1})
        self.assertEqual([u["UserName"] for page in pages for u in page["Users"]], ["caa", "CAB", "cac", "cAd"])
        self.refused("EntityAlreadyExists", iam.create_user, UserName="CAA")
        self.refused("EntityAlreadyExists", iam.update_user, UserName="caa", NewUserName="cab")
        self.assertEqual(iam.get_user(UserName="CAC")["User"]["UserName"], "cac")
        iam.create_group(GroupName="Case")
        iam.add_user_to_group(GroupName="case", UserName="CAC")
        self.assertEqual([u["UserName"] for u in iam.get_group(GroupName="CASE")["Users"]], ["cac"])
        iam.remove_user_from_group(GroupName="Case", UserName="Cac")
        iam.update_user(UserName="CAC", NewUserName="Cac")
        iam.delete_user(UserName="CAC")
        self.refused("NoSuchEntity", iam.get_user, UserName="cac")
        arn = iam.create_policy(PolicyName="Case", PolicyDocument=document(GOOD))["Policy"]["Arn"]
        self.refused("EntityAlreadyExists", iam.create_policy, PolicyName="case", PolicyDocument=document(GOOD))
        iam.delete_policy(PolicyArn=arn)

    def test_a_user_asks_for_its_own_keys(self):
        iam = self.iam
        iam.create_user(UserName="owner")
        key = iam.create_access_key(UserName="owner")["AccessKey"]
        used = lambda: iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
        self.assertEqual((used()["UserName"], used()["AccessKeyLastUsed"]),
                         ("owner", {"ServiceName": "N/A", "Region": "N/A"}))
        iam.put_user_policy(UserName="owner", PolicyName="own", PolicyDocument=document(
            {"Effect": "Allow", "Action": "iam:*AccessKey*", "Resource": "arn:aws:iam::*:user/${aws:username}"}))
        owner = self.client_of("iam", key)
        self.assertEqual([k["UserName"] for k in owner.list_access_keys()["AccessKeyMetadata"]], ["owner"])
        last = used()["AccessKeyLastUsed"]
        self.assertEqual((last["ServiceName"], last["Region"]), ("iam", "us-east-1"))
        self.assertIn("LastUsedDate", last)
        self.assertEqual(self.refused("AccessDenied", iam.get_access_key_last_used, AccessKeyId="AKIAIOSFODNN7EXAMPLE"),
                         "User: arn:aws:iam::000000000000:root is not authorized to perform iam:GetAccessKeyLastUsed on "
                         "resource: access key AKIAIOSFODNN7EXAMPLE")
        self.assertEqual(self.refused("ValidationError", iam.delete_access_key, AccessKeyId=key["AccessKeyId"]),
                         "Must specify userName when calling with non-User credentials")
        owner.delete_access_key(AccessKeyId=key["AccessKeyId"])

    def test_a_federated_user_may_what_its_maker_and_its_policy_allow(self):
        let = lambda *actions: document({"Effect": "Allow", "Action": list(actions), "Resource": "*"})
        self.iam.create_user(UserName="maker")
        maker = self.client_of("sts", self.iam.create_access_key(UserName="maker")["AccessKey"])
        self.assertIn("sts:GetFederationToken on resource: arn:aws:sts::000000000000:federated-user/fed",
                      self.refused("AccessDenied", maker.get_federation_token, Name="fed"))
        self.iam.put_user_policy(UserName="maker", PolicyName="let", PolicyDocument=let("s3:*", "sts:*"))
        made = maker.get_federation_token(Name="fed", Policy=let("s3:ListAllMyBuckets", "sns:*", "iam:*"))
        self.assertEqual(made["FederatedUser"], {"Arn": "arn:aws:sts::000000000000:federated-user/fed",
                                                 "FederatedUserId": "000000000000:fed"})
        self.assertEqual(self.client_of("sts", made["Credentials"]).get_caller_identity()["UserId"], "000000000000:fed")
        self.client_of("s3", made["Credentials"]).list_buckets()
        self.refused("AccessDenied", self.client_of("sns", made["Credentials"]).list_topics)
        self.refused("AccessDenied", self.client_of("iam", made["Credentials"]).list_users)
        self.refused("AccessDenied", self.client_of("s3", made["Credentials"]).create_bucket, Bucket="no-bucket")
        bare = maker.get_federation_token(Name="fed")
        self.assertEqual(bare["PackedPolicySize"], 0)
        self.refused("AccessDenied", self.client_of("s3", bare["Credentials"]).list_buckets)
        of_root = self.sts.get_federation_token(Name="fed", Policy=let("sqs:ListQueues"))["Credentials"]
        self.client_of("sqs", of_root).list_queues()
        self.refused("AccessDenied", self.client_of("s3", of_root).list_buckets)
        self.assertEqual(self.refused("ValidationError", self.sts.get_federation_token, Name="a b"), BROKEN.format(
            " 'a b'", "name", "satisfy regular expression pattern: [\\w+=,.@-]*"))

    def test_decisions_are_simulated(self):
        iam, custom = self.iam, self.iam.simulate_custom_policy
        put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
        deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
                "Condition": {"StringEquals": {"aws:username": "x"}}}
        indented = json.dumps(json.loads(document(put)), indent=2)
        one = custom(PolicyInputList=[indented], ActionNames=["s3:PutObject"])["EvaluationResults"][0]
        self.assertEqual(one, {"EvalActionName": "s3:PutObject", "EvalResourceName": "*", "EvalDecision": "allowed",
                               "MissingContextValues": [], "MatchedStatements": [
                                   {"SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "IAM Policy",
                                    "StartPosition": {"Line": 3, "Column": 17}, "EndPosition": {"Line": 8, "Column": 6}}]})
        decide = lambda **how: [(r["EvalResourceDecision"], [m["SourcePolicyId"] for m in r["MatchedStatements"]])
                                for r in custom(PolicyInputList=[document(put), document(deny)], ActionNames=["s3:PutObject"],
                                                ResourceArns=["arn:aws:s3:::b/1", "arn:aws:s3:::c/1"], **how)
                                ["EvaluationResults"][0]["ResourceSpecificResults"]]
        self.assertEqual(decide(), [("allowed", ["PolicyInputList.1"])] * 2)
        context = [{"ContextKeyName": "AWS:username", "ContextKeyType": "string", "ContextKeyValues": ["x"]}]
        self.assertEqual(decide(ContextEntries=context),
                         [("explicitDeny", ["PolicyInputList.2"]), ("allowed", ["PolicyInputList.1"])])
        self.assertEqual(iam.get_context_keys_for_custom_policy(PolicyInputList=[document(deny)])["ContextKeyNames"],
                         ["aws:username"])
        iam.create_user(UserName="x")
        iam.create_group(GroupName="xs")
        iam.add_user_to_group(GroupName="xs", UserName="x")
        iam.put_group_policy(GroupName="xs", PolicyName="put", PolicyDocument=document(put))
        iam.put_user_policy(UserName="x", PolicyName="deny", PolicyDocument=document(deny))
        boundary = iam.create_policy(PolicyName="within", PolicyDocument=document(
            {**put, "Action": "s3:Put*", "Resource": "arn:aws:s3:::?/*"}))["Policy"]["Arn"]
        iam.put_user_permissions_boundary(UserName="x", PermissionsBoundary=boundary)
        says = [(r["EvalDecision"], [m["SourcePolicyId"] for m in r["MatchedStatements"]],
                 r["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"])
                for name in ("b/1", "c/1", "long/1")
                for r in iam.simulate_principal_policy(PolicySourceArn="arn:aws:iam::000000000000:user/x",
                                                       ActionNames=["s3:PutObject"],
                                                       ResourceArns=["arn:aws:s3:::" + name])["EvaluationResults"]]
        self.assertEqual(says, [("explicitDeny", ["user_x_deny"], True), ("allowed", ["group_xs_put"], True),
                                ("implicitDeny", ["group_xs_put"], False)])
        iam.delete_user_permissions_boundary(UserName="x")
        page = custom(PolicyInputList=[document(put)], ActionNames=["s3:PutObject", "s3:GetObject"], MaxItems=1)
        rest = custom(PolicyInputList=[document(put)], ActionNames=["s3:PutObject", "s3:GetObject"], Marker=page["Marker"])
        self.assertEqual([r["EvalDecision"] for r in rest["EvaluationResults"]], ["implicitDeny"])
        self.assertEqual(self.refused("InvalidInput", iam.simulate_principal_policy, ActionNames=["s3:PutObject"],
                                      PolicySourceArn="arn:aws:iam::000000000000:thing/x"),
                         "Invalid Entity Arn: arn:aws:iam::000000000000:thing/x does not clearly define entity type and name.")
        self.refused("NoSuchEntity", iam.simulate_principal_policy, ActionNames=["s3:PutObject"],
                     PolicySourceArn="arn:aws:iam::000000000000:role/none")
        self.refused("InvalidInput", custom, PolicyInputList=["no json"], ActionNames=["s3:PutObject"])
        self.refused("InvalidInput", custom, PolicyInputList=[document(put)], ActionNames=["s3:PutObject"] * 3,
                     ResourceArns=["*"] * 100)

    def test_lists_are_asked_of_the_path(self):
        self.iam.create_user(UserName="asker")
        asker = self.client_of("iam", self.iam.create_access_key(UserName="asker")["AccessKey"])
        said = self.refused("AccessDenied", asker.list_users)
        self.assertIn("iam:ListUsers on resource: arn:aws:iam::000000000000:user/ because", said)
        one = {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "arn:aws:iam::000000000000:user/asker"}
        self.iam.put_user_policy(UserName="asker", PolicyName="one", PolicyDocument=document(one))
        self.refused("AccessDenied", asker.list_users)
        team = {**one, "Resource": "arn:aws:iam::000000000000:user/team/*"}
        self.iam.put_user_policy(UserName="asker", PolicyName="one", PolicyDocument=document(team))
        self.assertEqual(asker.list_users(PathPrefix="/team/")["Users"], [])

    def test_the_root_has_sessions_and_a_face(self):
        self.assertEqual(self.iam.get_user()["User"]["Arn"], "arn:aws:iam::000000000000:root")
        keys = self.sts.get_session_token(DurationSeconds=903)["Credentials"]
        session = self.client_of("sts", keys)
        self.assertEqual(session.get_caller_identity()["Arn"], "arn:aws:iam::000000000000:root")
        self.assertEqual(self.refused("AccessDenied", session.get_session_token),
                         "Cannot call GetSessionToken with session credentials")
        self.refused("ValidationError", self.sts.get_session_token, DurationSeconds=3601)

    def signed(self, seconds=0, day=None):
        """What a request signed so far from now, or for another day, is told."""
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        date, host = now.strftime("%Y%m%dT%H%M%SZ"), self.cloud.endpoint.split("//")[1]
        body, day = b"Action=GetCallerIdentity&Version=2011-06-15", day or now.strftime("%Y%m%d")
        scope = f"{day}/us-east-1/sts/aws4_request"
        head = f"POST\n/\n\nhost:{host}\nx-amz-date:{date}\n\nhost;x-amz-date\n{hashlib.sha256(body).hexdigest()}"
        key = b"AWS4" + self.cloud.keys()["AWS_SECRET_ACCESS_KEY"].encode()
        for part in (day, "us-east-1", "sts", "aws4_request",
                     f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(head.encode()).hexdigest()}"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        request = urllib.request.Request(self.cloud.endpoint + "/", data=body, headers={
            "X-Amz-Date": date, "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.cloud.keys()['AWS_ACCESS_KEY_ID']}/{scope}, "
                             f"SignedHeaders=host;x-amz-date, Signature={key.hex()}"})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        answer = caught.exception.read().decode()
        self.assertIn("<Code>SignatureDoesNotMatch</Code>", answer)
        return re.search("<Message>(.*)</Message>", answer)[1].replace("&apos;", "'").replace("&#39;", "'")

    def test_signatures_of_another_time_are_told_so(self):
        time = r"\d{8}T\d{6}Z"
        self.assertRegex(self.signed(-1000), rf"^Signature expired: {time} is now earlier than {time} "
                                             rf"\({time} - 15 min\.\)$")
        self.assertRegex(self.signed(1000), rf"^Signature not yet current: {time} is still later than {time} "
                                            rf"\({time} \+ 15 min\.\)$")
        self.assertRegex(self.signed(0, "20200101"),
                         "^Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
                         rf"HTTP: '20200101' != '\d{{8}}', from '{time}'\.$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
