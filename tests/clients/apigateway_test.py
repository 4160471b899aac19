"""API Gateway as boto3 sees it, and the requests to what it deploys.
apigateway_test.py KEN FUNCTION (the built tests/function/bootstrap.c)"""
import concurrent.futures
import json
import signal
import sys
import time
import unittest
import urllib.error
import urllib.request

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
    import botocore.exceptions
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN, FUNCTION = sys.argv[1:3]
ROLE = "arn:aws:iam::000000000000:role/test"

# Answers with the event it was given, or with what the parameter "answer" says.
ECHO = r"""#!/usr/bin/python3
import http.client, json, os, time, urllib.parse
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    event = json.loads(reply.read())
    wanted = (event["queryStringParameters"] or {}).get("answer")
    if (event["queryStringParameters"] or {}).get("sleep"):
        time.sleep(float(event["queryStringParameters"]["sleep"]))
    answer = wanted or json.dumps({"statusCode": 200, "body": json.dumps(event)})
    api.request("POST", base + reply.headers["Lambda-Runtime-Aws-Request-Id"] + "/response",
                answer.encode())
    api.getresponse().read()
"""


class ApiGatewayTest(clouds.Case):
    clients = {"client": "apigateway"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_functions(cls.cloud)

    @classmethod
    def make_functions(cls, cloud):
        client = cloud.client(boto3, "lambda")
        for name, code in (("echo", functions.make_zip({"bootstrap": (ECHO, 0o755)})),
                           ("plain", functions.program_zip(FUNCTION))):
            client.create_function(FunctionName=name, Role=ROLE, Runtime="provided.al2023",
                                   Handler="h", Timeout=10, Code={"ZipFile": code})
            functions.allow_gateway(client, name)

    @staticmethod
    def uri(name):
        return ("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
                f"arn:aws:lambda:us-east-1:000000000000:function:{name}/invocations")

    def integrate(self, api, resource, method="GET", function="echo", timeout=None, **settings):
        self.client.put_method(restApiId=api, resourceId=resource, httpMethod=method,
                               **{"authorizationType": "NONE", **settings})
        self.client.put_integration(restApiId=api, resourceId=resource, httpMethod=method,
                                    type="AWS_PROXY", integrationHttpMethod="POST",
                                    uri=self.uri(function),
                                    **({"timeoutInMillis": timeout} if timeout else {}))

    def make(self, path="faces", **settings):
        """An API with one resource and method, deployed as stage prod. Returns its id."""
        api = self.client.create_rest_api(name="api-" + path)["id"]
        parent = self.client.get_resources(restApiId=api)["items"][0]["id"]
        for part in path.split("/"):
            parent = self.client.create_resource(restApiId=api, parentId=parent,
                                                 pathPart=part)["id"]
        self.integrate(api, parent, **settings)
        self.client.create_deployment(restApiId=api, stageName="prod")
        return api

    def send(self, url, method="GET", data=None, headers=None, sign=None):
        """Returns status, headers and body."""
        request = AWSRequest(method, url, data=data, headers=headers or {})
        if sign:
            keys = self.cloud.keys()
            SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), sign,
                      "us-east-1").add_auth(request)
        wire = urllib.request.Request(url, data, dict(request.headers.items()), method=method)
        try:
            reply = urllib.request.urlopen(wire, timeout=60)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            return reply.status, reply.headers, reply.read()

    def url(self, api, path="faces", stage="prod"):
        return f"{self.cloud.endpoint}/restapis/{api}/{stage}/_user_request_/{path}"

    def get(self, api, path="faces", **extra):
        status, headers, body = self.send(self.url(api, path), **extra)
        return status, json.loads(body)

    def test_siblings_differ(self):
        api = self.client.create_rest_api(name="siblings")["id"]
        root = self.client.get_resources(restApiId=api)["items"][0]["id"]

        def make(part):
            return self.client.create_resource(restApiId=api, parentId=root, pathPart=part)
        for part in ("x", "{id}", "{proxy+}"):
            make(part)
        self.refused("ConflictException", make, part="x")
        for part, other in (("{other}", "id"), ("{others+}", "proxy+")):
            self.assertIn(f"A sibling ({{{other}}}) of this resource already has",
                          self.refused("BadRequestException", make, part=part))

    # Who may invoke the function

    def test_the_function_must_allow_the_api(self):
        client = self.cloud.client(boto3, "lambda")
        client.create_function(FunctionName="guarded", Role=ROLE, Runtime="provided.al2023",
                               Handler="h", Code={"ZipFile": functions.make_zip(
                                   {"bootstrap": (ECHO, 0o755)})})
        refused = (500, {"message": "Internal server error"})
        api, other = (self.make(path, function="guarded") for path in ("people/{name}", "guarded"))
        source = "arn:aws:execute-api:us-east-1:000000000000:"
        self.assertEqual(self.get(api, "people/ada"), refused)
        for number, (principal, action, arn, account) in enumerate((
                ("apigateway.amazonaws.com", "lambda:GetFunction", f"{source}{api}/*", None),
                ("s3.amazonaws.com", "lambda:InvokeFunction", f"{source}{api}/*", None),
                ("apigateway.amazonaws.com", "lambda:InvokeFunction", f"{source}{other}/*/*", None),
                ("apigateway.amazonaws.com", "lambda:InvokeFunction", f"{source}{api}/*/POST/*", None),
                ("apigateway.amazonaws.com", "lambda:InvokeFunction", None, "111122223333"))):
            more = {"SourceArn": arn} if arn else {"SourceAccount": account}
            client.add_permission(FunctionName="guarded", StatementId=f"s{number}",
                                  Principal=principal, Action=action, **more)
            self.assertEqual(self.get(api, "people/ada"), refused, (principal, action, more))
        self.assertEqual(self.get(other, "guarded")[0], 200)
        functions.allow_gateway(client, "guarded", "own", SourceArn=f"{source}{api}/prod/GET/people/*",
                                SourceAccount="000000000000")
        self.assertEqual(self.get(api, "people/ada")[0], 200)
        client.remove_permission(FunctionName="guarded", StatementId="own")
        self.assertEqual(self.get(api, "people/ada"), refused)

    # What is refused

    def test_unknown_things_are_not_found(self):
        for call, arguments in (
                (self.client.get_rest_api, {"restApiId": "absent"}),
                (self.client.delete_rest_api, {"restApiId": "absent"}),
                (self.client.get_resources, {"restApiId": "absent"}),
                (self.client.get_api_key, {"apiKey": "absent"}),
                (self.client.get_usage_plan, {"usagePlanId": "absent"})):
            self.refused("NotFoundException", call, **arguments)
        api = self.make()
        self.refused("NotFoundException", self.client.get_stage, restApiId=api, stageName="x")
        self.refused("NotFoundException", self.client.get_resource, restApiId=api, resourceId="x")

    def test_what_ken_does_not_do_is_refused(self):
        api = self.client.create_rest_api(name="x")["id"]
        root = self.client.get_resources(restApiId=api)["items"][0]["id"]
        self.refused("BadRequestException", self.client.create_deployment, restApiId=api)
        self.refused("BadRequestException", self.client.put_method, restApiId=api,
                     resourceId=root, httpMethod="GET", authorizationType="CUSTOM")
        self.client.put_method(restApiId=api, resourceId=root, httpMethod="GET",
                               authorizationType="NONE")
        self.refused("ConflictException", self.client.put_method, restApiId=api, resourceId=root,
                     httpMethod="GET", authorizationType="NONE")
        for settings in ({"type": "HTTP"}, {"type": "HTTP_PROXY", "uri": "http://x"},
                         {"type": "AWS_PROXY", "uri": "arn:aws:lambda:x"},
                         {"type": "AWS_PROXY", "uri": self.uri("echo"),
                          "integrationHttpMethod": "GET"}):
            self.refused("BadRequestException", self.client.put_integration, restApiId=api,
                         resourceId=root, httpMethod="GET",
                         **{"integrationHttpMethod": "POST", **settings})
        self.refused("BadRequestException", self.client.create_deployment, restApiId=api)
        self.refused("BadRequestException", self.client.create_resource, restApiId=api,
                     parentId=root, pathPart="a/b")
        self.client.create_resource(restApiId=api, parentId=root, pathPart="twice")
        self.refused("ConflictException", self.client.create_resource, restApiId=api,
                     parentId=root, pathPart="twice")

    def test_an_unknown_path_misses_its_token_and_an_unknown_stage_is_forbidden(self):
        api = self.make()
        missing = (403, {"message": "Missing Authentication Token"})
        self.assertEqual(self.get(api, "other"), missing)
        self.assertEqual(self.get(api, ""), missing)
        self.assertEqual(self.get(api, method="POST", data=b"x"), missing)
        status, _, body = self.send(self.url(api, stage="none"))
        self.assertEqual((status, json.loads(body)), (403, {"message": "Forbidden"}))
        status, _, body = self.send(self.url("absent"))
        self.assertEqual(status, 403)

    def test_iam_wants_a_signature(self):
        api = self.make(authorizationType="AWS_IAM")
        self.assertEqual(self.get(api), (403, {"message": "Missing Authentication Token"}))
        status, event = self.get(api, sign="execute-api")
        self.assertEqual(status, 200)
        identity = event["requestContext"]["identity"]
        self.assertEqual(identity["accessKey"], self.cloud.keys()["AWS_ACCESS_KEY_ID"])
        self.assertNotIn("Authorization", event["headers"])
        url = self.url(api) + "?BucketName=a&ImageName=b%20c"
        self.assertEqual(self.send(url, sign="execute-api")[0], 200)
        keys = self.cloud.keys
        try:
            self.cloud.keys = lambda: {**keys(), "AWS_SECRET_ACCESS_KEY": "wrong"}
            self.assertEqual(self.send(url, sign="execute-api")[0], 403)
        finally:
            self.cloud.keys = keys

    def make_plan(self, api, **throttle):
        key = self.client.create_api_key(name="k", enabled=True)
        plan = self.client.create_usage_plan(
            name="p", apiStages=[{"apiId": api, "stage": "prod"}],
            **({"throttle": throttle} if throttle else {}))
        self.client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"],
                                          keyType="API_KEY")
        return key, plan

    def test_an_api_key_must_be_in_a_plan_of_the_stage(self):
        api, other = self.make(apiKeyRequired=True), self.make(apiKeyRequired=True)
        forbidden = (403, {"message": "Forbidden"})
        loose = self.client.create_api_key(name="loose", enabled=True)
        key, plan = self.make_plan(api)
        self.assertEqual(self.get(api), forbidden)
        for value in ("wrong", loose["value"], key["value"] + "x", ""):
            self.assertEqual(self.get(api, headers={"x-api-key": value}), forbidden)
        self.assertEqual(self.get(other, headers={"x-api-key": key["value"]}), forbidden)
        status, event = self.get(api, headers={"x-api-key": key["value"]})
        self.assertEqual(status, 200)
        self.assertEqual(event["requestContext"]["identity"]["apiKeyId"], key["id"])
        self.client.update_api_key(apiKey=key["id"], patchOperations=[
            {"op": "replace", "path": "/enabled", "value": "false"}])
        self.assertEqual(self.get(api, headers={"x-api-key": key["value"]}), forbidden)
        self.client.update_api_key(apiKey=key["id"], patchOperations=[
            {"op": "replace", "path": "/enabled", "value": "true"}])
        self.client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[
            {"op": "remove", "path": "/apiStages", "value": f"{api}:prod"},
            {"op": "add", "path": "/apiStages", "value": f"{other}:prod"}])
        self.assertEqual(self.get(api, headers={"x-api-key": key["value"]}), forbidden)
        self.assertEqual(self.get(other, headers={"x-api-key": key["value"]})[0], 200)
        self.client.delete_api_key(apiKey=key["id"])
        self.assertEqual(self.get(other, headers={"x-api-key": key["value"]}), forbidden)

    def test_a_plan_throttles(self):
        api = self.make(apiKeyRequired=True)
        key, plan = self.make_plan(api, rateLimit=0.001, burstLimit=3)
        answers = [self.get(api, headers={"x-api-key": key["value"]}) for _ in range(5)]
        self.assertEqual([status for status, _ in answers], [200, 200, 200, 429, 429])
        self.assertEqual(answers[4][1], {"message": "Too Many Requests"})
        self.client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[
            {"op": "replace", "path": "/throttle/rateLimit", "value": "1000"}])
        time.sleep(0.1)
        self.assertEqual(self.get(api, headers={"x-api-key": key["value"]})[0], 200)

    def test_required_parameters_are_checked_where_a_validator_says_so(self):
        api = self.client.create_rest_api(name="v")["id"]
        root = self.client.get_resources(restApiId=api)["items"][0]["id"]
        validator = self.client.create_request_validator(
            restApiId=api, name="v", validateRequestParameters=True)["id"]
        self.integrate(api, root, requestValidatorId=validator, requestParameters={
            "method.request.querystring.BucketName": True,
            "method.request.querystring.ImageName": True,
            "method.request.querystring.Other": False})
        self.client.create_deployment(restApiId=api, stageName="prod")
        self.assertEqual(self.get(api, ""), (400, {
            "message": "Missing required request parameters: [BucketName, ImageName]"}))
        self.assertEqual(self.get(api, "?ImageName=b")[1], {
            "message": "Missing required request parameters: [BucketName]"})
        self.assertEqual(self.get(api, "?ImageName=b&BucketName=a")[0], 200)

    def test_malformed_answers_are_bad_gateways(self):
        api = self.make()
        for answer in ("7", '{"key": "x"}', '{"statusCode": 200, "body": {}}', "no json"):
            self.assertEqual(self.get(api, "faces?answer=" + urllib.request.quote(answer)),
                             (502, {"message": "Internal server error"}))
        api = self.make(path="plain", function="plain")
        self.assertEqual(self.get(api, "plain")[0], 502)  # answers a text
        status, _, _ = self.send(self.url(api, "plain"))
        self.assertEqual(status, 502)

    def test_a_late_answer_is_a_gateway_timeout(self):
        api, patient = self.make(timeout=200), self.make()
        begun = time.monotonic()
        self.assertEqual(self.get(api, "faces?sleep=3"),
                         (504, {"message": "Endpoint request timed out"}))
        self.assertLess(time.monotonic() - begun, 2.5)
        self.assertEqual(self.get(patient)[0], 200)

    # What works

    def test_the_event_is_whole(self):
        api = self.make(path="faces/{name}", method="ANY")
        status, event = self.get(api, "faces/a%20b?q=1&q=2&e=%C3%BC", method="POST", data=b"body",
                                 headers={"X-Own": "yes", "Content-Type": "text/plain"})
        self.assertEqual(status, 200)
        self.assertEqual(event["resource"], "/faces/{name}")
        self.assertEqual(event["path"], "/faces/a%20b")
        self.assertEqual(event["httpMethod"], "POST")
        self.assertEqual({k.lower(): v for k, v in event["headers"].items()}["x-own"], "yes")
        self.assertEqual(event["queryStringParameters"], {"q": "2", "e": "\u00fc"})
        self.assertEqual(event["multiValueQueryStringParameters"], {"q": ["1", "2"],
                                                                    "e": ["\u00fc"]})
        self.assertEqual(event["pathParameters"], {"name": "a%20b"})
        self.assertEqual((event["body"], event["isBase64Encoded"]), ("body", False))
        context = event["requestContext"]
        self.assertEqual((context["stage"], context["apiId"], context["resourcePath"]),
                         ("prod", api, "/faces/{name}"))
        self.assertEqual(context["identity"]["sourceIp"], "127.0.0.1")
        status, event = self.get(api, "faces/x", method="PUT", data=b"\x89PNG")
        self.assertEqual((event["body"], event["isBase64Encoded"]), ("iVBORw==", True))

    def test_status_headers_and_binary_bodies_come_through(self):
        api = self.make()
        answer = json.dumps({"statusCode": 418, "headers": {"X-A": "b", "Content-Type": "image/x"},
                             "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
                             "body": "AAEC", "isBase64Encoded": True})
        status, headers, body = self.send(self.url(api) + "?answer=" +
                                          urllib.request.quote(answer))
        self.assertEqual((status, body), (418, b"\0\1\2"))
        self.assertEqual((headers["X-A"], headers["Content-Type"]), ("b", "image/x"))
        self.assertEqual(headers.get_all("Set-Cookie"), ["a=1", "b=2"])

    def test_the_host_names_the_api_too(self):
        api = self.make()
        status, _, body = self.send(self.cloud.endpoint + "/prod/faces",
                                    headers={"Host": f"{api}.execute-api.us-east-1.example"})
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["requestContext"]["apiId"], api)

    def test_changes_are_served_once_deployed(self):
        api = self.make()
        root = [r for r in self.client.get_resources(restApiId=api)["items"]
                if r["path"] == "/"][0]["id"]
        extra = self.client.create_resource(restApiId=api, parentId=root, pathPart="extra")["id"]
        self.integrate(api, extra)
        self.assertEqual(self.get(api, "extra")[0], 403)
        deployment = self.client.create_deployment(restApiId=api)["id"]
        self.assertEqual(self.get(api, "extra")[0], 403)
        self.client.update_stage(restApiId=api, stageName="prod", patchOperations=[
            {"op": "replace", "path": "/deploymentId", "value": deployment},
            {"op": "replace", "path": "/variables/v", "value": "w"}])
        self.assertEqual(self.get(api, "extra")[1]["stageVariables"], {"v": "w"})
        self.client.delete_resource(restApiId=api, resourceId=extra)
        self.assertEqual(self.get(api, "extra")[0], 200)
        self.client.create_deployment(restApiId=api, stageName="prod")
        self.assertEqual(self.get(api, "extra")[0], 403)

    def test_what_was_made_is_listed(self):
        api = self.make(path="a/b", method="POST")
        self.assertIn(api, [a["id"] for a in self.client.get_rest_apis(limit=500)["items"]])
        paths = sorted(r["path"] for page in self.client.get_paginator("get_resources").paginate(
            restApiId=api, PaginationConfig={"PageSize": 1}) for r in page["items"])
        self.assertEqual(paths, ["/", "/a", "/a/b"])
        leaf = [r for r in self.client.get_resources(restApiId=api)["items"]
                if r["path"] == "/a/b"][0]["id"]
        method = self.client.get_method(restApiId=api, resourceId=leaf, httpMethod="POST")
        self.assertEqual(method["methodIntegration"]["type"], "AWS_PROXY")
        self.client.put_method_response(restApiId=api, resourceId=leaf, httpMethod="POST",
                                        statusCode="200", responseModels={})
        self.client.put_integration_response(restApiId=api, resourceId=leaf, httpMethod="POST",
                                             statusCode="200")
        stages = self.client.get_stages(restApiId=api)["item"]
        deployments = self.client.get_deployments(restApiId=api)["items"]
        self.assertEqual([s["deploymentId"] for s in stages], [d["id"] for d in deployments])
        self.assertLess(abs(deployments[0]["createdDate"].timestamp() - time.time()), 60)

    def test_key_values_are_told_on_request_only(self):
        key = self.client.create_api_key(name="hidden", enabled=True)
        self.assertNotIn("value", self.client.get_api_key(apiKey=key["id"]))
        self.assertEqual(self.client.get_api_key(apiKey=key["id"], includeValue=True)["value"],
                         key["value"])
        listed = self.client.get_api_keys(nameQuery="hidd", includeValues=True)["items"]
        self.assertEqual([k["value"] for k in listed], [key["value"]])
        self.assertNotIn("value", self.client.get_api_keys(nameQuery="hidd")["items"][0])

    def test_requests_at_the_same_time_are_all_answered(self):
        api = self.make()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(
                lambda i: self.get(api, f"faces?i={i}")[1]["queryStringParameters"]["i"],
                range(100)))
        self.assertEqual(answers, [str(i) for i in range(100)])

    def test_apis_outlive_a_restart(self):
        with clouds.Cloud(KEN) as cloud:
            before, self.cloud, self.client = (self.cloud, self.client), cloud, None
            try:
                self.client = cloud.client(boto3, "apigateway")
                self.make_functions(cloud)
                api = self.make(apiKeyRequired=True)
                key, _ = self.make_plan(api)
                for how in (signal.SIGKILL, signal.SIGTERM):
                    cloud.stop(how)
                    cloud.start()
                    self.assertEqual(self.get(api)[0], 403)
                    self.assertEqual(self.get(api, headers={"x-api-key": key["value"]})[0], 200)
                self.client = cloud.client(boto3, "apigateway")
                self.client.delete_rest_api(restApiId=api)
                self.assertEqual(self.get(api, headers={"x-api-key": key["value"]})[0], 403)
            finally:
                self.cloud, self.client = before

    def test_a_preflight_request_is_answered_by_a_mock(self):
        api = self.make("cors")
        resource = [r for r in self.client.get_resources(restApiId=api)["items"]
                    if r["path"] == "/cors"][0]["id"]
        where = {"restApiId": api, "resourceId": resource, "httpMethod": "OPTIONS"}
        names = {"Access-Control-Allow-Origin": "'*'", "Access-Control-Allow-Methods": "'GET,PUT'"}
        self.client.put_method(authorizationType="NONE", **where)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.client.put_integration(type="MOCK", requestTemplates={
                "application/json": "#set($x = 1)"}, **where)
        self.client.put_integration(type="MOCK", requestTemplates={
            "application/json": '{"statusCode": 200}'}, **where)
        self.client.put_method_response(statusCode="200", responseParameters={
            "method.response.header." + name: False for name in names}, **where)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.client.put_integration_response(statusCode="200", responseParameters={
                "method.response.header.X": "integration.response.header.x"}, **where)
        self.client.put_integration_response(
            statusCode="200", responseTemplates={"application/json": ""}, responseParameters={
                "method.response.header." + name: value for name, value in names.items()}, **where)
        self.client.create_deployment(restApiId=api, stageName="prod")
        status, headers, body = self.send(self.url(api, "cors"), method="OPTIONS")
        self.assertEqual((status, body), (200, b""))
        for name, value in names.items():
            self.assertEqual(headers[name], value.strip("'"))

    def test_binary_media_types_are_patched_one_by_one(self):
        api = self.client.create_rest_api(name="binary", binaryMediaTypes=["image/png"])["id"]

        def patch(op, path, **value):
            return self.client.update_rest_api(restApiId=api, patchOperations=[
                {"op": op, "path": path, **value}])["binaryMediaTypes"]
        self.assertEqual(patch("replace", "/binaryMediaTypes/image~1png", value="image/gif"),
                         ["image/gif"])
        self.assertEqual(patch("add", "/binaryMediaTypes/audio~1*"), ["image/gif", "audio/*"])
        for op, path in (("replace", "/binaryMediaTypes"), ("remove", "/binaryMediaTypes"),
                         ("replace", "/binaryMediaTypes/no~1such")):
            with self.assertRaises(botocore.exceptions.ClientError):
                patch(op, path, value="image/png")
        self.assertEqual(self.client.get_rest_api(restApiId=api)["binaryMediaTypes"],
                         ["image/gif", "audio/*"])

    def test_what_is_not_supported_is_refused_by_name(self):
        api = self.make("refused")
        for call, settings in ((self.client.create_stage, {"stageName": "s", "deploymentId": "d",
                                                           "cacheClusterEnabled": True}),
                               (self.client.put_gateway_response,
                                {"responseType": "DEFAULT_4XX"})):
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                call(restApiId=api, **settings)
            self.assertEqual(caught.exception.response["Error"]["Code"], "BadRequestException")
        self.assertEqual(self.client.get_gateway_responses(restApiId=api)["items"], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
