"""Handlers in Python and JavaScript, as they are written for AWS. lambda_runtimes_test.py KEN FUNCTION"""
import base64
import json
import os
import re
import sys
import unittest

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

ROLE = "arn:aws:iam::000000000000:role/test"

PYTHON = """
import json, logging, os, sys
logging.getLogger().setLevel("INFO")
seen = 0
def echo(event, context):
    global seen
    seen += 1
    print("printed", event["name"])
    logging.info("logged %s", event["name"])
    return {"event": event, "seen": seen, "umlaut": "\\u00e4"}
def about(event, context):
    return {"name": context.function_name, "version": context.function_version,
            "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
            "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
            "custom": context.client_context and context.client_context.custom,
            "root": os.environ["LAMBDA_TASK_ROOT"], "handler": os.environ["_HANDLER"],
            "execution": os.environ["AWS_EXECUTION_ENV"]}
def fails(event, context):
    raise ValueError("no good")
def odd(event, context):
    return {1, 2}
def leaves(event, context):
    sys.exit(3)
"""

NODE = """
exports.echo = async (event) => { console.log('printed', event.name); return { event }; };
exports.back = (event, context, callback) => { setTimeout(() => callback(null, { later: event }), 20); };
exports.backwrong = (event, context, callback) => callback(new TypeError('not this'));
exports.silent = () => { setTimeout(() => {}, 10); };
exports.about = async (event, context) => ({ name: context.functionName, id: context.awsRequestId,
  memory: context.memoryLimitInMB, left: context.getRemainingTimeInMillis(), arn: context.invokedFunctionArn,
  custom: context.clientContext && context.clientContext.custom });
exports.fails = async () => { throw new RangeError('too far'); };
exports.text = async () => { throw 'just text'; };
exports.forgets = async () => { Promise.reject(new Error('nobody looks')); await new Promise((r) => setTimeout(r, 5000)); };
exports.number = 5;
"""


class RuntimeCase(clouds.Case):
    clients = {"client": "lambda"}

    def make(self, name, files, handler, **settings):
        return self.client.create_function(
            FunctionName=name, Role=ROLE, Handler=handler, Timeout=20,
            Code={"ZipFile": functions.make_zip(files)}, **{"Runtime": self.runtime, **settings})

    def invoke(self, name, payload=None, **more):
        reply = self.client.invoke(FunctionName=name, Payload=json.dumps(payload or {"name": "ada"}),
                                   LogType="Tail", **more)
        return (json.loads(reply["Payload"].read()), reply.get("FunctionError"),
                base64.b64decode(reply["LogResult"]).decode())

    def check_about(self, name):
        context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
        told, _, log = self.invoke(name, ClientContext=context)
        self.assertEqual([told["name"], told["memory"], told["custom"]], [name, "128", {"k": "v"}])
        self.assertIn("START RequestId: " + told["id"], log)
        self.assertTrue(told["arn"].endswith(":function:" + name))
        self.assertTrue(0 < told["left"] <= 20000)
        return told


