"""CloudWatch Logs through boto3 and the AWS CLI."""
import json
import shutil
import subprocess
import sys
import time

from cloud import Cloud, skip

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
    assert code_of(logs.filter_log_events, logGroupName="/g", filterPattern="{ $.a = 1 }") \
        == "InvalidParameterException"


def check_describe(logs):
    logs.put_retention_policy(logGroupName="/g", retentionInDays=7)
    group, = logs.describe_log_groups(logGroupNamePrefix="/g")["logGroups"]
    assert group["retentionInDays"] == 7, group
    for i in range(60):
        logs.create_log_group(logGroupName=f"/many/{i:02}")
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/many")
    names = [g["logGroupName"] for page in pages for g in page["logGroups"]]
    assert names == [f"/many/{i:02}" for i in range(60)], names
    streams = logs.describe_log_streams(logGroupName="/g", orderBy="LastEventTime",
                                        descending=True)["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["s1", "s2"], streams


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
        check_put(logs, now_ms)
        check_get(logs, now_ms)
        check_filter(logs, now_ms)
        check_describe(logs)
        check_cli(cloud)
        cloud.stop(9)
        cloud.start()
        logs = cloud.client(boto3, "logs")
        check_get(logs, now_ms)
        logs.delete_log_stream(logGroupName="/g", logStreamName="s2")
        logs.delete_log_group(logGroupName="/g")
        assert code_of(logs.filter_log_events, logGroupName="/g") == "ResourceNotFoundException"


main()
