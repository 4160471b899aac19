#include "cloud/s3/fetch.h"

#include "cloud/s3/meta.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int refuse(struct s3_fetch *f, const char *code, const char *message)
{
    f->code = code;
    f->message = message;
    return 0;
}

/* A bucket of a region is read from there only. The cloud's own region is everywhere. */
static int check_bucket(struct s3_request *r, struct s3_fetch *f, struct err *err)
{
    struct meta_bucket bucket;
    int found = meta_bucket(r, f->bucket, &bucket, err);
    if (found < 0)
        return -1;
    if (!found)
        return refuse(f, "NoSuchBucket", "The specified bucket does not exist");
    if (strcmp(bucket.region, r->x->region) == 0 ||
        strcmp(bucket.region, r->s3->cloud->region) == 0)
        return 0;
    const char *text = arena_printf(
        &r->x->arena,
        "The bucket is in this region: %s. Please use this region to retry the request",
        bucket.region);
    return refuse(f, "PermanentRedirect", text ? text : "");
}

static int check_rights(struct s3_request *r, struct s3_fetch *f, struct err *err)
{
    const char *action = f->version ? "s3:GetObjectVersion" : "s3:GetObject";
    if (s3_may(r, action, f->bucket, f->key, err) == 0)
        return 0;
    if (err->code != ERR_DENIED)
        return -1;
    return refuse(f, "AccessDenied", "Access Denied");
}

static int map(struct s3_request *r, struct content_piece *piece, struct s3_fetch *f,
               struct err *err)
{
    int fd = content_open(r->s3, piece->name, piece->whole_size, err);
    if (fd < 0)
        return -1;
    int result = content_check(r->s3, fd, piece, NULL, err);
    if (result == 0) {
        f->mapped = mmap(NULL, piece->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (f->mapped == MAP_FAILED) {
            f->mapped = NULL;
            result = err_set_errno(err, "read an object: map its file");
        }
    }
    close(fd);
    f->data = f->mapped;
    return result;
}

static int take_row(struct s3_request *r, struct content_piece *piece, struct s3_fetch *f,
                    struct err *err)
{
    f->memory = malloc(piece->size + 1);
    if (!f->memory)
        return err_set(err, ERR_NO_MEMORY, "read an object: out of memory");
    int found = meta_content(r, piece->name, f->memory, piece->size, err);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "read an object: it was replaced");
    piece->data = f->data = f->memory;
    return found < 0 ? -1 : content_check_data(r->s3, piece, err);
}

/* A write in between may take the content away that the row named. */
static int read_object(struct s3_request *r, struct s3_fetch *f, struct err *err)
{
    enum { ATTEMPTS = 10 };
    for (int i = 0; i < ATTEMPTS; i++) {
        struct meta_object object = {0};
        int found = meta_version(r, f->bucket, f->key, f->version, &object, err);
        if (found < 0)
            return -1;
        if (!found || object.is_marker)
            return f->version ? refuse(f, "NoSuchVersion", "The specified version does not exist.")
                              : refuse(f, "NoSuchKey", "The specified key does not exist.");
        struct content_piece piece = {.name = object.file,
                                      .blocks = object.blocks,
                                      .block_count = object.block_count,
                                      .whole_size = (size_t)object.size,
                                      .size = (size_t)object.size};
        f->size = piece.size;
        if (f->size == 0) {
            f->data = "";
            return 0;
        }
        if ((*object.file == '#' ? take_row : map)(r, &piece, f, err) == 0)
            return 0;
        s3_fetch_close(f);
        if (err->code != ERR_NOT_FOUND)
            return -1;
    }
    return err_set(err, ERR_CORRUPT, "read %s/%s: its content is missing", f->bucket, f->key);
}

int s3_fetch(struct cloud *cloud, struct exchange *x, struct s3_fetch *f, struct err *err)
{
    struct s3_request r = {.s3 = cloud->s3, .x = x, .bucket = f->bucket, .key = f->key};
    f->code = f->message = NULL;
    f->data = f->mapped = f->memory = NULL;
    if (f->version && strcmp(f->version, "null") != 0 && s3_version_sequence(f->version) < 0)
        return refuse(f, "InvalidArgument", "Invalid version id specified");
    if (check_bucket(&r, f, err) < 0 || (!f->code && check_rights(&r, f, err) < 0) ||
        (!f->code && read_object(&r, f, err) < 0))
        return -1;
    return 0;
}

void s3_fetch_close(struct s3_fetch *f)
{
    if (f->mapped)
        munmap(f->mapped, f->size);
    free(f->memory);
    f->mapped = f->memory = NULL;
    f->data = NULL;
}
