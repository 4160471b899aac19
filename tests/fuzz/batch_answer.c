#include "cloud/lambda/batch.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a function answers about a batch, only what was sent can have failed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *messages = json_pack("[{s:s}, {s:s}]", "MessageId", "a", "MessageId", "b");
    json_t *failed = batch_read_failures((const char *)data, size, messages);
    const char *id;
    json_t *value;
    json_object_foreach(failed, id, value)
    {
        if ((id[0] != 'a' && id[0] != 'b') || id[1])
            abort();
    }
    json_decref(failed);
    json_decref(messages);
    return 0;
}
