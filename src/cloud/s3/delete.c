#include "cloud/errors.h"
#include "cloud/s3/write.h"
#include "cloud/xml.h"

#include <string.h>

/* DeleteObject and DeleteObjects. */

void s3_delete_object(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    struct meta_delete d = {.key = r->key, .condition = {exchange_header(r->x, "If-Match"), NULL}};
    if (s3_read_version(r, &d.version) < 0)
        return;
    if (d.condition.if_match && d.version) {
        s3_fail_not_offered(r, "header with versionId", "If-Match");
        return;
    }
    if (meta_delete_objects(r, &d, 1, &outcome, &err) < 0) {
        s3_fail(r, &err);
        return;
    }
    if (outcome != META_DONE || d.outcome != META_DONE) {
        s3_fail_outcome(r, outcome != META_DONE ? outcome : d.outcome);
        return;
    }
    if (d.made_marker || d.removed_marker)
        exchange_reply_header(r->x, "x-amz-delete-marker", "true");
    if (*d.out_version)
        exchange_reply_header(r->x, "x-amz-version-id", d.out_version);
    exchange_respond(r->x, 204, NULL, NULL, 0);
}

struct deletion {
    struct arena *arena;
    struct meta_delete *deletes; /* S3_MAX_DELETE */
    const char **wrong_versions; /* of each: its version when that is none, else NULL */
    char *is_denied;             /* of each */
    size_t count;
    size_t long_key_bytes; /* of one that no object can have; 0: there is none */
    int is_quiet;
    struct meta_delete current;
};

static int fail_xml(struct err *err)
{
    return err_set(err, ERR_INVALID, "the list of keys is malformed");
}

static int end_object(struct deletion *d, struct err *err)
{
    if (d->count == S3_MAX_DELETE || !d->current.key || !*d->current.key)
        return fail_xml(err);
    size_t length = strlen(d->current.key);
    if (length > S3_MAX_KEY_BYTES)
        d->long_key_bytes = length;
    const char *version = d->current.version;
    if (version && !*version)
        d->current.version = version = NULL;
    if (version && strcmp(version, "null") != 0 && s3_version_sequence(version) < 0)
        d->wrong_versions[d->count] = version;
    d->deletes[d->count++] = d->current;
    d->current = (struct meta_delete){0};
    return 0;
}

static int take_text(struct deletion *d, const char **out, const char *text, struct err *err)
{
    *out = arena_strdup(d->arena, text);
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static int take_element(void *context, const char *path, const char *text, struct err *err)
{
    struct deletion *d = context;
    if (strcmp(path, "Delete/Object") == 0)
        return end_object(d, err);
    if (strcmp(path, "Delete/Object/Key") == 0)
        return take_text(d, &d->current.key, text, err);
    if (strcmp(path, "Delete/Object/VersionId") == 0)
        return take_text(d, &d->current.version, text, err);
    if (strcmp(path, "Delete/Object/ETag") == 0)
        return take_text(d, &d->current.condition.if_match, text, err);
    if (strcmp(path, "Delete/Quiet") == 0) {
        d->is_quiet = strcmp(text, "true") == 0;
        return 0;
    }
    if (strcmp(path, "Delete") == 0)
        return 0;
    if (strcmp(path, "Delete/Object/LastModifiedTime") == 0 ||
        strcmp(path, "Delete/Object/Size") == 0)
        return err_set(err, ERR_UNSUPPORTED, "%s", path);
    return fail_xml(err);
}

/* Answers itself when the body is not a list of keys. */
static int read_deletion(struct s3_request *r, struct deletion *d)
{
    struct err err = {0};
    const char *text = exchange_body(r->x, &err);
    if (text && xml_read(text, r->x->body.size, take_element, d, &err) == 0 && d->count > 0)
        return d->long_key_bytes ? s3_fail_long_key(r, d->long_key_bytes) : 0;
    if (err.code == ERR_UNSUPPORTED)
        s3_fail_not_offered(r, "element", err.message);
    else
        s3_fail_malformed(r);
    return -1;
}

/* Keys that the signer may not delete have their own error, and are left out of the rest. */
static int authorize(struct s3_request *r, struct deletion *d)
{
    for (size_t i = 0; i < d->count; i++) {
        struct err why = {0};
        const struct meta_delete *one = &d->deletes[i];
        d->is_denied[i] = s3_may(r, one->version ? "s3:DeleteObjectVersion" : "s3:DeleteObject",
                                 r->bucket, one->key, &why) < 0;
        if (d->is_denied[i] && why.code != ERR_DENIED) {
            s3_fail(r, &why);
            return -1;
        }
    }
    return 0;
}

/* Those that go on, in one row. */
static size_t gather(struct deletion *d, struct meta_delete *out, size_t *from)
{
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->is_denied[i] || d->wrong_versions[i])
            continue;
        from[count] = i;
        out[count++] = d->deletes[i];
    }
    return count;
}

