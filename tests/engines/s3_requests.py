"""What is asked of both S3s: (name, method, path, query, headers, body), in this order; names are unique.

{b} is a bucket of its own, {v} one with versions, {upload} and {version} what an earlier answer gave; a step that starts with
`keep` names what of its answer is kept."""

PART = b"p" * (5 << 20)
PUBLIC_READ = ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", '
               '"Resource": "arn:aws:s3:::%s/*"}]}')
CORS = ("<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
        "<AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>7</MaxAgeSeconds></CORSRule>"
        "</CORSConfiguration>")
LIFECYCLE = ("<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>"
             "<Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>")
TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag></TagSet></Tagging>"
TWICE = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>"
VERSIONING = "<VersioningConfiguration><Status>%s</Status></VersioningConfiguration>"
HELLO_MD5, WRONG_MD5 = "XUFAKrxLKna5cZ2REBfFkg==", "AAAAAAAAAAAAAAAAAAAAAA=="
EARLY, LATE = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
HELLO_ETAG = '"5d41402abc4b2a76b9719d911017c592"'


def get(name, path, query="", **headers):
    return name, "GET", path, query, headers, b""


def put(name, path, body=b"", query="", **headers):
    return name, "PUT", path, query, headers, body if isinstance(body, bytes) else body.encode()


def head(name, path, query="", **headers):
    return name, "HEAD", path, query, headers, b""


def delete(name, path, query="", **headers):
    return name, "DELETE", path, query, headers, b""


def post(name, path, query="", body="", **headers):
    return name, "POST", path, query, headers, body if isinstance(body, bytes) else body.encode()


BUCKETS = [
    head("head of an absent bucket", "/{b}-absent"),
    get("list of an absent bucket", "/{b}-absent"),
    delete("delete an absent bucket", "/{b}-absent"),
    put("object into an absent bucket", "/{b}-absent/k", b"x"),
    put("bucket of capitals", "/{b}-UPPER"),
    put("bucket of two letters", "/ab"),
    put("bucket like an address", "/192.168.5.4"),
    put("bucket", "/{b}"),
    put("bucket again", "/{b}"),
    head("head of a bucket", "/{b}"),
    get("location", "/{b}", "location"),
    get("list of an empty bucket", "/{b}", "list-type=2"),
    get("versioning that was never set", "/{b}", "versioning"),
    get("policy that is absent", "/{b}", "policy"),
    get("cors that is absent", "/{b}", "cors"),
    get("lifecycle that is absent", "/{b}", "lifecycle"),
    get("tags of a bucket without", "/{b}", "tagging"),
    get("website that is absent", "/{b}", "website"),
    get("encryption that was never set", "/{b}", "encryption"),
    get("object lock that is absent", "/{b}", "object-lock"),
    get("replication that is absent", "/{b}", "replication"),
    get("public access block that is absent", "/{b}", "publicAccessBlock"),
    get("request payment", "/{b}", "requestPayment"),
    get("policy status without a policy", "/{b}", "policyStatus"),
    get("notifications of a bucket without", "/{b}", "notification"),
]

