#ifndef AWS_URL_H
#define AWS_URL_H

#include "base/err.h"

/* An absolute http or https URL, in parts. User names and fragments are refused. */
struct url {
    int tls;
    char host[256];      /* without the brackets of an IPv6 address */
    char authority[272]; /* as the Host header wants it: "h", "h:8080", "[::1]:80"; a default port
                            is left out */
    char port[6];        /* decimal */
    const char *target;  /* points into the text parsed, at "/path?query"; "/" when there is none */
};

int url_parse(struct url *url, const char *text, struct err *err) MUST_USE;

/* Is the host this very machine (127.0.0.0/8, ::1, localhost)? */
int url_is_loopback(const struct url *url);

#endif
