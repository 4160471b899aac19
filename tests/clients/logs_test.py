"""CloudWatch Logs through boto3 and the AWS CLI."""
import datetime
import json
import re
import shutil
import subprocess
import sys
import time

import lambda_functions as functions
from cloud import Cloud, skip, wait_until

try:
    import boto3
    from botocore.exceptions import ClientError
except ImportError:
    skip("boto3 is not installed")


def code_of(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def check_refusals(logs):
    assert code_of(logs.create_log_stream, logGroupName="no", logStreamName="s") \
        == "ResourceNotFoundException"
    assert code_of(logs.delete_log_group, logGroupName="no") == "ResourceNotFoundException"
    assert code_of(logs.filter_log_events, logGroupName="no") == "ResourceNotFoundException"
    assert code_of(logs.create_log_group, logGroupName="a b") == "InvalidParameterException"
    logs.create_log_group(logGroupName="/g")
    assert code_of(logs.create_log_group, logGroupName="/g") == "ResourceAlreadyExistsException"
    assert code_of(logs.get_log_events, logGroupName="/g", logStreamName="s") \
        == "ResourceNotFoundException"
    assert code_of(logs.put_retention_policy, logGroupName="/g", retentionInDays=2) \
        == "InvalidParameterException"


def check_words(logs):
    """Refusals in the service's words, as far as they were recorded; X is a long text."""
    logs.create_log_group(logGroupName="/words")
    too_long = "1 validation error detected: Value 'X' at '{}' failed to satisfy constraint: Member must have length less " \
               "than or equal to {}"
    names = "Invalid LogGroup or LogStream, both must have length less than or equal to 512."
    metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    rows = ((logs.create_log_group, {"logGroupName": "X" * 513}, names),
            (logs.delete_metric_filter, {"logGroupName": "X" * 513, "filterName": "f"}, names),
            (logs.delete_metric_filter, {"logGroupName": "/words", "filterName": "X" * 513},
             too_long.format("filterName", 512)),
            (logs.put_metric_filter, {"logGroupName": "/words", "filterName": "f", "filterPattern": "X" * 1025,
                                      "metricTransformations": [metric]}, too_long.format("filterPattern", 1024)),
            (logs.describe_metric_filters, {"metricName": "X" * 256, "metricNamespace": "n"},
             too_long.format("metricName", 255)),
            (logs.describe_log_streams, {"logGroupName": "/words", "orderBy": "X"},
             "1 validation error detected: Value 'X' at 'orderBy' failed to satisfy constraint: Member must satisfy enum "
             "value set: [LogStreamName, LastEventTime]"))
    for call, parameters, words in rows:
        try:
            call(**parameters)
            raise AssertionError(words)
        except ClientError as error:
            got = error.response["Error"]
            assert got["Code"] == "InvalidParameterException", got
            assert re.sub("XX+", "X", got["Message"]) == words, got
    logs.put_metric_filter(logGroupName="/words", filterName="f", filterPattern="a", metricTransformations=[metric])
    assert logs.describe_metric_filters(logGroupName="/words")["metricFilters"][0].get(
        "applyOnTransformedLogs", False) is False


def check_streams_by_time(logs, now_ms):
    logs.create_log_group(logGroupName="/by-time")
    assert logs.describe_subscription_filters(logGroupName="/by-time")["subscriptionFilters"] == []
    assert code_of(logs.describe_subscription_filters, logGroupName="/no") == "ResourceNotFoundException"
    for i in range(5):
        logs.create_log_stream(logGroupName="/by-time", logStreamName=f"s{i}")
        streams = logs.describe_log_streams(logGroupName="/by-time", logStreamNamePrefix=f"s{i}")["logStreams"]
        assert "uploadSequenceToken" not in streams[0], streams  # before there is an event
        logs.put_log_events(logGroupName="/by-time", logStreamName=f"s{i}",
                            logEvents=[{"timestamp": now_ms - i * 1000, "message": "m"}])
    for descending in (True, False):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName="/by-time", orderBy="LastEventTime", descending=descending, PaginationConfig={"PageSize": 2})
        names = [[stream["logStreamName"] for stream in page["logStreams"]] for page in pages]
        rising = [["s0", "s1"], ["s2", "s3"], ["s4"]]
        assert names == (rising if descending else [["s4", "s3"], ["s2", "s1"], ["s0"]]), names


