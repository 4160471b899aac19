"""The verb: ken cloud starts, refuses, stops. cloud_test.py KEN"""
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
import warnings

import cloud as clouds

KEN = sys.argv[1]


class VerbTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ken-verb-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def ken(self, *arguments, **environment):
        clean = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
        return subprocess.run([KEN, *arguments], env={**clean, **environment}, capture_output=True,
                              text=True, timeout=30)

    def start(self, *arguments, **environment):
        clean = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
        ready = os.path.join(self.folder, "ready")
        process = subprocess.Popen(
            [KEN, "cloud", "--data", os.path.join(self.folder, "data"), "--listen", "127.0.0.1:0",
             "--ready-file", ready, *arguments], env={**clean, **environment},
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        clouds.wait_until(lambda: os.path.exists(ready))
        with open(ready) as file:
            return process, json.load(file)

    def refused(self, code, text, done):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_wrong_command_lines(self):
        self.refused(2, "--data", self.ken("cloud"))
        self.refused(2, "no such argument", self.ken("cloud", "--data", self.folder, "start"))
        self.refused(2, "neither full nor basic", self.ken("cloud", "--data", self.folder,
                                                            "--isolation", "half"))
        for listen in ["4566", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "host:1", "[::1:0"]:
            self.refused(1, "not ADDRESS:PORT", self.ken("cloud", "--data", self.folder,
                                                         "--listen", listen))

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            self.refused(1, "the port is in use", self.ken(
                "cloud", "--data", self.folder, "--listen", f"127.0.0.1:{port}"))

    def test_folder_in_use(self):
        self.start()
        self.refused(1, "another ken cloud uses it", self.ken(
            "cloud", "--data", os.path.join(self.folder, "data"), "--listen", "127.0.0.1:0"))

    def test_folder_cannot_be_made(self):
        blocked = os.path.join(self.folder, "file")
        with open(blocked, "w"):
            pass
        self.refused(1, blocked, self.ken("cloud", "--data", blocked + "/data"))

    def test_damaged_credentials(self):
        with open(os.path.join(self.folder, "credentials"), "w") as file:
            file.write("[default]\n")
        self.refused(1, "aws_access_key_id", self.ken("cloud", "--data", self.folder))

    def test_first_start_makes_a_key_and_says_it_once(self):
        process, ready = self.start()
        self.assertEqual(ready["pid"], process.pid)
        with urllib.request.urlopen(ready["endpoint"] + "/health") as reply:
            self.assertEqual(json.load(reply)["status"], "ok")
        process.send_signal(signal.SIGTERM)
        first = process.communicate(timeout=20)[0]
        self.assertEqual(process.returncode, 0)
        path = os.path.join(self.folder, "data", "credentials")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path) as file:
            secret = file.read().split("aws_secret_access_key = ")[1].strip()
        self.assertIn(f"export AWS_SECRET_ACCESS_KEY={secret}", first)
        self.assertIn(f"export AWS_ENDPOINT_URL={ready['endpoint']}", first)
        os.unlink(os.path.join(self.folder, "ready"))
        process, again = self.start()
        process.send_signal(signal.SIGINT)
        self.assertNotIn(secret, process.communicate(timeout=20)[0])
        self.assertEqual(process.returncode, 0)
        exports = self.ken("cloud", "env", "--data", os.path.join(self.folder, "data")).stdout
        self.assertIn(f"export AWS_ENDPOINT_URL={again['endpoint']}\n", exports)
        exports = self.ken("cloud", "env", "--data", os.path.join(self.folder, "data"),
                           "--endpoint", "http://10.0.0.1:80").stdout
        self.assertIn(f"export AWS_SECRET_ACCESS_KEY={secret}\n", exports)
        self.assertIn("export AWS_ENDPOINT_URL=http://10.0.0.1:80\n", exports)

    def test_what_nobody_uses_makes_no_database(self):
        process, _ = self.start()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 0)
        made = [name for _, _, names in os.walk(os.path.join(self.folder, "data")) for name in names]
        self.assertEqual([name for name in made if "sqlite" in name or ".db" in name], [])

    def test_a_crash_leaves_no_core_dump_unless_asked_for(self):
        def limit(process):
            return resource.prlimit(process.pid, resource.RLIMIT_CORE)[0]
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        if most == 0 or clouds.is_sanitized(KEN):
            self.skipTest("no core dumps are allowed here, or a sanitizer allows none")
        process, _ = self.start(KEN_CORE="1")
        self.assertEqual(limit(process), most)
        process.kill()
        process.wait()
        os.unlink(os.path.join(self.folder, "ready"))
        self.assertEqual(limit(self.start()[0]), 1)  # a pipe is not kept from it by 0

    def test_keys_of_the_environment_are_taken_and_not_written(self):
        process, _ = self.start(AWS_ACCESS_KEY_ID="AKIAMINE", AWS_SECRET_ACCESS_KEY="mine")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "data", "credentials")))
        process.terminate()
        self.assertNotIn("mine", process.communicate(timeout=20)[0])

    def get(self, ready, path, context=None):
        with urllib.request.urlopen(ready["endpoint"] + path, context=context) as reply:
            return reply.status, reply.read().decode()

    def test_tls_with_a_certificate_of_its_own(self):
        process, ready = self.start("--tls")
        self.assertTrue(ready["endpoint"].startswith("https://127.0.0.1:"))
        key = os.path.join(self.folder, "data", "tls", "key.pem")
        self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
        bundle = os.path.join(self.folder, "data", "tls", "cert.pem")
        trusting = ssl.create_default_context(cafile=bundle)
        self.assertEqual(self.get(ready, "/health", trusting)[0], 200)
        with self.assertRaises(urllib.error.URLError):
            self.get(ready, "/health", ssl.create_default_context())
        with self.assertRaises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
            self.get({"endpoint": ready["endpoint"].replace("https", "http")}, "/health")
        old = ssl.create_default_context(cafile=bundle)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(urllib.error.URLError):
            self.get(ready, "/health", old)
        exports = self.ken("cloud", "env", "--data", os.path.join(self.folder, "data")).stdout
        self.assertIn(f"export AWS_CA_BUNDLE='{bundle}'", exports)
        with open(bundle) as file:
            made = file.read()
        process.terminate()
        process.wait(20)
        os.unlink(os.path.join(self.folder, "ready"))
        self.start("--tls")
        with open(bundle) as file:
            self.assertEqual(file.read(), made)

    def test_tls_with_a_given_certificate(self):
        key, cert, other = (os.path.join(self.folder, name) for name in ("k.pem", "c.pem", "o.pem"))
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=test",
             "-addext", "subjectAltName=IP:127.0.0.1"], capture_output=True, check=False)
        if made.returncode:
            self.skipTest("no openssl command")
        _, ready = self.start("--tls-cert", cert, "--tls-key", key)
        self.assertEqual(self.get(ready, "/health", ssl.create_default_context(cafile=cert))[0],
                         200)
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                        other], capture_output=True, check=True)
        data = os.path.join(self.folder, "other")
        for code, text, arguments in [
                (2, "belong together", ["--tls-cert", cert]),
                (1, "is not the key of", ["--tls-cert", cert, "--tls-key", other]),
                (1, "no certificate", ["--tls-cert", key, "--tls-key", key]),
                (1, "no private key", ["--tls-cert", cert, "--tls-key", cert]),
                (1, "absent", ["--tls-cert", self.folder + "/absent", "--tls-key", key])]:
            self.refused(code, text, self.ken("cloud", "--data", data, *arguments))

    def test_metrics_count_requests(self):
        _, ready = self.start()
        with self.assertRaises(urllib.error.HTTPError):
            self.get(ready, "/bucket/key")
        # a request is counted when the last byte of its answer is gone, a moment after it came
        refused = 'ken_cloud_requests_total{service="s3",status="4xx"}'
        clouds.wait_until(lambda: refused in self.get(ready, "/metrics")[1])
        page = self.get(ready, "/metrics")[1]
        self.assertEqual(re.findall("^# HELP ([a-z_]+) [A-Z].*[.]$", page, re.M), re.findall("^# TYPE ([a-z_]+) [a-z]+$", page, re.M))
        lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#")
        self.assertEqual(lines['ken_cloud_requests_total{service="s3",status="4xx"}'], "1")
        self.assertEqual(lines['ken_cloud_request_seconds_bucket{service="s3",le="+Inf"}'], "1")
        self.assertGreaterEqual(int(lines["ken_cloud_connections"]), 1)
        self.assertGreater(int(lines["process_resident_memory_bytes"]), 1 << 20)
        self.assertGreater(int(lines["process_open_fds"]), 3)

    def test_unsigned_requests_are_the_administrators_only_when_asked_for(self):
        process, ready = self.start()
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get(ready, "/")
        self.assertEqual(caught.exception.code, 403)
        process.terminate()
        process.wait(20)
        os.unlink(os.path.join(self.folder, "ready"))
        _, ready = self.start("--anonymous")
        self.assertIn("ListAllMyBucketsResult", self.get(ready, "/")[1])

    def test_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6")
        clean = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
        read, write = os.pipe()
        process = subprocess.Popen([KEN, "cloud", "--data", self.folder, "--listen", "[::1]:0",
                                    "--ready-fd", str(write)], pass_fds=[write], env=clean,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as ready:
            line = ready.readline()
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        if not line:
            self.skipTest("no IPv6 loopback")
        with urllib.request.urlopen(json.loads(line)["endpoint"] + "/health") as reply:
            self.assertEqual(reply.status, 200)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
