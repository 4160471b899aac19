#include "function/notice.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever comes as an event: notices are whole, and their groups are what SNS takes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    struct err err = {0};
    struct notice notices[NOTICE_MAX];
    char group[NOTICE_GROUP_BYTES];
    int count = notices_read(notices, (const char *)data, size, &err);
    if (count > NOTICE_MAX || (count < 0 && !err.message[0]))
        abort();
    for (int i = 0; i < count; i++) {
        notice_group(notices[i].key, group);
        if (!notices[i].bucket[0] || !notices[i].key[0] || !group[0] ||
            group[strspn(group, allowed)])
            abort();
    }
    return 0;
}
