#ifndef AWS_SIGV4_HMAC_H
#define AWS_SIGV4_HMAC_H

#include "aws/sigv4.h"

#include <openssl/evp.h>
#include <stddef.h>

/* SHA-256 and its HMAC. OpenSSL looks an algorithm up by name at each EVP_sha256() and HMAC(),
 * which takes twice as long as the hash of a short text; here it is found once. */

const EVP_MD *sigv4_sha256(void);

/* HMAC-SHA-256 of a text. */
void sigv4_hmac(const void *key, size_t key_bytes, const char *text,
                unsigned char out[SIGV4_KEY_BYTES]);

#endif
