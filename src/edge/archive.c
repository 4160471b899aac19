#include "edge/archive.h"

#include "aws/client.h"
#include "aws/s3.h"
#include "base/file.h"
#include "edge/retry.h"
#include "edge/uplink.h"
#include "video/source.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PATH = 4096, PART_BYTES = 8 * 1024 * 1024, PATIENCE_S = 10 };

static int64_t play(const char *path, struct err *err)
{
    struct frame frame;
    struct source *source = source_open(path, &(struct source_options){0}, err);
    if (!source)
        return -1;
    int64_t frames = 0;
    int result;
    while ((result = source_read(source, &frame, err)) == 1)
        frames++;
    source_close(source);
    return result < 0 ? -1 : frames;
}

/* How large the whole is, by "bytes 0-7/23"; an engine that has no parts sends all of it. -1: it
 * does not follow what came before. */
static int64_t whole_bytes(const struct http_response *response, const struct s3_part *part)
{
    char range[96];
    if (http_response_header(response, "Content-Range", range, sizeof range) <= 0)
        return part->offset == 0 ? (int64_t)response->body.size : -1;
    uint64_t first, last;
    int64_t whole;
    if (sscanf(range, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNd64, &first, &last, &whole) != 3 ||
        first != part->offset || last - first + 1 != response->body.size)
        return -1;
    return whole;
}

/* The next part to the end of the file. Returns the size of the whole, or -1. */
static int64_t fetch_part(struct aws_client *client, struct s3_part *part, int fd, struct err *err)
{
    struct retry retry;
    struct http_response response;
    http_response_init(&response);
    retry_start(&retry, PATIENCE_S);
    int result;
    do
        result = aws_s3_get_part(client, part, &response, err);
    while (result < 0 && uplink_may_pass(err) && retry_wait(&retry));
    int64_t whole = result < 0 ? -1 : whole_bytes(&response, part);
    if (result == 0 && (whole < 0 || response.body.size == 0))
        result = err_set(err, ERR_CORRUPT, "GetObject: the answer is not the part that was asked");
    if (result == 0)
        result = file_write_all(fd, response.body.data, response.body.size, err);
    part->offset += response.body.size;
    http_response_finish(&response);
    return result < 0 ? -1 : whole;
}

/* In parts: a recording may be larger than memory, and a connection break. */
static int fetch_all(struct aws_client *client, const char *bucket, const char *key, int fd,
                     struct err *err)
{
    struct s3_part part = {.bucket = bucket, .key = key, .bytes = PART_BYTES};
    int64_t whole;
    do
        whole = fetch_part(client, &part, fd, err);
    while (whole > (int64_t)part.offset);
    return whole < 0 ? err_wrap(err, "fetch %s", key) : 0;
}

/* What is there under that name stays until the whole has come. */
static int fetch(struct aws_client *client, const char *bucket, const char *key, const char *path,
                 struct err *err)
{
    char part[MAX_PATH + 8];
    snprintf(part, sizeof part, "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, "write %s", part);
    int result = fetch_all(client, bucket, key, fd, err);
    if (close(fd) < 0 && result == 0)
        result = err_set_errno(err, "write %s", part);
    if (result == 0)
        result = file_move(part, path, err);
    if (result < 0)
        unlink(part);
    return result;
}

int64_t archive_fetch(const struct deployment *deployment, const char *key, const char *folder,
                      struct err *err)
{
    char path[MAX_PATH];
    struct aws_config config;
    int length = snprintf(path, sizeof path, "%s/%s", folder, key);
    if (strchr(key, '/') || length < 0 || (size_t)length >= sizeof path)
        return err_set(err, ERR_INVALID, "fetch %s: not the name of a recording", key);
    if (uplink_config(&config, deployment, err) < 0)
        return -1;
    struct aws_client *client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    int result = client ? fetch(client, deployment->videos_bucket, key, path, err) : -1;
    aws_client_destroy(client);
    return result < 0 ? -1 : play(path, err);
}
