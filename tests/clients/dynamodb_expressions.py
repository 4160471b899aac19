"""Requests in the language of expressions, made by chance: what dynamodb_oracle_test.py sends to two services.

Nested paths, all functions, sets, numbers at the limits of 38 digits, transactions with conditions, batches,
indexes read by pages; with consumed capacity, metrics and the items of failed conditions."""
import random

DEEP = {"M": {"k": {"S": "x"}, "n": {"N": "3"}, "l": {"L": [{"N": "7"}, {"M": {"k": {"S": "deep"}}}]},
              "s": {"SS": ["x", "y"]}}}
NUMBERS = ["0", "-0", "1", "-2.5", "10", "007.50", "1e125", "-1e125", "1E-130", "9" * 38, "0." + "1" * 38,
           "9.9999999999999999999999999999999999999E125", "1" + "0" * 37, "123456789012345678901234567890.12345678",
           "1e126", "1e-131", "1" * 39, "12e-4"]
VALUES = [{"S": "x"}, {"S": "xyz"}, {"S": ""}, {"S": "ключ"}, {"N": "1"}, {"N": "-2.5"}, {"N": "10"}, {"B": b"x"},
          {"B": b"xyz"}, {"BOOL": True}, {"BOOL": False}, {"NULL": True}, {"SS": ["x", "y"]}, {"SS": ["y"]},
          {"NS": ["1", "2"]}, {"NS": ["2.0", "3"]}, {"BS": [b"x", b"y"]}, {"L": []}, {"M": {}},
          {"L": [{"S": "x"}, {"N": "1"}, {"L": [{"S": "y"}]}]}, {"L": [{"N": "1"}]}, DEEP]
# Names of one type mostly, so that paths and functions often find what they want.
TYPED = {"m": [DEEP], "l": [v for v in VALUES if "L" in v], "ss": [v for v in VALUES if "SS" in v],
         "ns": [v for v in VALUES if "NS" in v], "n": [{"N": n} for n in NUMBERS], "s": [v for v in VALUES if "S" in v],
         "b": [v for v in VALUES if "B" in v]}
PATHS = ["m", "l", "ss", "ns", "n", "s", "b", "absent", "m.k", "m.n", "m.l", "m.l[0]", "m.l[1].k", "m.s", "m.absent",
         "m.absent.k", "l[0]", "l[1]", "l[2][0]", "l[9]", "s.k", "n[0]", "h", "r"]
TYPES = ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M", "X"]
LEVELS = ["NONE", "TOTAL", "INDEXES"]


