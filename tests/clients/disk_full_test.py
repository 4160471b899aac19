"""A full disk: a clear error, nothing half-written, and reads go on. disk_full_test.py KEN

The data folder is a small file system in memory, which only root may make."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import cloud as clouds
import lambda_functions

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
FOLDER = tempfile.mkdtemp(prefix="ken-full-test-")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "ken-test", FOLDER],
                  capture_output=True).returncode:
    os.rmdir(FOLDER)
    clouds.skip("only root can make a small file system")


class DiskFullTest(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        subprocess.run(["umount", FOLDER], check=True)
        os.rmdir(FOLDER)

    def refused(self, s3, key, size):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            s3.put_object(Bucket="full", Key=key, Body=os.urandom(size))
        answer = caught.exception.response
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 507, answer)
        self.assertEqual(answer["Error"]["Code"], "InsufficientStorage")

    def test_full(self):
        with clouds.Cloud(KEN, os.path.join(FOLDER, "data")) as cloud:
            s3 = cloud.client(boto3, "s3")
            s3.create_bucket(Bucket="full")
            stored = {}
            for i in range(100):
                body = os.urandom(300_000)
                try:
                    s3.put_object(Bucket="full", Key=str(i), Body=body)
                except botocore.exceptions.ClientError as error:
                    self.assertEqual(error.response["Error"]["Code"], "InsufficientStorage")
                    break
                stored[str(i)] = body
            self.assertGreater(len(stored), 2)
            self.assertLess(len(stored), 100)
            self.refused(s3, "large", 3_000_000)  # goes to a file while it comes
            self.refused(s3, "small", 400_000)    # is written when it is there
            self.check(s3, stored)
            cloud.stop()
            cloud.start()
            s3 = cloud.client(boto3, "s3")
            self.check(s3, stored)
            s3.delete_object(Bucket="full", Key="0")
            s3.delete_object(Bucket="full", Key="1")
            s3.put_object(Bucket="full", Key="again", Body=b"fits")

    def fill(self, path):
        """Everything that is left of the disk."""
        with open(path, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def test_every_service_refuses_and_goes_on(self):
        folder, filler = os.path.join(FOLDER, "services"), os.path.join(FOLDER, "filler")
        self.addCleanup(shutil.rmtree, folder)
        with clouds.Cloud(KEN, folder) as cloud:
            client = {name: cloud.client(boto3, name)
                      for name in ("dynamodb", "sqs", "sns", "logs", "ecr", "iam", "lambda", "s3")}
            client["dynamodb"].create_table(
                TableName="table", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST")
            url = client["sqs"].create_queue(QueueName="queue")["QueueUrl"]
            topic = client["sns"].create_topic(Name="topic")["TopicArn"]
            client["sns"].subscribe(TopicArn=topic, Protocol="sqs",
                                    Endpoint="arn:aws:sqs:us-east-1:000000000000:queue")
            client["logs"].create_log_group(logGroupName="group")
            client["s3"].create_bucket(Bucket="bucket")
            big = "x" * 200_000
            code = lambda_functions.make_zip({"bootstrap": (os.urandom(300_000), 0o755)})
            calls = {
                "item": lambda n: client["dynamodb"].put_item(
                    TableName="table", Item={"k": {"S": n}, "v": {"S": big}}),
                "message": lambda n: client["sqs"].send_message(QueueUrl=url, MessageBody=big),
                "publication": lambda n: client["sns"].publish(TopicArn=topic, Message=big),
                "repository": lambda n: [client["ecr"].create_repository(
                    repositoryName=f"{n}/{i}", tags=[{"Key": "k", "Value": "v" * 200}]) for i in range(60)],
                "user": lambda n: client["iam"].create_user(
                    UserName=n, Tags=[{"Key": str(i), "Value": "v" * 200} for i in range(40)]),
                "function": lambda n: client["lambda"].create_function(
                    FunctionName=n, Runtime="provided.al2023", Handler="x",
                    Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": code}),
                "object": lambda n: client["s3"].put_object(Bucket="bucket", Key=n, Body=big)}
            self.fill(filler)
            for what, call in calls.items():
                with self.subTest(what):
                    with self.assertRaises(botocore.exceptions.ClientError) as caught:
                        call("full")
                    self.assertGreaterEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500)
            self.assertEqual(client["dynamodb"].scan(TableName="table")["Items"], [])
            os.unlink(filler)
            for call in calls.values():
                call("again")
            self.assertEqual([item["k"]["S"] for item in client["dynamodb"].scan(TableName="table")["Items"]],
                             ["again"])
            cloud.stop()
            cloud.start()
            names = cloud.client(boto3, "lambda").list_functions()["Functions"]
            self.assertEqual([one["FunctionName"] for one in names], ["again"])

    def check(self, s3, stored):
        listed = s3.list_objects_v2(Bucket="full")["Contents"]
        self.assertEqual({o["Key"] for o in listed}, set(stored))
        for key, body in stored.items():
            self.assertEqual(s3.get_object(Bucket="full", Key=key)["Body"].read(), body)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
