#!/usr/bin/env python3
"""How long ken-function takes from its start to its first answer, and for later ones.

Plays the Lambda Runtime API, S3 and DynamoDB for it on one loopback port, so that nothing but the function
is measured. Usage: bench/function_start.py [--function FILE] [--models DIR] [--gallery FILE]
[--frame PICTURE] [--starts N] [--warm N] [--json]
"""
import argparse
import http.server
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time

EVENT = json.dumps({"queryStringParameters": {"BucketName": "frames", "ImageName": "1.png"}}).encode()


class Stage:
    """What the function talks to, and when it answered."""

    def __init__(self, frame):
        self.frame, self.left, self.answers, self.times = frame, 0, [], []
        self.done = threading.Event()

    def begin(self, requests):
        self.left, self.answers, self.times = requests, [], []
        self.done.clear()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stage = None

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def reply(self, body, headers=()):
        head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body)]
        head += [f"{n}: {v}".encode() for n, v in headers]
        self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n" + body)

    def do_GET(self):
        if not self.path.endswith("/next"):
            return self.reply(self.stage.frame)
        if self.stage.left == 0:
            self.stage.done.set()
            self.close_connection = True
            return None
        self.stage.left -= 1
        self.stage.times.append(time.perf_counter())
        return self.reply(EVENT, [("Lambda-Runtime-Aws-Request-Id", f"id-{self.stage.left}"),
                                  ("Lambda-Runtime-Deadline-Ms", "4102444800000")])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "X-Amz-Target" in self.headers:
            name = json.loads(body)["Key"]["name"]["S"]
            return self.reply(json.dumps({"Item": {"name": {"S": name}, "id": {"N": "1"}}}).encode())
        self.stage.answers.append((time.perf_counter(), body))
        return self.reply(b"{}")


def once(options, port, stage, warm):
    stage.begin(1 + warm)
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
        "KEN_MODELS": options.models, "KEN_GALLERY": options.gallery, "KEN_TABLE": "people"}
    for name in ("KEN_GALLERY_KEY", "KEN_SIMD"):
        if name in os.environ:
            environment[name] = os.environ[name]
    began = time.perf_counter()
    process = subprocess.Popen([options.function], env=environment, stdout=subprocess.DEVNULL)
    stage.done.wait(60)
    process.kill()
    process.wait()
    if not stage.answers:
        sys.exit("the function gave no answer")
    body = json.loads(json.loads(stage.answers[0][1])["body"])
    later = [(answer - asked) * 1e3 for asked, (answer, _) in zip(stage.times[1:], stage.answers[1:])]
    return (stage.times[0] - began) * 1e3, (stage.answers[0][0] - began) * 1e3, later, body


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--function", default="build/release/ken-function")
    parser.add_argument("--models", default="build/models")
    parser.add_argument("--gallery", default="gallery.ken")
    parser.add_argument("--frame", required=True)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with open(options.frame, "rb") as file:
        stage = Handler.stage = Stage(file.read())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    runs = [once(options, server.server_port, stage, options.warm) for _ in range(options.starts)]
    ready, first = [run[0] for run in runs], [run[1] for run in runs]
    warm = [ms for run in runs for ms in run[2]]
    result = {name: {"min": min(values), "median": statistics.median(values), "max": max(values)}
              for name, values in (("start_to_ready_ms", ready), ("start_to_answer_ms", first),
                                   ("warm_ms", warm)) if values}
    result["size_bytes"] = os.path.getsize(options.function)
    result["answer"] = runs[-1][3]
    if options.json:
        print(json.dumps(result))
        return
    for name, values in result.items():
        if isinstance(values, dict) and "median" in values:
            print(f"{name:20} min {values['min']:.1f}  median {values['median']:.1f}  max {values['max']:.1f}")
    print(f"{'size':20} {result['size_bytes'] / 1e6:.1f} MB")
    print(f"{'first answer':20} {json.dumps(result['answer'])}")


if __name__ == "__main__":
    main()
