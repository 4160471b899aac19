#include "cloud/ecr/oci.h"
#include "cloud/errors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The OCI distribution API, as podman, skopeo and docker speak it:
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md */

/* -- answers -- */

void oci_fail(struct oci_call *call, int status, const char *code, const char *message)
{
    json_t *answer = json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message", message);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    exchange_respond(call->x, status, "application/json", text ? text : "{}",
                     text ? strlen(text) : 2);
    free(text);
}

/* What went wrong below, with the code for what was looked for. */
void oci_fail_err(struct oci_call *call, const char *code)
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
            oci_fail(call, rows[i].status, rows[i].oci ? rows[i].oci : code, call->err.message);
            return;
        }
    exchange_fail_err(call->x, &call->err);
}

void oci_no_method(struct oci_call *call)
{
    oci_fail(call, 405, "UNSUPPORTED", "The operation is unsupported.");
}

int oci_is_method(const struct oci_call *call, const char *method)
{
    return strcmp(call->x->method, method) == 0;
}

int oci_is_read(const struct oci_call *call)
{
    return oci_is_method(call, "GET") || oci_is_method(call, "HEAD");
}

/* 0: the signer may; -1: answered. */
int oci_allowed(struct oci_call *call, const char *action)
{
    const struct access_question question = {
        .action = action, .resource = ecr_arn(call->ecr, call->x, call->repository)};
    if (exchange_may(call->x, &question, &call->err) == 0)
        return 0;
    oci_fail(call, 403, "DENIED", call->err.message);
    return -1;
}

void oci_reply_header(struct oci_call *call, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    exchange_reply_header(call->x, name, value);
}

/* -- manifests -- */

