"""`ken cloud` beside others: bench/cloud.py [KEN] [SECONDS] [TOP]   (make bench-cloud)

wrk sends requests signed before, from the same machine, on 1 and 16 connections, to every server in turn: S3 objects
of 35 KB by presigned links, DynamoDB items by signed requests; bench_rate then sends half as many a second, evenly,
and bench_sync tells what the disk alone makes of that.
In the same run: how often this disk syncs so many bytes (before and after), the start, the memory at rest, what
invocation and gateway add to a function that does nothing, and how one page of a bucket and one item of a table
cost as they grow to TOP rows (made through the API). Writes build/bench/cloud.json and cloud.svg. Peers come from
bench/cloud/package.json; one that is absent is left out. Needs wrk and boto3; Java for DynamoDB Local."""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "clients"))
import cloud as clouds  # noqa: E402
import lambda_functions as functions  # noqa: E402
import boto3  # noqa: E402
from botocore.auth import S3SigV4QueryAuth, SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

KEN = sys.argv[1] if len(sys.argv) > 1 else "build/release/ken"
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
TOP = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
OBJECT_BYTES, ROWS = 35_000, 200
OUT = os.path.join(ROOT, "build", "bench")
TOOLS = os.path.join(os.path.dirname(os.path.abspath(KEN)), "bench")
BIN = os.path.join(ROOT, "bench", "cloud", "node_modules", ".bin")
SIMULATOR = os.path.join(ROOT, "bench/cloud/node_modules/amplify-dynamodb-simulator/emulator")
SCRIPT = """local requests, i = {}, 0
local file = io.open("%s", "rb")
local body = file:read("*a")
%s
request = function() i = i %% #requests + 1; return requests[i] end
"""


class Peer:
    """A server from npm, in memory or a folder of its own."""

    def __init__(self, name, services, key, arguments, note, program=None):
        self.name, self.services, self.note = name, services, note
        self.key, self.arguments = key, arguments
        self.program = program or os.path.join(BIN, name)

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="ken-bench-")
        port = clouds_free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        fill = {"PORT": str(port), "FOLDER": self.folder}
        start = time.monotonic()
        self.process = subprocess.Popen(
            [self.program, *(fill.get(a, a) for a in self.arguments)], cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "FAUXQS_PORT": str(port)})
        try:
            wait_for(self.endpoint)
        except BaseException:
            self.__exit__()
            raise
        self.start_ms = (time.monotonic() - start) * 1000
        return self

    def __exit__(self, *ignored):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder)


class Ken(clouds.Cloud):
    name, services, note = "ken", ("s3", "dynamodb"), "on the disk when acknowledged; signatures checked"

    def __init__(self, *arguments):
        super().__init__(KEN)
        self.arguments = list(arguments)
        keys = self.keys()
        self.key = (keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])

    def __enter__(self):
        start = time.monotonic()
        self.start()
        self.start_ms = (time.monotonic() - start) * 1000
        return self


def clouds_free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(endpoint):
    def answers():
        try:
            urllib.request.urlopen(endpoint, timeout=1)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True
    clouds.wait_until(answers, 90)


def peers():
    known = [
        Peer("fauxqs", ("s3",), ("test", "test"), (), "in memory; signatures not checked"),
        Peer("s3rver", ("s3",), ("S3RVER", "S3RVER"),
             ("-d", "FOLDER", "-p", "PORT", "-a", "127.0.0.1"),
             "on the disk without syncs; signatures checked"),
        Peer("dynalite", ("dynamodb",), ("x", "x"), ("--port", "PORT", "--createTableMs", "0"),
             "in memory; signatures not checked"),
    ]
    jar, java = os.path.join(SIMULATOR, "DynamoDBLocal.jar"), shutil.which("java")
    if java and os.path.exists(jar):
        known.append(Peer("DynamoDB Local", ("dynamodb",), ("x", "x"),
                          (f"-Djava.library.path={SIMULATOR}/DynamoDBLocal_lib", "-jar", jar,
                           "-port", "PORT", "-inMemory", "-disableTelemetry"),
                          "in memory; signatures not checked", java))
    return [p for p in known if os.path.exists(p.program)]


