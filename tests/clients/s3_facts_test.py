"""What AWS's S3 was seen to answer, field by field, one fact a row, in our own words. s3_facts_test.py KEN"""
import datetime
import json
import sys
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

if int(boto3.__version__.split(".")[1]) < 36:
    clouds.skip("this boto3 knows no conditional writes")


class Facts(clouds.Case):
    clients = {"s3": "s3"}

    def bucket(self, versioning=None, **contents):
        Facts.count += 1
        name = f"facts-{Facts.count}"
        self.s3.create_bucket(Bucket=name)
        if versioning:
            self.version(name, versioning)
        for key, body in contents.items():
            self.s3.put_object(Bucket=name, Key=key, Body=body)
        return name

    def version(self, bucket, status):
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def fails(self, call, status, code, fields=None, **arguments):
        """The call fails so, and its error has these fields; a value of None is one that it has not."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        reply = caught.exception.response
        error = reply["Error"]
        self.assertEqual((reply["ResponseMetadata"]["HTTPStatusCode"], error["Code"]),
                         (status, code), error)
        for name, value in (fields or {}).items():
            self.assertEqual(error.get(name), value, error)
        return error["Message"]


class ErrorFields(Facts):
    def test_a_wrong_argument_is_named_with_its_value(self):
        bucket = self.bucket(key=b"x")
        version = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"
        self.fails(self.s3.get_object, 400, "InvalidArgument",
                   {"ArgumentName": "versionId", "ArgumentValue": version},
                   Bucket=bucket, Key="key", VersionId=version)
        self.fails(self.s3.list_objects_v2, 400, "InvalidArgument",
                   {"ArgumentName": "maxKeys", "ArgumentValue": "-1"}, Bucket=bucket, MaxKeys=-1)
        for tags in ("a=1&a=2", "a=1,b=2"):
            self.fails(self.s3.put_object, 400, "InvalidArgument",
                       {"ArgumentName": "x-amz-tagging", "ArgumentValue": tags},
                       Bucket=bucket, Key="key", Tagging=tags)

    def test_a_wrong_tag_is_named(self):
        bucket = self.bucket(key=b"x")
        for tags, fields in (([("a", "1"), ("a", "2")], {"TagKey": "a", "TagValue": None}),
                             ([("a,b", "1")], {"TagKey": "a,b", "TagValue": None}),
                             ([("a", "1,2")], {"TagKey": "a", "TagValue": "1,2"})):
            tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
            self.fails(self.s3.put_bucket_tagging, 400, "InvalidTag", fields,
                       Bucket=bucket, Tagging=tagging)
            self.fails(self.s3.put_object_tagging, 400, "InvalidTag", fields,
                       Bucket=bucket, Key="key", Tagging=tagging)

    def test_tags_of_the_system_are_refused_in_two_ways(self):
        bucket = self.bucket(key=b"x")
        tagging = {"TagSet": [{"Key": "aws:a", "Value": "1"}]}
        self.assertEqual(self.fails(self.s3.put_bucket_tagging, 400, "InvalidTag",
                                    {"TagKey": "aws:a"}, Bucket=bucket, Tagging=tagging),
                         "System tags cannot be added/updated by requester")
        self.assertEqual(self.fails(self.s3.put_object_tagging, 400, "InvalidTag",
                                    {"TagKey": "aws:a"}, Bucket=bucket, Key="key",
                                    Tagging=tagging),
                         "Your TagKey cannot be prefixed with aws:")

    def test_a_wrong_grantee_is_named(self):
        bucket, group = self.bucket(), "http://acs.amazonaws.com/groups/s3/Fake"
        for grant, fields in ((f'uri="{group}"', {"ArgumentName": "uri", "ArgumentValue": group}),
                              ('id="wrong"', {"ArgumentName": "id", "ArgumentValue": "wrong"})):
            self.fails(self.s3.put_bucket_acl, 400, "InvalidArgument", fields, Bucket=bucket,
                       GrantRead=grant)

    def test_an_absent_part_is_named_with_how_many_there_are(self):
        bucket = self.bucket(key=b"x")
        self.fails(self.s3.get_object, 416, "InvalidPartNumber",
                   {"PartNumberRequested": "2", "ActualPartCount": "1"},
                   Bucket=bucket, Key="key", PartNumber=2)

    def test_a_date_that_is_still_to_come_asks_nothing(self):
        bucket = self.bucket(key=b"x")
        modified = self.s3.head_object(Bucket=bucket, Key="key")["LastModified"]
        at = {"Bucket": bucket, "Key": "key"}
        self.fails(self.s3.get_object, 304, "304", IfModifiedSince=modified, **at)
        self.s3.get_object(IfModifiedSince=modified + datetime.timedelta(days=1), **at)

    def test_a_delete_marker_says_what_it_is(self):
        bucket = self.bucket("Enabled", key=b"x")
        marker = self.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
        self.fails(self.s3.get_object, 405, "MethodNotAllowed",
                   {"Method": "GET", "ResourceType": "DeleteMarker"},
                   Bucket=bucket, Key="key", VersionId=marker)
        self.fails(self.s3.get_object, 404, "NoSuchKey", {"Key": "key"}, Bucket=bucket, Key="key")
        for version in ({}, {"VersionId": marker}):
            self.fails(self.s3.get_object_tagging, 405, "MethodNotAllowed",
                       {"Method": "GET", "ResourceType": "DeleteMarker"},
                       Bucket=bucket, Key="key", **version)

    def test_an_absent_version_is_named_with_its_key(self):
        bucket = self.bucket("Enabled", key=b"x")
        version = self.s3.put_object(Bucket=bucket, Key="key", Body=b"y")["VersionId"]
        self.s3.delete_object(Bucket=bucket, Key="key", VersionId=version)
        fields = {"Key": "key", "VersionId": version}
        self.fails(self.s3.get_object, 404, "NoSuchVersion", fields, Bucket=bucket, **fields)

    def test_configurations_that_are_not_there_cannot_be_removed(self):
        bucket = self.bucket()
        for kind in ("analytics", "inventory", "metrics", "intelligent_tiering"):
            for verb in ("get", "delete"):
                self.fails(getattr(self.s3, f"{verb}_bucket_{kind}_configuration"), 404,
                           "NoSuchConfiguration", Bucket=bucket, Id="x")


class Conditions(Facts):
    def upload(self, bucket, key):
        """What completes an upload of one part."""
        upload = self.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        part = self.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1,
                                   Body=b"part")
        return {"Bucket": bucket, "Key": key, "UploadId": upload,
                "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}

    def test_an_upload_does_not_replace_what_was_written_meanwhile(self):
        bucket = self.bucket()
        first = self.s3.put_object(Bucket=bucket, Key="key", Body=b"first")["ETag"]
        upload = self.upload(bucket, "key")
        second = self.s3.put_object(Bucket=bucket, Key="key", Body=b"second")["ETag"]
        complete = self.s3.complete_multipart_upload
        self.fails(complete, 412, "PreconditionFailed", {"Condition": "If-Match"},
                   IfMatch=first, **upload)
        self.fails(complete, 409, "ConditionalRequestConflict",
                   {"Condition": "If-Match", "Key": "key"}, IfMatch=second, **upload)
        self.fails(complete, 412, "PreconditionFailed", {"Condition": "If-None-Match"},
                   IfNoneMatch="*", **upload)
        self.s3.delete_object(Bucket=bucket, Key="key")
        self.fails(complete, 404, "NoSuchKey", {"Key": "key"}, IfMatch=second, **upload)
        third = self.s3.put_object(Bucket=bucket, Key="key", Body=b"third")["ETag"]
        complete(IfMatch=third, **self.upload(bucket, "key"))

    def test_what_a_write_cannot_promise_is_not_implemented(self):
        bucket = self.bucket(key=b"x")
        for header, how in (("If-None-Match", {"IfNoneMatch": '"0"'}),
                            ("If-Match,If-None-Match", {"IfMatch": '"0"', "IfNoneMatch": "*"})):
            self.assertEqual(
                self.fails(self.s3.put_object, 501, "NotImplemented", {"Header": header},
                           Bucket=bucket, Key="key", **how),
                "A header you provided implies functionality that is not implemented")


class Copies(Facts):
    def test_the_condition_that_fails_is_named(self):
        bucket = self.bucket(key=b"x")
        head = self.s3.head_object(Bucket=bucket, Key="key")
        past, future = (head["LastModified"] + datetime.timedelta(days=d) for d in (-1, 1))
        at = {"Bucket": bucket, "Key": "to", "CopySource": f"{bucket}/key"}
        for name, how in (("If-Match", {"CopySourceIfMatch": '"0"'}),
                          ("If-None-Match", {"CopySourceIfNoneMatch": head["ETag"].strip('"')}),
                          ("If-Modified-Since", {"CopySourceIfModifiedSince":
                                                 head["LastModified"]}),
                          ("If-Unmodified-Since", {"CopySourceIfUnmodifiedSince": past})):
            self.fails(self.s3.copy_object, 412, "PreconditionFailed",
                       {"Condition": "x-amz-copy-source-" + name}, **at, **how)
        reply = self.s3.copy_object(CopySourceIfModifiedSince=future, **at)["CopyObjectResult"]
        self.assertIn("ChecksumCRC32", reply)
        self.assertNotIn("ChecksumType", reply)

    def test_ranges_of_a_source(self):
        bucket = self.bucket(key=b"0123456789")
        upload = self.s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]

        def fails(code, text, fields):
            return self.fails(self.s3.upload_part_copy, 400, code, fields, Bucket=bucket, Key="to",
                              UploadId=upload, PartNumber=1, CopySource=f"{bucket}/key",
                              CopySourceRange=text)

        for text in ("0-8", "bytes=1-0", "bytes=-1-", "bytes=0--1", "bytes=0-1,3-4", "bytes=-",
                     "bytes=1-", "bytes=-2"):
            message = fails("InvalidArgument", text, {"ArgumentName": "x-amz-copy-source-range",
                                                      "ArgumentValue": text})
            self.assertIn("must be of the form bytes=first-last", message)
        self.assertIn("source object of size: 10",
                      fails("InvalidArgument", "bytes=0-100", {"ArgumentValue": "bytes=0-100"}))
        self.assertEqual(fails("InvalidRequest", "bytes=100-200", {}),
                         "The specified copy range is invalid for the source object size")


class Buckets(Facts):
    def test_uploads_under_way_go_with_their_bucket(self):
        bucket = self.bucket()
        upload = {"Bucket": bucket, "Key": "key"}
        upload["UploadId"] = self.s3.create_multipart_upload(**upload)["UploadId"]
        for number in (1, 2):
            self.s3.upload_part(PartNumber=number, Body=b"x" * 100000, **upload)
        other = self.s3.create_multipart_upload(Bucket=self.bucket(), Key="key")["UploadId"]
        self.s3.delete_bucket(Bucket=bucket)
        files, rows = clouds.object_files(self.cloud.folder)
        self.assertEqual(files, rows)
        self.assertTrue(other)
        self.s3.create_bucket(Bucket=bucket)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=bucket))
        self.fails(self.s3.list_parts, 404, "NoSuchUpload", **upload)
        self.s3.delete_bucket(Bucket=bucket)


    def test_what_a_list_of_uploads_tells(self):
        bucket = self.bucket()
        reply = self.s3.list_multipart_uploads(Bucket=bucket)
        self.assertNotIn("Prefix", reply)
        self.assertEqual((reply["NextKeyMarker"], reply["NextUploadIdMarker"]), ("", ""))
        self.assertEqual(self.s3.list_multipart_uploads(Bucket=bucket, Prefix="a")["Prefix"], "a")

    def test_a_lock_is_looked_for_where_there_is_an_object(self):
        bucket = self.bucket(key=b"x")
        self.fails(self.s3.get_object_retention, 404, "NoSuchBucket", Bucket="facts-absent", Key="k")
        for call, how in (("get_object_legal_hold", {}), ("get_object_retention", {}),
                          ("put_object_legal_hold", {"LegalHold": {"Status": "ON"}})):
            call = getattr(self.s3, call)
            self.fails(call, 404, "NoSuchKey", Bucket=bucket, Key="absent", **how)
            self.fails(call, 400, "InvalidRequest", Bucket=bucket, Key="key", **how)


class Versions(Facts):
    def test_a_write_tells_no_null_version(self):
        bucket = self.bucket("Suspended", key=b"x")
        self.assertNotIn("VersionId", self.s3.put_object(Bucket=bucket, Key="key", Body=b"y"))
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="key")["VersionId"], "null")
        self.assertNotIn("VersionId", self.s3.copy_object(Bucket=bucket, Key="to",
                                                          CopySource=f"{bucket}/key"))
        self.assertEqual(self.s3.delete_object(Bucket=bucket, Key="key")["VersionId"], "null")


class Tags(Facts):
    def test_tags_come_in_the_order_of_their_keys(self):
        bucket = self.bucket()
        self.s3.put_object(Bucket=bucket, Key="key", Tagging="b=2&a&ab=3&B=%20")
        reply = self.s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"]
        self.assertEqual([(t["Key"], t["Value"]) for t in reply],
                         [("B", " "), ("a", ""), ("ab", "3"), ("b", "2")])


class Lists(Facts):
    clients = {"s3": "s3", "iam": "iam"}

    def user(self):
        """A client of a user whom no policy allows anything."""
        Facts.count += 1
        self.iam.create_user(UserName=f"nobody-{Facts.count}")
        key = self.iam.create_access_key(UserName=f"nobody-{Facts.count}")["AccessKey"]
        return self.cloud.client(boto3, "s3", aws_access_key_id=key["AccessKeyId"],
                                 aws_secret_access_key=key["SecretAccessKey"])

    def allow(self, bucket, action, **condition):
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action,
                "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": condition}]}))

    def test_policies_see_the_tags_that_an_object_has(self):
        user, bucket = self.user(), self.bucket(bare=b"x")
        for key, tags in (("public", "security=public&b=c"), ("private", "security=private"),
                          ("other", "security1=public")):
            self.s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tags)
        condition = {"StringEquals": {"s3:ExistingObjectTag/security": "public"}}
        self.allow(bucket, "s3:GetObject", **condition)
        user.get_object(Bucket=bucket, Key="public")
        for key in ("private", "other", "bare"):
            self.fails(user.get_object, 403, "AccessDenied", Bucket=bucket, Key=key)
        self.fails(user.get_object_tagging, 403, "AccessDenied", Bucket=bucket, Key="public")
        self.allow(bucket, "s3:PutObjectTagging", **condition)
        tagging = {"TagSet": [{"Key": "security", "Value": "private"}]}
        self.fails(user.put_object_tagging, 403, "AccessDenied", Bucket=bucket, Key="private",
                   Tagging=tagging)
        user.put_object_tagging(Bucket=bucket, Key="public", Tagging=tagging)
        self.fails(user.put_object_tagging, 403, "AccessDenied", Bucket=bucket, Key="public",
                   Tagging=tagging)

    def test_policies_see_the_tags_that_are_asked_for(self):
        user, bucket = self.user(), self.bucket(key=b"x")
        self.allow(bucket, ["s3:PutObject", "s3:PutObjectTagging"],
                   StringEquals={"s3:RequestObjectTag/security": "public"})
        at = {"Bucket": bucket, "Key": "key"}
        user.put_object(Tagging="a=b&security=public", **at)
        for tags in ("security=private", "security1=public"):
            self.fails(user.put_object, 403, "AccessDenied", Tagging=tags, **at)
        self.fails(user.put_object, 403, "AccessDenied", **at)
        for value, works in (("public", True), ("private", False)):
            tagging = {"TagSet": [{"Key": "security", "Value": value}]}
            if works:
                user.put_object_tagging(Tagging=tagging, **at)
            else:
                self.fails(user.put_object_tagging, 403, "AccessDenied", Tagging=tagging, **at)

    def test_a_user_is_one_of_all_users(self):
        user, bucket = self.user(), self.bucket(key=b"x")
        at = {"Bucket": bucket, "Key": "key"}
        self.fails(user.get_object, 403, "AccessDenied", **at)
        self.s3.put_object_acl(ACL="public-read", **at)
        self.assertEqual(user.get_object(**at)["Body"].read(), b"x")
        self.s3.put_object_acl(ACL="authenticated-read", **at)
        self.assertEqual(user.get_object(**at)["Body"].read(), b"x")
        nobody = self.cloud.client(boto3, "s3", config=botocore.config.Config(
            signature_version=botocore.UNSIGNED))
        self.fails(nobody.get_object, 403, "AccessDenied", **at)
        self.fails(user.put_object, 403, "AccessDenied", Body=b"y", **at)
        self.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
        user.put_object(Body=b"y", **at)
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/*"}]}))
        self.fails(user.put_object, 403, "AccessDenied", Body=b"z", **at)

    def test_groups_stand_before_the_owner(self):
        bucket = self.bucket()
        self.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
        grants = self.s3.get_bucket_acl(Bucket=bucket)["Grants"]
        self.assertEqual([(g["Grantee"]["Type"], g["Permission"]) for g in grants],
                         [("Group", "READ"), ("Group", "WRITE"),
                          ("CanonicalUser", "FULL_CONTROL")])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
