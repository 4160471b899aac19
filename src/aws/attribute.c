#include "aws/attribute.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A reader over text that jansson has already found to be well-formed JSON. It only needs to find
 * where each value starts and ends, so that numbers and strings pass over as they were written. */
struct reader {
    const char *at, *end;
    struct buf *out;
    int depth;
};

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at))
        r->at++;
}

static void skip_string(struct reader *r)
{
    r->at++;
    while (r->at < r->end && *r->at != '"')
        r->at += *r->at == '\\' ? 2 : 1;
    if (r->at < r->end)
        r->at++;
}

/* Copy the string at the reader, quotes and escapes as they are. */
static void copy_string(struct reader *r)
{
    const char *start = r->at;
    skip_string(r);
    buf_append(r->out, start, (size_t)(r->at - start));
}

static int put_value(struct reader *r);

/* The members of an object (with names) or an array, typed, up to and with the closing bracket. */
static int put_members(struct reader *r, int with_names)
{
    char closing = with_names ? '}' : ']';
    r->at++;
    for (int first = 1;; first = 0) {
        skip_blanks(r);
        if (r->at >= r->end)
            return -1;
        if (*r->at == closing)
            break;
        if (!first) {
            r->at++; /* the comma */
            skip_blanks(r);
            buf_puts(r->out, ",");
        }
        if (with_names) {
            copy_string(r);
            skip_blanks(r);
            r->at++; /* the colon */
            buf_puts(r->out, ":");
            skip_blanks(r);
        }
        if (put_value(r) < 0)
            return -1;
    }
    r->at++;
    return 0;
}

static int put_nested(struct reader *r, int with_names)
{
    if (++r->depth > ATTRIBUTE_MAX_DEPTH)
        return -1;
    buf_puts(r->out, with_names ? "{\"M\":{" : "{\"L\":[");
    if (put_members(r, with_names) < 0)
        return -1;
    buf_puts(r->out, with_names ? "}}" : "]}");
    r->depth--;
    return 0;
}

static void put_word(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && !strchr(",]} \t\r\n", *r->at))
        r->at++;
    size_t size = (size_t)(r->at - start);
    if (*start == 't' || *start == 'f')
        buf_printf(r->out, "{\"BOOL\":%.*s}", (int)size, start);
    else if (*start == 'n')
        buf_puts(r->out, "{\"NULL\":true}");
    else
        buf_printf(r->out, "{\"N\":\"%.*s\"}", (int)size, start);
}

static int put_value(struct reader *r)
{
    if (r->at >= r->end)
        return -1;
    if (*r->at == '{' || *r->at == '[')
        return put_nested(r, *r->at == '{');
    if (*r->at == '"') {
        buf_puts(r->out, "{\"S\":");
        copy_string(r);
        buf_puts(r->out, "}");
        return 0;
    }
    put_word(r);
    return 0;
}

int attribute_from_plain(const char *text, size_t size, struct buf *out, struct err *err)
{
    json_error_t problem;
    json_t *root =
        json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &problem);
    int is_object = json_is_object(root), is_json = root != NULL;
    json_decref(root);
    if (!is_object)
        return err_set(err, ERR_INVALID, "read record: %s",
                       is_json ? "it is no JSON object" : problem.text);
    struct reader reader = {.at = text, .end = text + size, .out = out};
    skip_blanks(&reader);
    buf_puts(out, "{");
    int done = put_members(&reader, 1);
    buf_puts(out, "}");
    if (done < 0)
        return err_set(err, ERR_INVALID, "read record: more than %d levels deep",
                       ATTRIBUTE_MAX_DEPTH);
    if (out->failed)
        return err_set(err, ERR_TOO_BIG, "read record: it is too big");
    return 0;
}

/* Past the value at the reader, whatever it is. */
static void skip_value(struct reader *r)
{
    int depth = 0;
    do {
        if (*r->at == '"') {
            skip_string(r);
            continue;
        }
        depth += *r->at == '{' || *r->at == '[';
        depth -= *r->at == '}' || *r->at == ']';
        r->at++;
    } while (r->at < r->end && (depth > 0 || !strchr(",]} \t\r\n", *r->at)));
}

