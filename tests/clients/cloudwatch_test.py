"""CloudWatch through boto3: metrics go in and come out in whatever protocol this boto3 speaks."""
import datetime
import sys

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


def check_refusals(cloudwatch, now):
    span = {"StartTime": now - datetime.timedelta(minutes=5), "EndTime": now, "Namespace": "N",
            "MetricName": "m"}
    assert "Missing" in code_of(cloudwatch.put_metric_data, MetricData=[])
    assert "Missing" in code_of(cloudwatch.put_metric_data, Namespace="N", MetricData=[])
    assert "InvalidParameterValue" in code_of(
        cloudwatch.get_metric_statistics, Period=7, Statistics=["Sum"], **span)
    assert "InvalidParameterCombination" in code_of(
        cloudwatch.get_metric_statistics, Period=60, **span)
    assert "InvalidParameterValue" in code_of(
        cloudwatch.get_metric_statistics, Period=60, Statistics=["Mode"], **span)
    assert "ValidationError" in code_of(
        cloudwatch.get_metric_statistics, Period=60, Statistics=["Sum"],
        **{**span, "StartTime": now, "EndTime": now})
    assert "InvalidParameterValue" in code_of(cloudwatch.list_metrics, NextToken="unknown")
    assert "InvalidParameterCombination" in code_of(
        cloudwatch.get_metric_statistics, Period=60, Statistics=["Sum"],
        **{**span, "StartTime": now - datetime.timedelta(days=2)})
    assert "InvalidParameterValue" in code_of(
        cloudwatch.put_metric_data, Namespace="N",
        MetricData=[{"MetricName": "m", "Value": 1, "Unit": "Furlong"}])


def put_some(cloudwatch, now):
    dimensions = [{"Name": "FunctionName", "Value": "f & g"}]
    for value in (1, 2, 3, 10):
        cloudwatch.put_metric_data(Namespace="Test/N", MetricData=[
            {"MetricName": "Duration", "Dimensions": dimensions, "Value": value,
             "Unit": "Milliseconds", "Timestamp": now}])
    cloudwatch.put_metric_data(Namespace="Test/N", MetricData=[
        {"MetricName": "Set", "Timestamp": now,
         "StatisticValues": {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}},
        {"MetricName": "Many", "Timestamp": now, "Values": [1, 5], "Counts": [3, 1]}])
    return dimensions


