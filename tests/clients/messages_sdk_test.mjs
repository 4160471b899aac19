// SQS and SNS through AWS's SDK for JavaScript v3, which checks the MD5s that it gets.
import assert from "node:assert/strict";

const load = name => import(name).catch(() => {
    console.log(`skipped: ${name} is not installed (npm ci)`);
    process.exit(77);
});
const sqs = await load("@aws-sdk/client-sqs");
const sns = await load("@aws-sdk/client-sns");
const queues = new sqs.SQSClient({maxAttempts: 1});
const topics = new sns.SNSClient({maxAttempts: 1});
const ask = (command, input) => queues.send(new sqs[command + "Command"](input));
const tell = (command, input) => topics.send(new sns[command + "Command"](input));

async function nameOf(promise) {
    return promise.then(() => "nothing thrown", error => error.name);
}

async function checkErrors() {
    const QueueUrl = process.env.AWS_ENDPOINT_URL + "/000000000000/absent";
    assert.equal(await nameOf(ask("SendMessage", {QueueUrl, MessageBody: "x"})),
        "QueueDoesNotExist");
    assert.equal(await nameOf(ask("CreateQueue", {QueueName: "q", Attributes: {Colour: "red"}})),
        "InvalidAttributeName");
    await ask("CreateQueue", {QueueName: "q"});
    assert.equal(await nameOf(ask("CreateQueue", {QueueName: "q",
        Attributes: {DelaySeconds: "5"}})), "QueueNameExists");
    assert.equal(await nameOf(tell("Publish", {TopicArn: "arn:aws:sns:us-east-1:000000000000:no",
        Message: "x"})), "NotFoundException");
    assert.equal(await nameOf(tell("CreateTopic", {Name: "a b"})), "InvalidParameterException");
}

async function checkQueue() {
    const {QueueUrl} = await ask("CreateQueue", {QueueName: "jobs"});
    const MessageAttributes = {text: {DataType: "String", StringValue: "é"},
        data: {DataType: "Binary", BinaryValue: new Uint8Array([0, 255])}};
    await ask("SendMessage", {QueueUrl, MessageBody: "hello", MessageAttributes});
    const sent = await ask("SendMessageBatch", {QueueUrl, Entries: [
        {Id: "1", MessageBody: "one"}, {Id: "2", MessageBody: "\u0001"}]});
    assert.deepEqual([sent.Successful.length, sent.Failed[0].Code], [1, "InvalidMessageContents"]);
    const {Messages} = await ask("ReceiveMessage", {QueueUrl, MaxNumberOfMessages: 10,
        MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"]});
    assert.deepEqual(Messages.map(m => m.Body).sort(), ["hello", "one"]);
    const hello = Messages.find(m => m.Body === "hello");
    assert.deepEqual([...hello.MessageAttributes.data.BinaryValue], [0, 255]);
    assert.equal(hello.Attributes.ApproximateReceiveCount, "1");
    const done = await ask("DeleteMessageBatch", {QueueUrl, Entries: Messages.map((m, i) =>
        ({Id: String(i), ReceiptHandle: m.ReceiptHandle}))});
    assert.equal(done.Successful.length, 2);
    const start = performance.now();
    const waiting = ask("ReceiveMessage", {QueueUrl, WaitTimeSeconds: 10});
    await new Promise(resolve => setTimeout(resolve, 300));
    await ask("SendMessage", {QueueUrl, MessageBody: "late"});
    assert.equal((await waiting).Messages[0].Body, "late");
    assert.ok(performance.now() - start < 5000);
}

async function checkTopic() {
    const {TopicArn} = await tell("CreateTopic", {Name: "news",
        Tags: [{Key: "k", Value: "v"}]});
    const {QueueUrl} = await ask("CreateQueue", {QueueName: "news"});
    const {SubscriptionArn} = await tell("Subscribe", {TopicArn, Protocol: "sqs",
        Endpoint: "arn:aws:sqs:us-east-1:000000000000:news",
        Attributes: {FilterPolicy: JSON.stringify({kind: ["good"]})}});
    const publish = (Message, kind) => tell("Publish", {TopicArn, Message,
        MessageAttributes: {kind: {DataType: "String", StringValue: kind}}});
    await publish("kept", "good");
    await publish("dropped", "bad");
    const {Messages} = await ask("ReceiveMessage", {QueueUrl, MaxNumberOfMessages: 10});
    assert.deepEqual(Messages.map(m => JSON.parse(m.Body).Message), ["kept"]);
    const {Attributes} = await tell("GetSubscriptionAttributes", {SubscriptionArn});
    assert.equal(Attributes.FilterPolicyScope, "MessageAttributes");
    const batch = await tell("PublishBatch", {TopicArn, PublishBatchRequestEntries: [
        {Id: "1", Message: "x"}, {Id: "2", Message: ""}]});
    assert.deepEqual([batch.Successful.length, batch.Failed.length], [1, 1]);
    await tell("DeleteTopic", {TopicArn});
    assert.equal(await nameOf(tell("GetTopicAttributes", {TopicArn})), "NotFoundException");
}

await checkErrors();
await checkQueue();
await checkTopic();
