#include "base/random.h"
#include "face/gallery_data.h"
#include "face/seal.h"

#include <stdlib.h>
#include <string.h>

/* docs/gallery.md describes the file: a header, then segments. The first segment holds everybody as
 * of when the file was written as a whole; each other what one change added. */
static const char magic[8] = "KENGAL3\n", old_magic[8] = "KENGAL2\n";

enum { ENTRY_BYTES = 5 /* templates, length of the name; the name follows */ };

struct header {
    uint32_t form, has_head;
    uint64_t committed;
    struct face_network network;
};

static void put(uint8_t **at, const void *data, size_t size)
{
    memcpy(*at, data, size);
    *at += size;
}

static void take(const uint8_t **at, void *data, size_t size)
{
    memcpy(data, *at, size);
    *at += size;
}

size_t gallery_most_file_bytes(void)
{
    size_t segment = SEGMENT_HEADER_BYTES + GALLERY_CHECK_BYTES;
    return GALLERY_HEADER_BYTES + sizeof(struct head) + GALLERY_MAX_SEGMENTS * segment +
           ((size_t)GALLERY_MAX_PEOPLE + GALLERY_MAX_TEMPLATES) * ROW_VALUES +
           (size_t)(GALLERY_MAX_PEOPLE + GALLERY_MAX_SEGMENTS) * (ENTRY_BYTES + GALLERY_NAME_BYTES);
}

/* ---- writing ---- */

void gallery_put_committed(uint8_t *header, uint64_t bytes)
{
    memcpy(header + GALLERY_COMMITTED_AT, &bytes, sizeof bytes);
}

static void put_header(uint8_t *at, const struct header *header)
{
    memset(at, 0, GALLERY_HEADER_BYTES);
    put(&at, magic, sizeof magic);
    put(&at, &header->form, 4);
    put(&at, &header->has_head, 4);
    put(&at, &header->committed, 8);
    put(&at, &header->network.identity, 8);
    put(&at, &header->network.floats, 4);
}

/* A segment to write: what each person has from template `from` on. */
struct draft {
    const struct gallery *gallery;
    int only_added;
    const struct head *head;
};

static uint32_t first_of(const struct draft *draft, size_t person)
{
    return draft->only_added ? draft->gallery->people[person].saved : 0;
}

static struct segment measure(const struct draft *draft)
{
    struct segment segment = {.threshold = draft->gallery->threshold};
    segment.payload_bytes = draft->head ? sizeof *draft->head : 0;
    for (size_t i = 0; i < draft->gallery->people_count; i++) {
        const struct person *person = &draft->gallery->people[i];
        uint32_t count = person->count - first_of(draft, i);
        if (count == 0)
            continue;
        segment.people++;
        segment.templates += count;
        segment.payload_bytes += (size_t)count * ROW_VALUES + ENTRY_BYTES + strlen(person->name);
    }
    random_bytes(segment.nonce, sizeof segment.nonce);
    return segment;
}

static void put_payload(uint8_t *at, const struct draft *draft)
{
    const struct gallery *gallery = draft->gallery;
    if (draft->head)
        put(&at, draft->head, sizeof *draft->head);
    for (size_t i = 0; i < gallery->people_count; i++) {
        uint32_t from = first_of(draft, i), count = gallery->people[i].count - from;
        if (count > 0)
            put(&at, gallery_person_rows(gallery, i, from), (size_t)count * ROW_VALUES);
    }
    for (size_t i = 0; i < gallery->people_count; i++) {
        const struct person *person = &gallery->people[i];
        uint32_t count = person->count - first_of(draft, i);
        uint8_t length = (uint8_t)strlen(person->name);
        if (count == 0)
            continue;
        put(&at, &count, 4);
        put(&at, &length, 1);
        put(&at, person->name, length);
    }
}

static size_t segment_bytes(const struct segment *segment, uint32_t form)
{
    return SEGMENT_HEADER_BYTES + segment->payload_bytes + segment_check_bytes(form);
}

static uint8_t *allocate(size_t size, struct err *err)
{
    uint8_t *block = malloc(size);
    if (!block)
        err_set(err, ERR_NO_MEMORY, "no memory");
    return block;
}

