"""DynamoDB as boto3 sees it: refusals, items, pages, indexes, transactions, and a killed cloud."""
import concurrent.futures
import signal
import sys
import unittest

import cloud as clouds

try:
    import boto3
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
    from botocore.exceptions import ClientError
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]


def wire(**plain):
    return {name: TypeSerializer().serialize(value) for name, value in plain.items()}


def plain(item):
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def make(client, name, keys, **more):
    """keys: "h:S r:N", then attributes of indexes in more["also"]."""
    parts = [part.split(":") for part in keys.split()]
    also = [part.split(":") for part in more.pop("also", "").split()]
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": n, "KeyType": kind}
                   for (n, _), kind in zip(parts, ("HASH", "RANGE"))],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in parts + also],
        **more)
    client.get_waiter("table_exists").wait(TableName=name)


class DynamodbTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.client = cls.cloud.client(boto3, "dynamodb")
        make(cls.client, "people", "name:S")
        make(cls.client, "ranges", "h:S r:N")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def refused(self, code, message, operation, **parameters):
        with self.assertRaises(ClientError) as caught:
            getattr(self.client, operation)(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code)
        self.assertIn(message, error["Message"])

    def test_tables_change_one_at_a_time(self):
        """Deleting, making anew and updating a table at the same time leaves one that works."""
        schema = dict(TableName="restless", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                      AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        fine = ("ResourceNotFoundException", "ResourceInUseException",
                "ValidationException")  # the same throughput twice

        def quietly(call, **arguments):
            try:
                call(**arguments)
            except ClientError as error:
                self.assertIn(error.response["Error"]["Code"], fine)

        def rebuild(client):
            for _ in range(60):
                quietly(client.create_table, BillingMode="PAY_PER_REQUEST", **schema)
                quietly(client.delete_table, TableName="restless")

        def update(client):
            for n in range(200):
                throughput = {"ReadCapacityUnits": n + 1, "WriteCapacityUnits": 1}
                quietly(client.update_table, TableName="restless", BillingMode="PROVISIONED",
                        ProvisionedThroughput=throughput)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [pool.submit(job, self.cloud.client(boto3, "dynamodb"))
                    for job in (rebuild, update, update, rebuild)]
            for job in jobs:
                job.result()
        self.assertNotIn("restless", self.client.list_tables()["TableNames"])
        self.client.create_table(BillingMode="PAY_PER_REQUEST", **schema)
        self.client.put_item(TableName="restless", Item={"k": {"S": "x"}})
        self.client.delete_table(TableName="restless")
        self.assertNotIn("restless", self.client.list_tables()["TableNames"])

    def test_requests_that_aws_refuses_are_refused(self):
        missing = ("ResourceNotFoundException", "Requested resource not found")
        self.refused(*missing, "describe_table", TableName="absent")
        self.refused(*missing, "get_item", TableName="absent", Key=wire(name="a"))
        self.refused("ResourceInUseException", "Table already exists: people", "create_table",
                     TableName="people", BillingMode="PAY_PER_REQUEST",
                     KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
                     AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}])
        invalid = "ValidationException"
        self.refused(invalid, "Member must have length greater than or equal to 3", "scan",
                     TableName="ab")
        self.refused(invalid, "Missing the key name in the item", "put_item", TableName="people",
                     Item=wire(x="a"))
        self.refused(invalid, "Type mismatch for key name expected: S actual: N", "put_item",
                     TableName="people", Item=wire(name=1))
        self.refused(invalid, "cannot contain an empty string value. Key: name", "put_item",
                     TableName="people", Item=wire(name=""))
        self.refused(invalid, "Size of hashkey has exceeded the maximum size limit of2048 bytes",
                     "put_item", TableName="people", Item=wire(name="x" * 2049))
        self.refused(invalid, "Item size has exceeded the maximum allowed size", "put_item",
                     TableName="people", Item=wire(name="x", y="y" * 409600))
        self.refused(invalid, "The provided key element does not match the schema", "get_item",
                     TableName="people", Key=wire(name="x", y=1))
        self.refused(invalid, "unused in expressions: keys: {:v}", "put_item", TableName="people",
                     Item=wire(name="x"), ConditionExpression="attribute_exists(a)",
                     ExpressionAttributeValues={":v": {"S": "x"}})
        self.refused(invalid, "This attribute is part of the key", "update_item",
                     TableName="people", Key=wire(name="x"), UpdateExpression="SET #n = :v",
                     ExpressionAttributeNames={"#n": "name"},
                     ExpressionAttributeValues={":v": {"S": "y"}})
        self.refused(invalid, "Provided list of item keys contains duplicates",
                     "batch_write_item", RequestItems={"people": [
                         {"PutRequest": {"Item": wire(name="x")}}] * 2})

    def test_what_is_not_served_is_refused_by_name(self):
        self.refused("UnknownOperationException", "not supported by ken: ExecuteStatement",
                     "execute_statement", Statement="SELECT * FROM people")
        self.refused("UnknownOperationException", "not supported by ken: ListBackups",
                     "list_backups")
        self.refused("ValidationException", "not supported by ken: ReplicaUpdates",
                     "update_table", TableName="people",
                     ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])

    def test_broken_constraints_are_reported_together(self):
        self.refused("ValidationException", "3 validation errors detected: Value 'X' at "
                     "'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy "
                     "enum value set: [INDEXES, TOTAL, NONE]; ", "put_item", TableName="people",
                     Item=wire(name="a"), ReturnConsumedCapacity="X", ReturnValues="X",
                     ReturnItemCollectionMetrics="X")
        self.refused("ValidationException", "1 validation error detected: Value null at "
                     "'tableName' failed to satisfy constraint: Member must not be null",
                     "put_item", Item=wire(name="a"))
        self.refused("ValidationException", "The parameter 'TableName' is required but was not "
                     "present in the request", "describe_table")

    def test_legacy_parameters_mean_what_their_expressions_mean(self):
        self.client.put_item(TableName="people", Item=wire(name="old", n=1, tags={"a", "b"}))
        self.refused("ConditionalCheckFailedException", "The conditional request failed",
                     "put_item", TableName="people", Item=wire(name="old"),
                     Expected={"name": {"Exists": False}})
        self.refused("ValidationException", "Can not use both expression and non-expression "
                     "parameters in the same request: Non-expression parameters: {Expected} "
                     "Expression parameters: {ConditionExpression}", "put_item",
                     TableName="people", Item=wire(name="old"),
                     Expected={"name": {"Exists": False}}, ConditionExpression="attribute_exists(n)")
        self.refused("ValidationException", "Invalid number of argument(s) for the EQ "
                     "ComparisonOperator", "scan", TableName="people",
                     ScanFilter={"n": {"ComparisonOperator": "EQ", "AttributeValueList": []}})
        self.refused("ValidationException", "Attempted conditional constraint is not an indexable "
                     "operation", "query", TableName="people", KeyConditions={
                         "name": {"ComparisonOperator": "NE", "AttributeValueList": [{"S": "x"}]}})
        got = self.client.update_item(
            TableName="people", Key=wire(name="old"), ReturnValues="ALL_NEW",
            Expected={"n": {"ComparisonOperator": "LE", "AttributeValueList": [{"N": "1"}]}},
            AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "2"}},
                              "tags": {"Action": "DELETE", "Value": {"SS": ["a"]}},
                              "new": {"Value": {"S": "x"}}})
        self.assertEqual(plain(got["Attributes"]),
                         {"name": "old", "n": 3, "tags": {"b"}, "new": "x"})
        found = self.client.query(
            TableName="people", AttributesToGet=["n"], KeyConditions={
                "name": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "old"}]}},
            QueryFilter={"tags": {"ComparisonOperator": "CONTAINS",
                                  "AttributeValueList": [{"S": "b"}]}})
        self.assertEqual([plain(item) for item in found["Items"]], [{"n": 3}])

    def test_a_table_may_be_named_by_its_arn(self):
        arn = self.client.describe_table(TableName="people")["Table"]["TableArn"]
        self.client.put_item(TableName=arn, Item=wire(name="by-arn"))
        self.assertIn("Item", self.client.get_item(TableName=arn, Key=wire(name="by-arn")))
        self.refused("ResourceNotFoundException", "not found", "get_item", Key=wire(name="x"),
                     TableName=arn.replace("us-east-1", "eu-west-1"))

    def test_every_type_comes_back_as_it_went(self):
        from decimal import Decimal
        item = {"name": "types", "n": Decimal("-12345678901234567890123456789012345678"),
                "small": Decimal("1E-130"), "b": b"\0\xff", "t": True, "z": None,
                "l": ["\u00e9\0", {"m": []}], "m": {}, "ss": {"a", "b"}, "ns": {Decimal(1)},
                "bs": {b"x"}}
        self.client.put_item(TableName="people", Item=wire(**item))
        got = plain(self.client.get_item(TableName="people", Key=wire(name="types"))["Item"])
        got["b"] = bytes(got["b"].value)
        got["bs"] = {bytes(b.value) for b in got["bs"]}
        self.assertEqual(got, item)

    def test_conditions_guard_writes(self):
        put = dict(TableName="people", Item=wire(name="once", n=1),
                   ConditionExpression="attribute_not_exists(#n)",
                   ExpressionAttributeNames={"#n": "name"})
        self.client.put_item(**put)
        self.refused("ConditionalCheckFailedException", "The conditional request failed",
                     "put_item", **put)
        done = self.client.update_item(
            TableName="people", Key=wire(name="once"), UpdateExpression="SET n = n + :one",
            ConditionExpression="n = :one", ExpressionAttributeValues=wire(**{":one": 1}),
            ReturnValues="ALL_NEW")
        self.assertEqual(plain(done["Attributes"]), {"name": "once", "n": 2})
        old = self.client.delete_item(TableName="people", Key=wire(name="once"),
                                      ReturnValues="ALL_OLD")
        self.assertEqual(plain(old["Attributes"])["n"], 2)

    def test_concurrent_counting_loses_nothing(self):
        def add(_):
            self.client.update_item(TableName="people", Key=wire(name="counter"),
                                    UpdateExpression="ADD hits :one",
                                    ExpressionAttributeValues=wire(**{":one": 1}))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(80)))
        got = self.client.get_item(TableName="people", Key=wire(name="counter"))["Item"]
        self.assertEqual(plain(got)["hits"], 80)

    def test_queries_page_in_the_order_of_numbers(self):
        numbers = [-100, -9, -1, 0, 1, 2, 9, 10, 99, 100, 1000]
        for start in range(0, len(numbers), 25):
            self.client.batch_write_item(RequestItems={"ranges": [
                {"PutRequest": {"Item": wire(h="a", r=n)}} for n in numbers[start:start + 25]]})
        self.client.put_item(TableName="ranges", Item=wire(h="b", r=5))
        pages = self.client.get_paginator("query")

        def found(more="", **parameters):
            values = {":h": {"S": "a"}, **parameters.pop("values", {})}
            return [int(item["r"]["N"]) for page in pages.paginate(
                TableName="ranges", KeyConditionExpression="h = :h" + more,
                ExpressionAttributeValues=values, **parameters) for item in page["Items"]]
        self.assertEqual(found(), numbers)
        self.assertEqual(found(Limit=2), numbers)
        self.assertEqual(found(Limit=3, ScanIndexForward=False), numbers[::-1])
        self.assertEqual(found(" AND r > :r", values=wire(**{":r": 9})), [10, 99, 100, 1000])
        self.assertEqual(found(" AND (r > :r)", values=wire(**{":r": 99})), [100, 1000])
        self.assertEqual(found(" AND r BETWEEN :l AND :r", values=wire(**{":l": -1, ":r": 2})),
                         [-1, 0, 1, 2])

    def test_a_page_ends_at_a_megabyte_and_segments_share_a_scan(self):
        make(self.client, "big", "k:S")
        for i in range(30):
            self.client.put_item(TableName="big", Item=wire(k=str(i), v="x" * 100000))
        first = self.client.scan(TableName="big")
        self.assertEqual(first["Count"], 11)
        self.assertIn("LastEvaluatedKey", first)
        pages = list(self.client.get_paginator("scan").paginate(TableName="big"))
        self.assertEqual(sum(page["Count"] for page in pages), 30)
        seen = [item["k"]["S"] for segment in range(3)
                for page in self.client.get_paginator("scan").paginate(
                    TableName="big", Segment=segment, TotalSegments=3) for item in page["Items"]]
        self.assertEqual(sorted(seen), sorted(map(str, range(30))))
        described = self.client.describe_table(TableName="big")["Table"]
        self.assertEqual(described["ItemCount"], 30)
        self.client.delete_table(TableName="big")
        self.client.get_waiter("table_not_exists").wait(TableName="big")

    def test_indexes_follow_their_items(self):
        make(self.client, "indexed", "id:S", also="team:S score:N", GlobalSecondaryIndexes=[{
            "IndexName": "by-team", "Projection": {"ProjectionType": "KEYS_ONLY"},
            "KeySchema": [{"AttributeName": "team", "KeyType": "HASH"},
                          {"AttributeName": "score", "KeyType": "RANGE"}]}])
        for i, score in enumerate((30, 10, 20, 20)):
            self.client.put_item(TableName="indexed",
                                 Item=wire(id=str(i), team="red", score=score, secret="s"))
        self.client.put_item(TableName="indexed", Item=wire(id="none", team="red"))

        def of_team(team):
            return [plain(item) for page in self.client.get_paginator("query").paginate(
                TableName="indexed", IndexName="by-team", KeyConditionExpression="team = :t",
                ExpressionAttributeValues=wire(**{":t": team}), Limit=1)
                for item in page["Items"]]
        self.assertEqual([item["score"] for item in of_team("red")], [10, 20, 20, 30])
        self.assertEqual(set(of_team("red")[0]), {"id", "team", "score"})
        self.client.update_item(TableName="indexed", Key=wire(id="1"),
                                UpdateExpression="SET team = :t",
                                ExpressionAttributeValues=wire(**{":t": "blue"}))
        self.client.delete_item(TableName="indexed", Key=wire(id="0"))
        self.assertEqual([item["id"] for item in of_team("blue")], ["1"])
        self.assertEqual([item["score"] for item in of_team("red")], [20, 20])

    def test_an_index_gives_what_it_holds(self):
        make(self.client, "held", "h:S r:S", also="g:S l:S", GlobalSecondaryIndexes=[{
            "IndexName": "global", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"}}], LocalSecondaryIndexes=[{
                "IndexName": "local", "KeySchema": [{"AttributeName": "h", "KeyType": "HASH"},
                                                    {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"}}])
        self.addCleanup(self.client.delete_table, TableName="held")
        self.client.put_item(TableName="held", Item=wire(h="x", r="x", g="x", l="x", a="x",
                                                         big="x" * 5000))
        on_global = dict(TableName="held", IndexName="global", KeyConditionExpression="g = :x",
                         ExpressionAttributeValues=wire(**{":x": "x"}),
                         ReturnConsumedCapacity="INDEXES")
        on_local = {**on_global, "IndexName": "local", "KeyConditionExpression": "h = :x"}
        for where in (on_global, on_local):
            self.refused("ValidationException", f"Secondary index {where['IndexName']} does not "
                         "project one or more filter attributes: [a, b]", "query", **where,
                         FilterExpression="a = :x AND attribute_exists(b) AND a <> :x")
        self.refused("ValidationException", "Global secondary index global does not project "
                     "[a, b]", "query", **on_global, ProjectionExpression="a, b, h")
        held = self.client.query(**on_global)
        self.assertEqual(set(held["Items"][0]), {"h", "r", "g"})
        self.assertEqual(held["ConsumedCapacity"]["CapacityUnits"], 0.5)
        fetched = self.client.query(**on_local, ProjectionExpression="a")
        self.assertEqual([plain(item) for item in fetched["Items"]], [{"a": "x"}])
        used = fetched["ConsumedCapacity"]
        self.assertEqual((used["CapacityUnits"], used["Table"]["CapacityUnits"],
                          used["LocalSecondaryIndexes"]["local"]["CapacityUnits"]), (1.5, 1, 0.5))

    def test_transactions_are_all_or_nothing(self):
        items = [{"Put": {"TableName": "people", "Item": wire(name="t1")}},
                 {"ConditionCheck": {"TableName": "people", "Key": wire(name="t2"),
                                     "ConditionExpression": "attribute_exists(x)"}}]
        with self.assertRaises(ClientError) as caught:
            self.client.transact_write_items(TransactItems=items)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], "TransactionCanceledException")
        self.assertEqual([r["Code"] for r in response["CancellationReasons"]],
                         ["None", "ConditionalCheckFailed"])
        self.assertNotIn("Item", self.client.get_item(TableName="people", Key=wire(name="t1")))
        self.client.transact_write_items(TransactItems=items[:1])
        got = self.client.transact_get_items(TransactItems=[
            {"Get": {"TableName": "people", "Key": wire(name="t1")}},
            {"Get": {"TableName": "people", "Key": wire(name="t2")}}])
        self.assertEqual(["Item" in r for r in got["Responses"]], [True, False])

    def test_a_transaction_says_why_for_each_action(self):
        self.client.put_item(TableName="people", Item=wire(name="r1", n=1))
        exists = {"ConditionExpression": "attribute_not_exists(n)",
                  "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        with self.assertRaises(ClientError) as caught:
            self.client.transact_write_items(TransactItems=[
                {"Put": {"TableName": "people", "Item": wire(name="r1"), **exists}},
                {"Put": {"TableName": "people", "Item": wire(name="r2")}},
                {"Update": {"TableName": "people", "Key": wire(name="r3"),
                            "UpdateExpression": "SET absent.x = :v",
                            "ExpressionAttributeValues": wire(**{":v": 1})}}])
        reasons = caught.exception.response["CancellationReasons"]
        self.assertEqual([r["Code"] for r in reasons],
                         ["ConditionalCheckFailed", "None", "ValidationError"])
        self.assertEqual(plain(reasons[0]["Item"]), {"name": "r1", "n": 1})
        self.assertIn("document path provided in the update expression is invalid",
                      reasons[2]["Message"])
        self.assertIn("[ConditionalCheckFailed, None, ValidationError]",
                      caught.exception.response["Error"]["Message"])
        self.refused("ValidationException", "cannot contain an empty string value. Key: name",
                     "transact_write_items",
                     TransactItems=[{"Put": {"TableName": "people", "Item": wire(name="")}}])
        self.refused("ValidationException", "multiple operations on one item",
                     "transact_write_items", TransactItems=[
                         {"Put": {"TableName": "people", "Item": wire(name="r3")}}] * 2)

    def test_gets_of_a_transaction_are_checked_like_its_writes(self):
        get = {"Get": {"TableName": "people", "Key": wire(name="r1")}}
        self.refused("ValidationException", "multiple operations on one item",
                     "transact_get_items", TransactItems=[get, get])
        self.refused("TransactionCanceledException", "[None, ValidationError]",
                     "transact_get_items", TransactItems=[
                         get, {"Get": {"TableName": "people", "Key": {}}}])
        used = self.client.transact_get_items(TransactItems=[get], ReturnConsumedCapacity="TOTAL")
        self.assertEqual(used["ConsumedCapacity"], [
            {"TableName": "people", "CapacityUnits": 2, "ReadCapacityUnits": 2}])

    def test_a_repeated_transaction_is_done_once(self):
        add = [{"Update": {"TableName": "people", "Key": wire(name="once-only"),
                           "UpdateExpression": "ADD n :one",
                           "ExpressionAttributeValues": wire(**{":one": 1})}}]
        for _ in range(3):
            self.client.transact_write_items(TransactItems=add, ClientRequestToken="token-1")
        got = self.client.get_item(TableName="people", Key=wire(name="once-only"))["Item"]
        self.assertEqual(plain(got)["n"], 1)
        add[0]["Update"]["ExpressionAttributeValues"] = wire(**{":one": 2})
        self.refused("IdempotentParameterMismatchException", "", "transact_write_items",
                     TransactItems=add, ClientRequestToken="token-1")
        failing = [{"ConditionCheck": {"TableName": "people", "Key": wire(name="never"),
                                       "ConditionExpression": "attribute_exists(n)"}}]
        for _ in range(2):  # what failed may be tried again
            self.refused("TransactionCanceledException", "", "transact_write_items",
                         TransactItems=failing, ClientRequestToken="token-2")

    def test_capacity_counts_indexes_and_collections(self):
        make(self.client, "counted", "h:S r:S", also="g:S l:S", GlobalSecondaryIndexes=[{
            "IndexName": "global", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["p"]}}],
            LocalSecondaryIndexes=[{
                "IndexName": "local", "KeySchema": [{"AttributeName": "h", "KeyType": "HASH"},
                                                    {"AttributeName": "l", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"}}])
        self.addCleanup(self.client.delete_table, TableName="counted")

        def units(answer):
            used = answer["ConsumedCapacity"]
            arms = (used.get(kind, {}) for kind in ("GlobalSecondaryIndexes",
                                                    "LocalSecondaryIndexes"))
            return (used["CapacityUnits"], used["Table"]["CapacityUnits"],
                    *(sum(index["CapacityUnits"] for index in arm.values()) for arm in arms))

        item = wire(h="h", r="r", g="g", l="l", p="p", o="o")
        put = dict(TableName="counted", Item=item, ReturnConsumedCapacity="INDEXES")
        self.assertEqual(units(self.client.put_item(**put)), (3, 1, 1, 1))
        self.assertEqual(units(self.client.put_item(**put)), (1, 1, 0, 0))

        def update(expression, **values):
            return units(self.client.update_item(
                TableName="counted", Key=wire(h="h", r="r"), UpdateExpression=expression,
                ReturnConsumedCapacity="INDEXES",
                **({"ExpressionAttributeValues": wire(**{":v": values["v"]})} if values else {})))
        self.assertEqual(update("SET o = :v", v="o2"), (2, 1, 0, 1))
        self.assertEqual(update("SET p = :v", v="p2"), (3, 1, 1, 1))
        self.assertEqual(update("SET g = :v", v="g2"), (4, 1, 2, 1))
        self.assertEqual(update("REMOVE g"), (3, 1, 1, 1))
        self.assertEqual(update("SET l = :v", v="l2"), (3, 1, 0, 2))
        done = self.client.transact_write_items(
            TransactItems=[{"Put": {"TableName": "counted", "Item": wire(h="t", r="r")}}],
            ReturnConsumedCapacity="TOTAL", ReturnItemCollectionMetrics="SIZE")
        self.assertEqual(done["ConsumedCapacity"], [
            {"TableName": "counted", "CapacityUnits": 2, "WriteCapacityUnits": 2}])
        self.assertEqual(done["ItemCollectionMetrics"], {"counted": [
            {"ItemCollectionKey": wire(h="t"), "SizeEstimateRangeGB": [0, 1]}]})

    def test_an_item_may_be_as_large_as_its_limit(self):
        for number, size in (("0", 1), ("-42", 3), ("3.14159", 5), ("100.5", 4), ("1E125", 2),
                             ("0.0000001", 2), ("12345678901234567890123456789012345678", 20)):
            free = 409600 - len("namelimitnp") - size
            item = {"name": {"S": "limit"}, "n": {"N": number}, "p": {"S": "x" * free}}
            self.client.put_item(TableName="people", Item=item)
            item["p"]["S"] += "x"
            self.refused("ValidationException", "Item size has exceeded", "put_item",
                         TableName="people", Item=item)
        self.client.delete_item(TableName="people", Key=wire(name="limit"))

    def test_batches_that_break_limits_are_refused(self):
        self.refused("ValidationException", "The requestItems parameter is required for "
                     "BatchWriteItem", "batch_write_item", RequestItems={})
        put = {"PutRequest": {"Item": wire(name="x")}}
        self.refused("ValidationException", "Map value must satisfy constraint: [Member must have "
                     "length less than or equal to 25, Member must have length greater than or "
                     "equal to 1]", "batch_write_item", RequestItems={"people": [put] * 26})
        self.refused("ValidationException", "Value at 'RequestItems.people.member.Keys' failed to "
                     "satisfy constraint: Member must have length less than or equal to 100",
                     "batch_get_item", RequestItems={"people": {"Keys": [wire(name="x")] * 101}})
        self.refused("ValidationException", "The provided key element does not match the schema",
                     "batch_write_item", RequestItems={
                         "people": [{"PutRequest": {"Item": wire(name=5)}}]})

    def test_batches_read_what_they_wrote(self):
        names = [f"batch{i}" for i in range(25)]
        self.client.batch_write_item(RequestItems={"people": [
            {"PutRequest": {"Item": wire(name=name)}} for name in names]})
        got = self.client.batch_get_item(RequestItems={"people": {"Keys": [
            wire(name=name) for name in [*names, "absent"]]}})
        self.assertEqual(sorted(i["name"]["S"] for i in got["Responses"]["people"]), sorted(names))
        self.assertEqual(got["UnprocessedKeys"], {})

    def test_tables_are_listed_tagged_and_changed(self):
        names = [n for page in self.client.get_paginator("list_tables").paginate(
            PaginationConfig={"PageSize": 1}) for n in page["TableNames"]]
        self.assertLessEqual({"people", "ranges"}, set(names))
        arn = self.client.describe_table(TableName="people")["Table"]["TableArn"]
        self.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(self.client.list_tags_of_resource(ResourceArn=arn)["Tags"],
                         [{"Key": "a", "Value": "b"}])
        changed = self.client.update_table(TableName="people", BillingMode="PROVISIONED",
                                           ProvisionedThroughput={"ReadCapacityUnits": 3,
                                                                  "WriteCapacityUnits": 4})
        self.assertEqual(
            changed["TableDescription"]["ProvisionedThroughput"]["WriteCapacityUnits"], 4)

    def test_what_was_acknowledged_survives_a_kill(self):
        with clouds.Cloud(KEN) as cloud:
            client = cloud.client(boto3, "dynamodb")
            make(client, "kept", "k:N")
            make(client, "kept2", "k:N")
            for i in range(50):
                client.put_item(TableName="kept", Item=wire(k=i))
            cloud.stop(signal.SIGKILL)
            cloud.start()
            client = cloud.client(boto3, "dynamodb")
            self.assertEqual(client.scan(TableName="kept", Select="COUNT")["Count"], 50)
            self.assertEqual(client.describe_table(TableName="kept")["Table"]["ItemCount"], 50)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
