#include "cloud/certificate.h"

#include "base/buf.h"
#include "base/file.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RENEW_S = 30 * 24 * 3600, DAY_S = 24 * 3600, NAMES_BYTES = 1024, SERIAL_BYTES = 16 };

void certificate_finish(struct certificate *certificate)
{
    if (certificate->key)
        OPENSSL_cleanse(certificate->key, strlen(certificate->key));
    free(certificate->key);
    free(certificate->chain);
    *certificate = (struct certificate){0};
}

/* -- reading -- */

static char *read_text(const char *path, struct err *err)
{
    struct buf text;
    buf_init(&text, CERTIFICATE_MAX_BYTES);
    if (file_read(path, &text, err) == 0 && text.size && strlen(text.data) == text.size)
        return text.data;
    if (err->code == ERR_NONE)
        err_set(err, ERR_INVALID, "read %s: not a PEM file", path);
    buf_finish(&text);
    return NULL;
}

static X509 *parse_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return x509;
}

/* Asks nobody for a password. */
static int no_password(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *parse_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static int check_pair(const struct certificate *certificate, const char *chain_path,
                      const char *key_path, struct err *err)
{
    X509 *x509 = parse_certificate(certificate->chain);
    EVP_PKEY *key = parse_key(certificate->key);
    int result = 0;
    if (!x509)
        result = err_set(err, ERR_INVALID, "read %s: no certificate in PEM form", chain_path);
    else if (!key)
        result = err_set(err, ERR_INVALID, "read %s: no private key in PEM form without a password",
                         key_path);
    else if (X509_check_private_key(x509, key) != 1)
        result = err_set(err, ERR_INVALID, "%.200s is not the key of %.200s", key_path, chain_path);
    X509_free(x509);
    EVP_PKEY_free(key);
    return result;
}

int certificate_read(struct certificate *certificate, const char *chain_path, const char *key_path,
                     struct err *err)
{
    *certificate = (struct certificate){0};
    certificate->chain = read_text(chain_path, err);
    certificate->key = certificate->chain ? read_text(key_path, err) : NULL;
    if (certificate->key && check_pair(certificate, chain_path, key_path, err) == 0)
        return 0;
    certificate_finish(certificate);
    return -1;
}

/* -- making -- */

static int add_extension(X509 *x509, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int done = extension && X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    return done;
}

/* "DNS:localhost,IP:127.0.0.1,..." */
static void list_names(char out[NAMES_BYTES], const char *listen)
{
    char host[HOST_NAME_MAX + 1] = "";
    const char *colon = strrchr(listen, ':');
    int size = colon ? (int)(colon - listen) : 0;
    gethostname(host, sizeof host - 1);
    int used = snprintf(out, NAMES_BYTES, "DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1");
    if (*host && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
                     strlen(host))
        used += snprintf(out + used, NAMES_BYTES - (size_t)used, ",DNS:%s", host);
    if (size > 0 && size < 64 && strspn(listen, "0123456789.") == (size_t)size)
        snprintf(out + used, NAMES_BYTES - (size_t)used, ",IP:%.*s", size, listen);
    else if (size > 2 && size < 64 && *listen == '[')
        snprintf(out + used, NAMES_BYTES - (size_t)used, ",IP:%.*s", size - 2, listen + 1);
}

static int set_serial(X509 *x509)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return 0;
    bytes[0] &= 0x7f; /* positive, RFC 5280 section 4.1.2.2 */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    int done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
    return done;
}

static int fill(X509 *x509, EVP_PKEY *key, const char *listen)
{
    char names[NAMES_BYTES];
    X509_NAME *name = X509_get_subject_name(x509);
    list_names(names, listen);
    return X509_set_version(x509, 2) && set_serial(x509) &&
           X509_gmtime_adj(X509_getm_notBefore(x509), -DAY_S) &&
           X509_time_adj_ex(X509_getm_notAfter(x509), CERTIFICATE_DAYS, 0, NULL) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"ken cloud",
                                      -1, -1, 0) &&
           X509_set_issuer_name(x509, name) && X509_set_pubkey(x509, key) &&
           add_extension(x509, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(x509, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(x509, NID_ext_key_usage, "serverAuth") &&
           add_extension(x509, NID_subject_key_identifier, "hash") &&
           add_extension(x509, NID_authority_key_identifier, "keyid:always") &&
           add_extension(x509, NID_subject_alt_name, names) && X509_sign(x509, key, EVP_sha256());
}

/* The text of a memory BIO, which is freed. */
static char *take_text(BIO *bio)
{
    char *data, *text = NULL;
    long size = bio ? BIO_get_mem_data(bio, &data) : 0;
    if (size > 0 && (text = malloc((size_t)size + 1))) {
        memcpy(text, data, (size_t)size);
        text[size] = 0;
    }
    BIO_free(bio);
    return text;
}

static int make(struct certificate *certificate, const char *listen, struct err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_secmem());
    int done = key && x509 && chain && secret && fill(x509, key, listen) &&
               PEM_write_bio_X509(chain, x509) &&
               PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    X509_free(x509);
    EVP_PKEY_free(key);
    certificate->chain = take_text(chain);
    certificate->key = take_text(secret);
    if (done && certificate->chain && certificate->key)
        return 0;
    certificate_finish(certificate);
    return err_set(err, ERR_NO_MEMORY, "make a certificate: OpenSSL refused");
}

static int lasts(const struct certificate *certificate)
{
    X509 *x509 = parse_certificate(certificate->chain);
    time_t soon = time(NULL) + RENEW_S;
    int result = x509 && X509_cmp_time(X509_get0_notAfter(x509), &soon) > 0;
    X509_free(x509);
    return result;
}

static int make_and_keep(struct certificate *certificate, const char *folder, const char *listen,
                         struct err *err)
{
    char chain_path[PATH_MAX], key_path[PATH_MAX];
    snprintf(chain_path, sizeof chain_path, "%.4000s/cert.pem", folder);
    snprintf(key_path, sizeof key_path, "%.4000s/key.pem", folder);
    if (file_make_folders(folder, 0700, err) < 0 || make(certificate, listen, err) < 0)
        return -1;
    if (file_write(key_path, certificate->key, strlen(certificate->key), 0600, err) == 0 &&
        file_write(chain_path, certificate->chain, strlen(certificate->chain), 0644, err) == 0)
        return 0;
    certificate_finish(certificate);
    return -1;
}

int certificate_own(struct certificate *certificate, const char *data_folder, const char *listen,
                    struct err *err)
{
    char folder[PATH_MAX], chain_path[PATH_MAX], key_path[PATH_MAX];
    snprintf(folder, sizeof folder, "%.3900s/tls", data_folder);
    snprintf(chain_path, sizeof chain_path, "%.4000s/cert.pem", folder);
    snprintf(key_path, sizeof key_path, "%.4000s/key.pem", folder);
    if (access(chain_path, F_OK) < 0)
        return make_and_keep(certificate, folder, listen, err);
    if (certificate_read(certificate, chain_path, key_path, err) < 0)
        return err_wrap(err, "the cloud's own certificate (delete %.200s for a new one)", folder);
    if (lasts(certificate))
        return 0;
    certificate_finish(certificate);
    return make_and_keep(certificate, folder, listen, err);
}
