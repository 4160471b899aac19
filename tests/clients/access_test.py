"""Every operation of every service, asked by a user without any policy: none may succeed. access_test.py KEN"""
import logging
import sys
import unittest

import cloud as clouds

try:
    import boto3
    import botocore
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
SERVICES = ["apigateway", "apigatewayv2", "cloudwatch", "dynamodb", "ecr", "iam", "lambda", "logs",
            "s3", "sns", "sqs", "sts"]
# What needs no permission, on AWS neither. DeleteObjects answers for each key.
OPEN = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken"), ("s3", "DeleteObjects")}
# They go to other hosts, or belong to a caller that has not signed.
ELSEWHERE = {("s3", "WriteGetObjectResponse"), ("logs", "GetLogObject"), ("logs", "StartLiveTail"),
             ("sts", "AssumeRoleWithSAML"), ("sts", "AssumeRoleWithWebIdentity")}
DENIED = {"AccessDenied", "AccessDeniedException", "403"}


class AccessTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        iam = cls.cloud.client(boto3, "iam")
        iam.create_user(UserName="nobody")
        cls.key = iam.create_access_key(UserName="nobody")["AccessKey"]
        s3 = cls.cloud.client(boto3, "s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="thing", Body=b"x")
        cls.queue = cls.cloud.client(boto3, "sqs").create_queue(QueueName="thing")["QueueUrl"]
        cls.topic = cls.cloud.client(boto3, "sns").create_topic(Name="thing")["TopicArn"]
        cls.cloud.client(boto3, "logs").create_log_group(logGroupName="thing")
        cls.cloud.client(boto3, "dynamodb").create_table(
            TableName="thing", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        logging.getLogger("botocore").setLevel(logging.CRITICAL)

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def text_for(self, service, name):
        low = name.lower()
        if "bucket" in low:
            return "bucket"
        if low == "queueurl":
            return self.queue
        if "arn" in low:
            return self.topic if service == "sns" else f"arn:aws:{service}:us-east-1:000000000000:x"
        return '{"Version":"2012-10-17","Statement":[]}' if "policy" in low else "thing"

    def value_for(self, service, shape, name=""):
        """A value of the shape with just what is required."""
        kind = shape.type_name
        if kind == "structure":
            return {member: self.value_for(service, shape.members[member], member)
                    for member in shape.required_members}
        if kind == "list":
            return [self.value_for(service, shape.member, name)]
        if kind == "map":
            return {"k": self.value_for(service, shape.value)}
        if kind in ("integer", "long", "float", "double"):
            return max(1, int(shape.metadata.get("min", 1)))
        if kind in ("boolean", "timestamp", "blob"):
            return {"boolean": False, "timestamp": 0, "blob": b"x"}[kind]
        return shape.enum[0] if shape.enum else self.text_for(service, name)

    def ask(self, client, service, operation):
        """None when it succeeded, else the error's code."""
        shape = client.meta.service_model.operation_model(operation).input_shape
        parameters = self.value_for(service, shape) if shape else {}
        try:
            getattr(client, botocore.xform_name(operation))(**parameters)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return None

    def test_nobody_may_do_anything(self):
        for service in SERVICES:
            client = self.cloud.client(boto3, service, aws_access_key_id=self.key["AccessKeyId"],
                                       aws_secret_access_key=self.key["SecretAccessKey"])
            codes = {operation: self.ask(client, service, operation)
                     for operation in client.meta.service_model.operation_names
                     if (service, operation) not in OPEN | ELSEWHERE}
            with self.subTest(service=service):
                self.assertEqual([name for name, code in codes.items() if code is None], [])
                self.assertTrue(DENIED.intersection(codes.values()) or service == "sts", codes)

    def test_each_key_of_a_batch_is_denied(self):
        client = self.cloud.client(boto3, "s3", aws_access_key_id=self.key["AccessKeyId"],
                                   aws_secret_access_key=self.key["SecretAccessKey"])
        answer = client.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "thing"}]})
        self.assertEqual([e["Code"] for e in answer["Errors"]], ["AccessDenied"])
        self.assertNotIn("Deleted", answer)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
