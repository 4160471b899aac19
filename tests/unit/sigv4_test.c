#include "aws/sigv4_canonical.h"
#include "aws/sigv4_keys.h"
#include "aws/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The expected signatures are the published examples of
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html,
 * sigv4-query-string-auth.html, sigv4-streaming.html and sigv4-streaming-trailers.html, and of the
 * Signature Version 4 test suite. */

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
enum { MAY_24_2013 = 1369353600, AUG_30_2015 = 1440938160 };
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct sigv4_key s3_key = {"AKIAIOSFODNN7EXAMPLE",
                                        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL, NULL};
static const struct sigv4_scope s3_scope = {"us-east-1", "s3"};
static const struct sigv4_key suite_key = {"AKIDEXAMPLE",
                                           "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL, NULL};
static const struct sigv4_scope suite_scope = {"us-east-1", "service"};

struct fixture {
    struct arena arena;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena, 4 << 20);
    *state = f;
    return f ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_finish(&f->arena);
    free(f);
    return 0;
}

static void expect_s3(struct fixture *f, const struct sigv4_request *request, const char *signature)
{
    const char *value =
        sigv4_authorization(request, &s3_key, &s3_scope, MAY_24_2013, &f->arena, &f->err);
    assert_non_null(value);
    assert_string_equal(strstr(value, "Signature=") + 10, signature);
}

