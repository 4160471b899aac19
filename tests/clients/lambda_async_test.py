"""Asynchronous invocations, versions, aliases and provisioned concurrency as boto3 sees them.
lambda_async_test.py KEN FUNCTION"""
import json
import os
import signal
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

FUNCTION = sys.argv[2]
ROLE = "arn:aws:iam::000000000000:role/test"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
os.environ["KEN_LAMBDA_RETRY_MS"] = "100"  # AWS: one minute, then two


class Base(clouds.Case):
    clients = {"client": "lambda", "logs": "logs"}

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

    def event(self, name, payload, **extra):
        _, reply = self.invoke(name, payload, InvocationType="Event", **extra)
        self.assertEqual(reply["StatusCode"], 202)
        return reply["ResponseMetadata"]["RequestId"]

    def lines(self, name):
        try:
            return [event["message"] for event in self.logs.filter_log_events(
                logGroupName="/aws/lambda/" + name)["events"]]
        except botocore.exceptions.ClientError:
            return []

    def count(self, name, text):
        return sum(text in line for line in self.lines(name))


class AsyncTest(Base):
    def test_an_event_that_fails_is_tried_three_times(self):
        self.create("fails")
        request_id = self.event("fails", "error")
        clouds.wait_until(lambda: self.count("fails", "START RequestId: " + request_id) == 3)
        time.sleep(0.5)
        self.assertEqual(self.count("fails", "START RequestId: "), 3)

    def test_the_number_of_retries_is_the_functions(self):
        self.create("once")
        reply = self.client.put_function_event_invoke_config(
            FunctionName="once", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
        self.assertEqual(reply["FunctionArn"], ARN + "once:$LATEST")
        self.assertEqual(reply["MaximumRetryAttempts"], 0)
        self.event("once", "error")
        clouds.wait_until(lambda: self.count("once", "START RequestId"))
        time.sleep(0.5)
        self.assertEqual(self.count("once", "START RequestId"), 1)

    def test_the_end_of_an_event_is_told_to_its_destination(self):
        self.create("told", functions.shell_zip())
        self.create("source")
        self.client.put_function_event_invoke_config(
            FunctionName="source", MaximumRetryAttempts=1,
            DestinationConfig={"OnSuccess": {"Destination": ARN + "told"},
                               "OnFailure": {"Destination": ARN + "told"}})
        good = self.event("source", "echo fine")
        bad = self.event("source", "error")

        def records():
            found = [json.loads(line[len("shell got "):]) for line in self.lines("told")
                     if line.startswith("shell got ")]
            return found if len(found) == 2 else None
        by_id = {record["requestContext"]["requestId"]: record
                 for record in clouds.wait_until(records)}
        record = by_id[good]
        self.assertEqual(record["version"], "1.0")
        self.assertEqual(record["requestContext"]["condition"], "Success")
        self.assertEqual(record["requestContext"]["functionArn"], ARN + "source:$LATEST")
        self.assertEqual(record["requestContext"]["approximateInvokeCount"], 1)
        self.assertEqual(record["requestPayload"], "echo fine")
        self.assertEqual(record["responseContext"],
                         {"statusCode": 200, "executedVersion": "$LATEST"})
        self.assertEqual(record["responsePayload"], "fine")
        record = by_id[bad]
        self.assertEqual(record["requestContext"]["condition"], "RetriesExhausted")
        self.assertEqual(record["requestContext"]["approximateInvokeCount"], 2)
        self.assertEqual(record["responseContext"]["functionError"], "Unhandled")
        self.assertEqual(record["responsePayload"],
                         {"errorType": "Test", "errorMessage": "as asked"})

    def test_a_throttled_event_waits_and_is_not_lost(self):
        self.create("throttled")
        self.client.put_function_concurrency(FunctionName="throttled",
                                             ReservedConcurrentExecutions=0)
        self.event("throttled", "print here at last")
        time.sleep(0.3)
        self.assertEqual(self.count("throttled", "START RequestId"), 0)
        self.client.delete_function_concurrency(FunctionName="throttled")
        clouds.wait_until(lambda: self.count("throttled", "here at last") == 1)

    def test_buckets_and_topics_hand_events_to_a_function(self):
        self.create("handed", functions.shell_zip())
        s3, sns = self.cloud.client(boto3, "s3"), self.cloud.client(boto3, "sns")
        s3.create_bucket(Bucket="handing")
        notify = {"Bucket": "handing", "NotificationConfiguration": {"LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": ARN + "handed", "Events": ["s3:ObjectCreated:*"]}]}}
        functions.allow_service(self.client, "handed", "s3", SourceArn="arn:aws:s3:::another")
        self.assertEqual(self.refused("InvalidArgument", s3.put_bucket_notification_configuration,
                                      **notify),
                         "Unable to validate the following destination configurations")
        self.client.remove_permission(FunctionName="handed", StatementId="s3")
        functions.allow_service(self.client, "handed", "s3", SourceArn="arn:aws:s3:::handing",
                                SourceAccount="000000000000")
        s3.put_bucket_notification_configuration(**notify)
        s3.put_object(Bucket="handing", Key="k", Body=b"x")
        clouds.wait_until(lambda: self.count("handed", '"eventName":"ObjectCreated:Put"') or
                          self.count("handed", '"eventName": "ObjectCreated:Put"'))
        topic = sns.create_topic(Name="handing")["TopicArn"]
        sqs = self.cloud.client(boto3, "sqs")
        queue = sqs.create_queue(QueueName="refused-news")["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=ARN + "handed", Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn":
                                         "arn:aws:sqs:us-east-1:000000000000:refused-news"})})
        sns.publish(TopicArn=topic, Message="not yet allowed")
        clouds.wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
        functions.allow_service(self.client, "handed", "sns", SourceArn=topic)
        sns.publish(TopicArn=topic, Message="by the topic")
        clouds.wait_until(lambda: self.count("handed", "by the topic"))
        self.assertEqual(self.count("handed", "not yet allowed"), 0)

    def test_wrong_event_configs_are_refused(self):
        self.create("config")
        put = self.client.put_function_event_invoke_config
        self.refused("ResourceNotFoundException", self.client.get_function_event_invoke_config,
                     FunctionName="config")
        self.refused("ResourceNotFoundException", self.client.update_function_event_invoke_config,
                     FunctionName="config", MaximumRetryAttempts=1)
        for wrong in ({"MaximumRetryAttempts": 3}, {"MaximumEventAgeInSeconds": 59}):
            with self.subTest(wrong=wrong):
                self.refused("ValidationException", put, FunctionName="config", **wrong)
        for wrong in ({"DestinationConfig": {"OnFailure": {"Destination": ARN + "absent"}}},
                      {"DestinationConfig": {"OnFailure": {"Destination":
                                                           "arn:aws:s3:::bucket"}}}):
            with self.subTest(wrong=wrong):
                self.refused("InvalidParameterValueException", put, FunctionName="config", **wrong)
        self.refused("ResourceNotFoundException", put, FunctionName="config", Qualifier="7",
                     MaximumRetryAttempts=1)
        self.refused("InvalidParameterValueException", self.client.update_function_configuration,
                     FunctionName="config",
                     DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:absent"})
        put(FunctionName="config", MaximumRetryAttempts=0)
        reply = self.client.update_function_event_invoke_config(FunctionName="config",
                                                                MaximumEventAgeInSeconds=60)
        self.assertEqual((reply["MaximumRetryAttempts"], reply["MaximumEventAgeInSeconds"]), (0, 60))
        listed = self.client.list_function_event_invoke_configs(FunctionName="config")
        self.assertEqual(len(listed["FunctionEventInvokeConfigs"]), 1)
        self.client.delete_function_event_invoke_config(FunctionName="config")
        self.refused("ResourceNotFoundException", self.client.get_function_event_invoke_config,
                     FunctionName="config")

    def test_what_ken_does_not_know_is_refused_by_name(self):
        message = self.refused("InvalidParameterValueException", self.create, name="unknown",
                               SnapStart={"ApplyOn": "PublishedVersions"})
        self.assertIn("SnapStart", message)
        self.assertIn("Layers", self.refused("InvalidParameterValueException", self.create,
                                             name="unknown", Layers=["x"]))


class CrashTest(Base):
    def test_kill_9_loses_no_event(self):
        self.create("kept", Environment={"Variables": {"WHO": "kept"}})
        self.client.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=1)
        self.event("kept", "sleep 400")
        ids = [self.event("kept", f"print number {i}") for i in range(20)]
        self.cloud.stop(signal.SIGKILL)
        self.cloud.start()
        self.connect()
        for i in range(20):
            clouds.wait_until(lambda i=i: self.count("kept", f"number {i}") >= 1, 90)
        for request_id in ids:
            self.assertGreaterEqual(self.count("kept", "START RequestId: " + request_id), 1)