def client(server, service):
    return boto3.client(service, endpoint_url=server.endpoint, region_name="us-east-1",
                        aws_access_key_id=server.key[0], aws_secret_access_key=server.key[1],
                        config=Config(signature_version="s3v4" if service == "s3" else "v4",
                                      s3={"addressing_style": "path"}, max_pool_connections=32,
                                      retries={"max_attempts": 2}))


def lua_string(text):
    return json.dumps(text)


def write_script(folder, name, lines):
    body, path = os.path.join(folder, "body"), os.path.join(folder, name + ".lua")
    if not os.path.exists(body):
        with open(body, "wb") as file:
            file.write(os.urandom(OBJECT_BYTES))
    with open(path, "w") as file:
        file.write(SCRIPT % (body, "\n".join(lines)))
    return path


def s3_script(server, method, folder):
    lines = []
    for i in range(ROWS):
        request = AWSRequest(method, f"{server.endpoint}/load/key{i}")
        S3SigV4QueryAuth(Credentials(*server.key), "s3", "us-east-1", expires=3600
                         ).add_auth(request)
        path = request.url[len(server.endpoint):]
        host = lua_string(server.endpoint.split("//")[1])
        lines.append(f"requests[#requests + 1] = wrk.format('{method}', {lua_string(path)}, "
                     f"{{Host = {host}}}, {'body' if method == 'PUT' else 'nil'})")
    return write_script(folder, method, lines)


def record(i):
    return {"h": {"S": f"key{i}"}, "name": {"S": "Ann Example"}, "major": {"S": "physics"},
            "n": {"N": str(i)}}


