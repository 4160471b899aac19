"""Container images: ECR's own protocol, the OCI distribution API, and who speaks it. ecr_test.py KEN"""
import base64
import hashlib
import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest
import urllib.parse

import cloud as clouds

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
OCTETS = "application/octet-stream"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(data, media_type):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def make_layer(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Image:
    """A config and one layer, all small."""

    def __init__(self, text, **more):
        self.layer = make_layer("hello", text.encode())
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(self.layer)]}}).encode()
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(self.config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(self.layer, "application/vnd.oci.image.layer.v1.tar")],
            **more}).encode()
        self.digest = digest_of(self.manifest)

    def write_layout(self, folder):
        blobs = os.path.join(folder, "blobs", "sha256")
        os.makedirs(blobs)
        for data in (self.layer, self.config, self.manifest):
            with open(os.path.join(blobs, digest_of(data)[7:]), "wb") as file:
                file.write(data)
        with open(os.path.join(folder, "oci-layout"), "w") as file:
            file.write('{"imageLayoutVersion": "1.0.0"}')
        with open(os.path.join(folder, "index.json"), "w") as file:
            json.dump({"schemaVersion": 2, "manifests": [
                {**descriptor(self.manifest, MANIFEST),
                 "annotations": {"org.opencontainers.image.ref.name": "v1"}}]}, file)


class Base(clouds.Case):
    clients = {"ecr": "ecr"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log_in(cls.ecr)

    @classmethod
    def log_in(cls, client):
        data = client.get_authorization_token()["authorizationData"][0]
        cls.authorization = "Basic " + data["authorizationToken"]
        cls.password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)[1]
        cls.host = urllib.parse.urlsplit(data["proxyEndpoint"]).netloc

    def repository(self, **more):
        type(self).count += 1
        name = f"team/app{self.count}"
        self.ecr.create_repository(repositoryName=name, **more)
        return name

    def ask(self, method, path, body=None, authorization=None, **headers):
        connection = http.client.HTTPConnection(self.host)
        given = {"Authorization": authorization or self.authorization}
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection.request(method, path, body, given)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, dict(reply.getheaders()), data

    def code(self, expected_status, expected_code, answer):
        status, _, data = answer
        self.assertEqual(status, expected_status, data)
        self.assertEqual(json.loads(data)["errors"][0]["code"], expected_code)

    def push_blob(self, name, data):
        status, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        self.assertEqual(status, 202)
        status, headers, _ = self.ask("PUT", headers["Location"] + "?digest=" + digest_of(data),
                                      data, Content_Type=OCTETS)
        self.assertEqual(status, 201)

    def push(self, name, image, reference="latest"):
        for data in (image.layer, image.config):
            self.push_blob(name, data)
        status, headers, data = self.ask("PUT", f"/v2/{name}/manifests/{reference}",
                                         image.manifest, Content_Type=MANIFEST)
        self.assertEqual(status, 201, data)
        self.assertEqual(headers["Docker-Content-Digest"], image.digest)
        return headers


