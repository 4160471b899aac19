"""What public suites and Amazon's own DynamoDB Local ask of DynamoDB, and was answered otherwise here once."""
import sys
import unittest

import cloud as clouds

try:
    import boto3
    from botocore.exceptions import ClientError
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

VALIDATION = "ValidationException"


def text(value):
    return {"S": value}


class FactsTest(clouds.Case):
    clients = {"client": "dynamodb"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.create_table(
            TableName="tab", KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")

    def key(self):
        FactsTest.count += 1
        return {"p": text(f"key{self.count}")}

    def item(self, key):
        return self.client.get_item(TableName="tab", Key=key).get("Item")

    def test_what_only_deletes_makes_no_item(self):
        one = {":s": {"SS": ["a"]}}
        cases = [({"UpdateExpression": "REMOVE a"}, False),
                 ({"UpdateExpression": "DELETE a :s", "ExpressionAttributeValues": one}, False),
                 ({"AttributeUpdates": {"a": {"Action": "DELETE"}}}, False),
                 ({"AttributeUpdates": {"a": {"Action": "DELETE", "Value": one[":s"]}}}, False),
                 ({"UpdateExpression": "ADD a :s REMOVE b", "ExpressionAttributeValues": one}, True),
                 ({"AttributeUpdates": {}}, True), ({}, True)]
        for returned in ("ALL_NEW", "UPDATED_NEW"):
            for parameters, makes in cases:
                with self.subTest(returned=returned, **parameters):
                    key = self.key()
                    answer = self.client.update_item(TableName="tab", Key=key, ReturnValues=returned, **parameters)
                    self.assertEqual(self.item(key) is not None, makes)
                    if not makes or (returned == "ALL_NEW"):
                        self.assertEqual("Attributes" in answer, makes)

    def test_a_path_is_looked_at_where_there_is_an_item(self):
        for path in ("a.b", "a[0]", "a.b.c, d"):
            with self.subTest(path):
                key = self.key()
                self.client.update_item(TableName="tab", Key=key, UpdateExpression="REMOVE " + path)
                self.assertIsNone(self.item(key))
                self.client.put_item(TableName="tab", Item=key)
                message = self.refused(VALIDATION, self.client.update_item, TableName="tab", Key=key,
                                       UpdateExpression="REMOVE " + path)
                self.assertIn("document path provided in the update expression is invalid", message)

    def test_names_that_begin_with_an_underscore_need_placeholders(self):
        one, values = {"TableName": "tab", "Key": self.key()}, {"ExpressionAttributeValues": {":v": text("v")}}
        for operation, parameters, kind, near in (
                ("update_item", {"UpdateExpression": "SET _a = :v", **values}, "Update", "SET _a"),
                ("update_item", {"UpdateExpression": "SET b._1 = :v", **values}, "Update", "._1"),
                ("update_item", {"UpdateExpression": "REMOVE __t"}, "Update", "REMOVE __"),
                ("update_item", {"UpdateExpression": "SET a=_f(b)"}, "Update", "=_f"),
                ("delete_item", {"ConditionExpression": "attribute_exists(_a)"}, "Condition", "(_a"),
                ("get_item", {"ProjectionExpression": "_a"}, "Projection", "_a")):
            with self.subTest(**parameters):
                message = self.refused(VALIDATION, getattr(self.client, operation), **one, **parameters)
                self.assertTrue(message.endswith(
                    f'Invalid {kind}Expression: Syntax error; token: "_", near: "{near}"'), message)
        self.client.update_item(**one, UpdateExpression="SET a_ = :_, #_ = :_", ExpressionAttributeNames={"#_": "_a"},
                                ExpressionAttributeValues={":_": text("v")})
        self.assertEqual(self.item(one["Key"]), {**one["Key"], "a_": text("v"), "_a": text("v")})

    def test_words_of_sections_are_no_names(self):
        one = {"TableName": "tab", "Key": self.key()}
        for operation, name, expression, token, near in (
                ("update_item", "Update", "SET a = set", "set", "= set"),
                ("update_item", "Update", "REMOVE a, Delete", "Delete", ", Delete"),
                ("update_item", "Update", "SET a.add = b", "add", ".add ="),
                ("get_item", "Projection", "remove, b", "remove", "remove,")):
            with self.subTest(expression):
                message = self.refused(VALIDATION, getattr(self.client, operation), **one,
                                       **{name + "Expression": expression})
                self.assertTrue(message.endswith(
                    f'Invalid {name}Expression: Syntax error; token: "{token}", near: "{near}"'), message)

    def test_paths_that_overlap_are_told_before_those_that_conflict(self):
        one = {"TableName": "tab", "Key": self.key()}
        for operation, parameters in (("update_item", {"UpdateExpression": "REMOVE a.b, a[1], c, c.d"}),
                                      ("get_item", {"ProjectionExpression": "a.b, a[1], c, c.d"})):
            message = self.refused(VALIDATION, getattr(self.client, operation), **one, **parameters)
            self.assertIn("overlap with each other; must remove or rewrite one of these paths; "
                          "path one: [c], path two: [c, d]", message)

    def test_no_update_reaches_into_keys(self):
        definition = [{"AttributeName": name, "AttributeType": "S"} for name in "pi"]
        keys = [{"AttributeName": "p", "KeyType": "HASH"}], [{"AttributeName": "i", "KeyType": "HASH"}]
        self.client.create_table(
            TableName="reach", KeySchema=keys[0], AttributeDefinitions=definition, BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[{"IndexName": "index", "KeySchema": keys[1],
                                     "Projection": {"ProjectionType": "ALL"}}])
        scalar = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
        fixed = "Cannot update attribute p. This attribute is part of the key"
        for expression, words in (("ADD p.b :n", fixed), ("SET a = :n, p[0] = :n", fixed), ("SET p = p.b", fixed),
                                  ("ADD i.b :n", scalar + "IndexKey: i"), ("SET i[1] = :n", scalar + "IndexKey: i"),
                                  ("SET a = list_append(b, b), f = i[1]", scalar + "IndexKey: i"),
                                  ("SET a = p.b", scalar + "Key: p"), ("REMOVE i.c", scalar + "IndexKey: i")):
            with self.subTest(expression):
                values = {"ExpressionAttributeValues": {":n": {"N": "1"}}} if ":n" in expression else {}
                self.assertIn(words, self.refused(VALIDATION, self.client.update_item, TableName="reach",
                                                  Key=self.key(), UpdateExpression=expression, **values))

    def test_a_transaction_tells_of_no_item_where_the_projection_names_nothing(self):
        keys = [self.key() for _ in range(4)]
        for key in keys[:3]:
            self.client.put_item(TableName="tab", Item={**key, "a": text("v")})
        gets = [{"Get": {"TableName": "tab", "Key": key, "ProjectionExpression": names}}
                for key, names in zip(keys, ("b", "a", "a.b, c[1]", "a"))]
        answer = self.client.transact_get_items(TransactItems=gets)
        self.assertEqual(answer["Responses"], [{}, {"Item": {"a": text("v")}}, {}, {}])
        self.assertEqual(self.client.get_item(TableName="tab", Key=keys[0], ProjectionExpression="b")["Item"], {})

    def reasons(self, *actions):
        with self.assertRaises(ClientError) as caught:
            self.client.transact_write_items(TransactItems=list(actions))
        self.assertEqual(caught.exception.response["Error"]["Code"], "TransactionCanceledException")
        return [reason.get("Message", reason["Code"]) for reason in caught.exception.response["CancellationReasons"]]

    def test_the_first_action_that_does_not_fit_its_table_is_the_only_reason(self):
        def put(value, **more):
            return {"Put": {"TableName": "tab", "Item": {"p": value}, **more}}
        fails = put(text("absent"), ConditionExpression="attribute_exists(p)")
        renames = {"Update": {"TableName": "tab", "Key": {"p": text("x")}, "UpdateExpression": "REMOVE p"}}
        wrong = "One or more parameter values were invalid: "
        self.assertEqual(self.reasons(put({"N": "7"}), put({"N": "8"}), fails),
                         [wrong + "Type mismatch for key p expected: S actual: N", "None", "None"])
        self.assertEqual(self.reasons(fails, renames),
                         ["None", wrong + "Cannot update attribute p. This attribute is part of the key"])
        self.assertEqual(self.reasons(fails, put(text("y"))), ["The conditional request failed", "None"])

    def test_unprocessed_keys_are_a_request_again(self):
        large = text("x" * (300 * 1024 - 30))
        keys = [{"p": text(f"large{i:02}")} for i in range(60)]
        for at in range(0, 60, 20):
            self.client.batch_write_item(RequestItems={"tab": [
                {"PutRequest": {"Item": {**key, "d": large}}} for key in keys[at:at + 20]]})
        asked = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "p, #n",
                 "ExpressionAttributeNames": {"#n": "n"}}
        answer = self.client.batch_get_item(RequestItems={"tab": asked})
        self.assertEqual(len(answer["Responses"]["tab"]), 52)  # of 300 KB each, although little of them is asked for
        self.assertEqual(answer["UnprocessedKeys"], {"tab": {**asked, "Keys": keys[52:]}})
        rest = self.client.batch_get_item(RequestItems=answer["UnprocessedKeys"])
        self.assertEqual(rest["Responses"]["tab"], keys[52:])
        self.assertEqual(rest["UnprocessedKeys"], {})

    def test_names_in_lists_have_their_lengths(self):
        limits = "Member must satisfy constraint: [Member must have length less than or equal to %d, " \
                 "Member must have length greater than or equal to 1]"
        message = self.refused(
            VALIDATION, self.client.create_table, TableName="long", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "pg"],
            GlobalSecondaryIndexes=[{
                "IndexName": "one", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x" * 256]}}])
        self.assertIn("globalSecondaryIndexes.1.member.projection.nonKeyAttributes", message)
        self.assertIn(limits % 255, message)
        arn = self.client.describe_table(TableName="tab")["Table"]["TableArn"]
        message = self.refused(VALIDATION, self.client.untag_resource, ResourceArn=arn, TagKeys=["a", "x" * 129])
        self.assertIn(limits % 128, message)

    def test_tags_of_the_service_are_its_own(self):
        arn = self.client.describe_table(TableName="tab")["Table"]["TableArn"]
        self.refused(VALIDATION, self.client.tag_resource, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": "y"}])
        self.refused(VALIDATION, self.client.list_tags_of_resource, ResourceArn=arn, NextToken="x")
        message = self.refused(VALIDATION, self.client.list_tags_of_resource, ResourceArn="nothing")
        self.assertEqual(message, "ARNs must start with 'arn:': nothing")

    def test_updates_of_indexes_are_one_thing_each(self):
        def create(name, attribute):
            return {"Create": {"IndexName": name, "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
                               "Projection": {"ProjectionType": "ALL"}}}

        def define(**types):
            return [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]
        client, delete = self.client, {"Delete": {"IndexName": "absent"}}
        client.create_table(
            TableName="indexed", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=define(p="S", x="S"),
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[create("has", "x")["Create"]])
        cases = [
            (VALIDATION, "Only one of", [{**create("one", "y"), **delete}], define(y="S")),
            ("LimitExceededException", "Only 1 online index", [delete, {"Delete": {"IndexName": "another"}}], None),
            (VALIDATION, "not defined in AttributeDefinitions. Keys: [x], AttributeDefinitions: []",
             [create("one", "x")], None),
            (VALIDATION, "Attributes cannot be redefined.", [create("one", "x")], define(x="N"))]
        for code, wanted, updates, definitions in cases:
            with self.subTest(wanted=wanted):
                more = {"AttributeDefinitions": definitions} if definitions else {}
                message = self.refused(code, client.update_table, TableName="indexed",
                                       GlobalSecondaryIndexUpdates=updates, **more)
                self.assertIn(wanted, message)
        client.update_table(TableName="indexed", AttributeDefinitions=define(y="N", unused="S"),
                            GlobalSecondaryIndexUpdates=[create("one", "y")])
        table = client.describe_table(TableName="indexed")["Table"]
        self.assertEqual(table["AttributeDefinitions"], define(p="S", x="S", y="N"))

    def test_what_is_no_key_is_left_out_of_an_index_that_is_made_on_it(self):
        values = ["ok", "", "a" * 1024, "a" * 1025, "a" * 2048, "a" * 2049]
        client = self.client
        client.create_table(TableName="filled", BillingMode="PAY_PER_REQUEST",
                            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}])
        for i, value in enumerate(values):
            client.put_item(TableName="filled", Item={"p": text(str(i)), "x": text(value), "c": text("c")})
        for name, keys, held in (("hash", "x", "0234"), ("range", "cx", "02")):
            client.update_table(
                TableName="filled", AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "cx"],
                GlobalSecondaryIndexUpdates=[{"Create": {
                    "IndexName": name, "Projection": {"ProjectionType": "ALL"},
                    "KeySchema": [{"AttributeName": n, "KeyType": k} for n, k in zip(keys, ("HASH", "RANGE"))]}}])
            clouds.wait_until(lambda: client.describe_table(TableName="filled")["Table"]["TableStatus"] == "ACTIVE", 60)
            items = client.scan(TableName="filled", IndexName=name)["Items"]
            self.assertEqual("".join(sorted(item["p"]["S"] for item in items)), held)

    def test_size_of_a_string_is_in_units_of_utf_16(self):
        key = self.key()
        self.client.put_item(TableName="tab", Item={**key, "s": text("é𝄞")})
        for size, holds in (("3", True), ("2", False), ("6", False)):
            answer = self.client.query(
                TableName="tab", KeyConditionExpression="p = :p", FilterExpression="size(s) = :n",
                ExpressionAttributeValues={":p": key["p"], ":n": {"N": size}})
            self.assertEqual(answer["Count"], int(holds), size)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
