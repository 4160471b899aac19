#!/usr/bin/python3
"""How far embeddings made with 16-bit products are from those of 32-bit floats, on photos of faces. The middle of each photo is the
face, as in a set of aligned photos; a detector would only add its own differences. Needs numpy and python3-opencv.
usage: precision.py FOLDER_OF_PHOTOS [BUILD_FOLDER [MODEL [PHOTOS]]]"""
import os
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy

SIDE = 112


def face(path):
    picture = cv2.imread(str(path))
    height, width = picture.shape[:2]
    part = picture[height * 24 // 100:height * 76 // 100, width * 24 // 100:width * 76 // 100]
    part = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return ((part.astype(numpy.float32) - 127.5) / 128).transpose(2, 0, 1)


def embeddings(program, model, level, folder, count):
    subprocess.run([program, model, folder / "in", folder / "out"], check=True, env={**os.environ, "KEN_SIMD": level})
    rows = numpy.fromfile(folder / "out", "<f4").reshape(count, -1)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "build/release")
    model = sys.argv[3] if len(sys.argv) > 3 else "build/models/fr_feature.ken"
    photos = sorted(pathlib.Path(sys.argv[1]).rglob("*.jpg"))[:int(sys.argv[4]) if len(sys.argv) > 4 else 600]
    if not photos:
        sys.exit(f"{sys.argv[1]}: no .jpg in it")
    with tempfile.TemporaryDirectory(prefix="ken-precision-") as name:
        folder = pathlib.Path(name)
        numpy.stack([face(path) for path in photos]).astype("<f4").tofile(folder / "in")
        exact, short = (embeddings(build / "tests/golden/run_model", model, level, folder, len(photos)) for level in ("avx512", "vnni"))
    apart = numpy.abs(exact - short)
    most = apart.max(axis=1)
    similar = numpy.abs(exact @ exact.T - short @ short.T)
    print(f"{len(photos)} photos: largest difference of a number {most.max():.1e}, a photo's largest in the middle {numpy.median(most):.1e}")
    print(f"similarities of all pairs: {numpy.sqrt((similar ** 2).mean()):.1e} rms, {similar.max():.1e} at most")


main()
