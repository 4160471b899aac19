#include "cloud/ecr/oci.h"

#include "cloud/errors.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blobs and their uploads below /v2/. */

/* -- blobs -- */

/* One range of bytes, "bytes=5-", "bytes=5-9" or "bytes=-5" (the last five); others are as good as
 * none. 1: partial; -1: outside. */
static int read_range(struct oci_call *call, size_t size, size_t *from, size_t *count)
{
    const char *range = exchange_header(call->x, "Range");
    char *end;
    *from = 0;
    *count = size;
    if (!range || strncmp(range, "bytes=", 6) != 0)
        return 0;
    int is_suffix = range[6] == '-';
    const char *number = range + 6 + is_suffix;
    if (*number < '0' || *number > '9')
        return 0;
    unsigned long long first = strtoull(number, &end, 10), last = size - 1;
    if (*end != (is_suffix ? 0 : '-'))
        return 0;
    if (is_suffix) {
        if (first == 0 || size == 0)
            return -1;
        first = first < size ? size - first : 0;
    } else if (end[1]) {
        last = strtoull(end + 1, &end, 10);
        if (*end)
            return 0;
    }
    if (first >= size || last < first)
        return -1;
    *from = (size_t)first;
    *count = (size_t)((last < size - 1 ? last : size - 1) - first + 1);
    return 1;
}

static void send_blob(struct oci_call *call, size_t size)
{
    size_t from, count;
    int partial = read_range(call, size, &from, &count);
    if (partial < 0) {
        oci_reply_header(call, "Content-Range", "bytes */%zu", size);
        oci_fail(call, 416, "SIZE_INVALID", "The range lies outside of the blob.");
        return;
    }
    int fd = ecr_blob_open(call->ecr, call->reference, &call->err);
    if (fd < 0) {
        exchange_fail_err(call->x, &call->err);
        return;
    }
    if (partial)
        oci_reply_header(call, "Content-Range", "bytes %zu-%zu/%zu", from, from + count - 1, size);
    exchange_respond_file(call->x, partial ? 206 : 200, "application/octet-stream", fd, (off_t)from,
                          count);
}

static void get_blob(struct oci_call *call)
{
    size_t size;
    if (oci_allowed(call, "ecr:GetDownloadUrlForLayer") < 0)
        return;
    if (!ecr_is_digest(call->reference)) {
        oci_fail(call, 400, "DIGEST_INVALID", OCI_NO_DIGEST);
        return;
    }
    if (ecr_find_blob(call->ecr, call->repository, call->reference, &size, &call->err) < 0) {
        oci_fail_err(call, "BLOB_UNKNOWN");
        return;
    }
    oci_reply_header(call, "Docker-Content-Digest", "%s", call->reference);
    oci_reply_header(call, "Accept-Ranges", "bytes");
    if (oci_is_method(call, "HEAD"))
        exchange_respond_head(call->x, 200, "application/octet-stream", size);
    else
        send_blob(call, size);
}

static void delete_blob(struct oci_call *call)
{
    if (oci_allowed(call, "ecr:BatchDeleteImage") < 0)
        return;
    if (ecr_unlink_blob(call->ecr, call->repository, call->reference, &call->err) < 0) {
        oci_fail_err(call, "BLOB_UNKNOWN");
        return;
    }
    ecr_sweep(call->ecr);
    exchange_respond(call->x, 202, NULL, NULL, 0);
}

void oci_handle_blob(struct oci_call *call)
{
    if (oci_is_read(call))
        get_blob(call);
    else if (oci_is_method(call, "DELETE"))
        delete_blob(call);
    else
        oci_no_method(call);
}

/* -- uploads -- */

static void reply_blob(struct oci_call *call, const char *digest)
{
    oci_reply_header(call, "Location", "/v2/%s/blobs/%s", call->repository, digest);
    oci_reply_header(call, "Docker-Content-Digest", "%s", digest);
    exchange_respond(call->x, 201, NULL, NULL, 0);
}

/* "Range: 0-0" is what both none and one byte look like; clients count for themselves. */
static void reply_upload(struct oci_call *call, int status, const char *id, size_t size)
{
    oci_reply_header(call, "Location", "/v2/%s/blobs/uploads/%s", call->repository, id);
    oci_reply_header(call, "Range", "0-%zu", size ? size - 1 : 0);
    oci_reply_header(call, "Docker-Upload-UUID", "%s", id);
    exchange_respond(call->x, status, NULL, NULL, 0);
}

/* Ends the upload with the request's body as its last part, which begins at `from`. */
static void end_upload(struct oci_call *call, const char *id, int64_t from, const char *digest)
{
    const struct ecr_upload upload = {call->repository, id};
    if (!ecr_is_digest(digest)) {
        oci_fail(call, 400, "DIGEST_INVALID", OCI_NO_DIGEST);
        return;
    }
    if (ecr_upload_add(call->ecr, &upload, from, &call->x->body, &call->err) < 0 ||
        ecr_upload_end(call->ecr, &upload, digest, &call->err) < 0) {
        if (call->err.code == ERR_INVALID)
            ecr_upload_drop(call->ecr, &upload);
        oci_fail_err(call,
                     call->err.code == ERR_NOT_FOUND ? "BLOB_UPLOAD_UNKNOWN" : "DIGEST_INVALID");
        return;
    }
    reply_blob(call, digest);
}