/* Fills in the segment at `at`. */
static int write_segment(uint8_t *at, const struct draft *draft, const struct segment *segment,
                         struct segment_place *place, const char *path, struct err *err)
{
    uint8_t key[SEAL_KEY_BYTES], form = place->file_header[8];
    int result = 0;
    segment_put_header(at, segment);
    put_payload(at + SEGMENT_HEADER_BYTES, draft);
    if (form == FORM_SEALED) {
        result = seal_find_key(path, 1, key, err);
        place->key = key;
    }
    if (result == 0)
        result = segment_close(at, place, err);
    place->key = NULL;
    seal_wipe(key, sizeof key);
    return result;
}

static uint8_t *done_or_wiped(uint8_t *block, size_t size, int result)
{
    if (result == 0)
        return block;
    seal_wipe(block, size);
    free(block);
    return NULL;
}

uint8_t *gallery_encode(const struct gallery *gallery, int plain, const char *path, size_t *size,
                        struct err *err)
{
    struct draft draft = {gallery, 0, gallery->head};
    struct segment segment = measure(&draft);
    struct header header = {.form = plain ? FORM_PLAIN : FORM_SEALED,
                            .has_head = !!gallery->head,
                            .network = gallery->network};
    header.committed = *size = GALLERY_HEADER_BYTES + segment_bytes(&segment, header.form);
    uint8_t *file = allocate(*size, err);
    if (!file)
        return NULL;
    put_header(file, &header);
    struct segment_place place = {.file_header = file};
    return done_or_wiped(
        file, *size,
        write_segment(file + GALLERY_HEADER_BYTES, &draft, &segment, &place, path, err));
}

uint8_t *gallery_encode_added(const struct gallery *gallery, const char *path, size_t *size,
                              struct err *err)
{
    struct draft draft = {gallery, 1, NULL};
    struct segment segment = measure(&draft);
    struct header header = {.form = gallery->plain ? FORM_PLAIN : FORM_SEALED,
                            .has_head = !!gallery->head,
                            .network = gallery->network};
    uint8_t file_header[GALLERY_HEADER_BYTES];
    put_header(file_header, &header);
    *size = segment_bytes(&segment, header.form);
    uint8_t *block = allocate(*size, err);
    if (!block)
        return NULL;
    struct segment_place place = {file_header, gallery->end.check, NULL};
    return done_or_wiped(block, *size, write_segment(block, &draft, &segment, &place, path, err));
}

/* ---- reading ---- */

static int check_magic(const uint8_t *header, size_t file_bytes, struct err *err)
{
    enum { VERSION_AT = 6 };
    if (file_bytes < GALLERY_HEADER_BYTES || memcmp(header, magic, VERSION_AT) != 0)
        return err_set(err, ERR_CORRUPT, "not a gallery of ken, or cut short");
    if (memcmp(header, magic, sizeof magic) != 0 &&
        memcmp(header, old_magic, sizeof old_magic) != 0)
        return err_set(err, ERR_CORRUPT, "a gallery of another version: train it again");
    return 0;
}

static int is_old(const uint8_t *header)
{
    return memcmp(header, old_magic, sizeof old_magic) == 0;
}

static int damaged(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "its header is damaged, or the file is cut short");
}

int gallery_committed_bytes(const uint8_t *header, size_t file_bytes, uint64_t *bytes,
                            struct err *err)
{
    if (check_magic(header, file_bytes, err) < 0)
        return -1;
    *bytes = file_bytes;
    if (!is_old(header))
        memcpy(bytes, header + GALLERY_COMMITTED_AT, sizeof *bytes);
    return *bytes < GALLERY_HEADER_BYTES || *bytes > file_bytes ? damaged(err) : 0;
}

/* What of a payload is not taken yet. In files of the version before, people with one template have
 * it in `means`, and so have the others, whose mean is computed anew. */
struct payload {
    int8_t *rows, *means;
    size_t rows_left, people;
    const uint8_t *entry, *end;
    int known; /* people may be known: more of their templates */
};

static int take_person(struct gallery *gallery, struct payload *left, struct err *err)
{
    uint32_t count;
    uint8_t length;
    char name[UINT8_MAX + 1] = {0};
    if (left->end - left->entry < ENTRY_BYTES)
        return err_set(err, ERR_CORRUPT, "a person's entry is cut short");
    take(&left->entry, &count, 4);
    take(&left->entry, &length, 1);
    int from_means = left->means && count == 1;
    if (length > left->end - left->entry || count < 1 || (!from_means && count > left->rows_left))
        return err_set(err, ERR_CORRUPT, "a person's entry is damaged");
    take(&left->entry, name, length);
    if (strlen(name) != length)
        return err_set(err, ERR_CORRUPT, "a person's entry is damaged");
    struct gallery_entry entry = {name, from_means ? left->means : left->rows, count};
    if (gallery_take_entry(gallery, &entry, left->known, err) < 0)
        return -1;
    if (left->means)
        left->means += ROW_VALUES;
    if (!from_means) {
        left->rows += (size_t)count * ROW_VALUES;
        left->rows_left -= count;
    }
    return 0;
}

