#include "cloud/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int wrong(const char *listen_at, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "listen at %s: not ADDRESS:PORT, such as 127.0.0.1:4566 or [::1]:0", listen_at);
}

static int read_address(const char *listen_at, union address *address, struct err *err)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(listen_at, ':');
    size_t size = colon ? (size_t)(colon - listen_at) : 0;
    if (!colon || size == 0 || size >= sizeof host || strspn(colon + 1, "0123456789") == 0)
        return wrong(listen_at, err);
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end || port > 65535)
        return wrong(listen_at, err);
    memcpy(host, listen_at, size);
    host[size] = 0;
    memset(address, 0, sizeof *address);
    if (strcmp(host, "localhost") == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = 0;
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1 ? 0
                                                                          : wrong(listen_at, err);
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1 ? 0 : wrong(listen_at, err);
}

/* Who listens everywhere is reached at the loopback address. */
static void write_endpoint(int fd, const char *scheme, char endpoint[LISTEN_ENDPOINT_BYTES])
{
    union address address = {0};
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    getsockname(fd, &address.any, &size);
    if (address.any.sa_family == AF_INET6) {
        if (IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr))
            address.v6.sin6_addr = in6addr_loopback;
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        snprintf(endpoint, LISTEN_ENDPOINT_BYTES, "%s://[%s]:%u", scheme, host,
                 ntohs(address.v6.sin6_port));
        return;
    }
    if (address.v4.sin_addr.s_addr == htonl(INADDR_ANY))
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
    snprintf(endpoint, LISTEN_ENDPOINT_BYTES, "%s://%s:%u", scheme, host,
             ntohs(address.v4.sin_port));
}

static int bind_and_listen(int fd, const char *listen_at, const union address *address,
                           struct err *err)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    socklen_t size = address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
    if (bind(fd, &address->any, size) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return err_set(err, ERR_BUSY,
                       "listen at %s: the port is in use (another port: --listen ADDRESS:PORT, "
                       "0 for any)",
                       listen_at);
    return err_set_errno(err, "listen at %s", listen_at);
}

int listen_open(const char *listen_at, const char *scheme, char endpoint[LISTEN_ENDPOINT_BYTES],
                struct err *err)
{
    union address address;
    if (read_address(listen_at, &address, err) < 0)
        return -1;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, "listen at %s", listen_at);
    if (bind_and_listen(fd, listen_at, &address, err) < 0) {
        close(fd);
        return -1;
    }
    write_endpoint(fd, scheme, endpoint);
    return fd;
}
