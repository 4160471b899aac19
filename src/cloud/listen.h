#ifndef CLOUD_LISTEN_H
#define CLOUD_LISTEN_H

#include "base/err.h"

/* The port. */

enum { LISTEN_ENDPOINT_BYTES = 96, LISTEN_BACKLOG = 512 };

/* Listens at "127.0.0.1:4566", "[::1]:0" or "0.0.0.0:80"; port 0 takes any free one. Returns the
 * socket and the URL that reaches it (`scheme` "http": "http://127.0.0.1:4566"), or -1: ERR_INVALID
 * for a wrong address, ERR_BUSY when the port is in use. */
int listen_open(const char *listen, const char *scheme, char endpoint[LISTEN_ENDPOINT_BYTES],
                struct err *err) MUST_USE;

#endif