def check_statistics(cloudwatch, now, dimensions):
    answer = cloudwatch.get_metric_statistics(
        Namespace="Test/N", MetricName="Duration", Dimensions=dimensions, Period=300,
        StartTime=now - datetime.timedelta(minutes=2), EndTime=now + datetime.timedelta(minutes=1),
        Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"])
    point, = answer["Datapoints"]
    assert (point["Sum"], point["Average"], point["Minimum"], point["Maximum"],
            point["SampleCount"], point["Unit"]) == (16, 4, 1, 10, 4, "Milliseconds"), point
    assert abs((point["Timestamp"] - now).total_seconds()) <= 181, point
    answer = cloudwatch.get_metric_statistics(
        Namespace="Test/N", MetricName="Duration", Dimensions=dimensions, Period=300,
        StartTime=now - datetime.timedelta(minutes=2), EndTime=now + datetime.timedelta(minutes=1),
        ExtendedStatistics=["p50", "p99.9"])
    assert answer["Datapoints"][0]["ExtendedStatistics"] == {"p50": 2, "p99.9": 10}, answer
    other = cloudwatch.get_metric_statistics(
        Namespace="Test/N", MetricName="Duration", Period=300, Statistics=["Sum"],
        StartTime=now - datetime.timedelta(minutes=2), EndTime=now + datetime.timedelta(minutes=1))
    assert other["Datapoints"] == [], other


def check_data(cloudwatch, now):
    answer = cloudwatch.get_metric_data(
        StartTime=now - datetime.timedelta(minutes=2), EndTime=now + datetime.timedelta(minutes=1),
        MetricDataQueries=[
            {"Id": name.lower(), "MetricStat": {
                "Metric": {"Namespace": "Test/N", "MetricName": name}, "Period": 60, "Stat": "Sum"}}
            for name in ("Set", "Many")])
    assert [r["Values"] for r in answer["MetricDataResults"]] == [[10], [8]], answer
    assert answer["MetricDataResults"][0]["StatusCode"] == "Complete"


def check_what_is_put(cloudwatch, now):
    """What AWS takes of a datum: one of its forms, and a time that is not far away."""
    def put(**datum):
        return code_of(cloudwatch.put_metric_data, Namespace="N",
                       MetricData=[{"MetricName": "m", **datum}])
    assert "InvalidParameterCombination" in put(Value=1, Values=[1])
    assert "InvalidParameterCombination" in put(Value=1, StatisticValues={
        "SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1})
    assert "InvalidParameterValue" in put(Values=[1.0], Counts=[1.0, 2.0])
    assert "InvalidParameterValue" in put(Value=1, StorageResolution=5)
    assert "InvalidParameterValue" in put(Value=float("nan"))
    assert "InvalidParameterValue" in put(Value=1, Timestamp=now - datetime.timedelta(days=15))
    assert "InvalidParameterValue" in put(Value=1, Timestamp=now + datetime.timedelta(hours=3))
    assert put(Value=1, Timestamp=now - datetime.timedelta(days=13)) is None
    assert put(Value=1, Timestamp=now + datetime.timedelta(minutes=110)) is None
    assert "InvalidParameterValue" in code_of(cloudwatch.put_metric_data, Namespace=":N",
                                              MetricData=[{"MetricName": "m", "Value": 1}])


def check_queries(cloudwatch, now):
    """Orders, pages and refusals of GetMetricData."""
    start = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=2)
    for i in range(10):
        cloudwatch.put_metric_data(Namespace="Row", MetricData=[
            {"MetricName": "m", "Value": i + 1, "Timestamp": start + datetime.timedelta(minutes=i)}])

    def query(name="q", metric="m", stat="Sum", period=60, **more):
        return {"Id": name, "MetricStat": {"Metric": {"Namespace": "Row", "MetricName": metric},
                                           "Period": period, "Stat": stat}, **more}

    def get(*queries, minutes=10, **more):
        return cloudwatch.get_metric_data(
            MetricDataQueries=list(queries), StartTime=start,
            EndTime=start + datetime.timedelta(minutes=minutes), **more)
    rising = [float(i) for i in range(1, 11)]
    first = get(query())["MetricDataResults"][0]
    assert first["Values"] == rising[::-1], first
    assert first["Timestamps"][0] == start + datetime.timedelta(minutes=9), first
    assert (first["Label"], first["StatusCode"]) == ("m", "Complete"), first
    assert get(query(), ScanBy="TimestampAscending")["MetricDataResults"][0]["Values"] == rising
    assert get(query(), minutes=3)["MetricDataResults"][0]["Values"] == [3, 2, 1]
    assert get(query(period=300))["MetricDataResults"][0]["Values"] == [40, 15]
    two = get(query("a", ReturnData=False), query("b", "none", Label="mine"))["MetricDataResults"]
    assert [(r["Id"], r["Label"], r["Values"]) for r in two] == [("b", "mine", [])], two

    def results(*queries, **more):
        return [(r["Id"], r["Label"], r["Values"]) for r in get(*queries, **more)["MetricDataResults"]]
    apart = get(query("a"), query("b", stat="Minimum"), query("c", period=300, Label="mine"))["MetricDataResults"]
    assert [r["Label"] for r in apart] == ["m Sum 60", "m Minimum 60", "mine"], apart
    half = {"Id": "e", "Expression": "IF(m > 2, m / 2)"}
    hidden = query("m", ReturnData=False)
    assert results(half, hidden, minutes=4) == [("e", "e", [2, 1.5])]
    assert results(hidden, {"Id": "f", "Label": "twice", "Expression": "e + RATE(m) * 60"}, half, minutes=4) == [
        ("f", "twice", [3, 2.5, 1]), ("e", "e", [2, 1.5])]
    assert results({"Id": "e", "Label": "L", "Expression": "FILL(METRICS(), 0)"}, query("m", "none", ReturnData=False),
                   query("n", ReturnData=False), minutes=2) == [("e", "L none", [0, 0]), ("e", "L m", [2, 1])]
    try:
        get({"Id": "e", "Expression": "f"}, {"Id": "f", "Expression": "m + SEARCH('{a}', 'Sum', 60)"}, hidden)
    except ClientError as error:
        assert error.response["Error"]["Message"] == \
            "Error in expression 'f': The function SEARCH is not supported.", error

    pages, token = [], {}
    while True:
        page = get(query("a"), query("b", period=300), MaxDatapoints=4, **token)
        pages.append([(r["Id"], r["Values"], r["StatusCode"]) for r in page["MetricDataResults"]])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert pages == [[("a", [10, 9, 8, 7], "PartialData"), ("b", [], "PartialData")],
                     [("a", [6, 5, 4, 3], "PartialData"), ("b", [], "PartialData")],
                     [("a", [2, 1], "Complete"), ("b", [40, 15], "Complete")]], pages

    def code(*queries, **more):
        return code_of(get_metric_data, queries=queries, **more)

    def get_metric_data(queries, **more):
        get(*queries, **more)
    for queries in ([query(), query()], [query("A")], [query("1a")], [query("a-b")], [{"Id": "a"}],
                    [query(ReturnData=False)], [query(Expression="q")], [query(stat="Mode")],
                    [query(Label="${MAX}")], [{"Id": "e", "Expression": "SUM(METRICS())"}],
                    [{"Id": "e", "Expression": "e + 1"}], [{"Id": "e", "Expression": "m"}],
                    [query(), query("h", period=3600), {"Id": "e", "Expression": "q + h"}], []):
        assert "Validation" in code(*queries), queries
    assert "Validation" in code(query(), MaxDatapoints=100801)
    assert "Validation" in code(query(), ScanBy="Up")
    assert "InvalidNextToken" in code(query(), NextToken="x")
    assert "InvalidParameterValue" in code(query(period=61))
    assert code(query(), LabelOptions={"Timezone": "+0130"}) is None
    assert "Validation" in code(query(), LabelOptions={"Timezone": "Rome"})


def check_list(cloudwatch, dimensions):
    names = {m["MetricName"]: m["Dimensions"]
             for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace="Test/N")
             for m in page["Metrics"]}
    assert names == {"Duration": dimensions, "Set": [], "Many": []}, names
    cloudwatch.put_metric_data(Namespace="Big", MetricData=[
        {"MetricName": f"m{i}", "Value": 1} for i in range(700)])  # large: SDKs compress it
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="Big"))
    assert [len(page["Metrics"]) for page in pages] == [500, 200], [len(p["Metrics"]) for p in pages]


