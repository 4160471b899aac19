"""Architectures A and B on top of what `ken deploy` made: topic, queue, the bucket's events, the function of clips.

    deploy_answers.py DEPLOYMENT CLIPS_BOOTSTRAP MODELS GALLERY   prints {"topic": ARN, "queue": URL}

Needs boto3; endpoint and credentials come from the usual variables, AWS or `ken cloud`. Frames under b/ in the
frame bucket start the deployed function, clips under a/ in the video bucket start NAME-video."""
import io
import json
import os
import sys
import time
import zipfile

import boto3

NAME = "ken-answers"


def client_of(service):
    """Older versions of boto3 do not read the variable, and would go to AWS."""
    return boto3.client(service, endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))


def zip_of(bootstrap, models, gallery):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path, mode in (
                ("bootstrap", bootstrap, 0o755), ("gallery.ken", gallery, 0o644),
                *((f"models/{n}.ken", f"{models}/{n}.ken", 0o644)
                  for n in ("fr_detect", "fr_landmark", "fr_feature"))):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            with open(path, "rb") as file:
                archive.writestr(info, file.read())
    return out.getvalue()


def wait_for(client, function):
    """Usable, and no update on its way."""
    for _ in range(300):
        state = client.get_function_configuration(FunctionName=function)
        if state["State"] == "Active" and state["LastUpdateStatus"] != "InProgress":
            return
        time.sleep(0.2)
    raise RuntimeError(f"{function} was not ready in a minute")


def make_way_back():
    """Topic and queue; the queue takes what the topic sends, raw."""
    sns, sqs = client_of("sns"), client_of("sqs")
    topic = sns.create_topic(Name=NAME + ".fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    queue = sqs.create_queue(QueueName=NAME + ".fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue,
                                   AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn,
                  Attributes={"RawMessageDelivery": "true"})
    return topic, queue


def allow(role, deployment, topic):
    statements = [{"Effect": "Allow", "Action": "sns:Publish", "Resource": topic},
                  {"Effect": "Allow", "Action": "s3:GetObject",
                   "Resource": f"arn:aws:s3:::{deployment['videos_bucket']}/*"}]
    client_of("iam").put_role_policy(
        RoleName=role.rsplit("/", 1)[1], PolicyName=NAME,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def start_by(bucket, function, prefix):
    client = client_of("lambda")
    arn = client.get_function_configuration(FunctionName=function)["FunctionArn"]
    client.add_permission(FunctionName=function, StatementId=f"s3-{bucket}",
                          Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
                          SourceArn=f"arn:aws:s3:::{bucket}")
    rules = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    client_of("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rules}]})


def main(path, bootstrap, models, gallery):
    with open(path, encoding="utf-8") as file:
        deployment = json.load(file)
    os.environ.setdefault("AWS_DEFAULT_REGION", deployment["region"])
    functions, name = client_of("lambda"), deployment["function"]
    topic, queue = make_way_back()
    frames = functions.get_function_configuration(FunctionName=name)
    allow(frames["Role"], deployment, topic)
    variables = {**frames["Environment"]["Variables"], "KEN_TOPIC": topic}
    functions.update_function_configuration(FunctionName=name,
                                            Environment={"Variables": variables})
    functions.create_function(
        FunctionName=name + "-video", Role=frames["Role"], Runtime=frames["Runtime"],
        Handler="bootstrap", Code={"ZipFile": zip_of(bootstrap, models, gallery)},
        MemorySize=frames["MemorySize"], Timeout=60, Environment={"Variables": variables})
    for function in (name, name + "-video"):
        wait_for(functions, function)
    start_by(deployment["frames_bucket"], name, "b/")
    start_by(deployment["videos_bucket"], name + "-video", "a/")
    print(json.dumps({"topic": topic, "queue": queue}))


main(*sys.argv[1:])
