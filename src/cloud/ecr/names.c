#include "cloud/ecr/ecr.h"

#include "base/hex.h"

#include <openssl/evp.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define TAG_START LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* Parts of small letters and digits, joined by one of ". _ / -", as in
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html, or by "__"
 * or dashes in a row, which the OCI distribution specification allows too. */
int ecr_is_name(const char *text)
{
    if (strlen(text) < 2 || strlen(text) > ECR_MAX_NAME)
        return 0;
    for (;;) {
        size_t part = strspn(text, LOWER);
        text += part;
        if (!part || !*text)
            return part > 0;
        size_t dashes = strspn(text, "-");
        if (dashes)
            text += dashes;
        else if (strncmp(text, "__", 2) == 0)
            text += 2;
        else if (strchr("._/", *text))
            text++;
        else
            return 0;
    }
}

int ecr_is_tag(const char *text)
{
    size_t size = strlen(text);
    return size >= 1 && size <= ECR_MAX_TAG && strchr(TAG_START, *text) &&
           strspn(text, TAG_START ".-") == size;
}

static const struct {
    const char *prefix; /* PREFIX_BYTES long */
    size_t digits;
    const EVP_MD *(*method)(void);
} algorithms[] = {{"sha256:", 64, EVP_sha256}, {"sha512:", 128, EVP_sha512}};

enum { PREFIX_BYTES = 7, ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms };

/* The first where `digest` is of none. */
static size_t algorithm_of(const char *digest)
{
    size_t i = ALGORITHM_COUNT - 1;
    while (i && strncmp(digest, algorithms[i].prefix, PREFIX_BYTES) != 0)
        i--;
    return i;
}

int ecr_is_digest(const char *text)
{
    size_t i = algorithm_of(text), size = PREFIX_BYTES + algorithms[i].digits;
    return strlen(text) == size && strncmp(text, algorithms[i].prefix, PREFIX_BYTES) == 0 &&
           strspn(text + PREFIX_BYTES, "0123456789abcdef") == algorithms[i].digits;
}

const char *ecr_digest_digits(const char *digest)
{
    return digest + PREFIX_BYTES;
}

const EVP_MD *ecr_digest_method(const char *like)
{
    return algorithms[algorithm_of(like)].method();
}

void ecr_digest_write(const char *like, const unsigned char *hash, char out[ECR_DIGEST_BYTES])
{
    size_t i = algorithm_of(like);
    memcpy(out, algorithms[i].prefix, PREFIX_BYTES);
    hex_encode(hash, algorithms[i].digits / 2, out + PREFIX_BYTES);
}

void ecr_digest(const char *like, const void *data, size_t size, char out[ECR_DIGEST_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(data, size, hash, NULL, ecr_digest_method(like), NULL);
    ecr_digest_write(like, hash, out);
}
