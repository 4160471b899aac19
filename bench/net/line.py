"""A slow network between two network namespaces: bench_forward (net/forward.c) as a `with` block.

    with Line(program, delay_ms=20, rate_mbit=20) as line:
        subprocess.run(line.on_device(["ping", "-c1", line.cloud_address]))

`delay_ms` and `loss_percent` are of one direction. Line.Skipped: this machine has no TUN devices or gives
no namespaces. Nothing is left behind, however the block ends."""
import json
import os
import signal
import subprocess
import tempfile
import time


class Line:
    class Skipped(Exception):
        pass

    def __init__(self, program, **options):
        self.command = [program]
        for name, value in options.items():
            self.command += [f"--{name.replace('_', '-')}", str(value)]
        self.counts = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ken-line-")
        ready = os.path.join(self.folder.name, "ready.json")
        self.process = subprocess.Popen(self.command + ["--ready-file", ready], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 10
        while not os.path.exists(ready) and self.process.poll() is None:
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        if not os.path.exists(ready):
            self.process.kill()
            _, why = self.process.communicate()
            self.folder.cleanup()
            error = Line.Skipped if self.process.returncode == 77 else RuntimeError
            raise error(why.strip() or "the line was not ready in 10 s")
        with open(ready, encoding="utf-8") as file:
            self.__dict__.update(json.load(file))
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=10)
        self.folder.cleanup()
        self.counts = json.loads(out) if out else None

    def on_device(self, command):
        return ["nsenter", f"--net={self.device}", *command]

    def on_cloud(self, command):
        return ["nsenter", f"--net={self.cloud}", *command]

    def sent_bytes(self, side="device"):
        """Bytes that one side ("device" or "cloud") has put on the line so far, IP headers included."""
        path = self.on_device if side == "device" else self.on_cloud
        text = subprocess.check_output(path(["cat", "/proc/net/dev"]), text=True)
        fields = next(line for line in text.splitlines() if line.strip().startswith("ken0:"))
        return int(fields.split(":")[1].split()[8])
