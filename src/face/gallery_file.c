#include "face/gallery_data.h"
#include "face/seal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reading the file that docs/gallery.md describes: a header, then segments. The first segment holds
 * everybody as of when the file was written as a whole; each other what one change added. */
const char gallery_magic[GALLERY_MAGIC_BYTES] = {'K', 'E', 'N', 'G', 'A', 'L', '4', '\n'};
static const char magic_3[] = "KENGAL3\n", magic_2[] = "KENGAL2\n";

struct header {
    uint32_t form, has_head;
    uint64_t committed;
    struct face_network network;
};

static void take(const uint8_t **at, void *data, size_t size)
{
    memcpy(data, *at, size);
    *at += size;
}

size_t gallery_most_file_bytes(void)
{
    size_t segment = SEGMENT_HEADER_BYTES + GALLERY_CHECK_BYTES + sizeof(struct rest);
    size_t addition = rest_most_bytes(2) - rest_most_bytes(1) + ROW_VALUES + ENTRY_BYTES +
                      GALLERY_NAME_BYTES; /* of one template */
    return GALLERY_HEADER_BYTES + sizeof(struct head) + GALLERY_MAX_SEGMENTS * segment +
           GALLERY_MAX_TEMPLATES * addition + GALLERY_MAX_PEOPLE * rest_most_bytes(1);
}

static int has_magic(const uint8_t *header, const char *magic)
{
    return memcmp(header, magic, GALLERY_MAGIC_BYTES) == 0;
}

static int check_magic(const uint8_t *header, size_t file_bytes, struct err *err)
{
    enum { VERSION_AT = 6 };
    if (file_bytes < GALLERY_HEADER_BYTES || memcmp(header, gallery_magic, VERSION_AT) != 0)
        return err_set(err, ERR_CORRUPT, "not a gallery of ken, or cut short");
    if (!has_magic(header, gallery_magic) && !has_magic(header, magic_3) &&
        !has_magic(header, magic_2))
        return err_set(err, ERR_CORRUPT, "a gallery of another version: train it again");
    return 0;
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
    if (!has_magic(header, magic_2))
        memcpy(bytes, header + GALLERY_COMMITTED_AT, sizeof *bytes);
    return *bytes < GALLERY_HEADER_BYTES || *bytes > file_bytes ? damaged(err) : 0;
}

/* What of a segment is not taken yet. In files of the version before the last, people with one
 * template have it in `means`, and so have the others, whose mean is computed anew. */
struct payload {
    int8_t *rows, *means;
    size_t rows_left, people;
    const uint8_t *entry, *end;
    int known; /* people may be known: more of their templates */
    int split; /* rows are means, and the other templates in the rest */
    int has_rest;
    const uint8_t *rest; /* NULL where it is not read */
    size_t rest_left;
};

static int damaged_entry(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a person's entry is damaged");
}

/* Somebody new, whose mean is the next row. */
static int take_split(struct gallery *gallery, struct payload *left, struct gallery_entry *entry,
                      struct err *err)
{
    uint32_t count = entry->count;
    if (left->rows_left < 1)
        return damaged_entry(err);
    entry->count = 1;
    if (gallery_take_entry(gallery, entry, 0, err) < 0)
        return -1;
    left->rows += ROW_VALUES;
    left->rows_left--;
    if (count == 1)
        return 0;
    if (!left->has_rest)
        return damaged_entry(err);
    if (count - 1 > GALLERY_MAX_TEMPLATES - gallery->template_count)
        return err_set(err, ERR_TOO_BIG, "more than %d templates", GALLERY_MAX_TEMPLATES);
    struct person *person = &gallery->people[gallery->people_count - 1];
    gallery->template_count += count - 1;
    if (gallery->only_means) {
        person->count = count;
        return 0;
    }
    if (left->rest_left / ROW_VALUES < count - 1)
        return damaged_entry(err);
    person->templates = malloc((size_t)count * ROW_VALUES);
    if (!person->templates)
        return err_set(err, ERR_NO_MEMORY, "no memory");
    person->allocated = count;
    size_t size =
        rest_take(person->templates, count, entry->templates, left->rest, left->rest_left);
    person->count = count;
    left->rest += size;
    left->rest_left -= size;
    return size > 0 ? 0 : damaged_entry(err);
}

