#include "base/clock.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ListObjects, ListObjectsV2 and ListObjectVersions. */

enum list_kind { LIST_V1, LIST_V2, LIST_VERSIONS };

struct listing {
    struct s3_request *r;
    enum list_kind kind;
    const char *prefix, *delimiter;
    const char *after;      /* the last key or common prefix of the page before; "" at the start */
    int64_t after_sequence; /* of versions: the last one shown of that key; -1: all of them */
    int64_t max_keys, told_keys; /* what it shows at most, and says so */
    int encodes_url, shows_owner;
    int64_t count;
    int is_truncated;
    char last[S3_MAX_KEY_BYTES + 1]; /* emitted; a key or a common prefix */
    char last_version[S3_VERSION_BYTES];
    char seen[S3_MAX_KEY_BYTES + 1]; /* the key of the row before: of a key the first is latest */
    struct buf contents, prefixes;
};

/* -- what the client wants -- */

static const char *parameter(struct s3_request *r, const char *name)
{
    const char *value = exchange_query(r->x, name);
    return value ? value : "";
}

/* Tokens are the hex of a key: opaque, and safe anywhere. */
static const char *decode_token(struct s3_request *r, const char *token)
{
    size_t length = strlen(token);
    char *text = arena_alloc(&r->x->arena, length * 3 / 2 + 1, 1);
    if (!text || length % 2 || length > 2 * S3_MAX_KEY_BYTES)
        return NULL;
    for (size_t i = 0; i < length / 2; i++)
        snprintf(text + 3 * i, 4, "%%%.2s", token + 2 * i);
    return exchange_decode(r->x, text, strlen(text), 0);
}

static int fail_argument(struct listing *l, const char *name, const char *message)
{
    const char *parameter = strcmp(name, "maxKeys") == 0 ? "max-keys" : name; /* AWS's words */
    s3_fail_argument(l->r, name, exchange_query(l->r->x, parameter), message);
    return -1;
}

static int read_version_marker(struct listing *l)
{
    struct err err = {0};
    struct meta_object object;
    const char *version = exchange_query(l->r->x, "version-id-marker");
    l->after_sequence = -1;
    if (!version || l->kind != LIST_VERSIONS)
        return 0;
    if (!*version)
        return fail_argument(l, "version-id-marker", "A version-id marker cannot be empty.");
    int is_null = strcmp(version, "null") == 0;
    int64_t sequence = is_null ? -1 : s3_version_sequence(version);
    if (exchange_query(l->r->x, "key-marker") && !is_null && sequence < 0)
        return fail_argument(l, "version-id-marker", "Invalid version id specified");
    if (!*l->after)
        return fail_argument(l, "version-id-marker",
                             "A version-id marker cannot be specified without a key marker.");
    if (!is_null) {
        l->after_sequence = sequence;
        return 0;
    }
    int found = meta_version(l->r, l->r->bucket, l->after, "null", &object, &err);
    if (found > 0)
        l->after_sequence = object.sequence;
    if (found < 0)
        s3_fail(l->r, &err);
    return found < 0 ? -1 : 0;
}

static int read_after(struct listing *l)
{
    static const char *const names[] = {"marker", "start-after", "key-marker"};
    const char *token = l->kind == LIST_V2 ? exchange_query(l->r->x, "continuation-token") : NULL;
    if (token && !*token)
        return fail_argument(l, "continuation-token",
                             "The continuation token provided is incorrect");
    l->after = token ? decode_token(l->r, token) : parameter(l->r, names[l->kind]);
    if (l->after)
        return read_version_marker(l);
    return fail_argument(l, "continuation-token", "The continuation token provided is incorrect");
}