static void get_manifest(struct oci_call *call)
{
    struct ecr_manifest manifest;
    if (oci_allowed(call, "ecr:BatchGetImage") < 0)
        return;
    if (ecr_get_manifest(call->ecr, call->repository, call->reference, &call->x->arena, &manifest,
                         &call->err) < 0) {
        oci_fail_err(call, "MANIFEST_UNKNOWN");
        return;
    }
    oci_reply_header(call, "Docker-Content-Digest", "%s", manifest.digest);
    if (oci_is_method(call, "HEAD"))
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

/* The tags that the manifest is put under: its reference, or those of "?tag=" beside a digest. -1:
 * answered. */
static int read_tags(struct oci_call *call, const char *tags[ECR_MAX_PUSHED_TAGS + 1])
{
    size_t count = 0;
    int is_digest = ecr_is_digest(call->reference);
    if (!is_digest)
        tags[count++] = call->reference;
    exchange_query(call->x, "tag"); /* splits the query */
    for (size_t i = 0; i < call->x->parameter_count; i++) {
        const struct exchange_parameter *p = &call->x->parameters[i];
        if (strcmp(p->name, "tag") != 0)
            continue;
        const char *tag = exchange_decode(call->x, p->value, p->value_size, 1);
        if (count == ECR_MAX_PUSHED_TAGS) {
            oci_fail(call, 414, "TAG_INVALID", "There are more than 100 tags.");
            return -1;
        }
        if (!is_digest || !tag || !ecr_is_tag(tag)) {
            oci_fail(call, 400, "TAG_INVALID",
                     is_digest ? "A tag has up to 128 letters, digits and any of \"._-\"."
                               : "Tags come along with a digest only.");
            return -1;
        }
        tags[count++] = tag;
    }
    tags[count] = NULL;
    return 0;
}

static void reply_tags(struct oci_call *call, const char *const *tags)
{
    size_t size = 1, used = 0;
    for (const char *const *tag = tags; *tag; tag++)
        size += strlen(*tag) + 2;
    char *text = arena_new(&call->x->arena, char, size);
    for (; text && *tags; tags++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", *tags);
    if (used)
        exchange_reply_header(call->x, "OCI-Tag", text);
}

static void put_manifest(struct oci_call *call)
{
    struct ecr_manifest manifest;
    const char *tags[ECR_MAX_PUSHED_TAGS + 1];
    int was_there, is_digest = ecr_is_digest(call->reference);
    const char *data = exchange_body(call->x, &call->err);
    if (oci_allowed(call, "ecr:PutImage") < 0 || read_tags(call, tags) < 0)
        return;
    struct ecr_push push = {.repository = call->repository,
                            .media_type = exchange_header(call->x, "Content-Type"),
                            .digest = is_digest ? call->reference : NULL,
                            .tags = tags,
                            .data = data,
                            .size = call->x->body.size};
    if (!data ||
        ecr_push(call->ecr, &push, &call->x->arena, &manifest, &was_there, &call->err) < 0) {
        oci_fail_err(call, code_of(&call->err));
        return;
    }
    if (manifest.subject)
        oci_reply_header(call, "OCI-Subject", "%s", manifest.subject);
    if (is_digest)
        reply_tags(call, tags);
    oci_reply_header(call, "Location", "/v2/%s/manifests/%s", call->repository, manifest.digest);
    oci_reply_header(call, "Docker-Content-Digest", "%s", manifest.digest);
    exchange_respond(call->x, 201, NULL, NULL, 0);
}

static void delete_manifest(struct oci_call *call)
{
    if (oci_allowed(call, "ecr:BatchDeleteImage") < 0)
        return;
    int is_digest = ecr_is_digest(call->reference);
    int result = is_digest
                     ? ecr_delete_manifest(call->ecr, call->repository, call->reference, &call->err)
                     : ecr_delete_tag(call->ecr, call->repository, call->reference, &call->err);
    if (result < 0) {
        oci_fail_err(call, "MANIFEST_UNKNOWN");
        return;
    }
    if (is_digest)
        ecr_sweep(call->ecr);
    exchange_respond(call->x, 202, NULL, NULL, 0);
}

static void handle_manifest(struct oci_call *call)
{
    int is_named = ecr_is_digest(call->reference) || ecr_is_tag(call->reference);
    if (!is_named && oci_is_method(call, "PUT"))
        oci_fail(call, 400, "MANIFEST_INVALID", "A manifest is named by a tag or a digest.");
    else if (!is_named) /* nothing has such a name */
        oci_fail(call, 404, "MANIFEST_UNKNOWN", "A manifest is named by a tag or a digest.");
    else if (oci_is_read(call))
        get_manifest(call);
    else if (oci_is_method(call, "PUT"))
        put_manifest(call);
    else if (oci_is_method(call, "DELETE"))
        delete_manifest(call);
    else
        oci_no_method(call);
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

static void reply_json(struct oci_call *call, const char *type, json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    exchange_respond(call->x, 200, type, text ? text : "{}", text ? strlen(text) : 2);
    free(text);
}

static void handle_tags(struct oci_call *call)
{
    const char *n = exchange_query(call->x, "n");
    if (n && (!*n || strspn(n, "0123456789") != strlen(n))) {
        oci_fail(call, 400, "PAGINATION_NUMBER_INVALID", "The number of tags is not a number.");
        return;
    }
    struct tag_list list = {.tags = json_array(),
                            .last = exchange_query(call->x, "last"),
                            .most = n ? strtoull(n, NULL, 10) : SIZE_MAX};
    int result = !oci_is_method(call, "GET") || strcmp(call->reference, "list") != 0 ? 1
                 : oci_allowed(call, "ecr:ListImages") < 0
                     ? 2
                     : ecr_list_images(call->ecr, call->repository, 1, take_tag, &list, &call->err);
    if (result == 0) {
        size_t count = json_array_size(list.tags);
        if (list.more && count)
            oci_reply_header(call, "Link", "</v2/%s/tags/list?n=%zu&last=%s>; rel=\"next\"",
                             call->repository, list.most,
                             json_string_value(json_array_get(list.tags, count - 1)));
        reply_json(call, "application/json",
                   json_pack("{s:s, s:O}", "name", call->repository, "tags", list.tags));
    } else if (result == 1) {
        oci_no_method(call);
    } else if (result < 0) {
        oci_fail_err(call, "NAME_UNKNOWN");
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

static void handle_referrers(struct oci_call *call)
{
    struct referrers r = {.list = json_array(),
                          .subject = call->reference,
                          .artifact_type = exchange_query(call->x, "artifactType")};
    if (!oci_is_method(call, "GET"))
        oci_no_method(call);
    else if (!ecr_is_digest(call->reference))
        oci_fail(call, 400, "DIGEST_INVALID", OCI_NO_DIGEST);
    else if (oci_allowed(call, "ecr:BatchGetImage") == 0) {
        if (ecr_list_images(call->ecr, call->repository, 0, take_referrer, &r, &call->err) < 0) {
            oci_fail_err(call, "NAME_UNKNOWN");
        } else {
            if (r.artifact_type)
                oci_reply_header(call, "OCI-Filters-Applied", "artifactType");
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
    void (*handle)(struct oci_call *call);
} routes[] = {
    {"/blobs/uploads/", oci_handle_upload}, {"/blobs/", oci_handle_blob},
    {"/manifests/", handle_manifest},       {"/tags/", handle_tags},
    {"/referrers/", handle_referrers},
};

/* "/v2/team/app/manifests/latest": a repository's name may have slashes, what follows has none. */
static void handle_path(struct oci_call *call, const char *path)
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
            oci_fail(call, 400, "NAME_INVALID", "The repository's name is invalid.");
        else
            routes[i].handle(call);
        return;
    }
    oci_fail(call, 404, "UNSUPPORTED", "There is nothing at this path.");
}

void ecr_handle_oci(struct ecr *ecr, struct exchange *x)
{
    struct oci_call call = {.ecr = ecr, .x = x};
    const char *path = exchange_decode(x, x->path, strlen(x->path), 0);
    exchange_reply_header(x, "Docker-Distribution-Api-Version", "registry/2.0");
    if (!path)
        oci_fail(&call, 400, "NAME_INVALID", "The path is malformed.");
    else if (strcmp(path, "/v2/") == 0 || strcmp(path, "/v2") == 0)
        exchange_respond(x, 200, "application/json", "{}", 2);
    else
        handle_path(&call, path + strlen("/v2/"));
}
