#include "aws/sigv4_hmac.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static pthread_key_t thread_macs; /* EVP_MAC_CTX of each thread */
static EVP_MD *sha256;            /* for good */

static void free_mac(void *mac)
{
    EVP_MAC_CTX_free(mac);
}

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256 || pthread_key_create(&thread_macs, free_mac) != 0)
        abort();
}

const EVP_MD *sigv4_sha256(void)
{
    pthread_once(&fetched, fetch);
    return sha256;
}

/* A context that was begun once begins again in a third of the time of HMAC(). */
static EVP_MAC_CTX *thread_mac(void)
{
    pthread_once(&fetched, fetch);
    EVP_MAC_CTX *kept = pthread_getspecific(thread_macs);
    if (kept)
        return kept;
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context holds it */
    const OSSL_PARAM with[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    if (!mac || EVP_MAC_CTX_set_params(mac, with) != 1 || pthread_setspecific(thread_macs, mac))
        abort();
    return mac;
}

void sigv4_hmac(const void *key, size_t key_bytes, const char *text,
                unsigned char out[SIGV4_KEY_BYTES])
{
    size_t size;
    EVP_MAC_CTX *mac = thread_mac();
    if (EVP_MAC_init(mac, key, key_bytes, NULL) != 1 ||
        EVP_MAC_update(mac, (const unsigned char *)text, strlen(text)) != 1 ||
        EVP_MAC_final(mac, out, &size, SIGV4_KEY_BYTES) != 1)
        abort();
}