class Api(Base):
    def test_repositories(self):
        made = self.ecr.create_repository(repositoryName="a/b", tags=[
            {"Key": "k", "Value": "v"}])["repository"]
        self.assertEqual(made["repositoryArn"],
                         "arn:aws:ecr:us-east-1:000000000000:repository/a/b")
        self.assertEqual(made["repositoryUri"], self.host + "/a/b")
        self.refused("RepositoryAlreadyExistsException", self.ecr.create_repository,
                     repositoryName="a/b")
        self.refused("InvalidParameterException", self.ecr.create_repository, repositoryName="A")
        self.refused("InvalidParameterException", self.ecr.create_repository,
                     repositoryName="ab", imageTagMutability="NEVER")
        self.refused("InvalidParameterException", self.ecr.create_repository,
                     repositoryName="ab", encryptionConfiguration={"encryptionType": "KMS"})
        self.refused("RepositoryNotFoundException", self.ecr.describe_repositories,
                     repositoryNames=["absent"])
        self.refused("UnknownOperationException", self.ecr.start_image_scan,
                     repositoryName="a/b", imageId={"imageTag": "x"})
        arn = made["repositoryArn"]
        self.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "k", "Value": "w"},
                                                     {"Key": "l", "Value": ""}])
        self.ecr.untag_resource(resourceArn=arn, tagKeys=["l"])
        self.assertEqual(self.ecr.list_tags_for_resource(resourceArn=arn)["tags"],
                         [{"Key": "k", "Value": "w"}])
        for text in ("{x", '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}'):
            self.assertEqual(self.refused("InvalidParameterException", self.ecr.set_repository_policy,
                                          repositoryName="a/b", policyText=text),
                             "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository "
                             "policy provided'")
        self.assertEqual(self.refused("InvalidParameterException", self.ecr.list_tags_for_resource, resourceArn="a"),
                         "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
        for kind, taken in (("KMS", False), ("AES256", True)):
            call, of = self.ecr.create_repository, {"encryptionConfiguration": {"encryptionType": kind}}
            if taken:
                call(repositoryName="a/c", **of)
            else:
                self.refused("InvalidParameterException", call, repositoryName="a/c", **of)
        self.ecr.delete_repository(repositoryName="a/c")
        self.assertEqual(self.refused("InvalidParameterException", self.ecr.put_image_tag_mutability,
                                      repositoryName="a/b", imageTagMutability="X"),
                         "Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must "
                         "satisfy enum value set: [IMMUTABLE, MUTABLE]'")
        for call in (self.ecr.batch_get_image, self.ecr.batch_delete_image):
            failures = call(repositoryName="a/b", imageIds=[{}, {"imageDigest": "bad"}, {"imageTag": "t"}])["failures"]
            self.assertEqual([failure["failureCode"] for failure in failures],
                             ["MissingDigestAndTag", "InvalidImageDigest", "ImageNotFound"])
        self.assertEqual(self.refused("RepositoryNotFoundException", self.ecr.list_images, repositoryName="a/b",
                                      registryId="111122223333"),
                         "The repository with name 'a/b' does not exist in the registry with id '111122223333'")
        for call, code, word in ((self.ecr.get_repository_policy, "RepositoryPolicyNotFoundException", "Repository"),
                                 (self.ecr.get_lifecycle_policy, "LifecyclePolicyNotFoundException", "Lifecycle")):
            self.assertEqual(self.refused(code, call, repositoryName="a/b"),
                             f"{word} policy does not exist for the repository with name 'a/b' in the registry "
                             "with id '000000000000'")
        let = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "ecr:DescribeImages"}}'
        self.ecr.set_repository_policy(repositoryName="a/b", policyText=let)
        self.assertEqual(self.ecr.get_repository_policy(repositoryName="a/b")["policyText"], let)
        self.ecr.delete_repository(repositoryName="a/b")
        self.refused("RepositoryNotFoundException", self.ecr.delete_repository,
                     repositoryName="a/b")

    def test_repositories_come_by_pages(self):
        names = {self.repository() for _ in range(5)}
        pages = self.ecr.get_paginator("describe_repositories").paginate(
            PaginationConfig={"PageSize": 2})
        seen = [r["repositoryName"] for page in pages for r in page["repositories"]]
        self.assertEqual(seen, sorted(set(seen)))
        self.assertLessEqual(names, set(seen))

    def test_images_are_listed_described_and_deleted(self):
        name, one, two = self.repository(), Image("one"), Image("two")
        self.push(name, one, "v1")
        self.push(name, one, "v1.1")
        self.push(name, two, two.digest)
        ids = self.ecr.list_images(repositoryName=name)["imageIds"]
        self.assertCountEqual([(i["imageDigest"], i.get("imageTag")) for i in ids],
                              [(one.digest, "v1"), (one.digest, "v1.1"), (two.digest, None)])
        ids = self.ecr.list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})
        self.assertEqual([i["imageDigest"] for i in ids["imageIds"]], [two.digest])
        details = self.ecr.describe_images(repositoryName=name,
                                           imageIds=[{"imageTag": "v1"}])["imageDetails"]
        self.assertEqual(details[0]["imageTags"], ["v1", "v1.1"])
        self.assertEqual(len(self.ecr.describe_images(repositoryName=name)["imageDetails"]), 2)
        self.refused("ImageNotFoundException", self.ecr.describe_images, repositoryName=name,
                     imageIds=[{"imageTag": "absent"}])
        got = self.ecr.batch_get_image(repositoryName=name, imageIds=[
            {"imageTag": "v1"}, {"imageTag": "absent"}])
        self.assertEqual(got["images"][0]["imageManifest"].encode(), one.manifest)
        self.assertEqual(got["failures"][0]["failureCode"], "ImageNotFound")
        self.refused("RepositoryNotEmptyException", self.ecr.delete_repository,
                     repositoryName=name)
        self.ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
        self.assertEqual(self.ask("GET", f"/v2/{name}/manifests/v1.1")[0], 200)
        self.push(name, one, "v2")
        delete = lambda **image: self.ecr.batch_delete_image(repositoryName=name, imageIds=[image])
        other = delete(imageDigest=one.digest, imageTag="v3")  # another image's tag, or nobody's, deletes nothing
        self.assertEqual((other["imageIds"], other["failures"][0]["failureCode"]), ([], "ImageNotFound"))
        self.assertCountEqual(delete(imageDigest=one.digest)["imageIds"],
                              [{"imageDigest": one.digest, "imageTag": tag} for tag in ("v1.1", "v2")])
        self.code(404, "BLOB_UNKNOWN",
                  self.ask("GET", f"/v2/{name}/blobs/{digest_of(one.layer)}"))
        self.assertEqual(self.ask("GET", f"/v2/{name}/blobs/{digest_of(two.layer)}")[0], 200)
        blobs = [file for _, _, files in os.walk(os.path.join(self.cloud.folder, "ecr", "blobs"))
                 for file in files]
        self.assertNotIn(digest_of(one.layer)[7:], blobs)
        self.ecr.delete_repository(repositoryName=name, force=True)

    def test_an_immutable_tag_stays(self):
        name, one, two = self.repository(imageTagMutability="IMMUTABLE"), Image("1"), Image("2")
        self.push(name, one, "v1")
        for data in (two.layer, two.config):
            self.push_blob(name, data)
        self.code(409, "TAG_INVALID", self.ask("PUT", f"/v2/{name}/manifests/v1", two.manifest,
                                               Content_Type=MANIFEST))
        self.refused("ImageTagAlreadyExistsException", self.ecr.put_image, repositoryName=name,
                     imageManifest=two.manifest.decode(), imageTag="v1")
        self.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="MUTABLE")
        self.ecr.put_image(repositoryName=name, imageManifest=two.manifest.decode(),
                           imageTag="v1")
        self.refused("ImageAlreadyExistsException", self.ecr.put_image, repositoryName=name,
                     imageManifest=two.manifest.decode(), imageTag="v1")


