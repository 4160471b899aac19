#include "aws/s3_upload.h"

#include "aws/uri.h"
#include "base/arena.h"
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 64 * 1024, MAX_XML_BYTES = 1024 * 1024, MAX_UNKNOWN = 16 };

/* One upload on its way. */
struct work {
    struct aws_client *client;
    struct s3_upload *upload;
    struct arena arena;
    const char *path;
    uint64_t part_bytes;
    int parts;
    struct s3_part *done; /* by number - 1; number 0: not there yet */
};

uint64_t s3_upload_part_bytes(uint64_t size)
{
    const uint64_t step = 1024 * 1024;
    uint64_t least = (size + S3_UPLOAD_MAX_PARTS - 1) / S3_UPLOAD_MAX_PARTS;
    least = (least + step - 1) / step * step;
    return least > S3_UPLOAD_PART_BYTES ? least : S3_UPLOAD_PART_BYTES;
}

static struct aws_request request_of(const struct work *work, const char *operation,
                                     const char *method, const char *query)
{
    return (struct aws_request){.service = AWS_S3,
                                .operation = operation,
                                .method = method,
                                .path = work->path,
                                .query = query,
                                .body_fd = -1,
                                .tries = 1,
                                .timeout_ms = work->upload->timeout_ms};
}

static int send_request(struct work *work, const struct aws_request *request, struct err *err)
{
    return aws_client_send(work->client, request, aws_client_scratch(work->client), err);
}

/* The text of the first element of that name up to `end`; -1 when absent or too long. */
static int take_text(const char *from, const char *end, const char *name, char *out,
                     size_t out_bytes)
{
    char tag[64];
    int length = snprintf(tag, sizeof tag, "<%s>", name);
    const char *start = strstr(from, tag);
    if (!start || start >= end)
        return -1;
    start += length;
    size_t size = strcspn(start, "<");
    if (size >= out_bytes || start + size > end)
        return -1;
    memcpy(out, start, size);
    out[size] = 0;
    return (int)size;
}

/* An ETag without its quotes, however they are written. */
static int take_etag(const char *text, char etag[72])
{
    if (strncmp(text, "&quot;", 6) == 0)
        text += 6;
    else if (*text == '"')
        text++;
    else if (strncmp(text, "&#34;", 5) == 0)
        text += 5;
    size_t size = strspn(text, "0123456789abcdefABCDEF-");
    if (size == 0 || size >= 72)
        return -1;
    memcpy(etag, text, size);
    etag[size] = 0;
    return 0;
}

int s3_upload_read_part(const char **text, struct s3_part *part)
{
    char number[16], size[24], etag[100];
    const char *start = strstr(*text, "<Part>"), *end = start ? strstr(start, "</Part>") : NULL;
    if (!start)
        return 0;
    if (!end || take_text(start, end, "PartNumber", number, sizeof number) <= 0 ||
        take_text(start, end, "Size", size, sizeof size) <= 0 ||
        take_text(start, end, "ETag", etag, sizeof etag) <= 0 || take_etag(etag, part->etag) < 0)
        return -1;
    part->number = (int)strtol(number, NULL, 10);
    part->size = strtoull(size, NULL, 10);
    *text = end;
    return part->number >= 1 && part->number <= 10000 ? 1 : -1;
}

static const char *upload_query(struct work *work, const char *before)
{
    const char *id = work->upload->id;
    char *encoded = uri_encode(&work->arena, id, strlen(id), "");
    return encoded ? arena_printf(&work->arena, "%suploadId=%s", before, encoded) : NULL;
}

static int keep_id(struct work *work, const char *id, struct err *err)
{
    struct s3_upload *upload = work->upload;
    if (id != upload->id)
        snprintf(upload->id, sizeof upload->id, "%s", id);
    return upload->began ? upload->began(upload->context, upload->id, err) : 0;
}

/* Of the upload with the id in work->upload. One that is gone is fine. */
static int abort_known(struct work *work, struct err *err)
{
    const char *query = upload_query(work, "");
    struct aws_request request = request_of(work, "AbortMultipartUpload", "DELETE", query);
    if (!query)
        return err_set(err, ERR_TOO_BIG, "AbortMultipartUpload: the id is too long");
    if (send_request(work, &request, err) == 0 || err->code == ERR_NOT_FOUND ||
        strcmp(aws_client_failure(work->client)->code, "NoSuchUpload") == 0)
        return 0;
    return -1;
}

