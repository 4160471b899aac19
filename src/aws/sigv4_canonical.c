#include "aws/sigv4_canonical.h"

#include "aws/uri.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PAIRS = 2048 };

struct pair {
    const char *name, *value;
    size_t order; /* of equal names, the order of arrival counts for headers */
};

int sigv4_list_has(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ';')) {
        at += *at == ';';
        if (strncmp(at, name, length) == 0 && (at[length] == ';' || at[length] == 0))
            return 1;
    }
    return 0;
}

static char *lower(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *c = copy; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

/* Trimmed, and each run of white space inside as one space. */
static char *tidy(struct arena *arena, const char *value)
{
    char *copy = arena_alloc(arena, strlen(value) + 1, 1), *next = copy;
    if (!copy)
        return NULL;
    for (const char *word = value + strspn(value, " \t\r\n"); *word;) {
        size_t length = strcspn(word, " \t\r\n");
        if (next != copy)
            *next++ = ' ';
        memcpy(next, word, length);
        next += length;
        word += length;
        word += strspn(word, " \t\r\n");
    }
    return copy;
}

static int compare_headers(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int names = strcmp(left->name, right->name);
    if (names)
        return names;
    return left->order < right->order ? -1 : 1;
}

static int compare_parameters(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int names = strcmp(left->name, right->name);
    return names ? names : strcmp(left->value, right->value);
}

/* The headers in canonical form, sorted; those on the list only, when there is one. */
static struct pair *sorted_headers(const struct http_header *headers, size_t count,
                                   const char *list, struct arena *arena, size_t *kept)
{
    struct pair *pairs = arena_new(arena, struct pair, count + 1);
    *kept = 0;
    for (size_t i = 0; pairs && i < count; i++) {
        struct pair pair = {lower(arena, headers[i].name), tidy(arena, headers[i].value), i};
        if (!pair.name || !pair.value)
            return NULL;
        if (!list || sigv4_list_has(list, pair.name))
            pairs[(*kept)++] = pair;
    }
    if (pairs)
        qsort(pairs, *kept, sizeof *pairs, compare_headers);
    return pairs;
}

const char *sigv4_signed_headers(const struct http_header *headers, size_t count,
                                 struct arena *arena)
{
    size_t kept, length = 1;
    struct pair *pairs = sorted_headers(headers, count, NULL, arena, &kept);
    if (!pairs)
        return NULL;
    for (size_t i = 0; i < kept; i++)
        length += strlen(pairs[i].name) + 1;
    char *list = arena_alloc(arena, length, 1), *next = list;
    for (size_t i = 0; list && i < kept; i++) {
        if (i && strcmp(pairs[i].name, pairs[i - 1].name) == 0)
            continue;
        if (next != list)
            *next++ = ';';
        next = stpcpy(next, pairs[i].name);
    }
    return list;
}

static void put_headers(struct buf *out, const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(pairs[i].name, pairs[i - 1].name) == 0) {
            buf_puts(out, ",");
        } else {
            buf_puts(out, i ? "\n" : "");
            buf_puts(out, pairs[i].name);
            buf_puts(out, ":");
        }
        buf_puts(out, pairs[i].value);
    }
    if (count)
        buf_puts(out, "\n");
}

/* One side of a parameter, decoded and encoded again so that every spelling comes out alike. */
static char *recode(struct arena *arena, const char *text, size_t size)
{
    size_t length;
    if (uri_is_plain(text, size))
        return arena_copy(arena, text, size);
    char *plain = uri_decode(arena, text, size, 1, &length);
    return plain ? uri_encode(arena, plain, length, "") : NULL;
}

static int split_query(const char *query, struct pair *pairs, size_t *count, struct arena *arena)
{
    *count = 0;
    for (const char *at = query; *at;) {
        size_t size = strcspn(at, "&");
        const char *equals = memchr(at, '=', size);
        size_t name = equals ? (size_t)(equals - at) : size;
        struct pair pair = {recode(arena, at, name),
                            equals ? recode(arena, equals + 1, size - name - 1) : "", 0};
        if (!pair.name || !pair.value || *count == MAX_PAIRS)
            return -1;
        if (size && strcmp(pair.name, "X-Amz-Signature") != 0)
            pairs[(*count)++] = pair;
        at += size;
        at += *at == '&';
    }
    return 0;
}

