"""Versions of objects as boto3 sees them. s3_versions_test.py KEN"""
import os
import signal
import sys
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

MIB = 1024 * 1024


class VersionsTest(clouds.Case):
    clients = {"s3": "s3"}

    def setUp(self):
        VersionsTest.count += 1
        self.bucket = f"versions-{VersionsTest.count}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.versioning("Enabled")

    def versioning(self, status):
        self.s3.put_bucket_versioning(Bucket=self.bucket,
                                      VersioningConfiguration={"Status": status})

    def put(self, key, body=b"data", **extra):
        reply = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **extra)
        return reply.get("VersionId")  # none of a null version, as on AWS

    def body(self, key, **extra):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **extra)["Body"].read()

    def delete(self, key, **extra):
        return self.s3.delete_object(Bucket=self.bucket, Key=key, **extra)

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(Bucket=self.bucket, **arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["ResponseMetadata"]

    def versions(self, **arguments):
        """(key, version, is latest, is a delete marker) of all, through pages."""
        rows = []
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket,
                                                                       **arguments)
        for page in pages:
            found = [(v["Key"], v["VersionId"], v["IsLatest"], False)
                     for v in page.get("Versions", [])]
            found += [(v["Key"], v["VersionId"], v["IsLatest"], True)
                      for v in page.get("DeleteMarkers", [])]
            rows += found
        return rows

    # -- wrong requests

    def test_wrong_status(self):
        for configuration, code in [({"Status": "Off"}, "MalformedXML"),
                                    ({}, "IllegalVersioningConfigurationException"),
                                    ({"Status": "Enabled", "MFADelete": "Enabled"},
                                     "NotImplemented")]:
            self.refused(code, self.s3.put_bucket_versioning,
                         VersioningConfiguration=configuration)

    def test_versions_that_are_none(self):
        version = self.put("k")
        other = ("a" if version[0] != "a" else "b") + version[1:]
        for call in [self.s3.get_object, self.s3.get_object_tagging, self.s3.get_object_acl]:
            self.refused("InvalidArgument", call, Key="k", VersionId="nonsense")
            self.refused("NoSuchVersion", call, Key="k", VersionId=other)
            self.refused("NoSuchVersion", call, Key="k", VersionId="null")
        self.refused("404", self.s3.head_object, Key="k", VersionId=other)
        self.refused("InvalidArgument", self.s3.delete_object, Key="k", VersionId="nonsense")
        self.assertEqual(self.delete("k", VersionId=other)["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.body("k"), b"data")

    def test_a_bucket_with_old_versions_stays(self):
        version = self.put("k")
        marker = self.delete("k")["VersionId"]
        self.refused("BucketNotEmpty", self.s3.delete_bucket)
        self.delete("k", VersionId=version)
        self.refused("BucketNotEmpty", self.s3.delete_bucket)
        self.delete("k", VersionId=marker)
        self.s3.delete_bucket(Bucket=self.bucket)

    # -- versions

    def test_each_write_is_a_version(self):
        ids = [self.put("k", body) for body in [b"one", b"two", b"three"]]
        self.assertEqual(len(set(ids)), 3)
        self.assertEqual(self.body("k"), b"three")
        for version, body in zip(ids, [b"one", b"two", b"three"]):
            got = self.s3.get_object(Bucket=self.bucket, Key="k", VersionId=version)
            self.assertEqual((got["Body"].read(), got["VersionId"]), (body, version))
            head = self.s3.head_object(Bucket=self.bucket, Key="k", VersionId=version)
            self.assertEqual((head["ContentLength"], head["VersionId"]), (len(body), version))
        self.assertEqual(self.versions(), [("k", ids[2], True, False), ("k", ids[1], False, False),
                                           ("k", ids[0], False, False)])
        listed = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        self.assertEqual([(o["Key"], o["Size"]) for o in listed], [("k", 5)])

    def test_delete_markers(self):
        first = self.put("k", b"one")
        reply = self.delete("k")
        marker = reply["VersionId"]
        self.assertTrue(reply["DeleteMarker"])
        meta = self.refused("NoSuchKey", self.s3.get_object, Key="k")
        self.assertEqual((meta["HTTPHeaders"]["x-amz-delete-marker"],
                          meta["HTTPHeaders"]["x-amz-version-id"]), ("true", marker))
        self.refused("404", self.s3.head_object, Key="k")
        meta = self.refused("MethodNotAllowed", self.s3.get_object, Key="k", VersionId=marker)
        self.assertEqual(meta["HTTPStatusCode"], 405)
        self.assertEqual(meta["HTTPHeaders"]["x-amz-delete-marker"], "true")
        self.refused("405", self.s3.head_object, Key="k", VersionId=marker)
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket))
        self.assertEqual(self.versions(), [("k", first, False, False), ("k", marker, True, True)])
        reply = self.delete("k", VersionId=marker)
        self.assertTrue(reply["DeleteMarker"])
        self.assertEqual(reply["VersionId"], marker)
        self.assertEqual(self.body("k"), b"one")
        self.assertEqual(self.versions(), [("k", first, True, False)])

    def test_deleting_what_is_not_there_leaves_a_marker(self):
        reply = self.delete("absent")
        self.assertTrue(reply["DeleteMarker"])
        self.assertEqual(self.versions(), [("absent", reply["VersionId"], True, True)])

    def test_the_newest_of_the_others_becomes_current(self):
        one, two, three = [self.put("k", body) for body in [b"one", b"two", b"three"]]
        self.delete("k", VersionId=three)
        self.assertEqual(self.body("k"), b"two")
        self.delete("k", VersionId=one)
        self.assertEqual(self.body("k"), b"two")
        self.delete("k", VersionId=two)
        self.refused("NoSuchKey", self.s3.get_object, Key="k")
        self.assertEqual(self.versions(), [])

    def files(self):
        return [name for _, _, names in os.walk(os.path.join(self.cloud.folder, "s3", "objects"))
                for name in names]

    def test_removed_versions_leave_nothing(self):
        before, body = len(self.files()), os.urandom(100_000)
        versions = [self.put("k", body) for _ in range(3)]
        self.assertEqual(len(self.files()), before + 3)
        self.delete("k")
        self.assertEqual(len(self.files()), before + 3)
        for i, version in enumerate(versions, 1):
            self.delete("k", VersionId=version)
            self.assertEqual(len(self.files()), before + 3 - i)

    def test_null_versions(self):
        self.versioning("Suspended")
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=self.bucket)["Status"], "Suspended")
        self.assertIsNone(self.put("k", b"null one"))
        self.versioning("Enabled")
        version = self.put("k", b"kept")
        self.assertEqual(self.body("k", VersionId="null"), b"null one")
        self.versioning("Suspended")
        self.assertIsNone(self.put("k", b"null two"))
        self.assertEqual(self.versions(), [("k", "null", True, False), ("k", version, False, False)])
        self.assertEqual(self.body("k", VersionId="null"), b"null two")
        reply = self.delete("k")
        self.assertEqual((reply["VersionId"], reply["DeleteMarker"]), ("null", True))
        self.assertEqual(self.versions(), [("k", version, False, False), ("k", "null", True, True)])
        self.delete("k", VersionId="null")
        self.assertEqual(self.body("k"), b"kept")

    def test_what_was_there_before_versions_is_null(self):
        bucket = self.bucket = self.bucket + "-later"
        self.s3.create_bucket(Bucket=bucket)
        reply = self.s3.put_object(Bucket=bucket, Key="k", Body=b"old")
        self.assertNotIn("VersionId", reply)
        self.assertNotIn("VersionId", self.s3.get_object(Bucket=bucket, Key="k"))
        self.versioning("Enabled")
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k")["VersionId"], "null")
        version = self.put("k", b"new")
        self.assertEqual(self.versions(), [("k", version, True, False), ("k", "null", False, False)])

    # -- lists

    def test_pages(self):
        expected = []
        for key in ["a", "b/1", "b/2", "c"]:
            rows = [(key, self.put(key, str(i).encode()), i == 2, False) for i in range(3)]
            expected += reversed(rows)
        marker = self.delete("a")["VersionId"]
        expected[0] = (*expected[0][:2], False, False)
        expected.insert(0, ("a", marker, True, True))
        for size in [1, 2, 3, 5, 100]:
            rows = self.versions(PaginationConfig={"PageSize": size})
            order = {row[:2]: i for i, row in enumerate(expected)}
            self.assertEqual(sorted(rows, key=lambda row: order[row[:2]]), expected, size)
            self.assertEqual(len(rows), len(expected))
        page = self.s3.list_object_versions(Bucket=self.bucket, Delimiter="/", MaxKeys=5)
        self.assertEqual([p["Prefix"] for p in page["CommonPrefixes"]], ["b/"])
        self.assertEqual(page["NextKeyMarker"], "b/")
        rest = self.s3.list_object_versions(Bucket=self.bucket, Delimiter="/", KeyMarker="b/")
        self.assertEqual([v["Key"] for v in rest["Versions"]], ["c"] * 3)
        only = self.s3.list_object_versions(Bucket=self.bucket, Prefix="b/", KeyMarker="b/1")
        self.assertEqual([v["Key"] for v in only["Versions"]], ["b/2"] * 3)
        self.refused("InvalidArgument", self.s3.list_object_versions, VersionIdMarker="null")

    # -- other writes

    def test_copies(self):
        first = self.put("k", b"one", Metadata={"a": "1"})
        self.put("k", b"two")
        source = {"Bucket": self.bucket, "Key": "k", "VersionId": first}
        reply = self.s3.copy_object(Bucket=self.bucket, Key="to", CopySource=source)
        self.assertEqual(reply["CopySourceVersionId"], first)
        self.assertEqual(self.body("to", VersionId=reply["VersionId"]), b"one")
        back = self.s3.copy_object(Bucket=self.bucket, Key="k", CopySource=source)
        self.assertEqual(self.body("k"), b"one")
        self.assertEqual(len(self.versions(Prefix="k")), 3)
        marker = self.delete("k")["VersionId"]
        self.refused("NoSuchKey", self.s3.copy_object, Key="to", CopySource=f"{self.bucket}/k")
        source["VersionId"] = marker
        self.refused("InvalidRequest", self.s3.copy_object, Key="to", CopySource=source)
        self.assertTrue(back["VersionId"])

    def test_conditions_are_of_the_current_version(self):
        version = self.put("k")
        def put(header, value):
            def add(request, **_):
                request.headers[header] = value
            client = self.cloud.client(boto3, "s3")
            client.meta.events.register("before-sign.s3.PutObject", add)
            return client.put_object(Bucket=self.bucket, Key="k", Body=b"x")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            put("If-None-Match", "*")
        self.assertEqual(caught.exception.response["Error"]["Code"], "PreconditionFailed")
        self.delete("k")
        put("If-None-Match", "*")
        self.assertEqual(len(self.versions()), 3)
        self.assertEqual(self.body("k", VersionId=version), b"data")

    def test_uploads_in_parts(self):
        first = self.put("k")
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        etag = self.s3.upload_part(Bucket=self.bucket, Key="k", UploadId=upload, PartNumber=1,
                                   Body=b"part")["ETag"]
        reply = self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="k", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        self.assertEqual(self.versions(), [("k", reply["VersionId"], True, False),
                                           ("k", first, False, False)])

    def test_delete_many(self):
        one, two = self.put("a", b"1"), self.put("a", b"2")
        reply = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [
            {"Key": "a", "VersionId": one}, {"Key": "b"}, {"Key": "a", "VersionId": "wrong"}]})
        deleted = {d["Key"]: d for d in reply["Deleted"]}
        self.assertEqual(deleted["a"], {"Key": "a", "VersionId": one})
        self.assertTrue(deleted["b"]["DeleteMarker"])
        self.assertTrue(deleted["b"]["DeleteMarkerVersionId"])
        self.assertEqual([(e["Key"], e["Code"]) for e in reply["Errors"]],
                         [("a", "NoSuchVersion")])
        self.assertEqual(self.body("a", VersionId=two), b"2")

    def test_tags_of_versions(self):
        one, two = self.put("k", b"1", Tagging="v=1"), self.put("k", b"2")
        def tags(**extra):
            reply = self.s3.get_object_tagging(Bucket=self.bucket, Key="k", **extra)
            return {t["Key"]: t["Value"] for t in reply["TagSet"]}
        self.assertEqual(tags(VersionId=one), {"v": "1"})
        self.assertEqual(tags(), {})
        reply = self.s3.put_object_tagging(Bucket=self.bucket, Key="k", VersionId=one,
                                           Tagging={"TagSet": [{"Key": "n", "Value": "x"}]})
        self.assertEqual(reply["VersionId"], one)
        self.assertEqual((tags(VersionId=one), tags(VersionId=two)), ({"n": "x"}, {}))

    def test_a_restart_keeps_versions(self):
        one, marker = self.put("k", b"1"), self.delete("k")["VersionId"]
        VersionsTest.cloud.stop(signal.SIGKILL)
        VersionsTest.cloud.start()
        VersionsTest.s3 = self.cloud.client(boto3, "s3")
        self.assertEqual(self.versions(), [("k", one, False, False), ("k", marker, True, True)])
        self.assertEqual(self.body("k", VersionId=one), b"1")
        two = self.put("k", b"2")
        self.assertEqual([v[1] for v in self.versions()][:2], [two, one])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
