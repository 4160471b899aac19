"""Requests a second of `ken cloud`'s DynamoDB over one kept table: bench/dynamodb.py [KEN] [SECONDS].

wrk sends signed requests on 1 and 16 connections from the same machine; PutItem and UpdateItem are
durable when acknowledged. Beside them, in the same run: how often the disk syncs 4 KB, which is what
a write can cost at most when it shares its sync with no other. Needs wrk and boto3."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests",
                                "clients"))
import cloud as clouds  # noqa: E402
import boto3  # noqa: E402
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

KEN = sys.argv[1] if len(sys.argv) > 1 else "build/release/ken"
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
ITEMS = 500
SCRIPT = """local requests, i = {}, math.random(%d)
%s
request = function() i = i %% #requests + 1; return requests[i] end
"""


def item(i):
    return {"h": {"S": f"key{i}"}, "name": {"S": "Ann Example"}, "major": {"S": "physics"},
            "year": {"N": "2024"}, "n": {"N": str(i)}}


def key(i):
    return {"TableName": "load", "Key": {"h": {"S": f"key{i}"}}}


OPERATIONS = {
    "GetItem": key,
    "Query": lambda i: {"TableName": "load", "KeyConditionExpression": "h = :h",
                        "ExpressionAttributeValues": {":h": {"S": f"key{i}"}}},
    "PutItem": lambda i: {"TableName": "load", "Item": item(i)},
    "UpdateItem": lambda i: {**key(i), "UpdateExpression": "SET n = n + :o",
                             "ExpressionAttributeValues": {":o": {"N": "1"}}},
}


def lua(cloud, operation, path):
    """A script for wrk with ITEMS signed requests."""
    keys = cloud.keys()
    signer = SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]),
                       "dynamodb", "us-east-1")
    lines = []
    for i in range(ITEMS):
        body = json.dumps(OPERATIONS[operation](i))
        request = AWSRequest("POST", cloud.endpoint + "/", data=body, headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810." + operation,
            "Host": cloud.endpoint.split("//")[1]})
        signer.add_auth(request)
        headers = ", ".join(f"[{json.dumps(k)}] = {json.dumps(v)}"
                            for k, v in request.headers.items())
        lines.append(f"requests[#requests + 1] = wrk.format('POST', '/', {{{headers}}}, "
                     f"{json.dumps(body)})")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SCRIPT % (ITEMS, "\n".join(lines)))


def measure(cloud, script, connections):
    """Requests a second, p50 and p99 as wrk writes them."""
    text = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", script,
         cloud.endpoint], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise RuntimeError(text)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            *(re.search(rf"{p}%\s+(\S+)", text)[1] for p in (50, 99)))


def syncs_a_second(folder):
    path, count, end = os.path.join(folder, "sync"), 0, time.monotonic() + 1
    with open(path, "wb", buffering=0) as file:
        while time.monotonic() < end:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
    os.unlink(path)
    return count


def main():
    if not shutil.which("wrk"):
        clouds.skip("no wrk")
    with clouds.Cloud(KEN) as cloud, tempfile.TemporaryDirectory() as folder:
        client = cloud.client(boto3, "dynamodb")
        client.create_table(TableName="load", BillingMode="PAY_PER_REQUEST",
                            KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
                            AttributeDefinitions=[{"AttributeName": "h", "AttributeType": "S"}])
        for start in range(0, ITEMS, 25):
            client.batch_write_item(RequestItems={"load": [
                {"PutRequest": {"Item": item(i)}} for i in range(start, start + 25)]})
        print(f"{'':12}{'connections':>12}{'requests/s':>12}{'p50':>10}{'p99':>10}")
        for operation in OPERATIONS:
            script = os.path.join(folder, operation + ".lua")
            lua(cloud, operation, script)
            for connections in (1, 16):
                rate, p50, p99 = measure(cloud, script, connections)
                print(f"{operation:12}{connections:12}{rate:12.0f}{p50:>10}{p99:>10}", flush=True)
        print(f"disk: {syncs_a_second(cloud.folder)} syncs of 4 KB a second")


if __name__ == "__main__":
    main()
