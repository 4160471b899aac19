#include "base/random.h"
#include "face/gallery_data.h"
#include "face/seal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

/* docs/gallery.md describes the file. Numbers are little-endian, floats IEEE 754 binary32. */
static const char magic[8] = "KENGAL2\n";

enum {
    FORM_PLAIN = 0,
    FORM_SEALED = 1,
    ENTRY_BYTES = 5, /* templates, length of the name; the name follows */
};

struct header {
    uint32_t form, people, templates;
    float threshold;
    uint64_t payload_bytes;
    uint8_t nonce[SEAL_NONCE_BYTES];
    uint32_t rows; /* templates of those who have more than one */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the gallery file is little-endian");

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

static size_t check_bytes(uint32_t form)
{
    return form == FORM_SEALED ? SEAL_TAG_BYTES : GALLERY_CHECK_BYTES;
}

size_t gallery_most_file_bytes(void)
{
    return GALLERY_HEADER_BYTES + GALLERY_CHECK_BYTES +
           ((size_t)GALLERY_MAX_PEOPLE + GALLERY_MAX_TEMPLATES) * ROW_VALUES +
           (size_t)GALLERY_MAX_PEOPLE * (ENTRY_BYTES + GALLERY_NAME_BYTES);
}

/* ---- writing ---- */

static struct header header_of(const struct gallery *gallery, uint32_t form)
{
    struct header header = {.form = form,
                            .people = (uint32_t)gallery->people_count,
                            .templates = (uint32_t)gallery->template_count,
                            .threshold = gallery->threshold};
    size_t entries = 0;
    for (size_t i = 0; i < gallery->people_count; i++) {
        const struct person *person = &gallery->people[i];
        header.rows += person->templates ? person->count : 0;
        entries += ENTRY_BYTES + strlen(person->name);
    }
    header.payload_bytes = ((size_t)header.people + header.rows) * ROW_VALUES + entries;
    random_bytes(header.nonce, sizeof header.nonce);
    return header;
}

static void put_header(uint8_t *at, const struct header *header)
{
    memset(at, 0, GALLERY_HEADER_BYTES);
    put(&at, magic, sizeof magic);
    put(&at, &header->form, 4);
    put(&at, &header->people, 4);
    put(&at, &header->templates, 4);
    put(&at, &header->threshold, 4);
    put(&at, &header->payload_bytes, 8);
    put(&at, header->nonce, SEAL_NONCE_BYTES);
    put(&at, &header->rows, 4);
}

static void put_payload(uint8_t *at, const struct gallery *gallery)
{
    for (size_t i = 0; i < gallery->people_count; i++)
        put(&at, rows_at(&gallery->means, i), ROW_VALUES);
    for (size_t i = 0; i < gallery->people_count; i++)
        if (gallery->people[i].templates)
            put(&at, gallery->people[i].templates, (size_t)gallery->people[i].count * ROW_VALUES);
    for (size_t i = 0; i < gallery->people_count; i++) {
        const struct person *person = &gallery->people[i];
        uint8_t length = (uint8_t)strlen(person->name);
        put(&at, &person->count, 4);
        put(&at, &length, 1);
        put(&at, person->name, length);
    }
}

static int checksum(const uint8_t *data, size_t size, uint8_t sum[GALLERY_CHECK_BYTES],
                    struct err *err)
{
    if (EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_IO, "checksum: OpenSSL failed");
    return 0;
}

/* Encrypt the payload in place and put the tag behind it. */
static int close_seal(uint8_t *file, const struct header *header, const char *path, struct err *err)
{
    uint8_t key[SEAL_KEY_BYTES], *payload = file + GALLERY_HEADER_BYTES;
    struct seal seal = {key, header->nonce, file, GALLERY_HEADER_BYTES};
    int result = seal_find_key(path, 1, key, err);
    if (result == 0)
        result = seal_encrypt(&seal, payload, header->payload_bytes,
                              payload + header->payload_bytes, err);
    seal_wipe(key, sizeof key);
    return result;
}

uint8_t *gallery_encode(const struct gallery *gallery, int plain, const char *path, size_t *size,
                        struct err *err)
{
    struct header header = header_of(gallery, plain ? FORM_PLAIN : FORM_SEALED);
    size_t unchecked = GALLERY_HEADER_BYTES + header.payload_bytes;
    *size = unchecked + check_bytes(header.form);
    uint8_t *file = malloc(*size);
    if (!file) {
        err_set(err, ERR_NO_MEMORY, "no memory");
        return NULL;
    }
    put_header(file, &header);
    put_payload(file + GALLERY_HEADER_BYTES, gallery);
    int result = plain ? checksum(file, unchecked, file + unchecked, err)
                       : close_seal(file, &header, path, err);
    if (result == 0)
        return file;
    seal_wipe(file, *size);
    free(file);
    return NULL;
}

/* ---- reading ---- */

/* The header, and that the file is as long as it says. */
static int take_header(struct header *header, const uint8_t *file, size_t size, struct err *err)
{
    enum { VERSION_AT = 6 };
    if (size < GALLERY_HEADER_BYTES || memcmp(file, magic, VERSION_AT) != 0)
        return err_set(err, ERR_CORRUPT, "not a gallery of ken, or cut short");
    if (memcmp(file, magic, sizeof magic) != 0)
        return err_set(err, ERR_CORRUPT, "a gallery of another version: train it again");
    const uint8_t *at = file + sizeof magic;
    take(&at, &header->form, 4);
    take(&at, &header->people, 4);
    take(&at, &header->templates, 4);
    take(&at, &header->threshold, 4);
    take(&at, &header->payload_bytes, 8);
    take(&at, header->nonce, SEAL_NONCE_BYTES);
    take(&at, &header->rows, 4);
    size_t least = ((size_t)header->people + header->rows) * ROW_VALUES;
    if (header->form > FORM_SEALED || header->people > GALLERY_MAX_PEOPLE ||
        header->templates > GALLERY_MAX_TEMPLATES || header->rows > header->templates ||
        header->payload_bytes > gallery_most_file_bytes() || header->payload_bytes < least ||
        size != GALLERY_HEADER_BYTES + header->payload_bytes + check_bytes(header->form))
        return err_set(err, ERR_CORRUPT, "its header is damaged, or the file is cut short");
    if (!(header->threshold >= -1 && header->threshold <= 1))
        return err_set(err, ERR_CORRUPT, "its threshold is not from -1 to 1");
    return 0;
}

static int open_seal(uint8_t *file, const struct header *header, const char *path, struct err *err)
{
    uint8_t key[SEAL_KEY_BYTES], *payload = file + GALLERY_HEADER_BYTES;
    struct seal seal = {key, header->nonce, file, GALLERY_HEADER_BYTES};
    int result = seal_find_key(path, 0, key, err);
    if (result == 0)
        result = seal_decrypt(&seal, payload, header->payload_bytes,
                              payload + header->payload_bytes, err);
    seal_wipe(key, sizeof key);
    return result;
}

static int verify_checksum(const uint8_t *file, size_t size, struct err *err)
{
    uint8_t sum[GALLERY_CHECK_BYTES];
    size_t unchecked = size - GALLERY_CHECK_BYTES;
    if (checksum(file, unchecked, sum, err) < 0)
        return -1;
    if (memcmp(sum, file + unchecked, GALLERY_CHECK_BYTES) != 0)
        return err_set(err, ERR_CORRUPT, "it was changed: its checksum is wrong");
    return 0;
}

/* What of the payload is not taken yet. */
struct payload {
    const int8_t *mean;
    int8_t *rows;
    size_t rows_left;
    const uint8_t *entry, *end;
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
    size_t rows = count > 1 ? count : 0;
    if (length > left->end - left->entry || count < 1 || rows > left->rows_left)
        return err_set(err, ERR_CORRUPT, "a person's entry is damaged");
    take(&left->entry, name, length);
    if (strlen(name) != length)
        return err_set(err, ERR_CORRUPT, "a person's entry is damaged");
    if (gallery_take_person(gallery, name, left->mean, rows ? left->rows : NULL, count, err) < 0)
        return -1;
    if (!(rows_factor(&gallery->means, gallery->people_count - 1) > 0))
        return err_set(err, ERR_CORRUPT, "a person's template is all zeros");
    left->mean += ROW_VALUES;
    left->rows += rows * ROW_VALUES;
    left->rows_left -= rows;
    return 0;
}

static int take_payload(struct gallery *gallery, const struct header *header, struct err *err)
{
    uint8_t *at = gallery->file + GALLERY_HEADER_BYTES;
    size_t means = (size_t)header->people * ROW_VALUES, rows = (size_t)header->rows * ROW_VALUES;
    struct payload left = {.mean = (const int8_t *)at,
                           .rows = (int8_t *)at + means,
                           .rows_left = header->rows,
                           .entry = at + means + rows,
                           .end = at + header->payload_bytes};
    gallery->threshold = header->threshold;
    if (gallery_reserve(gallery, header->people) < 0 || names_reserve(gallery, header->people) < 0)
        return err_set(err, ERR_NO_MEMORY, "no memory");
    for (uint32_t i = 0; i < header->people; i++)
        if (take_person(gallery, &left, err) < 0)
            return -1;
    if (left.rows_left || left.entry != left.end || gallery->template_count != header->templates)
        return err_set(err, ERR_CORRUPT, "templates that belong to nobody");
    return 0;
}

int gallery_decode(struct gallery *gallery, const char *path, struct err *err)
{
    struct header header;
    if (take_header(&header, gallery->file, gallery->file_bytes, err) < 0)
        return -1;
    gallery->plain = header.form == FORM_PLAIN;
    int result = gallery->plain ? verify_checksum(gallery->file, gallery->file_bytes, err)
                                : open_seal(gallery->file, &header, path, err);
    if (result < 0)
        return -1;
    return take_payload(gallery, &header, err);
}
