#include "cloud/dynamodb/value.h"

#include <string.h>
#include <strings.h>

/* JSON types inside attribute values, in the words of AWS's parser. */

static int wrong(struct err *err, const char *text)
{
    return err_set(err, ERR_CORRUPT, "%s", text);
}

static const char *token(const json_t *json)
{
    return json_is_true(json)      ? "TRUE_VALUE"
           : json_is_false(json)   ? "FALSE_VALUE"
           : json_is_string(json)  ? "STRING_VALUE"
           : json_is_integer(json) ? "NUMBER_VALUE"
                                   : "DECIMAL_VALUE";
}

static int wrong_scalar(const json_t *json, const char *wanted, struct err *err)
{
    if (json_is_array(json))
        return err_set(err, ERR_CORRUPT, "Unrecognized collection type class java.lang.%s", wanted);
    if (json_is_object(json))
        return wrong(err, "Start of structure or map found where not expected");
    return err_set(err, ERR_CORRUPT, "%s cannot be converted to %s", token(json), wanted);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static long decode(const char *text, size_t size, unsigned char *out)
{
    size_t padding = size && text[size - 1] == '=' ? (text[size - 2] == '=' ? 2 : 1) : 0;
    size_t made = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = i >= size - padding ? 0 : base64_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        unsigned char three[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                                  (unsigned char)bits};
        size_t left = i + 1 == size ? 3 - padding : 3;
        for (size_t j = left; j < 3; j++)
            if (three[j])
                return -1;
        if (out)
            memcpy(out + made, three, left);
        made += left;
    }
    return (long)made;
}

long value_decode(const json_t *json, unsigned char *out, struct err *err)
{
    size_t size = json_string_length(json);
    if (size % 4)
        return err_set(err, ERR_CORRUPT,
                       "Base64 encoded length is expected a multiple of 4 bytes but found: %zu",
                       size);
    long made = decode(json_string_value(json), size, out);
    return made >= 0 ? made
                     : err_set(err, ERR_CORRUPT, "Invalid last non-pad Base64 character dectected");
}

static int check_binary(const json_t *json, struct err *err)
{
    if (json_is_array(json))
        return wrong(err, "Unrecognized collection type class java.nio.ByteBuffer");
    if (json_is_object(json))
        return wrong(err, "Start of structure or map found where not expected");
    if (!json_is_string(json))
        return wrong(err, "only base-64-encoded strings are convertible to bytes");
    return value_decode(json, NULL, err) < 0 ? -1 : 0;
}

int value_boolean(const json_t *json)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes"};
    const char *text = json_string_value(json);
    for (int i = 0; text && i < (int)(sizeof words / sizeof *words); i++)
        if (!strcasecmp(text, words[i]))
            return i % 2;
    return json_is_boolean(json) ? json_is_true(json) : -1;
}

static int check_boolean(const json_t *json, struct err *err)
{
    if (value_boolean(json) >= 0)
        return 0;
    return json_is_string(json) ? wrong(err, "Unexpected token received from parser")
                                : wrong_scalar(json, "Boolean", err);
}

static int check_map(const json_t *json, struct err *err)
{
    if (json_is_array(json))
        return wrong(err, "Unrecognized collection type java.util.Map<java.lang.String, "
                          "com.amazonaws.dynamodb.v20120810.AttributeValue>");
    if (!json_is_object(json))
        return wrong(err, "Unexpected field type");
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at))
        if (value_check_types(json_object_iter_value(at), 0, err) < 0)
            return -1;
    return 0;
}

static int check_content(enum value_type type, const json_t *json, struct err *err);

static int check_list(enum value_type type, const json_t *json, struct err *err)
{
    size_t i;
    json_t *element;
    if (!json_is_array(json))
        return wrong(err, json_is_object(json)
                              ? "Start of structure or map found where not expected"
                              : "Unexpected field type");
    json_array_foreach(json, i, element)
    {
        int result = type == VALUE_L ? value_check_types(element, 0, err)
                                     : check_content(value_element_type(type), element, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int check_content(enum value_type type, const json_t *json, struct err *err)
{
    switch (type) {
    case VALUE_BOOL:
    case VALUE_NULL:
        return check_boolean(json, err);
    case VALUE_S:
    case VALUE_N:
        return json_is_string(json) ? 0 : wrong_scalar(json, "String", err);
    case VALUE_B:
        return check_binary(json, err);
    case VALUE_M:
        return check_map(json, err);
    default:
        return check_list(type, json, err);
    }
}

int value_check_types(const json_t *json, int is_member, struct err *err)
{
    if (!json || json_is_null(json))
        return 0;
    if (json_is_array(json))
        return wrong(err, "Unrecognized collection type class "
                          "com.amazonaws.dynamodb.v20120810.AttributeValue");
    if (!json_is_object(json))
        return wrong(err, is_member ? "Unexpected field type" : "Unexpected value type in payload");
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *content = json_object_iter_value(at);
        int type = value_type_find(key, strlen(key));
        if (type >= 0 && !json_is_null(content) &&
            check_content((enum value_type)type, content, err) < 0)
            return -1;
    }
    return 0;
}
