#include "aws/http.h"
#include "aws/url.h"
#include "base/clock.h"
#include "script_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Built twice, once with each transport. */

struct fixture {
    struct server server;
    struct http *http;
    struct http_response response;
    struct err err;
    char url[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (server_listen(&f->server) < 0)
        return -1;
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/a/b?c=d", f->server.port);
    f->http = http_create(&f->err);
    http_response_init(&f->response);
    *state = f;
    return f->http ? 0 : -1;
}

static void start(struct fixture *f, const struct act *acts, size_t count)
{
    assert_int_equal(server_start(&f->server, acts, count), 0);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    server_stop(&f->server);
    http_response_finish(&f->response);
    http_destroy(f->http);
    free(f);
    return 0;
}

static int get(struct fixture *f)
{
    struct http_request request = {
        .method = "GET", .url = f->url, .body_fd = -1, .timeout_ms = 400};
    return http_send(f->http, &request, &f->response, &f->err);
}

#define START(f, ...)                                                                              \
    static const struct act acts[] = {__VA_ARGS__};                                                \
    start(f, acts, sizeof acts / sizeof *acts)

static void sends_what_was_asked_and_reads_the_answer(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-Thing:  a b \r\n\r\nhello"});
    const struct http_header headers[] = {{"X-Amz-Date", "20130524T000000Z"}, {"X-Empty", ""}};
    struct http_request request = {.method = "PUT",
                                   .url = f->url,
                                   .headers = headers,
                                   .header_count = 2,
                                   .body = "body\0x",
                                   .body_bytes = 6,
                                   .body_fd = -1};
    assert_int_equal(http_send(f->http, &request, &f->response, &f->err), 0);
    assert_int_equal(f->response.status, 404);
    assert_string_equal(f->response.body.data, "hello");
    char value[32];
    assert_int_equal(http_response_header(&f->response, "x-thing", value, sizeof value), 3);
    assert_string_equal(value, "a b");
    assert_int_equal(http_response_header(&f->response, "x-thing", value, 3), -1);
    assert_int_equal(http_response_header(&f->response, "x-thin", value, sizeof value), -1);
    const char *sent = f->server.last_request;
    char host[64];
    snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%d\r\n", f->server.port);
    assert_int_equal(strncmp(sent, "PUT /a/b?c=d HTTP/1.1\r\n", 23), 0);
    assert_non_null(strstr(sent, host));
    assert_non_null(strstr(sent, "\r\nX-Amz-Date: 20130524T000000Z\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Empty:"));
    assert_non_null(strstr(sent, "\r\nContent-Length: 6\r\n"));
    assert_null(strcasestr(sent, "\r\nExpect:"));
    assert_null(strcasestr(sent, "\r\nContent-Type:"));
    assert_memory_equal(sent + f->server.last_size - 6, "body\0x", 6);
}

static void keeps_the_connection(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"},
          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nb\r\n00\r\nT: 1\r\n\r\n"},
          {"HTTP/1.1 204 No Content\r\n\r\n"}, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
    for (int i = 0; i < 4; i++)
        assert_int_equal(get(f), 0);
    assert_int_equal(f->server.connections, 1);
}

static void connects_again_when_the_other_side_closed(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 0, CLOSE},
          {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", 0, CLOSE},
          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc"}, {NULL, 0, CLOSE},
          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nd"});
    assert_int_equal(get(f), 0);
    assert_int_equal(get(f), 0);
    assert_string_equal(f->response.body.data, "to the end");
    assert_int_equal(get(f), 0);
    assert_int_equal(get(f),
                     0); /* the server hangs up on the old connection, and answers a new one */
    assert_string_equal(f->response.body.data, "d");
    assert_int_equal(f->server.connections, 4);
}

static void a_head_answer_has_no_body(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"},
          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"});
    struct http_request request = {
        .method = "HEAD", .url = f->url, .body_fd = -1, .timeout_ms = 400};
    assert_int_equal(http_send(f->http, &request, &f->response, &f->err), 0);
    assert_int_equal(f->response.body.size, 0);
    assert_int_equal(get(f), 0);
    assert_int_equal(f->server.connections, 1);
}

static void skips_interim_answers(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\nHTTP/1.1 201 Created\r\nX-B: 2\r\n"
              "Content-Length: 0\r\n\r\n"});
    assert_int_equal(get(f), 0);
    assert_int_equal(f->response.status, 201);
    char value[8];
    assert_int_equal(http_response_header(&f->response, "X-A", value, sizeof value), -1);
    assert_int_equal(http_response_header(&f->response, "X-B", value, sizeof value), 1);
}

static void follows_no_redirect(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"});
    assert_int_equal(get(f), 0);
    assert_int_equal(f->response.status, 307);
}

