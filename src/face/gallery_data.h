#ifndef FACE_GALLERY_DATA_H
#define FACE_GALLERY_DATA_H

#include "face/gallery.h"
#include "face/head.h"
#include "face/recognizer.h"
#include "face/rows.h"

#include <stdint.h>
#include <sys/types.h>

/* What gallery.c (people), gallery_names.c (finding a name), gallery_file.c and gallery_write.c
 * (the file's bytes), gallery_segment.c (its sealed parts), gallery_rest.c (templates beside their
 * mean) and gallery_store.c (the file on the disk) share. */
struct person {
    char name[GALLERY_NAME_BYTES];
    int8_t *templates;  /* count rows; NULL for one template: that is the person's mean; NULL also
                           where only means were read */
    uint32_t count;     /* templates */
    uint32_t allocated; /* rows; 0: `templates` lies in the gallery's `file` */
    uint32_t saved;     /* of `count`: in the file that the gallery was opened from */
};

enum { GALLERY_HEADER_BYTES = 64, GALLERY_CHECK_BYTES = 32, GALLERY_MAX_SEGMENTS = 1024 };

/* Where the file that was read ends, so that it can be continued. */
struct gallery_end {
    uint64_t bytes;                     /* that count; 0: there is no file to continue */
    uint32_t segments;                  /* in them */
    uint32_t means;                     /* that additions brought, of people who had one */
    uint8_t check[GALLERY_CHECK_BYTES]; /* of the last segment; a tag has zeros behind */
    dev_t device;
    ino_t inode;
};

struct gallery {
    struct person *people; /* in the order of enrolment */
    struct rows means;     /* the direction of each person */
    size_t people_count, people_allocated, template_count;
    uint32_t *slots; /* hash of names: person + 1, 0 for free; a power of two, half free at least */
    size_t slot_count;
    struct head *head; /* or NULL */
    uint8_t *file;     /* as read and decrypted; NULL for a new gallery */
    int fd;            /* while it is read */
    size_t file_bytes, unfinished_bytes;
    float threshold;
    struct face_network network;
    int plain;      /* read from a file that is not encrypted */
    int only_means; /* the templates behind them were not read: nothing can be changed or saved */
    int needs_rest; /* reading only means failed, since a mean has changed since it was written */
    int changed;    /* otherwise than by adding: the file is to be written anew */
    struct gallery_end end;
    int lock_folder; /* a descriptor: held for writing by gallery_open_to_change(); else -1 */
};

int gallery_check_name(const char *name, struct err *err) MUST_USE;
/* Room for so many people. */
int gallery_reserve(struct gallery *gallery, size_t count) MUST_USE;
/* For gallery_file.c: a person with `count` templates, which lie in gallery->file; or more
 * templates of a known person, where `known` allows it. */
struct gallery_entry {
    const char *name;
    int8_t *templates;
    uint32_t count;
};
int gallery_take_entry(struct gallery *gallery, const struct gallery_entry *entry, int known,
                       struct err *err) MUST_USE;
/* More templates of a known person, `templates` (NULL: left in the file), whose mean they make
 * `mean`. */
struct gallery_addition {
    size_t person;
    const int8_t *mean, *templates;
    uint32_t count;
};
int gallery_take_addition(struct gallery *gallery, const struct gallery_addition *addition,
                          struct err *err) MUST_USE;
/* The templates from number `from` on lie one after the other there. */
const int8_t *gallery_person_rows(const struct gallery *gallery, size_t person, size_t from);

/* Finding names. After a change of anybody's number everything is to be indexed anew. */
size_t names_find(const struct gallery *gallery, const char *name); /* SIZE_MAX: nobody */
int names_reserve(struct gallery *gallery, size_t count);           /* -1 without memory */
int names_add(struct gallery *gallery, size_t person);              /* -1 without memory */
void names_remake(struct gallery *gallery);                         /* after removal or renaming */

