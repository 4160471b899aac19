#include "cloud/s3/post_form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

int post_form_boundary(const char *content_type, struct post_form *form)
{
    static const char type[] = "multipart/form-data";
    if (!content_type || strncasecmp(content_type, type, sizeof type - 1) != 0)
        return 0;
    const char *at = strcasestr(content_type, "boundary=");
    if (!at)
        return 0;
    at += strlen("boundary=");
    int is_quoted = *at == '"';
    at += is_quoted;
    size_t size = strcspn(at, is_quoted ? "\"" : "; \t");
    if (size == 0 || size > POST_BOUNDARY_BYTES)
        return 0;
    snprintf(form->boundary, sizeof form->boundary, "\r\n--%.*s", (int)size, at);
    return 1;
}

/* -- the head of one part -- */

struct part {
    const char *name, *file_name, *type;
};

/* The parameter `name="..."` of a Content-Disposition, in the arena; NULL: absent. */
static const char *parameter(struct arena *arena, const char *line, const char *end,
                             const char *name)
{
    size_t length = strlen(name);
    for (const char *p = line; p + length + 2 < end; p++) {
        if ((p[-1] != ' ' && p[-1] != ';') || strncasecmp(p, name, length) != 0 ||
            p[length] != '=' || p[length + 1] != '"')
            continue;
        const char *value = p + length + 2;
        const char *quote = memchr(value, '"', (size_t)(end - value));
        return quote ? arena_copy(arena, value, (size_t)(quote - value)) : NULL;
    }
    return NULL;
}

static void read_line(struct part *part, struct arena *arena, const char *line, const char *end)
{
    static const char disposition[] = "Content-Disposition:", type[] = "Content-Type:";
    size_t size = (size_t)(end - line);
    if (size > sizeof disposition && strncasecmp(line, disposition, sizeof disposition - 1) == 0) {
        part->name = parameter(arena, line + 1, end, "name");
        part->file_name = parameter(arena, line + 1, end, "filename");
    } else if (size > sizeof type && strncasecmp(line, type, sizeof type - 1) == 0) {
        const char *value = line + sizeof type - 1;
        while (value < end && *value == ' ')
            value++;
        part->type = arena_copy(arena, value, (size_t)(end - value));
    }
}

static const char *find(const char *at, const char *end, const char *text)
{
    size_t length = strlen(text);
    return at < end ? memmem(at, (size_t)(end - at), text, length) : NULL;
}

/* Lines up to the empty one. Returns where the value begins; NULL: the end is missing. */
static const char *read_part(struct part *part, struct arena *arena, const char *at,
                             const char *end)
{
    *part = (struct part){0};
    for (;;) {
        const char *line_end = find(at, end, "\r\n");
        if (!line_end)
            return NULL;
        if (line_end == at)
            return at + 2;
        read_line(part, arena, at, line_end);
        at = line_end + 2;
    }
}

/* -- the form -- */

static int add_field(struct post_form *form, struct arena *arena, const struct part *part,
                     const char *value, size_t size, struct err *err)
{
    if (form->field_count == POST_MAX_FIELDS || size > POST_MAX_FIELD_BYTES)
        return err_set(err, ERR_TOO_BIG, "too many or too long fields");
    const char *copy = arena_copy(arena, value, size);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "read a form: out of memory");
    form->fields[form->field_count++] = (struct post_field){part->name, copy};
    return 0;
}

static int malformed(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "The body of your POST request is not well-formed multipart/form-data.");
}

int post_form_read(struct post_form *form, struct arena *arena, const char *data, size_t size,
                   struct err *err)
{
    const char *end = data + size, *first = form->boundary + 2; /* without the line's end */
    size_t length = strlen(first);
    if (size < length + 2 || memcmp(data, first, length) != 0)
        return malformed(err);
    for (const char *at = data + length;;) {
        struct part part;
        if (end - at >= 2 && memcmp(at, "--", 2) == 0)
            return 0;
        if (end - at < 2 || memcmp(at, "\r\n", 2) != 0)
            return malformed(err);
        const char *value = read_part(&part, arena, at + 2, end);
        if (!value || !part.name)
            return malformed(err);
        if (strcasecmp(part.name, "file") == 0) { /* what follows it does not count */
            form->has_file = 1;
            form->file_offset = (size_t)(value - data);
            form->file_name = part.file_name ? part.file_name : "";
            form->file_type = part.type;
            return 0;
        }
        const char *value_end = find(value, end, form->boundary);
        if (!value_end)
            return malformed(err);
        if (add_field(form, arena, &part, value, (size_t)(value_end - value), err) < 0)
            return -1;
        at = value_end + strlen(form->boundary);
    }
}

const char *post_form_get(const struct post_form *form, const char *name)
{
    for (size_t i = 0; i < form->field_count; i++)
        if (strcasecmp(form->fields[i].name, name) == 0)
            return form->fields[i].value;
    return NULL;
}
