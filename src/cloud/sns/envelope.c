#include "base/buf.h"
#include "base/file.h"
#include "cloud/sns/sns.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What subscribers get, and its signature.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html */

/* -- the key -- */

enum { KEY_BITS = 2048, KEY_MAX_BYTES = 64 * 1024, CERTIFICATE_DAYS = 3650, SIGNATURE_MAX = 512 };

struct signer {
    char *path;
    pthread_mutex_t lock;
    EVP_PKEY *key; /* NULL until it is needed */
};

struct signer *signer_create(const char *key_path, struct err *err)
{
    struct signer *signer = calloc(1, sizeof *signer);
    if (!signer || !(signer->path = strdup(key_path))) {
        err_set(err, ERR_NO_MEMORY, "start SNS: out of memory");
        free(signer);
        return NULL;
    }
    pthread_mutex_init(&signer->lock, NULL);
    return signer;
}

void signer_destroy(struct signer *signer)
{
    if (!signer)
        return;
    EVP_PKEY_free(signer->key);
    pthread_mutex_destroy(&signer->lock);
    free(signer->path);
    free(signer);
}

static EVP_PKEY *read_key(const char *path)
{
    struct buf text;
    struct err err;
    EVP_PKEY *key = NULL;
    buf_init(&text, KEY_MAX_BYTES);
    if (access(path, F_OK) == 0 && file_read(path, &text, &err) == 0) {
        BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
        key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
    }
    buf_finish(&text);
    return key;
}

