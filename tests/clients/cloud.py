"""Starts a `ken cloud` of its own for a test: a free loopback port, an empty data folder.

Used as a module by the tests in Python, and as a program by the others:
    cloud.py KEN COMMAND...     runs COMMAND with the AWS_* variables of a fresh cloud
"""
import contextlib
import json
import mmap
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

SKIP = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def is_sanitized(ken):
    """Whether a sanitizer watches over the cloud's memory: what it takes is not the cloud's then."""
    with open(os.path.join(os.path.dirname(os.path.realpath(ken)), "ken-cloud"), "rb") as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return any(text.find(name) >= 0 for name in (b"__asan_init", b"__tsan_init", b"__msan_init"))


class Cloud:
    def __init__(self, ken, folder=None):
        self.ken = ken
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="ken-cloud-test-")
        self.process = None
        self.endpoint = None
        self.listen = "127.0.0.1:0"
        self.arguments = []

    def start(self):
        receive, send = os.pipe()
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("AWS_")}
        environment.update(self.keys())
        self.process = subprocess.Popen(
            [self.ken, "cloud", "--data", self.folder, "--listen", self.listen,
             "--region", "us-east-1", "--ready-fd", str(send), *self.arguments],
            pass_fds=[send], env=environment, stdout=subprocess.DEVNULL)
        os.close(send)
        with os.fdopen(receive) as ready:
            line = ready.readline()
        if not line:
            raise RuntimeError("ken cloud did not start")
        self.endpoint = json.loads(line)["endpoint"]
        return self

    def keys(self):
        return {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
                "AWS_SECRET_ACCESS_KEY": "test/secret/of/the/administrator"}

    def environment(self):
        """Variables for a client's process."""
        return {**{name: value for name, value in os.environ.items()
                   if not name.startswith("AWS_")},
                **self.keys(), "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_PAGER": ""}

    def client(self, boto3, service, **extra):
        from botocore.config import Config
        keys = self.keys()
        config = Config(retries={"max_attempts": 0}, read_timeout=60, connect_timeout=5,
                        parameter_validation=False)
        given = {"endpoint_url": self.endpoint, "region_name": "us-east-1", "config": config,
                 "aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
                 "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"], **extra}
        return boto3.client(service, **given)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def close(self):
        self.stop()
        if self.own_folder:
            shutil.rmtree(self.folder)

    def __enter__(self):
        return self.start()

    def __exit__(self, *ignored):
        self.close()


class Case(unittest.TestCase):
    """Tests with a cloud of their own, `self.cloud`, started by the first argument (KEN), and
    `clients`: attribute to service. `count` is for names that nothing else has."""
    clients = {}
    cloud = None
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(sys.argv[1]).start()
        cls.connect()

    @classmethod
    def connect(cls):
        """Again after the cloud was started again."""
        import boto3
        for name, service in cls.clients.items():
            setattr(cls, name, cls.cloud.client(boto3, service))

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def refused(self, code, call, **arguments):
        """The message with which the call fails; the code must be that one."""
        from botocore.exceptions import ClientError
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        return error["Message"]


def object_files(folder):
    """The files of S3's objects and parts, and those that its rows name: the same, or something is wrong."""
    objects = os.path.join(folder, "s3", "objects")
    with tempfile.TemporaryDirectory() as copy:  # a running cloud has the database for itself
        for part in ("meta.db", "meta.db-wal"):
            if os.path.exists(os.path.join(folder, "s3", part)):
                shutil.copy(os.path.join(folder, "s3", part), copy)
        database = sqlite3.connect(os.path.join(copy, "meta.db"))
        rows = {file for table in ("objects", "history", "parts")
                for file, in database.execute(f"SELECT file FROM {table} WHERE file>'0'")}
        database.close()
    files = {os.path.relpath(os.path.join(at, name), objects) for at, _, names in os.walk(objects)
             for name in names}
    return files, rows


def crc32c(data):
    """As the cloud has it at the end of each page of a database."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


@contextlib.contextmanager
def edited(path):
    """The database of a cloud that is stopped, to be changed behind its back: SQLite alone, which closes it here, knows nothing
    of the pages' sums (src/cloud/sqlite/sums.h)."""
    before = pathlib.Path(path).read_bytes()
    database = sqlite3.connect(path)
    with database:
        yield database
    database.close()
    page_bytes, sum_bytes = 8192, 4
    with open(path, "r+b") as file:
        whole = file.read()
        for at in range(0, len(whole), page_bytes):
            page = whole[at:at + page_bytes]
            if page != before[at:at + page_bytes]:
                file.seek(at + page_bytes - sum_bytes)
                file.write(crc32c(at.to_bytes(8, "little") + page[:-sum_bytes]).to_bytes(4, "little"))


def wait_until(condition, seconds=10):
    """What `condition` gives as soon as that is true; fails when it never is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def main():
    with Cloud(sys.argv[1]) as cloud:
        return subprocess.run(sys.argv[2:], env=cloud.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
