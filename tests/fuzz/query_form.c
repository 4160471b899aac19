#include "cloud/wire.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wire_name names[] = {
    {"Attributes", "Attribute", WIRE_NAME_VALUE, NULL},
    {"Entries", "Entry", WIRE_LIST, "Batch"},
    {"Map", "Map", WIRE_ENTRY, NULL},
};
static const struct wire_service service = {
    .name_space = "http://n/", .names = names, .name_count = 3};

/* A form; what comes of it can be written as XML. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct exchange x = {0};
    struct err err = {0};
    struct buf out;
    arena_init(&x.arena, 1 << 24);
    const char *form = arena_copy(&x.arena, data, size);
    json_t *json = form ? wire_read_form(&x, &service, form, &err) : NULL;
    if (json) {
        struct wire wire = {&service, WIRE_QUERY, "Batch", json};
        buf_init(&out, 1 << 24);
        wire_write_xml(&x, &wire, json, &out);
        buf_finish(&out);
    }
    json_decref(json);
    arena_finish(&x.arena);
    return 0;
}
