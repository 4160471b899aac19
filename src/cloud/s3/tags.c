#include "cloud/errors.h"
#include "cloud/query.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tags of objects and buckets. Those of an object are kept as a query: "a=b&c=d". */

enum { MAX_OBJECT_TAGS = 10, MAX_BUCKET_TAGS = 50, MAX_KEY_LETTERS = 128, MAX_VALUE_LETTERS = 256 };

/* Characters of valid UTF-8, in the 16-bit units that AWS counts. */
size_t s3_letters(const char *text)
{
    size_t count = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        count += (*p & 0xc0) != 0x80 ? 1 + (*p >= 0xf0) : 0;
    return count;
}

/* -- the kept form -- */

static void encode(struct buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~";
    for (const char *p = text; *p;) {
        size_t run = strspn(p, plain);
        buf_append(out, p, run);
        p += run;
        if (*p)
            buf_printf(out, "%%%02X", (unsigned char)*p++);
    }
}

static int pair_is(const struct query_pair *pair, const char *key, const char *value)
{
    struct buf out;
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    encode(&out, key);
    int same = !out.failed && out.size == pair->name_size &&
               (out.size == 0 || memcmp(out.data, pair->name, out.size) == 0);
    buf_clear(&out);
    if (same && value) {
        encode(&out, value);
        same = !out.failed && out.size == pair->value_size &&
               (out.size == 0 || memcmp(out.data, pair->value, out.size) == 0);
    }
    buf_finish(&out);
    return same;
}

/* `value` NULL: any. */
int s3_tags_have(const char *tags, const char *key, const char *value)
{
    struct query_pair pair;
    for (const char *at = tags; query_next(&at, &pair);)
        if (pair_is(&pair, key, value))
            return 1;
    return 0;
}

const char *s3_tag_value(struct s3_request *r, const char *tags, const char *key)
{
    struct query_pair pair;
    for (const char *at = tags; query_next(&at, &pair);) {
        const char *name = exchange_decode(r->x, pair.name, pair.name_size, 1);
        if (name && strcmp(name, key) == 0)
            return exchange_decode(r->x, pair.value, pair.value_size, 1);
    }
    return NULL;
}

size_t s3_tag_count(const char *tags)
{
    struct query_pair pair;
    size_t count = 0;
    for (const char *at = tags; query_next(&at, &pair);)
        count++;
    return count;
}

/* -- checking -- */

static int fail_tag(struct s3_request *r, const char *key, const char *value, const char *message)
{
    const struct error_field fields[] = {{"TagKey", key}, {"TagValue", value}};
    exchange_fail_fields(r->x, "InvalidTag", message, fields, 2);
    return -1;
}

/* Letters and digits of any script, spaces and these; of other scripts only ASCII is told apart. */
static int has_tag_letters(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789 \t+-=._:/@";
    for (; *text; text++)
        if ((unsigned char)*text < 0x80 && !strchr(plain, *text))
            return 0;
    return 1;
}

static int check_tag(struct s3_request *r, const char *key, const char *value)
{
    if (!key || !*key || s3_letters(key) > MAX_KEY_LETTERS || !utf8_is_valid(key) ||
        !has_tag_letters(key))
        return fail_tag(r, key, NULL, "The TagKey you have provided is invalid");
    if (!value || s3_letters(value) > MAX_VALUE_LETTERS || !utf8_is_valid(value) ||
        !has_tag_letters(value))
        return fail_tag(r, key, value, "The TagValue you have provided is invalid");
    if (strncmp(key, "aws:", 4) == 0)
        return fail_tag(r, key, NULL,
                        r->key ? "Your TagKey cannot be prefixed with aws:"
                               : "System tags cannot be added/updated by requester");
    return 0;
}

static int fail_too_many(struct s3_request *r)
{
    exchange_fail(r->x, "BadRequest", "Object tags cannot be greater than %d", MAX_OBJECT_TAGS);
    return -1;
}

/* Append a checked tag in the kept form. */
static int add_tag(struct s3_request *r, struct buf *out, const char *key, const char *value)
{
    if (check_tag(r, key, value) < 0)
        return -1;
    if (out->size && s3_tags_have(out->data, key, NULL))
        return fail_tag(r, key, NULL, "Cannot provide multiple Tags with the same key");
    if (out->size)
        buf_puts(out, "&");
    encode(out, key);
    buf_puts(out, "=");
    encode(out, value);
    return 0;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct query_pair *one = a, *other = b;
    size_t size = one->name_size < other->name_size ? one->name_size : other->name_size;
    int order = memcmp(one->name, other->name, size);
    return order ? order
                 : (one->name_size > other->name_size) - (one->name_size < other->name_size);
}

/* AWS gives an object's tags back in the order of their keys. */
static void sort_tags(struct buf *tags)
{
    struct query_pair pairs[MAX_OBJECT_TAGS];
    struct buf sorted;
    size_t count = 0;
    for (const char *at = tags->data; count < MAX_OBJECT_TAGS && query_next(&at, &pairs[count]);)
        count++;
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    buf_init(&sorted, S3_MAX_HEADERS_BYTES);
    for (size_t i = 0; i < count; i++)
        buf_printf(&sorted, "%s%.*s=%.*s", i ? "&" : "", (int)pairs[i].name_size, pairs[i].name,
                   (int)pairs[i].value_size, pairs[i].value);
    buf_finish(tags);
    *tags = sorted;
}

