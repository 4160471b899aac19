#!/usr/bin/env python3
"""ken's programs, unchanged, against engines that are not ken's. usage: run.py BUILD_FOLDER DYNAMODB_LOCAL_JAR [TEST...]

Starts the engines on loopback in a folder of its own, runs the tests beside this file, stops the engines. What they said
is in BUILD_FOLDER/engines/. `make test-engines` calls it; docs/engines.md explains it."""
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import engines

HERE = pathlib.Path(__file__).resolve().parent
ALL_TESTS = ["system_test", "alone_test"]
TOTAL_S = 15 * 60
TOOLS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "java", "cc", "ffmpeg")


def out_of_time(*_):
    raise engines.EngineError(f"not done within {TOTAL_S} s")


def compile_loopback(folder):
    library = folder / "loopback.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", library, HERE / "loopback.c"], check=True)
    return library


def keep_logs(folder, logs):
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, logs)


def run_tests(names):
    suite = unittest.defaultTestLoader.loadTestsFromNames(names or ALL_TESTS)
    return unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)


def main():
    engines.build, jar = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or not jar.exists():
        sys.exit(f"test-engines: not here: {', '.join(missing) or jar}; make test-engines installs it")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(TOTAL_S)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-engines-"))
    try:
        engines.running = engines.Engines(folder, jar, compile_loopback(folder))
        engines.running.start()
        result = run_tests(sys.argv[3:])
    except engines.EngineError as error:
        sys.exit(f"test-engines: {error}")
    finally:
        signal.alarm(0)
        if engines.running:
            engines.running.say("stopping the engines")
            engines.running.stop()
        keep_logs(folder, engines.build / "engines")
        shutil.rmtree(folder, ignore_errors=True)
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    print(f"test-engines: {result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if failed == 0 else 1)


if __name__ == "__main__":
    main()
