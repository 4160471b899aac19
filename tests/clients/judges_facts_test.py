"""What the public conformance suites hold an S3, a DynamoDB, an SQS, an SNS and the others to, one fact a row, in our own
words. judges_facts_test.py KEN"""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request
from xml.etree import ElementTree

import cloud as clouds

try:
    import boto3
    import botocore.config
    import botocore.exceptions
except ImportError:
    clouds.skip("no boto3 for " + sys.executable)

if int(boto3.__version__.split(".")[1]) < 36:
    clouds.skip("this boto3 knows no conditional writes")

KEN = sys.argv[1]
MIB = 1024 * 1024


class Facts(unittest.TestCase):
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.cloud = clouds.Cloud(KEN).start()
        cls.s3 = cls.cloud.client(boto3, "s3")
        cls.db = cls.cloud.client(boto3, "dynamodb")
        cls.sqs = cls.cloud.client(boto3, "sqs")
        cls.sns = cls.cloud.client(boto3, "sns")

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def refused(self, status, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        reply = caught.exception.response
        self.assertEqual((reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"]),
                         (status, code), reply["Error"].get("Message"))
        return reply["Error"].get("Message", "")

    def new(self, prefix):
        Facts.count += 1
        return f"{prefix}-{Facts.count}"

    def bucket(self, *keys):
        name = self.new("facts")
        self.s3.create_bucket(Bucket=name)
        for key in keys:
            self.s3.put_object(Bucket=name, Key=key, Body=key.encode())
        return name


class ListingFacts(Facts):
    def seen(self, bucket, call="list_objects_v2", **how):
        reply = getattr(self.s3, call)(Bucket=bucket, **how)
        return ([o["Key"] for o in reply.get("Contents", [])],
                [p["Prefix"] for p in reply.get("CommonPrefixes", [])], reply)

    def test_delimiters_of_every_kind(self):
        for delimiter in ("/", "a", " ", "%", ".", "ab", "\u00e9"):
            with self.subTest(delimiter):
                keys = [f"b{delimiter}x", f"b{delimiter}y", f"c{delimiter}x", "zz"]
                bucket = self.bucket(*keys)
                for call in ("list_objects", "list_objects_v2"):
                    found, prefixes, _ = self.seen(bucket, call, Delimiter=delimiter)
                    self.assertEqual(found, ["zz"])
                    self.assertEqual(prefixes, ["b" + delimiter, "c" + delimiter])

    def test_a_delimiter_that_is_nowhere_or_empty(self):
        bucket = self.bucket("bar", "baz", "foo")
        for delimiter in ("/", ""):
            found, prefixes, reply = self.seen(bucket, Delimiter=delimiter)
            self.assertEqual((found, prefixes), (["bar", "baz", "foo"], []))
        self.assertNotIn("Delimiter", reply)

    def test_a_prefix_ends_where_it_likes(self):
        bucket = self.bucket("b/a/c", "b/a/g", "b/a/r", "g", "foo/bar")
        self.assertEqual(self.seen(bucket, Prefix="b/a/")[0], ["b/a/c", "b/a/g", "b/a/r"])
        self.assertEqual(self.seen(bucket, Prefix="fo")[0], ["foo/bar"])
        self.assertEqual(self.seen(bucket, Prefix="\x0a")[0], [])
        self.assertEqual(self.seen(bucket, Prefix="")[2]["KeyCount"], 5)
        self.assertEqual(self.seen(bucket, Prefix="b", Delimiter="/")[:2], ([], ["b/"]))
        self.assertEqual(self.seen(bucket, Prefix="b/a", Delimiter="/")[:2], ([], ["b/a/"]))

    def test_a_key_that_ends_with_the_delimiter(self):
        bucket = self.bucket("asdf/", "asdf/x")
        self.assertEqual(self.seen(bucket, Prefix="asdf/", Delimiter="/")[:2],
                         (["asdf/", "asdf/x"], []))

    def test_prefixes_count_as_keys_in_pages(self):
        bucket = self.bucket("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla")
        pages, token = [], {}
        while True:
            found, prefixes, reply = self.seen(bucket, Delimiter="/", MaxKeys=1, **token)
            pages.append((found, prefixes))
            if not reply["IsTruncated"]:
                break
            token = {"ContinuationToken": reply["NextContinuationToken"]}
        self.assertEqual(pages, [(["asdf"], []), ([], ["boo/"]), ([], ["cquux/"])])

    def test_pages_of_version_1_go_on_at_the_marker(self):
        bucket = self.bucket("asdf", "boo/bar", "boo/baz", "cquux/thud")
        found, prefixes, reply = self.seen(bucket, "list_objects", Delimiter="/", MaxKeys=2)
        self.assertEqual((found, prefixes, reply["NextMarker"]), (["asdf"], ["boo/"], "boo/"))
        found, prefixes, reply = self.seen(bucket, "list_objects", Delimiter="/", Marker="boo/")
        self.assertEqual((found, prefixes, reply["IsTruncated"]), ([], ["cquux/"], False))
        reply = self.seen(bucket, "list_objects", MaxKeys=2)[2]
        self.assertNotIn("NextMarker", reply)

    def test_markers(self):
        bucket = self.bucket("bar", "baz", "foo", "quxx")
        for marker, left in (("bar", 3), ("blah", 2), ("zzz", 0), ("\x0a", 4), ("", 4)):
            found, _, reply = self.seen(bucket, "list_objects", Marker=marker)
            self.assertEqual((len(found), reply["Marker"]), (left, marker))
            self.assertEqual(len(self.seen(bucket, StartAfter=marker)[0]), left)

    def test_max_keys(self):
        bucket = self.bucket("bar", "baz", "foo")
        _, _, reply = self.seen(bucket, MaxKeys=0)
        self.assertEqual((reply["KeyCount"], reply["IsTruncated"]), (0, False))
        self.assertEqual(self.seen(bucket)[2]["MaxKeys"], 1000)
        self.assertEqual(self.seen(bucket, MaxKeys=5000)[2]["MaxKeys"], 1000)
        self.refused(400, "InvalidArgument", self.s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)
        self.refused(400, "InvalidArgument", self.s3.list_objects, Bucket=bucket, MaxKeys=-1)
        self.refused(400, "InvalidArgument", self.s3.list_objects_v2, Bucket=bucket,
                     ContinuationToken="")

    def test_owners_are_told_when_asked(self):
        bucket = self.bucket("a")
        self.assertNotIn("Owner", self.seen(bucket)[2]["Contents"][0])
        self.assertIn("ID", self.seen(bucket, FetchOwner=True)[2]["Contents"][0]["Owner"])
        self.assertIn("ID", self.seen(bucket, "list_objects")[2]["Contents"][0]["Owner"])

    def test_keys_are_in_the_order_of_their_bytes(self):
        keys = ["Z", "a", "a.b", "a/b", "aa", "b", "\u00e9", "\uffee", "\U0001f600"]
        bucket = self.bucket(*reversed(keys))
        self.assertEqual(self.seen(bucket)[0], sorted(keys, key=str.encode))


class ObjectFacts(Facts):
    def test_names_of_buckets(self):
        for name in ("ab", "a" * 64, "Upper", "under_score", "-dash", "dash-", "a..b", "192.168.1.1",
                     "a.-b", "a-.b", "xn--bucket", "name-s3alias", "name--ol-s3", "sthree-x"):
            with self.subTest(name):
                try:
                    self.refused(400, "InvalidBucketName", self.s3.create_bucket, Bucket=name)
                except botocore.exceptions.ParamValidationError:
                    pass

    def test_a_bucket_is_made_once(self):
        bucket = self.bucket("a")
        self.s3.create_bucket(Bucket=bucket)  # in us-east-1 its owner may do that again
        self.assertEqual(self.s3.get_bucket_location(Bucket=bucket)["LocationConstraint"], None)
        self.refused(409, "BucketNotEmpty", self.s3.delete_bucket, Bucket=bucket)
        self.refused(404, "NoSuchBucket", self.s3.delete_bucket, Bucket=self.new("absent"))
        self.refused(404, "404", self.s3.head_bucket, Bucket=self.new("absent"))

    def test_absent_things(self):
        bucket, absent = self.bucket(), self.new("absent")
        self.refused(404, "NoSuchKey", self.s3.get_object, Bucket=bucket, Key="x")
        self.refused(404, "404", self.s3.head_object, Bucket=bucket, Key="x")
        self.refused(404, "NoSuchBucket", self.s3.put_object, Bucket=absent, Key="x", Body=b"")
        self.refused(404, "NoSuchBucket", self.s3.list_objects, Bucket=absent)
        self.refused(404, "NoSuchKey", self.s3.copy_object, Bucket=bucket, Key="y",
                     CopySource={"Bucket": bucket, "Key": "x"})
        self.refused(404, "NoSuchBucket", self.s3.copy_object, Bucket=bucket, Key="y",
                     CopySource={"Bucket": absent, "Key": "x"})
        self.assertEqual(self.s3.delete_object(Bucket=bucket, Key="x")
                         ["ResponseMetadata"]["HTTPStatusCode"], 204)
        reply = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "x"}]})
        self.assertEqual([d["Key"] for d in reply["Deleted"]], ["x"])

    def test_more_than_1000_at_once_are_refused(self):
        bucket = self.bucket()
        self.refused(400, "MalformedXML", self.s3.delete_objects, Bucket=bucket,
                     Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})

    def test_an_etag_is_the_md5(self):
        bucket = self.bucket("bar")
        digest = '"' + hashlib.md5(b"bar").hexdigest() + '"'
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="bar")["ETag"], digest)
        self.refused(400, "InvalidDigest", self.s3.put_object, Bucket=bucket, Key="x", Body=b"x",
                     ContentMD5="short")
        self.refused(400, "BadDigest", self.s3.put_object, Bucket=bucket, Key="x", Body=b"x",
                     ContentMD5="rL0Y20zC+Fzt72VPzMSk2A==")

    def test_metadata_replaces_all_of_the_old(self):
        bucket = self.bucket()
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "1", "b": "2"},
                           ContentType="text/x", CacheControl="no-cache")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"c": "3"})
        head = self.s3.head_object(Bucket=bucket, Key="k")
        self.assertEqual((head["Metadata"], head["ContentType"]),
                         ({"c": "3"}, "binary/octet-stream"))
        self.assertNotIn("CacheControl", head)

    def test_ranges(self):
        bucket = self.bucket("testcontent")
        for asked, got, told in (("bytes=4-7", b"cont"[:4], "bytes 4-7/11"),
                                 ("bytes=4-", b"content", "bytes 4-10/11"),
                                 ("bytes=-7", b"content", "bytes 4-10/11"),
                                 ("bytes=0-100", b"testcontent", "bytes 0-10/11"),
                                 ("bytes=-100", b"testcontent", "bytes 0-10/11")):
            reply = self.s3.get_object(Bucket=bucket, Key="testcontent", Range=asked)
            self.assertEqual((reply["Body"].read(), reply["ContentRange"],
                              reply["ResponseMetadata"]["HTTPStatusCode"]), (got, told, 206))
        for asked in ("bytes=40-50", "bytes=-0"):
            self.refused(416, "InvalidRange", self.s3.get_object, Bucket=bucket,
                         Key="testcontent", Range=asked)
        for asked in ("bytes=7-4", "lines=1-2", "bytes=a-b"):  # not a range: the whole
            reply = self.s3.get_object(Bucket=bucket, Key="testcontent", Range=asked)
            self.assertEqual(reply["ResponseMetadata"]["HTTPStatusCode"], 200)

    def test_conditions_on_reads(self):
        bucket = self.bucket("bar")
        etag = self.s3.head_object(Bucket=bucket, Key="bar")["ETag"]
        old = datetime.datetime(1994, 10, 29, 19, 43, 31)
        new = datetime.datetime(2100, 10, 29, 19, 43, 31)
        get = lambda **how: self.s3.get_object(Bucket=bucket, Key="bar", **how)["Body"].read()
        self.assertEqual(get(IfMatch=etag), b"bar")
        self.assertEqual(get(IfMatch="*"), b"bar")
        self.assertEqual(get(IfNoneMatch='"abc"'), b"bar")
        self.assertEqual(get(IfModifiedSince=old), b"bar")
        self.assertEqual(get(IfUnmodifiedSince=new), b"bar")
        for status, code, how in ((412, "PreconditionFailed", {"IfMatch": '"abc"'}),
                                  (304, "304", {"IfNoneMatch": etag}),
                                  (412, "PreconditionFailed", {"IfUnmodifiedSince": old})):
            self.refused(status, code, self.s3.get_object, Bucket=bucket, Key="bar", **how)
        # a match outweighs the date, and so does a mismatch
        self.assertEqual(get(IfMatch=etag, IfUnmodifiedSince=old), b"bar")

    def test_conditions_on_writes(self):
        bucket = self.bucket("foo")
        put = lambda key, **how: self.s3.put_object(Bucket=bucket, Key=key, Body=b"zar", **how)
        self.refused(412, "PreconditionFailed", put, key="foo", IfNoneMatch="*")
        self.refused(412, "PreconditionFailed", put, key="foo", IfMatch='"abc"')
        self.refused(404, "NoSuchKey", put, key="nokey", IfMatch='"abc"')
        put("new", IfNoneMatch="*")
        etag = self.s3.head_object(Bucket=bucket, Key="foo")["ETag"]
        put("foo", IfMatch=etag)
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="foo")["Body"].read(), b"zar")

    def test_answers_as_the_asker_wants_them(self):
        bucket = self.bucket("foo")
        reply = self.s3.get_object(
            Bucket=bucket, Key="foo", ResponseCacheControl="no-cache",
            ResponseContentDisposition="bla", ResponseContentEncoding="aaa",
            ResponseContentLanguage="esperanto", ResponseContentType="foo/bar")
        self.assertEqual([reply[k] for k in ("CacheControl", "ContentDisposition",
                                             "ContentEncoding", "ContentLanguage", "ContentType")],
                         ["no-cache", "bla", "aaa", "esperanto", "foo/bar"])

    def test_copies(self):
        bucket = self.bucket("foo")
        source = {"Bucket": bucket, "Key": "foo"}
        self.refused(400, "InvalidRequest", self.s3.copy_object, Bucket=bucket, Key="foo",
                     CopySource=source)
        self.s3.copy_object(Bucket=bucket, Key="foo", CopySource=source,
                            MetadataDirective="REPLACE", Metadata={"a": "b"})
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="foo")["Metadata"], {"a": "b"})
        self.s3.copy_object(Bucket=bucket, Key="bar", CopySource=source, Metadata={"c": "d"})
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="bar")["Metadata"], {"a": "b"})
        etag = self.s3.head_object(Bucket=bucket, Key="foo")["ETag"]
        self.refused(412, "PreconditionFailed", self.s3.copy_object, Bucket=bucket, Key="x",
                     CopySource=source, CopySourceIfMatch='"abc"')
        self.refused(412, "PreconditionFailed", self.s3.copy_object, Bucket=bucket, Key="x",
                     CopySource=source, CopySourceIfNoneMatch=etag)

    def test_what_errors_tell(self):
        bucket = self.bucket("k")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.s3.get_object(Bucket=bucket, Key="k", Range="bytes=7-9")
        error = caught.exception.response
        self.assertEqual((error["Error"]["RangeRequested"], error["Error"]["ActualObjectSize"]),
                         ("bytes=7-9", "1"))
        self.assertEqual(error["ResponseMetadata"]["HostId"],
                         error["ResponseMetadata"]["HTTPHeaders"]["x-amz-id-2"])
        self.refused(400, "InvalidRequest", self.s3.get_object_attributes, Bucket=bucket, Key="k",
                     ObjectAttributes=[])
        self.refused(400, "InvalidArgument", self.s3.get_object_attributes, Bucket=bucket, Key="k",
                     ObjectAttributes=["Nonsense"])

    def test_a_body_has_a_length(self):
        bucket = self.bucket("k")
        signer = self.cloud.client(boto3, "s3", config=botocore.config.Config(
            signature_version="s3v4", s3={"addressing_style": "path"}))
        upload = self.s3.create_multipart_upload(Bucket=bucket, Key="p")["UploadId"]
        for name, more in (("put_object", {"Key": "n"}),
                           ("upload_part", {"Key": "p", "PartNumber": 1, "UploadId": upload})):
            url = urllib.parse.urlsplit(signer.generate_presigned_url(
                name, Params={"Bucket": bucket, **more}, ExpiresIn=100))
            for headers, status in (([], 411), ([("Content-Length", "0")], 200)):
                connection = http.client.HTTPConnection(url.netloc)
                connection.putrequest("PUT", f"{url.path}?{url.query}")
                for header in headers:
                    connection.putheader(*header)
                connection.endheaders()
                reply = connection.getresponse()
                self.assertEqual((reply.status, b"MissingContentLength" in reply.read()),
                                 (status, status == 411), name)
                connection.close()

    def test_types_of_lists(self):
        client = self.cloud.client(boto3, "s3")
        client.meta.events.register("before-call.s3.ListObjectsV2", lambda params, **_:
                                    params.update(url=params["url"].replace("type=2", "type=3")))
        self.refused(400, "InvalidArgument", client.list_objects_v2, Bucket=self.bucket("k"))

    def test_odd_keys(self):
        keys = [" ", "a b", "a+b", "a%25b", "?", "#", "&", "_", "a//b", "/a", "a/", "..", "./x",
                "\u00fc", "a\tb", "'\"<>", "a;b", "a=b", "k" * 1024]
        bucket = self.bucket(*keys)
        for key in keys:
            self.assertEqual(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read(),
                             key.encode(), key)
        self.assertEqual({o["Key"] for o in self.s3.list_objects_v2(Bucket=bucket)["Contents"]},
                         set(keys))

    def test_tags(self):
        bucket = self.bucket("k")
        tags = [{"Key": str(i), "Value": "v" * 256} for i in range(10)]
        self.s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k")["TagCount"], 10)
        for wrong in ([*tags, {"Key": "x", "Value": ""}], [{"Key": "k" * 129, "Value": ""}],
                      [{"Key": "k", "Value": "v" * 257}],
                      [{"Key": "k", "Value": ""}, {"Key": "k", "Value": ""}]):
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                self.s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": wrong})
            self.assertIn(caught.exception.response["Error"]["Code"], ("InvalidTag", "BadRequest"))
        self.s3.delete_object_tagging(Bucket=bucket, Key="k")
        self.assertEqual(self.s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"], [])


class UploadFacts(Facts):
    def start(self, bucket, key="k", **how):
        return {"Bucket": bucket, "Key": key, "UploadId": self.s3.create_multipart_upload(
            Bucket=bucket, Key=key, **how)["UploadId"]}

    def part(self, upload, number, body):
        return {"PartNumber": number, "ETag": self.s3.upload_part(
            **upload, PartNumber=number, Body=body)["ETag"]}

    def end(self, upload, parts):
        return self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    def test_what_is_refused(self):
        bucket = self.bucket()
        upload = self.start(bucket)
        self.refused(400, "MalformedXML", self.end, upload=upload, parts=[])
        small = [self.part(upload, n, b"small") for n in (1, 2)]
        self.refused(400, "EntityTooSmall", self.end, upload=upload, parts=small)
        self.refused(400, "InvalidPartOrder", self.end, upload=upload, parts=small[::-1])
        self.refused(400, "InvalidPart", self.end, upload=upload,
                     parts=[{"PartNumber": 1, "ETag": '"ffffffffffffffffffffffffffffffff"'}])
        self.refused(400, "InvalidPart", self.end, upload=upload,
                     parts=[{"PartNumber": 7, "ETag": small[0]["ETag"]}])
        for number in (0, 10_001):
            self.refused(400, "InvalidArgument", self.part, upload=upload, number=number, body=b"")
        absent = {**upload, "UploadId": "absent"}
        self.refused(404, "NoSuchUpload", self.part, upload=absent, number=1, body=b"")
        self.refused(404, "NoSuchUpload", self.end, upload=absent, parts=small)
        self.refused(404, "NoSuchUpload", self.s3.abort_multipart_upload, **absent)
        self.refused(404, "NoSuchUpload", self.s3.list_parts, **absent)

    def test_a_part_may_be_sent_again(self):
        bucket = self.bucket()
        upload = self.start(bucket, Metadata={"a": "b"}, ContentType="text/x")
        self.part(upload, 1, b"x" * (5 * MIB))
        parts = [self.part(upload, 1, b"y" * (5 * MIB)), self.part(upload, 2, b"z")]
        etag = self.end(upload, parts)["ETag"]
        digests = b"".join(bytes.fromhex(p["ETag"].strip('"')) for p in parts)
        self.assertEqual(etag, f'"{hashlib.md5(digests).hexdigest()}-2"')
        got = self.s3.get_object(Bucket=bucket, Key="k")
        self.assertEqual((got["Body"].read(), got["Metadata"], got["ContentType"]),
                         (b"y" * (5 * MIB) + b"z", {"a": "b"}, "text/x"))
        part = self.s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
        self.assertEqual((part["Body"].read(), part["PartsCount"]), (b"z", 2))
        self.refused(416, "InvalidPartNumber", self.s3.get_object, Bucket=bucket, Key="k",
                     PartNumber=3)

    def test_uploads_are_listed_until_they_end(self):
        bucket = self.bucket()
        first, second = self.start(bucket, "a"), self.start(bucket, "b")
        self.part(first, 3, b"x")
        listed = self.s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
        self.assertEqual([u["Key"] for u in listed], ["a", "b"])
        self.assertEqual([p["PartNumber"] for p in self.s3.list_parts(**first)["Parts"]], [3])
        self.s3.abort_multipart_upload(**first)
        self.s3.abort_multipart_upload(**second)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=bucket))

    def test_parts_may_be_copied(self):
        bucket = self.bucket()
        self.s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
        upload, source = self.start(bucket), {"Bucket": bucket, "Key": "source"}
        etag = self.s3.upload_part_copy(**upload, PartNumber=1, CopySource=source,
                                        CopySourceRange="bytes=2-5")["CopyPartResult"]["ETag"]
        self.end(upload, [{"PartNumber": 1, "ETag": etag}])
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"2345")
        upload = self.start(bucket)
        for wrong in ("0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=0-2,3-5"):
            self.refused(400, "InvalidArgument", self.s3.upload_part_copy, **upload, PartNumber=1,
                         CopySource=source, CopySourceRange=wrong)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.s3.upload_part_copy(**upload, PartNumber=1, CopySource=source,
                                     CopySourceRange="bytes=0-21")


