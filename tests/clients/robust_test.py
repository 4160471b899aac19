"""Clients that are slow, vanish, flood or lie: each gets AWS's error or a closed connection, memory stays bounded, and the
service goes on. robust_test.py KEN"""
import gzip
import hashlib
import resource
import socket
import sys
import time
import unittest

import cloud as clouds

try:
    import boto3
    import botocore.exceptions
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

KEN = sys.argv[1]
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
LAST_HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
FLOOD = 10_000
# The cloud's limits (src/cloud/front.h, s3/content.h, s3/get.c), and what a thread costs: its stack and its share of the heap.
CONNECTION_KIB, WORKERS, WINDOW_KIB, THREAD_KIB, HELD_KIB = 64, 32, 64, 256, 32 * 1024
HEAP_KIB = 2048  # what the C library may keep of a thread's freed blocks of up to 1 MiB: twice that
resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES[1], OPEN_FILES[1]))


class Base(unittest.TestCase):
    def connect(self, *option):
        client = socket.socket()
        client.settimeout(20)
        if option:
            client.setsockopt(socket.SOL_SOCKET, *option)
        client.connect(self.address)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(client.close)
        return client

    def rest(self, client):
        """What comes until the cloud closes; waits for that at most 20 s."""
        out = b""
        try:
            while data := client.recv(65536):
                out += data
        except ConnectionResetError:
            pass
        return out

    def ask(self, data):
        client = self.connect()
        client.sendall(data)
        return self.rest(client)

    def serves(self):
        self.assertTrue(self.ask(LAST_HEALTH).startswith(b"HTTP/1.1 200"))

    def memory_kib(self):
        """What the cloud has written to: without the pages of files, which the kernel may take back at any time."""
        if clouds.is_sanitized(KEN):
            self.skipTest("a sanitizer takes memory of its own")
        with open(f"/proc/{self.cloud.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

    def signed(self, method, path, body=b"", more=b""):
        keys = self.cloud.keys()
        request = AWSRequest(method, self.cloud.endpoint + path, data=body, headers={
            "x-amz-content-sha256": hashlib.sha256(body).hexdigest()})
        S3SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), "s3",
                    "us-east-1").add_auth(request)
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in request.headers.items())
        return head.encode() + more + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


class OneCloud(Base):
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.s3 = cls.cloud.client(boto3, "s3")
        cls.s3.create_bucket(Bucket="robust")
        cls.host = cls.cloud.endpoint.split("//")[1]
        cls.address = (cls.host.split(":")[0], int(cls.host.split(":")[1]))

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()


class FramingTest(OneCloud):
    def test_two_lengths_are_refused(self):
        for more in (b"Content-Length: 5\r\nContent-Length: 6\r\n",
                     b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"):
            answer = self.ask(b"PUT /robust/k HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n" + HEALTH)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer)
            self.assertIn(b"<Code>InvalidRequest</Code>", answer)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, "the rest was read as a request")

    def test_heads_that_others_may_read_otherwise_are_refused(self):
        for more in (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Transfer-Encoding : chunked\r\n",
                     b"Transfer-Encoding:\r\n chunked\r\n", b"Content-Length:\r\n\t5\r\n", b" Content-Length: 5\r\n",
                     b"Content-Length : 5\r\nTransfer-Encoding: chunked\r\n", b"Host: y\r\n"):
            answer = self.ask(b"PUT /robust/k HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n0\r\n\r\n" + LAST_HEALTH)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400"), (more, answer))
            self.assertIn(b"<Code>InvalidRequest</Code>", answer)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, "the rest was read as a request")

    def test_unknown_codings_are_refused(self):
        answer = self.ask(b"PUT /robust/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 501"), answer)

    def test_floods_of_headers_are_refused(self):
        many = b"".join(b"a%d: b\r\n" % i for i in range(200))
        answer = self.ask(b"GET / HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")
        self.assertIn(b"<Code>RequestHeaderSectionTooLarge</Code>", answer)
        for head in (b"GET / HTTP/1.1\r\nA: " + b"a" * 100_000, b"GET /" + b"a" * 100_000):
            self.assertIn(self.ask(head + b"\r\n\r\n")[:12], (b"HTTP/1.1 431", b"HTTP/1.1 414"))
        self.serves()

    def test_what_is_not_http_is_refused(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     b"PUT /robust/k HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"):
            answer = self.ask(data)
            self.assertTrue(answer == b"" or answer[9:10] in (b"4", b"5"), answer)
        self.serves()

    def test_a_request_may_come_byte_by_byte(self):
        client, data = self.connect(), self.signed("PUT", "/robust/slow", b"some bytes",
                                                   b"Connection: close\r\n")
        for i in range(len(data)):
            client.sendall(data[i:i + 1])
        self.assertTrue(self.rest(client).startswith(b"HTTP/1.1 200"))
        got = self.s3.get_object(Bucket="robust", Key="slow")["Body"].read()
        self.assertEqual(got, b"some bytes")

    def test_a_request_may_be_cut_anywhere(self):
        data = self.signed("PUT", "/robust/cut", b"some bytes", b"Connection: close\r\n")
        for cut in range(1, len(data), 7):
            client = self.connect()
            client.sendall(data[:cut])
            time.sleep(0.002)
            client.sendall(data[cut:])
            self.assertTrue(self.rest(client).startswith(b"HTTP/1.1 200"), cut)

    def test_requests_may_come_at_once(self):
        puts = b"".join(self.signed("PUT", f"/robust/pipe{i}", b"%d" % i) for i in range(20))
        answer = self.ask(puts + LAST_HEALTH)
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 21)
        for i in range(20):
            got = self.s3.get_object(Bucket="robust", Key=f"pipe{i}")["Body"].read()
            self.assertEqual(got, b"%d" % i)

    def test_version_1_0_closes_unless_asked(self):
        self.assertIn(b"Connection: close", self.ask(b"GET /health HTTP/1.0\r\n\r\n"))
        client = self.connect()
        client.sendall(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + LAST_HEALTH)
        self.assertEqual(self.rest(client).count(b" 200 OK"), 2)


