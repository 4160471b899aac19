"""What tools ask of IAM and STS around a deploy. iam_test.py KEN"""
import json
import sys
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
     "Action": "sts:AssumeRole"}]}


class IamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.client = cls.cloud.client(boto3, "iam")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def create(self, name):
        return self.client.create_role(RoleName=name, Description="a & b <c>",
                                       AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]

    def test_wrong_roles_are_refused(self):
        self.refused("NoSuchEntity", self.client.get_role, RoleName="absent")
        self.refused("ValidationError", self.client.create_role, RoleName="a/b",
                     AssumeRolePolicyDocument="{}")
        self.refused("MalformedPolicyDocument", self.client.create_role, RoleName="a",
                     AssumeRolePolicyDocument="no json")
        self.create("twice")
        self.refused("EntityAlreadyExists", self.create, name="twice")
        self.refused("InvalidAction", self.client.list_users)

    def test_a_role_is_kept_with_its_policies(self):
        made = self.create("role")
        self.assertEqual(made["Arn"], "arn:aws:iam::000000000000:role/role")
        policy = {"Version": "2012-10-17", "Statement": []}
        managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        self.client.attach_role_policy(RoleName="role", PolicyArn=managed)
        self.client.attach_role_policy(RoleName="role", PolicyArn=managed)
        self.client.put_role_policy(RoleName="role", PolicyName="own",
                                    PolicyDocument=json.dumps(policy))
        self.cloud.stop()
        self.cloud.start()
        client = type(self).client = self.cloud.client(boto3, "iam")
        got = client.get_role(RoleName="role")["Role"]
        self.assertEqual(got["AssumeRolePolicyDocument"], TRUST)
        self.assertEqual(got["Description"], "a & b <c>")
        self.assertEqual(got["CreateDate"], made["CreateDate"])
        self.assertEqual(client.list_attached_role_policies(RoleName="role")["AttachedPolicies"],
                         [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": managed}])
        self.assertEqual(client.get_role_policy(RoleName="role",
                                                PolicyName="own")["PolicyDocument"], policy)
        self.assertEqual(client.list_role_policies(RoleName="role")["PolicyNames"], ["own"])
        self.refused("DeleteConflict", client.delete_role, RoleName="role")
        client.detach_role_policy(RoleName="role", PolicyArn=managed)
        client.delete_role_policy(RoleName="role", PolicyName="own")
        client.delete_role(RoleName="role")
        self.refused("NoSuchEntity", client.get_role, RoleName="role")

    def test_one_may_ask_who_one_is(self):
        who = self.cloud.client(boto3, "sts").get_caller_identity()
        self.assertEqual(who["Account"], "000000000000")
        self.assertTrue(who["Arn"].startswith("arn:aws:iam::000000000000:"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
