#include "cloud/errors.h"
#include "cloud/s3/write.h"
#include "cloud/xml.h"

#include <string.h>

/* DeleteObject and DeleteObjects. */

void s3_delete_object(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    char *key = arena_strdup(&r->x->arena, r->key);
    if (!key || meta_delete_objects(r, &key, 1, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome == META_NO_BUCKET)
        s3_fail_no_bucket(r);
    else
        exchange_respond(r->x, 204, NULL, NULL, 0);
}

struct deletion {
    struct arena *arena;
    char *keys[S3_MAX_DELETE];
    size_t count;
    int is_quiet, has_version;
};

static int take_key(struct deletion *d, const char *text, struct err *err)
{
    if (d->count == S3_MAX_DELETE)
        return err_set(err, ERR_TOO_BIG, "more than %d keys", S3_MAX_DELETE);
    if (!*text || strlen(text) > S3_MAX_KEY_BYTES)
        return err_set(err, ERR_INVALID, "a key is empty or too long");
    d->keys[d->count] = arena_strdup(d->arena, text);
    if (!d->keys[d->count])
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    d->count++;
    return 0;
}

static int take_element(void *context, const char *path, const char *text, struct err *err)
{
    struct deletion *d = context;
    if (strcmp(path, "Delete/Quiet") == 0)
        d->is_quiet = strcmp(text, "true") == 0;
    else if (strcmp(path, "Delete/Object/Key") == 0)
        return take_key(d, text, err);
    else if (strcmp(path, "Delete/Object/VersionId") == 0 && strcmp(text, "null") != 0)
        d->has_version = 1;
    return 0;
}

/* Answers itself when the body is not a list of keys. */
static int read_deletion(struct s3_request *r, struct deletion *d)
{
    struct err err = {0};
    const char *text = exchange_body(r->x, &err);
    if (text && r->x->body.size <= S3_MAX_XML_BYTES &&
        xml_read(text, r->x->body.size, take_element, d, &err) == 0 && d->count > 0) {
        if (!d->has_version)
            return 0;
        exchange_fail(r->x, "NotImplemented", "VersionId: buckets have no versions here.");
        return -1;
    }
    exchange_fail(r->x, "MalformedXML",
                  "The XML you provided was not well-formed or did not validate against our "
                  "published schema");
    return -1;
}

static void answer(struct s3_request *r, const struct deletion *d)
{
    struct buf out;
    s3_xml_begin(&out, "DeleteResult");
    for (size_t i = 0; !d->is_quiet && i < d->count; i++) {
        buf_puts(&out, "<Deleted>");
        s3_xml(&out, "Key", d->keys[i]);
        buf_puts(&out, "</Deleted>");
    }
    buf_puts(&out, "</DeleteResult>");
    s3_xml_send(r->x, &out);
}

void s3_delete_objects(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    struct content content = {0};
    struct deletion *d = arena_new(&r->x->arena, struct deletion, 1);
    int taken = d ? s3_take_body(r, CHECKSUM_NONE, &content) : -1;
    content_finish(&content);
    if (taken < 0)
        return;
    d->arena = &r->x->arena;
    if (read_deletion(r, d) < 0)
        return;
    if (meta_delete_objects(r, d->keys, d->count, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome == META_NO_BUCKET)
        s3_fail_no_bucket(r);
    else
        answer(r, d);
}