/* A repository that the signer may pull from. */
struct home {
    struct oci_call *call;
    char name[ECR_MAX_NAME + 1];
};

static int take_home(void *context, const char *repository)
{
    struct home *home = context;
    struct oci_call *call = home->call;
    struct err ignored;
    const struct access_question question = {.action = "ecr:GetDownloadUrlForLayer",
                                             .resource = ecr_arn(call->ecr, call->x, repository)};
    if (exchange_may(call->x, &question, &ignored) < 0)
        return 0;
    snprintf(home->name, sizeof home->name, "%s", repository);
    return 1;
}

/* Without "from" it comes from wherever the signer may pull it. */
static int mount_blob(struct oci_call *call)
{
    const char *digest = exchange_query(call->x, "mount"), *from = exchange_query(call->x, "from");
    struct home home = {.call = call};
    struct err ignored;
    if (!digest || !ecr_is_digest(digest) || (from && !ecr_is_name(from)))
        return 0;
    if (from)
        take_home(&home, from);
    else if (ecr_each_home(call->ecr, digest, take_home, &home, &ignored) < 0)
        return 0;
    if (!*home.name || ecr_mount(call->ecr, home.name, call->repository, digest, &ignored) < 0)
        return 0;
    reply_blob(call, digest);
    return 1;
}

static void begin_upload(struct oci_call *call)
{
    struct ecr_repository repository;
    char id[ECR_ID_BYTES];
    const char *digest = exchange_query(call->x, "digest");
    if (ecr_get_repository(call->ecr, call->repository, &repository, &call->err) < 0) {
        oci_fail_err(call, "NAME_UNKNOWN");
        return;
    }
    if (mount_blob(call))
        return;
    if (ecr_upload_begin(call->ecr, call->repository, id, &call->err) < 0)
        exchange_fail_err(call->x, &call->err);
    else if (digest)
        end_upload(call, id, ECR_UPLOAD_ANYWHERE, digest);
    else
        reply_upload(call, 202, id, 0);
}

/* "Content-Range: 5-9" must go on where the upload stands, and be as long as the body. 1: it does,
 * or there is none (`*from` is ECR_UPLOAD_ANYWHERE then). */
static int follows(const struct oci_call *call, size_t size, int64_t *from)
{
    const char *range = exchange_header(call->x, "Content-Range");
    char *middle, *end;
    *from = ECR_UPLOAD_ANYWHERE;
    if (!range)
        return 1;
    if (strncmp(range, "bytes ", 6) == 0)
        range += 6;
    unsigned long long first = strtoull(range, &middle, 10);
    if (middle == range || *middle != '-')
        return 0;
    unsigned long long last = strtoull(middle + 1, &end, 10);
    *from = (int64_t)first;
    return end != middle + 1 && first == size && last + 1 - first == call->x->body.size;
}

static void add_chunk(struct oci_call *call, const struct ecr_upload *upload, size_t size)
{
    int64_t from;
    if (!follows(call, size, &from)) {
        reply_upload(call, 416, upload->id, size);
        return;
    }
    if (ecr_upload_add(call->ecr, upload, from, &call->x->body, &call->err) < 0) {
        if (call->err.code == ERR_BUSY) /* another request was faster */
            reply_upload(call, 416, upload->id, size);
        else
            oci_fail_err(call, "BLOB_UPLOAD_INVALID");
        return;
    }
    reply_upload(call, 202, upload->id, size + call->x->body.size);
}

static void put_last_chunk(struct oci_call *call, const struct ecr_upload *upload, size_t size)
{
    int64_t from;
    const char *digest = exchange_query(call->x, "digest");
    if (!follows(call, size, &from) && call->x->body.size)
        reply_upload(call, 416, upload->id, size);
    else
        end_upload(call, upload->id, call->x->body.size ? from : ECR_UPLOAD_ANYWHERE,
                   digest ? digest : "");
}

static void go_on_with_upload(struct oci_call *call)
{
    size_t size;
    const struct ecr_upload upload = {call->repository, call->reference};
    if (ecr_upload_size(call->ecr, &upload, &size, &call->err) < 0)
        oci_fail_err(call, "BLOB_UPLOAD_UNKNOWN");
    else if (oci_is_method(call, "GET"))
        reply_upload(call, 204, upload.id, size);
    else if (oci_is_method(call, "PATCH"))
        add_chunk(call, &upload, size);
    else if (oci_is_method(call, "PUT"))
        put_last_chunk(call, &upload, size);
    else if (oci_is_method(call, "DELETE")) {
        ecr_upload_drop(call->ecr, &upload);
        exchange_respond(call->x, 204, NULL, NULL, 0);
    } else
        oci_no_method(call);
}

void oci_handle_upload(struct oci_call *call)
{
    if (oci_allowed(call, "ecr:InitiateLayerUpload") < 0)
        return;
    if (*call->reference)
        go_on_with_upload(call);
    else if (oci_is_method(call, "POST"))
        begin_upload(call);
    else
        oci_no_method(call);
}
