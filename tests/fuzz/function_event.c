#include "function/event.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever comes, the names end within their fields and a picture is as long as it says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event event;
    struct err err = {0};
    int done = event_read(&event, (const char *)data, size, &err);
    if (!memchr(event.key, 0, sizeof event.key) || !memchr(event.bucket, 0, sizeof event.bucket))
        abort();
    if (done == 0 && event.picture && event.picture_bytes > 0)
        (void)*(volatile unsigned char *)&event.picture[event.picture_bytes - 1];
    if (done < 0 && err.code == ERR_NONE)
        abort();
    event_finish(&event);
    return 0;
}
