#!/usr/bin/env python3
"""ken's programs, unchanged, against engines that are not ken's. usage: run.py BUILD_FOLDER DYNAMODB_LOCAL_JAR LOOPBACK_SO [TEST...]

Starts the engines on loopback in a folder of its own, runs the tests beside this file, stops the engines. What they said
is in BUILD_FOLDER/engines/. `make test-engines` calls it; docs/engines.md explains it."""
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import unittest

import engines

HERE = pathlib.Path(__file__).resolve().parent
ALL_TESTS = ["system_test", "alone_test", "s3_beside_test"]
TOTAL_S = 30 * 60
TOOLS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "java", "ffmpeg")


class Ended(KeyboardInterrupt):
    """Told to end, or out of time. unittest takes every other exception for a test's."""


def end(number, _):
    raise Ended(f"not done within {TOTAL_S} s" if number == signal.SIGALRM else "interrupted")


def end_children():
    """What a test that was ended in its middle left: a `ken cloud`."""
    for task in pathlib.Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            os.kill(int(child), signal.SIGTERM)


def keep_logs(folder, logs):
    logs.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, logs)


def run_tests(names):
    suite = unittest.defaultTestLoader.loadTestsFromNames(names or ALL_TESTS)
    return unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)


def main():
    engines.build, jar, loopback = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    missing = [tool for tool in TOOLS if not shutil.which(tool)] + [str(file) for file in (jar, loopback) if not file.exists()]
    if missing:
        sys.exit(f"test-engines: not here: {', '.join(missing)}; make test-engines brings it")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, end)
    signal.alarm(TOTAL_S)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-engines-"))
    tempfile.tempdir = str(folder)  # the tests' folders go with it
    try:
        engines.running = engines.Engines(folder, jar, loopback)
        engines.running.start()
        result = run_tests(sys.argv[4:])
    except (engines.EngineError, KeyboardInterrupt) as error:
        sys.exit(f"test-engines: {str(error) or 'interrupted'}")
    finally:
        signal.alarm(0)
        if engines.running:
            engines.running.say("stopping the engines")
            engines.running.stop()
        end_children()
        keep_logs(folder, engines.build / "engines")
        shutil.rmtree(folder, ignore_errors=True)
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    print(f"test-engines: {result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if failed == 0 else 1)


if __name__ == "__main__":
    main()
