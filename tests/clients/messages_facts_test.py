"""What public suites hold queues and topics to, where ken cloud once differed. messages_facts_test.py KEN"""
import datetime
import http.server
import json
import queue
import sys
import threading
import time
import unittest
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

import cloud as clouds

try:
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

TRACE = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"


class Messages(clouds.Case):
    clients = {"sqs": "sqs", "sns": "sns", "watch": "cloudwatch"}

    def name(self, fifo=False):
        Messages.count += 1
        return f"facts-{Messages.count}" + (".fifo" if fifo else "")

    def queue(self, fifo=False, **attributes):
        if fifo:
            attributes.update(FifoQueue="true", ContentBasedDeduplication="true")
        url = self.sqs.create_queue(QueueName=self.name(fifo), Attributes=attributes)["QueueUrl"]
        return url, "arn:aws:sqs:us-east-1:000000000000:" + url.split("/")[-1]

    def take(self, url, most=10, **how):
        return self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most,
                                        AttributeNames=["All"], MessageAttributeNames=["All"],
                                        **how).get("Messages", [])

    def bodies(self, url, most=10, **how):
        return [message["Body"] for message in self.take(url, most, **how)]

    def metrics(self, service, dimension, name):
        """The sums of the last minutes by metric, of those that are measured their latest value."""
        now = datetime.datetime.now(datetime.timezone.utc)
        found = self.watch.list_metrics(Namespace=service, Dimensions=[{"Name": dimension, "Value": name}])["Metrics"]
        answer = self.watch.get_metric_data(
            StartTime=now - datetime.timedelta(minutes=5), EndTime=now + datetime.timedelta(minutes=1),
            MetricDataQueries=[{"Id": f"m{i}", "Label": metric["MetricName"], "MetricStat": {
                "Metric": metric, "Period": 60,
                "Stat": "Maximum" if metric["MetricName"].startswith("Approx") else "Sum"}}
                for i, metric in enumerate(found)])
        return {r["Label"]: r["Values"][0] if r["Label"].startswith("Approx") else sum(r["Values"])
                for r in answer["MetricDataResults"]}

    def invalid(self, text, call, **arguments):
        self.assertEqual(self.refused("InvalidParameter", call, **arguments),
                         "Invalid parameter: " + text)


