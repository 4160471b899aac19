"""Tags, CORS, lifecycle, policy, ACLs and notifications of S3 as boto3 sees them. s3_config_test.py KEN"""
import datetime
import json
import os
import signal
import sys
import time
import unittest
import urllib.error
import urllib.request

import cloud as clouds

os.environ["KEN_S3_DAY_SECONDS"] = "1"  # a lifecycle's day

try:
    import boto3
    import botocore.exceptions
    from botocore import UNSIGNED
    from botocore.config import Config
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


class ConfigTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.s3 = cls.cloud.client(boto3, "s3")
        cls.anyone = cls.cloud.client(boto3, "s3", config=Config(signature_version=UNSIGNED))
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def setUp(self):
        ConfigTest.count += 1
        self.bucket = f"config-{ConfigTest.count}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, key, body=b"data", **extra):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **extra)

    def refused(self, code, call, **arguments):
        arguments.setdefault("Bucket", self.bucket)
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response

    def keys(self):
        return [o["Key"] for o in
                self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    # -- tags

    def tags(self, key, **extra):
        reply = self.s3.get_object_tagging(Bucket=self.bucket, Key=key, **extra)
        return {t["Key"]: t["Value"] for t in reply["TagSet"]}

    def test_wrong_tags(self):
        self.put("k")
        for tags, code in [([("a", "1"), ("a", "2")], "InvalidTag"), ([("", "1")], "InvalidTag"),
                           ([("a" * 129, "1")], "InvalidTag"), ([("a", "1" * 257)], "InvalidTag"),
                           ([("aws:x", "1")], "InvalidTag"),
                           ([(str(i), "") for i in range(11)], "BadRequest")]:
            tag_set = {"TagSet": [{"Key": k, "Value": v} for k, v in tags]}
            self.refused(code, self.s3.put_object_tagging, Key="k", Tagging=tag_set)
        self.refused("InvalidArgument", self.s3.put_object, Key="k", Body=b"", Tagging="a=1&a=2")
        self.refused("InvalidTag", self.s3.put_object, Key="k", Body=b"", Tagging="a=1%26")
        self.refused("BadRequest", self.s3.put_object, Key="k", Body=b"",
                     Tagging="&".join(f"k{i}=v" for i in range(11)))
        self.refused("NoSuchKey", self.s3.put_object_tagging, Key="absent",
                     Tagging={"TagSet": []})
        self.assertEqual(self.tags("k"), {})

    def test_tags_of_objects(self):
        self.put("k", Tagging="a=1&b=x%20y%2Bz&%C3%A9=")
        self.assertEqual(self.tags("k"), {"a": "1", "b": "x y+z", "é": ""})
        got = self.s3.get_object(Bucket=self.bucket, Key="k")
        self.assertEqual(got["TagCount"], 3)
        self.s3.put_object_tagging(Bucket=self.bucket, Key="k", Tagging={
            "TagSet": [{"Key": "n", "Value": "v" * 256}, {"Key": "k" * 128, "Value": ""}]})
        self.assertEqual(self.tags("k"), {"n": "v" * 256, "k" * 128: ""})
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="k")
        self.assertEqual(self.tags("k"), {})
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"data")

    def test_tags_of_copies_and_uploads(self):
        self.put("k", Tagging="a=1")
        source = {"Bucket": self.bucket, "Key": "k"}
        self.s3.copy_object(Bucket=self.bucket, Key="same", CopySource=source)
        self.s3.copy_object(Bucket=self.bucket, Key="other", CopySource=source,
                            TaggingDirective="REPLACE", Tagging="b=2")
        self.assertEqual((self.tags("same"), self.tags("other")), ({"a": "1"}, {"b": "2"}))
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="u", Tagging="c=3")
        part = self.s3.upload_part(Bucket=self.bucket, Key="u", UploadId=upload["UploadId"],
                                   PartNumber=1, Body=b"x")
        self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="u", UploadId=upload["UploadId"],
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.assertEqual(self.tags("u"), {"c": "3"})

    def test_tags_of_buckets(self):
        tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y+z"}]
        self.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=self.bucket)["TagSet"], tags)
        self.refused("InvalidTag", self.s3.put_bucket_tagging,
                     Tagging={"TagSet": tags + tags[:1]})
        self.s3.delete_bucket_tagging(Bucket=self.bucket)
        self.refused("NoSuchTagSet", self.s3.get_bucket_tagging)

    # -- CORS

    def ask(self, method, key="k", **headers):
        request = urllib.request.Request(f"{self.cloud.endpoint}/{self.bucket}/{key}",
                                         method=method,
                                         headers={k.replace("_", "-"): v
                                                  for k, v in headers.items()})
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def test_wrong_cors(self):
        for rule, code in [({"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]},
                            "InvalidRequest"),
                           ({"AllowedMethods": ["GET"], "AllowedOrigins": ["http://*.*"]},
                            "InvalidRequest"),
                           ({"AllowedMethods": ["GET"]}, "MalformedXML"),
                           ({"AllowedMethods": ["GET"], "AllowedOrigins": ["*"],
                             "ExposeHeaders": ["x-*"]}, "InvalidRequest")]:
            self.refused(code, self.s3.put_bucket_cors,
                         CORSConfiguration={"CORSRules": [rule]})
        self.refused("NoSuchCORSConfiguration", self.s3.get_bucket_cors)
        status, _, body = self.ask("OPTIONS", Origin="http://a", Access_Control_Request_Method="GET")
        self.assertEqual(status, 403)
        self.assertIn(b"<Code>AccessForbidden</Code>", body)
        self.assertEqual(self.ask("OPTIONS")[0], 400)

    def test_cors(self):
        rules = [{"ID": "one", "AllowedMethods": ["GET", "PUT"],
                  "AllowedOrigins": ["http://*.example.com"], "AllowedHeaders": ["x-amz-*"],
                  "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60},
                 {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]}]
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": rules})
        self.assertEqual(self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"], rules)
        status, headers, _ = self.ask("OPTIONS", Origin="http://a.example.com",
                                      Access_Control_Request_Method="PUT",
                                      Access_Control_Request_Headers="X-Amz-Date")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "http://a.example.com")
        self.assertEqual(headers["Access-Control-Allow-Methods"], "GET, PUT")
        self.assertEqual(headers["Access-Control-Allow-Headers"], "x-amz-date")
        self.assertEqual(headers["Access-Control-Expose-Headers"], "ETag")
        self.assertEqual(headers["Access-Control-Max-Age"], "60")
        for wrong in [{"Origin": "http://example.org"}, {"Access_Control_Request_Method": "DELETE"},
                      {"Access_Control_Request_Headers": "authorization"}]:
            ask = {"Origin": "http://a.example.com", "Access_Control_Request_Method": "PUT", **wrong}
            self.assertEqual(self.ask("OPTIONS", **ask)[0], 403, wrong)
        _, headers, _ = self.ask("OPTIONS", Origin="http://x", Access_Control_Request_Method="HEAD")
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        self.put("k", ACL="public-read")
        _, headers, body = self.ask("GET", Origin="http://a.example.com")
        self.assertEqual((headers["Access-Control-Allow-Origin"], body),
                         ("http://a.example.com", b"data"))
        self.assertNotIn("Access-Control-Allow-Origin", self.ask("GET", Origin="http://x")[1])
        self.assertNotIn("Access-Control-Allow-Origin", self.ask("GET")[1])
        self.s3.delete_bucket_cors(Bucket=self.bucket)
        self.assertNotIn("Access-Control-Allow-Origin",
                         self.ask("GET", Origin="http://a.example.com")[1])

    # -- lifecycle

    def lifecycle(self, *rules):
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket,
                                                   LifecycleConfiguration={"Rules": list(rules)})

    @staticmethod
    def rule(**parts):
        return {"ID": "rule", "Status": "Enabled", "Filter": {"Prefix": ""}, **parts}

    def test_wrong_lifecycles(self):
        noon = datetime.datetime(2030, 1, 1, 12)
        wrong = [(self.rule(), "InvalidRequest"),
                 (self.rule(Expiration={"Days": 0}), "InvalidArgument"),
                 (self.rule(Expiration={"Days": -1}), "InvalidArgument"),
                 (self.rule(Expiration={"Date": noon}), "InvalidArgument"),
                 (self.rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True}),
                  "MalformedXML"),
                 (self.rule(Status="enabled", Expiration={"Days": 1}), "MalformedXML"),
                 (self.rule(ID="x" * 256, Expiration={"Days": 1}), "InvalidArgument"),
                 (self.rule(Prefix="", Expiration={"Days": 1}), "MalformedXML"),
                 (self.rule(Filter={"Tag": {"Key": "a", "Value": "b"}},
                            AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}),
                  "InvalidRequest"),
                 (self.rule(NoncurrentVersionExpiration={"NoncurrentDays": 0}),
                  "InvalidArgument")]
        for rule, code in wrong:
            self.refused(code, self.s3.put_bucket_lifecycle_configuration,
                         LifecycleConfiguration={"Rules": [rule]})
        rule = self.rule(Expiration={"Days": 1})
        self.refused("InvalidArgument", self.s3.put_bucket_lifecycle_configuration,
                     LifecycleConfiguration={"Rules": [rule, rule]})
        self.refused("NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration)

    def test_lifecycles_come_back(self):
        rules = [self.rule(ID="a", Filter={"And": {"Prefix": "p/", "Tags": [
                     {"Key": "x", "Value": "y"}], "ObjectSizeGreaterThan": 5}},
                     Expiration={"Days": 1000}),
                 self.rule(ID="b", Status="Disabled",
                           NoncurrentVersionExpiration={"NoncurrentDays": 300,
                                                        "NewerNoncurrentVersions": 2},
                           AbortIncompleteMultipartUpload={"DaysAfterInitiation": 700})]
        self.lifecycle(*rules)
        reply = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        self.assertEqual(reply["Rules"], rules)
        nameless = self.rule(Expiration={"Days": 1000})
        del nameless["ID"]
        self.lifecycle(nameless)
        reply = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        self.assertTrue(reply["Rules"][0]["ID"])
        head = self.put("k")
        self.assertIn(f'rule-id="{reply["Rules"][0]["ID"]}"', head["Expiration"])
        self.assertIn("expiry-date=", self.s3.head_object(Bucket=self.bucket, Key="k")["Expiration"])
        self.s3.delete_bucket_lifecycle(Bucket=self.bucket)
        self.assertNotIn("Expiration", self.s3.head_object(Bucket=self.bucket, Key="k"))

    def test_objects_expire(self):
        for key in ["keep/1", "end/small", "end/big", "tagged/1", "tagged/2"]:
            self.put(key, b"x" * (100 if key == "end/big" else 1),
                     Tagging="end=yes" if key == "tagged/2" else "end=no")
        self.lifecycle(self.rule(ID="a", Expiration={"Days": 1}, Filter={
                           "And": {"Prefix": "end/", "ObjectSizeLessThan": 50}}),
                       self.rule(ID="b", Expiration={"Days": 1},
                                 Filter={"Tag": {"Key": "end", "Value": "yes"}}),
                       self.rule(ID="c", Status="Disabled", Expiration={"Days": 1}))
        clouds.wait_until(lambda: self.keys() == ["end/big", "keep/1", "tagged/1"])
        time.sleep(0.7)
        self.assertEqual(self.keys(), ["end/big", "keep/1", "tagged/1"])

    def test_old_versions_and_markers_expire(self):
        self.s3.put_bucket_versioning(Bucket=self.bucket,
                                      VersioningConfiguration={"Status": "Enabled"})
        for body in [b"1", b"2", b"3", b"4"]:
            self.put("k", body)
        self.put("gone")
        self.s3.delete_object(Bucket=self.bucket, Key="gone")
        self.lifecycle(
            self.rule(ID="old", NoncurrentVersionExpiration={"NoncurrentDays": 1,
                                                             "NewerNoncurrentVersions": 1}),
            self.rule(ID="alone", Expiration={"ExpiredObjectDeleteMarker": True}))
        def versions():
            reply = self.s3.list_object_versions(Bucket=self.bucket)
            return ([(v["Key"], v["IsLatest"]) for v in reply.get("Versions", [])],
                    [m["Key"] for m in reply.get("DeleteMarkers", [])])
        clouds.wait_until(lambda: versions() == (
            [("gone", False), ("k", True), ("k", False)], ["gone"]))
        self.lifecycle(self.rule(ID="old", NoncurrentVersionExpiration={"NoncurrentDays": 1}),
                       self.rule(ID="alone", Expiration={"ExpiredObjectDeleteMarker": True}))
        clouds.wait_until(lambda: versions() == ([("k", True)], []))
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"4")
        self.lifecycle(self.rule(Expiration={"Days": 1}))
        clouds.wait_until(lambda: versions() == ([("k", False)], ["k"]))

    def test_uploads_are_aborted(self):
        for key in ["a", "b/x"]:
            self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)
        self.lifecycle(self.rule(Filter={"Prefix": "b/"},
                                 AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}))
        def uploads():
            reply = self.s3.list_multipart_uploads(Bucket=self.bucket)
            return [u["Key"] for u in reply.get("Uploads", [])]
        clouds.wait_until(lambda: uploads() == ["a"])

    # -- policies

    def policy(self, **statement):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
             "Resource": f"arn:aws:s3:::{self.bucket}/*", **statement}]})

    def test_policies(self):
        for wrong in ["no json", "{}", '{"Statement": []}', self.policy(Effect="Perhaps"),
                      self.policy(Resource="arn:aws:s3:::another/*"), self.policy(Action="sqs:*"),
                      self.policy(Principal="me"), self.policy(Unheard="of"),
                      json.dumps({"Version": "1999", "Statement": [{}]})]:
            self.refused("MalformedPolicy", self.s3.put_bucket_policy, Policy=wrong)
        self.refused("NoSuchBucketPolicy", self.s3.get_bucket_policy)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=self.policy())
        self.assertEqual(self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"], self.policy())
        status = self.s3.get_bucket_policy_status(Bucket=self.bucket)
        self.assertTrue(status["PolicyStatus"]["IsPublic"])
        for public, changed in (
                (False, {"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/32", "10.0.0.0/8"]}}}),
                (True, {"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}),
                (True, {"Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/32"}}}),
                (True, {"Condition": {"StringEquals": {"aws:Referer": "here"}}}),
                (True, {"Condition": {"StringLike": {"aws:SourceVpc": "vpc-*"}}}),
                (False, {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}),
                (True, {"Principal": {"AWS": ["arn:aws:iam::000000000000:root", "*"]}}),
                (False, {"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}),
                (False, {"Effect": "Deny"})):
            self.s3.put_bucket_policy(Bucket=self.bucket, Policy=self.policy(**changed))
            status = self.s3.get_bucket_policy_status(Bucket=self.bucket)
            self.assertEqual(status["PolicyStatus"]["IsPublic"], public, changed)
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.refused("NoSuchBucketPolicy", self.s3.get_bucket_policy)
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={
            "BlockPublicPolicy": True})
        self.refused("AccessDenied", self.s3.put_bucket_policy, Policy=self.policy())

    def test_policies_let_in_and_keep_out(self):
        self.put("open/k", ACL="public-read")
        self.put("k")
        self.refused("AccessDenied", self.anyone.get_object, Key="k")
        everything = f"arn:aws:s3:::{self.bucket}/*"
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:DeleteObject"],
                 "Resource": everything},
                {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
                 "Resource": f"arn:aws:s3:::{self.bucket}/open/*"}]}))
        reply = self.anyone.get_object(Bucket=self.bucket, Key="k")
        self.assertEqual(reply["Body"].read(), b"data")
        self.refused("AccessDenied", self.anyone.get_object, Key="open/k")
        self.refused("AccessDenied", self.anyone.put_object, Key="k", Body=b"x")
        self.refused("AccessDenied", self.anyone.copy_object, Key="x", CopySource=f"{self.bucket}/k")
        self.refused("AccessDenied", self.anyone.list_objects_v2)
        reply = self.anyone.delete_objects(Bucket=self.bucket, Delete={
            "Objects": [{"Key": "k"}, {"Key": "open/k"}]})
        self.assertEqual([d["Key"] for d in reply["Deleted"]], ["k"])
        self.assertEqual([(e["Key"], e["Code"]) for e in reply["Errors"]],
                         [("open/k", "AccessDenied")])

    def test_users_have_what_their_policies_and_the_buckets_say(self):
        iam = self.cloud.client(boto3, "iam")
        iam.create_user(UserName="reader")
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        user = self.cloud.client(boto3, "s3", aws_access_key_id=key["AccessKeyId"],
                                 aws_secret_access_key=key["SecretAccessKey"])
        self.put("k")
        self.refused("AccessDenied", user.get_object, Key="k")
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
                 "Resource": f"arn:aws:s3:::{self.bucket}/*"}]}))
        self.assertEqual(user.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"data")
        user.put_object(Bucket=self.bucket, Key="mine", Body=b"x")
        self.refused("AccessDenied", user.put_object, Key="mine", Body=b"x", Tagging="a=b")
        self.refused("AccessDenied", user.delete_object, Key="k")
        self.refused("AccessDenied", user.list_objects_v2)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                 "Resource": f"arn:aws:s3:::{self.bucket}/*"}]}))
        self.refused("AccessDenied", user.put_object, Key="mine", Body=b"x")
        self.put("k")

    # -- access control lists

    @staticmethod
    def grants(reply):
        return sorted((g["Grantee"].get("URI", "owner"), g["Permission"]) for g in reply["Grants"])

    def test_nobody_gets_in_without_a_grant(self):
        self.put("k")
        for call, more in [(self.anyone.get_object, {"Key": "k"}),
                           (self.anyone.list_objects_v2, {}), (self.anyone.get_bucket_acl, {}),
                           (self.anyone.put_object, {"Key": "k", "Body": b"x"}),
                           (self.anyone.delete_object, {"Key": "k"}),
                           (self.anyone.get_bucket_tagging, {}), (self.anyone.delete_bucket, {}),
                           (self.anyone.put_bucket_policy, {"Policy": self.policy()}),
                           (self.anyone.create_bucket, {"Bucket": "theirs"})]:
            self.refused("AccessDenied", call, **more)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.anyone.list_buckets()
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"data")

    def test_public_objects(self):
        self.put("open", ACL="public-read")
        self.put("closed")
        reply = self.anyone.get_object(Bucket=self.bucket, Key="open")
        self.assertEqual(reply["Body"].read(), b"data")
        self.refused("AccessDenied", self.anyone.get_object, Key="closed")
        self.refused("AccessDenied", self.anyone.get_object, Key="absent")
        self.refused("AccessDenied", self.anyone.put_object, Key="open", Body=b"x")
        acl = self.s3.get_object_acl(Bucket=self.bucket, Key="open")
        self.assertEqual(self.grants(acl), [(ALL_USERS, "READ"), ("owner", "FULL_CONTROL")])
        self.s3.put_object_acl(Bucket=self.bucket, Key="open", ACL="private")
        self.refused("AccessDenied", self.anyone.get_object, Key="open")
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={
            "IgnorePublicAcls": True, "BlockPublicAcls": True})
        self.refused("AccessDenied", self.s3.put_object_acl, Key="open", ACL="public-read")

    def test_public_buckets(self):
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read-write")
        self.anyone.put_object(Bucket=self.bucket, Key="theirs", Body=b"x")
        self.assertEqual([o["Key"] for o in
                          self.anyone.list_objects_v2(Bucket=self.bucket)["Contents"]], ["theirs"])
        self.refused("AccessDenied", self.anyone.put_bucket_acl, ACL="private")
        self.refused("AccessDenied", self.anyone.get_bucket_tagging)
        self.anyone.delete_object(Bucket=self.bucket, Key="theirs")
        self.assertEqual(self.keys(), [])

    def test_lists_of_grants(self):
        owner = self.s3.list_buckets()["Owner"]["ID"]
        acl = self.s3.get_bucket_acl(Bucket=self.bucket)
        self.assertEqual((acl["Owner"]["ID"], self.grants(acl)), (owner, [("owner", "FULL_CONTROL")]))
        grants = [{"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ_ACP"},
                  {"Grantee": {"Type": "CanonicalUser", "ID": owner}, "Permission": "WRITE"}]
        self.s3.put_bucket_acl(Bucket=self.bucket, AccessControlPolicy={
            "Owner": {"ID": owner}, "Grants": grants})
        acl = self.anyone.get_bucket_acl(Bucket=self.bucket)
        self.assertEqual(self.grants(acl), [(ALL_USERS, "READ_ACP"), ("owner", "WRITE")])
        self.s3.put_bucket_acl(Bucket=self.bucket, GrantRead=f'uri="{ALL_USERS}"',
                               GrantFullControl=f'id="{owner}"')
        self.assertEqual(self.grants(self.s3.get_bucket_acl(Bucket=self.bucket)),
                         [(ALL_USERS, "READ"), ("owner", "FULL_CONTROL")])
        self.refused("InvalidArgument", self.s3.put_bucket_acl, ACL="everyone")
        self.refused("InvalidArgument", self.s3.put_bucket_acl, GrantRead='id="nobody"')
        self.s3.put_bucket_ownership_controls(Bucket=self.bucket, OwnershipControls={
            "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        self.refused("AccessControlListNotSupported", self.s3.put_bucket_acl, ACL="public-read")
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="private")

    # -- notifications

    def test_wrong_notifications(self):
        queue = "arn:aws:sqs:us-east-1:000000000000:absent"
        def configured(arn=queue, events=("s3:ObjectCreated:*",), rules=()):
            return {"NotificationConfiguration": {"QueueConfigurations": [
                {"QueueArn": arn, "Events": list(events), "Filter": {
                    "Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in rules]}}}]}}
        call = self.s3.put_bucket_notification_configuration
        reply = self.refused("InvalidArgument", call, **configured())
        self.assertIn("Unable to validate the following destination",
                      reply["Error"]["Message"])
        self.assertEqual((reply["Error"]["ArgumentName1"], reply["Error"]["ArgumentValue1"]),
                         (queue, "The destination queue does not exist"))
        for name, value, how in (("Queue", "arn:aws:s3:::x", {"arn": "arn:aws:s3:::x"}),
                                 ("Event", "s3:Nonsense", {"events": ["s3:Nonsense"]}),
                                 ("FilterRule.Name", "middle", {"rules": [("middle", "x")]})):
            error = self.refused("InvalidArgument", call, **configured(**how))["Error"]
            self.assertEqual((error["ArgumentName"], error["ArgumentValue"]), (name, value))
        call(Bucket=self.bucket, SkipDestinationValidation=True, **configured(rules=[("suffix", ".x"), ("PREFIX", "y")]))
        kept = self.s3.get_bucket_notification_configuration(Bucket=self.bucket)["QueueConfigurations"][0]
        self.assertEqual([(r["Name"], r["Value"]) for r in kept["Filter"]["Key"]["FilterRules"]],
                         [("Suffix", ".x"), ("Prefix", "y")])
        self.refused("NotImplemented", call, **configured(events=["s3:ObjectRestore:*"]))
        self.refused("NotImplemented", call,
                     NotificationConfiguration={"EventBridgeConfiguration": {}})

    def receive(self, sqs, url, count):
        messages = []
        def enough():
            reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in reply.get("Messages", []):
                messages.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(messages) >= count
        clouds.wait_until(enough)
        return messages

    def test_events_reach_a_queue(self):
        sqs = self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName=self.bucket)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.bucket}"
        queue = {"Id": "mine", "QueueArn": arn, "Events": ["s3:ObjectCreated:*",
                                                           "s3:ObjectRemoved:Delete"],
                 "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"},
                                                    {"Name": "suffix", "Value": ".png"}]}}}
        configuration = {"QueueConfigurations": [queue]}
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket,
                                                      NotificationConfiguration=configuration)
        reply = self.s3.get_bucket_notification_configuration(Bucket=self.bucket)
        self.assertEqual(reply["QueueConfigurations"][0]["Id"], "mine")
        self.assertEqual(reply["QueueConfigurations"][0]["Events"], queue["Events"])
        test = self.receive(sqs, url, 1)[0]
        self.assertEqual((test["Event"], test["Bucket"]), ("s3:TestEvent", self.bucket))
        for key in ["out/a.png", "in/a.jpg", "in/a b+ü.png"]:
            etag = self.put(key, b"12345")["ETag"]
        self.s3.copy_object(Bucket=self.bucket, Key="in/copy.png",
                            CopySource=f"{self.bucket}/out/a.png")
        self.s3.delete_object(Bucket=self.bucket, Key="in/copy.png")
        self.s3.delete_object(Bucket=self.bucket, Key="in/copy.png")
        records = [m["Records"][0] for m in self.receive(sqs, url, 3)]
        records.sort(key=lambda r: r["s3"]["object"]["sequencer"])
        self.assertEqual([r["eventName"] for r in records],
                         ["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"])
        first = records[0]
        self.assertEqual((first["eventVersion"], first["eventSource"], first["awsRegion"]),
                         ("2.1", "aws:s3", "us-east-1"))
        self.assertEqual(first["s3"]["bucket"]["arn"], f"arn:aws:s3:::{self.bucket}")
        self.assertEqual(first["s3"]["configurationId"], "mine")
        thing = first["s3"]["object"]
        self.assertEqual((thing["key"], thing["size"], f'"{thing["eTag"]}"'),
                         ("in/a+b%2B%C3%BC.png", 5, etag))
        self.assertNotIn("size", records[2]["s3"]["object"])
        queue["Events"] = ["s3:ObjectTagging:*", "s3:ObjectAcl:Put"]
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration=configuration)
        self.receive(sqs, url, 1)
        key = {"Bucket": self.bucket, "Key": "in/a b+ü.png"}
        self.s3.put_object_acl(ACL="private", **key)
        self.s3.put_object_tagging(Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}, **key)
        self.s3.delete_object_tagging(**key)
        records = [m["Records"][0] for m in self.receive(sqs, url, 3)]
        self.assertEqual({(r["eventName"], r["eventVersion"]) for r in records},
                         {("ObjectAcl:Put", "2.3"), ("ObjectTagging:Put", "2.3"), ("ObjectTagging:Delete", "2.3")})
        for record in records:
            self.assertEqual(record["s3"]["object"], {"key": thing["key"], "eTag": thing["eTag"]})
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket,
                                                      NotificationConfiguration={})
        self.put("in/b.png")
        time.sleep(0.3)
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))

    def test_the_lifecycles_events(self):
        sqs = self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName=self.bucket)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.bucket}"
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:LifecycleExpiration:*"]}]})
        self.receive(sqs, url, 1)
        rule = {"ID": "end", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": [rule]})
        self.put("plain")
        record = self.receive(sqs, url, 1)[0]["Records"][0]
        self.assertEqual((record["eventName"], record["eventVersion"], record["s3"]["object"]["key"],
                          record["requestParameters"]["sourceIPAddress"]),
                         ("LifecycleExpiration:Delete", "2.3", "plain", "s3.amazonaws.com"))
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        version = self.put("versioned")["VersionId"]
        record = self.receive(sqs, url, 1)[0]["Records"][0]
        self.assertEqual(record["eventName"], "LifecycleExpiration:DeleteMarkerCreated")
        self.assertNotIn(record["s3"]["object"]["versionId"], (version, ""))

    def test_no_event_is_lost_in_a_crash(self):
        sqs = self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName=self.bucket)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.bucket}"
        self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [
                {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
        wanted = set()
        for round in range(3):
            for i in range(20):
                self.put(f"{round}-{i}")
                wanted.add(f"{round}-{i}")
            self.cloud.stop(signal.SIGKILL)
            self.cloud.start()
            ConfigTest.s3 = self.cloud.client(boto3, "s3")
            ConfigTest.anyone = self.cloud.client(boto3, "s3",
                                                  config=Config(signature_version=UNSIGNED))
        sqs, seen = self.cloud.client(boto3, "sqs"), set()
        url = sqs.get_queue_url(QueueName=self.bucket)["QueueUrl"]
        def all_there():
            for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                body = json.loads(m["Body"])
                seen.update(r["s3"]["object"]["key"] for r in body.get("Records", []))
            return wanted <= seen
        clouds.wait_until(all_there)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
