"""kill -9 under asynchronous invocations: every acknowledged event is run, and its end told to the function's destination.
lambda_crash_test.py KEN FUNCTION; KEN_CRASH_ROUNDS=500 for longer"""
import json
import os
import random
import signal
import sys
import threading
import time
import unittest

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN, FUNCTION = sys.argv[1:3]
ROUNDS, SENDERS, WAIT_S = int(os.environ.get("KEN_CRASH_ROUNDS", "4")), 2, 30
ROLE = "arn:aws:iam::000000000000:role/test"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:done"
os.environ["KEN_LAMBDA_RETRY_MS"] = "100"  # AWS: one minute, then two


class Sender(threading.Thread):
    """Sends events until the cloud dies; remembers which were taken."""

    def __init__(self, cloud, number, taken):
        super().__init__()
        self.client, self.number, self.taken = cloud.client(boto3, "lambda"), number, taken
        self.count, self.failure = 0, None

    def run(self):
        try:
            while True:
                payload = f"echo {self.number} {self.count}"
                self.client.invoke(FunctionName="worker", InvocationType="Event",
                                   Payload=json.dumps(payload))
                self.taken.add(payload)
                self.count += 1
                time.sleep(0.005)
        except botocore.exceptions.ClientError as refused:
            self.failure = refused
        except botocore.exceptions.BotoCoreError:
            pass


class CrashTest(unittest.TestCase):
    def prepare(self, cloud):
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        trust = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}
        iam, client = cloud.client(boto3, "iam"), cloud.client(boto3, "lambda")
        iam.create_role(RoleName="test", AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName="test", PolicyName="all", PolicyDocument=json.dumps(allow))
        cloud.client(boto3, "sqs").create_queue(QueueName="done")
        client.create_function(FunctionName="worker", Role=ROLE, Runtime="provided.al2023", Handler="h",
                               Code={"ZipFile": functions.program_zip(FUNCTION)})
        client.put_function_event_invoke_config(
            FunctionName="worker", DestinationConfig={"OnSuccess": {"Destination": QUEUE}})

    def receive(self, cloud, wanted):
        """Until all that was taken has been told of, from whatever life of the cloud."""
        sqs, seen = cloud.client(boto3, "sqs"), set()
        url, until = f"{cloud.endpoint}/000000000000/done", time.monotonic() + WAIT_S
        while not wanted <= seen and time.monotonic() < until:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10,
                                               WaitTimeSeconds=1).get("Messages", []):
                seen.add(json.loads(message["Body"])["requestPayload"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        self.assertEqual(wanted - seen, set(), "events that were taken and never run")

    def test_kill_under_events(self):
        total = 0
        with clouds.Cloud(KEN) as cloud:
            self.prepare(cloud)
            for number in range(ROUNDS):
                taken = set()
                senders = [Sender(cloud, f"{number} {n}", taken) for n in range(SENDERS)]
                for sender in senders:
                    sender.start()
                time.sleep(random.uniform(0.1, 0.3))
                cloud.stop(signal.SIGKILL)
                for sender in senders:
                    sender.join()
                    self.assertIsNone(sender.failure)
                cloud.start()
                self.receive(cloud, taken)
                total += len(taken)
        self.assertGreater(total, ROUNDS)
        print(f"{total} events acknowledged, {ROUNDS} kills, every one run")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
