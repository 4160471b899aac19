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
LENGTH = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must have {} than or equal to {}"


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
                         LENGTH.format(long, "roleName", "length less", 64))
        self.assertEqual(says(iam.create_user, UserName="a b"),
                         "The specified value for userName is invalid. It must contain only alphanumeric "
                         "characters and/or the following: +=,.@_-")
        assume = dict(RoleArn="arn:aws:iam::000000000000:role/x", RoleSessionName="ss")
        self.assertIn("at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression "
                      "pattern: [\\w+=,.@-]*", says(self.sts.assume_role, **{**assume, "RoleSessionName": "s s"}))
        self.iam.create_role(RoleName="x", AssumeRolePolicyDocument=TRUST)
        self.assertEqual(says(self.sts.assume_role, DurationSeconds=899, **assume),
                         LENGTH.format(899, "durationSeconds", "value greater", 900))
        self.assertIn("at 'policy' failed to satisfy constraint",
                      says(self.sts.assume_role, Policy="a" * 2049, **assume))

    def test_values_are_refused_by_their_constraint(self):
        iam, arn = self.iam, "arn:aws:iam::000000000000:policy/ranged"
        role = {"RoleName": "ranged", "AssumeRolePolicyDocument": TRUST}
        iam.create_role(**role)
        iam.create_policy(PolicyName="ranged", PolicyDocument=document(GOOD))
        tagged = lambda key, value="v": {"RoleName": "ranged", "Tags": [{"Key": key, "Value": value}]}
        new = {**role, "RoleName": "new"}
        for call, of, value, at, constraint in (
                (iam.list_users, {"MaxItems": 0}, "0", "maxItems", "have value greater than or equal to 1"),
                (iam.list_roles, {"MaxItems": 1001}, "1001", "maxItems", "have value less than or equal to 1000"),
                (iam.create_role, {**new, "MaxSessionDuration": 43201}, "43201", "maxSessionDuration",
                 "have value less than or equal to 43200"),
                (iam.create_role, {**new, "Description": "d" * 1001}, "d" * 512, "description",
                 "have length less than or equal to 1000"),
                (iam.list_policies, {"Scope": "x"}, "x", "scope", "satisfy enum value set: [AWS, Local, All]"),
                (iam.set_default_policy_version, {"PolicyArn": arn, "VersionId": "one"}, "one", "versionId",
                 "satisfy regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"),
                (iam.tag_role, tagged("k" * 129), "k" * 129, "tags.1.member.key", "have length less than or equal to 128"),
                (iam.tag_role, tagged("k", "v" * 257), "v" * 257, "tags.1.member.value",
                 "have length less than or equal to 256"),
                (iam.tag_role, tagged("no!"), "no!", "tags.1.member.key",
                 "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"),
                (self.sts.assume_role, {"RoleArn": "x", "RoleSessionName": "s1"}, "x", "roleArn",
                 "have length greater than or equal to 20")):
            with self.subTest(at=at):
                self.assertEqual(self.refused("ValidationError", call, **of),
                                 f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy "
                                 f"constraint: Member must {constraint}")
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
        self.assertEqual(iam.get_policy(PolicyArn=arn)["Policy"]["Tags"], [{"Key": "c", "Value": "d"}])
        self.assertNotIn("tagged", names(OnlyAttached=True))
        iam.create_user(UserName="holder")
        iam.attach_user_policy(UserName="holder", PolicyArn=arn)
        self.assertEqual(names(OnlyAttached=True), ["tagged"])
        self.assertEqual(names(PolicyUsageFilter="PermissionsBoundary"), [])
        iam.create_role(RoleName="told", AssumeRolePolicyDocument=TRUST)
        told = iam.update_role_description(RoleName="told", Description="what it is for")["Role"]
        self.assertEqual(told["Description"], "what it is for")
        self.assertGreaterEqual(iam.get_account_summary()["SummaryMap"]["Policies"], 1)
        self.assertEqual(iam.list_ssh_public_keys(UserName="holder")["SSHPublicKeys"], [])
        self.assertEqual(self.refused("NoSuchEntity", iam.get_login_profile, UserName="holder"),
                         "Login Profile for User holder cannot be found.")

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