def check_put(logs, now_ms):
    logs.create_log_stream(logGroupName="/g", logStreamName="s1")
    logs.create_log_stream(logGroupName="/g", logStreamName="s2")
    assert code_of(logs.put_log_events, logGroupName="/g", logStreamName="s1", logEvents=[
        {"timestamp": now_ms, "message": "b"}, {"timestamp": now_ms - 1, "message": "a"}]) \
        == "InvalidParameterException"
    answer = logs.put_log_events(logGroupName="/g", logStreamName="s1", logEvents=[
        {"timestamp": now_ms - 20 * 86400000, "message": "too old"},
        *({"timestamp": now_ms + i, "message": f"line {i} \u00e9"} for i in range(10))])
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}, answer
    logs.put_log_events(logGroupName="/g", logStreamName="s2", logEvents=[
        {"timestamp": now_ms + 5, "message": "ERROR other"}])


def check_get(logs, now_ms):
    messages, token = [], None
    while True:
        more = {"nextToken": token} if token else {"startFromHead": True}
        page = logs.get_log_events(logGroupName="/g", logStreamName="s1", limit=3, **more)
        if page["nextForwardToken"] == token:
            break
        messages += [e["message"] for e in page["events"]]
        token = page["nextForwardToken"]
    assert messages == [f"line {i} \u00e9" for i in range(10)], messages
    last = logs.get_log_events(logGroupName="/g", logStreamName="s1", limit=2)
    assert [e["message"] for e in last["events"]] == ["line 8 \u00e9", "line 9 \u00e9"], last
    before = logs.get_log_events(logGroupName="/g", logStreamName="s1", limit=2,
                                 nextToken=last["nextBackwardToken"])
    assert [e["timestamp"] for e in before["events"]] == [now_ms + 6, now_ms + 7], before


def check_filter(logs, now_ms):
    def found(**more):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/g", **more)
        return [e["message"] for page in pages for e in page["events"]]
    assert len(found()) == 11
    assert len(found(PaginationConfig={"PageSize": 4})) == 11
    assert found(filterPattern="ERROR") == ["ERROR other"]
    assert found(filterPattern='"line 3"') == ["line 3 \u00e9"]
    assert found(filterPattern="?ERROR ?3") == ["line 3 \u00e9", "ERROR other"]
    assert found(filterPattern="-line") == ["ERROR other"]
    assert found(logStreamNames=["s2"]) == ["ERROR other"]
    assert found(logStreamNamePrefix="s1", startTime=now_ms + 9) == ["line 9 \u00e9"]
    for pattern in ("{ $.a = }", "[a", "%x%"):
        assert code_of(logs.filter_log_events, logGroupName="/g", filterPattern=pattern) \
            == "InvalidParameterException", pattern