static const char *finish(struct s3_request *r, struct buf *out, int result)
{
    if (result == 0 && out->size && !out->failed)
        sort_tags(out);
    const char *text = result == 0 && !out->failed
                           ? arena_copy(&r->x->arena, out->size ? out->data : "", out->size)
                           : NULL;
    if (result == 0 && !text)
        exchange_fail(r->x, "InvalidTag", "The tags are too long.");
    buf_finish(out);
    return text;
}

static int fail_header(struct s3_request *r)
{
    s3_fail_argument(r, "x-amz-tagging", exchange_header(r->x, "x-amz-tagging"),
                     "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                     "query parameters without tag name duplicates.");
    return -1;
}

const char *s3_read_tags(struct s3_request *r, const char *text)
{
    struct query_pair pair;
    struct buf out;
    int result = 0;
    size_t count = 0;
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    for (const char *at = text; result == 0 && query_next(&at, &pair);) {
        const char *key = exchange_decode(r->x, pair.name, pair.name_size, 1);
        const char *value = exchange_decode(r->x, pair.value, pair.value_size, 1);
        if (!key || !value || !*key || strchr(value, ',') ||
            (out.size && s3_tags_have(out.data, key, NULL)))
            result = fail_header(r);
        else
            result = ++count > MAX_OBJECT_TAGS ? fail_too_many(r) : add_tag(r, &out, key, value);
    }
    return finish(r, &out, result);
}

const char *s3_tags_of_tree(struct s3_request *r, const struct tree *config)
{
    const struct tree *set = tree_get(config, "TagSet");
    struct buf out;
    if (!set) {
        s3_fail_malformed(r);
        return NULL;
    }
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    int result = tree_count(set, "Tag") > MAX_OBJECT_TAGS ? fail_too_many(r) : 0;
    for (const struct tree *t = tree_get(set, "Tag"); t && result == 0; t = tree_same(t))
        result = add_tag(r, &out, tree_text(t, "Key"), tree_text(t, "Value"));
    return finish(r, &out, result);
}

int tags_check_bucket(struct s3_request *r, struct tree *config)
{
    const struct tree *set = tree_get(config, "TagSet");
    if (!set) {
        s3_fail_malformed(r);
        return -1;
    }
    if (tree_count(set, "Tag") > MAX_BUCKET_TAGS) {
        exchange_fail(r->x, "BadRequest", "Bucket tag count cannot be greater than %d",
                      MAX_BUCKET_TAGS);
        return -1;
    }
    for (const struct tree *t = tree_get(set, "Tag"); t; t = tree_same(t)) {
        const char *key = tree_text(t, "Key");
        if (check_tag(r, key, tree_text(t, "Value")) < 0)
            return -1;
        for (const struct tree *other = tree_same(t); other; other = tree_same(other)) {
            const char *same = tree_text(other, "Key");
            if (same && strcmp(same, key) == 0)
                return fail_tag(r, key, NULL, "Cannot provide multiple Tags with the same key");
        }
    }
    return 0;
}

/* -- operations -- */

void s3_get_object_tagging(struct s3_request *r)
{
    struct meta_object object;
    struct query_pair pair;
    struct buf out;
    if (s3_need_version(r, &object) < 0)
        return;
    s3_reply_version(r, &object);
    s3_xml_begin(&out, "Tagging");
    buf_puts(&out, "<TagSet>");
    for (const char *at = object.tags; query_next(&at, &pair);) {
        const char *key = exchange_decode(r->x, pair.name, pair.name_size, 0);
        const char *value = exchange_decode(r->x, pair.value, pair.value_size, 0);
        buf_puts(&out, "<Tag>");
        s3_xml(&out, "Key", key ? key : "");
        s3_xml(&out, "Value", value ? value : "");
        buf_puts(&out, "</Tag>");
    }
    buf_puts(&out, "</TagSet></Tagging>");
    s3_xml_send(r->x, &out);
}

static void change_tags(struct s3_request *r, const char *tags, const char *event, int status)
{
    struct err err = {0};
    struct meta_object object;
    struct meta_change change = {.tags = tags, .event = event};
    if (s3_read_version(r, &change.version) < 0 || s3_need_version(r, &object) < 0)
        return;
    if (meta_change_object(r, &change, &err) < 0) {
        s3_fail(r, &err);
        return;
    }
    if (change.outcome != META_DONE) {
        s3_fail_outcome(r, change.outcome);
        return;
    }
    if (*change.out_version)
        exchange_reply_header(r->x, "x-amz-version-id", change.out_version);
    exchange_respond(r->x, status, NULL, NULL, 0);
}

void s3_put_object_tagging(struct s3_request *r)
{
    static const struct tree_rule rules[] = {{.path = "TagSet", .kind = TREE_PARENT},
                                             {.path = "TagSet/Tag", .kind = TREE_PARENT},
                                             {.path = "TagSet/Tag/Key", .kind = TREE_TEXT},
                                             {.path = "TagSet/Tag/Value", .kind = TREE_TEXT},
                                             {0}};
    const struct tree *config = s3_take_tree(r, "Tagging", rules);
    const char *tags = config ? s3_tags_of_tree(r, config) : NULL;
    if (tags)
        change_tags(r, tags, "ObjectTagging:Put", 200);
}

void s3_delete_object_tagging(struct s3_request *r)
{
    change_tags(r, "", "ObjectTagging:Delete", 204);
}
