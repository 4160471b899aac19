#include "cloud/sns/filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A policy, a 0, and the body that it is asked about. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    const uint8_t *end = memchr(data, 0, size);
    size_t policy_size = end ? (size_t)(end - data) : size;
    json_t *policy = json_loadb((const char *)data, policy_size, 0, NULL);
    json_t *body =
        end ? json_loadb((const char *)end + 1, size - policy_size - 1, 0, NULL) : json_object();
    if (policy && filter_policy_check(policy, 1, &err) == 0)
        filter_policy_matches(policy, body);
    json_decref(policy);
    json_decref(body);
    return 0;
}
