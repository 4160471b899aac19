#ifndef NN_IMPORT_WIRE_H
#define NN_IMPORT_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Protocol Buffers' wire format, reading only: https://protobuf.dev/programming-guides/encoding.
 * Never reads past `end`, whatever the bytes say. */
struct wire {
    const unsigned char *at, *end;
};

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;    /* VARINT, FIXED64, FIXED32 */
    struct wire bytes; /* BYTES */
};

/* Returns 1 with a field, 0 at the end, -1 where the bytes are no protobuf. */
int wire_next(struct wire *in, struct wire_field *field);

/* Returns 1 with a number, 0 at the end, -1 when damaged: the items of a packed field. */
int wire_varint(struct wire *in, uint64_t *value);

static inline size_t wire_size(const struct wire *in)
{
    return (size_t)(in->end - in->at);
}

#endif
