"""`ken-function` without `ken cloud`: a Runtime API of a few lines, frames in Ceph, records in DynamoDB Local."""
import base64
import http.server
import json
import os
import queue
import subprocess
import threading
import time

import engines
from system_test import ANSWER_S, MEDIA, MODELS, PHOTO, RECORD, RESPONSE, OnEngines

BUCKET, TABLE = "alone-frames", "alone-people"


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """Lambda's side of a function: hands out events, takes answers."""
    protocol_version = "HTTP/1.1"
    events = answers = None

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
        event = self.events.get()
        if event is None:
            self.close_connection = True
            return
        deadline_ms = int((time.time() + ANSWER_S) * 1000)
        self.reply(200, json.dumps(event).encode(), Lambda_Runtime_Aws_Request_Id="id-1", Lambda_Runtime_Deadline_Ms=str(deadline_ms))

    def do_POST(self):
        self.answers.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply(202)


class AloneTest(OnEngines):
    def setUp(self):
        api = type("Api", (RuntimeApi,), {"events": queue.Queue(), "answers": queue.Queue()})
        self.api, self.function = api, None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), api)
        self.server.handle_error = lambda *_: None  # a function that was ended
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.stop)
        s3, dynamodb = self.system.s3, self.system.dynamodb
        s3.create_bucket(Bucket=BUCKET)
        if TABLE not in dynamodb.list_tables()["TableNames"]:
            dynamodb.create_table(TableName=TABLE, KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
                                  AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
                                  BillingMode="PAY_PER_REQUEST")
        item = {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in RECORD.items()}
        dynamodb.put_item(TableName=TABLE, Item=item)

    def stop(self):
        if self.function:
            self.function.kill()
            self.function.wait()
        self.api.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    def start(self, **variables):
        key = (self.system.folder / "gallery.ken.key").read_text().strip()
        environment = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}", "AWS_REGION": engines.REGION,
                       "KEN_MODELS": str(MODELS), "KEN_GALLERY": str(self.system.folder / "gallery.ken"), "KEN_GALLERY_KEY": key,
                       "KEN_TABLE": TABLE, **engines.running.environment(), **variables}
        if "AWS_ACCESS_KEY_ID" not in environment:  # only the engines are asked, each with the key of its own
            environment |= {"AWS_ACCESS_KEY_ID": "UNUSED", "AWS_SECRET_ACCESS_KEY": "unused"}
        environment |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
        self.function = subprocess.Popen([str(engines.build / "ken-function")], env=environment, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)

    def ask(self, key, body=None, bucket=BUCKET):
        event = {"httpMethod": "POST" if body else "GET", "queryStringParameters": {"BucketName": bucket, "ImageName": key}}
        if body:
            event |= {"isBase64Encoded": True, "body": base64.b64encode(body).decode()}
        self.api.events.put(event)
        path, text = self.api.answers.get(timeout=ANSWER_S)
        self.assertTrue(path.endswith("/response"), (path, text))
        answer = json.loads(text)
        return answer["statusCode"], json.loads(answer["body"])

    def put(self, key, photo):
        self.system.s3.put_object(Bucket=BUCKET, Key=key, Body=photo.read_bytes())

    # Wrong input first.

    def test_what_the_engines_refuse_is_told(self):
        self.put("1.jpg", PHOTO)
        self.start(KEN_S3_SECRET_ACCESS_KEY="wrong")
        status, body = self.ask("1.jpg")
        self.assertEqual((status, body["error"]), (403, "AccessDenied"), body)

    def test_an_absent_table_is_a_failed_dependency(self):
        self.put("1.jpg", PHOTO)
        self.start(KEN_TABLE="absent")
        status, body = self.ask("1.jpg")
        self.assertEqual((status, body["error"]), (502, "DependencyFailed"), body)
        self.assertIn("ResourceNotFoundException", body["message"])

    def test_absent_frames_and_buckets(self):
        self.start()
        self.assertEqual(self.ask("absent.jpg")[1]["error"], "NoSuchKey")
        self.assertEqual(self.ask("1.jpg", bucket="absent-bucket")[1]["error"], "NoSuchBucket")

    # Then the right way.

    def test_a_frame_is_answered_and_another_and_a_posted_one(self):
        self.start()
        for number, photo in enumerate(("franck_02221.jpg", "franck_01829.jpg")):
            self.put(f"{number}.jpg", MEDIA / photo)
            status, body = self.ask(f"{number}.jpg")
            self.assertEqual((status, body["response"]), (200, RESPONSE), body)
            self.assertEqual(body["record"], RECORD)
        self.assertEqual(self.ask("posted.jpg", PHOTO.read_bytes())[1]["response"], RESPONSE)
        self.ask("absent.jpg")  # archived before the next event
        got = self.system.s3.get_object(Bucket=BUCKET, Key="posted.jpg")["Body"].read()
        self.assertEqual(got, PHOTO.read_bytes())
