#include "nn/import/onnx_parser.h"

#include "nn/format.h"
#include "nn/import/external.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tensors of an ONNX file: in raw bytes, or in a field for each type. */

/* Field numbers of onnx.proto3. */
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S,
    TENSOR_INT64S = 7,
    TENSOR_NAME,
    TENSOR_RAW,
    TENSOR_DOUBLES,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION,
    ENTRY_KEY = 1,
    ENTRY_VALUE
};
enum {
    TYPE_FLOAT = 1,
    TYPE_INT32 = 6,
    TYPE_INT64 = 7,
    TYPE_BOOL = 9,
    TYPE_FLOAT16 = 10,
    TYPE_DOUBLE = 11
};

static int check_count(struct onnx_parser *p, struct onnx_tensor *tensor)
{
    tensor->count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] < 0 || tensor->dims[i] > MODEL_MAX_SIDE)
            return err_set(p->err, ERR_TOO_BIG, "tensor %s: dimension %lld is not 0 to %d",
                           tensor->name, (long long)tensor->dims[i], MODEL_MAX_SIDE);
        tensor->count *= (size_t)tensor->dims[i];
        if (tensor->count > MODEL_MAX_FLOATS)
            return err_set(p->err, ERR_TOO_BIG, "tensor %s: more than %d numbers", tensor->name,
                           MODEL_MAX_FLOATS);
    }
    return 0;
}

struct tensor_data {
    int64_t type;
    struct wire raw;
    int has_raw, is_external;
    struct external external;
};

/* One of "location", "offset" and "length", with its value as text. */
static int read_external(struct onnx_parser *p, struct wire in, struct external *external)
{
    struct wire_field field;
    const char *key = "", *value = "";
    int found;
    while ((found = wire_next(&in, &field)) == 1) {
        if (field.number == ENTRY_KEY)
            key = onnx_copy_text(p, &field);
        else if (field.number == ENTRY_VALUE)
            value = onnx_copy_text(p, &field);
        if (!key || !value)
            return -1;
    }
    if (found < 0)
        return -1;
    char *end = NULL;
    errno = 0;
    if (strcmp(key, "location") == 0) {
        external->location = value;
        return 0;
    }
    if (strcmp(key, "offset") != 0 && strcmp(key, "length") != 0)
        return 0; /* a checksum, that nobody writes */
    uint64_t number = strtoull(value, &end, 10);
    if (errno || end == value || *end || *value == '-')
        return -1;
    if (strcmp(key, "offset") == 0)
        external->offset = number;
    else
        *external = (struct external){external->location, external->offset, number, 1};
    return 0;
}

/* First pass over a tensor: everything but its numbers. */
static int read_tensor_head(struct onnx_parser *p, struct wire in, struct onnx_tensor *tensor,
                            struct tensor_data *data)
{
    struct wire_field field;
    long rank = 0;
    int found;
    while ((found = wire_next(&in, &field)) == 1) {
        if (field.number == TENSOR_DIMS)
            rank = onnx_take_ints(&field, tensor->dims, rank, IMPORT_MAX_RANK);
        else if (field.number == TENSOR_TYPE)
            data->type = (int64_t)field.value;
        else if (field.number == TENSOR_NAME)
            tensor->name = onnx_copy_text(p, &field);
        else if (field.number == TENSOR_LOCATION)
            data->is_external = field.value != 0;
        else if (field.number == TENSOR_EXTERNAL && field.type == WIRE_BYTES) {
            if (read_external(p, field.bytes, &data->external) < 0)
                return onnx_damaged(p, "tensor");
        } else if (field.number == TENSOR_RAW && field.type == WIRE_BYTES) {
            data->raw = field.bytes;
            data->has_raw = 1;
        }
        if (rank < 0 || !tensor->name)
            return onnx_damaged(p, "tensor");
    }
    if (found < 0)
        return onnx_damaged(p, "tensor");
    tensor->rank = (int)rank;
    return check_count(p, tensor);
}

/* IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
static float half_to_float(uint16_t half)
{
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    float x;
    if (exponent == 31)
        x = fraction ? NAN : INFINITY;
    else if (exponent)
        x = ldexpf((float)(1024 + fraction), (int)exponent - 25);
    else
        x = ldexpf((float)fraction, -24);
    return half >> 15 ? -x : x;
}

static size_t item_bytes(int64_t type)
{
    switch (type) {
    case TYPE_INT64:
    case TYPE_DOUBLE:
        return 8;
    case TYPE_FLOAT16:
        return 2;
    case TYPE_BOOL:
        return 1;
    default:
        return 4;
    }
}

static void unpack_item(struct onnx_tensor *tensor, size_t i, int64_t type, const unsigned char *at)
{
    int32_t narrow;
    uint16_t half;
    double wide;
    switch (type) {
    case TYPE_FLOAT:
        memcpy(&tensor->floats[i], at, sizeof tensor->floats[i]);
        break;
    case TYPE_FLOAT16:
        memcpy(&half, at, sizeof half);
        tensor->floats[i] = half_to_float(half);
        break;
    case TYPE_DOUBLE:
        memcpy(&wide, at, sizeof wide);
        tensor->floats[i] = (float)wide;
        break;
    case TYPE_INT64:
        memcpy(&tensor->ints[i], at, sizeof tensor->ints[i]);
        break;
    case TYPE_BOOL:
        tensor->ints[i] = *at != 0;
        break;
    default:
        memcpy(&narrow, at, sizeof narrow);
        tensor->ints[i] = narrow;
    }
}

static int unpack_raw(struct onnx_parser *p, struct onnx_tensor *tensor,
                      const struct tensor_data *data)
{
    size_t item = item_bytes(data->type);
    if (wire_size(&data->raw) != tensor->count * item)
        return err_set(p->err, ERR_INVALID, "tensor %s: %zu bytes of numbers for %zu numbers",
                       tensor->name, wire_size(&data->raw), tensor->count);
    for (size_t i = 0; i < tensor->count; i++)
        unpack_item(tensor, i, data->type, data->raw.at + i * item);
    return 0;
}

long onnx_take_floats(const struct wire_field *field, float *out, long count, size_t most)
{
    if (field->type == WIRE_FIXED32 && (size_t)count < most) {
        uint32_t bits = (uint32_t)field->value;
        memcpy(&out[count], &bits, sizeof bits);
        return count + 1;
    }
    size_t size = wire_size(&field->bytes), items = size / sizeof *out;
    if (field->type != WIRE_BYTES || size % sizeof *out || items > most - (size_t)count)
        return -1;
    if (size)
        memcpy(out + count, field->bytes.at, size);
    return count + (long)items;
}

/* Numbers in a file beside this one. */
static int unpack_external(struct onnx_parser *p, struct onnx_tensor *tensor,
                           struct tensor_data *data)
{
    size_t size = tensor->count * item_bytes(data->type);
    if (!p->path || !data->external.location)
        return err_set(p->err, ERR_UNSUPPORTED,
                       "tensor %s: its numbers are in another file; save the network as one file",
                       tensor->name);
    if (data->external.has_bytes && data->external.bytes != size)
        return err_set(p->err, ERR_INVALID, "tensor %s: %llu bytes of numbers for %zu numbers",
                       tensor->name, (unsigned long long)data->external.bytes, tensor->count);
    unsigned char *bytes = arena_new(p->arena, unsigned char, size + 1);
    if (!bytes)
        return onnx_no_memory(p);
    if (external_read(&data->external, p->path, bytes, size, p->err) < 0)
        return err_wrap(p->err, "tensor %s", tensor->name);
    p->external_checksum = p->external_checksum * 31 + model_checksum(bytes, size);
    data->raw = (struct wire){bytes, bytes + size};
    return unpack_raw(p, tensor, data);
}

