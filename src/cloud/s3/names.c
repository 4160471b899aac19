#include "base/utf8.h"
#include "cloud/auth_s3_v2.h"
#include "cloud/errors.h"
#include "cloud/query.h"
#include "cloud/s3/s3.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* Bucket names and keys, and where a request names them. */

static int is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
int s3_bucket_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    struct in_addr address;
    if (length < 3 || length > 63 || !is_label_char(name[0]) || !is_label_char(name[length - 1]))
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (!is_label_char(name[i]) && name[i] != '-' && name[i] != '.')
            return 0;
        if (name[i] == '.' && (!is_label_char(name[i + 1]) || !is_label_char(name[i - 1])))
            return 0;
    }
    if (inet_pton(AF_INET, name, &address) == 1 || strncmp(name, "xn--", 4) == 0 ||
        strncmp(name, "sthree-", 7) == 0 || strncmp(name, "amzn-s3-demo-", 13) == 0)
        return 0;
    if (length > 8 && strcmp(name + length - 8, "-s3alias") == 0)
        return 0;
    return !(length > 7 && strcmp(name + length - 7, "--ol-s3") == 0);
}

/* Buckets of us-east-1 were once called so: any other name can be nobody's. */
static int is_possible_bucket(const char *name)
{
    size_t length = strlen(name);
    if (length < 3 || length > 255)
        return 0;
    for (const char *p = name; *p; p++)
        if (!is_label_char(*p) && !(*p >= 'A' && *p <= 'Z') && !strchr("-._", *p))
            return 0;
    return 1;
}

static int check_key(struct s3_request *r)
{
    if (!r->key || !utf8_is_valid(r->key))
        exchange_fail(r->x, "InvalidURI", "Couldn't parse the specified URI.");
    else if (strlen(r->key) > S3_MAX_KEY_BYTES)
        s3_fail_long_key(r, strlen(r->key));
    else
        return 0;
    return -1;
}

int s3_address(struct s3_request *r)
{
    struct exchange *x = r->x;
    const char *rest = x->path + 1;
    r->bucket = auth_s3_host_bucket(x);
    if (!r->bucket && *rest) {
        size_t size = strcspn(rest, "/");
        r->bucket = exchange_decode(x, rest, size, 0);
        rest += size;
        rest += *rest == '/';
        if (!r->bucket || !is_possible_bucket(r->bucket)) {
            exchange_fail_more(x, "InvalidBucketName", "BucketName", r->bucket,
                               "The specified bucket is not valid.");
            return -1;
        }
    }
    if (!r->bucket || !*rest)
        return 0;
    r->key = exchange_decode(x, rest, strlen(rest), 0);
    return check_key(r);
}
