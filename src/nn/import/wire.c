#include "nn/import/wire.h"

enum { MAX_FIELD_NUMBER = (1 << 29) - 1, VARINT_BITS = 64 };

int wire_varint(struct wire *in, uint64_t *value)
{
    *value = 0;
    if (in->at == in->end)
        return 0;
    for (int shift = 0; shift < VARINT_BITS; shift += 7) {
        if (in->at == in->end)
            return -1;
        unsigned char byte = *in->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return 1;
    }
    return -1;
}

static int read_fixed(struct wire *in, size_t bytes, uint64_t *value)
{
    if (wire_size(in) < bytes)
        return -1;
    *value = 0;
    for (size_t i = 0; i < bytes; i++)
        *value |= (uint64_t)*in->at++ << (8 * i);
    return 1;
}

static int read_bytes(struct wire *in, struct wire *bytes)
{
    uint64_t size;
    if (wire_varint(in, &size) != 1 || size > wire_size(in))
        return -1;
    *bytes = (struct wire){in->at, in->at + size};
    in->at += size;
    return 1;
}

int wire_next(struct wire *in, struct wire_field *field)
{
    uint64_t key;
    int found = wire_varint(in, &key);
    if (found != 1)
        return found;
    if (key >> 3 == 0 || key >> 3 > MAX_FIELD_NUMBER)
        return -1;
    *field = (struct wire_field){.number = (uint32_t)(key >> 3), .type = (enum wire_type)(key & 7)};
    switch (field->type) {
    case WIRE_VARINT:
        return wire_varint(in, &field->value) == 1 ? 1 : -1;
    case WIRE_FIXED64:
        return read_fixed(in, 8, &field->value);
    case WIRE_FIXED32:
        return read_fixed(in, 4, &field->value);
    case WIRE_BYTES:
        return read_bytes(in, &field->bytes);
    default: /* groups: no ONNX file has them */
        return -1;
    }
}