def check_units(cloudwatch, now):
    """Values of several units are apart: nothing is converted."""
    time = now.replace(second=0, microsecond=0) - datetime.timedelta(minutes=1)
    cloudwatch.put_metric_data(Namespace="Units", MetricData=[
        {"MetricName": "m", "Value": 35, "Unit": "Seconds", "Timestamp": time},
        {"MetricName": "m", "Value": 50, "Unit": "Count", "Timestamp": time},
        {"MetricName": "m", "Value": 20, "Timestamp": time}])
    points = cloudwatch.get_metric_statistics(
        Namespace="Units", MetricName="m", Period=60, Statistics=["Average"],
        StartTime=time, EndTime=time + datetime.timedelta(minutes=1))["Datapoints"]
    found = {point["Unit"]: point["Average"] for point in points}
    assert found == {"Seconds": 35, "Count": 50, "None": 20} and len(points) == 3, points


def main():
    with Cloud(sys.argv[1]) as cloud:
        cloudwatch = cloud.client(boto3, "cloudwatch")
        now = datetime.datetime.now(datetime.timezone.utc)
        check_refusals(cloudwatch, now)
        dimensions = put_some(cloudwatch, now)
        check_statistics(cloudwatch, now, dimensions)
        check_data(cloudwatch, now)
        check_units(cloudwatch, now)
        check_list(cloudwatch, dimensions)
        check_what_is_put(cloudwatch, now)
        check_queries(cloudwatch, now)
        cloud.stop(9)
        cloud.start()
        check_statistics(cloud.client(boto3, "cloudwatch"), now, dimensions)


main()
