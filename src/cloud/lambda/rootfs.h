#ifndef CLOUD_LAMBDA_ROOTFS_H
#define CLOUD_LAMBDA_ROOTFS_H

#include "base/err.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* Unpacks the layers of a container image over each other into one folder, the root of a function's
 * instances. Layers come from outside. Every path is looked up by the kernel inside of the folder
 * (openat2, RESOLVE_IN_ROOT), so that links, which images may hold, lead nowhere else; names with
 * "..", devices, pipes and sockets, and layers past the limits are refused. Owners are not kept:
 * everything is the cloud's, and instances read it as another user. Set-user bits are dropped.
 * https://github.com/opencontainers/image-spec/blob/main/layer.md */

#define ROOTFS_MAX_BYTES ((uint64_t)10 * 1024 * 1024 * 1024) /* Lambda's limit of an image */
enum {
    ROOTFS_MAX_ENTRIES = 1000000, /* of all layers */
    ROOTFS_MAX_PATH_BYTES = 1024,
    ROOTFS_MAX_DEPTH_BYTES = 2048, /* of a path below the folder, links followed */
    ROOTFS_MAX_LAYERS = 127,
};

struct rootfs {
    char folder[PATH_MAX];
    size_t folder_bytes; /* of its real path */
    int fd;
    uint64_t bytes;     /* unpacked so far */
    size_t entries;     /* so far */
    uint64_t max_bytes; /* ROOTFS_MAX_BYTES; tests lower it */
};

/* `folder` is made by the call and must not exist. */
int rootfs_create(struct rootfs *rootfs, const char *folder, struct err *err) MUST_USE;
/* The next layer, a tar as it is or compressed by gzip or zstd, from the start of the file `fd`.
 * ERR_INVALID for what is none or holds what is refused, ERR_TOO_BIG past a limit, ERR_UNSUPPORTED
 * for another compression. */
int rootfs_apply(struct rootfs *rootfs, int fd, struct err *err) MUST_USE;
/* Makes what an instance mounts on: /dev, /proc, /tmp, /etc/hosts, /etc/resolv.conf. */
int rootfs_complete(struct rootfs *rootfs, struct err *err) MUST_USE;
/* Closes it; with `keep` 0 the folder goes. */
void rootfs_close(struct rootfs *rootfs, int keep);

#endif
