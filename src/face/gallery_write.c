#include "base/random.h"
#include "face/gallery_data.h"
#include "face/seal.h"

#include <stdlib.h>
#include <string.h>

/* Writing the file that docs/gallery.md describes. */

static void put(uint8_t **at, const void *data, size_t size)
{
    memcpy(*at, data, size);
    *at += size;
}

void gallery_put_committed(uint8_t *header, uint64_t bytes)
{
    memcpy(header + GALLERY_COMMITTED_AT, &bytes, sizeof bytes);
}

static void put_header(uint8_t *at, const struct gallery *gallery, uint32_t form)
{
    const uint32_t has_head = !!gallery->head;
    memset(at, 0, GALLERY_HEADER_BYTES);
    put(&at, gallery_magic, GALLERY_MAGIC_BYTES);
    put(&at, &form, 4);
    put(&at, &has_head, 4);
    at += 8; /* how much counts: gallery_put_committed() */
    put(&at, &gallery->network.identity, 8);
    put(&at, &gallery->network.floats, 4);
}

/* A segment to write: everybody, or what was added since the file was read. */
struct draft {
    const struct gallery *gallery;
    int only_added;
    uint32_t form;
};

/* How many of the person's templates the file has already. */
static uint32_t first_of(const struct draft *draft, size_t person)
{
    return draft->only_added ? draft->gallery->people[person].saved : 0;
}

static uint32_t count_of(const struct draft *draft, size_t person)
{
    return draft->gallery->people[person].count - first_of(draft, person);
}

static const struct head *head_of(const struct draft *draft)
{
    return draft->only_added ? NULL : draft->gallery->head;
}

/* Who has templates in the rest. Each person's row is the mean, which is the one template of who
 * has no other. */
static size_t most_rest_bytes(const struct draft *draft, size_t person)
{
    uint32_t count = count_of(draft, person);
    if (first_of(draft, person) > 0)
        return (size_t)count * ROW_VALUES;
    return count > 1 ? rest_most_bytes(count) : 0;
}

/* What a segment takes: `most_rest` is an upper bound. */
struct size {
    size_t payload, most_rest;
};

static struct segment measure(const struct draft *draft, struct size *size)
{
    struct segment segment = {.threshold = draft->gallery->threshold};
    *size = (struct size){.payload = head_of(draft) ? sizeof(struct head) : 0};
    for (size_t i = 0; i < draft->gallery->people_count; i++) {
        uint32_t count = count_of(draft, i);
        if (count == 0)
            continue;
        segment.people++;
        segment.rows++;
        size->payload += ENTRY_BYTES + strlen(draft->gallery->people[i].name);
        size->most_rest += most_rest_bytes(draft, i);
    }
    size->payload += (size_t)segment.rows * ROW_VALUES;
    if (size->most_rest > 0) {
        size->payload += sizeof(struct rest);
        segment.people |= SEGMENT_HAS_REST;
    }
    segment.payload_bytes = size->payload;
    random_bytes(segment.nonce, sizeof segment.nonce);
    return segment;
}

static void put_rows(uint8_t **at, const struct draft *draft)
{
    const struct gallery *gallery = draft->gallery;
    for (size_t i = 0; i < gallery->people_count; i++)
        if (count_of(draft, i) > 0)
            put(at, rows_at(&gallery->means, i), ROW_VALUES);
}

static void put_entries(uint8_t **at, const struct draft *draft)
{
    for (size_t i = 0; i < draft->gallery->people_count; i++) {
        const char *name = draft->gallery->people[i].name;
        uint8_t length = (uint8_t)strlen(name);
        uint32_t count = count_of(draft, i);
        if (count == 0)
            continue;
        count |= first_of(draft, i) ? ENTRY_IS_MORE : 0;
        put(at, &count, 4);
        put(at, &length, 1);
        put(at, name, length);
    }
}

