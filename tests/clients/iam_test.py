"""Users, groups, roles, policies and keys, and what they allow. iam_test.py KEN"""
import io
import json
import sys
import time
import unittest
import zipfile

import cloud as clouds

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

ACCOUNT = "000000000000"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def statement(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}]})


LAMBDA = trust({"Service": "lambda.amazonaws.com"})


class Base(clouds.Case):
    clients = {"iam": "iam"}

    def restart(self):
        self.cloud.stop()
        self.cloud.start()
        type(self).iam = self.cloud.client(boto3, "iam")

    def client_of(self, service, key, token=None):
        return self.cloud.client(boto3, service, aws_access_key_id=key["AccessKeyId"],
                                 aws_secret_access_key=key["SecretAccessKey"],
                                 aws_session_token=token or key.get("SessionToken"))

    def user(self, name, *policies):
        """A new user with inline policies and a key."""
        self.iam.create_user(UserName=name)
        for number, policy in enumerate(policies):
            self.iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=policy)
        return self.iam.create_access_key(UserName=name)["AccessKey"]


class Entities(Base):
    def test_wrong_requests_are_refused_by_name(self):
        iam = self.iam
        self.refused("NoSuchEntity", iam.get_role, RoleName="absent")
        self.refused("NoSuchEntity", iam.get_user, UserName="absent")
        self.refused("ValidationError", iam.create_role, RoleName="a/b",
                     AssumeRolePolicyDocument=LAMBDA)
        self.refused("ValidationError", iam.create_user, UserName="x", Path="no-slash")
        self.assertEqual("Has prohibited field Resource", self.refused(
            "MalformedPolicyDocument", iam.create_role, RoleName="a",
            AssumeRolePolicyDocument=LAMBDA.replace('"Action"', '"Resource": "*", "Action"')))
        self.refused("MalformedPolicyDocument", iam.create_role, RoleName="a",
                     AssumeRolePolicyDocument="no json")
        self.refused("MalformedPolicyDocument", iam.create_role, RoleName="a",
                     AssumeRolePolicyDocument=document(statement("s3:*")))
        self.refused("MalformedPolicyDocument", iam.create_policy, PolicyName="p",
                     PolicyDocument=LAMBDA)
        self.refused("InvalidAction", iam.list_policies_granting_service_access,
                     Arn="arn:aws:iam::000000000000:user/ada", ServiceNamespaces=["s3"])
        sts = self.cloud.client(boto3, "sts")
        self.assertIn("TransitiveTagKeys", self.refused(
            "ValidationError", sts.assume_role, RoleArn="x", RoleSessionName="s1", TransitiveTagKeys=["x"]))
        self.assertEqual(self.refused("InvalidAction", sts.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE"),
                         "Could not find operation GetAccessKeyInfo for version 2011-06-15")

    def test_a_role_is_kept_with_its_policies(self):
        iam = self.iam
        made = iam.create_role(RoleName="role", Description="a & b <c>", Tags=[
            {"Key": "team", "Value": "red"}], AssumeRolePolicyDocument=LAMBDA)["Role"]
        self.assertEqual(made["Arn"], f"arn:aws:iam::{ACCOUNT}:role/role")
        self.refused("EntityAlreadyExists", iam.create_role, RoleName="role",
                     AssumeRolePolicyDocument=LAMBDA)
        policy = document(statement("s3:GetObject"))
        managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        iam.attach_role_policy(RoleName="role", PolicyArn=managed)
        iam.attach_role_policy(RoleName="role", PolicyArn=managed)
        self.refused("NoSuchEntity", iam.attach_role_policy, RoleName="role",
                     PolicyArn="arn:aws:iam::aws:policy/NoSuch")
        iam.put_role_policy(RoleName="role", PolicyName="own", PolicyDocument=policy)
        self.restart()
        iam = self.iam
        got = iam.get_role(RoleName="role")["Role"]
        self.assertEqual(got["AssumeRolePolicyDocument"], json.loads(LAMBDA))
        self.assertEqual(got["Description"], "a & b <c>")
        self.assertEqual(got["CreateDate"], made["CreateDate"])
        self.assertEqual(got["Tags"], [{"Key": "team", "Value": "red"}])
        self.assertEqual(iam.list_attached_role_policies(RoleName="role")["AttachedPolicies"],
                         [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": managed}])
        self.assertEqual(iam.get_role_policy(RoleName="role", PolicyName="own")["PolicyDocument"],
                         json.loads(policy))
        self.assertEqual(iam.list_role_policies(RoleName="role")["PolicyNames"], ["own"])
        self.refused("DeleteConflict", iam.delete_role, RoleName="role")
        iam.detach_role_policy(RoleName="role", PolicyArn=managed)
        self.refused("NoSuchEntity", iam.detach_role_policy, RoleName="role", PolicyArn=managed)
        iam.delete_role_policy(RoleName="role", PolicyName="own")
        iam.delete_role(RoleName="role")
        self.refused("NoSuchEntity", iam.get_role, RoleName="role")

    def test_users_are_listed_by_pages_in_order(self):
        names = [f"page-{number:02}" for number in range(7)]
        for name in reversed(names):
            self.iam.create_user(UserName=name, Path="/pages/")
        pages = self.iam.get_paginator("list_users").paginate(
            PathPrefix="/pages/", PaginationConfig={"PageSize": 3})
        self.assertEqual([user["UserName"] for page in pages for user in page["Users"]], names)

    def test_a_user_is_renamed_with_its_memberships(self):
        iam = self.iam
        iam.create_user(UserName="old")
        iam.create_group(GroupName="crew")
        iam.add_user_to_group(GroupName="crew", UserName="old")
        self.refused("DeleteConflict", iam.delete_user, UserName="old")
        self.refused("DeleteConflict", iam.delete_group, GroupName="crew")
        iam.update_user(UserName="old", NewUserName="new", NewPath="/a/")
        self.assertEqual([u["Arn"] for u in iam.get_group(GroupName="crew")["Users"]],
                         [f"arn:aws:iam::{ACCOUNT}:user/a/new"])
        self.assertEqual([g["GroupName"] for g in iam.list_groups_for_user(
            UserName="new")["Groups"]], ["crew"])
        iam.remove_user_from_group(GroupName="crew", UserName="new")
        iam.delete_user(UserName="new")
        iam.delete_group(GroupName="crew")

    def test_a_managed_policy_has_versions(self):
        iam = self.iam
        arn = iam.create_policy(PolicyName="versions",
                                PolicyDocument=document(statement("s3:*")))["Policy"]["Arn"]
        self.refused("EntityAlreadyExists", iam.create_policy, PolicyName="versions",
                     PolicyDocument=document(statement("s3:*")))
        second = document(statement("sqs:*"))
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)
        self.assertEqual(iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"], "v2")
        self.assertEqual(iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
                         ["Document"], json.loads(second))
        self.refused("DeleteConflict", iam.delete_policy_version, PolicyArn=arn, VersionId="v2")
        self.refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        iam.delete_policy(PolicyArn=arn)
        self.refused("NoSuchEntity", iam.get_policy, PolicyArn=arn)
        self.assertEqual(iam.get_policy(PolicyArn=READ_ONLY)["Policy"]["PolicyName"],
                         "AmazonS3ReadOnlyAccess")


class Access(Base):
    def test_a_new_user_may_do_nothing(self):
        key = self.user("nobody")
        message = self.refused("AccessDenied", self.client_of("iam", key).list_roles)
        self.assertIn(f"User: arn:aws:iam::{ACCOUNT}:user/nobody is not authorized to perform: "
                      "iam:ListRoles", message)
        who = self.client_of("sts", key).get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:iam::{ACCOUNT}:user/nobody")
        self.assertEqual(who["UserId"], self.iam.get_user(UserName="nobody")["User"]["UserId"])

    def test_a_policy_allows_what_it_names_and_a_denial_wins(self):
        key = self.user("reader", document(statement("iam:Get*"), statement("iam:List*")),
                        document(statement("iam:ListUsers", effect="Deny")))
        client = self.client_of("iam", key)
        client.get_user()
        client.list_roles()
        self.assertIn("explicit deny", self.refused("AccessDenied", client.list_users))
        self.refused("AccessDenied", client.create_user, UserName="another")

    def test_groups_and_managed_policies_count(self):
        iam = self.iam
        key = self.user("member")
        client = self.client_of("iam", key)
        self.refused("AccessDenied", client.list_roles)
        iam.create_group(GroupName="readers")
        arn = iam.create_policy(PolicyName="lists", PolicyDocument=document(
            statement("iam:ListRoles")))["Policy"]["Arn"]
        iam.attach_group_policy(GroupName="readers", PolicyArn=arn)
        iam.add_user_to_group(GroupName="readers", UserName="member")
        client.list_roles()
        iam.remove_user_from_group(GroupName="readers", UserName="member")
        self.refused("AccessDenied", client.list_roles)

    def test_conditions_and_variables_bind(self):
        key = self.user("self", document(
            statement("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"),
            statement("iam:ListUsers", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
            statement("iam:ListRoles", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})))
        client = self.client_of("iam", key)
        client.list_access_keys(UserName="self")
        client.list_roles()
        self.refused("AccessDenied", client.list_users)
        self.refused("AccessDenied", client.create_access_key, UserName="other")

    def test_a_resources_policy_that_names_the_account_leaves_it_to_identities(self):
        sqs = self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName="shared")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:shared"
        named, plain = (self.client_of("sqs", self.user(name)) for name in ("named", "plain"))
        role = self.iam.create_role(RoleName="taker", AssumeRolePolicyDocument=trust({"AWS": "*"}))["Role"]["Arn"]
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/taker/one"

        def sessions(**more):
            keys = self.client_of("sts", self.iam.create_access_key(UserName="named")["AccessKey"])
            return [self.client_of("sqs", keys.assume_role(RoleArn=role, RoleSessionName="one", **how)["Credentials"])
                    for how in ({}, more)]

        free, bound = sessions(Policy=document(statement("s3:*")))
        clients = {"named": named, "plain": plain, "role": free, "bound": bound}
        for principal, let in (({"AWS": f"arn:aws:iam::{ACCOUNT}:user/named"}, {"named"}),
                               ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, set()), ({"AWS": ACCOUNT}, set()),
                               ({"AWS": role}, {"role"}), ({"AWS": session}, {"role", "bound"}),
                               ("*", set(clients))):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(
                statement("sqs:SendMessage", arn, Principal=principal))})
            for name, client in clients.items():
                with self.subTest(principal=principal, who=name):
                    if name in let:
                        client.send_message(QueueUrl=url, MessageBody="x")
                    else:
                        self.refused("AccessDenied", client.send_message, QueueUrl=url, MessageBody="x")

    def test_a_boundary_ends_what_identity_policies_allow(self):
        iam, sqs = self.iam, self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName="bounded")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:bounded"
        boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document(
            statement(["sqs:Send*", "sts:*"]), statement("sqs:PurgeQueue", effect="Deny")))["Policy"]["Arn"]
        self.assertEqual(self.refused("NoSuchEntity", iam.create_user, UserName="x", PermissionsBoundary=boundary + "x"),
                         f"Scope ARN: {boundary}x does not exist or is not attachable.")
        shown = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
        key = self.user("inside", document(statement("sqs:*")))
        iam.put_user_permissions_boundary(UserName="inside", PermissionsBoundary=boundary)
        self.assertEqual(iam.get_user(UserName="inside")["User"]["PermissionsBoundary"], shown)
        role = iam.create_role(RoleName="inside", AssumeRolePolicyDocument=trust({"AWS": "*"}),
                               PermissionsBoundary=boundary)["Role"]
        self.assertEqual(role["PermissionsBoundary"], shown)
        self.assertNotIn("PermissionsBoundary", next(r for r in iam.list_roles()["Roles"] if r["RoleName"] == "inside"))
        iam.put_role_policy(RoleName="inside", PolicyName="all", PolicyDocument=document(statement("sqs:*")))
        keys = self.client_of("sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName="one")["Credentials"]
        for client in (self.client_of("sqs", key), self.client_of("sqs", keys)):
            client.send_message(QueueUrl=url, MessageBody="x")
            self.assertIn("because no permissions boundary allows the sqs:receivemessage action",
                          self.refused("AccessDenied", client.receive_message, QueueUrl=url))
            self.assertIn("with an explicit deny in a permissions boundary",
                          self.refused("AccessDenied", client.purge_queue, QueueUrl=url))
        for principal, users in ((f"arn:aws:iam::{ACCOUNT}:user/inside", True), (role["Arn"], False)):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(
                statement("sqs:ReceiveMessage", arn, Principal={"AWS": principal}))})
            call = self.client_of("sqs", key if users else keys).receive_message
            if users:  # a user by name is let past the boundary, a role is not
                call(QueueUrl=url)
            else:
                self.refused("AccessDenied", call, QueueUrl=url)
        self.assertEqual(iam.get_policy(PolicyArn=boundary)["Policy"]["PermissionsBoundaryUsageCount"], 2)
        self.assertEqual([p["Arn"] for p in iam.list_policies(PolicyUsageFilter="PermissionsBoundary")["Policies"]],
                         [boundary])
        self.refused("DeleteConflict", iam.delete_policy, PolicyArn=boundary)
        iam.delete_user_permissions_boundary(UserName="inside")
        iam.delete_role_permissions_boundary(RoleName="inside")
        self.client_of("sqs", key).purge_queue(QueueUrl=url)
        iam.delete_policy(PolicyArn=boundary)

    def test_a_denial_says_where_it_comes_from(self):
        sqs = self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName="closed")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:closed"
        key = self.user("told", document(statement("s3:*"), statement("sts:*"), statement("sqs:SendMessage"),
                                         statement("sqs:PurgeQueue", effect="Deny")))
        role = self.iam.create_role(RoleName="told", AssumeRolePolicyDocument=trust({"AWS": "*"}))["Role"]["Arn"]
        self.iam.put_role_policy(RoleName="told", PolicyName="all", PolicyDocument=document(statement("sqs:*")))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(
            statement("sqs:ReceiveMessage", arn, effect="Deny", Principal="*"))})
        keys = self.client_of("sts", key).assume_role(RoleArn=role, RoleSessionName="one", Policy=document(
            statement("sqs:SendMessage"), statement("sqs:PurgeQueue", effect="Deny")))["Credentials"]
        user, session = self.client_of("sqs", key), self.client_of("sqs", keys)
        one = {"QueueUrl": url}
        for call, why in ((user.purge_queue, "with an explicit deny in an identity-based policy"),
                          (user.receive_message, "with an explicit deny in a resource-based policy"),
                          (user.list_queue_tags, "because no identity-based policy allows the sqs:listqueuetags action"),
                          (session.purge_queue, "with an explicit deny in a session policy"),
                          (session.list_queue_tags, "because no session policy allows the sqs:listqueuetags action")):
            said = self.refused("AccessDenied", call, **one)
            self.assertTrue(said.endswith(f"on resource: {arn} {why}"), said)

    def test_what_is_known_of_every_request_can_be_asked(self):
        conditions = [({"Bool": {"aws:ViaAWSService": "false"}}, "both"),
                      ({"Bool": {"aws:PrincipalIsAWSService": "false"}}, "both"),
                      ({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}, "both"),
                      ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, "user"),
                      ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, "session"),
                      ({"Null": {"aws:TokenIssueTime": "true"}}, "user"),
                      ({"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"}}, "session"),
                      ({"DateLessThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"}}, "neither")]
        key = self.user("conditioned")
        keys = self.client_of("sts", key).get_session_token()["Credentials"]
        clients = {"user": self.client_of("s3", key), "session": self.client_of("s3", keys)}
        for condition, let in conditions:
            self.iam.put_user_policy(UserName="conditioned", PolicyName="p", PolicyDocument=document(
                statement("s3:ListAllMyBuckets", Condition=condition)))
            for name, client in clients.items():
                with self.subTest(condition=condition, who=name):
                    if let in (name, "both"):
                        client.list_buckets()
                    else:
                        self.refused("AccessDenied", client.list_buckets)

    def test_a_role_is_handed_on_only_by_who_may(self):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, "#!/bin/sh\n")
        role = f"arn:aws:iam::{ACCOUNT}:role/strong"
        function = {"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "h",
                    "Role": role, "Code": {"ZipFile": code.getvalue()}}
        make = document(statement("lambda:*"))
        without = self.client_of("lambda", self.user("maker", make))
        self.assertIn("iam:PassRole", self.refused("AccessDeniedException",
                                                   without.create_function, **function))
        allowed = self.client_of("lambda", self.user("passer", make, document(
            statement("iam:PassRole", role, Condition={"StringEquals": {
                "iam:PassedToService": "lambda.amazonaws.com"}}))))
        allowed.create_function(**function)
        self.refused("AccessDeniedException", allowed.update_function_configuration,
                     FunctionName="f", Role=role + "er")

    def test_keys_can_be_put_out_of_use(self):
        iam = self.iam
        key = self.user("keys", document(statement("iam:ListRoles")))
        client = self.client_of("iam", key)
        client.list_roles()
        iam.create_access_key(UserName="keys")
        self.refused("LimitExceeded", iam.create_access_key, UserName="keys")
        self.refused("DeleteConflict", iam.delete_user, UserName="keys")
        iam.update_access_key(UserName="keys", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        self.refused("InvalidClientTokenId", client.list_roles)
        iam.update_access_key(UserName="keys", AccessKeyId=key["AccessKeyId"], Status="Active")
        self.restart()
        client = self.client_of("iam", key)
        client.list_roles()
        self.iam.delete_access_key(UserName="keys", AccessKeyId=key["AccessKeyId"])
        self.refused("InvalidClientTokenId", client.list_roles)


class Sessions(Base):
    def role(self, name, who, *policies, **more):
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(who, **more))
        for number, policy in enumerate(policies):
            self.iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=policy)
        return made["Role"]["Arn"]

    def test_a_role_is_assumed_by_whom_it_trusts(self):
        key = self.user("trusted")
        arn = self.role("by-name", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/trusted"},
                        document(statement("iam:ListRoles")))
        session = self.client_of("sts", key).assume_role(RoleArn=arn, RoleSessionName="s1")
        client = self.client_of("iam", session["Credentials"])
        client.list_roles()
        self.refused("AccessDenied", client.list_users)
        who = self.client_of("sts", session["Credentials"]).get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/by-name/s1")
        self.assertEqual(who["UserId"], session["AssumedRoleUser"]["AssumedRoleId"])
        stranger = self.user("stranger")
        self.refused("AccessDenied", self.client_of("sts", stranger).assume_role, RoleArn=arn,
                     RoleSessionName="s2")

    def test_trust_in_the_account_leaves_it_to_the_users_policies(self):
        root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        arn = self.role("by-account", root)
        without = self.client_of("sts", self.user("without"))
        allowed = self.client_of("sts", self.user("allowed", document(
            statement("sts:AssumeRole", arn))))
        self.refused("AccessDenied", without.assume_role, RoleArn=arn, RoleSessionName="session")
        allowed.assume_role(RoleArn=arn, RoleSessionName="session")
        self.refused("AccessDenied", allowed.assume_role, RoleArn=arn + "x", RoleSessionName="session")

    def test_an_external_id_and_a_session_policy_bind(self):
        arn = self.role("bound", {"AWS": "*"}, document(statement("iam:List*")),
                        Condition={"StringEquals": {"sts:ExternalId": "secret"}})
        sts = self.client_of("sts", self.user("caller"))
        self.refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="session")
        session = sts.assume_role(RoleArn=arn, RoleSessionName="session", ExternalId="secret",
                                  Policy=document(statement("iam:ListRoles")))
        client = self.client_of("iam", session["Credentials"])
        client.list_roles()
        self.refused("AccessDenied", client.list_users)

    def test_wrong_durations_and_tokens_are_refused(self):
        arn = self.role("short", {"AWS": "*"})
        key = self.user("hurried")
        sts = self.client_of("sts", key)
        self.refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="session",
                     DurationSeconds=60)
        self.refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="session",
                     DurationSeconds=7200)
        made = sts.assume_role(RoleArn=arn, RoleSessionName="session", DurationSeconds=900)
        left = made["Credentials"]["Expiration"].timestamp() - time.time()
        self.assertTrue(880 < left < 910, left)
        self.refused("InvalidClientTokenId",
                     self.client_of("sts", made["Credentials"], "wrong").get_caller_identity)
        token = sts.get_session_token()["Credentials"]
        who = self.client_of("sts", token).get_caller_identity()
        self.assertEqual(who["Arn"], f"arn:aws:iam::{ACCOUNT}:user/hurried")

    def test_root_is_root(self):
        who = self.cloud.client(boto3, "sts").get_caller_identity()
        self.assertEqual(who, {**who, "Account": ACCOUNT, "UserId": ACCOUNT,
                               "Arn": f"arn:aws:iam::{ACCOUNT}:root"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
