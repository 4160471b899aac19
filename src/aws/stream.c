#include "aws/stream.h"

#include "aws/http.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
    int fd;
    SSL *ssl; /* NULL: plain */
};

struct stream_tls {
    SSL_CTX *context;
};

/* Wait for `events`; 0, or -1 with ERR_TIMEOUT. */
static int wait_for(int fd, short events, uint64_t deadline_ns, struct err *err)
{
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        if (now >= deadline_ns)
            return err_set(err, ERR_TIMEOUT, "no answer in time");
        uint64_t left_ms = (deadline_ns - now) / 1000000 + 1;
        struct pollfd poller = {.fd = fd, .events = events};
        int ready = poll(&poller, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return err_set_errno(err, "wait for answer");
    }
}

static int connect_to(const struct sockaddr *address, socklen_t size, uint64_t deadline_ns,
                      struct err *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    if (fd < 0)
        return err_set_errno(err, "open socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int number = connect(fd, address, size) == 0 ? 0 : errno;
    if (number == EINPROGRESS) {
        socklen_t length = sizeof number;
        if (wait_for(fd, POLLOUT, deadline_ns, err) < 0)
            goto failed;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) < 0)
            number = errno;
    }
    if (number == 0)
        return fd;
    errno = number;
    err_set_errno(err, "connect");
    err->code = ERR_UNAVAILABLE;
failed:
    close(fd);
    return -1;
}

/* Fill `address` from a numeric host or "localhost"; returns its size, 0 for a name. */
static socklen_t numeric_address(const struct url *url, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    const char *host = strcmp(url->host, "localhost") == 0 ? "127.0.0.1" : url->host;
    in_port_t port = htons((uint16_t)strtol(url->port, NULL, 10));
    *address = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        return sizeof *v6;
    }
    return 0;
}

static int connect_by_name(const struct url *url, uint64_t deadline_ns, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int problem = getaddrinfo(url->host, url->port, &hints, &list);
    if (problem)
        return err_set(err, ERR_UNAVAILABLE, "resolve %s: %s", url->host, gai_strerror(problem));
    int fd = -1;
    for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_to(at->ai_addr, at->ai_addrlen, deadline_ns, err);
    freeaddrinfo(list);
    return fd;
}

static int connect_url(const struct url *url, uint64_t deadline_ns, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size = numeric_address(url, &address);
    if (size)
        return connect_to((struct sockaddr *)&address, size, deadline_ns, err);
    return connect_by_name(url, deadline_ns, err);
}

static int tls_failed(struct err *err, const char *what)
{
    unsigned long number = ERR_get_error();
    char text[256] = "connection closed";
    if (number)
        ERR_error_string_n(number, text, sizeof text);
    ERR_clear_error();
    return err_set(err, ERR_UNAVAILABLE, "%s: %s", what, text);
}

/* Where systems keep the certificates they trust: Debian, Amazon Linux, Alpine. */
static const char *const ca_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

static int trust_system(SSL_CTX *context)
{
    const char *file = getenv("AWS_CA_BUNDLE");
    if (!file || !*file)
        file = getenv("SSL_CERT_FILE");
    if (file && *file)
        return SSL_CTX_load_verify_locations(context, file, NULL) == 1 ? 0 : -1;
    for (size_t i = 0; i < sizeof ca_files / sizeof *ca_files; i++)
        if (access(ca_files[i], R_OK) == 0)
            return SSL_CTX_load_verify_locations(context, ca_files[i], NULL) == 1 ? 0 : -1;
    return -1;
}

static struct stream_tls *tls_create(struct err *err)
{
    struct stream_tls *tls = calloc(1, sizeof *tls);
    if (tls)
        tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls || !tls->context) {
        free(tls);
        err_set(err, ERR_NO_MEMORY, "start TLS: out of memory");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls->context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (trust_system(tls->context) < 0) {
        err_set(err, ERR_UNAVAILABLE,
                "start TLS: no readable file of trusted certificates (set AWS_CA_BUNDLE)");
        stream_tls_destroy(tls);
        return NULL;
    }
    return tls;
}

void stream_tls_destroy(struct stream_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

/* What to do after an SSL call returned `result` <= 0: 1 try again, 0 closed, -1 failed. */
static int after_tls(struct stream *stream, int result, uint64_t deadline_ns, const char *what,
                     struct err *err)
{
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(stream->fd, POLLIN, deadline_ns, err) < 0 ? -1 : 1;
    case SSL_ERROR_WANT_WRITE:
        return wait_for(stream->fd, POLLOUT, deadline_ns, err) < 0 ? -1 : 1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return tls_failed(err, what);
    }
}