static int read_listing(struct listing *l)
{
    struct exchange *x = l->r->x;
    const char *max = exchange_query(x, "max-keys"), *encoding = exchange_query(x, "encoding-type");
    if (l->kind == LIST_V1 && *parameter(l->r, "list-type"))
        return fail_argument(l, "list-type", "Invalid List Type specified in Request");
    l->prefix = parameter(l->r, "prefix");
    l->delimiter = parameter(l->r, "delimiter");
    l->shows_owner = l->kind != LIST_V2 || strcmp(parameter(l->r, "fetch-owner"), "true") == 0;
    l->max_keys = max && *max ? s3_number(max, INT32_MAX) : S3_MAX_LIST;
    l->encodes_url = encoding && *encoding;
    if (l->max_keys < 0 || (l->encodes_url && strcmp(encoding, "url") != 0)) {
        return l->max_keys < 0
                   ? fail_argument(l, "maxKeys",
                                   "Argument maxKeys must be an integer between 0 and 2147483647")
                   : fail_argument(l, "encoding-type",
                                   "Invalid Encoding Method specified in Request");
    }
    if (l->max_keys > S3_MAX_LIST && l->kind != LIST_VERSIONS) /* there AWS repeats the question */
        l->max_keys = S3_MAX_LIST;
    l->told_keys = l->max_keys;
    if (l->max_keys > S3_MAX_LIST)
        l->max_keys = S3_MAX_LIST;
    return read_after(l);
}

/* -- rows -- */

static void put_key(const struct listing *l, struct buf *out, const char *name, const char *key)
{
    if (!l->encodes_url) {
        s3_xml(out, name, key);
        return;
    }
    buf_printf(out, "<%s>", name);
    s3_url_encode(out, key);
    buf_printf(out, "</%s>", name);
}

static void put_marker(struct listing *l, sqlite3_stmt *row, const char *when)
{
    struct buf *out = &l->contents;
    buf_printf(out, "<LastModified>%s</LastModified>", when);
    s3_xml_owner(out, l->r->s3);
    buf_puts(out, "</DeleteMarker>");
    (void)row;
}

static void put_content(struct listing *l, sqlite3_stmt *row)
{
    struct buf *out = &l->contents;
    char when[CLOCK_TEXT_BYTES], name[16] = "", type[16] = "";
    const char *key = (const char *)sqlite3_column_text(row, 0);
    int is_marker = sqlite3_column_int(row, 7);
    const char *element = l->kind != LIST_VERSIONS ? "Contents"
                          : is_marker              ? "DeleteMarker"
                                                   : "Version";
    clock_text(sqlite3_column_int64(row, 2), when);
    buf_printf(out, "<%s>", element);
    put_key(l, out, "Key", key);
    if (l->kind == LIST_VERSIONS)
        buf_printf(out, "<VersionId>%s</VersionId><IsLatest>%s</IsLatest>",
                   (const char *)sqlite3_column_text(row, 5),
                   strcmp(l->seen, key) != 0 ? "true" : "false");
    if (is_marker) {
        put_marker(l, row, when);
        return;
    }
    buf_printf(out, "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>", when,
               (const char *)sqlite3_column_text(row, 3));
    if (sscanf((const char *)sqlite3_column_text(row, 4), "%15s %15s", name, type) == 2)
        buf_printf(out, "<ChecksumAlgorithm>%s</ChecksumAlgorithm><ChecksumType>%s</ChecksumType>",
                   name, type);
    buf_printf(out, "<Size>%lld</Size>", (long long)sqlite3_column_int64(row, 1));
    if (l->shows_owner)
        s3_xml_owner(out, l->r->s3);
    s3_xml(out, "StorageClass",
           s3_storage_class((const char *)sqlite3_column_text(row, 8), &l->r->x->arena));
    buf_printf(out, "</%s>", element);
}

static void put_prefix(struct listing *l, const char *prefix)
{
    buf_puts(&l->prefixes, "<CommonPrefixes>");
    put_key(l, &l->prefixes, "Prefix", prefix);
    buf_puts(&l->prefixes, "</CommonPrefixes>");
}

/* Length of the common prefix that the key rolls up into, 0: none. */
static size_t rolled_length(const struct listing *l, const char *key)
{
    size_t prefix = strlen(l->prefix);
    if (!*l->delimiter || strncmp(key, l->prefix, prefix) != 0)
        return 0;
    const char *found = strstr(key + prefix, l->delimiter);
    return found ? (size_t)(found - key) + strlen(l->delimiter) : 0;
}