OBJECTS = [
    get("absent key", "/{b}/absent"),
    head("head of an absent key", "/{b}/absent"),
    delete("delete an absent key", "/{b}/absent"),
    put("object", "/{b}/hello", b"hello", Content_Type="text/x-a", Cache_Control="no-cache", Content_Disposition='attachment; filename="x"',
        Content_Language="de", x_amz_meta_One="1", x_amz_meta_two="a b"),
    get("get", "/{b}/hello"),
    head("head", "/{b}/hello"),
    put("object without a type", "/{b}/plain", b"plain"),
    get("get without a type", "/{b}/plain"),
    put("empty object", "/{b}/empty"),
    get("get empty", "/{b}/empty"),
    get("range of an empty object", "/{b}/empty", Range="bytes=0-0"),
    get("range", "/{b}/hello", Range="bytes=1-3"),
    get("range past the end", "/{b}/hello", Range="bytes=2-100"),
    get("last bytes", "/{b}/hello", Range="bytes=-2"),
    get("more last bytes than there are", "/{b}/hello", Range="bytes=-100"),
    get("range behind the end", "/{b}/hello", Range="bytes=5-"),
    get("range of no sense", "/{b}/hello", Range="bytes=3-1"),
    get("range of words", "/{b}/hello", Range="lines=1-2"),
    head("head of a range", "/{b}/hello", Range="bytes=1-3"),
    get("if-match right", "/{b}/hello", If_Match=HELLO_ETAG),
    get("if-match wrong", "/{b}/hello", If_Match='"no"'),
    get("if-none-match right", "/{b}/hello", If_None_Match=HELLO_ETAG),
    get("if-none-match wrong", "/{b}/hello", If_None_Match='"no"'),
    get("if-modified-since early", "/{b}/hello", If_Modified_Since=EARLY),
    get("if-modified-since late", "/{b}/hello", If_Modified_Since=LATE),
    get("if-unmodified-since early", "/{b}/hello", If_Unmodified_Since=EARLY),
    get("if-unmodified-since late", "/{b}/hello", If_Unmodified_Since=LATE),
    get("if-match right and unmodified since early", "/{b}/hello", If_Match=HELLO_ETAG, If_Unmodified_Since=EARLY),
    get("if-none-match wrong and modified since late", "/{b}/hello", If_None_Match='"no"', If_Modified_Since=LATE),
    head("head if-none-match right", "/{b}/hello", If_None_Match=HELLO_ETAG),
    get("other headers for the answer", "/{b}/hello", "response-content-type=text%2Fy&response-cache-control=max-age%3D1"),
    put("right md5", "/{b}/md5", b"hello", Content_MD5="XUFAKrxLKna5cZ2REBfFkg=="),
    put("wrong md5", "/{b}/md5", b"hello", Content_MD5=WRONG_MD5),
    put("md5 that is none", "/{b}/md5", b"hello", Content_MD5="x"),
    put("put if-none-match star, taken", "/{b}/hello", b"other", If_None_Match="*"),
    get("get after a refused put", "/{b}/hello"),
    put("put if-none-match star, free", "/{b}/free", b"free", If_None_Match="*"),
    put("put if-match wrong", "/{b}/hello", b"hello", If_Match='"no"'),
    put("unknown storage class", "/{b}/class", b"x", x_amz_storage_class="NONE"),
    put("key of 1024 bytes", "/{b}/" + "k" * 1024, b"x"),
    put("key of 1025 bytes", "/{b}/" + "k" * 1025, b"x"),
    put("key of all kinds of letters", "/{b}/a%20b%2Bc%26%3D%25/%C3%A4%E6%97%A5", b"x"),
    get("get of all kinds of letters", "/{b}/a%20b%2Bc%26%3D%25/%C3%A4%E6%97%A5"),
    put("put if-match right", "/{b}/md5", b"hello", If_Match=HELLO_ETAG),
    put("put if-match right without quotes", "/{b}/md5", b"hello", If_Match=HELLO_ETAG.strip('"')),
    get("part of an object in one piece", "/{b}/hello", "partNumber=1"),
    get("second part of an object in one piece", "/{b}/hello", "partNumber=2"),
    get("attributes", "/{b}/hello", "attributes", x_amz_object_attributes="ETag,ObjectSize"),
    get("acl", "/{b}/hello", "acl"),
    put("unknown canned acl", "/{b}/acl", b"x", x_amz_acl="everybody"),
    get("version of a bucket without versions", "/{b}/hello", "versionId=null"),
    get("version that is none", "/{b}/hello", "versionId=nonsense"),
    delete("delete", "/{b}/free"),
    get("get what was deleted", "/{b}/free"),
]

COPIES = [
    put("copy", "/{b}/copy", x_amz_copy_source="/{b}/hello"),
    get("get a copy", "/{b}/copy"),
    put("copy with other metadata", "/{b}/copy2", x_amz_copy_source="{b}/hello", x_amz_metadata_directive="REPLACE", x_amz_meta_new="n",
        Content_Type="text/z"),
    get("get a copy with other metadata", "/{b}/copy2"),
    put("copy onto itself", "/{b}/hello", x_amz_copy_source="/{b}/hello"),
    put("copy of an absent key", "/{b}/copy", x_amz_copy_source="/{b}/absent"),
    put("copy of an absent bucket", "/{b}/copy", x_amz_copy_source="/{b}-absent/k"),
    put("copy source that is none", "/{b}/copy", x_amz_copy_source="nothing"),
    put("copy if-match wrong", "/{b}/copy", x_amz_copy_source="/{b}/hello", x_amz_copy_source_if_match='"no"'),
    put("copy if-none-match right", "/{b}/copy", x_amz_copy_source="/{b}/hello", x_amz_copy_source_if_none_match=HELLO_ETAG),
    put("copy with an unknown directive", "/{b}/copy", x_amz_copy_source="/{b}/hello", x_amz_metadata_directive="KEEP"),
]

