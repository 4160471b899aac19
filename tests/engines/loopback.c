/* Preloaded into an engine that knows no option for it: what would listen on every address listens
 * on loopback. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bind(int socket, const struct sockaddr *address, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "bind");
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in changed;
        memcpy(&changed, address, sizeof changed);
        if (changed.sin_addr.s_addr == htonl(INADDR_ANY))
            changed.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return real(socket, (const struct sockaddr *)&changed, sizeof changed);
    }
    if (address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 changed;
        memcpy(&changed, address, sizeof changed);
        int only_6 = 0;
        socklen_t only_6_bytes = sizeof only_6;
        getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only_6, &only_6_bytes);
        /* a socket of both kinds is asked for by its IPv4 address */
        if (IN6_IS_ADDR_UNSPECIFIED(&changed.sin6_addr) && only_6)
            changed.sin6_addr = in6addr_loopback;
        else if (IN6_IS_ADDR_UNSPECIFIED(&changed.sin6_addr))
            inet_pton(AF_INET6, "::ffff:127.0.0.1", &changed.sin6_addr);
        return real(socket, (const struct sockaddr *)&changed, sizeof changed);
    }
    return real(socket, address, size);
}