def check_describe(logs):
    logs.put_retention_policy(logGroupName="/g", retentionInDays=7)
    group, = logs.describe_log_groups(logGroupNamePrefix="/g")["logGroups"]
    assert group["retentionInDays"] == 7, group
    for i in range(60):
        logs.create_log_group(logGroupName=f"/many/{i:02}")
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/many")
    names = [g["logGroupName"] for page in pages for g in page["logGroups"]]
    assert names == [f"/many/{i:02}" for i in range(60)], names
    assert code_of(logs.describe_log_groups, logGroupNamePrefix="/g",
                   logGroupNamePattern="g") == "InvalidParameterException"
    assert code_of(logs.describe_log_streams, logGroupName="/g",
                   logGroupIdentifier="/g") == "ValidationException"
    streams = logs.describe_log_streams(logGroupName="/g", orderBy="LastEventTime",
                                        descending=True)["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["s1", "s2"], streams


def check_patterns(logs, now_ms):
    logs.create_log_group(logGroupName="/p", tags={"made": "with"})
    logs.create_log_stream(logGroupName="/p", logStreamName="s")
    lines = ['{"status": 500, "user": {"name": "a"}}', '{"status": 200, "user": null}',
             "1.2.3.4 GET /x 404 12", "1.2.3.4 GET /y 200 99"]
    logs.put_log_events(logGroupName="/p", logStreamName="s", logEvents=[
        {"timestamp": now_ms, "message": line} for line in lines])
    def found(pattern):
        return [lines.index(e["message"]) for e in logs.filter_log_events(
            logGroupName="/p", filterPattern=pattern)["events"]]
    assert found("{ $.status >= 500 }") == [0]
    assert found("{ $.user IS NULL || $.user.name = a* }") == [0, 1]
    assert found("[ip, verb, path, status = 4*, bytes]") == [2]
    assert found("[..., status, bytes > 50]") == [3]
    tested = logs.test_metric_filter(filterPattern="[ip, ..., status = 4*, bytes]",
                                     logEventMessages=lines[2:])["matches"]
    assert [(m["eventNumber"], m["extractedValues"]["$bytes"]) for m in tested] == [(1, "12")]


def check_tags(logs):
    tags = lambda: logs.list_tags_log_group(logGroupName="/p")["tags"]
    assert tags() == {"made": "with"}
    logs.tag_log_group(logGroupName="/p", tags={"a": "1"})
    logs.untag_log_group(logGroupName="/p", tags=["made"])
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/p"
    if hasattr(logs, "tag_resource"):
        logs.tag_resource(resourceArn=arn, tags={"b": "2"})
        assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1", "b": "2"}
        logs.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert tags() == {"a": "1"}
    assert code_of(logs.list_tags_log_group, logGroupName="/no") == "ResourceNotFoundException"


def sum_of(cloud, namespace, name, now_ms, **dimensions):
    at = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.timezone.utc)
    points = cloud.client(boto3, "cloudwatch").get_metric_statistics(
        Namespace=namespace, MetricName=name, Period=3600, Statistics=["Sum"],
        Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
        StartTime=at - datetime.timedelta(minutes=5), EndTime=at + datetime.timedelta(minutes=5))
    return sum(point["Sum"] for point in points["Datapoints"])


def check_metric_filters(cloud, logs, now_ms):
    put = lambda name, pattern, **more: logs.put_metric_filter(
        logGroupName="/p", filterName=name, filterPattern=pattern,
        metricTransformations=[{"metricName": name, "metricNamespace": "F", "metricValue": "1",
                                **more}])
    assert code_of(put, name="bad", pattern="{ $.a = }") == "InvalidParameterException"
    assert code_of(put, name="bad", pattern="x", metricValue="much") == "InvalidParameterException"
    put("errors", "{ $.status >= 500 }")
    put("bytes", "[ip, verb, path, status, bytes]", metricValue="$bytes",
        dimensions={"Verb": "$verb"})
    put("missed", "nowhere", defaultValue=3)
    shown = logs.describe_metric_filters(logGroupName="/p", filterNamePrefix="b")["metricFilters"]
    assert [(f["filterName"], f["metricTransformations"][0]["metricValue"]) for f in shown] == \
        [("bytes", "$bytes")], shown
    group, = logs.describe_log_groups(logGroupNamePrefix="/p")["logGroups"]
    assert group["metricFilterCount"] == 3, group
    def more():
        logs.put_log_events(logGroupName="/p", logStreamName="s", logEvents=[
            {"timestamp": now_ms, "message": line} for line in
            ('{"status": 501}', '{"status": 200}', "h GET / 200 40", "h PUT / 200 2")])
    more()
    assert sum_of(cloud, "F", "errors", now_ms) == 1
    assert sum_of(cloud, "F", "bytes", now_ms, Verb="GET") == 40
    assert sum_of(cloud, "F", "missed", now_ms) == 3
    logs.delete_metric_filter(logGroupName="/p", filterName="bytes")
    assert code_of(logs.delete_metric_filter, logGroupName="/p", filterName="bytes") == \
        "ResourceNotFoundException"
    cloud.stop(9)
    cloud.start()
    logs = cloud.client(boto3, "logs")
    more()
    assert sum_of(cloud, "F", "errors", now_ms) == 2
    assert sum_of(cloud, "F", "bytes", now_ms, Verb="GET") == 40
    return logs


