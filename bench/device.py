#!/usr/bin/python3
"""What a device costs while nobody is there: processor time and memory of ken-edge and of the process that captures, by
configuration. A camera of 640x480 at 30 behind the tests' stand-in for a driver, whose work is in the figures.
usage: device.py BUILD_FOLDER [SECONDS [NAME...]]. Writes build/bench/device.json; exits 1 when a limit is passed."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = sys.argv[3:]
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 60
del sys.argv[2:]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
import children
from memory import together
from whole_way import BUILD, Cloud, ROOT, deploy_person  # takes the build folder off the command line, or skips

SETTLE_S = 5
MAX_PERCENT, MAX_MB = 10, 60
# name: options, whether the limits of processor time and of memory hold
CASES = {
    "record only": (["--every", "1000000"], True, True),
    "every 15th": ([], True, True),
    "every 15th, jpeg in the request": (["--architecture", "d", "--format", "jpeg"], True, True),
    "when a face is there": (["--when-face"], True, True),
    "best shot of each visit": (["--best-shot", "--visits"], True, True),
    "visits, every 15th": (["--visits"], True, True),
    "MJPEG copied, every 15th": (["--camera-format", "mjpeg", "--encoder", "copy"], True, True),
    "MJPEG by x264, every 15th": (["--camera-format", "mjpeg"], False, False),
}


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def threads(pid):
    """Processor seconds by thread."""
    used = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        used[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def capturing(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def measure(cloud, options):
    environment = cloud.environment | {"LD_PRELOAD": str(BUILD / "tests" / "camera" / "libv4l2_shim.so"),
                                       "KEN_SHIM_PATH": "/dev/video-ken", "KEN_SHIM_DIR": str(cloud.folder), "KEN_SHIM_FORMATS": "H264 MJPG"}
    command = [BUILD / "ken-edge", "--video", "v4l2:/dev/video-ken", "--width", "640", "--height", "480", "--fps", "30", "--json",
               "--offline", "500", "--work", "work", "--segment", "1", "--keep-mb", "50", *options]
    with open(cloud.folder / "out", "w") as out:
        device = children.start([*map(str, command)], env=environment, cwd=cloud.folder, stdout=out, stderr=out)
    try:
        time.sleep(SETTLE_S)
        camera = capturing(device.pid)
        if device.poll() is not None or not camera:
            raise RuntimeError(f"{options}: {(cloud.folder / 'out').read_text()}")
        pids = {"device": device.pid, "capture": camera}
        groups = {"device": [device.pid], "capture": [camera], "both": [device.pid, camera]}
        begin, before = time.monotonic(), {name: ticks(pid) for name, pid in pids.items()}
        by_thread = threads(device.pid)
        most = {name: together(group) for name, group in groups.items()}
        while time.monotonic() - begin < SECONDS:
            time.sleep(1)
            for name, group in groups.items():
                now = together(group)
                if now["total"] > most[name]["total"]:
                    most[name] = now
        wall = time.monotonic() - begin
        percent = {name: 100 * (ticks(pid) - before[name]) / wall for name, pid in pids.items()}
        busiest = sorted((round(100 * (used - by_thread.get(task, 0)) / wall, 1) for task, used in threads(device.pid).items()), reverse=True)
    finally:
        device.terminate()
        try:
            device.wait(60)
        except subprocess.TimeoutExpired:
            device.kill()
            device.wait()
    shutil.rmtree(cloud.folder / "work", ignore_errors=True)
    return {"percent": percent, "memory_mb": most, "threads_percent": busiest[:6], "exit": device.returncode}


def prepare(cloud):
    cloud.start()
    deploy_person(cloud)
    subprocess.run([BUILD / "tests" / "camera" / "bench_camera",
                    "--make", cloud.folder], check=True)


def main():
    children.end_by_sigterm()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-device-"))
    cloud, results, passed = Cloud(folder), {}, True
    try:
        prepare(cloud)
        for name, (options, cpu_limit, memory_limit) in CASES.items():
            if NAMES and name not in NAMES:
                continue
            result = results[name] = measure(cloud, options)
            percent, parts = sum(result["percent"].values()), result["memory_mb"]
            total = parts["both"]["total"]
            result |= {"options": options, "total_percent": percent, "total_mb": total}
            over = [text for text, is_over in ((f"above {MAX_PERCENT} %", cpu_limit and percent > MAX_PERCENT),
                                               (f"above {MAX_MB} MB", memory_limit and total > MAX_MB)) if is_over]
            passed &= not over and result["exit"] == 0
            print(f"{name:32} {percent:5.1f} % ({result['percent']['device']:.1f} + {result['percent']['capture']:.1f}; "
                  f"{result['threads_percent'][:4]}), {total:5.1f} MB (" + "; ".join(
                      f"{who} {m['total']:.1f}: {m['anonymous']:.1f} anonymous, {m['files']:.1f} files" for who, m in parts.items())
                  + f") {' '.join(over)}{'' if result['exit'] == 0 else ' exit ' + str(result['exit'])}", flush=True)
    finally:
        if cloud.process and cloud.process.poll() is None:
            cloud.stop()
        cloud.log.close()
        shutil.rmtree(folder, ignore_errors=True)
    (ROOT / "build" / "bench").mkdir(parents=True, exist_ok=True)
    (ROOT / "build" / "bench" / "device.json").write_text(json.dumps({"seconds": SECONDS, "cases": results}) + "\n")
    return 0 if passed else 1


sys.exit(main())
