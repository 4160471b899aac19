"""Lambda as deployment tools use it: SAM, CDK, Terraform, Serverless Framework.
lambda_tools_test.py KEN FUNCTION (the built tests/function/bootstrap.c)"""
import base64
import hashlib
import json
import os
import pathlib
import sys
import unittest
import urllib.error
import urllib.request

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


class Lookups(ToolsCase):
    """What tools ask for on their way, and the words in which AWS refuses."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = cls.client.create_function(FunctionName="f", Role=ROLE, Runtime="provided.al2023",
                                              Handler="h", Code={"ZipFile": cls.zip})

    def test_what_an_account_without_them_says(self):
        self.assertEqual(self.client.get_function_code_signing_config(FunctionName="f")["FunctionName"], "f")
        self.assertEqual(self.client.list_code_signing_configs()["CodeSigningConfigs"], [])
        self.assertEqual(self.client.list_layers()["Layers"], [])
        self.assertEqual(self.client.list_layer_versions(LayerName="l")["LayerVersions"], [])
        self.refused("ResourceNotFoundException", self.client.get_layer_version, LayerName="l",
                     VersionNumber=1)
        self.refused("ResourceNotFoundException", self.client.get_function_code_signing_config,
                     FunctionName="absent")

    def test_how_a_runtime_is_kept_up_to_date(self):
        if not hasattr(self.client, "get_runtime_management_config"):
            self.skipTest("this boto3 does not know it")
        arn = self.made["FunctionArn"]
        got = self.client.get_runtime_management_config(FunctionName="f")
        self.assertEqual([got["UpdateRuntimeOn"], got["FunctionArn"]], ["Auto", arn])
        self.client.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
        got = self.client.get_runtime_management_config(FunctionName="f")
        self.assertEqual(got["UpdateRuntimeOn"], "FunctionUpdate")
        self.refused("InvalidParameterValueException", self.client.put_runtime_management_config,
                     FunctionName="f", UpdateRuntimeOn="Manual", RuntimeVersionArn="arn:aws:lambda:x")

    def test_a_mapping_has_tags(self):
        self.cloud.client(boto3, "sqs").create_queue(QueueName="tagged")
        mapping = self.client.create_event_source_mapping(
            FunctionName="f", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:tagged")
        arn = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{mapping['UUID']}"
        self.assertEqual(self.client.list_tags(Resource=arn)["Tags"], {})
        self.client.tag_resource(Resource=arn, Tags={"a": "b", "c": "d"})
        self.client.untag_resource(Resource=arn, TagKeys=["a"])
        self.assertEqual(self.client.list_tags(Resource=arn)["Tags"], {"c": "d"})
        self.assertNotIn("Tags", self.client.get_event_source_mapping(UUID=mapping["UUID"]))
        self.refused("ResourceNotFoundException", self.client.list_tags, Resource=arn[:-1])
        self.assertEqual(
            self.refused("InvalidParameterValueException", self.client.create_event_source_mapping,
                         FunctionName="absent",
                         EventSourceArn="arn:aws:sqs:us-east-1:000000000000:tagged"),
            "Function does not exist")

    def test_errors_say_whose_fault_they_are(self):
        from botocore.exceptions import ClientError
        with self.assertRaises(ClientError) as caught:
            self.client.get_function(FunctionName="absent")
        self.assertEqual(caught.exception.response["Type"], "User")
        self.assertTrue(caught.exception.response["Message"].startswith("Function not found: arn:"))
        self.create("closed")
        self.client.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
        with self.assertRaises(ClientError) as caught:
            self.client.invoke(FunctionName="closed", Payload=b"1")
        told = caught.exception.response
        self.assertEqual([told["Reason"], told["Type"], told["message"], told["Error"]["Code"]],
                         ["ReservedFunctionConcurrentInvocationLimitExceeded", "User",
                          "Rate Exceeded.", "TooManyRequestsException"])

    def test_what_the_model_forbids_is_a_validation_error(self):
        made = {"FunctionName": "wrong", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "h",
                "Code": {"ZipFile": self.zip}}
        permission = {"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction",
                      "Principal": "s3.amazonaws.com"}
        alias = {"FunctionName": "f", "Name": "x", "FunctionVersion": "$LATEST"}
        weigh = lambda weights: {**alias, "RoutingConfig": {"AdditionalVersionWeights": weights}}
        one, two = {**made, "Architectures": ["riscv"]}, {**made, "Architectures": ["x86_64", "arm64"]}
        for call, arguments, words in (
                (self.client.create_function, two, "Value '[x86_64, arm64]' at 'architectures' failed to satisfy "
                                                   "constraint: Member must have length less than or equal to 1"),
                (self.client.create_function, one,
                 "Value '[riscv]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: "
                 "[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"),
                (self.client.create_alias, {**alias, "Name": "12"},
                 "Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression "
                 "pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
                (self.client.create_alias, weigh({"1": 1.5}),
                 "Value '{1=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map "
                 "value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must "
                 "have value greater than or equal to 0.0, Member must not be null]"),
                (self.client.create_function_url_config, {"FunctionName": "f", "AuthType": "X"},
                 "Value 'X' at 'authType' failed to satisfy constraint: Member must satisfy enum value set: "
                 "[NONE, AWS_IAM]"),
                (self.client.list_functions, {"MaxItems": 0},
                 "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or "
                 "equal to 1"),
                (self.client.create_function, {**made, "Timeout": 901},
                 "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less "
                 "than or equal to 900"),
                (self.client.create_function, {**made, "MemorySize": 127},
                 "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value "
                 "greater than or equal to 128"),
                (self.client.create_function, {**made, "Role": "r"},
                 "Value 'r' at 'role' failed to satisfy constraint: Member must satisfy regular "
                 "expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"),
                (self.client.create_function, {**made, "Description": "d" * 257},
                 f"Value '{'d' * 128}' at 'description' failed to satisfy constraint: Member must "
                 "have length less than or equal to 256"),
                (self.client.add_permission, {**permission, "Action": "invoke"},
                 "Value 'invoke' at 'action' failed to satisfy constraint: Member must satisfy regular "
                 "expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"),
                (self.client.add_permission, {**permission, "StatementId": "a b"},
                 "Value 'a b' at 'statementId' failed to satisfy constraint: Member must satisfy "
                 "regular expression pattern: ([a-zA-Z0-9-_]+)"),
                (self.client.put_function_concurrency,
                 {"FunctionName": "f", "ReservedConcurrentExecutions": -1},
                 "Value '-1' at 'reservedConcurrentExecutions' failed to satisfy constraint: Member "
                 "must have value greater than or equal to 0"),
                (self.client.put_function_event_invoke_config,
                 {"FunctionName": "f", "MaximumRetryAttempts": 3},
                 "Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have "
                 "value less than or equal to 2"),
                (self.client.invoke, {"FunctionName": "f", "LogType": "Foo"},
                 "Value 'Foo' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: "
                 "[Tail, None]"),
                (self.client.create_function, {**made, "Handler": "a b"},
                 "Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular expression "
                 "pattern: [^\\s]+"),
                (self.client.create_function, {**made, "TracingConfig": {"Mode": "Foo"}},
                 "Value 'Foo' at 'tracingConfig.mode' failed to satisfy constraint: Member must satisfy enum "
                 "value set: [Active, PassThrough]"),
                (self.client.create_function, {**made, "SnapStart": {"ApplyOn": "Foo"}},
                 "Value 'Foo' at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy enum value "
                 "set: [PublishedVersions, None]"),
                (self.client.create_function, {**made, "Environment": {"Variables": {"1a": "x"}}},
                 "Value '{1a=x}' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy "
                 "constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member "
                 "must not be null]"),
                (self.client.get_function, {"FunctionName": "x" * 171},
                 f"Value '{'x' * 171}' at 'functionName' failed to satisfy constraint: Member must have length "
                 "less than or equal to 170"),
                (self.client.list_functions, {"FunctionVersion": "foo"},
                 "Value 'foo' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum value "
                 "set: [ALL]"),
                (self.client.create_function_url_config,
                 {"FunctionName": "f", "AuthType": "NONE", "Cors": {"MaxAge": 90000}},
                 "Value '90000' at 'cors.maxAge' failed to satisfy constraint: Member must have value less than "
                 "or equal to 86400"),
                (self.client.get_function_url_config, {"FunctionName": "f", "Qualifier": "$LATEST"},
                 "Value '$LATEST' at 'qualifier' failed to satisfy constraint: Member must satisfy regular "
                 "expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"),
                (self.client.put_provisioned_concurrency_config,
                 {"FunctionName": "f", "Qualifier": "1", "ProvisionedConcurrentExecutions": 0},
                 "Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: Member must have "
                 "value greater than or equal to 1"),
                (self.client.put_function_event_invoke_config,
                 {"FunctionName": "f", "DestinationConfig": {"OnFailure": {"Destination": "foo"}}},
                 "Value 'foo' at 'destinationConfig.onFailure.destination' failed to satisfy constraint: Member "
                 "must satisfy regular expression pattern: ^$|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:"
                 "([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)"),
                (self.client.create_event_source_mapping,
                 {"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q",
                  "FunctionResponseTypes": ["Foo"]},
                 "Value '[Foo]' at 'functionResponseTypes' failed to satisfy constraint: Member must satisfy "
                 "constraint: [Member must satisfy enum value set: [ReportBatchItemFailures], Member must not be "
                 "null]"),
                (self.client.untag_resource, {"Resource": self.made["FunctionArn"], "TagKeys": []},
                 "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"),
                (self.client.invoke, {"FunctionName": "f", "InvocationType": "Foo"},
                 "Value 'Foo' at 'invocationType' failed to satisfy constraint: Member must satisfy "
                 "enum value set: [Event, RequestResponse, DryRun]")):
            with self.subTest(words=words):
                self.assertEqual(self.refused("ValidationException", call, **arguments),
                                 "1 validation error detected: " + words)
        self.assertIn("at 'functionName' failed to satisfy constraint",
                      self.refused("ValidationException", self.client.get_function, FunctionName="a b"))

    def test_words_of_other_refusals(self):
        alias = {"FunctionName": "f", "Name": "x", "FunctionVersion": "$LATEST"}
        weigh = lambda weights: {**alias, "RoutingConfig": {"AdditionalVersionWeights": weights}}
        for call, arguments, words in (
                (self.client.create_alias, weigh({"$LATEST": 0.5}),
                 "Invalid function version $LATEST. Function version $LATEST is already included in routing "
                 "configuration."),
                (self.client.create_alias, weigh({"1": 0.5}),
                 "$LATEST is not supported for an alias pointing to more than 1 version"),
                (self.client.create_alias, weigh({"1": 0.5, "2": 0.1}),
                 "Number of items in AdditionalVersionWeights cannot be greater than 1"),
                (self.client.create_event_source_mapping, {"FunctionName": "f"}, "Unrecognized event source."),
                (self.client.add_permission,
                 {"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction",
                  "Principal": "invalid.nonaws.com"},
                 "The provided principal was invalid. Please check the principal and try again."),
                (self.client.put_function_event_invoke_config, {"FunctionName": "f"},
                 "You must specify at least one of error handling or destination setting."),
                (self.client.put_function_event_invoke_config,
                 {"FunctionName": "f", "DestinationConfig": {"OnFailure": {
                     "Destination": self.made["FunctionArn"]}}},
                 "You can't specify the function as a destination for itself."),
                (self.client.create_function,
                 {"FunctionName": "wrong", "Role": ROLE, "Code": {"ZipFile": self.zip}},
                 "Runtime and Handler are mandatory parameters for functions created with deployment "
                 "packages.")):
            with self.subTest(words=words):
                self.assertEqual(self.refused("InvalidParameterValueException", call, **arguments), words)
        self.assertEqual(
            self.refused("ResourceNotFoundException", self.client.remove_permission, FunctionName="f",
                         StatementId="none"), "No policy is found for: " + self.made["FunctionArn"])
        for arn in ("f", "arn:aws:lambda:us-east-1:000000000000:foo:x"):
            self.assertIn(f"Value '{arn}' at 'resource' failed to satisfy constraint",
                          self.refused("ValidationException", self.client.list_tags, Resource=arn))

    def test_words_of_wrong_code_and_variables(self):
        made = {"FunctionName": "wrong", "Runtime": "provided.al2023", "Handler": "x", "Role": ROLE,
                "Code": {"ZipFile": self.zip}}
        limit = {"Variables": {"LARGE": "x" * (4096 - len('{"LARGE":""}'))}}
        refused = lambda **more: self.refused("InvalidParameterValueException", self.client.create_function,
                                              **{**made, **more})
        self.assertEqual(refused(Code={"ZipFile": b"this is no zip"}),
                         "Could not unzip uploaded file. Please check your file, then try to upload again.")
        for empty in (b"", functions.make_zip({})):
            self.assertEqual(refused(Code={"ZipFile": empty}), "Uploaded file must be a non-empty zip")
        self.assertIn("Value nope1.2 at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
                      "set: [", refused(Runtime="nope1.2"))
        self.assertEqual(refused(Tags={f"key{i}": "x" for i in range(51)}),
                         "Number of tags exceeds resource tag limit.")
        self.assertEqual(refused(FunctionName="x" * 65),
                         f"1 validation error detected: Value '{'x' * 65}' at 'functionName' failed to satisfy "
                         "constraint: Member must have length less than or equal to 64")
        self.assertTrue(refused(Environment={"Variables": {"AWS_REGION": "x", "AWS_LAMBDA_X": "y"}}).endswith(
            "Reserved keys used in this request: AWS_REGION, AWS_LAMBDA_X"))
        self.client.update_function_configuration(FunctionName="f", Environment=limit)
        limit["Variables"]["LARGE"] += "x"
        self.assertTrue(refused(Environment=limit).endswith(
            "exceeded the 4KB limit. String measured: " + json.dumps(limit["Variables"], separators=(",", ":"))))
        self.client.update_function_configuration(FunctionName="f", Environment={})
        self.assertEqual(
            self.refused("InvalidParameterValueException", self.client.update_function_code, FunctionName="f",
                         ImageUri="127.0.0.1/a:b"),
            "Please don't provide ImageUri when updating a function with packageType Zip.")

    def test_words_of_what_is_not_there(self):
        arn = self.made["FunctionArn"]
        none = {"FunctionName": "none"}
        retries = {"MaximumRetryAttempts": 1}
        for call, arguments, words in (
                (self.client.create_function_url_config, {**none, "AuthType": "NONE"}, "Function does not exist"),
                (self.client.list_function_url_configs, none, "Function does not exist"),
                (self.client.get_function_url_config, none, "The resource you requested does not exist."),
                (self.client.put_function_event_invoke_config, {**none, **retries},
                 "The function doesn't exist."),
                (self.client.put_function_event_invoke_config,
                 {"FunctionName": "f", "Qualifier": "nix", **retries}, "The function doesn't exist."),
                (self.client.get_function_event_invoke_config, none,
                 f"The function {arn[:-1]}none:$LATEST doesn't have an EventInvokeConfig"),
                (self.client.put_function_concurrency, {**none, "ReservedConcurrentExecutions": 1},
                 f"Function not found: {arn[:-1]}none:$LATEST"),
                (self.client.get_function, {"FunctionName": "x" * 65},
                 f"Function not found: {arn[:-1]}{'x' * 64}"),
                (self.client.add_permission,
                 {"FunctionName": "f", "Qualifier": "nix", "StatementId": "s", "Principal": "*",
                  "Action": "lambda:InvokeFunction"}, f"Cannot find alias arn: {arn}:nix"),
                (self.client.get_provisioned_concurrency_config, {"FunctionName": "f", "Qualifier": "nix"},
                 f"Cannot find alias arn: {arn}:nix"),
                (self.client.invoke, {"FunctionName": arn.replace("us-east-1", "eu-west-1")},
                 "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")):
            with self.subTest(words=words):
                self.assertEqual(self.refused("ResourceNotFoundException", call, **arguments), words)
        self.client.delete_function(FunctionName="f", Qualifier="1233")
        self.client.delete_function(FunctionName="f", Qualifier="1233")

    def test_a_new_description_is_a_new_version(self):
        self.create("told")
        publish = lambda **more: self.client.publish_version(FunctionName="told", **more)
        self.assertEqual(publish(Description="of the version")["Version"], "1")
        self.assertEqual(publish()["Version"], "1")
        self.client.update_function_configuration(FunctionName="told", Description="second")
        second = publish()
        self.assertEqual((second["Version"], second["Description"]), ("2", "second"))
        self.assertEqual(publish(Description="third")["Version"], "2")
        listed = self.client.list_versions_by_function(FunctionName="told")["Versions"]
        self.assertEqual([item["FunctionArn"].rsplit(":", 1)[1] for item in listed], ["$LATEST", "1", "2"])
        self.assertFalse({"State", "LastUpdateStatus", "RuntimeVersionConfig"} & set(listed[0]))
        if "RuntimeVersionConfig" in self.client.meta.service_model.shape_for("FunctionConfiguration").members:
            self.assertIn("::runtime:", second["RuntimeVersionConfig"]["RuntimeVersionArn"])

    def test_code_can_be_downloaded(self):
        self.create("kept")
        link = self.client.get_function(FunctionName="kept")["Code"]["Location"]
        with urllib.request.urlopen(link) as answer:
            self.assertEqual(answer.read(), self.zip)
        for wrong in (link.replace("Signature=", "Signature=0"), link[:-1], link.split("?")[0],
                      link.replace("Expires=", "Expires=9")):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(wrong)
            self.assertEqual(refused.exception.code, 403)
        code = pathlib.Path(self.cloud.folder, "lambda", "code")
        before = len(list(code.glob("*.zip")))
        self.client.delete_function(FunctionName="kept")
        clouds.wait_until(lambda: len(list(code.glob("*.zip"))) == before - 1)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(link)
        self.assertEqual(refused.exception.code, 404)

    def test_what_may_be_reserved_and_provisioned(self):
        self.create("few")
        self.client.publish_version(FunctionName="few")
        self.client.create_alias(FunctionName="few", Name="live", FunctionVersion="1")
        put = self.client.put_function_concurrency
        provide = self.client.put_provisioned_concurrency_config
        self.assertEqual(
            self.refused("InvalidParameterValueException", put, FunctionName="few",
                         ReservedConcurrentExecutions=901),
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100].")
        provide(FunctionName="few", Qualifier="1", ProvisionedConcurrentExecutions=1)
        self.assertEqual(
            self.refused("InvalidParameterValueException", put, FunctionName="few",
                         ReservedConcurrentExecutions=0),
            " ReservedConcurrentExecutions  0 should not be lower than function's total provisioned "
            "concurrency [1].")
        self.assertEqual(
            self.refused("ResourceConflictException", provide, FunctionName="few", Qualifier="live",
                         ProvisionedConcurrentExecutions=1),
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
        for _ in range(2):
            self.client.delete_provisioned_concurrency_config(FunctionName="few", Qualifier="1")

    def test_another_accounts_functions_are_never_there(self):
        own = self.made["FunctionArn"]
        for name in ("f", own, "000000000000:function:f", "function:f", own + ":$LATEST"):
            self.client.get_function(FunctionName=name)
        foreign = own.replace("000000000000", "111122223333")
        for name in (foreign, "111122223333:function:f"):
            for call in (self.client.get_function, self.client.delete_function, self.client.invoke):
                self.assertIn(f"on resource: {name} because no resource-based policy allows the lambda:",
                              self.refused("AccessDeniedException", call, FunctionName=name))
        self.assertEqual(self.refused("ResourceNotFoundException", self.client.list_tags, Resource=foreign),
                         "Function not found: " + foreign)

    def test_a_log_group_of_its_own(self):
        if "LoggingConfig" not in self.client.meta.service_model.operation_model(
                "CreateFunction").input_shape.members:
            self.skipTest("this boto3 does not know it")
        self.create("logs-there", LoggingConfig={"LogGroup": "/my/group"})
        self.client.invoke(FunctionName="logs-there", Payload=b'"print hello"')
        logs = self.cloud.client(boto3, "logs")
        told = clouds.wait_until(lambda: logs.filter_log_events(logGroupName="/my/group")["events"])
        self.assertIn("START RequestId", "".join(event["message"] for event in told))
        self.refused("InvalidParameterValueException", self.client.update_function_configuration,
                     FunctionName="logs-there", LoggingConfig={"LogFormat": "JSON"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
