#!/usr/bin/env python3
"""Signs random requests with ken and with botocore and compares. usage: sigv4_test.py SIGN_PROGRAM"""
import calendar
import datetime
import hashlib
import json
import random
import subprocess
import sys
from unittest import mock
from urllib.parse import quote

try:
    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    print("botocore is not installed: skipped")
    sys.exit(77)

SEED, REQUESTS = 20130524, 400
NOW = datetime.datetime(2026, 11, 23, 5, 31, 29)
ALPHABET = "abcXYZ019-._~ /+%=&?!$'()*,;:@#é日\"<>\\^`{|}"


def word(rng, most=12, alphabet=ALPHABET):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, most)))


def make_request(rng):
    path = "/" + quote(word(rng, 30) + rng.choice(["", "/./x", "/../y", "//z", "/"]), safe="/~")
    expires = rng.choice([0, 0, 1, 3600, 604800])
    pairs = [(word(rng) or "k", word(rng)) for _ in range(rng.randint(0, 5))]
    if expires:  # botocore presigns only the first of several parameters of one name
        pairs = list(dict(pairs).items())
    query = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in pairs)
    headers = [("X-Amz-Meta-%d" % i, word(rng, 20, "ab  \t-,=\"")) for i in range(rng.randint(0, 4))]
    return {
        "method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), "path": path, "query": query,
        "headers": [["Host", rng.choice(["h.example.com", "127.0.0.1:4566"])]] + [list(h) for h in headers],
        "service": rng.choice(["s3", "lambda", "dynamodb", "execute-api"]),
        "region": rng.choice(["us-east-1", "eu-central-1"]), "id": "AKIDEXAMPLE",
        "secret": word(rng, 40, "abcABC/+=") or "s", "token": rng.choice(["", "to/ken+=="]),
        "unix_s": calendar.timegm(NOW.timetuple()), "expires": expires,
    }


def expected(request, body):
    """What botocore makes of it; also fills in the headers that it signs."""
    s3, presign = request["service"] == "s3", request["expires"] > 0
    host = request["headers"][0][1]
    url = f"http://{host}{request['path']}" + (f"?{request['query']}" if request["query"] else "")
    aws = AWSRequest(method=request["method"], url=url, data=b"" if presign else body,
                     headers=dict(map(tuple, request["headers"])))
    credentials = Credentials(request["id"], request["secret"], request["token"] or None)
    kinds = {(True, True): botocore.auth.S3SigV4QueryAuth, (True, False): botocore.auth.S3SigV4Auth,
             (False, True): botocore.auth.SigV4QueryAuth, (False, False): botocore.auth.SigV4Auth}
    extra = {"expires": request["expires"]} if presign else {}
    signer = kinds[s3, presign](credentials, request["service"], request["region"], **extra)
    signer.add_auth(aws)
    empty = hashlib.sha256(b"").hexdigest()
    request["hash"] = ("UNSIGNED-PAYLOAD" if s3 else empty) if presign else hashlib.sha256(body).hexdigest()
    if presign:
        return aws.url.split("?", 1)[1]
    for name in ("X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256"):
        if name in aws.headers:
            request["headers"].append([name, aws.headers[name]])
    return aws.headers["Authorization"]


def signature(text):
    return text.rsplit("Signature=", 1)[-1]


class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW

    @classmethod
    def now(cls, tz=None):
        return NOW.replace(tzinfo=tz)


def freeze():
    """botocore's idea of the time, in its old and its new place."""
    if hasattr(botocore.auth, "get_current_datetime"):
        return mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW)
    fake = mock.MagicMock(wraps=datetime)
    fake.datetime = Clock
    return mock.patch("botocore.auth.datetime", fake)


def main():
    rng, requests, wanted = random.Random(SEED), [], []
    with freeze():
        for _ in range(REQUESTS):
            request = make_request(rng)
            wanted.append(expected(request, word(rng, 50).encode()))
            requests.append(request)
    lines = "".join(json.dumps(r) + "\n" for r in requests)
    got = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = 0
    for request, ours, theirs in zip(requests, got, wanted):
        if signature(ours) != signature(theirs):
            wrong += 1
            print(f"differs: {json.dumps(request)}\n  ken      {ours}\n  botocore {theirs}")
    print(f"{len(got)} requests signed, {wrong} differ (botocore {botocore.__version__})")
    return wrong != 0 or len(got) != REQUESTS


if __name__ == "__main__":
    sys.exit(main())
