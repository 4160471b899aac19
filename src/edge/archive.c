#include "edge/archive.h"

#include "aws/client.h"
#include "aws/s3.h"
#include "base/file.h"
#include "edge/retry.h"
#include "edge/uplink.h"
#include "video/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* One part to the end of the file. Returns the size of the whole, or -1. */
static int64_t fetch_part(struct aws_client *client, const struct s3_part *part, int fd,
                          struct err *err)
{
    char range[96];
    struct retry retry;
    struct http_response response;
    http_response_init(&response);
    retry_start(&retry, PATIENCE_S);
    int result;
    do
        result = aws_s3_get_part(client, part, &response, err);
    while (result < 0 && uplink_may_pass(err) && retry_wait(&retry));
    int64_t whole = (int64_t)(part->offset + response.body.size);
    if (result == 0 && http_response_header(&response, "Content-Range", range, sizeof range) > 0 &&
        strchr(range, '/'))
        whole = strtoll(strchr(range, '/') + 1, NULL, 10);
    if (result == 0)
        result = file_write_all(fd, response.body.data, response.body.size, err);
    if (result == 0 && response.body.size == 0)
        result = err_set(err, ERR_CORRUPT, "GetObject: an empty answer");
    http_response_finish(&response);
    return result < 0 ? -1 : whole;
}

/* In parts: a recording may be larger than memory, and a connection break. */
static int fetch(struct aws_client *client, const char *bucket, const char *key, const char *path,
                 struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, "write %s", path);
    struct s3_part part = {.bucket = bucket, .key = key, .bytes = PART_BYTES};
    int64_t whole;
    do {
        whole = fetch_part(client, &part, fd, err);
        part.offset += PART_BYTES;
    } while (whole > (int64_t)part.offset);
    if (close(fd) < 0 && whole >= 0)
        whole = err_set_errno(err, "write %s", path);
    if (whole < 0)
        unlink(path);
    return whole < 0 ? err_wrap(err, "fetch %s", key) : 0;
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
