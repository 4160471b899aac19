"""SQS through boto3, in whatever protocol this boto3 speaks. sqs_test.py KEN"""
import hashlib
import json
import os
import signal
import struct
import sys
import threading
import time
import unittest

import cloud as clouds

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


def attributes_md5(attributes):
    digest = hashlib.md5()

    def add(data):
        digest.update(struct.pack(">I", len(data)) + data)
    for name, value in sorted(attributes.items()):
        add(name.encode())
        add(value["DataType"].encode())
        binary = "BinaryValue" in value
        digest.update(b"\2" if binary else b"\1")
        add(value["BinaryValue"] if binary else value["StringValue"].encode())
    return digest.hexdigest()


class SqsTest(clouds.Case):
    clients = {"sqs": "sqs"}

    def queue(self, suffix="", **attributes):
        type(self).count += 1
        name = f"queue-{self.count}{suffix}"
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def fifo(self, **attributes):
        return self.queue(".fifo", FifoQueue="true", **attributes)

    def arn(self, url):
        return self.attribute(url, "QueueArn")

    def attribute(self, url, name):
        got = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return got.get("Attributes", {}).get(name)

    def receive(self, url, **arguments):
        arguments.setdefault("MaxNumberOfMessages", 10)
        return self.sqs.receive_message(QueueUrl=url, AttributeNames=["All"],
                                        **arguments).get("Messages", [])

    # -- queues --

    def test_wrong_queues_are_refused(self):
        create = self.sqs.create_queue
        for name in ("", "a b", "x" * 81, "a.fifo", "a/b"):
            self.refused("InvalidParameterValue", create, QueueName=name)
        for attributes, code in (({"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
                                 ({"DelaySeconds": "-1"}, "InvalidAttributeValue"),
                                 ({"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"),
                                 ({"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
                                 ({"ReceiveMessageWaitTimeSeconds": "x"}, "InvalidAttributeValue"),
                                 ({"Policy": "no json"}, "InvalidAttributeValue"),
                                 ({"RedrivePolicy": "{}"}, "InvalidParameterValue"),
                                 ({"FifoQueue": "false"}, "InvalidAttributeName"),
                                 ({"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
                                 ({"QueueArn": "x"}, "InvalidAttributeName"),
                                 ({"Colour": "red"}, "InvalidAttributeName")):
            self.refused(code, create, QueueName="wrong", Attributes=attributes)
        self.refused("InvalidParameterValue", create, QueueName="wrong",
                     Attributes={"FifoQueue": "true"})
        self.refused(NO_QUEUE, self.sqs.get_queue_url, QueueName="wrong")
        self.refused(NO_QUEUE, self.sqs.send_message, MessageBody="x",
                     QueueUrl=self.cloud.endpoint + "/000000000000/wrong")
        self.refused(NO_QUEUE, self.sqs.send_message, MessageBody="x",
                     QueueUrl=self.queue().replace("000000000000", "111111111111"))

    def test_a_queue_is_made_once(self):
        url = self.queue(DelaySeconds="2")
        name = url.rsplit("/", 1)[1]
        again = self.sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "2"})
        self.assertEqual(again["QueueUrl"], url)
        message = self.refused("QueueAlreadyExists", self.sqs.create_queue, QueueName=name,
                               Attributes={"DelaySeconds": "3"})
        self.assertIn("DelaySeconds", message)
        self.assertEqual(self.sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
        self.sqs.delete_queue(QueueUrl=url)
        self.refused(NO_QUEUE, self.sqs.get_queue_url, QueueName=name)
        self.refused(NO_QUEUE, self.sqs.delete_queue, QueueUrl=url)

    def test_queues_are_listed_by_pages(self):
        for i in range(5):
            self.sqs.create_queue(QueueName=f"page-{i}")
        self.assertNotIn("QueueUrls", self.sqs.list_queues(QueueNamePrefix="absent"))
        seen, token = [], {}
        while True:
            page = self.sqs.list_queues(QueueNamePrefix="page-", MaxResults=2, **token)
            seen += [url.rsplit("/", 1)[1] for url in page["QueueUrls"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        self.assertEqual(seen, [f"page-{i}" for i in range(5)])

    def test_attributes(self):
        url = self.queue()
        got = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(got["VisibilityTimeout"], "30")
        self.assertEqual(got["ApproximateNumberOfMessages"], "0")
        self.assertNotIn("FifoQueue", got)
        self.assertTrue(got["QueueArn"].startswith("arn:aws:sqs:us-east-1:000000000000:queue-"))
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={
            "VisibilityTimeout": "7", "Policy": policy})
        self.assertEqual(self.attribute(url, "VisibilityTimeout"), "7")
        self.assertEqual(self.attribute(url, "Policy"), policy)
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        self.assertIsNone(self.attribute(url, "Policy"))
        self.refused("InvalidAttributeValue", self.sqs.set_queue_attributes, QueueUrl=url,
                     Attributes={"VisibilityTimeout": "-1"})
        self.refused("InvalidAttributeName", self.sqs.get_queue_attributes, QueueUrl=url,
                     AttributeNames=["Colour"])

    def test_tags_and_permissions(self):
        url = self.queue()
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=url).get("Tags", {}), {})
        self.sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": ""})
        self.sqs.untag_queue(QueueUrl=url, TagKeys=["a", "z"])
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=url)["Tags"], {"b": ""})
        made = self.sqs.create_queue(QueueName="tagged", tags={"k": "v"})["QueueUrl"]
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=made)["Tags"], {"k": "v"})
        add = dict(QueueUrl=url, Label="other", AWSAccountIds=["111122223333"],
                   Actions=["SendMessage", "ReceiveMessage"])
        self.sqs.add_permission(**add)
        statement, = json.loads(self.attribute(url, "Policy"))["Statement"]
        self.assertEqual(statement["Action"], ["SQS:SendMessage", "SQS:ReceiveMessage"])
        self.assertEqual(statement["Principal"], {"AWS": "arn:aws:iam::111122223333:root"})
        self.refused("InvalidParameterValue", self.sqs.add_permission, **add)
        self.sqs.remove_permission(QueueUrl=url, Label="other")
        self.assertIsNone(self.attribute(url, "Policy"))
        self.refused("InvalidParameterValue", self.sqs.remove_permission, QueueUrl=url, Label="x")

    # -- messages --

    def test_wrong_messages_are_refused(self):
        url = self.queue(MaximumMessageSize="1024")
        send = self.sqs.send_message
        self.refused("MissingParameter", send, QueueUrl=url, MessageBody="")
        self.refused("InvalidMessageContents", send, QueueUrl=url, MessageBody="\x01")
        self.refused("InvalidMessageContents", send, QueueUrl=url, MessageBody="\uffff")
        self.assertIn("shorter than 1024 bytes", self.refused(
            "InvalidParameterValue", send, QueueUrl=url, MessageBody="x" * 1025))
        self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x",
                     DelaySeconds=901)
        self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x",
                     MessageDeduplicationId="d")
        for attributes in ({"a": {"DataType": "Color", "StringValue": "x"}},
                           {"a": {"DataType": "String", "StringValue": ""}},
                           {"a": {"DataType": "Number", "StringValue": "ten"}},
                           {"AWS.a": {"DataType": "String", "StringValue": "x"}},
                           {"a b": {"DataType": "String", "StringValue": "x"}},
                           {f"a{i}": {"DataType": "String", "StringValue": "x"}
                            for i in range(11)}):
            self.refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="x",
                         MessageAttributes=attributes)
        self.refused("InvalidParameterValue", self.sqs.receive_message, QueueUrl=url,
                     MaxNumberOfMessages=11)
        self.refused("InvalidParameterValue", self.sqs.receive_message, QueueUrl=url,
                     WaitTimeSeconds=21)
        self.refused("ReceiptHandleIsInvalid", self.sqs.delete_message, QueueUrl=url,
                     ReceiptHandle="garbage")
        self.assertEqual(self.receive(url), [])

    def test_a_message_goes_through(self):
        url = self.queue()
        attributes = {"text": {"DataType": "String.custom", "StringValue": "x\u00fc"},
                      "data": {"DataType": "Binary", "BinaryValue": b"\0\1\xff"},
                      "number": {"DataType": "Number", "StringValue": "-1.5e3"}}
        body = "hello <\u4e16\u754c> & \U0001f600\r\n\t"
        sent = self.sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageAttributes=attributes,
            MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String",
                                                        "StringValue": "Root=1-5-6"}})
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5(body.encode()).hexdigest())
        self.assertEqual(sent["MD5OfMessageAttributes"], attributes_md5(attributes))
        self.assertEqual(sent["MD5OfMessageSystemAttributes"], attributes_md5(
            {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5-6"}}))
        got, = self.receive(url, MessageAttributeNames=["All"], VisibilityTimeout=0)
        self.assertEqual((got["Body"], got["MessageId"]), (body, sent["MessageId"]))
        self.assertEqual(got["MD5OfMessageAttributes"], attributes_md5(attributes))
        self.assertEqual(got["MessageAttributes"]["data"]["BinaryValue"], b"\0\1\xff")
        self.assertEqual(got["Attributes"]["AWSTraceHeader"], "Root=1-5-6")
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        some, = self.receive(url, MessageAttributeNames=["nu*", "te.*"])
        self.assertEqual(sorted(some["MessageAttributes"]), ["number", "text"])
        self.assertEqual(some["Attributes"]["ApproximateReceiveCount"], "2")
        self.assertNotEqual(some["ReceiptHandle"], got["ReceiptHandle"])
        self.assertEqual(self.receive(url), [])
        self.assertEqual(self.attribute(url, "ApproximateNumberOfMessagesNotVisible"), "1")
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=some["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=some["ReceiptHandle"])
        self.assertEqual(self.attribute(url, "ApproximateNumberOfMessagesNotVisible"), "0")

    def test_a_mebibyte_is_a_message(self):
        url = self.queue()
        self.sqs.send_message(QueueUrl=url, MessageBody="x" * 1048576)
        self.assertEqual(len(self.receive(url)[0]["Body"]), 1048576)
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url,
                     MessageBody="x" * 1048577)
        self.refused("AWS.SimpleQueueService.BatchRequestTooLong", self.sqs.send_message_batch,
                     QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "x" * 600000}
                                            for i in range(2)])

    def test_batches(self):
        url = self.queue()
        batch = self.sqs.send_message_batch
        self.refused("AWS.SimpleQueueService.EmptyBatchRequest", batch, QueueUrl=url, Entries=[])
        self.refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", batch, QueueUrl=url,
                     Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(11)])
        self.refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", batch, QueueUrl=url,
                     Entries=[{"Id": "a", "MessageBody": "x"}] * 2)
        self.refused("AWS.SimpleQueueService.InvalidBatchEntryId", batch, QueueUrl=url,
                     Entries=[{"Id": "a:b", "MessageBody": "x"}])
        sent = batch(QueueUrl=url, Entries=[
            {"Id": "good", "MessageBody": "x"},
            {"Id": "empty", "MessageBody": ""},
            {"Id": "late", "MessageBody": "x", "DelaySeconds": 1000}])
        self.assertEqual([e["Id"] for e in sent["Successful"]], ["good"])
        self.assertEqual({e["Id"]: (e["Code"], e["SenderFault"]) for e in sent["Failed"]},
                         {"empty": ("MissingParameter", True),
                          "late": ("InvalidParameterValue", True)})
        message, = self.receive(url)
        entries = [{"Id": "1", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 5},
                   {"Id": "2", "ReceiptHandle": "garbage", "VisibilityTimeout": 5}]
        changed = self.sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
        self.assertEqual([e["Id"] for e in changed["Successful"]], ["1"])
        self.assertEqual(changed["Failed"][0]["Code"], "ReceiptHandleIsInvalid")
        for entry in entries:
            del entry["VisibilityTimeout"]
        deleted = self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        self.assertEqual([e["Id"] for e in deleted["Successful"]], ["1"])
        self.assertEqual([e["Id"] for e in deleted["Failed"]], ["2"])

    def test_visibility_and_delay(self):
        url = self.queue()
        self.sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
        self.assertEqual(self.attribute(url, "ApproximateNumberOfMessagesDelayed"), "1")
        self.assertEqual(self.receive(url), [])
        message, = self.receive(url, WaitTimeSeconds=5, VisibilityTimeout=60)
        change = self.sqs.change_message_visibility
        self.refused("InvalidParameterValue", change, QueueUrl=url, VisibilityTimeout=43201,
                     ReceiptHandle=message["ReceiptHandle"])
        change(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        self.refused("AWS.SimpleQueueService.MessageNotInflight", change, QueueUrl=url,
                     ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=5)
        again, = self.receive(url, VisibilityTimeout=1)
        start = time.monotonic()
        self.assertEqual(len(self.receive(url, WaitTimeSeconds=5, VisibilityTimeout=0)), 1)
        self.assertLess(time.monotonic() - start, 2)
        late, = self.receive(url, VisibilityTimeout=0)
        time.sleep(0.05)
        change(QueueUrl=url, ReceiptHandle=late["ReceiptHandle"], VisibilityTimeout=60)
        self.assertEqual(self.receive(url), [])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.refused("InvalidParameterValue", change, QueueUrl=url,
                     ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=5)

    def test_a_long_poll_ends_with_the_first_message(self):
        url = self.queue(ReceiveMessageWaitTimeSeconds="10")
        got = []
        threads = [threading.Thread(target=lambda: got.append(
            (self.cloud.client(boto3, "sqs").receive_message(QueueUrl=url).get("Messages"),
             time.monotonic()))) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        start = time.monotonic()
        for i in range(3):
            self.sqs.send_message(QueueUrl=url, MessageBody=str(i))
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(messages[0]["Body"] for messages, _ in got), ["0", "1", "2"])
        self.assertLess(max(at for _, at in got) - start, 1)
        start = time.monotonic()
        self.assertEqual(self.receive(url, WaitTimeSeconds=1), [])
        self.assertTrue(0.9 < time.monotonic() - start < 3)

    def test_purge(self):
        url = self.queue()
        for i in range(3):
            self.sqs.send_message(QueueUrl=url, MessageBody=str(i))
        self.sqs.purge_queue(QueueUrl=url)
        self.assertEqual(self.receive(url), [])
        text = self.refused("AWS.SimpleQueueService.PurgeQueueInProgress", self.sqs.purge_queue, QueueUrl=url)
        self.assertEqual(text, f"Only one PurgeQueue operation on {url.split('/')[-1]} is allowed every 60 seconds.")

    def test_so_many_are_in_flight(self):
        """A queue with as many messages in flight as there may be, but three, made behind the cloud's back."""
        names = []
        for attributes in ({}, {"FifoQueue": "true", "ContentBasedDeduplication": "true"}):
            url = self.queue(".fifo" if attributes else "", **attributes)
            names.append(url.split("/")[-1])
            for i in range(5):
                self.sqs.send_message(QueueUrl=url, MessageBody=str(i), **({"MessageGroupId": str(i)} if attributes else {}))
        self.cloud.stop()
        with clouds.edited(os.path.join(self.cloud.folder, "sqs.sqlite")) as database:
            for name in names:
                database.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<119997) "
                    "INSERT INTO messages(queue, visible_ms, sent_ms, receives, nonce, uuid, body) "
                    "SELECT (SELECT id FROM queues WHERE name=?), ?, ?, 1, 1, 'u', 'x' FROM n",
                    [name, int(time.time() + 3600) * 1000, int(time.time()) * 1000])
        self.cloud.start()
        self.connect()
        for name in names:
            url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
            taken = self.receive(url, MaxNumberOfMessages=10)
            self.assertEqual(len(taken), 3)
            if name.endswith(".fifo"):
                self.assertEqual(self.receive(url), [])
            else:
                self.refused("OverLimit", self.sqs.receive_message, QueueUrl=url)
            self.assertEqual(self.receive(url, WaitTimeSeconds=1), [])
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
            self.assertEqual(len(self.receive(url, MaxNumberOfMessages=10)), 1)

    def test_dead_letters_and_their_way_back(self):
        dead = self.queue()
        url = self.queue()
        set_policy = lambda **policy: self.sqs.set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
        self.refused("InvalidParameterValue", set_policy, deadLetterTargetArn=self.arn(dead))
        self.refused("InvalidParameterValue", set_policy, maxReceiveCount=1,
                     deadLetterTargetArn=self.arn(dead) + "x")
        self.refused("InvalidParameterValue", set_policy, maxReceiveCount=0,
                     deadLetterTargetArn=self.arn(dead))
        set_policy(deadLetterTargetArn=self.arn(dead), maxReceiveCount="2")
        self.assertEqual(self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"],
                         [url])
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="poison")
        for _ in range(2):
            self.assertEqual(len(self.receive(url, VisibilityTimeout=0)), 1)
        self.assertEqual(self.receive(url), [])
        letter, = self.receive(dead, VisibilityTimeout=0)
        self.assertEqual(letter["MessageId"], sent["MessageId"])
        self.assertEqual(letter["Attributes"]["DeadLetterQueueSourceArn"], self.arn(url))
        if not hasattr(self.sqs, "start_message_move_task"):
            return
        self.refused("ResourceNotFoundException", self.sqs.start_message_move_task,
                     SourceArn=self.arn(dead) + "x")
        self.refused("InvalidParameterValue", self.sqs.start_message_move_task,
                     SourceArn=self.arn(url))
        task = self.sqs.start_message_move_task(SourceArn=self.arn(dead))["TaskHandle"]
        self.assertTrue(task)
        back, = self.receive(url, WaitTimeSeconds=5)
        self.assertEqual((back["Body"], back["Attributes"]["ApproximateReceiveCount"]),
                         ("poison", "1"))
        tasks = lambda: self.sqs.list_message_move_tasks(SourceArn=self.arn(dead))["Results"]
        clouds.wait_until(lambda: tasks()[0]["Status"] == "COMPLETED")
        self.assertEqual(tasks()[0]["ApproximateNumberOfMessagesMoved"], 1)
        self.refused("ResourceNotFoundException", self.sqs.cancel_message_move_task,
                     TaskHandle=task)

    # -- FIFO --

    def test_wrong_fifo_messages_are_refused(self):
        url = self.fifo()
        self.refused("MissingParameter", self.sqs.send_message, QueueUrl=url, MessageBody="x")
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url,
                     MessageBody="x", MessageGroupId="g")
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url,
                     MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d",
                     DelaySeconds=2)
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url,
                     MessageBody="x", MessageGroupId="g g", MessageDeduplicationId="d")
        for entry in ({"MessageDeduplicationId": "d"}, {"MessageGroupId": "g"}):
            self.refused("InvalidParameterValue", self.sqs.send_message_batch, QueueUrl=url,
                         Entries=[{"Id": "1", "MessageBody": "x", **entry}])
        for queue, code in ((url, "InvalidAttributeValue"),
                            (self.queue(), "InvalidAttributeName")):
            self.refused(code, self.sqs.set_queue_attributes, QueueUrl=queue,
                         Attributes={"FifoQueue": "false"})

    def test_groups_keep_their_order(self):
        url = self.fifo(ContentBasedDeduplication="true")
        numbers = [self.sqs.send_message(QueueUrl=url, MessageBody=f"{group}{i}",
                                         MessageGroupId=group)["SequenceNumber"]
                   for i in range(3) for group in "ab"]
        self.assertEqual(numbers, sorted(numbers))
        first, = self.receive(url, MaxNumberOfMessages=1)
        self.assertEqual(first["Body"], "a0")
        self.assertEqual(first["Attributes"]["MessageGroupId"], "a")
        others = self.receive(url)
        self.assertEqual([m["Body"] for m in others], ["b0", "b1", "b2"])
        self.assertEqual(self.receive(url), [])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        self.assertEqual([m["Body"] for m in self.receive(url, VisibilityTimeout=0)],
                         ["a1", "a2"])
        again = self.receive(url, VisibilityTimeout=1)
        self.assertEqual([m["Body"] for m in again], ["a1", "a2"])
        self.assertEqual([m["Body"] for m in self.receive(url, WaitTimeSeconds=5)], ["a1", "a2"])
        self.assertIn("expired", self.refused(
            "InvalidParameterValue", self.sqs.delete_message, QueueUrl=url,
            ReceiptHandle=again[0]["ReceiptHandle"]))

    def test_duplicates_are_taken_once(self):
        url = self.fifo()
        send = lambda body, **more: self.sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId="d", **more)
        first, second = send("one"), send("two")
        self.assertEqual((first["MessageId"], first["SequenceNumber"]),
                         (second["MessageId"], second["SequenceNumber"]))
        message, = self.receive(url)
        self.assertEqual(message["Body"], "one")
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        send("three")
        self.assertEqual(self.receive(url), [])
        url = self.fifo(DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
        for group in "ab":
            self.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId=group,
                                  MessageDeduplicationId="d")
        self.assertEqual(self.attribute(url, "ApproximateNumberOfMessages"), "2")

    def test_an_attempt_is_repeated(self):
        url = self.fifo(ContentBasedDeduplication="true")
        self.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
        first, = self.receive(url, ReceiveRequestAttemptId="try")
        self.assertEqual(self.receive(url, ReceiveRequestAttemptId="other"), [])
        second, = self.receive(url, ReceiveRequestAttemptId="try")
        self.assertEqual(first["MessageId"], second["MessageId"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
        self.assertEqual(self.receive(url, ReceiveRequestAttemptId="try"), [])

    # -- the disk --

    def test_nothing_is_lost_by_kill(self):
        url = self.queue()
        fifo = self.fifo(ContentBasedDeduplication="true")
        for i in range(20):
            self.sqs.send_message(QueueUrl=url, MessageBody=str(i))
        self.sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
        taken = self.receive(url, VisibilityTimeout=1)
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
        self.cloud.stop(signal.SIGKILL)
        self.cloud.start()
        type(self).sqs = self.cloud.client(boto3, "sqs")
        url, fifo = (self.cloud.endpoint + "/" + u.split("/", 3)[3] for u in (url, fifo))
        self.assertEqual(self.attribute(url, "VisibilityTimeout"), "30")
        seen = set()
        clouds.wait_until(lambda: seen.update(m["Body"] for m in self.receive(url)) or
                          len(seen) >= 19)
        self.assertEqual(seen, {str(i) for i in range(20)} - {taken[0]["Body"]})
        self.sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
        self.assertEqual(len(self.receive(fifo)), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