class ValuesTest(OneCloud):
    def put_item(self, text, **more):
        """The answer to a PutItem with such a body."""
        keys = self.cloud.keys()
        request = AWSRequest("POST", self.cloud.endpoint + "/", data=text, headers={
            "X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0", **more})
        SigV4Auth(Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]), "dynamodb", "us-east-1").add_auth(request)
        head = f"POST / HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\nContent-Length: {len(text)}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in request.headers.items())
        return self.ask(head.encode() + b"\r\n" + text)

    def test_millions_of_values_take_no_memory(self):
        before = self.memory_kib()
        many = b'{"Item": [' + b"{}," * 2_600_000 + b"1]}"
        self.assertIn(b"too many values", self.put_item(many))
        self.assertTrue(self.put_item(gzip.compress(many, 1), **{"Content-Encoding": "gzip"}).startswith(b"HTTP/1.1 500"))
        some = b'{"Item": [' + b"{}," * 1_000_000 + b"1]}"  # what this takes is given back
        self.assertTrue(self.put_item(some).startswith(b"HTTP/1.1 400"))
        self.serves()
        self.assertLess(self.memory_kib() - before, 100 * 1024)

    def test_words_in_quotes_are_one_value(self):
        self.assertNotIn(b"too many values", self.put_item(b'{"TableName": "' + b"{[,:\\\"" * 1_000_000 + b'"}'))


