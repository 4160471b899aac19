"""kill -9 under mixed writes: acknowledged records are there, unacknowledged ones whole or absent,
indexes and counts agree with the items, transactions are all or nothing.
dynamodb_crash_test.py KEN; KEN_CRASH_ROUNDS=500 for longer (make test-crash)."""
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import unittest
import urllib.parse

import cloud as clouds

try:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    clouds.skip("no botocore for " + sys.executable)

KEN = sys.argv[1]
ROUNDS = int(os.environ.get("KEN_CRASH_ROUNDS", "100"))
WRITERS, KEYS = 3, 4
INDEX = {"IndexName": "by-g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
         "Projection": {"ProjectionType": "ALL"}}


class Gone(Exception):
    """The cloud does not answer any more."""


class Client:
    """One connection; signs and sends. Lighter than boto3's client, of which each round would need
    new ones."""

    def __init__(self, cloud):
        keys = cloud.keys()
        self.url = cloud.endpoint
        self.signer = SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"],
                                            keys["AWS_SECRET_ACCESS_KEY"]), "dynamodb", "us-east-1")
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc,
                                                     timeout=30)

    def __call__(self, operation, **parameters):
        body = json.dumps(parameters).encode()
        request = AWSRequest("POST", self.url + "/", data=body, headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810." + operation})
        self.signer.add_auth(request)
        try:
            self.connection.request("POST", "/", body, dict(request.headers.items()))
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as cut:
            raise Gone from cut
        if answer.status != 200:
            raise AssertionError(f"{operation}: {data}")
        return json.loads(data)

    def close(self):
        self.connection.close()


class Writer(threading.Thread):
    """Writes its own items until the cloud dies; `possible` is what may be found of each."""

    def __init__(self, cloud, number, possible, moved):
        super().__init__()
        self.client, self.number, self.possible, self.moved = Client(cloud), number, possible, moved
        self.random, self.writes, self.failure = random.Random(), 0, None

    def run(self):
        try:
            while True:
                self.random.choice([self.put, self.put, self.update, self.delete, self.move])()
                self.writes += 1
        except Gone:
            pass
        except AssertionError as failure:
            self.failure = failure
        finally:
            self.client.close()

    def change(self, key, value, operation, **parameters):
        may = self.possible.setdefault(key, [None])
        may.append(value)
        self.client(operation, TableName="crash", **parameters)
        self.possible[key] = [value]

    def key(self):
        return f"{self.number}/{self.random.randrange(KEYS)}"

    def put(self):
        key, value = self.key(), "%016x" % self.random.getrandbits(64)
        self.change(key, value, "PutItem", Item={
            "h": {"S": key}, "v": {"S": value}, "g": {"S": value[0]},
            "body": {"S": value * self.random.choice([1, 10, 300])}})

    def update(self):
        key, value = self.key(), "%016x" % self.random.getrandbits(64)
        self.change(key, value, "UpdateItem", Key={"h": {"S": key}},
                    UpdateExpression="SET v = :v, g = :g, body = :v",
                    ExpressionAttributeValues={":v": {"S": value}, ":g": {"S": value[0]}})

    def delete(self):
        key = self.key()
        self.change(key, None, "DeleteItem", Key={"h": {"S": key}})

    def move(self):
        """From one account to the other, in a transaction."""
        done = self.moved.get(self.number, [0])[-1]
        self.moved[self.number] = [done, done + 1]
        self.client("TransactWriteItems", TransactItems=[
            {"Update": {"TableName": "crash", "Key": {"h": {"S": f"{side}{self.number}"}},
                        "UpdateExpression": "ADD n :n",
                        "ExpressionAttributeValues": {":n": {"N": str(amount)}}}}
            for side, amount in (("from", -1), ("to", 1))])
        self.moved[self.number] = [done + 1]


class CrashTest(unittest.TestCase):
    def items(self, client, **parameters):
        found, start = [], {}
        while True:
            page = client("Scan", TableName="crash", **parameters, **start)
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def check(self, client, possible, moved):
        items = {item["h"]["S"]: item for item in self.items(client)}
        for key, may in possible.items():
            item = items.get(key)
            value = item and item["v"]["S"]
            self.assertIn(value, may, f"{key} is none of what was written")
            if item:
                self.assertEqual(item["body"]["S"].replace(value, ""), "", f"{key} is torn")
            possible[key] = [value]
        for number, may in moved.items():
            amounts = [int(items.get(f"{side}{number}", {"n": {"N": "0"}})["n"]["N"])
                       for side in ("from", "to")]
            self.assertEqual(sum(amounts), 0, "half a transaction")
            self.assertIn(amounts[1], may)
            moved[number] = [amounts[1]]
        in_index = {item["h"]["S"]: item for item in self.items(client, IndexName="by-g")}
        self.assertEqual(in_index, {k: i for k, i in items.items() if "g" in i})
        table = client("DescribeTable", TableName="crash")["Table"]
        self.assertEqual(table["ItemCount"], len(items))

    def round(self, cloud, possible, moved):
        writers = [Writer(cloud, n, possible, moved) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.005, 0.1))
        cloud.stop(signal.SIGKILL)
        for writer in writers:
            writer.join()
            self.assertIsNone(writer.failure)
        cloud.start()
        client = Client(cloud)
        self.check(client, possible, moved)
        client.close()
        return sum(writer.writes for writer in writers)

    def test_kill_under_mixed_writes(self):
        possible, moved, writes, started = {}, {}, 0, time.monotonic()
        with clouds.Cloud(KEN) as cloud:
            client = Client(cloud)
            client("CreateTable", TableName="crash", BillingMode="PAY_PER_REQUEST",
                   KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
                   AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"}
                                         for n in "hg"], GlobalSecondaryIndexes=[INDEX])
            client.close()
            for _ in range(ROUNDS):
                writes += self.round(cloud, possible, moved)
        self.assertGreater(writes, ROUNDS)
        print(f"{writes} writes acknowledged, {ROUNDS} kills, nothing lost, "
              f"{time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
