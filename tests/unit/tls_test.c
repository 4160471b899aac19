#include "aws/http.h"
#include "script_server.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* https with each transport: what is trusted, and what is not. */

struct fixture {
    struct server server; /* its listening socket only */
    pthread_t thread;
    SSL_CTX *context;
    struct http *http;
    struct http_response response;
    struct err err;
    char folder[32], bundle[64];
};

/* A certificate that signs itself, for `names` ("DNS:localhost", "IP:127.0.0.1"). */
static X509 *make_certificate(EVP_PKEY *key, const char *names)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"ken test", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());
    return certificate;
}

static void make_server(struct fixture *f, const char *names)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, names);
    f->context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(f->context, certificate);
    SSL_CTX_use_PrivateKey(f->context, key);
    FILE *file = fopen(f->bundle, "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void answer(SSL *ssl)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char request[4096];
    for (int got; (got = SSL_read(ssl, request, sizeof request)) > 0;)
        if (memmem(request, (size_t)got, "\r\n\r\n", 4) &&
            SSL_write(ssl, reply, sizeof reply - 1) <= 0)
            return;
}

static void *run_tls(void *context)
{
    struct fixture *f = context;
    while (readable(&f->server, f->server.fd)) {
        int fd = accept(f->server.fd, NULL, NULL);
        SSL *ssl = SSL_new(f->context);
        SSL_set_fd(ssl, fd);
        atomic_fetch_add(&f->server.connections, 1);
        if (SSL_accept(ssl) == 1)
            answer(ssl);
        SSL_free(ssl);
        close(fd);
    }
    return NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    signal(SIGPIPE, SIG_IGN);
    snprintf(f->folder, sizeof f->folder, "/tmp/ken-tls-XXXXXX");
    if (!mkdtemp(f->folder) || server_listen(&f->server) < 0)
        return -1;
    snprintf(f->bundle, sizeof f->bundle, "%s/ca.pem", f->folder);
    setenv("AWS_CA_BUNDLE", f->bundle, 1);
    f->http = http_create(&f->err);
    http_response_init(&f->response);
    *state = f;
    return f->http ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_destroy(f->http); /* closes the connection that the server is reading */
    server_stop(&f->server);
    if (f->thread)
        pthread_join(f->thread, NULL);
    SSL_CTX_free(f->context);
    http_response_finish(&f->response);
    unlink(f->bundle);
    rmdir(f->folder);
    free(f);
    return 0;
}

static int get(struct fixture *f, const char *names, const char *host)
{
    char url[64];
    if (!f->context) {
        make_server(f, names);
        assert_int_equal(pthread_create(&f->thread, NULL, run_tls, f), 0);
    }
    snprintf(url, sizeof url, "https://%s:%d/", host, f->server.port);
    struct http_request request = {.method = "GET", .url = url, .body_fd = -1, .timeout_ms = 3000};
    return http_send(f->http, &request, &f->response, &f->err);
}

static void a_trusted_certificate_is_accepted_and_the_connection_kept(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get(f, "IP:127.0.0.1", "127.0.0.1"), 0);
        assert_string_equal(f->response.body.data, "ok");
    }
    assert_int_equal(f->server.connections, 1);
}

static void a_certificate_for_a_name_is_accepted_for_that_name(void **state)
{
    assert_int_equal(get(*state, "DNS:localhost", "localhost"), 0);
}

static void a_certificate_for_another_host_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, "DNS:example.com", "127.0.0.1"), -1);
    assert_int_equal(f->err.code, ERR_DENIED);
    assert_int_equal(get(f, "DNS:example.com", "localhost"), -1);
    assert_int_equal(f->err.code, ERR_DENIED);
}

static void a_certificate_nobody_trusts_is_refused(void **state)
{
    struct fixture *f = *state;
    unsetenv("AWS_CA_BUNDLE");
    int done = get(f, "IP:127.0.0.1", "127.0.0.1");
    assert_int_equal(done, -1);
    /* where the system has no file of certificates, nothing can be trusted at all */
    assert_true(f->err.code == ERR_DENIED || strstr(f->err.message, "certificates"));
}

static void plain_http_on_the_tls_port_is_no_crash(void **state)
{
    struct fixture *f = *state;
    static const struct act acts[] = {{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, CLOSE}};
    char url[64];
    make_server(f, "IP:127.0.0.1");
    assert_int_equal(server_start(&f->server, acts, 1), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", f->server.port);
    struct http_request request = {.method = "GET", .url = url, .body_fd = -1, .timeout_ms = 300};
    assert_int_equal(http_send(f->http, &request, &f->response, &f->err), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_trusted_certificate_is_accepted_and_the_connection_kept),
        TEST(a_certificate_for_a_name_is_accepted_for_that_name),
        TEST(a_certificate_for_another_host_is_refused),
        TEST(a_certificate_nobody_trusts_is_refused),
        TEST(plain_http_on_the_tls_port_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