/* Turn `key`, whose first `length` bytes are a common prefix, into the first text behind all that
 * begin with it. UTF-8 has no byte 0xff, so the last one can grow. */
static void step_over(char *key, size_t length)
{
    key[length] = 0;
    key[length - 1] = (char)((unsigned char)key[length - 1] + 1);
}

enum step { STEP_ON, STEP_SEEK, STEP_END };

/* One key: emitted, rolled up (then `seek` is where to go on), or the end. */
static enum step take(struct listing *l, sqlite3_stmt *row, char seek[S3_MAX_KEY_BYTES + 1])
{
    const char *key = (const char *)sqlite3_column_text(row, 0);
    if (strncmp(key, l->prefix, strlen(l->prefix)) != 0)
        return STEP_END;
    if (l->count == l->max_keys) {
        l->is_truncated = l->max_keys > 0;
        return STEP_END;
    }
    l->count++;
    snprintf(l->last, sizeof l->last, "%s", key);
    size_t rolled = rolled_length(l, key);
    if (!rolled) {
        snprintf(l->last_version, sizeof l->last_version, "%s",
                 (const char *)sqlite3_column_text(row, 5));
        put_content(l, row);
        snprintf(l->seen, sizeof l->seen, "%s", key);
        return STEP_ON;
    }
    l->last_version[0] = 0;
    l->last[rolled] = 0;
    put_prefix(l, l->last);
    memcpy(seek, l->last, rolled + 1);
    step_over(seek, rolled);
    return STEP_SEEK;
}

/* Where the page begins: `seek` and, of that key, the versions below the result. */
static int64_t start_at(struct listing *l, char seek[S3_MAX_KEY_BYTES + 1])
{
    if (strcmp(l->after, l->prefix) <= 0 && !(*l->after && strcmp(l->after, l->prefix) == 0)) {
        snprintf(seek, S3_MAX_KEY_BYTES + 1, "%s", l->prefix);
        return INT64_MAX;
    }
    snprintf(seek, S3_MAX_KEY_BYTES + 1, "%s", l->after);
    size_t rolled = rolled_length(l, seek);
    if (!rolled || rolled != strlen(seek)) {
        snprintf(l->seen, sizeof l->seen, "%s", seek);
        return l->after_sequence;
    }
    step_over(seek, rolled);
    return INT64_MAX;
}

#define ROW "key, size, modified_ms, etag, checksum, version, sequence"
#define FROM_PLACE " WHERE bucket=?1 AND key>=?2 AND (key>?2 OR sequence<?3)"

static const char current_rows[] =
    "SELECT " ROW ", 0, headers FROM objects" FROM_PLACE " ORDER BY key";
/* Two ordered walks, merged as they go: a page costs a page. */
static const char all_rows[] =
    "SELECT " ROW ", 0, headers FROM objects" FROM_PLACE " UNION ALL SELECT " ROW
    ", marker, headers FROM history" FROM_PLACE " ORDER BY 1, 7 DESC";

