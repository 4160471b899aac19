"""Functions of container images: from the cloud's own registry to their answers. lambda_image_test.py KEN FUNCTION"""
import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import time
import unittest
import urllib.parse

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN, FUNCTION = sys.argv[1:3]
ROLE = "arn:aws:iam::000000000000:role/test"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_layer(entries):
    """{name: content, (content, mode), "-> TARGET" a link, "=> TARGET" a hard link, None a folder, int a type}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            content, info.mode = content if isinstance(content, tuple) else (content, 0o755)
            data = None
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, int):
                info.type = str(content).encode()
            elif isinstance(content, str) and content[1:3] == "> ":
                info.type, info.linkname = {"-": tarfile.SYMTYPE, "=": tarfile.LNKTYPE}[content[0]], content[3:]
            else:
                data = content.encode() if isinstance(content, str) else content
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return gzip.compress(out.getvalue(), 1)


def program_files():
    """The test function with the libraries that it is linked to."""
    files = {"opt/bin/hello": pathlib.Path(FUNCTION).read_bytes()}
    for path in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", FUNCTION], capture_output=True, text=True).stdout):
        files[path.lstrip("/")] = pathlib.Path(path).read_bytes()
    return files


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.client = cls.cloud.client(boto3, "lambda")
        cls.ecr = cls.cloud.client(boto3, "ecr")
        cls.log_in()
        cls.ecr.create_repository(repositoryName="app")
        cls.program = make_layer(program_files())
        cls.count = 0
        try:
            cls.push(cls.image())
            cls.create()
        except botocore.exceptions.ClientError as error:
            if "full isolation" in str(error):
                cls.cloud.close()
                clouds.skip("no full isolation of functions here")
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    @classmethod
    def log_in(cls):
        data = cls.ecr.get_authorization_token()["authorizationData"][0]
        cls.authorization = "Basic " + data["authorizationToken"]
        cls.host = urllib.parse.urlsplit(data["proxyEndpoint"]).netloc

    @classmethod
    def ask(cls, method, path, body=None, kind="application/octet-stream"):
        connection = http.client.HTTPConnection(cls.host)
        connection.request(method, path, body, {"Authorization": cls.authorization, "Content-Type": kind})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        if reply.status >= 300:
            raise AssertionError(f"{method} {path}: {reply.status} {data}")
        return reply

    @classmethod
    def image(cls, *layers, config=None, **about):
        layers = [cls.program, *map(make_layer, layers)]
        own = {"Entrypoint": ["/opt/bin/hello"], "Env": ["FROM=image", "BOTH=image", "PATH=/opt/bin:/bin"],
               **(config or {})}
        text = json.dumps({"architecture": MACHINE, "os": "linux", "config": own, **about}).encode()
        return layers, text

    @classmethod
    def push(cls, image, tag="latest", layer_type=LAYER):
        layers, config = image
        for data in (*layers, config):
            cls.ask("POST", f"/v2/app/blobs/uploads/?digest={digest_of(data)}", data)
        parts = [{"mediaType": kind, "digest": digest_of(data), "size": len(data)}
                 for kind, data in ((CONFIG, config), *((layer_type, layer) for layer in layers))]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0],
                               "layers": parts[1:]}).encode()
        cls.ask("PUT", f"/v2/app/manifests/{tag}", manifest, MANIFEST)
        return digest_of(manifest)

    @classmethod
    def create(cls, reference=":latest", **more):
        cls.count += 1
        name = f"image{cls.count}"
        cls.client.create_function(**{"FunctionName": name, "PackageType": "Image", "Role": ROLE, "Timeout": 10,
                                      "Code": {"ImageUri": f"{cls.host}/app{reference}"}, **more})
        return name

    def ask_function(self, name, text):
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(text))
        payload = json.loads(answer["Payload"].read())
        self.assertNotIn("FunctionError", answer, payload)
        return payload

    def refused(self, words, call, *arguments, code="InvalidParameterValueException", **more):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(*arguments, **more)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        self.assertIn(words, caught.exception.response["Error"]["Message"])

    def folders(self):
        return os.listdir(os.path.join(self.cloud.folder, "lambda", "code"))

    def test_it_runs_in_its_own_file_system(self):
        name = self.create()
        self.assertEqual(self.ask_function(name, "echo hello"), "hello")
        self.assertTrue(set(self.ask_function(name, "list /").split()) <=
                        {"dev", "etc", "lib", "lib64", "opt", "proc", "tmp"})
        for path in ("/opt/bin/x", "/x", "/etc/hosts", "/etc/resolv.conf", "/dev/x"):
            self.assertRegex(self.ask_function(name, f"write {path}"), "(?i)read-only|permission|denied|not permitted")
        self.assertNotIn("denied", self.ask_function(name, "write /tmp/x"))
        self.assertRegex(self.ask_function(name, f"show {self.cloud.folder}/credentials"), "(?i)no such")
        self.assertEqual(self.ask_function(name, "status Uid").split()[0] == "0", False)

    def test_the_variables_are_the_images_lambdas_and_the_functions(self):
        name = self.create(Environment={"Variables": {"BOTH": "function"}})
        self.assertEqual([self.ask_function(name, "env " + v) for v in ("FROM", "BOTH", "PATH", "LAMBDA_TASK_ROOT")],
                         ["image", "function", "/opt/bin:/bin", "/var/task"])
        self.assertEqual(self.ask_function(name, "env AWS_LAMBDA_FUNCTION_NAME"), name)

    def test_what_lambda_says_of_it(self):
        digest = self.push(self.image(), "said")
        name = self.create(":said", ImageConfig={"WorkingDirectory": "/opt"})
        told = self.client.get_function(FunctionName=name)
        uri = f"{self.host}/app"
        self.assertEqual(told["Code"], {"RepositoryType": "ECR", "ImageUri": uri + ":said",
                                        "ResolvedImageUri": f"{uri}@{digest}"})
        configuration = told["Configuration"]
        self.assertEqual((configuration["PackageType"], configuration["CodeSha256"], configuration["CodeSize"]),
                         ("Image", digest[7:], 0))
        self.assertEqual(configuration["ImageConfigResponse"], {"ImageConfig": {"WorkingDirectory": "/opt"}})
        self.assertFalse({"Runtime", "Handler"} & set(configuration))

    def test_the_functions_own_start_goes_before_the_images(self):
        self.push(self.image({"bin/sh2": "-> ../opt/bin/hello", "only": None}, config={
            "Entrypoint": ["/nothing"], "Cmd": ["x"], "WorkingDir": "/only"}), "start")
        name = self.create(":start", ImageConfig={"EntryPoint": ["hello"], "Command": ["a", "b"]})  # by PATH
        self.assertEqual(self.ask_function(name, "show /proc/self/cmdline").split(),
                         ["hello", "a", "b"])
        self.client.update_function_configuration(FunctionName=name, ImageConfig={
            "EntryPoint": ["/bin/sh2"], "WorkingDirectory": "/opt"})
        self.assertIn("sh2", self.ask_function(name, "show /proc/self/cmdline"))
        self.client.update_function_configuration(FunctionName=name, ImageConfig={})
        answer = self.client.invoke(FunctionName=name, Payload="1")
        self.assertIn("FunctionError", answer)  # "/nothing", as the image says

    def test_an_image_is_unpacked_once(self):
        digest = self.push(self.image({"once": "1"}), "once")
        before = len(self.folders())
        first = self.create(":once", Publish=True)
        second = self.create("@" + digest)
        self.assertEqual(len(self.folders()), before + 1)
        self.client.delete_function(FunctionName=first)
        self.assertEqual(self.ask_function(second, "echo still"), "still")
        dry = self.client.update_function_code(FunctionName=second, DryRun=True,
                                               ImageUri=f"{self.host}/app@{digest}")
        self.assertEqual(dry["CodeSha256"], digest[7:])
        self.client.delete_function(FunctionName=second)
        deadline = time.time() + 10
        while len(self.folders()) > before and time.time() < deadline:
            time.sleep(0.1)
        self.assertEqual(len(self.folders()), before)

    def test_new_code_is_another_image(self):
        name = self.create()
        digest = self.push(self.image({"new": "yes"}), "new")
        self.assertRegex(self.ask_function(name, "show /new"), "(?i)no such")
        told = self.client.update_function_code(FunctionName=name, ImageUri=f"{self.host}/app:new", Publish=True)
        self.assertEqual((told["CodeSha256"], told["Version"]), (digest[7:], "1"))
        self.assertIn("yes", self.ask_function(name, "show /new"))
        self.assertEqual(self.client.get_function(FunctionName=name + ":1")["Code"]["ImageUri"], f"{self.host}/app:new")

    def test_it_is_there_after_a_restart(self):
        name = self.create()
        self.cloud.stop()
        self.cloud.start()
        type(self).client = self.cloud.client(boto3, "lambda")
        type(self).ecr = self.cloud.client(boto3, "ecr")
        self.log_in()
        self.assertEqual(self.ask_function(name, "echo again"), "again")

    def test_layers_lie_over_each_other(self):
        self.push(self.image(
            {"a/one": "1", "a/two": "2", "b/three": "3", "c": "file", "old/x": "x", "d/": None},
            {"a/.wh.one": "", "b/.wh..wh..opq": "", "b/four": "4", "c/": None, "c/inside": "5", "d": "-> a",
             ".wh.old": "", "hard": "=> a/two", "d/through": "6"}), "over")
        name = self.create(":over")
        self.assertRegex(self.ask_function(name, "show /a/one"), "(?i)no such")
        self.assertRegex(self.ask_function(name, "show /b/three"), "(?i)no such")
        self.assertNotIn("old", self.ask_function(name, "list /").split())
        for path, content in (("/a/two", "2"), ("/b/four", "4"), ("/c/inside", "5"), ("/hard", "2"),
                              ("/a/through", "6")):
            self.assertIn(content, self.ask_function(name, "show " + path), path)

    def test_hostile_layers_are_refused_and_leave_nothing(self):
        outside = os.path.join(self.cloud.folder, "outside")
        before = self.folders()
        for number, layer in enumerate((
                {"../../../../outside": "x"}, {"a/../../outside": "x"}, {"a/b": "=> ../../../credentials"},
                {"a": "=> /credentials"}, {"pipe": 6}, {"device": 3}, {"a": "x", "a/b/../c": "y"}, {"a": "x", "a/b": "y"},
                {"a": "-> /nowhere", "a/b": "x"}, {"a": "-> a", "a/b": "x"})):
            self.push(self.image(layer), f"bad{number}")
            self.refused("layer", self.create, f":bad{number}")
        self.push(self.image({"up": "-> ../../../..", "up/outside": "x", "abs": "-> /opt"},
                             {"abs/outside": "y"}, {"tmp": "-> /etc", "proc": "-> /", "etc/hosts": "-> /opt"}), "led")
        name = self.create(":led")  # led around, inside
        self.assertFalse(os.path.exists(outside))
        self.assertEqual(self.ask_function(name, "show /outside"), "x")
        self.assertEqual(len(self.folders()), len(before) + 1)

    def test_what_is_no_layer_is_refused(self):
        layers, config = self.image()
        self.push(([*layers, b"no tar at all" * 1000], config), "junk")
        self.refused("layer 2", self.create, ":junk")
        self.push(([*layers, self.program[:-2000]], config), "cut")
        self.refused("layer 2", self.create, ":cut")
        self.push((layers, config), "kind", layer_type="application/vnd.oci.image.layer.v1.tar+encrypted")
        self.refused("media type", self.create, ":kind")

    def test_wrong_images_are_refused_as_lambda_does(self):
        name = self.create()
        self.refused("does not exist", self.create, ":never")
        self.refused("does not exist", self.create, "@sha256:" + "0" * 64)
        for uri in ("docker.io/library/x:1", "app:1", f"{self.host}/App:1", f"{self.host}/app@md5:1", "x" * 3000):
            self.refused("is not valid", self.create, Code={"ImageUri": uri})
        self.push(self.image(architecture="s390x"), "other")
        self.refused("s390x", self.create, ":other")
        self.push(self.image(config={"Env": "FROM=text"}), "env")
        self.refused("config of the image", self.create, ":env")
        self.refused("ImageUri", self.create, Code={"ZipFile": b"x"})
        for more in ({"Runtime": "provided.al2023"}, {"Handler": "x"}):
            self.refused("don't provide Handler or Runtime", self.create, **more)
        for wrong in ({"EntryPoint": [1]}, {"Command": ["x"] * 1501}, {"WorkingDirectory": "/" * 1001}):
            self.refused("mageConfig", self.create, ImageConfig=wrong)
        self.refused("ImageUri", self.client.update_function_code, FunctionName=name, ZipFile=b"x")
        self.refused("Zip, Image", self.create, PackageType="Jar", Runtime="provided.al2023",
                     Handler="h", code="ValidationException")

    def test_a_function_of_a_zip_takes_no_image(self):
        import lambda_functions
        zipped = {"FunctionName": "zipped", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "x",
                  "Code": {"ZipFile": lambda_functions.program_zip(FUNCTION)}}
        self.refused("ImageConfig", self.client.create_function, ImageConfig={"Command": ["x"]}, **zipped)
        self.client.create_function(**zipped)
        self.refused("ImageUri", self.client.update_function_code, FunctionName="zipped",
                     ImageUri=f"{self.host}/app:latest")
        self.refused("Runtime and Handler are mandatory", self.client.create_function, FunctionName="none", Role=ROLE,
                     PackageType="Zip", Code=zipped["Code"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
