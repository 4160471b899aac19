#include "base/file.h"
#include "base/utf8.h"
#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/post_sender.h"
#include "cloud/s3/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* PostObject: an object from a browser's form. */

struct upload {
    struct s3_request *r;
    struct post_form form;
    struct post_limits limits;
    size_t file_size;
    int own_fd; /* of a large file, cut out of the body; -1: none */
};

/* -- the body -- */

static int read_at(int fd, char *out, size_t size, size_t offset, struct err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? err_set_errno(err, "read a form")
                           : err_set(err, ERR_IO, "read a form: it is too short");
        done += (size_t)got;
    }
    return 0;
}

static int read_head(struct upload *u, struct err *err)
{
    const struct body *body = &u->r->x->body;
    size_t size = body->size < POST_MAX_HEAD_BYTES ? body->size : POST_MAX_HEAD_BYTES;
    if (body->data)
        return post_form_read(&u->form, &u->r->x->arena, body->data, size, err);
    char *head = malloc(size);
    int result = head ? read_at(body->fd, head, size, 0, err)
                      : err_set(err, ERR_NO_MEMORY, "read a form: out of memory");
    if (result == 0)
        result = post_form_read(&u->form, &u->r->x->arena, head, size, err);
    free(head);
    return result;
}

static int fail_form(struct upload *u, const struct err *err)
{
    if (err->code == ERR_INVALID)
        exchange_fail(u->r->x, "MalformedPOSTRequest", "%s", err->message);
    else if (err->code == ERR_TOO_BIG)
        exchange_fail(u->r->x, "MaxPostPreDataLengthExceeded",
                      "Your POST request fields preceding the upload file were too large.");
    else
        s3_fail(u->r, err);
    return -1;
}

/* Where the boundary behind the file begins; -1: nowhere. Blocks overlap by its length. */
static int64_t find_end(const struct upload *u, struct err *err)
{
    enum { BLOCK_BYTES = 1024 * 1024 };
    const struct body *body = &u->r->x->body;
    const char *boundary = u->form.boundary;
    size_t length = strlen(boundary), at = u->form.file_offset;
    if (body->data) {
        const char *data = body->data,
                   *found = memmem(data + at, body->size - at, boundary, length);
        return found ? found - data : -1;
    }
    char *block = malloc(BLOCK_BYTES);
    int64_t result = -1;
    while (block && result < 0 && at + length <= body->size) {
        size_t size = body->size - at < BLOCK_BYTES ? body->size - at : BLOCK_BYTES;
        if (read_at(body->fd, block, size, at, err) < 0)
            break;
        const char *found = memmem(block, size, boundary, length);
        if (found)
            result = (int64_t)at + (found - block);
        at += size - length + 1;
    }
    free(block);
    return result;
}

static int copy_file(struct upload *u, struct err *err)
{
    enum { BLOCK_BYTES = 1024 * 1024 };
    char *block = malloc(BLOCK_BYTES);
    int result = block ? 0 : err_set(err, ERR_NO_MEMORY, "read a form: out of memory");
    for (size_t done = 0; result == 0 && done < u->file_size;) {
        size_t size = u->file_size - done < BLOCK_BYTES ? u->file_size - done : BLOCK_BYTES;
        result = read_at(u->r->x->body.fd, block, size, u->form.file_offset + done, err);
        if (result == 0)
            result = file_write_all(u->own_fd, block, size, err);
        done += size;
    }
    free(block);
    return result;
}