@unittest.skipUnless(os.access("/usr/bin/python3", os.X_OK), "no python3")
class Python(RuntimeCase):
    runtime = "python3.12"
    files = {"app.py": PYTHON, "pkg/__init__.py": "", "pkg/inner.py": PYTHON,
             "broken.py": "def handler(:", "raises.py": "raise KeyError('at start')",
             "lacks.py": "import no_such_module"}

    def test_a_handler_answers_and_keeps_its_state(self):
        made = self.make("echo", self.files, "app.echo")
        self.assertEqual(made["Runtime"], "python3.12")
        answer, error, log = self.invoke("echo")
        self.assertEqual((answer, error), ({"event": {"name": "ada"}, "seen": 1, "umlaut": "ä"}, None))
        self.assertIn("printed ada\n", log)
        self.assertRegex(log, r"\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t[0-9a-f-]{36}\tlogged ada\n")
        self.assertEqual(self.invoke("echo")[0]["seen"], 2)

    def test_a_handler_in_a_folder(self):
        for name, handler in (("dotted", "pkg.inner.echo"), ("slashed", "pkg/inner.echo")):
            self.make(name, self.files, handler)
            self.assertEqual(self.invoke(name)[0]["seen"], 1)

    def test_the_context(self):
        self.make("about", self.files, "app.about")
        told = self.check_about("about")
        self.assertEqual([told["version"], told["handler"], told["execution"]],
                         ["$LATEST", "app.about", "AWS_Lambda_python3.12"])

    def test_failures_are_told_as_aws_tells_them(self):
        self.make("fails", self.files, "app.fails")
        answer, error, log = self.invoke("fails")
        self.assertEqual(error, "Unhandled")
        self.assertEqual(answer["errorType"], "ValueError")
        self.assertEqual(answer["errorMessage"], "no good")
        self.assertEqual(len(answer["stackTrace"]), 1)
        self.assertRegex(answer["stackTrace"][0], r'^  File ".*/app\.py", line \d+, in fails\n    raise ValueError')
        self.assertIn("[ERROR] ValueError: no good\nTraceback (most recent call last):\n", log)
        self.assertIn("requestId", answer)
        for name, handler, kind, message in (
                ("odd", "app.odd", "Runtime.MarshalError",
                 "Unable to marshal response: Object of type set is not JSON serializable"),
                ("gone", "none.handler", "Runtime.ImportModuleError",
                 "Unable to import module 'none': No module named 'none'"),
                ("lacks", "lacks.handler", "Runtime.ImportModuleError",
                 "Unable to import module 'lacks': No module named 'no_such_module'"),
                ("nobody", "app.nobody", "Runtime.HandlerNotFound",
                 "Handler 'nobody' missing on module 'app'"),
                ("bad", "app", "Runtime.MalformedHandlerName",
                 "Bad handler 'app': not enough values to unpack (expected 2, got 1)"),
                ("raises", "raises.handler", "KeyError", "'at start'")):
            with self.subTest(handler=handler):
                self.make(name, self.files, handler)
                answer, error, _ = self.invoke(name)
                self.assertEqual((answer["errorType"], answer["errorMessage"], error),
                                 (kind, message, "Unhandled"))
        self.make("broken", self.files, "broken.handler")
        self.assertEqual(self.invoke("broken")[0]["errorType"], "Runtime.UserCodeSyntaxError")
        self.make("leaves", self.files, "app.leaves")
        self.assertEqual(self.invoke("leaves")[0]["errorType"], "Runtime.ExitError")

    def test_what_cannot_run_here_is_refused_by_name(self):
        for runtime in ("java21", "python2.7", "nodejs", "go1.x", "python3.12x"):
            message = self.refused("InvalidParameterValueException", self.make, name="no",
                                   files=self.files, handler="app.echo", Runtime=runtime)
            self.assertIn(runtime, message)


@unittest.skipUnless(any(os.access(p, os.X_OK) for p in ("/usr/bin/node", "/usr/local/bin/node")), "no node")
class Node(RuntimeCase):
    runtime = "nodejs20.x"
    files = {"index.js": NODE, "src/app.js": NODE, "module.mjs": "export const handler = async (e) => ({ module: e });",
             "typed/package.json": '{"type": "module"}', "typed/index.js": "export const handler = async (e) => ({ typed: e });",
             "broken.js": "exports.handler = (", "raises.js": "throw new Error('at start')",
             "lacks.js": "require('no-such-module')"}

    def test_promises_callbacks_and_modules(self):
        event = {"name": "ada"}
        for name, handler, expected in (
                ("echo", "index.echo", {"event": event}), ("folder", "src/app.echo", {"event": event}),
                ("back", "index.back", {"later": event}), ("silent", "index.silent", None),
                ("module", "module.handler", {"module": event}),
                ("typed", "typed/index.handler", {"typed": event})):
            with self.subTest(handler=handler):
                self.make(name, self.files, handler)
                self.assertEqual(self.invoke(name)[:2], (expected, None))
                answer, error, log = self.invoke(name)
                self.assertEqual((answer, error), (expected, None))
        self.assertRegex(self.invoke("echo")[2],
                         r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t[0-9a-f-]{36}\tINFO\tprinted ada\n")

    def test_the_context(self):
        self.make("node-about", self.files, "index.about")
        self.check_about("node-about")

    def test_failures_are_told_as_aws_tells_them(self):
        for name, handler, kind, message in (
                ("n-fails", "index.fails", "RangeError", "too far"),
                ("n-text", "index.text", "string", "just text"),
                ("n-back", "index.backwrong", "TypeError", "not this"),
                ("n-forgets", "index.forgets", "Runtime.UnhandledPromiseRejection", "Error: nobody looks"),
                ("n-gone", "none.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'none'"),
                ("n-nobody", "index.nobody", "Runtime.HandlerNotFound", "index.nobody is undefined or not exported"),
                ("n-number", "index.number", "Runtime.HandlerNotFound", "index.number is not a function"),
                ("n-bad", "index", "Runtime.MalformedHandlerName", "Bad handler"),
                ("n-raises", "raises.handler", "Error", "at start")):
            with self.subTest(handler=handler):
                self.make(name, self.files, handler)
                answer, error, _ = self.invoke(name)
                self.assertEqual((answer["errorType"], error), (kind, "Unhandled"), answer)
                self.assertEqual(answer["errorMessage"].split("\n")[0], message)
                self.assertIsInstance(answer["trace"], list)
        for name, handler, kind in (("n-broken", "broken.handler", "Runtime.UserCodeSyntaxError"),
                                    ("n-lacks", "lacks.handler", "Runtime.ImportModuleError")):
            self.make(name, self.files, handler)
            self.assertEqual(self.invoke(name)[0]["errorType"], kind)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