/* More templates of somebody known, whose mean is the next row. */
static int take_more(struct gallery *gallery, struct payload *left,
                     const struct gallery_entry *entry, struct err *err)
{
    size_t size = (size_t)entry->count * ROW_VALUES;
    struct gallery_addition addition = {.person = names_find(gallery, entry->name),
                                        .mean = left->rows,
                                        .templates = (const int8_t *)left->rest,
                                        .count = entry->count};
    int in_rest = !gallery->only_means;
    if (!left->known || !left->has_rest || addition.person == SIZE_MAX || left->rows_left < 1 ||
        (in_rest && left->rest_left < size))
        return damaged_entry(err);
    left->rows += ROW_VALUES;
    left->rows_left--;
    if (in_rest) {
        left->rest += size;
        left->rest_left -= size;
    }
    gallery->end.means++;
    return gallery_take_addition(gallery, &addition, err);
}

/* Whether the person's templates, of which there are more now, were left in the file. */
static int is_left_behind(const struct gallery *gallery, const char *name)
{
    size_t index = names_find(gallery, name);
    return index != SIZE_MAX && gallery->people[index].count > 1 &&
           !gallery->people[index].templates;
}

/* All templates of the entry are the next rows. */
static int take_whole(struct gallery *gallery, struct payload *left, struct gallery_entry *entry,
                      struct err *err)
{
    int from_means = left->means && entry->count == 1;
    if (!from_means && entry->count > left->rows_left)
        return damaged_entry(err);
    entry->templates = from_means ? left->means : left->rows;
    if (is_left_behind(gallery, entry->name)) {
        gallery->needs_rest = 1;
        return err_set(err, ERR_INVALID, "a mean has changed since it was written");
    }
    if (gallery_take_entry(gallery, entry, left->known, err) < 0)
        return -1;
    if (left->means)
        left->means += ROW_VALUES;
    if (!from_means) {
        left->rows += (size_t)entry->count * ROW_VALUES;
        left->rows_left -= entry->count;
    }
    return 0;
}

static int take_person(struct gallery *gallery, struct payload *left, struct err *err)
{
    uint8_t length;
    char name[UINT8_MAX + 1] = {0};
    struct gallery_entry entry = {name, left->rows, 0};
    if (left->end - left->entry < ENTRY_BYTES)
        return err_set(err, ERR_CORRUPT, "a person's entry is cut short");
    take(&left->entry, &entry.count, 4);
    take(&left->entry, &length, 1);
    int has_rows = !left->split || entry.count & ENTRY_HAS_ROWS;
    int is_more = left->split && entry.count & ENTRY_IS_MORE;
    if (left->split)
        entry.count &= ~(ENTRY_HAS_ROWS | ENTRY_IS_MORE);
    if (length > left->end - left->entry || entry.count < 1)
        return damaged_entry(err);
    take(&left->entry, name, length);
    if (strlen(name) != length ||
        (left->split && has_rows && names_find(gallery, name) == SIZE_MAX))
        return damaged_entry(err);
    if (is_more)
        return take_more(gallery, left, &entry, err);
    return has_rows ? take_whole(gallery, left, &entry, err)
                    : take_split(gallery, left, &entry, err);
}

static int take_people(struct gallery *gallery, struct payload *left, struct err *err)
{
    size_t people = gallery->people_count + left->people;
    if (gallery_reserve(gallery, people) < 0 || names_reserve(gallery, people) < 0)
        return err_set(err, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < left->people; i++)
        if (take_person(gallery, left, err) < 0)
            return -1;
    if (left->rows_left || left->entry != left->end || left->rest_left)
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
    uint64_t at, fetched; /* bytes before `fetched` are in gallery->file, from the last fetch on */
    int split;            /* of this version */
    uint8_t previous[GALLERY_CHECK_BYTES];
};

/* Bytes of the file into their place in gallery->file; some more with them, as segments may be
 * small. */
static int fetch(struct reading *reading, uint64_t at, uint64_t size, struct err *err)
{
    enum { LEAST = 65536 };
    uint64_t end = at + size, left = reading->header.committed - at;
    if (end <= reading->fetched)
        return 0;
    if (size < LEAST)
        size = left < LEAST ? left : LEAST;
    reading->fetched = at + size;
    for (ssize_t got; size > 0; at += (uint64_t)got, size -= (uint64_t)got) {
        got = pread(reading->gallery->fd, reading->gallery->file + at, size, (off_t)at);
        if (got <= 0)
            return err_set(err, ERR_IO, "read: it ends early");
    }
    return 0;
}

/* All of the file, where all of it is wanted. */
static int fetch_all(struct reading *reading, struct err *err)
{
    size_t size = reading->gallery->file_bytes;
    reading->header.committed = size;
    if (reading->gallery->only_means)
        return 0;
    return fetch(reading, GALLERY_HEADER_BYTES, size - GALLERY_HEADER_BYTES, err);
}

