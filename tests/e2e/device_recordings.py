#!/usr/bin/python3
"""What becomes of recordings when the device, the cloud or the connection ends at a bad moment.
usage: device_recordings.py BUILD_FOLDER. Skipped (77) as whole_way.py is."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

from whole_way import InCloud, KEN, ROOT, deploy_person, png  # takes the build folder off the command line, or skips
from proxy import Broken, Proxy

WAIT_S = 60
AGED = ("--keep-days", 0.5 / 86400)  # times of files count whole seconds


def noise(path, width=1920, height=480):
    """A photo that no encoder makes small: three seconds of them are more than three parts."""
    path.write_bytes(png(width, height, lambda _: os.urandom(3 * width)))


class Recordings(InCloud):
    @classmethod
    def prepare(cls):
        deploy_person(cls.cloud)
        (cls.folder / "noise").mkdir()
        for number in range(5):
            noise(cls.folder / "noise" / f"{number}.png")
        cls.cloud.ken("edge", "--video", "photos:noise", "--loop", "--fast", "--seconds", 3, "--fps", 30, "--every", 1000000,
                      "--work", "long")
        cls.long, = (cls.folder / "long").glob("*.mp4")

    def setUp(self):
        self.work = self.folder / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        if self.cloud.process.poll() is not None:
            self.cloud.start()
        for key in self.stored():
            self.cloud.client("s3").delete_object(Bucket="ken-videos", Key=key)
        for upload in self.uploads():
            self.cloud.client("s3").abort_multipart_upload(Bucket="ken-videos", Key=upload["Key"], UploadId=upload["UploadId"])
        self.keys = {}  # the administrator's
        self.proxy = Proxy(self.cloud.endpoint)
        self.addCleanup(self.proxy.close)

    def start(self, *options):
        process = subprocess.Popen([KEN, "edge", "--work", "work", "--every", "1000000", "--retry", "40", *map(str, options)],
                                   env=self.cloud.environment | {"AWS_ENDPOINT_URL": self.proxy.endpoint} | self.keys,
                                   cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close(), process.stderr.close()))
        return process

    def send(self):
        """A start that finds the long recording of a run that ended before it could send any of it."""
        self.work.mkdir()
        shutil.copy(self.long, self.work / (self.long.name + ".part"))
        return self.start("--video", "test:", "--fast", "--offline", 500, "--seconds", 0.2, "--no-record")

    def once_more(self, *options):
        """The next start, which sends what waits."""
        process = self.start("--video", "test:", "--fast", "--seconds", 0.2, *(options or ("--no-record", "--offline", 500)))
        _, err = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 0, err)

    def stored(self):
        listed = self.cloud.client("s3").list_objects_v2(Bucket="ken-videos").get("Contents", [])
        return {item["Key"]: item["Size"] for item in listed}

    def uploads(self):
        return self.cloud.client("s3").list_multipart_uploads(Bucket="ken-videos").get("Uploads", [])

    def parts(self, done=None):
        return [request.part for request in self.proxy.requests if request.part and (done is None or (request.status == 200) == done)]

    def assert_stored_once(self):
        """Each recording of the work folder is in the bucket byte for byte, nothing else is there or on its way."""
        videos = {path.name: path for path in self.work.glob("*.mp4")}
        self.assertGreaterEqual(len(videos), 1)
        self.assertEqual(self.stored(), {name: path.stat().st_size for name, path in videos.items()})
        s3 = self.cloud.client("s3")
        for name, path in videos.items():
            self.assertEqual(s3.get_object(Bucket="ken-videos", Key=name)["Body"].read(), path.read_bytes(), name)
        self.assertEqual(self.uploads(), [])
        self.assertEqual(list((self.work / "queue").glob("*.item*")), [])
        self.assertEqual(list(self.work.glob("*.part")), [])

    def assert_each_part_once(self, cut=()):
        """No part that had been acknowledged was sent again."""
        count = max(self.parts())
        self.assertGreaterEqual(count, 4)
        self.assertEqual(sorted(self.parts(done=True)), list(range(1, count + 1)))
        self.assertEqual(sorted(self.parts()), sorted([*range(1, count + 1), *cut]))

    def at_part(self, number, action):
        """Once, in the middle of that part."""
        once = threading.Event()

        def rule(request):
            if request.part == number and not once.is_set():
                once.set()
                action()
                raise Broken
        self.proxy.before = rule
        return once

    def test_a_long_recording_goes_in_parts(self):
        process = self.send()
        _, err = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 0, err)
        self.assert_each_part_once()
        self.assert_stored_once()
        self.cloud.ken("videos", "-o", "back", self.long.name)
        self.assertEqual((self.folder / "back" / self.long.name).read_bytes(), self.long.read_bytes())

    def test_a_connection_that_breaks_costs_one_part(self):
        self.at_part(3, lambda: None)
        process = self.send()
        _, err = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 0, err)
        self.assert_each_part_once(cut=[3])
        self.assert_stored_once()

    def test_a_killed_device_goes_on_where_it_was(self):
        process = self.send()
        reached = self.at_part(3, process.kill)
        process.communicate(timeout=WAIT_S)
        self.assertTrue(reached.is_set())
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertEqual(self.stored(), {})
        self.once_more()
        self.assert_each_part_once(cut=[3])
        self.assert_stored_once()

    def test_a_killed_cloud_goes_on_where_it_was(self):
        process = self.send()
        reached = self.at_part(3, lambda: self.cloud.stop(signal.SIGKILL))
        until = time.monotonic() + WAIT_S
        while not reached.wait(0.1) and time.monotonic() < until and process.poll() is None:
            pass
        self.cloud.process.wait(WAIT_S)
        time.sleep(1)
        self.cloud.start()
        _, err = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertLessEqual(set(self.parts(done=True)), set(self.parts()))
        self.assertEqual(len(self.parts(done=True)), max(self.parts()), "no acknowledged part is sent again")
        self.assert_stored_once()

    def test_a_lost_last_answer_sends_nothing_again(self):
        once = threading.Event()

        def rule(request):
            if request.method == "POST" and "uploadId" in request.query and not once.is_set():
                once.set()
                raise Broken
        self.proxy.after = rule
        process = self.send()
        _, err = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(once.is_set())
        self.assert_each_part_once()
        self.assert_stored_once()

    def test_a_device_killed_before_it_knew_the_upload_leaves_none(self):
        process = self.send()

        def rule(request):
            if request.method == "POST" and "uploads" in request.query and not self.proxy.before:
                self.proxy.before = lambda request: None
                process.kill()
                raise Broken
        self.proxy.after = rule
        process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertEqual(len(self.uploads()), 1)
        self.once_more()
        self.assert_stored_once()

    def test_with_the_policy_of_a_device_too(self):
        iam = self.cloud.client("iam")
        iam.create_user(UserName="device")
        iam.put_user_policy(UserName="device", PolicyName="device", PolicyDocument=(ROOT / "deploy" / "iam-device.json").read_text())
        key = iam.create_access_key(UserName="device")["AccessKey"]
        self.keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        self.test_a_device_killed_before_it_knew_the_upload_leaves_none()

    def cut(self, *options):
        """A device that is killed when the first fragment of its recording is on the disk. Returns the recording's final path."""
        before = set(self.work.glob("*.part")) if self.work.exists() else set()
        process = self.start("--video", "test:", *options)
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and process.poll() is None:
            parts = set(self.work.glob("*.part")) - before if self.work.exists() else set()
            if any(path.stat().st_size > 4096 for path in parts):
                break
            time.sleep(0.05)
        process.kill()
        process.wait()
        part, = set(self.work.glob("*.part")) - before
        return part.with_suffix("")

    def test_a_killed_recording_is_finished_sent_and_forgotten(self):
        video = self.cut("--offline", 500)
        self.once_more()
        self.assert_stored_once()
        self.assertEqual(set(self.stored()), {video.name})
        self.cloud.ken("videos", video.name, "-o", ".")  # plays
        time.sleep(2.1)
        self.once_more("--offline", 500, *AGED)
        self.assertFalse(video.exists(), "it is in its bucket, and too old")
        self.assertEqual(len(list(self.work.glob("*.mp4*"))), 1)
        self.assertEqual(len(self.stored()), 2)

    def test_a_killed_recording_that_waits_is_not_forgotten(self):
        video = self.cut("--offline", 500)
        time.sleep(2.1)
        self.cloud.stop(signal.SIGKILL)
        process = self.start("--video", "test:", "--fast", "--seconds", 0.2, "--offline", 500, *AGED, "--retry", 1)
        process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 1, "something waits")
        self.assertTrue(video.exists())
        self.cloud.start()
        self.once_more()
        self.assert_stored_once()
        self.assertIn(video.name, self.stored())

    def test_a_device_killed_before_it_named_its_recording_sends_it_once(self):
        video = self.cut("--offline", 500)
        self.cloud.stop(signal.SIGKILL)
        process = self.start("--video", "test:", "--fast", "--seconds", 0.2, "--offline", 500, "--no-record", "--retry", 0.1)
        process.communicate(timeout=WAIT_S)
        video.rename(video.with_name(video.name + ".part"))  # it waits in the queue, without its name
        self.cloud.start()
        self.once_more()
        self.assert_stored_once()
        self.assertEqual([request.path for request in self.proxy.requests if request.status == 200 and request.method == "PUT"],
                         ["/ken-videos/" + video.name])

    def test_without_a_queue_killed_recordings_go_by_age(self):
        video = self.cut()
        time.sleep(2.1)
        self.once_more("--keep-days", 1)
        self.assertEqual([path.name for path in self.work.glob("*.part")], [video.name + ".part"])
        self.once_more(*AGED)
        self.assertEqual(list(self.work.glob("*.part")), [])

    def test_a_recording_that_goes_on_elsewhere_is_left_alone(self):
        process = self.start("--video", "test:")
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and not list(self.work.glob("*.part")):
            time.sleep(0.05)
        part, = self.work.glob("*.part")
        self.once_more()
        self.once_more("--keep-days", 1e-9)
        self.assertTrue(part.exists())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=WAIT_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(part.with_suffix("").exists())

    def test_an_upload_whose_recording_is_gone_is_given_up(self):
        process = self.send()
        reached = self.at_part(3, process.kill)
        process.communicate(timeout=WAIT_S)
        self.assertTrue(reached.is_set())
        for path in self.work.glob("*.mp4"):
            path.unlink()
        self.once_more()
        self.assertEqual(self.stored(), {})
        self.assertEqual(self.uploads(), [])


if __name__ == "__main__":
    unittest.main()
