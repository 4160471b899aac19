"""CloudWatch's alarms through boto3, with a topic and a queue at the end. alarms_test.py KEN"""
import datetime
import json
import os
import signal
import sys
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

ALARM = dict(Namespace="N", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
             Threshold=10, ComparisonOperator="GreaterThanThreshold")

MATH = [{"Id": "e", "Expression": "m1 / m2 * 100", "Label": "share"}] + [
    {"Id": f"m{i}", "ReturnData": False, "MetricStat": {
        "Metric": {"Namespace": "N", "MetricName": f"part-{i}", "Dimensions": [{"Name": "a", "Value": "b"}]},
        "Period": 60, "Stat": "Sum"}} for i in (1, 2)]


class AlarmsTest(clouds.Case):
    clients = {"watch": "cloudwatch"}

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertIn(code, error["Code"], error)

    def put(self, name, **more):
        self.watch.put_metric_alarm(AlarmName=name, **{**ALARM, **more})

    def alarm(self, name):
        return self.watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]

    def state(self, name):
        return self.alarm(name)["StateValue"]

    def test_wrong_alarms_are_refused(self):
        for more in ({"Statistic": "Mode"}, {"ExtendedStatistic": "p50"}, {"Period": 45},
                     {"ComparisonOperator": "Is"}, {"TreatMissingData": "perhaps"},
                     {"EvaluationPeriods": 0}, {"DatapointsToAlarm": 2},
                     {"Period": 3600, "EvaluationPeriods": 169},
                     {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]},
                     {"Metrics": MATH}):
            self.refused("Validation", self.put, name="wrong", **more)
        self.refused("Missing", self.watch.put_metric_alarm, AlarmName="wrong",
                     **{k: v for k, v in ALARM.items() if k != "MetricName"})
        self.refused("ResourceNotFound", self.watch.set_alarm_state, AlarmName="wrong",
                     StateValue="OK", StateReason="x")
        self.assertEqual(self.watch.describe_alarms(AlarmNames=["wrong"])["MetricAlarms"], [])

    def test_an_alarm_is_shown_as_it_was_put(self):
        dimensions = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
        self.put("shown", Dimensions=dimensions, AlarmDescription="<a & b>", Unit="Count",
                 TreatMissingData="ignore", Tags=[{"Key": "k", "Value": "v"}])
        got = self.alarm("shown")
        self.assertEqual({k: got[k] for k in ("Namespace", "Statistic", "Period", "Threshold",
                                              "Dimensions", "AlarmDescription", "ActionsEnabled",
                                              "StateValue", "TreatMissingData", "AlarmArn")},
                         {"Namespace": "N", "Statistic": "Sum", "Period": 60, "Threshold": 10.0,
                          "Dimensions": dimensions, "AlarmDescription": "<a & b>",
                          "ActionsEnabled": True, "StateValue": "INSUFFICIENT_DATA",
                          "TreatMissingData": "ignore",
                          "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:shown"})
        self.assertIsInstance(got["StateUpdatedTimestamp"], datetime.datetime)
        found = self.watch.describe_alarms_for_metric(Namespace="N", MetricName="m",
                                                      Dimensions=dimensions[::-1])
        self.assertEqual([a["AlarmName"] for a in found["MetricAlarms"]], ["shown"])
        self.watch.disable_alarm_actions(AlarmNames=["shown"])
        self.assertFalse(self.alarm("shown")["ActionsEnabled"])
        self.watch.enable_alarm_actions(AlarmNames=["shown"])
        self.assertTrue(self.alarm("shown")["ActionsEnabled"])
        arn = got["AlarmArn"]
        self.watch.tag_resource(ResourceARN=arn, Tags=[{"Key": "l", "Value": "w"}])
        self.watch.untag_resource(ResourceARN=arn, TagKeys=["k"])
        self.assertEqual(self.watch.list_tags_for_resource(ResourceARN=arn)["Tags"],
                         [{"Key": "l", "Value": "w"}])
        self.refused("ResourceNotFound", self.watch.tag_resource, ResourceARN=arn + "x", Tags=[])
        self.watch.delete_alarms(AlarmNames=["shown"])
        self.assertEqual(self.watch.describe_alarms(AlarmNames=["shown"])["MetricAlarms"], [])

    def test_alarms_are_listed_by_pages(self):
        for i in range(5):
            self.put(f"page-{i}", MetricName="none")
        pages = self.watch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix="page-", PaginationConfig={"PageSize": 2})
        self.assertEqual([a["AlarmName"] for page in pages for a in page["MetricAlarms"]],
                         [f"page-{i}" for i in range(5)])

    def test_an_alarm_tells_a_topic(self):
        sns, sqs = self.cloud.client(boto3, "sns"), self.cloud.client(boto3, "sqs")
        topic = sns.create_topic(Name="alarms")["TopicArn"]
        queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs",
                      Endpoint="arn:aws:sqs:us-east-1:000000000000:alarms")
        self.put("loud", MetricName="noise", AlarmActions=[topic], OKActions=[topic],
                 AlarmDescription="too loud")
        self.watch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "noise",
                                                               "Value": 11}])
        clouds.wait_until(lambda: self.state("loud") == "ALARM")
        self.assertRegex(self.alarm("loud")["StateReason"], r"^Threshold Crossed: 1 datapoint \[11\.0 \(\d\d/\d\d/\d\d "
                         r"\d\d:\d\d:00\)\] was greater than the threshold \(10\.0\)\.$")
        data = json.loads(self.alarm("loud")["StateReasonData"])
        self.assertEqual((data["recentDatapoints"], data["evaluatedDatapoints"][0]["sampleCount"], data["statistic"]),
                         ([11], 1, "Sum"))
        got, = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        envelope = json.loads(got["Body"])
        self.assertTrue(envelope["Subject"].startswith('ALARM: "loud" in '))
        message = json.loads(envelope["Message"])
        self.assertEqual((message["AlarmName"], message["NewStateValue"],
                          message["OldStateValue"], message["AlarmDescription"]),
                         ("loud", "ALARM", "INSUFFICIENT_DATA", "too loud"))
        self.assertEqual((message["Trigger"]["Statistic"], message["Trigger"]["Threshold"],
                          message["Trigger"]["ComparisonOperator"]),
                         ("SUM", 10.0, "GreaterThanThreshold"))
        self.assertRegex(message["StateChangeTime"], r"\+0000$")
        self.watch.set_alarm_state(AlarmName="loud", StateValue="OK", StateReason="by hand",
                                   StateReasonData='{"a": 1}')
        history = self.watch.describe_alarm_history(AlarmName="loud")["AlarmHistoryItems"]
        self.assertEqual({h["HistoryItemType"] for h in history},
                         {"ConfigurationUpdate", "StateUpdate", "Action"})
        first = self.watch.describe_alarm_history(
            AlarmName="loud", HistoryItemType="StateUpdate", MaxRecords=1,
            ScanBy="TimestampAscending")
        self.assertEqual(first["AlarmHistoryItems"][0]["HistorySummary"],
                         "Alarm updated from INSUFFICIENT_DATA to ALARM")

    def test_what_a_crash_kept_from_a_topic_is_told_after_the_start(self):
        """The state is on the disk before the actions are told of it; a cloud that dies in between tells
        them when it comes back, once."""
        sns, sqs = self.cloud.client(boto3, "sns"), self.cloud.client(boto3, "sqs")
        topic = sns.create_topic(Name="late")["TopicArn"]
        sqs.create_queue(QueueName="late")
        sns.subscribe(TopicArn=topic, Protocol="sqs",
                      Endpoint="arn:aws:sqs:us-east-1:000000000000:late")
        self.put("late", MetricName="none", AlarmActions=[topic], TreatMissingData="ignore")
        self.watch.disable_alarm_actions(AlarmNames=["late"])
        self.watch.set_alarm_state(AlarmName="late", StateValue="ALARM", StateReason="x")
        self.watch.enable_alarm_actions(AlarmNames=["late"])
        self.cloud.stop(signal.SIGKILL)
        with clouds.edited(os.path.join(self.cloud.folder, "alarms.sqlite")) as database:
            document, = database.execute("SELECT document FROM alarms WHERE name='late'").fetchone()
            database.execute("UPDATE alarms SET document=? WHERE name='late'",
                             [json.dumps({**json.loads(document), "StateValue": "ALARM",
                                          "pending": {"StateValue": "OK", "StateReason": "before"}})])
        self.cloud.start()
        self.connect()
        sqs = self.cloud.client(boto3, "sqs")
        queue = sqs.get_queue_url(QueueName="late")["QueueUrl"]
        got, = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
        message = json.loads(json.loads(got["Body"])["Message"])
        self.assertEqual((message["OldStateValue"], message["NewStateValue"]), ("OK", "ALARM"))
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=3))

    def test_missing_data_is_treated_as_asked(self):
        self.put("breaching", MetricName="absent", TreatMissingData="breaching")
        self.put("fine", MetricName="absent", TreatMissingData="notBreaching")
        self.put("unknown", MetricName="absent")
        clouds.wait_until(lambda: self.state("breaching") == "ALARM")
        clouds.wait_until(lambda: self.state("fine") == "OK")
        self.assertEqual(self.alarm("breaching")["StateReason"], "Threshold Crossed: no datapoints were received for 1 "
                         "period and 1 missing datapoint was treated as [Breaching].")
        history = self.watch.describe_alarm_history(AlarmName="breaching", HistoryItemType="StateUpdate")
        state = json.loads(history["AlarmHistoryItems"][0]["HistoryData"])["newState"]
        self.assertEqual((state["stateValue"], state["stateReasonData"]["recentDatapoints"]), ("ALARM", []))
        self.assertEqual(self.state("unknown"), "INSUFFICIENT_DATA")

    def test_percentiles_and_m_of_n(self):
        plain = {k: v for k, v in ALARM.items() if k != "Statistic"}
        self.watch.put_metric_alarm(AlarmName="slow", **{
            **plain, "MetricName": "ms", "ExtendedStatistic": "p90", "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2})
        now = datetime.datetime.now(datetime.timezone.utc)
        for minutes, value in ((3, 20), (2, 1), (1, 20)):
            self.watch.put_metric_data(Namespace="N", MetricData=[
                {"MetricName": "ms", "Values": [1, value], "Counts": [1, 9],
                 "Timestamp": now - datetime.timedelta(minutes=minutes)}])
        clouds.wait_until(lambda: self.state("slow") == "ALARM")
        self.assertRegex(self.alarm("slow")["StateReason"], r"^Threshold Crossed: 2 out of the last 3 datapoints \[20.0 .*, "
                         r"20.0 .*\] were greater than the threshold \(10.0\) \(minimum 2 datapoints for OK -> ALARM transition\)\.$")

    def put_math(self, name, metrics, **more):
        plain = {k: ALARM[k] for k in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
        self.watch.put_metric_alarm(AlarmName=name, Metrics=metrics, **plain, **more)

    def test_an_alarm_watches_an_expression(self):
        for metrics in (MATH[1:], [*MATH, {"Id": "f", "Expression": "e"}], [{"Id": "e", "Expression": "m9"}],
                        [{"Id": "e", "Expression": "METRICS()"}, *MATH[1:]],
                        [{"Id": "e", "Expression": "SEARCH('{a}', 'Sum', 60)"}, *MATH[1:]]):
            self.refused("Validation", self.put_math, name="wrong", metrics=metrics)
        self.put_math("share", MATH)
        got = self.alarm("share")
        self.assertEqual(got["Metrics"], [{**MATH[0], "ReturnData": True}, *MATH[1:]])
        self.assertFalse({"Period", "MetricName", "Statistic"} & set(got))
        minute = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        self.watch.put_metric_data(Namespace="N", MetricData=[
            {"MetricName": f"part-{i}", "Value": value, "Timestamp": minute,
             "Dimensions": [{"Name": "a", "Value": "b"}]} for i, value in ((1, 1), (2, 5))])
        clouds.wait_until(lambda: self.state("share") == "ALARM")
        self.assertEqual(json.loads(self.alarm("share")["StateReasonData"])["recentDatapoints"], [20])

    def composite(self, name):
        found, = self.watch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return found

    def test_a_composite_alarm_follows_its_children(self):
        topic = self.cloud.client(boto3, "sns").create_topic(Name="both")["TopicArn"]
        sqs = self.cloud.client(boto3, "sqs")
        queue = sqs.create_queue(QueueName="both")["QueueUrl"]
        self.cloud.client(boto3, "sns").subscribe(TopicArn=topic, Protocol="sqs",
                                                  Endpoint="arn:aws:sqs:us-east-1:000000000000:both")
        put = self.watch.put_composite_alarm
        for child in ("left", "right"):
            self.put(child, MetricName="none", TreatMissingData="ignore")
        for rule in ("", "ALARM(left", "ALARM(nobody)", "AT_LEAST(1, ALARM, (left))"):
            self.refused("Validation", put, AlarmName="both", AlarmRule=rule)
        self.refused("Validation", put, AlarmName="both", AlarmRule="TRUE", ActionsSuppressor="left")
        self.refused("Validation", put, AlarmName="left", AlarmRule="TRUE")
        put(AlarmName="both", AlarmRule="ALARM(left) AND NOT OK(right)", AlarmActions=[topic],
            Tags=[{"Key": "k", "Value": "v"}])
        self.refused("Validation", self.put, name="both")
        clouds.wait_until(lambda: self.composite("both")["StateValue"] == "OK")
        self.assertTrue(self.composite("both")["StateReason"].endswith(
            ":alarm:both was created and its alarm rule evaluates to OK"))
        self.assertEqual(self.watch.describe_alarms(AlarmNames=["both"])["CompositeAlarms"], [])
        self.watch.set_alarm_state(AlarmName="left", StateValue="ALARM", StateReason="x")
        clouds.wait_until(lambda: self.composite("both")["StateValue"] == "ALARM")
        left = self.alarm("left")["AlarmArn"]
        self.assertTrue(self.composite("both")["StateReason"].startswith(left + " transitioned to ALARM at "))
        letter, = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
        message = json.loads(json.loads(letter["Body"])["Message"])
        self.assertEqual((message["NewStateValue"], message["AlarmRule"], message["TriggeringChildren"][0]["Arn"]),
                         ("ALARM", "ALARM(left) AND NOT OK(right)", left))
        self.watch.set_alarm_state(AlarmName="right", StateValue="OK", StateReason="x")
        clouds.wait_until(lambda: self.composite("both")["StateValue"] == "OK")
        history = self.watch.describe_alarm_history(AlarmName="both", AlarmTypes=["CompositeAlarm"])
        self.assertEqual({h["AlarmType"] for h in history["AlarmHistoryItems"]}, {"CompositeAlarm"})
        self.assertEqual(self.watch.describe_alarm_history(AlarmName="both")["AlarmHistoryItems"], [])
        self.refused("Validation", self.watch.delete_alarms, AlarmNames=["left"])
        self.watch.delete_alarms(AlarmNames=["both"])
        self.watch.delete_alarms(AlarmNames=["left", "right"])

    def test_composite_alarms_in_a_circle_stand_still(self):
        put = self.watch.put_composite_alarm
        put(AlarmName="one", AlarmRule="FALSE")
        put(AlarmName="two", AlarmRule="NOT ALARM(one)")
        clouds.wait_until(lambda: self.composite("two")["StateValue"] == "ALARM")
        put(AlarmName="one", AlarmRule="ALARM(two)")
        self.put("clock", MetricName="none", TreatMissingData="breaching")
        clouds.wait_until(lambda: self.state("clock") == "ALARM")
        self.assertEqual(self.composite("one")["StateValue"], "OK")
        put(AlarmName="one", AlarmRule="FALSE")
        self.watch.delete_alarms(AlarmNames=["two"])

    def test_alarms_are_kept(self):
        self.put("kept", MetricName="none")
        self.cloud.stop()
        self.cloud.start()
        self.connect()
        self.assertEqual(self.alarm("kept")["MetricName"], "none")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
