"""Messages a second through `ken cloud`'s SQS: bench/messages.py [KEN] [SECONDS].

wrk sends signed requests on 1 and 16 connections from the same machine. Every send is on the disk
before its answer; a receive takes up to ten messages of a filled queue. Needs wrk and boto3."""
import json
import os
import shutil
import tempfile
import threading
import time

from dynamodb import KEN, SECONDS, measure, syncs_a_second  # the same load, asked of another service
import cloud as clouds
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BODY = "x" * 200
WAKES = 100


def batch(url):
    return {"QueueUrl": url, "Entries": [{"Id": str(i), "MessageBody": BODY} for i in range(10)]}


OPERATIONS = {
    "SendMessage": lambda url: {"QueueUrl": url, "MessageBody": BODY},
    "SendMessageBatch": batch,
    "ReceiveMessage": lambda url: {"QueueUrl": url, "MaxNumberOfMessages": 10,
                                   "VisibilityTimeout": 600},
}


def lua(cloud, operation, body, path):
    keys = cloud.keys()
    request = AWSRequest("POST", cloud.endpoint + "/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS." + operation,
        "Host": cloud.endpoint.split("//")[1]})
    SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), "sqs",
              "us-east-1").add_auth(request)
    headers = ", ".join(f"[{json.dumps(k)}] = {json.dumps(v)}" for k, v in request.headers.items())
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"local text = wrk.format('POST', '/', {{{headers}}}, {json.dumps(body)})\n"
                   "request = function() return text end\n")


def counts(client, url):
    """Messages that wait, and messages that were received."""
    got = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return (int(got["ApproximateNumberOfMessages"]),
            int(got["ApproximateNumberOfMessagesNotVisible"]))


def run(cloud, client, url, operation, script, connections):
    """A line of the table: what the queue has more afterwards is what was moved."""
    at = 1 if operation == "ReceiveMessage" else 0
    before = counts(client, url)[at]
    _, p50, p99 = measure(cloud, script, connections)
    left, received = counts(client, url)
    rate = ((left, received)[at] - before) / SECONDS
    empty = " (the queue ran empty)" if not left else ""
    print(f"{operation:18}{connections:12}{rate:12.0f}{p50:>10}{p99:>10}{empty}", flush=True)


def wakes(cloud, url):
    """How long after a send's answer a waiting receive has the message: sorted milliseconds."""
    sender, receiver = cloud.client(boto3, "sqs"), cloud.client(boto3, "sqs")
    times = []
    for _ in range(WAKES):
        got = []
        thread = threading.Thread(target=lambda: got.append(
            (receiver.receive_message(QueueUrl=url, WaitTimeSeconds=5), time.perf_counter())))
        thread.start()
        time.sleep(0.02)
        sender.send_message(QueueUrl=url, MessageBody="x")
        sent = time.perf_counter()
        thread.join()
        times.append((got[0][1] - sent) * 1000)
    return sorted(times)


def main():
    if not shutil.which("wrk"):
        clouds.skip("no wrk")
    with clouds.Cloud(KEN) as cloud, tempfile.TemporaryDirectory() as folder:
        client = cloud.client(boto3, "sqs")
        url = client.create_queue(QueueName="load")["QueueUrl"]
        print(f"{'':18}{'connections':>12}{'messages/s':>12}{'p50':>10}{'p99':>10}")
        for operation, make in OPERATIONS.items():
            script = os.path.join(folder, operation + ".lua")
            lua(cloud, operation, json.dumps(make(url)), script)
            for connections in (1, 16):
                run(cloud, client, url, operation, script, connections)
        times = wakes(cloud, client.create_queue(QueueName="wakes")["QueueUrl"])
        print(f"a long poll ends {times[WAKES // 2]:.2f} ms (p50), {times[WAKES * 99 // 100]:.2f} "
              "ms (p99) after the send's answer, boto3's own time included")
        print(f"disk: {syncs_a_second(cloud.folder)} syncs of 4 KB a second")


if __name__ == "__main__":
    main()
