"""Engines that are not ken's: Ceph RGW (objects) and DynamoDB Local (records), on loopback, until `stop`.

Each start is bounded in time; what an engine said is in its log, of which a failure shows the end. The engines die with
this process, however that ends."""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

START_S, COMMAND_S, STOP_S = 180, 120, 20
PR_SET_PDEATHSIG = 1
DISK_BYTES = 8 << 30  # sparse: takes what is written
REGION = "us-east-1"


running = None  # the Engines that run.py started; its tests ask for them here
build = None  # the folder of ken's programs


class EngineError(Exception):
    """An engine that did not do what it should, with the end of its log."""


def free_ports(count):
    """Ports of loopback that nobody listens on, all different."""
    taken = [socket.socket() for _ in range(count)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


def answers_http(url):
    """Whether an HTTP server is there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Engine:
    """A server and its log."""

    def __init__(self, name, folder):
        self.name, self.log, self.process = name, folder / f"{name}.log", None

    def start(self, command, ready, cwd, environment=None):
        """Returns as soon as `ready()` is true."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd,
                                            env=environment, start_new_session=True, preexec_fn=die_with_parent)
        until = time.monotonic() + START_S
        while not ready():
            if self.process.poll() is not None:
                raise EngineError(f"{self.name} ended with status {self.process.returncode}:\n{self.log_end()}")
            if time.monotonic() > until:
                raise EngineError(f"{self.name} was not ready within {START_S} s:\n{self.log_end()}")
            time.sleep(0.1)

    def log_end(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)


CEPH_CONFIG = """[global]
fsid = {fsid}
mon_initial_members = a
mon_host = v2:127.0.0.1:{mon_port}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
ms_bind_ipv6 = false
keyring = {folder}/keyring
run_dir = {folder}
crash_dir = {folder}
log_file =
log_to_stderr = true
err_to_stderr = true
admin_socket =
pid_file =
mon_data = {folder}/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_warn_on_pool_no_redundancy = false
auth_allow_insecure_global_id_reclaim = false
osd_data = {folder}/osd
osd_objectstore = bluestore
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
bluestore_block_size = {disk_bytes}
bluestore_block_create = true
bluestore_cache_autotune = false
bluestore_cache_size = 134217728
rgw_data = {folder}
rgw_frontends = beast endpoint=127.0.0.1:{rgw_port} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_thread_pool_size = 32
"""

# Who may do what in the cluster: one key each, known to the monitor from its first start.
CEPH_KEYS = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
    "client.rgw.a": ("mon", "allow rw", "osd", "allow rwx"),
}