static int run(struct s3_request *r, struct deletion *d)
{
    struct err err = {0};
    enum meta_outcome outcome = META_DONE;
    struct meta_delete *some = arena_new(d->arena, struct meta_delete, d->count);
    size_t *from = arena_new(d->arena, size_t, d->count);
    size_t count = some && from ? gather(d, some, from) : 0;
    if (!some || !from) {
        exchange_fail(r->x, "InternalError", "Out of memory.");
        return -1;
    }
    if (meta_delete_objects(r, some, count, &outcome, &err) < 0) {
        s3_fail(r, &err);
        return -1;
    }
    if (outcome == META_NO_BUCKET) {
        s3_fail_no_bucket(r);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        d->deletes[from[i]] = some[i];
    return 0;
}

static void put_error(struct buf *out, const struct meta_delete *d, const char *version,
                      const char *code, const char *message)
{
    buf_puts(out, "<Error>");
    s3_xml(out, "Key", d->key);
    if (version)
        s3_xml(out, "VersionId", version);
    s3_xml(out, "Code", code);
    s3_xml(out, "Message", message);
    buf_puts(out, "</Error>");
}

static void put_deleted(struct buf *out, const struct meta_delete *d)
{
    buf_puts(out, "<Deleted>");
    s3_xml(out, "Key", d->key);
    if (d->version)
        s3_xml(out, "VersionId", d->version);
    if (d->made_marker || d->removed_marker) {
        buf_puts(out, "<DeleteMarker>true</DeleteMarker>");
        s3_xml(out, "DeleteMarkerVersionId", d->out_version);
    }
    buf_puts(out, "</Deleted>");
}

static void answer(struct s3_request *r, const struct deletion *d)
{
    struct buf out;
    s3_xml_begin(&out, "DeleteResult");
    for (size_t i = 0; i < d->count; i++) {
        const struct meta_delete *one = &d->deletes[i];
        if (d->is_denied[i])
            put_error(&out, one, one->version, "AccessDenied", "Access Denied");
        else if (d->wrong_versions[i])
            put_error(&out, one, d->wrong_versions[i], "NoSuchVersion",
                      "The specified version does not exist.");
        else if (one->outcome == META_NO_OBJECT)
            put_error(&out, one, NULL, "NoSuchKey", "The specified key does not exist.");
        else if (one->outcome != META_DONE)
            put_error(&out, one, NULL, "PreconditionFailed",
                      "At least one of the pre-conditions you specified did not hold");
        else if (!d->is_quiet)
            put_deleted(&out, one);
    }
    buf_puts(&out, "</DeleteResult>");
    s3_xml_send(r->x, &out);
}

static int prepare(struct s3_request *r, struct deletion *d)
{
    d->arena = &r->x->arena;
    d->deletes = arena_new(d->arena, struct meta_delete, S3_MAX_DELETE);
    d->wrong_versions = arena_new(d->arena, const char *, S3_MAX_DELETE);
    d->is_denied = arena_alloc(d->arena, S3_MAX_DELETE, 1);
    if (d->deletes && d->wrong_versions && d->is_denied)
        return 0;
    exchange_fail(r->x, "InternalError", "Out of memory.");
    return -1;
}

void s3_delete_objects(struct s3_request *r)
{
    struct content content = {0};
    struct deletion d = {0};
    if (s3_check_size(r, S3_MAX_DELETE_BYTES) < 0)
        return;
    int taken = s3_need_digest(r, S3_ANY_DIGEST);
    if (taken == 0)
        taken = s3_take_body(r, CHECKSUM_NONE, &content);
    content_finish(&content);
    if (taken == 0 && prepare(r, &d) == 0 && read_deletion(r, &d) == 0 && authorize(r, &d) == 0 &&
        run(r, &d) == 0)
        answer(r, &d);
}
