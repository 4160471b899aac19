"""Programs that a benchmark starts, and that end with it however it ends: by itself, by Ctrl-C, SIGTERM or SIGKILL."""
import ctypes
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def bind():
    """In the child, before the program."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command, **options):
    return subprocess.Popen(command, preexec_fn=bind, **options)


def run(command, **options):
    return subprocess.run(command, preexec_fn=bind, check=False, **options)


def end_by_sigterm():
    """As by Ctrl-C: every `with` and `finally` has its turn."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
