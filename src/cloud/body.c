#include "cloud/body.h"

#include "aws/sigv4_hmac.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void body_init(struct body_receiver *body, const char *folder, size_t memory_limit_bytes,
               size_t limit_bytes)
{
    *body = (struct body_receiver){.folder = folder,
                                   .memory_limit_bytes = memory_limit_bytes,
                                   .limit_bytes = limit_bytes,
                                   .fd = -1};
    buf_init(&body->memory, memory_limit_bytes);
}

int body_hash(struct body_receiver *body, struct err *err)
{
    body->sha256 = EVP_MD_CTX_new();
    if (!body->sha256 || EVP_DigestInit_ex(body->sha256, sigv4_sha256(), NULL) != 1)
        return err_set(err, ERR_NO_MEMORY, "receive a body: out of memory");
    return 0;
}

void body_finish(struct body_receiver *body)
{
    EVP_MD_CTX_free(body->sha256);
    buf_finish(&body->memory);
    if (body->fd >= 0)
        close(body->fd);
    *body = (struct body_receiver){.fd = -1};
}

/* A file without a name; where the file system knows none (NFS, FUSE), one that has lost its name.
 */
static int open_nameless(const char *folder)
{
    char path[PATH_MAX];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) ||
        (size_t)snprintf(path, sizeof path, "%s/body.XXXXXX", folder) >= sizeof path)
        return fd;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int move_to_file(struct body_receiver *body, struct err *err)
{
    body->fd = open_nameless(body->folder);
    if (body->fd < 0)
        return err_set_errno(err, "make a file for a body in %s", body->folder);
    if (file_write_all(body->fd, body->memory.data, body->memory.size, err) < 0)
        return -1;
    buf_finish(&body->memory);
    return 0;
}

int body_add(struct body_receiver *body, const void *data, size_t size, struct err *err)
{
    if (size > body->limit_bytes - body->size)
        return err_set(err, ERR_TOO_BIG, "the body is larger than %zu bytes", body->limit_bytes);
    if (body->fd < 0 && size > body->memory_limit_bytes - body->size && move_to_file(body, err) < 0)
        return -1;
    if (body->sha256 && EVP_DigestUpdate(body->sha256, data, size) != 1)
        return err_set(err, ERR_NO_MEMORY, "hash a body");
    body->size += size;
    if (body->fd >= 0)
        return file_write_all(body->fd, data, size, err);
    if (buf_append(&body->memory, data, size) < 0)
        return err_set(err, ERR_NO_MEMORY, "receive a body: out of memory");
    return 0;
}

int body_done(struct body_receiver *body, struct body *out, struct err *err)
{
    if (body->sha256 && EVP_DigestFinal_ex(body->sha256, out->sha256, NULL) != 1)
        return err_set(err, ERR_NO_MEMORY, "hash a body");
    out->size = body->size;
    out->fd = body->fd;
    out->data = body->fd >= 0 ? NULL : body->memory.data ? body->memory.data : "";
    return 0;
}
