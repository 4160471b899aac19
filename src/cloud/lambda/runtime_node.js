// Runs a JavaScript handler by Lambda's Runtime API; node gets this text by `-e`.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const url = require('url');
const util = require('util');

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId = 'undefined';

function call(method, name, body, kind) {
  return new Promise((resolve, reject) => {
    const headers = kind ? { 'Lambda-Runtime-Function-Error-Type': kind } : {};
    const request = http.request(
      { host, port, agent, method, headers, path: '/2018-06-01/runtime/' + name }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => resolve([answer.headers, Buffer.concat(parts)]));
      });
    request.on('error', reject);
    request.end(body);
  });
}

// What is wrong with the function itself.
class Fault extends Error {
  constructor(kind, message) {
    super(message);
    this.name = kind;
  }
}

function write(level, values) {
  const line = `${new Date().toISOString()}\t${requestId}\t${level}\t${util.format(...values)}`;
  process.stdout.write(line.replace(/\n/g, '\r') + '\n');
}
const levels = { log: 'INFO', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', warn: 'WARN',
  error: 'ERROR' };
for (const name of Object.keys(levels)) console[name] = (...values) => write(levels[name], values);

function describe(error) {
  if (!util.types.isNativeError(error) && !(error instanceof Error))
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name || 'Error', errorMessage: error.message,
    trace: (error.stack || '').split('\n') };
}

async function fail(name, title, error) {
  const told = describe(error);
  const more = error && typeof error === 'object' ? error : {};
  write('ERROR', [title, '\t', JSON.stringify({ errorType: told.errorType,
    errorMessage: told.errorMessage, ...more, name: undefined, stack: told.trace })]);
  await call('POST', name, JSON.stringify(told), told.errorType);
}

async function load(file) {
  const found = ['', '.js', '.mjs', '.cjs'].map((end) => file + end)
    .find((name) => fs.existsSync(name) && fs.statSync(name).isFile());
  if (!found)
    throw new Fault('Runtime.ImportModuleError', `Error: Cannot find module '${path.basename(file)}'`);
  const link = () => import(url.pathToFileURL(found).href);
  if (found.endsWith('.mjs')) return link();
  try {
    return require(found);
  } catch (error) {
    if (error.code === 'ERR_REQUIRE_ESM' || error.code === 'ERR_REQUIRE_ASYNC_MODULE') return link();
    throw error;
  }
}

async function findHandler(text) {
  const base = path.basename(text);
  const dot = base.indexOf('.');
  if (dot < 1 || text.includes('..')) throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  const file = path.join(process.env.LAMBDA_TASK_ROOT, path.dirname(text), base.slice(0, dot));
  let found;
  try {
    found = await load(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault('Runtime.UserCodeSyntaxError', String(error));
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND'))
      throw new Fault('Runtime.ImportModuleError', String(error));
    throw error;
  }
  const names = base.slice(dot + 1).split('.');
  const pick = (from) => names.reduce((value, name) => value === undefined || value === null
    ? undefined : value[name], from);
  const handler = pick(found) || pick(found.default);
  if (!handler)
    throw new Fault('Runtime.HandlerNotFound', `${text} is undefined or not exported`);
  if (typeof handler !== 'function')
    throw new Fault('Runtime.HandlerNotFound', `${text} is not a function`);
  return handler;
}

function makeContext(headers) {
  const given = headers['lambda-runtime-client-context'];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: given ? JSON.parse(given) : undefined,
    identity: undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => Number(headers['lambda-runtime-deadline-ms']) - Date.now(),
  };
}

let whenIdle = null; // called when nothing is left to wait for

// The handler's end: what it returned as a promise, gave to the callback, or nothing at all.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const end = (error, value) => (error === undefined || error === null
      ? resolve(value) : reject(error));
    const callback = (error, value) => {
      if (context.callbackWaitsForEmptyEventLoop) whenIdle = () => end(error, value);
      else setImmediate(end, error, value);
    };
    context.done = callback;
    context.succeed = (value) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, value); };
    context.fail = (error) => { context.callbackWaitsForEmptyEventLoop = false; callback(error); };
    whenIdle = () => resolve(null);
    const returned = handler(event, context, callback);
    if (returned && typeof returned.then === 'function') returned.then(resolve, reject);
  });
}

async function serve(handler) {
  const [headers, body] = await call('GET', 'invocation/next');
  requestId = headers['lambda-runtime-aws-request-id'];
  process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'] || '';
  const name = 'invocation/' + requestId;
  let answer;
  try {
    const value = await run(handler, JSON.parse(body), makeContext(headers));
    answer = JSON.stringify(value === undefined ? null : value);
  } catch (error) {
    whenIdle = null;
    await fail(name + '/error', 'Invoke Error', error);
    return;
  }
  whenIdle = null;
  await call('POST', name + '/response', answer === undefined ? 'null' : answer);
}

process.on('beforeExit', () => {
  const next = whenIdle;
  whenIdle = null;
  if (next) next();
});

async function dieOf(title, error) {
  const name = requestId === 'undefined' ? 'init/error' : `invocation/${requestId}/error`;
  await fail(name, title, error);
  process.exit(129);
}
process.on('uncaughtException', (error) => dieOf('Uncaught Exception', error));
process.on('unhandledRejection', (reason) => {
  const error = new Fault('Runtime.UnhandledPromiseRejection', String(reason));
  if (reason && reason.stack) error.stack = reason.stack;
  dieOf('Unhandled Promise Rejection', error);
});

(async () => {
  let handler;
  try {
    handler = await findHandler(process.env._HANDLER);
  } catch (error) {
    await fail('init/error', error instanceof Fault ? '' : 'Uncaught Exception', error);
    process.exit(1);
  }
  for (;;) await serve(handler);
})();