def dynamodb_script(server, operation, folder, table="load", rows=ROWS):
    lines = []
    for i in range(0, rows, rows // ROWS):
        what = {"Key": {"h": {"S": f"key{i}"}}} if operation == "GetItem" else {"Item": record(i)}
        body = json.dumps({"TableName": table, **what})
        request = AWSRequest("POST", server.endpoint + "/", data=body, headers={
            "Content-Type": "application/x-amz-json-1.0", "Host": server.endpoint.split("//")[1],
            "X-Amz-Target": "DynamoDB_20120810." + operation})
        SigV4Auth(Credentials(*server.key), "dynamodb", "us-east-1").add_auth(request)
        headers = ", ".join(f"[{lua_string(k)}] = {lua_string(v)}"
                            for k, v in request.headers.items())
        lines.append(f"requests[#requests + 1] = wrk.format('POST', '/', {{{headers}}}, "
                     f"{lua_string(body)})")
    return write_script(folder, operation, lines)


def raw_requests(server, script_path):
    """What the wrk script sends, for bench_rate: each request behind its length."""
    with open(script_path) as file:
        text = file.read()
    body = open(os.path.join(os.path.dirname(script_path), "body"), "rb").read()
    out = script_path + ".requests"
    pattern = re.compile(r"wrk\.format\('(\w+)', (\"[^\"]*\"|'[^']*'), \{(.*?)\}, (.*)\)$", re.M)
    with open(out, "wb") as file:
        for method, path, headers, data in pattern.findall(text):
            pairs = re.findall(r'\[?"?([\w-]+)"?\]? = ("(?:[^"\\]|\\.)*")', headers)
            data = body if data == "body" else b"" if data == "nil" else json.loads(data).encode()
            head = f"{method} {json.loads(path.replace(chr(39), chr(34)))} HTTP/1.1\r\n" + "".join(
                f"{name}: {json.loads(value)}\r\n" for name, value in pairs)
            request = f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
            file.write(b"%d\n" % len(request) + request)
    return out


def tool(name, *arguments):
    run = subprocess.run([os.path.join(TOOLS, name), *map(str, arguments)], capture_output=True,
                         text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{name}: {run.stderr}")
    return json.loads(run.stdout)


def written_bytes(process):
    with open(f"/proc/{process.pid}/io") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("write_bytes"))


def half_rate(server, script, per_second):
    """Half of the top rate, evenly; where that wrote to the disk also, right after it and twice, what the disk alone makes
    of as many bytes a request at the same rate."""
    port, rate, before = server.endpoint.rsplit(":", 1)[1], per_second / 2, written_bytes(server.process)
    found = tool("bench_rate", port, raw_requests(server, script), rate, SECONDS)
    each = (written_bytes(server.process) - before) // found["requests"]
    if each:
        found["disk"] = [tool("bench_sync", server.folder, rate, SECONDS / 2, each) for _ in range(2)]
    return found


def half_rate_line(name, found):
    line = f"{'':15}{name:9} at half the rate: p50 {found['p50_ms']:.2f}, p99 {found['p99_ms']:.2f} ms"
    for alone in found.get("disk", []):
        line += f"; the disk alone {alone['p50_ms']:.2f}, {alone['p99_ms']:.2f}"
    return line


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(\w+)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(server, script, connections, seconds=SECONDS):
    text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                           script, server.endpoint], capture_output=True, text=True,
                          check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{server.name}: {text}")
    found = {f"p{p}_ms": milliseconds(re.search(rf"^\s+{p}%\s+(\S+)", text, re.M)[1])
             for p in (50, 99)}
    return {"per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), **found}


def resident_mb(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def measure_server(server, folder):
    time.sleep(0.5)
    found = {"start_ms": server.start_ms, "idle_mb": resident_mb(server.process),
             "note": server.note}
    scripts = {}
    if "s3" in server.services:
        client(server, "s3").create_bucket(Bucket="load")
        scripts.update({"PUT": s3_script(server, "PUT", folder),
                        "GET": s3_script(server, "GET", folder)})
        s3 = client(server, "s3")
        for i in range(ROWS):
            s3.put_object(Bucket="load", Key=f"key{i}", Body=os.urandom(OBJECT_BYTES))
    if "dynamodb" in server.services:
        make_table(client(server, "dynamodb"), "load", ROWS)
        scripts.update({op: dynamodb_script(server, op, folder) for op in ("GetItem", "PutItem")})
    for name, script in scripts.items():
        found[name] = {str(c): wrk(server, script, c) for c in (1, 16)}
        print(f"{server.name:15}{name:9}" + "".join(
            f"{found[name][c]['per_second']:10.0f}/s p99 {found[name][c]['p99_ms']:6.2f} ms"
            for c in ("1", "16")), flush=True)
    if server.name == "ken":
        for name, script in scripts.items():
            found[name]["half"] = half_rate(server, script, found[name]["16"]["per_second"])
            print(half_rate_line(name, found[name]["half"]), flush=True)
    return found


def make_table(db, name, rows):
    db.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
                    KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "h", "AttributeType": "S"}])
    db.get_waiter("table_exists").wait(TableName=name)
    add_rows(db, name, 0, rows)


def add_rows(db, name, start, end):
    def some(first):
        db.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": record(i)}}
                                                 for i in range(first, min(first + 25, end))]})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(some, range(start, end, 25)))


def median_ms(call):
    times = []
    for _ in range(15):
        start = time.monotonic()
        call()
        times.append((time.monotonic() - start) * 1000)
    return {"median_ms": statistics.median(times), "least_ms": min(times)}


GROW_S3 = """request = function()
    i = i + 1
    return wrk.format('PUT', string.format('/growth/%08d', i < last and i or last), nil, '')
end"""
GROW_ITEMS = """headers = {['X-Amz-Target'] = 'DynamoDB_20120810.BatchWriteItem',
    ['Content-Type'] = 'application/x-amz-json-1.0'}
request = function()
    local items = {}
    for n = i * 25, i * 25 + 24 do
        items[#items + 1] = string.format('{"PutRequest": {"Item": {"h": {"S": "key%d"}, ' ..
            '"name": {"S": "Ann Example"}, "major": {"S": "physics"}, "n": {"N": "%d"}}}}', n, n)
    end
    i = i + 1
    return wrk.format('POST', '/', headers, '{"RequestItems": {"growth": [' ..
        table.concat(items, ',') .. ']}}')
end"""
SENT = """function setup(thread) thread:set('i', %d) thread:set('last', %d) held = thread end
%s
done = function() io.write('SENT ', held:get('i'), '\\n') end
"""