class VersionTest(Base):
    def test_a_version_stays_as_it_was(self):
        self.create("v", Environment={"Variables": {"WHO": "first"}})
        first = self.client.publish_version(FunctionName="v", Description="one")
        self.assertEqual((first["Version"], first["Description"]), ("1", "one"))
        self.assertEqual(first["FunctionArn"], ARN + "v:1")
        self.assertEqual(self.client.publish_version(FunctionName="v")["Version"], "1")
        self.client.update_function_configuration(FunctionName="v",
                                                  Environment={"Variables": {"WHO": "second"}})
        self.assertEqual(self.client.publish_version(FunctionName="v")["Version"], "2")
        self.assertEqual(self.invoke("v", "env WHO")[0], "second")
        answer, reply = self.invoke("v", "env WHO", Qualifier="1")
        self.assertEqual((answer, reply["ExecutedVersion"]), ("first", "1"))
        self.assertEqual(self.invoke("v:1", "env AWS_LAMBDA_FUNCTION_VERSION")[0], "1")
        self.assertEqual(self.invoke(ARN + "v:2", "env WHO")[0], "second")
        self.assertEqual(self.invoke("v", "env AWS_LAMBDA_FUNCTION_VERSION")[0], "$LATEST")
        listed = self.client.list_versions_by_function(FunctionName="v")["Versions"]
        self.assertEqual([version["Version"] for version in listed], ["$LATEST", "1", "2"])
        self.refused("ResourceNotFoundException", self.client.invoke, FunctionName="v:3")
        self.refused("InvalidParameterValueException", self.client.invoke, FunctionName="v:1",
                     Qualifier="2")
        self.client.delete_function(FunctionName="v", Qualifier="1")
        self.refused("ResourceNotFoundException", self.client.get_function, FunctionName="v:1")
        self.assertEqual(self.invoke("v:2", "env WHO")[0], "second")

    def test_publish_checks_code_and_revision(self):
        created = self.create("p", Publish=True)
        self.assertEqual(created["Version"], "1")
        self.refused("InvalidParameterValueException", self.client.publish_version,
                     FunctionName="p", CodeSha256="x")
        self.refused("PreconditionFailedException", self.client.publish_version, FunctionName="p",
                     RevisionId="00000000-0000-0000-0000-000000000000")
        latest = self.client.get_function_configuration(FunctionName="p")
        updated = self.client.update_function_code(
            FunctionName="p", ZipFile=functions.shell_zip(), Publish=True,
            RevisionId=latest["RevisionId"])
        self.assertEqual(updated["Version"], "2")
        self.assertNotEqual(updated["CodeSha256"], created["CodeSha256"])
        dry = self.client.update_function_code(FunctionName="p", ZipFile=self.zip, DryRun=True)
        self.assertEqual(dry["CodeSha256"], created["CodeSha256"])
        self.assertEqual(self.client.get_function_configuration(
            FunctionName="p")["CodeSha256"], updated["CodeSha256"])

    def test_an_alias_points_and_weighs(self):
        self.create("a", Environment={"Variables": {"WHO": "one"}}, Publish=True)
        self.client.update_function_configuration(FunctionName="a",
                                                  Environment={"Variables": {"WHO": "two"}})
        self.client.publish_version(FunctionName="a")
        create = self.client.create_alias
        self.refused("ResourceNotFoundException", create, FunctionName="a", Name="x",
                     FunctionVersion="9")
        self.refused("ValidationException", create, FunctionName="a", Name="12",
                     FunctionVersion="1")
        alias = create(FunctionName="a", Name="live", FunctionVersion="1")
        self.assertEqual(alias["AliasArn"], ARN + "a:live")
        self.refused("ResourceConflictException", create, FunctionName="a", Name="live",
                     FunctionVersion="1")
        self.assertEqual(self.invoke("a:live", "env WHO")[0], "one")
        self.refused("ResourceConflictException", self.client.delete_function, FunctionName="a",
                     Qualifier="1")
        for weights, code in (({"2": 1.5}, "ValidationException"), ({"$LATEST": 0.5}, "ValidationException"),
                              ({"1": 0.5}, "InvalidParameterValueException"),
                              ({"2": 0.1, "3": 0.1}, "InvalidParameterValueException")):
            self.refused(code, self.client.update_alias, FunctionName="a", Name="live",
                         RoutingConfig={"AdditionalVersionWeights": weights})
        self.client.update_alias(FunctionName="a", Name="live",
                                 RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
        seen = [self.invoke("a:live", "env WHO")[1]["ExecutedVersion"] for _ in range(60)]
        self.assertTrue(10 < seen.count("1") < 50, seen)
        self.assertEqual(set(seen), {"1", "2"})
        self.client.update_alias(FunctionName="a", Name="live", FunctionVersion="2",
                                 RoutingConfig={"AdditionalVersionWeights": {}})
        self.assertEqual(self.invoke("a:live", "env WHO")[0], "two")
        self.assertNotIn("RoutingConfig", self.client.get_alias(FunctionName="a", Name="live"))
        names = [x["Name"] for x in self.client.list_aliases(FunctionName="a",
                                                             FunctionVersion="2")["Aliases"]]
        self.assertEqual(names, ["live"])
        self.client.delete_alias(FunctionName="a", Name="live")
        self.refused("ResourceNotFoundException", self.client.invoke, FunctionName="a:live")

    def test_waiters_and_the_account(self):
        self.create("w")
        for waiter in ("function_active", "function_exists", "function_updated"):
            self.client.get_waiter(waiter).wait(FunctionName="w")
        settings = self.client.get_account_settings()
        self.assertGreaterEqual(settings["AccountUsage"]["FunctionCount"], 1)
        self.client.tag_resource(Resource=ARN + "w", Tags={"a": "1", "b": "2", "c": "3"})
        self.client.untag_resource(Resource=ARN + "w", TagKeys=["a", "b"])
        self.assertEqual(self.client.list_tags(Resource=ARN + "w")["Tags"], {"c": "3"})

    def test_a_policy_of_an_alias_is_its_own(self):
        self.create("q", Publish=True)
        self.client.create_alias(FunctionName="q", Name="live", FunctionVersion="1")
        self.client.add_permission(FunctionName="q", Qualifier="live", StatementId="s",
                                   Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
                                   SourceArn="arn:aws:s3:::b")
        policy = json.loads(self.client.get_policy(FunctionName="q", Qualifier="live")["Policy"])
        self.assertEqual(policy["Statement"][0]["Resource"], ARN + "q:live")
        self.refused("ResourceNotFoundException", self.client.get_policy, FunctionName="q")

    def test_provisioned_instances_are_there_before_anybody_asks(self):
        self.create("warm", Publish=True)
        put = self.client.put_provisioned_concurrency_config
        self.refused("InvalidParameterValueException", put, FunctionName="warm",
                     Qualifier="$LATEST", ProvisionedConcurrentExecutions=1)
        self.refused("ProvisionedConcurrencyConfigNotFoundException",
                     self.client.get_provisioned_concurrency_config, FunctionName="warm",
                     Qualifier="1")
        reply = put(FunctionName="warm", Qualifier="1", ProvisionedConcurrentExecutions=3)
        self.assertEqual(reply["RequestedProvisionedConcurrentExecutions"], 3)

        def is_ready():
            status = self.client.get_provisioned_concurrency_config(FunctionName="warm",
                                                                    Qualifier="1")
            return status["Status"] == "READY" and status
        status = clouds.wait_until(is_ready)
        self.assertEqual(status["AllocatedProvisionedConcurrentExecutions"], 3)
        self.assertEqual(self.count("warm", "INIT_START"), 3)
        self.assertEqual(self.invoke("warm:1", "env AWS_LAMBDA_INITIALIZATION_TYPE")[0],
                         "provisioned-concurrency")
        self.invoke("warm:1", "exit 1")
        clouds.wait_until(lambda: self.count("warm", "INIT_START") == 4)
        clouds.wait_until(is_ready)
        listed = self.client.list_provisioned_concurrency_configs(FunctionName="warm")
        self.assertEqual(listed["ProvisionedConcurrencyConfigs"][0]["FunctionArn"], ARN + "warm:1")
        self.client.delete_provisioned_concurrency_config(FunctionName="warm", Qualifier="1")
        put(FunctionName="warm", Qualifier="1", ProvisionedConcurrentExecutions=1)
        self.client.delete_function(FunctionName="warm", Qualifier="1")
        listed = self.client.list_provisioned_concurrency_configs(FunctionName="warm")
        self.assertEqual(listed["ProvisionedConcurrencyConfigs"], [])

    def test_provisioned_instances_that_do_not_come_up_say_so(self):
        self.create("cold", Publish=True, Environment={"Variables": {"TEST_INIT": "exit"}})
        self.client.put_provisioned_concurrency_config(
            FunctionName="cold", Qualifier="1", ProvisionedConcurrentExecutions=1)
        clouds.wait_until(lambda: self.client.get_provisioned_concurrency_config(
            FunctionName="cold", Qualifier="1")["Status"] == "FAILED")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
