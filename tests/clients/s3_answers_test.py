"""Single requests to S3 as AWS was seen to answer them, a row each, signed by wire_test's few lines. s3_answers_test.py KEN"""
import base64
import hashlib
import html
import http.client
import re
import sys
import unittest
import urllib.parse
import xml.etree.ElementTree
import zlib

import cloud as clouds
from wire_test import Signer, sign

MIB = 1024 * 1024


def text64(data):
    return base64.b64encode(data).decode()


def md5(body):
    return {"Content-MD5": text64(hashlib.md5(body).digest())}


def crc32(body):
    return text64(zlib.crc32(body).to_bytes(4, "big"))


def crc64(body):
    """CRC64NVME, bit by bit: for a few bytes."""
    crc = 2 ** 64 - 1
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9a6c9329ac4bc9b5 if crc & 1 else 0)
    return text64((crc ^ 2 ** 64 - 1).to_bytes(8, "big"))


class Answer:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body.decode(errors="replace"), headers

    def element(self, name):
        found = re.search(f"<{name}>(.*?)</{name}>", self.body, re.S)
        return found and html.unescape(found[1])


class Answers(unittest.TestCase):
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(sys.argv[1]).start()
        cls.host = cls.cloud.endpoint.removeprefix("http://")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def ask(self, method, target, body=b"", headers=None):
        signed = Signer(self.cloud.keys()).sign(
            method, target, {"Host": self.host, **(headers or {}),
                             "X-Amz-Content-Sha256": hashlib.sha256(body).hexdigest()},
            hashlib.sha256(body).hexdigest())
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, target, body or None,
                           {**signed, **({} if body else {"Content-Length": "0"})})
        reply = connection.getresponse()
        answer = Answer(reply.status, reply.read(), reply.headers)
        connection.close()
        return answer

    def bare(self, method, target, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, target, headers=headers or {})
        reply = connection.getresponse()
        answer = Answer(reply.status, reply.read(), reply.headers)
        connection.close()
        return answer

    def done(self, *request):
        answer = self.ask(*request)
        self.assertIn(answer.status, (200, 204, 206), answer.body)
        return answer

    def refused(self, status, code, message, *request):
        answer = self.ask(*request)
        self.assertEqual((answer.status, answer.element("Code")), (status, code), answer.body)
        if message:
            self.assertEqual(answer.element("Message"), message)
        return answer

    def bucket(self):
        Answers.count += 1
        name = f"/answers-{Answers.count}"
        self.done("PUT", name)
        return name


