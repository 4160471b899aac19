"""kill -9 under writes of versions with notifications: every acknowledged version is there, whole, with its event, and so
are the events of copies, completed uploads and deletions.
s3_crash_test.py KEN; KEN_CRASH_ROUNDS=500 for longer"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
    import sqlite3
except ImportError as error:
    clouds.skip(f"{error} for {sys.executable}")

KEN = sys.argv[1]
ROUNDS = int(os.environ.get("KEN_CRASH_ROUNDS", "4"))
WRITERS, KEYS, KEPT, QUIET_S = 4, 3, 100, 35  # longer than a message stays hidden
BUCKET = "versions"
STEPS = ("put", "put", "copy", "delete", "remove", "put", "in parts", "put", "remove both", "put")


class Writer(threading.Thread):
    """Puts, deletes and removes versions of its own keys until the cloud dies."""

    def __init__(self, cloud, number, state):
        super().__init__()
        self.s3 = cloud.client(boto3, "s3")
        self.number, self.state, self.writes = number, state, 0

    def run(self):
        try:
            while True:
                self.step()
                self.writes += 1
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            pass

    def step(self):
        key = f"{self.number}/{self.writes % KEYS}"
        mine = [v for v in list(self.state["versions"]) if v[0].startswith(f"{self.number}/")]
        step = STEPS[self.writes % len(STEPS)]
        if step in ("copy", "remove", "remove both") and len(mine) < 2:
            step = "put"
        getattr(self, step.replace(" ", "_"))(key, mine)

    def made(self, key, reply, body_digest, event):
        version = (key, reply["VersionId"])
        self.state["versions"][version] = body_digest
        self.state["events"].add(("ObjectCreated:" + event, *version))

    def put(self, key, _):
        body = os.urandom([0, 900, 40_000, 600_000][self.writes % 4])
        self.made(key, self.s3.put_object(Bucket=BUCKET, Key=key, Body=body), hashlib.sha256(body).digest(), "Put")

    def copy(self, key, mine):
        source = random.choice(mine)
        reply = self.s3.copy_object(Bucket=BUCKET, Key=key, CopySource={
            "Bucket": BUCKET, "Key": source[0], "VersionId": source[1]})
        self.made(key, reply, self.state["versions"][source], "Copy")

    def in_parts(self, key, _):
        body, where = os.urandom(300_000), {"Bucket": BUCKET, "Key": key}
        where["UploadId"] = self.s3.create_multipart_upload(**where)["UploadId"]
        etag = self.s3.upload_part(**where, PartNumber=1, Body=body)["ETag"]
        reply = self.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [
            {"PartNumber": 1, "ETag": etag}]})
        self.made(key, reply, hashlib.sha256(body).digest(), "CompleteMultipartUpload")

    def delete(self, key, _):
        marker = (key, self.s3.delete_object(Bucket=BUCKET, Key=key)["VersionId"])
        self.state["markers"].add(marker)
        self.state["events"].add(("ObjectRemoved:DeleteMarkerCreated", *marker))

    def remove(self, _, mine):
        self.gone(random.sample(mine, 1), lambda victims: self.s3.delete_object(
            Bucket=BUCKET, Key=victims[0][0], VersionId=victims[0][1]))

    def remove_both(self, _, mine):
        self.gone(random.sample(mine, 2), lambda victims: self.s3.delete_objects(Bucket=BUCKET, Delete={
            "Objects": [{"Key": key, "VersionId": version} for key, version in victims]}))

    def gone(self, victims, call):
        self.state["doubtful"].update(victims)
        call(victims)
        for victim in victims:
            self.state["versions"].pop(victim)
            self.state["events"].add(("ObjectRemoved:Delete", *victim))
        self.state["removed"].update(victims)
        self.state["doubtful"].difference_update(victims)


class CrashTest(unittest.TestCase):
    def setUp(self):
        self.state = {"versions": {}, "markers": set(), "removed": set(), "doubtful": set(),
                      "events": set()}
        self.seen = set()

    def receive(self, cloud):
        """Until every event has come, or none comes any more."""
        sqs, until = cloud.client(boto3, "sqs"), time.monotonic() + QUIET_S
        url = sqs.get_queue_url(QueueName="events")["QueueUrl"]
        while not self.state["events"] <= self.seen and time.monotonic() < until:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10,
                                           WaitTimeSeconds=1).get("Messages", [])
            for message in messages:
                for record in json.loads(message["Body"]).get("Records", []):
                    thing = record["s3"]["object"]
                    self.seen.add((record["eventName"], thing["key"], thing["versionId"]))
            if messages:
                until = time.monotonic() + QUIET_S
                sqs.delete_message_batch(QueueUrl=url, Entries=[
                    {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                    for n, message in enumerate(messages)])
        missing = self.state["events"] - self.seen
        if missing:
            self.fail(f"{len(missing)} of {len(self.state['events'])} events have not come: {sorted(missing)}"
                      + self.traces(cloud, missing))

    def traces(self, cloud, missing):
        """What the databases say of the events that did not come; the folder is kept as it is now."""
        now_ms, kept = time.time_ns() // 1_000_000, tempfile.mkdtemp(prefix="ken-s3-crash-")
        cloud.stop(signal.SIGKILL)
        shutil.copytree(cloud.folder, kept, dirs_exist_ok=True)
        lines = [f"\nat {now_ms} ms; the folder is kept: {kept}"]
        for file, sql in (
                ("s3/meta.db", "SELECT 'waits in the outbox', body, attempts, next_ms FROM outbox"),
                ("s3/meta.db", "SELECT 'is an old version', key, version, sequence FROM history"),
                ("s3/meta.db", "SELECT 'is a version', key, version, sequence FROM objects"),
                ("sqs.sqlite", "SELECT 'waits in the queue', body, receives, visible_ms FROM messages")):
            database = sqlite3.connect(pathlib.Path(kept, file))
            rows = list(database.execute(sql))
            database.close()
            lines.append(f"{file}: {len(rows)} rows in {sql.split()[-1]}")
            lines += [f"{version}: {row}" for row in rows for _, _, version in missing
                      if version in row[1] or version == row[2]]
        return "\n".join(lines)

    def check(self, cloud):
        s3 = cloud.client(boto3, "s3")
        listed, markers, current = set(), set(), {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
            for row in page.get("Versions", []):
                listed.add((row["Key"], row["VersionId"]))
                if row["IsLatest"]:
                    current[row["Key"]] = row["VersionId"]
            markers |= {(m["Key"], m["VersionId"]) for m in page.get("DeleteMarkers", [])}
        for version in self.state["doubtful"] - listed:
            self.state["versions"].pop(version, None)
        self.state["doubtful"].clear()
        for (key, version), digest in self.state["versions"].items():
            body = s3.get_object(Bucket=BUCKET, Key=key, VersionId=version)["Body"].read()
            self.assertEqual(hashlib.sha256(body).digest(), digest, key)
        self.assertLessEqual(self.state["markers"], markers)
        self.assertFalse(self.state["removed"] & listed, "a removed version came back")
        keys = {o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
        self.assertEqual(keys, set(current), "the list and the newest versions differ")
        self.assertEqual(*clouds.object_files(cloud.folder), "files of objects, and rows that name one")

    def trim(self, cloud):
        """Hundreds of rounds must not look at what hundreds of rounds have written."""
        old = list(self.state["versions"])[:-KEPT]
        s3 = cloud.client(boto3, "s3")
        for at in range(0, len(old), 1000):
            s3.delete_objects(Bucket=BUCKET, Delete={"Quiet": True, "Objects": [
                {"Key": key, "VersionId": version} for key, version in old[at:at + 1000]]})
        for version in old:
            del self.state["versions"][version]
        self.state["removed"] |= set(old)

    def test_kill_under_writes(self):
        writes = 0
        with clouds.Cloud(KEN) as cloud:
            s3 = cloud.client(boto3, "s3")
            s3.create_bucket(Bucket=BUCKET)
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            cloud.client(boto3, "sqs").create_queue(QueueName="events")
            s3.put_bucket_notification_configuration(
                Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [
                    {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:events",
                     "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}]})
            for number in range(ROUNDS):
                writers = [Writer(cloud, n, self.state) for n in range(WRITERS)]
                for writer in writers:
                    writer.start()
                time.sleep(0.3 + random.random() * 0.4)
                cloud.stop(signal.SIGKILL)
                for writer in writers:
                    writer.join()
                    writes += writer.writes
                cloud.start()
                self.check(cloud)
                self.trim(cloud)
                if number % 10 == 9 or number == ROUNDS - 1:
                    self.receive(cloud)
                    self.state["events"].clear()
                    self.seen.clear()
        self.assertGreater(writes, ROUNDS)
        print(f"{writes} writes acknowledged, {ROUNDS} kills, no version and no event lost")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