class Queues(Messages):
    def fill(self, *bodies):
        """A FIFO queue with these messages, the two first letters of which are their groups."""
        url, _ = self.queue(True)
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:2])
        return url

    def test_a_group_comes_together(self):
        url = self.fill("g1-1", "g2-1", "g1-2", "g1-3")
        self.assertEqual(self.bodies(url), ["g1-1", "g1-2", "g1-3", "g2-1"])

    def test_a_group_that_was_received_from_waits_for_the_others(self):
        url = self.fill("g1-1", "g2-1", "g2-2", "g3-1", "g1-2")
        self.assertEqual(self.bodies(url, 3, VisibilityTimeout=0), ["g1-1", "g1-2", "g2-1"])
        self.assertEqual(self.bodies(url, 10, VisibilityTimeout=0, WaitTimeSeconds=2),
                         ["g3-1", "g1-1", "g1-2", "g2-1", "g2-2"])

    def test_a_first_message_given_back_frees_its_group_up_to_what_is_in_flight(self):
        url = self.fill("g1-1", "g1-2", "g2-1")
        first = self.take(url, 2)[0]
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"],
                                           VisibilityTimeout=0)
        self.assertEqual(self.bodies(url, 3, WaitTimeSeconds=2), ["g2-1", "g1-1"])

    def test_a_message_in_flight_holds_those_behind_it(self):
        url = self.fill("g1-1", "g1-2", "g1-3", "g2-1")
        first, second = self.take(url, 2)
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        self.assertEqual(self.bodies(url), ["g2-1"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
        self.assertEqual(self.bodies(url), ["g1-3"])

    def test_a_purge_forgets_what_was_sent(self):
        url = self.fill("g1-1")
        self.sqs.purge_queue(QueueUrl=url)
        self.sqs.send_message(QueueUrl=url, MessageBody="g1-1", MessageGroupId="g1")
        self.assertEqual(self.bodies(url), ["g1-1"])

    def test_a_name_will_do_for_a_url(self):
        if int(boto3.__version__.split(".")[1]) < 29:
            self.skipTest("this boto3 sends to the URL itself")
        url, _ = self.queue()
        self.sqs.send_message(QueueUrl=url.split("/")[-1], MessageBody="x")
        self.assertEqual(self.bodies(url), ["x"])

    def test_tags_and_permissions(self):
        url, _ = self.queue()
        self.refused("InvalidParameterValue", self.sqs.untag_queue, QueueUrl=url, TagKeys=[])
        text = self.refused("InvalidParameterValue", self.sqs.add_permission, QueueUrl=url,
                            Label="x", AWSAccountIds=["111111111111"],
                            Actions=["RemovePermission"])
        self.assertEqual(text, "Value SQS:RemovePermission for parameter ActionName is invalid. "
                               "Reason: Only the queue owner is allowed to invoke this action.")

    def test_a_policy_of_one_statement_takes_another(self):
        url, arn = self.queue()
        own = {"Sid": "own", "Effect": "Deny", "Principal": "*", "Action": "SQS:PurgeQueue", "Resource": arn}
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={
            "Policy": json.dumps({"Version": "2012-10-17", "Statement": own})})
        self.sqs.add_permission(QueueUrl=url, Label="more", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
        kept = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
        self.assertEqual([one["Sid"] for one in json.loads(kept["Policy"])["Statement"]], ["own", "more"])

    def test_queues_and_topics_have_metrics(self):
        url, arn = self.queue()
        name = url.split("/")[-1]
        self.take(url)
        self.sqs.send_message(QueueUrl=url, MessageBody="Hello", MessageAttributes={
            "a": {"DataType": "String", "StringValue": "b"}})
        topic = self.sns.create_topic(Name=name)["TopicArn"]
        for policy in ({"a": ["b"]}, {"a": ["c"]}):
            self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn + "-gone" * ("c" in policy["a"]), Attributes={
                "RawMessageDelivery": "true", "FilterPolicy": json.dumps(policy)})
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn + "-lost")
        self.sns.publish(TopicArn=topic, Message="Bye", MessageAttributes={
            "a": {"DataType": "String", "StringValue": "b"}})
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=self.take(url, 1)[0]["ReceiptHandle"])
        self.assertEqual(self.metrics("AWS/SQS", "QueueName", name), {
            "NumberOfEmptyReceives": 1, "NumberOfMessagesSent": 2, "SentMessageSize": 13 + 11,
            "NumberOfMessagesReceived": 1, "NumberOfMessagesDeleted": 1, "ApproximateNumberOfMessagesVisible": 1,
            "ApproximateNumberOfMessagesNotVisible": 0, "ApproximateNumberOfMessagesDelayed": 0,
            "ApproximateAgeOfOldestMessage": unittest.mock.ANY})
        self.assertEqual(self.metrics("AWS/SNS", "TopicName", name), {
            "NumberOfMessagesPublished": 1, "PublishSize": 11, "NumberOfNotificationsDelivered": 1,
            "NumberOfNotificationsFilteredOut": 1, "NumberOfNotificationsFailed": 1})

    def test_a_dead_letter_is_known_by_its_id(self):
        dead, dead_arn = self.queue(True, VisibilityTimeout="0")
        url, _ = self.queue(True, VisibilityTimeout="0", RedrivePolicy=json.dumps(
            {"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}))
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g", MessageDeduplicationId="d")
        clouds.wait_until(lambda: not self.take(url))
        letter, = clouds.wait_until(lambda: self.take(dead))
        self.assertEqual((letter["MessageId"], letter["Attributes"]["MessageDeduplicationId"]), (sent["MessageId"],) * 2)

    def test_a_dead_letter_queue_chooses_its_sources(self):
        name = self.name()
        for policy, allows in (({"redrivePermission": "denyAll"}, False),
                               ({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:x"]}, False),
                               ({"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:" + name]}, True)):
            _, dead = self.queue(RedriveAllowPolicy=json.dumps(policy))
            arguments = {"QueueName": name, "Attributes": {
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})}}
            if allows:
                self.sqs.create_queue(**arguments)
            else:
                self.refused("InvalidParameterValue", self.sqs.create_queue, **arguments)
        for policy in ({"redrivePermission": "byQueue"}, {"redrivePermission": "allowAll", "sourceQueueArns": [dead]}):
            self.refused("InvalidAttributeValue", self.sqs.create_queue, QueueName=self.name(),
                         Attributes={"RedriveAllowPolicy": json.dumps(policy)})

    def test_a_count_is_kept_as_a_number(self):
        _, dead = self.queue()
        policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "3"})
        url, _ = self.queue(RedrivePolicy=policy)
        kept = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        self.assertEqual(json.loads(kept["Attributes"]["RedrivePolicy"])["maxReceiveCount"], 3)
        again = self.sqs.create_queue(QueueName=url.split("/")[-1],
                                      Attributes={"RedrivePolicy": policy})
        self.assertEqual(again["QueueUrl"], url)

    def test_a_move_keeps_its_pace(self):
        dead, arn = self.queue()
        url, _ = self.queue(RedrivePolicy=json.dumps(
            {"deadLetterTargetArn": arn, "maxReceiveCount": 1}))
        for body in "abc":
            self.sqs.send_message(QueueUrl=url, MessageBody=body)
        while len(self.bodies(url, VisibilityTimeout=0)):
            pass
        if not hasattr(self.sqs, "start_message_move_task"):
            self.skipTest("this boto3 moves no messages")
        task = self.sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)
        text = self.refused("InvalidParameterValue", self.sqs.start_message_move_task,
                            SourceArn=arn)
        self.assertIn("Only one active task is allowed", text)
        began = time.monotonic()
        clouds.wait_until(lambda: self.sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]
                          ["ApproximateNumberOfMessagesMoved"] >= 2)
        self.assertGreater(time.monotonic() - began, 0.5)
        self.sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])

    def get(self, url, **parameters):
        keys = self.cloud.keys()
        request = AWSRequest("GET", url + "?" * bool(parameters)
                             + urllib.parse.urlencode(parameters))
        SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), "sqs",
                  "us-east-1").add_auth(request)
        request = request.prepare()
        try:
            with urllib.request.urlopen(urllib.request.Request(
                    request.url, headers=dict(request.headers))) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_a_queues_address_answers_for_itself(self):
        url, _ = self.queue()
        for action in ("CreateQueue", "ListQueues"):
            status, text = self.get(url, Action=action, QueueName="other")
            self.assertEqual(status, 400)
            self.assertIn(f"<Message>The action {action} is not valid for this endpoint.", text)
        status, text = self.get(url)
        self.assertEqual((status, text.strip()), (404, "<UnknownOperationException/>"))
        self.assertIn("<ReceiveMessageResult/>", self.get(url, Action="ReceiveMessage")[1])

    def test_a_traced_message_says_so(self):
        url, _ = self.queue()
        client = self.cloud.client(boto3, "sqs")
        client.meta.events.register("before-send.sqs.SendMessage", lambda request, **_:
                                    request.headers.__setitem__("X-Amzn-Trace-Id", TRACE))
        client.send_message(QueueUrl=url, MessageBody="x")
        self.assertEqual(self.take(url)[0]["Attributes"]["AWSTraceHeader"], TRACE)


