#include "face/seal.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { STEP_BYTES = 1 << 30, KEY_HEX_DIGITS = 2 * SEAL_KEY_BYTES };

void seal_wipe(void *data, size_t size)
{
    OPENSSL_cleanse(data, size);
}

/* OpenSSL counts bytes in int: feed it in steps. */
static int update(EVP_CIPHER_CTX *context, uint8_t *data, size_t size)
{
    while (size > 0) {
        int step = size > STEP_BYTES ? STEP_BYTES : (int)size, done = 0;
        if (EVP_CipherUpdate(context, data, &done, data, step) != 1 || done != step)
            return -1;
        data += step;
        size -= (size_t)step;
    }
    return 0;
}

static EVP_CIPHER_CTX *start(const struct seal *seal, int encrypt)
{
    int done = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context &&
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, seal->key, seal->nonce, encrypt) == 1 &&
        EVP_CipherUpdate(context, NULL, &done, seal->header, (int)seal->header_size) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

int seal_encrypt(const struct seal *seal, uint8_t *data, size_t size, uint8_t tag[SEAL_TAG_BYTES],
                 struct err *err)
{
    int none = 0;
    EVP_CIPHER_CTX *context = start(seal, 1);
    int good = context && update(context, data, size) == 0 &&
               EVP_CipherFinal_ex(context, tag, &none) == 1 &&
               EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? 0 : err_set(err, ERR_IO, "encrypt: OpenSSL failed");
}

int seal_decrypt(const struct seal *seal, uint8_t *data, size_t size,
                 const uint8_t tag[SEAL_TAG_BYTES], struct err *err)
{
    uint8_t expected[SEAL_TAG_BYTES];
    memcpy(expected, tag, sizeof expected);
    int none = 0;
    EVP_CIPHER_CTX *context = start(seal, 0);
    int good = context && update(context, data, size) == 0 &&
               EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_BYTES, expected) == 1 &&
               EVP_CipherFinal_ex(context, expected, &none) == 1;
    EVP_CIPHER_CTX_free(context);
    if (good)
        return 0;
    seal_wipe(data, size);
    return err_set(err, ERR_CORRUPT, "it was changed, or the key is another one");
}

int seal_digest(const void *data, size_t size, uint8_t digest[SEAL_DIGEST_BYTES], struct err *err)
{
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_IO, "checksum: OpenSSL failed");
    return 0;
}

static int parse_key(const char *text, size_t length, uint8_t key[SEAL_KEY_BYTES])
{
    return length == KEY_HEX_DIGITS ? hex_decode(text, key, SEAL_KEY_BYTES) : -1;
}

/* A key that others can read is no secret, and one that others can replace opens nothing later. */
static int check_key_file(const char *path, const struct stat *status, struct err *err)
{
    if (!S_ISREG(status->st_mode))
        return err_set(err, ERR_DENIED, "%s: not a file", path);
    if (status->st_mode & 077)
        return err_set(err, ERR_DENIED,
                       "%s: others may read this key (mode %03o): chmod 600 it, or give the key in "
                       "KEN_GALLERY_KEY",
                       path, (unsigned)status->st_mode & 0777);
    if (status->st_uid != geteuid() && status->st_uid != 0 && geteuid() != 0)
        return err_set(err, ERR_DENIED, "%s: this key belongs to another user: chown it", path);
    return 0;
}

/* One byte more than a key, so that a longer file is told. */
static int read_key(int fd, const char *path, uint8_t key[SEAL_KEY_BYTES], struct err *err)
{
    char text[KEY_HEX_DIGITS + 2];
    size_t size = 0;
    for (ssize_t got = 1; got > 0 && size<sizeof text; size += got> 0 ? (size_t)got : 0)
        got = read(fd, text + size, sizeof text - size);
    size_t digits = size > 0 && text[size - 1] == '\n' ? size - 1 : size;
    int result = parse_key(text, digits, key);
    seal_wipe(text, sizeof text);
    if (result < 0)
        return err_set(err, ERR_INVALID, "read %s: not %d hex digits", path, KEY_HEX_DIGITS);
    return 0;
}

/* What is checked is what is read: one descriptor. */
static int check_and_read_key(int fd, const char *path, uint8_t key[SEAL_KEY_BYTES],
                              struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return err_set_errno(err, "read %s", path);
    if (check_key_file(path, &status, err) < 0)
        return -1;
    return read_key(fd, path, key, err);
}

static int make_key(const char *path, uint8_t key[SEAL_KEY_BYTES], struct err *err)
{
    char text[KEY_HEX_DIGITS + 2];
    random_text(text, KEY_HEX_DIGITS, RANDOM_HEX);
    text[KEY_HEX_DIGITS] = '\n';
    int result = file_write(path, text, KEY_HEX_DIGITS + 1, 0600, err);
    if (result == 0)
        result = parse_key(text, KEY_HEX_DIGITS, key);
    seal_wipe(text, sizeof text);
    return result;
}

int seal_find_key(const char *gallery_path, int make, uint8_t key[SEAL_KEY_BYTES], struct err *err)
{
    const char *text = getenv("KEN_GALLERY_KEY");
    if (text && *text) {
        if (parse_key(text, strlen(text), key) < 0)
            return err_set(err, ERR_INVALID, "KEN_GALLERY_KEY: not %d hex digits", KEY_HEX_DIGITS);
        return 0;
    }
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s.key", gallery_path) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "%s: the path is too long", gallery_path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && make)
        return make_key(path, key, err);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "it is encrypted, and there is neither KEN_GALLERY_KEY nor %s", path);
    if (fd < 0)
        return err_set_errno(err, "open %s", path);
    int result = check_and_read_key(fd, path, key, err);
    close(fd);
    return result;
}
