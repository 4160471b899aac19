#include "cloud/lambda/download.h"
#include "aws/sigv4_hmac.h"
#include "base/hex.h"
#include "cloud/lambda/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_SECONDS = 600, SIGNATURE_BYTES = 2 * SIGV4_KEY_BYTES + 1 };

static const char prefix[] = "/_lambda-code/", suffix[] = ".zip";

/* What makes a link good: nobody else has the key, which lives as long as the process. */
static void sign(const struct lambda *lambda, const char *id, const char *expires,
                 char out[SIGNATURE_BYTES])
{
    unsigned char sum[SIGV4_KEY_BYTES];
    char text[REGISTRY_ID_BYTES + 32];
    snprintf(text, sizeof text, "%.*s\n%.24s", REGISTRY_ID_BYTES, id, expires);
    sigv4_hmac(lambda->link_key, sizeof lambda->link_key, text, sum);
    hex_encode(sum, sizeof sum, out);
}

json_t *lambda_code_link(const struct lambda *lambda, const struct exchange *x,
                         const struct function *function)
{
    char path[PATH_MAX], expires[24], signature[SIGNATURE_BYTES];
    const char *id = json_string_value(json_object_get(function->record, "Code"));
    const char *host = exchange_header(x, "Host");
    if (!id || code_zip(function->code, path) < 0 || access(path, R_OK) < 0)
        return NULL;
    snprintf(expires, sizeof expires, "%lld",
             (long long)(x->received_unix_ms / 1000 + LINK_SECONDS));
    sign(lambda, id, expires, signature);
    const char *scheme = x->is_secure ? "https://" : "http://";
    return json_sprintf("%s%s%s%s%s?Expires=%s&Signature=%s", host ? scheme : "",
                        host ? host : lambda->cloud->endpoint, prefix, id, suffix, expires,
                        signature);
}

/* The id that the path names, when the link is good and not too old. */
static const char *read_link(const struct lambda *lambda, struct exchange *x)
{
    char signature[SIGNATURE_BYTES];
    const char *name = x->path + sizeof prefix - 1, *expires = exchange_query(x, "Expires");
    const char *given = exchange_query(x, "Signature");
    size_t size = strlen(name);
    if (!expires || !given || size <= sizeof suffix - 1 || size >= REGISTRY_ID_BYTES + 4 ||
        strcmp(name + size - (sizeof suffix - 1), suffix) != 0)
        return NULL;
    char *id = arena_strdup(&x->arena, name);
    if (!id)
        return NULL;
    id[size - (sizeof suffix - 1)] = 0;
    sign(lambda, id, expires, signature);
    if (strlen(given) != sizeof signature - 1 ||
        CRYPTO_memcmp(given, signature, sizeof signature - 1) != 0 ||
        strtoll(expires, NULL, 10) < x->received_unix_ms / 1000)
        return NULL;
    return id;
}

static int open_zip(const struct lambda *lambda, const char *id, size_t *size)
{
    struct err err;
    struct stat status;
    char name[64 + REGISTRY_ID_BYTES], path[PATH_MAX];
    snprintf(name, sizeof name, "lambda/code/%.*s%s", REGISTRY_ID_BYTES, id, suffix);
    if (cloud_path(lambda->cloud, name, path, sizeof path, &err) < 0)
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fstat(fd, &status) == 0) {
        *size = (size_t)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

int lambda_is_code_link(const struct exchange *x)
{
    return strncmp(x->path, prefix, sizeof prefix - 1) == 0;
}

void lambda_send_code(const struct lambda *lambda, struct exchange *x)
{
    size_t size;
    const char *id = read_link(lambda, x);
    if (!id) {
        exchange_fail_status(x, 403, "AccessDenied", "The link is wrong or has expired");
        return;
    }
    int fd = open_zip(lambda, id, &size);
    if (fd < 0) {
        exchange_fail_status(x, 404, "NoSuchKey", "There is no such code any more");
    } else if (strcmp(x->method, "HEAD") == 0) {
        close(fd);
        exchange_respond_head(x, 200, "application/zip", size);
    } else {
        exchange_respond_file(x, 200, "application/zip", fd, 0, size);
    }
}
