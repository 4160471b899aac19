"""What the OCI distribution specification's conformance suite asks of a registry. oci_test.py KEN"""
import hashlib
import json
import os
import sys
import unittest
import urllib.parse

import ecr_test
from ecr_test import INDEX, MANIFEST, OCTETS

EMPTY = "application/vnd.oci.empty.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


class Registry(ecr_test.Base):
    algorithm = "sha256"

    def digest(self, data):
        return f"{self.algorithm}:{hashlib.new(self.algorithm, data).hexdigest()}"

    def described(self, data, media_type, **more):
        return {"mediaType": media_type, "digest": self.digest(data), "size": len(data), **more}

    def image(self, **more):
        """Its blobs and its manifest."""
        blobs = [os.urandom(300), b"{}"]
        return blobs, json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": self.described(b"{}", EMPTY),
            "layers": [self.described(blobs[0], LAYER)], **more}).encode()

    def begin(self, name):
        status, headers, _ = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        self.assertEqual(status, 202)
        return headers["Location"]

    def there(self, name, data):
        """The blob is there, whole, under its digest."""
        path = f"/v2/{name}/blobs/{self.digest(data)}"
        for method, body in (("HEAD", b""), ("GET", data)):
            status, headers, got = self.ask(method, path)
            self.assertEqual((status, headers["Content-Length"], got), (200, str(len(data)), body))
            self.assertEqual(headers["Docker-Content-Digest"], self.digest(data))

    def made(self, name, data, answer):
        status, headers, said = answer
        self.assertEqual(status, 201, said)
        self.assertEqual(headers["Docker-Content-Digest"], self.digest(data))
        self.assertEqual(self.ask("GET", headers["Location"])[::2], (200, data))
        self.there(name, data)

    def put(self, name, manifest, reference, media_type=MANIFEST):
        status, headers, said = self.ask("PUT", f"/v2/{name}/manifests/{reference}", manifest,
                                         Content_Type=media_type)
        self.assertEqual(status, 201, said)
        kept = headers["Docker-Content-Digest"]
        if ":" in reference:
            self.assertEqual(kept, reference.split("?")[0])
        for path in (headers["Location"], f"/v2/{name}/manifests/{kept}"):
            for method, body in (("HEAD", b""), ("GET", manifest)):
                status, got, data = self.ask(method, path)
                self.assertEqual((status, data, got["Content-Type"]), (200, body, media_type))
                self.assertEqual(got["Docker-Content-Digest"], kept)
        return headers

    def push_image(self, name, tag=None, **more):
        blobs, manifest = self.image(**more)
        for data in blobs:
            self.finish(name, self.begin(name), data)
        self.put(name, manifest, tag or self.digest(manifest))
        return manifest

    def finish(self, name, at, data, body=None, **headers):
        answer = self.ask("PUT", f"{at}?digest={self.digest(data)}",
                          data if body is None else body, Content_Type=OCTETS, **headers)
        self.made(name, data, answer)


