#include "aws/sigv4.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Three lines: the Authorization header, the date, the query. Nobody signs by chance. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct err err = {0};
    struct sigv4_claim claim;
    unsigned char key[SIGV4_KEY_BYTES];
    arena_init(&arena, 4 << 20);
    char *text = arena_copy(&arena, data, size), *rest = NULL;
    const char *authorization = text ? strtok_r(text, "\n", &rest) : NULL;
    const char *date = authorization ? strtok_r(NULL, "\n", &rest) : NULL;
    const char *query = date ? strtok_r(NULL, "\n", &rest) : NULL;
    if (authorization && strcmp(authorization, "-") == 0)
        authorization = NULL;
    if (sigv4_parse(authorization, date, query ? query : "", &claim, &arena, &err) == 1) {
        const struct http_header headers[] = {{"Host", "h"}, {"X-Amz-Date", date ? date : ""}};
        struct sigv4_request request = {
            "GET",         authorization ? authorization : "/", query ? query : "", headers, 2,
            SIGV4_UNSIGNED};
        struct sigv4_check check = {"secret", claim.unix_s, key, NULL};
        if (sigv4_verify(&request, &claim, &check, &arena, &err) == 0)
            abort();
    }
    arena_finish(&arena);
    return 0;
}