/* The certificate must be for the host of the URL, be it a name or an address. */
static int expect_host(SSL *ssl, const char *host)
{
    struct in6_addr any;
    if (inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static int start_tls(struct stream *stream, const struct url *url, struct stream_tls **tls,
                     uint64_t deadline_ns, struct err *err)
{
    if (!*tls)
        *tls = tls_create(err);
    if (!*tls)
        return -1;
    stream->ssl = SSL_new((*tls)->context);
    if (!stream->ssl || SSL_set_fd(stream->ssl, stream->fd) != 1 ||
        !expect_host(stream->ssl, url->host))
        return tls_failed(err, "start TLS");
    for (int result; (result = SSL_connect(stream->ssl)) != 1;) {
        int next = after_tls(stream, result, deadline_ns, "TLS handshake", err);
        if (next > 0)
            continue;
        if (SSL_get_verify_result(stream->ssl) != X509_V_OK)
            err_set(err, ERR_DENIED, "TLS handshake: %s",
                    X509_verify_cert_error_string(SSL_get_verify_result(stream->ssl)));
        else if (next == 0)
            err_set(err, ERR_UNAVAILABLE, "TLS handshake: connection closed");
        return -1;
    }
    return 0;
}

struct stream *stream_open(const struct url *url, struct stream_tls **tls, uint64_t deadline_ns,
                           struct err *err)
{
    uint64_t connect_deadline = clock_monotonic_ns() + (uint64_t)HTTP_CONNECT_TIMEOUT_MS * 1000000;
    if (deadline_ns < connect_deadline)
        connect_deadline = deadline_ns;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        err_set(err, ERR_NO_MEMORY, "connect: out of memory");
        return NULL;
    }
    stream->fd = connect_url(url, connect_deadline, err);
    if (stream->fd < 0 || (url->tls && start_tls(stream, url, tls, connect_deadline, err) < 0)) {
        stream_close(stream);
        return NULL;
    }
    return stream;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->ssl);
    if (stream->fd >= 0)
        close(stream->fd);
    free(stream);
}

static int broken(struct err *err, const char *what)
{
    err_set_errno(err, "%s", what);
    err->code = ERR_UNAVAILABLE;
    return -1;
}

/* One write: how many bytes went out, 0 to try again, -1. */
static long write_some(struct stream *stream, const char *data, size_t size, uint64_t deadline_ns,
                       struct err *err)
{
    if (stream->ssl) {
        int part = size > 1 << 20 ? 1 << 20 : (int)size;
        int result = SSL_write(stream->ssl, data, part);
        if (result > 0)
            return result;
        int next = after_tls(stream, result, deadline_ns, "send", err);
        return next > 0 ? 0 : next < 0 ? -1 : err_set(err, ERR_UNAVAILABLE, "connection closed");
    }
    ssize_t sent = send(stream->fd, data, size, MSG_NOSIGNAL);
    if (sent >= 0)
        return sent;
    if (errno == EAGAIN)
        return wait_for(stream->fd, POLLOUT, deadline_ns, err);
    return errno == EINTR ? 0 : broken(err, "send");
}

int stream_write(struct stream *stream, const void *data, size_t size, uint64_t deadline_ns,
                 struct err *err)
{
    for (const char *next = data; size > 0;) {
        long sent = write_some(stream, next, size, deadline_ns, err);
        if (sent < 0)
            return -1;
        next += sent;
        size -= (size_t)sent;
    }
    return 0;
}

long stream_read(struct stream *stream, void *out, size_t size, uint64_t deadline_ns,
                 struct err *err)
{
    for (;;) {
        if (stream->ssl) {
            int result = SSL_read(stream->ssl, out, size > 1 << 20 ? 1 << 20 : (int)size);
            if (result > 0)
                return result;
            int next = after_tls(stream, result, deadline_ns, "receive", err);
            if (next <= 0)
                return next;
            continue;
        }
        ssize_t got = recv(stream->fd, out, size, 0);
        if (got >= 0)
            return got;
        if (errno == EAGAIN && wait_for(stream->fd, POLLIN, deadline_ns, err) < 0)
            return -1;
        if (errno != EAGAIN && errno != EINTR)
            return broken(err, "receive");
    }
}

int stream_is_stale(struct stream *stream)
{
    struct pollfd poller = {.fd = stream->fd, .events = POLLIN};
    return poll(&poller, 1, 0) != 0;
}