LISTS = [put("list key " + key, "/{b}/" + key, b"x") for key in ("l/a", "l/a%2Bb", "l/b/1", "l/b/2", "l/c", "l/%C3%A4", "l/z%20y")] + [
    get("list", "/{b}", "prefix=l/"),
    get("list 2", "/{b}", "list-type=2&prefix=l/"),
    get("list by folders", "/{b}", "list-type=2&prefix=l/&delimiter=/"),
    get("list by folders, the first", "/{b}", "list-type=2&prefix=l/&delimiter=/&max-keys=1"),
    get("list 1 by folders, the first two", "/{b}", "prefix=l/&delimiter=/&max-keys=2"),
    get("list from a marker", "/{b}", "prefix=l/&marker=l/b/1"),
    get("list from a folder's marker", "/{b}", "prefix=l/&delimiter=/&marker=l/b/"),
    get("list 2 from a key", "/{b}", "list-type=2&prefix=l/&start-after=l/b/1"),
    get("list 2 of urls", "/{b}", "list-type=2&prefix=l/&encoding-type=url"),
    get("list of urls", "/{b}", "prefix=l/&encoding-type=url&delimiter=/&marker=l/%C3%A0"),
    get("list of no keys", "/{b}", "list-type=2&max-keys=0"),
    get("list of less than no keys", "/{b}", "list-type=2&max-keys=-1"),
    get("list of words", "/{b}", "list-type=2&max-keys=many"),
    get("list of a million", "/{b}", "list-type=2&prefix=l/&max-keys=1000000"),
    get("list with an unknown encoding", "/{b}", "list-type=2&encoding-type=rot13"),
    get("list by an odd delimiter", "/{b}", "list-type=2&prefix=l/&delimiter=b/"),
    get("list with a prefix of nothing", "/{b}", "list-type=2&prefix=nothing"),
    get("list with an empty delimiter", "/{b}", "list-type=2&prefix=l/&delimiter="),
    get("list of versions without versions", "/{b}", "versions&prefix=l/"),
    get("list with owners", "/{b}", "list-type=2&prefix=l/a&fetch-owner=true"),
]