class Topics(Messages):
    def topic(self, fifo=False, **attributes):
        if fifo:
            attributes["FifoTopic"] = "true"
        return self.sns.create_topic(Name=self.name(fifo), Attributes=attributes)["TopicArn"]

    def subscribe(self, topic, arn, protocol="sqs", **attributes):
        return self.sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=arn,
                                  ReturnSubscriptionArn=True,
                                  Attributes=attributes)["SubscriptionArn"]

    def test_errors_have_no_detail(self):
        client = self.cloud.client(boto3, "sns")
        try:
            client.get_topic_attributes(TopicArn=self.topic() + "x")
        except client.exceptions.NotFoundException as error:
            self.assertEqual(error.response["Error"], {
                "Type": "Sender", "Code": "NotFound", "Message": "Topic does not exist"})

    def test_arns_of_elsewhere_and_of_nothing(self):
        topic = self.topic()
        self.invalid("TopicArn", self.sns.publish, Message="m",
                     TopicArn=topic.replace("us-east-1", "eu-west-1"))
        for arn, text in (("", "SubscriptionArn Reason: no value for required parameter"),
                          ("arn:aws:sns:us-east-1:111111111111:random", "SubscriptionId")):
            self.invalid(text, self.sns.unsubscribe, SubscriptionArn=arn)

    def test_a_queue_that_is_not_there_is_subscribed(self):
        topic = self.topic()
        dead, arn = self.queue()
        for raw in ("true", "false"):
            self.subscribe(topic, arn + "-gone-" + raw, RawMessageDelivery=raw,
                           RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}))
        self.sns.publish(TopicArn=topic, Message="m", MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "1"}})
        letters = sorted(self.take(dead), key=lambda message: len(message["Body"]))
        self.assertEqual((letters[0]["Body"], list(letters[0]["MessageAttributes"])), ("m", ["n"]))
        self.assertEqual(json.loads(letters[1]["Body"])["MessageAttributes"],
                         {"n": {"Type": "Number", "Value": "1"}})

    def test_a_subscription_is_the_same_with_less_said(self):
        topic, (_, arn) = self.topic(), self.queue()
        one = self.subscribe(topic, arn, RawMessageDelivery="true", FilterPolicy='{"a": ["b"]}')
        self.assertEqual(self.subscribe(topic, arn, RawMessageDelivery="true"), one)
        self.invalid("Attributes Reason: Subscription already exists with different attributes",
                     self.sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn,
                     Attributes={"RawMessageDelivery": "false"})

    def test_one_wrong_message_refuses_the_batch(self):
        topic, (url, arn) = self.topic(), self.queue()
        self.subscribe(topic, arn)
        wrong = {"Id": "2", "Message": "{}", "MessageStructure": "json"}
        self.invalid("Message Structure - No default entry in JSON message body",
                     self.sns.publish_batch, TopicArn=topic,
                     PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}, wrong])
        self.refused("BatchRequestTooLong", self.sns.publish_batch, TopicArn=topic,
                     PublishBatchRequestEntries=[
                         {"Id": str(i), "Message": "m" * 131070, "MessageAttributes": {
                             "abc": {"DataType": "String", "StringValue": "xyz"}}}
                         for i in range(2)])
        self.assertEqual(self.take(url), [])

    def test_attributes_are_refused_in_the_services_words(self):
        topic = self.topic()
        before = "The message attribute 'a' "
        for name, attribute, text in (
                ("a", {"DataType": "String", "StringValue": ""}, before + "must contain non-empty "
                 "message attribute value for message attribute type 'String'."),
                ("a", {"DataType": "Number", "BinaryValue": b"1"}, before
                 + "with type 'Number' must use field 'String'."),
                ("a", {"DataType": "Binary", "StringValue": "1"}, before
                 + "with type 'Binary' must use field 'Binary'."),
                ("^", {"DataType": "String", "StringValue": "1"}, "Invalid non-alphanumeric "
                 "character '#x5E' was found in the message attribute name. Can only include "
                 "alphanumeric characters, hyphens, underscores, or dots."),
                ("a..b", {"DataType": "String", "StringValue": "1"},
                 "Message attribute name can not have successive '.' character.")):
            self.assertEqual(self.refused(
                "ParameterValueInvalid", self.sns.publish, TopicArn=topic, Message="m",
                MessageAttributes={name: attribute}), text)
        text = self.refused("ValidationError", self.sns.publish_batch, TopicArn=topic,
                            PublishBatchRequestEntries=[
                                {"Id": "1", "Message": "m",
                                 "MessageAttributes": {"a": {"StringValue": "1"}}}])
        self.assertIn("'publishBatchRequestEntries.1.member.messageAttributes.a.member.dataType'",
                      text)

    def test_messages_of_fifo_topics_are_not_signed(self):
        topic = self.topic(True, ContentBasedDeduplication="true")
        for fifo in (True, False):
            url, arn = self.queue(fifo)
            self.subscribe(topic, arn)
            self.sns.publish(TopicArn=topic, Message=f"m {fifo}", MessageGroupId="g")
            envelope = json.loads(self.take(url)[0]["Body"])
            self.assertEqual(sorted(envelope), ["Message", "MessageId", "SequenceNumber",
                                                "Timestamp", "TopicArn", "Type",
                                                "UnsubscribeURL"])
        url, arn = self.queue(True)
        self.invalid("Attributes Reason: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO "
                     "Subscription to a FIFO Topic.", self.sns.subscribe, TopicArn=topic,
                     Protocol="sqs", Endpoint=arn, Attributes={"RedrivePolicy": json.dumps(
                         {"deadLetterTargetArn": self.queue()[1]})})

    def test_dots_are_levels_in_policies_on_bodies(self):
        messages = [{"a": {"b": {"c": "v"}}}, {"a.b.c": "v"}, {"a.b": {"c": "v"}},
                    {"a": {"b.c": "v"}}, {"a": {"b": "v"}}]
        for policy in ({"a.b.c": ["v"]}, {"a": {"b": {"c": ["v"]}}}):
            topic, (url, arn) = self.topic(), self.queue()
            self.subscribe(topic, arn, RawMessageDelivery="true", FilterPolicyScope="MessageBody",
                           FilterPolicy=json.dumps(policy))
            for message in messages:
                self.sns.publish(TopicArn=topic, Message=json.dumps(message))
            self.assertCountEqual([json.loads(body) for body in self.bodies(url)], messages[:4])

    def test_policies_name_what_is_wrong(self):
        topic, (_, arn) = self.topic(), self.queue()
        for conditions, text in (
                ([{"numeric": []}], "Invalid member in numeric match: ]"),
                ([{"numeric": [1, "<="]}], "Invalid member in numeric match: 1"),
                ([{"numeric": [">", 20, 30]}], "Bad value in numeric range: 30"),
                ({"suffix": "x"}, '"suffix" must be an object or an array')):
            self.invalid("Attributes Reason: FilterPolicy: " + text, self.sns.subscribe,
                         TopicArn=topic, Protocol="sqs", Endpoint=arn,
                         Attributes={"FilterPolicy": json.dumps({"key": conditions})})

    def test_a_traced_message_goes_on_traced(self):
        topic, (url, arn) = self.topic(), self.queue()
        self.subscribe(topic, arn)
        client = self.cloud.client(boto3, "sns")
        client.meta.events.register("before-send.sns.Publish", lambda request, **_:
                                    request.headers.__setitem__("X-Amzn-Trace-Id", TRACE))
        client.publish(TopicArn=topic, Message="m")
        self.assertEqual(self.take(url)[0]["Attributes"]["AWSTraceHeader"], TRACE)

    def test_delivery_policies_are_shown_whole(self):
        policy = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}}
        topic = self.topic(DeliveryPolicy=json.dumps(policy), FifoTopic="false")
        shown = self.sns.get_topic_attributes(TopicArn=topic)["Attributes"]
        self.assertNotIn("FifoTopic", shown)
        self.assertEqual(json.loads(shown["DeliveryPolicy"]), {"http": {
            "disableSubscriptionOverrides": False, **policy["http"]}})
        self.assertEqual(json.loads(shown["EffectiveDeliveryPolicy"]), {"http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 1,
                "numMaxDelayRetries": 0, "numNoDelayRetries": 0, "numMinDelayRetries": 0,
                "backoffFunction": "linear"},
            "disableSubscriptionOverrides": False,
            "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}}})
        self.sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy",
                                      AttributeValue="")
        self.assertNotIn("DeliveryPolicy",
                         self.sns.get_topic_attributes(TopicArn=topic)["Attributes"])


