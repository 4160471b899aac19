#include "cloud/cbor.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };
enum { INDEFINITE = 31, BREAK = 0xff };

struct reader {
    const unsigned char *at, *end;
    int depth, values;
    struct err *err;
};

static json_t *refuse(struct reader *r, const char *why)
{
    err_set(r->err, ERR_INVALID, "read CBOR: %s", why);
    return NULL;
}

static json_t *read_value(struct reader *r);

/* The argument behind an initial byte; -1 when it is cut short or no number. */
static int read_argument(struct reader *r, int info, uint64_t *out)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    if (info < 24) {
        *out = (uint64_t)info;
        return 0;
    }
    if (info > 27 || (size_t)(r->end - r->at) < sizes[info - 24]) {
        refuse(r, "cut short");
        return -1;
    }
    *out = 0;
    for (size_t i = 0; i < sizes[info - 24]; i++)
        *out = *out << 8 | *r->at++;
    return 0;
}

static int at_break(struct reader *r)
{
    if (r->at == r->end || *r->at != BREAK)
        return 0;
    r->at++;
    return 1;
}

static json_t *text_value(struct reader *r, const char *text, size_t size)
{
    json_t *json = json_stringn(text, size);
    return json ? json : refuse(r, "text that is not UTF-8");
}

/* Text in pieces, up to a break. */
static json_t *read_pieces(struct reader *r)
{
    struct buf text;
    uint64_t size;
    json_t *json = NULL;
    buf_init(&text, (size_t)(r->end - r->at));
    while (!at_break(r)) {
        if (r->at == r->end || *r->at >> 5 != TEXT || (*r->at & 31) == INDEFINITE) {
            refuse(r, "wrong piece of text");
            goto out;
        }
        int info = *r->at++ & 31;
        if (read_argument(r, info, &size) < 0)
            goto out;
        if (size > (uint64_t)(r->end - r->at) || buf_append(&text, r->at, (size_t)size) < 0) {
            refuse(r, "cut short");
            goto out;
        }
        r->at += size;
    }
    json = text_value(r, text.data ? text.data : "", text.size);
out:
    buf_finish(&text);
    return json;
}

static json_t *read_text(struct reader *r, int info)
{
    uint64_t size;
    if (info == INDEFINITE)
        return read_pieces(r);
    if (read_argument(r, info, &size) < 0)
        return NULL;
    if (size > (uint64_t)(r->end - r->at))
        return refuse(r, "cut short");
    const char *text = (const char *)r->at;
    r->at += size;
    return text_value(r, text, (size_t)size);
}

static json_t *read_array(struct reader *r, int info)
{
    uint64_t left = UINT64_MAX;
    if (info != INDEFINITE && read_argument(r, info, &left) < 0)
        return NULL;
    json_t *array = json_array();
    while (left && !(info == INDEFINITE && at_break(r))) {
        json_t *element = read_value(r);
        if (!element || json_array_append_new(array, element) < 0) {
            json_decref(array);
            return NULL;
        }
        left--;
    }
    return array;
}

static int read_member(struct reader *r, json_t *object)
{
    if (r->at == r->end || *r->at >> 5 != TEXT) {
        refuse(r, "a key that is no text");
        return -1;
    }
    int info = *r->at++ & 31;
    json_t *key = read_text(r, info);
    json_t *value = key ? read_value(r) : NULL;
    int result = value ? json_object_set_new(object, json_string_value(key), value) : -1;
    json_decref(key);
    if (value && result < 0)
        refuse(r, "wrong key");
    return result;
}

static json_t *read_map(struct reader *r, int info)
{
    uint64_t left = UINT64_MAX;
    if (info != INDEFINITE && read_argument(r, info, &left) < 0)
        return NULL;
    json_t *object = json_object();
    while (left && !(info == INDEFINITE && at_break(r))) {
        if (read_member(r, object) < 0) {
            json_decref(object);
            return NULL;
        }
        left--;
    }
    return object;
}

static double half_value(uint64_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = (double)(bits & 1023);
    double value = exponent == 0    ? ldexp(fraction, -24)
                   : exponent != 31 ? ldexp(fraction + 1024, exponent - 25)
                   : fraction != 0  ? (double)NAN
                                    : (double)INFINITY;
    return bits & 0x8000 ? -value : value;
}

static json_t *read_float(struct reader *r, int info)
{
    uint64_t bits;
    double value;
    if (read_argument(r, info, &bits) < 0)
        return NULL;
    if (info == 25) {
        value = half_value(bits);
    } else if (info == 26) {
        uint32_t single = (uint32_t)bits;
        float narrow;
        memcpy(&narrow, &single, sizeof narrow);
        value = (double)narrow;
    } else {
        memcpy(&value, &bits, sizeof value);
    }
    return isfinite(value) ? json_real(value) : refuse(r, "a number that is not finite");
}

