"""Lambda as deployment tools use it: SAM, CDK, Terraform, Serverless Framework.
lambda_tools_test.py KEN FUNCTION (the built tests/function/bootstrap.c)"""
import base64
import hashlib
import json
import os
import sys
import unittest

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN, FUNCTION = sys.argv[1:3]
ROLE = "arn:aws:iam::000000000000:role/test"


class ToolsCase(clouds.Case):
    clients = {"client": "lambda", "s3": "s3", "iam": "iam"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.zip = functions.program_zip(FUNCTION)

    def create(self, name, code=None, **settings):
        settings = {"Role": ROLE, "Runtime": "provided.al2023", "Handler": "h", **settings}
        return self.client.create_function(FunctionName=name, Code={"ZipFile": self.zip} if code is None else code,
                                           **settings)

    def invoke(self, name, payload):
        return json.loads(self.client.invoke(FunctionName=name, Payload=json.dumps(payload))
                          ["Payload"].read())

    def user(self, name, *statements):
        """A Lambda client of a user who may do what the statements say."""
        self.iam.create_user(UserName=name)
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": resource}
                for actions, resource in statements]}))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self.cloud.client(boto3, "lambda", aws_access_key_id=key["AccessKeyId"],
                                 aws_secret_access_key=key["SecretAccessKey"])


class CodeFromS3(ToolsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="artifacts")
        cls.s3.put_object(Bucket="artifacts", Key="app/code.zip", Body=cls.zip)

    def wrong(self, source, exception="InvalidParameterValueException"):
        message = self.refused(exception, lambda: self.create("wrong", source))
        self.refused("ResourceNotFoundException", self.client.get_function, FunctionName="wrong")
        return message

    def test_what_is_not_there_is_told_with_s3s_words(self):
        self.assertEqual(
            self.wrong({"S3Bucket": "artifacts", "S3Key": "none.zip"}),
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
            "S3 Error Message: The specified key does not exist.")
        self.assertEqual(
            self.wrong({"S3Bucket": "nowhere", "S3Key": "none.zip"}),
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
            "S3 Error Message: The specified bucket does not exist")
        for version in ("x", "null2", "A" * 32):
            self.wrong({"S3Bucket": "artifacts", "S3Key": "app/code.zip",
                        "S3ObjectVersion": version})

    def test_one_source_and_all_of_it(self):
        self.assertEqual(self.wrong({}), "Please provide a source for function code.")
        self.wrong({"S3Bucket": "artifacts"})
        self.wrong({"S3Key": "app/code.zip"})
        self.assertEqual(
            self.wrong({"S3Bucket": "artifacts", "S3Key": "app/code.zip", "ZipFile": self.zip}),
            "Please do not provide other FunctionCode parameters when providing a ZipFile.")

    def test_what_is_no_zip_is_refused(self):
        self.s3.put_object(Bucket="artifacts", Key="text", Body=b"no zip")
        self.s3.put_object(Bucket="artifacts", Key="empty", Body=b"")
        self.s3.put_object(Bucket="artifacts", Key="long", Body=b"no zip" * 100000)
        for key in ("text", "empty", "long"):
            self.assertIn("Could not unzip uploaded file",
                          self.wrong({"S3Bucket": "artifacts", "S3Key": key}))

    def test_a_bucket_of_another_region_is_refused(self):
        self.s3.create_bucket(Bucket="far", CreateBucketConfiguration={
            "LocationConstraint": "eu-west-1"})
        self.s3.put_object(Bucket="far", Key="code.zip", Body=self.zip)
        self.assertEqual(
            self.wrong({"S3Bucket": "far", "S3Key": "code.zip"}),
            "Error occurred while GetObject. S3 Error Code: PermanentRedirect. "
            "S3 Error Message: The bucket is in this region: eu-west-1. "
            "Please use this region to retry the request")

    def test_who_creates_it_must_be_allowed_to_read(self):
        code = {"S3Bucket": "artifacts", "S3Key": "app/code.zip"}
        allowed = (["lambda:*", "iam:PassRole"], "*")
        settings = {"Role": ROLE, "Runtime": "provided.al2023", "Handler": "h", "Code": code}
        message = self.refused("AccessDeniedException", self.user("half", allowed).create_function,
                               FunctionName="half", **settings)
        self.assertEqual(
            message, "Your access has been denied by S3, please make sure your request credentials "
            "have permission to GetObject for artifacts/app/code.zip. S3 Error Code: AccessDenied."
            " S3 Error Message: Access Denied")
        whole = self.user("whole", allowed, ("s3:GetObject", "arn:aws:s3:::artifacts/app/*"))
        whole.create_function(FunctionName="whole", **settings)

    def test_it_runs(self):
        made = self.create("from-s3", {"S3Bucket": "artifacts", "S3Key": "app/code.zip"})
        self.assertEqual(made["CodeSize"], len(self.zip))
        self.assertEqual(made["CodeSha256"],
                         base64.b64encode(hashlib.sha256(self.zip).digest()).decode())
        self.assertEqual(self.invoke("from-s3", "echo 1"), "1")
        self.s3.put_object(Bucket="artifacts", Key="second.zip", Body=functions.shell_zip())
        changed = self.client.update_function_code(
            FunctionName="from-s3", S3Bucket="artifacts", S3Key="second.zip", Publish=True)
        self.assertEqual(changed["Version"], "1")
        self.assertEqual(changed["CodeSize"], len(functions.shell_zip()))

    def test_a_version_and_an_upload_in_parts(self):
        self.s3.create_bucket(Bucket="versions")
        self.s3.put_bucket_versioning(Bucket="versions",
                                      VersioningConfiguration={"Status": "Enabled"})
        first = self.s3.put_object(Bucket="versions", Key="k", Body=self.zip)["VersionId"]
        self.s3.put_object(Bucket="versions", Key="k", Body=b"something else")
        self.assertIn("Could not unzip", self.wrong({"S3Bucket": "versions", "S3Key": "k"}))
        made = self.create("old-one", {"S3Bucket": "versions", "S3Key": "k",
                                       "S3ObjectVersion": first})
        self.assertEqual(made["CodeSize"], len(self.zip))
        with open(FUNCTION, "rb") as program:
            whole = functions.make_zip({"bootstrap": (program.read(), 0o755),
                                        "filling": os.urandom(6 * 1024 * 1024)})
        upload = self.s3.create_multipart_upload(Bucket="versions", Key="parts")["UploadId"]
        parts = []
        for number, piece in enumerate((whole[:5 << 20], whole[5 << 20:]), 1):
            tag = self.s3.upload_part(Bucket="versions", Key="parts", UploadId=upload,
                                      PartNumber=number, Body=piece)["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
        self.s3.complete_multipart_upload(Bucket="versions", Key="parts", UploadId=upload,
                                          MultipartUpload={"Parts": parts})
        self.create("parts", {"S3Bucket": "versions", "S3Key": "parts"})
        self.assertEqual(self.invoke("parts", "echo 2"), "2")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
