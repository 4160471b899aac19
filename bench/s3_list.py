"""A page of a list, by the size of the bucket: rows are put straight into the database of a stopped cloud, then
listed through it. Prints the least of seven times. s3_list.py KEN [OBJECTS]"""
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "clients"))
import cloud as clouds  # noqa: E402

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402

COLUMNS = "bucket, key, file, size, modified_ms, etag, headers, checksum, blocks"
VALUES = ("'big', ?, '#1', 1, 1795430000000, 'd41d8cd98f00b204e9800998ecf8427e',"
          " 'Content-Type: text/plain\n', '', 'aaaa'")


def key(number):
    return f"k/{number % 1000:04d}/{number:08d}"


def fill(folder, objects):
    """So many objects, and a third of them with an older version or a marker behind."""
    with clouds.edited(os.path.join(folder, "s3", "meta.db")) as database:
        database.executemany(f"INSERT OR IGNORE INTO objects({COLUMNS}) VALUES({VALUES})",
                             ((key(i),) for i in range(objects)))
        database.executemany(
            f"INSERT OR IGNORE INTO history({COLUMNS}, version, sequence, marker)"
            f" VALUES({VALUES}, 'v' || ?, ?, ?)",
            ((key(i), i, i, i % 2) for i in range(objects // 3)))


def least_ms(s3, operation, **arguments):
    url, times = s3.generate_presigned_url(operation, {"Bucket": "big", **arguments}), []
    for _ in range(7):
        start = time.perf_counter()
        with urllib.request.urlopen(url) as reply:
            reply.read()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def measure(cloud, objects):
    s3 = cloud.client(boto3, "s3", config=Config(signature_version="s3v4"))
    for what, operation, arguments in [
            ("first page", "list_objects_v2", {}),
            ("page in the middle", "list_objects_v2", {"StartAfter": "k/0500/"}),
            ("1,000 common prefixes", "list_objects_v2", {"Prefix": "k/", "Delimiter": "/"}),
            ("page of versions", "list_object_versions", {"KeyMarker": "k/0500/"})]:
        print(f"{objects:>9} objects, {what}: {least_ms(s3, operation, **arguments):.1f} ms", flush=True)


def main():
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with clouds.Cloud(sys.argv[1]) as cloud:
        cloud.client(boto3, "s3").create_bucket(Bucket="big")
        for objects in (most // 100, most // 10, most):
            cloud.stop()
            fill(cloud.folder, objects)
            cloud.start()
            measure(cloud, objects)


if __name__ == "__main__":
    main()
