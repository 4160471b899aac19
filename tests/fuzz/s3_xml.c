/* XML bodies of S3 requests. */
#include "cloud/xml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *context, const char *path, const char *text, struct err *err)
{
    size_t *elements = context;
    if (strlen(path) >= XML_MAX_PATH || strlen(text) > XML_MAX_TEXT_BYTES ||
        ++*elements > XML_MAX_ELEMENTS)
        abort(); /* past the limits */
    return *elements == 40000 ? err_set(err, ERR_INVALID, "enough") : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    size_t elements = 0;
    if (xml_read(data, size, check, &elements, &err) < 0 && err.code == ERR_NONE)
        abort(); /* a failure without a cause */
    return 0;
}
