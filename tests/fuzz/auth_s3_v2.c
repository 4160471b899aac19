#include "cloud/auth_s3_v2.h"
#include "cloud/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEADERS = 100 };

/* "Name: value" lines from `at` on. */
static size_t read_headers(char *at, struct http_header *headers)
{
    size_t count = 0;
    for (char *rest = NULL, *line = strtok_r(at, "\n", &rest); line && count < MAX_HEADERS;
         line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = 0;
        headers[count++] = (struct http_header){line, colon + 1 + (colon[1] == ' ')};
    }
    return count;
}

/* A request's target in the first line, its head in the others. Nobody signs by chance. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply reply;
    struct http_header headers[MAX_HEADERS];
    struct auth_s3_v2 claim;
    struct exchange x = {.method = "GET", .reply = &reply, .received_unix_ms = 1795448746000};
    arena_init(&x.arena, 1 << 22);
    reply_init(&reply);
    char *text = arena_copy(&x.arena, data, size);
    char *head = text ? strchr(text, '\n') : NULL;
    if (head) {
        *head = 0;
        char *question = strchr(text, '?');
        if (question)
            *question = 0;
        x.path = *text == '/' ? text : "/";
        x.query = question ? question + 1 : "";
        x.headers = headers;
        x.header_count = read_headers(head + 1, headers);
        if (auth_s3_v2_is(&x) && auth_s3_v2_read(&x, &claim) == 0 &&
            auth_s3_v2_verify(&x, &claim, "secret that nobody has") == 0)
            abort();
    }
    reply_finish(&reply);
    arena_finish(&x.arena);
    return 0;
}
