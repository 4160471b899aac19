"""Answers of ken beside DynamoDB Local's over generated requests. dynamodb_oracle_test.py KEN [SEED]

Half of them have the parameters from before there were expressions (here), half are in the language of expressions
(dynamodb_expressions.py).

Skipped where the oracle is not installed (make test-dynamodb-oracle installs it: a Java program,
Amazon's own, from the npm package amplify-dynamodb-simulator). What is compared: success or the
error's code, and of successes the whole answer, read to its last page; of errors the message and the
items or reasons with it too, except where ken says what the real service says and DynamoDB Local does not (the
table OWN below)."""
import decimal
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import cloud as clouds
import dynamodb_expressions

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 7
ROUNDS = int(os.environ.get("KEN_ORACLE_ROUNDS", "2000"))
JAR = os.environ.get("KEN_DYNAMODB_LOCAL", "")
if not os.path.exists(JAR):
    clouds.skip("no DynamoDB Local: KEN_DYNAMODB_LOCAL names no DynamoDBLocal.jar")

NAMES = ["z", "a", "b", "c", "m", "l", "ss", "ns", "absent"]
VALUES = [{"S": "x"}, {"S": "xyz"}, {"S": ""}, {"N": "1"}, {"N": "-2.5"}, {"N": "10"},
          {"B": b"x"}, {"BOOL": True}, {"NULL": True}, {"SS": ["x", "y"]}, {"NS": ["1", "2"]},
          {"L": [{"S": "x"}, {"N": "1"}]}, {"M": {"k": {"S": "x"}}}]
COMPARISONS = ["EQ", "NE", "LE", "LT", "GE", "GT", "NOT_NULL", "NULL", "CONTAINS", "NOT_CONTAINS",
               "BEGINS_WITH", "IN", "BETWEEN"]
NORMAL = decimal.Context(prec=40)
# Pairs of messages in which ken follows the real service: ken's pattern, DynamoDB Local's.
NUMBER = r"38 significant digits|with magnitude"
OWN = [(r"operand type: \w+$", r"typeSet: ALLOWED_FOR_\w+_OPERAND$"),
       # of several errors another comes first; and names have no order
       (r"does not project|is not supported for global", r"does not project|Filter Expression can only"),
       (r"valid types: ", r"valid types: "), (r"unused in expressions: keys", r"unused in expressions: keys"),
       (r"Two document paths", r"Two document paths"),  # DynamoDB Local names another path at times
       (r"^Invalid \w+: ", r"^Invalid \w+: (?!Syntax)"), (r"can only be specified when", r"^Invalid \w+: "),
       # numbers: the service's words, before all else in a request; results of sums before wrong paths
       (NUMBER, r"38 digits|with magnitude|^Invalid|can only be specified|unused in|document path|data type"),
       (r"^Invalid|document path|data type", r"38 digits"), (r"{N:", r"{N:"), (r"{B:", r"HeapByteBuffer"),
       # DynamoDB Local looks at keys behind the condition
       (r"This attribute is part of the key$", r"conditional request failed$|document path|data type|part of the key$"),
       (r"does not exist in the item$|data type$", r"document path|data type|38 digits"), (r"document path", r"data type$"),
       # what an update cannot do is a reason of its transaction there, as its condition is
       (r"^Transaction cancelled", r"document path|data type|38 digits|does not exist in the item|magnitude"),
       (r"\[.*ValidationError", r"\[(None, |ConditionalCheckFailed, )*(ValidationError|ConditionalCheckFailed)")]
# DynamoDB Local counts removals of what is not there twice, reads of it not at all, and indexes by their table.
CAPACITY_IS_KNOWN = ("put_item", "update_item", "get_item")


class Oracle:
    """DynamoDB Local on a free port, in memory."""

    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        folder = os.path.dirname(JAR)
        self.process = subprocess.Popen(
            ["java", f"-Djava.library.path={folder}/DynamoDBLocal_lib", "-jar", JAR, "-inMemory",
             "-disableTelemetry", "-port", str(self.port)],
            cwd=tempfile.gettempdir(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            clouds.wait_until(self.answers, 60)
        except AssertionError:
            self.close()
            raise

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def client(self):
        return boto3.client(
            "dynamodb", endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1",
            aws_access_key_id="AKIATESTTESTTESTTEST", aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}, parameter_validation=False))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def plain_number(text):
    number = decimal.Decimal(text)
    return f"{NORMAL.normalize(number):f}" if number else "0"


