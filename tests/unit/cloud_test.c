#include "base/buf.h"
#include "cloud/checksum.h"
#include "cloud/chunked.h"
#include "cloud/errors.h"
#include "cloud/identity.h"
#include "cloud/listen.h"
#include "cloud/query.h"
#include "cloud/reply.h"
#include "cloud/route.h"
#include "cloud/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* -- query ---------------------------------------------------------------------------------------
 */

static void query_refuses_wrong_escapes(void **state)
{
    (void)state;
    static const char *const wrong[] = {"%", "%4", "%4g", "%g4", "a%", "%00", "%%41"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[16];
        snprintf(text, sizeof text, "%s", wrong[i]);
        assert_int_equal(query_decode(text, 0), -1);
    }
}

static void query_decodes(void **state)
{
    (void)state;
    char text[] = "a%2Fb+c%c3%A9", same[] = "a+b";
    assert_int_equal(query_decode(text, 1), 0);
    assert_string_equal(text, "a/b c\xc3\xa9");
    assert_int_equal(query_decode(same, 0), 0);
    assert_string_equal(same, "a+b");
}

static void query_pairs(void **state)
{
    (void)state;
    const char *at = "&&uploads&a=b=c&=d&";
    struct query_pair pair;
    assert_true(query_next(&at, &pair));
    assert_int_equal(pair.name_size, 7);
    assert_int_equal(pair.value_size, 0);
    assert_true(query_next(&at, &pair));
    assert_memory_equal(pair.value, "b=c", pair.value_size);
    assert_true(query_next(&at, &pair));
    assert_int_equal(pair.name_size, 0);
    assert_false(query_next(&at, &pair));
}

/* -- chunks --------------------------------------------------------------------------------------
 */

static int collect(void *context, const void *data, size_t size, struct err *err)
{
    (void)err;
    return buf_append(context, data, size);
}

/* Feed in pieces of `step` bytes. */
static int decode(const char *text, size_t step, int has_trailer, struct buf *out,
                  struct chunked *chunked)
{
    struct err err = {0};
    buf_clear(out);
    assert_int_equal(chunked_init(chunked, NULL, has_trailer, collect, out, &err), 0);
    int result = 0;
    for (size_t at = 0, size = strlen(text); result == 0 && at < size; at += step)
        result = chunked_feed(chunked, text + at, size - at < step ? size - at : step, &err);
    if (result == 0)
        result = chunked_end(chunked, &err);
    chunked_finish(chunked);
    return result;
}

static void chunks_of_a_wrong_form_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "3\r\nabc\r\n",
                                        "3\r\nabc\r\n0\r\n",
                                        "x\r\n",
                                        "\r\n",
                                        "3\r\nabcd\r\n0\r\n\r\n",
                                        "3;chunk-signature=00\r\nabc\r\n0\r\n\r\n",
                                        "-3\r\nabc\r\n0\r\n\r\n",
                                        "ffffffffffffffffff\r\n",
                                        "0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
                                        "0\r\n\r\nmore"};
    struct buf out;
    struct chunked chunked;
    buf_init(&out, 1024);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (size_t step = 1; step < 30; step++)
            assert_int_equal(decode(wrong[i], step, 0, &out, &chunked), -1);
    buf_finish(&out);
}

static void chunks_arrive_in_any_pieces(void **state)
{
    (void)state;
    static const char text[] = "5\r\nhello\r\n7\r\n, world\r\n0\r\n"
                               "X-Amz-Checksum-Crc32: AAAA\r\n\r\n";
    struct buf out;
    struct chunked chunked;
    buf_init(&out, 1024);
    for (size_t step = 1; step <= sizeof text; step++) {
        assert_int_equal(decode(text, step, 1, &out, &chunked), 0);
        assert_string_equal(out.data, "hello, world");
        assert_int_equal(chunked.trailer_count, 1);
        assert_string_equal(chunked.trailers[0].name, "x-amz-checksum-crc32");
        assert_string_equal(chunked.trailers[0].value, "AAAA");
    }
    buf_finish(&out);
}

static void too_many_trailers_are_refused(void **state)
{
    (void)state;
    char text[1024] = "0\r\n";
    for (int i = 0; i <= CHUNKED_MAX_TRAILERS; i++)
        strcat(text, "a:b\r\n");
    strcat(text, "\r\n");
    struct buf out;
    struct chunked chunked;
    buf_init(&out, 1024);
    assert_int_equal(decode(text, 1024, 1, &out, &chunked), -1);
    buf_finish(&out);
}

/* -- identities ----------------------------------------------------------------------------------
 */

static struct identities *make_identities(void)
{
    struct err err = {0};
    struct identities *identities = identities_create("AKIAADMIN", "secret", "000000000000", &err);
    assert_non_null(identities);
    return identities;
}

