"""Browser forms, presigned requests and parts of objects as boto3 and plain HTTP see them. s3_post_test.py KEN"""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
    from botocore.config import Config
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
MIB = 1024 * 1024
BOUNDARY = "----boundary7MA4YWxk"


def form(fields, file=b"data", name="a photo.png"):
    body = b""
    for key, value in fields.items():
        body += (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n"
                 f"{value}\r\n").encode()
    if file is not None:
        body += (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; "
                 f"filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n").encode()
        body += file + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *ignored):
        return None


class PostTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.s3 = cls.cloud.client(boto3, "s3", config=Config(signature_version="s3v4"))
        cls.s3.create_bucket(Bucket="forms")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def post(self, fields, file=b"data", bucket="forms", **extra):
        request = urllib.request.Request(
            f"{self.cloud.endpoint}/{bucket}", form(fields, file, **extra), method="POST",
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        try:
            with urllib.request.build_opener(NoRedirect).open(request) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def signed(self, key="k", fields=None, conditions=None, seconds=60):
        post = self.s3.generate_presigned_post("forms", key, Fields=fields, Conditions=conditions,
                                               ExpiresIn=seconds)
        return post["fields"]

    def refused(self, fields, status, code, *words, file=b"data"):
        got, _, body = self.post(fields, file)
        self.assertEqual(got, status, body)
        self.assertIn(f"<Code>{code}</Code>".encode(), body)
        for word in words:
            self.assertIn(word.encode(), body)

    # -- forms

    def test_forms_that_are_refused(self):
        fields = self.signed()
        self.refused({**fields, "x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch")
        self.refused({**fields, "key": "other"}, 403, "AccessDenied", "Policy Condition failed")
        self.refused({**fields, "extra": "1"}, 403, "AccessDenied", "Extra input fields: extra")
        self.refused({k: v for k, v in fields.items() if k != "key"}, 403, "AccessDenied")
        self.refused(self.signed(seconds=-100), 403, "AccessDenied", "Policy expired")
        self.refused(fields, 400, "InvalidArgument", "exactly one file", file=None)
        self.refused({"key": "k"}, 403, "AccessDenied")
        self.refused({"key": "k", "x-amz-signature": "0"}, 403, "AccessDenied")
        unsigned = {k: v for k, v in fields.items() if k != "x-amz-signature"}
        self.refused(unsigned, 400, "InvalidArgument", "X-Amz-Signature")
        unknown = {**fields, "x-amz-credential": fields["x-amz-credential"].replace("AKIA", "AKIB")}
        self.refused(unknown, 403, "InvalidAccessKeyId")
        limits = [["content-length-range", 5, 10]]
        self.refused(self.signed(conditions=limits), 400, "EntityTooSmall")
        self.refused(self.signed(conditions=limits), 400, "EntityTooLarge", file=b"x" * 11)
        wrong = {**fields, "policy": "!!!"}
        self.refused(wrong, 403, "SignatureDoesNotMatch")
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket="forms", Prefix="k"))

    def test_a_session_that_was_revoked_sends_no_forms(self):
        iam, sts = (self.cloud.client(boto3, name) for name in ("iam", "sts"))
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"},
                                                         "Action": "sts:AssumeRole"}]}
        role = iam.create_role(RoleName="sender", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        may = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        iam.put_role_policy(RoleName="sender", PolicyName="may", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [may]}))
        keys = sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
        own = self.cloud.client(boto3, "s3", config=Config(signature_version="s3v4"),
                                aws_access_key_id=keys["AccessKeyId"], aws_session_token=keys["SessionToken"],
                                aws_secret_access_key=keys["SecretAccessKey"])
        fields = own.generate_presigned_post("forms", "session")["fields"]
        self.assertEqual(self.post(fields)[0], 204)
        revoked = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
            "DateLessThan": {"aws:TokenIssueTime": "2100-01-01T00:00:00Z"}}}
        iam.put_role_policy(RoleName="sender", PolicyName="revoked", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [revoked]}))
        self.refused(fields, 403, "AccessDenied", "explicit deny")

    def test_fields_that_ask_for_what_is_not_there(self):
        for name, value in (("x-amz-server-side-encryption", "AES256"), ("x-amz-object-lock-mode", "GOVERNANCE"),
                            ("x-amz-nonsense", "1")):
            self.refused(self.signed(fields={name: value}, conditions=[{name: value}]), 501, "NotImplemented", name)

    def test_conditions_that_are_none(self):
        for condition, why in ((["starts-with", "$key"], "Invalid starts-with: wrong number of arguments."),
                               (["eq", "$key", "k", "k"], "Invalid Eq: wrong number of arguments."),
                               (["content-length-range", 0],
                                "Invalid content-length-range: wrong number of arguments."),
                               (["unknown", "$key", "k"], "Invalid Condition: unknown operation &#39;unknown&#39;."),
                               ("text", "Invalid condition test: must be a List or Object.")):
            self.refused(self.signed(conditions=[condition]), 400, "InvalidPolicyDocument", "Invalid Policy: " + why)

    def sign(self, policy):
        """A form of one's own policy, with the older signature."""
        text = base64.b64encode(json.dumps(policy).encode()).decode()
        keys = self.cloud.keys()
        mac = hmac.new(keys["AWS_SECRET_ACCESS_KEY"].encode(), text.encode(), hashlib.sha1).digest()
        return {"AWSAccessKeyId": keys["AWS_ACCESS_KEY_ID"], "policy": text,
                "signature": base64.b64encode(mac).decode()}

    def test_policies(self):
        soon = (datetime.datetime.now(datetime.timezone.utc) +
                datetime.timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [{"bucket": "forms"}, ["starts-with", "$key", "v2/"]]
        good = {"expiration": soon, "conditions": conditions}
        self.assertEqual(self.post({"key": "v2/a", **self.sign(good)})[0], 204)
        for policy, status, code in [
                ({"conditions": conditions}, 400, "InvalidPolicyDocument"),
                ({"expiration": soon}, 400, "InvalidPolicyDocument"),
                ({"expiration": "tomorrow", "conditions": conditions}, 400, "InvalidPolicyDocument"),
                ([], 400, "InvalidPolicyDocument"),
                ({"expiration": soon, "conditions": [["is", "$key", "v2/a"]]}, 400,
                 "InvalidPolicyDocument"),
                ({"expiration": soon, "conditions": [{"bucket": "others"}]}, 403, "AccessDenied"),
                ({"expiration": "2020-01-01T00:00:00Z", "conditions": conditions}, 403,
                 "AccessDenied")]:
            self.refused({"key": "v2/b", **self.sign(policy)}, status, code)
        self.refused({"key": "v2/a", **self.sign(good), "signature": "AAAA"}, 403,
                     "SignatureDoesNotMatch")

    def test_an_upload(self):
        file = os.urandom(40000)
        fields = self.signed("up/${filename}", {"Content-Type": "image/png", "x-amz-meta-a": "b",
                                                "success_action_status": "201"},
                             [{"Content-Type": "image/png"}, {"x-amz-meta-a": "b"},
                              {"success_action_status": "201"}])
        status, headers, body = self.post(fields, file)
        self.assertEqual(status, 201, body)
        self.assertIn(b"<Key>up/a photo.png</Key>", body)
        self.assertEqual(headers["ETag"], f'"{hashlib.md5(file).hexdigest()}"')
        got = self.s3.get_object(Bucket="forms", Key="up/a photo.png")
        self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]),
                         (file, "image/png", {"a": "b"}))

    def test_a_large_upload(self):
        file = os.urandom(3 * MIB + 7) + b"\r\n--" + BOUNDARY[:-1].encode()
        self.assertEqual(self.post(self.signed("large"), file)[0], 204)
        self.assertEqual(self.s3.get_object(Bucket="forms", Key="large")["Body"].read(), file)

    def test_a_redirect(self):
        to = {"success_action_redirect": "http://example.com/done?a=1"}
        status, headers, _ = self.post(self.signed("r", to, [to]))
        self.assertEqual(status, 303)
        query = urllib.parse.parse_qs(urllib.parse.urlparse(headers["Location"]).query)
        self.assertEqual((query["a"], query["bucket"], query["key"]), (["1"], ["forms"], ["r"]))

    def test_nobodys_form(self):
        self.s3.create_bucket(Bucket="open-forms", ACL="public-read-write")
        status, _, _ = self.post({"key": "k", "acl": "public-read"}, bucket="open-forms")
        self.assertEqual(status, 204)
        with urllib.request.urlopen(f"{self.cloud.endpoint}/open-forms/k") as reply:
            self.assertEqual(reply.read(), b"data")

    def test_forms_that_are_none(self):
        address = urllib.parse.urlparse(self.cloud.endpoint)
        for kind, body, code in [("text/plain", b"x", b"PreconditionFailed"),
                                 (f"multipart/form-data; boundary={BOUNDARY}", b"", b"Malformed"),
                                 (f"multipart/form-data; boundary={BOUNDARY}", b"nonsense",
                                  b"MalformedPOSTRequest"),
                                 (f"multipart/form-data; boundary={BOUNDARY}",
                                  form({})[:60], b"MalformedPOSTRequest"),
                                 (f"multipart/form-data; boundary={BOUNDARY}",
                                  form({"a": "x" * 40000}), b"MaxPostPreDataLengthExceeded")]:
            connection = http.client.HTTPConnection(address.hostname, address.port)
            connection.request("POST", "/forms", body, {"Content-Type": kind})
            reply = connection.getresponse()
            self.assertIn(code, reply.read())
            self.assertGreaterEqual(reply.status, 400)
            connection.close()

    # -- parts of objects

    def upload(self, key, sizes, **extra):
        upload = self.s3.create_multipart_upload(Bucket="forms", Key=key, **extra)["UploadId"]
        parts, bodies = [], [os.urandom(size) for size in sizes]
        for number, body in enumerate(bodies, 1):
            reply = self.s3.upload_part(Bucket="forms", Key=key, UploadId=upload,
                                        PartNumber=number * 2, Body=body, **extra)
            parts.append({"PartNumber": number * 2, "ETag": reply["ETag"],
                          **{k: v for k, v in reply.items() if k.startswith("Checksum")}})
        self.s3.complete_multipart_upload(Bucket="forms", Key=key, UploadId=upload,
                                          MultipartUpload={"Parts": parts})
        return bodies

    def code(self, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(Bucket="forms", **arguments)
        return caught.exception.response["Error"]["Code"]

    def test_reading_by_part(self):
        bodies = self.upload("parts", [5 * MIB, 5 * MIB, 77])
        for number, body in enumerate(bodies, 1):
            got = self.s3.get_object(Bucket="forms", Key="parts", PartNumber=number)
            self.assertEqual((got["Body"].read(), got["PartsCount"]), (body, 3))
            self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 206)
        head = self.s3.head_object(Bucket="forms", Key="parts", PartNumber=3)
        self.assertEqual((head["ContentLength"], head["PartsCount"]), (77, 3))
        self.assertEqual(self.code(self.s3.get_object, Key="parts", PartNumber=4),
                         "InvalidPartNumber")
        self.assertEqual(self.code(self.s3.get_object, Key="parts", PartNumber=0),
                         "InvalidArgument")
        self.s3.put_object(Bucket="forms", Key="whole", Body=b"whole")
        got = self.s3.get_object(Bucket="forms", Key="whole", PartNumber=1)
        self.assertEqual(got["Body"].read(), b"whole")
        self.assertEqual(self.code(self.s3.get_object, Key="whole", PartNumber=2),
                         "InvalidPartNumber")

    def test_attributes(self):
        wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        self.upload("attributes", [5 * MIB, 9], ChecksumAlgorithm="SHA256")
        reply = self.s3.get_object_attributes(Bucket="forms", Key="attributes",
                                              ObjectAttributes=wanted)
        self.assertEqual(reply["ObjectSize"], 5 * MIB + 9)
        self.assertTrue(reply["ETag"].endswith("-2"))
        self.assertEqual(reply["StorageClass"], "STANDARD")
        self.assertEqual(reply["ObjectParts"]["TotalPartsCount"], 2)
        if "ChecksumSHA256" in reply.get("Checksum", {}):
            self.assertEqual([p["Size"] for p in reply["ObjectParts"]["Parts"]], [5 * MIB, 9])
        self.assertEqual(self.code(self.s3.get_object_attributes, Key="attributes",
                                   ObjectAttributes=["Color"]), "InvalidArgument")
        self.assertEqual(self.code(self.s3.get_object_attributes, Key="absent",
                                   ObjectAttributes=["ETag"]), "NoSuchKey")

    def test_pages_of_uploads(self):
        self.s3.create_bucket(Bucket="uploads")
        expected = []
        for key in ["a", "a", "b/1", "b/2", "c"]:
            reply = self.s3.create_multipart_upload(Bucket="uploads", Key=key)
            expected.append((key, reply["UploadId"]))
        for size in [1, 2, 3, 100]:
            found, marker = [], {}
            while True:
                page = self.s3.list_multipart_uploads(Bucket="uploads", MaxUploads=size, **marker)
                found += [(u["Key"], u["UploadId"]) for u in page.get("Uploads", [])]
                if not page["IsTruncated"]:
                    break
                marker = {"KeyMarker": page["NextKeyMarker"],
                          "UploadIdMarker": page["NextUploadIdMarker"]}
            self.assertEqual(sorted(found), sorted(expected), size)
        page = self.s3.list_multipart_uploads(Bucket="uploads", Delimiter="/")
        self.assertEqual([u["Key"] for u in page["Uploads"]], ["a", "a", "c"])
        self.assertEqual([p["Prefix"] for p in page["CommonPrefixes"]], ["b/"])
        page = self.s3.list_multipart_uploads(Bucket="uploads", Prefix="b/", KeyMarker="b/1")
        self.assertEqual([u["Key"] for u in page["Uploads"]], ["b/2"])

    def test_headers_of_presigned_requests_in_the_query(self):
        url = self.s3.generate_presigned_url("put_object", {
            "Bucket": "forms", "Key": "hoisted", "Metadata": {"a": "b"}, "Tagging": "t=1"})
        headers = {"x-amz-meta-a": "b", "x-amz-tagging": "t=1"}
        present = {k: v for k, v in headers.items() if k in url.split("SignedHeaders=")[1]}
        request = urllib.request.Request(url, b"x", method="PUT", headers=present)
        self.assertEqual(urllib.request.urlopen(request).status, 200)
        got = self.s3.get_object(Bucket="forms", Key="hoisted")
        self.assertEqual((got["Metadata"], got["TagCount"]), ({"a": "b"}, 1))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