def sorted_sets(value):
    """Sets have no order; and DynamoDB Local gives back "-5.0" where the service says "-5"."""
    if isinstance(value, list):
        return [sorted_sets(v) for v in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, content in value.items():
        if name == "N" and isinstance(content, str):
            made[name] = plain_number(content)
        elif name in ("SS", "NS", "BS"):
            made[name] = sorted(plain_number(v) if name == "NS" else repr(v) for v in content)
        else:
            made[name] = sorted_sets(content)
    return made


def repr_key(item):
    return sorted((name, repr(sorted_sets(value))) for name, value in item.items())


def ask_pages(client, operation, parameters):
    """The answers as one: what came by pages together."""
    whole, answer = None, {"LastEvaluatedKey": None}
    while "LastEvaluatedKey" in answer:
        answer = getattr(client, operation)(**parameters)
        answer.pop("ResponseMetadata")
        if not whole:
            whole = answer
        else:
            for name in ("Items", "Count", "ScannedCount"):
                if name in whole:
                    whole[name] += answer[name]
        parameters = {**parameters, "ExclusiveStartKey": answer.get("LastEvaluatedKey")}
    whole.pop("LastEvaluatedKey", None)
    return whole


def comparable(answer, operation, parameters):
    answer.pop("ItemCollectionMetrics", None)  # DynamoDB Local has none
    if operation not in CAPACITY_IS_KNOWN or parameters.get("ReturnConsumedCapacity", "NONE") == "NONE":
        answer.pop("ConsumedCapacity", None)  # it sends it unasked at times
    if operation == "scan" or "IndexName" in parameters:  # equal keys come in any order
        answer["Items"] = sorted(answer.get("Items", []), key=repr_key)
    if operation == "transact_get_items":  # where a projection names nothing, AWS leaves Item out
        answer["Responses"] = [one if one.get("Item") else {} for one in answer["Responses"]]
    if operation == "batch_get_item":
        answer["Responses"] = {table: sorted(items, key=repr_key) for table, items in answer["Responses"].items()}
    return sorted_sets(answer)


def ask(client, operation, parameters):
    try:
        return comparable(ask_pages(client, operation, parameters), operation, parameters)
    except ClientError as error:
        found = error.response["Error"]
        # AWS calls what is wrong with a write's request a validation error; DynamoDB Local says it bare.
        bare = re.sub("^1 validation error detected: (?!Value '|Value null|Value at)", "", found.get("Message", ""))
        told = [{**reason, "Message": None} for reason in error.response.get("CancellationReasons", [])]
        return found["Code"], bare, sorted_sets([error.response.get("Item"), told])


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, options):
        return self.random.choice(options)

    def maybe(self, chance=0.5):
        return self.random.random() < chance

    def values(self, comparison):
        count = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}.get(comparison, 1)
        if comparison == "IN":
            count = self.random.randint(1, 3)
        if self.maybe(0.05):
            count += 1
        first = self.pick(VALUES)
        return [first if self.maybe(0.3) else self.pick(
            [v for v in VALUES if list(v) == list(first)]) for _ in range(count)]

    def condition(self):
        comparison = self.pick(COMPARISONS)
        made = {"ComparisonOperator": comparison}
        values = self.values(comparison)
        if values or self.maybe(0.1):
            made["AttributeValueList"] = values
        return made

    def expected(self):
        kind = self.random.random()
        if kind < 0.6:
            return self.condition()
        made = {}
        if self.maybe():
            made["Exists"] = self.maybe()
        if self.maybe(0.7):
            made["Value"] = self.pick(VALUES)
        return made

    def conditions(self, make):
        return {name: make() for name in self.random.sample(NAMES, self.random.randint(1, 3))}

    def logic(self, parameters, name):
        if self.maybe(0.4) and len(parameters.get(name, {})) > 1:
            parameters["ConditionalOperator"] = self.pick(["AND", "OR"])

    def key(self):
        return {"h": {"S": self.pick("pq")}, "r": {"N": str(self.random.randint(0, 6))}}

    def item(self):
        names = self.random.sample(NAMES[:-1], self.random.randint(0, 6))
        item = {**self.key(), **{name: self.pick(VALUES) for name in names}}
        if self.maybe():
            item["g"] = {"S": self.pick("uv")}
        if self.maybe():
            item["k"] = {"S": self.pick("xyz")}
        return item

    def put(self):
        made = {"TableName": "tab", "Item": self.item(), "ReturnValues": "ALL_OLD"}
        if self.maybe():
            made["Expected"] = self.conditions(self.expected)
            self.logic(made, "Expected")
        return "put_item", made

    def delete(self):
        made = {"TableName": "tab", "Key": self.key(), "ReturnValues": "ALL_OLD"}
        if self.maybe():
            made["Expected"] = self.conditions(self.expected)
            self.logic(made, "Expected")
        return "delete_item", made

    def change(self):
        action = self.pick(["PUT", "ADD", "DELETE", None])
        wanted = {"ADD": ("N", "SS", "NS", "L"), "DELETE": ("SS", "NS")}.get(action)
        made = {"Action": action} if action else {}
        if action != "DELETE" or self.maybe():
            made["Value"] = self.pick([v for v in VALUES if not wanted or list(v)[0] in wanted])
        return made

    def update(self):
        made = {"TableName": "tab", "Key": self.key(),
                "ReturnValues": self.pick(["ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD"])}
        if self.maybe(0.9):
            made["AttributeUpdates"] = self.conditions(self.change)
            made["AttributeUpdates"]["z"] = {"Value": {"S": "z"}}  # deletions alone: see below
        if self.maybe(0.2):
            made["Expected"] = self.conditions(self.expected)
        return "update_item", made

    def update_expression(self):
        parts, values = [], {}
        for section in self.random.sample(["SET", "REMOVE", "ADD", "DELETE"], self.pick([1, 1, 2])):
            name, value = self.pick(NAMES), f":{section.lower()}"
            if section == "REMOVE":
                parts.append(f"REMOVE {name}")
                continue
            values[value] = self.pick(VALUES)
            parts.append(f"SET {name} = {value}" if section == "SET" else
                         f"{section} {name} {value}")
        if not any(part.startswith(("SET", "ADD")) for part in parts):
            parts.append("SET touched = h")  # deletions alone: DynamoDB Local makes an item by them
        made = {"TableName": "tab", "Key": self.key(), "UpdateExpression": " ".join(parts),
                "ReturnValues": self.pick(["ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"])}
        if values:
            made["ExpressionAttributeValues"] = values
        return "update_item", made

    def query(self):
        made = {"TableName": "tab", "KeyConditions": {
            "h": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": self.pick("pq")}]}}}
        if self.maybe():
            comparison = self.pick(["EQ", "LE", "LT", "GE", "GT", "BETWEEN"])
            low = self.random.randint(0, 3)
            made["KeyConditions"]["r"] = {
                "ComparisonOperator": comparison, "AttributeValueList":
                [{"N": str(low)}] + ([{"N": str(low + 2)}] if comparison == "BETWEEN" else [])}
        if self.maybe():
            made["QueryFilter"] = self.conditions(self.condition)
            self.logic(made, "QueryFilter")
        if self.maybe(0.3):
            made["AttributesToGet"] = self.random.sample(NAMES, 2)
        if self.maybe(0.3):
            made["Limit"] = self.random.randint(1, 4)
        if self.maybe(0.3):
            made["ScanIndexForward"] = False
        return "query", made

    def index_query(self):
        made = {"TableName": "tab", "IndexName": self.pick(["keys", "all", "local"])}
        local = made["IndexName"] == "local"
        made["KeyConditionExpression"] = "h = :v" if local else "g = :v"
        made["ExpressionAttributeValues"] = {":v": {"S": self.pick("pq" if local else "uv")}}
        if self.maybe(0.4):
            made["Select"] = self.pick(["COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"])
        elif self.maybe(0.3):
            made["ProjectionExpression"] = self.pick(["h, r", "a, b", "g"])
        if self.maybe(0.3):
            made["FilterExpression"] = self.pick([
                "attribute_exists(a)", "attribute_exists(b) OR a = :v", "attribute_exists(c)"])
        return "query", made

    def scan(self):
        made = {"TableName": "tab"}
        if self.maybe(0.7):
            made["ScanFilter"] = self.conditions(self.condition)
            self.logic(made, "ScanFilter")
        return "scan", made

    def transaction(self):
        actions = []
        for _ in range(self.random.randint(1, 3)):
            kind = self.pick(["Put", "Delete", "Update", "ConditionCheck"])
            action = {"TableName": "tab"}
            if kind == "Put":
                action["Item"] = self.item()
            else:
                action["Key"] = self.key()
            if kind == "Update":
                action["UpdateExpression"] = "SET a = :v"
                action["ExpressionAttributeValues"] = {":v": self.pick(VALUES)}
            if kind == "ConditionCheck" or self.maybe(0.4):
                action["ConditionExpression"] = self.pick(
                    ["attribute_exists(h)", "attribute_not_exists(h)", "attribute_exists(a)"])
                action["ReturnValuesOnConditionCheckFailure"] = self.pick(["ALL_OLD", "NONE"])
            actions.append({kind: action})
        keys = [str({k: v for k, v in (a.get("Item") or a["Key"]).items() if k in "hr"})
                for action in actions for a in action.values()]
        if len(set(keys)) < len(keys):  # refused, but at another moment
            return self.transaction()
        return "transact_write_items", {"TransactItems": actions}

    def request(self):
        return self.pick([self.put, self.put, self.delete, self.update, self.update,
                          self.update_expression, self.query, self.index_query, self.scan,
                          self.transaction])()


def table():
    definition = [("h", "S"), ("r", "N"), ("g", "S"), ("k", "S")]
    keys = lambda *names: [{"AttributeName": n, "KeyType": k}
                           for n, k in zip(names, ("HASH", "RANGE"))]
    return {"TableName": "tab", "BillingMode": "PAY_PER_REQUEST", "KeySchema": keys("h", "r"),
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t}
                                     for n, t in definition],
            "GlobalSecondaryIndexes": [
                {"IndexName": "keys", "KeySchema": keys("g", "r"),
                 "Projection": {"ProjectionType": "KEYS_ONLY"}},
                {"IndexName": "all", "KeySchema": keys("g", "r"),
                 "Projection": {"ProjectionType": "ALL"}}],
            "LocalSecondaryIndexes": [
                {"IndexName": "local", "KeySchema": keys("h", "k"),
                 "Projection": {"ProjectionType": "KEYS_ONLY"}}]}


