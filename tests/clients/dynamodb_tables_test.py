"""Changes of DynamoDB's tables as boto3 sees them: indexes made on data, times to live, throughput."""
import signal
import sys
import threading
import time
import unittest

import cloud as clouds

try:
    import boto3
    from botocore.exceptions import ClientError
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]


def attributes(**types):
    return [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]


def keys(*names):
    return [{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"))]


def index(name, *of, **projection):
    return {"IndexName": name, "KeySchema": keys(*of),
            "Projection": projection or {"ProjectionType": "ALL"}}


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.client = cls.cloud.client(boto3, "dynamodb")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def make(self, name, **more):
        self.client.create_table(**{
            "TableName": name, "KeySchema": keys("h"), "AttributeDefinitions": attributes(h="S"),
            "BillingMode": "PAY_PER_REQUEST", **more})
        self.addCleanup(self.drop, name)

    def drop(self, name):
        try:
            self.client.delete_table(TableName=name)
        except self.client.exceptions.ResourceNotFoundException:
            pass

    def refused(self, code, message, operation, **parameters):
        with self.assertRaises(ClientError) as caught:
            getattr(self.client, operation)(**parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code)
        self.assertIn(message, error["Message"])

    def described(self, name):
        return self.client.describe_table(TableName=name)["Table"]

    def active(self, name):
        return clouds.wait_until(lambda: self.described(name)["TableStatus"] == "ACTIVE" and
                                 self.described(name))

    def put(self, table, count, start=0, **more):
        for at in range(start, start + count, 25):
            self.client.batch_write_item(RequestItems={table: [
                {"PutRequest": {"Item": {"h": {"S": f"{i:05}"}, "g": {"N": str(i % 3)}, **more}}}
                for i in range(at, min(at + 25, start + count))]})

    def found(self, table, name, value):
        pages = self.client.get_paginator("query").paginate(
            TableName=table, IndexName=name, KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"N": str(value)}})
        return [item["h"]["S"] for page in pages for item in page["Items"]]

    def add_index(self, table, made):
        return self.client.update_table(
            TableName=table, AttributeDefinitions=attributes(g="N", h="S"),
            GlobalSecondaryIndexUpdates=[{"Create": made}])["TableDescription"]


