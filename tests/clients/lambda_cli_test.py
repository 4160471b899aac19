"""AWS CLI against Lambda, API Gateway and IAM: a deploy as people type it.
lambda_cli_test.py KEN FUNCTION"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import cloud as clouds
import lambda_functions as functions

KEN, FUNCTION = sys.argv[1:3]
if not shutil.which("aws"):
    clouds.skip("no aws")


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.folder = tempfile.mkdtemp()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()
        shutil.rmtree(cls.folder)

    def aws(self, *arguments, fails=False):
        # An older CLI ignores AWS_ENDPOINT_URL and would go to the real AWS.
        command = ["aws", "--endpoint-url", self.cloud.endpoint, "--output", "json", *arguments]
        done = subprocess.run(command, env=self.cloud.environment(), capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode != 0, fails, done.stderr)
        return done.stderr if fails else json.loads(done.stdout) if done.stdout.strip() else None

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as out:
                out.write(data)
        return path

    def test_a_deploy_as_people_type_it(self):
        trust = '{"Version": "2012-10-17", "Statement": []}'
        role = self.aws("iam", "create-role", "--role-name", "r",
                        "--assume-role-policy-document", trust)["Role"]["Arn"]
        self.aws("iam", "attach-role-policy", "--role-name", "r", "--policy-arn",
                 "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
        self.assertEqual(self.aws("sts", "get-caller-identity")["Account"], "000000000000")
        answer = json.dumps({"statusCode": 200, "body": "hello"})
        code = functions.make_zip({"bootstrap": (functions.SHELL.replace(
            '{\\"shell\\": $event}', answer.replace('"', '\\"')), 0o755)})
        made = self.aws("lambda", "create-function", "--function-name", "f", "--role", role,
                        "--runtime", "provided.al2023", "--handler", "h", "--zip-file",
                        "fileb://" + self.path("code.zip", code))
        self.aws("lambda", "wait", "function-active-v2", "--function-name", "f")
        out = self.path("out")
        reply = self.aws("lambda", "invoke", "--function-name", "f", "--payload", '{"a": 1}',
                         *self.binary_format(), out)
        self.assertEqual(reply["StatusCode"], 200)
        with open(out) as file:
            self.assertEqual(json.load(file)["body"], "hello")
        api = self.aws("apigateway", "create-rest-api", "--name", "a")["id"]
        root = self.aws("apigateway", "get-resources", "--rest-api-id", api)["items"][0]["id"]
        where = ["--rest-api-id", api, "--resource-id", root, "--http-method", "GET"]
        self.aws("apigateway", "put-method", *where, "--authorization-type", "NONE",
                 "--no-api-key-required")
        self.aws("apigateway", "put-integration", *where, "--type", "AWS_PROXY",
                 "--integration-http-method", "POST", "--uri",
                 "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
                 f"{made['FunctionArn']}/invocations")
        self.aws("lambda", "add-permission", "--function-name", "f", "--statement-id", "s",
                 "--action", "lambda:InvokeFunction", "--principal", "apigateway.amazonaws.com")
        self.aws("apigateway", "create-deployment", "--rest-api-id", api, "--stage-name", "prod")
        url = f"{self.cloud.endpoint}/restapis/{api}/prod/_user_request_/"
        with urllib.request.urlopen(url, timeout=30) as reply:
            self.assertEqual(reply.read(), b"hello")

    @staticmethod
    def binary_format():
        """Version 2 of the CLI takes payloads as base64 unless told."""
        version = subprocess.run(["aws", "--version"], capture_output=True, text=True, check=True)
        is_second = (version.stdout + version.stderr).startswith("aws-cli/2")
        return ["--cli-binary-format", "raw-in-base64-out"] if is_second else []

    def test_versions_and_http_apis_as_people_type_them(self):
        code = functions.make_zip({"bootstrap": (functions.SHELL, 0o755)})
        made = self.aws("lambda", "create-function", "--function-name", "g", "--role",
                        "arn:aws:iam::000000000000:role/r", "--runtime", "provided.al2023",
                        "--handler", "h", "--publish", "--zip-file",
                        "fileb://" + self.path("g.zip", code))
        self.assertEqual(made["Version"], "1")
        self.aws("lambda", "create-alias", "--function-name", "g", "--name", "live",
                 "--function-version", "1")
        self.aws("lambda", "wait", "published-version-active", "--function-name", "g",
                 "--qualifier", "1")
        api = self.aws("apigatewayv2", "create-api", "--name", "g", "--protocol-type", "HTTP",
                       "--target", made["FunctionArn"].rsplit(":", 1)[0] + ":live")
        self.aws("lambda", "add-permission", "--function-name", "g", "--qualifier", "live",
                 "--statement-id", "s", "--action", "lambda:InvokeFunction", "--principal",
                 "apigateway.amazonaws.com")
        url = f"{self.cloud.endpoint}/restapis/{api['ApiId']}/%24default/_user_request_/x"
        with urllib.request.urlopen(url, timeout=30) as reply:
            self.assertEqual(json.load(reply)["shell"]["rawPath"], "/x")

    def test_errors_are_told_by_their_names(self):
        error = self.aws("lambda", "get-function", "--function-name", "absent", fails=True)
        self.assertIn("(ResourceNotFoundException)", error)
        error = self.aws("apigateway", "get-rest-api", "--rest-api-id", "absent", fails=True)
        self.assertIn("(NotFoundException)", error)
        error = self.aws("iam", "get-role", "--role-name", "absent", fails=True)
        self.assertIn("(NoSuchEntity)", error)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
