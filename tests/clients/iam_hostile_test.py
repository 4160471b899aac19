"""Who tries to get past what policies say. iam_hostile_test.py KEN"""
import io
import json
import sys
import unittest
import urllib.error
import urllib.request
import zipfile

import iam_test  # skips where there is no boto3
from iam_test import ACCOUNT, boto3, document, statement, trust
from botocore.config import Config

ALL = document(statement("*"))
ANYBODY = trust({"AWS": "*"})


class Hostile(iam_test.Base):
    clients = {"iam": "iam", "ecr": "ecr", "s3": "s3", "lambdas": "lambda"}

    def role(self, name, *policies, trusted=ANYBODY, **more):
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted,
                                   **more)["Role"]["Arn"]
        for number, policy in enumerate(policies):
            self.iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=policy)
        return arn

    def session(self, key, role, **more):
        return self.client_of("sts", key).assume_role(
            RoleArn=role, RoleSessionName="session", **more)["Credentials"]


class Sessions(Hostile):
    def test_a_session_ends_with_its_role(self):
        key = self.user("assumer", document(statement("sts:*")))
        lists = self.client_of("s3", self.session(key, self.role("passing", ALL))).list_buckets
        lists()
        self.iam.delete_role_policy(RoleName="passing", PolicyName="p0")
        self.refused("AccessDenied", lists)
        self.iam.delete_role(RoleName="passing")
        self.refused("InvalidAccessKeyId", lists)
        self.role("passing", ALL)  # another one
        self.refused("InvalidAccessKeyId", lists)

    def test_sessions_of_users_end_with_them(self):
        key = self.user("leaver", ALL)
        sts = self.client_of("sts", key)
        sessions = [sts.get_session_token()["Credentials"],
                    sts.get_federation_token(Name="guest", Policy=ALL)["Credentials"]]
        lists = [self.client_of("s3", session).list_buckets for session in sessions]
        for one in lists:
            one()
        self.iam.delete_access_key(UserName="leaver", AccessKeyId=key["AccessKeyId"])
        self.iam.delete_user_policy(UserName="leaver", PolicyName="p0")
        self.iam.delete_user(UserName="leaver")
        self.user("leaver", ALL)  # somebody else
        for one in lists:
            self.refused("InvalidAccessKeyId", one)

    def test_a_name_that_was_another_users_brings_no_rights(self):
        key = self.user("before", document(statement("sts:*")))
        session = self.client_of("sts", key).get_session_token()["Credentials"]
        self.iam.update_user(UserName="before", NewUserName="after")
        self.user("before", ALL)
        self.refused("InvalidAccessKeyId", self.client_of("s3", session).list_buckets)

    def test_a_session_of_a_user_calls_no_iam(self):
        session = self.client_of("sts", self.user("tokened", ALL)).get_session_token()
        iam = self.client_of("iam", session["Credentials"])
        self.refused("InvalidClientTokenId", iam.list_users)
        self.client_of("s3", session["Credentials"]).list_buckets()

    def test_a_chain_of_roles_lasts_an_hour_at_most(self):
        key = self.user("chained", document(statement("sts:*")))
        first = self.session(key, self.role("first", ALL))
        second = self.role("second", MaxSessionDuration=43200)
        self.assertIn("role chaining", self.refused(
            "ValidationError", self.client_of("sts", first).assume_role, RoleArn=second,
            RoleSessionName="session", DurationSeconds=3601))
        self.session(first, second, DurationSeconds=3600)
        self.session(key, second, DurationSeconds=3601)