/* The id of an upload under exactly this key into work->upload. 0: there is none. */
static int find_unknown(struct work *work, struct err *err)
{
    struct s3_upload *upload = work->upload;
    char key[1100];
    struct aws_request request = request_of(work, "ListMultipartUploads", "GET", NULL);
    char *prefix = uri_encode(&work->arena, upload->key, strlen(upload->key), "");
    request.path = arena_printf(&work->arena, "/%s", upload->bucket);
    request.query = prefix ? arena_printf(&work->arena, "prefix=%s&uploads=", prefix) : NULL;
    if (!request.path || !request.query)
        return err_set(err, ERR_TOO_BIG, "ListMultipartUploads: the name is too long");
    if (send_request(work, &request, err) < 0)
        return -1;
    const char *text = aws_client_scratch(work->client)->body.data;
    while (text && (text = strstr(text, "<Upload>"))) {
        const char *end = strstr(text, "</Upload>");
        if (!end)
            return err_set(err, ERR_CORRUPT, "ListMultipartUploads: an answer that is none");
        if (take_text(text, end, "Key", key, sizeof key) > 0 && strcmp(key, upload->key) == 0 &&
            take_text(text, end, "UploadId", upload->id, sizeof upload->id) > 0)
            return 1;
        text = end;
    }
    return 0;
}

/* What an earlier try may have begun without learning of it. */
static int abort_unknown(struct work *work, struct err *err)
{
    int found = 0;
    for (int i = 0; i < MAX_UNKNOWN && (found = find_unknown(work, err)) == 1; i++)
        if (abort_known(work, err) < 0)
            return -1;
    work->upload->id[0] = 0;
    return found < 0 && err->code != ERR_DENIED ? -1 : 0;
}

static int begin(struct work *work, struct err *err)
{
    if (work->upload->unsure && abort_unknown(work, err) < 0)
        return -1;
    if (keep_id(work, "", err) < 0)
        return -1;
    const struct http_header type = {"Content-Type", work->upload->content_type};
    struct aws_request request = request_of(work, "CreateMultipartUpload", "POST", "uploads=");
    request.headers = &type;
    request.header_count = 1;
    char id[S3_UPLOAD_ID_BYTES];
    if (send_request(work, &request, err) < 0)
        return -1;
    const struct buf *body = &aws_client_scratch(work->client)->body;
    const char *text = body->data ? body->data : "";
    if (take_text(text, text + body->size, "UploadId", id, sizeof id) <= 0)
        return err_set(err, ERR_CORRUPT, "CreateMultipartUpload: the answer has no id");
    return keep_id(work, id, err);
}

/* What is there of the upload already. 1: it goes on, 0: it is gone, -1. */
static int list_parts(struct work *work, struct err *err)
{
    struct s3_part part;
    const char *query = upload_query(work, "");
    struct aws_request request = request_of(work, "ListParts", "GET", query);
    if (!query)
        return err_set(err, ERR_TOO_BIG, "ListParts: the id is too long");
    if (send_request(work, &request, err) < 0)
        return strcmp(aws_client_failure(work->client)->code, "NoSuchUpload") == 0 ||
                       err->code == ERR_NOT_FOUND
                   ? 0
                   : -1;
    const char *text = aws_client_scratch(work->client)->body.data;
    int found = 0;
    while (text && (found = s3_upload_read_part(&text, &part)) == 1)
        if (part.number <= work->parts)
            work->done[part.number - 1] = part;
    return found < 0 ? err_set(err, ERR_CORRUPT, "ListParts: an answer that is none") : 1;
}

/* Is the whole file there under its key? After an upload whose last answer was lost. */
static int is_there(struct work *work, struct err *err)
{
    char length[24];
    struct aws_request request = request_of(work, "HeadObject", "HEAD", NULL);
    if (send_request(work, &request, err) < 0)
        return err->code == ERR_NOT_FOUND || err->code == ERR_DENIED ? 0 : -1;
    return http_response_header(aws_client_scratch(work->client), "Content-Length", length,
                                sizeof length) > 0 &&
           strtoull(length, NULL, 10) == work->upload->size;
}

static uint64_t size_of(const struct work *work, int number)
{
    uint64_t before = (uint64_t)(number - 1) * work->part_bytes;
    uint64_t left = work->upload->size - before;
    return left < work->part_bytes ? left : work->part_bytes;
}

