#include "base/file.h"
#include "cloud/ecr/ecr.h"
#include "cloud/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The OCI distribution API, as podman, skopeo and docker speak it:
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md */

struct call {
    struct ecr *ecr;
    struct exchange *x;
    const char *repository; /* NULL: about the registry */
    const char *reference;  /* what stands behind: a digest, a tag, an upload's id; may be "" */
    struct err err;
};

/* -- answers -- */

static void fail(struct call *call, int status, const char *code, const char *message)
{
    json_t *answer = json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message", message);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    exchange_respond(call->x, status, "application/json", text ? text : "{}",
                     text ? strlen(text) : 2);
    free(text);
}

/* What went wrong below, with the code for what was looked for. */
static void fail_err(struct call *call, const char *code)
{
    static const struct {
        enum err_code code;
        int status;
        const char *oci; /* NULL: the caller's */
    } rows[] = {
        {ERR_NOT_FOUND, 404, NULL},         {ERR_INVALID, 400, NULL},
        {ERR_TOO_BIG, 413, "SIZE_INVALID"}, {ERR_EXISTS, 409, "TAG_INVALID"},
        {ERR_BUSY, 405, "UNSUPPORTED"},     {ERR_NO_SPACE, 507, "UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == call->err.code) {
            fail(call, rows[i].status, rows[i].oci ? rows[i].oci : code, call->err.message);
            return;
        }
    exchange_fail_err(call->x, &call->err);
}

static void no_method(struct call *call)
{
    fail(call, 405, "UNSUPPORTED", "The operation is unsupported.");
}

static int is_method(const struct call *call, const char *method)
{
    return strcmp(call->x->method, method) == 0;
}

static int is_read(const struct call *call)
{
    return is_method(call, "GET") || is_method(call, "HEAD");
}

/* 0: the signer may; -1: answered. */
static int allowed(struct call *call, const char *action)
{
    const struct access_question question = {
        .action = action, .resource = ecr_arn(call->ecr, call->x, call->repository)};
    if (exchange_may(call->x, &question, &call->err) == 0)
        return 0;
    fail(call, 403, "DENIED", call->err.message);
    return -1;
}

static void reply_header(struct call *call, const char *name, const char *format, ...) PRINTF(3, 4);
static void reply_header(struct call *call, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    exchange_reply_header(call->x, name, value);
}

/* -- blobs -- */

/* One range of bytes, "bytes=5-" or "bytes=5-9"; others are as good as none. 1: partial. */
static int read_range(struct call *call, size_t size, size_t *from, size_t *count)
{
    const char *range = exchange_header(call->x, "Range");
    char *end;
    *from = 0;
    *count = size;
    if (!range || strncmp(range, "bytes=", 6) != 0 || range[6] < '0' || range[6] > '9')
        return 0;
    unsigned long long first = strtoull(range + 6, &end, 10), last = size - 1;
    if (*end != '-')
        return 0;
    if (end[1])
        last = strtoull(end + 1, &end, 10);
    if (first >= size || last < first)
        return -1;
    *from = (size_t)first;
    *count = (size_t)((last < size - 1 ? last : size - 1) - first + 1);
    return 1;
}

static void send_blob(struct call *call, size_t size)
{
    char path[PATH_MAX];
    size_t from, count;
    int partial = read_range(call, size, &from, &count);
    int fd = partial < 0 || ecr_blob_path(call->ecr, call->reference, path) < 0
                 ? -1
                 : open(path, O_RDONLY | O_CLOEXEC);
    if (partial < 0) {
        fail(call, 416, "SIZE_INVALID", "The range lies outside of the blob.");
        return;
    }
    if (fd < 0) {
        err_set_errno(&call->err, "open a blob");
        exchange_fail_err(call->x, &call->err);
        return;
    }
    if (partial)
        reply_header(call, "Content-Range", "bytes %zu-%zu/%zu", from, from + count - 1, size);
    exchange_respond_file(call->x, partial ? 206 : 200, "application/octet-stream", fd, (off_t)from,
                          count);
}

static void get_blob(struct call *call)
{
    size_t size;
    if (allowed(call, "ecr:GetDownloadUrlForLayer") < 0)
        return;
    if (!ecr_is_digest(call->reference)) {
        fail(call, 400, "DIGEST_INVALID", "A blob is named sha256: and 64 hexadecimal digits.");
        return;
    }
    if (ecr_find_blob(call->ecr, call->repository, call->reference, &size, &call->err) < 0) {
        fail_err(call, "BLOB_UNKNOWN");
        return;
    }
    reply_header(call, "Docker-Content-Digest", "%s", call->reference);
    reply_header(call, "Accept-Ranges", "bytes");
    if (is_method(call, "HEAD"))
        exchange_respond_head(call->x, 200, "application/octet-stream", size);
    else
        send_blob(call, size);
}

static void delete_blob(struct call *call)
{
    if (allowed(call, "ecr:BatchDeleteImage") < 0)
        return;
    if (ecr_unlink_blob(call->ecr, call->repository, call->reference, &call->err) < 0) {
        fail_err(call, "BLOB_UNKNOWN");
        return;
    }
    ecr_sweep(call->ecr);
    exchange_respond(call->x, 202, NULL, NULL, 0);
}

static void handle_blob(struct call *call)
{
    if (is_read(call))
        get_blob(call);
    else if (is_method(call, "DELETE"))
        delete_blob(call);
    else
        no_method(call);
}

/* -- uploads -- */

static void reply_blob(struct call *call, const char *digest)
{
    reply_header(call, "Location", "/v2/%s/blobs/%s", call->repository, digest);
    reply_header(call, "Docker-Content-Digest", "%s", digest);
    exchange_respond(call->x, 201, NULL, NULL, 0);
}

/* "Range: 0-0" is what both none and one byte look like; clients count for themselves. */
static void reply_upload(struct call *call, int status, const char *id, size_t size)
{
    reply_header(call, "Location", "/v2/%s/blobs/uploads/%s", call->repository, id);
    reply_header(call, "Range", "0-%zu", size ? size - 1 : 0);
    reply_header(call, "Docker-Upload-UUID", "%s", id);
    exchange_respond(call->x, status, NULL, NULL, 0);
}

/* Ends the upload with the request's body as its last part. */
static void end_upload(struct call *call, const char *id, const char *digest)
{
    if (!ecr_is_digest(digest)) {
        fail(call, 400, "DIGEST_INVALID", "The digest must be sha256: and 64 hexadecimal digits.");
        return;
    }
    if (ecr_upload_add(call->ecr, id, &call->x->body, &call->err) < 0 ||
        ecr_upload_end(call->ecr, id, call->repository, digest, &call->err) < 0) {
        if (call->err.code == ERR_INVALID)
            ecr_upload_drop(call->ecr, id);
        fail_err(call, call->err.code == ERR_NOT_FOUND ? "BLOB_UPLOAD_UNKNOWN" : "DIGEST_INVALID");
        return;
    }
    reply_blob(call, digest);
}

static int mount_blob(struct call *call)
{
    const char *digest = exchange_query(call->x, "mount"), *from = exchange_query(call->x, "from");
    struct err ignored;
    if (!digest || !from || !ecr_is_digest(digest) || !ecr_is_name(from))
        return 0;
    const struct access_question question = {.action = "ecr:GetDownloadUrlForLayer",
                                             .resource = ecr_arn(call->ecr, call->x, from)};
    if (exchange_may(call->x, &question, &ignored) < 0 ||
        ecr_mount(call->ecr, from, call->repository, digest, &ignored) < 0)
        return 0;
    reply_blob(call, digest);
    return 1;
}

static void begin_upload(struct call *call)
{
    struct ecr_repository repository;
    char id[ECR_ID_BYTES];
    const char *digest = exchange_query(call->x, "digest");
    if (ecr_get_repository(call->ecr, call->repository, &repository, &call->err) < 0) {
        fail_err(call, "NAME_UNKNOWN");
        return;
    }
    if (mount_blob(call))
        return;
    if (ecr_upload_begin(call->ecr, id, &call->err) < 0)
        exchange_fail_err(call->x, &call->err);
    else if (digest)
        end_upload(call, id, digest);
    else
        reply_upload(call, 202, id, 0);
}

/* "Content-Range: 5-9" must go on where the upload stands. */
static int follows(const struct call *call, size_t size)
{
    const char *range = exchange_header(call->x, "Content-Range");
    if (!range)
        return 1;
    if (strncmp(range, "bytes ", 6) == 0)
        range += 6;
    char *end;
    unsigned long long first = strtoull(range, &end, 10);
    return end != range && first == size;
}

static void add_chunk(struct call *call, size_t size)
{
    if (!follows(call, size)) {
        reply_upload(call, 416, call->reference, size);
        return;
    }
    if (ecr_upload_add(call->ecr, call->reference, &call->x->body, &call->err) < 0) {
        fail_err(call, "BLOB_UPLOAD_INVALID");
        return;
    }
    reply_upload(call, 202, call->reference, size + call->x->body.size);
}

static void go_on_with_upload(struct call *call)
{
    size_t size;
    const char *digest = exchange_query(call->x, "digest");
    if (ecr_upload_size(call->ecr, call->reference, &size, &call->err) < 0)
        fail_err(call, "BLOB_UPLOAD_UNKNOWN");
    else if (is_method(call, "GET"))
        reply_upload(call, 204, call->reference, size);
    else if (is_method(call, "PATCH"))
        add_chunk(call, size);
    else if (is_method(call, "PUT") && !follows(call, size) && call->x->body.size)
        reply_upload(call, 416, call->reference, size);
    else if (is_method(call, "PUT"))
        end_upload(call, call->reference, digest ? digest : "");
    else if (is_method(call, "DELETE")) {
        ecr_upload_drop(call->ecr, call->reference);
        exchange_respond(call->x, 204, NULL, NULL, 0);
    } else
        no_method(call);
}

static void handle_upload(struct call *call)
{
    if (allowed(call, "ecr:InitiateLayerUpload") < 0)
        return;
    if (*call->reference)
        go_on_with_upload(call);
    else if (is_method(call, "POST"))
        begin_upload(call);
    else
        no_method(call);
}

/* -- manifests -- */

static void get_manifest(struct call *call)
{
    struct ecr_manifest manifest;
    if (allowed(call, "ecr:BatchGetImage") < 0)
        return;
    if (ecr_get_manifest(call->ecr, call->repository, call->reference, &call->x->arena, &manifest,
                         &call->err) < 0) {
        fail_err(call, "MANIFEST_UNKNOWN");
        return;
    }
    reply_header(call, "Docker-Content-Digest", "%s", manifest.digest);
    if (is_method(call, "HEAD"))
        exchange_respond_head(call->x, 200, manifest.media_type, manifest.size);
    else
        exchange_respond(call->x, 200, manifest.media_type, manifest.content, manifest.size);
}

static const char *code_of(const struct err *err)
{
    if (strncmp(err->message, "blob", 4) == 0)
        return "MANIFEST_BLOB_UNKNOWN";
    return err->code == ERR_NOT_FOUND
               ? strncmp(err->message, "repository", 10) == 0 ? "NAME_UNKNOWN" : "MANIFEST_UNKNOWN"
               : "MANIFEST_INVALID";
}

static void put_manifest(struct call *call)
{
    struct ecr_manifest manifest;
    int was_there;
    const char *data = exchange_body(call->x, &call->err);
    struct ecr_push push = {.repository = call->repository,
                            .media_type = exchange_header(call->x, "Content-Type"),
                            .reference = call->reference,
                            .data = data,
                            .size = call->x->body.size};
    if (allowed(call, "ecr:PutImage") < 0)
        return;
    if (!data ||
        ecr_push(call->ecr, &push, &call->x->arena, &manifest, &was_there, &call->err) < 0) {
        fail_err(call, code_of(&call->err));
        return;
    }
    if (manifest.subject)
        reply_header(call, "OCI-Subject", "%s", manifest.subject);
    reply_header(call, "Location", "/v2/%s/manifests/%s", call->repository, manifest.digest);
    reply_header(call, "Docker-Content-Digest", "%s", manifest.digest);
    exchange_respond(call->x, 201, NULL, NULL, 0);
}

static void delete_manifest(struct call *call)
{
    if (allowed(call, "ecr:BatchDeleteImage") < 0)
        return;
    int is_digest = ecr_is_digest(call->reference);
    int result = is_digest
                     ? ecr_delete_manifest(call->ecr, call->repository, call->reference, &call->err)
                     : ecr_delete_tag(call->ecr, call->repository, call->reference, &call->err);
    if (result < 0) {
        fail_err(call, "MANIFEST_UNKNOWN");
        return;
    }
    if (is_digest)
        ecr_sweep(call->ecr);
    exchange_respond(call->x, 202, NULL, NULL, 0);
}

static void handle_manifest(struct call *call)
{
    if (!ecr_is_digest(call->reference) && !ecr_is_tag(call->reference))
        fail(call, 400, "MANIFEST_INVALID", "A manifest is named by a tag or a digest.");
    else if (is_read(call))
        get_manifest(call);
    else if (is_method(call, "PUT"))
        put_manifest(call);
    else if (is_method(call, "DELETE"))
        delete_manifest(call);
    else
        no_method(call);
}

/* -- lists -- */

struct tag_list {
    json_t *tags;
    const char *last; /* begin behind it */
    size_t most;
    int more;
};

static int take_tag(void *context, const struct ecr_manifest *manifest, const char *tag)
{
    struct tag_list *list = context;
    (void)manifest;
    if (list->last && strcmp(tag, list->last) <= 0)
        return 0;
    if (json_array_size(list->tags) == list->most) {
        list->more = 1;
        return 1;
    }
    return json_array_append_new(list->tags, json_string(tag)) < 0;
}

static void reply_json(struct call *call, const char *type, json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    exchange_respond(call->x, 200, type, text ? text : "{}", text ? strlen(text) : 2);
    free(text);
}

static void handle_tags(struct call *call)
{
    const char *n = exchange_query(call->x, "n");
    struct tag_list list = {.tags = json_array(),
                            .last = exchange_query(call->x, "last"),
                            .most = n ? strtoull(n, NULL, 10) : SIZE_MAX};
    int result = !is_method(call, "GET") || strcmp(call->reference, "list") != 0 ? 1
                 : allowed(call, "ecr:ListImages") < 0
                     ? 2
                     : ecr_list_images(call->ecr, call->repository, 1, take_tag, &list, &call->err);
    if (result == 0) {
        size_t count = json_array_size(list.tags);
        if (list.more && count)
            reply_header(call, "Link", "</v2/%s/tags/list?n=%zu&last=%s>; rel=\"next\"",
                         call->repository, list.most,
                         json_string_value(json_array_get(list.tags, count - 1)));
        reply_json(call, "application/json",
                   json_pack("{s:s, s:O}", "name", call->repository, "tags", list.tags));
    } else if (result == 1) {
        no_method(call);
    } else if (result < 0) {
        fail_err(call, "NAME_UNKNOWN");
    }
    json_decref(list.tags);
}

struct referrers {
    json_t *list;
    const char *subject, *artifact_type;
};

static int take_referrer(void *context, const struct ecr_manifest *m, const char *tag)
{
    struct referrers *r = context;
    const json_t *last = json_array_get(r->list, json_array_size(r->list) - 1);
    const char *before = json_string_value(json_object_get(last, "digest"));
    (void)tag;
    if (!m->subject || strcmp(m->subject, r->subject) != 0 ||
        (before && strcmp(before, m->digest) == 0) ||
        (r->artifact_type &&
         (!m->artifact_type || strcmp(m->artifact_type, r->artifact_type) != 0)))
        return 0;
    json_t *one =
        json_pack("{s:s, s:s, s:I, s:s*}", "mediaType", m->media_type, "digest", m->digest, "size",
                  (json_int_t)m->size, "artifactType", m->artifact_type);
    if (m->annotations)
        json_object_set_new(one, "annotations", json_loads(m->annotations, 0, NULL));
    return json_array_append_new(r->list, one) < 0;
}

static void handle_referrers(struct call *call)
{
    struct referrers r = {.list = json_array(),
                          .subject = call->reference,
                          .artifact_type = exchange_query(call->x, "artifactType")};
    if (!is_method(call, "GET"))
        no_method(call);
    else if (!ecr_is_digest(call->reference))
        fail(call, 400, "DIGEST_INVALID", "Referrers are of a digest.");
    else if (allowed(call, "ecr:BatchGetImage") == 0) {
        if (ecr_list_images(call->ecr, call->repository, 0, take_referrer, &r, &call->err) < 0) {
            fail_err(call, "NAME_UNKNOWN");
        } else {
            if (r.artifact_type)
                reply_header(call, "OCI-Filters-Applied", "artifactType");
            reply_json(call, "application/vnd.oci.image.index.v1+json",
                       json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
                                 "application/vnd.oci.image.index.v1+json", "manifests", r.list));
        }
    }
    json_decref(r.list);
}