/* From here on the exchange's body is the file alone. */
static int cut_body(struct upload *u)
{
    struct err err = {0};
    struct body *body = &u->r->x->body;
    int64_t end = find_end(u, &err);
    if (end < 0) {
        err_set(&err, ERR_INVALID,
                "The body of your POST request is not well-formed multipart/form-data.");
        return fail_form(u, &err);
    }
    u->file_size = (size_t)end - u->form.file_offset;
    if (body->data) {
        body->data = (const char *)body->data + u->form.file_offset;
    } else {
        u->own_fd = open(u->r->s3->cloud->spool_folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (u->own_fd < 0)
            err_set_errno(&err, "make a file for a form's upload");
        if (u->own_fd < 0 || copy_file(u, &err) < 0)
            return fail_form(u, &err);
        body->fd = u->own_fd;
    }
    body->size = u->file_size;
    return 0;
}

/* -- the object -- */

static int deny(struct upload *u, const char *code, const char *message)
{
    exchange_fail(u->r->x, code, "%s", message);
    return -1;
}

/* The last part of a path, as old browsers send one; Windows' too. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *back = strrchr(path, '\\');
    const char *last = slash > back ? slash : back;
    return last ? last + 1 : path;
}

static int read_key(struct upload *u)
{
    static const char place[] = "${filename}";
    struct exchange *x = u->r->x;
    const char *key = post_form_get(&u->form, "key");
    const char *at = key ? strstr(key, place) : NULL;
    if (!key)
        return deny(u, "InvalidArgument",
                    "Bucket POST must contain a field named 'key'.  If it is specified, please "
                    "check the order of the fields.");
    u->r->key = at ? arena_printf(&x->arena, "%.*s%s%s", (int)(at - key), key,
                                  base_name(u->form.file_name), at + sizeof place - 1)
                   : key;
    if (!u->r->key || !*u->r->key)
        return deny(u, "InvalidArgument", "User key must have a length greater than 0.");
    if (!utf8_is_valid(u->r->key))
        return deny(u, "InvalidURI", "Couldn't parse the specified URI.");
    if (strlen(u->r->key) > S3_MAX_KEY_BYTES)
        return s3_fail_long_key(u->r, strlen(u->r->key));
    return 0;
}

static int is_kept_header(const char *name)
{
    static const char *const names[] = {"Host",    "Cache-Control",       "Content-Type",
                                        "Origin",  "Content-Disposition", "Content-Encoding",
                                        "Expires", "Content-MD5"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], name) == 0)
            return 1;
    static const char *const senders[] = {"x-amz-algorithm", "x-amz-credential", "x-amz-signature"};
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++)
        if (strcasecmp(senders[i], name) == 0)
            return 0;
    return strncasecmp(name, "x-amz-", 6) == 0; /* what nobody knows is refused as in a PUT */
}

/* The form's fields stand where a PUT has its headers. */
static int set_headers(struct upload *u)
{
    struct exchange *x = u->r->x;
    struct http_header *all = arena_new(&x->arena, struct http_header, u->form.field_count + 2);
    const char *host = exchange_header(x, "Host");
    size_t count = 0;
    if (!all)
        return deny(u, "InternalError", "Out of memory.");
    all[count++] = (struct http_header){"Host", host ? host : ""};
    for (size_t i = 0; i < u->form.field_count; i++) {
        const struct post_field *field = &u->form.fields[i];
        int is_acl = strcasecmp(field->name, "acl") == 0;
        if (strpbrk(field->value, "\r\n") && (is_acl || is_kept_header(field->name)))
            return deny(u, "InvalidArgument", "A field holds the end of a line.");
        if (is_acl || is_kept_header(field->name))
            all[count++] = (struct http_header){is_acl ? "x-amz-acl" : field->name, field->value};
    }
    x->headers = all;
    x->header_count = count;
    return 0;
}

static int read_extras(struct upload *u, struct s3_extras *extras)
{
    static const struct tree_rule rules[] = {{.path = "TagSet", .kind = TREE_PARENT},
                                             {.path = "TagSet/Tag", .kind = TREE_PARENT},
                                             {.path = "TagSet/Tag/Key", .kind = TREE_TEXT},
                                             {.path = "TagSet/Tag/Value", .kind = TREE_TEXT},
                                             {0}};
    struct err err = {0};
    const char *tags = post_form_get(&u->form, "tagging");
    if (set_headers(u) < 0 || s3_refuse_unknown(u->r) < 0 || s3_read_extras(u->r, extras) < 0)
        return -1;
    if (!tags)
        return 0;
    struct tree *tree = tree_read(&u->r->x->arena, tags, strlen(tags), &err);
    if (!tree || tree_check(tree, "Tagging", rules, &err) < 0) {
        s3_fail_malformed(u->r);
        return -1;
    }
    extras->tags = s3_tags_of_tree(u->r, tree);
    return extras->tags ? s3_authorize(u->r, "s3:PutObjectTagging", u->r->bucket, u->r->key) : -1;
}

static int check_size(struct upload *u)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", u->file_size);
    if ((int64_t)u->file_size < u->limits.min_bytes)
        exchange_fail_more(u->r->x, "EntityTooSmall", "ProposedSize", text,
                           "Your proposed upload is smaller than the minimum allowed size");
    else if (u->limits.max_bytes >= 0 && (int64_t)u->file_size > u->limits.max_bytes)
        exchange_fail_more(u->r->x, "EntityTooLarge", "ProposedSize", text,
                           "Your proposed upload exceeds the maximum allowed size");
    else
        return 0;
    return -1;
}