static int take_people(struct gallery *gallery, struct payload *left, struct err *err)
{
    size_t people = gallery->people_count + left->people;
    if (gallery_reserve(gallery, people) < 0 || names_reserve(gallery, people) < 0)
        return err_set(err, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < left->people; i++)
        if (take_person(gallery, left, err) < 0)
            return -1;
    if (left->rows_left || left->entry != left->end)
        return err_set(err, ERR_CORRUPT, "templates that belong to nobody");
    return 0;
}

static int take_threshold(struct gallery *gallery, float threshold, struct err *err)
{
    gallery->threshold = threshold;
    if (!(threshold >= -1 && threshold <= 1))
        return err_set(err, ERR_CORRUPT, "its threshold is not from -1 to 1");
    return 0;
}

/* A file being read. */
struct reading {
    struct gallery *gallery;
    struct header header;
    struct segment_place place;
    uint64_t at;
    uint8_t previous[GALLERY_CHECK_BYTES];
};

/* The segment's header, checked against what is left of the file. */
static int find_segment(const struct reading *reading, struct segment *segment, struct err *err)
{
    size_t left = (size_t)(reading->header.committed - reading->at);
    size_t around = SEGMENT_HEADER_BYTES + segment_check_bytes(reading->header.form);
    if (left < around)
        return damaged(err);
    *segment = segment_take_header(reading->gallery->file + reading->at);
    if (segment->payload_bytes > left - around)
        return damaged(err);
    size_t head =
        reading->gallery->end.segments == 0 && reading->header.has_head ? sizeof(struct head) : 0;
    if (segment->people > GALLERY_MAX_PEOPLE || segment->templates > GALLERY_MAX_TEMPLATES ||
        segment->people > segment->templates ||
        segment->payload_bytes <
            head + (size_t)segment->templates * ROW_VALUES + (size_t)segment->people * ENTRY_BYTES)
        return damaged(err);
    return 0;
}

static int take_segment(struct reading *reading, struct err *err)
{
    struct gallery *gallery = reading->gallery;
    struct segment segment = {0};
    uint8_t *start = gallery->file + reading->at;
    if (find_segment(reading, &segment, err) < 0 || segment_open(start, &reading->place, err) < 0 ||
        take_threshold(gallery, segment.threshold, err) < 0)
        return -1;
    int first = gallery->end.segments == 0;
    uint8_t *payload = start + SEGMENT_HEADER_BYTES, *end = payload + segment.payload_bytes;
    memset(reading->previous, 0, GALLERY_CHECK_BYTES);
    memcpy(reading->previous, end, segment_check_bytes(reading->header.form));
    reading->place.previous = reading->previous;
    if (first && reading->header.has_head) {
        gallery->head = head_read(payload, err);
        if (!gallery->head)
            return -1;
        seal_wipe(payload, sizeof *gallery->head);
        payload += sizeof *gallery->head;
    }
    struct payload left = {.rows = (int8_t *)payload,
                           .rows_left = segment.templates,
                           .people = segment.people,
                           .entry = payload + (size_t)segment.templates * ROW_VALUES,
                           .end = end,
                           .known = !first};
    reading->at += segment_bytes(&segment, reading->header.form);
    gallery->end.segments++;
    return take_people(gallery, &left, err);
}

static int take_segments(struct reading *reading, struct err *err)
{
    struct gallery *gallery = reading->gallery;
    do {
        if (gallery->end.segments == GALLERY_MAX_SEGMENTS)
            return err_set(err, ERR_TOO_BIG, "more than %d segments", GALLERY_MAX_SEGMENTS);
        if (take_segment(reading, err) < 0)
            return -1;
    } while (reading->at < reading->header.committed);
    for (size_t i = 0; i < gallery->people_count; i++)
        gallery->people[i].saved = gallery->people[i].count;
    gallery->end.bytes = reading->header.committed;
    memcpy(gallery->end.check, reading->previous, GALLERY_CHECK_BYTES);
    return 0;
}

