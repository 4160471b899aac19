#!/usr/bin/python3
"""A day without network, as fast as it goes: two runs of twelve hours by the camera's time, a restart between them, a frame every two minutes
and a recording an hour; then the network is back. usage: device_day.py BUILD_FOLDER. Skipped (77) as whole_way.py is."""
import collections
import json
import signal
import subprocess
import unittest

from whole_way import InCloud, KEN, deploy_person  # takes the build folder off the command line, or skips
from proxy import Proxy

HOURS, EVERY = 12, 60  # a run; at a picture every two seconds
FRAMES = HOURS * 1800 // EVERY
LONG_S = 400


class Day(InCloud):
    @classmethod
    def prepare(cls):
        deploy_person(cls.cloud)
        # the buckets behind a proxy that counts what is stored, the API directly
        cls.proxy = Proxy(cls.cloud.endpoint)
        cls.addClassCleanup(cls.proxy.close)

    def run_device(self, work, *options):
        """Lines of a run, and how it ended."""
        done = subprocess.run([KEN, "edge", "--video", "test:", "--width", "96", "--height", "64", "--fps", "0.5", "--fast", "--every", str(EVERY),
                               "--json", "--workers", "1", "--work", work, *map(str, options)], cwd=self.folder, text=True, capture_output=True,
                              env=self.cloud.environment | {"AWS_ENDPOINT_URL": self.proxy.endpoint}, timeout=LONG_S, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()], done

    def half_a_day(self, work, *options):
        """Twelve hours without the cloud; returns its queued frames."""
        lines, done = self.run_device(work, "--seconds", HOURS * 3600, "--segment", 60, "--retry", 0.2, *options)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual([line for line in lines if "lost" in line and "queued" not in line], [])
        return [line for line in lines if line.get("queued")], done

    def back(self, work):
        """The network is back; the run ends when nothing waits any more. Returns what it said, and what was stored how often."""
        self.cloud.start()
        self.proxy.requests.clear()
        lines, done = self.run_device(work, "--seconds", 2, "--no-record", "--retry", 60, "--offline", 1000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list((self.folder / work / "queue").glob("*.item*")), [])
        stored = collections.Counter(request.path.removeprefix("/") for request in self.proxy.requests
                                     if request.status == 200 and request.method in ("PUT", "POST") and "ken-" in request.path)
        return [line for line in lines if line.get("late")], stored

    def stored(self, bucket, prefix):
        pages = self.cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def test_nothing_is_lost_and_all_is_stored_once(self):
        self.cloud.stop(signal.SIGKILL)
        for half in "ab":
            queued, _ = self.half_a_day("day", "--prefix", f"{half}/", "--offline", 1000)
            self.assertEqual(len(queued), FRAMES)
        videos = {path.name for path in (self.folder / "day").glob("*.mp4")}
        self.assertEqual(len(videos), 2 * HOURS)
        late, stored = self.back("day")
        self.assertEqual(len(late), 2 * FRAMES)
        self.assertEqual(set(stored.values()), {1}, "each once")
        for half in "ab":
            self.assertEqual(set(self.stored("ken-frames", f"{half}/")), {f"{half}/{EVERY * n}.png" for n in range(1, FRAMES + 1)})
        order = [line["key"].split("/") for line in late]
        self.assertEqual(order, sorted(order, key=lambda key: (key[0], int(key[1][:-4]))), "oldest first")
        self.assertLessEqual(videos, set(self.stored("ken-videos", "")))

    def test_past_the_limit_the_oldest_unimportant_go(self):
        self.cloud.stop(signal.SIGKILL)
        options = ["--no-record", "--width", 320, "--height", 240]
        answered, _ = self.half_a_day("full", "--prefix", "answered/", "--gallery", "gallery.ken", "--offline", 1000, *options)
        self.assertEqual({line.get("by_device") for line in answered}, {True})
        size = sum(path.stat().st_size for path in (self.folder / "full" / "queue").glob("*.item"))
        limit = int(1.5 * size / 1e6)
        self.assertGreater(limit, 1)
        asked, done = self.half_a_day("full", "--prefix", "asked/", "--offline", limit, *options)
        self.assertIn("are gone unsent", done.stderr)
        left = sum(path.stat().st_size for path in (self.folder / "full" / "queue").glob("*.item"))
        self.assertLessEqual(left, limit * 1e6)
        self.assertGreater(left, limit * 1e6 * 0.95)
        late, stored = self.back("full")
        self.assertEqual(set(stored.values()), {1}, "each once")
        self.assertEqual(len(late), FRAMES, "no question was given up")
        self.assertEqual(set(self.stored("ken-frames", "asked/")), {f"asked/{EVERY * n}.png" for n in range(1, FRAMES + 1)})
        kept = sorted(int(key.split("/")[1][:-4]) for key in self.stored("ken-frames", "answered/"))
        self.assertGreater(len(kept), FRAMES / 4)
        if kept[0] == EVERY:  # the first may be on its way while the limit is passed, and is spared then
            kept.pop(0)
        self.assertEqual(kept, [EVERY * n for n in range(FRAMES - len(kept) + 1, FRAMES + 1)], "the newest of those answered here")
        self.assertEqual(len(asked), FRAMES)


if __name__ == "__main__":
    unittest.main()
