"""A full disk: a clear error, nothing half-written, and reads go on. disk_full_test.py KEN

The data folder is a small file system in memory, which only root may make."""
import os
import subprocess
import sys
import tempfile
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
FOLDER = tempfile.mkdtemp(prefix="ken-full-test-")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "ken-test", FOLDER],
                  capture_output=True).returncode:
    os.rmdir(FOLDER)
    clouds.skip("only root can make a small file system")


class DiskFullTest(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        subprocess.run(["umount", FOLDER], check=True)
        os.rmdir(FOLDER)

    def refused(self, s3, key, size):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            s3.put_object(Bucket="full", Key=key, Body=os.urandom(size))
        answer = caught.exception.response
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 507, answer)
        self.assertEqual(answer["Error"]["Code"], "InsufficientStorage")

    def test_full(self):
        with clouds.Cloud(KEN, os.path.join(FOLDER, "data")) as cloud:
            s3 = cloud.client(boto3, "s3")
            s3.create_bucket(Bucket="full")
            stored = {}
            for i in range(100):
                body = os.urandom(300_000)
                try:
                    s3.put_object(Bucket="full", Key=str(i), Body=body)
                except botocore.exceptions.ClientError as error:
                    self.assertEqual(error.response["Error"]["Code"], "InsufficientStorage")
                    break
                stored[str(i)] = body
            self.assertGreater(len(stored), 2)
            self.assertLess(len(stored), 100)
            self.refused(s3, "large", 3_000_000)  # goes to a file while it comes
            self.refused(s3, "small", 400_000)    # is written when it is there
            self.check(s3, stored)
            cloud.stop()
            cloud.start()
            s3 = cloud.client(boto3, "s3")
            self.check(s3, stored)
            s3.delete_object(Bucket="full", Key="0")
            s3.delete_object(Bucket="full", Key="1")
            s3.put_object(Bucket="full", Key="again", Body=b"fits")

    def check(self, s3, stored):
        listed = s3.list_objects_v2(Bucket="full")["Contents"]
        self.assertEqual({o["Key"] for o in listed}, set(stored))
        for key, body in stored.items():
            self.assertEqual(s3.get_object(Bucket="full", Key=key)["Body"].read(), body)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
