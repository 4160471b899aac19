#include "aws/sqs.h"

#include "base/buf.h"
#include "base/hex.h"
#include "base/utf8.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TYPE_CHARACTERS = 256, MD5_RAW_BYTES = 16 };

void sqs_md5(const void *data, size_t size, char out[SQS_MD5_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(data, size, digest, &length, EVP_md5(), NULL) != 1)
        memset(digest, 0, sizeof digest);
    hex_encode(digest, MD5_RAW_BYTES, out);
}

void sqs_sha256(const void *data, size_t size, char out[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(data, size, digest, &length, EVP_sha256(), NULL) != 1)
        memset(digest, 0, sizeof digest);
    hex_encode(digest, 32, out);
}

/* -- base64, strict -- */

/* Appends the bytes. -1 when the text is no base64. */
static int append_base64(struct buf *out, const char *text)
{
    size_t size = strlen(text);
    if (size % 4 || buf_reserve(out, size) < 0)
        return -1;
    if (!size)
        return 0;
    int got = EVP_DecodeBlock((unsigned char *)out->data + out->size, (const unsigned char *)text,
                              (int)size);
    size_t pad = text[size - 1] == '=' ? 1 + (text[size - 2] == '=') : 0;
    if (got < 0 || (size_t)got < pad)
        return -1;
    out->size += (size_t)got - pad;
    out->data[out->size] = 0;
    return 0;
}

/* -- digest -- */

static void append_sized(struct buf *out, const char *data, size_t size)
{
    unsigned char length[4] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16),
                               (unsigned char)(size >> 8), (unsigned char)size};
    buf_append(out, length, sizeof length);
    buf_append(out, data, size);
}

