#include "cloud/logs/filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A pattern, a 0, and the line that it is asked about. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct arena arena;
    struct filter filter;
    const uint8_t *end = memchr(data, 0, size);
    size_t pattern_size = end ? (size_t)(end - data) : size;
    const char *line = end ? (const char *)end + 1 : "";
    size_t line_size = end ? size - pattern_size - 1 : 0;
    arena_init(&arena, 1 << 22);
    char *pattern = arena_copy(&arena, data, pattern_size);
    if (pattern && filter_parse(pattern, &filter, &arena, &err) == 0) {
        filter_matches(&filter, line, line_size);
        filter_select(&filter, "$.a[0]", line, line_size, &arena);
    }
    arena_finish(&arena);
    return 0;
}
