#include "face/gallery_data.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. Who chooses names has the gallery's key, so they need not be guarded against. */
static uint64_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The slot of that name, or the free one where it belongs. */
static size_t slot_of(const struct gallery *gallery, const char *name)
{
    size_t mask = gallery->slot_count - 1, slot = hash(name) & mask;
    while (gallery->slots[slot] &&
           strcmp(gallery->people[gallery->slots[slot] - 1].name, name) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

size_t names_find(const struct gallery *gallery, const char *name)
{
    uint32_t person = gallery->slot_count ? gallery->slots[slot_of(gallery, name)] : 0;
    return person ? person - 1 : SIZE_MAX;
}

void names_remake(struct gallery *gallery)
{
    memset(gallery->slots, 0, gallery->slot_count * sizeof *gallery->slots);
    for (size_t i = 0; i < gallery->people_count; i++)
        gallery->slots[slot_of(gallery, gallery->people[i].name)] = (uint32_t)(i + 1);
}

int names_reserve(struct gallery *gallery, size_t count)
{
    size_t wanted = gallery->slot_count ? gallery->slot_count : 64;
    while (wanted < 2 * count)
        wanted *= 2;
    if (wanted == gallery->slot_count)
        return 0;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return -1;
    free(gallery->slots);
    gallery->slots = slots;
    gallery->slot_count = wanted;
    names_remake(gallery);
    return 0;
}

int names_add(struct gallery *gallery, size_t person)
{
    if (names_reserve(gallery, person + 1) < 0)
        return -1;
    gallery->slots[slot_of(gallery, gallery->people[person].name)] = (uint32_t)(person + 1);
    return 0;
}
