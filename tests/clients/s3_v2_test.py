"""Signature version 2, which boto3 presigns with unless told otherwise. s3_v2_test.py KEN"""
import base64
import hashlib
import hmac
import http.client
import json
import re
import sys
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from email.utils import formatdate

import cloud as clouds

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEY = "a key/é+&=%?"


class VersionTwo(clouds.Case):
    clients = {"s3": "s3", "iam": "iam", "sqs": "sqs"}

    def setUp(self):
        VersionTwo.count += 1
        self.bucket = f"old-{VersionTwo.count}"
        self.old = self.client()
        self.old.create_bucket(Bucket=self.bucket)
        self.old.put_object(Bucket=self.bucket, Key=KEY, Body=b"hello", ContentType="text/x",
                            Metadata={"b": "2", "a": "1"})

    def client(self, **extra):
        return self.cloud.client(boto3, "s3", config=botocore.config.Config(
            signature_version="s3", s3={"addressing_style": "path"},
            retries={"max_attempts": 0}), **extra)

    def url(self, call="get_object", expires=100, client=None, **arguments):
        arguments = {"Bucket": self.bucket, "Key": KEY, **arguments}
        return (client or self.old).generate_presigned_url(call, Params=arguments,
                                                           ExpiresIn=expires)

    def fetch(self, url, method="GET", body=None, **headers):
        """Status, body and content type."""
        request = urllib.request.Request(url, method=method, data=body, headers={
            name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read(), reply.headers.get("Content-Type")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers.get("Content-Type")

    def code(self, status, code, reply):
        self.assertEqual(reply[0], status, reply)
        self.assertIn(f"<Code>{code}</Code>".encode(), reply[1])

    def test_a_wrong_secret_is_refused_with_what_was_to_be_signed(self):
        wrong = self.client(aws_secret_access_key="wrong")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            wrong.get_object(Bucket=self.bucket, Key=KEY)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "SignatureDoesNotMatch")
        self.assertTrue(error["StringToSign"].startswith("GET\n\n\n"), error)
        self.code(403, "SignatureDoesNotMatch", self.fetch(self.url(client=wrong)))

    def test_an_unknown_key_is_refused(self):
        self.code(403, "InvalidAccessKeyId",
                  self.fetch(self.url(client=self.client(aws_access_key_id="AKIANONE"))))

    def test_a_changed_request_is_refused(self):
        url = self.url()
        for changed in (url.replace("/a%20key/", "/b%20key/"), url + "&versionId=null",
                        url + "&x-amz-acl=public-read", re.sub(r"Expires=\d+", "Expires=2000000000", url)):
            self.code(403, "SignatureDoesNotMatch", self.fetch(changed))
        self.code(403, "SignatureDoesNotMatch", self.fetch(url, "DELETE"))
        self.code(403, "SignatureDoesNotMatch", self.fetch(url, x_amz_acl="public-read"))

    def test_what_has_expired_is_refused(self):
        self.code(403, "AccessDenied", self.fetch(self.url(expires=-5)))
        url = self.url()
        parts = urllib.parse.urlsplit(url)
        query = urllib.parse.parse_qs(parts.query)
        for expires in ("", "never", "1" * 40, str(2 ** 31)):
            query["Expires"] = [expires]
            changed = urllib.parse.urlunsplit(parts._replace(
                query=urllib.parse.urlencode(query, doseq=True)))
            self.code(403, "AccessDenied", self.fetch(changed))

    def test_a_clock_that_is_wrong_is_refused(self):
        def head(date):
            return {"Authorization": "AWS AKIATESTTESTTESTTEST:x", "Date": date}
        url = f"{self.cloud.endpoint}/{self.bucket}"
        self.code(403, "RequestTimeTooSkewed",
                  self.fetch(url, **head(formatdate(time.time() - 1000, usegmt=True))))
        for date in ("yesterday", "Tue, 07 Jul 1950 21:53:04 GMT"):
            self.code(403, "AccessDenied", self.fetch(url, **head(date)))
        self.code(400, "InvalidArgument", self.fetch(url, Authorization="AWS nothing"))

    def test_other_services_do_not_take_it(self):
        url = f"{self.cloud.endpoint}/?Action=ListQueues&AWSAccessKeyId=AKIA&Signature=x"
        self.assertIn(self.fetch(url, "POST", b"Action=ListQueues&Version=2012-11-05")[0],
                      (400, 403))

    def test_requests_of_every_kind_pass(self):
        old, at = self.old, {"Bucket": self.bucket, "Key": KEY}
        reply = old.get_object(ResponseContentType="a/b", ResponseCacheControl="no cache", **at)
        self.assertEqual((reply["Body"].read(), reply["ContentType"], reply["CacheControl"],
                          reply["Metadata"]), (b"hello", "a/b", "no cache", {"a": "1", "b": "2"}))
        self.assertIn(self.bucket, [b["Name"] for b in old.list_buckets()["Buckets"]])

    @unittest.skipIf(int(boto3.__version__.split(".")[1]) < 36, "it signs sub-resources twice")
    def test_sub_resources_pass(self):
        old = self.old
        self.assertEqual(len(old.list_objects_v2(Bucket=self.bucket, Prefix="a ")["Contents"]), 1)
        old.get_object_acl(Bucket=self.bucket, Key=KEY)
        self.assertEqual(len(old.list_object_versions(Bucket=self.bucket)["Versions"]), 1)
        upload = {"Bucket": self.bucket, "Key": "parts"}
        upload["UploadId"] = old.create_multipart_upload(**upload)["UploadId"]
        etag = old.upload_part(PartNumber=1, Body=b"part", **upload)["ETag"]
        old.complete_multipart_upload(MultipartUpload={"Parts": [
            {"PartNumber": 1, "ETag": etag}]}, **upload)
        old.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "parts"},
                                                                   {"Key": KEY}]})
        old.delete_bucket(Bucket=self.bucket)

    def test_presigned_links_pass(self):
        self.assertEqual(self.fetch(self.url()), (200, b"hello", "text/x"))
        self.assertEqual(self.fetch(self.url(ResponseContentType="x/y"))[2], "x/y")
        self.assertEqual(self.fetch(self.url("head_object"), "HEAD")[0], 200)
        self.assertEqual(self.fetch(self.url("put_object", ContentType="t/x", Metadata={"q": "r"}),
                                    "PUT", b"new", Content_Type="t/x")[0], 200)
        reply = self.s3.get_object(Bucket=self.bucket, Key=KEY)
        self.assertEqual((reply["Body"].read(), reply["ContentType"], reply["Metadata"]),
                         (b"new", "t/x", {"q": "r"}))

    def test_a_bucket_in_the_host_is_part_of_what_is_signed(self):
        keys, date = self.cloud.keys(), formatdate(usegmt=True)
        text = f"GET\n\n\n{date}\n/{self.bucket}/?versions"
        mac = hmac.new(keys["AWS_SECRET_ACCESS_KEY"].encode(), text.encode(), hashlib.sha1).digest()
        connection = http.client.HTTPConnection(self.cloud.endpoint.split("//")[1], timeout=30)
        connection.request("GET", "/?versions&max-keys=1", headers={
            "Host": f"{self.bucket}.localhost", "Date": date, "Authorization":
            f"AWS {keys['AWS_ACCESS_KEY_ID']}:{base64.b64encode(mac).decode()}"})
        reply = connection.getresponse()
        self.assertEqual(reply.status, 200, reply.read())
        connection.close()

    def test_a_policy_can_refuse_it(self):
        self.iam.create_user(UserName="old")
        self.iam.put_user_policy(UserName="old", PolicyName="all", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {
                    "StringEquals": {"s3:signatureversion": "AWS"}}}]}))
        key = self.iam.create_access_key(UserName="old")["AccessKey"]
        as_user = {"aws_access_key_id": key["AccessKeyId"],
                   "aws_secret_access_key": key["SecretAccessKey"]}
        old, new = self.client(**as_user), self.cloud.client(boto3, "s3", **as_user)
        self.assertEqual(new.get_object(Bucket=self.bucket, Key=KEY)["ContentLength"], 5)
        self.refused("AccessDenied", old.get_object, Bucket=self.bucket, Key=KEY)
        self.code(403, "AccessDenied", self.fetch(self.url(client=old)))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
