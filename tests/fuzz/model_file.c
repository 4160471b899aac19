/* Model files with their size and checksum made right, so that only the checks of the numbers stand
 * between the bytes and the executor. */
#include "nn/format.h"
#include "nn/model.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MACS = 1 << 22, MAX_SESSION_BYTES = 1 << 26, MAX_ELEMENTS = 1 << 22 };

static void mend(void *file, size_t size)
{
    struct model_header *header = file;
    size_t skipped = offsetof(struct model_header, checksum) + sizeof header->checksum;
    memcpy(header->magic, MODEL_MAGIC, sizeof header->magic);
    header->file_bytes = size;
    header->checksum = model_checksum((char *)file + skipped, size - skipped);
}

/* Nodes may repeat elements (strides of 0), and take long over it: allowed, but no use here. */
static int is_quick(const struct model *model)
{
    for (size_t i = 0; i < model_nodes(model); i++) {
        struct model_node_text node;
        size_t count = 1;
        model_node_describe(model, i, &node);
        for (int j = 0; j < 4; j++)
            count *= (size_t)node.out[j];
        if (count > MAX_ELEMENTS)
            return 0;
    }
    return model_macs(model) < MAX_MACS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    void *file;
    if (posix_memalign(&file, MODEL_ALIGN_BYTES, size + !size) != 0)
        return 0;
    memcpy(file, data, size);
    if (size >= sizeof(struct model_header))
        mend(file, size);
    struct model *model = model_open_memory(file, size, &err);
    struct session *session = model && is_quick(model) ? session_create(model, NULL, &err) : NULL;
    if (session && session_bytes(session) < MAX_SESSION_BYTES)
        session_run(session);
    session_destroy(session);
    model_close(model);
    free(file);
    return 0;
}
