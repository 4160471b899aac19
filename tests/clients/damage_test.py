"""A disk that turns bits: whatever the cloud keeps, a changed byte is answered with an error or was not looked at, and never served
as good. damage_test.py KEN TEST_FUNCTION"""
import hashlib
import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import cloud as clouds
import lambda_functions

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN, FUNCTION = sys.argv[1:3]
MARK = b"a-mark-that-is-nowhere-else"
ROLE = "arn:aws:iam::000000000000:role/any"


def files_with(folder, mark):
    """(path, offset) of each place where the mark lies."""
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                data = file.read()
            found = data.find(mark)
            while found >= 0:
                yield path, found
                found = data.find(mark, found + 1)


class DamageTest(unittest.TestCase):
    def setUp(self):
        self.cloud = clouds.Cloud(KEN).start()
        self.addCleanup(self.cloud.close)

    def client(self, service):
        return self.cloud.client(boto3, service)

    def damage(self, mark=MARK, where=""):
        """Turns the lowest bit of the mark's middle, wherever it is kept, while the cloud is stopped."""
        self.cloud.stop()
        places = [place for place in files_with(self.cloud.folder, mark) if where in place[0]]
        self.assertTrue(places, "the mark is nowhere")
        for path, at in places:
            with open(path, "r+b") as file:
                file.seek(at + len(mark) // 2)
                byte = file.read(1)[0]
                file.seek(at + len(mark) // 2)
                file.write(bytes([byte ^ 1]))
        return [os.path.relpath(path, self.cloud.folder) for path, _ in places]

    def starts(self):
        """Whether the cloud starts on the damaged folder: where it does not, nothing is served."""
        try:
            self.cloud.start()
        except RuntimeError:
            self.cloud.process.wait(60)
            self.cloud.process = None
            return False
        return True

    def is_never_served(self, read, mark=MARK, where=""):
        """`read` gives what it got, as text; only the mark itself would be right, and it is gone."""
        self.assertIn(mark.decode(), str(read()))
        places = self.damage(mark, where)
        if not self.starts():
            return
        turned = mark.replace(mark[len(mark) // 2:], bytes([mark[len(mark) // 2] ^ 1]) + mark[len(mark) // 2 + 1:])
        try:
            got = str(read())
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, urllib.error.HTTPError):
            return
        self.assertNotIn(turned.decode(), got, f"{places} was damaged and served as good")

    def test_object_in_a_file(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="k", Body=bytes(3_000_000) + MARK + bytes(100))
        self.is_never_served(lambda: self.client("s3").get_object(Bucket="bucket", Key="k")["Body"].read()[-200:])

    def test_object_in_the_database(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="k", Body=MARK)
        self.is_never_served(lambda: self.client("s3").get_object(Bucket="bucket", Key="k")["Body"].read())

    def test_metadata_of_an_object(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="k", Body=b"x", Metadata={"m": MARK.decode()})
        self.is_never_served(lambda: self.client("s3").head_object(Bucket="bucket", Key="k")["Metadata"])

    def test_name_of_an_object(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key=MARK.decode(), Body=b"x")
        self.is_never_served(lambda: self.client("s3").list_objects_v2(Bucket="bucket")["Contents"])

    def test_policy_of_a_bucket(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Sid": MARK.decode(), "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}]})
        try:
            s3.put_bucket_policy(Bucket="bucket", Policy=policy)
        except botocore.exceptions.ClientError:
            s3.put_bucket_policy(Bucket="bucket", Policy=policy.replace(MARK.decode(), MARK.decode().replace("-", "")))
            self.is_never_served(lambda: self.client("s3").get_bucket_policy(Bucket="bucket")["Policy"],
                                 MARK.replace(b"-", b""))
            return
        self.is_never_served(lambda: self.client("s3").get_bucket_policy(Bucket="bucket")["Policy"])

    def test_item(self):
        tables = self.client("dynamodb")
        tables.create_table(TableName="table", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                            BillingMode="PAY_PER_REQUEST")
        tables.put_item(TableName="table", Item={"k": {"S": "1"}, "v": {"S": MARK.decode()}})
        self.is_never_served(lambda: [self.client("dynamodb").get_item(TableName="table", Key={"k": {"S": "1"}}),
                                      self.client("dynamodb").scan(TableName="table")])

    def test_message(self):
        url = self.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        self.client("sqs").send_message(QueueUrl=url, MessageBody=MARK.decode())
        self.is_never_served(lambda: self.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0))

    def test_topic(self):
        arn = self.client("sns").create_topic(Name="t", Attributes={"DisplayName": MARK.decode()})["TopicArn"]
        self.is_never_served(lambda: self.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"])

    def test_log_event(self):
        logs = self.client("logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[
            {"timestamp": int(clouds.time.time() * 1000), "message": MARK.decode()}])
        self.is_never_served(lambda: self.client("logs").filter_log_events(logGroupName="g")["events"])

    def test_alarm(self):
        self.client("cloudwatch").put_metric_alarm(
            AlarmName="a", AlarmDescription=MARK.decode(), Namespace="n", MetricName="m", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
        self.is_never_served(lambda: self.client("cloudwatch").describe_alarms()["MetricAlarms"])

    def test_user(self):
        iam = self.client("iam")
        iam.create_user(UserName="u", Tags=[{"Key": "k", "Value": MARK.decode()}])
        self.is_never_served(lambda: self.client("iam").list_user_tags(UserName="u")["Tags"])

    def refused_start(self):
        """The last line of a start that fails, which takes the code 1."""
        done = subprocess.run([KEN, "cloud", "--data", self.cloud.folder, "--listen", "127.0.0.1:0"], capture_output=True,
                              text=True, timeout=60, check=False, env={**os.environ, **self.cloud.keys()})
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.splitlines()[-1]

    def turn_bits(self, name, at):
        with open(os.path.join(self.cloud.folder, name), "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 4]))

    def test_a_start_that_cannot_read_names_service_and_file_and_what_to_do(self):
        self.client("sns").create_topic(Name="t")
        self.client("iam").create_user(UserName="u")
        self.client("sqs").create_queue(QueueName="kept")
        self.client("cloudwatch").put_metric_alarm(
            AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
            ComparisonOperator="GreaterThanThreshold")
        self.cloud.stop()
        for service, name, at in (("sns", "sns.sqlite", 50), ("sns", "sns.sqlite", 8192 + 300), ("iam", "iam/iam.json", 50),
                                  ("cloudwatch", "alarms.sqlite", 8192 + 300)):
            self.turn_bits(name, at)
            line = self.refused_start()
            self.turn_bits(name, at)
            self.assertIn(f"start {service}: ", line)
            self.assertIn(name, line)
            self.assertIn("put the file back from a copy, or move it away", line)
        self.turn_bits("sns.sqlite", 50)
        os.rename(os.path.join(self.cloud.folder, "sns.sqlite"), os.path.join(self.cloud.folder, "sns.damaged"))
        self.cloud.start()
        self.assertEqual(self.client("sns").list_topics()["Topics"], [])
        self.assertEqual(len(self.client("sqs").list_queues()["QueueUrls"]), 1)

    def make_function(self, **more):
        zipped = lambda_functions.make_zip({"bootstrap": (open(FUNCTION, "rb").read(), 0o755), "data": MARK})
        self.client("lambda").create_function(FunctionName="f", Runtime="provided.al2023", Handler="x", Role=ROLE,
                                              Code={"ZipFile": zipped}, Timeout=10, **more)
        clouds.wait_until(lambda: self.client("lambda").get_function_configuration(FunctionName="f")["State"] == "Active")

    def test_record_of_a_function(self):
        self.make_function(Environment={"Variables": {"MARK": MARK.decode()}})
        self.is_never_served(lambda: self.client("lambda").get_function_configuration(FunctionName="f")["Environment"])

    def test_code_of_a_function(self):
        self.make_function()

        def run():
            answer = self.client("lambda").invoke(FunctionName="f", Payload=b'"show data"')
            return answer["Payload"].read().decode()
        self.is_never_served(run)

    def test_api(self):
        api = self.client("apigateway").create_rest_api(name="a", description=MARK.decode())["id"]
        self.is_never_served(lambda: self.client("apigateway").get_rest_api(restApiId=api)["description"])

    def registry(self, method, path, data=None, kind="application/octet-stream"):
        token = self.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        request = urllib.request.Request(self.cloud.endpoint + path, data, {
            "Authorization": "Basic " + token, "Content-Type": kind}, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def push(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.registry("POST", f"/v2/repo/blobs/uploads/?digest={digest}", data)
        return {"digest": digest, "size": len(data)}

    def test_layer_of_an_image(self):
        self.client("ecr").create_repository(repositoryName="repo")
        layer = self.push(bytes(100_000) + MARK + bytes(1_000_000))
        self.is_never_served(lambda: self.registry("GET", f"/v2/repo/blobs/{layer['digest']}").strip(b"\0"))

    def test_manifest_of_an_image(self):
        self.client("ecr").create_repository(repositoryName="repo")
        config = self.push(b"{}")
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "layers": [], "annotations": {"m": MARK.decode()},
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config}}
        self.registry("PUT", "/v2/repo/manifests/v1", json.dumps(manifest).encode(), kind)
        self.is_never_served(lambda: self.registry("GET", "/v2/repo/manifests/v1"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