class Sha256(Registry):
    def test_blobs_come_in_every_way(self):
        name, size = self.repository(), 1024
        data = os.urandom(512)
        self.made(name, data, self.ask(
            "POST", f"/v2/{name}/blobs/uploads/?digest={self.digest(data)}", data,
            Content_Type=OCTETS))
        for data in (os.urandom(512), b"", b"{}"):
            self.finish(name, self.begin(name), data)
        data, at = os.urandom(512), self.begin(name)
        self.assertEqual(self.ask("PATCH", at, data, Content_Type=OCTETS)[0], 202)
        self.finish(name, at, data, b"")
        for last_by_put in (False, True):
            data, at = os.urandom(3 * size - 5), self.begin(name)
            spans = [(0, size), (size, 2 * size), (2 * size, len(data))]
            for start, end in spans[:-1] if last_by_put else spans:
                status, headers, _ = self.ask("PATCH", at, data[start:end], Content_Type=OCTETS,
                                              Content_Range=f"{start}-{end - 1}")
                self.assertEqual((status, headers["Range"]), (202, f"0-{end - 1}"))
                at = headers["Location"]
            start, end = spans[-1]
            if last_by_put:
                self.finish(name, at, data, data[start:], Content_Range=f"{start}-{end - 1}")
            else:
                self.finish(name, at, data, b"")

    def test_bytes_that_are_others_are_refused(self):
        name, data = self.repository(), os.urandom(900)
        wrong, end = data + b"oh", "?digest=" + urllib.parse.quote(self.digest(data))
        self.code(400, "DIGEST_INVALID", self.ask("POST", f"/v2/{name}/blobs/uploads/" + end,
                                                  wrong, Content_Type=OCTETS))
        self.code(400, "DIGEST_INVALID", self.ask("PUT", self.begin(name) + end, wrong,
                                                  Content_Type=OCTETS))
        at = self.begin(name)
        self.ask("PATCH", at, wrong, Content_Type=OCTETS)
        self.code(400, "DIGEST_INVALID", self.ask("PUT", at + end, b"", Content_Type=OCTETS))
        short = self.digest(data)[:-1]
        for digest in (short, short + "G", short + "..", "md5:" + "a" * 32,
                       "sha384:" + "a" * 96, "sha256:" + "a" * 128, "sha512:" + "a" * 64):
            self.code(400, "DIGEST_INVALID", self.ask(
                "PUT", f"{self.begin(name)}?digest={digest}", data, Content_Type=OCTETS))
        blobs, manifest = self.image()
        for blob in blobs:
            self.finish(name, self.begin(name), blob)
        for digest in (self.digest(manifest + b" "), "sha256:baddigeststring"):
            self.code(400, "MANIFEST_INVALID", self.ask(
                "PUT", f"/v2/{name}/manifests/{digest}", manifest, Content_Type=MANIFEST))

    def test_a_blob_is_mounted_from_where_it_is_known(self):
        here, there, data = self.repository(), self.repository(), os.urandom(512)
        self.finish(there, self.begin(there), data)
        mount = f"/v2/{here}/blobs/uploads/?mount={self.digest(data)}"
        self.made(here, data, self.ask("POST", mount + "&from=" + there))
        self.assertEqual(self.ask("DELETE", f"/v2/{here}/blobs/{self.digest(data)}")[0], 202)
        self.assertEqual(self.ask("HEAD", f"/v2/{here}/blobs/{self.digest(data)}")[0], 404)
        self.there(there, data)
        self.made(here, data, self.ask("POST", mount))  # from anywhere

    def test_blobs_and_manifests_go(self):
        name = self.repository()
        manifest = self.push_image(name)
        for path in (f"manifests/{self.digest(manifest)}", f"blobs/{self.digest(b'{}')}"):
            self.assertIn(self.ask("DELETE", f"/v2/{name}/{path}")[0], (202, 404))
            self.assertEqual(self.ask("HEAD", f"/v2/{name}/{path}")[0], 404)
        self.finish(name, self.begin(name), b"{}")  # again

    def test_an_index_has_its_images(self):
        name = self.repository()
        images = [self.push_image(name) for _ in range(2)]
        for parts in (images, []):
            index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
                self.described(image, MANIFEST) for image in parts]}).encode()
            self.put(name, index, self.digest(index), INDEX)
        outer = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            self.described(index, INDEX)], "org.example.unknown": {"a": 1}}).encode()
        self.put(name, outer, self.digest(outer), INDEX)

    def test_referrers_are_told_of_their_subject(self):
        name = self.repository()
        subject = self.push_image(name)
        about = self.described(subject, MANIFEST)
        signed = self.push_image(name, artifactType="application/x.sign", subject=about,
                                 annotations={"k": "v"})
        plain = self.push_image(name, subject=about)
        absent = self.image()[1]
        _, manifest = self.image(subject=self.described(absent, MANIFEST))
        blobs, manifest = self.image(subject=self.described(absent, MANIFEST))
        for data in blobs:
            self.finish(name, self.begin(name), data)
        headers = self.put(name, manifest, self.digest(manifest))
        self.assertEqual(headers["OCI-Subject"], self.digest(absent))

        def referrers(of, filtered=""):
            status, headers, data = self.ask("GET", f"/v2/{name}/referrers/{of}{filtered}")
            self.assertEqual((status, headers["Content-Type"]), (200, INDEX))
            self.assertEqual(headers.get("OCI-Filters-Applied"),
                             "artifactType" if filtered else None)
            return {one["digest"]: (one["artifactType"], one.get("annotations"))
                    for one in json.loads(data)["manifests"]}
        first = {self.digest(signed): ("application/x.sign", {"k": "v"})}
        second = {self.digest(plain): (EMPTY, None)}
        self.assertEqual(referrers(self.digest(subject)), {**first, **second})
        for kind, found in (("application/x.sign", first), (EMPTY, second), ("x", {})):
            self.assertEqual(referrers(self.digest(subject), "?artifactType="
                                       + urllib.parse.quote(kind)), found)
        self.assertEqual(list(referrers(self.digest(absent))), [self.digest(manifest)])
        self.assertEqual(referrers(self.digest(b"nothing")), {})

    def test_a_manifest_by_digest_takes_tags_along(self):
        name = self.repository()
        manifest = self.push_image(name)
        digest = self.digest(manifest)
        tags = [f"t{i}" for i in range(12)]
        headers = self.put(name, manifest, digest + "?" + "&".join("tag=" + t for t in tags))
        self.assertEqual([tag.strip() for tag in headers["OCI-Tag"].split(",")], tags)
        told = json.loads(self.ask("GET", f"/v2/{name}/tags/list")[2])["tags"]
        self.assertEqual(told, sorted(tags))
        for tag in tags:
            self.assertEqual(self.ask("GET", f"/v2/{name}/manifests/{tag}")[::2], (200, manifest))
        path = f"/v2/{name}/manifests/"
        self.code(400, "TAG_INVALID", self.ask("PUT", path + digest + "?tag=good&tag=.bad",
                                               manifest, Content_Type=MANIFEST))
        self.code(400, "TAG_INVALID", self.ask("PUT", path + "one?tag=two", manifest,
                                               Content_Type=MANIFEST))
        many = "&".join(f"tag=m{i}" for i in range(101))
        self.assertEqual(self.ask("PUT", f"{path}{digest}?{many}", manifest,
                                  Content_Type=MANIFEST)[0], 414)
        self.assertEqual(self.ask("HEAD", path + "good")[0], 404)

    def test_tags_that_stay_refuse_all_that_come_along(self):
        name = self.repository(imageTagMutability="IMMUTABLE")
        one, two = self.push_image(name, "kept"), self.push_image(name)
        self.code(409, "TAG_INVALID", self.ask(
            "PUT", f"/v2/{name}/manifests/{self.digest(two)}?tag=new&tag=kept", two,
            Content_Type=MANIFEST))
        self.assertEqual(self.ask("HEAD", f"/v2/{name}/manifests/new")[0], 404)
        self.assertEqual(self.ask("GET", f"/v2/{name}/manifests/kept")[2], one)

    def test_layers_that_lie_elsewhere_need_not_be_here(self):
        name = self.repository()
        self.finish(name, self.begin(name), b"{}")
        layer = self.described(b"elsewhere", FOREIGN)
        links = {"urls": ["https://store.example.com/blobs/1"]}

        def manifest(descriptor):
            return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [descriptor],
                               "config": self.described(b"{}", EMPTY)}).encode()
        self.put(name, manifest({**layer, **links}), "foreign")
        for refused in (layer, {**layer, "urls": []}, {**layer, **links, "mediaType": LAYER}):
            self.code(404, "MANIFEST_BLOB_UNKNOWN", self.ask(
                "PUT", f"/v2/{name}/manifests/v1", manifest(refused), Content_Type=MANIFEST))

    def test_a_manifest_may_be_large(self):
        self.push_image(self.repository(), annotations={
            f"large-{i}": "A" * 10000 for i in range(390)})


class Sha512(Sha256):
    algorithm = "sha512"

    def test_both_digests_of_the_same_bytes_are_two_blobs(self):
        name, data = self.repository(), os.urandom(99)
        self.finish(name, self.begin(name), data)
        self.push_blob(name, data)
        self.assertEqual(self.ask("DELETE", f"/v2/{name}/blobs/{self.digest(data)}")[0], 202)
        self.assertEqual(self.ask("GET", f"/v2/{name}/blobs/{ecr_test.digest_of(data)}")[::2],
                         (200, data))

    def test_the_images_are_ecrs_too(self):
        name = self.repository()
        manifest = self.push_image(name)
        digest = self.digest(manifest)
        found = self.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])
        self.assertEqual(found["images"][0]["imageId"], {"imageDigest": digest})
        self.ecr.put_image(repositoryName=name, imageManifest=manifest.decode(),
                           imageDigest=digest, imageTag="v1")
        found = self.ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])
        self.assertEqual(found["imageDetails"][0]["imageDigest"], digest)
        self.assertEqual(self.ecr.batch_delete_image(repositoryName=name, imageIds=[
            {"imageDigest": digest}])["failures"], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
