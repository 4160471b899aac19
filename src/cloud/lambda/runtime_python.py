# Runs a Python handler by Lambda's Runtime API; python3 gets this text by `-c`.
# https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback
import types

API = "/2018-06-01/runtime/"


class Fault(Exception):
    """What is wrong with the function itself; has no trace that helps."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = types.SimpleNamespace(cognito_identity_id=None,
                                              cognito_identity_pool_id=None)
        self.client_context = make_client_context(headers.get("Lambda-Runtime-Client-Context"))
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


def make_client_context(text):
    if not text:
        return None
    given = json.loads(text)
    names = ("installation_id", "app_title", "app_version_name", "app_version_code",
             "app_package_name")
    client = given.get("client") or {}
    return types.SimpleNamespace(
        custom=given.get("custom"), env=given.get("env"),
        client=types.SimpleNamespace(**{name: client.get(name) for name in names}))


class LogHandler(logging.Handler):
    request_id = ""

    def emit(self, record):
        record.aws_request_id = self.request_id
        sys.stdout.write(self.format(record))


def prepare_logging():
    handler = LogHandler()
    handler.setFormatter(logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S"))
    handler.formatter.converter = time.gmtime
    logging.getLogger().addHandler(handler)
    return handler


def find_handler(text):
    module_name, dot, name = text.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName",
                    f"Bad handler '{text}': not enough values to unpack (expected 2, got 1)")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError",
                    f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        raise Fault("Runtime.UserCodeSyntaxError",
                    f"Syntax error in module '{module_name}': {error}") from None
    try:
        return getattr(module, name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound",
                    f"Handler '{name}' missing on module '{module_name}'") from None


def describe(error, own_frames):
    """The error as Lambda tells it, without this program's frames at the top of its trace."""
    if isinstance(error, Fault):
        return {"errorMessage": str(error), "errorType": error.kind, "stackTrace": []}
    frames = traceback.extract_tb(error.__traceback__)[own_frames:]
    return {"errorMessage": str(error), "errorType": type(error).__name__,
            "stackTrace": traceback.format_list(frames)}


def log_error(told):
    lines = [f"[ERROR] {told['errorType']}: {told['errorMessage']}"]
    if told["stackTrace"]:
        lines += ["Traceback (most recent call last):"] + [line.rstrip("\n")
                                                           for line in told["stackTrace"]]
    sys.stdout.write("\n".join(lines) + "\n")


class Runtime:
    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, path, body=None, kind=None):
        headers = {"Lambda-Runtime-Function-Error-Type": kind} if kind else {}
        self.connection.request(method, API + path, body, headers)
        answer = self.connection.getresponse()
        return answer.headers, answer.read()

    def fail(self, path, told):
        log_error(told)
        self.call("POST", path, json.dumps(told).encode(), told["errorType"])

    def serve(self, handler, log):
        headers, body = self.call("GET", "invocation/next")
        context = Context(headers)
        log.request_id = context.aws_request_id
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        path = "invocation/" + context.aws_request_id
        try:
            answer = run(handler, body, context)
        except Exception as error:
            self.fail(path + "/error",
                      {**describe(error, 2), "requestId": context.aws_request_id})
        else:
            self.call("POST", path + "/response", answer)


def run(handler, body, context):
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    try:
        return json.dumps(result).encode()
    except (TypeError, ValueError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def refusing(fault):
    def handler(event, context):
        raise fault
    return handler


def main():
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    runtime, log = Runtime(), prepare_logging()
    try:
        handler = find_handler(os.environ["_HANDLER"])
    except Fault as fault:
        handler = refusing(fault)
    except Exception as error:
        runtime.fail("init/error", describe(error, 0))
        sys.exit(1)
    while True:
        runtime.serve(handler, log)


main()
