"""Power cuts: what was acknowledged before the cut is there after it, whatever of the unsynced the disk kept.
power_test.py KEN SHIM FUNCTION; KEN_POWER_CUTS=300 for longer (make test-power).

A cloud works under load while SHIM (tests/power_shim.c) writes down what it does to its files; it is killed and
started in the middle. Then, for many moments of that journal, the folder is rebuilt as a power cut would leave it
(power.py) and a cloud started on it must have what had been acknowledged by then. Some of these starts are watched
in turn, and the power goes a second time while they recover."""
import base64
import bisect
import collections
import contextlib
import hashlib
import http.client
import io
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
import urllib.parse

import cloud as clouds
import lambda_functions as functions
import power

try:
    import boto3
    import botocore.exceptions
    from boto3.s3.transfer import TransferConfig
    import sqlite3  # pylint: disable=unused-import
except ImportError as error:
    clouds.skip(f"{error} for {sys.executable}")

KEN, SHIM, FUNCTION = sys.argv[1:4]
CUTS = int(os.environ.get("KEN_POWER_CUTS", "15"))
SEED = int(os.environ.get("KEN_POWER_SEED", str(random.randrange(1 << 30))))
RECOVERIES, AGAIN = max(2, CUTS // 6), 4  # first cuts whose recovery is watched, and second cuts in each
SECONDS = 1.2 if CUTS < 50 else 3.0
WAIT_S = 20
DIED = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError)
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:"
ROLE = "arn:aws:iam::000000000000:role/test"
SERVICES = ("s3", "dynamodb", "sqs", "sns", "lambda", "iam", "ecr", "logs", "apigateway")
ABSENT = None


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Ledger:
    """Who wrote what, and between which places of the journal. Each key has one writer at a time."""

    def __init__(self, journal):
        self.journal = journal
        self.entries = collections.defaultdict(list)  # (kind, key): [start, acknowledged or None, value]

    def now(self):
        return os.path.getsize(self.journal)

    def write(self, kind, key, value, call, **arguments):
        entry = [self.now(), None, value]
        self.entries[kind, key].append(entry)
        reply = call(**arguments)
        entry[1] = self.now()
        return reply

    def possible(self, history, cut):
        """The last value acknowledged by then, and those under way."""
        values = [ABSENT]
        for start, acknowledged, value in history:
            if acknowledged is not None and acknowledged <= cut:
                values = [value]
            elif start <= cut:
                values.append(value)
        return values

    def at(self, kind, cut):
        """{key: possible values} of what had begun by then."""
        return {key: self.possible(history, cut) for (of, key), history in list(self.entries.items())
                if of == kind and history[0][0] <= cut}

    def acknowledgements(self):
        return sorted(entry[1] for history in self.entries.values() for entry in history if entry[1])


class Clients:
    def __init__(self, cloud):
        for name in SERVICES:
            setattr(self, name.replace("lambda", "functions"), cloud.client(boto3, name))

    def url(self, name):
        return self.sqs.meta.endpoint_url + "/000000000000/" + name


# -- the load: each step writes something and notes it; `n` counts the steps of its thread --

def step_objects(c, ledger, n):
    key = f"o{n % 6}"
    if n % 5 == 4:
        ledger.write("object", key, ABSENT, c.s3.delete_object, Bucket="plain", Key=key)
        return
    body = os.urandom([0, 900, 50_000, 150_000][n % 4])
    ledger.write("object", key, digest(body), c.s3.put_object, Bucket="plain", Key=key, Body=body)


def step_parts(c, ledger, n):
    body, key = os.urandom(5 * 1024 * 1024 + 1000), f"parts{n % 2}"
    ledger.write("object", key, digest(body), c.s3.upload_fileobj, Fileobj=io.BytesIO(body),
                 Bucket="plain", Key=key, Config=TransferConfig(
                     multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024,
                     use_threads=False))
    time.sleep(0.2)