class ChecksumFacts(Facts):
    """What is told of checksums and tags is checked, and named where it is wrong."""

    def setUp(self):
        self.name = self.bucket()

    def put(self, **how):
        return self.s3.put_object(Bucket=self.name, Key="k", Body=b"hello", **how)

    def start(self, **how):
        return self.s3.create_multipart_upload(Bucket=self.name, Key="k", **how)

    def test_tags_in_a_header(self):
        for text, kept in (("", {}), ("&&", {}), ("k", {"k": ""}), ("k=&", {"k": ""}),
                           ("a=1&b", {"a": "1", "b": ""}), ("a@=b@", {"a@": "b@"}),
                           ("k%2E=%2F%2B", {"k.": "/+"}), ("a++b=c%20d", {"a  b": "c d"})):
            self.put(Tagging=text)
            told = self.s3.get_object_tagging(Bucket=self.name, Key="k")["TagSet"]
            self.assertEqual({t["Key"]: t["Value"] for t in told}, kept, text)
        for text in ("=", "k%", "k=1&k=2"):
            self.refused(400, "InvalidArgument", self.put, Tagging=text)

    def test_letters_of_tags(self):
        for letter in "?(*$#!":
            self.refused(400, "InvalidTag", self.put, Tagging=f"k{letter}=v")
            self.refused(400, "InvalidTag", self.put, Tagging=f"k=v{letter}")
        self.put(Tagging="\u00e9t\u00e9 +-=._:/@".replace("=", "%3D").replace("+", "%2B"))

    def test_the_sdk_names_the_algorithm_that_it_used(self):
        self.refused(400, "InvalidRequest", self.put, ChecksumAlgorithm="CRC32",
                     ChecksumCRC32C="m0cB1Q==")
        message = self.refused(
            400, "InvalidRequest", self.s3.copy_object, Bucket=self.name, Key="x",
            CopySource={"Bucket": self.name, "Key": "k"}, ChecksumAlgorithm="md6")
        self.assertIn("Checksum algorithm provided is unsupported", message)

    def test_kinds_of_checksums_of_uploads(self):
        for part, how in (("unsupported", {"ChecksumAlgorithm": "md6"}),
                          ("x-amz-checksum-type header is invalid", {"ChecksumType": "odd"}),
                          ("FULL_OBJECT checksum type cannot be used with the sha1",
                           {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"}),
                          ("COMPOSITE checksum type cannot be used with the crc64nvme",
                           {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"})):
            self.assertIn(part, self.refused(400, "InvalidRequest", self.start, **how))
        told = self.start(ChecksumAlgorithm="crc32c", ChecksumType="Full_Object")
        self.assertEqual((told["ChecksumAlgorithm"], told["ChecksumType"]),
                         ("CRC32C", "FULL_OBJECT"))

    def end(self, upload, part, **how):
        return self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, **how)

    def test_what_completes_an_upload(self):
        upload = {"Bucket": self.name, "Key": "k", "UploadId": self.start()["UploadId"]}
        etag = self.s3.upload_part(**upload, PartNumber=1, Body=b"x" * 10)["ETag"]
        part = {"PartNumber": 1, "ETag": etag}
        for number in (0, -1):
            self.assertEqual(self.refused(400, "InvalidArgument", self.end, upload=upload,
                                          part={**part, "PartNumber": number}),
                             "PartNumber must be >= 1")
        for lacking in ({"ETag": etag}, {"PartNumber": 1}):
            self.refused(400, "MalformedXML", self.end, upload=upload, part=lacking)
        for size in (11, -1):
            self.refused(400, "InvalidRequest", self.end, upload=upload, part=part,
                         MpuObjectSize=size)
        self.refused(400, "InvalidRequest", self.end, upload=upload, part=part, ChecksumType="odd")
        self.end(upload, part, MpuObjectSize=10)

    def test_checksums_of_parts_are_told_again(self):
        start = self.start(ChecksumAlgorithm="SHA1")
        upload = {"Bucket": self.name, "Key": "k", "UploadId": start["UploadId"]}
        got = self.s3.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA1")
        part = {"PartNumber": 1, "ETag": got["ETag"]}
        sha1 = {**part, "ChecksumSHA1": got["ChecksumSHA1"]}
        self.assertIn("It was missing for part 1", self.refused(
            400, "InvalidRequest", self.end, upload=upload, part=part))
        for code, told in (("InvalidArgument", {**part, "ChecksumSHA1": "odd"}),
                           ("InvalidArgument", {**sha1, "ChecksumCRC32": "AAAAAA=="}),
                           ("InvalidPart", {**part, "ChecksumSHA1": "A" * 27 + "="}),
                           ("BadDigest", {**part, "ChecksumCRC32": "AAAAAA=="})):
            self.refused(400, code, self.end, upload=upload, part=told)
        self.refused(400, "InvalidRequest", self.end, upload=upload, part=sha1,
                     ChecksumType="FULL_OBJECT")
        self.refused(400, "InvalidRequest", self.end, upload=upload, part=sha1, ChecksumSHA1="odd")
        self.end(upload, sha1)

    def test_ranges_of_copied_parts(self):
        self.put()
        upload = {"Bucket": self.name, "Key": "c", "UploadId": self.s3.create_multipart_upload(
            Bucket=self.name, Key="c")["UploadId"]}
        source = {"Bucket": self.name, "Key": "k"}
        for asked, part in (("bytes=-2-3", "must be of the form bytes=first-last"),
                            ("bytes=3-2", "must be of the form bytes=first-last"),
                            ("bytes=1-5", "not valid for source object of size: 5")):
            self.assertIn(part, self.refused(
                400, "InvalidArgument", self.s3.upload_part_copy, **upload, PartNumber=1,
                CopySource=source, CopySourceRange=asked))


class BucketFacts(Facts):
    def test_cors_rules_are_checked(self):
        bucket = self.bucket()
        put = lambda **rule: self.s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [
            {"AllowedOrigins": ["http://o.com"], "AllowedMethods": ["GET"], **rule}]})
        for name in ("a b", "X-A:B", "X(A)", "A/B", "X[K]", "A=B"):
            for element in ("AllowedHeaders", "ExposeHeaders"):
                self.assertIn("contains invalid character", self.refused(
                    400, "InvalidRequest", put, **{element: ["X-Amz-Date", name]}))
        for origin in ("*a.com*", "http://***"):
            self.assertIn("more than one wildcard", self.refused(
                400, "InvalidRequest", put, AllowedOrigins=[origin]))
        for method in ("get", "PATCH", ""):
            self.assertIn("Unsupported method is " + method, self.refused(
                400, "InvalidRequest", put, AllowedMethods=["GET", method]))
        self.refused(400, "MalformedXML", put, AllowedOrigins=[])
        put(MaxAgeSeconds=-100)

    def preflight(self, bucket, **headers):
        request = urllib.request.Request(f"{self.cloud.endpoint}/{bucket}/k", method="OPTIONS",
                                         headers={k.replace("_", "-"): v
                                                  for k, v in headers.items()})
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, reply.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_preflights(self):
        bucket = self.bucket()
        self.s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [
            {"AllowedOrigins": ["http://*.o.com"], "AllowedMethods": ["GET", "HEAD"],
             "AllowedHeaders": ["X-Amz-*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 9}]})
        ask = lambda method="GET", names="X-Amz-Date,X-Amz-A", origin="http://a.o.com": \
            self.preflight(bucket, Origin=origin, Access_Control_Request_Method=method,
                           Access_Control_Request_Headers=names)
        status, headers = ask()
        self.assertEqual((status, headers["Access-Control-Allow-Headers"],
                          headers["Access-Control-Allow-Methods"],
                          headers["Access-Control-Allow-Credentials"]),
                         (200, "x-amz-date, x-amz-a", "GET, HEAD", "true"))
        for how in ({"method": "get"}, {"method": "PATCH"}, {"names": "X(A)"}, {"names": "a b"}):
            status, text = ask(**how)
            self.assertEqual((status, "BadRequest" in text), (400, True), how)
        for how in ({"method": "PUT"}, {"names": "X-Other"}, {"origin": "http://o.com"}):
            status, text = ask(**how)
            self.assertEqual((status, "AccessForbidden" in text), (403, True), how)

    def test_forms_of_policies(self):
        bucket = self.bucket()
        arn = "arn:aws:s3:::" + bucket
        put = lambda document: self.s3.put_bucket_policy(Bucket=bucket, Policy=document)
        of = lambda **how: json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": [arn, arn + "/*"],
             **how}]})
        for document, part in (
                ("{true}", "contains invalid Json"), ("[]", "first byte must be '{'"),
                ("{}", "Missing required field Statement"),
                ('{"Statement": []}', "Statement is empty!"), (of(Effect="x"), "Invalid effect: x"),
                (of(Action=[]), "invalid action"), (of(Action="s3:"), "invalid action"),
                (of(Action="s3:Fly"), "invalid action"), (of(Action="s4:GetObject"), "invalid action"),
                (of(Principal={"AWS": ""}), "Invalid principal"),
                (of(Principal=["*"]), "Invalid principal"),
                (of(Resource=[]), "invalid resource"), (of(Resource=arn + "x"), "invalid resource"),
                (of(Resource="arn:aws:iam:::" + bucket), "invalid resource"),
                (of(Resource=arn, Action="s3:GetObject"), "does not apply to any resource"),
                (of(Resource=arn, Action="s3:Abort*"), "does not apply to any resource"),
                (of(Resource=arn + "/*", Action=["s3:GetObject", "s3:ListBucket"]),
                 "does not apply to any resource")):
            self.assertIn(part, self.refused(400, "MalformedPolicy", put, document=document))
        put(of(Resource=arn + "*", Action=["s3:ListBucket", "s3:Get?bject"]))
        put(of(Principal={"AWS": ["000000000000", "*"]}))
        self.assertTrue(self.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"])

    def test_what_is_told_of_a_bucket(self):
        name = self.new("facts")
        made = self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={
            "Tags": [{"Key": "a", "Value": "b"}]})
        self.assertEqual(made["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-arn"],
                         "arn:aws:s3:::" + name)
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=name)["TagSet"],
                         [{"Key": "a", "Value": "b"}])
        self.assertEqual(self.s3.head_bucket(Bucket=name)["AccessPointAlias"], False)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={
            "BlockPublicAcls": True})
        self.assertEqual(
            self.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
            {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": False,
             "RestrictPublicBuckets": False})

    def test_places_and_owners_of_buckets(self):
        for place in ("us-east-1", "somewhere", "eu-west-", "xx-west-1"):
            self.refused(400, "InvalidLocationConstraint", self.s3.create_bucket,
                         Bucket=self.new("facts"),
                         CreateBucketConfiguration={"LocationConstraint": place})
        self.assertIn("header: odd", self.refused(400, "InvalidArgument", self.s3.create_bucket,
                                                  Bucket=self.new("facts"), ObjectOwnership="odd"))
        self.refused(400, "MalformedACLError", self.s3.put_bucket_acl, Bucket=self.bucket(),
                     AccessControlPolicy={"Grants": []})

    def test_a_bucket_with_old_versions_is_not_empty(self):
        bucket = self.bucket()
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.s3.delete_object(Bucket=bucket, Key="absent")
        self.assertIn("delete all versions", self.refused(409, "BucketNotEmpty",
                                                          self.s3.delete_bucket, Bucket=bucket))


class SignatureFacts(Facts):
    """What a signature lacks is told as S3 tells it."""
    def ask(self, url, **headers):
        request = urllib.request.Request(url, headers={k.replace("_", "-"): v
                                                       for k, v in headers.items()})
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, "", ""
        except urllib.error.HTTPError as error:
            told = ElementTree.fromstring(error.read())
            return error.code, told.findtext("Code"), told.findtext("Message")

    def test_presigned(self):
        bucket = self.bucket("k")
        signer = self.cloud.client(boto3, "s3", config=botocore.config.Config(
            signature_version="s3v4", s3={"addressing_style": "path"}))
        url, query = signer.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=100).split("?")
        query = dict(urllib.parse.parse_qsl(query))
        self.assertEqual(self.ask(f"{url}?{urllib.parse.urlencode(query)}")[0], 200)
        key, day = query["X-Amz-Credential"].split("/")[:2]
        for name, value, part in [
                ("Credential", "", "requires the X-Amz-Algorithm, X-Amz-Credential"),
                ("Date", "", "requires the X-Amz-Algorithm, X-Amz-Credential"),
                ("Expires", "", "requires the X-Amz-Algorithm, X-Amz-Credential"),
                ("SignedHeaders", "", "requires the X-Amz-Algorithm, X-Amz-Credential"),
                ("Algorithm", "AWS4-SHA256", "only supports"),
                ("Credential", "a/b/c", "the Credential is mal-formed"),
                ("Credential", f"{key}/{day}/us-east-1/s3/aws5", 'incorrect terminal "aws5"'),
                ("Credential", f"{key}/today/us-east-1/s3/aws4_request", 'date format "today"'),
                ("Date", "03032006", "ISO8601 Long Format"),
                ("Expires", "soon", "should be a number"),
                ("Expires", "-3", "must be non-negative"),
                ("Expires", "604801", "must be less than 604800 seconds")]:
            status, code, message = self.ask(
                f"{url}?{urllib.parse.urlencode({**query, 'X-Amz-' + name: value})}")
            self.assertEqual((status, code), (400, "AuthorizationQueryParametersError"))
            self.assertIn(part, message)
        for name, value, code in [
                ("Credential", f"AKIANONE/{day}/us-east-1/s3/aws4_request", "InvalidAccessKeyId"),
                ("Signature", "bad", "SignatureDoesNotMatch")]:
            changed = urllib.parse.urlencode({**query, "X-Amz-" + name: value})
            self.assertEqual(self.ask(f"{url}?{changed}")[:2], (403, code))

    def test_in_the_header(self):
        url = f"{self.cloud.endpoint}/{self.bucket('k')}/k"
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        key = self.cloud.keys()["AWS_ACCESS_KEY_ID"]
        scope = f"Credential={key}/{now[:8]}/us-east-1/s3"
        rest = "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=" + "0" * 64
        empty = hashlib.sha256(b"").hexdigest()
        for text, date, code, part in [
                ("oneword", now, "InvalidArgument", "one and only one"),
                ("Bearer abc", now, "InvalidArgument", "Unsupported Authorization Type"),
                ("AWS nothing", now, "InvalidArgument", "AwsAccessKeyId:signature"),
                (f"AWS4-HMAC-SHA256 {rest}", now, "AuthorizationHeaderMalformed",
                 "missing Credential"),
                (f"AWS4-HMAC-SHA256 {scope}/aws4_request,Signature=a", now,
                 "AuthorizationHeaderMalformed", "missing SignedHeaders"),
                (f"AWS4-HMAC-SHA256 {scope},{rest}", now, "AuthorizationHeaderMalformed",
                 "the Credential is mal-formed"),
                (f"AWS4-HMAC-SHA256 {scope}/aws,{rest}", now, "AuthorizationHeaderMalformed",
                 'incorrect terminal "aws"'),
                (f"AWS4-HMAC-SHA256 {scope}/aws4_request,{rest}", "today", "AccessDenied",
                 "valid Date or x-amz-date"),
                (f"AWS4-HMAC-SHA256 {scope}/aws4_request,{rest.replace('host;', '')}", now,
                 "AccessDenied", "were not signed")]:
            reply = self.ask(url, Authorization=text, X_Amz_Date=date, X_Amz_Content_Sha256=empty)
            self.assertEqual(reply[:2], (403 if code == "AccessDenied" else 400, code), text)
            self.assertIn(part, reply[2])

    def test_forms(self):
        bucket = self.bucket("k")
        names = ("algorithm", "credential", "date")
        free = [{"bucket": bucket}, ["starts-with", "$key", ""],
                *(["starts-with", "$x-amz-" + name, ""] for name in names)]
        made = self.cloud.client(boto3, "s3", config=botocore.config.Config(
            signature_version="s3v4")).generate_presigned_post(bucket, "k", Conditions=free)
        fields = made["fields"]

        def send(fields, kind="multipart/form-data; boundary=b"):
            body = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                           for name, value in [*fields.items(), ("file", "x")]) + "--b--\r\n"
            request = urllib.request.Request(f"{self.cloud.endpoint}/{bucket}", body.encode(),
                                             {"Content-Type": kind})
            try:
                with urllib.request.urlopen(request) as reply:
                    return reply.status, "", ""
            except urllib.error.HTTPError as error:
                told = ElementTree.fromstring(error.read())
                return error.code, told.findtext("Code"), told.findtext("Message")

        without = lambda name: {k: v for k, v in fields.items() if k != name}
        expiration = "2099-01-01T00:00:00Z"
        policy = lambda **what: self.with_policy(fields, what)
        self.assertEqual(send(fields)[0], 204)
        for sent, code, part in [
                (without("x-amz-date"), "InvalidArgument", "a field named 'X-Amz-Date'"),
                (without("x-amz-algorithm"), "InvalidArgument", "a field named 'X-Amz-Algorithm'"),
                (without("x-amz-signature"), "InvalidArgument", "a field named 'X-Amz-Signature'"),
                ({**fields, "x-amz-date": "today"}, "InvalidArgument", "ISO8601"),
                ({**fields, "x-amz-algorithm": "MD5"}, "InvalidArgument", "only supports"),
                (policy(conditions=[]), "InvalidPolicyDocument", "Policy missing expiration."),
                (policy(expiration=expiration), "InvalidPolicyDocument", "missing conditions."),
                (policy(expiration="soon", conditions=[]), "InvalidPolicyDocument", "'soon'"),
                (policy(expiration=expiration, conditions={}), "InvalidPolicyDocument",
                 "must be a List"),
                (policy(expiration=expiration, conditions=[], more=1), "InvalidPolicyDocument",
                 "Unexpected: 'more'")]:
            status, told, message = send(sent)
            self.assertEqual((status, told), (400, code), (part, message))
            self.assertIn(part, message)
        self.assertEqual(send(fields, "multipart/form-data")[:2], (400, "MalformedPOSTRequest"))
        self.assertEqual(send(fields, "application/xml")[:2], (412, "PreconditionFailed"))

    def with_policy(self, fields, what):
        text = base64.b64encode(json.dumps(what).encode()).decode()
        _, day, region, service, end = fields["x-amz-credential"].split("/")
        key = ("AWS4" + self.cloud.keys()["AWS_SECRET_ACCESS_KEY"]).encode()
        for part in (day, region, service, end, text):
            key = hmac.digest(key, part.encode(), "sha256")
        return {**fields, "policy": text, "x-amz-signature": key.hex()}

    def test_what_was_signed_is_told(self):
        for keys, code, told in [
                ({"aws_secret_access_key": "x"}, "SignatureDoesNotMatch",
                 {"AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes",
                  "CanonicalRequest", "CanonicalRequestBytes"}),
                ({"aws_access_key_id": "AKIANONE"}, "InvalidAccessKeyId", {"AWSAccessKeyId"})]:
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                self.cloud.client(boto3, "s3", **keys).list_buckets()
            error = caught.exception.response["Error"]
            self.assertEqual(error["Code"], code)
            self.assertLessEqual(told, set(error))


class RecordFacts(Facts):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.db.create_table(
            TableName="facts", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "h", "KeyType": "HASH"},
                       {"AttributeName": "r", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": "h", "AttributeType": "S"},
                                  {"AttributeName": "r", "AttributeType": "N"}])

    def wrong(self, part, call, **arguments):
        message = self.refused(400, "ValidationException", call, TableName="facts", **arguments)
        self.assertIn(part, message)

    def key(self, h="a", r=1):
        return {"h": {"S": h}, "r": {"N": str(r)}}

    def test_keys(self):
        get = self.db.get_item
        self.wrong("does not match the schema", get, Key={"h": {"S": "a"}})
        self.wrong("does not match the schema", get, Key={**self.key(), "x": {"S": "a"}})
        self.wrong("does not match the schema", get, Key={"h": {"S": "a"}, "r": {"S": "1"}})
        self.wrong("empty string value", get, Key={"h": {"S": ""}, "r": {"N": "1"}})
        self.wrong("Missing the key r in the item", self.db.put_item, Item={"h": {"S": "a"}})
        self.wrong("Type mismatch for key h expected: S actual: N", self.db.put_item,
                   Item={"h": {"N": "1"}, "r": {"N": "1"}})
        self.refused(400, "ResourceNotFoundException", get, TableName="absent", Key=self.key())

    def test_numbers(self):
        put = lambda n: self.db.put_item(TableName="facts", Item={**self.key("n"), "n": {"N": n}})
        for sent, kept in (("1.0", "1"), ("-0", "0"), ("1e3", "1000"), ("0001", "1"),
                           ("1" * 38, "1" * 38), (".5", "0.5")):
            put(sent)
            self.assertEqual(self.db.get_item(TableName="facts", Key=self.key("n"))["Item"]["n"],
                             {"N": kept})
        for sent, part in (("1" * 39, "more than 38 significant digits"),
                           ("1e126", "Number overflow"), ("1e-131", "Number underflow"),
                           ("b", "cannot be converted to a numeric value"),
                           ("", "cannot be converted to a numeric value")):
            message = self.refused(400, "ValidationException", put, n=sent)
            self.assertIn(part, message)

    def test_sets(self):
        put = lambda **v: self.db.put_item(TableName="facts", Item={**self.key("s"), "v": v})
        self.assertIn("may not be empty", self.refused(400, "ValidationException", put, SS=[]))
        self.assertIn("contains duplicates",
                      self.refused(400, "ValidationException", put, SS=["a", "a"]))
        self.assertIn("contains duplicates",
                      self.refused(400, "ValidationException", put, NS=["1", "1.0"]))
        put(S="")  # an empty string is a value, unless in a key

    def test_conditions(self):
        self.db.put_item(TableName="facts", Item={**self.key("c"), "v": {"N": "1"}})
        message = self.refused(
            400, "ConditionalCheckFailedException", self.db.put_item, TableName="facts",
            Item=self.key("c"), ConditionExpression="attribute_not_exists(h)")
        self.assertEqual(message, "The conditional request failed")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.db.delete_item(TableName="facts", Key=self.key("c"), ConditionExpression="v = :v",
                                ExpressionAttributeValues={":v": {"N": "2"}},
                                ReturnValuesOnConditionCheckFailure="ALL_OLD")
        self.assertEqual(caught.exception.response.get("Item", {"v": {"N": "1"}})["v"],
                         {"N": "1"})
        self.wrong("unused in expressions", self.db.delete_item, Key=self.key(),
                   ConditionExpression="attribute_exists(h)",
                   ExpressionAttributeValues={":v": {"N": "2"}})
        self.wrong("not defined", self.db.delete_item, Key=self.key(), ConditionExpression="h = :v",
                   ExpressionAttributeValues={":w": {"N": "2"}})
        self.wrong("can only be specified when using expressions", self.db.delete_item,
                   Key=self.key(), ExpressionAttributeNames={"#h": "h"})
        self.wrong("Syntax error", self.db.delete_item, Key=self.key(), ConditionExpression="h =")
        self.wrong("reserved keyword", self.db.delete_item, Key=self.key(),
                   ConditionExpression="attribute_exists(name)")
        self.wrong("can not be empty", self.db.delete_item, Key=self.key(), ConditionExpression="")

    def test_updates(self):
        update = lambda text, **more: self.db.update_item(
            TableName="facts", Key=self.key("u"), UpdateExpression=text, **more)
        value = lambda **v: {"ExpressionAttributeValues": {":v": v}}
        self.assertEqual(update("SET a = :v", ReturnValues="ALL_NEW", **value(N="1"))["Attributes"],
                         {**self.key("u"), "a": {"N": "1"}})
        self.assertEqual(update("ADD a :v", ReturnValues="UPDATED_NEW", **value(N="2")
                                )["Attributes"], {"a": {"N": "3"}})
        for text, part in (("SET h = :v", "part of the key"), ("SET a = :v, a = :v", "overlap"),
                           ("SET a = a + :v", "Incorrect"), ("SET a.b = :v", "document path"),
                           ("SET a = :v SET b = :v", "only be used once")):
            message = self.refused(400, "ValidationException", update, text=text, **value(S="x"))
            self.assertIn(part, message, text)
        message = self.refused(400, "ValidationException", update, text="SET a = b + :v",
                               **value(N="1"))
        self.assertIn("does not exist in the item", message)

    def test_queries(self):
        for i in range(5):
            self.db.put_item(TableName="facts", Item=self.key("q", i))
        query = lambda text, **v: [int(i["r"]["N"]) for i in self.db.query(
            TableName="facts", KeyConditionExpression=text, ExpressionAttributeValues={
                ":h": {"S": "q"}, **{":" + k: {"N": n} for k, n in v.items()}})["Items"]]
        self.assertEqual(query("h = :h"), [0, 1, 2, 3, 4])
        self.assertEqual(query("h = :h AND r > :a", a="2"), [3, 4])
        self.assertEqual(query("h = :h AND r BETWEEN :a AND :b", a="1", b="3"), [1, 2, 3])
        for text, part in (("r = :a", "missed key schema element: h"),
                           ("h = :h AND r <> :a", "Invalid operator used in KeyConditionExpression"),
                           ("h > :h", "not supported")):
            names = {":h": {"S": "q"}} if ":h" in text else {}
            names.update({":a": {"N": "1"}} if ":a" in text else {})
            self.wrong(part, self.db.query, KeyConditionExpression=text,
                       ExpressionAttributeValues=names)
        counted = self.db.query(TableName="facts", KeyConditionExpression="h = :h", Limit=2,
                                Select="COUNT", ScanIndexForward=False,
                                ExpressionAttributeValues={":h": {"S": "q"}})
        self.assertEqual((counted["Count"], counted["LastEvaluatedKey"]), (2, self.key("q", 3)))
        self.assertNotIn("Items", counted)

    def test_batches(self):
        twice = [{"PutRequest": {"Item": self.key("b")}}] * 2
        self.assertIn("duplicates", self.refused(400, "ValidationException",
                                                 self.db.batch_write_item,
                                                 RequestItems={"facts": twice}))
        many = [{"PutRequest": {"Item": self.key("b", i)}} for i in range(26)]
        self.refused(400, "ValidationException", self.db.batch_write_item,
                     RequestItems={"facts": many})
        self.assertIn("duplicates", self.refused(
            400, "ValidationException", self.db.batch_get_item,
            RequestItems={"facts": {"Keys": [self.key(), self.key()]}}))
        self.refused(400, "ResourceNotFoundException", self.db.batch_get_item,
                     RequestItems={"absent": {"Keys": [self.key()]}})

    def test_tables(self):
        self.refused(400, "ResourceInUseException", self.db.create_table, TableName="facts",
                     BillingMode="PAY_PER_REQUEST",
                     KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
                     AttributeDefinitions=[{"AttributeName": "h", "AttributeType": "S"}])
        self.refused(400, "ResourceNotFoundException", self.db.delete_table, TableName="absent")
        message = self.refused(
            400, "ValidationException", self.db.create_table, TableName="other",
            BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "hx"])
        self.assertIn("Number of attributes in KeySchema", message)

    def test_names_of_attributes_have_a_limit(self):
        long = "n" * 65536
        put = lambda name: self.db.put_item(TableName="facts", Item={**self.key("l"),
                                                                     name: {"N": "1"}})
        put(long[1:])
        self.assertIn("65536", self.refused(400, "ValidationException", put, name=long))
        for how in ({"AttributesToGet": [long]},
                    {"ProjectionExpression": "#n", "ExpressionAttributeNames": {"#n": long}}):
            self.wrong("65536", self.db.get_item, Key=self.key("l"), **how)
        self.wrong("65536", self.db.update_item, Key=self.key("l"),
                   AttributeUpdates={long: {"Value": {"N": "1"}, "Action": "PUT"}})

    def test_depth_and_nothing(self):
        def nest(depth):
            return {"M": {"a": nest(depth - 1)}} if depth else {"S": "x"}
        put = lambda value: self.db.put_item(TableName="facts", Item={**self.key("d"), "v": value})
        put(nest(31))
        self.assertIn("nested levels beyond supported limit",
                      self.refused(400, "ValidationException", put, value=nest(32)))
        self.assertIn("must have the value of true",
                      self.refused(400, "ValidationException", put, value={"NULL": False}))

    def test_functions_have_their_places(self):
        for text, part in (("SET a = attribute_exists(b)", "not allowed in an update expression"),
                           ("SET a = size(b)", "not allowed in an update expression"),
                           ("SET a = nope(b)", "Invalid function name; function: nope")):
            self.wrong(part, self.db.update_item, Key=self.key(), UpdateExpression=text)
        self.wrong("not allowed in a condition expression", self.db.delete_item, Key=self.key(),
                   ConditionExpression="if_not_exists(a, b)")

    def test_a_filter_sees_what_the_index_holds(self):
        keys = [{"AttributeName": "h", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
        self.db.create_table(
            TableName="held", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "h", "KeyType": "HASH"},
                       {"AttributeName": "r", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "hrs"],
            LocalSecondaryIndexes=[{"IndexName": "lsi", "KeySchema": keys, "Projection": {
                "ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]}}],
            GlobalSecondaryIndexes=[{"IndexName": "gsi", "KeySchema": keys, "Projection": {
                "ProjectionType": "KEYS_ONLY"}}])
        self.db.put_item(TableName="held", Item={n: {"S": "1"} for n in "hrsabc"})
        query = lambda index, text, **how: self.db.query(
            TableName="held", IndexName=index, KeyConditionExpression="h = :v",
            FilterExpression=text, ExpressionAttributeValues={":v": {"S": "1"}}, **how)
        for index, text, names in (("gsi", "c = :v AND b = :v AND NOT c < :v", "b, c"),
                                   ("lsi", "a = :v AND b = :v", "b"),
                                   ("gsi", "attribute_not_exists(b.x)", "b")):
            self.assertEqual(
                self.refused(400, "ValidationException", query, index=index, text=text),
                f"One or more parameter values were invalid: Secondary index {index} does not "
                f"project one or more filter attributes: [{names}]")
        self.assertEqual(query("lsi", "a = :v")["Count"], 1)
        scanned = self.db.scan(TableName="held", IndexName="gsi", FilterExpression="b = :v",
                               ExpressionAttributeValues={":v": {"S": "1"}})
        self.assertEqual((scanned["Count"], scanned["ScannedCount"]), (0, 1))
        self.assertIn("Global secondary index gsi does not project [b]", self.refused(
            400, "ValidationException", self.db.query, TableName="held", IndexName="gsi",
            KeyConditionExpression="h = :v", ProjectionExpression="b",
            ExpressionAttributeValues={":v": {"S": "1"}}))

    def test_tags_and_units(self):
        arn = self.db.describe_table(TableName="facts")["Table"]["TableArn"]
        self.refused(400, "ValidationException", self.db.tag_resource, ResourceArn=arn, Tags=[])
        self.refused(400, "ValidationException", self.db.untag_resource, ResourceArn=arn,
                     TagKeys=[])
        self.assertIn("out of bounds", self.refused(
            400, "ValidationException", self.db.create_table, TableName="much",
            KeySchema=[{"AttributeName": "h", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "h", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 10 ** 12 + 1, "WriteCapacityUnits": 1}))


class MessageFacts(Facts):
    def queue(self, **attributes):
        return self.sqs.create_queue(QueueName=self.new("q"), Attributes=attributes)["QueueUrl"]

    def test_queues(self):
        url = self.queue()
        name = url.rsplit("/", 1)[1]
        self.assertEqual(self.sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
        self.assertEqual(self.sqs.create_queue(QueueName=name)["QueueUrl"], url)
        self.refused(400, "QueueAlreadyExists", self.sqs.create_queue, QueueName=name,
                     Attributes={"DelaySeconds": "7"})
        self.refused(400, "AWS.SimpleQueueService.NonExistentQueue", self.sqs.get_queue_url,
                     QueueName="absent")
        self.refused(400, "InvalidAttributeName", self.sqs.get_queue_attributes, QueueUrl=url,
                     AttributeNames=["Nonsense"])
        told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual((told["VisibilityTimeout"], told["DelaySeconds"],
                          told["MessageRetentionPeriod"]), ("30", "0", "345600"))

    def test_messages(self):
        url = self.queue()
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="a \u00e9 <&>", MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "1.5"},
            "b": {"DataType": "Binary", "BinaryValue": b"\0\1"}})
        self.assertEqual(sent["MD5OfMessageBody"],
                         hashlib.md5("a \u00e9 <&>".encode()).hexdigest())
        got = self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"],
                                       AttributeNames=["All"])["Messages"][0]
        self.assertEqual(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=url))
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"],
                                           VisibilityTimeout=0)
        again = self.sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"][0]
        self.assertEqual(again["Attributes"]["ApproximateReceiveCount"], "2")
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.refused(404, "ReceiptHandleIsInvalid", self.sqs.delete_message, QueueUrl=url,
                     ReceiptHandle="garbage")
        self.refused(400, "InvalidMessageContents", self.sqs.send_message, QueueUrl=url,
                     MessageBody="\x01")

    def test_batches(self):
        url = self.queue()
        entry = lambda i: {"Id": str(i), "MessageBody": "x"}
        for code, entries in (("EmptyBatchRequest", []),
                              ("TooManyEntriesInBatchRequest", [entry(i) for i in range(11)]),
                              ("BatchEntryIdsNotDistinct", [entry(1), entry(1)]),
                              ("InvalidBatchEntryId", [entry("a b")])):
            self.refused(400, "AWS.SimpleQueueService." + code, self.sqs.send_message_batch,
                         QueueUrl=url, Entries=entries)

    def test_topics(self):
        arn = self.sns.create_topic(Name=self.new("t"))["TopicArn"]
        url = self.queue()
        queue = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        one = self.sns.subscribe(TopicArn=arn, Protocol="sqs", ReturnSubscriptionArn=True,
                                 Endpoint=queue["Attributes"]["QueueArn"])["SubscriptionArn"]
        self.assertEqual(self.sns.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint=queue["Attributes"]["QueueArn"])
            ["SubscriptionArn"], one)
        self.sns.publish(TopicArn=arn, Message="m", Subject="s")
        got = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
        body = json.loads(got["Body"])
        self.assertEqual((body["Type"], body["TopicArn"], body["Message"], body["Subject"]),
                         ("Notification", arn, "m", "s"))
        self.refused(404, "NotFound", self.sns.publish, TopicArn=arn + "x", Message="m")
        self.refused(400, "InvalidParameter", self.sns.publish, TopicArn=arn, Message="")
        self.sns.delete_topic(TopicArn=arn)
        self.sns.delete_topic(TopicArn=arn)  # twice is fine


class FunctionFacts(Facts):
    def test_absent_functions_and_apis(self):
        functions = self.cloud.client(boto3, "lambda")
        for call in (functions.get_function, functions.invoke, functions.delete_function,
                     functions.get_function_configuration, functions.list_versions_by_function):
            self.refused(404, "ResourceNotFoundException", call, FunctionName="absent")
        message = self.refused(404, "ResourceNotFoundException", functions.get_function,
                               FunctionName="absent")
        self.assertEqual(message, "Function not found: "
                         "arn:aws:lambda:us-east-1:000000000000:function:absent")
        gateway = self.cloud.client(boto3, "apigateway")
        self.refused(404, "NotFoundException", gateway.get_rest_api, restApiId="absent")
        self.refused(404, "NotFoundException", gateway.delete_rest_api, restApiId="absent")
        self.refused(404, "NotFoundException", gateway.get_resources, restApiId="absent")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