class Distribution(Base):
    def test_who_does_not_say_who_is_asked(self):
        status, headers, _ = self.ask("GET", "/v2/", authorization="Basic bm9ib2R5OnB3")
        self.assertEqual(status, 401)
        self.assertTrue(headers["WWW-Authenticate"].startswith("Basic realm="))
        wrong = base64.b64encode(("AWS:" + self.password[:-1] + "-").encode()).decode()
        self.assertEqual(self.ask("GET", "/v2/", authorization="Basic " + wrong)[0], 401)
        self.assertEqual(self.ask("GET", "/v2/")[0], 200)

    def test_a_user_may_do_what_policies_say(self):
        iam, name = self.cloud.client(boto3, "iam"), self.repository()
        self.push(name, Image("x"))
        iam.create_user(UserName="puller")
        iam.attach_user_policy(UserName="puller", PolicyArn="arn:aws:iam::aws:policy/"
                               "AmazonEC2ContainerRegistryReadOnly")
        key = iam.create_access_key(UserName="puller")["AccessKey"]
        client = self.cloud.client(boto3, "ecr", aws_access_key_id=key["AccessKeyId"],
                                   aws_secret_access_key=key["SecretAccessKey"])
        token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        mine = {"authorization": "Basic " + token}
        self.assertEqual(self.ask("GET", f"/v2/{name}/manifests/latest", **mine)[0], 200)
        self.code(403, "DENIED", self.ask("POST", f"/v2/{name}/blobs/uploads/", **mine))
        self.code(403, "DENIED", self.ask("DELETE", f"/v2/{name}/manifests/latest", **mine))

    def test_wrong_requests(self):
        name, image = self.repository(), Image("x")
        self.code(404, "NAME_UNKNOWN", self.ask("POST", "/v2/absent/blobs/uploads/"))
        self.code(400, "NAME_INVALID", self.ask("POST", "/v2/UPPER/blobs/uploads/"))
        self.code(404, "BLOB_UNKNOWN", self.ask("GET", f"/v2/{name}/blobs/{digest_of(b'x')}"))
        self.assertEqual(self.ask("GET", f"/v2/{name}/blobs/sha256:..%2f..%2fx")[0], 404)
        self.code(400, "DIGEST_INVALID", self.ask("GET", f"/v2/{name}/blobs/sha256:.."))
        self.code(404, "MANIFEST_UNKNOWN", self.ask("GET", f"/v2/{name}/manifests/absent"))
        self.code(404, "BLOB_UPLOAD_UNKNOWN",
                  self.ask("PATCH", f"/v2/{name}/blobs/uploads/none", b"x"))
        self.code(400, "MANIFEST_INVALID", self.ask("PUT", f"/v2/{name}/manifests/v1", b"{}",
                                                    Content_Type=MANIFEST))
        self.code(404, "MANIFEST_BLOB_UNKNOWN", self.ask(
            "PUT", f"/v2/{name}/manifests/v1", image.manifest, Content_Type=MANIFEST))
        self.push(name, image)
        self.code(400, "MANIFEST_INVALID", self.ask(
            "PUT", f"/v2/{name}/manifests/{digest_of(b'x')}", image.manifest,
            Content_Type=MANIFEST))
        _, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        self.code(400, "DIGEST_INVALID", self.ask(
            "PUT", headers["Location"] + "?digest=" + digest_of(b"other"), b"bytes",
            Content_Type=OCTETS))
        self.code(405, "UNSUPPORTED", self.ask("POST", f"/v2/{name}/manifests/v1"))

    def test_an_upload_goes_on_where_it_stood(self):
        name, data = self.repository(), os.urandom(3_000_000)
        _, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        at = headers["Location"]
        status, headers, _ = self.ask("PATCH", at, data[:1_000_000], Content_Type=OCTETS,
                                      Content_Range="0-999999")
        self.assertEqual((status, headers["Range"]), (202, "0-999999"))
        status, headers, _ = self.ask("PATCH", at, data[:5], Content_Type=OCTETS,
                                      Content_Range="5-9")
        self.assertEqual((status, headers["Range"]), (416, "0-999999"))
        self.cloud.stop(signal.SIGKILL)
        self.cloud.start()
        type(self).ecr = self.cloud.client(boto3, "ecr")
        self.log_in(self.ecr)
        status, headers, _ = self.ask("GET", at)
        self.assertEqual((status, headers["Range"]), (204, "0-999999"))
        self.ask("PATCH", at, data[1_000_000:2_000_000], Content_Type=OCTETS)
        status, headers, _ = self.ask("PUT", at + "?digest=" + digest_of(data), data[2_000_000:],
                                      Content_Type=OCTETS)
        self.assertEqual(status, 201)
        status, headers, got = self.ask("GET", headers["Location"], Range="bytes=10-19")
        self.assertEqual((status, got), (206, data[10:20]))
        self.assertEqual(self.ask("GET", headers.get("Location", f"/v2/{name}/blobs/"
                                                     + digest_of(data)))[2], data)
        other = self.repository()
        status, headers, _ = self.ask("POST", f"/v2/{other}/blobs/uploads/?mount="
                                      f"{digest_of(data)}&from={name}")
        self.assertEqual(status, 201)
        self.assertEqual(self.ask("HEAD", headers["Location"])[1]["Content-Length"], "3000000")
        _, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        self.assertEqual(self.ask("DELETE", headers["Location"])[0], 204)
        self.assertEqual(self.ask("GET", headers["Location"])[0], 404)

    def test_chunks_come_in_their_order(self):
        name = self.repository()
        parts = [b"a" * 100, b"b" * 50, b"c" * 7]
        whole = b"".join(parts)
        _, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        where = headers["Location"]

        def patch(data, span, there=None):
            status, reply, _ = self.ask("PATCH", there or where, data, Content_Type=OCTETS,
                                        Content_Range=span)
            return status, reply.get("Range")
        self.assertEqual(patch(parts[1], "100-149")[0], 416)
        self.assertEqual(patch(parts[0], "0-99"), (202, "0-99"))
        for data, span in ((parts[0], "0-99"), (parts[1], "120-169"), (parts[1], "100-160"),
                           (parts[1], "100-140"), (parts[1], "100"), (parts[1], "x")):
            self.assertEqual(patch(data, span), (416, "0-99"), span)
        self.assertEqual(self.ask("GET", where)[1]["Range"], "0-99")
        other = self.repository()  # an upload is its repository's
        self.assertEqual(patch(parts[1], "100-149", where.replace(name, other))[0], 404)
        self.assertEqual(patch(parts[1], "100-149"), (202, "0-149"))
        end = where + "?digest=" + digest_of(whole)
        self.assertEqual(self.ask("PUT", end, parts[2], Content_Range="140-146")[0], 416)
        self.assertEqual(self.ask("PUT", end, parts[2], Content_Range="150-156")[0], 201)
        self.assertEqual(self.ask("GET", f"/v2/{name}/blobs/{digest_of(whole)}")[2], whole)
        for method in ("GET", "PATCH", "PUT"):
            self.code(404, "BLOB_UPLOAD_UNKNOWN", self.ask(method, end, b"x"))

    def test_ranges_of_blobs(self):
        name, data = self.repository(), bytes(range(100))
        self.push_blob(name, data)
        path = f"/v2/{name}/blobs/{digest_of(data)}"
        for span, expected, told in (("10-19", data[10:20], "10-19"), ("90-", data[90:], "90-99"),
                                     ("-7", data[-7:], "93-99"), ("95-200", data[95:], "95-99"),
                                     ("-200", data, "0-99")):
            status, headers, got = self.ask("GET", path, Range="bytes=" + span)
            self.assertEqual((status, headers["Content-Range"], got),
                             (206, f"bytes {told}/100", expected), span)
        for span in ("100-", "500-600", "-0"):
            status, headers, _ = self.ask("GET", path, Range="bytes=" + span)
            self.assertEqual((status, headers["Content-Range"]), (416, "bytes */100"), span)
        for span in ("bytes=a-b", "bytes=1-2,4-5", "lines=1-2"):
            self.assertEqual(self.ask("GET", path, Range=span)[::2], (200, data), span)

    def test_what_the_distribution_api_wants_of_wrong_requests(self):
        name = self.repository()
        absent = digest_of(b"absent")
        for method, path, status, code in (
                ("GET", f"/v2/{name}/blobs/{absent}", 404, "BLOB_UNKNOWN"),
                ("GET", f"/v2/{name}/blobs/sha256:x", 400, "DIGEST_INVALID"),
                ("DELETE", f"/v2/{name}/blobs/{absent}", 404, "BLOB_UNKNOWN"),
                ("GET", f"/v2/{name}/manifests/{absent}", 404, "MANIFEST_UNKNOWN"),
                ("DELETE", f"/v2/{name}/manifests/absent", 404, "MANIFEST_UNKNOWN"),
                ("GET", f"/v2/{name}/manifests/.NO_TAG", 404, "MANIFEST_UNKNOWN"),
                ("DELETE", f"/v2/{name}/manifests/.NO_TAG", 404, "MANIFEST_UNKNOWN"),
                ("GET", "/v2/nobody/tags/list", 404, "NAME_UNKNOWN"),
                ("POST", "/v2/nobody/blobs/uploads/", 404, "NAME_UNKNOWN"),
                ("GET", "/v2/Bad_Name/tags/list", 400, "NAME_INVALID"),
                ("GET", f"/v2/{name}/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"),
                ("GET", f"/v2/{name}/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"),
                ("GET", f"/v2/{name}/referrers/sha256:x", 400, "DIGEST_INVALID"),
                ("POST", f"/v2/{name}/blobs/uploads/?digest={absent}", 400, "DIGEST_INVALID"),
                ("PUT", f"/v2/{name}/blobs/{absent}", 405, "UNSUPPORTED")):
            with self.subTest(method=method, path=path):
                self.code(status, code, self.ask(method, path, b"" if method == "POST" else None))
        for method, path in (("HEAD", f"/v2/{name}/blobs/{absent}"),
                             ("HEAD", f"/v2/{name}/manifests/absent")):
            self.assertEqual(self.ask(method, path)[::2], (404, b""))
        self.assertEqual(json.loads(self.ask("GET", f"/v2/{name}/tags/list")[2])["tags"], [])
        mount = f"/v2/{name}/blobs/uploads/?mount={absent}"
        for more in ("", "&from=nobody", f"&from={name}"):  # then it is an upload like any other
            status, headers, _ = self.ask("POST", mount + more)
            self.assertEqual((status, "Location" in headers), (202, True), more)

    def test_tags_indexes_and_referrers(self):
        name, image = self.repository(), Image("base")
        for tag in ("v3", "v1", "v2"):
            self.push(name, image, tag)
        status, headers, data = self.ask("GET", f"/v2/{name}/tags/list?n=2")
        self.assertEqual(json.loads(data)["tags"], ["v1", "v2"])
        self.assertIn(f"/v2/{name}/tags/list?n=2&last=v2", headers["Link"])
        data = self.ask("GET", f"/v2/{name}/tags/list?last=v2")[2]
        self.assertEqual(json.loads(data), {"name": name, "tags": ["v3"]})
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            descriptor(image.manifest, MANIFEST)]}).encode()
        self.assertEqual(self.ask("PUT", f"/v2/{name}/manifests/many", index,
                                  Content_Type=INDEX)[0], 201)
        self.assertEqual(self.ask("GET", f"/v2/{name}/manifests/many")[1]["Content-Type"], INDEX)
        about = Image("signature", artifactType="application/x.sign",
                      subject=descriptor(image.manifest, MANIFEST))
        headers = self.push(name, about, about.digest)
        self.assertEqual(headers["OCI-Subject"], image.digest)
        data = self.ask("GET", f"/v2/{name}/referrers/{image.digest}")[2]
        self.assertEqual([m["digest"] for m in json.loads(data)["manifests"]], [about.digest])
        data = self.ask("GET", f"/v2/{name}/referrers/{image.digest}?artifactType=other")[2]
        self.assertEqual(json.loads(data)["manifests"], [])

    def test_images_survive_a_kill(self):
        name, image = self.repository(), Image("kept")
        self.push(name, image)
        self.cloud.stop(signal.SIGKILL)
        self.cloud.start()
        type(self).ecr = self.cloud.client(boto3, "ecr")
        self.log_in(self.ecr)
        self.assertEqual(self.ask("GET", f"/v2/{name}/manifests/latest")[2], image.manifest)
        self.assertEqual(self.ask("GET", f"/v2/{name}/blobs/{digest_of(image.layer)}")[2],
                         image.layer)