PARTS = [
    post("keep upload: begin", "/{b}/parts", "uploads", Content_Type="video/mp4", x_amz_meta_m="1"),
    get("parts of none", "/{b}/parts", "uploadId={upload}"),
    get("uploads", "/{b}", "uploads"),
    put("part 1", "/{b}/parts", PART, "partNumber=1&uploadId={upload}"),
    put("part 2", "/{b}/parts", b"end", "partNumber=2&uploadId={upload}"),
    put("part with a wrong md5", "/{b}/parts", b"end", "partNumber=3&uploadId={upload}", Content_MD5=WRONG_MD5),
    put("part of an absent upload", "/{b}/parts", b"x", "partNumber=1&uploadId=absent"),
    get("parts", "/{b}/parts", "uploadId={upload}"),
    get("parts, the first", "/{b}/parts", "uploadId={upload}&max-parts=1"),
    get("parts after the first", "/{b}/parts", "uploadId={upload}&part-number-marker=1"),
    get("object before it is complete", "/{b}/parts"),
    post("complete with a wrong etag", "/{b}/parts", "uploadId={upload}", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
         "<ETag>\"00000000000000000000000000000000\"</ETag></Part></CompleteMultipartUpload>"),
    post("complete in the wrong order", "/{b}/parts", "uploadId={upload}", "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber>"
         "<ETag>{part 2}</ETag></Part><Part><PartNumber>1</PartNumber><ETag>{part 1}</ETag></Part></CompleteMultipartUpload>"),
    post("complete without parts", "/{b}/parts", "uploadId={upload}", "<CompleteMultipartUpload></CompleteMultipartUpload>"),
    post("complete with no XML", "/{b}/parts", "uploadId={upload}", "nothing"),
    post("complete an absent upload", "/{b}/parts", "uploadId=absent", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
         "<ETag>x</ETag></Part></CompleteMultipartUpload>"),
    post("complete", "/{b}/parts", "uploadId={upload}", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part 1}</ETag>"
         "</Part><Part><PartNumber>2</PartNumber><ETag>{part 2}</ETag></Part></CompleteMultipartUpload>"),
    post("complete again", "/{b}/parts", "uploadId={upload}", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part 1}"
         "</ETag></Part><Part><PartNumber>2</PartNumber><ETag>{part 2}</ETag></Part></CompleteMultipartUpload>"),
    head("object of parts", "/{b}/parts"),
    get("across two parts", "/{b}/parts", Range="bytes=5242878-5242881"),
    get("second part", "/{b}/parts", "partNumber=2"),
    head("first part", "/{b}/parts", "partNumber=1"),
    get("third part of two", "/{b}/parts", "partNumber=3"),
    delete("abort what is complete", "/{b}/parts", "uploadId={upload}"),
    post("keep upload: begin another", "/{b}/parts", "uploads"),
    put("small first part", "/{b}/parts", b"small", "partNumber=1&uploadId={upload}"),
    put("second part by copy", "/{b}/parts", b"", "partNumber=2&uploadId={upload}", x_amz_copy_source="/{b}/hello",
        x_amz_copy_source_range="bytes=1-3"),
    put("part by copy behind the end", "/{b}/parts", b"", "partNumber=3&uploadId={upload}", x_amz_copy_source="/{b}/hello",
        x_amz_copy_source_range="bytes=1-30"),
    post("complete with a first part too small", "/{b}/parts", "uploadId={upload}", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
         "<ETag>{small first part}</ETag></Part><Part><PartNumber>2</PartNumber><ETag>{second part by copy}</ETag></Part>"
         "</CompleteMultipartUpload>"),
    put("part 0", "/{b}/parts", b"x", "partNumber=0&uploadId={upload}"),
    put("part 10001", "/{b}/parts", b"x", "partNumber=10001&uploadId={upload}"),
    delete("abort", "/{b}/parts", "uploadId={upload}"),
    delete("abort again", "/{b}/parts", "uploadId={upload}"),
    get("parts of what was aborted", "/{b}/parts", "uploadId={upload}"),
    get("uploads at the end", "/{b}", "uploads"),
]

VERSIONS = [
    put("bucket for versions", "/{v}"),
    put("before versions", "/{v}/k", b"null"),
    put("versioning with an unknown status", "/{v}", VERSIONING % "Perhaps", "versioning"),
    put("versioning", "/{v}", VERSIONING % "Enabled", "versioning"),
    get("versioning that was set", "/{v}", "versioning"),
    put("keep version: first version", "/{v}/k", b"one"),
    put("second version", "/{v}/k", b"two"),
    get("newest version", "/{v}/k"),
    get("first version by name", "/{v}/k", "versionId={version}"),
    get("null version", "/{v}/k", "versionId=null"),
    delete("delete with versions", "/{v}/k"),
    get("behind a delete marker", "/{v}/k"),
    head("head behind a delete marker", "/{v}/k"),
    get("list behind a delete marker", "/{v}", "list-type=2"),
    get("versions", "/{v}", "versions"),
    get("versions, the first two", "/{v}", "versions&max-keys=2"),
    get("versions by folders", "/{v}", "versions&delimiter=/&prefix=k"),
    put("copy of a version", "/{v}/copied", x_amz_copy_source="/{v}/k?versionId={version}"),
    delete("delete a version", "/{v}/k", "versionId={version}"),
    delete("delete it again", "/{v}/k", "versionId={version}"),
    get("version that was deleted", "/{v}/k", "versionId={version}"),
    put("versioning suspended", "/{v}", VERSIONING % "Suspended", "versioning"),
    put("null version again", "/{v}/k", b"null again"),
    get("newest is null", "/{v}/k"),
    delete("delete while suspended", "/{v}/k"),
    get("versions at the end", "/{v}", "versions"),
    delete("bucket with old versions", "/{v}"),
]

