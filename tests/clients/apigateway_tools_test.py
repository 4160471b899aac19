"""API Gateway as deployment tools use it: what they look up, tag and change piece by piece.
apigateway_tools_test.py KEN FUNCTION"""
import json
import sys
import unittest
import urllib.error
import urllib.request

import cloud as clouds
import lambda_functions as functions

try:
    import boto3
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

ROLE = "arn:aws:iam::000000000000:role/test"
MOCK = {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
# Answers with its own ARN.
WHO = r"""#!/usr/bin/python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    reply = api.getresponse()
    reply.read()
    answer = {"statusCode": 200, "body": reply.headers["Lambda-Runtime-Invoked-Function-Arn"]}
    api.request("POST", base + reply.headers["Lambda-Runtime-Aws-Request-Id"] + "/response",
                json.dumps(answer).encode())
    api.getresponse().read()
"""


class ToolsTest(clouds.Case):
    clients = {"client": "apigateway", "lambdas": "lambda"}

    def setUp(self):
        made = self.client.create_rest_api(name="tools", tags={"a": "b"})
        self.api = made["id"]
        self.arn = f"arn:aws:apigateway:us-east-1::/restapis/{self.api}"
        self.root = self.client.get_resources(restApiId=self.api)["items"][0]["id"]

    def tearDown(self):
        self.client.delete_rest_api(restApiId=self.api)

    def resource(self, part, parent=None):
        return self.client.create_resource(restApiId=self.api, parentId=parent or self.root,
                                           pathPart=part)["id"]

    def mock(self, resource, method="GET"):
        names = {"restApiId": self.api, "resourceId": resource, "httpMethod": method}
        self.client.put_method(authorizationType="NONE", **names)
        self.client.put_integration(**names, **MOCK)
        self.client.put_method_response(statusCode="200", **names)
        self.client.put_integration_response(statusCode="200",
                                             responseTemplates={"application/json": "fine"}, **names)
        return names

    def deploy(self, stage="prod", **more):
        return self.client.create_deployment(restApiId=self.api, stageName=stage, **more)["id"]

    def get(self, path, stage="prod"):
        url = f"{self.cloud.endpoint}/restapis/{self.api}/{stage}/_user_request_/{path}"
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    @staticmethod
    def replace(path, value):
        return [{"op": "replace", "path": path, "value": value}]

    def test_an_api_is_edge_optimised_unless_told_otherwise(self):
        api = self.client.get_rest_api(restApiId=self.api)
        self.assertEqual(api["endpointConfiguration"]["types"], ["EDGE"])
        changed = self.client.update_rest_api(restApiId=self.api, patchOperations=self.replace(
            "/endpointConfiguration/types/EDGE", "REGIONAL"))
        self.assertEqual(changed["endpointConfiguration"]["types"], ["REGIONAL"])
        self.refused("BadRequestException", self.client.update_rest_api, restApiId=self.api,
                     patchOperations=self.replace("/endpointConfiguration/types/REGIONAL", "PRIVATE"))
        self.refused("BadRequestException", self.client.create_rest_api, name="p",
                     endpointConfiguration={"types": ["PRIVATE"]})
        self.assertIn("ImportRestApi", self.refused("BadRequestException", self.client.import_rest_api,
                                                    body=b"{}"))

    def test_what_an_api_is_made_of(self):
        made = self.client.create_rest_api(name="n", version="v1", minimumCompressionSize=0,
                                           binaryMediaTypes=[])
        self.assertNotIn("binaryMediaTypes", made)
        self.assertEqual([made["version"], made["minimumCompressionSize"], made["apiKeySource"]],
                         ["v1", 0, "HEADER"])
        changed = self.client.update_rest_api(restApiId=made["id"], patchOperations=[
            {"op": "add", "path": "/binaryMediaTypes/image~1png"}])
        self.assertEqual([changed["binaryMediaTypes"], changed["tags"]], [["image/png"], {}])
        words = "Invalid minimum compression size, must be between 0 and 10485760"
        self.assertEqual(words, self.refused(
            "BadRequestException", self.client.update_rest_api, restApiId=made["id"],
            patchOperations=self.replace("/minimumCompressionSize", "-1")))
        self.assertEqual(words, self.refused("BadRequestException", self.client.create_rest_api,
                                             name="n", minimumCompressionSize=10485761))
        self.assertEqual("Description cannot be an empty string", self.refused(
            "BadRequestException", self.client.create_rest_api, name="n", description=""))
        names = {"restApiId": self.api, "resourceId": self.resource("m"), "authorizationType": "NONE"}
        self.assertIn("Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY", self.refused(
            "BadRequestException", self.client.put_method, httpMethod="FETCH", **names))
        self.assertEqual("Invalid Request Validator identifier specified", self.refused(
            "BadRequestException", self.client.put_method, httpMethod="GET",
            requestValidatorId="none", **names))
        self.client.delete_rest_api(restApiId=made["id"])

    def test_words_of_refusals(self):
        c = self.client
        leaf = {"restApiId": self.api, "resourceId": self.resource("words"), "httpMethod": "GET"}
        method = {**leaf, "authorizationType": "NONE"}
        proxy = {**leaf, "type": "AWS_PROXY", "integrationHttpMethod": "POST"}
        patch = lambda op, path, **value: {"patchOperations": [{"op": op, "path": path, **value}]}
        stage = {"restApiId": self.api, "stageName": "words"}
        c.put_method(**method)
        only_replace = "Invalid patch operation specified. Must be one of: [replace]"
        no_authorizer = ("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or "
                         "COGNITO_USER_POOLS requires a valid authorizer.")
        for call, arguments, words in (
                (c.create_rest_api, {"name": "x", "endpointConfiguration": {"types": ["REGIONAL", "EDGE"]}},
                 "Cannot create an api with multiple Endpoint Types."),
                (c.update_rest_api, {"restApiId": self.api, **patch("remove", "/name")}, only_replace),
                (c.update_rest_api, {"restApiId": self.api, **patch("remove", "/minimumCompressionSize")},
                 only_replace),
                (c.update_rest_api, {"restApiId": self.api, **patch("replace", "/minimumCompressionSize", value="x")},
                 "Invalid minimum compression size, must be between 0 and 10485760"),
                (c.put_method, {**method, "httpMethod": "PUT", "authorizationType": "CUSTOM"}, no_authorizer),
                (c.put_method, {**method, "httpMethod": "PUT", "requestModels": {"application/json": "No"}},
                 "Invalid model identifier specified: No"),
                (c.put_method, {**method, "httpMethod": "PUT", "requestParameters": {
                    "method.request.path.a": True, "method.request.querystring.a": True}},
                 "Parameter names must be unique across querystring, header and path"),
                (c.update_method, {**leaf, **patch("add", "/authorizationType", value="NONE")}, only_replace),
                (c.update_method, {**leaf, **patch("replace", "/authorizationType", value="CUSTOM")},
                 no_authorizer),
                (c.update_method, {**leaf, **patch("replace", "/requestValidatorId", value="none")},
                 "Invalid Request Validator identifier specified"),
                (c.update_method, {**leaf, **patch("replace", "/nope", value="x")}, "Invalid patch path /nope"),
                (c.put_integration, {**leaf, "type": "AWS_PROXY", "uri": "arn:aws:x"},
                 "Enumeration value for HttpMethod must be non-empty"),
                (c.put_integration, {**proxy, "uri": "foo"}, "Invalid ARN specified in the request"),
                (c.put_integration, {**proxy, "uri": "arn:aws:apigateway:us-east-1:lambda:foo"},
                 "AWS ARN for integration must contain path or action"),
                (c.put_integration, {**proxy, "uri": "arn:aws:apigateway:us-east-1:sqs:path/x"},
                 "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream "
                 "invocations."),
                (c.create_api_key, {"name": "k", "value": "short"},
                 "API Key value should be at least 20 characters")):
            with self.subTest(words=words, call=call.__name__):
                self.assertEqual(self.refused("BadRequestException", call, **arguments), words)
        self.assertIn("at 'putIntegrationInput.type' failed to satisfy constraint",
                      self.refused("ValidationException", c.put_integration, **{**proxy, "type": "FOO"}))
        self.assertIn("at 'createRestApiInput.endpointConfiguration.types' failed",
                      self.refused("ValidationException", c.create_rest_api, name="x",
                                   endpointConfiguration={"types": ["FOO"]}))
        for call, arguments, words in (
                (c.put_method, {**method, "restApiId": "none"}, "Invalid Resource identifier specified"),
                (c.get_method_response, {**leaf, "statusCode": "500"}, "Invalid Response status code specified")):
            self.assertEqual(self.refused("NotFoundException", call, **arguments), words)
        c.put_integration(**leaf, **MOCK)
        self.assertEqual("Invalid Response status code specified", self.refused(
            "NotFoundException", c.put_integration_response, statusCode="200", **leaf))
        c.put_method_response(statusCode="200", **leaf)
        self.assertEqual("Response already exists for this resource", self.refused(
            "ConflictException", c.put_method_response, statusCode="200", **leaf))
        c.put_integration_response(statusCode="200", **leaf)
        self.deploy("words", variables={"a": "b"})
        self.assertNotIn("variables", c.update_stage(**stage, **patch("remove", "/variables/a")))
        self.assertEqual("Cannot remove method setting */* because there is no method setting for this method ",
                         self.refused("BadRequestException", c.update_stage, **stage, **patch("remove", "/*/*")))
        self.assertEqual(list(c.update_stage(**stage, **patch(
            "replace", "/~1/GET/throttling/rateLimit", value="5"))["methodSettings"]), ["/GET"])
        c.update_rest_api(restApiId=self.api, patchOperations=[
            {"op": "add", "path": "/binaryMediaTypes/a~1b"}, {"op": "add", "path": "/binaryMediaTypes/c~1d"}])
        changed = c.update_rest_api(restApiId=self.api, **patch("replace", "/binaryMediaTypes/a~1b", value="e/f"))
        self.assertEqual(changed["binaryMediaTypes"], ["c/d", "e/f"])

    def test_a_validator_changes(self):
        made = self.client.create_request_validator(restApiId=self.api, name="v", validateRequestBody=True)
        names = {"restApiId": self.api, "requestValidatorId": made["id"]}
        change = lambda op, path, value="": {**names, "patchOperations": [
            {"op": op, "path": path, "value": value}]}
        self.client.update_request_validator(**change("replace", "/validateRequestParameters", "true"))
        changed = self.client.update_request_validator(**change("replace", "/name", "w"))
        self.assertEqual([changed["name"], changed["validateRequestBody"], changed["validateRequestParameters"]],
                         ["w", True, True])
        for arguments, words in (
                (change("add", "/name", "x"), "Invalid patch path  '/name' specified for op 'add'. Please choose "
                 "supported operations"),
                (change("replace", "/x", "x"), "Invalid patch path  '/x' specified for op 'replace'. Must be one "
                 "of: [/name, /validateRequestParameters, /validateRequestBody]"),
                (change("replace", "/name"), "Request Validator name cannot be blank")):
            self.assertEqual(words, self.refused("BadRequestException", self.client.update_request_validator,
                                                 **arguments))

    def test_tags_of_all_that_has_some(self):
        self.mock(self.resource("x"))
        deployment = self.deploy()
        self.client.create_stage(restApiId=self.api, stageName="tagged", deploymentId=deployment,
                                 tags={"s": "t"})
        key = self.client.create_api_key(name="k", tags={"k": "v"})["id"]
        plan = self.client.create_usage_plan(name="p", tags={"p": "q"})["id"]
        account = "arn:aws:apigateway:us-east-1::"
        for arn, tags in ((self.arn, {"a": "b"}), (self.arn + "/stages/tagged", {"s": "t"}),
                          (self.arn + "/stages/prod", {}), (f"{account}/apikeys/{key}", {"k": "v"}),
                          (f"{account}/usageplans/{plan}", {"p": "q"})):
            with self.subTest(arn=arn):
                self.assertEqual(self.client.get_tags(resourceArn=arn)["tags"], tags)
                self.client.tag_resource(resourceArn=arn, tags={"new": "one", "two": "2"})
                self.client.untag_resource(resourceArn=arn, tagKeys=["two", *tags])
                self.assertEqual(self.client.get_tags(resourceArn=arn)["tags"], {"new": "one"})
        self.assertEqual(self.client.get_stage(restApiId=self.api, stageName="tagged")["tags"],
                         {"new": "one"})
        for arn in (self.arn[:-1], self.arn + "/stages/none", f"{account}/apikeys/none",
                    f"{account}/clouds/x", "arn:aws:s3:::b"):
            self.refused("NotFoundException", self.client.get_tags, resourceArn=arn)
        self.client.delete_usage_plan(usagePlanId=plan)

    def test_what_nobody_has_here(self):
        c, api = self.client, {"restApiId": self.api}
        for call, names in ((c.get_authorizers, api), (c.get_documentation_parts, api),
                            (c.get_domain_names, {}), (c.get_vpc_links, {}),
                            (c.get_client_certificates, {})):
            self.assertEqual(call(**names)["items"], [])
        self.assertEqual({model["name"] for model in c.get_models(**api)["items"]}, {"Empty", "Error"})
        self.assertEqual(c.get_model(modelName="Empty", **api)["contentType"], "application/json")
        for call, names, words in (
                (c.get_domain_name, {"domainName": "x.example"}, "Invalid domain name identifier specified"),
                (c.get_base_path_mappings, {"domainName": "x.example"},
                 "Invalid domain name identifier specified"),
                (c.get_model, {"modelName": "Mine", **api}, "Invalid Model Name specified: Mine"),
                (c.get_authorizer, {"authorizerId": "abc", **api},
                 "Invalid Authorizer identifier specified"),
                (c.get_authorizers, {"restApiId": "none"},
                 "Invalid API identifier specified 000000000000:none")):
            self.assertEqual(self.refused("NotFoundException", call, **names), words)

    def test_the_account(self):
        self.assertNotIn("cloudwatchRoleArn", self.client.get_account())
        self.client.update_account(patchOperations=self.replace("/cloudwatchRoleArn", ROLE))
        account = self.client.get_account()
        self.assertEqual([account["cloudwatchRoleArn"], account["apiKeyVersion"],
                          account["throttleSettings"]["burstLimit"]], [ROLE, "4", 5000])
        self.client.update_account(patchOperations=self.replace("/cloudwatchRoleArn", ""))
        self.assertNotIn("cloudwatchRoleArn", self.client.get_account())

    def test_a_resource_moves_with_all_below_it(self):
        pets, dogs = self.resource("pets"), self.resource("dogs")
        below = self.resource("{id}", pets)
        self.mock(self.resource("toys", below))
        self.assertIn("already has this name", self.refused(
            "ConflictException", self.client.update_resource, restApiId=self.api, resourceId=dogs,
            patchOperations=self.replace("/pathPart", "pets")))
        self.refused("BadRequestException", self.client.update_resource, restApiId=self.api,
                     resourceId=self.root, patchOperations=self.replace("/pathPart", "x"))
        for resource, operations, code, words in (
                (pets, self.replace("/parentId", below), "BadRequestException", "Resources cannot be cyclical."),
                (pets, self.replace("/parentId", "none"), "NotFoundException",
                 "Invalid Resource identifier specified"),
                (pets, self.replace("/path", "x"), "BadRequestException",
                 "Invalid patch path  '/path' specified for op 'replace'. Must be one of: "
                 "[/parentId, /pathPart]"),
                (pets, [{"op": "remove", "path": "/pathPart"}], "BadRequestException",
                 "Invalid patch path  '/pathPart' specified for op 'remove'. Please choose supported "
                 "operations")):
            self.assertEqual(words, self.refused(
                code, self.client.update_resource, restApiId=self.api, resourceId=resource,
                patchOperations=operations))
        changed = self.client.update_resource(restApiId=self.api, resourceId=pets,
                                              patchOperations=self.replace("/pathPart", "animals"))
        self.assertEqual(changed["path"], "/animals")
        paths = [one["path"] for one in self.client.get_resources(restApiId=self.api)["items"]]
        self.assertEqual(paths, ["/", "/animals", "/animals/{id}", "/animals/{id}/toys", "/dogs"])
        self.deploy()
        self.assertEqual(self.get("animals/7/toys"), (200, "fine"))
        moved = self.client.update_resource(restApiId=self.api, resourceId=pets,
                                            patchOperations=self.replace("/parentId", dogs))
        self.assertEqual([moved["path"], moved["parentId"]], ["/dogs/animals", dogs])
        self.deploy()
        self.assertEqual(self.get("dogs/animals/7/toys"), (200, "fine"))
        greedy = self.resource("{proxy+}")
        self.assertEqual(
            self.refused("BadRequestException", self.client.create_resource, restApiId=self.api,
                         parentId=greedy, pathPart="x"),
            "Cannot create a child of a resource with a greedy path variable: {proxy+}")

    def test_parts_of_methods_are_patched(self):
        names = self.mock(self.resource("x"))
        changed = self.client.update_integration(
            **names, patchOperations=self.replace("/timeoutInMillis", "1500"))
        self.assertEqual(changed["timeoutInMillis"], 1500)
        self.refused("BadRequestException", self.client.update_integration, **names,
                     patchOperations=self.replace("/timeoutInMillis", "49"))
        self.refused("BadRequestException", self.client.update_integration, **names,
                     patchOperations=self.replace("/nosuch", "49"))
        header = "method.response.header.X-Who"
        changed = self.client.update_method_response(statusCode="200", **names, patchOperations=[
            {"op": "add", "path": "/responseParameters/" + header, "value": "true"}])
        self.assertEqual(changed["responseParameters"], {header: True})
        changed = self.client.update_integration_response(statusCode="200", **names, patchOperations=[
            {"op": "add", "path": "/responseParameters/" + header, "value": "'me'"}])
        self.assertEqual(changed["responseParameters"], {header: "'me'"})
        self.refused("BadRequestException", self.client.update_integration_response, statusCode="200",
                     **names, patchOperations=[{"op": "add", "value": "$x",
                                                "path": "/responseTemplates/application~1json"}])
        self.refused("NotFoundException", self.client.update_method_response, statusCode="404", **names,
                     patchOperations=[])
        deployment = self.deploy()
        changed = self.client.update_deployment(restApiId=self.api, deploymentId=deployment,
                                                patchOperations=self.replace("/description", "d"))
        self.assertEqual(changed["description"], "d")
        self.assertNotIn("resources", changed)
        self.assertEqual(len(self.client.get_stages(restApiId=self.api,
                                                    deploymentId=deployment)["item"]), 1)
        self.assertEqual(self.client.get_stages(restApiId=self.api, deploymentId="other")["item"], [])

    def test_a_stage_throttles_a_method_or_all(self):
        self.mock(self.resource("x"))
        self.mock(self.resource("y"))
        self.deploy()

        def patch(*operations):
            return self.client.update_stage(restApiId=self.api, stageName="prod", patchOperations=[
                {"op": "replace", "path": path, "value": value} for path, value in operations])
        for path in ("/*/*/logging/loglevel", "/*/*/caching/enabled", "/tracingEnabled",
                     "/*/*/metrics/enabled", "/x/GET/throttling/other"):
            with self.assertRaises(self.client.exceptions.BadRequestException):
                patch((path, "true"))
        settings = patch(("/~1x/GET/throttling/rateLimit", "0.001"),
                         ("/~1x/GET/throttling/burstLimit", "2"),
                         ("/*/*/logging/loglevel", "OFF"))["methodSettings"]
        self.assertEqual([settings["x/GET"]["throttlingBurstLimit"],
                          settings["x/GET"]["throttlingRateLimit"],
                          settings["*/*"]["loggingLevel"]], [2, 0.001, "OFF"])
        self.assertEqual([self.get("x")[0] for _ in range(4)], [200, 200, 429, 429])
        self.assertEqual(self.get("x")[1], '{"message":"Too Many Requests"}')
        self.assertEqual([self.get("y")[0] for _ in range(4)], [200] * 4)
        patch(("/*/*/throttling/rateLimit", "0.001"), ("/*/*/throttling/burstLimit", "1"))
        self.assertEqual([self.get("y")[0] for _ in range(2)], [200, 429])
        left = self.client.update_stage(restApiId=self.api, stageName="prod", patchOperations=[
            {"op": "remove", "path": "/~1x/GET"}, {"op": "remove", "path": "/*/*"}])["methodSettings"]
        self.assertEqual(left, {})
        self.assertEqual([self.get("y")[0] for _ in range(3)], [200] * 3)

    def test_paths_come_as_they_are_and_queries_decoded(self):
        code = ("import json\ndef handler(event, context):\n"
                "    return {'statusCode': 200, 'body': json.dumps(event)}\n")
        try:
            self.lambdas.create_function(FunctionName="raw", Role=ROLE, Runtime="python3.12",
                                         Handler="app.handler",
                                         Code={"ZipFile": functions.make_zip({"app.py": code})})
        except self.lambdas.exceptions.InvalidParameterValueException as error:
            self.skipTest(str(error))
        functions.allow_gateway(self.lambdas, "raw")
        names = {"restApiId": self.api, "resourceId": self.resource("{proxy+}"), "httpMethod": "ANY"}
        self.client.put_method(authorizationType="NONE", **names)
        self.client.put_integration(
            type="AWS_PROXY", integrationHttpMethod="POST", **names,
            uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:"
                "000000000000:function:raw/invocations")
        self.deploy()
        event = json.loads(self.get("a/b%2Bc@d.e/f+g/?email=t%2Bu@v.w&plus=x+y&n=1&n=2")[1])
        self.assertEqual(event["path"], "/a/b%2Bc@d.e/f+g/")
        self.assertEqual(event["pathParameters"], {"proxy": "a/b%2Bc@d.e/f+g"})
        self.assertEqual(event["requestContext"]["path"], "/prod/a/b%2Bc@d.e/f+g/")
        self.assertEqual(event["queryStringParameters"],
                         {"email": "t+u@v.w", "plus": "x y", "n": "2"})
        self.assertEqual(event["multiValueQueryStringParameters"]["n"], ["1", "2"])
        self.assertEqual(event["headers"]["X-Forwarded-Port"], self.cloud.endpoint.rsplit(":", 1)[1])

    def test_a_stage_variable_names_the_alias(self):
        arn = self.lambdas.create_function(
            FunctionName="who", Role=ROLE, Runtime="provided.al2023", Handler="h",
            Code={"ZipFile": functions.make_zip({"bootstrap": (WHO, 0o755)})}, Publish=True)["FunctionArn"]
        self.assertTrue(arn.endswith(":who:1"))
        for alias in ("blue", "green"):
            self.lambdas.create_alias(FunctionName="who", Name=alias, FunctionVersion="1")
            self.lambdas.add_permission(FunctionName="who", Qualifier=alias, StatementId="api",
                                        Action="lambda:InvokeFunction",
                                        Principal="apigateway.amazonaws.com")
        names = {"restApiId": self.api, "resourceId": self.resource("who"), "httpMethod": "GET"}
        self.client.put_method(authorizationType="NONE", **names)
        self.client.put_integration(
            type="AWS_PROXY", integrationHttpMethod="POST", **names,
            uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:"
                "000000000000:function:who:${stageVariables.alias}/invocations")
        for stage in ("blue", "green", "none"):
            self.deploy(stage, variables={"alias": stage})
        self.deploy("empty")
        for stage in ("blue", "green"):
            status, body = self.get("who", stage)
            self.assertEqual((status, body.rsplit(":", 1)[-1]), (200, stage))
        for stage in ("none", "empty"):
            self.assertEqual(self.get("who", stage), (500, '{"message":"Internal server error"}'))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