class Addresses(Messages):
    topic, subscribe = Topics.topic, Topics.subscribe

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        posts = cls.posts = queue.Queue()

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.put((self.headers, body.decode()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        super().tearDownClass()

    def visit(self, url):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def test_an_address_comes_and_goes(self):
        topic = self.topic()
        arn = self.subscribe(topic, f"http://127.0.0.1:{self.server.server_port}/", "http",
                             DeliveryPolicy=json.dumps(
                                 {"requestPolicy": {"headerContentType": "text/csv"}}))
        headers, body = self.posts.get(timeout=20)
        letter = json.loads(body)
        self.assertEqual((headers["Content-Type"], headers["x-amz-sns-subscription-arn"]),
                         ("text/plain; charset=UTF-8", None))
        self.assertIn("<Message>Invalid parameter: Topic</Message>",
                      self.visit(letter["SubscribeURL"].replace("us-east-1", "us-west-1")))
        self.assertIn(arn, self.visit(letter["SubscribeURL"]))
        self.sns.publish(TopicArn=topic, Message="m")
        headers, body = self.posts.get(timeout=20)
        self.assertEqual((headers["Content-Type"], headers["x-amz-sns-subscription-arn"]),
                         ("text/csv", arn))
        self.assertIn("<UnsubscribeResponse", self.visit(json.loads(body)["UnsubscribeURL"]))
        headers, body = self.posts.get(timeout=20)
        self.assertEqual(json.loads(body)["Type"], "UnsubscribeConfirmation")
        self.assertEqual(headers["x-amz-sns-subscription-arn"], arn)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