def step_versions(c, ledger, n):
    kept = [key for key, history in ledger.entries.items() if key[0] == "version" and history[-1][2]]
    if n % 4 == 3 and kept:
        key, version = kept[0][1]
        ledger.write("version", (key, version), ABSENT, c.s3.delete_object, Bucket="versions", Key=key,
                     VersionId=version)
        return
    start, body = ledger.now(), os.urandom([100, 90_000][n % 2])
    reply = c.s3.put_object(Bucket="versions", Key=f"v{n % 3}", Body=body)
    version = (f"v{n % 3}", reply["VersionId"])
    ledger.entries["version", version].append([start, ledger.now(), digest(body)])
    ledger.entries["event", version].append([start, ledger.now(), "there"])


def step_items(c, ledger, n):
    key = f"i{n % 8}"
    if n % 6 == 5:
        ledger.write("item", key, ABSENT, c.dynamodb.delete_item, TableName="items", Key={"h": {"S": key}})
        return
    value = os.urandom(8).hex()
    ledger.write("item", key, value, c.dynamodb.put_item, TableName="items", Item={
        "h": {"S": key}, "v": {"S": value}, "body": {"S": value * (1 if n % 3 else 2000)}})


def step_transactions(c, ledger, n):
    ledger.write("moved", "account", n + 1, c.dynamodb.transact_write_items, TransactItems=[
        {"Put": {"TableName": "items", "Item": {"h": {"S": side}, "v": {"N": str(amount)}}}}
        for side, amount in (("from", -n - 1), ("to", n + 1))])


def step_messages(c, ledger, n):
    body = f"m{n}"
    ledger.write("message", body, "there", c.sqs.send_message, QueueUrl=c.url("plain"), MessageBody=body)
    if n % 3 == 2:
        for message in c.sqs.receive_message(QueueUrl=c.url("plain")).get("Messages", []):
            ledger.write("message", message["Body"], ABSENT, c.sqs.delete_message,
                         QueueUrl=c.url("plain"), ReceiptHandle=message["ReceiptHandle"])


def step_published(c, ledger, n):
    body = f"p{n}"
    ledger.write("published", body, "there", c.sns.publish, Message=body,
                 TopicArn="arn:aws:sns:us-east-1:000000000000:news")


def step_events(c, ledger, n):
    body = f"echo e{n}"
    ledger.write("invoked", body, "there", c.functions.invoke, FunctionName="worker",
                 InvocationType="Event", Payload=json.dumps(body))
    time.sleep(0.02)


def step_functions(c, ledger, n):
    name, code = f"f{n // 9}-{n % 3}", functions.make_zip({"bootstrap": (f"#!/bin/sh\n# {n}\n", 0o755)})
    value = n // 3
    if value % 3 == 0:
        ledger.write("function", name, digest(code), c.functions.create_function, FunctionName=name,
                     Role=ROLE, Runtime="provided.al2023", Handler="h", Code={"ZipFile": code})
    elif value % 3 == 1:
        ledger.write("function", name, digest(code), c.functions.update_function_code, FunctionName=name,
                     ZipFile=code)
    else:
        ledger.write("function", name, ABSENT, c.functions.delete_function, FunctionName=name)


def step_users(c, ledger, n):
    name = f"u{n // 3}"
    if n % 3 == 0:
        ledger.write("user", name, "there", c.iam.create_user, UserName=name)
    elif n % 3 == 1:
        ledger.write("user", name, ABSENT, c.iam.delete_user, UserName=name)
    else:
        api = c.apigateway.create_rest_api(name="api")  # its name is known by its answer
        ledger.entries["api", api["id"]].append([ledger.now(), ledger.now(), "there"])
        ledger.write("api", api["id"], ABSENT, c.apigateway.delete_rest_api, restApiId=api["id"])


def registry(c, method, path, body, media_type):
    """The OCI distribution API, by which images are pushed."""
    token = c.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(c.sqs.meta.endpoint_url).netloc, timeout=30)
    try:
        connection.request(method, path, body, {"Authorization": "Basic " + token, "Content-Type": media_type})
        reply = connection.getresponse()
        text = reply.read()
    except http.client.HTTPException as cut:
        raise OSError("the cloud is gone") from cut
    finally:
        connection.close()
    if reply.status == 503:
        raise OSError("the cloud is stopping")
    if reply.status not in (201, 202):
        raise AssertionError(f"{method} {path}: {reply.status} {text}")
    return reply