class Checksums(Answers):
    def upload(self, key, parts, create=None, part_headers=None, complete=None, part_xml=None):
        upload = self.done("POST", key + "?uploads", b"", create or {}).element("UploadId")
        listed = ""
        for number, part in enumerate(parts, 1):
            answer = self.done("PUT", f"{key}?partNumber={number}&uploadId={upload}", part,
                               (part_headers or (lambda part: {}))(part))
            listed += f"<Part><ETag>{answer.headers['ETag']}</ETag>{(part_xml or (lambda part: ''))(part)}" \
                      f"<PartNumber>{number}</PartNumber></Part>"
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        return self.ask("POST", f"{key}?uploadId={upload}", body, complete or {})

    def head(self, key, more=""):
        headers = self.done("HEAD", key + more, b"", {"x-amz-checksum-mode": "ENABLED"}).headers
        return {name.lower()[len("x-amz-checksum-"):]: value for name, value in headers.items()
                if name.lower().startswith("x-amz-checksum-")}

    def test_what_a_put_keeps(self):
        bucket, body = self.bucket(), b"a few bytes"
        usual = {"crc64nvme": crc64(body), "type": "FULL_OBJECT"}
        told = {"crc32": crc32(body), "type": "FULL_OBJECT"}
        for headers, expected in (
                ({}, usual), ({"x-amz-checksum-algorithm": "SHA256"}, usual),
                ({"x-amz-checksum-algorithm": "NONE-SUCH"}, usual),
                ({"x-amz-checksum-type": "NONE-SUCH"}, usual),
                ({"x-amz-checksum-crc64nvme": crc64(body)}, usual),
                ({"x-amz-checksum-crc32": crc32(body)}, told),
                ({"x-amz-checksum-crc32": crc32(body), "x-amz-checksum-type": "COMPOSITE"}, told),
                ({"x-amz-checksum-crc32": crc32(body), "x-amz-checksum-algorithm": "SHA1"}, told),
                ({"x-amz-checksum-crc32": crc32(body), "x-amz-sdk-checksum-algorithm": "crc32"}, told)):
            answer = self.done("PUT", bucket + "/key", body, headers)
            for name, value in expected.items():
                self.assertEqual(answer.headers["x-amz-checksum-" + name], value, headers)
            self.assertEqual(self.head(bucket + "/key"), expected, headers)
        self.done("PUT", bucket + "/copy", b"", {"x-amz-copy-source": bucket + "/key"})
        self.assertEqual(self.head(bucket + "/copy"), told)

    def test_what_a_put_refuses(self):
        bucket, body = self.bucket(), b"a few bytes"
        for code, message, headers in (
                ("InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                 "x-amz-trailer headers were found.", {"x-amz-sdk-checksum-algorithm": "CRC64NVME"}),
                ("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.",
                 {"x-amz-sdk-checksum-algorithm": "CRC64NVME", "x-amz-checksum-crc32": crc32(body)}),
                ("InvalidRequest", "Value for x-amz-checksum-crc64nvme header is invalid.",
                 {"x-amz-checksum-crc64nvme": crc32(body)}),
                ("BadDigest", "The CRC64NVME you specified did not match the calculated checksum.",
                 {"x-amz-checksum-crc64nvme": crc64(b"others")})):
            self.refused(400, code, message, "PUT", bucket + "/key", body, headers)
        self.refused(501, "NotImplemented", None, "PUT", bucket + "/key", body,
                     {"x-amz-checksum-xxhash64": crc64(body)})

    def test_an_upload_that_names_no_algorithm_gets_a_crc64(self):
        bucket = self.bucket()
        parts = [b"A" * 5 * MIB, b"B" * 5 * MIB, b"C" * 5 * MIB]
        expected = {"crc64nvme": "i+6LR0y3eFo=", "type": "FULL_OBJECT"}
        told = {"x-amz-checksum-crc64nvme": crc64(b"of nothing here")}
        for part_headers, complete, part_xml in (
                (None, None, None), (None, told, None),
                (lambda part: {"x-amz-checksum-crc32": crc32(part)}, {"x-amz-checksum-crc32": crc32(b"")},
                 lambda part: f"<ChecksumCRC32>{crc32(part)}</ChecksumCRC32>")):
            answer = self.upload(bucket + "/key", parts, {}, part_headers, complete, part_xml)
            self.assertEqual((answer.status, answer.element("ChecksumCRC64NVME"), answer.element("ChecksumType")),
                             (200, expected["crc64nvme"], "FULL_OBJECT"), answer.body)
            self.assertEqual(self.head(bucket + "/key"), expected)
            self.assertEqual(self.head(bucket + "/key", "?partNumber=2"), {})
        answer = self.done("GET", bucket + "/key?attributes", b"",
                           {"x-amz-object-attributes": "ObjectParts,Checksum"})
        self.assertEqual((answer.element("PartsCount"), answer.element("Part")), ("3", None))

    def test_one_that_names_it_has_that_of_each_part(self):
        bucket = self.bucket()
        parts = [b"A" * 5 * MIB, b"B" * 5 * MIB, b"C" * 5 * MIB]
        of_parts = ["L/E4WYn8v98=", "xW1l19VobYM=", "cK5MnNaWrW4="]
        answer = self.upload(bucket + "/key", parts, {"x-amz-checksum-algorithm": "CRC64NVME"})
        self.assertEqual(answer.element("ChecksumCRC64NVME"), "i+6LR0y3eFo=")
        for number, value in enumerate(of_parts, 1):
            self.assertEqual(self.head(bucket + "/key", f"?partNumber={number}"),
                             {"crc64nvme": value, "type": "FULL_OBJECT"})
        for most, told, more in ((0, 0, "false"), (2, 2, "true"), (5000, 3, "false")):
            answer = self.done("GET", bucket + "/key?attributes", b"", {
                "x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": str(most)})
            self.assertEqual((answer.body.count("<Part>"), answer.element("IsTruncated"), answer.element("MaxParts")),
                             (told, more, str(most)))
            self.assertIsNotNone(answer.element("NextPartNumberMarker"))

    def test_which_requests_need_a_digest(self):
        bucket = self.bucket()
        self.done("PUT", bucket + "/key", b"x")
        tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
        either = "Content-MD5 OR x-amz-checksum-*"
        for method, target, body, names in (
                ("PUT", "?cors", b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*"
                 b"</AllowedOrigin></CORSRule></CORSConfiguration>", either),
                ("PUT", "?tagging", tags, either), ("PUT", "/key?tagging", tags, None),
                ("PUT", "?lifecycle", b"<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration>"
                 b"<Days>3</Days></Expiration></Rule></LifecycleConfiguration>", "Content-MD5"),
                ("PUT", "?ownershipControls", b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter"
                 b"</ObjectOwnership></Rule></OwnershipControls>", None),
                ("PUT", "?versioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
                 None),
                ("POST", "?delete", b"<Delete><Object><Key>absent</Key></Object></Delete>", either)):
            if names:
                message = "Missing required header for this request: " + names
                self.refused(400, "InvalidRequest", message, method, bucket + target, body)
                self.refused(400, "InvalidRequest", message, method, bucket + target, body,
                             {"x-amz-checksum-algorithm": "CRC32"})
            else:
                self.done(method, bucket + target, body)
            self.done(method, bucket + target, body, md5(body))
            self.done(method, bucket + target, body, {"x-amz-checksum-crc32": crc32(body)})


class Lifecycle(Answers):
    def rules(self, *rules):
        return "".join(f"<Rule>{rule}<Status>Enabled</Status></Rule>" for rule in rules)

    def put(self, bucket, text):
        body = f"<LifecycleConfiguration>{text}</LifecycleConfiguration>".encode()
        return "PUT", bucket + "?lifecycle", body, md5(body)

    def test_rules_that_are_refused(self):
        bucket, days = self.bucket(), "<Expiration><Days>3</Days></Expiration>"
        abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>" \
                "</AbortIncompleteMultipartUpload>"
        newer = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1" \
                "</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
        size = "<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan>"
        for code, message, rules in (
                ("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Object Size.",
                 [f"<Filter>{size}</Filter>{abort}"]),
                ("InvalidRequest", "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
                 [f"<Filter><And>{size}<ObjectSizeLessThan>10</ObjectSizeLessThan></And></Filter>{days}"]),
                ("InvalidRequest", "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in "
                 "the Filter.", [f"<ID>a</ID><Filter/>{days}", f"<ID>b</ID><Prefix>a</Prefix>{days}"]),
                ("InvalidRequest", "NewerNoncurrentVersions element can only be used in Lifecycle V2.",
                 [f"<Prefix>a</Prefix>{newer}"]),
                ("InvalidRequest", "The maximum size of a prefix is 1024",
                 [f"<Filter><Prefix>{'a' * 1025}</Prefix></Filter>{days}"]),
                ("InvalidRequest", "A Tag's Key must be a length between 1 and 128.",
                 [f"<Filter><Tag><Key>{'a' * 129}</Key><Value/></Tag></Filter>{days}"]),
                ("InvalidRequest", "A Tag's Value must be a length between 0 and 256.",
                 [f"<Filter><Tag><Key>a</Key><Value>{'a' * 257}</Value></Tag></Filter>{days}"]),
                ("MalformedXML", None, ["<Filter/><Expiration><Date>20200101</Date></Expiration>"]),
                ("InvalidArgument", "'Date' must be at midnight GMT",
                 ["<Filter/><Expiration><Date>2099-01-01T00:00:01Z</Date></Expiration>"])):
            self.refused(400, code, message, *self.put(bucket, self.rules(*rules)))

    def test_an_upload_is_told_when_it_will_end(self):
        bucket = self.bucket()
        self.done(*self.put(bucket, self.rules(
            "<ID>end</ID><Filter><Prefix>a/</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>7"
            "</DaysAfterInitiation></AbortIncompleteMultipartUpload>")))
        for key, rule in (("/a/key", "end"), ("/b/key", None)):
            created = self.done("POST", bucket + key + "?uploads")
            listed = self.done("GET", f"{bucket}{key}?uploadId={created.element('UploadId')}")
            for answer in (created, listed):
                self.assertEqual(answer.headers["x-amz-abort-rule-id"], rule)
                self.assertEqual(answer.headers["x-amz-abort-date"] is None, rule is None)

    def test_a_version_is_told_no_expiry(self):
        bucket = self.bucket()
        self.done("PUT", bucket + "?versioning",
                  b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        self.done(*self.put(bucket, self.rules("<Filter/><Expiration><Days>3</Days></Expiration>")))
        put = self.done("PUT", bucket + "/key", b"x").headers
        self.assertIn("expiry-date", put["x-amz-expiration"])
        self.assertIn("expiry-date", self.done("HEAD", bucket + "/key").headers["x-amz-expiration"])
        of_version = self.done("HEAD", f"{bucket}/key?versionId={put['x-amz-version-id']}").headers
        self.assertIsNone(of_version["x-amz-expiration"])


class Presigned(Answers):
    def presigned(self, method, path, seconds=900, minutes=0, date=None):
        signer = Signer(self.cloud.keys(), minutes=minutes)
        if date:
            signer.date = date
        scope = f"{signer.date[:8]}/us-east-1/s3/aws4_request"
        query = urllib.parse.urlencode(sorted({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{signer.id}/{scope}", "X-Amz-Date": signer.date,
            "X-Amz-Expires": str(seconds), "X-Amz-SignedHeaders": "host"}.items()), quote_via=urllib.parse.quote, safe="")
        canonical = "\n".join([method, path, query, f"host:{self.host}\n", "host", "UNSIGNED-PAYLOAD"])
        key = ("AWS4" + self.cloud.keys()["AWS_SECRET_ACCESS_KEY"]).encode()
        for part in scope.split("/"):
            key = sign(key, part)
        signature = sign(key, "\n".join(["AWS4-HMAC-SHA256", signer.date, scope,
                                          hashlib.sha256(canonical.encode()).hexdigest()])).hex()
        return f"{path}?{query}&X-Amz-Signature={signature}"

    def test_when_a_link_is_good(self):
        key = self.bucket() + "/key"
        self.done("PUT", key, b"x")
        self.assertEqual(self.bare("GET", self.presigned("GET", key)).status, 200)
        for message, arguments in (("Request is not yet valid", {"date": "21000101T000000Z"}),
                                   ("Request has expired", {"date": "19700101T000000Z"}),
                                   ("Request has expired", {"seconds": 0}), ("Request has expired", {"minutes": -16})):
            answer = self.bare("GET", self.presigned("GET", key, **arguments))
            self.assertEqual((answer.status, answer.element("Code"), answer.element("Message")),
                             (403, "AccessDenied", message))
        self.assertEqual(answer.element("X-Amz-Expires"), "900")
        for seconds, message in ((2 ** 63 - 1, "X-Amz-Expires must be less than a week (in seconds); that is, the given "
                                               "X-Amz-Expires must be less than 604800 seconds"),
                                 (2 ** 63, "X-Amz-Expires should be a number")):
            refused = self.bare("GET", self.presigned("GET", key, seconds=seconds))
            self.assertEqual((refused.status, refused.element("Message")), (400, message))
        self.assertLess(answer.element("Expires"), answer.element("ServerTime"))

    def test_which_headers_it_must_cover(self):
        key = self.bucket() + "/key"
        self.done("PUT", key, b"x")
        for code, name, value in (
                (None, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("AccessDenied", "x-amz-meta-a", "b"),
                ("SignatureDoesNotMatch", "x-amz-content-sha256", hashlib.sha256(b"").hexdigest())):
            answer = self.bare("GET", self.presigned("GET", key), {name: value})
            self.assertEqual(answer.element("Code"), code)


class Names(Answers):
    def test_what_no_bucket_can_be_called(self):
        for name in ("a", "bucket%2Binvalid", "a%20b", "x" * 256):
            for method, target in (("GET", f"/{name}"), ("GET", f"/{name}/key"), ("PUT", f"/{name}"), ("DELETE", f"/{name}")):
                self.refused(400, "InvalidBucketName", "The specified bucket is not valid.", method, target)
            self.assertEqual(self.ask("HEAD", f"/{name}").status, 400)
        for name in ("Once_Upon", "x" * 255):
            self.refused(404, "NoSuchBucket", None, "GET", f"/{name}")

    def test_the_bucket_is_looked_for_before_the_upload(self):
        upload = self.done("POST", self.bucket() + "/key?uploads").element("UploadId")
        listed = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
        for method, query, body in (("GET", "", b""), ("PUT", "partNumber=1&", b"x"), ("DELETE", "", b""), ("POST", "", listed)):
            self.refused(404, "NoSuchBucket", None, method, f"/no-such-bucket/key?{query}uploadId={upload}", body)

    def test_what_a_refused_preflight_tells(self):
        bucket = self.bucket()
        def refused(path, **asked):
            answer = self.bare("OPTIONS", path, {"Origin": "http://a", **asked})
            return answer.status, answer.element("Code"), answer.element("Method"), answer.element("ResourceType")
        put = {"Access-Control-Request-Method": "PUT"}
        for path in (bucket + "/key", "/no-such-bucket/key"):
            self.assertEqual(refused(path), (403, "AccessForbidden", "OPTIONS", "BUCKET"))
            self.assertEqual(refused(path, **put), (403, "AccessForbidden", "PUT", "BUCKET"))
        rules = b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>" \
                b"</CORSConfiguration>"
        self.done("PUT", bucket + "?cors", rules, md5(rules))
        self.assertEqual(refused(bucket + "/key", **put), (403, "AccessForbidden", "PUT", "OBJECT"))
        self.assertEqual(refused(bucket + "/key"), (400, "BadRequest", None, None))

    def test_no_control_character_is_metadata(self):
        key = self.bucket() + "/key"
        for value in ("\x04a", "a\x04", "a\x04b", "a\x7f"):
            self.refused(400, "InvalidArgument", None, "PUT", key, b"x", {"x-amz-meta-a": value})

    def test_a_refused_head_tells_a_type(self):
        bucket = self.bucket()
        for target in (bucket + "/none", "/no-such-bucket"):
            answer = self.ask("HEAD", target)
            self.assertEqual((answer.status, answer.headers["Content-Type"], answer.body), (404, "application/xml", ""))


class Lists(Answers):
    def order(self, target):
        """The names of the elements of the document, of those inside it alone."""
        return [child.tag.split("}")[1] for child in xml.etree.ElementTree.fromstring(self.done("GET", target).body)]

    def test_elements_come_in_the_order_of_the_schema(self):
        bucket = self.bucket()
        for key in ("a/1", "b", "c"):
            self.done("PUT", f"{bucket}/{key}", b"x")
        asked = "delimiter=%2F&encoding-type=url&max-keys=2"
        told = ["MaxKeys", "Delimiter", "EncodingType", "IsTruncated"]
        for query, place, rows in (
                ("", ["Marker", "NextMarker"], ["Contents", "CommonPrefixes"]),
                ("list-type=2&start-after=A&", ["NextContinuationToken", "StartAfter", "KeyCount"],
                 ["Contents", "CommonPrefixes"]),
                ("versions&", ["KeyMarker", "VersionIdMarker", "NextKeyMarker", "NextVersionIdMarker"],
                 ["Version", "CommonPrefixes"])):
            self.assertEqual(self.order(f"{bucket}?{query}{asked}"), ["Name", "Prefix"] + place + told + rows)
        content = xml.etree.ElementTree.fromstring(self.done("GET", bucket + "?prefix=b").body)[-1]
        self.assertEqual([child.tag.split("}")[1] for child in content][-3:], ["Size", "Owner", "StorageClass"])
        upload = self.done("POST", bucket + "/u?uploads").element("UploadId")
        self.done("PUT", f"{bucket}/u?partNumber=1&uploadId={upload}", b"x")
        self.assertEqual(self.order(f"{bucket}/u?uploadId={upload}")[-5:],
                         ["PartNumberMarker", "NextPartNumberMarker", "MaxParts", "IsTruncated", "Part"])

    def test_a_list_of_versions_repeats_how_many_were_asked_for(self):
        bucket = self.bucket()
        for query, told in (("versions&max-keys=5000", "5000"), ("list-type=2&max-keys=5000", "1000")):
            self.assertEqual(self.done("GET", f"{bucket}?{query}").element("MaxKeys"), told)

    def test_a_marker_of_versions_needs_its_key(self):
        bucket = self.bucket()
        for query, message in (("", "A version-id marker cannot be specified without a key marker."),
                               ("key-marker=&", "Invalid version id specified"), ("key-marker=k&", "Invalid version id specified")):
            self.refused(400, "InvalidArgument", message, "GET", f"{bucket}?{query}version-id-marker=bogus&versions=")

    def test_what_no_list_of_keys_is(self):
        bucket = self.bucket()
        for body in (b"<Other/>", b"<Delete/>", b"<Delete><Other/></Delete>", b"<Delete>",
                     b"<Delete><Object><Other>x</Other></Object></Delete>"):
            self.refused(400, "MalformedXML", None, "POST", bucket + "?delete", body, md5(body))
        body = b"<Delete><Object><Key>" + b"k" * 1025 + b"</Key></Object></Delete>"
        answer = self.refused(400, "KeyTooLongError", "Your key is too long", "POST", bucket + "?delete", body, md5(body))
        self.assertEqual((answer.element("Size"), answer.element("MaxSizeAllowed")), ("1025", "1024"))
        body = b"<VersioningConfiguration/>"
        self.refused(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified", "PUT",
                     bucket + "?versioning", body)


class Parts(Answers):
    def test_part_one_of_nothing_is_no_range(self):
        key = self.bucket() + "/key"
        self.done("PUT", key, b"")
        answer = self.done("GET", key + "?partNumber=1")
        self.assertEqual((answer.status, answer.headers["Content-Range"]), (200, None))

    def test_what_came_whole_is_its_own_part_one(self):
        key = self.bucket() + "/key"
        self.done("PUT", key, b"whole")
        answer = self.done("GET", key + "?partNumber=1", b"", {"x-amz-checksum-mode": "ENABLED"})
        self.assertEqual((answer.status, answer.headers["Content-Range"], answer.headers["x-amz-mp-parts-count"],
                          answer.headers["x-amz-checksum-crc64nvme"]), (206, "bytes 0-4/5", None, crc64(b"whole")))


class Sizes(Answers):
    def test_how_long_a_document_may_be(self):
        bucket = self.bucket()
        self.done("PUT", bucket + "?ownershipControls",
                  b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
        upload = self.done("POST", bucket + "/key?uploads").element("UploadId")
        for method, target, most in (
                ("PUT", "?versioning", 1024), ("PUT", "?ownershipControls", 2048), ("PUT", "?cors", 65536),
                ("PUT", "?tagging", 163840), ("PUT", "?acl", 204800), ("POST", "?delete", 2048000),
                ("POST", "/key?uploadId=" + upload, 2621440)):
            for size, code in ((most, "Malformed"), (most + 1, "MaxMessageLengthExceeded")):
                body = b"<a/>" + b" " * (size - 4)
                answer = self.ask(method, bucket + target, body, md5(body))
                self.assertEqual(answer.status, 400)
                self.assertTrue(answer.element("Code").startswith(code), (target, answer.body))
            self.assertEqual(answer.element("MaxMessageLengthBytes"), str(most))


class Encryption(Answers):
    """Of a cloud that was told that its disk encrypts. Others refuse by name: s3_test.py."""
    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(sys.argv[1])
        cls.cloud.arguments = ["--encrypted-disk"]
        cls.cloud.start()
        cls.host = cls.cloud.endpoint.removeprefix("http://")

    def test_every_answer_of_an_object_tells_it(self):
        bucket, name = self.bucket(), "x-amz-server-side-encryption"
        upload = self.done("POST", bucket + "/parts?uploads", b"", {name: "AES256"})
        part = self.done("PUT", f"{bucket}/parts?partNumber=1&uploadId={upload.element('UploadId')}", b"x")
        body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part.headers['ETag']}</ETag></Part>" \
               "</CompleteMultipartUpload>"
        for answer in (upload, part, self.done("PUT", bucket + "/key", b"x"),
                       self.done("PUT", bucket + "/key", b"x", {name: "AES256"}), self.done("GET", bucket + "/key"),
                       self.done("HEAD", bucket + "/key"),
                       self.done("PUT", bucket + "/copy", b"", {"x-amz-copy-source": bucket + "/key"}),
                       self.done("PUT", bucket + "/key", b"", {"x-amz-copy-source": bucket + "/key", name: "AES256"}),
                       self.done("POST", f"{bucket}/parts?uploadId={upload.element('UploadId')}", body.encode())):
            self.assertEqual(answer.headers[name], "AES256")

    def test_what_is_not_the_disks_is_refused(self):
        bucket, name = self.bucket(), "x-amz-server-side-encryption"
        self.refused(501, "NotImplemented", None, "PUT", bucket + "/key", b"x", {name: "aws:kms"})
        answer = self.refused(400, "InvalidArgument", None, "PUT", bucket + "/key", b"x", {name: "AES128"})
        self.assertEqual((answer.element("ArgumentName"), answer.element("ArgumentValue")), (name, "AES128"))
        self.refused(400, "InvalidArgument", None, "GET", bucket + "/key", b"", {name: "AES256"})
        self.refused(501, "NotImplemented", None, "PUT", bucket + "/key", b"x",
                     {name + "-customer-algorithm": "AES256"})

    def test_what_a_bucket_says(self):
        bucket = self.bucket()
        def document(method, more=""):
            return ("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>"
                    f"{method}</SSEAlgorithm></ApplyServerSideEncryptionByDefault>{more}</Rule>"
                    "</ServerSideEncryptionConfiguration>").encode()
        for change in (None, ("PUT", bucket + "?encryption", document("AES256")), ("DELETE", bucket + "?encryption")):
            if change:
                self.done(*change)
            self.assertEqual(self.done("GET", bucket + "?encryption").element("SSEAlgorithm"), "AES256")
        for status, code, body in (
                (501, "NotImplemented", document("aws:kms")), (400, "MalformedXML", document("none")),
                (501, "NotImplemented", document("AES256", "<BucketKeyEnabled>true</BucketKeyEnabled>"))):
            self.refused(status, code, None, "PUT", bucket + "?encryption", body)


class Conditions(Answers):
    def test_what_a_write_cannot_ask(self):
        bucket = self.bucket()
        self.done("PUT", bucket + "/key", b"x")
        for value in ("*", '"*"'):
            for headers in ({}, {"x-amz-copy-source": bucket + "/key"}):
                answer = self.refused(501, "NotImplemented", None, "PUT", bucket + "/to",
                                      b"" if headers else b"y", {"If-Match": value, **headers})
                self.assertEqual(answer.element("Header"), "If-Match")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