const char *attribute_plain_member(const char *text, size_t size, const char *name,
                                   size_t *value_bytes)
{
    struct reader r = {.at = text, .end = text + size};
    size_t name_bytes = strlen(name);
    skip_blanks(&r);
    if (r.at < r.end)
        r.at++; /* the bracket */
    for (skip_blanks(&r); r.at < r.end && *r.at != '}'; skip_blanks(&r)) {
        const char *here = r.at;
        if (*here != '"')
            return NULL;
        skip_string(&r);
        int found = (size_t)(r.at - here) == name_bytes + 2 && !memcmp(here + 1, name, name_bytes);
        skip_blanks(&r);
        r.at++; /* the colon */
        skip_blanks(&r);
        const char *value = r.at;
        if (value >= r.end)
            return NULL;
        skip_value(&r);
        *value_bytes = (size_t)(r.at - value);
        if (found)
            return value;
        skip_blanks(&r);
        if (r.at < r.end && *r.at == ',')
            r.at++;
    }
    return NULL;
}

json_t *attribute_load_plain(const char *text, size_t size)
{
    json_error_t problem;
    json_t *root = json_loadb(text, size, 0, &problem);
    if (root || json_error_code(&problem) != json_error_numeric_overflow)
        return root;
    return json_loadb(text, size, JSON_DECODE_INT_AS_REAL, &problem);
}

void attribute_put_string(struct buf *out, const char *text)
{
    json_t *string = json_string(text);
    char *dumped = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    buf_puts(out, dumped ? dumped : "\"\"");
    free(dumped);
    json_decref(string);
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static int is_json_number(const char *text)
{
    text += *text == '-';
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (digits > 1 && *text == '0'))
        return 0;
    text += digits;
    if (*text == '.') {
        digits = strspn(++text, "0123456789");
        if (digits == 0)
            return 0;
        text += digits;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        digits = strspn(text, "0123456789");
        if (digits == 0)
            return 0;
        text += digits;
    }
    return *text == 0;
}

static int put_plain(const json_t *value, struct buf *out, int depth);

static int put_plain_map(const json_t *map, struct buf *out, int depth)
{
    const char *name, *separator = "";
    const json_t *value;
    buf_puts(out, "{");
    /* jansson's foreach macro wants a json_t it may change; it does not */
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        buf_puts(out, separator);
        attribute_put_string(out, name);
        buf_puts(out, ": ");
        if (put_plain(value, out, depth) < 0)
            return -1;
        separator = ", ";
    }
    buf_puts(out, "}");
    return json_is_object(map) ? 0 : -1;
}

static int put_scalar(const char *type, const json_t *value, struct buf *out)
{
    const char *text = json_string_value(value);
    if (strcmp(type, "NULL") == 0) {
        buf_puts(out, "null");
        return 0;
    }
    if (strcmp(type, "BOOL") == 0) {
        buf_puts(out, json_is_true(value) ? "true" : "false");
        return json_is_boolean(value) ? 0 : -1;
    }
    if (!text || !type[0] || type[1] || !strchr("SNB", type[0]))
        return -1;
    if (type[0] == 'N') {
        buf_puts(out, text);
        return is_json_number(text) ? 0 : -1;
    }
    attribute_put_string(out, text);
    return 0;
}

static int put_list(const char *type, const json_t *list, struct buf *out, int depth)
{
    size_t index;
    const json_t *value;
    char single[2] = {type[0], 0}; /* "SS" is a set of "S" */
    if (!json_is_array(list))
        return -1;
    buf_puts(out, "[");
    json_array_foreach(list, index, value)
    {
        buf_puts(out, index ? ", " : "");
        int done = *type == 'L' ? put_plain(value, out, depth) : put_scalar(single, value, out);
        if (done < 0)
            return -1;
    }
    buf_puts(out, "]");
    return 0;
}

/* One typed value: an object with one member, named after the type. */
static int put_plain(const json_t *value, struct buf *out, int depth)
{
    void *only = json_object_iter((json_t *)(uintptr_t)value);
    if (!only || json_object_size(value) != 1 || depth > ATTRIBUTE_MAX_DEPTH)
        return -1;
    const char *type = json_object_iter_key(only);
    const json_t *inner = json_object_iter_value(only);
    if (strcmp(type, "M") == 0)
        return put_plain_map(inner, out, depth + 1);
    if (strcmp(type, "L") == 0 || strcmp(type, "SS") == 0 || strcmp(type, "NS") == 0 ||
        strcmp(type, "BS") == 0)
        return put_list(type, inner, out, depth + 1);
    return put_scalar(type, inner, out);
}

int attribute_to_plain(const json_t *item, struct buf *out, struct err *err)
{
    if (put_plain_map(item, out, 1) < 0)
        return err_set(err, ERR_CORRUPT, "read item: it holds what is no DynamoDB attribute");
    if (out->failed)
        return err_set(err, ERR_TOO_BIG, "read item: it is too big");
    return 0;
}
