// DynamoDB, CloudWatch and Logs through AWS's SDK for JavaScript v3.
import assert from "node:assert/strict";

const load = name => import(name).catch(() => {
    console.log(`skipped: ${name} is not installed (npm ci)`);
    process.exit(77);
});
const dynamodb = await load("@aws-sdk/client-dynamodb");
const cloudwatch = await load("@aws-sdk/client-cloudwatch");
const logs = await load("@aws-sdk/client-cloudwatch-logs");
const options = {maxAttempts: 1};

async function nameOf(promise) {
    return promise.then(() => "nothing thrown", error => error.name);
}

async function checkDynamodb() {
    const client = new dynamodb.DynamoDBClient(options);
    const send = (command, input) => client.send(new dynamodb[command](input));
    await send("CreateTableCommand", {
        TableName: "people", BillingMode: "PAY_PER_REQUEST",
        KeySchema: [{AttributeName: "name", KeyType: "HASH"}],
        AttributeDefinitions: [{AttributeName: "name", AttributeType: "S"}],
    });
    await dynamodb.waitUntilTableExists({client, minDelay: 1, maxDelay: 1, maxWaitTime: 10}, {TableName: "people"});
    assert.equal(await nameOf(send("GetItemCommand", {TableName: "absent", Key: {name: {S: "a"}}})),
        "ResourceNotFoundException");
    const item = {name: {S: "é"}, n: {N: "1.5"}, b: {B: new Uint8Array([0, 255])},
        l: {L: [{BOOL: true}, {NULL: true}]}, s: {SS: ["a"]}};
    await send("PutItemCommand", {TableName: "people", Item: item});
    const got = await send("GetItemCommand", {TableName: "people", Key: {name: {S: "é"}}});
    assert.deepEqual(got.Item, item);
    assert.equal(await nameOf(send("PutItemCommand", {TableName: "people", Item: item,
        ConditionExpression: "attribute_not_exists(n)"})), "ConditionalCheckFailedException");
    const scan = await send("ScanCommand", {TableName: "people"});
    assert.equal(scan.Count, 1);
}

async function checkCloudwatch() {
    const client = new cloudwatch.CloudWatchClient(options);
    const send = (command, input) => client.send(new cloudwatch[command](input));
    const now = new Date();
    await send("PutMetricDataCommand", {Namespace: "N", MetricData: [
        {MetricName: "m", Value: 2, Timestamp: now, Dimensions: [{Name: "a", Value: "b"}]}]});
    const span = {StartTime: new Date(now - 120000), EndTime: new Date(+now + 60000)};
    const got = await send("GetMetricStatisticsCommand", {Namespace: "N", MetricName: "m", Period: 300,
        Dimensions: [{Name: "a", Value: "b"}], Statistics: ["Sum"], ...span});
    assert.equal(got.Datapoints.length, 1);
    assert.equal(got.Datapoints[0].Sum, 2);
    assert.ok(got.Datapoints[0].Timestamp instanceof Date);
    const refused = await nameOf(send("GetMetricStatisticsCommand", {Namespace: "N",
        MetricName: "m", Period: 7, Statistics: ["Sum"], ...span}));
    assert.match(refused, /^InvalidParameterValue/);
}

async function checkLogs() {
    const client = new logs.CloudWatchLogsClient(options);
    const send = (command, input) => client.send(new logs[command](input));
    const name = {logGroupName: "/g", logStreamName: "s"};
    await send("CreateLogGroupCommand", {logGroupName: "/g"});
    await send("CreateLogStreamCommand", name);
    await send("PutLogEventsCommand", {...name, logEvents: [{timestamp: Date.now(), message: "hi"}]});
    const found = await send("FilterLogEventsCommand", {logGroupName: "/g"});
    assert.equal(found.events[0].message, "hi");
    assert.equal(await nameOf(send("FilterLogEventsCommand", {logGroupName: "/h"})),
        "ResourceNotFoundException");
}

await checkDynamodb();
await checkCloudwatch();
await checkLogs();
