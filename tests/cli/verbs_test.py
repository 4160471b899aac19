#!/usr/bin/env python3
"""Every verb as a stranger meets it: help, wrong words, a full disk, a reader that has gone. usage: verbs_test.py KEN"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

KEN = sys.argv.pop(1)
SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "edge.conf"


def ken(*arguments, **options):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("AWS_", "KEN_"))}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": "/", **options}
    return subprocess.run([KEN, *arguments], env={**environment, **options.pop("env", {})}, text=True,
                          check=False, timeout=60, **options)


def verbs():
    lines = ken("--help").stdout.split("verbs:\n")[1].split("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines]


class VerbsTest(unittest.TestCase):
    def refused(self, result, code, words):
        self.assertEqual(result.returncode, code, result)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(words, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_edge_lists_cameras(self):
        done = ken("edge", "--list-cameras", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(json.loads(done.stdout)), ["cameras", "failed"])

    def test_the_doctor_blames_neither_keys_nor_function_where_nobody_answers(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            place = f"http://127.0.0.1:{taken.getsockname()[1]}"
            deployment = {"region": "us-east-1", "endpoint": place, "frames_bucket": "f", "videos_bucket": "v", "table": "t",
                          "function": "f", "api_url": place + "/facerecognition", "auth": "iam", "api_key": ""}
            (pathlib.Path(folder) / "deployment.json").write_text(json.dumps(deployment))
            done = ken("doctor", "--json", cwd=folder, env={"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"})
        lines = {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}
        for check in ("buckets", "api"):
            self.assertEqual(lines[check]["level"], "fail", lines)
            self.assertIn("see network", lines[check]["advice"])

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here")
    def test_systemd_takes_the_unit(self):
        text = SAMPLE.with_name("ken-edge.service").read_text()
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "ken-edge.service"
            unit.write_text(text.replace("/usr/bin/ken-edge", "/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
        told = [line for line in done.stderr.splitlines() if "ken-edge" in line]
        self.assertEqual(told, [], done.stderr)
        self.assertIn("\nRestartPreventExitStatus=2\n", text, "a wrong option is not tried every two seconds")
        self.assertIn("\nDeviceAllow=char-dma_heap ", text, "libcamera has no memory for pictures without it")

    def test_wrong_words_are_refused_in_a_line(self):
        self.refused(ken("fly"), 2, "fly: no such verb")
        for verb in verbs():
            if verb == "model":
                continue
            with self.subTest(verb=verb):
                self.refused(ken(verb, "--no-such-option"), 2, "--no-such-option: no such option")
                self.refused(ken(verb, "--help=yes"), 2, "--help")
        self.refused(ken("edge", "--json=1", "--video", "x"), 2, "--json=1: takes no value")
        self.refused(ken("edge", "--video", "x", "--format", "gif"), 2, "neither png nor jpeg")
        self.refused(ken("frames", "x", "-o", "y", "--format", "gif"), 2, "neither png nor jpeg")
        self.refused(ken("edge", "--every"), 2, "--every: a value is missing")
        self.refused(ken("edge", "--every", "0"), 2, "--every: 0 is not from 1")
        self.refused(ken("edge", "--every", "x"), 2, "not a number")

    def test_a_slip_is_asked_about(self):
        self.refused(ken("trian"), 2, "trian: no such verb; is it train?")
        self.refused(ken("edge", "--vido", "x"), 2, "--vido: no such option; is it --video?")
        self.refused(ken("edge", "--vidoe=x"), 2, "is it --video?")
        self.refused(ken("edge", "--fast", "-video", "x"), 2, "-video: no such option; is it --video?")
        self.refused(ken("edge", "-qx"), 2, "-qx: no such option")

    def test_wrong_values_of_the_device_are_told_before_anything_else(self):
        wrong = [(["--mqtt", "http://x"], "--mqtt: "), (["--mqtt", "mqtt://x:y"], "--mqtt: "), (["--prefix", "/a"], "--prefix: "),
                 (["--mqtt", "mqtt://x", "--device", "a/b"], "--device: "), (["--mqtt", "mqtt://x", "--mqtt-topic", "a/#"], "--mqtt-topic: "),
                 (["--mqtt", "mqtt://ken:open-sesame@x"], "--mqtt-user"), (["--webhook", "ftp://x"], "--webhook: "),
                 (["--webhook", "https://x"], "--webhook-secret-file"), (["--encoder", "x"], "--encoder: ")]
        for options, words in wrong:
            with self.subTest(options=options):
                done = ken("edge", "--video", "x", "--deployment", "none.json", *options)
                self.refused(done, 2, words)
                self.assertNotIn("open-sesame", done.stderr)
        self.refused(ken("edge", env={"KEN_EDGE_VIDO": "x"}), 2, "is it --video?")
        self.assertEqual(ken("help", "train").stdout, ken("train", "--help").stdout)

    def test_the_sample_configuration_has_every_option(self):
        options = re.findall(r"^  (?:-., |    )--([a-z-]+)", ken("edge", "--help").stdout, re.M)
        lines = re.findall(r"^(?:# )?([a-z-]+) = \S", SAMPLE.read_text(), re.M)
        self.assertEqual(sorted(lines), sorted(set(options) - {"config", "list-cameras", "help"}))

    def test_each_line_of_the_sample_configuration_can_be_set(self):
        with tempfile.TemporaryDirectory() as folder:
            everything = pathlib.Path(folder) / "edge.conf"
            everything.write_text(re.sub(r"^# ([a-z-]+ = )", r"\1", SAMPLE.read_text(), flags=re.M))
            self.refused(ken("edge", "--config", everything, "--deployment", "none.json", cwd=folder), 1, "read none.json")

    def test_a_failure_prints_no_json(self):
        nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "A",
                   "AWS_SECRET_ACCESS_KEY": "B"}
        for words in (["list"], ["get", "x"], ["delete", "x"]):
            with self.subTest(words=words):
                self.refused(ken("people", *words, "--json", env=nowhere), 1, "table ken-people")

    def test_help_is_readable(self):
        for verb in verbs():
            with self.subTest(verb=verb):
                help_text = ken(verb, "--help")
                self.assertEqual((help_text.returncode, help_text.stderr), (0, ""))
                self.assertIn("usage: ken " + verb, help_text.stdout)
                self.assertRegex(help_text.stdout, r"\nexamples?:\n  (\S+=\S+ )?ken " + verb)
                self.assertLessEqual(max(map(len, help_text.stdout.splitlines())), 120)

    def test_what_cannot_be_printed_is_a_failure(self):
        with open("/dev/full", "w") as full:
            result = ken("--help", stdout=full)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output: No space left on device", result.stderr)

    def test_a_reader_that_has_gone_is_none(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as gone:
            result = ken("--help", stdout=gone)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_closed_streams_harm_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            line = (f"exec {KEN} cloud --data {folder}/data --listen 127.0.0.1:0 "
                    f"--ready-file {folder}/ready >&- 2>&-")
            cloud = subprocess.Popen(["sh", "-c", line])
            until = time.monotonic() + 15
            while not os.path.exists(folder + "/ready") and time.monotonic() < until:
                time.sleep(0.01)
            cloud.terminate()
            self.assertEqual(cloud.wait(15), 0)
            with open(folder + "/data/credentials") as credentials:
                self.assertTrue(credentials.read().startswith("[default]\naws_access_key_id"))

    def test_what_another_program_found_is_judged(self):
        with tempfile.TemporaryDirectory() as folder:
            def write(name, *lines):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as out:
                    out.writelines(line.replace(" ", "\t") + "\n" for line in lines)
                return path

            faces = write("faces.tsv", "image x y w h ignore", "a 0 0 10 10 0", "b 0 0 10 10 0", "b 50 0 9 9 1")
            found = write("found.tsv", "image x y w h score", "b 0 0 10 11 0.9", "b 50 0 9 9 0.8")
            strange = write("strange.tsv", "c 0 0 10 11 0.9")
            command = ["evaluate", "detection", "--faces", faces]
            answer = json.loads(ken(*command, "--found", found, "--json").stdout)
            self.assertEqual((answer["photos"], answer["faces"]), (2, 2))
            self.assertEqual(answer["recall_at_precision_0.95"], 0.5)
            self.assertEqual(answer["interval_95"], [0, 1])
            self.assertIn("50.0 % (0.0 to 100.0 %", ken(*command, "--found", found).stdout)
            self.refused(ken(*command, "--found", strange), 1, 'no photo "c"')
            self.refused(ken(*command), 2, "--images DIR and --found FILE are wanted")
            self.refused(ken(*command, "--found", found, "--images", folder), 2, "one of")

    def test_the_environment_of_no_cloud(self):
        with tempfile.TemporaryDirectory() as folder:
            result = ken("cloud", "env", "--data", folder + "/typo")
            self.assertEqual(result.returncode, 1)
            self.assertIn("no cloud has been started with this folder", result.stderr)
            self.assertFalse(os.path.exists(folder + "/typo"))


if __name__ == "__main__":
    unittest.main()