/* -- the answer -- */

static void put_location(struct upload *u, struct buf *out)
{
    buf_printf(out, "%s/", u->r->s3->cloud->endpoint);
    s3_url_encode(out, u->r->bucket);
    buf_puts(out, "/");
    s3_url_encode(out, u->r->key);
}

static int redirect(struct upload *u, const char *etag)
{
    const char *to = post_form_get(&u->form, "success_action_redirect");
    struct buf url;
    if (!to)
        to = post_form_get(&u->form, "redirect");
    if (!to || strpbrk(to, "\r\n") || (strncmp(to, "http://", 7) && strncmp(to, "https://", 8)))
        return 0; /* no address: as if there were none */
    buf_init(&url, S3_MAX_HEADERS_BYTES);
    buf_printf(&url, "%s%sbucket=", to, strchr(to, '?') ? "&" : "?");
    s3_url_encode(&url, u->r->bucket);
    buf_puts(&url, "&key=");
    s3_url_encode(&url, u->r->key);
    buf_printf(&url, "&etag=%%22%s%%22", etag);
    if (!url.failed) {
        exchange_reply_header(u->r->x, "Location", url.data);
        exchange_respond(u->r->x, 303, NULL, NULL, 0);
    }
    int done = !url.failed;
    buf_finish(&url);
    return done;
}

static void answer(struct upload *u, const char *etag)
{
    const char *status = post_form_get(&u->form, "success_action_status");
    struct buf out;
    char quoted[S3_ETAG_BYTES + 2];
    if (redirect(u, etag))
        return;
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    put_location(u, &out);
    if (!out.failed)
        exchange_reply_header(u->r->x, "Location", out.data);
    buf_finish(&out);
    if (!status || strcmp(status, "201") != 0) {
        exchange_respond(u->r->x, status && strcmp(status, "200") == 0 ? 200 : 204, NULL, NULL, 0);
        return;
    }
    buf_init(&out, S3_MAX_HEADERS_BYTES * 2);
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    buf_puts(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>");
    put_location(u, &out);
    buf_puts(&out, "</Location>");
    s3_xml(&out, "Bucket", u->r->bucket);
    s3_xml(&out, "Key", u->r->key);
    s3_xml(&out, "ETag", quoted);
    buf_puts(&out, "</PostResponse>");
    if (out.failed)
        exchange_fail(u->r->x, "InternalError", "The answer is too long.");
    else
        exchange_respond(u->r->x, 201, "application/xml", out.data, out.size);
    buf_finish(&out);
}

static void store(struct upload *u)
{
    struct content content = {0};
    struct s3_extras extras;
    char etag[S3_ETAG_BYTES];
    if (s3_need_bucket(u->r, NULL) == 0 && read_extras(u, &extras) == 0 && cut_body(u) == 0 &&
        check_size(u) == 0 && s3_take_object(u->r, &content) == 0 &&
        s3_store_object(u->r, &content, &extras, "ObjectCreated:Post", etag) == 0)
        answer(u, etag);
    content_finish(&content);
}

void s3_post_object(struct s3_request *r)
{
    struct err err = {0};
    struct upload *u = arena_new(&r->x->arena, struct upload, 1);
    if (!u) {
        exchange_fail(r->x, "InternalError", "Out of memory.");
        return;
    }
    u->r = r;
    u->own_fd = -1;
    const char *type = exchange_header(r->x, "Content-Type");
    if (!post_form_boundary(type, &u->form)) {
        if (type && strcasecmp(type, "multipart/form-data") == 0)
            exchange_fail(r->x, "MalformedPOSTRequest",
                          "The body of your POST request is not well-formed multipart/form-data.");
        else
            exchange_fail_more(r->x, "PreconditionFailed", "Condition",
                               "Bucket POST must be of the enclosure-type multipart/form-data",
                               "At least one of the pre-conditions you specified did not hold");
        return;
    }
    if (read_head(u, &err) < 0) {
        fail_form(u, &err);
    } else if (!u->form.has_file) {
        deny(u, "InvalidArgument", "POST requires exactly one file upload per request.");
    } else if (post_authenticate(r, &u->form, &u->limits) == 0 && read_key(u) == 0 &&
               s3_authorize(r, "s3:PutObject", r->bucket, r->key) == 0) {
        store(u);
    }
    if (u->own_fd >= 0)
        close(u->own_fd);
}
