#include "cloud/cloudwatch/alarm_rule.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ask(void *context, const char *name, const char *state, struct err *err)
{
    (void)context;
    (void)err;
    return !*name || strlen(name) >= RULE_NAME_BYTES ? __builtin_trap(), 0 : *name == *state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[RULE_MAX_BYTES + 2];
    struct err err;
    size = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, size);
    text[size] = 0;
    (void)rule_evaluate(text, ask, NULL, &err);
    return 0;
}
