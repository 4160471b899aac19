"""S3 and images through tools that others wrote: s3cmd, rclone, s3fs, curl, Debian's AWS CLI, boto3's managed
transfers, podman, umoci. Each is skipped where it is absent. judges_test.py KEN"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
    from boto3.s3.transfer import TransferConfig
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
MIB = 1024 * 1024


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), "no " + tool)


class Judge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.folder = tempfile.mkdtemp(prefix="ken-judges-")
        cls.s3 = cls.cloud.client(boto3, "s3")
        cls.host = cls.cloud.endpoint.split("//")[1]
        cls.fill(os.path.join(cls.folder, "in"))

    @classmethod
    def fill(cls, folder):
        """An empty file, a small one, one that goes in parts; names that need encoding."""
        os.makedirs(os.path.join(folder, "deep/er"))
        for name, size in (("small", 35_000), ("deep/empty", 0), ("deep/large", 12_000_000),
                           ("deep/er/x y+ä&=%.png", 1_000)):
            with open(os.path.join(folder, name), "wb") as out:
                out.write(os.urandom(size))

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()
        shutil.rmtree(cls.folder)

    def environment(self):
        return {name: value for name, value in self.cloud.environment().items()
                if name not in ("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL")}

    def tries(self, *command, **more):
        return subprocess.run(command, env={**self.environment(), **more.pop("env", {})},
                              capture_output=True, text=True, timeout=60, **more)

    def works(self, *command, **more):
        done = self.tries(*command, **more)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def contents(self, folder):
        found = {}
        for at, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(at, name), "rb") as file:
                    found[os.path.relpath(os.path.join(at, name), folder)] = \
                        hashlib.sha256(file.read()).hexdigest()
        return found

    def same_files(self, a, b):
        self.assertEqual(self.contents(a), self.contents(b))

    def keys(self, bucket):
        return {o["Key"] for o in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


@needs("s3cmd")
class S3cmdTest(Judge):
    def s3cmd(self, *arguments, secret=None, how="works"):
        keys = self.cloud.keys()
        return getattr(self, how)(
            "s3cmd", "--config=/dev/null", "--no-ssl", "--no-progress", "--host=" + self.host,
            "--host-bucket=" + self.host, "--access_key=" + keys["AWS_ACCESS_KEY_ID"],
            "--secret_key=" + (secret or keys["AWS_SECRET_ACCESS_KEY"]), *arguments)

    def test_wrong_secret_and_absent_bucket(self):
        done = self.s3cmd("ls", secret="wrong", how="tries")
        self.assertIn("SignatureDoesNotMatch", done.stderr)
        done = self.s3cmd("ls", "s3://absent-bucket", how="tries")
        self.assertIn("NoSuchBucket", done.stderr)

    def test_files_there_and_back(self):
        self.s3cmd("mb", "s3://cmd")
        given = self.path("in") + "/"
        self.s3cmd("sync", "--multipart-chunk-size-mb=5", given, "s3://cmd/")
        self.assertNotIn("upload:", self.s3cmd("sync", given, "s3://cmd/"))
        out = self.path("cmd-out") + "/"
        os.mkdir(out)
        self.s3cmd("sync", "s3://cmd/", out)
        self.same_files(given, out)
        self.s3cmd("mv", "s3://cmd/small", "s3://cmd/moved")
        self.s3cmd("modify", "--add-header=x-amz-meta-color:red", "s3://cmd/moved")
        self.assertIn("x-amz-meta-color: red", self.s3cmd("info", "s3://cmd/moved"))
        self.s3cmd("expire", "--expiry-days=3", "s3://cmd")
        self.assertIn("<Days>3</Days>", self.s3cmd("getlifecycle", "s3://cmd"))
        self.s3cmd("setacl", "--acl-public", "s3://cmd/moved")
        self.assertIn("*anon*: READ", self.s3cmd("info", "s3://cmd/moved"))
        self.s3cmd("rb", "--recursive", "--force", "s3://cmd")
        self.assertNotIn("s3://cmd", self.s3cmd("ls"))

    def test_signature_version_2(self):
        self.s3.create_bucket(Bucket="signed")
        self.s3.put_object(Bucket="signed", Key="a key", Body=b"content")
        url = self.s3cmd("signurl", "s3://signed/a key", "+60").strip()
        self.assertEqual(self.works("curl", "-s", "-w", "%{http_code}", url), "content200")
        self.assertIn("<Code>SignatureDoesNotMatch</Code>",
                      self.works("curl", "-s", url.replace("a%20key", "b%20key")))
        self.assertIn("s3://signed/a key", self.s3cmd("--signature-v2", "ls", "s3://signed"))
        self.s3cmd("--signature-v2", "cp", "s3://signed/a key", "s3://signed/another")
        self.assertIn("MD5 sum", self.s3cmd("--signature-v2", "info", "s3://signed/another"))


@needs("rclone")
class RcloneTest(Judge):
    def rclone(self, *arguments, how="works", stdin=None, **more):
        kind = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "REGION": "us-east-1",
                "ENDPOINT": self.cloud.endpoint}
        return getattr(self, how)(
            "rclone", "--config=/dev/null", "--retries=1", "--low-level-retries=1", *arguments,
            env={**{"RCLONE_CONFIG_K_" + name: value for name, value in kind.items()}, **more},
            stdin=stdin)

    def test_wrong_secret(self):
        done = self.rclone("lsd", "k:", how="tries", AWS_SECRET_ACCESS_KEY="wrong")
        self.assertIn("SignatureDoesNotMatch", done.stderr)

    def test_files_there_and_back(self):
        self.rclone("mkdir", "k:clone")
        parts = ("--s3-upload-cutoff=5M", "--s3-chunk-size=5M", "--s3-copy-cutoff=6M")
        self.rclone(*parts, "sync", self.path("in"), "k:clone/in")
        self.rclone("check", "--download", self.path("in"), "k:clone/in")
        self.rclone(*parts, "copyto", "k:clone/in/deep/large", "k:clone/copy")
        self.rclone("moveto", "k:clone/copy", "k:clone/moved")
        self.rclone("copyto", "k:clone/moved", self.path("moved"))
        with open(self.path("moved"), "rb") as one, open(self.path("in/deep/large"), "rb") as two:
            self.assertEqual(one.read(), two.read())
        with open(self.path("in/small"), "rb") as file:
            self.rclone("rcat", "k:clone/piped", stdin=file)
        self.rclone("touch", "-t", "2020-01-02T03:04:05", "k:clone/piped")
        self.assertIn("35000 2020-01-02 03:04:05", self.rclone("lsl", "k:clone/piped"))
        self.assertEqual(self.works("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                                    self.rclone("link", "--expire=1h", "k:clone/piped").strip()),
                         "200")
        self.rclone("backend", "versioning", "k:clone", "Enabled")
        self.rclone("copyto", self.path("in/deep/empty"), "k:clone/piped")
        names = self.rclone("--s3-versions", "lsf", "k:clone").split()
        self.assertEqual(sum(name.startswith("piped") for name in names), 2, names)
        self.rclone("purge", "k:clone/in")
        self.assertEqual(self.keys("clone"), {"moved", "piped"})


@needs("s3fs")
@unittest.skipUnless(os.path.exists("/dev/fuse") and os.geteuid() == 0, "no FUSE here")
class S3fsTest(Judge):
    def setUp(self):
        self.s3.create_bucket(Bucket="fuse")
        self.at = self.path("mount")
        os.mkdir(self.at)
        secret = self.path("secret")
        keys = self.cloud.keys()
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{keys['AWS_ACCESS_KEY_ID']}:{keys['AWS_SECRET_ACCESS_KEY']}")
        done = self.tries("s3fs", "fuse", self.at, "-o",
                          f"passwd_file={secret},url={self.cloud.endpoint},"
                          "use_path_request_style,endpoint=us-east-1,multipart_size=5")
        if done.returncode:
            self.skipTest("s3fs cannot mount: " + done.stderr)
        try:
            clouds.wait_until(lambda: os.path.ismount(self.at), 5)
        except AssertionError:
            self.skipTest("s3fs does not mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.at], check=True)

    def test_a_folder_of_files(self):
        shutil.copytree(self.path("in"), os.path.join(self.at, "in"))
        self.same_files(self.path("in"), os.path.join(self.at, "in"))
        one = os.path.join(self.at, "one")
        os.rename(os.path.join(self.at, "in/small"), one)
        with open(one, "ab") as file:
            file.write(b"more")
        self.assertEqual(os.path.getsize(one), 35_004)
        self.assertEqual(self.s3.head_object(Bucket="fuse", Key="one")["ContentLength"], 35_004)
        os.truncate(one, 100)
        os.chmod(one, 0o600)
        os.symlink("one", os.path.join(self.at, "link"))
        self.assertEqual(os.stat(os.path.join(self.at, "link")).st_size, 100)
        self.assertEqual(self.s3.head_object(Bucket="fuse", Key="one")["Metadata"]["mode"],
                         str(0o100600))
        shutil.rmtree(os.path.join(self.at, "in"))
        self.assertEqual(self.keys("fuse"), {"one", "link"})


@needs("curl")
class CurlTest(Judge):
    def curl(self, service, *arguments, secret=None):
        keys = self.cloud.keys()
        user = f"{keys['AWS_ACCESS_KEY_ID']}:{secret or keys['AWS_SECRET_ACCESS_KEY']}"
        return self.works("curl", "-s", "--user", user, "--aws-sigv4",
                          "aws:amz:us-east-1:" + service, "-w", "\n%{http_code}", *arguments)

    def test_dynamodb(self):
        headers = ("-H", "X-Amz-Target: DynamoDB_20120810.ListTables",
                   "-H", "Content-Type: application/x-amz-json-1.0", "-d", "{}")
        self.assertEqual(self.curl("dynamodb", *headers, self.cloud.endpoint + "/"),
                         '{"TableNames":[]}\n200')
        wrong = self.curl("dynamodb", *headers, self.cloud.endpoint + "/", secret="wrong")
        self.assertIn("InvalidSignatureException", wrong)
        self.assertTrue(wrong.endswith("400"))

    def test_s3(self):
        self.s3.create_bucket(Bucket="curl")
        at = self.cloud.endpoint + "/curl/a.txt"
        # older versions of curl sign the payload without saying so in a header
        digest = hashlib.sha256(b"hello").hexdigest()
        self.assertTrue(self.curl("s3", "-X", "PUT", "-H", "x-amz-content-sha256: " + digest,
                                  "-d", "hello", at).endswith("\n200"))
        empty = "x-amz-content-sha256: " + hashlib.sha256(b"").hexdigest()
        self.assertEqual(self.curl("s3", "-H", empty, at), "hello\n200")
        self.assertEqual(self.curl("s3", "-H", empty, "-r", "1-2", at), "el\n206")


@unittest.skipUnless(os.access("/usr/bin/aws", os.X_OK), "no AWS CLI from the distribution")
class DistributionCliTest(Judge):
    def aws(self, *arguments, **more):
        return self.works("/usr/bin/aws", "--endpoint-url", self.cloud.endpoint, *arguments, **more)

    def test_files_there_and_back(self):
        self.aws("s3", "mb", "s3://old")
        self.aws("s3", "sync", "--no-progress", self.path("in"), "s3://old")
        self.assertEqual(self.aws("s3", "sync", self.path("in"), "s3://old"), "")
        out = self.path("old-out")
        self.aws("s3", "cp", "--no-progress", "--recursive", "s3://old", out)
        self.same_files(self.path("in"), out)
        url = self.aws("s3", "presign", "s3://old/small").strip()
        self.assertEqual(self.works("curl", "-s", "-o", self.path("presigned"), "-w",
                                    "%{http_code}", url), "200")
        self.assertEqual(os.path.getsize(self.path("presigned")), 35_000)
        self.aws("s3", "rb", "--force", "s3://old")

    def test_records(self):
        self.aws("dynamodb", "create-table", "--table-name", "table", "--key-schema",
                 "AttributeName=h,KeyType=HASH", "--attribute-definitions",
                 "AttributeName=h,AttributeType=S", "--billing-mode", "PAY_PER_REQUEST")
        self.aws("dynamodb", "wait", "table-exists", "--table-name", "table")
        self.aws("dynamodb", "put-item", "--table-name", "table", "--item",
                 '{"h": {"S": "a"}, "n": {"N": "1.50"}}')
        got = json.loads(self.aws("dynamodb", "get-item", "--table-name", "table", "--key",
                                  '{"h": {"S": "a"}}', "--output", "json"))
        self.assertEqual(got["Item"]["n"], {"N": "1.5"})


class ManagedTransferTest(Judge):
    CONFIG = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB,
                            max_concurrency=4)

    def there_and_back(self, **extra):
        self.s3.upload_file(self.path("in/deep/large"), "managed", "large", Config=self.CONFIG,
                            ExtraArgs=extra)
        back = self.path("managed-back")
        self.s3.download_file("managed", "large", back, Config=self.CONFIG)
        with open(back, "rb") as one, open(self.path("in/deep/large"), "rb") as two:
            self.assertEqual(one.read(), two.read())

    def test_parts_with_every_checksum(self):
        self.s3.create_bucket(Bucket="managed")
        self.there_and_back(Metadata={"a": "b"})
        head = self.s3.head_object(Bucket="managed", Key="large")
        self.assertTrue(head["ETag"].endswith('-3"'))
        self.assertEqual(head["Metadata"], {"a": "b"})
        for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
            try:
                self.there_and_back(ChecksumAlgorithm=algorithm)
            except (botocore.exceptions.MissingDependencyException,
                    botocore.exceptions.FlexibleChecksumError):
                self.assertEqual(algorithm, "CRC32C")  # needs one more package in the client
                continue
            found = self.s3.head_object(Bucket="managed", Key="large", ChecksumMode="ENABLED")
            self.assertTrue(found["Checksum" + algorithm])
        self.s3.copy({"Bucket": "managed", "Key": "large"}, "managed", "copy", Config=self.CONFIG)
        one, two = (hashlib.sha256(self.s3.get_object(Bucket="managed", Key=key)["Body"].read())
                    .digest() for key in ("large", "copy"))
        self.assertEqual(one, two)

    def test_absent_object(self):
        self.s3.create_bucket(Bucket="managed-absent")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.s3.download_file("managed-absent", "x", self.path("x"))
        self.assertEqual(caught.exception.response["Error"]["Code"], "404")


class ImageTest(Judge):
    @needs("umoci")
    @needs("skopeo")
    def test_umoci_unpacks_what_skopeo_brings_back(self):
        name = self.repository("umoci")
        layout, root = self.path("layout"), self.path("root")
        self.works("umoci", "init", "--layout", layout)
        self.works("umoci", "new", "--image", layout + ":v1")
        os.makedirs(root)
        with open(os.path.join(root, "hello"), "w") as file:
            file.write("hello")
        self.works("umoci", "insert", "--rootless", "--image", layout + ":v1", root, "/data")
        plain = ("--insecure-policy", "copy")
        self.works("skopeo", *plain, "--dest-tls-verify=false", "--dest-creds", self.login,
                   f"oci:{layout}:v1", f"docker://{self.registry}/{name}:v1")
        back, bundle = self.path("back"), self.path("bundle")
        self.works("skopeo", *plain, "--src-tls-verify=false", "--src-creds", self.login,
                   f"docker://{self.registry}/{name}:v1", f"oci:{back}:v1")
        self.works("umoci", "unpack", "--rootless", "--image", back + ":v1", bundle)
        with open(os.path.join(bundle, "rootfs/data/hello")) as file:
            self.assertEqual(file.read(), "hello")

    @needs("podman")
    def test_podman_pushes_and_pulls(self):
        name = self.repository("podman")
        podman = ("podman", "--root", self.path("podman"), "--runroot", self.path("podman-run"),
                  "--storage-driver=vfs")
        layer = self.path("layer.tar")
        self.works("tar", "-C", self.path("in"), "-cf", layer, "small")
        done = self.tries(*podman, "import", layer, "local/app:v1")
        if done.returncode:
            self.skipTest("podman does not run here: " + done.stderr[-200:])
        at = f"{self.registry}/{name}:v1"
        plain = ("--tls-verify=false", "--creds", self.login)
        refused = self.tries(*podman, "push", "--tls-verify=false", "--creds", "AWS:wrong",
                             "local/app:v1", at)
        self.assertNotEqual(refused.returncode, 0)
        self.works(*podman, "push", *plain, "local/app:v1", at)
        self.works(*podman, "rmi", "--all", "--force")
        self.works(*podman, "pull", *plain, at)
        self.assertIn(name, self.works(*podman, "images"))
        images = self.ecr.list_images(repositoryName=name)["imageIds"]
        self.assertEqual([i.get("imageTag") for i in images], ["v1"])

    def repository(self, name):
        self.ecr = self.cloud.client(boto3, "ecr")
        self.ecr.create_repository(repositoryName=name)
        data = self.ecr.get_authorization_token()["authorizationData"][0]
        self.login = base64.b64decode(data["authorizationToken"]).decode()
        self.registry = data["proxyEndpoint"].split("//")[1]
        return name


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
