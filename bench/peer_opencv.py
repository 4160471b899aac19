#!/usr/bin/python3
"""OpenCV's DNN module (Debian's python3-opencv) on an ONNX file, one thread, as bench/peer.c does it.

usage: peer_opencv.py run|first FILE.onnx RUNS CHANNELS HEIGHT WIDTH [LIBRARY]
LIBRARY, linked with -ffast-math, makes this thread flush denormals, which OpenCV does not.
"""
import ctypes
import sys
import time

try:
    import cv2
    import numpy
except ImportError:
    sys.exit(77)

WARM_UP = 3


def main():
    what, path, runs, *shape = sys.argv[1:7]
    if len(sys.argv) > 7:
        ctypes.CDLL(sys.argv[7])
    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(path)
    picture = numpy.random.default_rng(1).uniform(-1, 1, (1, *map(int, shape))).astype(numpy.float32)
    outputs = net.getUnconnectedOutLayersNames()
    for i in range(1 if what == "first" else int(runs) + WARM_UP):
        net.setInput(picture)
        start = time.perf_counter()
        net.forward(outputs)
        if what == "run" and i >= WARM_UP:
            print(f"{(time.perf_counter() - start) * 1e3:.4f}")
    if what == "first":
        print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))


main()