class Ceph:
    """One monitor, one disk of a sparse file, one object gateway. No manager: nothing here asks for statistics."""

    access_key_id, secret_access_key = "KENENGINESKEY0000000", "ken/engines/secret/0123456789abcdefghijk"

    def __init__(self, folder, loopback):
        self.folder, self.environment = folder / "ceph", {**os.environ, "LD_PRELOAD": str(loopback)}
        self.folder.mkdir()
        (self.folder / "mon").mkdir()
        (self.folder / "osd").mkdir()
        self.config = self.folder / "ceph.conf"
        self.fsid = str(uuid.uuid4())
        mon_port, rgw_port = free_ports(2)
        self.mon_address, self.endpoint = f"v2:127.0.0.1:{mon_port}", f"http://127.0.0.1:{rgw_port}"
        self.config.write_text(CEPH_CONFIG.format(fsid=self.fsid, mon_port=mon_port, rgw_port=rgw_port, folder=self.folder,
                                                  disk_bytes=DISK_BYTES))
        self.mon, self.osd, self.rgw = (Engine(name, folder) for name in ("ceph-mon", "ceph-osd", "radosgw"))

    def run(self, *command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=COMMAND_S, check=False,
                              cwd=self.folder, env={**self.environment, "CEPH_CONF": str(self.config)}, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise EngineError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def ceph(self, *words):
        return self.run("ceph", "--connect-timeout", "20", *words)

    def daemon(self, engine, name, ready):
        engine.start([engine.name, "-c", self.config, "-n", name, "-f"], ready, self.folder, self.environment)

    def make_keys(self):
        keyring = self.folder / "keyring"
        keyring.touch(0o600)
        for name, caps in CEPH_KEYS.items():
            words = [word for kind, cap in zip(caps[::2], caps[1::2]) for word in ("--cap", kind, cap)]
            self.run("ceph-authtool", keyring, "--gen-key", "-n", name, *words)

    def mon_answers(self):
        try:
            return "HEALTH" in self.run("ceph", "--connect-timeout", "3", "health")
        except EngineError:
            return False

    def start_mon(self):
        self.make_keys()
        self.run("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", f"[{self.mon_address}]", "monmap")
        self.run("ceph-mon", "-c", self.config, "-i", "a", "--mkfs", "--monmap", "monmap", "--keyring", "keyring")
        self.daemon(self.mon, "mon.a", self.mon_answers)

    def start_osd(self):
        disk = str(uuid.uuid4())
        self.ceph("osd", "new", disk)
        self.run("ceph-osd", "-c", self.config, "-i", "0", "--mkfs", "--osd-uuid", disk)
        self.daemon(self.osd, "osd.0", lambda: "1 up" in self.ceph("osd", "stat"))

    def start_rgw(self):
        self.daemon(self.rgw, "client.rgw.a", lambda: answers_http(self.endpoint))
        self.run("radosgw-admin", "-n", "client.rgw.a", "user", "create", "--uid", "ken", "--display-name", "ken",
                 "--access-key", self.access_key_id, "--secret-key", self.secret_access_key)

    def version(self):
        return self.run("ceph", "--version").split()[2]

    def stop(self):
        for engine in (self.rgw, self.osd, self.mon):
            engine.stop()


class DynamoDbLocal:
    """Amazon's own, in memory. It has no option to listen on one address only."""

    access_key_id, secret_access_key = "KENENGINESRECORDS", "any"

    def __init__(self, folder, jar, loopback):
        self.jar, self.loopback, self.server, self.folder = pathlib.Path(jar), loopback, Engine("dynamodb-local", folder), folder
        self.port = free_ports(1)[0]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self):
        command = ["java", "-Xmx256m", "-Djava.net.preferIPv4Stack=true", f"-Djava.library.path={self.jar.parent / 'DynamoDBLocal_lib'}",
                   f"-Djava.io.tmpdir={self.folder}", "-jar", self.jar, "-inMemory", "-disableTelemetry", "-port", self.port]
        self.server.start(command, lambda: answers_http(self.endpoint), self.folder,
                          {**os.environ, "LD_PRELOAD": str(self.loopback)})

    def stop(self):
        self.server.stop()


class Engines:
    """All of them, one after the other, told on standard output."""

    def __init__(self, folder, jar, loopback):
        self.folder, self.started = folder, time.monotonic()
        self.objects, self.records = Ceph(folder, loopback), DynamoDbLocal(folder, jar, loopback)

    def say(self, text):
        print(f"{time.monotonic() - self.started:5.0f} s  {text}", flush=True)

    def start(self):
        steps = (("monitor of Ceph", self.objects.start_mon), ("disk of Ceph", self.objects.start_osd),
                 ("object gateway of Ceph", self.objects.start_rgw), ("DynamoDB Local", self.records.start))
        for number, (name, step) in enumerate(steps, 1):
            self.say(f"starting {name} ({number}/{len(steps)})")
            step()
        self.say(f"Ceph {self.objects.version()} at {self.objects.endpoint}, DynamoDB Local at {self.records.endpoint}")

    def environment(self):
        """For ken's programs: where the engines are, and the keys that only they know."""
        return {"AWS_ENDPOINT_URL_S3": self.objects.endpoint, "AWS_ENDPOINT_URL_DYNAMODB": self.records.endpoint,
                "KEN_S3_ACCESS_KEY_ID": self.objects.access_key_id, "KEN_S3_SECRET_ACCESS_KEY": self.objects.secret_access_key,
                "KEN_DYNAMODB_ACCESS_KEY_ID": self.records.access_key_id,
                "KEN_DYNAMODB_SECRET_ACCESS_KEY": self.records.secret_access_key}

    def client(self, boto3, service):
        """AWS's own client of the engine behind `service`."""
        from botocore.config import Config
        engine = self.objects if service == "s3" else self.records
        return boto3.client(service, endpoint_url=engine.endpoint, region_name=REGION, aws_access_key_id=engine.access_key_id,
                            aws_secret_access_key=engine.secret_access_key,
                            config=Config(retries={"max_attempts": 0}, parameter_validation=False, read_timeout=60,
                                          s3={"addressing_style": "path"}))

    def stop(self):
        """Also after a start that failed half-way."""
        self.records.stop()
        self.objects.stop()

    def remove_data(self):
        shutil.rmtree(self.folder, ignore_errors=True)
