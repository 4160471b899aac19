"""kill -9 and SIGTERM under writes: what was acknowledged is there, whole; what was not is old, new or absent.
crash_test.py KEN; KEN_CRASH_ROUNDS=500 for longer (make test-crash)"""
import hashlib
import os
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
ROUNDS, WRITERS, KEYS, SECONDS = int(os.environ.get("KEN_CRASH_ROUNDS", "4")), 4, 5, 0.5
SMALL = 64 * 1024  # up to here an object has no file of its own


class Writer(threading.Thread):
    """Puts, replaces and deletes its own keys until the cloud dies; remembers what was answered."""

    def __init__(self, cloud, number, acknowledged):
        super().__init__()
        self.s3 = cloud.client(boto3, "s3")
        self.number, self.acknowledged, self.writes = number, acknowledged, 0

    def run(self):
        try:
            while True:
                self.step()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            pass

    def step(self):
        key = f"{self.number}/{self.writes % KEYS}"
        size = [0, 700, 35_000, 1_200_000][self.writes % 4]
        possible = self.acknowledged.setdefault(key, [None])
        if self.writes % 7 == 6:
            possible.append(None)
            self.s3.delete_object(Bucket="crash", Key=key)
            self.acknowledged[key] = [None]
        else:
            body = os.urandom(size)
            digest = hashlib.sha256(body).digest()
            possible.append(digest)
            self.s3.put_object(Bucket="crash", Key=key, Body=body)
            self.acknowledged[key] = [digest]
        self.writes += 1


class CrashTest(unittest.TestCase):
    def check(self, cloud, acknowledged):
        s3 = cloud.client(boto3, "s3")
        for key, possible in acknowledged.items():
            try:
                found = hashlib.sha256(s3.get_object(Bucket="crash", Key=key)["Body"].read()).digest()
            except s3.exceptions.NoSuchKey:
                found = None
            self.assertIn(found, possible, f"{key} is neither the old nor the new object")
            acknowledged[key] = [found]
        rows = sum(o["Size"] > SMALL for o in
                   s3.list_objects_v2(Bucket="crash").get("Contents", []))
        files = sum(len(names) for _, _, names in os.walk(os.path.join(cloud.folder, "s3",
                                                                       "objects")))
        self.assertEqual(files, rows, "files without an object are left")

    def test_kill_under_writes(self):
        acknowledged, writes = {}, 0
        with clouds.Cloud(KEN) as cloud:
            cloud.client(boto3, "s3").create_bucket(Bucket="crash")
            for round in range(ROUNDS):
                writers = [Writer(cloud, n, acknowledged) for n in range(WRITERS)]
                for writer in writers:
                    writer.start()
                time.sleep(SECONDS + 0.05 * (round % 8))
                cloud.stop(signal.SIGKILL)
                for writer in writers:
                    writer.join()
                    writes += writer.writes
                cloud.start()
                self.check(cloud, acknowledged)
        self.assertGreater(writes, ROUNDS)
        print(f"{writes} writes acknowledged, {ROUNDS} kills, nothing lost")

    def test_stop_under_writes(self):
        acknowledged = {}
        with clouds.Cloud(KEN) as cloud:
            cloud.client(boto3, "s3").create_bucket(Bucket="crash")
            for _ in range(2):
                writers = [Writer(cloud, n, acknowledged) for n in range(WRITERS)]
                for writer in writers:
                    writer.start()
                time.sleep(SECONDS)
                process, before = cloud.process, time.monotonic()
                cloud.stop(signal.SIGTERM)
                self.assertEqual(process.returncode, 0)
                self.assertLess(time.monotonic() - before, 8, "idle connections held the stop up")
                for writer in writers:
                    writer.join()
                cloud.start()
                self.check(cloud, acknowledged)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