/* The version before had one payload behind a header of its own. */
struct old_header {
    uint32_t form, people, templates;
    float threshold;
    uint64_t payload_bytes;
    uint8_t nonce[SEAL_NONCE_BYTES];
    uint32_t rows; /* templates of those who have more than one */
};

static int take_old_header(struct old_header *header, const struct gallery *gallery,
                           struct err *err)
{
    memcpy(header, gallery->file + sizeof magic, sizeof *header);
    size_t least = ((size_t)header->people + header->rows) * ROW_VALUES;
    if (header->form > FORM_SEALED || header->people > GALLERY_MAX_PEOPLE ||
        header->templates > GALLERY_MAX_TEMPLATES || header->rows > header->templates ||
        header->payload_bytes > gallery_most_file_bytes() || header->payload_bytes < least ||
        gallery->file_bytes !=
            GALLERY_HEADER_BYTES + header->payload_bytes + segment_check_bytes(header->form))
        return damaged(err);
    return 0;
}

static int open_old(const struct gallery *gallery, const struct old_header *header,
                    const uint8_t *key, struct err *err)
{
    uint8_t *payload = gallery->file + GALLERY_HEADER_BYTES, sum[GALLERY_CHECK_BYTES];
    uint8_t *check = payload + header->payload_bytes;
    if (key) {
        struct seal seal = {key, header->nonce, gallery->file, GALLERY_HEADER_BYTES};
        return seal_decrypt(&seal, payload, header->payload_bytes, check, err);
    }
    if (seal_digest(gallery->file, GALLERY_HEADER_BYTES + header->payload_bytes, sum, err) < 0)
        return -1;
    if (memcmp(sum, check, GALLERY_CHECK_BYTES) != 0)
        return err_set(err, ERR_CORRUPT, "it was changed: its checksum is wrong");
    return 0;
}

static int take_old(struct gallery *gallery, const uint8_t *key, struct err *err)
{
    struct old_header header;
    if (take_old_header(&header, gallery, err) < 0 || open_old(gallery, &header, key, err) < 0)
        return -1;
    uint8_t *at = gallery->file + GALLERY_HEADER_BYTES;
    size_t means = (size_t)header.people * ROW_VALUES, rows = (size_t)header.rows * ROW_VALUES;
    struct payload left = {.rows = (int8_t *)at + means,
                           .means = (int8_t *)at,
                           .rows_left = header.rows,
                           .people = header.people,
                           .entry = at + means + rows,
                           .end = at + header.payload_bytes};
    if (take_threshold(gallery, header.threshold, err) < 0 || take_people(gallery, &left, err) < 0)
        return -1;
    gallery->changed = 1; /* the next change writes this version */
    if (gallery->template_count != header.templates)
        return err_set(err, ERR_CORRUPT, "templates that belong to nobody");
    return 0;
}

static int take_header(struct reading *reading, struct err *err)
{
    const uint8_t *at = reading->gallery->file + sizeof magic;
    take(&at, &reading->header.form, 4);
    take(&at, &reading->header.has_head, 4);
    take(&at, &reading->header.committed, 8);
    take(&at, &reading->header.network.identity, 8);
    take(&at, &reading->header.network.floats, 4);
    reading->gallery->network = reading->header.network;
    reading->at = GALLERY_HEADER_BYTES;
    if (reading->header.form > FORM_SEALED || reading->header.has_head > 1 ||
        reading->header.network.floats > FACE_EMBEDDING_FLOATS ||
        reading->header.committed != reading->gallery->file_bytes)
        return damaged(err);
    return 0;
}

int gallery_decode(struct gallery *gallery, const char *path, struct err *err)
{
    struct reading reading = {.gallery = gallery, .place = {.file_header = gallery->file}};
    if (check_magic(gallery->file, gallery->file_bytes, err) < 0)
        return -1;
    uint32_t form;
    uint8_t key[SEAL_KEY_BYTES] = {0};
    int old = is_old(gallery->file);
    memcpy(&form, gallery->file + sizeof magic, sizeof form); /* in both versions */
    gallery->plain = form == FORM_PLAIN;
    if (!old && take_header(&reading, err) < 0)
        return -1;
    if (form == FORM_SEALED && seal_find_key(path, 0, key, err) < 0)
        return -1;
    reading.place.key = form == FORM_SEALED ? key : NULL;
    int result = old ? take_old(gallery, reading.place.key, err) : take_segments(&reading, err);
    seal_wipe(key, sizeof key);
    return result;
}
