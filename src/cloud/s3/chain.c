#include "cloud/s3/content_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new file of whole files in a row, without looking at a byte of them. */

int content_can_chain(const struct content_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].data || pieces[i].offset || pieces[i].size != pieces[i].whole_size ||
            (i + 1 < count && pieces[i].size % CONTENT_BLOCK_BYTES))
            return 0;
    return count > 0;
}

static int take_blocks(const struct content_piece *pieces, size_t count, struct content *out,
                       struct err *err)
{
    size_t blocks = 0;
    for (size_t i = 0; i < count; i++) {
        out->size += pieces[i].size;
        blocks += pieces[i].block_count;
    }
    if (out->size > S3_MAX_OBJECT_BYTES)
        return err_set(err, ERR_TOO_BIG, "store an object: larger than %zu bytes",
                       S3_MAX_OBJECT_BYTES);
    out->blocks = calloc(blocks + 1, sizeof *out->blocks);
    if (!out->blocks)
        return err_set(err, ERR_NO_MEMORY, "store an object: out of memory");
    for (size_t i = 0; i < count; i++) {
        memcpy(out->blocks + out->block_count, pieces[i].blocks,
               pieces[i].block_count * sizeof *out->blocks);
        out->block_count += pieces[i].block_count;
    }
    return 0;
}

/* copy_file_range() is not everywhere, nor for every pair of files. */
static int is_not_offered(int code)
{
    return code == ENOSYS || code == EXDEV || code == EINVAL || code == EOPNOTSUPP || code == EPERM;
}

static int append(int from, int to, size_t size, struct err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = copy_file_range(from, NULL, to, NULL, size - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 && done == 0 && (got == 0 || is_not_offered(errno)))
            return content_copy(from, to, size, err);
        if (got < 0)
            return err_set_errno(err, "copy an object's file");
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "copy an object's file: it is too short");
        done += (size_t)got;
    }
    return 0;
}

static int append_piece(struct s3 *s3, int to, const struct content_piece *piece, struct err *err)
{
    int from = content_open(s3, piece->name, piece->whole_size, err);
    if (from < 0)
        return -1;
    int result = append(from, to, piece->size, err);
    close(from);
    return result;
}

int content_chain(const struct s3_request *r, const struct content_piece *pieces, size_t count,
                  struct content *out, struct err *err)
{
    *out = (struct content){.checksum_kind = CHECKSUM_NONE};
    if (take_blocks(pieces, count, out, err) < 0)
        return -1;
    if (count == 1) {
        snprintf(out->name, sizeof out->name, "%s", pieces->name);
        out->is_borrowed = 1;
        return 0;
    }
    if (content_make_room(r->s3, err) < 0)
        return -1;
    content_make_name(r, out->name);
    int fd = content_create(r->s3, out->name, err), result = fd < 0 ? -1 : 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = append_piece(r->s3, fd, &pieces[i], err);
    if (fd >= 0)
        result = content_end(fd, result, err);
    if (result == 0)
        result = content_sync_folder(r->s3, out->name, err);
    if (result < 0 && fd >= 0)
        content_remove(r->s3, out->name);
    return result;
}
