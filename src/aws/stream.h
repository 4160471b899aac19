#ifndef AWS_STREAM_H
#define AWS_STREAM_H

#include "aws/url.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A TCP connection, with TLS for https, for the small HTTP client. Every call ends by the deadline
 * (monotonic, ns) at the latest, with ERR_TIMEOUT.
 *
 * A host given as an address or as "localhost" needs no resolver. Other names go through glibc's,
 * which in a static program knows /etc/hosts and DNS and no other source. */
struct stream;
struct stream_tls; /* the certificates trusted; made on first use, shared by the streams */

struct stream *stream_open(const struct url *url, struct stream_tls **tls, uint64_t deadline_ns,
                           struct err *err);
void stream_close(struct stream *stream);        /* NULL is fine */
void stream_tls_destroy(struct stream_tls *tls); /* NULL is fine */

int stream_write(struct stream *stream, const void *data, size_t size, uint64_t deadline_ns,
                 struct err *err) MUST_USE;
/* Returns how many bytes came (0: the other side has closed), or -1. */
long stream_read(struct stream *stream, void *out, size_t size, uint64_t deadline_ns,
                 struct err *err) MUST_USE;
/* An idle stream is stale when the other side has closed it, or sent something unasked. */
int stream_is_stale(struct stream *stream);

#endif