def push_image(c, tag, blobs, manifest):
    for blob in blobs:
        upload = registry(c, "POST", "/v2/images/blobs/uploads/", b"", "")
        registry(c, "PUT", upload.getheader("Location") + "?digest=sha256:" + digest(blob), blob,
                 "application/octet-stream")
    registry(c, "PUT", "/v2/images/manifests/" + tag, manifest, json.loads(manifest)["mediaType"])


def step_images(c, ledger, n):
    layer = os.urandom(100_000)
    config = json.dumps({"architecture": "amd64", "n": n}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(config),
                   "digest": "sha256:" + digest(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": len(layer),
                    "digest": "sha256:" + digest(layer)}]}).encode()
    ledger.write("image", f"t{n % 3}", digest(manifest), push_image, c=c, tag=f"t{n % 3}",
                 blobs=(layer, config), manifest=manifest)
    time.sleep(0.02)


def step_lines(c, ledger, n):
    ledger.write("line", f"l{n}", "there", c.logs.put_log_events, logGroupName="g", logStreamName="s",
                 logEvents=[{"timestamp": int(time.time() * 1000), "message": f"l{n}"}])
    time.sleep(0.01)


STEPS = (step_objects, step_parts, step_versions, step_items, step_transactions, step_messages,
         step_published, step_events, step_functions, step_users, step_images, step_lines)


