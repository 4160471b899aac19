"""kill -9 under sends, publishes and deletes: every acknowledged message is there, a deleted one is not, a FIFO
group is in its order. messages_crash_test.py KEN; KEN_CRASH_ROUNDS=500 for longer"""
import os
import random
import signal
import sys
import threading
import time
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
ROUNDS = int(os.environ.get("KEN_CRASH_ROUNDS", "4"))
TOPIC = "arn:aws:sns:us-east-1:000000000000:news"
ORDERED = TOPIC + ".fifo"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:plain"
DIED = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


def url(cloud, name):
    return f"{cloud.endpoint}/000000000000/{name}"


class Worker(threading.Thread):
    """Repeats its step until the cloud dies."""

    def __init__(self, test, step, number):
        super().__init__()
        self.test, self.step, self.number, self.count = test, step, number, 0
        self.sqs = test.cloud.client(boto3, "sqs")
        self.sns = test.cloud.client(boto3, "sns")

    def run(self):
        try:
            while True:
                self.step(self)
                self.count += 1
        except DIED:
            pass


class CrashTest(unittest.TestCase):
    def setUp(self):
        self.cloud = clouds.Cloud(KEN).start()
        self.addCleanup(self.cloud.close)
        self.round = 0
        self.sent, self.doubtful, self.deleted, self.fifo = set(), set(), set(), []
        self.told, self.asked = [], None
        sqs, sns = self.cloud.client(boto3, "sqs"), self.cloud.client(boto3, "sns")
        sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1"})
        sqs.create_queue(QueueName="order.fifo", Attributes={"FifoQueue": "true"})
        sqs.create_queue(QueueName="told.fifo", Attributes={"FifoQueue": "true"})
        sns.create_topic(Name="news")
        sns.create_topic(Name="news.fifo", Attributes={"FifoTopic": "true"})
        sns.subscribe(TopicArn=ORDERED, Protocol="sqs", Endpoint=QUEUE.replace("plain", "told.fifo"),
                      Attributes={"RawMessageDelivery": "true"})
        sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE,
                      Attributes={"RawMessageDelivery": "true"})

    # -- what workers do --

    def send(self, worker):
        body = f"sent {self.round} {worker.number} {worker.count}"
        worker.sqs.send_message(QueueUrl=url(self.cloud, "plain"), MessageBody=body)
        self.sent.add(body)

    def publish(self, worker):
        body = f"published {self.round} {worker.number} {worker.count}"
        worker.sns.publish(TopicArn=TOPIC, Message=body)
        self.sent.add(body)

    def delete(self, worker):
        plain = url(self.cloud, "plain")
        for message in worker.sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=3,
                                                  WaitTimeSeconds=1).get("Messages", []):
            self.doubtful.add(message["Body"])
            worker.sqs.delete_message(QueueUrl=plain, ReceiptHandle=message["ReceiptHandle"])
            self.deleted.add(message["Body"])

    def order(self, worker):
        body = f"{self.round:04}-{worker.count:06}"
        worker.sqs.send_message(QueueUrl=url(self.cloud, "order.fifo"), MessageBody=body,
                                MessageGroupId="g", MessageDeduplicationId=body)
        self.fifo.append(body)

    def tell(self, sns, body):
        sns.publish(TopicArn=ORDERED, Message=body, MessageGroupId="g", MessageDeduplicationId=body)
        self.told.append(body)

    def tell_next(self, worker):
        self.asked = f"{self.round:04}-{worker.count:06}"
        self.tell(worker.sns, self.asked)

    def kill_in_mid_work(self):
        steps = [self.send, self.send, self.publish, self.delete, self.order, self.tell_next]
        workers = [Worker(self, step, number) for number, step in enumerate(steps)]
        for worker in workers:
            worker.start()
        time.sleep(random.uniform(0.2, 0.6))
        self.cloud.stop(signal.SIGKILL)
        for worker in workers:
            worker.join()
        self.cloud.start()
        if self.asked not in self.told:  # who got no answer asks again
            self.tell(self.cloud.client(boto3, "sns"), self.asked)

    # -- what must be left --

    def drain(self, name):
        sqs, bodies, misses = self.cloud.client(boto3, "sqs"), [], 0
        while misses < 2:
            got = sqs.receive_message(QueueUrl=url(self.cloud, name), MaxNumberOfMessages=10,
                                      VisibilityTimeout=600, WaitTimeSeconds=1).get("Messages", [])
            misses = 0 if got else misses + 1
            bodies += [message["Body"] for message in got]
            for message in got if name.endswith(".fifo") else []:
                sqs.delete_message(QueueUrl=url(self.cloud, name),
                                   ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def test_nothing_is_lost(self):
        for self.round in range(ROUNDS):
            self.kill_in_mid_work()
        time.sleep(1.1)  # what was in flight is visible again
        left = set(self.drain("plain"))
        self.assertEqual(self.sent - left - self.doubtful, set())
        self.assertEqual(left & self.deleted, set())
        for name, acknowledged in (("order.fifo", self.fifo), ("told.fifo", self.told)):
            order = self.drain(name)
            self.assertEqual(order, sorted(set(order)), name)
            self.assertEqual(set(acknowledged) - set(order), set(), name)
        self.assertTrue(self.sent and self.deleted and self.fifo)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
