#!/usr/bin/python3
"""The slow network of the benchmarks is as slow as it says: usage forward_test.py BENCH_FORWARD.

ping measures delay and loss, iperf3 the rate. Skipped (77) without TUN devices, namespaces, ping or iperf3."""
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench",
                                "net"))
from line import Line  # noqa: E402

FORWARD = sys.argv.pop(1)
UDP_PAYLOAD, UDP_PACKET = 1472, 1500


def ping(line, count, interval):
    out = subprocess.run(line.on_device(["ping", "-q", "-c", str(count), "-i", str(interval), "-W",
                                         "1", line.cloud_address]), stdout=subprocess.PIPE,
                         text=True, check=False).stdout
    received = int(re.search(r"(\d+) received", out).group(1))
    times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", out)
    return received, [float(t) for t in times.groups()] if times else None


def rate_mbit(line, reverse, offered_mbit, seconds=1):
    """What arrives when more is sent than the line takes, as Mbit/s on the line."""
    server = subprocess.Popen(line.on_cloud(["iperf3", "-s", "-1", "-p", "5201"]),
                              stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        out = subprocess.run(
            line.on_device(["iperf3", "-c", line.cloud_address, "-u", "-b", f"{offered_mbit}M",
                            "-l", str(UDP_PAYLOAD), "-t", str(seconds), "-O", "0.5", "-J",
                            *(["-R"] if reverse else [])]),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
            timeout=30).stdout
    finally:
        server.kill()
        server.wait()
    end = json.loads(out)["end"]
    arrived = end.get("sum_received") or end["sum"]
    packets = arrived["packets"] - arrived["lost_packets"]
    return packets * UDP_PACKET * 8 / arrived["seconds"] / 1e6


class Forward(unittest.TestCase):
    def test_wrong_options_are_refused(self):
        for options in ([], ["--ready-file", "/tmp/x", "--delay-ms", "-1"],
                        ["--ready-file", "/tmp/x", "--loss-percent", "101"],
                        ["--ready-file", "/tmp/x", "--rate-mbit", "fast"],
                        ["--ready-file", "/tmp/x", "--jitter", "1"]):
            done = subprocess.run([FORWARD, *options], stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 2, options)
            self.assertTrue(done.stderr)

    def test_without_delay_it_is_fast(self):
        with Line(FORWARD) as line:
            received, times = ping(line, 50, 0.01)
        self.assertEqual(received, 50)
        self.assertLess(times[0], 1)

    def test_delay_of_both_directions_adds_up(self):
        with Line(FORWARD, delay_ms=20) as line:
            received, times = ping(line, 60, 0.02)
        self.assertEqual(received, 60)
        self.assertGreaterEqual(times[0], 40)  # never early
        self.assertLess(times[0], 41)

    def test_rate(self):
        for mbit in (20, 2):
            with Line(FORWARD, rate_mbit=mbit) as line:
                for reverse in (False, True):
                    got = rate_mbit(line, reverse, mbit * 1.5, 3 if mbit < 10 else 1)
                    self.assertAlmostEqual(got, mbit, delta=mbit * 0.05)
            self.assertGreater(line.counts["device_to_cloud"]["overflowed"], 0)

    def test_loss(self):
        count, percent = 2000, 5
        with Line(FORWARD, loss_percent=percent, seed=int(time.time())) as line:
            received, _ = ping(line, count, 0.001)
        expected = (1 - percent / 100) ** 2
        sigma = math.sqrt(count * expected * (1 - expected))
        self.assertLess(abs(received - count * expected), 5 * sigma)
        lost = sum(line.counts[way]["lost"] for way in line.counts)
        self.assertAlmostEqual(lost, count - received, delta=5)  # other packets than ping's: next to none

    def test_everything_lost(self):
        with Line(FORWARD, loss_percent=100) as line:
            received, _ = ping(line, 5, 0.01)
        self.assertEqual(received, 0)

    def test_killed_it_leaves_nothing(self):
        with Line(FORWARD) as line:
            space = os.stat(line.device).st_ino
            line.process.send_signal(signal.SIGKILL)
            line.process.wait()
            left = subprocess.run(["lsns", "-t", "net", "-n", "-o", "NS"], text=True,
                                  stdout=subprocess.PIPE, check=True).stdout.split()
            self.assertNotIn(str(space), left)


if __name__ == "__main__":
    for tool in ("ping", "iperf3", "nsenter", "lsns"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed")
            sys.exit(77)
    try:
        with Line(FORWARD):
            pass
    except Line.Skipped as why:
        print(f"skipped: {why}")
        sys.exit(77)
    unittest.main()
