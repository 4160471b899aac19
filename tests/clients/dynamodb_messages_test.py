"""What DynamoDB says of wrong requests, word by word and in AWS's order. dynamodb_messages_test.py KEN

The requests go over the wire as they stand here: an SDK would refuse or change many of them. The facts are those
that public conformance suites found on AWS; where regions differ, us-east-1's of October 2026."""
import gzip
import http.client
import json
import sys
import unittest
import urllib.parse
import zlib

import cloud as clouds

try:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    clouds.skip("no botocore for " + sys.executable)

VALIDATION = "ValidationException"
SERIALIZATION = "SerializationException"
ABSENT = ("ResourceNotFoundException", "Requested resource not found")
PARAMETERS = "One or more parameter values were invalid: "
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
NUMERIC = "The parameter cannot be converted to a numeric value"
FULL = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
ENUM = ("Value 'X' at 'returnConsumedCapacity' failed to satisfy constraint: "
        "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]")


def one(text):
    return "1 validation error detected: " + text


def table_keys(shown):
    return (f"Value '{shown}' at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: "
            "[Member must have length less than or equal to 255, Member must have length greater than or equal to 3, "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]")


def s(text):
    return {"S": text}


def deep(levels):
    value = s("leaf")
    for _ in range(levels):
        value = {"M": {"n": value}}
    return value


KEY = {"pk": s("a")}