/* The segment's header, checked against what is left of the file, and all that its check covers. */
static int find_segment(struct reading *reading, struct segment *segment, struct err *err)
{
    uint64_t left = reading->header.committed - reading->at;
    size_t around = SEGMENT_HEADER_BYTES + segment_check_bytes(reading->header.form);
    if (left < around)
        return damaged(err);
    if (fetch(reading, reading->at, around, err) < 0)
        return -1;
    *segment = segment_take_header(reading->gallery->file + reading->at);
    if (segment->payload_bytes > left - around)
        return damaged(err);
    uint32_t people = segment->people & ~SEGMENT_HAS_REST, has_rest = segment->people ^ people;
    int first = reading->gallery->end.segments == 0;
    size_t before = (first && reading->header.has_head ? sizeof(struct head) : 0) +
                    (has_rest ? sizeof(struct rest) : 0);
    if (people > GALLERY_MAX_PEOPLE || segment->rows > GALLERY_MAX_TEMPLATES ||
        people > segment->rows || (has_rest && !reading->split) ||
        segment->payload_bytes <
            before + (size_t)segment->rows * ROW_VALUES + (size_t)people * ENTRY_BYTES)
        return damaged(err);
    return fetch(reading, reading->at, around + segment->payload_bytes, err);
}

/* The rest of the segment, which lies behind it. */
static int take_rest(struct reading *reading, struct payload *left, const uint8_t *at,
                     struct err *err)
{
    struct rest rest;
    uint8_t *start = reading->gallery->file + reading->at;
    memcpy(&rest, at, sizeof rest);
    if (rest.bytes > reading->header.committed - reading->at)
        return damaged(err);
    reading->at += rest.bytes;
    if (reading->gallery->only_means)
        return 0;
    if (rest_open(&rest, start, reading->place.key, err) < 0)
        return -1;
    left->rest = start;
    left->rest_left = rest.bytes;
    return 0;
}

static int take_head(struct gallery *gallery, uint8_t *at, struct err *err)
{
    gallery->head = head_read(at, err);
    if (!gallery->head)
        return -1;
    seal_wipe(at, sizeof *gallery->head);
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
    int first = gallery->end.segments++ == 0;
    uint8_t *payload = start + SEGMENT_HEADER_BYTES, *end = payload + segment.payload_bytes;
    size_t check_bytes = segment_check_bytes(reading->header.form);
    memset(reading->previous, 0, GALLERY_CHECK_BYTES);
    memcpy(reading->previous, end, check_bytes);
    reading->place.previous = reading->previous;
    reading->at += SEGMENT_HEADER_BYTES + segment.payload_bytes + check_bytes;
    struct payload left = {.rows_left = segment.rows,
                           .people = segment.people & ~SEGMENT_HAS_REST,
                           .has_rest = (segment.people & SEGMENT_HAS_REST) != 0,
                           .end = end,
                           .known = !first,
                           .split = reading->split};
    if (segment.people & SEGMENT_HAS_REST) {
        if (take_rest(reading, &left, payload, err) < 0)
            return -1;
        payload += sizeof(struct rest);
    }
    if (first && reading->header.has_head) {
        if (take_head(gallery, payload, err) < 0)
            return -1;
        payload += sizeof *gallery->head;
    }
    left.rows = (int8_t *)payload;
    left.entry = payload + (size_t)segment.rows * ROW_VALUES;
    int result = take_people(gallery, &left, err);
    if (gallery->only_means)
        seal_wipe(payload, (size_t)(end - payload));
    return result;
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
    gallery->changed = !reading->split; /* the next change writes this version */
    return 0;
}

/* The version before the last had one payload behind a header of its own. */
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
    memcpy(header, gallery->file + GALLERY_MAGIC_BYTES, sizeof *header);
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
    const uint8_t *at = reading->gallery->file + GALLERY_MAGIC_BYTES;
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
    int old = has_magic(gallery->file, magic_2);
    reading.split = has_magic(gallery->file, gallery_magic);
    gallery->only_means &= reading.split;
    memcpy(&form, gallery->file + GALLERY_MAGIC_BYTES, sizeof form); /* in all versions */
    gallery->plain = form == FORM_PLAIN;
    if (!old && take_header(&reading, err) < 0)
        return -1;
    if (form == FORM_SEALED && seal_find_key(path, 0, key, err) < 0)
        return -1;
    reading.place.key = form == FORM_SEALED ? key : NULL;
    int result = fetch_all(&reading, err);
    if (result == 0)
        result = old ? take_old(gallery, reading.place.key, err) : take_segments(&reading, err);
    seal_wipe(key, sizeof key);
    return result;
}
