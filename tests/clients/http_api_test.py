"""HTTP APIs and function URLs as boto3 and HTTP clients see them. http_api_test.py KEN FUNCTION"""
import http.client
import json
import sys
import unittest
import urllib.parse

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

FUNCTION = sys.argv[2]
ROLE = "arn:aws:iam::000000000000:role/test"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
# Answers what the path says: /answer?TEXT with that text, anything else with the event.
ECHO = functions.SHELL
ANSWERS = functions.SHELL.replace(
    '{\\"shell\\": $event}', '{\\"statusCode\\": 201, \\"headers\\": {\\"X-A\\": \\"1\\", '
    '\\"Access-Control-Allow-Origin\\": \\"mine\\"}, \\"cookies\\": [\\"a=1\\", \\"b=2\\"], '
    '\\"body\\": \\"aGVsbG8=\\", \\"isBase64Encoded\\": true}')


class Base(clouds.Case):
    clients = {"functions": "lambda", "apis": "apigatewayv2"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.create("echo", functions.make_zip({"bootstrap": (ECHO, 0o755)}))
        cls.create("answers", functions.make_zip({"bootstrap": (ANSWERS, 0o755)}))
        cls.create("program", functions.program_zip(FUNCTION))

    @classmethod
    def create(cls, name, code):
        cls.functions.create_function(FunctionName=name, Code={"ZipFile": code}, Role=ROLE,
                                      Runtime="provided.al2023", Handler="h", Timeout=5)
        functions.allow_gateway(cls.functions, name)
        functions.allow_anybody(cls.functions, name)

    def request(self, url, method="GET", body=None, headers=None):
        """By the URL's host name, which need not resolve."""
        parts = urllib.parse.urlsplit(url)
        where = urllib.parse.urlsplit(self.cloud.endpoint)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request(method, path, body, {"Host": parts.netloc, **(headers or {})})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, reply.headers, text

    def signed(self, url, service, keys=None):
        keys = keys or self.cloud.keys()
        request = AWSRequest(method="GET", url=url)
        SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), service,
                  "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def event(self, *arguments, **more):
        status, _, text = self.request(*arguments, **more)
        self.assertEqual(status, 200, text)
        return json.loads(text)["shell"]