class MessagesTest(clouds.Case):
    @classmethod
    def connect(cls):
        keys = cls.cloud.keys()
        cls.signer = SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]),
                               "dynamodb", "us-east-1")
        cls.host = urllib.parse.urlsplit(cls.cloud.endpoint).netloc
        for name, keys in (("hash", "pk:S"), ("both", "pk:S sk:N")):
            parts = [part.split(":") for part in keys.split()]
            cls.ask("CreateTable", {
                "TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in parts],
                "KeySchema": [{"AttributeName": n, "KeyType": kind}
                              for (n, _), kind in zip(parts, ("HASH", "RANGE"))]})

    @classmethod
    def send(cls, operation, data, **headers):
        request = AWSRequest("POST", cls.cloud.endpoint + "/", data=data, headers={
            "X-Amz-Target": "DynamoDB_20120810." + operation,
            "Content-Type": "application/x-amz-json-1.0"})
        cls.signer.add_auth(request)
        connection = http.client.HTTPConnection(cls.host, timeout=60)
        connection.request("POST", "/", data, {**dict(request.headers), **headers})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    @classmethod
    def ask(cls, operation, body):
        return cls.send(operation, json.dumps(body).encode())[1]

    def says(self, operation, body, kind, message):
        answer = self.ask(operation, body)
        with self.subTest(operation, body=str(body)[:120]):
            self.assertEqual((answer.get("__type", "").split("#")[-1],
                              answer.get("message", answer.get("Message"))), (kind, message))

    def test_json_types_come_first(self):
        for operation, body, message in (
                ("GetItem", {"TableName": 5}, "NUMBER_VALUE cannot be converted to String"),
                ("GetItem", {"Key": {"a": {"B": []}}},
                 "Unrecognized collection type class java.nio.ByteBuffer"),
                ("GetItem", {"Key": {"a": {"B": "23456"}}},
                 "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
                ("GetItem", {"Key": {"a": {"B": "=+/="}}},
                 "Invalid last non-pad Base64 character dectected"),
                ("GetItem", {"Key": {"a": "b"}}, "Unexpected value type in payload"),
                ("BatchGetItem", {"RequestItems": {"absent": {"Keys": [{"a": {"S": True}}]}}},
                 "TRUE_VALUE cannot be converted to String"),
                ("BatchGetItem", {"RequestItems": {"absent": "x"}}, "Unexpected value type in payload"),
                ("BatchWriteItem", {"RequestItems": []},
                 "Unrecognized collection type java.util.Map<java.lang.String, java.util.List"
                 "<com.amazonaws.dynamodb.v20120810.WriteRequest>>"),
                ("PutItem", {"Expected": {"a": {"Value": 1}}}, "Unexpected field type"),
                ("UpdateTable", {"GlobalSecondaryIndexUpdates": [{"Update": []}]},
                 "Unrecognized collection type class "
                 "com.amazonaws.dynamodb.v20120810.UpdateGlobalSecondaryIndexAction")):
            self.says(operation, body, SERIALIZATION, message)

    def test_names_of_tables(self):
        short = "Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"
        null_key = "Value null at 'key' failed to satisfy constraint: Member must not be null"
        nothing = "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
        self.says("CreateTable", {"TableName": "ab"}, VALIDATION, one(short))
        self.says("GetItem", {"TableName": "ab", "Key": KEY}, VALIDATION, one(short))
        self.says("GetItem", {"TableName": "ab"}, VALIDATION,
                  f"2 validation errors detected: {short}; {null_key}")
        self.says("UpdateItem", {"TableName": "", "Key": {}}, VALIDATION, one(nothing))
        self.says("UpdateItem", {"TableName": "", "ReturnConsumedCapacity": "X"}, VALIDATION,
                  f"3 validation errors detected: {ENUM}; {nothing}; {null_key}")

    def test_values_in_the_current_words(self):
        twice = {"SS": ["b", "a", "b"]}, {"BS": ["/w==", "AA==", "AA=="]}, {"NS": ["2", "1", "2"]}
        words = (PARAMETERS + 'Input collection ["a", "b", "b"] contains duplicates.',
                 PARAMETERS + 'Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
                 PARAMETERS + "Input collection contains duplicates.")
        for value, message in (*zip(twice, words), ({"N": "abc"}, NUMERIC + ": abc"), ({"N": ""}, NUMERIC + ": "),
                               ({"N": "1e2147483647"}, OVERFLOW), ({"S": "a", "N": "1"}, FULL), ({}, EMPTY)):
            given = {"ExpressionAttributeValues": {":v": value}, "ConditionExpression": "a = :v"}
            for operation, body in (
                    ("PutItem", {"Item": {**KEY, "a": value}}), ("PutItem", {"Item": KEY, **given}),
                    ("PutItem", {"Item": KEY, "Expected": {"a": {"Value": value}}}),
                    ("DeleteItem", {"Key": {"pk": value}}), ("DeleteItem", {"Key": KEY, **given}),
                    ("UpdateItem", {"Key": KEY, "AttributeUpdates": {"a": {"Value": value}}})):
                self.says(operation, {"TableName": "hash", **body}, VALIDATION, one(message))
            self.says("GetItem", {"TableName": "hash", "Key": {"pk": value}}, VALIDATION, message)
            self.says("BatchGetItem", {"RequestItems": {"hash": {"Keys": [{"pk": value}]}}}, VALIDATION, message)
            self.says("Query", {"TableName": "hash", "KeyConditionExpression": "pk = :v",
                                "ExpressionAttributeValues": {":v": value}}, VALIDATION, message)

    def test_large_sets_with_a_duplicate_are_refused_at_once(self):
        members = [f"{i:06}" for i in range(200000, 0, -1)]
        answer = self.ask("PutItem", {"TableName": "hash", "Item": {**KEY, "a": {"SS": [*members, members[0]]}}})
        self.assertIn('Input collection ["000001", "000002", ', answer["message"])
        twice = [{"AttributeName": str(i), "AttributeType": "S"} for i in (*range(100000), 0)]
        answer = self.ask("CreateTable", {
            "TableName": "large", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": twice,
            "KeySchema": [{"AttributeName": "0", "KeyType": "HASH"}]})
        self.assertIn("Duplicate AttributeName in AttributeDefinitions: 0", answer["message"])

    def test_values_in_the_older_words(self):
        for value, message in (({"SS": ["b", "a", "b"]}, PARAMETERS + "Input collection [b, a, b] contains duplicates."),
                               ({"NS": ["2", "1", "2"]}, "Input collection contains duplicates"),
                               ({"N": ""}, NUMERIC)):
            wrapped = f"ExpressionAttributeValues contains invalid value: {message} for key :v"
            condition = {"ConditionExpression": "a = :v", "ExpressionAttributeValues": {":v": value}}
            self.says("BatchWriteItem", {"RequestItems": {"hash": [{"PutRequest": {"Item": {**KEY, "a": value}}}]}},
                      VALIDATION, message)
            self.says("Scan", {"TableName": "hash", "FilterExpression": "a = :v",
                               "ExpressionAttributeValues": {":v": value}}, VALIDATION, wrapped)
            self.says("TransactWriteItems", {"TransactItems": [
                {"Delete": {"TableName": "hash", "Key": KEY, **condition}}]}, VALIDATION, wrapped)

    def test_words_are_taken_for_booleans(self):
        self.says("PutItem", {"TableName": "hash", "Item": {**KEY, "a": {"NULL": "no"}}}, VALIDATION,
                  one(PARAMETERS + "Null attribute value types must have the value of true"))
        self.assertEqual(self.ask("PutItem", {"TableName": "hash", "Item": {"pk": s("words"), "a": {"BOOL": "Yes"}}}), {})
        self.assertEqual(self.ask("GetItem", {"TableName": "hash", "Key": {"pk": s("words")}})["Item"]["a"],
                         {"BOOL": True})

    def test_what_is_wrong_with_a_write_is_a_validation_error(self):
        for operation, item in (("PutItem", "Item"), ("DeleteItem", "Key")):
            for body, message in (
                    ({"ExpressionAttributeValues": {":v": s("x")}},
                     "ExpressionAttributeValues can only be specified when using expressions"),
                    ({"ConditionExpression": ""}, "Invalid ConditionExpression: The expression can not be empty;"),
                    ({"ReturnValues": "ALL_NEW"}, "ReturnValues can only be ALL_OLD or NONE"),
                    ({"ConditionExpression": "a = b", "ExpressionAttributeNames": {"#a": "a", "#b": "b"}},
                     "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}"),
                    ({"Expected": {"a": {"ComparisonOperator": "EQ"}}},
                     PARAMETERS + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a")):
                self.says(operation, {"TableName": "absent", item: KEY, **body}, VALIDATION, one(message))
        self.says("DeleteItem", {"TableName": "hash", "Key": {}}, VALIDATION,
                  "The provided key element does not match the schema")
        self.says("PutItem", {"TableName": "hash", "Item": {**KEY, "": s("x")}}, VALIDATION, one("Empty attribute name"))

    def test_batches(self):
        self.says("BatchGetItem", {"RequestItems": {}}, VALIDATION,
                  one("Value at 'RequestItems' failed to satisfy constraint: Member must have length greater than or equal to 1"))
        self.says("BatchGetItem", {"RequestItems": {"hash": {"Keys": []}}}, VALIDATION,
                  one("Value at 'RequestItems.hash.member.Keys' failed to satisfy constraint: "
                      "Member must have length greater than or equal to 1"))
        wrong = {"bad!": {"Keys": [KEY]}}
        self.says("BatchGetItem", {"RequestItems": wrong, "ReturnConsumedCapacity": "X"}, VALIDATION,
                  "2 validation errors detected: " + table_keys(json.dumps(wrong, separators=(",", ":"))) + "; " + ENUM)
        self.says("BatchWriteItem", {"RequestItems": {"bad!": [{"PutRequest": {"Item": KEY}}]},
                                     "ReturnConsumedCapacity": "X"}, VALIDATION, one(ENUM))
        self.says("BatchWriteItem", {"RequestItems": {"bad!": [{"PutRequest": {"Item": {}}}]}}, VALIDATION,
                  one(table_keys("{bad!=[WriteRequest(putRequest=PutRequest(item={}))]}")))
        self.says("BatchGetItem", {"RequestItems": {"absent": {"Keys": [KEY, KEY]}}}, VALIDATION,
                  "Provided list of item keys contains duplicates")
        self.says("BatchGetItem", {"RequestItems": {
            "hash": {"Keys": [KEY], "ProjectionExpression": "a"}, "both": {"Keys": [KEY], "AttributesToGet": ["a"]}}},
            VALIDATION, "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}")
        self.says("BatchWriteItem", {"RequestItems": {"absent": [{"PutRequest": {"Item": {"a": {}}}}]}}, VALIDATION, EMPTY)

    def test_queries_are_checked_in_order(self):
        query = {"TableName": "absent", "ExpressionAttributeValues": {":v": s("x")}}
        either = "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        self.says("Query", {"TableName": "absent", "FilterExpression": ""}, VALIDATION, either)
        self.says("Query", {"TableName": "absent", "ExclusiveStartKey": {"a": {}}}, VALIDATION,
                  "The provided starting key is invalid: " + EMPTY)
        self.says("Scan", {"TableName": "absent", "ExclusiveStartKey": {"a": {"N": "x"}}}, VALIDATION, NUMERIC + ": x")
        self.says("Query", {**query, "KeyConditionExpression": "pk = :v AND pk = :v"}, VALIDATION,
                  "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key")
        self.says("Query", {**query, "KeyConditionExpression": "pk = :v OR pk = :v"}, VALIDATION,
                  "Invalid operator used in KeyConditionExpression: OR")
        three = "pk = :v AND sk = :v AND c = :v"
        self.says("Query", {**query, "KeyConditionExpression": three}, *ABSENT)
        self.says("Query", {**query, "TableName": "both", "KeyConditionExpression": three}, VALIDATION,
                  "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)")
        unindexable = {"pk": {"ComparisonOperator": "NE", "AttributeValueList": [s("x")]}}
        self.says("Query", {"TableName": "absent", "KeyConditions": unindexable}, *ABSENT)
        self.says("Query", {"TableName": "hash", "KeyConditions": unindexable}, VALIDATION,
                  "Attempted conditional constraint is not an indexable operation")

    def test_transactions_read_every_action_before_any_table(self):
        def put(table, **more):
            return {"Put": {"TableName": table, "Item": KEY, **more}}
        syntax = 'Invalid ConditionExpression: Syntax error; token: "=", near: "= = b"'
        nest = ("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "
                "supported limit")
        for actions, message in (
                ([put("absent"), put("hash", ConditionExpression="a = = b")], syntax),
                ([put("hash"), put("hash", ConditionExpression="a = = b")], syntax),
                ([{"Delete": {"TableName": "hash", "Key": {"pk": deep(100)}, "ConditionExpression": "a = = b"}}], syntax),
                ([{"Put": {"TableName": "absent", "Item": {**KEY, "d": deep(40)}}},
                  {"Put": {"TableName": "absent", "Item": {**KEY, "": s("x")}}}], nest),
                ([{"Put": {"TableName": "absent", "Item": {**KEY, "d": deep(40), "": s("x")}}}],
                 "Empty attribute name"),
                ([{"Update": {"TableName": "hash", "Key": KEY, "UpdateExpression": "SET a = :v" + " " * 4096}}],
                 "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;"),
                ([put("hash"), put("hash")], "Transaction request cannot include multiple operations on one item")):
            self.says("TransactWriteItems", {"TransactItems": actions}, VALIDATION, message)

    def test_tables(self):
        schema = {"TableName": "wrong", "BillingMode": "PAY_PER_REQUEST",
                  "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
                  "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}]}
        index = {"KeySchema": schema["KeySchema"], "Projection": {"ProjectionType": "ALL"}}
        text = ("Value '{0}' at '{1}SecondaryIndexes.1.member.indexName' failed to satisfy constraint: "
                "Member must have length greater than or equal to 3")
        self.says("CreateTable", {**schema, "LocalSecondaryIndexes": [{"IndexName": "aa", **index}],
                                  "GlobalSecondaryIndexes": [{"IndexName": "zz", **index}]}, VALIDATION,
                  "2 validation errors detected: " + text.format("zz", "global") + "; " + text.format("aa", "local"))
        twice = [{"AttributeName": "a", "AttributeType": t} for t in "SN"]
        self.says("CreateTable", {**schema, "AttributeDefinitions": twice}, VALIDATION,
                  PARAMETERS + "Duplicate AttributeName in AttributeDefinitions: a")
        self.says("CreateTable", {**schema, "StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}},
                  VALIDATION, PARAMETERS + "Table is being created with a stream disabled, UpdateViewType should not "
                  "be specified")
        for tags in ([{"Key": str(i), "Value": ""} for i in range(51)], [{"Key": "a", "Value": "#!"}]):
            self.assertIn(VALIDATION, self.ask("CreateTable", {**schema, "Tags": tags})["__type"])
        self.assertNotIn("wrong", self.ask("ListTables", {})["TableNames"])
        update = {"Delete": {"IndexName": "abc"}}
        for body, message in (
                ({"GlobalSecondaryIndexUpdates": [{}]},
                 "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                 "GlobalSecondaryIndexUpdate.Delete must not be null"),
                ({"GlobalSecondaryIndexUpdates": [update, update]},
                 "Only one global secondary index update per index is allowed simultaneously. Index: abc"),
                ({"BillingMode": "PROVISIONED"},
                 "ProvisionedThroughput must be specified when BillingMode is PROVISIONED")):
            self.says("UpdateTable", {"TableName": "absent", **body}, VALIDATION, PARAMETERS + message)

    def test_what_an_update_expression_counts_against_the_limit(self):
        ten = {"S": "y" * 10}
        for clause, values, seed, charge in (
                ("", {}, {}, 0),
                (", c = abcdefghij", {}, {"abcdefghij": ten}, 19 + 1 + 1 + 14 + 10),
                (", c = m.z", {}, {"m": {"M": {"z": ten}}}, 19 + 1 + 1 + 2 * 15),
                (", l[1] = :v", {":v": ten}, {"l": {"L": [ten, ten]}}, 19 + 1 + 4 + 1 + 10),
                (", l = list_append(l, :v)", {":v": {"L": [ten]}}, {"l": {"L": [ten]}}, 19 + 1 + 37 + 16 + 14),
                (", c = if_not_exists(c, :v)", {":v": ten}, {}, 19 + 1 + 39 + 16 + 10),
                (", n = n + :v", {":v": {"N": "1"}}, {"n": {"N": "12345678901234567890"}}, 19 + 1 + 34 + 16 + 2),
                (", n = n - :v", {":v": {"N": "1"}}, {"n": {"N": "1"}}, 19 + 1 + 37 + 16 + 2),
                (" ADD ss :v", {":v": {"SS": ["p" * 5, "s" * 500]}}, {"ss": {"SS": ["p" * 5]}}, 19 + 2 + 500),
                (" REMOVE m.yyyyy", {}, {"m": {"M": {"yyyyy": ten}}}, 1 + 1 + 4 + 5),
                (" DELETE ss :v", {":v": {"SS": ["p"]}}, {"ss": {"SS": ["p", "q"]}}, 1 + 2)):
            key = {"pk": s("K")}
            free = 409600 - 3 - 19 - 1 - charge
            for more, answer in ((0, {}), (1, "Item size to update has exceeded the maximum allowed size")):
                self.ask("PutItem", {"TableName": "hash", "Item": {**key, **seed}})
                got = self.ask("UpdateItem", {
                    "TableName": "hash", "Key": key, "UpdateExpression": "SET b = :pad" + clause,
                    "ExpressionAttributeValues": {**values, ":pad": s("x" * (free + more))}})
                with self.subTest(clause, more=more):
                    self.assertEqual(got.get("message", got), answer)

    def test_too_many_digits_of_a_sum_are_an_overflow(self):
        for sign in "+-":
            self.says("UpdateItem", {"TableName": "hash", "Key": KEY, "UpdateExpression": f"SET b = :a {sign} :b",
                                     "ExpressionAttributeValues": {":a": {"N": "1e50"}, ":b": {"N": "1"}}},
                      VALIDATION, OVERFLOW)

    def test_key_conditions_may_have_no_more_parentheses_than_others(self):
        for condition, more in (("((pk = :p))", {}), ("(pk = :p) AND ((sk = :s))", {":s": {"N": "1"}})):
            self.says("Query", {"TableName": "both", "KeyConditionExpression": condition,
                                "ExpressionAttributeValues": {":p": s("a"), **more}},
                      VALIDATION, "Invalid KeyConditionExpression: The expression has redundant parentheses;")

    def test_select_of_a_query_is_said_otherwise_than_of_a_scan(self):
        text = "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        self.says("Scan", {"TableName": "hash", "Select": "SPECIFIC_ATTRIBUTES"}, VALIDATION, text)
        self.says("Query", {"TableName": "hash", "Select": "SPECIFIC_ATTRIBUTES", "KeyConditionExpression": "pk = :p",
                            "ExpressionAttributeValues": {":p": s("a")}}, VALIDATION, one(text))

    def test_bodies_may_be_compressed(self):
        body = json.dumps({"TableName": "hash", "Item": {"pk": s("gzip"), "a": s("x" * 20000)}}).encode()
        two = gzip.compress(body[:10]) + gzip.compress(body[10:])
        for data, encoding in ((gzip.compress(body), "gzip"), (two, "gzip"), (zlib.compress(body), "deflate")):
            self.assertEqual(self.send("PutItem", data, **{"Content-Encoding": encoding}), (200, {}))
        for data, encoding in ((body, "gzip"), (two[:-1], "gzip"), (b"", "gzip"), (body, "garbage"), (body, "deflate")):
            status, answer = self.send("PutItem", data, **{"Content-Encoding": encoding})
            self.assertEqual((status, answer["__type"].split("#")[-1]), (500, "InternalServerError"))

    def test_bodies_have_16_mb(self):
        body = json.dumps({"TableName": "hash", "Item": KEY}).encode()
        self.assertEqual(self.send("PutItem", body + b" " * (16 << 20))[0], 413)

    def test_what_is_not_signed_is_a_bad_request(self):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("POST", "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables",
                                                "Content-Type": "application/x-amz-json-1.0"})
        response = connection.getresponse()
        body = response.read()
        self.assertEqual((response.status, response.headers["x-amz-crc32"]), (400, str(zlib.crc32(body))))
        self.assertEqual(json.loads(body), {
            "__type": "com.amazon.coral.service#MissingAuthenticationTokenException",
            "message": "Request is missing Authentication Token"})
        connection.close()

    def test_a_client_that_asks_for_endpoints_stays_here(self):
        self.assertEqual(self.ask("DescribeEndpoints", {}),
                         {"Endpoints": [{"Address": self.host, "CachePeriodInMinutes": 1440}]})

    def test_what_is_no_json_or_no_operation_has_no_message(self):
        self.assertEqual(self.send("PutItem", b"}{"),
                         (400, {"__type": "com.amazon.coral.service#SerializationException"}))
        self.assertEqual(self.send("Nothing", b"{}"),
                         (400, {"__type": "com.amazon.coral.service#UnknownOperationException"}))

    def test_tags(self):
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/"
        self.says("TagResource", {"Tags": []}, VALIDATION, "Invalid TableArn")
        self.says("TagResource", {"ResourceArn": arn + "absent"}, VALIDATION,
                  one("Value null at 'tags' failed to satisfy constraint: Member must not be null"))
        self.says("TagResource", {"ResourceArn": arn + "ab", "Tags": []}, VALIDATION,
                  f"Invalid TableArn: Invalid ResourceArn provided as input {arn}ab")
        self.says("UntagResource", {"ResourceArn": arn + "absent", "TagKeys": []}, VALIDATION,
                  "Atleast one Tag Key needs to be provided as Input.")
        self.says("ListTagsOfResource", {"ResourceArn": "nonsense"}, VALIDATION,
                  "ARNs must start with 'arn:': nonsense")
        answer = self.ask("ListTagsOfResource", {"ResourceArn": "arn:nonsense"})
        self.assertEqual(answer["__type"].split("#")[-1], "AccessDeniedException")
        self.assertIn("is not authorized to perform: dynamodb:ListTagsOfResource on resource: arn:nonsense",
                      answer["Message"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