static int send_part(struct work *work, int number, struct err *err)
{
    char before[48], etag[100];
    snprintf(before, sizeof before, "partNumber=%d&", number);
    const char *query = upload_query(work, before);
    struct aws_request request = request_of(work, "UploadPart", "PUT", query);
    if (!query)
        return err_set(err, ERR_TOO_BIG, "UploadPart: the id is too long");
    request.body_fd = work->upload->fd;
    request.body_offset = (uint64_t)(number - 1) * work->part_bytes;
    request.body_bytes = size_of(work, number);
    if (send_request(work, &request, err) < 0)
        return -1;
    struct s3_part *done = &work->done[number - 1];
    if (http_response_header(aws_client_scratch(work->client), "ETag", etag, sizeof etag) <= 0 ||
        take_etag(etag, done->etag) < 0)
        return err_set(err, ERR_CORRUPT, "UploadPart: the answer has no ETag");
    done->number = number;
    done->size = request.body_bytes;
    return 0;
}

static int complete(struct work *work, struct err *err)
{
    struct buf list;
    const char *query = upload_query(work, "");
    struct aws_request request = request_of(work, "CompleteMultipartUpload", "POST", query);
    buf_init(&list, MAX_XML_BYTES);
    buf_puts(&list, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (int i = 0; i < work->parts; i++)
        buf_printf(&list, "<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag></Part>", i + 1,
                   work->done[i].etag);
    buf_puts(&list, "</CompleteMultipartUpload>");
    request.body = list.data;
    request.body_bytes = list.size;
    int done = list.failed || !query
                   ? err_set(err, ERR_TOO_BIG, "CompleteMultipartUpload: too many parts")
                   : send_request(work, &request, err);
    buf_finish(&list);
    /* a failure may come in an answer of status 200, which was begun too early to know */
    const char *body = done == 0 ? aws_client_scratch(work->client)->body.data : NULL;
    if (body && strstr(body, "<Error>"))
        return err_set(err, ERR_BUSY, "CompleteMultipartUpload: it failed after all");
    return done;
}

static int in_parts(struct work *work, struct err *err)
{
    if (work->upload->id[0]) {
        int there = list_parts(work, err);
        if (there == 0 && (there = is_there(work, err)) == 1)
            return 0;
        if (there < 0)
            return -1;
        if (work->done[0].number == 0 && there == 0)
            work->upload->id[0] = 0; /* gone, and not complete: anew */
    }
    if (!work->upload->id[0] && begin(work, err) < 0)
        return -1;
    for (int number = 1; number <= work->parts; number++)
        if (work->done[number - 1].size != size_of(work, number) &&
            send_part(work, number, err) < 0)
            return -1;
    return complete(work, err);
}

static int in_one(struct work *work, struct err *err)
{
    const struct http_header type = {"Content-Type", work->upload->content_type};
    struct aws_request request = request_of(work, "PutObject", "PUT", NULL);
    request.headers = &type;
    request.header_count = 1;
    request.body_fd = work->upload->fd;
    request.body_bytes = work->upload->size;
    return send_request(work, &request, err);
}

static int find_path(struct work *work, struct err *err)
{
    const struct s3_upload *upload = work->upload;
    char *key = uri_encode(&work->arena, upload->key, strlen(upload->key), "/");
    work->path = key ? arena_printf(&work->arena, "/%s/%s", upload->bucket, key) : NULL;
    if (!work->path)
        return err_set(err, ERR_TOO_BIG, "upload %s: the name is too long", upload->key);
    return 0;
}

static int run(struct work *work, struct err *err)
{
    const struct s3_upload *upload = work->upload;
    if (find_path(work, err) < 0)
        return -1;
    if (upload->size <= work->part_bytes)
        return in_one(work, err);
    work->parts = (int)((upload->size + work->part_bytes - 1) / work->part_bytes);
    work->done = calloc((size_t)work->parts, sizeof *work->done);
    if (!work->done)
        return err_set(err, ERR_NO_MEMORY, "upload %s: out of memory", upload->key);
    return in_parts(work, err);
}

int aws_s3_upload(struct aws_client *client, struct s3_upload *upload, struct err *err)
{
    struct work work = {
        .client = client, .upload = upload, .part_bytes = s3_upload_part_bytes(upload->size)};
    if (upload->size > S3_UPLOAD_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "upload %s: larger than 64 GiB", upload->key);
    arena_init(&work.arena, ARENA_BYTES);
    int done = run(&work, err);
    arena_finish(&work.arena);
    free(work.done);
    return done;
}

int aws_s3_upload_abort(struct aws_client *client, struct s3_upload *upload, struct err *err)
{
    struct work work = {.client = client, .upload = upload};
    arena_init(&work.arena, ARENA_BYTES);
    int done = find_path(&work, err);
    if (done == 0 && upload->id[0])
        done = abort_known(&work, err);
    else if (done == 0 && upload->unsure)
        done = abort_unknown(&work, err);
    arena_finish(&work.arena);
    return done;
}
