#ifndef CLOUD_S3_POST_FORM_H
#define CLOUD_S3_POST_FORM_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>

/* A browser's upload form: multipart/form-data (RFC 7578) whose last part that counts is "file".
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html */

enum {
    POST_MAX_FIELDS = 100,
    POST_MAX_FIELD_BYTES = 32 * 1024,
    POST_MAX_HEAD_BYTES = 256 * 1024, /* all in front of the file's bytes */
    POST_BOUNDARY_BYTES = 72,
};

struct post_field {
    const char *name, *value;
};

struct post_form {
    struct post_field fields[POST_MAX_FIELDS];
    size_t field_count;
    const char *file_name; /* "" when the part names none */
    const char *file_type; /* its Content-Type, or NULL */
    size_t file_offset;    /* of the file's first byte in the body */
    int has_file;
    char boundary[POST_BOUNDARY_BYTES + 8]; /* "\r\n--" and it: ends the file */
};

/* Does the Content-Type say that the body is such a form? Fills form->boundary. */
int post_form_boundary(const char *content_type, struct post_form *form);
/* Read the head of the body: `data` with `size` bytes is all of it or its beginning. Texts are
 * copied to the arena. ERR_INVALID for a wrong form, ERR_TOO_BIG past a limit. */
int post_form_read(struct post_form *form, struct arena *arena, const char *data, size_t size,
                   struct err *err);
/* The value of a field, whatever the case of its name; NULL: absent. */
const char *post_form_get(const struct post_form *form, const char *name);

#endif
