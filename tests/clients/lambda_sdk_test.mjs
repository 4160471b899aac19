// AWS SDK for JavaScript v3 against Lambda and API Gateway. Run by cloud.py; argument: FUNCTION.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const load = async (name) => {
  try {
    return await import(name);
  } catch {
    console.log(`skipped: ${name} is not installed (npm ci)`);
    process.exit(77);
  }
};
const L = await load('@aws-sdk/client-lambda');
const G = await load('@aws-sdk/client-api-gateway');

const makeZip = (path) => execFileSync('python3', ['-c', `
import sys; sys.path.insert(0, ${JSON.stringify(import.meta.dirname ?? new URL('.', import.meta.url).pathname)})
import lambda_functions
sys.stdout.buffer.write(lambda_functions.program_zip(${JSON.stringify(path)}))`],
  { maxBuffer: 64 << 20 });

const lambda = new L.LambdaClient({ maxAttempts: 1 });
const gateway = new G.APIGatewayClient({ maxAttempts: 1 });
const text = (bytes) => Buffer.from(bytes).toString();
const invoke = async (payload, extra = {}) =>
  lambda.send(new L.InvokeCommand({ FunctionName: 'f', Payload: JSON.stringify(payload), ...extra }));

await assert.rejects(lambda.send(new L.GetFunctionCommand({ FunctionName: 'absent' })),
  (error) => error instanceof L.ResourceNotFoundException && error.$metadata.httpStatusCode === 404);
await assert.rejects(gateway.send(new G.GetRestApiCommand({ restApiId: 'absent' })),
  (error) => error instanceof G.NotFoundException);

const made = await lambda.send(new L.CreateFunctionCommand({
  FunctionName: 'f', Role: 'arn:aws:iam::000000000000:role/r', Runtime: 'provided.al2023', Handler: 'h',
  Timeout: 1, Code: { ZipFile: readZip() } }));
function readZip() {
  return process.argv[2].endsWith('.zip') ? readFileSync(process.argv[2]) : makeZip(process.argv[2]);
}
await L.waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 10 }, { FunctionName: 'f' });

assert.equal(text((await invoke('echo x')).Payload), '"x"');
const tail = await invoke('print in the log', { LogType: 'Tail' });
assert.match(Buffer.from(tail.LogResult, 'base64').toString(), /in the log\n/);
const late = await invoke('sleep 5000');
assert.equal(late.FunctionError, 'Unhandled');
assert.match(text(late.Payload), /Task timed out after 1\.00 seconds/);
await assert.rejects(lambda.send(new L.CreateFunctionCommand({
  FunctionName: 'f', Role: 'arn:aws:iam::000000000000:role/r', Runtime: 'provided.al2023', Handler: 'h',
  Code: { ZipFile: readZip() } })), L.ResourceConflictException);
await lambda.send(new L.PutFunctionConcurrencyCommand({
  FunctionName: 'f', ReservedConcurrentExecutions: 0 }));
await assert.rejects(invoke('echo x'), L.TooManyRequestsException);
await lambda.send(new L.DeleteFunctionConcurrencyCommand({ FunctionName: 'f' }));

// Versions, aliases, URLs, asynchronous settings, provisioned concurrency.
const version = await lambda.send(new L.PublishVersionCommand({ FunctionName: 'f' }));
assert.equal(version.Version, '1');
await lambda.send(new L.CreateAliasCommand({ FunctionName: 'f', Name: 'live', FunctionVersion: '1' }));
const aliased = await invoke('env AWS_LAMBDA_FUNCTION_VERSION', { Qualifier: 'live' });
assert.equal(text(aliased.Payload), '"1"');
assert.equal(aliased.ExecutedVersion, '1');
await assert.rejects(invoke('echo x', { Qualifier: 'absent' }), L.ResourceNotFoundException);
const config = await lambda.send(new L.PutFunctionEventInvokeConfigCommand({
  FunctionName: 'f', MaximumRetryAttempts: 0 }));
assert.ok(config.LastModified instanceof Date);
assert.equal((await invoke('echo x', { InvocationType: 'Event' })).StatusCode, 202);
const { FunctionUrl } = await lambda.send(new L.CreateFunctionUrlConfigCommand({
  FunctionName: 'f', AuthType: 'NONE' }));
await lambda.send(new L.AddPermissionCommand({ FunctionName: 'f', StatementId: 'url', Principal: '*',
  Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' }));
const id = new URL(FunctionUrl).hostname.split('.')[0];
const answer = await fetch(`${process.env.AWS_ENDPOINT_URL}/_lambda-url/${id}/`, {
  method: 'POST', body: 'echo url' });
assert.equal(await answer.text(), 'url');
await lambda.send(new L.PutProvisionedConcurrencyConfigCommand({
  FunctionName: 'f', Qualifier: '1', ProvisionedConcurrentExecutions: 1 }));
for (let i = 0; ; i++) {
  const { Status } = await lambda.send(new L.GetProvisionedConcurrencyConfigCommand({
    FunctionName: 'f', Qualifier: '1' }));
  if (Status === 'READY') break;
  assert.ok(i < 200, Status);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const limits = await lambda.send(new L.GetAccountSettingsCommand({}));
assert.ok(limits.AccountLimit.ConcurrentExecutions > 0);

const api = await gateway.send(new G.CreateRestApiCommand({ name: 'a' }));
const { items } = await gateway.send(new G.GetResourcesCommand({ restApiId: api.id }));
const where = { restApiId: api.id, resourceId: items[0].id, httpMethod: 'GET' };
await gateway.send(new G.PutMethodCommand({ ...where, authorizationType: 'NONE' }));
await gateway.send(new G.PutIntegrationCommand({ ...where, type: 'AWS_PROXY',
  integrationHttpMethod: 'POST', uri: 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/'
    + `${made.FunctionArn}/invocations` }));
await lambda.send(new L.AddPermissionCommand({ FunctionName: 'f', StatementId: 's',
  Action: 'lambda:InvokeFunction', Principal: 'apigateway.amazonaws.com' }));
const deployment = await gateway.send(new G.CreateDeploymentCommand({
  restApiId: api.id, stageName: 'prod' }));
assert.ok(deployment.createdDate instanceof Date);
const stage = await gateway.send(new G.GetStageCommand({ restApiId: api.id, stageName: 'prod' }));
assert.equal(stage.deploymentId, deployment.id);
const url = `${process.env.AWS_ENDPOINT_URL}/restapis/${api.id}/prod/_user_request_/`;
assert.equal((await fetch(url)).status, 502); // the function answers a text, no response
console.log('ok');
