#ifndef FACE_SEAL_H
#define FACE_SEAL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Encryption of the gallery file: AES-256-GCM in place, and where its key comes from. */
enum { SEAL_KEY_BYTES = 32, SEAL_NONCE_BYTES = 12, SEAL_TAG_BYTES = 16 };

struct seal {
    const uint8_t *key;    /* SEAL_KEY_BYTES */
    const uint8_t *nonce;  /* SEAL_NONCE_BYTES; never twice with one key */
    const uint8_t *header; /* authenticated, not encrypted */
    size_t header_size;
};

int seal_encrypt(const struct seal *seal, uint8_t *data, size_t size, uint8_t tag[SEAL_TAG_BYTES],
                 struct err *err) MUST_USE;
/* ERR_CORRUPT when the tag does not fit: changed bytes or another key; `data` is wiped then. */
int seal_decrypt(const struct seal *seal, uint8_t *data, size_t size,
                 const uint8_t tag[SEAL_TAG_BYTES], struct err *err) MUST_USE;

/* KEN_GALLERY_KEY, or the file GALLERY.key beside the gallery: ERR_DENIED where others may read it
 * or it belongs to another user. With `make` an absent file is made. */
int seal_find_key(const char *gallery_path, int make, uint8_t key[SEAL_KEY_BYTES],
                  struct err *err) MUST_USE;

enum { SEAL_DIGEST_BYTES = 32 };
/* SHA-256, of what is not encrypted. */
int seal_digest(const void *data, size_t size, uint8_t digest[SEAL_DIGEST_BYTES],
                struct err *err) MUST_USE;

void seal_wipe(void *data, size_t size);

#endif