static json_t *read_simple(struct reader *r, int info)
{
    switch (info) {
    case 20:
        return json_false();
    case 21:
        return json_true();
    case 22:
    case 23:
        return json_null();
    case 25:
    case 26:
    case 27:
        return read_float(r, info);
    default:
        return refuse(r, "an unknown simple value");
    }
}

static json_t *read_integer(struct reader *r, int major, int info)
{
    uint64_t value;
    if (read_argument(r, info, &value) < 0)
        return NULL;
    if (value > INT64_MAX)
        return refuse(r, "an integer past 63 bits");
    return json_integer(major == NEGATIVE ? -1 - (json_int_t)value : (json_int_t)value);
}

static json_t *read_typed(struct reader *r, int major, int info)
{
    uint64_t tag;
    switch (major) {
    case UNSIGNED:
    case NEGATIVE:
        return read_integer(r, major, info);
    case TEXT:
        return read_text(r, info);
    case ARRAY:
        return read_array(r, info);
    case MAP:
        return read_map(r, info);
    case TAG:
        return read_argument(r, info, &tag) < 0 ? NULL : read_value(r);
    case SIMPLE:
        return read_simple(r, info);
    default:
        return refuse(r, "a byte string");
    }
}

static json_t *read_value(struct reader *r)
{
    if (r->at == r->end)
        return refuse(r, "cut short");
    if (++r->values > CBOR_MAX_VALUES)
        return refuse(r, "too many values");
    if (r->depth == CBOR_MAX_DEPTH)
        return refuse(r, "nested too deeply");
    int major = *r->at >> 5, info = *r->at & 31;
    r->at++;
    r->depth++;
    json_t *json = read_typed(r, major, info);
    r->depth--;
    return json;
}

json_t *cbor_read(const void *data, size_t size, struct err *err)
{
    const unsigned char *bytes = data;
    struct reader reader = {.at = bytes, .end = bytes + size, .err = err};
    json_t *json = read_value(&reader);
    if (json && reader.at != reader.end) {
        json_decref(json);
        return refuse(&reader, "something behind the value");
    }
    return json;
}

static void write_head(struct buf *out, int major, uint64_t argument)
{
    unsigned char bytes[9];
    int size = argument < 24      ? 0
               : argument < 256   ? 1
               : argument < 65536 ? 2
               : argument >> 32   ? 8
                                  : 4;
    int info = size == 0 ? (int)argument : size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27;
    bytes[0] = (unsigned char)(major << 5 | info);
    for (int i = 0; i < size; i++)
        bytes[1 + i] = (unsigned char)(argument >> (8 * (size - 1 - i)));
    buf_append(out, bytes, 1 + (size_t)size);
}

static void write_float(struct buf *out, double value)
{
    unsigned char bytes[9] = {SIMPLE << 5 | 27};
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (unsigned char)(bits >> (56 - 8 * i));
    buf_append(out, bytes, sizeof bytes);
}

static void write_text(struct buf *out, const char *text, size_t size)
{
    write_head(out, TEXT, size);
    buf_append(out, text, size);
}

/* "Timestamp", "StateUpdatedTimestamp", "Timestamps". */
static int is_time(const char *key)
{
    const char *at = strstr(key, "Timestamp");
    return at && (!strcmp(at, "Timestamp") || !strcmp(at, "Timestamps"));
}

static void write_value(struct buf *out, const json_t *json, int is_time);

static void write_object(struct buf *out, const json_t *json)
{
    const char *key;
    json_t *value;
    write_head(out, MAP, json_object_size(json));
    json_object_foreach((json_t *)json, key, value)
    {
        write_text(out, key, strlen(key));
        write_value(out, value, is_time(key));
    }
}

static void write_value(struct buf *out, const json_t *json, int is_time)
{
    size_t i;
    json_t *element;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(out, json);
        break;
    case JSON_ARRAY:
        write_head(out, ARRAY, json_array_size(json));
        json_array_foreach(json, i, element)
        {
            write_value(out, element, is_time);
        }
        break;
    case JSON_STRING:
        write_text(out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        if (is_time)
            write_head(out, TAG, 1);
        if (is_time || json_is_real(json))
            write_float(out, json_number_value(json));
        else if (json_integer_value(json) < 0)
            write_head(out, NEGATIVE, (uint64_t)(-1 - json_integer_value(json)));
        else
            write_head(out, UNSIGNED, (uint64_t)json_integer_value(json));
        break;
    default:
        buf_append(out, json_is_true(json) ? "\xf5" : json_is_false(json) ? "\xf4" : "\xf6", 1);
    }
}

void cbor_write(struct buf *out, const json_t *json)
{
    write_value(out, json, 0);
}
