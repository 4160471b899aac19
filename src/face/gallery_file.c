#include "base/file.h"
#include "base/random.h"
#include "face/gallery_data.h"
#include "face/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

/* docs/gallery.md describes the file. Numbers are little-endian, floats IEEE 754 binary32. */
static const char magic[8] = "KENGAL1\n";

enum {
    FORM_PLAIN = 0,
    FORM_SEALED = 1,
    HEADER_BYTES = 64, /* magic, form, people, templates, threshold, payload bytes, nonce, zeros */
    CHECK_BYTES = 32,  /* behind the payload: the tag and zeros, or SHA-256 */
    TEMPLATE_BYTES = FACE_EMBEDDING_FLOATS * 4,
    PERSON_BYTES = GALLERY_NAME_BYTES + 8, /* name, padded with zeros; templates; zeros */
};

struct header {
    uint32_t form, people, templates;
    float threshold;
    uint64_t payload_bytes;
    uint8_t nonce[SEAL_NONCE_BYTES];
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

static size_t payload_bytes(size_t people, size_t templates)
{
    return people * PERSON_BYTES + templates * TEMPLATE_BYTES; /* < 2^34 by the limits */
}

static void put_header(uint8_t *at, const struct header *header)
{
    memset(at, 0, HEADER_BYTES);
    put(&at, magic, sizeof magic);
    put(&at, &header->form, 4);
    put(&at, &header->people, 4);
    put(&at, &header->templates, 4);
    put(&at, &header->threshold, 4);
    put(&at, &header->payload_bytes, 8);
    put(&at, header->nonce, SEAL_NONCE_BYTES);
}

static void put_payload(uint8_t *at, const struct gallery *gallery)
{
    for (size_t i = 0; i < gallery->people_count; i++) {
        const struct person *person = &gallery->people[i];
        uint64_t count = person->count;
        char name[GALLERY_NAME_BYTES] = {0};
        memcpy(name, person->name, strlen(person->name));
        put(&at, name, sizeof name);
        put(&at, &count, 8);
        put(&at, person->templates, person->count * TEMPLATE_BYTES);
    }
}

static int checksum(const uint8_t *data, size_t size, uint8_t sum[CHECK_BYTES], struct err *err)
{
    if (EVP_Digest(data, size, sum, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_IO, "checksum: OpenSSL failed");
    return 0;
}

/* Encrypt the payload in place and put the tag behind it. */
static int close_seal(uint8_t *file, const struct header *header, const char *path, struct err *err)
{
    uint8_t key[SEAL_KEY_BYTES], *check = file + HEADER_BYTES + header->payload_bytes;
    struct seal seal = {key, header->nonce, file, HEADER_BYTES};
    int result = seal_find_key(path, 1, key, err);
    memset(check, 0, CHECK_BYTES);
    if (result == 0)
        result = seal_encrypt(&seal, file + HEADER_BYTES, header->payload_bytes, check, err);
    seal_wipe(key, sizeof key);
    return result;
}

static int save(const struct gallery *gallery, const char *path, uint32_t form, struct err *err)
{
    struct header header = {.form = form,
                            .people = (uint32_t)gallery->people_count,
                            .templates = (uint32_t)gallery->template_count,
                            .threshold = gallery->threshold,
                            .payload_bytes =
                                payload_bytes(gallery->people_count, gallery->template_count)};
    size_t size = HEADER_BYTES + header.payload_bytes + CHECK_BYTES;
    uint8_t *file = malloc(size);
    if (!file)
        return err_set(err, ERR_NO_MEMORY, "save %s: no memory", path);
    random_bytes(header.nonce, sizeof header.nonce);
    put_header(file, &header);
    put_payload(file + HEADER_BYTES, gallery);
    int result = form == FORM_SEALED
                     ? close_seal(file, &header, path, err)
                     : checksum(file, size - CHECK_BYTES, file + size - CHECK_BYTES, err);
    if (result < 0)
        err_wrap(err, "save %s", path);
    else
        result = file_write(path, file, size, 0600, err);
    seal_wipe(file, size);
    free(file);
    return result;
}

int gallery_save(const struct gallery *gallery, const char *path, struct err *err)
{
    return save(gallery, path, FORM_SEALED, err);
}

int gallery_save_plain(const struct gallery *gallery, const char *path, struct err *err)
{
    return save(gallery, path, FORM_PLAIN, err);
}

/* The header, and that the file is as long as it says. */
static int take_header(struct header *header, const uint8_t *file, size_t size, struct err *err)
{
    if (size < HEADER_BYTES + CHECK_BYTES || memcmp(file, magic, sizeof magic) != 0)
        return err_set(err, ERR_CORRUPT, "not a gallery of ken");
    const uint8_t *at = file + sizeof magic;
    take(&at, &header->form, 4);
    take(&at, &header->people, 4);
    take(&at, &header->templates, 4);
    take(&at, &header->threshold, 4);
    take(&at, &header->payload_bytes, 8);
    take(&at, header->nonce, SEAL_NONCE_BYTES);
    if (header->form > FORM_SEALED || header->people > GALLERY_MAX_PEOPLE ||
        header->templates > GALLERY_MAX_TEMPLATES ||
        header->payload_bytes != payload_bytes(header->people, header->templates) ||
        size != HEADER_BYTES + header->payload_bytes + CHECK_BYTES)
        return err_set(err, ERR_CORRUPT, "its header is damaged, or the file is cut short");
    if (!(header->threshold >= -1 && header->threshold <= 1))
        return err_set(err, ERR_CORRUPT, "its threshold is not from -1 to 1");
    return 0;
}

static int open_seal(uint8_t *file, const struct header *header, const char *path, struct err *err)
{
    uint8_t key[SEAL_KEY_BYTES];
    struct seal seal = {key, header->nonce, file, HEADER_BYTES};
    int result = seal_find_key(path, 0, key, err);
    if (result == 0)
        result = seal_decrypt(&seal, file + HEADER_BYTES, header->payload_bytes,
                              file + HEADER_BYTES + header->payload_bytes, err);
    seal_wipe(key, sizeof key);
    return result;
}

static int verify_checksum(const uint8_t *file, size_t size, struct err *err)
{
    uint8_t sum[CHECK_BYTES];
    if (checksum(file, size - CHECK_BYTES, sum, err) < 0)
        return -1;
    if (memcmp(sum, file + size - CHECK_BYTES, CHECK_BYTES) != 0)
        return err_set(err, ERR_CORRUPT, "it was changed: its checksum is wrong");
    return 0;
}

static int take_person(struct gallery *gallery, const uint8_t **at, size_t *left, struct err *err)
{
    char name[GALLERY_NAME_BYTES];
    uint64_t count;
    take(at, name, sizeof name);
    take(at, &count, 8);
    if (name[GALLERY_NAME_BYTES - 1] != 0 || count < 1 || count > *left)
        return err_set(err, ERR_CORRUPT, "a person's entry is damaged");
    struct person *person = gallery_add_person(gallery, name, err);
    if (!person || gallery_add_templates(gallery, person, (const float *)(const void *)*at,
                                         (size_t)count, err) < 0)
        return -1;
    *at += count * TEMPLATE_BYTES;
    *left -= (size_t)count;
    return 0;
}

static int take_payload(struct gallery *gallery, const struct header *header, const uint8_t *at,
                        struct err *err)
{
    size_t left = header->templates;
    gallery->threshold = header->threshold;
    for (uint32_t i = 0; i < header->people; i++)
        if (take_person(gallery, &at, &left, err) < 0)
            return -1;
    return left ? err_set(err, ERR_CORRUPT, "templates that belong to nobody") : 0;
}

static int fill(struct gallery *gallery, uint8_t *file, size_t size, const char *path,
                struct err *err)
{
    struct header header;
    if (take_header(&header, file, size, err) < 0)
        return -1;
    int result = header.form == FORM_SEALED ? open_seal(file, &header, path, err)
                                            : verify_checksum(file, size, err);
    if (result < 0)
        return -1;
    return take_payload(gallery, &header, file + HEADER_BYTES, err);
}

static int read_all(int fd, uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, out, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        out += got;
        size -= (size_t)got;
    }
    return 0;
}

/* The whole file in one block of its size, which the caller wipes and frees. */
static uint8_t *read_file(const char *path, size_t *size, struct err *err)
{
    const size_t limit =
        HEADER_BYTES + CHECK_BYTES + payload_bytes(GALLERY_MAX_PEOPLE, GALLERY_MAX_TEMPLATES);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_set_errno(err, "open %s", path);
        return NULL;
    }
    struct stat status;
    uint8_t *file = NULL;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        err_set(err, ERR_INVALID, "open %s: not a file", path);
    else if ((uint64_t)status.st_size > limit)
        err_set(err, ERR_TOO_BIG, "open %s: more than %zu bytes", path, limit);
    else if (!(file = malloc((size_t)status.st_size + 1)))
        err_set(err, ERR_NO_MEMORY, "open %s: no memory", path);
    else if (read_all(fd, file, *size = (size_t)status.st_size) < 0) {
        err_set(err, ERR_IO, "read %s: it ends early", path);
        free(file);
        file = NULL;
    }
    close(fd);
    return file;
}

struct gallery *gallery_open(const char *path, struct err *err)
{
    size_t size = 0;
    uint8_t *file = read_file(path, &size, err);
    if (!file)
        return NULL;
    struct gallery *gallery = gallery_create(err);
    if (gallery && fill(gallery, file, size, path, err) < 0) {
        err_wrap(err, "open %s", path);
        gallery_destroy(gallery);
        gallery = NULL;
    }
    seal_wipe(file, size);
    free(file);
    return gallery;
}