/* Appends one double_data field, packed or a single number. */
static long take_doubles(const struct wire_field *field, struct onnx_tensor *tensor, long count)
{
    const unsigned char *at = field->bytes.at;
    size_t size = wire_size(&field->bytes), item = item_bytes(TYPE_DOUBLE);
    if (field->type == WIRE_FIXED64) {
        at = (const unsigned char *)&field->value;
        size = item;
    } else if (field->type != WIRE_BYTES) {
        return -1;
    }
    if (size % item || size / item > tensor->count - (size_t)count)
        return -1;
    for (size_t i = 0; i < size / item; i++)
        unpack_item(tensor, (size_t)count + i, TYPE_DOUBLE, at + i * item);
    return count + (long)(size / item);
}

/* int32_data of a float16 tensor: the bits of one number each. */
static int halves_from_bits(struct onnx_parser *p, struct wire in, struct onnx_tensor *tensor)
{
    struct wire_field field;
    long count = 0;
    int64_t *bits = arena_new(p->arena, int64_t, tensor->count + 1);
    if (!bits)
        return onnx_no_memory(p);
    while (count >= 0 && wire_next(&in, &field) == 1)
        if (field.number == TENSOR_INT32S)
            count = onnx_take_ints(&field, bits, count, (long)tensor->count);
    for (long i = 0; i < count; i++)
        tensor->floats[i] = half_to_float((uint16_t)bits[i]);
    return count == (long)tensor->count ? 0 : onnx_damaged(p, tensor->name);
}

/* Second pass: the numbers from float_data, double_data, int32_data or int64_data. */
static int unpack_fields(struct onnx_parser *p, struct wire in, struct onnx_tensor *tensor)
{
    struct wire_field field;
    long count = 0;
    while (wire_next(&in, &field) == 1) {
        if (field.number == TENSOR_FLOATS && tensor->floats)
            count = onnx_take_floats(&field, tensor->floats, count, tensor->count);
        else if (field.number == TENSOR_DOUBLES && tensor->floats)
            count = take_doubles(&field, tensor, count);
        else if ((field.number == TENSOR_INT32S || field.number == TENSOR_INT64S) && tensor->ints)
            count = onnx_take_ints(&field, tensor->ints, count, (long)tensor->count);
        if (count < 0)
            break;
    }
    if (count != (long)tensor->count)
        return err_set(p->err, ERR_INVALID, "tensor %s: has not the %zu numbers of its shape",
                       tensor->name, tensor->count);
    return 0;
}

int onnx_read_tensor(struct onnx_parser *p, struct wire in, struct onnx_tensor *tensor)
{
    struct tensor_data data = {0};
    *tensor = (struct onnx_tensor){.name = ""};
    if (read_tensor_head(p, in, tensor, &data) < 0)
        return -1;
    if (!data.is_external && tensor->count > wire_size(&in)) /* a number takes a byte at least */
        return err_set(p->err, ERR_INVALID, "tensor %s: has not the %zu numbers of its shape",
                       tensor->name, tensor->count);
    if (data.type == TYPE_FLOAT || data.type == TYPE_FLOAT16 || data.type == TYPE_DOUBLE)
        tensor->floats = arena_new(p->arena, float, tensor->count + 1);
    else if (data.type == TYPE_INT64 || data.type == TYPE_INT32 || data.type == TYPE_BOOL)
        tensor->ints = arena_new(p->arena, int64_t, tensor->count + 1);
    else
        return err_set(
            p->err, ERR_UNSUPPORTED,
            "tensor %s: ONNX data type %lld; ken reads float32, float16, double, int32, int64 "
            "and bool",
            tensor->name, (long long)data.type);
    if (!tensor->floats && !tensor->ints)
        return onnx_no_memory(p);
    if (data.is_external)
        return unpack_external(p, tensor, &data);
    if (data.has_raw)
        return unpack_raw(p, tensor, &data);
    return data.type == TYPE_FLOAT16 ? halves_from_bits(p, in, tensor)
                                     : unpack_fields(p, in, tensor);
}
