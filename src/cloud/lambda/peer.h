#ifndef CLOUD_LAMBDA_PEER_H
#define CLOUD_LAMBDA_PEER_H

#include <sys/types.h>

/* Which user holds the other end of an accepted connection over 127.0.0.1. Returns 0, or -1 when
 * the kernel does not say. */
int peer_uid(int fd, uid_t *uid);

#endif
