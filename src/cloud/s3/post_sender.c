#include "cloud/s3/post_sender.h"

#include "aws/sigv4.h"
#include "cloud/errors.h"
#include "cloud/identity.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

struct sender {
    struct s3_request *r;
    const struct post_form *form;
};

static int deny(struct sender *s, const char *code, const char *message)
{
    exchange_fail(s->r->x, code, "%s", message);
    return -1;
}

static int fail_signature(struct sender *s)
{
    return deny(s, "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.");
}

/* "KEY/20261123/us-east-1/s3/aws4_request" */
struct scope {
    char key[IDENTITY_KEY_BYTES], day[16], region[64], service[16];
};

static int read_scope(const char *text, struct scope *out)
{
    char end[16];
    return sscanf(text, "%128[^/]/%15[^/]/%63[^/]/%15[^/]/%15s", out->key, out->day, out->region,
                  out->service, end) == 5 &&
                   strcmp(end, "aws4_request") == 0 && strcmp(out->service, "s3") == 0
               ? 0
               : -1;
}

static int is_version_4(struct sender *s, const char *secret, const struct scope *scope,
                        const char *policy)
{
    char signature[SIGV4_HEX_BYTES];
    struct err err;
    const char *told = post_form_get(s->form, "x-amz-signature");
    const struct sigv4_scope where = {scope->region, scope->service};
    return told && sigv4_text_signature(secret, scope->day, &where, policy, signature, &err) == 0 &&
           sigv4_same(told, signature);
}

/* Forms of the older scheme are still about: Base64 of HMAC-SHA1. */
static int is_version_2(struct sender *s, const char *secret, const char *policy)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    char text[CHECKSUM_TEXT_BYTES];
    const char *told = post_form_get(s->form, "signature");
    if (!told || !HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)policy,
                       strlen(policy), mac, &size))
        return 0;
    checksum_text(mac, size, text);
    return strlen(told) == strlen(text) && CRYPTO_memcmp(told, text, strlen(text)) == 0;
}

static int take_identity(struct sender *s, const char *key, struct identity_secret *secret)
{
    struct err err = {0};
    const char *token = post_form_get(s->form, "x-amz-security-token");
    if (identity_find(s->r->s3->cloud->identities, key, token, secret, &err) < 0)
        return deny(s, err.code == ERR_NOT_FOUND ? "InvalidAccessKeyId" : "InvalidToken",
                    err.code == ERR_NOT_FOUND
                        ? "The AWS Access Key Id you provided does not exist in our records."
                        : "The provided token is malformed or otherwise invalid.");
    return identity_enter(s->r->x, key, secret) == 0 ? 0
                                                     : deny(s, "InternalError", "Out of memory.");
}

/* The fields beside the credential that version 4 needs. */
static int check_fields(struct sender *s)
{
    const char *algorithm = post_form_get(s->form, "x-amz-algorithm");
    const char *date = post_form_get(s->form, "x-amz-date");
    if (!algorithm || !date)
        return deny(s, "InvalidArgument",
                    algorithm ? "Bucket POST must contain a field named 'X-Amz-Date'.  If it is "
                                "specified, please check the order of the fields."
                              : "Bucket POST must contain a field named 'X-Amz-Algorithm'.  If it "
                                "is specified, please check the order of the fields.");
    if (strcmp(algorithm, "AWS4-HMAC-SHA256") != 0)
        return deny(s, "InvalidArgument", "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    if (strlen(date) != 16 || strspn(date, "0123456789") != 8 || date[8] != 'T' ||
        strspn(date + 9, "0123456789") != 6 || date[15] != 'Z')
        return deny(s, "InvalidArgument", "X-Amz-Date must be formatted via ISO8601 Long format");
    return 0;
}

static int verify(struct sender *s, const char *policy)
{
    struct identity_secret secret;
    struct scope scope;
    const char *credential = post_form_get(s->form, "x-amz-credential");
    const char *old_key = post_form_get(s->form, "AWSAccessKeyId");
    int is_new = credential != NULL, is_right = 0;
    if (!post_form_get(s->form, credential ? "x-amz-signature" : "signature"))
        return deny(s, "InvalidArgument",
                    credential ? "Bucket POST must contain a field named 'X-Amz-Signature'.  If it "
                                 "is specified, please check the order of the fields."
                               : "Bucket POST must contain a field named 'signature'.  If it is "
                                 "specified, please check the order of the fields.");
    if (!credential && !old_key)
        return deny(s, "InvalidArgument",
                    "Bucket POST must contain a field named 'AWSAccessKeyId'.  If it is specified, "
                    "please check the order of the fields.");
    if (is_new && check_fields(s) < 0)
        return -1;
    if (is_new && read_scope(credential, &scope) < 0)
        return deny(s, "InvalidArgument", "The form's x-amz-credential is malformed.");
    if (take_identity(s, is_new ? scope.key : old_key, &secret) < 0)
        return -1;
    is_right = is_new ? is_version_4(s, secret.secret_access_key, &scope, policy)
                      : is_version_2(s, secret.secret_access_key, policy);
    OPENSSL_cleanse(&secret, sizeof secret);
    return is_right ? 0 : fail_signature(s);
}

static int decode_policy(struct sender *s, const char *text, char **out, size_t *size)
{
    size_t length = strlen(text), used = 0;
    char *clean = arena_alloc(&s->r->x->arena, length + 1, 1);
    *out = arena_alloc(&s->r->x->arena, length + 4, 1);
    for (const char *p = text; clean && *p; p++)
        if (!strchr("\r\n \t", *p))
            clean[used++] = *p;
    int decoded = clean && *out && used % 4 == 0
                      ? EVP_DecodeBlock((unsigned char *)*out, (unsigned char *)clean, (int)used)
                      : -1;
    if (decoded < 0)
        return deny(s, "InvalidPolicyDocument", "Invalid Policy: Invalid Base64.");
    for (size_t i = used; i && clean[i - 1] == '=' && decoded; i--)
        decoded--;
    *size = (size_t)decoded;
    return 0;
}

int post_authenticate(struct s3_request *r, const struct post_form *form,
                      struct post_limits *limits)
{
    struct err err = {0};
    struct sender s = {r, form};
    const char *policy = post_form_get(form, "policy");
    const struct post_request request = {form, r->bucket, r->x->received_unix_ms};
    char *text;
    size_t size;
    *limits = (struct post_limits){0, -1};
    if (!policy) {
        if (post_form_get(form, "x-amz-signature") || post_form_get(form, "signature"))
            return deny(&s, "AccessDenied", "Access Denied");
        return 0;
    }
    if (verify(&s, policy) < 0 || decode_policy(&s, policy, &text, &size) < 0)
        return -1;
    if (post_policy_check(text, size, &request, limits, &err) == 0)
        return 0;
    return deny(&s, err.code == ERR_DENIED ? "AccessDenied" : "InvalidPolicyDocument", err.message);
}