static int append_value(struct buf *out, const json_t *attribute)
{
    const char *text = json_string_value(json_object_get(attribute, "StringValue"));
    const char *binary = json_string_value(json_object_get(attribute, "BinaryValue"));
    struct buf bytes;
    if (text) {
        buf_append(out, "\1", 1);
        append_sized(out, text, strlen(text));
        return 0;
    }
    buf_init(&bytes, SQS_MAX_MESSAGE_BYTES * 2);
    int result = binary ? append_base64(&bytes, binary) : -1;
    if (result == 0) {
        buf_append(out, "\2", 1);
        append_sized(out, bytes.data ? bytes.data : "", bytes.size);
    }
    buf_finish(&bytes);
    return result;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in order; free() them. */
static const char **sorted_names(const json_t *attributes)
{
    const char **names = calloc(json_object_size(attributes) + 1, sizeof *names);
    const char *name;
    json_t *value;
    size_t count = 0;
    if (!names)
        return NULL;
    json_object_foreach((json_t *)attributes, name, value)
    {
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, compare_names);
    return names;
}

int sqs_attributes_md5(const json_t *attributes, char out[SQS_MD5_BYTES])
{
    struct buf text;
    const char **names = sorted_names(attributes);
    int result = names ? 0 : -1;
    buf_init(&text, SQS_MAX_MESSAGE_BYTES * 2);
    for (size_t i = 0; result == 0 && names[i]; i++) {
        const json_t *attribute = json_object_get(attributes, names[i]);
        const char *type = json_string_value(json_object_get(attribute, "DataType"));
        append_sized(&text, names[i], strlen(names[i]));
        append_sized(&text, type ? type : "", type ? strlen(type) : 0);
        result = append_value(&text, attribute);
    }
    if (text.failed)
        result = -1;
    if (result == 0)
        sqs_md5(text.data ? text.data : "", text.size, out);
    buf_finish(&text);
    free(names);
    return result;
}

/* -- checks -- */

int sqs_text_is_valid(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const unsigned char *p = (const unsigned char *)text + at;
        size_t length = utf8_length(text + at, size - at);
        if (!length || (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n' && p[0] != '\r'))
            return 0;
        if (p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE) /* U+FFFE, U+FFFF */
            return 0;
        at += length;
    }
    return 1;
}

static int has_prefix(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static int check_name(const char *name, struct err *err)
{
    size_t size = strlen(name);
    if (!size || size > SQS_MAX_NAME_CHARACTERS)
        return err_set(err, ERR_INVALID,
                       "Length of message attribute name must be between 1 and %d bytes.",
                       SQS_MAX_NAME_CHARACTERS);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_-.", name[i]))
            return err_set(err, ERR_INVALID,
                           "Message (user) attribute name '%.200s' is invalid. The attribute name "
                           "can contain alphanumeric characters, underscore (_), hyphen (-) and "
                           "period (.).",
                           name);
    if (has_prefix(name, "AWS.") || has_prefix(name, "Amazon.") || name[0] == '.' ||
        name[size - 1] == '.' || strstr(name, ".."))
        return err_set(err, ERR_INVALID,
                       "Message (user) attribute name '%.200s' is invalid. A name must not start "
                       "with 'AWS.' or 'Amazon.', must not start or end with a period, and must "
                       "not have periods in succession.",
                       name);
    return 0;
}

/* Decimal digits with an optional fraction and exponent. */
static int is_number(const char *text)
{
    char *end;
    if (!*text || strlen(text) > 200 || text[strspn(text, "0123456789+-.eE")])
        return 0;
    strtod(text, &end);
    return !*end;
}

static int is_type(const char *type, const char *base)
{
    size_t size = strlen(base);
    return strncmp(type, base, size) == 0 && (!type[size] || type[size] == '.');
}

static int check_type(const char *name, const char *type, struct err *err)
{
    if (!type || !*type)
        return err_set(err, ERR_INVALID,
                       "The message attribute '%.200s' must contain a non-empty message attribute "
                       "type.",
                       name);
    if (strlen(type) > MAX_TYPE_CHARACTERS)
        return err_set(err, ERR_INVALID,
                       "Length of message attribute type must be less than %d bytes.",
                       MAX_TYPE_CHARACTERS);
    if (!is_type(type, "String") && !is_type(type, "Number") && !is_type(type, "Binary"))
        return err_set(err, ERR_INVALID,
                       "The message attribute '%.200s' has an invalid message attribute type, the "
                       "set of supported type prefixes is Binary, Number, and String.",
                       name);
    return 0;
}

static int check_value(const char *name, const json_t *attribute, struct err *err)
{
    const char *type = json_string_value(json_object_get(attribute, "DataType"));
    int is_binary = is_type(type, "Binary");
    const char *text =
        json_string_value(json_object_get(attribute, is_binary ? "BinaryValue" : "StringValue"));
    struct buf bytes;
    if (json_object_get(attribute, "StringListValues") ||
        json_object_get(attribute, "BinaryListValues"))
        return err_set(err, ERR_INVALID,
                       "Message attribute list values in SendMessage operation are not supported.");
    if (!text || !*text)
        return err_set(err, ERR_INVALID,
                       "Message (user) attribute '%.200s' must contain a non-empty value of type "
                       "'%.32s'.",
                       name, type);
    if (is_type(type, "Number") && !is_number(text))
        return err_set(err, ERR_INVALID,
                       "Can't cast the value of message (user) attribute '%.200s' to a number.",
                       name);
    if (!is_binary)
        return sqs_text_is_valid(text, strlen(text))
                   ? 0
                   : err_set(err, ERR_INVALID,
                             "Invalid characters found in the message attribute '%.200s'.", name);
    buf_init(&bytes, SQS_MAX_MESSAGE_BYTES * 2);
    int result = append_base64(&bytes, text);
    buf_finish(&bytes);
    return result == 0 ? 0
                       : err_set(err, ERR_INVALID,
                                 "The value of message attribute '%.200s' is not base64.", name);
}

int sqs_attributes_check(const json_t *attributes, size_t limit, struct err *err)
{
    const char *name;
    json_t *attribute;
    if (!attributes || json_is_null(attributes))
        return 0;
    if (!json_is_object(attributes))
        return err_set(err, ERR_INVALID, "The message attributes are no map.");
    if (limit && json_object_size(attributes) > limit)
        return err_set(err, ERR_INVALID,
                       "Number of message attributes [%zu] exceeds the allowed maximum [%zu].",
                       json_object_size(attributes), limit);
    json_object_foreach((json_t *)attributes, name, attribute)
    {
        const char *type = json_string_value(json_object_get(attribute, "DataType"));
        if (check_name(name, err) < 0 || check_type(name, type, err) < 0 ||
            check_value(name, attribute, err) < 0)
            return -1;
    }
    return 0;
}

size_t sqs_attributes_bytes(const json_t *attributes)
{
    const char *name;
    json_t *attribute;
    size_t sum = 0;
    json_object_foreach((json_t *)attributes, name, attribute)
    {
        const char *binary = json_string_value(json_object_get(attribute, "BinaryValue"));
        size_t size = binary ? strlen(binary) : 0;
        sum += strlen(name) + json_string_length(json_object_get(attribute, "DataType")) +
               json_string_length(json_object_get(attribute, "StringValue")) + size / 4 * 3;
        if (size && binary[size - 1] == '=')
            sum -= 1 + (binary[size - 2] == '=');
    }
    return sum;
}