static int walk(struct listing *l, struct connection *c, struct err *err)
{
    const char *sql = l->kind == LIST_VERSIONS ? all_rows : current_rows;
    char seek[S3_MAX_KEY_BYTES + 1];
    int64_t below = start_at(l, seek);
    for (enum step step = STEP_SEEK; step == STEP_SEEK; below = INT64_MAX) {
        sqlite3_stmt *s = connection_prepare(c, sql, err);
        if (!s)
            return -1;
        sqlite3_bind_text(s, 1, l->r->bucket, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, seek, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(s, 3, below);
        int row = SQLITE_ROW;
        for (step = STEP_ON; step == STEP_ON && (row = sqlite3_step(s)) == SQLITE_ROW;)
            step = take(l, s, seek);
        int failed = step == STEP_ON && row != SQLITE_DONE;
        if (failed)
            connection_fail(c, "list objects", err);
        connection_reset(s);
        if (failed)
            return -1;
        step = step == STEP_SEEK ? STEP_SEEK : STEP_END;
    }
    return 0;
}

/* -- the answer -- */

/* Where the page begins and where it ends, in AWS's order. */
static void put_place_v1(struct listing *l, struct buf *out)
{
    put_key(l, out, "Marker", l->after);
    if (l->is_truncated && *l->delimiter) /* without one AWS leaves it to the last key */
        put_key(l, out, "NextMarker", l->last);
}

static void put_place_v2(struct listing *l, struct buf *out)
{
    const char *token = exchange_query(l->r->x, "continuation-token");
    const char *start = exchange_query(l->r->x, "start-after");
    if (l->is_truncated) {
        buf_puts(out, "<NextContinuationToken>");
        for (const char *p = l->last; *p; p++)
            buf_printf(out, "%02x", (unsigned char)*p);
        buf_puts(out, "</NextContinuationToken>");
    }
    if (token)
        s3_xml(out, "ContinuationToken", token);
    if (start)
        put_key(l, out, "StartAfter", start);
    buf_printf(out, "<KeyCount>%lld</KeyCount>", (long long)l->count);
}

static void put_place_versions(struct listing *l, struct buf *out)
{
    put_key(l, out, "KeyMarker", l->after);
    s3_xml(out, "VersionIdMarker", parameter(l->r, "version-id-marker"));
    if (!l->is_truncated)
        return;
    put_key(l, out, "NextKeyMarker", l->last);
    if (*l->last_version)
        s3_xml(out, "NextVersionIdMarker", l->last_version);
}

/* The elements in the order of AWS's schema, which some clients read by. */
static void put_question(struct listing *l, struct buf *out)
{
    static void (*const put_place[])(struct listing *, struct buf *) = {put_place_v1, put_place_v2,
                                                                        put_place_versions};
    s3_xml(out, "Name", l->r->bucket);
    put_key(l, out, "Prefix", l->prefix);
    put_place[l->kind](l, out);
    buf_printf(out, "<MaxKeys>%lld</MaxKeys>", (long long)l->told_keys);
    if (*l->delimiter)
        put_key(l, out, "Delimiter", l->delimiter);
    if (l->encodes_url)
        s3_xml(out, "EncodingType", "url");
    buf_printf(out, "<IsTruncated>%s</IsTruncated>", l->is_truncated ? "true" : "false");
}

static void answer(struct listing *l)
{
    const char *root = l->kind == LIST_VERSIONS ? "ListVersionsResult" : "ListBucketResult";
    struct buf out;
    s3_xml_begin(&out, root);
    put_question(l, &out);
    if (l->contents.size)
        buf_append(&out, l->contents.data, l->contents.size);
    if (l->prefixes.size)
        buf_append(&out, l->prefixes.data, l->prefixes.size);
    buf_printf(&out, "</%s>", root);
    out.failed |= l->contents.failed | l->prefixes.failed;
    s3_xml_send(l->r->x, &out);
}

static void list(struct s3_request *r, enum list_kind kind)
{
    enum { LIMIT_BYTES = 8 * 1024 * 1024 };
    struct err err = {0};
    struct listing *l = arena_new(&r->x->arena, struct listing, 1);
    if (!l) {
        exchange_fail(r->x, "InternalError", "Out of memory.");
        return;
    }
    if (s3_need_bucket(r, NULL) < 0)
        return;
    l->r = r;
    l->kind = kind;
    if (read_listing(l) < 0)
        return;
    buf_init(&l->contents, LIMIT_BYTES);
    buf_init(&l->prefixes, LIMIT_BYTES);
    struct connection *c = database_read_begin(r->s3->database, &err);
    int result = c ? walk(l, c, &err) : -1;
    database_read_end(r->s3->database, c);
    if (result == 0)
        answer(l);
    else
        s3_fail(r, &err);
    buf_finish(&l->contents);
    buf_finish(&l->prefixes);
}

void s3_list_objects(struct s3_request *r)
{
    list(r, LIST_V1);
}

void s3_list_objects_v2(struct s3_request *r)
{
    list(r, LIST_V2);
}

void s3_list_object_versions(struct s3_request *r)
{
    list(r, LIST_VERSIONS);
}
