"""SQS, SNS, alarms and logs through the AWS command lines that are here. messages_cli_test.py KEN"""
import json
import os
import shutil
import subprocess
import sys
import time
import unittest

import cloud as clouds

KEN = sys.argv[1]
LINES = []
for path in dict.fromkeys([shutil.which("aws"), "/usr/bin/aws"]):
    if path and os.path.exists(path) and \
            subprocess.run([path, "--version"], capture_output=True).returncode == 0:
        LINES.append(path)
if not LINES:
    clouds.skip("no aws command line")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:"
TOPIC = "arn:aws:sns:us-east-1:000000000000:"


class CommandLineTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def command(self, aws, *arguments):
        # --endpoint-url, as older versions do not read AWS_ENDPOINT_URL
        return [aws, "--endpoint-url", self.cloud.endpoint, "--output", "json", *arguments]

    def works(self, aws, *arguments):
        done = subprocess.run(self.command(aws, *arguments), env=self.cloud.environment(),
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def test_messages_go_from_a_topic_to_a_queue(self):
        for number, aws in enumerate(LINES):
            name = f"line-{number}"
            url = self.works(aws, "sqs", "create-queue", "--queue-name", name, "--attributes",
                             "VisibilityTimeout=3600")["QueueUrl"]  # no command is that slow
            self.works(aws, "sns", "create-topic", "--name", name)
            self.works(aws, "sns", "subscribe", "--topic-arn", TOPIC + name, "--protocol", "sqs",
                       "--notification-endpoint", QUEUE + name, "--attributes",
                       "RawMessageDelivery=true")
            self.works(aws, "sns", "publish", "--topic-arn", TOPIC + name, "--message", "from sns")
            self.works(aws, "sqs", "send-message", "--queue-url", url, "--message-body", "plain",
                       "--message-attributes", '{"a":{"DataType":"Number","StringValue":"1"}}')
            got = self.works(aws, "sqs", "receive-message", "--queue-url", url,
                             "--max-number-of-messages", "10", "--attribute-names", "All")
            self.assertEqual(sorted(m["Body"] for m in got["Messages"]), ["from sns", "plain"])
            self.works(aws, "sqs", "delete-message", "--queue-url", url, "--receipt-handle",
                       got["Messages"][0]["ReceiptHandle"])
            left = self.works(aws, "sqs", "get-queue-attributes", "--queue-url", url,
                              "--attribute-names", "All")["Attributes"]
            self.assertEqual(left["ApproximateNumberOfMessagesNotVisible"], "1")

    def test_an_alarm_is_put_and_shown(self):
        for number, aws in enumerate(LINES[:1]):
            self.works(aws, "cloudwatch", "put-metric-alarm", "--alarm-name", f"line-{number}",
                       "--namespace", "N", "--metric-name", "m", "--statistic", "Sum", "--period",
                       "60", "--evaluation-periods", "1", "--threshold", "1.5",
                       "--comparison-operator", "GreaterThanThreshold", "--dimensions",
                       "Name=a,Value=b")
            alarm, = self.works(aws, "cloudwatch", "describe-alarms", "--alarm-names",
                                f"line-{number}")["MetricAlarms"]
            self.assertEqual((alarm["Threshold"], alarm["Dimensions"]),
                             (1.5, [{"Name": "a", "Value": "b"}]))

    def test_a_tail_follows(self):
        for number, aws in enumerate(LINES):
            version = subprocess.run([aws, "--version"], capture_output=True, text=True)
            if "aws-cli/2" not in version.stdout + version.stderr:
                continue
            group = f"/tail/{number}"
            self.works(aws, "logs", "create-log-group", "--log-group-name", group)
            self.works(aws, "logs", "create-log-stream", "--log-group-name", group,
                       "--log-stream-name", "s")
            tail = subprocess.Popen(
                self.command(aws, "logs", "tail", group, "--follow", "--format", "short",
                             "--filter-pattern", '{ $.level = "bad" }'),
                env={**self.cloud.environment(), "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE, text=True)
            try:
                events = json.dumps([{"timestamp": int(time.time() * 1000), "message": text}
                                     for text in ('{"level": "good"}', '{"level": "bad"}')])
                self.works(aws, "logs", "put-log-events", "--log-group-name", group,
                           "--log-stream-name", "s", "--log-events", events)
                self.assertIn('{"level": "bad"}', tail.stdout.readline())
            finally:
                tail.terminate()
                tail.wait()
                tail.stdout.close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
