#include "cloud/iam/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A policy document of any kind: read, and when it is one, asked about a request. */

static const char *value_of(void *context, const char *key, size_t index)
{
    (void)context;
    return index || strlen(key) % 3 == 0 ? NULL : "a*value?";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    char *text = strndup((const char *)data, size);
    const struct policy_request request = {.action = "s3:GetObject",
                                           .resource = "arn:aws:s3:::bucket/key",
                                           .principal_arn = "arn:aws:iam::000000000000:user/ada",
                                           .account_id = "000000000000",
                                           .value = value_of};
    for (int kind = POLICY_OF_IDENTITY; text && kind <= POLICY_OF_TRUST; kind++) {
        json_t *document = policy_parse(text, (enum policy_kind)kind, &err);
        if (document)
            policy_evaluate(document, (enum policy_kind)kind, &request);
        json_decref(document);
    }
    if (text && policy_check_identity(text, size % 2, &err) == 0 && policy_size(text) > size)
        abort();
    free(text);
    return 0;
}
