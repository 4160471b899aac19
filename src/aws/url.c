#include "aws/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct err *err, const char *text, const char *cause)
{
    return err_set(err, ERR_INVALID, "read URL %.200s: %s", text, cause);
}

/* The host's end in "host:port" or "[host]:port". */
static size_t host_length(const char *authority, size_t length)
{
    if (authority[0] == '[') {
        const char *end = memchr(authority, ']', length);
        return end ? (size_t)(end - authority) + 1 : 0;
    }
    const char *colon = memchr(authority, ':', length);
    return colon ? (size_t)(colon - authority) : length;
}

static int take_port(struct url *url, const char *port, size_t length)
{
    if (length < 2 || length > 6 || port[0] != ':' || strspn(port + 1, "0123456789") < length - 1)
        return -1;
    snprintf(url->port, sizeof url->port, "%.*s", (int)length - 1, port + 1);
    long number = strtol(url->port, NULL, 10);
    return number >= 1 && number <= 65535 ? 0 : -1;
}

static int is_host_text(const char *host, size_t length)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:";
    return length > 0 && strspn(host, allowed) >= length;
}

int url_parse(struct url *url, const char *text, struct err *err)
{
    *url = (struct url){0};
    if (strncmp(text, "https://", 8) == 0)
        url->tls = 1;
    else if (strncmp(text, "http://", 7) != 0)
        return bad(err, text, "it does not start with http:// or https://");
    const char *authority = text + (url->tls ? 8 : 7);
    size_t length = strcspn(authority, "/?#"), host = host_length(authority, length);
    if (memchr(authority, '@', length) || strchr(authority, '#'))
        return bad(err, text, "a user name or a fragment has no place here");
    size_t bracket = authority[0] == '[';
    if (host <= 2 * bracket || host - 2 * bracket >= sizeof url->host ||
        !is_host_text(authority + bracket, host - 2 * bracket))
        return bad(err, text, "its host is not a name or an address");
    snprintf(url->host, sizeof url->host, "%.*s", (int)(host - 2 * bracket), authority + bracket);
    snprintf(url->port, sizeof url->port, "%s", url->tls ? "443" : "80");
    const char *usual = url->tls ? "443" : "80";
    if (host < length && take_port(url, authority + host, length - host) < 0)
        return bad(err, text, "its port is not 1 to 65535");
    int is_usual = strcmp(url->port, usual) == 0;
    snprintf(url->authority, sizeof url->authority, "%.*s%s%s", (int)host, authority,
             is_usual ? "" : ":", is_usual ? "" : url->port);
    url->target = authority[length] ? authority + length : "/";
    for (const char *c = url->target; *c; c++)
        if (*c <= ' ' || *c == 127)
            return bad(err, text, "it holds a space or control character");
    return 0;
}

int url_is_loopback(const struct url *url)
{
    return strcmp(url->host, "localhost") == 0 || strncmp(url->host, "127.", 4) == 0 ||
           strcmp(url->host, "::1") == 0;
}