SETTINGS = [
    put("tags", "/{b}/hello", TAGS, "tagging"),
    get("get tags", "/{b}/hello", "tagging"),
    head("count of tags", "/{b}/hello"),
    put("tags twice", "/{b}/hello", TWICE, "tagging"),
    put("tags that are no XML", "/{b}/hello", "nothing", "tagging"),
    delete("delete tags", "/{b}/hello", "tagging"),
    get("get tags after", "/{b}/hello", "tagging"),
    get("tags of an absent key", "/{b}/absent", "tagging"),
    put("tags in a header", "/{b}/tagged", b"x", x_amz_tagging="a=1&b=2"),
    get("get tags of a header", "/{b}/tagged", "tagging"),
    put("bucket tags", "/{b}", TAGS, "tagging", md5="1"),
    get("get bucket tags", "/{b}", "tagging"),
    delete("delete bucket tags", "/{b}", "tagging"),
    put("cors", "/{b}", CORS, "cors", md5="1"),
    get("get cors", "/{b}", "cors"),
    get("a request of the origin", "/{b}/hello", Origin="http://a.example"),
    get("a request of another origin", "/{b}/hello", Origin="http://b.example"),
    ("preflight", "OPTIONS", "/{b}/hello", "", {"Origin": "http://a.example", "Access_Control_Request_Method": "GET",
                                               "Access_Control_Request_Headers": "x-one"}, b""),
    ("preflight of another method", "OPTIONS", "/{b}/hello", "", {"Origin": "http://a.example", "Access_Control_Request_Method": "PUT"},
     b""),
    ("preflight of another origin", "OPTIONS", "/{b}/hello", "", {"Origin": "http://b.example", "Access_Control_Request_Method": "GET"},
     b""),
    ("preflight without a method", "OPTIONS", "/{b}/hello", "", {"Origin": "http://a.example"}, b""),
    delete("delete cors", "/{b}", "cors"),
    put("lifecycle", "/{b}", LIFECYCLE, "lifecycle", md5="1"),
    get("get lifecycle", "/{b}", "lifecycle"),
    delete("delete lifecycle", "/{b}", "lifecycle"),
    put("policy that is no JSON", "/{b}", "nothing", "policy"),
    put("policy", "/{b}", PUBLIC_READ % "{b}", "policy"),
    get("get policy", "/{b}", "policy"),
    get("public by policy", "/{b}", "policyStatus"),
    ("unsigned get of public", "GET", "/{b}/hello", "", {"unsigned": "1"}, b""),
    ("unsigned list of public objects", "GET", "/{b}", "", {"unsigned": "1"}, b""),
    delete("delete policy", "/{b}", "policy"),
    ("unsigned get of private", "GET", "/{b}/hello", "", {"unsigned": "1"}, b""),
    ("unsigned put", "PUT", "/{b}/hello", "", {"unsigned": "1"}, b"x"),
    put("acl of all", "/{b}/open", b"open", x_amz_acl="public-read"),
    ("unsigned get of open", "GET", "/{b}/open", "", {"unsigned": "1"}, b""),
    ("a wrong secret", "GET", "/{b}/hello", "", {"secret": "wrong"}, b""),
    ("a wrong key", "GET", "/{b}/hello", "", {"key": "NOBODY"}, b""),
    get("presigned", "/{b}/hello", presigned="60"),
    get("presigned with a header for the answer", "/{b}/hello", "response-content-type=text%2Fy", presigned="60"),
    get("presigned that has expired", "/{b}/hello", presigned="60", date="-100"),
    get("presigned for longer than a week", "/{b}/hello", presigned="604801"),
    get("presigned by a wrong secret", "/{b}/hello", presigned="60", secret="wrong"),
    put("presigned put", "/{b}/presigned", b"x", presigned="60"),
    ("an old date", "GET", "/{b}/hello", "", {"date": "-3600"}, b""),
    ("a body that is not the signed one", "PUT", "/{b}/hello", "", {"signed_body": "other"}, b"hello"),
    post("an unknown method of a bucket", "/{b}", "nonsense=1"),
]

DELETES = [
    post("delete many", "/{b}", "delete", "<Delete><Object><Key>l/a</Key></Object><Object><Key>absent</Key></Object></Delete>", md5="1"),
    post("delete many, quietly", "/{b}", "delete", "<Delete><Quiet>true</Quiet><Object><Key>l/c</Key></Object></Delete>", md5="1"),
    post("delete many without md5", "/{b}", "delete", "<Delete><Object><Key>l/b/1</Key></Object></Delete>"),
    post("delete many of none", "/{b}", "delete", "<Delete></Delete>", md5="1"),
    post("delete many with no XML", "/{b}", "delete", "nothing", md5="1"),
    get("list after", "/{b}", "list-type=2&prefix=l/"),
    delete("bucket with objects", "/{b}"),
]

ALL = BUCKETS + OBJECTS + COPIES + LISTS + PARTS + VERSIONS + SETTINGS + DELETES