/* -- paths -- */

static const struct {
    const char *part; /* between the repository and the reference */
    void (*handle)(struct call *call);
} routes[] = {
    {"/blobs/uploads/", handle_upload}, {"/blobs/", handle_blob},
    {"/manifests/", handle_manifest},   {"/tags/", handle_tags},
    {"/referrers/", handle_referrers},
};

/* "/v2/team/app/manifests/latest": a repository's name may have slashes, what follows has none. */
static void handle_path(struct call *call, const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *at = NULL;
        for (const char *next = path; (next = strstr(next, routes[i].part)); next++)
            at = next;
        size_t part = strlen(routes[i].part);
        if (!at || strchr(at + part, '/'))
            continue;
        call->repository = arena_copy(&call->x->arena, path, (size_t)(at - path));
        call->reference = at + part;
        if (!call->repository || !ecr_is_name(call->repository))
            fail(call, 400, "NAME_INVALID", "The repository's name is invalid.");
        else
            routes[i].handle(call);
        return;
    }
    fail(call, 404, "UNSUPPORTED", "There is nothing at this path.");
}

void ecr_handle_oci(struct ecr *ecr, struct exchange *x)
{
    struct call call = {.ecr = ecr, .x = x};
    const char *path = exchange_decode(x, x->path, strlen(x->path), 0);
    exchange_reply_header(x, "Docker-Distribution-Api-Version", "registry/2.0");
    if (!path)
        fail(&call, 400, "NAME_INVALID", "The path is malformed.");
    else if (strcmp(path, "/v2/") == 0 || strcmp(path, "/v2") == 0)
        exchange_respond(x, 200, "application/json", "{}", 2);
    else
        handle_path(&call, path + strlen("/v2/"));
}
