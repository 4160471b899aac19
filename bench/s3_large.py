"""One object of 5 GiB through `ken cloud`: PUT, GET, copied in ranges, and again in parts. Prints times and the most memory
that the cloud held (VmHWM). s3_large.py KEN [GIB]"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "clients"))
import cloud as clouds  # noqa: E402

import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402

GIB = 1024 * 1024 * 1024


def peak_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0


def curl(*arguments):
    start = time.monotonic()
    done = subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{size_download}",
                           *arguments], check=True, capture_output=True, text=True)
    return time.monotonic() - start, int(done.stdout)


def report(cloud, what, seconds, size):
    print(f"{what}: {seconds:.1f} s, {size / seconds / 1e6:.0f} MB/s, peak {peak_mib(cloud.process):.1f} MiB",
          flush=True)


def in_parts(cloud, s3, file, size, part_size):
    start = time.monotonic()
    upload = s3.create_multipart_upload(Bucket="large", Key="parts")["UploadId"]
    parts = []
    for number, offset in enumerate(range(0, size, part_size), 1):
        with open(file, "rb") as source:
            source.seek(offset)
            body = source.read(min(part_size, size - offset))
        etag = s3.upload_part(Bucket="large", Key="parts", UploadId=upload, PartNumber=number,
                              Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    report(cloud, f"{len(parts)} parts", time.monotonic() - start, size)
    start = time.monotonic()
    s3.complete_multipart_upload(Bucket="large", Key="parts", UploadId=upload,
                                 MultipartUpload={"Parts": parts})
    report(cloud, "completion", time.monotonic() - start, size)


def copied(cloud, s3, size, part_size):
    """In parts that are ranges of the whole; both have the same CRC64NVME, or something is wrong."""
    start = time.monotonic()
    upload = s3.create_multipart_upload(Bucket="large", Key="copied")["UploadId"]
    parts = []
    for number, offset in enumerate(range(0, size, part_size), 1):
        etag = s3.upload_part_copy(Bucket="large", Key="copied", UploadId=upload, PartNumber=number,
                                   CopySource="large/whole",
                                   CopySourceRange=f"bytes={offset}-{min(size, offset + part_size) - 1}")["CopyPartResult"]["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(Bucket="large", Key="copied", UploadId=upload, MultipartUpload={"Parts": parts})
    report(cloud, f"copy in {len(parts)} ranges", time.monotonic() - start, size)
    sums = [s3.head_object(Bucket="large", Key=key, ChecksumMode="ENABLED")["ChecksumCRC64NVME"]
            for key in ("whole", "copied")]
    assert sums[0] == sums[1], sums
    s3.delete_object(Bucket="large", Key="copied")


def main():
    size = int(float(sys.argv[2] if len(sys.argv) > 2 else "5") * GIB)
    with tempfile.TemporaryDirectory() as folder, clouds.Cloud(sys.argv[1]) as cloud:
        s3 = cloud.client(boto3, "s3", config=Config(signature_version="s3v4", read_timeout=600))
        s3.create_bucket(Bucket="large")
        file = os.path.join(folder, "sparse")
        with open(file, "wb") as sparse:
            sparse.truncate(size)
        print(f"at the start: peak {peak_mib(cloud.process):.1f} MiB")
        url = s3.generate_presigned_url("put_object", {"Bucket": "large", "Key": "whole"})
        report(cloud, "PUT", curl("-T", file, url)[0], size)
        url = s3.generate_presigned_url("get_object", {"Bucket": "large", "Key": "whole"})
        seconds, got = curl(url)
        assert got == size, got
        report(cloud, "GET", seconds, size)
        copied(cloud, s3, size, 700 * 1024 * 1024 + 1)
        s3.delete_object(Bucket="large", Key="whole")
        in_parts(cloud, s3, file, size, 64 * 1024 * 1024)
        url = s3.generate_presigned_url("get_object", {"Bucket": "large", "Key": "parts"})
        seconds, got = curl(url)
        assert got == size, got
        report(cloud, "GET of parts", seconds, size)


if __name__ == "__main__":
    main()
