#include "cloud/errors.h"
#include "cloud/query.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What of a request no operation here knows: refused by name. */

/* Headers that ask for what is not offered; with the one value that asks for nothing. */
static const struct {
    const char *name, *harmless;
} refused_headers[] = {
    {"x-amz-server-side-encryption-aws-kms-key-id", NULL},
    {"x-amz-server-side-encryption-context", NULL},
    {"x-amz-server-side-encryption-bucket-key-enabled", "false"},
    {"x-amz-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-server-side-encryption-customer-key", NULL},
    {"x-amz-server-side-encryption-customer-key-md5", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-key", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-key-md5", NULL},
    {"x-amz-object-lock-mode", NULL},
    {"x-amz-object-lock-retain-until-date", NULL},
    {"x-amz-object-lock-legal-hold", "OFF"},
    {"x-amz-bucket-object-lock-enabled", "false"},
    {"x-amz-bucket-object-lock-token", NULL},
    {"x-amz-write-offset-bytes", NULL},
    {"x-amz-rename-source", NULL},
    {"x-amz-mfa", NULL},
    {"x-amz-if-match-last-modified-time", NULL},
    {"x-amz-if-match-size", NULL},
    {"x-amz-bucket-namespace", NULL},
};

/* The others that are known; "-" at the end: all that begin so. */
static const char *const known_headers[] = {
    "x-amz-content-sha256", /* the frequent ones first */
    "x-amz-date",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-mode",
    "x-amz-checksum-type",
    "x-amz-meta-",
    "x-amz-security-token",
    "x-amz-user-agent",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-decoded-content-length",
    "x-amz-trailer",
    "x-amz-te",
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-metadata-directive",
    "x-amz-copy-source",
    "x-amz-copy-source-if-",
    "x-amz-copy-source-range",
    "x-amz-expected-bucket-owner",
    "x-amz-source-expected-bucket-owner",
    "x-amz-request-payer",
    "x-amz-object-attributes",
    "x-amz-optional-object-attributes",
    "x-amz-max-parts",
    "x-amz-part-number-marker",
    "x-amz-mp-object-size",
    "x-amz-object-ownership",
    "x-amz-bypass-governance-retention",
    "x-amz-confirm-remove-self-bucket-access",
    "x-amz-skip-destination-validation",
    "x-amz-transition-default-minimum-object-size",
    "x-amz-if-match-initiated-time",
    "x-amz-cf-id",
    "x-amz-server-side-encryption", /* s3_check_encryption() */
};

static int is_known_header(const char *name)
{
    for (size_t i = 0; i < sizeof known_headers / sizeof *known_headers; i++) {
        size_t length = strlen(known_headers[i]);
        int is_prefix = known_headers[i][length - 1] == '-';
        if (strncasecmp(name, known_headers[i], length) == 0 && (is_prefix || !name[length]))
            return 1;
    }
    return 0;
}

static int refuse_header(struct s3_request *r, const struct http_header *header)
{
    for (size_t i = 0; i < sizeof refused_headers / sizeof *refused_headers; i++) {
        const char *harmless = refused_headers[i].harmless;
        if (strcasecmp(header->name, refused_headers[i].name) != 0)
            continue;
        if (harmless && strcasecmp(header->value, harmless) == 0)
            return 0;
        s3_fail_not_offered(r, "header", refused_headers[i].name);
        return -1;
    }
    if (is_known_header(header->name))
        return 0;
    char name[128];
    snprintf(name, sizeof name, "%s", header->name);
    s3_fail_not_offered(r, "header", name);
    return -1;
}

static int is_listed(const char *words, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = words ? words : ""; *p;) {
        p += strspn(p, " ");
        size_t size = strcspn(p, " ");
        if (size == length && memcmp(p, name, size) == 0)
            return 1;
        p += size;
    }
    return 0;
}

/* The signature of a presigned request, and the SDKs' note of the operation. */
static int is_general(const char *name)
{
    static const char words[] = "X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires"
                                " X-Amz-SignedHeaders X-Amz-Signature X-Amz-Security-Token"
                                " X-Amz-Content-Sha256 X-Amz-User-Agent x-id";
    return is_listed(words, name);
}

/* What would make another operation of a request, though it comes with a value. */
static const char sub_resources[] =
    "abac accelerate acl analytics attributes cors delete encryption id intelligent-tiering"
    " inventory legal-hold lifecycle list-type location logging metadataConfiguration"
    " metadataInventoryTable metadataJournalTable metadataTable metrics notification object-lock"
    " ownershipControls partNumber policy policyStatus publicAccessBlock renameObject replication"
    " requestPayment restore retention select select-type session tagging torrent uploadId uploads"
    " versionId versioning versions website";

/* SDKs put headers of a presigned request into its query, where they count the same. */
static int hoist(struct s3_request *r, const char *name, const struct query_pair *pair)
{
    struct exchange *x = r->x;
    const char *value = exchange_decode(x, pair->value, pair->value_size, 1);
    struct http_header *all = arena_new(&x->arena, struct http_header, x->header_count + 1);
    if (!value || !all) {
        exchange_fail(x, "InvalidArgument", "The query parameter %s is malformed.", name);
        return -1;
    }
    memcpy(all, x->headers, x->header_count * sizeof *all);
    all[x->header_count++] = (struct http_header){name, value};
    x->headers = all;
    return 0;
}

static int check_parameters(struct s3_request *r)
{
    const char *own = r->operation ? r->operation->parameters : "";
    struct query_pair pair;
    for (const char *at = r->x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(r->x, pair.name, pair.name_size, 1);
        if (!name) {
            exchange_fail(r->x, "InvalidURI", "Couldn't parse the specified URI.");
            return -1;
        }
        if (is_general(name) || (own && is_listed(own, name)))
            continue;
        if (strncasecmp(name, "x-amz-", 6) == 0) {
            if (hoist(r, name, &pair) < 0)
                return -1;
            continue;
        }
        if (pair.value_size && !is_listed(sub_resources, name))
            continue; /* it changes nothing, on AWS either: a browser's redirect brings some */
        s3_fail_not_offered(r, "query parameter", name);
        return -1;
    }
    return 0;
}

/* AWS does not look at it with a form. */
static int check_owner(struct s3_request *r)
{
    if (r->operation && r->operation->run == s3_post_object)
        return 0;
    static const char *const names[] = {"x-amz-expected-bucket-owner",
                                        "x-amz-source-expected-bucket-owner"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *owner = exchange_header(r->x, names[i]);
        if (!owner || strcmp(owner, r->s3->cloud->account_id) == 0)
            continue;
        if (strlen(owner) == 12 && strspn(owner, "0123456789") == 12)
            exchange_fail(r->x, "AccessDenied", "Access Denied");
        else
            exchange_fail(r->x, "InvalidBucketOwnerAWSAccountID",
                          "The value of the expected bucket owner parameter must be an AWS account "
                          "ID");
        return -1;
    }
    return 0;
}

int s3_refuse_unknown(struct s3_request *r)
{
    if (r->operation && !r->operation->parameters) /* a preflight takes anything */
        return 0;
    if (*r->x->query && check_parameters(r) < 0)
        return -1;
    for (size_t i = 0; i < r->x->header_count; i++)
        if (strncasecmp(r->x->headers[i].name, "x-amz-", 6) == 0 &&
            refuse_header(r, &r->x->headers[i]) < 0)
            return -1;
    return s3_check_encryption(r) < 0 ? -1 : check_owner(r);
}