class Worker(threading.Thread):
    """Repeats its step until the cloud dies. A failure that is none of that is the test's."""

    def __init__(self, clients, ledger, step, first):
        super().__init__()
        self.clients, self.ledger, self.step = clients, ledger, step
        self.count, self.failure, self.dying = first, None, threading.Event()

    def run(self):
        try:
            while not self.dying.is_set():
                self.step(self.clients, self.ledger, self.count)
                self.count += 1
        except Exception as failure:  # pylint: disable=broad-except
            if not self.dying.is_set() or not isinstance(failure, DIED):
                self.failure = failure


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class PowerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"KEN_POWER_SEED={SEED}", flush=True)
        os.environ["KEN_LAMBDA_RETRY_MS"] = "100"
        cls.top = os.path.realpath(tempfile.mkdtemp(prefix="ken-power-test-"))
        cls.ledger = Ledger(os.path.join(cls.top, "journal"))
        cls.cloud = clouds.Cloud(KEN, os.path.join(cls.top, "data"))
        cls.cloud.listen = f"127.0.0.1:{free_port()}"  # clients are kept from start to start
        cls.halt = os.path.join(cls.top, "halt")
        cls.recorded = cls.cloud.folder
        os.mkdir(cls.recorded)
        try:
            cls.record()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cloud.stop(signal.SIGKILL)
        shutil.rmtree(cls.top)

    @classmethod
    @contextlib.contextmanager
    def watched(cls, journal):
        """Clouds that start in here write down what they do to their folder."""
        watched = {"LD_PRELOAD": SHIM, "KEN_POWER_FOLDER": cls.cloud.folder,
                   "KEN_POWER_JOURNAL": journal, "KEN_POWER_HALT": cls.halt}
        cls.set_halt(0)
        os.environ.update(watched)
        try:
            yield
        finally:
            for name in watched:
                os.environ.pop(name)

    @classmethod
    def record(cls):
        with cls.watched(cls.ledger.journal):
            cls.cloud.start()
            cls.clients = Clients(cls.cloud)
            cls.prepare(cls.clients)
            cls.prepared = cls.ledger.now()
            cls.load(0, signal.SIGKILL)
            cls.set_halt(0)
            cls.cloud.start()
            cls.load(90_000, signal.SIGTERM)

    @classmethod
    def set_halt(cls, value):
        with open(cls.halt, "r+b" if os.path.exists(cls.halt) else "wb") as file:
            file.write(bytes([value]))

    @classmethod
    def halt_byte(cls):
        with open(cls.halt, "rb") as file:
            return file.read()

    @classmethod
    def load(cls, first, end):
        """Steps count on from `first`: names that no half-done call has used."""
        workers = [Worker(cls.clients, cls.ledger, step, first) for step in STEPS]
        for worker in workers:
            worker.start()
        time.sleep(SECONDS)
        if end == signal.SIGKILL:
            cls.set_halt(1)
            clouds.wait_until(lambda: cls.halt_byte() == b"\x02")
        for worker in workers:
            worker.dying.set()
        cls.cloud.stop(end)
        for worker in workers:
            worker.join()
            if worker.failure:
                raise AssertionError(worker.step.__name__) from worker.failure

    @staticmethod
    def prepare(c):
        c.s3.create_bucket(Bucket="plain")
        c.s3.create_bucket(Bucket="versions")
        c.s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        c.sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1"})
        for name in ("events", "news", "done"):
            c.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "600"})
        c.s3.put_bucket_notification_configuration(
            Bucket="versions", NotificationConfiguration={"QueueConfigurations": [
                {"QueueArn": QUEUE_ARN + "events", "Events": ["s3:ObjectCreated:*"]}]})
        c.sns.create_topic(Name="news")
        c.sns.subscribe(TopicArn="arn:aws:sns:us-east-1:000000000000:news", Protocol="sqs",
                        Endpoint=QUEUE_ARN + "news", Attributes={"RawMessageDelivery": "true"})
        c.dynamodb.create_table(TableName="items", BillingMode="PAY_PER_REQUEST",
                                KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
                                AttributeDefinitions=[{"AttributeName": "h", "AttributeType": "S"}])
        c.iam.create_role(RoleName="test", AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                    "Principal": {"Service": "lambda.amazonaws.com"}}]}))
        c.iam.put_role_policy(RoleName="test", PolicyName="send", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        c.functions.create_function(FunctionName="worker", Role=ROLE, Runtime="provided.al2023",
                                    Handler="h", Code={"ZipFile": functions.program_zip(FUNCTION)})
        c.functions.put_function_event_invoke_config(
            FunctionName="worker", DestinationConfig={"OnSuccess": {"Destination": QUEUE_ARN + "done"}})
        c.ecr.create_repository(repositoryName="images")
        c.logs.create_log_group(logGroupName="g")
        c.logs.create_log_stream(logGroupName="g", logStreamName="s")

    # -- after a cut --

    def expect(self, kind, cut, find):
        for key, possible in self.ledger.at(kind, cut).items():
            found = find(key)
            self.assertIn(found, possible, f"{kind} {key} is none of what was written")
            self.checked += 1

    def object_at(self, **where):
        try:
            return digest(self.clients.s3.get_object(**where)["Body"].read())
        except botocore.exceptions.ClientError as error:
            self.assertIn(error.response["Error"]["Code"], ("NoSuchKey", "NoSuchVersion"), where)
            return ABSENT

    def check_objects(self, cut):
        self.expect("object", cut, lambda key: self.object_at(Bucket="plain", Key=key))
        self.expect("version", cut, lambda key: self.object_at(Bucket="versions", Key=key[0],
                                                               VersionId=key[1]))

    def check_items(self, cut):
        rows = {row["h"]["S"]: row for row in self.clients.dynamodb.scan(TableName="items")["Items"]}
        self.expect("item", cut, lambda key: rows[key]["v"]["S"] if key in rows else ABSENT)
        for row in rows.values():
            self.assertEqual(row.get("body", {"S": ""})["S"].replace(row["v"].get("S", "-"), ""), "")
        sides = [int(rows[side]["v"]["N"]) if side in rows else 0 for side in ("from", "to")]
        self.assertEqual(sum(sides), 0, "half a transaction")
        self.expect("moved", cut, lambda _: sides[1] or ABSENT)

    def receive(self, name, wanted, read):
        """All of the queue until what is wanted has come and nothing more does."""
        seen, until = set(), time.monotonic() + WAIT_S
        while True:
            messages = self.clients.sqs.receive_message(
                QueueUrl=self.clients.url(name), MaxNumberOfMessages=10, VisibilityTimeout=600,
                WaitTimeSeconds=0 if wanted <= seen else 1).get("Messages", [])
            for message in messages:
                seen |= read(message["Body"])
            if not messages and (wanted <= seen or time.monotonic() > until):
                return seen

    def check_queue(self, kind, name, cut, read):
        possible = self.ledger.at(kind, cut)
        wanted = {key for key, values in possible.items() if ABSENT not in values}
        seen = self.receive(name, wanted, read)
        self.expect(kind, cut, lambda key: "there" if key in seen else ABSENT)

    @staticmethod
    def read_event(body):
        return {(record["s3"]["object"]["key"], record["s3"]["object"]["versionId"])
                for record in json.loads(body).get("Records", [])}

    def check_queues(self, cut):
        self.check_queue("message", "plain", cut, lambda body: {body})
        self.check_queue("published", "news", cut, lambda body: {body})
        self.check_queue("event", "events", cut, self.read_event)
        self.check_queue("invoked", "done", cut, lambda body: {json.loads(body)["requestPayload"]})

    def code_of(self, name):
        try:
            about = self.clients.functions.get_function_configuration(FunctionName=name)
        except self.clients.functions.exceptions.ResourceNotFoundException:
            return ABSENT
        folders = [os.path.join(at, "bootstrap") for at, _, files in os.walk(
            os.path.join(self.cloud.folder, "lambda", "code")) if "bootstrap" in files]
        self.assertTrue(all(os.path.getsize(file) for file in folders), "the code of a function is gone")
        return base64.b64decode(about["CodeSha256"]).hex()

    def image_at(self, tag):
        reply = self.clients.ecr.batch_get_image(repositoryName="images", imageIds=[{"imageTag": tag}])
        if not reply["images"]:
            return ABSENT
        manifest = reply["images"][0]["imageManifest"]
        for blob in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]:
            name = blob["digest"][len("sha256:"):]
            with open(os.path.join(self.cloud.folder, "ecr", "blobs", name[:2], name), "rb") as file:
                self.assertEqual(digest(file.read()), name)
        return digest(manifest.encode())

    def check_others(self, cut):
        self.expect("function", cut, self.code_of)
        users = {user["UserName"] for user in self.clients.iam.list_users(MaxItems=1000)["Users"]}
        self.expect("user", cut, lambda name: "there" if name in users else ABSENT)
        apis = {api["id"] for api in self.clients.apigateway.get_rest_apis(limit=500)["items"]}
        self.expect("api", cut, lambda name: "there" if name in apis else ABSENT)
        self.expect("image", cut, self.image_at)
        lines = {event["message"] for page in self.clients.logs.get_paginator("filter_log_events").paginate(
            logGroupName="g") for event in page["events"]}
        self.expect("line", cut, lambda text: "there" if text in lines else ABSENT)

    def check_files(self):
        """Every row has its file, and no file is without a row."""
        self.assertEqual(*clouds.object_files(self.cloud.folder))

    def check(self, cut):
        self.check_files()
        self.check_items(cut)
        self.check_objects(cut)
        self.check_others(cut)
        self.check_queues(cut)

    def moments(self, count):
        """Half of the cuts come right after an acknowledgement, half anywhere."""
        chance, last = random.Random(SEED + count), self.ledger.now()
        acknowledged = self.ledger.acknowledgements()
        acknowledged = acknowledged[bisect.bisect_left(acknowledged, self.prepared):]
        return sorted(chance.choice(acknowledged) if n % 2 else chance.randrange(self.prepared, last)
                      for n in range(count))

    def setUp(self):
        self.checked = 0

    def journal(self):
        return self.open_journal(self.ledger.journal, power.Disk(self.recorded))

    def open_journal(self, path, disk):
        journal = power.Journal(path, disk)
        self.addCleanup(journal.close)
        return journal

    def lay_out(self, journal, moment, harshness, seed):
        """The cloud's folder is now what a power cut leaves."""
        journal.play(moment)
        self.cloud.folder = os.path.join(self.top, f"cut-{moment}-{seed}")
        journal.disk.write_out(self.cloud.folder, harshness, seed)

    def cut(self, journal, moment, harshness, seed, known=None, check=None):
        """What was acknowledged by `known` must be there; without, by the moment itself."""
        self.lay_out(journal, moment, harshness, seed)
        try:
            self.cloud.start()
            (check or self.check)(moment if known is None else known)
        finally:
            self.cloud.stop(signal.SIGKILL)
            shutil.rmtree(self.cloud.folder)

    def recover(self, chance):
        """Starts the cloud on its folder and stops it soon. The journal of that, and how much of it is the start."""
        path, disk = self.cloud.folder + ".journal", power.Disk(self.cloud.folder)
        disk.read_in()
        with self.watched(path):
            self.cloud.start()
            start = os.path.getsize(path)
            time.sleep(chance.choice((0, 0.1, 0.5)))
            self.cloud.stop(chance.choice((signal.SIGKILL, signal.SIGTERM)))
        shutil.rmtree(self.cloud.folder)
        return self.open_journal(path, disk), start

    def cut_again(self, journal, moment, seed):
        """The power goes at a moment, and again at some while the cloud recovers from that."""
        chance = random.Random(seed)
        self.lay_out(journal, moment, chance.choice(power.HARSHNESS), seed)
        recovery, start = self.recover(chance)
        during, all_of_it = recovery.ends(start), recovery.ends(1 << 60)
        for n, again in enumerate(sorted(chance.choice(during if n % 4 else all_of_it) for n in range(AGAIN))):
            harshness = power.HARSHNESS[n % len(power.HARSHNESS)]
            with self.subTest(cut=moment, again=again, harshness=harshness, seed=SEED):
                self.cut(recovery, again, harshness, seed, moment)
        return len(all_of_it)

    def first_start(self):
        """The journal of a first start, where it was done, and the key that it made."""
        self.cloud.folder = os.path.join(self.top, "first")
        os.mkdir(self.cloud.folder)
        path, disk = self.cloud.folder + ".journal", power.Disk(self.cloud.folder)
        with self.watched(path):
            self.cloud.start()
            end = os.path.getsize(path)
            self.cloud.stop(signal.SIGKILL)
        key = self.key_made()
        shutil.rmtree(self.cloud.folder)
        return self.open_journal(path, disk), end, key

    def key_made(self):
        with open(os.path.join(self.cloud.folder, "credentials")) as file:
            return file.read()

    def test_the_power_goes_during_a_first_start(self):
        with unittest.mock.patch.object(self.cloud, "keys", dict):
            journal, end, key = self.first_start()
            cuts = journal.ends(end)
            chosen = random.Random(SEED).sample(cuts[:-1], min(7, len(cuts) - 1)) + cuts[-1:]
            for n, cut in enumerate(sorted(chosen)):
                harshness = power.HARSHNESS[n % len(power.HARSHNESS)] if cut < cuts[-1] else "nothing"
                with self.subTest(cut=cut, harshness=harshness, seed=SEED):
                    self.cut(journal, cut, harshness, SEED, check=lambda _: self.assertIn("aws_secret", self.key_made()))
            self.lay_out(journal, end, "nothing", SEED)
            self.assertEqual(self.key_made(), key)

    def test_a_disk_that_ignores_the_sync_of_files_is_noticed(self):
        journal = self.journal()
        journal.disk.deaf = True
        with self.assertRaises((AssertionError, RuntimeError, botocore.exceptions.ClientError)):
            self.cut(journal, self.ledger.now(), "nothing", SEED)

    def test_nothing_acknowledged_is_lost(self):
        self.assertEqual({kind for kind, _ in self.ledger.entries}, {
            "object", "version", "event", "item", "moved", "message", "published", "invoked", "function",
            "user", "api", "image", "line"})
        started, journal = time.monotonic(), self.journal()
        for n, cut in enumerate(self.moments(CUTS)):
            harshness = power.HARSHNESS[n % len(power.HARSHNESS)]
            with self.subTest(cut=cut, harshness=harshness, seed=SEED):
                self.cut(journal, cut, harshness, SEED + n)
        print(f"{len(self.ledger.acknowledgements())} writes acknowledged, {CUTS} power cuts, {self.checked} "
              f"looked for, {time.monotonic() - started:.1f} s")

    def test_nothing_is_lost_when_the_power_goes_again_during_recovery(self):
        started, journal, records = time.monotonic(), self.journal(), 0
        for n, cut in enumerate(self.moments(RECOVERIES)):
            records += self.cut_again(journal, cut, SEED + n)
        print(f"{RECOVERIES} recoveries of {records} changes, {RECOVERIES * AGAIN} power cuts in them, {self.checked} "
              f"looked for, {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
