#include "cloud/logs/emf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void metrics_put(struct metrics *metrics, const struct metric_value *value)
{
    (void)metrics, (void)value;
}

/* What CloudWatch would store must be within its limits. */
static void check(void *context, const struct metric_value *value)
{
    (void)context;
    if (!*value->name_space || strlen(value->name_space) > 255 || strlen(value->name) > 255 ||
        strlen(value->unit) > 255 || value->dimension_count > METRIC_MAX_DIMENSIONS)
        abort();
    for (size_t i = 0; i < value->dimension_count; i++)
        if (!*value->dimensions[i].name || !*value->dimensions[i].value)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    emf_read((const char *)data, size, 1000, check, NULL);
    return 0;
}