/* A segment of the file: a header of SEGMENT_HEADER_BYTES, the payload, the check. */
enum { SEGMENT_HEADER_BYTES = 32, FORM_PLAIN = 0, FORM_SEALED = 1 };
#define SEGMENT_HAS_REST 0x80000000u
struct segment {
    uint64_t payload_bytes;
    uint32_t people,
        rows; /* entries and rows of the payload; people: SEGMENT_HAS_REST may be set */
    float threshold;
    uint8_t nonce[12];
};
/* What the check covers besides the payload: the start of the file, what went before, the segment's
 * header. */
struct segment_place {
    const uint8_t *file_header; /* GALLERY_HEADER_BYTES */
    const uint8_t *previous;    /* GALLERY_CHECK_BYTES of the segment before; NULL for the first */
    const uint8_t *key;         /* NULL: plain */
};
size_t segment_check_bytes(uint32_t form);
void segment_put_header(uint8_t *at, const struct segment *segment);
struct segment segment_take_header(const uint8_t *at);
/* `at`: the segment's first byte. Encrypts the payload in place, and puts the check behind it. */
int segment_close(uint8_t *at, const struct segment_place *place, struct err *err) MUST_USE;
/* Checks and decrypts in place. ERR_CORRUPT. */
int segment_open(uint8_t *at, const struct segment_place *place, struct err *err) MUST_USE;

/* A person's entry: how many templates, the length of the name, the name. One of the segment's rows
 * is the mean of all that the person has then, and the templates are in the rest. ENTRY_IS_MORE: of
 * a known person, more templates. ENTRY_HAS_ROWS: the same as it was written before: they are the
 * rows, and the mean is to be computed. */
enum { ENTRY_BYTES = 5 };
#define ENTRY_HAS_ROWS 0x80000000u
#define ENTRY_IS_MORE 0x40000000u

/* The rest of a segment, behind its check: the templates of those whose mean is in the segment, so
 * that a search need not read them. This stands at the start of the payload. */
struct rest {
    uint64_t bytes;
    uint8_t nonce[12];
    uint8_t zeros[4];
    uint8_t check[GALLERY_CHECK_BYTES]; /* sealed: a tag and zeros; plain: SHA-256 */
};
/* Encrypts rest->bytes at `at` in place, and fills in the check; `key` is NULL for plain. */
int rest_close(struct rest *rest, uint8_t *at, const uint8_t *key, struct err *err) MUST_USE;
/* Checks and decrypts in place. ERR_CORRUPT. */
int rest_open(const struct rest *rest, uint8_t *at, const uint8_t *key, struct err *err) MUST_USE;

/* One person's templates in the rest, `count` (at least 2) rows one after the other, beside their
 * mean: about 100 bytes fewer than the rows with it would be. Returns how many bytes it took. */
size_t rest_put(uint8_t *at, const int8_t *rows, uint32_t count, const int8_t *mean);
size_t rest_most_bytes(uint32_t count);
/* The same rows again, to the bit. Returns how many of `left` bytes it took; 0 for damage. */
size_t rest_take(int8_t *rows, uint32_t count, const int8_t *mean, const uint8_t *at, size_t left);

/* The file's bytes. */
enum { GALLERY_MAGIC_BYTES = 8 };
extern const char gallery_magic[GALLERY_MAGIC_BYTES];
size_t gallery_most_file_bytes(void);
/* How much of the file counts, from its first GALLERY_HEADER_BYTES. ERR_CORRUPT. */
int gallery_committed_bytes(const uint8_t *header, size_t file_bytes, uint64_t *bytes,
                            struct err *err) MUST_USE;
void gallery_put_committed(uint8_t *header, uint64_t bytes);
enum { GALLERY_COMMITTED_AT = 16 }; /* where the header says so */
/* The whole file in one block, which the caller wipes and frees; NULL on failure. */
uint8_t *gallery_encode(const struct gallery *gallery, int plain, const char *path, size_t *size,
                        struct err *err);
/* The same, of what was added since the file was read, to go behind it. */
uint8_t *gallery_encode_added(const struct gallery *gallery, const char *path, size_t *size,
                              struct err *err);
/* Reads what follows the header from gallery->fd, decrypts it in place in gallery->file, and fills
 * the gallery from it. */
int gallery_decode(struct gallery *gallery, const char *path, struct err *err) MUST_USE;

#endif
