/* A Lambda function for tests, without any library: each request's payload says what to do.
 *
 *   "echo TEXT"   answers "TEXT"           "sleep MS"   answers after that long
 *   "print TEXT"  writes it and answers    "error"      reports an error
 *   "exit N"      ends in mid-request      "abort"      dies by a signal
 *   "env NAME"    answers its value        "large N"    answers N bytes
 *   "context"     answers what the client told of itself
 *   "wrong-id"    answers someone else's request first, and says what it was told
 *   "child"       leaves a child that sleeps for an hour with a port open, and answers the port
 *   "escape"      the same, the child in a session of its own
 *
 * and what probe.h says.
 *
 * TEST_INIT in the environment: "error" reports an error of the initialisation, "exit" ends,
 * "hang" never asks for work. */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 8 * 1024 * 1024 };

static char received[MESSAGE_BYTES], *body;
static char request_id[64];
static int connection;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void connect_to_api(void)
{
    char address[64];
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    snprintf(address, sizeof address, "%s", api ? api : "");
    char *colon = strchr(address, ':');
    if (!colon)
        die("AWS_LAMBDA_RUNTIME_API");
    *colon = 0;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    inet_pton(AF_INET, address, &to.sin_addr);
    connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void send_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = write(connection, data, size);
        if (sent <= 0)
            die("write");
        data += sent;
        size -= (size_t)sent;
    }
}

/* Reads one answer into `received`; `body` points to its body. Returns the status. */
static int receive(void)
{
    size_t size = 0, wanted = SIZE_MAX;
    body = NULL;
    while (size < wanted) {
        ssize_t got = read(connection, received + size, sizeof received - 1 - size);
        if (got <= 0)
            exit(0); /* the cloud is gone */
        size += (size_t)got;
        received[size] = 0;
        if (body || !(body = strstr(received, "\r\n\r\n")))
            continue;
        body += 4;
        const char *length = strcasestr(received, "\r\nContent-Length:");
        wanted = (size_t)(body - received) + (length ? strtoul(length + 17, NULL, 10) : 0);
    }
    return atoi(received + 9);
}

static int call(const char *method, const char *path, const char *data, size_t size)
{
    char head[512];
    int length = snprintf(head, sizeof head,
                          "%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          method, path, size);
    send_all(head, (size_t)length);
    send_all(data, size);
    return receive();
}

static int post(const char *id, const char *what, const char *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "invocation/%s/%s", id, what);
    return call("POST", path, data, size);
}

static void answer(const char *text)
{
    char quoted[8192];
    int size = snprintf(quoted, sizeof quoted, "\"%s\"", text);
    post(request_id, "response", quoted, (size_t)size);
}

static void answer_large(size_t size)
{
    char *data = malloc(size);
    if (!data)
        die("malloc");
    memset(data, 'x', size);
    post(request_id, "response", data, size);
    free(data);
}

/* With ' for ", as the answer is in " itself. */
static void answer_context(void)
{
    char text[4096] = "(none)";
    static const char name[] = "Lambda-Runtime-Client-Context: ";
    const char *found = strcasestr(received, name);
    if (found && found < body)
        snprintf(text, sizeof text, "%.*s", (int)strcspn(found + sizeof name - 1, "\r"),
                 found + sizeof name - 1);
    for (char *c = text; *c; c++)
        *c = *c == '"' ? '\'' : *c;
    answer(text);
}

static void answer_wrong_id(void)
{
    char text[64];
    int status = post("00000000-0000-0000-0000-000000000000", "response", "1", 1);
    snprintf(text, sizeof text, "%d %d", status, call("GET", "invocation/next", "", 0));
    answer(text);
}

static void leave_child(int escapes)
{
    char text[32];
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(port, (struct sockaddr *)&address, size) < 0 || listen(port, 1) < 0 ||
        getsockname(port, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    if (fork() == 0) {
        if (escapes)
            setsid();
        if (fork() == 0)
            sleep(3600);
        _exit(0);
    }
    close(port);
    snprintf(text, sizeof text, "%d", ntohs(address.sin_port));
    answer(text);
}

static void work(const char *what)
{
    char found[4096];
    static const char failed[] = "{\"errorType\":\"Test\",\"errorMessage\":\"as asked\"}";
    if (strncmp(what, "echo ", 5) == 0)
        answer(what + 5);
    else if (strncmp(what, "sleep ", 6) == 0) {
        usleep((useconds_t)atoi(what + 6) * 1000);
        answer("slept");
    } else if (strncmp(what, "print ", 6) == 0) {
        printf("%s\n", what + 6);
        fflush(stdout);
        answer("printed");
    } else if (strcmp(what, "error") == 0)
        post(request_id, "error", failed, sizeof failed - 1);
    else if (strncmp(what, "exit ", 5) == 0)
        exit(atoi(what + 5));
    else if (strcmp(what, "abort") == 0)
        kill(getpid(), SIGKILL);
    else if (strncmp(what, "env ", 4) == 0)
        answer(getenv(what + 4) ? getenv(what + 4) : "(none)");
    else if (strncmp(what, "large ", 6) == 0)
        answer_large((size_t)atol(what + 6));
    else if (strcmp(what, "context") == 0)
        answer_context();
    else if (strcmp(what, "wrong-id") == 0)
        answer_wrong_id();
    else if (strcmp(what, "child") == 0)
        leave_child(0);
    else if (strcmp(what, "escape") == 0)
        leave_child(1);
    else
        answer(probe(what, found, sizeof found) ? found : "?");
}

static void initialise(void)
{
    static const char failed[] = "{\"errorType\":\"Init\",\"errorMessage\":\"as asked\"}";
    const char *how = getenv("TEST_INIT");
    if (!how)
        return;
    if (strcmp(how, "error") == 0)
        call("POST", "init/error", failed, sizeof failed - 1);
    if (strcmp(how, "hang") == 0)
        sleep(3600);
    exit(3);
}

/* The payload is a JSON text: "echo x", perhaps inside a proxy event's "body". */
static void read_payload(char *out, size_t size)
{
    const char *start = body;
    const char *inside = strstr(body, "\"body\":\"");
    start = inside ? inside + 8 : start + (*start == '"');
    size_t length = strcspn(start, "\"");
    snprintf(out, size, "%.*s", (int)length, start);
}

int main(void)
{
    char what[4096];
    connect_to_api();
    initialise();
    for (;;) {
        if (call("GET", "invocation/next", "", 0) != 200)
            return 1;
        const char *id = strcasestr(received, "Lambda-Runtime-Aws-Request-Id: ");
        if (!id)
            return 1;
        snprintf(request_id, sizeof request_id, "%.36s", id + 31);
        read_payload(what, sizeof what);
        work(what);
    }
}