class Expressions:
    """One request's expressions: texts, and the names and values that they use."""

    def __init__(self, chance):
        self.random = chance
        self.names, self.values = {}, {}

    def pick(self, options):
        return self.random.choice(options)

    def maybe(self, likelihood=0.5):
        return self.random.random() < likelihood

    def value(self, options=None):
        name = f":v{len(self.values)}"
        self.values[name] = self.pick(options or VALUES)
        return name

    def number(self):
        return self.value([{"N": n} for n in NUMBERS])

    def path(self, options=None):
        path = self.pick(options or PATHS)
        if self.maybe(0.2) and "[" not in path and "." not in path:
            self.names["#" + path] = path
            path = "#" + path
        return path

    def operand(self):
        kind = self.random.random()
        if kind < 0.45:
            return self.path()
        return self.value() if kind < 0.85 else f"size({self.path()})"

    def fitting(self, path):
        """A value of the type that the path mostly has."""
        return self.value(TYPED.get(path.lstrip("#"), VALUES) if self.maybe(0.8) else None)

    def test(self):
        path = self.path()
        return self.pick([
            lambda: f"attribute_exists({path})",
            lambda: f"attribute_not_exists({path})",
            lambda: f"attribute_type({path}, {self.value([{'S': t} for t in TYPES])})",
            lambda: f"begins_with({path}, {self.fitting(path)})",
            lambda: f"contains({path}, {self.operand()})",
            lambda: f"size({path}) {self.pick(['=', '<', '>='])} {self.value([{'N': str(n)} for n in range(5)])}",
            lambda: f"{path} {self.pick(['=', '<>', '<', '<=', '>', '>='])} {self.fitting(path)}",
            lambda: f"{self.operand()} {self.pick(['=', '<>', '<', '>='])} {self.operand()}",
            lambda: f"{path} BETWEEN {self.fitting(path)} AND {self.fitting(path)}",
            lambda: f"{path} IN ({', '.join(self.operand() for _ in range(self.random.randint(1, 3)))})",
        ])()

    def condition(self, depth=0):
        kind = self.random.random()
        if depth > 2 or kind < 0.5:
            return self.test()
        if kind < 0.65:
            return f"NOT {self.condition(depth + 1)}"
        if kind < 0.75:
            return f"({self.condition(depth + 1)})"
        return f"{self.condition(depth + 1)} {self.pick(['AND', 'OR', 'and'])} {self.condition(depth + 1)}"

    def projection(self):
        return ", ".join(self.path() for _ in range(self.random.randint(1, 3)))

    def setting(self):
        path = self.path()
        return path + " = " + self.pick([
            lambda: self.fitting(path),
            lambda: self.path(),
            lambda: f"{self.path(['n', 'm.n', 'l[0]', 's'])} {self.pick('+-')} {self.number()}",
            lambda: f"{self.number()} {self.pick('+-')} {self.number()}",
            # a path that leads nowhere behind one that leads somewhere is an error there, needed or not
            lambda: f"if_not_exists({self.path()}, {self.path(['h', 'r']) if self.maybe(0.3) else self.value()})",
            lambda: f"list_append({self.path(['l', 'm.l', 'absent'])}, {self.value(TYPED['l'])})",
            lambda: f"list_append({self.value(TYPED['l'])}, if_not_exists(absent, {self.value(TYPED['l'])}))",
            lambda: f"if_not_exists({self.path()}, list_append(l, {self.value(TYPED['l'])}))",
            lambda: f"({self.path(['n', 'm.n'])} + {self.number()})",
            lambda: f"({self.path(['n', 'm.n'])} - {self.number()}) + {self.number()}",
        ])()

    def clause(self, section):
        if section == "SET":
            return "SET " + ", ".join(self.setting() for _ in range(self.random.randint(1, 2)))
        if section == "REMOVE":
            return "REMOVE " + self.projection()
        path = self.path(["n", "ss", "ns", "m.n", "m.s", "absent", "l", "s"])
        adds = section == "ADD" and self.maybe(0.6)
        return f"{section} {path} {self.number() if adds else self.value(TYPED['ss'] + TYPED['ns'])}"

    def update(self):
        sections = self.random.sample(["SET", "REMOVE", "ADD", "DELETE"], self.pick([1, 1, 1, 2]))
        made = [self.clause(section) for section in sections]
        if not {"SET", "ADD"} & set(sections):
            made.append("SET touched = h")  # deletions alone make an item in DynamoDB Local, on AWS they do not
        return " ".join(made)

    def give(self, parameters):
        """Names and values that the texts use, and at times one that they do not."""
        if self.maybe(0.03):
            self.names["#spare"] = "spare"
        if self.names:
            parameters["ExpressionAttributeNames"] = self.names
        if self.values:
            parameters["ExpressionAttributeValues"] = self.values
        return parameters


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, options):
        return self.random.choice(options)

    def maybe(self, likelihood=0.5):
        return self.random.random() < likelihood

    def key(self):
        return {"h": {"S": self.pick("pq")}, "r": {"N": str(self.random.randint(0, 6))}}

    def item(self):
        names = self.random.sample(list(TYPED), self.random.randint(0, 7))
        item = {**self.key(), **{name: self.pick(TYPED[name]) for name in names}}
        if self.maybe(0.1):
            item["large"] = {"S": "x" * self.pick([900, 1100, 5000])}
        if self.maybe():
            item["g"] = {"S": self.pick("uv")}
        if self.maybe():
            item["k"] = {"S": self.pick("xyz")}
        return item

    def table(self, parameters, capacity=True):
        if capacity:
            parameters["ReturnConsumedCapacity"] = self.pick(LEVELS)
        return {"TableName": "tab", **parameters}

    def write(self, uses, made):
        if self.maybe(0.5):
            made["ConditionExpression"] = uses.condition()
            made["ReturnValuesOnConditionCheckFailure"] = self.pick(["ALL_OLD", "NONE"])
        return uses.give(made)

    def single(self, uses, made, returned):
        made["ReturnValues"] = self.pick(returned)
        made["ReturnItemCollectionMetrics"] = self.pick(["SIZE", "NONE"])
        return self.table(self.write(uses, made))

    def put(self):
        return "put_item", self.single(Expressions(self.random), {"Item": self.item()}, ["ALL_OLD", "NONE"])

    def delete(self):
        return "delete_item", self.single(Expressions(self.random), {"Key": self.key()}, ["ALL_OLD", "NONE"])

    def update(self):
        uses = Expressions(self.random)
        update, returned = uses.update(), ["ALL_NEW", "ALL_OLD", "NONE"]
        if "." not in update and "[" not in update:  # of nested paths DynamoDB Local returns more than AWS
            returned += ["UPDATED_NEW", "UPDATED_OLD"]
        return "update_item", self.single(uses, {"Key": self.key(), "UpdateExpression": update}, returned)

    def get(self):
        uses, made = Expressions(self.random), {"Key": self.key(), "ConsistentRead": self.maybe()}
        if self.maybe(0.6):
            made["ProjectionExpression"] = uses.projection()
        return "get_item", self.table(uses.give(made))

    def reading(self, uses, made, filters=True):
        if filters and self.maybe():
            made["FilterExpression"] = uses.condition()
        if self.maybe(0.3):
            made["ProjectionExpression"] = uses.projection()
        elif self.maybe(0.2):
            made["Select"] = "COUNT"
        if self.maybe():
            made["Limit"] = self.random.randint(1, 4)
        return self.table(uses.give(made))

    def query(self):
        uses, index = Expressions(self.random), self.pick([None, None, "keys", "all", "local"])
        sort = "k" if index == "local" else "r"
        sorts = [{"S": v} for v in "xyz"] if index == "local" else [{"N": str(n)} for n in range(5)]
        made = {"ScanIndexForward": self.maybe()}
        if index:
            made["IndexName"] = index
        hashed, values = ("g", "uv") if index in ("keys", "all") else ("h", "pq")
        text = f"{hashed} = {uses.value([{'S': v} for v in values])}"
        if self.maybe():
            text += " AND " + self.pick([
                lambda: f"{sort} {self.pick(['=', '<', '<=', '>', '>='])} {uses.value(sorts)}",
                lambda: f"{sort} BETWEEN {uses.value(sorts[:2])} AND {uses.value(sorts[2:])}"])()
        made["KeyConditionExpression"] = text
        return "query", self.reading(uses, made)

    def scan(self):
        index = self.pick([None, None, "keys", "all", "local"])
        made = {"IndexName": index} if index else {}
        # DynamoDB Local filters by what an index does not hold; here that is absent
        return "scan", self.reading(Expressions(self.random), made, index in (None, "all"))

    def action(self):
        kind, uses = self.pick(["Put", "Delete", "Update", "ConditionCheck"]), Expressions(self.random)
        made = {"TableName": "tab", **({"Item": self.item()} if kind == "Put" else {"Key": self.key()})}
        if kind == "Update":
            made["UpdateExpression"] = uses.update()
        if kind == "ConditionCheck":
            made["ConditionExpression"] = uses.condition()
            made["ReturnValuesOnConditionCheckFailure"] = self.pick(["ALL_OLD", "NONE"])
            return {kind: uses.give(made)}
        return {kind: self.write(uses, made)}

    def different(self, make, key):
        """A few, no two of one key: those are refused, but not at the same moment by both services."""
        made = {}
        for _ in range(self.random.randint(1, 4)):
            one = make()
            made.setdefault(repr(key(one)), one)
        return list(made.values())

    @staticmethod
    def key_of(action):
        (inner,) = action.values()
        item = inner.get("Item") or inner["Key"]
        return item["h"], item["r"]

    def transaction(self):
        return "transact_write_items", {
            "TransactItems": self.different(self.action, self.key_of),
            "ReturnConsumedCapacity": self.pick(LEVELS), "ReturnItemCollectionMetrics": self.pick(["SIZE", "NONE"])}

    def get_action(self):
        uses, made = Expressions(self.random), {"TableName": "tab", "Key": self.key()}
        if self.maybe():
            made["ProjectionExpression"] = uses.projection()
        return {"Get": uses.give(made)}

    def transact_get(self):
        return "transact_get_items", {"TransactItems": self.different(self.get_action, self.key_of),
                                      "ReturnConsumedCapacity": self.pick(LEVELS)}

    def batch_write(self):
        def one():
            return ({"PutRequest": {"Item": self.item()}} if self.maybe(0.7) else
                    {"DeleteRequest": {"Key": self.key()}})
        return "batch_write_item", {"RequestItems": {"tab": self.different(one, self.key_of)},
                                    "ReturnConsumedCapacity": self.pick(LEVELS)}

    def batch_get(self):
        uses = Expressions(self.random)
        made = {"Keys": self.different(self.key, lambda key: key), "ConsistentRead": self.maybe()}
        if self.maybe():
            made["ProjectionExpression"] = uses.projection()
        return "batch_get_item", {"RequestItems": {"tab": uses.give(made)},
                                  "ReturnConsumedCapacity": self.pick(LEVELS)}

    def request(self):
        return self.pick([self.put, self.put, self.put, self.delete, self.update, self.update, self.update, self.update,
                          self.get, self.query, self.query, self.scan, self.transaction, self.transact_get,
                          self.batch_write, self.batch_get])()
