"""S3 through the AWS command line. s3_cli_test.py KEN"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import cloud as clouds

KEN, AWS = sys.argv[1], shutil.which("aws")
if not AWS or subprocess.run([AWS, "--version"], capture_output=True).returncode:
    clouds.skip("no aws command line")


class CommandLineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.folder = tempfile.mkdtemp(prefix="ken-cli-test-")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()
        shutil.rmtree(cls.folder)

    def aws(self, *arguments, **environment):
        # --endpoint-url, as older versions do not read AWS_ENDPOINT_URL
        return subprocess.run([AWS, "--endpoint-url", self.cloud.endpoint, *arguments],
                              env={**self.cloud.environment(), **environment},
                              capture_output=True, text=True, timeout=120)

    def works(self, *arguments):
        done = self.aws(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def file(self, name, size):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(os.urandom(size))
        return path

    def same(self, a, b):
        with open(a, "rb") as one, open(b, "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_wrong_secret(self):
        done = self.aws("s3", "ls", AWS_SECRET_ACCESS_KEY="wrong")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("SignatureDoesNotMatch", done.stderr)

    def test_absent_bucket(self):
        done = self.aws("s3", "ls", "s3://absent-bucket")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("NoSuchBucket", done.stderr)

    def test_files_there_and_back(self):
        self.works("s3", "mb", "s3://files")
        small, large = self.file("in/a b.png", 35000), self.file("in/deep/v.mp4", 20_000_000)
        self.works("s3", "cp", "--no-progress", small, "s3://files/one.png")
        self.works("s3", "sync", "--no-progress", os.path.join(self.folder, "in"), "s3://files/in")
        self.assertEqual(self.works("s3", "sync", os.path.join(self.folder, "in"),
                                    "s3://files/in"), "", "a second sync copies nothing")
        out = os.path.join(self.folder, "out")
        self.works("s3", "cp", "--no-progress", "--recursive", "s3://files/in", out)
        self.same(small, os.path.join(out, "a b.png"))
        self.same(large, os.path.join(out, "deep/v.mp4"))
        listing = self.works("s3", "ls", "s3://files/")
        self.assertIn("PRE in/", listing)
        self.assertIn("one.png", listing)
        head = json.loads(self.works("s3api", "head-object", "--bucket", "files", "--key",
                                     "one.png", "--output", "json"))
        self.assertEqual((head["ContentLength"], head["ContentType"]), (35000, "image/png"))
        self.works("s3", "mv", "s3://files/one.png", "s3://files/two.png")
        self.works("s3", "cp", "s3://files/in/deep/v.mp4", "s3://files/copy.mp4")
        copy = os.path.join(self.folder, "copy.mp4")
        self.works("s3", "cp", "--no-progress", "s3://files/copy.mp4", copy)
        self.same(large, copy)
        self.works("s3", "rb", "--force", "s3://files")
        self.assertNotIn("files", self.works("s3", "ls"))

    def test_versions(self):
        bucket = ["--bucket", "cli-versions"]
        self.works("s3", "mb", "s3://cli-versions")
        done = self.aws("s3api", "get-bucket-tagging", *bucket)
        self.assertIn("NoSuchTagSet", done.stderr)
        self.works("s3api", "put-bucket-versioning", *bucket,
                   "--versioning-configuration", "Status=Enabled")
        file, ids = self.file("in/version", 100), []
        for _ in range(2):
            reply = self.works("s3api", "put-object", *bucket, "--key", "k", "--body", file,
                               "--tagging", "a=1", "--output", "json")
            ids.insert(0, json.loads(reply)["VersionId"])
        self.works("s3", "rm", "s3://cli-versions/k")
        listed = json.loads(self.works("s3api", "list-object-versions", *bucket, "--output", "json"))
        self.assertEqual([v["VersionId"] for v in listed["Versions"]], ids)
        self.assertEqual(len(listed["DeleteMarkers"]), 1)
        out = os.path.join(self.folder, "version")
        self.works("s3api", "get-object", *bucket, "--key", "k", "--version-id", ids[1], out)
        self.same(file, out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