static void signs_a_get_with_range(void **state)
{
    const struct http_header headers[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Range", "bytes=0-9"},
        {"x-amz-content-sha256", EMPTY_HASH},
        {"x-amz-date", "20130524T000000Z"},
    };
    struct fixture *f = *state;
    struct sigv4_request request = {"GET", "/test.txt", "", headers, COUNT(headers), EMPTY_HASH};
    const char *value =
        sigv4_authorization(&request, &s3_key, &s3_scope, MAY_24_2013, &f->arena, &f->err);
    assert_string_equal(
        value,
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void signs_a_put_with_an_escaped_path(void **state)
{
    char hash[SIGV4_HEX_BYTES];
    sigv4_hash("Welcome to Amazon S3.", 21, hash);
    const struct http_header headers[] = {
        {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"x-amz-content-sha256", hash},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
    };
    struct sigv4_request request = {"PUT", "/test%24file.text", "", headers, COUNT(headers), hash};
    expect_s3(*state, &request, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void signs_queries(void **state)
{
    const struct http_header headers[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"x-amz-content-sha256", EMPTY_HASH},
        {"x-amz-date", "20130524T000000Z"},
    };
    struct sigv4_request request = {"GET", "/", "lifecycle", headers, COUNT(headers), EMPTY_HASH};
    expect_s3(*state, &request, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    request.query = "prefix=J&max-keys=2";
    expect_s3(*state, &request, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void presigns_a_get(void **state)
{
    struct fixture *f = *state;
    const struct http_header host = {"Host", "examplebucket.s3.amazonaws.com"};
    struct sigv4_request request = {"GET", "/test.txt", "", &host, 1, SIGV4_UNSIGNED};
    struct sigv4_period day = {MAY_24_2013, 86400};
    const char *query =
        sigv4_presigned_query(&request, &s3_key, &s3_scope, &day, &f->arena, &f->err);
    assert_string_equal(
        query, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
               "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
               "&X-Amz-SignedHeaders=host&X-Amz-Signature="
               "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    day.expires_s = SIGV4_MAX_PRESIGN_S + 1;
    assert_null(sigv4_presigned_query(&request, &s3_key, &s3_scope, &day, &f->arena, &f->err));
}

static void signs_the_test_suite(void **state)
{
    static const struct {
        const char *method, *path, *query, *header, *value, *signature;
    } cases[] = {
        {"GET", "/", "", NULL, NULL,
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"POST", "/", "", NULL, NULL,
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"GET", "/", "Param2=value2&Param1=value1", NULL, NULL,
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"GET", "/example/..", "", NULL, NULL,
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "//", "", NULL, NULL,
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"GET", "/./", "", NULL, NULL,
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"POST", "/", "", "My-Header1", "value1",
         "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct http_header headers[] = {{"Host", "example.amazonaws.com"},
                                              {"X-Amz-Date", "20150830T123600Z"},
                                              {cases[i].header, cases[i].value}};
        struct sigv4_request request = {cases[i].method, cases[i].path,           cases[i].query,
                                        headers,         cases[i].header ? 3 : 2, EMPTY_HASH};
        const char *value = sigv4_authorization(&request, &suite_key, &suite_scope, AUG_30_2015,
                                                &f->arena, &f->err);
        assert_non_null(value);
        assert_string_equal(strstr(value, "Signature=") + 10, cases[i].signature);
    }
}

static void canonical_request_tidies_everything(void **state)
{
    struct fixture *f = *state;
    const struct http_header headers[] = {
        {"X-b", "  two \t words  "}, {"Host", "h"}, {"x-B", "again"}, {"A", ""}, {"Other", "no"}};
    struct sigv4_request request = {
        "GET", "/x/./y//z%2fq/../%41 b/", "b=2&a=%7e+c&b=1&&a-=3&a", headers, COUNT(headers),
        "hash"};
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(
        sigv4_canonical_request(&request, "lambda", "a;host;x-b", &f->arena, &out, &f->err), 0);
    assert_string_equal(out.data, "GET\n/x/y/%2541%20b/\na=&a=~%20c&a-=3&b=1&b=2\n"
                                  "a:\nhost:h\nx-b:two words,again\n\na;host;x-b\nhash");
    buf_clear(&out);
    assert_int_equal(
        sigv4_canonical_request(&request, "s3", "a;host;x-b", &f->arena, &out, &f->err), 0);
    assert_non_null(strstr(out.data, "GET\n/x/./y//z%2Fq/../A%20b/\n"));
    buf_finish(&out);
}

static void a_full_arena_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct arena small;
    const struct http_header host = {"Host", "h"};
    struct sigv4_request request = {"GET", "/", "", &host, 1, EMPTY_HASH};
    for (size_t limit = 0; limit < 700; limit += 16) {
        arena_init(&small, limit);
        const char *value = sigv4_authorization(&request, &s3_key, &s3_scope, 0, &small, &f->err);
        if (!value)
            assert_int_equal(f->err.code, ERR_TOO_BIG);
        else
            assert_non_null(strstr(value, "Signature="));
        arena_finish(&small);
    }
}

static void signs_chunks(void **state)
{
    struct fixture *f = *state;
    const struct http_header headers[] = {
        {"Host", "s3.amazonaws.com"},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"x-amz-content-sha256", SIGV4_STREAMING},
        {"Content-Encoding", "aws-chunked"},
        {"x-amz-decoded-content-length", "66560"},
        {"Content-Length", "66824"},
    };
    struct sigv4_request request = {
        "PUT", "/examplebucket/chunkObject.txt", "", headers, COUNT(headers), SIGV4_STREAMING};
    const char *value =
        sigv4_authorization(&request, &s3_key, &s3_scope, MAY_24_2013, &f->arena, &f->err);
    struct sigv4_claim claim;
    struct sigv4_chain chain;
    unsigned char key[SIGV4_KEY_BYTES];
    assert_int_equal(sigv4_parse(value, "20130524T000000Z", "", &claim, &f->arena, &f->err), 1);
    assert_string_equal(claim.signature,
                        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    struct sigv4_check check = {s3_key.secret_access_key, MAY_24_2013, key, NULL};
    assert_int_equal(sigv4_verify(&request, &claim, &check, &f->arena, &f->err), 0);
    assert_int_equal(sigv4_chain_init(&chain, &claim, key, &f->err), 0);
    char *data = malloc(65536), hash[SIGV4_HEX_BYTES], signature[SIGV4_HEX_BYTES];
    static const struct {
        size_t size;
        const char *signature;
    } chunks[] = {{65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"},
                  {1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"},
                  {0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"}};
    memset(data, 'a', 65536);
    for (size_t i = 0; i < COUNT(chunks); i++) {
        sigv4_hash(data, chunks[i].size, hash);
        sigv4_chunk_signature(&chain, hash, signature);
        assert_string_equal(signature, chunks[i].signature);
    }
    free(data);
}

static void signs_trailers(void **state)
{
    struct fixture *f = *state;
    const struct http_header headers[] = {
        {"Host", "s3.amazonaws.com"},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"x-amz-content-sha256", SIGV4_STREAMING_TRAILER},
        {"Content-Encoding", "aws-chunked"},
        {"x-amz-decoded-content-length", "66560"},
        {"x-amz-trailer", "x-amz-checksum-crc32c"},
    };
    struct sigv4_request request = {"PUT",          "/examplebucket/chunkObject.txt", "", headers,
                                    COUNT(headers), SIGV4_STREAMING_TRAILER};
    const char *value =
        sigv4_authorization(&request, &s3_key, &s3_scope, MAY_24_2013, &f->arena, &f->err);
    struct sigv4_claim claim;
    struct sigv4_chain chain;
    unsigned char key[SIGV4_KEY_BYTES];
    assert_int_equal(sigv4_parse(value, "20130524T000000Z", "", &claim, &f->arena, &f->err), 1);
    assert_string_equal(claim.signature,
                        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    struct sigv4_check check = {s3_key.secret_access_key, MAY_24_2013, key, NULL};
    assert_int_equal(sigv4_verify(&request, &claim, &check, &f->arena, &f->err), 0);
    assert_int_equal(sigv4_chain_init(&chain, &claim, key, &f->err), 0);
    char *data = malloc(65536), hash[SIGV4_HEX_BYTES], signature[SIGV4_HEX_BYTES];
    const size_t sizes[] = {65536, 1024, 0};
    memset(data, 'a', 65536);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        sigv4_hash(data, sizes[i], hash);
        sigv4_chunk_signature(&chain, hash, signature);
    }
    free(data);
    assert_string_equal(signature,
                        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
    const char trailer[] = "x-amz-checksum-crc32c:sOO8/Q==\n";
    sigv4_trailer_signature(&chain, trailer, sizeof trailer - 1, signature);
    assert_string_equal(signature,
                        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

static void parse_tells_unsigned_from_badly_signed(void **state)
{
#define DATE "20130524T000000Z"
#define FIELDS(text) ("AWS4-HMAC-SHA256 " text)
#define CREDENTIAL "Credential=AKID/20130524/us-east-1/s3/aws4_request, "
#define HEADERS "SignedHeaders=host, "
#define SIGNATURE "Signature=" EMPTY_HASH
    static const struct {
        const char *authorization, *date;
        int code;
    } cases[] = {
        {"AWS AKID:c2ln", DATE, ERR_UNSUPPORTED},
        {"", DATE, ERR_UNSUPPORTED},
        {"AWS4-HMAC-SHA256", DATE, ERR_UNSUPPORTED},
        {"AWS4-HMAC-SHA256 ", DATE, ERR_INVALID},
        {FIELDS(CREDENTIAL "SignedHeaders=host"), DATE, ERR_INVALID},
        {FIELDS(CREDENTIAL SIGNATURE), DATE, ERR_INVALID},
        {FIELDS(HEADERS SIGNATURE), DATE, ERR_INVALID},
        {FIELDS(CREDENTIAL HEADERS SIGNATURE), NULL, ERR_INVALID},
        {FIELDS(CREDENTIAL HEADERS SIGNATURE), "yesterday", ERR_INVALID},
        {FIELDS(CREDENTIAL HEADERS SIGNATURE), DATE "x", ERR_INVALID},
        {FIELDS(CREDENTIAL HEADERS "Signature=abc"), DATE, ERR_INVALID},
        {FIELDS("Credential=/20130524/us-east-1/s3/aws4_request, " HEADERS SIGNATURE), DATE,
         ERR_INVALID},
        {FIELDS("Credential=A/2013/us-east-1/s3/aws4_request, " HEADERS SIGNATURE), DATE,
         ERR_INVALID},
        {FIELDS("Credential=A/20130524/us-east-1/aws4_request, " HEADERS SIGNATURE), DATE,
         ERR_INVALID},
        {FIELDS("Credential=A/20130524/us-east-1//aws4_request, " HEADERS SIGNATURE), DATE,
         ERR_INVALID},
    };
    struct fixture *f = *state;
    struct sigv4_claim claim;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(
            sigv4_parse(cases[i].authorization, cases[i].date, "", &claim, &f->arena, &f->err), -1);
        assert_int_equal(f->err.code, cases[i].code);
    }
    assert_int_equal(sigv4_parse(NULL, NULL, "", &claim, &f->arena, &f->err), 0);
    assert_int_equal(
        sigv4_parse(NULL, "20130524T000000Z", "a=b&X-Amz-Foo=1", &claim, &f->arena, &f->err), 0);
}

static void parse_reads_both_dates_and_keys_with_slashes(void **state)
{
    struct fixture *f = *state;
    struct sigv4_claim claim;
    const char *text = "AWS4-HMAC-SHA256 Credential=a/b/20130524/eu-west-1/lambda/aws4_request,"
                       "SignedHeaders=date;host,Signature=" EMPTY_HASH;
    assert_int_equal(
        sigv4_parse(text, "Fri, 24 May 2013 00:00:00 GMT", "", &claim, &f->arena, &f->err), 1);
    assert_string_equal(claim.access_key_id, "a/b");
    assert_string_equal(claim.date, "20130524");
    assert_string_equal(claim.region, "eu-west-1");
    assert_string_equal(claim.service, "lambda");
    assert_string_equal(claim.signed_headers, "date;host");
    assert_string_equal(claim.amz_date, "20130524T000000Z");
    assert_true(claim.unix_s == MAY_24_2013);
    assert_false(claim.presigned);
}

static void parse_refuses_bad_presigned_queries(void **state)
{
#define PRESIGNED(algorithm, expires, signature)                                                   \
    ("X-Amz-Algorithm=" algorithm "&X-Amz-Credential=A%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" \
     "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=" expires                                         \
     "&X-Amz-SignedHeaders=host&X-Amz-Signature=" signature)
    static const char *const cases[] = {
        PRESIGNED("AWS4-HMAC-SHA1", "60", EMPTY_HASH),
        PRESIGNED("AWS4-HMAC-SHA256", "", EMPTY_HASH),
        PRESIGNED("AWS4-HMAC-SHA256", "0", EMPTY_HASH),
        PRESIGNED("AWS4-HMAC-SHA256", "-1", EMPTY_HASH),
        PRESIGNED("AWS4-HMAC-SHA256", "604801", EMPTY_HASH),
        PRESIGNED("AWS4-HMAC-SHA256", "99999999999999999999", EMPTY_HASH),
        PRESIGNED("AWS4-HMAC-SHA256", "60", "00"),
        ("X-Amz-Signature=" EMPTY_HASH),
    };
    struct fixture *f = *state;
    struct sigv4_claim claim;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(sigv4_parse(NULL, NULL, cases[i], &claim, &f->arena, &f->err), -1);
        assert_int_equal(f->err.code, ERR_INVALID);
    }
    const char *good = PRESIGNED("AWS4-HMAC-SHA256", "604800", EMPTY_HASH);
    assert_int_equal(sigv4_parse(NULL, NULL, good, &claim, &f->arena, &f->err), 1);
    assert_true(claim.presigned && claim.expires_s == SIGV4_MAX_PRESIGN_S);
}

/* A signed GET and its claim, for the checks below. */
struct signed_get {
    struct http_header headers[4];
    struct sigv4_request request;
    struct sigv4_claim claim;
};

static void make_signed(struct fixture *f, struct signed_get *get)
{
    *get = (struct signed_get){
        .headers = {{"Host", "h"}, {"X-Amz-Date", "20130524T000000Z"}, {"X-Amz-Meta-A_b", "1"}}};
    get->request = (struct sigv4_request){"GET", "/b/k", "a=1", get->headers, 3, EMPTY_HASH};
    const char *value =
        sigv4_authorization(&get->request, &s3_key, &s3_scope, MAY_24_2013, &f->arena, &f->err);
    assert_non_null(value);
    assert_int_equal(sigv4_parse(value, "20130524T000000Z", "", &get->claim, &f->arena, &f->err),
                     1);
}

static int verify(struct fixture *f, const struct signed_get *get, int64_t now)
{
    struct sigv4_check check = {s3_key.secret_access_key, now, NULL, NULL};
    if (sigv4_verify(&get->request, &get->claim, &check, &f->arena, &f->err) == 0)
        return ERR_NONE;
    return (int)f->err.code;
}

static int verify_with(struct fixture *f, const struct signed_get *get, const char *secret,
                       struct sigv4_keys *keys)
{
    struct sigv4_check check = {secret, MAY_24_2013, NULL, keys};
    return sigv4_verify(&get->request, &get->claim, &check, &f->arena, &f->err);
}

static void only_keys_of_right_signatures_are_kept(void **state)
{
    struct fixture *f = *state;
    struct signed_get get;
    struct sigv4_keys keys;
    const struct sigv4_origin right = {s3_key.secret_access_key, "20130524", s3_scope};
    unsigned char key[SIGV4_KEY_BYTES], kept[SIGV4_KEY_BYTES];
    sigv4_keys_init(&keys);
    make_signed(f, &get);
    assert_int_equal(verify_with(f, &get, "another", &keys), -1);
    assert_int_equal(keys.next, 0);
    assert_int_equal(sigv4_keys_find(&keys, &right, key, &f->err), 0);
    assert_int_equal(verify_with(f, &get, s3_key.secret_access_key, &keys), 0);
    assert_int_equal(sigv4_keys_find(&keys, &right, kept, &f->err), 1);
    assert_memory_equal(key, kept, sizeof key);
    assert_int_equal(verify_with(f, &get, s3_key.secret_access_key, &keys), 0);
    assert_int_equal(verify_with(f, &get, "another", &keys), -1);
    assert_int_equal(keys.next, 1);
    sigv4_keys_finish(&keys);
}

static void a_kept_key_is_of_its_secret_day_and_scope_only(void **state)
{
    struct fixture *f = *state;
    struct sigv4_keys keys;
    unsigned char key[SIGV4_KEY_BYTES] = {1}, other[SIGV4_KEY_BYTES];
    const struct sigv4_origin origin = {"secret", "20130524", s3_scope};
    const struct sigv4_origin others[] = {{"secreu", "20130524", s3_scope},
                                          {"secret", "20130525", s3_scope},
                                          {"secret", "20130524", {"eu-west-1", "s3"}},
                                          {"secret", "20130524", {"us-east-1", "sqs"}}};
    sigv4_keys_init(&keys);
    sigv4_keys_keep(&keys, &origin, key);
    assert_int_equal(sigv4_keys_find(&keys, &origin, other, &f->err), 1);
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(sigv4_keys_find(&keys, &others[i], other, &f->err), 0);
    for (int i = 0; i < 2 * SIGV4_KEPT_KEYS; i++) { /* more than there is room for */
        char day[9];
        snprintf(day, sizeof day, "%08d", i);
        sigv4_keys_keep(&keys, &(struct sigv4_origin){"secret", day, s3_scope}, key);
    }
    assert_int_equal(sigv4_keys_find(&keys, &origin, other, &f->err), 0);
    sigv4_keys_finish(&keys);
}

static void verify_accepts_the_clock_window_only(void **state)
{
    struct fixture *f = *state;
    struct signed_get get;
    make_signed(f, &get);
    assert_int_equal(verify(f, &get, MAY_24_2013), ERR_NONE);
    assert_int_equal(verify(f, &get, MAY_24_2013 + 900), ERR_NONE);
    assert_int_equal(verify(f, &get, MAY_24_2013 - 900), ERR_NONE);
    assert_int_equal(verify(f, &get, MAY_24_2013 + 901), ERR_TIMEOUT);
    assert_int_equal(verify(f, &get, MAY_24_2013 - 901), ERR_TIMEOUT);
}

static void verify_refuses_every_change(void **state)
{
    struct fixture *f = *state;
    struct signed_get get;
    make_signed(f, &get);
    const struct signed_get good = get;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        get = good;                                                                                \
        get.request.headers = get.headers;                                                         \
        change;                                                                                    \
        assert_int_equal(verify(f, &get, MAY_24_2013), ERR_DENIED);                                \
    } while (0)
    REFUSED(get.request.method = "PUT");
    REFUSED(get.request.path = "/b/K");
    REFUSED(get.request.query = "a=2");
    REFUSED(get.request.query = "a=1&b");
    REFUSED(get.request.payload_hash = SIGV4_UNSIGNED);
    REFUSED(get.headers[0].value = "other");
    REFUSED(get.request.header_count = 2);
    REFUSED((get.headers[3] = (struct http_header){"x-amz-acl", "public-read"},
             get.request.header_count = 4));
    REFUSED(get.claim.signed_headers = "x-amz-date;x-amz-meta-a_b");
    REFUSED(get.claim.date = "20130523");
    REFUSED(get.claim.region = "eu-west-1");
    REFUSED(get.claim.signature = EMPTY_HASH);
    get = good;
    get.headers[3] = (struct http_header){"User-Agent", "unsigned is fine"};
    get.request.headers = get.headers;
    get.request.header_count = 4;
    assert_int_equal(verify(f, &get, MAY_24_2013), ERR_NONE);
}

static void verify_accepts_a_presigned_query_until_it_expires(void **state)
{
    struct fixture *f = *state;
    const struct http_header host = {"Host", "h"};
    struct sigv4_request request = {"GET", "/b/k", "x-id=GetObject", &host, 1, SIGV4_UNSIGNED};
    struct sigv4_key key = s3_key;
    key.session_token = "to/ken+=";
    struct sigv4_period minute = {MAY_24_2013, 3600};
    const char *query =
        sigv4_presigned_query(&request, &key, &s3_scope, &minute, &f->arena, &f->err);
    struct signed_get get = {.headers = {host}, .request = request};
    get.request.query = query;
    assert_non_null(strstr(query, "&X-Amz-Security-Token=to%2Fken%2B%3D&"));
    assert_int_equal(sigv4_parse(NULL, NULL, query, &get.claim, &f->arena, &f->err), 1);
    assert_int_equal(verify(f, &get, MAY_24_2013 + 3600), ERR_NONE);
    assert_int_equal(verify(f, &get, MAY_24_2013 - 900), ERR_NONE);
    assert_int_equal(verify(f, &get, MAY_24_2013 + 3601), ERR_TIMEOUT);
    assert_int_equal(verify(f, &get, MAY_24_2013 - 901), ERR_TIMEOUT);
    get.request.query = arena_printf(&f->arena, "%s&x=1", query);
    assert_int_equal(verify(f, &get, MAY_24_2013), ERR_DENIED);
}

static void uri_coding_keeps_every_byte(void **state)
{
    struct fixture *f = *state;
    char all[256];
    size_t length;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    char *encoded = uri_encode(&f->arena, all, sizeof all, "");
    char *back = uri_decode(&f->arena, encoded, strlen(encoded), 1, &length);
    assert_int_equal(length, sizeof all);
    assert_memory_equal(back, all, sizeof all);
    assert_string_equal(uri_encode(&f->arena, "a/b c+~", 7, "/"), "a/b%20c%2B~");
    assert_string_equal(uri_decode(&f->arena, "%4", 2, 0, NULL), "%4");
    assert_string_equal(uri_decode(&f->arena, "%zz%", 4, 0, NULL), "%zz%");
    assert_string_equal(uri_decode(&f->arena, "a+b", 3, 0, NULL), "a+b");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signs_a_get_with_range),
        TEST(signs_a_put_with_an_escaped_path),
        TEST(signs_queries),
        TEST(presigns_a_get),
        TEST(signs_the_test_suite),
        TEST(canonical_request_tidies_everything),
        TEST(a_full_arena_is_an_error),
        TEST(signs_chunks),
        TEST(signs_trailers),
        TEST(parse_tells_unsigned_from_badly_signed),
        TEST(parse_reads_both_dates_and_keys_with_slashes),
        TEST(parse_refuses_bad_presigned_queries),
        TEST(only_keys_of_right_signatures_are_kept),
        TEST(a_kept_key_is_of_its_secret_day_and_scope_only),
        TEST(verify_accepts_the_clock_window_only),
        TEST(verify_refuses_every_change),
        TEST(verify_accepts_a_presigned_query_until_it_expires),
        TEST(uri_coding_keeps_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
