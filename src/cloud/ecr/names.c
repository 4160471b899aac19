#include "cloud/ecr/ecr.h"

#include "base/hex.h"

#include <openssl/sha.h>
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

int ecr_is_digest(const char *text)
{
    return strlen(text) == ECR_DIGEST_BYTES - 1 && strncmp(text, "sha256:", 7) == 0 &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

void ecr_digest(const void *data, size_t size, char out[ECR_DIGEST_BYTES])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(data, size, hash);
    memcpy(out, "sha256:", 7);
    hex_encode(hash, sizeof hash, out + 7);
}
