#include "cloud/chunked.h"

#include "aws/sigv4_hmac.h"
#include "base/hex.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define SIGNATURE_FIELD "chunk-signature="
#define TRAILER_SIGNATURE "x-amz-trailer-signature"

enum { MAX_SIZE_DIGITS = 15 };

int chunked_init(struct chunked *c, const struct sigv4_chain *chain, int has_trailer,
                 chunked_sink *sink, void *sink_context, struct err *err)
{
    *c = (struct chunked){.has_trailer = has_trailer, .sink = sink, .sink_context = sink_context};
    if (!chain)
        return 0;
    c->is_signed = 1;
    c->chain = *chain;
    c->sha256 = EVP_MD_CTX_new();
    if (!c->sha256)
        return err_set(err, ERR_NO_MEMORY, "read chunks: out of memory");
    return 0;
}

void chunked_finish(struct chunked *c)
{
    EVP_MD_CTX_free(c->sha256);
    c->sha256 = NULL;
}

static int malformed(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "read chunks: %s", what);
}

static int check_signature(const char *expected, const char *told, struct err *err)
{
    if (!sigv4_same(expected, told))
        return err_set(err, ERR_DENIED, "read chunks: a chunk's signature does not match");
    return 0;
}

/* The chunk's data is complete: does its signature fit? */
static int end_chunk(struct chunked *c, struct err *err)
{
    if (!c->is_signed)
        return 0;
    unsigned char digest[32];
    if (EVP_DigestFinal_ex(c->sha256, digest, NULL) != 1)
        return err_set(err, ERR_NO_MEMORY, "read chunks: hash");
    char hash[SIGV4_HEX_BYTES], expected[SIGV4_HEX_BYTES];
    hex_encode(digest, sizeof digest, hash);
    sigv4_chunk_signature(&c->chain, hash, expected);
    return check_signature(expected, c->signature, err);
}

/* "1f4[;chunk-signature=HEX]" */
static int read_head(struct chunked *c, struct err *err)
{
    size_t digits = 0, size = 0;
    for (int value; (value = hex_digit(c->line[digits])) >= 0; digits++) {
        if (digits == MAX_SIZE_DIGITS)
            return malformed(err, "a chunk's size is too large");
        size = size * 16 + (size_t)value;
    }
    const char *rest = c->line + digits;
    if (digits == 0)
        return malformed(err, "a chunk's size is missing");
    if (!c->is_signed && *rest)
        return malformed(err, "unexpected text behind a chunk's size");
    if (c->is_signed) {
        if (*rest != ';' || strncmp(rest + 1, SIGNATURE_FIELD, strlen(SIGNATURE_FIELD)) != 0 ||
            strlen(rest + 1 + strlen(SIGNATURE_FIELD)) != SIGV4_HEX_BYTES - 1)
            return malformed(err, "a chunk's signature is missing");
        memcpy(c->signature, rest + 1 + strlen(SIGNATURE_FIELD), SIGV4_HEX_BYTES);
        if (EVP_DigestInit_ex(c->sha256, sigv4_sha256(), NULL) != 1)
            return err_set(err, ERR_NO_MEMORY, "read chunks: hash");
    }
    c->chunk_left = size;
    c->state = size ? CHUNKED_DATA : CHUNKED_TRAILER;
    return size ? 0 : end_chunk(c, err);
}

/* The trailers' signature covers "name:value\n" of each. */
static int check_trailers(struct chunked *c, const char *told, struct err *err)
{
    char text[CHUNKED_TRAILER_BYTES + 2 * CHUNKED_MAX_TRAILERS], expected[SIGV4_HEX_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < c->trailer_count; i++) {
        size_t name = strlen(c->trailers[i].name), value = strlen(c->trailers[i].value);
        memcpy(text + used, c->trailers[i].name, name);
        text[used + name] = ':';
        memcpy(text + used + name + 1, c->trailers[i].value, value);
        text[used + name + 1 + value] = '\n';
        used += name + value + 2;
    }
    sigv4_trailer_signature(&c->chain, text, used, expected);
    return check_signature(expected, told, err);
}