class TablesTest(Base):
    def test_an_index_made_on_data_holds_it(self):
        self.make("filled")
        self.put("filled", 1200)
        self.client.put_item(TableName="filled", Item={"h": {"S": "none"}})
        self.client.put_item(TableName="filled", Item={"h": {"S": "text"}, "g": {"S": "no number"}})
        changed = self.add_index("filled", index("by-g", "g", ProjectionType="KEYS_ONLY"))
        self.assertEqual(changed["TableStatus"], "UPDATING")
        self.assertEqual(changed["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING")
        table = self.active("filled")
        self.assertEqual(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE")
        self.assertNotIn("Backfilling", table["GlobalSecondaryIndexes"][0])
        self.assertFalse([n for n in str(table).split("'") if n.startswith("ken:")])
        self.assertEqual([len(self.found("filled", "by-g", g)) for g in range(3)], [400] * 3)
        self.client.update_item(TableName="filled", Key={"h": {"S": "none"}},
                                UpdateExpression="SET g = :g",
                                ExpressionAttributeValues={":g": {"N": "9"}})
        self.assertEqual(self.found("filled", "by-g", 9), ["none"])
        self.refused("ValidationException", "Type mismatch for Index Key g Expected: N Actual: S "
                     "IndexName: by-g", "put_item", TableName="filled",
                     Item={"h": {"S": "x"}, "g": {"S": "x"}})

    def test_writes_while_an_index_is_filled_are_in_it(self):
        self.make("busy")
        self.put("busy", 1500)
        stop, written = threading.Event(), []

        def write():
            client, i = self.cloud.client(boto3, "dynamodb"), 0
            while not stop.is_set():
                client.put_item(TableName="busy", Item={"h": {"S": f"w{i}"}, "g": {"N": "7"}})
                client.delete_item(TableName="busy", Key={"h": {"S": f"{i:05}"}})
                written.append(f"w{i}")
                i += 1
        writers = [threading.Thread(target=write)]
        for writer in writers:
            writer.start()
        try:
            self.add_index("busy", index("by-g", "g"))
            self.active("busy")
            time.sleep(0.1)
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertEqual(set(self.found("busy", "by-g", 7)), set(written))
        left = [h for g in range(3) for h in self.found("busy", "by-g", g)]
        self.assertEqual(len(left), 1500 - min(len(written), 1500))

    def test_indexes_say_what_they_hold(self):
        def sizes():
            table = self.described("sized")
            return {index["IndexName"]: (index["ItemCount"], index["IndexSizeBytes"])
                    for index in table.get("LocalSecondaryIndexes", []) + table["GlobalSecondaryIndexes"]}
        self.client.create_table(
            TableName="sized", BillingMode="PAY_PER_REQUEST", KeySchema=keys("h", "r"),
            AttributeDefinitions=attributes(h="S", r="S", g="S"),
            LocalSecondaryIndexes=[index("local", "h", "g")],
            GlobalSecondaryIndexes=[index("all", "g"), index("keys", "g", "r", ProjectionType="KEYS_ONLY"), index(
                "some", "g", ProjectionType="INCLUDE", NonKeyAttributes=["n"])])
        self.addCleanup(self.drop, "sized")
        self.assertEqual(set(sizes().values()), {(0, 0)})
        for r, more in (("1", {"g": {"S": "gg"}, "n": {"N": "12"}, "x": {"S": "x" * 100}}), ("2", {"n": {"N": "12"}}),
                        ("3", {"g": {"S": "g"}})):
            self.client.put_item(TableName="sized", Item={"h": {"S": "h"}, "r": {"S": r}, **more})
        one, three = 4 + 3, 4 + 2  # h, r and g: names and values
        self.assertEqual(sizes(), {"local": (2, one + 3 + 101 + three), "all": (2, one + 3 + 101 + three),
                                   "keys": (2, one + three), "some": (2, one + 3 + three)})
        self.client.delete_item(TableName="sized", Key={"h": {"S": "h"}, "r": {"S": "1"}})
        self.assertEqual(set(sizes().values()), {(1, three)})

    def test_sizes_of_large_indexes_are_counted_beside(self):
        self.make("large", AttributeDefinitions=attributes(h="S", g="N"), GlobalSecondaryIndexes=[index("by-g", "g")])
        self.put("large", 10025)
        of = lambda: self.described("large")["GlobalSecondaryIndexes"][0].get("ItemCount")
        clouds.wait_until(lambda: of() == 10025, 60)

    def test_indexes_come_and_go(self):
        self.make("going")
        self.put("going", 30)
        for name in ("one", "two"):
            self.add_index("going", index(name, "g"))
            self.active("going")
        self.client.update_table(TableName="going", GlobalSecondaryIndexUpdates=[
            {"Delete": {"IndexName": "one"}}])
        self.active("going")
        self.refused("ValidationException", "does not have the specified index: one", "query",
                     TableName="going", IndexName="one", KeyConditionExpression="g = :g",
                     ExpressionAttributeValues={":g": {"N": "1"}})
        self.assertEqual(len(self.found("going", "two", 1)), 10)
        self.put("going", 30, start=30)
        self.add_index("going", index("three", "g", "h"))
        self.active("going")
        self.assertEqual(len(self.found("going", "two", 1)), 20)
        self.assertEqual(len(self.found("going", "three", 1)), 20)
        self.client.update_table(TableName="going", GlobalSecondaryIndexUpdates=[
            {"Delete": {"IndexName": "two"}}])
        self.client.update_table(TableName="going", GlobalSecondaryIndexUpdates=[
            {"Delete": {"IndexName": "three"}}])
        table = self.active("going")
        self.assertNotIn("GlobalSecondaryIndexes", table)
        self.assertEqual(table["AttributeDefinitions"], attributes(h="S"))

    def test_wrong_changes_are_refused(self):
        self.make("wrong", GlobalSecondaryIndexes=[index("there", "g")],
                  AttributeDefinitions=attributes(h="S", g="N"))
        wrong = dict(operation="update_table", TableName="wrong")
        self.refused("ValidationException", "At least one of ProvisionedThroughput", **wrong)
        self.refused("ValidationException", "already exists", **wrong,
                     GlobalSecondaryIndexUpdates=[{"Create": index("there", "g")}])
        self.refused("ValidationException", "Some index key attribute", **wrong,
                     GlobalSecondaryIndexUpdates=[{"Create": index("new", "undefined")}])
        self.refused("ResourceNotFoundException", "absent", **wrong,
                     GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "absent"}}])
        self.refused("LimitExceededException", "Only 1 online index", **wrong,
                     AttributeDefinitions=attributes(h="S", g="N"), GlobalSecondaryIndexUpdates=[
                         {"Create": index(name, "g")} for name in ("new1", "new2")])
        self.refused("ValidationException", "Neither ReadCapacityUnits nor WriteCapacityUnits",
                     **wrong, ProvisionedThroughput={"ReadCapacityUnits": 1,
                                                     "WriteCapacityUnits": 1})
        self.refused("ValidationException", "not supported by ken: StreamSpecification", **wrong,
                     StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
        self.refused("ValidationException", "but NonKeyAttributes is not specified",
                     "create_table", TableName="wrong2", BillingMode="PAY_PER_REQUEST",
                     KeySchema=keys("h"), AttributeDefinitions=attributes(h="S", g="N"),
                     GlobalSecondaryIndexes=[index("inc", "g", ProjectionType="INCLUDE")])
        self.refused("ValidationException", "Some index key attribute have no definition",
                     "create_table", TableName="wrong2", BillingMode="PAY_PER_REQUEST",
                     KeySchema=keys("h", "h"), AttributeDefinitions=attributes(h="S"))

    def test_throughput_billing_and_options_change(self):
        throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
        self.make("options", BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
        self.refused("ValidationException", "will not change", "update_table",
                     TableName="options", ProvisionedThroughput=throughput)
        self.client.update_table(TableName="options", BillingMode="PAY_PER_REQUEST",
                                 TableClass="STANDARD_INFREQUENT_ACCESS")
        table = self.active("options")
        self.assertEqual(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        self.assertEqual(table["TableClassSummary"]["TableClass"], "STANDARD_INFREQUENT_ACCESS")

    def test_a_protected_table_stays(self):
        update = self.client.meta.service_model.operation_model("UpdateTable").input_shape
        if "DeletionProtectionEnabled" not in update.members:
            self.skipTest("this boto3 does not know deletion protection")
        self.make("protected")
        self.client.update_table(TableName="protected", DeletionProtectionEnabled=True)
        self.assertTrue(self.active("protected")["DeletionProtectionEnabled"])
        self.refused("ValidationException", "protected against deletion", "delete_table",
                     TableName="protected")
        self.client.update_table(TableName="protected", DeletionProtectionEnabled=False)

    def test_items_go_when_their_time_is_over(self):
        self.make("mortal", GlobalSecondaryIndexes=[index("by-g", "g")],
                  AttributeDefinitions=attributes(h="S", g="N"))
        now = int(time.time())
        for name, ttl in (("past", {"N": str(now - 60)}), ("soon", {"N": str(now + 1)}),
                          ("future", {"N": str(now + 9999)}), ("text", {"S": str(now - 60)}),
                          ("ancient", {"N": str(now - 6 * 365 * 86400)})):
            self.client.put_item(TableName="mortal", Item={
                "h": {"S": name}, "g": {"N": "1"}, "ttl": ttl})
        specification = {"Enabled": True, "AttributeName": "ttl"}
        self.client.update_time_to_live(TableName="mortal", TimeToLiveSpecification=specification)
        self.refused("ValidationException", "TimeToLive is already enabled", "update_time_to_live",
                     TableName="mortal", TimeToLiveSpecification=specification)
        self.refused("ValidationException", "active on a different AttributeName: current "
                     "AttributeName is ttl", "update_time_to_live", TableName="mortal",
                     TimeToLiveSpecification={"Enabled": True, "AttributeName": "other"})
        self.client.put_item(TableName="mortal", Item={
            "h": {"S": "later"}, "g": {"N": "1"}, "ttl": {"N": str(now - 1)}})
        clouds.wait_until(lambda: self.client.scan(TableName="mortal")["Count"] == 3)
        self.assertEqual({i["h"]["S"] for i in self.client.scan(TableName="mortal")["Items"]},
                         {"future", "text", "ancient"})
        self.assertEqual(set(self.found("mortal", "by-g", 1)), {"future", "text", "ancient"})
        self.assertEqual(self.described("mortal")["ItemCount"], 3)
        described = self.client.describe_time_to_live(TableName="mortal")
        self.assertEqual(described["TimeToLiveDescription"],
                         {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"})
        self.client.update_time_to_live(
            TableName="mortal", TimeToLiveSpecification={**specification, "Enabled": False})
        self.refused("ValidationException", "TimeToLive is already disabled",
                     "update_time_to_live", TableName="mortal",
                     TimeToLiveSpecification={**specification, "Enabled": False})

    def test_what_a_kill_interrupts_goes_on(self):
        with clouds.Cloud(KEN) as cloud:
            here, there = self.client, cloud.client(boto3, "dynamodb")
            type(self).client = there
            try:
                there.create_table(TableName="killed", KeySchema=keys("h"),
                                   AttributeDefinitions=attributes(h="S"),
                                   BillingMode="PAY_PER_REQUEST")
                self.put("killed", 2000)
                there.update_time_to_live(
                    TableName="killed",
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
                clouds.wait_until(lambda: there.describe_time_to_live(TableName="killed")[
                    "TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED")
                self.add_index("killed", index("by-g", "g"))
                cloud.stop(signal.SIGKILL)
                cloud.start()
                type(self).client = cloud.client(boto3, "dynamodb")
                self.active("killed")
                self.assertEqual(sum(len(self.found("killed", "by-g", g)) for g in range(3)), 2000)
            finally:
                type(self).client = here


class SeveralTest(Base):
    """Global indexes whose partition and sort key are of several attributes each."""

    @staticmethod
    def several(hashes, ranges):
        return [{"AttributeName": n, "KeyType": kind} for kind, names in (("HASH", hashes), ("RANGE", ranges))
                for n in names]

    def make_indexed(self, name, schema, **types):
        named = {"h": "S", **{part["AttributeName"]: "S" for part in schema}, **types}
        self.make(name, AttributeDefinitions=attributes(**named), GlobalSecondaryIndexes=[
            {"IndexName": "gsi", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}])

    def ask(self, conditions, values, **more):
        return self.client.query(
            TableName="several", IndexName="gsi", KeyConditionExpression=conditions,
            ExpressionAttributeValues={name: {"N" if isinstance(v, int) else "S": str(v)} for name, v in values.items()},
            **more)

    def test_which_keys_there_are(self):
        ab = self.several("a", "b")
        for schema, message in (
                (self.several("abcde", ""), "exceeds the maximum allowed number of HASH key attributes"),
                (self.several("a", "bcdef"), "exceeds the maximum allowed number of RANGE key attributes"),
                (ab + self.several("c", ""), "All HASH key attributes must precede RANGE key attributes"),
                (self.several("", "ab"), "The first KeySchemaElement is not a HASH key type"),
                (self.several("aba", ""), "the same name")):
            with self.subTest(message), self.assertRaises(ClientError) as caught:
                self.make_indexed("wrong", schema)
            self.assertIn(message, caught.exception.response["Error"]["Message"])

        with self.assertRaises(ClientError) as caught:
            self.make_indexed("wrong", self.several("a", ""), x="S")
        self.assertIn("Some AttributeDefinitions are not used. AttributeDefinitions: [a, h, x], keys used: [a, h]",
                      caught.exception.response["Error"]["Message"])

    def test_queries(self):
        self.make_indexed("several", self.several("ab", "cd"), d="N")
        items = [{"h": {"S": str(i)}, "a": {"S": "x"}, "b": {"S": "y"}, "c": {"S": f"c{i // 3}"}, "d": {"N": str(i)}}
                 for i in range(9)]
        apart = [{**items[0], "h": {"S": "apart"}, "a": {"S": "xy"}}, {"h": {"S": "part"}, "a": {"S": "x"}}]
        for item in reversed(items + apart):
            self.client.put_item(TableName="several", Item=item)
        for conditions, values, found in (
                ("", {}, "012345678"), (" and c = :c", {":c": "c1"}, "345"), (" and c > :c", {":c": "c1"}, "678"),
                (" and c <= :c", {":c": "c1"}, "012345"), (" and begins_with(c, :c)", {":c": "c"}, "012345678"),
                (" and d >= :d and c = :c", {":c": "c1", ":d": 4}, "45"),
                (" and c = :c and d between :d and :e", {":c": "c1", ":d": 1, ":e": 3}, "3"),
                (" and c = :c and d < :d", {":c": "c2", ":d": 6}, "")):
            values = {":a": "x", ":b": "y", **values}
            for forward in (True, False):
                answer = self.ask("b = :b and a = :a" + conditions, values, ScanIndexForward=forward)
                got = "".join(item["h"]["S"] for item in answer["Items"])
                self.assertEqual(got, found[::1 if forward else -1], conditions)
        for conditions, names in (("a = :a", "b"), ("a = :a and b > :b", "b"), ("a = :a and b = :b and d = :d", "c"),
                                  ("a = :a and b = :b and c > :c and d = :d", "c")):
            values = {":a": "x", ":b": "y", ":c": "c1", ":d": 4}
            with self.subTest(conditions), self.assertRaises(ClientError) as caught:
                self.ask(conditions, {k: v for k, v in values.items() if k in conditions})
            self.assertIn("missed key schema element: " + names, caught.exception.response["Error"]["Message"])

    def test_pages_and_changes(self):
        self.make_indexed("several", self.several("ab", "cd"))
        for i in range(5):
            self.client.put_item(TableName="several", Item={
                "h": {"S": str(i)}, "c": {"S": "c"}, "d": {"S": str(5 - i)}, **{n: {"S": n} for n in "ab"}})
        pages, start = [], {}
        while not pages or start:
            answer = self.ask("a = :a and b = :b", {":a": "a", ":b": "b"}, Limit=2, **start)
            pages.append("".join(item["h"]["S"] for item in answer["Items"]))
            last = answer.get("LastEvaluatedKey")
            start = {"ExclusiveStartKey": last} if last else {}
            self.assertIn(sorted(last or {}), (list("abcdh"), []))
        self.assertEqual(pages, ["43", "21", "0"])
        for name in "abcd":
            for update, count in ((f"REMOVE {name}", 4), (f"SET {name} = h", 4 + (name in "cd"))):
                self.client.update_item(TableName="several", Key={"h": {"S": "2"}}, UpdateExpression=update)
                self.assertEqual(self.ask("a = :a and b = :b", {":a": "a", ":b": "b"})["Count"], count, update)
            self.client.update_item(TableName="several", Key={"h": {"S": "2"}}, UpdateExpression=f"SET {name} = :v",
                                    ExpressionAttributeValues={":v": {"S": name}})
        long = {"h": {"S": "l"}, "c": {"S": "x" * 600}, "d": {"S": "x" * 500}}
        self.refused("ValidationException", "Aggregated size of all range keys", "put_item", TableName="several", Item=long)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