class HttpApiTest(Base):
    def route(self, api, key, function="echo", version="2.0", **settings):
        integration = self.apis.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=ARN + function,
            PayloadFormatVersion=version)["IntegrationId"]
        return self.apis.create_route(ApiId=api, RouteKey=key,
                                      Target="integrations/" + integration, **settings)

    def api(self, **settings):
        made = self.apis.create_api(Name="a", ProtocolType="HTTP", **settings)
        if "Target" not in settings:
            self.apis.create_stage(ApiId=made["ApiId"], StageName="$default", AutoDeploy=True)
        return made["ApiId"], made["ApiEndpoint"]

    def test_a_quick_created_api_answers_at_once(self):
        _, url = self.api(Target=ARN + "echo")
        event = self.event(url + "/a%20b/c?x=1&y=a%20b&x=2", method="POST", body='{"z": 3}',
                           headers={"Content-Type": "application/json", "Cookie": "k=v; l=w",
                                    "X-Two": "1"})
        self.assertEqual(event["version"], "2.0")
        self.assertEqual(event["routeKey"], "$default")
        self.assertEqual(event["rawPath"], "/a b/c")
        self.assertEqual(event["rawQueryString"], "x=1&y=a%20b&x=2")
        self.assertEqual(event["queryStringParameters"], {"x": "1,2", "y": "a b"})
        self.assertEqual(event["cookies"], ["k=v", "l=w"])
        self.assertEqual(event["headers"]["x-two"], "1")
        self.assertNotIn("cookie", event["headers"])
        self.assertEqual((event["body"], event["isBase64Encoded"]), ('{"z": 3}', False))
        context = event["requestContext"]
        self.assertEqual(context["http"]["method"], "POST")
        self.assertEqual(context["http"]["path"], "/a b/c")
        self.assertEqual((context["stage"], context["accountId"]), ("$default", "000000000000"))
        self.assertNotIn("pathParameters", event)

    def test_the_function_must_allow_the_api(self):
        self.create("guarded", functions.make_zip({"bootstrap": (ECHO, 0o755)}))
        self.functions.remove_permission(FunctionName="guarded", StatementId="gateway")
        api, url = self.api()
        self.route(api, "ANY /a/{b}", "guarded")
        self.route(api, "$default", "guarded")
        source = f"arn:aws:execute-api:us-east-1:000000000000:{api}/"

        def answers():
            return [self.request(url + path)[0] for path in ("/a/1", "/else")]
        self.assertEqual(self.request(url + "/a/1")[::2],
                         (500, '{"message":"Internal Server Error"}'))
        self.assertEqual(answers(), [500, 500])
        functions.allow_gateway(self.functions, "guarded", "one", SourceArn=source + "*/*/a/{b}")
        self.assertEqual(answers(), [200, 500])
        functions.allow_gateway(self.functions, "guarded", "two", SourceArn=source + "*/$default")
        self.assertEqual(answers(), [200, 200])

    def test_a_version_must_allow_the_api_by_itself(self):
        version = self.functions.publish_version(FunctionName="echo")["Version"]
        self.functions.create_alias(FunctionName="echo", Name="own", FunctionVersion=version)
        _, url = self.api(Target=ARN + "echo:own")
        self.assertEqual(self.request(url)[0], 500)
        functions.allow_gateway(self.functions, "echo", Qualifier="own")
        self.assertEqual(self.request(url)[0], 200)

    def test_binary_bodies_come_as_base64(self):
        _, url = self.api(Target=ARN + "echo")
        event = self.event(url, method="POST", body=b"\x00\xff",
                           headers={"Content-Type": "image/png"})
        self.assertEqual((event["body"], event["isBase64Encoded"]), ("AP8=", True))

    def test_the_whole_path_goes_before_a_greedy_one_and_that_before_default(self):
        api, url = self.api()
        for key in ("$default", "ANY /{proxy+}", "GET /pets/{id}", "GET /pets/dog", "ANY /pets/dog",
                    "POST /{a}/{b}/{c}", "POST /pets/{rest+}"):
            self.route(api, key)
        for method, path, key in (("GET", "/pets/dog", "GET /pets/dog"),
                                  ("PUT", "/pets/dog", "ANY /pets/dog"),
                                  ("GET", "/pets/5", "GET /pets/{id}"),
                                  ("DELETE", "/pets/5", "ANY /{proxy+}"),
                                  ("POST", "/pets/x/y", "POST /{a}/{b}/{c}"),
                                  ("POST", "/pets/x", "POST /pets/{rest+}"),
                                  ("GET", "/", "$default")):
            with self.subTest(method=method, path=path):
                self.assertEqual(self.event(url + path, method=method)["routeKey"], key)
        event = self.event(url + "/pets/5")
        self.assertEqual(event["pathParameters"], {"id": "5"})

    def test_without_a_route_nothing_is_found(self):
        api, url = self.api()
        self.route(api, "GET /only")
        status, _, text = self.request(url + "/other")
        self.assertEqual((status, json.loads(text)), (404, {"message": "Not Found"}))
        self.assertEqual(self.request(url + "/only", method="POST")[0], 404)

    def test_the_path_form_and_stages_with_names(self):
        api, url = self.api()
        self.route(api, "GET /x")
        self.apis.create_stage(ApiId=api, StageName="prod", StageVariables={"v": "w"})
        self.assertEqual(self.request(url + "/prod/x")[0], 404)  # of $default: no such route
        self.apis.create_deployment(ApiId=api, StageName="prod")
        event = self.event(url + "/prod/x")
        self.assertEqual(event["rawPath"], "/prod/x")
        self.assertEqual(event["stageVariables"], {"v": "w"})
        where = f"{self.cloud.endpoint}/restapis/{api}/$default/_user_request_/x"
        self.assertEqual(self.event(where)["requestContext"]["apiId"], api)
        self.route(api, "GET /later")  # deployed to $default alone
        self.assertEqual(self.request(url + "/later")[0], 200)
        self.assertEqual(self.request(url + "/prod/later")[0], 404)
        for deployment in self.apis.get_deployments(ApiId=api)["Items"]:
            self.refused("BadRequestException", self.apis.delete_deployment, ApiId=api,
                         DeploymentId=deployment["DeploymentId"])

    def test_answers_in_both_formats(self):
        api, url = self.api()
        self.route(api, "GET /two", "answers")
        self.route(api, "GET /one", "program", "1.0")
        status, headers, text = self.request(url + "/two")
        self.assertEqual((status, headers["X-A"], text), (201, "1", "hello"))
        self.assertEqual(headers.get_all("Set-Cookie"), ["a=1", "b=2"])
        status, _, text = self.request(url + "/one")  # a text is no answer in 1.0
        self.assertEqual((status, json.loads(text)), (500, {"message": "Internal Server Error"}))
        self.route(api, "POST /echo", "program")
        self.assertEqual(self.request(url + "/echo", method="POST", body="echo bare")[2], "bare")
        self.assertEqual(self.request(url + "/echo", method="POST", body="error")[0], 500)

    def test_cors_is_the_apis(self):
        api, url = self.api(CorsConfiguration={
            "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"],
            "AllowHeaders": ["x-b"], "MaxAge": 60, "AllowCredentials": True})
        self.route(api, "GET /x", "answers")
        status, headers, _ = self.request(url + "/x", method="OPTIONS", headers={
            "Origin": "https://a.example", "Access-Control-Request-Method": "GET"})
        self.assertEqual(status, 204)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "https://a.example")
        self.assertEqual(headers["Access-Control-Allow-Methods"], "GET,POST")
        self.assertEqual(headers["Access-Control-Max-Age"], "60")
        headers = self.request(url + "/x", headers={"Origin": "https://a.example"})[1]
        self.assertEqual(headers.get_all("Access-Control-Allow-Origin"), ["https://a.example"])
        headers = self.request(url + "/x", headers={"Origin": "https://b.example"})[1]
        self.assertIsNone(headers["Access-Control-Allow-Origin"])
        self.apis.delete_cors_configuration(ApiId=api)
        headers = self.request(url + "/x")[1]
        self.assertEqual(headers["Access-Control-Allow-Origin"], "mine")

    def test_a_route_for_signed_requests(self):
        api, url = self.api()
        self.route(api, "GET /x", AuthorizationType="AWS_IAM")
        status, _, text = self.request(url + "/x")
        self.assertEqual((status, json.loads(text)), (403, {"message": "Forbidden"}))
        event = self.event(url + "/x", headers=self.signed(url + "/x", "execute-api"))
        who = event["requestContext"]["authorizer"]["iam"]
        self.assertEqual(who["accessKey"], self.cloud.keys()["AWS_ACCESS_KEY_ID"])
        self.assertNotIn("authorization", event["headers"])

    def test_who_signs_needs_to_be_allowed(self):
        api, url = self.api()
        self.route(api, "GET /x", AuthorizationType="AWS_IAM")
        iam = self.cloud.client(boto3, "iam")
        iam.create_user(UserName="caller")
        key = iam.create_access_key(UserName="caller")["AccessKey"]
        keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        status, _, text = self.request(url + "/x", headers=self.signed(url + "/x", "execute-api",
                                                                       keys))
        self.assertEqual(status, 403)
        self.assertIn("execute-api:Invoke", text)
        iam.put_user_policy(UserName="caller", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "execute-api:Invoke",
                "Resource": f"arn:aws:execute-api:us-east-1:*:{api}/*/GET/x"}]}))
        event = self.event(url + "/x", headers=self.signed(url + "/x", "execute-api", keys))
        self.assertIn(":user/caller", event["requestContext"]["authorizer"]["iam"]["userArn"])

    def test_a_stage_throttles(self):
        api, url = self.api()
        self.route(api, "GET /x")
        self.apis.update_stage(ApiId=api, StageName="$default", DefaultRouteSettings={
            "ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 2})
        self.assertEqual([self.request(url + "/x")[0] for _ in range(3)], [200, 200, 429])

    def test_what_is_wrong_or_not_supported_is_refused_by_name(self):
        api, _ = self.api()
        create = self.apis.create_integration
        self.assertIn("HTTP_PROXY", self.refused(
            "BadRequestException", create, ApiId=api, IntegrationType="HTTP_PROXY",
            IntegrationUri="http://example.com", IntegrationMethod="GET",
            PayloadFormatVersion="1.0"))
        self.refused("BadRequestException", create, ApiId=api, IntegrationType="AWS_PROXY",
                     IntegrationUri=ARN + "echo", PayloadFormatVersion="3.0")
        self.assertIn("requestParameters", self.refused(
            "BadRequestException", create, ApiId=api, IntegrationType="AWS_PROXY",
            IntegrationUri=ARN + "echo", PayloadFormatVersion="2.0",
            RequestParameters={"append:header.x": "1"}))
        for key in ("GET", "GET x", "BREW /x", "GET /{a+}/b", "GET //x"):
            self.refused("BadRequestException", self.apis.create_route, ApiId=api, RouteKey=key)
        self.assertIn("JWT", self.refused(
            "BadRequestException", self.apis.create_route, ApiId=api, RouteKey="GET /x",
            AuthorizationType="JWT"))
        self.assertIn("JWT", self.refused(
            "BadRequestException", self.apis.create_authorizer, ApiId=api, AuthorizerType="JWT",
            IdentitySource=["$request.header.Authorization"], Name="x"))
        self.assertIn("WEBSOCKET", self.refused(
            "BadRequestException", self.apis.create_api, Name="w", ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.action"))
        self.refused("NotFoundException", self.apis.get_api, ApiId="absent")
        rest = self.cloud.client(boto3, "apigateway")
        self.refused("NotFoundException", rest.get_rest_api, restApiId=api)
        self.assertNotIn(api, [x["id"] for x in rest.get_rest_apis()["items"]])

    def test_the_life_of_an_api(self):
        api, url = self.api(Tags={"a": "b"})
        route = self.route(api, "GET /x")
        self.refused("ConflictException", self.apis.create_route, ApiId=api, RouteKey="GET /x")
        self.refused("ConflictException", self.apis.delete_integration, ApiId=api,
                     IntegrationId=route["Target"].split("/")[1])
        self.apis.update_route(ApiId=api, RouteId=route["RouteId"], RouteKey="GET /y")
        self.assertEqual(self.request(url + "/x")[0], 404)
        self.assertEqual(self.request(url + "/y")[0], 200)
        self.assertEqual(self.apis.get_routes(ApiId=api)["Items"][0]["RouteKey"], "GET /y")
        self.assertIn(api, [x["ApiId"] for x in self.apis.get_apis()["Items"]])
        arn = f"arn:aws:apigateway:us-east-1::/apis/{api}"
        self.apis.tag_resource(ResourceArn=arn, Tags={"c": "d"})
        self.apis.untag_resource(ResourceArn=arn, TagKeys=["a"])
        self.assertEqual(self.apis.get_tags(ResourceArn=arn)["Tags"], {"c": "d"})
        self.assertEqual(self.apis.update_api(ApiId=api, Name="new")["Name"], "new")
        self.cloud.stop()
        self.cloud.start()
        type(self).functions = self.cloud.client(boto3, "lambda")
        type(self).apis = self.cloud.client(boto3, "apigatewayv2")
        self.assertEqual(self.request(url + "/y")[0], 200)
        self.apis.delete_api(ApiId=api)
        self.assertEqual(self.request(url + "/y")[0], 403)


class UrlTest(Base):
    def url(self, function="echo", **settings):
        return self.functions.create_function_url_config(
            FunctionName=function, **{"AuthType": "NONE", **settings})["FunctionUrl"]

    def tearDown(self):
        for name in ("echo", "answers", "program"):
            for config in self.functions.list_function_url_configs(
                    FunctionName=name)["FunctionUrlConfigs"]:
                more = config["FunctionArn"].split(":")[7:]
                self.functions.delete_function_url_config(
                    FunctionName=name, **({"Qualifier": more[0]} if more else {}))

    def test_a_url_reaches_its_function(self):
        url = self.url()
        event = self.event(url + "a%20b?q=1", method="PUT", body="text",
                           headers={"Content-Type": "text/plain"})
        self.assertEqual((event["version"], event["routeKey"]), ("2.0", "$default"))
        self.assertEqual(event["rawPath"], "/a%20b")
        self.assertEqual(event["body"], "text")
        self.assertEqual(event["requestContext"]["accountId"], "anonymous")
        name = urllib.parse.urlsplit(url).netloc.split(".")[0]
        event = self.event(f"{self.cloud.endpoint}/_lambda-url/{name}/x")
        self.assertEqual(event["rawPath"], "/x")
        status, headers, text = self.request(url.replace(name, "absent"))
        self.assertEqual((status, text, headers["x-amzn-ErrorType"]),
                         (403, '{"Message":null}', "AccessDeniedException"))
        event = self.event(url, headers={"Authorization": "Bearer word"})
        self.assertEqual(event["headers"]["authorization"], "Bearer word")
        self.assertEqual(event["headers"]["x-forwarded-port"], str(urllib.parse.urlsplit(url).port))

    def test_answers_and_failures(self):
        status, headers, text = self.request(self.url("answers"))
        self.assertEqual((status, text, headers.get_all("Set-Cookie")),
                         (201, "hello", ["a=1", "b=2"]))
        url = self.url("program")
        self.assertEqual(self.request(url, method="POST", body="echo x")[2], "x")
        status, _, text = self.request(url, method="POST", body="error")
        self.assertEqual((status, text), (502, "Internal Server Error"))

    def test_a_signed_url(self):
        url = self.url(AuthType="AWS_IAM")
        self.assertEqual(self.request(url)[0], 403)
        event = self.event(url, headers=self.signed(url, "lambda"))
        self.assertEqual(event["requestContext"]["authorizer"]["iam"]["accountId"], "000000000000")

    def test_a_url_is_open_to_those_whom_the_function_lets(self):
        url = self.url()
        self.functions.remove_permission(FunctionName="echo", StatementId="url")
        try:
            status, headers, text = self.request(url)
            self.assertEqual((status, headers["x-amzn-ErrorType"]), (403, "AccessDeniedException"))
            self.assertEqual(json.loads(text), {
                "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
                           "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"})
            self.functions.add_permission(
                FunctionName="echo", StatementId="signed", Action="lambda:InvokeFunctionUrl",
                Principal="*", FunctionUrlAuthType="AWS_IAM")
            self.assertEqual(self.request(url)[0], 403)
            self.functions.remove_permission(FunctionName="echo", StatementId="signed")
        finally:
            functions.allow_anybody(self.functions, "echo")
        self.assertEqual(self.request(url)[0], 200)

    def test_an_alias_has_a_url_of_its_own(self):
        self.functions.publish_version(FunctionName="program")
        self.functions.create_alias(FunctionName="program", Name="live", FunctionVersion="1")
        url = self.url("program", Qualifier="live")
        self.assertEqual(self.request(url, method="POST", body="echo x")[0], 403)
        functions.allow_anybody(self.functions, "program", Qualifier="live")
        self.assertEqual(self.request(url, method="POST",
                                      body="env AWS_LAMBDA_FUNCTION_VERSION")[2], "1")
        self.refused("ValidationException", self.functions.create_function_url_config,
                     FunctionName="program", Qualifier="1", AuthType="NONE")

    def test_cors_and_changes(self):
        url = self.url("answers", Cors={"AllowOrigins": ["*"], "AllowMethods": ["*"]})
        headers = self.request(url, headers={"Origin": "https://b.example"})[1]
        self.assertEqual(headers.get_all("Access-Control-Allow-Origin"), ["*"])
        status, headers, _ = self.request(url, method="OPTIONS", headers={
            "Origin": "https://b.example", "Access-Control-Request-Method": "PUT"})
        self.assertEqual((status, headers["Access-Control-Allow-Methods"]), (204, "*"))
        self.refused("ResourceConflictException", self.functions.create_function_url_config,
                     FunctionName="answers", AuthType="NONE")
        if "InvokeMode" in self.functions.meta.service_model.operation_model(
                "UpdateFunctionUrlConfig").input_shape.members:  # newer than Debian's
            self.assertIn("RESPONSE_STREAM", self.refused(
                "InvalidParameterValueException", self.functions.update_function_url_config,
                FunctionName="answers", InvokeMode="RESPONSE_STREAM"))
        self.functions.update_function_url_config(FunctionName="answers", AuthType="AWS_IAM")
        self.assertEqual(self.request(url)[0], 403)
        self.functions.delete_function_url_config(FunctionName="answers")
        self.refused("ResourceNotFoundException", self.functions.get_function_url_config,
                     FunctionName="answers")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
