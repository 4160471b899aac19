"""Queues as event sources of functions, and as the end of failed events, as boto3 sees them.
lambda_sqs_test.py KEN FUNCTION"""
import json
import os
import sys
import time
import unittest

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

FUNCTION = sys.argv[2]
ROLE = "arn:aws:iam::000000000000:role/test"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
os.environ["KEN_LAMBDA_RETRY_MS"] = "100"

# Does what the messages say: "fail" the whole batch, "report" that one message. Prints the batch.
READER = r"""#!/usr/bin/python3
import http.client, json, os, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    bodies = [record["body"] for record in event["Records"]]
    print("batch " + json.dumps(bodies), flush=True)
    print("event " + json.dumps(event), flush=True)
    if "slow" in bodies:
        time.sleep(0.5)
    failed = [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "report"]
    if "nonsense" in bodies:
        failed = [{"itemIdentifier": "nobody"}]
    what = "error" if "fail" in bodies else "response"
    api.request("POST", base + reply.headers["Lambda-Runtime-Aws-Request-Id"] + "/" + what,
                json.dumps({"batchItemFailures": failed}))
    api.getresponse().read()
"""


class QueueTest(clouds.Case):
    clients = {"client": "lambda", "logs": "logs", "sqs": "sqs"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.zip = functions.make_zip({"bootstrap": (READER, 0o755)})

    def create(self, name, code=None, **settings):
        self.client.create_function(FunctionName=name, Code={"ZipFile": code or self.zip},
                                    Role=ROLE, Runtime="provided.al2023", Handler="h",
                                    **{"Timeout": 2, **settings})

    def queue(self, name, **attributes):
        url = self.sqs.create_queue(QueueName=name, Attributes={
            "VisibilityTimeout": "2", **attributes})["QueueUrl"]
        return url, "arn:aws:sqs:us-east-1:000000000000:" + name

    def lines(self, name, start):
        try:
            events = self.logs.filter_log_events(logGroupName="/aws/lambda/" + name)["events"]
        except botocore.exceptions.ClientError:
            return []
        return [json.loads(event["message"][len(start):]) for event in events
                if event["message"].startswith(start)]

    def batches(self, name):
        return self.lines(name, "batch ")

    def left(self, url):
        reply = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(reply["ApproximateNumberOfMessages"]) + \
            int(reply["ApproximateNumberOfMessagesNotVisible"])

    def map(self, arn, function, **settings):
        return self.client.create_event_source_mapping(EventSourceArn=arn, FunctionName=function,
                                                       **settings)

    def knows(self, parameter):
        """Debian's boto3 does not know all of them."""
        model = self.client.meta.service_model.operation_model("CreateEventSourceMapping")
        return parameter in model.input_shape.members

    def test_wrong_mappings_are_refused(self):
        self.create("refused")
        _, arn = self.queue("refused")
        wrong = [{"BatchSize": 0}, {"MaximumBatchingWindowInSeconds": 301}, {"FunctionResponseTypes": ["x"]}]
        if self.knows("ScalingConfig"):
            wrong.append({"ScalingConfig": {"MaximumConcurrency": 1}})
        for settings in wrong:
            with self.subTest(settings=settings):
                self.refused("ValidationException", self.map, arn=arn, function="refused", **settings)
        for settings in ({"BatchSize": 11}, {"FilterCriteria": {"Filters": [{}]}}):
            with self.subTest(settings=settings):
                self.refused("InvalidParameterValueException", self.map, arn=arn,
                             function="refused", **settings)
        self.refused("InvalidParameterValueException", self.map, arn=arn + "x", function="refused")
        self.assertEqual("Function does not exist", self.refused(
            "InvalidParameterValueException", self.map, arn=arn, function="absent"))
        for pattern in ("null", "simple", '{"eventSource": "aws:sqs"}', '{"eventSource": []}'):
            self.assertEqual("Invalid filter pattern definition.", self.refused(
                "InvalidParameterValueException", self.map, arn=arn, function="refused",
                FilterCriteria={"Filters": [{"Pattern": pattern}]}))
        self.assertIn("kinesis", self.refused(
            "InvalidParameterValueException", self.map, function="refused",
            arn="arn:aws:kinesis:us-east-1:000000000000:stream/x"))
        _, fast = self.queue("fast", VisibilityTimeout="1")
        self.assertIn("visibility", self.refused("InvalidParameterValueException", self.map,
                                                 arn=fast, function="refused"))
        self.refused("ResourceNotFoundException", self.client.get_event_source_mapping,
                     UUID="00000000-0000-0000-0000-000000000000")

    def test_what_no_filter_lets_through_is_deleted(self):
        self.create("picky")
        url, arn = self.queue("mixed")
        filters = {"Filters": [{"Pattern": json.dumps({"body": {"kind": ["face"]}})},
                               {"Pattern": json.dumps({"body": ["plain"]})}]}
        made = self.map(arn, "picky", FilterCriteria=filters)
        self.assertEqual(made["FilterCriteria"], filters)
        face = json.dumps({"kind": "face"})
        bodies = [json.dumps({"kind": "cat"}), "other", face, "plain"] + ["noise"] * 20
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body)
        clouds.wait_until(lambda: self.left(url) == 0)
        clouds.wait_until(lambda: sorted(sum(self.batches("picky"), [])) == [
            "plain", face])
        updated = self.client.update_event_source_mapping(UUID=made["UUID"], FilterCriteria={})
        self.assertNotIn("FilterCriteria", updated)
        self.sqs.send_message(QueueUrl=url, MessageBody="other")
        clouds.wait_until(lambda: ["other"] in self.batches("picky"))

    def test_messages_reach_the_function_and_are_deleted(self):
        self.create("reader")
        url, arn = self.queue("jobs")
        mapping = self.map(arn, "reader")
        self.assertEqual(mapping["State"], "Creating")
        self.assertIn("existing mapping with UUID " + mapping["UUID"], self.refused(
            "ResourceConflictException", self.map, arn=arn, function="reader"))
        self.sqs.send_message(QueueUrl=url, MessageBody="one", MessageAttributes={
            "a": {"DataType": "String", "StringValue": "b"}})
        event = clouds.wait_until(lambda: self.lines("reader", "event "))[0]
        record = event["Records"][0]
        self.assertEqual((record["body"], record["eventSource"], record["eventSourceARN"],
                          record["awsRegion"]), ("one", "aws:sqs", arn, "us-east-1"))
        self.assertEqual(record["messageAttributes"]["a"], {
            "stringValue": "b", "stringListValues": [], "binaryListValues": [],
            "dataType": "String"})
        self.assertEqual(record["attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(record["md5OfBody"], "f97c5d29941bfb1b2fdab0874906ab82")
        clouds.wait_until(lambda: self.left(url) == 0)
        for i in range(0, 50, 10):
            self.sqs.send_message_batch(QueueUrl=url, Entries=[
                {"Id": str(n), "MessageBody": f"m{n}"} for n in range(i, i + 10)])
        clouds.wait_until(lambda: self.left(url) == 0)
        seen = [body for batch in self.batches("reader") for body in batch]
        self.assertEqual(sorted(seen), sorted(["one"] + [f"m{n}" for n in range(50)]))
        # Disabled, nothing is read; removed, neither.
        self.client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        self.assertEqual(self.client.get_event_source_mapping(UUID=mapping["UUID"])["State"],
                         "Disabled")
        self.sqs.send_message(QueueUrl=url, MessageBody="unread")
        time.sleep(0.3)
        self.assertEqual(self.left(url), 1)
        listed = self.client.list_event_source_mappings(FunctionName="reader")
        self.assertEqual([m["UUID"] for m in listed["EventSourceMappings"]], [mapping["UUID"]])
        self.client.delete_event_source_mapping(UUID=mapping["UUID"])
        self.refused("ResourceNotFoundException", self.client.get_event_source_mapping,
                     UUID=mapping["UUID"])

    def test_a_batch_is_gathered_for_its_window(self):
        self.create("window")
        url, arn = self.queue("window")
        self.map(arn, "window", BatchSize=100, MaximumBatchingWindowInSeconds=1)
        for i in range(12):
            self.sqs.send_message(QueueUrl=url, MessageBody=f"w{i}")
        clouds.wait_until(lambda: self.left(url) == 0)
        self.assertEqual(len(self.batches("window")), 1)
        self.assertEqual(len(self.batches("window")[0]), 12)

    def test_what_fails_comes_again_and_ends_in_the_dead_letters(self):
        self.create("fails")
        dead_url, dead = self.queue("dead")
        url, arn = self.queue("failing", RedrivePolicy=json.dumps(
            {"deadLetterTargetArn": dead, "maxReceiveCount": 2}))
        self.map(arn, "fails", BatchSize=10)
        self.sqs.send_message(QueueUrl=url, MessageBody="fail")
        clouds.wait_until(lambda: self.left(dead_url) == 1, 20)
        self.assertEqual(self.batches("fails"), [["fail"], ["fail"]])

    def test_a_part_of_a_batch_may_fail(self):
        self.create("part")
        url, arn = self.queue("part")
        self.map(arn, "part", FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=20,
                 MaximumBatchingWindowInSeconds=1)
        for body in ("a", "report", "b"):
            self.sqs.send_message(QueueUrl=url, MessageBody=body)
        clouds.wait_until(lambda: len(self.batches("part")) >= 2, 20)
        self.assertEqual(sorted(self.batches("part")[0]), ["a", "b", "report"])
        self.assertEqual(self.batches("part")[1], ["report"])
        self.assertEqual(self.left(url), 1)

    def test_an_answer_that_names_nobody_fails_the_batch(self):
        self.create("nonsense")
        url, arn = self.queue("nonsense")
        self.map(arn, "nonsense", FunctionResponseTypes=["ReportBatchItemFailures"])
        self.sqs.send_message(QueueUrl=url, MessageBody="nonsense")
        clouds.wait_until(lambda: len(self.batches("nonsense")) >= 2, 20)

    def test_the_order_of_a_group_is_kept(self):
        self.create("ordered")
        url, arn = self.queue("ordered.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        self.map(arn, "ordered", BatchSize=3)
        for i in range(12):
            self.sqs.send_message(QueueUrl=url, MessageBody=f"{i}", MessageGroupId=f"g{i % 2}")
        clouds.wait_until(lambda: self.left(url) == 0)
        seen = [int(body) for batch in self.batches("ordered") for body in batch]
        for group in (0, 1):
            own = [i for i in seen if i % 2 == group]
            self.assertEqual(own, sorted(own))
        self.assertEqual(len(seen), 12)
        record = self.lines("ordered", "event ")[0]["Records"][0]
        self.assertIsNone(record["md5OfMessageAttributes"])
        self.assertIn("SequenceNumber", record["attributes"])
        self.assertIn("MessageGroupId", record["attributes"])

    def test_no_more_batches_at_a_time_than_were_asked_for(self):
        if not self.knows("ScalingConfig"):
            self.skipTest("this boto3 does not know ScalingConfig")
        self.create("two")
        url, arn = self.queue("two")
        self.map(arn, "two", BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        for _ in range(6):
            self.sqs.send_message(QueueUrl=url, MessageBody="slow")
        clouds.wait_until(lambda: self.left(url) == 0)
        streams = self.logs.describe_log_streams(logGroupName="/aws/lambda/two")["logStreams"]
        self.assertEqual(len(streams), 2)  # one an instance

    def test_a_failed_event_ends_in_the_dead_letter_queue(self):
        url, arn = self.queue("letters")
        self.create("letter", functions.program_zip(FUNCTION), DeadLetterConfig={"TargetArn": arn})
        reply = self.client.invoke(FunctionName="letter", InvocationType="Event",
                                   Payload=b'"error"')
        message = clouds.wait_until(lambda: self.sqs.receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5).get("Messages"))[0]
        self.assertEqual(message["Body"], '"error"')
        attributes = {name: value["StringValue"]
                      for name, value in message["MessageAttributes"].items()}
        self.assertEqual(attributes, {
            "RequestID": reply["ResponseMetadata"]["RequestId"], "ErrorCode": "200",
            "ErrorMessage": "as asked"})

    def test_the_end_of_an_event_goes_to_a_queue(self):
        url, arn = self.queue("ends")
        self.create("ends", functions.program_zip(FUNCTION))
        self.client.put_function_event_invoke_config(
            FunctionName="ends", DestinationConfig={"OnSuccess": {"Destination": arn}})
        self.client.invoke(FunctionName="ends", InvocationType="Event", Payload=b'"echo x"')
        message = clouds.wait_until(lambda: self.sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=5).get("Messages"))[0]
        record = json.loads(message["Body"])
        self.assertEqual(record["requestContext"]["condition"], "Success")
        self.assertEqual(record["responsePayload"], "x")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
