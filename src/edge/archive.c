#include "edge/archive.h"

#include "aws/client.h"
#include "aws/s3.h"
#include "base/file.h"
#include "edge/uplink.h"
#include "video/source.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PATH = 4096 };

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

static int fetch(struct aws_client *client, const char *bucket, const char *key, const char *path,
                 struct err *err)
{
    struct http_response response;
    http_response_init(&response);
    int result = aws_s3_get_object(client, bucket, key, &response, err);
    if (result == 0)
        result = file_write(path, response.body.data, response.body.size, 0600, err);
    http_response_finish(&response);
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