class Registry(Hostile):
    def pull(self, client, name):
        data = client.get_authorization_token()["authorizationData"][0]
        request = urllib.request.Request(
            f"{self.cloud.endpoint}/v2/{name}/tags/list",
            headers={"Authorization": "Basic " + data["authorizationToken"]})

        def ask():
            try:
                with urllib.request.urlopen(request) as reply:
                    return reply.status
            except urllib.error.HTTPError as error:
                return error.code
        return ask

    def test_a_password_has_the_rights_of_the_session_that_asked_for_it(self):
        self.ecr.create_repository(repositoryName="secret")
        key = self.user("docker", ALL)
        role = self.role("puller", ALL)
        only = document(statement("ecr:GetAuthorizationToken"))
        self.assertEqual(self.pull(self.client_of("ecr", self.session(key, role)), "secret")(), 200)
        bound = self.client_of("ecr", self.session(key, role, Policy=only))
        self.assertEqual(self.pull(bound, "secret")(), 403)
        guest = self.client_of("sts", key).get_federation_token(Name="guest", Policy=ALL)
        self.assertEqual(
            self.pull(self.client_of("ecr", guest["Credentials"]), "secret")(), 200)

    def test_a_password_ends_with_the_key_that_asked_for_it(self):
        self.ecr.create_repository(repositoryName="kept")
        key = self.user("fleeting", ALL)
        ask = self.pull(self.client_of("ecr", key), "kept")
        self.assertEqual(ask(), 200)
        self.iam.update_access_key(UserName="fleeting", AccessKeyId=key["AccessKeyId"],
                                   Status="Inactive")
        self.assertEqual(ask(), 401)
        session = self.session(self.user("other", ALL), self.role("gone"))
        self.iam.put_role_policy(RoleName="gone", PolicyName="p", PolicyDocument=ALL)
        ask = self.pull(self.client_of("ecr", session), "kept")
        self.assertEqual(ask(), 200)
        self.iam.delete_role_policy(RoleName="gone", PolicyName="p")
        self.iam.delete_role(RoleName="gone")
        self.assertEqual(ask(), 401)


class Presigned(Hostile):
    def test_nothing_is_added_to_a_link(self):
        s3 = self.cloud.client(boto3, "s3", config=Config(signature_version="s3v4"))
        s3.create_bucket(Bucket="open")
        s3.put_object(Bucket="open", Key="secret", Body=b"top")
        link = s3.generate_presigned_url("put_object", Params={"Bucket": "open", "Key": "mine"})
        for more, headers in (("", {"x-amz-copy-source": "/open/secret"}),
                              ("", {"x-amz-acl": "public-read"}), ("", {"x-amz-meta-a": "b"}),
                              ("&acl", {}), ("&X-Amz-Expires=604800", {}), ("&tagging", {})):
            request = urllib.request.Request(link + more, b"", headers, method="PUT")
            with self.assertRaises(urllib.error.HTTPError, msg=(more, headers)) as caught:
                urllib.request.urlopen(request)
            self.assertEqual(caught.exception.code, 403)
            caught.exception.close()
        with urllib.request.urlopen(urllib.request.Request(link, b"x", method="PUT")) as reply:
            self.assertEqual(reply.status, 200)


class Deputies(Hostile):
    """Services are not had to write where the one who asks may not."""
    clients = {"iam": "iam", "s3": "s3", "sqs": "sqs", "sns": "sns"}

    def queue(self, name):
        return (self.sqs.create_queue(QueueName=name)["QueueUrl"],
                f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")

    def let(self, queue, arn, service, **condition):
        self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document(statement(
            "sqs:SendMessage", arn, Principal={"Service": service}, Condition=condition))})

    def test_a_buckets_events_go_where_who_asks_or_the_bucket_may(self):
        queue, arn = self.queue("events")
        topic = self.sns.create_topic(Name="events")["TopicArn"]
        self.s3.create_bucket(Bucket="eventful")
        client = self.client_of("s3", self.user("notifier", document(statement("s3:*"))))

        def told_to(kind, target):
            return {"Bucket": "eventful", "NotificationConfiguration": {
                kind + "Configurations": [{kind + "Arn": target, "Events": ["s3:ObjectCreated:*"]}]}}
        put = client.put_bucket_notification_configuration
        for kind, target in (("Queue", arn), ("Topic", topic)):
            self.refused("InvalidArgument", put, **told_to(kind, target))
        self.let(queue, arn, "s3.amazonaws.com", ArnLike={"aws:SourceArn": "arn:aws:s3:::other"})
        self.refused("InvalidArgument", put, **told_to("Queue", arn))
        self.let(queue, arn, "s3.amazonaws.com", ArnLike={"aws:SourceArn": "arn:aws:s3:::eventful"})
        put(**told_to("Queue", arn))
        self.iam.put_user_policy(UserName="notifier", PolicyName="p1", PolicyDocument=document(
            statement("sns:Publish", topic)))
        put(**told_to("Topic", topic))

    def test_a_topic_delivers_where_who_asks_or_the_topic_may(self):
        queue, arn = self.queue("fed")
        client = self.client_of("sns", self.user("subscriber", document(statement("sns:*"))))
        topic = client.create_topic(Name="feeding")["TopicArn"]
        how = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn}
        self.assertIn("sqs:SendMessage", self.refused("AuthorizationError", client.subscribe, **how))
        self.let(queue, arn, "sns.amazonaws.com", ArnEquals={"aws:SourceArn": topic})
        client.subscribe(**how)
        queue, arn = self.queue("own")
        self.iam.put_user_policy(UserName="subscriber", PolicyName="p1", PolicyDocument=document(
            statement("sqs:SendMessage", arn)))
        client.subscribe(**{**how, "Endpoint": arn})


