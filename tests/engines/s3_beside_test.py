"""The same requests to `ken cloud` and to Ceph, and what they answer: status, error code, headers, XML.

Each difference is written into BUILD/engines/s3-differences.txt. Those that are known stand in s3_known.txt with a reason;
any other fails, and so does one that stands there and is no more."""
import base64
import datetime
import hashlib
import http.client
import pathlib
import unittest
import urllib.parse
import xml.etree.ElementTree as ET

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import engines
import s3_requests
from system_test import clouds

HEADERS = ("etag", "content-type", "content-length", "content-range", "cache-control", "content-disposition", "content-language",
           "content-encoding", "accept-ranges", "x-amz-delete-marker", "x-amz-tagging-count", "x-amz-mp-parts-count",
           "x-amz-storage-class", "access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers",
           "access-control-expose-headers", "access-control-max-age", "allow", "vary")
KNOWN = pathlib.Path(__file__).resolve().with_name("s3_known.txt")
SPECIAL = ("unsigned", "secret", "key", "date", "signed_body", "md5", "presigned")  # of a step, not headers
# Another each time, or of the engine's own making.
OWN = {"RequestId", "HostId", "Resource", "Message", "LastModified", "CreationDate", "Owner", "Initiator", "Initiated", "Location", "BucketName"}
IDS = {"UploadId", "VersionId", "NextContinuationToken", "DeleteMarkerVersionId", "NextVersionIdMarker", "NextKeyMarker",
       "NextUploadIdMarker", "ContinuationToken", "ID"}


def outline(element):
    """An XML tree as nested tuples, without name space and without what is another each time; members by name, and
    those of one name in their order."""
    name = element.tag.rsplit("}", 1)[-1]
    if name in IDS:
        return name, "..." if element.text else ""
    children = [outline(child) for child in element if child.tag.rsplit("}", 1)[-1] not in OWN]
    return name, sorted(children, key=lambda child: child[0]) or (element.text or "").strip()


def text_of(body, name):
    for element in ET.fromstring(body).iter():
        if element.tag.rsplit("}", 1)[-1] == name:
            return element.text or ""
    return ""


class AtAnotherTime:
    """Signs as if it were `seconds` later."""

    def sign_at(self, request, seconds):
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        signature = self.signature(self.string_to_sign(request, self.canonical_request(request)), request)
        self._inject_signature_to_request(request, signature)


class Signer(AtAnotherTime, S3SigV4Auth):
    pass


class QuerySigner(AtAnotherTime, S3SigV4QueryAuth):
    pass


