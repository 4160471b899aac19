#ifndef CLOUD_CERTIFICATE_H
#define CLOUD_CERTIFICATE_H

#include "base/err.h"

/* The certificate of the cloud's port, and its key: given, or made by the cloud for itself. */

enum { CERTIFICATE_MAX_BYTES = 256 * 1024, CERTIFICATE_DAYS = 3650 };

struct certificate {
    char *chain, *key; /* PEM */
};

/* Read the chain and the key from their files; they must belong together. */
int certificate_read(struct certificate *certificate, const char *chain_path, const char *key_path,
                     struct err *err) MUST_USE;

/* The one in DIR/tls/cert.pem and key.pem (mode 0600). When there is none, or it ends within a
 * month, a new one is made: P-256, signed by itself, for localhost, the machine's name, 127.0.0.1,
 * ::1 and the address of `listen` ("ADDRESS:PORT"). Clients trust it by AWS_CA_BUNDLE. */
int certificate_own(struct certificate *certificate, const char *data_folder, const char *listen,
                    struct err *err) MUST_USE;

void certificate_finish(struct certificate *certificate); /* wipes the key; zeros are fine */

#endif