/* Returns how many bytes it takes. */
static size_t put_rest(uint8_t *at, const struct draft *draft)
{
    const struct gallery *gallery = draft->gallery;
    uint8_t *start = at;
    for (size_t i = 0; i < gallery->people_count; i++) {
        uint32_t from = first_of(draft, i), count = count_of(draft, i);
        if (count > 0 && from > 0)
            put(&at, gallery_person_rows(gallery, i, from), (size_t)count * ROW_VALUES);
        else if (count > 1)
            at += rest_put(at, gallery_person_rows(gallery, i, 0), count,
                           rows_at(&gallery->means, i));
    }
    return (size_t)(at - start);
}

/* The rest comes first: its check stands in the payload. */
static int close_rest(struct rest *rest, uint8_t *at, const struct draft *draft, const uint8_t *key,
                      struct err *err)
{
    *rest = (struct rest){.bytes = put_rest(at, draft)};
    random_bytes(rest->nonce, sizeof rest->nonce);
    return rest_close(rest, at, key, err);
}

/* Fills in the segment at `at`; *size becomes what it takes. */
static int write_segment(uint8_t *at, const struct draft *draft, const struct segment *segment,
                         const struct segment_place *place, size_t *size, struct err *err)
{
    uint8_t *payload = at + SEGMENT_HEADER_BYTES;
    struct rest rest = {0};
    *size = SEGMENT_HEADER_BYTES + segment->payload_bytes + segment_check_bytes(draft->form);
    segment_put_header(at, segment);
    if (segment->people & SEGMENT_HAS_REST) {
        if (close_rest(&rest, at + *size, draft, place->key, err) < 0)
            return -1;
        *size += rest.bytes;
        put(&payload, &rest, sizeof rest);
    }
    if (head_of(draft))
        put(&payload, head_of(draft), sizeof(struct head));
    put_rows(&payload, draft);
    put_entries(&payload, draft);
    return segment_close(at, place, err);
}

/* A block of `before` bytes for the caller and the segment behind; NULL on failure. */
static uint8_t *make_segment(const struct draft *draft, size_t before, const char *path,
                             size_t *size, struct err *err)
{
    struct size most;
    struct segment segment = measure(draft, &most);
    size_t limit = before + SEGMENT_HEADER_BYTES + most.payload + segment_check_bytes(draft->form) +
                   most.most_rest;
    uint8_t *block = malloc(limit), header[GALLERY_HEADER_BYTES], key[SEAL_KEY_BYTES];
    if (!block) {
        err_set(err, ERR_NO_MEMORY, "no memory");
        return NULL;
    }
    put_header(header, draft->gallery, draft->form);
    struct segment_place place = {.file_header = header,
                                  .previous = draft->only_added ? draft->gallery->end.check : NULL};
    int result = 0;
    if (draft->form == FORM_SEALED) {
        result = seal_find_key(path, 1, key, err);
        place.key = key;
    }
    if (result == 0)
        result = write_segment(block + before, draft, &segment, &place, size, err);
    seal_wipe(key, sizeof key);
    if (result == 0)
        return block;
    seal_wipe(block, limit);
    free(block);
    return NULL;
}

uint8_t *gallery_encode(const struct gallery *gallery, int plain, const char *path, size_t *size,
                        struct err *err)
{
    struct draft draft = {gallery, 0, plain ? FORM_PLAIN : FORM_SEALED};
    uint8_t *file = make_segment(&draft, GALLERY_HEADER_BYTES, path, size, err);
    if (!file)
        return NULL;
    *size += GALLERY_HEADER_BYTES;
    put_header(file, gallery, draft.form);
    gallery_put_committed(file, *size);
    return file;
}

uint8_t *gallery_encode_added(const struct gallery *gallery, const char *path, size_t *size,
                              struct err *err)
{
    struct draft draft = {gallery, 1, gallery->plain ? FORM_PLAIN : FORM_SEALED};
    return make_segment(&draft, 0, path, size, err);
}