class Functions(Hostile):
    """What a function may do whose role was given by somebody who may hand on other roles."""

    def keys_of(self, name, role):
        """The function tells its keys."""
        script = ('#!/bin/sh\nbase="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"\n'
                  'while :; do\n'
                  'id=$(curl -sD - -o /dev/null "$base/next" | tr -d "\\r" |'
                  ' sed -n "s/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p")\n'
                  'curl -s -o /dev/null "$base/$id/response" -d "{\\"AccessKeyId\\":'
                  '\\"$AWS_ACCESS_KEY_ID\\",\\"SecretAccessKey\\":\\"$AWS_SECRET_ACCESS_KEY\\",'
                  '\\"SessionToken\\":\\"$AWS_SESSION_TOKEN\\"}"\ndone\n')
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, script)
        self.lambdas.create_function(FunctionName=name, Runtime="provided.al2023", Handler="h",
                                     Role=role, Code={"ZipFile": code.getvalue()})
        answer = self.lambdas.invoke(FunctionName=name)
        said = answer["Payload"].read()
        if "FunctionError" in answer:
            self.skipTest(f"no function runs here: {said}")
        return json.loads(said)

    def test_a_role_of_another_path_is_another_role(self):
        self.role("strong", ALL, trusted=iam_test.LAMBDA)
        for number, role in enumerate((f"arn:aws:iam::{ACCOUNT}:role/app/strong",
                                       "arn:aws:iam::111111111111:role/strong")):
            s3 = self.client_of("s3", self.keys_of(f"other{number}", role))
            self.assertIn("its role does not exist", self.refused("AccessDenied", s3.list_buckets))
            self.s3.create_bucket(Bucket=f"named{number}")
            self.s3.put_bucket_policy(Bucket=f"named{number}", Policy=json.dumps({
                "Version": "2012-10-17", "Statement": [statement(
                    "s3:ListBucket", f"arn:aws:s3:::named{number}",
                    Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/strong"})]}))
            self.refused("AccessDenied", s3.list_objects_v2, Bucket=f"named{number}")
        s3 = self.client_of("s3", self.keys_of("right", f"arn:aws:iam::{ACCOUNT}:role/strong"))
        s3.list_buckets()

    def test_a_role_must_trust_lambda(self):
        role = self.role("aloof", ALL, trusted=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
        s3 = self.client_of("s3", self.keys_of("wants", role))
        self.assertIn("does not trust lambda", self.refused("AccessDenied", s3.list_buckets))
        for name, allowed in (("other", False), ("wants", True)):
            self.iam.update_assume_role_policy(RoleName="aloof", PolicyDocument=trust(
                {"Service": "lambda.amazonaws.com"}, Condition={"ArnLike": {
                    "aws:SourceArn": f"arn:aws:lambda:*:{ACCOUNT}:function:{name}"}}))
            if allowed:
                s3.list_buckets()
            else:
                self.refused("AccessDenied", s3.list_buckets)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