class Side:
    """One of the two, and what its answers gave for later requests."""

    def __init__(self, endpoint, access_key_id, secret, bucket):
        self.host, self.keys = urllib.parse.urlsplit(endpoint).netloc, (access_key_id, secret)
        self.kept = {"b": bucket, "v": bucket + "-v", "upload": "", "version": ""}

    def fill(self, text):
        for name, value in self.kept.items():
            text = text.replace("{" + name + "}", value)
        return text

    def sign(self, method, target, given, body):
        """The target and the headers of a request, signed as AWS's own client signs."""
        special = {name: given.pop(name) for name in SPECIAL if name in given}
        headers = {name.replace("_", "-"): self.fill(value) for name, value in given.items()}
        if "md5" in special:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        if "unsigned" in special:
            return target, headers
        signed_body = special.get("signed_body", "").encode() or body
        if "presigned" not in special:
            headers["X-Amz-Content-SHA256"] = hashlib.sha256(signed_body).hexdigest()
        request = AWSRequest(method, f"http://{self.host}{target}", headers, b"" if "presigned" in special else signed_body)
        keys = Credentials(special.get("key", self.keys[0]), special.get("secret", self.keys[1]))
        if "presigned" in special:
            signer = QuerySigner(keys, "s3", engines.REGION, expires=int(special["presigned"]))
        else:
            signer = Signer(keys, "s3", engines.REGION)
        signer.sign_at(request, int(special.get("date", 0)))
        return request.url.split(self.host, 1)[1], dict(request.headers.items())

    def send(self, step):
        """Returns (status, headers, body)."""
        name, method, path, query, given, body = step
        if len(body) < 1 << 20:
            body = self.fill(body.decode()).encode()
        target = self.fill(path) + ("?" + self.fill(query) if query else "")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            target, headers = self.sign(method, target, dict(given), body)
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            headers |= {"Host": self.host, "Content-Length": str(len(body))}
            for header, value in headers.items():
                connection.putheader(header, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()
        self.keep(name, *answer)
        return answer

    def keep(self, name, status, headers, body):
        if status >= 300:
            return
        if headers.get("etag"):
            self.kept[name] = headers["etag"]
        elif b"<ETag>" in body:
            self.kept[name] = text_of(body, "ETag")
        if name.startswith("keep upload"):
            self.kept["upload"] = text_of(body, "UploadId")
        if name.startswith("keep version"):
            self.kept["version"] = headers.get("x-amz-version-id", "")


def seen(step, answer):
    """What is compared of an answer, by name."""
    method, (status, headers, body) = step[1], answer
    found = {"status": status}
    is_object = method in ("GET", "HEAD") and status < 300 and not headers.get("content-type", "").endswith("xml")
    for name in HEADERS:
        if name in headers and (is_object or name not in ("content-length", "content-type", "accept-ranges")):
            found[name] = headers[name]
    found |= {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
    if "x-amz-version-id" in headers:
        found["x-amz-version-id"] = headers["x-amz-version-id"] if headers["x-amz-version-id"] == "null" else "..."
    if method == "HEAD" or not body:
        return found
    try:
        tree = ET.fromstring(body)
    except ET.ParseError:
        found["body"] = hashlib.md5(body).hexdigest() if len(body) > 100 else body.decode(errors="replace")
        return found
    if status >= 300:
        found["code"] = text_of(body, "Code")
    else:
        found["xml"] = outline(tree)
    return found


def tree_differences(path, ken, ceph):
    """Where two outlines part: (path, ken's, Ceph's)."""
    if ken == ceph:
        return []
    path = f"{path}/{ken[0]}"
    if ken[0] != ceph[0] or not isinstance(ken[1], list) or not isinstance(ceph[1], list):
        return [(path, ken if ken[0] != ceph[0] else ken[1], ceph if ken[0] != ceph[0] else ceph[1])]
    found = []
    for name in sorted({child[0] for child in ken[1] + ceph[1]}):
        one, other = ([child for child in tree[1] if child[0] == name] for tree in (ken, ceph))
        if len(one) != len(other):
            found.append((f"{path}/{name}", [child[1] for child in one], [child[1] for child in other]))
        else:
            found += [line for pair in zip(one, other) for line in tree_differences(path, *pair)]
    return found


def differences(ken, ceph):
    """Lines, one a difference."""
    lines = []
    for name in sorted(set(ken) | set(ceph)):
        if name == "xml" and name in ken and name in ceph:
            lines += [f"xml {path}: ken {one!r}, Ceph {other!r}" for path, one, other in tree_differences("", ken[name], ceph[name])]
        elif name in ("xml", "body") and (name in ken) != (name in ceph):
            lines.append(f"{name}: only {'ken' if name in ken else 'Ceph'}")
        elif ken.get(name) != ceph.get(name):
            lines.append(f"{name}: ken {ken.get(name)!r}, Ceph {ceph.get(name)!r}")
    return lines


def known():
    """The differences of s3_known.txt: names at the margin, below each its lines; # is a reason."""
    found, lines = {}, None
    for line in KNOWN.read_text().splitlines():
        if line.startswith("    "):
            lines.append(line.strip())
        elif line and not line.startswith("#"):
            lines = found.setdefault(line, [])
    return found


class S3BesideTest(unittest.TestCase):
    def test_both_answer_alike_but_where_it_is_known(self):
        cloud = clouds.Cloud(str(engines.build / "ken")).start()
        self.addCleanup(cloud.close)
        keys, ceph = cloud.keys(), engines.running.objects
        sides = (Side(cloud.endpoint, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], "beside"),
                 Side(ceph.endpoint, ceph.access_key_id, ceph.secret_access_key, "beside"))
        found = {}
        for step in s3_requests.ALL:
            lines = differences(*(seen(step, side.send(step)) for side in sides))
            if lines:
                found[step[0]] = lines
        text = "".join(f"{name}\n" + "".join(f"    {line}\n" for line in lines) for name, lines in found.items())
        (engines.build / "engines").mkdir(exist_ok=True)
        (engines.build / "engines" / "s3-differences.txt").write_text(text)
        print(f"{len(s3_requests.ALL)} requests, {len(found)} answered otherwise ... ", end="")
        self.maxDiff = None
        self.assertEqual(known(), found)