static void unknown_and_revoked_keys_are_refused(void **state)
{
    (void)state;
    struct identities *identities = make_identities();
    struct identity_credentials credentials;
    struct identity_secret secret;
    struct err err = {0};
    assert_int_equal(identity_find(identities, "AKIANOBODY", NULL, &secret, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(identity_issue(identities, "arn:x", 0, &credentials, &err), 0);
    identity_revoke(identities, credentials.access_key_id);
    assert_int_equal(identity_find(identities, credentials.access_key_id, credentials.session_token,
                                   &secret, &err),
                     -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    identities_destroy(identities);
}

static void session_tokens_are_verified(void **state)
{
    (void)state;
    struct identities *identities = make_identities();
    struct identity_credentials c;
    struct identity_secret secret;
    struct err err = {0};
    assert_int_equal(identity_issue(identities, "arn:x", 0, &c, &err), 0);
    assert_memory_equal(c.access_key_id, "ASIA", 4);
    assert_int_equal(identity_find(identities, c.access_key_id, NULL, &secret, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(identity_find(identities, c.access_key_id, "token", &secret, &err), -1);
    assert_int_equal(identity_find(identities, "AKIAADMIN", "token", &secret, &err), -1);
    assert_int_equal(identity_find(identities, c.access_key_id, c.session_token, &secret, &err), 0);
    assert_string_equal(secret.arn, "arn:x");
    assert_string_equal(secret.secret_access_key, c.secret_access_key);
    identities_destroy(identities);
}

static void sessions_of_one_leave_room_for_others(void **state)
{
    (void)state;
    struct identities *identities = make_identities();
    struct identity_credentials other, first, c;
    struct identity_secret secret;
    struct err err = {0};
    char arn[100];
    assert_int_equal(
        identity_issue(identities, "arn:aws:sts::0:assumed-role/b/s", 1000000, &other, &err), 0);
    assert_int_equal(
        identity_issue(identities, "arn:aws:sts::0:assumed-role/a/s", 1000000, &first, &err), 0);
    usleep(2000); /* the oldest */
    for (int i = 1; i <= IDENTITY_MAX_SESSIONS; i++) {
        snprintf(arn, sizeof arn, "arn:aws:sts::0:assumed-role/a/s%d", i);
        assert_int_equal(identity_issue(identities, arn, 1000000, &c, &err), 0);
    }
    assert_int_equal(
        identity_find(identities, first.access_key_id, first.session_token, &secret, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(
        identity_find(identities, other.access_key_id, other.session_token, &secret, &err), 0);
    assert_int_equal(identity_find(identities, c.access_key_id, c.session_token, &secret, &err), 0);
    identities_destroy(identities);
}

static void credentials_expire(void **state)
{
    (void)state;
    struct identities *identities = make_identities();
    struct identity_credentials c;
    struct identity_secret secret;
    struct err err = {0};
    assert_int_equal(identity_issue(identities, "arn:x", 1, &c, &err), 0);
    usleep(5000);
    assert_int_equal(identity_find(identities, c.access_key_id, c.session_token, &secret, &err),
                     -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    identities_destroy(identities);
}

static void only_so_many_credentials(void **state)
{
    (void)state;
    struct identities *identities = make_identities();
    struct identity_credentials c;
    struct err err = {0};
    for (int i = 0; i < IDENTITY_MAX_ISSUED; i++)
        assert_int_equal(identity_issue(identities, "arn:x", 0, &c, &err), 0);
    assert_int_equal(identity_issue(identities, "arn:x", 0, &c, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    identities_destroy(identities);
}

/* -- XML -----------------------------------------------------------------------------------------
 */

static int note(void *context, const char *path, const char *text, struct err *err)
{
    (void)err;
    size_t used = strlen(context);
    snprintf((char *)context + used, 256 - used, "%s=%s;", path, text);
    return 0;
}

static int read_xml(const char *text, char seen[256])
{
    struct err err = {0};
    seen[0] = 0;
    return xml_read(text, strlen(text), note, seen, &err);
}

static void hostile_xml_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
        "<a>&x;</a>",
        "<a>\x01</a>",
        "<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>"};
    char seen[256];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(read_xml(wrong[i], seen), -1);
    char *large = malloc(XML_MAX_TEXT_BYTES + 16);
    assert_non_null(large);
    memcpy(large, "<a>", 3);
    memset(large + 3, 'x', XML_MAX_TEXT_BYTES + 1);
    strcpy(large + 3 + XML_MAX_TEXT_BYTES + 1, "</a>");
    assert_int_equal(read_xml(large, seen), -1);
    free(large);
}

static void xml_gives_paths_and_texts(void **state)
{
    (void)state;
    char seen[256];
    assert_int_equal(read_xml("<s:a xmlns:s='x'><b>1 &lt;<![CDATA[&]]></b></s:a>", seen), 0);
    assert_string_equal(seen, "a/b=1 <&;a=;");
}

static void xml_escapes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1024);
    error_xml_escape(&out, "<a&'\">\r\x02z");
    assert_string_equal(out.data, "&lt;a&amp;&#39;&quot;&gt;&#13;\xef\xbf\xbdz");
    buf_finish(&out);
}

/* -- checksums -----------------------------------------------------------------------------------
 */

static void checksums_of_123456789(void **state)
{
    (void)state;
    static const struct {
        enum checksum_kind kind;
        uint64_t crc;
    } known[] = {{CHECKSUM_CRC32, 0xcbf43926},
                 {CHECKSUM_CRC32C, 0xe3069283},
                 {CHECKSUM_CRC64NVME, 0xae8b14860a799888}};
    struct err err = {0};
    struct checksums *checksums = checksums_create(&err);
    assert_non_null(checksums);
    for (size_t i = 0; i < 3; i++)
        for (size_t cut = 0; cut <= 9; cut++) {
            uint64_t crc = checksum_crc(checksums, known[i].kind, 0, "123456789", cut);
            crc = checksum_crc(checksums, known[i].kind, crc, &"123456789"[cut], 9 - cut);
            assert_true(crc == known[i].crc);
        }
    checksums_destroy(checksums);
}

/* The four pages of the NVM Command Set Specification, 64b CRC test cases. */
static void crc64_of_the_specifications_pages(void **state)
{
    (void)state;
    static const struct {
        unsigned char first;
        int step;
        uint64_t crc;
    } pages[] = {{0, 0, 0x6482d367eb22b64e},
                 {255, 0, 0xc0ddba7302eca3ac},
                 {0, 1, 0x3e729f5f6750449c},
                 {255, -1, 0x9a2df64b8e9e517e}};
    struct err err = {0};
    struct checksums *checksums = checksums_create(&err);
    unsigned char page[4096];
    assert_non_null(checksums);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        for (size_t at = 0; at < sizeof page; at++)
            page[at] = (unsigned char)(pages[i].first + pages[i].step * (int)at);
        assert_true(checksum_crc(checksums, CHECKSUM_CRC64NVME, 0, page, sizeof page) ==
                    pages[i].crc);
    }
    checksums_destroy(checksums);
}

/* Whatever the length, where the bytes lie and which CRC is in front. */
static void crcs_of_all_lengths_are_those_of_single_bytes(void **state)
{
    (void)state;
    struct err err = {0};
    struct checksums *checksums = checksums_create(&err);
    unsigned char data[420];
    assert_non_null(checksums);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 11);
    for (int kind = CHECKSUM_CRC32; kind <= CHECKSUM_CRC64NVME; kind++)
        for (size_t from = 0; from < 20; from++)
            for (size_t size = 0; from + size <= sizeof data; size++) {
                uint64_t begun = checksum_crc(checksums, kind, 0, data, from), crc = begun;
                for (size_t i = 0; i < size; i++)
                    crc = checksum_crc(checksums, kind, crc, data + from + i, 1);
                assert_true(crc == checksum_crc(checksums, kind, begun, data + from, size));
            }
    checksums_destroy(checksums);
}

static void crcs_of_two_pieces_join(void **state)
{
    (void)state;
    static const enum checksum_kind all[] = {CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_CRC64NVME};
    static const size_t sizes[] = {0, 1, 7, 64, 1000, 65536, 100001};
    struct err err = {0};
    struct checksums *checksums = checksums_create(&err);
    unsigned char *data = malloc(200002);
    assert_non_null(checksums);
    assert_non_null(data);
    for (size_t i = 0; i < 200002; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    for (size_t kind = 0; kind < sizeof all / sizeof *all; kind++)
        for (size_t a = 0; a < sizeof sizes / sizeof *sizes; a++)
            for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++) {
                uint64_t first = checksum_crc(checksums, all[kind], 0, data, sizes[a]);
                uint64_t second = checksum_crc(checksums, all[kind], 0, data + sizes[a], sizes[b]);
                assert_int_equal(checksum_crc_join(all[kind], first, second, sizes[b]),
                                 checksum_crc(checksums, all[kind], 0, data, sizes[a] + sizes[b]));
            }
    free(data);
    checksums_destroy(checksums);
}

static void wrong_base64_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "A", "AAAAA", "AA*A",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    unsigned char out[CHECKSUM_MAX_BYTES];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(checksum_bytes(wrong[i], out), -1);
    assert_int_equal(checksum_bytes("y/Q5Jg==", out), 4);
    assert_memory_equal(out, "\xcb\xf4\x39\x26", 4);
}

/* -- errors, routes, ports ------------------------------------------------------------------------
 */

static void errors_have_the_status_of_aws(void **state)
{
    (void)state;
    assert_int_equal(error_status("NoSuchBucket"), 404);
    assert_int_equal(error_status("AccessDenied"), 403);
    assert_int_equal(error_status("UnsupportedMediaTypeException"), 415);
    assert_int_equal(error_status("ValidationException"), 400);
    assert_int_equal(error_status("Nonsense"), 400);
    assert_string_equal(error_code(ERROR_FORM_S3, ERR_NO_SPACE), "InsufficientStorage");
    assert_int_equal(error_status("InsufficientStorage"), 507);
    assert_string_equal(error_code(ERROR_FORM_JSON, ERR_IO), "InternalServerError");
}

static const char *route(const char *path, const char *name, const char *value, const char *scope)
{
    struct http_header headers[] = {{name, value}};
    struct exchange x = {
        .method = "POST", .path = path, .query = "", .headers = headers, .header_count = 1};
    return route_service(&x, scope);
}

static void requests_find_their_service(void **state)
{
    (void)state;
    assert_string_equal(route("/", "Host", "x", "sqs"), "sqs");
    assert_string_equal(route("/", "X-Amz-Target", "DynamoDB_20120810.GetItem", NULL), "dynamodb");
    assert_string_equal(route("/", "x-amz-target", "Logs_20140328.PutLogEvents", NULL), "logs");
    assert_string_equal(route("/restapis/a/prod/_user_request_/x", "Host", "x", NULL),
                        "execute-api");
    assert_string_equal(route("/restapis/a/stages", "Host", "x", NULL), "apigateway");
    assert_string_equal(route("/restapis-bucket/key", "Host", "x", NULL), "s3");
    assert_string_equal(route("/x", "Host", "a1.execute-api.localhost", NULL), "execute-api");
    assert_string_equal(route("/2015-03-31/functions/f", "Host", "x", NULL), "lambda");
    assert_string_equal(route("/bucket/key", "Host", "x", NULL), "s3");
    assert_string_equal(route("/", "Host", "x", NULL), "s3");
    assert_string_equal(route("/", "Content-Type", "application/x-www-form-urlencoded", NULL),
                        "sts");
    assert_string_equal(route("/bucket", "Content-Type", "application/x-www-form-urlencoded", NULL),
                        "s3");
}

static void a_port_in_use_is_said(void **state)
{
    (void)state;
    char endpoint[LISTEN_ENDPOINT_BYTES], again[LISTEN_ENDPOINT_BYTES];
    struct err err = {0};
    int fd = listen_open("127.0.0.1:0", "http", endpoint, &err);
    assert_true(fd >= 0);
    assert_int_equal(listen_open(endpoint + strlen("http://"), "http", again, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    close(fd);
}

static void a_body_decodes_its_query(void **state)
{
    (void)state;
    struct exchange x = {.query = "a%20b=c+d&uploads&bad=%zz"};
    arena_init(&x.arena, 1 << 16);
    assert_string_equal(exchange_query(&x, "a b"), "c d");
    assert_string_equal(exchange_query(&x, "uploads"), "");
    assert_null(exchange_query(&x, "bad"));
    assert_null(exchange_query(&x, "upload"));
    assert_null(exchange_query(&x, "uploadsx"));
    arena_finish(&x.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_refuses_wrong_escapes),
        cmocka_unit_test(query_decodes),
        cmocka_unit_test(query_pairs),
        cmocka_unit_test(chunks_of_a_wrong_form_are_refused),
        cmocka_unit_test(chunks_arrive_in_any_pieces),
        cmocka_unit_test(too_many_trailers_are_refused),
        cmocka_unit_test(unknown_and_revoked_keys_are_refused),
        cmocka_unit_test(session_tokens_are_verified),
        cmocka_unit_test(sessions_of_one_leave_room_for_others),
        cmocka_unit_test(credentials_expire),
        cmocka_unit_test(only_so_many_credentials),
        cmocka_unit_test(hostile_xml_is_refused),
        cmocka_unit_test(xml_gives_paths_and_texts),
        cmocka_unit_test(xml_escapes),
        cmocka_unit_test(checksums_of_123456789),
        cmocka_unit_test(crc64_of_the_specifications_pages),
        cmocka_unit_test(crcs_of_all_lengths_are_those_of_single_bytes),
        cmocka_unit_test(crcs_of_two_pieces_join),
        cmocka_unit_test(wrong_base64_is_refused),
        cmocka_unit_test(errors_have_the_status_of_aws),
        cmocka_unit_test(requests_find_their_service),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(a_body_decodes_its_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
