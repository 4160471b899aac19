/* A Lambda function that does nothing: what a request through the gateway takes beyond it is the
 * cloud's. It answers with the time that it had the request itself, in microseconds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 64 * 1024, ID_BYTES = 64 };

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int connect_to(const char *address)
{
    char host[64];
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    const char *colon = strchr(address, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon ? colon - address : 0), address);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(colon ? colon + 1 : "", NULL, 10)),
                             .sin_addr.s_addr = inet_addr(host)};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 ? -1 : fd;
}

/* One whole answer of the runtime API. */
static int read_message(int fd, char *message)
{
    size_t used = 0, size = 0;
    while (!size || used < size) {
        ssize_t got = read(fd, message + used, MESSAGE_BYTES - 1 - used);
        if (got <= 0)
            return -1;
        used += (size_t)got;
        message[used] = 0;
        const char *end = strstr(message, "\r\n\r\n"),
                   *length = strcasestr(message, "\nContent-Length:");
        if (end && length)
            size = (size_t)(end - message) + 4 + strtoul(length + 16, NULL, 10);
        else if (end)
            return 0; /* without a body */
    }
    return 0;
}

static int answer(int fd, const char *address, const char *message)
{
    static const char header[] = "Lambda-Runtime-Aws-Request-Id:";
    char text[1024], body[128], id[ID_BYTES] = "";
    double start_us = now_us();
    const char *at = strcasestr(message, header);
    if (!at || sscanf(at + sizeof header - 1, " %63[^\r\n]", id) != 1)
        return -1;
    int size = snprintf(body, sizeof body, "{\"statusCode\": 200, \"body\": \"%.1f\"}",
                        now_us() - start_us);
    size = snprintf(text, sizeof text,
                    "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    id, address, size, body);
    return write(fd, text, (size_t)size) == size ? 0 : -1;
}

int main(void)
{
    static char message[MESSAGE_BYTES];
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    char next[256];
    int fd = address ? connect_to(address) : -1;
    int size = snprintf(next, sizeof next,
                        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n",
                        address ? address : "");
    while (fd >= 0 && write(fd, next, (size_t)size) == size && read_message(fd, message) == 0 &&
           answer(fd, address, message) == 0 && read_message(fd, message) == 0)
        continue;
    return 1;
}
