"""Lambda as boto3 sees it. lambda_test.py KEN FUNCTION (the built tests/function/bootstrap.c)"""
import base64
import concurrent.futures
import hashlib
import json
import os
import signal
import socket
import sys
import time
import unittest

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN, FUNCTION = sys.argv[1:3]
ROLE = "arn:aws:iam::000000000000:role/test"


def is_open(port):
    """What a function's child shows as long as it lives."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


class LambdaTest(clouds.Case):
    clients = {"client": "lambda"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.zip = functions.program_zip(FUNCTION)

    def create(self, name, code=None, **settings):
        settings = {"Role": ROLE, "Runtime": "provided.al2023", "Handler": "h", **settings}
        return self.client.create_function(FunctionName=name, Code={"ZipFile": code or self.zip},
                                           **settings)

    def invoke(self, name, payload, **extra):
        reply = self.client.invoke(FunctionName=name, Payload=json.dumps(payload), **extra)
        text = reply["Payload"].read()
        return json.loads(text) if text else None, reply

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response

    def other(self, service, operation, **arguments):
        """An operation of another service."""
        return getattr(self.cloud.client(boto3, service), operation)(**arguments)

    # What is refused

    def test_an_absent_function_is_not_found(self):
        for call in (self.client.get_function, self.client.invoke, self.client.delete_function,
                     self.client.get_function_configuration):
            reply = self.refused("ResourceNotFoundException", call, FunctionName="absent")
            self.assertEqual(reply["ResponseMetadata"]["HTTPStatusCode"], 404)
            self.assertIn("Function not found: arn:aws:lambda:us-east-1:000000000000:function:"
                          "absent", reply["Error"]["Message"])

    def test_wrong_settings_are_refused(self):
        for settings in ({"Timeout": 901}, {"MemorySize": 64}, {"Runtime": "cobol1"},
                         {"Role": "x"}, {"Environment": {"Variables": {"AWS_REGION": "x"}}},
                         {"Environment": {"Variables": {"A1": "x" * 4096}}},
                         {"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]}):
            with self.subTest(settings=settings):
                with self.assertRaises(botocore.exceptions.ClientError):
                    self.create("wrong", **settings)
        self.refused("ResourceNotFoundException", self.client.get_function, FunctionName="wrong")

    def test_wrong_zips_are_refused(self):
        for code in (b"no zip", functions.make_zip({"../bootstrap": "x"}),
                     functions.make_zip({})):
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                self.create("wrong", code)
            self.assertEqual(caught.exception.response["Error"]["Code"],
                             "InvalidParameterValueException")

    def test_a_second_function_of_the_name_is_refused(self):
        self.create("twice")
        self.refused("ResourceConflictException", self.create, name="twice")

    def test_a_payload_that_is_no_json_is_refused(self):
        self.create("nojson")
        self.refused("InvalidRequestContentException", self.client.invoke, FunctionName="nojson",
                     Payload=b"{")

    def test_a_payload_past_six_mebibytes_is_refused(self):
        self.create("toolarge")
        reply = self.refused("RequestTooLargeException", self.client.invoke,
                             FunctionName="toolarge", Payload=b'"%s"' % (b"x" * 6291455))
        self.assertEqual(reply["ResponseMetadata"]["HTTPStatusCode"], 413)

    def test_an_absent_version_or_alias_is_not_found(self):
        self.create("versions")
        for qualifier in ("1", "live"):
            self.refused("ResourceNotFoundException", self.client.invoke,
                         FunctionName="versions", Qualifier=qualifier)
        self.refused("ValidationException", self.client.invoke, FunctionName="versions",
                     Qualifier="a b")

    # The function's life

    def test_what_is_created_is_described(self):
        made = self.create("life", Timeout=7, MemorySize=256, Description="d",
                           Environment={"Variables": {"V1": "x"}}, Tags={"t": "u"})
        self.assertEqual(made["State"], "Active")
        self.assertEqual(made["LastUpdateStatus"], "Successful")
        self.assertEqual(made["CodeSize"], len(self.zip))
        self.assertEqual(made["CodeSha256"],
                         base64.b64encode(hashlib.sha256(self.zip).digest()).decode())
        self.assertEqual(made["FunctionArn"],
                         "arn:aws:lambda:us-east-1:000000000000:function:life")
        got = self.client.get_function(FunctionName=made["FunctionArn"])
        for field in ("RevisionId", "Timeout", "MemorySize", "Environment", "Role", "Handler"):
            self.assertEqual(got["Configuration"][field], made[field])
        self.assertEqual(got["Tags"], {"t": "u"})
        self.client.get_waiter("function_active_v2").wait(FunctionName="life")
        self.client.get_waiter("function_updated_v2").wait(FunctionName="life")
        names = [f["FunctionName"] for page in
                 self.client.get_paginator("list_functions").paginate(
                     PaginationConfig={"PageSize": 1}) for f in page["Functions"]]
        self.assertIn("life", names)
        self.assertEqual(names, sorted(set(names)))
        self.client.delete_function(FunctionName="life")
        self.refused("ResourceNotFoundException", self.client.get_function, FunctionName="life")

    def test_updates_reach_the_next_request(self):
        made = self.create("update")
        self.assertEqual(self.invoke("update", "env V1")[0], "(none)")
        changed = self.client.update_function_configuration(
            FunctionName="update", Environment={"Variables": {"V1": "new"}}, Timeout=9)
        self.assertNotEqual(changed["RevisionId"], made["RevisionId"])
        self.assertEqual(self.invoke("update", "env V1")[0], "new")
        self.client.update_function_code(FunctionName="update", ZipFile=functions.shell_zip())
        self.assertEqual(self.invoke("update", {"a": 1})[0], {"shell": {"a": 1}})
        self.refused("PreconditionFailedException", self.client.update_function_code,
                     FunctionName="update", ZipFile=self.zip, RevisionId=made["RevisionId"])

    def test_permissions_are_kept(self):
        self.create("policy")
        self.refused("ResourceNotFoundException", self.client.get_policy, FunctionName="policy")
        grant = dict(FunctionName="policy", StatementId="api", Action="lambda:InvokeFunction",
                     Principal="apigateway.amazonaws.com",
                     SourceArn="arn:aws:execute-api:us-east-1:000000000000:x/*/GET/r")
        json.loads(self.client.add_permission(**grant)["Statement"])
        self.refused("ResourceConflictException", self.client.add_permission, **grant)
        policy = json.loads(self.client.get_policy(FunctionName="policy")["Policy"])
        self.assertEqual(policy["Statement"][0]["Principal"],
                         {"Service": "apigateway.amazonaws.com"})
        for where, why in (({"StatementId": "no"}, "Statement no is not found in resource policy."),
                           ({"StatementId": "api", "Qualifier": "live"}, "No policy is found for")):
            if "Qualifier" in where:
                version = self.client.publish_version(FunctionName="policy")["Version"]
                self.client.create_alias(FunctionName="policy", Name="live",
                                         FunctionVersion=version)
            self.assertIn(why, self.refused("ResourceNotFoundException",
                                            self.client.remove_permission,
                                            FunctionName="policy", **where)["Error"]["Message"])
        self.assertIn("adding policies for $LATEST", self.refused(
            "InvalidParameterValueException", self.client.add_permission,
            **{**grant, "StatementId": "other", "Qualifier": "$LATEST"})["Error"]["Message"])
        self.assertIn("$LATEST version cannot be deleted", self.refused(
            "InvalidParameterValueException", self.client.delete_function, FunctionName="policy",
            Qualifier="$LATEST")["Error"]["Message"])
        self.client.remove_permission(FunctionName="policy", StatementId="api")
        self.refused("ResourceNotFoundException", self.client.get_policy, FunctionName="policy")

    def test_a_policy_past_its_limit_is_refused(self):
        self.create("long-policy")
        grant = dict(FunctionName="long-policy", Action="lambda:InvokeFunction",
                     Principal="apigateway.amazonaws.com")
        self.client.add_permission(StatementId="short", **grant)
        self.refused("PolicyLengthExceededException", self.client.add_permission,
                     StatementId="long", SourceArn="arn:aws:s3:::" + "s" * 20480, **grant)
        policy = json.loads(self.client.get_policy(FunctionName="long-policy")["Policy"])
        self.assertEqual([one["Sid"] for one in policy["Statement"]], ["short"])

    def test_tags_are_texts(self):
        arn = self.create("tagged", Environment={})["FunctionArn"]
        self.refused("InvalidParameterValueException", self.client.tag_resource, Resource=arn,
                     Tags={"depth": {"of": "an object"}})
        self.refused("InvalidParameterValueException", self.client.tag_resource, Resource=arn,
                     Tags={})
        version = self.client.publish_version(FunctionName="tagged")["FunctionArn"]
        self.assertIn("aliases and versions", self.refused(
            "InvalidParameterValueException", self.client.tag_resource, Resource=version,
            Tags={"colour": "red"})["Error"]["Message"])
        self.client.tag_resource(Resource=arn, Tags={"colour": "red"})
        self.assertEqual(self.client.list_tags(Resource=arn)["Tags"], {"colour": "red"})

    # Invocation

    def test_runtimes_in_shell_node_and_c_answer(self):
        answers = {"c": (self.zip, "echo hi", "hi")}
        if functions.has("curl"):
            answers["shell"] = (functions.shell_zip(), {"n": 1}, {"shell": {"n": 1}})
        for name, (code, payload, answer) in answers.items():
            self.create("runtime-" + name, code)
            for _ in range(3):
                self.assertEqual(self.invoke("runtime-" + name, payload)[0], answer)
        if functions.has("node"):
            made = self.create("runtime-node", functions.node_zip(), Timeout=10)
            got, _ = self.invoke("runtime-node", {"x": "\u00fc"})
            self.assertEqual((got["node"], got["arn"]), ({"x": "\u00fc"}, made["FunctionArn"]))
            self.assertTrue(5000 < got["left"] <= 10000)

    def test_failures_are_told_as_lambda_tells_them(self):
        self.create("fails", Timeout=1)
        for payload, kind, text in (
                ("error", "Test", "as asked"),
                ("exit 4", "Runtime.ExitError", "Runtime exited with error: exit status 4"),
                ("sleep 5000", "Sandbox.Timedout", "Task timed out after 1.00 seconds")):
            answer, reply = self.invoke("fails", payload)
            self.assertEqual(reply["StatusCode"], 200)
            self.assertEqual(reply["FunctionError"], "Unhandled")
            self.assertEqual(answer["errorType"], kind)
            self.assertIn(text, answer["errorMessage"])
        self.assertEqual(self.invoke("fails", "echo again")[0], "again")

    def test_init_errors_are_told(self):
        self.create("init", Environment={"Variables": {"TEST_INIT": "error"}})
        answer, reply = self.invoke("init", "echo x")
        self.assertEqual((reply["FunctionError"], answer["errorType"]), ("Unhandled", "Init"))
        self.create("mode", functions.make_zip({"bootstrap": "not executable"}))
        answer, reply = self.invoke("mode", "echo x")
        self.assertEqual(answer["errorType"], "Runtime.InvalidEntrypoint")

    def test_the_log_tail_comes_on_request(self):
        self.create("tail")
        _, reply = self.invoke("tail", "print in the log", LogType="Tail")
        tail = base64.b64decode(reply["LogResult"]).decode()
        request_id = reply["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
        for line in (f"START RequestId: {request_id} Version: $LATEST", "in the log",
                     f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}\t"):
            self.assertIn(line, tail)
        self.assertNotIn("LogResult", self.invoke("tail", "echo x")[1])

    def test_dry_runs_and_events(self):
        self.create("event")
        self.assertEqual(self.invoke("event", "x", InvocationType="DryRun")[1]["StatusCode"], 204)
        _, reply = self.invoke("event", "print from an event", InvocationType="Event")
        self.assertEqual(reply["StatusCode"], 202)
        old = self.client.invoke_async(FunctionName="event", InvokeArgs=b'"print from an old client"')
        self.assertEqual(old["Status"], 202)
        for text in ("from an event", "from an old client"):
            clouds.wait_until(lambda: self.logged("event", text))

    def logged(self, name, text):
        """Whether a function's log holds the text; its group comes with the first line."""
        try:
            events = self.other("logs", "filter_log_events", logGroupName="/aws/lambda/" + name)
        except botocore.exceptions.ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "ResourceNotFoundException")
            return False
        return any(text in event["message"] for event in events["events"])

    def test_requests_at_the_same_time_run_at_the_same_time(self):
        self.create("parallel", Timeout=20)
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: self.invoke("parallel", "sleep 1000")[0], range(6)))
        self.assertEqual(answers, ["slept"] * 6)
        self.assertLess(time.monotonic() - begun, 5)

    def test_reserved_concurrency_throttles(self):
        self.create("reserved", Timeout=20)
        self.client.put_function_concurrency(FunctionName="reserved",
                                             ReservedConcurrentExecutions=0)
        self.assertEqual(self.client.get_function_concurrency(
            FunctionName="reserved")["ReservedConcurrentExecutions"], 0)
        reply = self.refused("TooManyRequestsException", self.client.invoke,
                             FunctionName="reserved", Payload=b'"echo x"')
        self.assertEqual(reply["ResponseMetadata"]["HTTPStatusCode"], 429)
        self.client.delete_function_concurrency(FunctionName="reserved")
        self.assertEqual(self.invoke("reserved", "echo x")[0], "x")

    def test_reserved_concurrency_holds_for_instances_that_are_there(self):
        self.create("fewer", Timeout=20)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: self.invoke("fewer", "sleep 500"), range(3)))
            self.client.put_function_concurrency(FunctionName="fewer",
                                                 ReservedConcurrentExecutions=1)
            begun = time.monotonic()
            answers = list(pool.map(lambda _: self.invoke("fewer", "sleep 400")[0], range(3)))
        self.assertEqual(answers, ["slept"] * 3)
        self.assertGreaterEqual(time.monotonic() - begun, 1.2)

    def test_the_function_reaches_the_cloud_with_keys_of_its_own(self):
        self.other("iam", "create_role", RoleName="keyed", AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "lambda.amazonaws.com"}}]}))
        self.create("keys", Role="arn:aws:iam::000000000000:role/keyed")
        answer = {name: self.invoke("keys", "env " + name)[0] for name in (
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL")}
        self.assertNotEqual(answer["AWS_ACCESS_KEY_ID"], self.cloud.keys()["AWS_ACCESS_KEY_ID"])
        client = boto3.client("lambda", endpoint_url=answer["AWS_ENDPOINT_URL"],
                              region_name="us-east-1",
                              aws_access_key_id=answer["AWS_ACCESS_KEY_ID"],
                              aws_secret_access_key=answer["AWS_SECRET_ACCESS_KEY"],
                              aws_session_token=answer["AWS_SESSION_TOKEN"])
        self.refused("AccessDeniedException", client.get_function, FunctionName="keys")
        self.other("iam", "put_role_policy", RoleName="keyed", PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "lambda:GetFunction",
                "Resource": "arn:aws:lambda:*:*:function:keys"}]}))
        self.assertEqual(client.get_function(FunctionName="keys")["Configuration"]["Timeout"], 3)
        # What a function permits by its own policy, without one of the role.
        self.refused("AccessDeniedException", client.invoke, FunctionName="keys")
        self.client.add_permission(FunctionName="keys", StatementId="own",
                                   Action="lambda:InvokeFunction",
                                   Principal="arn:aws:iam::000000000000:role/keyed")
        self.assertEqual(client.invoke(FunctionName="keys", Payload=b'"echo x"')["StatusCode"], 200)

    def test_a_client_context_reaches_the_function_or_is_refused(self):
        self.create("context")
        for wrong in ("x", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{").decode()):
            self.refused("InvalidRequestContentException", self.client.invoke,
                         FunctionName="context", ClientContext=wrong)
        context = base64.b64encode(b'{"custom": {"a":\n"b"}}').decode()
        self.assertEqual(self.invoke("context", "context", ClientContext=context)[0],
                         "{'custom':{'a':'b'}}")

    def test_invocations_count_exactly(self):
        self.create("count", Timeout=1)
        for _ in range(20):
            self.invoke("count", "echo x")
        self.invoke("count", "error")
        self.invoke("count", "exit 1")
        def total(metric, statistic="Sum"):
            points = self.other(
                "cloudwatch", "get_metric_statistics", Namespace="AWS/Lambda", MetricName=metric,
                Statistics=[statistic], Period=60,
                Dimensions=[{"Name": "FunctionName", "Value": "count"}],
                StartTime=time.time() - 600, EndTime=time.time() + 60)["Datapoints"]
            return sum(point[statistic] for point in points)
        self.assertEqual(total("Invocations"), 22)
        self.assertEqual(total("Errors"), 2)
        self.assertEqual(total("Throttles"), 0)
        self.assertEqual(total("Duration", "SampleCount"), 22)

    def test_functions_outlive_a_restart(self):
        with clouds.Cloud(KEN) as cloud:
            client = cloud.client(boto3, "lambda")
            made = client.create_function(
                FunctionName="kept", Role=ROLE, Runtime="provided.al2023", Handler="h",
                Code={"ZipFile": self.zip}, Environment={"Variables": {"V1": "kept"}})
            client.invoke(FunctionName="kept", Payload=b'"echo x"')
            for how in (signal.SIGTERM, signal.SIGKILL):
                cloud.stop(how)
                cloud.start()
                client = cloud.client(boto3, "lambda")
                got = client.get_function(FunctionName="kept")["Configuration"]
                self.assertEqual(got["RevisionId"], made["RevisionId"])
                reply = client.invoke(FunctionName="kept", Payload=b'"env V1"')
                self.assertEqual(json.loads(reply["Payload"].read()), "kept")

    def test_nothing_depends_on_the_umask(self):
        for mask in (0o000, 0o077):
            with self.subTest(mask=oct(mask)):
                cloud, before = clouds.Cloud(KEN), os.umask(mask)
                self.addCleanup(cloud.close)
                try:
                    cloud.start()
                finally:
                    os.umask(before)
                client = cloud.client(boto3, "lambda")
                client.create_function(FunctionName="f", Code={"ZipFile": self.zip}, Role=ROLE, Runtime="provided.al2023", Handler="h")
                reply = client.invoke(FunctionName="f", Payload=b"{}")
                self.assertNotIn("FunctionError", reply, reply["Payload"].read())
                cloud.client(boto3, "s3").create_bucket(Bucket="modes")
                cloud.client(boto3, "sqs").create_queue(QueueName="modes")
                for at, folders, files in os.walk(cloud.folder):
                    if at.startswith(cloud.folder + "/lambda"):  # functions' code is for their users
                        continue
                    for name in files + [folder for folder in folders if folder != "lambda"]:
                        if name != "endpoint":
                            self.assertEqual(os.stat(os.path.join(at, name)).st_mode & 0o077, 0, name)

    def test_a_killed_cloud_leaves_no_process(self):
        with clouds.Cloud(KEN) as cloud:
            client = cloud.client(boto3, "lambda")
            client.create_function(FunctionName="orphan", Role=ROLE, Runtime="provided.al2023",
                                   Handler="h", Code={"ZipFile": self.zip})
            reply = client.invoke(FunctionName="orphan", Payload=b'"child"')
            port = int(json.loads(reply["Payload"].read()))
            self.assertTrue(is_open(port))
            cloud.stop(signal.SIGKILL)
            clouds.wait_until(lambda: not is_open(port))
            cloud.start()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