static void sends_a_body_from_a_file(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
    char path[] = "/tmp/ken-http-XXXXXX", data[100000];
    memset(data, 'z', sizeof data);
    int fd = mkstemp(path);
    unlink(path);
    assert_int_equal(write(fd, data, sizeof data), sizeof data);
    struct http_request request = {.method = "PUT",
                                   .url = f->url,
                                   .body_fd = fd,
                                   .body_bytes = sizeof data,
                                   .timeout_ms = 2000};
    assert_int_equal(http_send(f->http, &request, &f->response, &f->err), 0);
    close(fd);
    assert_null(strcasestr(f->server.last_request, "\r\nExpect:"));
    assert_memory_equal(f->server.last_request + f->server.last_size - sizeof data, data,
                        sizeof data);
}

static void nobody_listening_is_unavailable(void **state)
{
    struct fixture *f = *state;
    close(f->server.fd);
    f->server.fd = -1;
    assert_int_equal(get(f), -1);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.message, f->server.port ? "127.0.0.1" : ""));
}

static void a_stalled_answer_is_a_timeout(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 0, STALL});
    uint64_t began = clock_monotonic_ns();
    assert_int_equal(get(f), -1);
    assert_int_equal(f->err.code, ERR_TIMEOUT);
    assert_in_range((uintmax_t)clock_ms_since(began), 350, 2000);
}

static void half_an_answer_is_unavailable(void **state)
{
    struct fixture *f = *state;
    START(f, {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 0, CLOSE},
          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0, CLOSE});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get(f), -1);
        assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    }
}

static void what_is_no_http_is_refused(void **state)
{
    struct fixture *f = *state;
    START(
        f, {"SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, CLOSE}, {"HTTP/1.1 abc\r\n\r\n", 0, CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nab\r\n0\r\n\r\n", 0, CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\nab", 0, CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 0, CLOSE});
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(get(f), -1);
}

static void headers_past_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    static char huge[200000];
    int at = snprintf(huge, sizeof huge, "HTTP/1.1 200 OK\r\n");
    while (at < 150000)
        at += snprintf(huge + at, sizeof huge - (size_t)at, "X-Header-%d: %0100d\r\n", at, 0);
    static struct act acts[2] = {{huge, 0, CLOSE}, {huge, 0, CLOSE}};
    start(f, acts, 2);
    assert_int_equal(get(f), -1);
    assert_int_equal(f->err.code, ERR_TOO_BIG);
}

static void a_body_past_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    START(
        f, {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, CLOSE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhello", 0, CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, CLOSE},
        {"HTTP/1.1 200 OK\r\n\r\nhello", 0, CLOSE});
    f->response.body.limit = 4;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(get(f), -1);
        if (i != 1) /* there libcurl waits for the rest first */
            assert_int_equal(f->err.code, ERR_TOO_BIG);
    }
}

static void wrong_urls_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "ftp://h/",     "http://",         "http:///x",      "http://h:0/",
        "http://h:/", "http://h:x1/", "http://h:65536/", "http://user@h/", "http://[::1/",
        "http://[]/", "http://h/a b", "http://h/\r\nX:", "http://h/a#b",   "http://a b/",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct http_request request = {.method = "GET", .url = wrong[i], .body_fd = -1};
        assert_int_equal(http_send(f->http, &request, &f->response, &f->err), -1);
        assert_int_equal(f->err.code, ERR_INVALID);
    }
}

static void headers_that_would_be_two_are_refused(void **state)
{
    static const struct http_header wrong[] = {
        {"X", "a\r\nY: b"}, {"X", "a\nY: b"}, {"X: a\r\nY", "b"}, {"X:", "b"}, {"X y", "b"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct http_request request = {.method = "GET",
                                       .url = "http://127.0.0.1:1/",
                                       .headers = &wrong[i],
                                       .header_count = 1,
                                       .body_fd = -1};
        assert_int_equal(http_send(f->http, &request, &f->response, &f->err), -1);
        assert_int_equal(f->err.code, ERR_INVALID);
    }
}

static void urls_come_apart(void **state)
{
    (void)state;
    struct url url;
    struct err err;
    assert_int_equal(url_parse(&url, "https://a.b:443/c?d", &err), 0);
    assert_string_equal(url.authority, "a.b");
    assert_string_equal(url.port, "443");
    assert_string_equal(url.target, "/c?d");
    assert_int_equal(url_parse(&url, "http://[::1]:8080", &err), 0);
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.authority, "[::1]:8080");
    assert_string_equal(url.target, "/");
    assert_true(url_is_loopback(&url));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sends_what_was_asked_and_reads_the_answer),
        TEST(keeps_the_connection),
        TEST(connects_again_when_the_other_side_closed),
        TEST(a_head_answer_has_no_body),
        TEST(skips_interim_answers),
        TEST(follows_no_redirect),
        TEST(sends_a_body_from_a_file),
        TEST(nobody_listening_is_unavailable),
        TEST(a_stalled_answer_is_a_timeout),
        TEST(half_an_answer_is_unavailable),
        TEST(what_is_no_http_is_refused),
        TEST(headers_past_the_limit_are_refused),
        TEST(a_body_past_the_limit_is_refused),
        TEST(wrong_urls_are_refused),
        TEST(headers_that_would_be_two_are_refused),
        TEST(urls_come_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