def check_embedded_metrics(cloud, logs, now_ms):
    line = {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [
        {"Namespace": "E", "Dimensions": [["Function"]],
         "Metrics": [{"Name": "latency", "Unit": "Milliseconds"}]}]},
        "Function": "f", "latency": [2, 5], "requestId": "x"}
    logs.put_log_events(logGroupName="/p", logStreamName="s", logEvents=[
        {"timestamp": now_ms, "message": json.dumps(line)}])
    assert sum_of(cloud, "E", "latency", now_ms, Function="f") == 7


def check_a_functions_metrics(cloud, now_ms):
    echo = functions.SHELL.replace('echo "shell got $event"', 'echo "$event"')
    client = cloud.client(boto3, "lambda")
    client.create_function(
        FunctionName="echo", Role="arn:aws:iam::000000000000:role/test", Handler="h",
        Runtime="provided.al2023",
        Code={"ZipFile": functions.make_zip({"bootstrap": (echo.encode(), 0o755)})})
    client.invoke(FunctionName="echo", Payload=json.dumps({"_aws": {
        "Timestamp": now_ms, "CloudWatchMetrics": [
            {"Namespace": "Echo", "Dimensions": [[]], "Metrics": [{"Name": "ms"}]}]}, "ms": 12.5}))
    wait_until(lambda: sum_of(cloud, "Echo", "ms", now_ms) == 12.5)


def check_retention(logs, now_ms):
    old_ms = now_ms - 2 * 86400000
    logs.create_log_group(logGroupName="/old")
    logs.create_log_stream(logGroupName="/old", logStreamName="s")
    events = [{"timestamp": at, "message": "m"} for at in (old_ms, now_ms)]
    for batch in ([events[0]], [events[1]]):
        logs.put_log_events(logGroupName="/old", logStreamName="s", logEvents=batch)
    assert code_of(logs.put_log_events, logGroupName="/old", logStreamName="s",
                   logEvents=events) == "InvalidParameterException"  # more than a day
    logs.put_retention_policy(logGroupName="/old", retentionInDays=1)
    events = logs.filter_log_events(logGroupName="/old")["events"]
    assert [e["timestamp"] for e in events] == [now_ms], events


def run_aws(cloud, *arguments):
    done = subprocess.run(["aws", "--endpoint-url", cloud.endpoint, "logs", *arguments],
                          env=cloud.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def check_cli(cloud):
    if not shutil.which("aws"):
        print("aws is not installed: not checked")
        return
    found = json.loads(run_aws(cloud, "filter-log-events", "--log-group-name", "/g",
                               "--filter-pattern", "line", "--page-size", "3"))
    assert len(found["events"]) == 10, found
    version = subprocess.run(["aws", "--version"], capture_output=True, text=True, check=True)
    if version.stdout.startswith("aws-cli/2"):
        tail = run_aws(cloud, "tail", "/g", "--since", "1h", "--format", "short")
        assert len(tail.splitlines()) == 11, tail


def main():
    with Cloud(sys.argv[1]) as cloud:
        logs = cloud.client(boto3, "logs")
        now_ms = int(time.time() * 1000) - 60000
        check_refusals(logs)
        check_words(logs)
        check_streams_by_time(logs, now_ms)
        check_put(logs, now_ms)
        check_get(logs, now_ms)
        check_filter(logs, now_ms)
        check_describe(logs)
        check_cli(cloud)
        check_patterns(logs, now_ms)
        check_tags(logs)
        check_retention(logs, now_ms)
        logs = check_metric_filters(cloud, logs, now_ms)
        check_embedded_metrics(cloud, logs, now_ms)
        cloud.stop(9)
        cloud.start()
        logs = cloud.client(boto3, "logs")
        check_get(logs, now_ms)
        logs.delete_log_stream(logGroupName="/g", logStreamName="s2")
        logs.delete_log_group(logGroupName="/g")
        assert code_of(logs.filter_log_events, logGroupName="/g") == "ResourceNotFoundException"
        check_a_functions_metrics(cloud, now_ms)


main()
