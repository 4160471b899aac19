"""The cloud's front byte by byte: who may do what, and broken requests. wire_test.py KEN

Signs by a few lines of its own, so that the cloud's signatures are not judged by themselves."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import socket
import sys
import unittest
import urllib.parse
import zlib

import cloud as clouds

KEN = sys.argv[1]
EMPTY = hashlib.sha256(b"").hexdigest()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    def __init__(self, keys, service="s3", minutes=0, secret=None, key_id=None):
        now = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
        self.date = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.date[:8]}/us-east-1/{service}/aws4_request"
        self.id = key_id or keys["AWS_ACCESS_KEY_ID"]
        self.service = service
        key = ("AWS4" + (secret or keys["AWS_SECRET_ACCESS_KEY"])).encode()
        for part in self.scope.split("/"):
            key = sign(key, part)
        self.key = key

    def sign(self, method, target, headers, payload_hash):
        """`headers` with the Authorization added."""
        headers = {**headers, "X-Amz-Date": self.date}
        path, _, query = target.partition("?")
        if self.service != "s3":
            path = urllib.parse.quote(path)
        names = sorted(headers, key=str.lower)
        listed = ";".join(n.lower() for n in names)
        canonical = "\n".join(
            [method, path, "&".join(sorted(q if "=" in q else q + "=" for q in query.split("&")))
             if query else "",
             "".join(f"{n.lower()}:{headers[n].strip()}\n" for n in names), listed, payload_hash])
        text = "\n".join(["AWS4-HMAC-SHA256", self.date, self.scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        self.seed = sign(self.key, text).hex()
        return {**headers, "Authorization":
                f"AWS4-HMAC-SHA256 Credential={self.id}/{self.scope}, SignedHeaders={listed}, "
                f"Signature={self.seed}"}

    def piece(self, kind, previous, *hashes):
        return sign(self.key, "\n".join([f"AWS4-HMAC-SHA256-{kind}", self.date, self.scope,
                                         previous, *hashes])).hex()


class WireTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.host = cls.cloud.endpoint.removeprefix("http://")
        cls.keys = cls.cloud.keys()
        test = cls("call")
        assert test.call("PUT", "/wire")[0] == 200
        cls.services = json.loads(test.raw("GET", "/health", {})[1])["services"]

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def tearDown(self):
        self.assertEqual(self.raw("GET", "/health", {})[0], 200, "the cloud is gone")

    def raw(self, method, target, headers, body=b""):
        connection = http.client.HTTPConnection(self.host, timeout=20)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": self.host, **headers}.items():
            connection.putheader(name, value)
        if body or method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        reply = connection.getresponse()
        result = reply.status, reply.read(), reply.headers
        connection.close()
        return result

    def call(self, method, target, body=b"", signer=None, headers=None, sent=None, late=None):
        """`sent` goes out in place of the signed body, `late` headers without a signature."""
        digest = hashlib.sha256(body).hexdigest()
        headers = (signer or Signer(self.keys)).sign(
            method, target, {"Host": self.host, "X-Amz-Content-Sha256": digest, **(headers or {})},
            (headers or {}).get("X-Amz-Content-Sha256", digest))
        return self.raw(method, target, {**headers, **(late or {})}, body if sent is None else sent)

    def refused(self, status, code, reply):
        self.assertIn(f"<Code>{code}</Code>".encode(), reply[1])
        self.assertEqual(reply[0], status)

    def test_health_needs_no_signature(self):
        status, body, _ = self.raw("GET", "/health", {})
        self.assertEqual(status, 200)
        health = json.loads(body)
        self.assertEqual(health["status"], "ok")
        self.assertIn("s3", health["services"])
        self.assertEqual(self.raw("PUT", "/health", {})[0], 403)

    # -- who signed

    def test_unsigned(self):
        for method, target in [("GET", "/"), ("GET", "/wire/k"), ("PUT", "/wire/k"),
                               ("DELETE", "/wire"), ("POST", "/wire?delete")]:
            self.refused(403, "AccessDenied", self.raw(method, target, {}, b""))
        status, body, _ = self.raw("HEAD", "/wire", {})
        self.assertEqual((status, body), (403, b""))

    def test_unsigned_elsewhere(self):
        for service, target, headers in [
                ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
                ("logs", "/", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}),
                ("lambda", "/2015-03-31/functions/", {}), ("apigateway", "/restapis", {})]:
            if service not in self.services:
                continue
            status, body, reply = self.raw("POST", target, headers, b"{}")
            self.assertEqual(status, 400 if service == "dynamodb" else 403, service)
            code = reply.get("X-Amzn-ErrorType") or json.loads(body)["__type"]
            self.assertTrue(code.endswith("MissingAuthenticationTokenException"), code)

    def test_unsigned_forms_are_answered_in_the_query_protocol(self):
        form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        action = "Action=GetCallerIdentity&Version=2011-06-15"
        for method, target, headers, data in [("POST", "/", form, action.encode()),
                                              ("GET", "/?" + action, {}, b"")]:
            status, body, reply = self.raw(method, target, headers, data)
            self.assertEqual((status, reply["Content-Type"]), (403, "text/xml"))
            self.assertIn(b"<Type>Sender</Type><Code>MissingAuthenticationToken</Code>", body)
            self.assertTrue(body.startswith(b"<ErrorResponse"), body)

    def test_signed_wrongly_elsewhere(self):
        for service, target, headers in [
                ("dynamodb", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
                ("logs", "/", {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}),
                ("lambda", "/2015-03-31/functions/", {}), ("apigateway", "/restapis", {})]:
            if service not in self.services:
                continue
            for signer, sent, code in [
                    (Signer(self.keys, service, secret="no"), b"{}", "InvalidSignatureException"),
                    (Signer(self.keys, service, minutes=-16), b"{}", "InvalidSignatureException"),
                    (Signer(self.keys, service), b"{ }", "InvalidSignatureException"),
                    (Signer(self.keys, service, key_id="AKIANOBODY"), b"{}",
                     "UnrecognizedClientException")]:
                signed = signer.sign("POST", target, {"Host": self.host, **headers},
                                     hashlib.sha256(b"{}").hexdigest())
                status, body, reply = self.raw("POST", target, signed, sent)
                self.assertEqual(status, 400 if service == "dynamodb" else 403, (service, code))
                told = reply.get("X-Amzn-ErrorType") or json.loads(body)["__type"]
                self.assertTrue(told.endswith(code), told)

    def test_signed_for_one_service_sent_to_another(self):
        reply = self.call("GET", "/wire", signer=Signer(self.keys, "nothing"))
        self.refused(501, "NotImplemented", reply)

    def test_wrong_secret(self):
        self.refused(403, "SignatureDoesNotMatch",
                     self.call("GET", "/wire", signer=Signer(self.keys, secret="guess")))

    def test_unknown_key(self):
        self.refused(403, "InvalidAccessKeyId",
                     self.call("GET", "/wire", signer=Signer(self.keys, key_id="AKIANOBODY")))

    def test_session_token_of_nobody(self):
        self.refused(400, "InvalidToken",
                     self.call("GET", "/wire", headers={"X-Amz-Security-Token": "token"}))

    def test_skewed_clock(self):
        for minutes in [-16, 16]:
            self.refused(403, "RequestTimeTooSkewed",
                         self.call("GET", "/wire", signer=Signer(self.keys, minutes=minutes)))
        for minutes in [-14, 14]:
            self.assertEqual(
                self.call("GET", "/wire", signer=Signer(self.keys, minutes=minutes))[0], 200)

    def test_changed_body(self):
        self.refused(400, "XAmzContentSHA256Mismatch",
                     self.call("PUT", "/wire/changed", b"pay me 10", sent=b"pay me 99"))
        self.refused(404, "NoSuchKey", self.call("GET", "/wire/changed"))

    def test_added_headers_and_changed_targets(self):
        reply = self.call("PUT", "/wire/k", b"x", late={"X-Amz-Meta-Name": "value"})
        self.refused(403, "AccessDenied", reply)
        self.assertIn(b"<HeadersNotSigned>x-amz-meta-name</HeadersNotSigned>", reply[1])
        signed = Signer(self.keys).sign(
            "GET", "/wire", {"Host": self.host, "X-Amz-Content-Sha256": EMPTY}, EMPTY)
        for method, target in [("DELETE", "/wire"), ("GET", "/wire?versions"), ("GET", "/other")]:
            self.refused(403, "SignatureDoesNotMatch", self.raw(method, target, signed))

    def test_malformed_signatures(self):
        good = Signer(self.keys).sign(
            "GET", "/wire", {"Host": self.host, "X-Amz-Content-Sha256": EMPTY}, EMPTY)
        text = good["Authorization"]
        for wrong in ["", "AWS4-HMAC-SHA256", "Basic dXNlcjpwYXNz", "AWS AKIA:signature",
                      text.replace("SignedHeaders", "Headers"), text[:-1],
                      text.replace("/s3/", "/"), text.replace("Credential=", "Credential=/"),
                      "AWS4-HMAC-SHA256 " + "a" * 20000]:
            status, body, _ = self.raw("GET", "/wire", {**good, "Authorization": wrong})
            self.assertIn(status, (400, 403), wrong)
            self.assertIn(b"<Error>", body)
        self.assertEqual(self.raw("GET", "/wire", good)[0], 200)

    def test_body_hash_must_be_told_to_s3(self):
        signed = Signer(self.keys).sign("GET", "/wire", {"Host": self.host}, EMPTY)
        self.refused(400, "InvalidRequest", self.raw("GET", "/wire", signed))
        self.refused(400, "InvalidArgument", self.call(
            "GET", "/wire", headers={"X-Amz-Content-Sha256": "STREAMING-NONSENSE"}))

    def test_keys_are_no_paths(self):
        for target in ["/wire/../../../etc/passwd", "/wire/..%2F..%2F..%2Fetc%2Fpasswd"]:
            self.assertEqual(self.call("PUT", target, b"mine")[0], 200)
            self.assertEqual(self.call("GET", target)[1], b"mine")
        for target in ["/wire/a%00b", "/wire/%FF", "/wire/%ED%A0%80", "/wire/%C0%AF"]:
            self.refused(400, "InvalidURI", self.call("GET", target))
        for target in ["/wire/%", "/wire/%zz"]:
            self.assertIn(self.call("GET", target)[0], (400, 403))

    # -- streaming bodies

    def chunked(self, pieces, signer=None, kind="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                trailers=None, change=None, length=None, key="stream"):
        """PUT in chunks; `change` is applied to the bytes before they go."""
        signer = signer or Signer(self.keys)
        headers = {"Host": self.host, "X-Amz-Content-Sha256": kind,
                   "X-Amz-Decoded-Content-Length":
                   str(sum(map(len, pieces)) if length is None else length),
                   "Content-Encoding": "aws-chunked"}
        if trailers:
            headers["X-Amz-Trailer"] = ",".join(trailers)
        headers = signer.sign("PUT", "/wire/" + key, headers, kind)
        previous, body, is_signed = signer.seed, b"", "UNSIGNED" not in kind
        for piece in [*pieces, b""]:
            head = f"{len(piece):x}"
            if is_signed:
                previous = signer.piece("PAYLOAD", previous, EMPTY,
                                        hashlib.sha256(piece).hexdigest())
                head += ";chunk-signature=" + previous
            body += head.encode() + b"\r\n" + piece + (b"\r\n" if piece else b"")
        for name, value in (trailers or {}).items():
            body += f"{name}:{value}\r\n".encode()
        if is_signed and trailers:
            text = "".join(f"{n}:{v}\n" for n, v in trailers.items())
            previous = signer.piece("TRAILER", previous,
                                    hashlib.sha256(text.encode()).hexdigest())
            body += f"x-amz-trailer-signature:{previous}\r\n".encode()
        body += b"\r\n"
        return self.raw("PUT", "/wire/" + key, headers, change(body) if change else body)

    def test_signed_chunks(self):
        pieces = [os.urandom(70000), os.urandom(65536), b"x"]
        self.assertEqual(self.chunked(pieces)[0], 200)
        status, body, headers = self.call("GET", "/wire/stream")
        self.assertEqual(body, b"".join(pieces))
        self.assertIsNone(headers["Content-Encoding"])
        self.assertEqual(self.chunked([])[0], 200)
        self.assertEqual(self.call("GET", "/wire/stream")[1], b"")

    def test_wrong_chunks_are_refused(self):
        def flip(at):
            return lambda body: body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        self.refused(403, "SignatureDoesNotMatch", self.chunked([b"a" * 999], change=flip(200),
                                                                key="bad"))
        self.refused(403, "SignatureDoesNotMatch", self.chunked(
            [b"a" * 999, b"b"], key="bad",
            change=lambda body: body.replace(b"a" * 999, b"c" * 999)))
        self.refused(400, "IncompleteBody", self.chunked([b"abc"], key="bad",
                                                         change=lambda body: body[:-4]))
        self.refused(400, "IncompleteBody", self.chunked([b"abc"], key="bad", length=4))
        self.refused(400, "IncompleteBody", self.chunked([b"abc"], key="bad",
                                                         change=lambda body: body + b"more"))
        self.refused(400, "IncompleteBody", self.chunked(
            [b"abc"], key="bad", change=lambda body: b"xyz\r\n" + body))
        self.refused(400, "IncompleteBody", self.chunked(
            [b"abc"], key="bad", change=lambda body: b"f" * 4000))
        self.refused(404, "NoSuchKey", self.call("GET", "/wire/bad"))

    def test_trailers(self):
        for kind in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                     "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"]:
            body = os.urandom(100000)
            right = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
            reply = self.chunked([body], kind=kind, trailers={"x-amz-checksum-crc32": right})
            self.assertEqual(reply[0], 200, reply[1])
            self.assertEqual(reply[2]["x-amz-checksum-crc32"], right)
            self.assertEqual(self.call("GET", "/wire/stream")[1], body)
            self.refused(400, "BadDigest", self.chunked(
                [body], kind=kind, key="bad", trailers={"x-amz-checksum-crc32": "AAAAAA=="}))
        # A trailer may not bring in what the signed head does not say.
        reply = self.chunked([b"x"], kind="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                             trailers={"x-amz-meta-a": "b"})
        self.assertEqual(reply[0], 200)
        self.assertIsNone(self.call("GET", "/wire/stream")[2]["x-amz-meta-a"])

    def test_wrong_trailer_signature(self):
        kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        right = base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()
        for change in [lambda body: body.replace(b"trailer-signature:", b"trailer-signature:0"),
                       lambda body: body[:body.index(b"x-amz-trailer-signature")] + b"\r\n"]:
            self.refused(403, "SignatureDoesNotMatch", self.chunked(
                [b"x"], kind=kind, trailers={"x-amz-checksum-crc32": right}, change=change,
                key="bad"))

    # -- the connection

    def connect(self):
        host, port = self.host.split(":")
        connection = socket.create_connection((host, int(port)), timeout=10)
        return connection, connection.makefile("rb")

    def head(self, method, target, headers):
        return "\r\n".join([f"{method} {target} HTTP/1.1",
                            *(f"{n}: {v}" for n, v in headers.items()), "", ""]).encode()

    def test_expect_continue(self):
        body = b"b" * 100000
        digest = hashlib.sha256(body).hexdigest()
        headers = Signer(self.keys).sign("PUT", "/wire/expect", {
            "Host": self.host, "X-Amz-Content-Sha256": digest}, digest)
        headers.update({"Content-Length": str(len(body)), "Expect": "100-continue"})
        connection, reply = self.connect()
        with connection, reply:
            connection.sendall(self.head("PUT", "/wire/expect", headers))
            self.assertIn(b"100 Continue", reply.readline())
            reply.readline()
            connection.sendall(body)
            self.assertIn(b" 200 ", reply.readline())

    def test_expect_continue_is_refused_before_the_body(self):
        connection, reply = self.connect()
        with connection, reply:
            connection.sendall(self.head("PUT", "/wire/k", {
                "Host": self.host, "Content-Length": "100000", "Expect": "100-continue"}))
            self.assertIn(b" 403 ", reply.readline())

    def test_too_large_a_body_is_refused_before_it_comes(self):
        digest = hashlib.sha256(b"").hexdigest()
        headers = Signer(self.keys).sign("PUT", "/wire/big", {
            "Host": self.host, "X-Amz-Content-Sha256": digest}, digest)
        connection, reply = self.connect()
        with connection, reply:
            connection.sendall(self.head("PUT", "/wire/big", {**headers,
                                                              "Content-Length": str(1 << 40)}))
            self.assertIn(b" 400 ", reply.readline())
            self.assertIn(b"EntityTooLarge", reply.read())

    def test_a_refusal_keeps_the_connection(self):
        connection = http.client.HTTPConnection(self.host, timeout=10)
        for _ in range(3):
            connection.request("PUT", "/wire/k", body=b"x" * 5000)
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, 403)
        connection.close()

    def test_broken_requests(self):
        for text in [b"\r\n\r\n", b"GET\r\n\r\n", b"nonsense", b"GET / HTTP/9.9\r\n\r\n",
                     b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
                     b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"PUT /wire/k HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                     b"PUT /wire/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]:
            connection, reply = self.connect()
            with connection, reply:
                connection.sendall(text)
                connection.settimeout(1)
                try:
                    answer = reply.readline()
                except TimeoutError:
                    continue  # it waits for the rest
                self.assertNotIn(b" 200 ", answer)
                self.assertNotIn(b" 500 ", answer)

    def test_a_body_that_breaks_off(self):
        body = b"b" * 100000
        digest = hashlib.sha256(body).hexdigest()
        headers = Signer(self.keys).sign("PUT", "/wire/broken-off", {
            "Host": self.host, "X-Amz-Content-Sha256": digest}, digest)
        connection, reply = self.connect()
        with connection, reply:
            connection.sendall(self.head("PUT", "/wire/broken-off", {
                **headers, "Content-Length": str(len(body))}) + body[:-1])
        self.refused(404, "NoSuchKey", self.call("GET", "/wire/broken-off"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
