"""SNS through boto3, with SQS and HTTP at the other end. sns_test.py KEN"""
import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn",
          "Type")


def signature_holds(message):
    """As a receiver checks it: the certificate from the message, openssl for the arithmetic."""
    text = "".join(f"{name}\n{message[name]}\n" for name in SIGNED if name in message)
    certificate = urllib.request.urlopen(message["SigningCertURL"]).read()
    digest = "-sha256" if message["SignatureVersion"] == "2" else "-sha1"
    with tempfile.TemporaryDirectory() as folder:
        def put(name, data):
            path = os.path.join(folder, name)
            with open(path, "wb") as out:
                out.write(data)
            return path
        key = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=certificate,
                             capture_output=True, check=True).stdout
        check = subprocess.run(["openssl", "dgst", digest, "-verify", put("key", key), "-signature",
                                put("signature", base64.b64decode(message["Signature"])),
                                put("text", text.encode())], capture_output=True, check=False)
    return check.returncode == 0


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it gets; answers with the statuses it is given first."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.got, self.statuses = [], []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *ignored):
        pass


class SnsTest(clouds.Case):
    clients = {"sns": "sns", "sqs": "sqs"}

    def topic(self, suffix="", **attributes):
        type(self).count += 1
        return self.sns.create_topic(Name=f"topic-{self.count}{suffix}",
                                     Attributes=attributes)["TopicArn"]

    def queue(self, suffix="", **attributes):
        type(self).count += 1
        url = self.sqs.create_queue(QueueName=f"queue-{self.count}{suffix}",
                                    Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, arn["Attributes"]["QueueArn"]

    def subscribed(self, topic, suffix="", queue_attributes=None, **attributes):
        url, arn = self.queue(suffix, **(queue_attributes or {}))
        subscription = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn,
                                          Attributes=attributes,
                                          ReturnSubscriptionArn=True)["SubscriptionArn"]
        return url, subscription

    def receive(self, url):
        got = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"],
                                       MessageAttributeNames=["All"]).get("Messages", [])
        for message in got:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return got

    # -- topics --

    def test_wrong_topics_are_refused(self):
        create = self.sns.create_topic
        for name in ("", "a b", "x" * 257, "a.fifo"):
            self.assertIn("Topic Name", self.refused("InvalidParameter", create, Name=name))
        self.refused("InvalidParameter", create, Name="a", Attributes={"FifoTopic": "true"})
        self.refused("InvalidParameter", create, Name="a", Attributes={"Colour": "red"})
        self.refused("InvalidParameter", create, Name="a", Attributes={"Policy": "no json"})
        self.refused("InvalidParameter", create, Name="a", Tags=[{"Key": "k", "Value": "1"}] * 2)
        topic = create(Name="present")["TopicArn"]
        self.assertEqual(create(Name="present")["TopicArn"], topic)
        self.assertIn("different attributes", self.refused(
            "InvalidParameter", create, Name="present", Attributes={"DisplayName": "x"}))
        self.refused("NotFound", self.sns.get_topic_attributes, TopicArn=topic + "x")
        self.assertIn("6 elements, not 1", self.refused(
            "InvalidParameter", self.sns.publish, TopicArn="topic", Message="x"))
        self.refused("NotFound", self.sns.publish, TopicArn=topic + "x", Message="x")

    def test_attributes_tags_and_permissions(self):
        topic = self.topic(DisplayName="shown")
        got = self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]
        self.assertEqual((got["DisplayName"], got["Owner"], got["SubscriptionsConfirmed"]),
                         ("shown", "000000000000", "0"))
        self.assertEqual(json.loads(got["Policy"])["Id"], "__default_policy_ID")
        self.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName",
                                      AttributeValue="new")
        self.assertEqual(self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"],
                         "new")
        self.refused("InvalidParameter", self.sns.set_topic_attributes, TopicArn=topic,
                     AttributeName="FifoTopic", AttributeValue="true")
        self.sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "1"},
                                                       {"Key": "b", "Value": "2"}])
        self.sns.untag_resource(ResourceArn=topic, TagKeys=["a"])
        self.assertEqual(self.sns.list_tags_for_resource(ResourceArn=topic)["Tags"],
                         [{"Key": "b", "Value": "2"}])
        self.sns.add_permission(TopicArn=topic, Label="other", AWSAccountId=["111122223333"],
                                ActionName=["Publish"])
        policy = json.loads(self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
        self.assertEqual(policy["Statement"][1]["Action"], "SNS:Publish")
        for label, action, why in (("other", "Publish", "Statement already exists"),
                                   ("mine", "Shout", "action out of service scope")):
            self.assertIn(why, self.refused(
                "InvalidParameter", self.sns.add_permission, TopicArn=topic, Label=label,
                AWSAccountId=["111122223333"], ActionName=[action]))
        self.sns.remove_permission(TopicArn=topic, Label="other")
        policy = json.loads(self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
        self.assertEqual(len(policy["Statement"]), 1)

    def test_topics_are_listed_by_pages(self):
        made = {self.sns.create_topic(Name=f"page-{i}")["TopicArn"] for i in range(120)}
        seen = [t["TopicArn"] for page in self.sns.get_paginator("list_topics").paginate()
                for t in page["Topics"]]
        self.assertTrue(made <= set(seen))
        self.assertEqual(len(seen), len(set(seen)))
        for topic in made:
            self.sns.delete_topic(TopicArn=topic)
        self.sns.delete_topic(TopicArn=made.pop())

    # -- subscriptions --

    def test_wrong_subscriptions_are_refused(self):
        topic = self.topic()
        _, queue = self.queue()
        _, fifo = self.queue(".fifo", FifoQueue="true")
        subscribe = lambda protocol, endpoint, **attributes: self.sns.subscribe(
            TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
        for protocol, endpoint in (("pigeon", "home"), ("sqs", "queue"), ("sqs", queue + ":x"),
                                   ("sqs", fifo), ("http", "https://a/"), ("https", "a"),
                                   ("email", "a@b.c"), ("sms", "+1555"),
                                   ("lambda", "arn:aws:lambda:us-east-1:000000000000")):
            self.refused("InvalidParameter", subscribe, protocol=protocol, endpoint=endpoint)
        for attributes in ({"Colour": "red"}, {"RawMessageDelivery": "perhaps"},
                           {"FilterPolicy": "no json"}, {"FilterPolicyScope": "Elsewhere"},
                           {"FilterPolicy": '{"a": "b"}'}, {"FilterPolicy": '{"a": {"b": ["c"]}}'},
                           {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}):
            self.refused("InvalidParameter", subscribe, protocol="sqs", endpoint=queue, **attributes)
        message = self.refused("InvalidParameter", subscribe, protocol="sqs", endpoint=queue,
                               FilterPolicy='{"key":[{"suffix":100}]}')
        self.assertIn("Attributes Reason: FilterPolicy: suffix match pattern must be a string",
                      message)
        self.refused("NotFound", self.sns.get_subscription_attributes,
                     SubscriptionArn=topic + ":absent")
        self.refused("InvalidParameter", self.sns.unsubscribe, SubscriptionArn="x")
        self.sns.unsubscribe(SubscriptionArn=topic + ":absent")

    def test_a_subscription_has_attributes(self):
        topic = self.topic()
        url, arn = self.subscribed(topic, RawMessageDelivery="true")
        get = lambda: self.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        got = get()
        self.assertEqual((got["Protocol"], got["RawMessageDelivery"], got["PendingConfirmation"],
                          got["ConfirmationWasAuthenticated"], got["TopicArn"]),
                         ("sqs", "true", "false", "true", topic))
        self.assertNotIn("FilterPolicyScope", got)
        same = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=got["Endpoint"])
        self.assertEqual(same["SubscriptionArn"], arn)
        self.refused("InvalidParameter", self.sns.subscribe, TopicArn=topic, Protocol="sqs",
                     Endpoint=got["Endpoint"], Attributes={"RawMessageDelivery": "false"})
        self.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy",
                                             AttributeValue='{"a": ["b"]}')
        self.assertEqual(get()["FilterPolicyScope"], "MessageAttributes")
        self.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy",
                                             AttributeValue="{}")
        self.assertNotIn("FilterPolicy", get())
        self.refused("InvalidParameter", self.sns.set_subscription_attributes, SubscriptionArn=arn,
                     AttributeName="Colour", AttributeValue="red")
        listed = self.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        self.assertEqual([s["SubscriptionArn"] for s in listed], [arn])
        self.assertIn(arn, [s["SubscriptionArn"]
                            for s in self.sns.list_subscriptions()["Subscriptions"]])
        self.sns.unsubscribe(SubscriptionArn=arn)
        self.sns.publish(TopicArn=topic, Message="x")
        self.assertEqual(self.receive(url), [])

    # -- messages --

    def test_wrong_messages_are_refused(self):
        topic = self.topic()
        publish = lambda **more: self.sns.publish(TopicArn=topic, **more)
        self.refused("InvalidParameter", publish, Message="")
        self.refused("InvalidParameter", publish, Message="x" * 262145)
        self.refused("InvalidParameter", publish, Message="x", Subject="x" * 101)
        self.refused("InvalidParameter", publish, Message="x", Subject="a\nb")
        self.refused("InvalidParameter", publish, Message="{", MessageStructure="json")
        self.refused("InvalidParameter", publish, Message='{"sqs": "x"}', MessageStructure="json")
        self.refused("InvalidParameter", publish, Message="x", MessageDeduplicationId="d")
        self.refused("ParameterValueInvalid", publish, Message="x", MessageAttributes={
            "a": {"DataType": "Color", "StringValue": "x"}})
        batch = lambda entries: self.sns.publish_batch(TopicArn=topic,
                                                       PublishBatchRequestEntries=entries)
        self.refused("EmptyBatchRequest", batch, entries=[])
        self.refused("BatchEntryIdsNotDistinct", batch, entries=[{"Id": "a", "Message": "x"}] * 2)
        self.refused("TooManyEntriesInBatchRequest", batch,
                     entries=[{"Id": str(i), "Message": "x"} for i in range(11)])

    def test_a_message_goes_to_every_queue(self):
        topic = self.topic()
        url, arn = self.subscribed(topic)
        raw, _ = self.subscribed(topic, RawMessageDelivery="true")
        attributes = {"n": {"DataType": "Number", "StringValue": "5"},
                      "b": {"DataType": "Binary", "BinaryValue": b"\1\2"}}
        sent = self.sns.publish(TopicArn=topic, Message="h\u00e9llo", Subject="subject",
                                MessageAttributes=attributes)
        got, = self.receive(url)
        body = json.loads(got["Body"])
        self.assertEqual({k: body[k] for k in ("Type", "MessageId", "TopicArn", "Subject",
                                               "Message", "SignatureVersion")},
                         {"Type": "Notification", "MessageId": sent["MessageId"],
                          "TopicArn": topic, "Subject": "subject", "Message": "h\u00e9llo",
                          "SignatureVersion": "1"})
        self.assertEqual(body["MessageAttributes"],
                         {"n": {"Type": "Number", "Value": "5"},
                          "b": {"Type": "Binary", "Value": "AQI="}})
        self.assertRegex(body["Timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIn("Action=Unsubscribe&SubscriptionArn=" + arn, body["UnsubscribeURL"])
        self.assertTrue(signature_holds(body))
        body["Message"] = "other"
        self.assertFalse(signature_holds(body))
        got, = self.receive(raw)
        self.assertEqual(got["Body"], "h\u00e9llo")
        self.assertEqual(got["MessageAttributes"]["b"]["BinaryValue"], b"\1\2")
        self.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion",
                                      AttributeValue="2")
        self.sns.publish(TopicArn=topic, MessageStructure="json",
                         Message=json.dumps({"default": "all", "sqs": "queues"}))
        body = json.loads(self.receive(url)[0]["Body"])
        self.assertEqual((body["Message"], body["SignatureVersion"]), ("queues", "2"))
        self.assertNotIn("Subject", body)
        self.assertTrue(signature_holds(body))

    def test_a_batch(self):
        topic = self.topic()
        url, _ = self.subscribed(topic, RawMessageDelivery="true")
        answer = self.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
            {"Id": "1", "Message": "one"}, {"Id": "2", "Message": ""},
            {"Id": "3", "Message": "three"}])
        self.assertEqual([e["Id"] for e in answer["Successful"]], ["1", "3"])
        self.assertEqual([(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]],
                         [("2", "InvalidParameter", True)])
        self.assertEqual(sorted(m["Body"] for m in self.receive(url)), ["one", "three"])

    def test_filters(self):
        topic = self.topic()
        url, arn = self.subscribed(topic, RawMessageDelivery="true",
                                   FilterPolicy='{"price": [{"numeric": [">", 10]}], '
                                                '"store": [{"prefix": "a"}, "shop"]}')
        def publish(message, **attributes):
            self.sns.publish(TopicArn=topic, Message=message, MessageAttributes={
                name: {"DataType": "Number" if isinstance(value, int) else "String",
                       "StringValue": str(value)} for name, value in attributes.items()})
        publish("1", price=11, store="shop")
        publish("2", price=10, store="shop")
        publish("3", price=12, store="abc")
        publish("4", price=12)
        publish("5", price="12", store="shop")
        self.assertEqual(sorted(m["Body"] for m in self.receive(url)), ["1", "3"])
        for name, value in (("FilterPolicyScope", "MessageBody"),
                            ("FilterPolicy", '{"a": {"b": [{"exists": true}]}}')):
            self.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name,
                                                 AttributeValue=value)
        for message in ('{"a": {"b": 1}}', '{"a": {"c": 1}}', "no json", '{"a": [{"b": 2}]}'):
            publish(message)
        self.assertEqual(sorted(m["Body"] for m in self.receive(url)),
                         ['{"a": [{"b": 2}]}', '{"a": {"b": 1}}'])

    def test_a_fifo_topic(self):
        topic = self.topic(".fifo", FifoTopic="true")
        url, _ = self.subscribed(topic, ".fifo", {"FifoQueue": "true"}, RawMessageDelivery="true")
        publish = lambda **more: self.sns.publish(TopicArn=topic, Message="x", **more)
        self.refused("InvalidParameter", publish)
        self.refused("InvalidParameter", publish, MessageGroupId="g")
        first = publish(MessageGroupId="g", MessageDeduplicationId="1")
        again = publish(MessageGroupId="g", MessageDeduplicationId="1")
        second = publish(MessageGroupId="g", MessageDeduplicationId="2")
        self.assertEqual(first["MessageId"], again["MessageId"])
        self.assertLess(first["SequenceNumber"], second["SequenceNumber"])
        self.assertEqual([m["Attributes"]["MessageDeduplicationId"] for m in self.receive(url)],
                         ["1", "2"])

    def test_dead_letters(self):
        topic = self.topic()
        dead, dead_arn = self.queue()
        url, _ = self.subscribed(topic, RawMessageDelivery="true",
                                 RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn}))
        self.sqs.delete_queue(QueueUrl=url)
        self.sns.publish(TopicArn=topic, Message="lost")
        self.assertEqual([m["Body"] for m in self.receive(dead)], ["lost"])

    # -- functions --

    def test_a_function_gets_the_event(self):
        client, logs = self.cloud.client(boto3, "lambda"), self.cloud.client(boto3, "logs")
        arn = client.create_function(
            FunctionName="reader", Role="arn:aws:iam::000000000000:role/ken",
            Runtime="provided.al2023", Handler="h",
            Code={"ZipFile": functions.shell_zip()})["FunctionArn"]
        topic = self.topic()
        functions.allow_service(client, "reader", "sns")
        subscription = self.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn,
                                          ReturnSubscriptionArn=True)["SubscriptionArn"]
        self.refused("InvalidParameter", self.sns.set_subscription_attributes,
                     SubscriptionArn=subscription, AttributeName="RawMessageDelivery",
                     AttributeValue="true")
        sent = self.sns.publish(TopicArn=topic, Message="for the function")

        def line():
            try:
                found = logs.filter_log_events(logGroupName="/aws/lambda/reader",
                                               filterPattern='"shell got"')["events"]
            except botocore.exceptions.ClientError:  # no group before the first line
                return None
            return found and found[0]["message"]
        text = clouds.wait_until(line, 30)
        record, = json.loads(text.split("shell got ", 1)[1])["Records"]
        self.assertEqual((record["EventSource"], record["EventSubscriptionArn"]),
                         ("aws:sns", subscription))
        message = record["Sns"]
        self.assertEqual((message["MessageId"], message["Message"], message["Subject"],
                          message["MessageAttributes"]),
                         (sent["MessageId"], "for the function", None, {}))
        self.assertIn("SigningCertUrl", message)

    # -- HTTP --

    def test_an_address_confirms_and_gets_messages(self):
        receiver = Receiver()
        topic = self.topic()
        answer = self.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
        self.assertEqual(answer["SubscriptionArn"], "pending confirmation")
        headers, body = clouds.wait_until(lambda: receiver.got and receiver.got[0])
        confirmation = json.loads(body)
        self.assertEqual(headers["x-amz-sns-message-type"], "SubscriptionConfirmation")
        self.assertTrue(signature_holds(confirmation))
        self.sns.publish(TopicArn=topic, Message="too early")
        self.refused("InvalidParameter", self.sns.confirm_subscription, TopicArn=topic, Token="x")
        with urllib.request.urlopen(confirmation["SubscribeURL"]) as visited:
            self.assertIn(b"<SubscriptionArn>" + topic.encode(), visited.read())
        receiver.got.clear()
        receiver.statuses = [500]
        self.sns.publish(TopicArn=topic, Message="hello")
        clouds.wait_until(lambda: len(receiver.got) == 2)
        headers, body = receiver.got[1]
        message = json.loads(body)
        self.assertEqual(message["Message"], "hello")
        self.assertEqual(headers["x-amz-sns-message-id"], message["MessageId"])
        self.assertTrue(signature_holds(message))
        with urllib.request.urlopen(message["UnsubscribeURL"]):
            pass
        self.assertEqual(self.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"], [])
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(self.cloud.endpoint + "/?Action=ListTopics&X="
                                   "Action=ConfirmSubscription")
        self.assertEqual(caught.exception.code, 403)
        receiver.shutdown()

    def test_an_undelivered_message_survives_a_kill(self):
        receiver = Receiver()
        topic = self.topic()
        self.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
        _, body = clouds.wait_until(lambda: receiver.got and receiver.got[0])
        self.sns.confirm_subscription(TopicArn=topic, Token=json.loads(body)["Token"])
        receiver.got.clear()
        receiver.statuses = [500] * 2
        self.sns.publish(TopicArn=topic, Message="kept")
        clouds.wait_until(lambda: receiver.got)
        self.cloud.stop(signal.SIGKILL)
        self.cloud.start()
        type(self).sns = self.cloud.client(boto3, "sns")
        type(self).sqs = self.cloud.client(boto3, "sqs")
        receiver.statuses = []
        before = len(receiver.got)
        clouds.wait_until(lambda: len(receiver.got) > before, 90)
        self.assertEqual(json.loads(receiver.got[-1][1])["Message"], "kept")
        receiver.shutdown()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