class VanishingTest(OneCloud):
    def test_half_a_connection_is_closed_soon(self):
        head = b"PUT /robust/half HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
        for data, answers in ((b"", 0), (b"GET /heal", 0), (HEALTH, 1), (head + b"abc", 0)):
            for _ in range(20):
                client, start = self.connect(), time.monotonic()
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(self.rest(client).count(b"HTTP/1.1 200"), answers)
                self.assertLess(time.monotonic() - start, 5)

    def test_an_answer_comes_after_the_asker_has_ended(self):
        sqs = self.cloud.client(boto3, "sqs")
        url = sqs.create_queue(QueueName="long")["QueueUrl"]
        link = sqs.generate_presigned_url("receive_message", {
            "QueueUrl": url, "WaitTimeSeconds": 2})
        path = link.split(self.host, 1)[1]
        client, start = self.connect(), time.monotonic()
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        answer = self.rest(client)
        if answer.startswith(b"HTTP/1.1 200"):  # not every botocore signs queries for this service
            self.assertGreater(time.monotonic() - start, 1.5)

    def test_half_sent_bodies_leave_nothing(self):
        data = self.signed("PUT", "/robust/never", b"x" * 300_000)
        for cut in (len(data) - 1, len(data) - 200_000, len(data) - 299_999):
            client = self.connect()
            client.sendall(data[:cut])
            client.close()
        time.sleep(0.3)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.s3.head_object(Bucket="robust", Key="never")
        self.serves()

    def stick(self, key, count):
        """Clients that ask for an object and read one byte; how much memory that took at most, in KiB."""
        data = self.signed("GET", "/robust/" + key)
        clients = [self.connect(socket.SO_RCVBUF, 4096) for _ in range(count)]  # so that little fits into the kernel
        self.serves()
        before = self.memory_kib()
        for client in clients:
            client.sendall(data)
        for client in clients:  # from here each answer is on its way and stuck
            self.assertEqual(client.recv(1), b"H")
        for _ in range(20):
            self.serves()
        return clients, self.memory_kib() - before

    def test_who_does_not_read_the_answer_holds_up_nobody(self):
        whole = bytes(range(256)) * 117_188  # 30 MB
        self.s3.put_object(Bucket="robust", Key="large", Body=whole)
        clients, grown = self.stick("large", 50)
        self.assertLess(grown, len(clients) * CONNECTION_KIB + WORKERS * (WINDOW_KIB + THREAD_KIB))
        answer = b"H" + self.read_answer(clients[-1], len(whole))
        self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], whole)

    def test_answers_in_memory_have_a_limit_together(self):
        whole = bytes(range(256)) * 3_900  # small enough to be sent from memory
        self.s3.put_object(Bucket="robust", Key="middle", Body=whole)
        clients, grown = self.stick("middle", 300)
        self.assertLess(grown, HELD_KIB + len(clients) * CONNECTION_KIB + WORKERS * (THREAD_KIB + HEAP_KIB))
        for client in (clients[0], clients[-1]):
            answer = b"H" + self.read_answer(client, len(whole))
            self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], whole)

    def read_answer(self, client, body_bytes):
        out = bytearray()
        while len(out) < body_bytes or len(out) < out.find(b"\r\n\r\n") + 4 + body_bytes:
            data = client.recv(1 << 20)
            self.assertTrue(data, "the cloud has closed the connection")
            out += data
        return bytes(out)


class FloodTest(Base):
    def setUp(self):
        self.cloud = clouds.Cloud(KEN)
        self.addCleanup(self.cloud.close)

    def start(self, files):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, OPEN_FILES[1]))
        try:
            self.cloud.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES[1], OPEN_FILES[1]))
        self.host = self.cloud.endpoint.split("//")[1]
        self.address = (self.host.split(":")[0], int(self.host.split(":")[1]))

    def flood(self, count, data):
        """Connections that stay, each with the start of a request."""
        clients = []
        for i in range(count):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self.address)
            self.addCleanup(client.close)
            clients.append(client)
            if i % 500 == 499:
                time.sleep(0.05)
        for client in clients:
            try:
                client.send(data)
            except OSError:
                pass
        return clients

    def test_ten_thousand_slow_clients(self):
        count = min(FLOOD, OPEN_FILES[1] - 200)
        self.start(min(4096, OPEN_FILES[1]))
        before = self.memory_kib()
        self.flood(count, b"GET /hea")
        for _ in range(3):
            self.serves()
        grown = self.memory_kib() - before
        print(f"{count} connections: {grown} KiB more")
        self.assertLess(grown, 64 * 1024)

    def test_few_open_files(self):
        self.start(192)
        self.flood(300, b"GET / HTTP/1.1\r\nHost: ")
        self.serves()
        s3 = self.cloud.client(boto3, "s3")
        s3.create_bucket(Bucket="few")
        s3.put_object(Bucket="few", Key="k", Body=bytes(2_000_000))
        self.assertEqual(len(s3.get_object(Bucket="few", Key="k")["Body"].read()), 2_000_000)

    def test_a_byte_now_and_then_is_no_request(self):
        self.start(min(4096, OPEN_FILES[1]))
        client, start = self.connect(), time.monotonic()
        client.settimeout(1)
        client.sendall(b"GET /health HTTP/1.1\r\nX: ")
        closed = False
        while not closed and time.monotonic() - start < 40:
            try:
                client.sendall(b"a")
                closed = client.recv(1) == b""
            except socket.timeout:
                pass
            except OSError:
                closed = True
        self.assertTrue(closed)
        self.assertGreater(time.monotonic() - start, 15)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
