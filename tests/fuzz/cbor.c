#include "cloud/cbor.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct buf out;
    json_t *json = cbor_read(data, size, &err);
    if (!json)
        return 0;
    buf_init(&out, 1 << 24);
    cbor_write(&out, json);
    json_t *again = out.failed ? NULL : cbor_read(out.data, out.size, &err);
    if (!out.failed && !again)
        abort();
    json_decref(again);
    json_decref(json);
    buf_finish(&out);
    return 0;
}
