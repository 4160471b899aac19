/* The ONNX importer on anything; what it accepts must open and run. */
#include "nn/import/import.h"
#include "nn/model.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MACS = 1 << 22, MAX_BYTES = 1 << 26 };

static void run(const void *file, size_t size)
{
    struct err err = {0};
    void *copy;
    if (posix_memalign(&copy, 64, size) != 0)
        return;
    memcpy(copy, file, size);
    struct model *model = model_open_memory(copy, size, &err);
    if (!model)
        abort(); /* the import made a file that is not valid */
    struct session *session =
        model_macs(model) < MAX_MACS && size < MAX_BYTES ? session_create(model, NULL, &err) : NULL;
    if (session && session_bytes(session) < MAX_BYTES)
        session_run(session);
    session_destroy(session);
    model_close(model);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct import_report report;
    struct buf out;
    buf_init(&out, MAX_BYTES);
    if (nn_import(data, size, NULL, &out, &report, &err) == 0)
        run(out.data, out.size);
    else if (err.code == ERR_NONE || !err.message[0])
        abort(); /* refused without a word */
    buf_finish(&out);
    return 0;
}