static int store_trailer(struct chunked *c, char *name, char *value, struct err *err)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    if (c->trailer_count == CHUNKED_MAX_TRAILERS ||
        name_size + value_size > sizeof c->text - c->text_size)
        return malformed(err, "too many trailers");
    char *at = c->text + c->text_size;
    for (size_t i = 0; i < name_size; i++)
        at[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    memcpy(at + name_size, value, value_size);
    c->trailers[c->trailer_count++] = (struct chunked_trailer){at, at + name_size};
    c->text_size += name_size + value_size;
    return 0;
}

static int read_trailer(struct chunked *c, struct err *err)
{
    if (!c->line[0]) {
        if (c->is_signed && c->has_trailer && !c->trailer_signed)
            return err_set(err, ERR_DENIED, "read chunks: the trailer's signature is missing");
        c->state = CHUNKED_DONE;
        return 0;
    }
    char *colon = strchr(c->line, ':');
    if (!c->has_trailer || !colon)
        return malformed(err, "unexpected text behind the last chunk");
    *colon = 0;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    if (c->trailer_signed)
        return malformed(err, "a trailer behind the trailer's signature");
    if (strcasecmp(c->line, TRAILER_SIGNATURE) != 0)
        return store_trailer(c, c->line, value, err);
    c->trailer_signed = 1;
    return c->is_signed ? check_trailers(c, value, err) : 0;
}

static int end_line(struct chunked *c, struct err *err)
{
    if (c->line_size && c->line[c->line_size - 1] == '\r')
        c->line_size--;
    c->line[c->line_size] = 0;
    if (memchr(c->line, 0, c->line_size))
        return malformed(err, "a 0 byte in a line");
    c->line_size = 0;
    if (c->state == CHUNKED_HEAD)
        return read_head(c, err);
    if (c->state == CHUNKED_TRAILER)
        return read_trailer(c, err);
    if (c->line[0])
        return malformed(err, "a chunk is longer than its size");
    c->state = CHUNKED_HEAD;
    return 0;
}

/* Takes up to the end of a line; returns the bytes taken, or -1. */
static ssize_t feed_line(struct chunked *c, const char *data, size_t size, struct err *err)
{
    const char *end = memchr(data, '\n', size);
    size_t part = end ? (size_t)(end - data) : size;
    if (part >= sizeof c->line - c->line_size)
        return malformed(err, "a line is too long");
    memcpy(c->line + c->line_size, data, part);
    c->line_size += part;
    if (!end)
        return (ssize_t)part;
    return end_line(c, err) < 0 ? -1 : (ssize_t)part + 1;
}

static ssize_t feed_data(struct chunked *c, const char *data, size_t size, struct err *err)
{
    size_t part = size < c->chunk_left ? size : c->chunk_left;
    if (c->is_signed && EVP_DigestUpdate(c->sha256, data, part) != 1)
        return err_set(err, ERR_NO_MEMORY, "read chunks: hash");
    if (c->sink(c->sink_context, data, part, err) < 0)
        return -1;
    c->chunk_left -= part;
    if (c->chunk_left)
        return (ssize_t)part;
    c->state = CHUNKED_DATA_END;
    return end_chunk(c, err) < 0 ? -1 : (ssize_t)part;
}

int chunked_feed(struct chunked *c, const void *data, size_t size, struct err *err)
{
    const char *next = data;
    while (size > 0) {
        if (c->state == CHUNKED_DONE)
            return malformed(err, "bytes behind the end");
        ssize_t taken = c->state == CHUNKED_DATA ? feed_data(c, next, size, err)
                                                 : feed_line(c, next, size, err);
        if (taken < 0)
            return -1;
        next += taken;
        size -= (size_t)taken;
    }
    return 0;
}

int chunked_end(const struct chunked *c, struct err *err)
{
    if (c->state != CHUNKED_DONE)
        return malformed(err, "the body ends too early");
    return 0;
}