def agree(ours, theirs):
    if ours == theirs or (isinstance(theirs, tuple) and theirs[0] == "InternalFailure"):
        return True
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return False
    return any(re.search(mine, ours[1]) and re.search(its, theirs[1]) for mine, its in OWN)


class OracleTest(unittest.TestCase):
    def compare(self, both, generator):
        """How many requests were refused, and what differs."""
        refusals, differences = 0, []
        for _ in range(ROUNDS // 2):
            operation, parameters = generator.request()
            ours, theirs = (ask(client, operation, parameters) for client in both)
            refusals += isinstance(ours, tuple)
            if not agree(ours, theirs):
                differences.append((operation, parameters, ours, theirs))
        return refusals, differences

    def test_generated_requests(self):
        refusals, differences, started = 0, [], time.monotonic()
        oracle = Oracle()
        try:
            with clouds.Cloud(KEN) as cloud:
                both = cloud.client(boto3, "dynamodb"), oracle.client()
                for client in both:
                    client.create_table(**table())
                for generator in (Generator(SEED), dynamodb_expressions.Generator(SEED)):
                    refused, differ = self.compare(both, generator)
                    refusals += refused
                    differences += differ
        finally:
            oracle.close()
        print(f"seed {SEED}: {ROUNDS} requests, {refusals} refused, {len(differences)} differ, "
              f"{time.monotonic() - started:.0f} s")
        if differences:
            self.fail(self.report(differences))

    def report(self, differences):
        """One of each kind, the most frequent first."""
        kinds = {}
        for difference in differences:
            ours, theirs = (x[1] if isinstance(x, tuple) else "an answer" for x in difference[2:])
            kinds.setdefault((ours, theirs), []).append(difference)
        ordered = sorted(kinds.values(), key=len, reverse=True)
        return "\n".join(f"{len(kind)} x {kind[0][0]} {kind[0][1]}\n  ken:    {kind[0][2]}\n"
                         f"  oracle: {kind[0][3]}" for kind in ordered[:40])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
