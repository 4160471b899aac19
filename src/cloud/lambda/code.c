#include "cloud/lambda/code.h"

#include "cloud/lambda/configuration.h"
#include "cloud/lambda/image.h"
#include "cloud/lambda/zip.h"
#include "cloud/s3/fetch.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static int decode_base64(const char *text, size_t size, unsigned char **data, size_t *data_bytes,
                         struct err *err)
{
    if (size == 0)
        return err_set(err, ERR_INVALID, "Uploaded file must be a non-empty zip");
    if (size % 4 != 0 || size / 4 * 3 > ZIP_MAX_BYTES + 2)
        return err_set(err, size / 4 * 3 > ZIP_MAX_BYTES ? ERR_TOO_BIG : ERR_INVALID,
                       size / 4 * 3 > ZIP_MAX_BYTES
                           ? "The zip is larger than 52428800 bytes"
                           : "Could not unzip uploaded file. ZipFile is not base64");
    *data = malloc(size / 4 * 3);
    int decoded = *data ? EVP_DecodeBlock(*data, (const unsigned char *)text, (int)size) : -1;
    if (decoded < 0)
        return err_set(err, ERR_INVALID, "Could not unzip uploaded file. ZipFile is not base64");
    *data_bytes = (size_t)decoded - (text[size - 1] == '=') - (text[size - 2] == '=');
    return 0;
}

/* Which of the three the request has; a second one is one too many. */
static int check_sources(const json_t *request, struct err *err)
{
    const json_t *bucket = json_object_get(request, "S3Bucket");
    const json_t *key = json_object_get(request, "S3Key");
    int is_s3 = bucket || key;
    if (json_object_get(request, "ImageUri"))
        return err_set(err, ERR_INVALID,
                       "Please don't provide ImageUri when updating a function with packageType "
                       "Zip.");
    if (is_s3 && json_object_get(request, "ZipFile"))
        return err_set(err, ERR_INVALID,
                       "Please do not provide other FunctionCode parameters when providing a "
                       "ZipFile.");
    if (is_s3 && (json_string_length(bucket) == 0 || json_string_length(key) == 0))
        return err_set(err, ERR_INVALID, "Please provide both S3Bucket and S3Key.");
    return is_s3 || json_is_string(json_object_get(request, "ZipFile"))
               ? 0
               : err_set(err, ERR_INVALID, "Please provide a source for function code.");
}

/* Unpacks and notes it. NULL: the error is answered. */
static struct code *take_zip(struct lambda *lambda, struct exchange *x, const void *zip,
                             size_t size, json_t *record)
{
    struct err err = {0};
    char id[REGISTRY_ID_BYTES];
    struct code *code = registry_unpack(lambda->registry, zip, size, id, &err);
    if (code) {
        configuration_set_code(json_object_get(record, "Configuration"), zip, size);
        json_object_set_new(record, "Code", json_string(id));
        return code;
    }
    static const char words[] =
        "Could not unzip uploaded file. Please check your file, then try to upload again.";
    if (err.code == ERR_INVALID && size >= 4 && memcmp(zip, "PK\5\6", 4) == 0)
        err_set(&err, ERR_INVALID, "Uploaded file must be a non-empty zip");
    else if (err.code == ERR_INVALID && (size < 2 || memcmp(zip, "PK", 2) != 0))
        err_set(&err, ERR_INVALID, "%s", words);
    else if (err.code == ERR_INVALID)
        err_wrap(&err, "Could not unzip uploaded file. Please check your file, then try to "
                       "upload again");
    lambda_fail_err(x, &err);
    return NULL;
}

static struct code *take_inline(struct lambda *lambda, struct exchange *x, const json_t *request,
                                json_t *record)
{
    struct err err = {0};
    unsigned char *data = NULL;
    size_t size = 0;
    struct code *code = NULL;
    const json_t *zip = json_object_get(request, "ZipFile");
    if (decode_base64(json_string_value(zip), json_string_length(zip), &data, &size, &err) < 0)
        lambda_fail_err(x, &err);
    else
        code = take_zip(lambda, x, data, size, record);
    free(data);
    return code;
}

static void fail_s3(struct exchange *x, const struct s3_fetch *fetch)
{
    if (strcmp(fetch->code, "AccessDenied") == 0)
        exchange_fail(x, "AccessDeniedException",
                      "Your access has been denied by S3, please make sure your request "
                      "credentials have permission to GetObject for %s/%.1024s. S3 Error Code: "
                      "%s. S3 Error Message: %s",
                      fetch->bucket, fetch->key, fetch->code, fetch->message);
    else
        exchange_fail(x, "InvalidParameterValueException",
                      "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s",
                      fetch->code, fetch->message);
}

static struct code *take_fetched(struct lambda *lambda, struct exchange *x,
                                 const struct s3_fetch *fetch, json_t *record)
{
    if (fetch->code)
        fail_s3(x, fetch);
    else if (fetch->size > ZIP_MAX_UNPACKED_BYTES)
        exchange_fail(x, "InvalidParameterValueException",
                      "Unzipped size must be smaller than %zu bytes", ZIP_MAX_UNPACKED_BYTES);
    else
        return take_zip(lambda, x, fetch->data, fetch->size, record);
    return NULL;
}

/* Who creates the function reads the object, as on AWS. */
static struct code *take_s3(struct lambda *lambda, struct exchange *x, const json_t *request,
                            json_t *record)
{
    struct err err = {0};
    struct code *code = NULL;
    struct s3_fetch fetch = {.bucket = json_string_value(json_object_get(request, "S3Bucket")),
                             .key = json_string_value(json_object_get(request, "S3Key")),
                             .version =
                                 json_string_value(json_object_get(request, "S3ObjectVersion"))};
    if (s3_fetch(lambda->cloud, x, &fetch, &err) < 0)
        lambda_fail_err(x, &err);
    else
        code = take_fetched(lambda, x, &fetch, record);
    s3_fetch_close(&fetch);
    return code;
}

struct code *code_take(struct lambda *lambda, struct exchange *x, const json_t *request,
                       json_t *record)
{
    struct err err = {0};
    if (configuration_is_image(json_object_get(record, "Configuration")))
        return image_take(lambda, x, request, record);
    if (check_sources(request, &err) < 0) {
        lambda_fail_err(x, &err);
        return NULL;
    }
    return json_object_get(request, "ZipFile") ? take_inline(lambda, x, request, record)
                                               : take_s3(lambda, x, request, record);
}