static size_t count_parameters(const char *query)
{
    size_t count = 1;
    for (; *query; query++)
        count += *query == '&';
    return count < MAX_PAIRS ? count : MAX_PAIRS;
}

static int put_query(struct buf *out, const char *query, struct arena *arena)
{
    size_t count;
    struct pair *pairs = arena_new(arena, struct pair, count_parameters(query));
    if (!pairs || split_query(query, pairs, &count, arena) < 0)
        return -1;
    qsort(pairs, count, sizeof *pairs, compare_parameters);
    for (size_t i = 0; i < count; i++) {
        buf_puts(out, i ? "&" : "");
        buf_puts(out, pairs[i].name);
        buf_puts(out, "=");
        buf_puts(out, pairs[i].value);
    }
    return 0;
}

/* S3 keeps "." and ".." and encodes once: the path as on the wire, each escape spelled alike. An
 * escaped slash stays one. */
static int put_s3_path(struct buf *out, const char *path, struct arena *arena)
{
    for (const char *at = path; *at;) {
        size_t size = strcspn(at, "/"), length;
        if (uri_is_plain(at, size)) {
            buf_append(out, at, size);
        } else {
            char *plain = uri_decode(arena, at, size, 0, &length);
            char *encoded = plain ? uri_encode(arena, plain, length, "") : NULL;
            if (!encoded)
                return -1;
            buf_puts(out, encoded);
        }
        at += size;
        if (*at == '/')
            buf_append(out, at++, 1);
    }
    return 0;
}

/* RFC 3986 5.2.4, and empty segments go too: what every service but S3 signs. Writes to `out`,
 * which has room for the path. */
static void remove_dot_segments(const char *path, char *out)
{
    char *next = out;
    const char *at = path;
    while (*at) {
        at += strspn(at, "/");
        size_t size = strcspn(at, "/");
        if (size == 2 && memcmp(at, "..", 2) == 0) {
            while (next > out && *--next != '/')
                ;
        } else if (size > 0 && !(size == 1 && *at == '.')) {
            *next++ = '/';
            memcpy(next, at, size);
            next += size;
        }
        at += size;
    }
    size_t length = strlen(path);
    if (next == out || (length && path[length - 1] == '/'))
        *next++ = '/';
    *next = 0;
}

static int put_path(struct buf *out, const char *path, const char *service, struct arena *arena)
{
    if (!*path)
        path = "/";
    if (strcmp(service, "s3") == 0)
        return put_s3_path(out, path, arena);
    char *plain = arena_alloc(arena, strlen(path) + 2, 1);
    if (!plain)
        return -1;
    remove_dot_segments(path, plain);
    char *encoded = uri_encode(arena, plain, strlen(plain), "/");
    return encoded ? buf_puts(out, encoded) : -1;
}

int sigv4_canonical_request(const struct sigv4_request *request, const char *service,
                            const char *signed_headers, struct arena *arena, struct buf *out,
                            struct err *err)
{
    size_t count;
    struct pair *headers =
        sorted_headers(request->headers, request->header_count, signed_headers, arena, &count);
    buf_puts(out, request->method);
    buf_puts(out, "\n");
    if (!headers || put_path(out, request->path, service, arena) < 0)
        return err_set(err, ERR_TOO_BIG, "sign request: its path or headers are too long");
    buf_puts(out, "\n");
    if (put_query(out, request->query, arena) < 0)
        return err_set(err, ERR_TOO_BIG, "sign request: its query is too long");
    buf_puts(out, "\n");
    put_headers(out, headers, count);
    buf_puts(out, "\n");
    buf_puts(out, signed_headers);
    buf_puts(out, "\n");
    buf_puts(out, request->payload_hash);
    if (out->failed)
        return err_set(err, ERR_TOO_BIG, "sign request: it is too long");
    return 0;
}