class Tools(Base):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ken-ecr-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.auth = os.path.join(self.folder, "auth.json")

    def run_tool(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={
            "PATH": os.environ["PATH"], "HOME": self.folder, "REGISTRY_AUTH_FILE": self.auth,
            "TMPDIR": self.folder})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @unittest.skipUnless(shutil.which("skopeo"), "no skopeo")
    def test_skopeo_pushes_inspects_and_pulls(self):
        name, image = self.repository(), Image("skopeo")
        layout = os.path.join(self.folder, "layout")
        image.write_layout(layout)
        self.run_tool("skopeo", "login", "--tls-verify=false", "--username", "AWS",
                      "--password", self.password, self.host)
        plain = ["--insecure-policy"]
        at = f"docker://{self.host}/{name}:v1"
        self.run_tool("skopeo", *plain, "copy", "--preserve-digests", "--dest-tls-verify=false",
                      f"oci:{layout}:v1", at)
        seen = json.loads(self.run_tool("skopeo", "inspect", "--tls-verify=false", at))
        self.assertEqual(seen["Digest"], image.digest)
        self.run_tool("skopeo", *plain, "copy", "--preserve-digests", "--src-tls-verify=false", at,
                      f"oci:{self.folder}/back:v1")
        with open(os.path.join(self.folder, "back", "blobs", "sha256",
                               digest_of(image.layer)[7:]), "rb") as file:
            self.assertEqual(file.read(), image.layer)
        self.run_tool("skopeo", "delete", "--tls-verify=false", at)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