static EVP_PKEY *make_key(const char *path)
{
    struct err err;
    char *text;
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    BIO *bio = BIO_new(BIO_s_mem());
    long size = 0;
    if (key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        size = BIO_get_mem_data(bio, &text);
    if (!size || file_write(path, text, (size_t)size, 0600, &err) < 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    BIO_free(bio);
    return key;
}

static EVP_PKEY *signer_key(struct signer *signer)
{
    pthread_mutex_lock(&signer->lock);
    if (!signer->key)
        signer->key = read_key(signer->path);
    if (!signer->key)
        signer->key = make_key(signer->path);
    EVP_PKEY *key = signer->key;
    pthread_mutex_unlock(&signer->lock);
    return key;
}

char *signer_sign(struct signer *signer, int version, const char *text)
{
    unsigned char signature[SIGNATURE_MAX];
    size_t size = sizeof signature;
    EVP_PKEY *key = signer_key(signer);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int done =
        key && digest &&
        EVP_DigestSignInit(digest, NULL, version == 2 ? EVP_sha256() : EVP_sha1(), NULL, key) ==
            1 &&
        EVP_DigestSign(digest, signature, &size, (const unsigned char *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(digest);
    char *out = done ? malloc(size * 4 / 3 + 8) : NULL;
    if (out)
        EVP_EncodeBlock((unsigned char *)out, signature, (int)size);
    return out;
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;
    if (!name)
        return NULL;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)CERTIFICATE_DAYS * 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"sns.amazonaws.com",
                               -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    if (X509_sign(certificate, key, EVP_sha256()) > 0)
        return certificate;
    X509_free(certificate);
    return NULL;
}

char *signer_certificate(struct signer *signer)
{
    EVP_PKEY *key = signer_key(signer);
    X509 *certificate = key ? make_certificate(key) : NULL;
    BIO *bio = certificate ? BIO_new(BIO_s_mem()) : NULL;
    char *data, *copy = NULL;
    if (bio && PEM_write_bio_X509(bio, certificate) == 1) {
        long size = BIO_get_mem_data(bio, &data);
        copy = strndup(data, (size_t)size);
    }
    BIO_free(bio);
    X509_free(certificate);
    return copy;
}

/* -- envelopes -- */

/* The members that are signed, in their order. */
static const char *const signed_members[] = {"Message",   "MessageId", "Subject",  "SubscribeURL",
                                             "Timestamp", "Token",     "TopicArn", "Type"};

static void sign(struct sns *sns, json_t *envelope, const struct notification *n)
{
    struct buf text;
    buf_init(&text, 4 * SNS_MAX_MESSAGE_BYTES);
    for (size_t i = 0; i < sizeof signed_members / sizeof *signed_members; i++) {
        const char *value = sns_text(envelope, signed_members[i]);
        if (value) {
            buf_puts(&text, signed_members[i]);
            buf_puts(&text, "\n");
            buf_puts(&text, value);
            buf_puts(&text, "\n");
        }
    }
    char *signature =
        text.failed ? NULL : signer_sign(sns->signer, n->signature_version, text.data);
    json_object_set_new(envelope, "SignatureVersion",
                        json_string(n->signature_version == 2 ? "2" : "1"));
    json_object_set_new(envelope, "Signature", json_string(signature ? signature : ""));
    json_object_set_new(envelope, "SigningCertURL",
                        json_sprintf("%s" SNS_CERTIFICATE_PATH, n->endpoint));
    free(signature);
    buf_finish(&text);
}

static json_t *begin(const struct notification *n, const char *type)
{
    return json_pack("{s:s, s:s, s:s}", "Type", type, "MessageId", n->message_id, "TopicArn",
                     n->topic_arn);
}

/* {NAME: {"Type", "Value"}} */
static json_t *attributes_of(const struct notification *n)
{
    const char *name;
    json_t *attribute, *out = json_object();
    json_object_foreach((json_t *)n->attributes, name, attribute)
    {
        const char *text = sns_text(attribute, "StringValue");
        if (!text)
            text = sns_text(attribute, "BinaryValue");
        json_object_set_new(
            out, name,
            json_pack("{s:s*, s:s*}", "Type", sns_text(attribute, "DataType"), "Value", text));
    }
    return out;
}

json_t *envelope_notification(struct sns *sns, const struct notification *n,
                              const char *subscription_arn)
{
    json_t *envelope = begin(n, "Notification");
    if (*n->sequence)
        json_object_set_new(envelope, "SequenceNumber", json_string(n->sequence));
    if (n->subject)
        json_object_set_new(envelope, "Subject", json_string(n->subject));
    json_object_set_new(envelope, "Message", json_string(n->message));
    json_object_set_new(envelope, "Timestamp", json_string(n->timestamp));
    if (!*n->sequence) /* messages of FIFO topics are not signed */
        sign(sns, envelope, n);
    json_object_set_new(
        envelope, "UnsubscribeURL",
        json_sprintf("%s/?Action=Unsubscribe&SubscriptionArn=%s", n->endpoint, subscription_arn));
    if (json_object_size(n->attributes))
        json_object_set_new(envelope, "MessageAttributes", attributes_of(n));
    return envelope;
}

/* Takes the message. */
static json_t *with_token(struct sns *sns, const struct notification *n, const char *type,
                          json_t *message, const char *token)
{
    json_t *envelope = begin(n, type);
    json_object_set_new(envelope, "Token", json_string(token));
    json_object_set_new(envelope, "Message", message);
    json_object_set_new(envelope, "SubscribeURL",
                        json_sprintf("%s/?Action=ConfirmSubscription&TopicArn=%s&Token=%s",
                                     n->endpoint, n->topic_arn, token));
    json_object_set_new(envelope, "Timestamp", json_string(n->timestamp));
    sign(sns, envelope, n);
    return envelope;
}

json_t *envelope_confirmation(struct sns *sns, const struct notification *n, const char *token)
{
    json_t *message = json_sprintf("You have chosen to subscribe to the topic %s.\nTo confirm the "
                                   "subscription, visit the SubscribeURL included in this message.",
                                   n->topic_arn);
    return with_token(sns, n, "SubscriptionConfirmation", message, token);
}

json_t *envelope_farewell(struct sns *sns, const struct notification *n,
                          const char *subscription_arn, const char *token)
{
    json_t *message =
        json_sprintf("You have chosen to deactivate subscription %s.\nTo cancel this operation and "
                     "restore the subscription, visit the SubscribeURL included in this message.",
                     subscription_arn);
    return with_token(sns, n, "UnsubscribeConfirmation", message, token);
}

static void rename_member(json_t *object, const char *from, const char *to)
{
    json_t *value = json_object_get(object, from);
    if (value)
        json_object_set(object, to, value);
    json_object_del(object, from);
}

/* Lambda's spelling differs, it has every member, and its signature is always of version 1. */
json_t *envelope_lambda(struct sns *sns, const struct notification *given,
                        const char *subscription_arn)
{
    struct notification n = *given;
    n.signature_version = 1;
    json_t *message = envelope_notification(sns, &n, subscription_arn);
    rename_member(message, "SigningCertURL", "SigningCertUrl");
    rename_member(message, "UnsubscribeURL", "UnsubscribeUrl");
    if (!json_object_get(message, "Subject"))
        json_object_set_new(message, "Subject", json_null());
    if (!json_object_get(message, "MessageAttributes"))
        json_object_set_new(message, "MessageAttributes", json_object());
    return json_pack("{s:[{s:s, s:s, s:s, s:o}]}", "Records", "EventSource", "aws:sns",
                     "EventVersion", "1.0", "EventSubscriptionArn", subscription_arn, "Sns",
                     message);
}