def grow(server, folder, what, start, end):
    """Sends the requests numbered `start` to `end`; what a round may not have got answered is sent again."""
    script, connections = os.path.join(folder, "grow.lua"), 16
    while start < end:
        with open(script, "w") as file:
            file.write(SENT % (start, end, what))
        text = subprocess.run(["wrk", "-t1", f"-c{connections}", "-d2s", "-s", script, server.endpoint],
                              capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in text:
            raise RuntimeError(f"{server.name}: {text}")
        sent = int(re.search(r"SENT (\d+)", text)[1])
        start = sent if sent >= end + connections else max(start, sent - 2 * connections)


def measure_growth(folder):
    """A page of 1,000 keys from the middle, unparsed; one item, with boto3's own time in it and as wrk sees it."""
    curve, rows = [], 0
    with Ken("--anonymous") as server:
        s3, db = client(server, "s3"), client(server, "dynamodb")
        s3.create_bucket(Bucket="growth")
        make_table(db, "growth", 0)
        for size in (s for s in (1_000, 10_000, 100_000, 1_000_000) if s <= TOP):
            grow(server, folder, GROW_S3, rows, size)
            grow(server, folder, GROW_ITEMS, rows // 25, size // 25)
            rows = size
            link = s3.generate_presigned_url("list_objects_v2", {
                "Bucket": "growth", "StartAfter": f"{rows // 3:08}"})
            script = dynamodb_script(server, "GetItem", folder, "growth", rows)
            curve.append({
                "rows": size, "page": median_ms(lambda: urllib.request.urlopen(link).read()),
                "item": median_ms(lambda: db.get_item(TableName="growth",
                                                      Key={"h": {"S": f"key{rows // 3}"}})),
                "item_wrk": wrk(server, script, 1, 2)})
            print(f"{size:9} rows: a page {curve[-1]['page']['median_ms']:.2f} ms, an item "
                  f"{curve[-1]['item_wrk']['p50_ms']:.3f} ms", flush=True)
    return curve


def measure_functions(folder):
    """What a request takes beyond the function's own time, on one connection."""
    with Ken() as server:
        with open(os.path.join(TOOLS, "bench_echo"), "rb") as file:
            code = functions.make_zip({"bootstrap": (file.read(), 0o755)})
        client(server, "lambda").create_function(
            FunctionName="echo", Role="arn:aws:iam::000000000000:role/echo", Handler="h",
            Runtime="provided.al2023", Code={"ZipFile": code})
        functions.allow_gateway(client(server, "lambda"), "echo")
        path = make_api(client(server, "apigateway"))
        own_us = [float(urllib.request.urlopen(server.endpoint + path).read()) for _ in range(500)]
        found = {"own_ms": statistics.median(own_us) / 1000}
        for name, lines in (("health", "wrk.format('GET', '/health')"),
                            ("gateway", f"wrk.format('GET', {lua_string(path)})"),
                            ("invoke", signed_invoke(server))):
            script = write_script(folder, name, ["requests[1] = " + lines])
            found[name] = wrk(server, script, 1)
            print(f"{name:10}p50 {found[name]['p50_ms']:.3f} ms, p99 {found[name]['p99_ms']:.3f} ms",
                  flush=True)
    return found


def make_api(gateway):
    api = gateway.create_rest_api(name="echo")["id"]
    parent = gateway.get_resources(restApiId=api)["items"][0]["id"]
    leaf = gateway.create_resource(restApiId=api, parentId=parent, pathPart="echo")["id"]
    gateway.put_method(restApiId=api, resourceId=leaf, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(
        restApiId=api, resourceId=leaf, httpMethod="GET", type="AWS_PROXY",
        integrationHttpMethod="POST", uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/"
        "functions/arn:aws:lambda:us-east-1:000000000000:function:echo/invocations")
    gateway.create_deployment(restApiId=api, stageName="prod")
    return f"/restapis/{api}/prod/_user_request_/echo"


def signed_invoke(server):
    path = "/2015-03-31/functions/echo/invocations"
    request = AWSRequest("POST", server.endpoint + path, data="{}",
                         headers={"Host": server.endpoint.split("//")[1]})
    SigV4Auth(Credentials(*server.key), "lambda", "us-east-1").add_auth(request)
    headers = ", ".join(f"[{lua_string(k)}] = {lua_string(v)}" for k, v in request.headers.items())
    return f"wrk.format('POST', '{path}', {{{headers}}}, '{{}}')"


def measure_disk(folder):
    """Syncs a second of 4 KB, one object and what a batch of 8 or 16 of them comes to."""
    return tool("bench_disk", folder, 4096, *(n * OBJECT_BYTES for n in (1, 8, 16)))


def measure_start(folder):
    return tool("bench_cloud_start", os.path.abspath(KEN), os.path.join(folder, "start"), 15)


def draw(result, path):
    """A bar for each server and operation, at 16 connections."""
    width, left, y, parts = 760, 150, 0, []
    for name, title in (("GET", f"GetObject, {OBJECT_BYTES // 1000} KB"),
                        ("PUT", f"PutObject, {OBJECT_BYTES // 1000} KB"),
                        ("GetItem", "GetItem"), ("PutItem", "PutItem")):
        rows = [(s, found[name]["16"]["per_second"]) for s, found in result["servers"].items()
                if name in found]
        parts.append(f'<text class="title" x="{left}" y="{y + 22}">{title}, requests a second</text>')
        y += 30
        for server, value in rows:
            length = value * (width - left - 90) / max(v for _, v in rows)
            parts.append(
                f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{server}</text>'
                f'<rect class="{"ken" if server == "ken" else "peer"}" x="{left}" y="{y}" '
                f'width="{length:.1f}" height="16" rx="2"/>'
                f'<text x="{left + length + 6:.1f}" y="{y + 12}">{value:,.0f}</text>')
            y += 22
    with open(path, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 12}" viewBox="0 0 '
            f'{width} {y + 12}" role="img" aria-label="requests a second">\n<style>svg {{ background: '
            '#fff; font: 12px system-ui, sans-serif } text { fill: #333 } .title { font-weight: 600 } '
            '.ken { fill: #0b7a75 } .peer { fill: #b8c4c4 }</style>\n'.replace("{{", "{")
            + "\n".join(parts) + "\n</svg>\n")


def main():
    if not shutil.which("wrk"):
        clouds.skip("no wrk")
    os.makedirs(OUT, exist_ok=True)
    result = {"seconds": SECONDS, "object_bytes": OBJECT_BYTES, "servers": {},
              "load": os.getloadavg()[0], "processors": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        result["disk"] = {"before": measure_disk(folder)}
        result["start"] = measure_start(folder)
        print("start:", result["start"], flush=True)
        for make in (Ken, *[lambda p=p: p for p in peers()]):
            with make() as server, tempfile.TemporaryDirectory() as scripts:
                result["servers"][server.name] = found = measure_server(server, scripts)
                print(f"{server.name:15}start {found['start_ms']:.0f} ms, "
                      f"{found['idle_mb']:.0f} MB at rest", flush=True)
            if server.name == "ken":
                result["disk"]["after"] = measure_disk(folder)
                print("disk:", result["disk"], flush=True)
        result["functions"] = measure_functions(folder)
        result["growth"] = measure_growth(folder)
    with open(os.path.join(OUT, "cloud.json"), "w") as file:
        json.dump(result, file, indent=2)
    draw(result, os.path.join(OUT, "cloud.svg"))


if __name__ == "__main__":
    main()
